#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "monitor_bench.h"

static struct bench bench;

static int
setup(void **state)
{
	log_init(&(struct log_config){
		.logger = "monitor", .pod = "", .level = LOG_WARNING, .text = true, .fd = -1});
	memset(&bench, 0, sizeof(bench));
	pg_init(&bench.pg);
	bench_attach(&bench);
	*state = &bench;
	return 0;
}

static int
teardown(void **state)
{
	bench_close(*state);
	return 0;
}

/* ---- conditions ---- */

CONDITION(files_seen, f->control_bytes > 0 && f->disk_wal_total > 0)
CONDITION(accepts, f->accept == PG_ACCEPT_YES)
CONDITION(two_pending, f->pending_count == 2)
CONDITION(none_pending, f->pending_count == 0)
CONDITION(hash_seen, strcmp(f->config_hash, "abc") == 0)
CONDITION(is_stopped, strstr(f->problem, "stopped by a signal"))
CONDITION(is_silent, strstr(f->problem, "does not answer"))
CONDITION(is_full, strstr(f->problem, "out of connections"))
CONDITION(is_quite_full, strstr(f->problem, "reserved for superusers"))
CONDITION(is_gone, f->data_gone &&strstr(f->problem, "pg_control is missing"))
CONDITION(is_replaced, f->data_gone &&strstr(f->problem, "replaced"))
CONDITION(has_slot, f->slots == 1)
CONDITION(one_collation, f->collations == 1)
CONDITION(icu_differs, f->collations == 1 && strcmp(f->collation[0].database, "icu") == 0 &&
			       strcmp(f->collation[0].recorded, "0.2") == 0)
CONDITION(just_asked, all_is_well(f) && f->query_ok_ns > 0)
CONDITION(is_locked_out, strstr(f->problem, "does not let podgres in"))
CONDITION(not_accepting, f->accept != PG_ACCEPT_YES)
CONDITION(is_stopping, f->accept == PG_ACCEPT_STOPPING)
CONDITION(is_down, f->pid == 0 && f->accept == PG_ACCEPT_NO)

/* ---- tests: they follow one another ---- */

static void
without_postgres_files_are_reported_alone(void **state)
{
	struct bench *b = *state;

	until(b, files_seen, 3000);
	assert_int_equal(b->facts.pid, 0);
	assert_int_equal(b->facts.accept, PG_ACCEPT_NO);
	assert_true(b->facts.system_id != 0);
	assert_int_equal(b->facts.ready_wal_files, 0);
	assert_true(b->facts.wal_bytes >= 16 << 20);
	assert_string_equal(b->facts.problem, "");
}

static void
acceptance_is_noticed_at_once(void **state)
{
	struct bench *b = *state;
	char path[128];
	struct stat st;
	int64_t late_us;

	b->pokes = 0;
	bench_start(b);
	assert_int_equal(b->m->facts.accept, PG_ACCEPT_STARTING);
	until(b, accepts, 10000);
	late_us = clock_wall_us();
	snprintf(path, sizeof(path), "%s/postmaster.pid", b->pg.data);
	assert_int_equal(stat(path, &st), 0);
	late_us -= st.st_mtim.tv_sec * SEC_US + st.st_mtim.tv_nsec / 1000;
	printf("accepting was known %lld us after the postmaster wrote it\n", (long long)late_us);
	assert_true(late_us < 100000);
	assert_true(b->pokes > 0);
}

static void
role_and_positions_are_known(void **state)
{
	struct bench *b = *state;
	const struct pg_facts *f = &b->facts;

	until(b, all_is_well, 3000);
	assert_false(f->in_recovery);
	assert_int_equal(f->timeline, 1);
	assert_true(f->flush_lsn > 0 && f->insert_lsn >= f->flush_lsn && f->current_lsn > 0);
	assert_int_equal(strlen(f->current_wal), 24);
	assert_int_equal(f->max_connections, 12);
	assert_int_equal(f->superuser_reserved, 3);
	assert_string_equal(f->archive_mode, "off");
	assert_int_equal(f->server_version_num / 10000, b->pg.major);
	assert_true(f->postmaster_start_wall_us > clock_wall_us() - 60 * SEC_US);
	assert_true(clock_boot_ns() - f->query_ok_ns < 3000 * MS_NS);
	assert_true(clock_boot_ns() - f->flush_ok_ns < 3000 * MS_NS);
}

static void
settings_that_wait_for_a_restart_show_old_and_new_value(void **state)
{
	struct bench *b = *state;

	pg_conf(&b->pg, "max_connections=8\nshared_buffers=2MB\npodgres.config_hash='abc'\n");
	run_sql(b, "SELECT pg_reload_conf()");
	until(b, two_pending, 3000);
	assert_string_equal(b->facts.pending[0].name, "max_connections");
	assert_string_equal(b->facts.pending[0].old_value, "12");
	assert_string_equal(b->facts.pending[0].new_value, "8");
	assert_string_equal(b->facts.pending[1].name, "shared_buffers");
	assert_string_equal(b->facts.pending[1].old_value, "1MB");
	assert_string_equal(b->facts.pending[1].new_value, "2MB");
	assert_true(b->facts.pending_decrease);
	until(b, hash_seen, 3000);
	pg_conf(&b->pg, "max_connections=12\nshared_buffers=1MB\n");
	run_sql(b, "SELECT pg_reload_conf()");
	until(b, none_pending, 3000);
	assert_false(b->facts.pending_decrease);
}

static void
slots_are_listed(void **state)
{
	struct bench *b = *state;

	run_sql(b, "SELECT pg_create_physical_replication_slot('one', true)");
	until(b, has_slot, 7000);
	assert_string_equal(b->facts.slot[0].name, "one");
	assert_string_equal(b->facts.slot[0].type, "physical");
	assert_true(b->facts.slot[0].restart_lsn > 0);
	assert_false(b->facts.slot[0].active);
	run_sql(b, "SELECT pg_drop_replication_slot('one')");
}

static void
another_version_of_a_collation_in_use_is_found(void **state)
{
	struct bench *b = *state;

	run_sql(b, "CREATE DATABASE words");
	run_sql(b, "CREATE COLLATION mine (provider = icu, locale = 'en')");
	run_sql(b, "UPDATE pg_collation SET collversion = '0.1' WHERE collname = 'mine'");
	b->m->kept.due_ns[OBSERVE_DATABASES] = 0;
	b->m->kept.due_ns[OBSERVE_COLLATION] = 0;
	run_sql(b, "CREATE TABLE t (a text COLLATE mine PRIMARY KEY)");
	until(b, one_collation, 8000);
	assert_string_equal(b->facts.collation[0].database, "postgres");
	assert_string_equal(b->facts.collation[0].recorded, "0.1");
	assert_true(b->facts.collation[0].actual[0] != '\0');
}

static void
another_version_of_a_database_is_found(void **state)
{
	struct bench *b = *state;

	if (b->pg.major < 15)
		return; /* databases record no version before */
	run_sql(b, "DROP TABLE t");
	run_sql(b, "CREATE DATABASE icu TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en'");
	run_sql(b, "UPDATE pg_database SET datcollversion = '0.2' WHERE datname = 'icu'");
	b->m->kept.due_ns[OBSERVE_COLLATION] = 0;
	b->m->kept.due_ns[OBSERVE_DATABASES] = 0;
	until(b, icu_differs, 8000);
	run_sql(b, "DROP DATABASE icu");
}

static void
all_connections_taken_is_said_and_does_not_flap(void **state)
{
	struct bench *b = *state;
	struct sql *taken[12] = {0};
	size_t n = 0;

	for (; n < 9; n++)
		assert_non_null(taken[n] = session(b, "hog"));
	until(b, is_full, 3000);
	while (n < ARRAY_LEN(taken) && (taken[n] = session(b, "hog")))
		n++;
	b->m->probe.due_ns = 0;
	until(b, is_quite_full, 3500);
	assert_int_equal(b->facts.accept, PG_ACCEPT_YES);
	assert_true(clock_boot_ns() - b->facts.query_ok_ns < 2000 * MS_NS);
	while (n > 0)
		sql_close(taken[--n]);
	until(b, all_is_well, 5000);
}

static void
a_lost_connection_is_made_again_without_a_word(void **state)
{
	struct bench *b = *state;
	int64_t before;

	until(b, all_is_well, 5000);
	before = b->facts.query_ok_ns;
	run_sql(b, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
		   " WHERE application_name = 'podgres-monitor'");
	for (int i = 0; i < 40; i++) {
		struct err e;

		assert_int_equal(loop_turn(b->s.loop, 50, &e), 0);
		shared_read(b->s.board, SEC_POSTGRES, &b->facts);
		assert_int_equal(b->facts.accept, PG_ACCEPT_YES);
	}
	assert_true(b->facts.query_ok_ns > before);
}

static void
a_restarted_monitor_goes_on_where_the_former_was(void **state)
{
	struct bench *b = *state;
	struct err e;

	b->m = monitor_free(b->m);
	assert_int_equal(monitor_new(&b->m, &b->s, &e), 0);
	monitor_tick(b->m);
	shared_read(b->s.board, SEC_POSTGRES, &b->facts);
	assert_true(all_is_well(&b->facts));
	b->m->facts.query_ok_ns = 0;
	until(b, just_asked, 2000);
}

static void
a_stopped_postmaster_is_noticed(void **state)
{
	struct bench *b = *state;
	int64_t ms;

	kill(b->pg.pid, SIGSTOP);
	ms = until(b, is_stopped, 3000);
	kill(b->pg.pid, SIGCONT);
	printf("a stopped postmaster was known after %lld ms\n", (long long)ms);
	until(b, all_is_well, 3000);
}

static void
a_server_that_does_not_answer_is_noticed(void **state)
{
	struct bench *b = *state;
	pid_t backend = (pid_t)ask_number(b, "SELECT pid FROM pg_stat_activity"
					     " WHERE application_name = 'podgres-monitor'");
	int64_t ms;

	kill(backend, SIGSTOP);
	ms = until(b, is_silent, 3000);
	assert_int_equal(b->facts.accept, PG_ACCEPT_YES);
	kill(backend, SIGCONT);
	printf("a silent server was known after %lld ms\n", (long long)ms);
	until(b, all_is_well, 3000);
}

static void
move(struct bench *b, const char *command, const char *from, const char *to)
{
	char a[128], z[128];

	snprintf(a, sizeof(a), "%s/%s", b->pg.data, from);
	snprintf(z, sizeof(z), "%s/%s", b->pg.data, to);
	assert_int_equal(pg_run(&b->pg, (const char *const[]){command, a, z, NULL}), 0);
}

static void
a_missing_or_replaced_control_file_is_noticed(void **state)
{
	struct bench *b = *state;
	int64_t ms;

	move(b, "mv", "global/pg_control", "global/kept");
	ms = until(b, is_gone, 3000);
	printf("a missing pg_control was known after %lld ms\n", (long long)ms);
	assert_int_equal(b->facts.accept, PG_ACCEPT_YES);
	move(b, "cp", "global/kept", "global/pg_control");
	until(b, is_replaced, 3000);
	move(b, "mv", "global/kept", "global/pg_control");
	until(b, all_is_well, 3000);
}

static void
reject_everybody(struct bench *b, const char *line)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/pg_hba.conf", b->pg.data);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_true(fputs(line, f) >= 0);
	assert_int_equal(fclose(f), 0);
	kill(b->pg.pid, SIGHUP);
}

static void
a_server_that_does_not_let_it_in_is_explained(void **state)
{
	struct bench *b = *state;
	AUTO(sql_close) struct sql *c = session(b, "test");
	struct err e = {0};

	assert_non_null(c);
	reject_everybody(b, "local all all reject\n");
	for (AUTO(sql_close) struct sql *other = NULL; (other = session(b, "test"));)
		other = sql_close(other);
	assert_int_equal(sql_ask(c,
				 "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
				 " WHERE application_name = 'podgres-monitor'",
				 clock_boot_ns() + 5000 * MS_NS, &e),
		0);
	until(b, is_locked_out, 3000);
	assert_int_equal(b->facts.accept, PG_ACCEPT_UNKNOWN);
	reject_everybody(b, "local all all trust\nlocal replication all trust\n");
	until(b, all_is_well, 3000);
}

static void
after_a_crash_of_a_backend_it_comes_back(void **state)
{
	struct bench *b = *state;
	pid_t backend = (pid_t)ask_number(b, "SELECT pid FROM pg_stat_activity"
					     " WHERE application_name = 'podgres-monitor'");

	kill(backend, SIGKILL);
	until(b, not_accepting, 3000);
	until(b, all_is_well, 5000);
}

static void
a_smart_shutdown_does_not_wait_for_the_monitor(void **state)
{
	struct bench *b = *state;
	int64_t from;

	kill(b->pg.pid, SIGTERM);
	until(b, is_stopping, 2000);
	from = clock_boot_ms();
	assert_int_equal(waitpid(b->pg.pid, NULL, 0), b->pg.pid);
	assert_true(clock_boot_ms() - from < 3000);
	b->pg.pid = 0;
	bench_stopped(b);
	until(b, is_down, 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_postgres_files_are_reported_alone),
		cmocka_unit_test(acceptance_is_noticed_at_once),
		cmocka_unit_test(role_and_positions_are_known),
		cmocka_unit_test(settings_that_wait_for_a_restart_show_old_and_new_value),
		cmocka_unit_test(slots_are_listed),
		cmocka_unit_test(another_version_of_a_collation_in_use_is_found),
		cmocka_unit_test(another_version_of_a_database_is_found),
		cmocka_unit_test(all_connections_taken_is_said_and_does_not_flap),
		cmocka_unit_test(a_lost_connection_is_made_again_without_a_word),
		cmocka_unit_test(a_restarted_monitor_goes_on_where_the_former_was),
		cmocka_unit_test(a_stopped_postmaster_is_noticed),
		cmocka_unit_test(a_server_that_does_not_answer_is_noticed),
		cmocka_unit_test(a_missing_or_replaced_control_file_is_noticed),
		cmocka_unit_test(a_server_that_does_not_let_it_in_is_explained),
		cmocka_unit_test(after_a_crash_of_a_backend_it_comes_back),
		cmocka_unit_test(a_smart_shutdown_does_not_wait_for_the_monitor),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
