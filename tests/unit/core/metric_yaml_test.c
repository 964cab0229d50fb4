/*
 * Files of users' queries: what they mean, and what is wrong with them and where.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/metric_yaml.h"

struct read {
	struct metric_set *set;
	struct metric_notes notes;
	int rc;
	struct err e;
};

static struct read
read_text(const char *text)
{
	const struct metric_source source = {"q.yaml", "cnpg_"};
	AUTO(buf_deinit) struct buf b = {0};
	struct read r = {.set = metric_set_new()};

	buf_puts(&b, text);
	r.rc = metric_set_read(r.set, &b, &source, &r.notes, &r.e);
	return r;
}

static void
done(struct read *r)
{
	metric_set_free(r->set);
	metric_notes_deinit(&r->notes);
}

static void
everything_is_understood(void **state)
{
	struct read r =
		read_text("pg_x:\n"
			  "  query: \"SELECT 1\"\n"
			  "  name: other\n"
			  "  master: true\n"
			  "  runonserver: \">=14.0.0 <17\"\n"
			  "  predicate_query: \"SELECT true\"\n"
			  "  target_databases: [app, \"db_*\"]\n"
			  "  cache_seconds: 60\n"
			  "  timeout_seconds: 5\n"
			  "  metrics:\n"
			  "    - a: {usage: LABEL, description: d}\n"
			  "    - b: {usage: \"COUNTER\", name: c}\n"
			  "    - s: {usage: mappedmetric, metrics_mapping: {on: 1, off: 0.5}}\n"
			  "    - t: {usage: DURATION, pg_version: \">=15\"}\n"
			  "    - u: {usage: DISCARD}\n");
	const struct metric_query *q;

	(void)state;
	assert_int_equal(r.rc, 0);
	assert_int_equal(r.notes.n, 0);
	assert_int_equal(metric_set_count(r.set), 1);
	q = metric_set_at(r.set, 0);
	assert_string_equal(q->id, "pg_x");
	assert_string_equal(q->name, "other");
	assert_int_equal(q->where, METRIC_ON_PRIMARY);
	assert_int_equal(q->min_version, 140000);
	assert_int_equal(q->max_version, 170000);
	assert_int_equal(q->database_count, 2);
	assert_int_equal(q->every_ms, 60000);
	assert_int_equal(q->timeout_ms, 5000);
	assert_int_equal(q->columns, 5);
	assert_string_equal(q->column[1].name, "c");
	assert_int_equal(q->column[2].maps, 2);
	assert_int_equal(q->column[3].min_version, 150000);
	done(&r);
}

static void
a_wrong_query_costs_itself_and_says_where(void **state)
{
	static const struct {
		const char *text;
		int line, col;
		const char *says;
	} cases[] = {
		{"a:\n  metrics: [{x: {usage: GAUGE}}]\n", 1, 1, "query is missing"},
		{"a:\n  query: s\n", 1, 1, "metrics is missing"},
		{"a:\n  query: s\n  metrics: [{x: {usage: GUAGE}}]\n", 3, 25, "did you mean GAUGE"},
		{"a:\n  query: s\n  metrics: [{x: {usage: LABEL}}]\n", 3, 12,
			"no column is a metric"},
		{"a:\n  query: s\n  metrics: [{x: {usage: GAUGE}}, {x: {usage: GAUGE}}]\n", 3, 35,
			"there twice"},
		{"a:\n  query: s\n  metrics: [{x-y: {usage: LABEL}}, {z: {usage: GAUGE}}]\n", 3, 14,
			"no name of a label"},
		{"a:\n  query: s\n  cache_seconds: soon\n  metrics: [{x: {usage: GAUGE}}]\n", 3, 18,
			"whole seconds"},
		{"a:\n  query: s\n  runonserver: \"<14 || >16\"\n  metrics: [{x: {usage: "
		 "GAUGE}}]\n",
			3, 16, "one interval"},
		{"a:\n  query: s\n  metrics: [{x: {usage: MAPPEDMETRIC}}]\n", 3, 17,
			"metric_mapping"},
		{"a: 5\n", 1, 4, "expected a map"},
		{"a:\n  query: s\n  query: t\n  metrics: [{x: {usage: GAUGE}}]\n", 2, 3, "twice"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct read r = read_text(cases[i].text);

		assert_int_equal(r.rc, 0);
		assert_int_equal(metric_set_count(r.set), 0);
		assert_true(r.notes.n > 0);
		if (!strstr(r.notes.item[0].text, cases[i].says) ||
			r.notes.item[0].line != cases[i].line ||
			r.notes.item[0].col != cases[i].col)
			fail_msg("%s: %d:%d %s", cases[i].text, r.notes.item[0].line,
				r.notes.item[0].col, r.notes.item[0].text);
		done(&r);
	}
}

static void
what_is_no_file_of_queries_is_refused_as_a_whole(void **state)
{
	struct read r = read_text("- a\n- b\n");

	(void)state;
	assert_int_equal(r.rc, -1);
	assert_non_null(strstr(r.e.msg, "q.yaml:1:1"));
	done(&r);
	r = read_text("a: {b\n");
	assert_int_equal(r.rc, -1);
	done(&r);
	r = read_text("");
	assert_int_equal(r.rc, 0);
	done(&r);
}

static void
ranges_of_versions(void **state)
{
	int min, max;
	struct err e;

	(void)state;
	assert_int_equal(metric_range(">13.1.0", &min, &max, &e), 0);
	assert_int_equal(min, 130002);
	assert_int_equal(metric_range("<=16", &min, &max, &e), 0);
	assert_int_equal(max, 160001);
	assert_int_equal(metric_range("15.4", &min, &max, &e), 0);
	assert_int_equal(min, 150004);
	assert_int_equal(max, 150005);
	assert_int_equal(metric_range(">=", &min, &max, &e), -1);
	assert_int_equal(metric_range("new", &min, &max, &e), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_understood),
		cmocka_unit_test(a_wrong_query_costs_itself_and_says_where),
		cmocka_unit_test(what_is_no_file_of_queries_is_refused_as_a_whole),
		cmocka_unit_test(ranges_of_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
