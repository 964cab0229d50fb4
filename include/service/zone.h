/*
 * zone - how far a time zone of this machine's database is ahead of UTC.
 *
 * Reads files below /usr/share/zoneinfo (or TZDIR) and sets TZ of the process for the moment of the
 * question: not for processes that use local time otherwise.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A schedule_zone_fn; arg is not used.  False: no such zone here. */
bool zone_offset(void *arg, const char *zone, int64_t at_s, int32_t *offset_s);
