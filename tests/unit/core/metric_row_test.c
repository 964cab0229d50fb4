/*
 * Rows into samples, as CloudNativePG's conversions have them; patterns of databases.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/metric_row.h"
#include "core/metric_value.h"
#include "core/metric_yaml.h"

#define COLS 6

struct table {
	const char *name[COLS];
	uint32_t type[COLS];
	const char *cell[4][COLS];
};

static const char *
table_column(const void *arg, int col)
{
	return ((const struct table *)arg)->name[col];
}

static uint32_t
table_type(const void *arg, int col)
{
	return ((const struct table *)arg)->type[col];
}

static const char *
table_value(const void *arg, int row, int col)
{
	return ((const struct table *)arg)->cell[row][col];
}

static struct metric_rows
rows_of(const struct table *t, int rows, int cols)
{
	return (struct metric_rows){rows, cols, table_column, table_type, table_value, t};
}

static const struct metric_column columns[] = {
	{.column = "d", .name = "datname", .help = "", .usage = METRIC_USE_LABEL},
	{.column = "n", .name = "n", .help = "How many", .usage = METRIC_USE_GAUGE},
	{.column = "skip", .name = "skip", .usage = METRIC_USE_DISCARD},
};

static const struct metric_query query = {
	.prefix = "cnpg_",
	.name = "x",
	.column = columns,
	.columns = ARRAY_LEN(columns),
	.max_series = 2,
};

static void
a_null_is_nan_and_a_null_label_is_empty(void **state)
{
	const struct table t = {
		.name = {"n", "d", "skip"}, .cell = {{"1", "app", "x"}, {NULL, NULL, "y"}}};
	const struct metric_rows rows = rows_of(&t, 2, 3);
	AUTO(metric_result_free) struct metric_result *r = metric_result_new(&query, 150000);
	struct metric_told told = {0};
	struct err e;

	(void)state;
	assert_int_equal(metric_result_add(r, &rows, &told, &e), 0);
	assert_int_equal(metric_result_families(r), 1);
	assert_string_equal(metric_result_family(r, 0)->name, "cnpg_x_n");
	assert_string_equal(buf_str(metric_result_lines(r, 0)),
		"cnpg_x_n{datname=\"app\"} 1\ncnpg_x_n{datname=\"\"} NaN\n");
	assert_int_equal(told.samples, 2);
}

static void
what_is_there_already_or_too_much_is_dropped_and_counted(void **state)
{
	const struct table t = {.name = {"n", "d", "skip"},
		.cell = {{"1", "a", ""}, {"2", "a", ""}, {"x", "b", ""}, {"3", "c", ""}}};
	const struct metric_rows rows = rows_of(&t, 4, 3);
	AUTO(metric_result_free) struct metric_result *r = metric_result_new(&query, 150000);
	struct metric_told told = {0};
	struct err e;

	(void)state;
	assert_int_equal(metric_result_add(r, &rows, &told, &e), 0);
	assert_string_equal(buf_str(metric_result_lines(r, 0)), "cnpg_x_n{datname=\"a\"} 1\n");
	assert_int_equal(told.samples, 1);
	assert_int_equal(told.dropped, 3); /* twice, no number, over the cap */
}

static void
columns_that_do_not_fit_are_named(void **state)
{
	const struct table more = {.name = {"n", "d", "skip", "new"}, .cell = {{"1", "a", "", ""}}};
	const struct table less = {.name = {"n"}, .cell = {{"1"}}};
	const struct metric_rows some = rows_of(&more, 1, 4), few = rows_of(&less, 1, 1);
	AUTO(metric_result_free) struct metric_result *r = metric_result_new(&query, 150000);
	struct metric_told told = {0};
	struct err e;

	(void)state;
	assert_int_equal(metric_result_add(r, &some, &told, &e), -1);
	assert_non_null(strstr(e.msg, "\"new\""));
	assert_int_equal(metric_result_add(r, &few, &told, &e), -1);
	assert_non_null(strstr(e.msg, "\"d\""));
}

static void
a_histogram_is_four_columns(void **state)
{
	static const struct metric_column c[] = {
		{.column = "q", .name = "q", .help = "", .usage = METRIC_USE_LABEL},
		{.column = "t", .name = "t", .help = "", .usage = METRIC_USE_HISTOGRAM}};
	const struct metric_query q = {.prefix = "pg_", .name = "h", .column = c, .columns = 2};
	const struct table t = {.name = {"q", "t", "t_bucket", "t_sum", "t_count"},
		.cell = {{"a", "{0.5,1}", "{2,3}", "4.5", "5"}, {"b", "{1}", "{1,2}", "1", "1"}}};
	const struct metric_rows rows = rows_of(&t, 2, 5);
	AUTO(metric_result_free) struct metric_result *r = metric_result_new(&q, 150000);
	struct metric_told told = {0};
	struct err e;

	(void)state;
	assert_int_equal(metric_result_add(r, &rows, &told, &e), 0);
	assert_string_equal(buf_str(metric_result_lines(r, 0)),
		"pg_h_t_bucket{q=\"a\",le=\"0.5\"} 2\npg_h_t_bucket{q=\"a\",le=\"1\"} 3\n"
		"pg_h_t_bucket{q=\"a\",le=\"+Inf\"} 5\npg_h_t_sum{q=\"a\"} 4.5\n"
		"pg_h_t_count{q=\"a\"} 5\n"
		"pg_h_t_bucket{q=\"b\",le=\"1\"} 1\npg_h_t_bucket{q=\"b\",le=\"+Inf\"} 1\n"
		"pg_h_t_sum{q=\"b\"} 1\npg_h_t_count{q=\"b\"} 1\n");
}

static void
times_durations_and_words_become_numbers(void **state)
{
	static const struct metric_map map[] = {{"ok", 0}, {"bad", 2}};
	const struct metric_column mapped = {.usage = METRIC_USE_MAPPED, .map = map, .maps = 2};
	const struct metric_column gauge = {.usage = METRIC_USE_GAUGE};
	const struct metric_column duration = {.usage = METRIC_USE_DURATION};
	char n[64];

	(void)state;
	assert_true(metric_value(n, sizeof(n), &mapped, "bad", 25));
	assert_string_equal(n, "2");
	assert_false(metric_value(n, sizeof(n), &mapped, "worse", 25));
	assert_true(metric_value(n, sizeof(n), &gauge, "t", METRIC_OID_BOOL));
	assert_string_equal(n, "1");
	assert_true(metric_value(
		n, sizeof(n), &gauge, "2026-11-20 15:03:50.34+01", METRIC_OID_TIMESTAMPTZ));
	assert_string_equal(n, "1795183430");
	assert_true(metric_value(n, sizeof(n), &gauge, "infinity", METRIC_OID_TIMESTAMPTZ));
	assert_true(metric_value(n, sizeof(n), &duration, "1h30m0.5s", 25));
	assert_string_equal(n, "5400500");
	assert_true(metric_value(n, sizeof(n), &duration, "-250us", 25));
	assert_string_equal(n, "-0.25");
	assert_false(metric_value(n, sizeof(n), &duration, "-1", 25));
	assert_false(metric_value(n, sizeof(n), &duration, "1 hour", 25));
	assert_string_equal(metric_value_label("f", METRIC_OID_BOOL), "false");
}

static void
databases_are_matched_as_paths_are(void **state)
{
	(void)state;
	assert_true(metric_pattern("*", "app"));
	assert_true(metric_pattern("a*p", "ap"));
	assert_true(metric_pattern("a?p", "app"));
	assert_true(metric_pattern("[a-c]pp", "app"));
	assert_false(metric_pattern("[^a-c]pp", "app"));
	assert_true(metric_pattern("\\*", "*"));
	assert_false(metric_pattern("\\*", "x"));
	assert_false(metric_pattern("app", "apps"));
	assert_false(metric_pattern("[a", "a"));
	assert_false(
		metric_pattern("a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

static void
no_two_default_queries_give_one_family_at_the_same_time(void **state)
{
	(void)state;
	for (size_t a = 0; a < metric_builtin_count; a++)
		for (size_t b = 0; b < metric_builtin_count; b++)
			for (int v = 130000; v <= 180000; v += 10000) {
				AUTO(metric_result_free) struct metric_result *x = NULL, *y = NULL;

				if (a == b || !metric_applies(&metric_builtin[a], v, false) ||
					!metric_applies(&metric_builtin[b], v, false))
					continue;
				x = metric_result_new(&metric_builtin[a], v);
				y = metric_result_new(&metric_builtin[b], v);
				for (size_t i = 0; i < metric_result_families(x); i++)
					for (size_t k = 0; k < metric_result_families(y); k++)
						assert_string_not_equal(
							metric_result_family(x, i)->name,
							metric_result_family(y, k)->name);
			}
}

static const char *const live[] = {
#define LIVE(name, type, labels, help) name,
#include "tbl/metrics_live.h"
#undef LIVE
};

static void
what_the_board_says_and_what_queries_say_have_other_names(void **state)
{
	(void)state;
	for (size_t a = 0; a < ARRAY_LEN(live); a++) {
		for (size_t b = 0; b < a; b++)
			assert_string_not_equal(live[a], live[b]);
		for (size_t i = 0; i < metric_builtin_count; i++)
			for (size_t k = 0; k < metric_builtin[i].columns; k++) {
				AUTO(free)
				char *name = metric_family_name(
					&metric_builtin[i], &metric_builtin[i].column[k]);

				assert_string_not_equal(live[a], name);
			}
	}
}

/* What OpenMetrics would call unknown is CloudNativePG's; our own names need no excuse. */
static void
our_own_names_end_as_their_types_demand(void **state)
{
	(void)state;
	for (size_t i = 0; i < metric_builtin_count; i++)
		for (size_t k = 0; k < metric_builtin[i].columns; k++) {
			const struct metric_column *c = &metric_builtin[i].column[k];
			AUTO(free) char *name = metric_family_name(&metric_builtin[i], c);
			size_t n = strlen(name);

			if (c->usage == METRIC_USE_LABEL || strncmp(name, "podgres_", 8) != 0)
				continue;
			assert_true(metric_name_ok(name, true));
			assert_int_equal(c->usage == METRIC_USE_COUNTER,
				n > 6 && strcmp(name + n - 6, "_total") == 0);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_null_is_nan_and_a_null_label_is_empty),
		cmocka_unit_test(what_is_there_already_or_too_much_is_dropped_and_counted),
		cmocka_unit_test(columns_that_do_not_fit_are_named),
		cmocka_unit_test(a_histogram_is_four_columns),
		cmocka_unit_test(times_durations_and_words_become_numbers),
		cmocka_unit_test(databases_are_matched_as_paths_are),
		cmocka_unit_test(no_two_default_queries_give_one_family_at_the_same_time),
		cmocka_unit_test(what_the_board_says_and_what_queries_say_have_other_names),
		cmocka_unit_test(our_own_names_end_as_their_types_demand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
