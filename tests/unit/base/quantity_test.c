#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/quantity.h"

static void
value_is(const char *text, int64_t want)
{
	struct quantity q;
	struct err e = {0};

	if (quantity_parse(text, &q, &e))
		fail_msg("%s", e.msg);
	if (quantity_value(q) != want)
		fail_msg("%s is %lld", text, (long long)quantity_value(q));
}

static void
milli_is(const char *text, int64_t want)
{
	struct quantity q;
	struct err e = {0};

	if (quantity_parse(text, &q, &e))
		fail_msg("%s", e.msg);
	assert_int_equal(quantity_milli(q), want);
}

static void
refused(const char *text)
{
	struct quantity q;
	struct err e = {0};

	if (quantity_parse(text, &q, &e) != -1)
		fail_msg("\"%s\" was taken", text);
	assert_int_equal(e.kind, ERR_CONFIG);
}

static void
decimal_and_binary_units_differ(void **state)
{
	(void)state;
	value_is("16M", 16000000);
	value_is("16Mi", 16777216);
	value_is("1k", 1000);
	value_is("1Ki", 1024);
	value_is("1G", 1000000000);
	value_is("2E", 2000000000000000000);
	value_is("7Ei", INT64_C(7) << 60);
}

static void
fractions_are_exact(void **state)
{
	(void)state;
	value_is("1.5Gi", 1610612736);
	value_is("0.1Gi", 107374183); /* 107374182.4, rounded up */
	milli_is("500m", 500);
	milli_is("0.1", 100);
	milli_is("1.0005", 1001);
	value_is(".5", 1);
	value_is("5.", 5);
	value_is("0.000000001", 1);
	value_is("100n", 1);
	value_is("1000000u", 1);
}

static void
exponents_are_read(void **state)
{
	(void)state;
	value_is("1e3", 1000);
	value_is("1E3", 1000);
	value_is("12e-1", 2);
	value_is("1E", 1000000000000000000);
	value_is("0e999999999", 0);
	value_is("1e-999999999", 1);
}

static void
signs_are_kept_and_rounding_goes_away_from_zero(void **state)
{
	(void)state;
	value_is("-1.5", -2);
	value_is("+3", 3);
	milli_is("-1", -1000);
}

static void
the_largest_is_two_to_63_less_one(void **state)
{
	(void)state;
	value_is("9223372036854775807", INT64_MAX);
	refused("9223372036854775808");
	refused("8Ei");
	refused("10E");
	refused("1e19");
	refused("1e999999999999");
	refused("99999999999999999999999999999999999999999");
	milli_is("9223372036854775807", INT64_MAX);
}

static void
what_is_no_quantity_is_refused(void **state)
{
	static const char *const bad[] = {"", " 1", "1 ", "1 Gi", "Gi", "1gi", "1KB", "1K", "1.2.3",
		"--1", "1e", "1e3Mi", "0x10", "1MiB", "1_000", "\xc2\xbd", "-", ".", "+", "e3",
		"1ee3"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		refused(bad[i]);
}

static void
bytes_are_not_negative(void **state)
{
	struct err e = {0};
	int64_t v;

	(void)state;
	assert_int_equal(quantity_bytes("16Mi", &v, &e), 0);
	assert_int_equal(v, 16777216);
	assert_int_equal(quantity_bytes("-1", &v, &e), -1);
}

static void
quantities_compare_by_amount(void **state)
{
	struct quantity a, b;
	struct err e = {0};

	(void)state;
	assert_int_equal(quantity_parse("1024Mi", &a, &e), 0);
	assert_int_equal(quantity_parse("1Gi", &b, &e), 0);
	assert_int_equal(quantity_cmp(a, b), 0);
	assert_int_equal(quantity_parse("1G", &a, &e), 0);
	assert_true(quantity_cmp(a, b) < 0);
}

static void
postgres_sizes_are_binary_and_their_case_matters(void **state)
{
	static const struct {
		const char *text;
		int64_t unit, want;
	} good[] = {{"128MB", 8192, 134217728}, {"1.5GB", 8192, 1610612736},
		{"1000", 8192, 8192000}, {"0x10", 8192, 131072}, {"64 kB", 1024, 65536},
		{"  1TB ", 1024, INT64_C(1) << 40}, {"-1", 8192, -8192}, {"100B", 1, 100},
		{"1kB", 8192, 0}, {"5kB", 8192, 8192}, {"1e2kB", 1024, 102400}, {"010", 1, 8}};
	static const char *const bad[] = {"", "MB", "128mb", "128Mb", "16Mi", "1 G B", "1K",
		"12abc", "5 min", "9999999999999TB"};
	struct err e = {0};
	int64_t v;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (quantity_pg_bytes(good[i].text, good[i].unit, &v, &e))
			fail_msg("%s", e.msg);
		if (v != good[i].want)
			fail_msg("%s is %lld", good[i].text, (long long)v);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (quantity_pg_bytes(bad[i], 8192, &v, &e) != -1)
			fail_msg("%s was taken", bad[i]);
}

static void
postgres_times_have_their_own_unit(void **state)
{
	struct err e = {0};
	int64_t v;

	(void)state;
	assert_int_equal(quantity_pg_us("5min", 1000000, &v, &e), 0);
	assert_int_equal(v, 300000000);
	assert_int_equal(quantity_pg_us("30", 1000000, &v, &e), 0);
	assert_int_equal(v, 30000000);
	assert_int_equal(quantity_pg_us("1.5d", 1000, &v, &e), 0);
	assert_int_equal(v, INT64_C(129600000000));
	assert_int_equal(quantity_pg_us("200us", 1000, &v, &e), 0);
	assert_int_equal(v, 0);
	assert_int_equal(quantity_pg_us("5m", 1000, &v, &e), -1);
	assert_int_equal(quantity_pg_us("5sec", 1000, &v, &e), -1);
}

static void
postgres_switches_may_be_shortened(void **state)
{
	static const char *const yes[] = {"on", "ON", "true", "t", "tr", "yes", "y", "1"};
	static const char *const no[] = {"off", "of", "false", "F", "no", "n", "0"};
	static const char *const bad[] = {"o", "", "onn", "2", "enabled", " on"};
	struct err e = {0};
	int b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		assert_int_equal(quantity_pg_bool(yes[i], &b, &e), 0);
		assert_int_equal(b, 1);
	}
	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		assert_int_equal(quantity_pg_bool(no[i], &b, &e), 0);
		assert_int_equal(b, 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(quantity_pg_bool(bad[i], &b, &e), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decimal_and_binary_units_differ),
		cmocka_unit_test(fractions_are_exact),
		cmocka_unit_test(exponents_are_read),
		cmocka_unit_test(signs_are_kept_and_rounding_goes_away_from_zero),
		cmocka_unit_test(the_largest_is_two_to_63_less_one),
		cmocka_unit_test(what_is_no_quantity_is_refused),
		cmocka_unit_test(bytes_are_not_negative),
		cmocka_unit_test(quantities_compare_by_amount),
		cmocka_unit_test(postgres_sizes_are_binary_and_their_case_matters),
		cmocka_unit_test(postgres_times_have_their_own_unit),
		cmocka_unit_test(postgres_switches_may_be_shortened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
