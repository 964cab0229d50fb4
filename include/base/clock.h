/*
 * clock - two clocks, never mixed.
 *
 * Deadlines and ages use CLOCK_BOOTTIME, which counts suspend and never steps.  Wall time is for
 * people and for recovery targets only.
 */
#pragma once

#include <stdint.h>

#define MS_NS INT64_C(1000000)
#define SEC_MS INT64_C(1000)
#define SEC_US INT64_C(1000000)

#define CLOCK_NEVER INT64_MAX /* a deadline that never comes */

int64_t clock_boot_ns(void);
int64_t clock_boot_ms(void);
int64_t clock_wall_us(void); /* microseconds since 1970-01-01 UTC */

#define CLOCK_RFC3339_SIZE 32
/* "2026-11-20T08:15:30.123456Z"; "" when wall_us is 0.  Returns out. */
const char *clock_rfc3339(int64_t wall_us, char out[CLOCK_RFC3339_SIZE]);
/* The same without a fraction. */
const char *clock_rfc3339_sec(int64_t wall_us, char out[CLOCK_RFC3339_SIZE]);
