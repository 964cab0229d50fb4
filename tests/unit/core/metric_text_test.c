/*
 * The text of metrics: heads, labels of any bytes, numbers.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/metric_accept.h"
#include "core/metric_text.h"

static const char *
head(struct buf *b, enum metric_format format, const char *name, enum metric_type type)
{
	const struct metric_family f = {name, type, "seconds", "What \"it\" is\\\nhere"};

	buf_reset(b);
	metric_text_head(b, format, &f);
	return buf_str(b);
}

static void
counters_without_total_are_unknown_to_openmetrics(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};

	(void)state;
	assert_string_equal(head(&b, METRIC_TEXT, "a_count", METRIC_COUNTER),
		"# HELP a_count What \"it\" is\\\\\\nhere\n# TYPE a_count counter\n");
	assert_string_equal(head(&b, METRIC_OPENMETRICS, "a_count", METRIC_COUNTER),
		"# HELP a_count What \\\"it\\\" is\\\\\\nhere\n# TYPE a_count unknown\n");
	assert_string_equal(head(&b, METRIC_OPENMETRICS, "a_total", METRIC_GAUGE),
		"# HELP a_total What \\\"it\\\" is\\\\\\nhere\n# TYPE a_total unknown\n");
	assert_string_equal(head(&b, METRIC_OPENMETRICS, "a_seconds_total", METRIC_COUNTER),
		"# HELP a_seconds What \\\"it\\\" is\\\\\\nhere\n# TYPE a_seconds counter\n"
		"# UNIT a_seconds seconds\n");
}

static void
labels_take_any_bytes(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};
	char longest[4 * METRIC_MAX_LABEL];
	const struct metric_label label[] = {
		{"a", "q\"b\\n\nend"}, {"b", "\xff\xc3\xa4\xed\xa0\x80"}};

	(void)state;
	metric_text_labels(&b, label, 2);
	assert_string_equal(buf_str(&b),
		"{a=\"q\\\"b\\\\n\\nend\",b="
		"\"\xef\xbf\xbd\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"}");
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	buf_reset(&b);
	metric_text_labels(&b, &(struct metric_label){"a", longest}, 1);
	assert_int_equal(b.len, METRIC_MAX_LABEL + strlen("{a=\"\"}"));
	buf_reset(&b);
	metric_text_labels(&b, NULL, 0);
	assert_string_equal(buf_str(&b), "");
}

static void
numbers_are_copied_and_words_are_none(void **state)
{
	char n[64];

	(void)state;
	assert_true(metric_text_number(n, sizeof(n), "12345678901234567890"));
	assert_string_equal(n, "12345678901234567890");
	assert_true(metric_text_number(n, sizeof(n), "-Infinity"));
	assert_string_equal(n, "-Inf");
	assert_true(metric_text_number(n, sizeof(n), "NaN"));
	assert_false(metric_text_number(n, sizeof(n), ""));
	assert_false(metric_text_number(n, sizeof(n), "on"));
	assert_false(metric_text_number(n, sizeof(n), "1 2"));
	assert_false(metric_text_number(n, sizeof(n), "0x10"));
	assert_false(metric_text_number(n, sizeof(n), "--1"));
	metric_text_double(n, sizeof(n), 0.1);
	assert_string_equal(n, "0.1");
	metric_text_double(n, sizeof(n), 1e18);
	assert_string_equal(n, "1e+18");
	metric_text_double(n, sizeof(n), INFINITY);
	assert_string_equal(n, "+Inf");
}

static void
names_are_those_prometheus_takes(void **state)
{
	(void)state;
	assert_true(metric_name_ok("a_b:c9", true));
	assert_false(metric_name_ok("a_b:c9", false));
	assert_false(metric_name_ok("9a", true));
	assert_false(metric_name_ok("", true));
	assert_false(metric_name_ok("a-b", true));
	assert_false(metric_name_ok("__name__", false));
}

static void
the_format_is_the_one_that_weighs_most(void **state)
{
	static const char prometheus[] =
		"application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
		"version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

	(void)state;
	assert_int_equal(metric_accept(NULL), METRIC_TEXT);
	assert_int_equal(metric_accept(""), METRIC_TEXT);
	assert_int_equal(metric_accept("*/*"), METRIC_TEXT);
	assert_int_equal(metric_accept(prometheus), METRIC_OPENMETRICS);
	assert_int_equal(metric_accept("application/openmetrics-text"), METRIC_OPENMETRICS);
	assert_int_equal(metric_accept("application/openmetrics-text; version=0.0.1"), METRIC_TEXT);
	assert_int_equal(metric_accept("application/openmetrics-text;q=0.2, text/plain ; q=0.3"),
		METRIC_TEXT);
	assert_int_equal(metric_accept("application/openmetrics-text;q=0"), METRIC_TEXT);
	assert_true(metric_accept_gzip("gzip"));
	assert_true(metric_accept_gzip("deflate, GZIP;q=0.5"));
	assert_true(metric_accept_gzip("*"));
	assert_false(metric_accept_gzip("gzip;q=0, *"));
	assert_false(metric_accept_gzip("identity"));
	assert_false(metric_accept_gzip(NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_without_total_are_unknown_to_openmetrics),
		cmocka_unit_test(labels_take_any_bytes),
		cmocka_unit_test(numbers_are_copied_and_words_are_none),
		cmocka_unit_test(names_are_those_prometheus_takes),
		cmocka_unit_test(the_format_is_the_one_that_weighs_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
