/*
 * when - points in time as people, PostgreSQL and Python write them; and the calendar.
 *
 * The calendar is the proleptic Gregorian one, days have 86,400 seconds.  Sources: PostgreSQL,
 * appendix "Date/Time Input Interpretation"; RFC 3339; H. Hinnant, "chrono-Compatible Low-Level
 * Date Algorithms".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct when_civil {
	int64_t year;
	int month, day; /* from 1 */
	int hour, minute, second;
	int weekday; /* 0: Sunday */
};

int64_t when_days(int64_t year, int month, int day); /* since 1970-01-01 */
int when_month_days(int64_t year, int month);
struct when_civil when_civil(int64_t seconds);    /* since 1970, UTC */
int64_t when_seconds(const struct when_civil *c); /* weekday is not looked at */

enum when {
	WHEN_KNOWN, /* *wall_us is it */
	WHEN_ASK,   /* PostgreSQL may know: named zones, other spellings */
	WHEN_WRONG, /* PostgreSQL would refuse it as a recovery target too */
};

/*
 * YYYY-MM-DD[(T| )HH:MM[:SS[.fraction]]][ ][Z|UTC|GMT|(+|-)HH[[:]MM[[:]SS]]].  Without a zone it is
 * UTC, as in CloudNativePG's recoveryTarget, and *zoned is false; zoned may be NULL.  now, today,
 * infinity and the like are WRONG, as PostgreSQL has it for recovery_target_time.
 */
enum when when_parse(const char *text, int64_t *wall_us, bool *zoned);

#define WHEN_TEXT_SIZE 40
/* "2026-11-20 13:41:00.123456+00:00", the fraction only if there is one, as Python's str().  All
 * of Python, PostgreSQL and when_parse() read it.  Returns out. */
const char *when_text(int64_t wall_us, char out[WHEN_TEXT_SIZE]);
