/*
 * duration - a span of time as people write it: "500ms", "10s", "1.5m", "2h", "1m30s", "1d".
 *
 * A bare number is seconds.  Parts may follow each other and add up; digits after the point are
 * kept to the millisecond.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"

int duration_parse(const char *text, int64_t *out_ms, struct err *e) MUSTCHECK;

#define DURATION_SIZE 32
/* For people: "350 ms", "12 s", "3 min 20 s", "5 h 12 min", "9 d 4 h".  Returns out. */
const char *duration_text(int64_t ms, char out[DURATION_SIZE]);
