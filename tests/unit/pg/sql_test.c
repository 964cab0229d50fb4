#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>

#include <cmocka.h>

#include "pg/observe.h"
#include "pg/sql.h"

#include "pg_fixture.h"

struct bench {
	struct pg pg;
	struct pq pq;
};

static struct bench bench;

static int64_t
in_ms(int64_t ms)
{
	return clock_boot_ns() + ms * MS_NS;
}

static struct sql *
open_as(struct bench *b, const char *user, const char *settings, struct err *e)
{
	const struct sql_spec spec = {.host = b->pg.dir,
		.port = 5432,
		.user = user,
		.database = "postgres",
		.application = "test",
		.settings = settings};
	struct sql *c = NULL;

	assert_int_equal(sql_open(&c, &b->pq, &spec, in_ms(5000), e), 0);
	return c;
}

static struct sql *
connected(struct bench *b)
{
	struct err e = {0};
	struct sql *c = open_as(b, "postgres", observe_settings(b->pg.major), &e);

	if (sql_wait(c, &e) < 0)
		fail_msg("%s", e.msg);
	return c;
}

static int
setup(void **state)
{
	struct err e = {0};

	if (pq_load(&bench.pq, &e) < 0)
		fail_msg("%s", e.msg);
	pg_init(&bench.pg);
	pg_start(&bench.pg);
	for (int64_t end = clock_boot_ms() + 10000; clock_boot_ms() < end;) {
		struct sql *c = open_as(&bench, "postgres", "", &e);
		int r = sql_wait(c, &e);

		sql_close(c);
		if (r == 0)
			break;
		assert_int_equal(poll(NULL, 0, 10), 0);
	}
	*state = &bench;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;

	pg_remove(&b->pg);
	return 0;
}

static void
rows_come_back_with_their_types(void **state)
{
	AUTO(sql_close) struct sql *c = connected(*state);
	struct err e = {0};
	char cut[3];

	assert_int_equal(sql_ask(c, "SELECT 42, 'text', true, NULL, false", in_ms(5000), &e), 0);
	assert_int_equal(sql_rows(c), 1);
	assert_int_equal(sql_int(c, 0, 0, -1), 42);
	assert_string_equal(sql_text(c, 0, 1), "text");
	sql_copy(c, 0, 1, cut, sizeof(cut));
	assert_string_equal(cut, "te");
	assert_true(sql_bool(c, 0, 2));
	assert_false(sql_bool(c, 0, 4));
	assert_true(sql_null(c, 0, 3));
	assert_int_equal(sql_int(c, 0, 3, -1), -1);
	assert_string_equal(sql_text(c, 0, 99), "");
	assert_string_equal(sql_text(c, 7, 0), "");
}

static void
a_refused_statement_leaves_the_connection_usable(void **state)
{
	AUTO(sql_close) struct sql *c = connected(*state);
	struct err e = {0};

	assert_int_equal(sql_ask(c, "SELECT 1/0", in_ms(5000), &e), -1);
	assert_int_equal(e.kind, ERR_FAILED);
	assert_true(sql_failed(c));
	assert_string_equal(sql_sqlstate(c), "22012");
	assert_int_equal(sql_rows(c), 0);
	assert_int_equal(sql_ask(c, "SELECT 1", in_ms(5000), &e), 0);
	assert_string_equal(sql_sqlstate(c), "");
	assert_int_equal(sql_int(c, 0, 0, 0), 1);
}

static void
of_several_statements_the_last_rows_stay(void **state)
{
	AUTO(sql_close) struct sql *c = connected(*state);
	struct err e = {0};

	assert_int_equal(sql_ask(c, "BEGIN; SELECT 1; SELECT 2; COMMIT", in_ms(5000), &e), 0);
	assert_int_equal(sql_int(c, 0, 0, 0), 2);
}

static void
a_late_answer_can_still_be_waited_for(void **state)
{
	AUTO(sql_close) struct sql *c = connected(*state);
	struct err e = {0};

	assert_int_equal(sql_ask(c, "SELECT 7 FROM pg_sleep(0.3)", in_ms(20), &e), -1);
	assert_int_equal(e.kind, ERR_TIMEOUT);
	assert_int_equal(sql_state(c), SQL_BUSY);
	assert_true(sql_overdue(c, clock_boot_ns()));
	while (sql_state(c) == SQL_BUSY)
		sql_turn(c);
	assert_int_equal(sql_int(c, 0, 0, 0), 7);
}

static void
the_server_itself_ends_a_statement_that_takes_too_long(void **state)
{
	AUTO(sql_close) struct sql *c = connected(*state);
	struct err e = {0};

	assert_int_equal(sql_ask(c, "SET statement_timeout = 50", in_ms(5000), &e), 0);
	assert_int_equal(sql_ask(c, "SELECT pg_sleep(30)", in_ms(10000), &e), -1);
	assert_string_equal(sql_sqlstate(c), "57014");
}

static void
a_refused_connection_says_why_in_five_letters(void **state)
{
	struct err e = {0};
	AUTO(sql_close) struct sql *c = open_as(*state, "nobody_known", "", &e);

	assert_int_equal(sql_wait(c, &e), -1);
	assert_int_equal(e.kind, ERR_REMOTE);
	assert_int_equal(sql_state(c), SQL_BROKEN);
	assert_string_equal(sql_sqlstate(c), "28000");
	assert_null(strchr(sql_error(c), '\n'));
	assert_null(strstr(sql_error(c), "28000"));
	assert_int_equal(sql_fd(c), -1);
}

static void
a_server_that_is_not_there_is_an_error_at_once(void **state)
{
	const struct sql_spec spec = {.host = "/nonexistent",
		.port = 5432,
		.user = "u",
		.database = "d",
		.application = "test",
		.settings = ""};
	struct bench *b = *state;
	AUTO(sql_close) struct sql *c = NULL;
	struct err e = {0};

	assert_int_equal(sql_open(&c, &b->pq, &spec, in_ms(5000), &e), 0);
	assert_int_equal(sql_wait(c, &e), -1);
	assert_string_equal(sql_sqlstate(c), "");
}

static void
a_backend_that_is_ended_breaks_the_connection(void **state)
{
	AUTO(sql_close) struct sql *c = connected(*state);
	struct err e = {0};

	assert_int_equal(
		sql_ask(c, "SELECT pg_terminate_backend(pg_backend_pid())", in_ms(5000), &e), -1);
	assert_int_equal(sql_state(c), SQL_BROKEN);
	assert_string_equal(sql_sqlstate(c), "57P01");
}

static void
every_question_is_understood_by_this_server(void **state)
{
	AUTO(sql_close) struct sql *c = connected(*state);
	struct err e = {0};

	for (int q = 0; q < OBSERVE_ALL; q++) {
		const char *text = observe_text((enum observe)q, sql_server_version(c));

		assert_non_null(text);
		if (sql_ask(c, text, in_ms(5000), &e) < 0)
			fail_msg("%s: %s", observe_name((enum observe)q), e.msg);
	}
}

static void
a_session_never_waits_or_writes_to_the_log(void **state)
{
	static const struct {
		const char *name, *value;
	} rows[] = {{"synchronous_commit", "local"}, {"statement_timeout", "5s"},
		{"lock_timeout", "1s"}, {"search_path", "pg_catalog"}, {"log_statement", "none"},
		{"default_transaction_isolation", "read committed"},
		{"session_preload_libraries", ""}, {"client_encoding", "UTF8"}};
	AUTO(sql_close) struct sql *c = connected(*state);
	struct err e = {0};
	char text[128];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		snprintf(text, sizeof(text), "SHOW %s", rows[i].name);
		assert_int_equal(sql_ask(c, text, in_ms(5000), &e), 0);
		assert_string_equal(sql_text(c, 0, 0), rows[i].value);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_come_back_with_their_types),
		cmocka_unit_test(a_refused_statement_leaves_the_connection_usable),
		cmocka_unit_test(of_several_statements_the_last_rows_stay),
		cmocka_unit_test(a_late_answer_can_still_be_waited_for),
		cmocka_unit_test(the_server_itself_ends_a_statement_that_takes_too_long),
		cmocka_unit_test(a_refused_connection_says_why_in_five_letters),
		cmocka_unit_test(a_server_that_is_not_there_is_an_error_at_once),
		cmocka_unit_test(a_backend_that_is_ended_breaks_the_connection),
		cmocka_unit_test(every_question_is_understood_by_this_server),
		cmocka_unit_test(a_session_never_waits_or_writes_to_the_log),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
