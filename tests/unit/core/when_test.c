#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/defs.h"
#include "core/when.h"

static void
calendar_agrees_with_the_c_librarys(void **state)
{
	struct when_civil c;
	struct tm tm;
	time_t t;

	(void)state;
	for (int64_t s = -INT64_C(70000000000); s < INT64_C(250000000000);
		s += 86400 * 97 + 12345) {
		t = (time_t)s;
		assert_non_null(gmtime_r(&t, &tm));
		c = when_civil(s);
		if (c.year != tm.tm_year + 1900 || c.month != tm.tm_mon + 1 ||
			c.day != tm.tm_mday || c.hour != tm.tm_hour || c.minute != tm.tm_min ||
			c.second != tm.tm_sec || c.weekday != tm.tm_wday)
			fail_msg("%lld", (long long)s);
		assert_true(when_seconds(&c) == s);
	}
}

static const struct {
	const char *text;
	enum when is;
	int64_t us;
	bool zoned;
} rows[] = {
	{"2026-11-20T13:41:00Z", WHEN_KNOWN, INT64_C(1795182060000000), true},
	{"2026-11-20 13:41:00+01", WHEN_KNOWN, INT64_C(1795178460000000), true},
	{"2026-11-20 13:41:00.5 -0130", WHEN_KNOWN, INT64_C(1795187460500000), true},
	{"2026-11-20 13:41:00.123456+00:00", WHEN_KNOWN, INT64_C(1795182060123456), true},
	{"2026-11-20 13:41:00.1234567 utc", WHEN_KNOWN, INT64_C(1795182060123457), true},
	{"2026-11-20 13:41:00.00000+00", WHEN_KNOWN, INT64_C(1795182060000000), true},
	{"2026-11-20 13:41:00.9999999+00", WHEN_KNOWN, INT64_C(1795182061000000), true},
	{"2026-11-20 13:41:00+00:53:28", WHEN_KNOWN, INT64_C(1795178852000000), true},
	{"2026-11-20 13:41:00", WHEN_KNOWN, INT64_C(1795182060000000), false},
	{"2026-11-20 13:41", WHEN_KNOWN, INT64_C(1795182060000000), false},
	{"2026-11-20", WHEN_KNOWN, INT64_C(1795132800000000), false},
	{"2026-11-19 24:00:00Z", WHEN_KNOWN, INT64_C(1795132800000000), true},
	{"2024-02-29 00:00:60Z", WHEN_KNOWN, INT64_C(1709164860000000), true},
	{"1969-12-31T23:59:59.25Z", WHEN_KNOWN, -INT64_C(750000), true},
	{"2026-11-20 13:41:00 Europe/Berlin", WHEN_ASK, 0, false},
	{"2026-11-20 13:41:00 CET", WHEN_ASK, 0, false},
	{"2026-11-20 1:41 PM", WHEN_ASK, 0, false},
	{"20 Nov 2026 13:41", WHEN_ASK, 0, false},
	{"20261120 134100", WHEN_ASK, 0, false},
	{"2026-11-20T13:41:00Zulu!", WHEN_ASK, 0, false},
	{"", WHEN_WRONG, 0, false},
	{"now", WHEN_WRONG, 0, false},
	{"today", WHEN_WRONG, 0, false},
	{"-infinity", WHEN_WRONG, 0, false},
	{"epoch", WHEN_WRONG, 0, false},
	{"2026-13-01", WHEN_WRONG, 0, false},
	{"2026-13-01 Europe/Berlin", WHEN_WRONG, 0, false},
	{"2026-02-29 00:00:00", WHEN_WRONG, 0, false},
	{"2026-11-20 25:00:00", WHEN_WRONG, 0, false},
	{"2026-11-20 24:00:01", WHEN_WRONG, 0, false},
	{"2026-11-20 13:60:00", WHEN_WRONG, 0, false},
	{"2026-11-20 13:41:61", WHEN_WRONG, 0, false},
	{"2026-11-20 13:41:00+16:00", WHEN_WRONG, 0, false},
	{"0000-11-20", WHEN_WRONG, 0, false},
};

static void
times_are_read_or_left_to_postgresql_or_wrong(void **state)
{
	int64_t us;
	bool zoned;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		us = 0;
		zoned = false;
		if (when_parse(rows[i].text, &us, &zoned) != rows[i].is || us != rows[i].us ||
			zoned != rows[i].zoned)
			fail_msg("%s: %lld", rows[i].text, (long long)us);
	}
}

static void
what_is_written_is_read_again(void **state)
{
	static const int64_t times[] = {0, 1, -1, INT64_C(1795182060123456),
		INT64_C(1795182060000000), INT64_C(253402300799999999)};
	char text[WHEN_TEXT_SIZE];
	int64_t us;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		assert_int_equal(when_parse(when_text(times[i], text), &us, NULL), WHEN_KNOWN);
		assert_true(us == times[i]);
	}
	assert_string_equal(when_text(times[3], text), "2026-11-20 13:41:00.123456+00:00");
	assert_string_equal(when_text(times[4], text), "2026-11-20 13:41:00+00:00");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calendar_agrees_with_the_c_librarys),
		cmocka_unit_test(times_are_read_or_left_to_postgresql_or_wrong),
		cmocka_unit_test(what_is_written_is_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
