#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/duration.h"

static void
every_unit_is_read_exactly(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{"10s", 10000},
		{"500ms", 500},
		{"2m", 120000},
		{"2min", 120000},
		{"1.5h", 5400000},
		{"1d", 86400000},
		{"30", 30000},
		{"0", 0},
		{"0.25", 250},
		{"1m30s", 90000},
		{"1h0.5s", 3600500},
		{"0.0019s", 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = {0};
		int64_t ms = -1;

		assert_int_equal(duration_parse(cases[i].text, &ms, &e), 0);
		assert_int_equal(ms, cases[i].ms);
	}
}

static void
what_is_no_duration_is_refused_naming_it(void **state)
{
	static const char *const bad[] = {"", "s", "-1s", "10x", "10S", "1 s", "1.s", ".5s", "10s5",
		"5 10s", "1e3", "9999999999999s", "999999999999d", "99999999d", "5sec"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = {0};
		int64_t ms = -1;

		assert_int_equal(duration_parse(bad[i], &ms, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
		assert_non_null(strstr(e.msg, bad[i]));
		assert_int_equal(ms, -1);
	}
}

static void
people_read_two_units_at_most(void **state)
{
	char out[DURATION_SIZE];

	(void)state;
	assert_string_equal(duration_text(0, out), "0 ms");
	assert_string_equal(duration_text(350, out), "350 ms");
	assert_string_equal(duration_text(12999, out), "12 s");
	assert_string_equal(duration_text(60000, out), "1 min");
	assert_string_equal(duration_text(200000, out), "3 min 20 s");
	assert_string_equal(duration_text(5 * 3600000 + 12 * 60000, out), "5 h 12 min");
	assert_string_equal(duration_text(9 * 86400000L + 4 * 3600000, out), "9 d 4 h");
	assert_string_equal(duration_text(-5, out), "0 ms");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_unit_is_read_exactly),
		cmocka_unit_test(what_is_no_duration_is_refused_naming_it),
		cmocka_unit_test(people_read_two_units_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
