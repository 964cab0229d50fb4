/*
 * schedule - cron: when the next run is.
 *
 * Six fields, seconds first, as CloudNativePG's ScheduledBackup; five as crontab(5), seconds then
 * 0; "@daily" and its like, "@every 1h30m"; an optional "CRON_TZ=Zone " or "TZ=Zone " in front,
 * where a zone is a name like Europe/Berlin, UTC, or an offset like +01:00.  Months and days of
 * the week by number or English name.  Day of month and day of week: either, when both are given.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct schedule {
	uint64_t second, minute; /* bit n: at n */
	uint32_t hour, day, month;
	uint8_t weekday; /* bit 0: Sunday */
	bool any_day, any_weekday;
	char zone[64]; /* "": UTC */
	bool named;    /* zone is a name: only a database of zones knows its offsets */
	int32_t offset_s;
	int64_t every_us; /* "@every 1h30m"; 0: by the fields */
};

int schedule_parse(struct schedule *out, const char *text, struct err *e) MUSTCHECK;

/*
 * Seconds that a named zone is ahead of UTC at a moment (seconds since 1970); false: the zone is
 * not known.  The database of zones is files, which core does not read: service/zone.h has the
 * function for this machine.
 */
typedef bool schedule_zone_fn(void *arg, const char *zone, int64_t at_s, int32_t *offset_s);

/* The first time after the given one, both wall microseconds; 0: never, or a zone that nobody
 * knows.  A time that a change of clocks leaves out happens at the change; one that comes twice
 * happens once.  fn NULL: UTC and fixed offsets only. */
int64_t schedule_next_in(
	const struct schedule *s, int64_t after_us, schedule_zone_fn *fn, void *arg);
int64_t schedule_next(const struct schedule *s, int64_t after_us);
