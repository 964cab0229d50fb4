#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "service/monitor.h"

static const struct monitor_signs healthy = {
	.gone = "",
	.pid = 42,
	.state = 'S',
	.accept = PG_ACCEPT_YES,
	.pidfile = PIDFILE_READY,
	.redo_wal = "",
	.redo_progress = -1,
	.refused = "",
	.refused_sqlstate = "",
	.probe = "",
	.probe_sqlstate = "",
	.query_error = "",
	.known = true,
	.connections = 5,
	.max_connections = 100,
	.reserved = 3,
	.wal_free_bytes = INT64_C(1) << 30,
};

static void
expect(struct monitor_signs s, const char *problem, const char *hint)
{
	char p[256], h[256];

	monitor_problem(&s, p, sizeof(p), h, sizeof(h));
	if (problem[0] == '\0')
		assert_string_equal(p, "");
	else if (!strstr(p, problem))
		fail_msg("'%s' instead of '%s'", p, problem);
	if (hint && !strstr(h, hint))
		fail_msg("'%s' instead of '%s'", h, hint);
}

#define with(...)                                 \
	__extension__({                           \
		struct monitor_signs s = healthy; \
		__VA_ARGS__;                      \
		s;                                \
	})

static void
health_has_no_words(void **state)
{
	(void)state;
	expect(healthy, "", "");
	expect(with(s.pid = 0, s.state = 0, s.accept = PG_ACCEPT_NO, s.known = false), "", "");
	expect(with(s.state = 'D', s.blocked = 1), "", "");
	expect(with(s.connections = 96), "", "");
	expect(with(s.flush_age_ms = 4000), "", "");
	expect(with(s.wal_free_bytes = -1), "", "");
}

static void
a_damaged_data_directory_comes_before_everything(void **state)
{
	(void)state;
	expect(with(s.gone = "PG_VERSION is missing", s.state = 'T', s.overdue_ms = 5000),
		"PG_VERSION is missing", "restore");
	expect(with(s.gone = "PG_VERSION is missing", s.pid = 0), "PG_VERSION is missing", NULL);
}

static void
the_process_explains_why_it_does_not_answer(void **state)
{
	(void)state;
	expect(with(s.state = 'T', s.overdue_ms = 5000), "stopped by a signal", "kill -CONT 42");
	expect(with(s.state = 'Z', s.overdue_ms = 5000), "dead", NULL);
	expect(with(s.state = 'D', s.blocked = 3), "waiting for a disk for 3 s", "volumes");
	expect(with(s.overdue_ms = 2340), "waits for 2.3 s", NULL);
}

static void
a_start_says_how_far_it_is(void **state)
{
	(void)state;
	expect(with(s.accept = PG_ACCEPT_STARTING), "starting and takes no", NULL);
	expect(with(s.accept = PG_ACCEPT_STARTING, s.redo = true, s.redo_wal = "0A"), "segment 0A",
		NULL);
	expect(with(s.accept = PG_ACCEPT_STARTING, s.redo = true, s.redo_wal = "0A",
		       s.redo_progress = 0.427F),
		"segment 0A, 43 % done", NULL);
	expect(with(s.accept = PG_ACCEPT_STOPPING), "shutting down", NULL);
	expect(with(s.accept = PG_ACCEPT_NO, s.pidfile = PIDFILE_STANDBY), "hot_standby is off",
		"hot_standby");
}

static void
a_refusal_is_told_apart_by_its_sqlstate(void **state)
{
	(void)state;
	expect(with(s.refused = "FATAL: zu viele", s.refused_sqlstate = "53300"),
		"out of connections, even of those reserved", "max_connections");
	expect(with(s.probe = "FATAL: zu viele", s.probe_sqlstate = "53300"), "zu viele", NULL);
	expect(with(s.refused = "FATAL: peer", s.refused_sqlstate = "28000"),
		"does not let podgres in: FATAL: peer", "pg_hba");
	expect(with(s.probe = "no answer in time"), "does not take a new connection", NULL);
	expect(with(s.query_error = "ERROR: x"), "refuses to be looked at: ERROR: x", NULL);
}

static void
resources_that_ran_out_are_named(void **state)
{
	(void)state;
	expect(with(s.connections = 97), "97 in use, clients may have 97 of 100", "pooler");
	expect(with(s.flush_age_ms = 7000), "not been flushed for 7 s", "pg_wal");
	expect(with(s.wal_free_bytes = 12 << 10), "volume of pg_wal is full: 12 kB", "larger");
	expect(with(s.pid = 0, s.wal_free_bytes = 0), "volume of pg_wal is full", NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(health_has_no_words),
		cmocka_unit_test(a_damaged_data_directory_comes_before_everything),
		cmocka_unit_test(the_process_explains_why_it_does_not_answer),
		cmocka_unit_test(a_start_says_how_far_it_is),
		cmocka_unit_test(a_refusal_is_told_apart_by_its_sqlstate),
		cmocka_unit_test(resources_that_ran_out_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
