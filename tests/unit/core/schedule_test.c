#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "core/schedule.h"
#include "core/when.h"

/* Europe/Berlin in 2026: +1, from March 29 01:00 UTC +2, from October 25 01:00 UTC +1. */
static bool
berlin(void *arg, const char *zone, int64_t at_s, int32_t *offset_s)
{
	(void)arg;
	if (strcmp(zone, "Europe/Berlin") != 0)
		return false;
	*offset_s = at_s >= INT64_C(1774746000) && at_s < INT64_C(1792890000) ? 7200 : 3600;
	return true;
}

static int64_t
at(const char *text)
{
	int64_t us;

	assert_int_equal(when_parse(text, &us, NULL), WHEN_KNOWN);
	return us;
}

static void
expect_next(const char *schedule, const char *after, const char *next)
{
	char got[WHEN_TEXT_SIZE];
	struct schedule s;
	struct err e;
	int64_t us;

	if (schedule_parse(&s, schedule, &e))
		fail_msg("%s: %s", schedule, e.msg);
	us = schedule_next_in(&s, at(after), berlin, NULL);
	if (us != (next ? at(next) : 0))
		fail_msg("%s after %s: %s, expected %s", schedule, after, when_text(us, got), next);
}

static void
next_time_is_found(void **state)
{
	(void)state;
	expect_next("0 0 3 * * *", "2026-11-20 03:00:00Z", "2026-11-21 03:00:00Z");
	expect_next("0 0 3 * * *", "2026-11-20 02:59:59.999999Z", "2026-11-20 03:00:00Z");
	expect_next("0 3 * * *", "2026-11-20 04:00Z", "2026-11-21 03:00:00Z");
	expect_next("*/15 * * * * *", "2026-11-20 04:00:14Z", "2026-11-20 04:00:15Z");
	expect_next("*/15 * * * * *", "2026-12-31 23:59:45Z", "2027-01-01 00:00Z");
	expect_next("0 0 0 1 jan ?", "2026-11-20 04:00Z", "2027-01-01 00:00Z");
	expect_next("0 0 0 29 2 *", "2026-11-20 04:00Z", "2028-02-29 00:00Z");
	expect_next("0 0 0 29 2 *", "2096-11-20 04:00Z", "2104-02-29 00:00Z");
	expect_next("0 0 0 31 2 *", "2026-11-20 04:00Z", NULL);
	expect_next("0 30 4 1,15 * 5", "2026-11-20 04:30Z", "2026-11-27 04:30Z");
	expect_next("0 30 4 1,15 * 5", "2026-11-27 04:30Z", "2026-12-01 04:30Z");
	expect_next("0 30 4 * * Mon-Wed", "2026-11-20 04:30Z", "2026-11-23 04:30Z");
	expect_next("0 30 4 * * 7", "2026-11-20 04:30Z", "2026-11-22 04:30Z");
	expect_next("0 5/20 * * * *", "2026-11-20 04:30Z", "2026-11-20 04:45Z");
	expect_next("@daily", "2026-11-20 04:30Z", "2026-11-21 00:00Z");
	expect_next("@weekly", "2026-11-20 04:30Z", "2026-11-22 00:00Z");
	expect_next("@every 1h30m", "2026-11-20 04:30:10.5Z", "2026-11-20 06:00:10Z");
}

static void
fields_count_in_their_zone(void **state)
{
	(void)state;
	expect_next("CRON_TZ=UTC 0 0 3 * * *", "2026-11-20 04:00Z", "2026-11-21 03:00Z");
	expect_next("TZ=+05:30 0 0 3 * * *", "2026-11-20 04:00Z", "2026-11-20 21:30Z");
	expect_next("CRON_TZ=Europe/Berlin 0 0 3 * * *", "2026-11-20 04:00Z", "2026-11-21 02:00Z");
	expect_next("CRON_TZ=Europe/Berlin 0 0 3 * * *", "2026-07-20 04:00Z", "2026-07-21 01:00Z");
	expect_next("CRON_TZ=Mars/Base 0 0 3 * * *", "2026-07-20 04:00Z", NULL);
}

static void
time_that_is_left_out_happens_at_the_change_once(void **state)
{
	(void)state;
	expect_next("CRON_TZ=Europe/Berlin 0 30 2 * * *", "2026-03-28 12:00Z", "2026-03-29 01:00Z");
	expect_next("CRON_TZ=Europe/Berlin 0 30 2 * * *", "2026-03-29 01:00Z", "2026-03-30 00:30Z");
	expect_next(
		"CRON_TZ=Europe/Berlin 0 */20 2 * * *", "2026-03-28 12:00Z", "2026-03-29 01:00Z");
	expect_next(
		"CRON_TZ=Europe/Berlin 0 */20 2 * * *", "2026-03-29 01:00Z", "2026-03-30 00:00Z");
}

static void
time_that_comes_twice_happens_once(void **state)
{
	(void)state;
	expect_next("CRON_TZ=Europe/Berlin 0 30 2 * * *", "2026-10-24 12:00Z", "2026-10-25 00:30Z");
	expect_next("CRON_TZ=Europe/Berlin 0 30 2 * * *", "2026-10-25 00:30Z", "2026-10-26 01:30Z");
	expect_next("CRON_TZ=Europe/Berlin 0 30 2 * * *", "2026-10-25 01:10Z", "2026-10-26 01:30Z");
	expect_next("CRON_TZ=Europe/Berlin 0 0 3 * * *", "2026-10-24 12:00Z", "2026-10-25 02:00Z");
}

/* Every second of some days, asked one by one. */
static bool
fits(const struct schedule *s, int64_t second)
{
	struct when_civil c = when_civil(second);
	bool day = s->day >> c.day & 1, weekday = s->weekday >> c.weekday & 1;

	return (s->second >> c.second & 1) && (s->minute >> c.minute & 1) &&
	       (s->hour >> c.hour & 1) && (s->month >> c.month & 1) &&
	       (s->any_day || s->any_weekday ? day && weekday : day || weekday);
}

static void
search_agrees_with_looking_at_every_second(void **state)
{
	static const char *const texts[] = {"7,9 */13 2-4 * * *", "0 59 23 * * *",
		"*/7 1 */5 20-22 11 *", "30 30 */6 21 * 0", "59 59 23 31 * ?"};
	struct schedule s;
	int64_t start = at("2026-11-20 00:00Z") / SEC_US, seen;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(schedule_parse(&s, texts[i], &e), 0);
		seen = start;
		for (int64_t t = start + 1; t < start + 3 * 86400; t++) {
			if (!fits(&s, t))
				continue;
			assert_true(schedule_next(&s, seen * SEC_US) == t * SEC_US);
			seen = t;
		}
		assert_true(schedule_next(&s, seen * SEC_US) / SEC_US >= start + 3 * 86400);
	}
}

static void
what_is_no_schedule_says_what_is_wrong(void **state)
{
	static const struct {
		const char *text, *message;
	} rows[] = {
		{"daily", "1 fields, expected six"},
		{"", "0 fields"},
		{"* * * * * * *", "7 fields"},
		{"60 * * * * *", "second: \"60\" is not 0 to 59"},
		{"* * 24 * * *", "hour: \"24\""},
		{"* * * 0 * *", "day of the month: \"0\""},
		{"* * * * 13 *", "month: \"13\""},
		{"* * * * foo *", "month: \"foo\""},
		{"* * * * januar *", "month: \"januar\""},
		{"* * * * * 8", "day of the week: \"8\""},
		{"5-3 * * * * *", "second: \"5-3\""},
		{"*/0 * * * * *", "second: \"*/0\""},
		{"1,, * * * * *", "second: \"1,,\""},
		{"1x * * * * *", "second: \"1x\""},
		{"@reboot", "\"@reboot\" is not known"},
		{"@every 0s", "@every 0s is too often"},
		{"@every x", "@every: "},
		{"TZ=/etc/passwd * * * * *", "\"/etc/passwd\" is no time zone"},
		{"TZ= * * * * *", "\"\" is no time zone"},
	};
	struct schedule s;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(schedule_parse(&s, rows[i].text, &e), -1);
		assert_int_equal(e.kind, ERR_CONFIG);
		if (strncmp(e.msg, rows[i].message, strlen(rows[i].message)) != 0)
			assert_string_equal(e.msg, rows[i].message);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(next_time_is_found),
		cmocka_unit_test(fields_count_in_their_zone),
		cmocka_unit_test(time_that_is_left_out_happens_at_the_change_once),
		cmocka_unit_test(time_that_comes_twice_happens_once),
		cmocka_unit_test(search_agrees_with_looking_at_every_second),
		cmocka_unit_test(what_is_no_schedule_says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
