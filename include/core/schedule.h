/*
 * schedule - cron: when the next run is.
 *
 * Six fields, seconds first, as CloudNativePG's ScheduledBackup; five as crontab(5), seconds then
 * 0; "@daily" and its like; an optional "CRON_TZ=Zone " or "TZ=Zone " in front.  Months and days of
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
};

int schedule_parse(struct schedule *out, const char *text, struct err *e) MUSTCHECK;
/* The first time after the given one, both wall microseconds; 0: never.  A time that a change of
 * clocks leaves out happens at the change; one that comes twice happens once. */
int64_t schedule_next(const struct schedule *s, int64_t after_us);
