#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cJSON.h>
#include <cmocka.h>

#include "core/logrec.h"

#define NOW_US INT64_C(1700000000123456) /* 2023-11-14T22:13:20.123456Z */

static const struct logrec_style json_style = {.pod = "pod-0", .wall_us = NOW_US};
static const struct logrec_style text_style = {.pod = "pod-0", .wall_us = NOW_US, .text = true};

struct given {
	char line[4096];
	size_t n;
	struct logrec r;
	struct buf out;
	cJSON *json;
};

static int
setup(void **state)
{
	*state = calloc(1, sizeof(struct given));
	return *state ? 0 : -1;
}

static int
teardown(void **state)
{
	struct given *g = *state;

	cJSON_Delete(g->json);
	buf_deinit(&g->out);
	free(g);
	return 0;
}

static void
give(struct given *g, const char *line)
{
	g->n = strlen(line);
	memcpy(g->line, line, g->n + 1);
}

static void
render(struct given *g, const struct logrec_style *style)
{
	buf_reset(&g->out);
	logrec_render(&g->r, style, &g->out);
	assert_int_equal(buf_str(&g->out)[g->out.len - 1], '\n');
	if (style->text)
		return;
	assert_ptr_equal(strchr(buf_str(&g->out), '\n'), buf_str(&g->out) + g->out.len - 1);
	cJSON_Delete(g->json);
	g->json = cJSON_Parse(buf_str(&g->out));
	if (!g->json)
		fail_msg("not JSON: %s", buf_str(&g->out));
}

static const char *
top(const struct given *g, const char *key)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(g->json, key));
}

static const char *
rec(const struct given *g, const char *key)
{
	const cJSON *r = cJSON_GetObjectItemCaseSensitive(g->json, "record");

	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(r, key));
}

static const char *
audit(const struct given *g, const char *key)
{
	const cJSON *r = cJSON_GetObjectItemCaseSensitive(g->json, "record");
	const cJSON *a = cJSON_GetObjectItemCaseSensitive(r, "audit");

	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(a, key));
}

static size_t
record_size(const struct given *g)
{
	return (size_t)cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(g->json, "record"));
}

#define JSONLOG                                                                                \
	"{\"timestamp\":\"2026-11-20 21:43:00.123 UTC\",\"user\":\"app\",\"dbname\":\"shop\"," \
	"\"pid\":4711,\"remote_host\":\"10.0.0.7\",\"remote_port\":52114,"                     \
	"\"session_id\":\"65f.1267\",\"line_num\":3,\"ps\":\"SELECT\","                        \
	"\"session_start\":\"2026-11-20 21:42:59 UTC\",\"vxid\":\"4/12\",\"txid\":0,"          \
	"\"error_severity\":\"ERROR\",\"state_code\":\"42P01\","                               \
	"\"message\":\"relation \\\"t\\\" does not exist\",\"hint\":\"h\\u00fc\\n2\","         \
	"\"statement\":\"select\\n\\t1\",\"cursor_position\":15,"                              \
	"\"func_name\":\"parserOpenTable\",\"file_name\":\"parse_relation.c\","                \
	"\"file_line_num\":1392,\"application_name\":\"psql\","                                \
	"\"backend_type\":\"client backend\",\"query_id\":0}"

static void
jsonlog_takes_the_names_of_cloudnativepg(void **state)
{
	struct given *g = *state;

	give(g, JSONLOG);
	assert_true(logrec_json(&g->r, g->line, g->n, false));
	render(g, &json_style);
	assert_string_equal(top(g, "ts"), "2026-11-20T21:43:00.123000Z");
	assert_string_equal(top(g, "level"), "error");
	assert_string_equal(top(g, "logger"), "postgres");
	assert_string_equal(top(g, "msg"), "record");
	assert_string_equal(top(g, "pod"), "pod-0");
	assert_string_equal(rec(g, "log_time"), "2026-11-20 21:43:00.123 UTC");
	assert_string_equal(rec(g, "user_name"), "app");
	assert_string_equal(rec(g, "database_name"), "shop");
	assert_string_equal(rec(g, "process_id"), "4711");
	assert_string_equal(rec(g, "connection_from"), "10.0.0.7:52114");
	assert_string_equal(rec(g, "session_id"), "65f.1267");
	assert_string_equal(rec(g, "session_line_num"), "3");
	assert_string_equal(rec(g, "command_tag"), "SELECT");
	assert_string_equal(rec(g, "session_start_time"), "2026-11-20 21:42:59 UTC");
	assert_string_equal(rec(g, "virtual_transaction_id"), "4/12");
	assert_string_equal(rec(g, "transaction_id"), "0");
	assert_string_equal(rec(g, "error_severity"), "ERROR");
	assert_string_equal(rec(g, "sql_state_code"), "42P01");
	assert_string_equal(rec(g, "message"), "relation \"t\" does not exist");
	assert_string_equal(rec(g, "hint"), "h\xC3\xBC\n2");
	assert_string_equal(rec(g, "query"), "select\n\t1");
	assert_string_equal(rec(g, "query_pos"), "15");
	assert_string_equal(rec(g, "location"), "parserOpenTable, parse_relation.c:1392");
	assert_string_equal(rec(g, "application_name"), "psql");
	assert_string_equal(rec(g, "backend_type"), "client backend");
	assert_string_equal(rec(g, "query_id"), "0");
	assert_int_equal(record_size(g), 21);
}

#define CSV_HEAD                                                                           \
	"2026-11-20 21:43:00.123 UTC,\"app\",\"shop\",4711,\"10.0.0.7:52114\",65f.1267,3," \
	"\"SELECT\",2026-11-20 21:42:59 UTC,4/12,0,ERROR,42P01,"
#define CSV_TAIL                                                                            \
	"\"relation \"\"t\"\" does not exist\",,\"h\n2\",,,,\"select, \"\"x\"\"\",15,\"f, " \
	"p.c:1\",\"psql\""

static void
csvlog_of_each_version_is_understood(void **state)
{
	static const char *const more[] = {
		"", ",\"client backend\"", ",\"client backend\",,", ",\"parallel worker\",42,-7"};
	struct given *g = *state;
	char text[2048];

	for (size_t i = 0; i < ARRAY_LEN(more); i++) {
		snprintf(text, sizeof(text), "%s%s%s", CSV_HEAD, CSV_TAIL, more[i]);
		give(g, text);
		assert_true(logrec_csv(&g->r, g->line, g->n, false));
		render(g, &json_style);
		assert_string_equal(top(g, "ts"), "2026-11-20T21:43:00.123000Z");
		assert_string_equal(rec(g, "connection_from"), "10.0.0.7:52114");
		assert_string_equal(rec(g, "message"), "relation \"t\" does not exist");
		assert_string_equal(rec(g, "hint"), "h\n2");
		assert_string_equal(rec(g, "query"), "select, \"x\"");
		assert_string_equal(rec(g, "location"), "f, p.c:1");
		assert_int_equal(record_size(g), 19 + (i > 0) + 2 * (i == 3));
	}
	assert_string_equal(rec(g, "leader_pid"), "42");
	assert_string_equal(rec(g, "query_id"), "-7");
}

static void
what_is_no_record_is_refused_and_left_as_it_was(void **state)
{
	static const char *const csv[] = {"", "x", "2026,a", CSV_HEAD, CSV_HEAD CSV_TAIL ",,,,",
		CSV_HEAD "\"open", "\"2026\"" CSV_HEAD CSV_TAIL, CSV_HEAD "\"a\"b," CSV_TAIL};
	static const char *const json[] = {"", "{}", "{\"message\":\"x\"}",
		"{\"error_severity\":", "{\"error_severity\":\"LOG\",}",
		"{\"error_severity\":\"L\\\"OG\"} x", "[\"error_severity\",\"LOG\"]",
		"{\"error_severity\":\"\"}"};
	struct given *g = *state;

	for (size_t i = 0; i < ARRAY_LEN(csv); i++) {
		give(g, csv[i]);
		if (logrec_csv(&g->r, g->line, g->n, false))
			fail_msg("taken: %s", csv[i]);
		assert_string_equal(g->line, csv[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(json); i++) {
		give(g, json[i]);
		if (logrec_json(&g->r, g->line, g->n, false))
			fail_msg("taken: %s", json[i]);
		assert_string_equal(g->line, json[i]);
	}
}

static void
cut_records_keep_what_they_have(void **state)
{
	static const char json[] =
		"{\"timestamp\":\"t\",\"error_severity\":\"FATAL\",\"message\":\"ab\\";
	struct given *g = *state;

	give(g, json);
	assert_true(logrec_json(&g->r, g->line, g->n, true));
	render(g, &json_style);
	assert_string_equal(rec(g, "message"), "ab");
	assert_true(cJSON_IsTrue(cJSON_GetObjectItem(g->json, "truncated")));
	give(g, CSV_HEAD "\"ab\"\"c");
	assert_true(logrec_csv(&g->r, g->line, g->n, true));
	render(g, &json_style);
	assert_string_equal(rec(g, "message"), "ab\"c");
	assert_true(cJSON_IsTrue(cJSON_GetObjectItem(g->json, "truncated")));
}

static void
severity_sets_the_level(void **state)
{
	static const struct {
		const char *severity, *state, *level;
	} want[] = {{"DEBUG5", "", "debug"}, {"DEBUG", "", "debug"}, {"LOG", "08006", "info"},
		{"INFO", "", "info"}, {"NOTICE", "", "info"}, {"WARNING", "", "warning"},
		{"ERROR", "", "error"}, {"FATAL", "", "error"}, {"PANIC", "", "error"},
		{"FEHLER", "42P01", "error"}, {"WARNUNG", "01000", "warning"},
		{"HINWEIS", "00000", "info"}, {"?", "", "info"}};
	struct given *g = *state;
	char text[256];

	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		snprintf(text, sizeof(text), "{\"error_severity\":\"%s\",\"state_code\":\"%s\"}",
			want[i].severity, want[i].state);
		give(g, text);
		assert_true(logrec_json(&g->r, g->line, g->n, false));
		render(g, &json_style);
		assert_string_equal(top(g, "level"), want[i].level);
	}
}

static void
time_of_another_zone_gives_way_to_our_own(void **state)
{
	struct given *g = *state;

	give(g, "{\"timestamp\":\"2026-11-20 21:43:00.123 CET\",\"error_severity\":\"LOG\"}");
	assert_true(logrec_json(&g->r, g->line, g->n, false));
	render(g, &json_style);
	assert_string_equal(top(g, "ts"), "2023-11-14T22:13:20.123456Z");
	assert_string_equal(rec(g, "log_time"), "2026-11-20 21:43:00.123 CET");
}

static void
pgaudit_is_taken_apart(void **state)
{
	struct given *g = *state;

	give(g, "{\"error_severity\":\"LOG\",\"message\":\"AUDIT: "
		"SESSION,33,1,DDL,CREATE TABLE,TABLE,public.t,\\\"create table "
		"\\\"\\\"t\\\"\\\" (a int,\\nb int);\\\",<not logged>\"}");
	assert_true(logrec_json(&g->r, g->line, g->n, false));
	render(g, &json_style);
	assert_string_equal(top(g, "logger"), "pgaudit");
	assert_null(rec(g, "message"));
	assert_string_equal(audit(g, "audit_type"), "SESSION");
	assert_string_equal(audit(g, "statement_id"), "33");
	assert_string_equal(audit(g, "substatement_id"), "1");
	assert_string_equal(audit(g, "class"), "DDL");
	assert_string_equal(audit(g, "command"), "CREATE TABLE");
	assert_string_equal(audit(g, "object_type"), "TABLE");
	assert_string_equal(audit(g, "object_name"), "public.t");
	assert_string_equal(audit(g, "statement"), "create table \"t\" (a int,\nb int);");
	assert_string_equal(audit(g, "parameter"), "<not logged>");
	assert_null(audit(g, "rows"));

	give(g, CSV_HEAD "\"AUDIT: SESSION,1,1,READ,SELECT,,,\"\"select 1, 2\"\",<none>,1\","
			 ",,,,,,,,\"psql\",\"client backend\",,0");
	assert_true(logrec_csv(&g->r, g->line, g->n, false));
	render(g, &json_style);
	assert_string_equal(top(g, "logger"), "pgaudit");
	assert_string_equal(audit(g, "statement"), "select 1, 2");
	assert_string_equal(audit(g, "rows"), "1");
	assert_null(audit(g, "object_type"));
}

static void
message_that_only_looks_like_pgaudit_stays_a_message(void **state)
{
	struct given *g = *state;

	give(g, "{\"error_severity\":\"LOG\",\"message\":\"AUDIT: all is well, really\"}");
	assert_true(logrec_json(&g->r, g->line, g->n, false));
	render(g, &json_style);
	assert_string_equal(top(g, "logger"), "postgres");
	assert_string_equal(rec(g, "message"), "AUDIT: all is well, really");
}

static void
plain_lines_are_known_by_their_severity(void **state)
{
	struct given *g = *state;

	give(g, "2026-11-20 21:43:00.123 UTC [77] FATAL:  could not map: \"x\"");
	assert_true(logrec_plain(&g->r, g->line, g->n, false));
	render(g, &json_style);
	assert_string_equal(top(g, "ts"), "2026-11-20T21:43:00.123000Z");
	assert_string_equal(top(g, "level"), "error");
	assert_string_equal(rec(g, "process_id"), "77");
	assert_string_equal(rec(g, "error_severity"), "FATAL");
	assert_string_equal(rec(g, "message"), "could not map: \"x\"");

	give(g, "LOG:  ready");
	assert_true(logrec_plain(&g->r, g->line, g->n, false));
	render(g, &json_style);
	assert_int_equal(record_size(g), 2);

	give(g, "psql:/x.sql:3: ERROR:  syntax error");
	assert_true(logrec_plain(&g->r, g->line, g->n, false));
	give(g, "CATALOG:  no severity");
	assert_false(logrec_plain(&g->r, g->line, g->n, false));
	give(g, "initdb: error: x");
	assert_false(logrec_plain(&g->r, g->line, g->n, false));
	give(g, "FATAL:  ");
	assert_true(logrec_plain(&g->r, g->line, g->n, false));
	give(g, ":  ");
	assert_false(logrec_plain(&g->r, g->line, g->n, false));
}

static void
own_lines_are_known_and_go_through_unchanged(void **state)
{
	static const char line[] = "{\"ts\":\"t\",\"level\":\"info\",\"msg\":\"a\\nb\",\"n\":1}";
	struct given *g = *state;

	give(g, line);
	assert_true(logrec_own(g->line, g->n));
	logrec_render_own(g->line, g->n, &json_style, &g->out);
	assert_memory_equal(g->out.data, line, strlen(line));
	assert_int_equal(g->out.len, strlen(line) + 1);
	assert_false(logrec_own("{\"ts\":\"t\"", 9));
	assert_false(logrec_own("{\"ts\":1} x", 10));
	assert_false(logrec_own("{\"at\":\"t\"}", 10));
}

static void
own_line_with_foreign_bytes_is_repaired(void **state)
{
	struct given *g = *state;

	give(g, "{\"ts\":\"a\xFF"
		"b\xC3\"}");
	assert_true(logrec_own(g->line, g->n));
	logrec_render_own(g->line, g->n, &json_style, &g->out);
	assert_string_equal(buf_str(&g->out), "{\"ts\":\"a\xEF\xBF\xBD"
					      "b\xEF\xBF\xBD\"}\n");
}

static void
own_lines_are_text_for_a_terminal(void **state)
{
	struct given *g = *state;

	give(g, "{\"ts\":\"T\",\"level\":\"info\",\"logger\":\"api\",\"msg\":\"a\\u001b[2Jb\","
		"\"pod\":\"p\",\"n\":1,\"error\":\"x y\"}");
	logrec_render_own(g->line, g->n, &text_style, &g->out);
	assert_string_equal(buf_str(&g->out), "T info api: a\\x1b[2Jb n=1 error=x y\n");
}

static void
records_are_text_for_a_terminal(void **state)
{
	struct given *g = *state;

	give(g, JSONLOG);
	assert_true(logrec_json(&g->r, g->line, g->n, false));
	render(g, &text_style);
	assert_string_equal(buf_str(&g->out),
		"2026-11-20T21:43:00.123000Z error postgres[4711]: app@shop ERROR:  relation "
		"\"t\" does not exist\n\tHINT:  h\xC3\xBC\n\t2\n\tSTATEMENT:  select\n\t\t1\n");
}

static void
raw_text_of_any_bytes_is_a_line_of_json(void **state)
{
	struct given *g = *state;
	unsigned char all[256];

	for (int i = 0; i < 256; i++)
		all[i] = (unsigned char)i;
	logrec_render_raw(
		&(struct logrec_raw){"output", (const char *)all, 256, true}, &json_style, &g->out);
	g->json = cJSON_Parse(buf_str(&g->out));
	assert_non_null(g->json);
	assert_int_equal(strlen(buf_str(&g->out)), g->out.len);
	assert_string_equal(top(g, "logger"), "output");
	assert_string_equal(top(g, "ts"), "2023-11-14T22:13:20.123456Z");
	buf_reset(&g->out);
	logrec_render_raw(&(struct logrec_raw){"output", "x\x1b[31m\xC2\x9B\xC3\xA4", 10, false},
		&text_style, &g->out);
	assert_string_equal(buf_str(&g->out),
		"2023-11-14T22:13:20.123456Z info output: x\\x1b[31m\\x9b\xC3\xA4\n");
}

static void
fields_are_shortened_on_demand(void **state)
{
	struct logrec_style short_style = json_style;
	struct given *g = *state;

	short_style.field_max = 3;
	give(g, "{\"error_severity\":\"LOG\",\"message\":\"abcdef\"}");
	assert_true(logrec_json(&g->r, g->line, g->n, false));
	render(g, &short_style);
	assert_string_equal(rec(g, "message"), "abc");
	assert_true(cJSON_IsTrue(cJSON_GetObjectItem(g->json, "truncated")));
}

static void
summary_is_one_short_line_of_whole_characters(void **state)
{
	struct given *g = *state;
	char out[16];

	give(g, "{\"error_severity\":\"FATAL\",\"message\":\"a\\nb\xFF"
		"c\"}");
	assert_true(logrec_json(&g->r, g->line, g->n, false));
	assert_int_equal(logrec_summary(&g->r, out, sizeof(out)), 13);
	assert_string_equal(out, "FATAL:  a b c");
	give(g, "{\"error_severity\":\"FATAL\",\"message\":\"123456\xC3\xA4x\"}");
	assert_true(logrec_json(&g->r, g->line, g->n, false));
	assert_int_equal(logrec_summary(&g->r, out, sizeof(out)), 14);
	assert_string_equal(out, "FATAL:  123456");
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(jsonlog_takes_the_names_of_cloudnativepg),
		CASE(csvlog_of_each_version_is_understood),
		CASE(what_is_no_record_is_refused_and_left_as_it_was),
		CASE(cut_records_keep_what_they_have),
		CASE(severity_sets_the_level),
		CASE(time_of_another_zone_gives_way_to_our_own),
		CASE(pgaudit_is_taken_apart),
		CASE(message_that_only_looks_like_pgaudit_stays_a_message),
		CASE(plain_lines_are_known_by_their_severity),
		CASE(own_lines_are_known_and_go_through_unchanged),
		CASE(own_line_with_foreign_bytes_is_repaired),
		CASE(own_lines_are_text_for_a_terminal),
		CASE(records_are_text_for_a_terminal),
		CASE(raw_text_of_any_bytes_is_a_line_of_json),
		CASE(fields_are_shortened_on_demand),
		CASE(summary_is_one_short_line_of_whole_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
