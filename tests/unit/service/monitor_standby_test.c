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

CONDITION(streams, all_is_well(f) && f->receiver_active)
CONDITION(streams_no_more, !f->receiver_active)
CONDITION(is_paused, f->replay_paused)
CONDITION(has_replica, f->replicas == 1 && strcmp(f->replica[0].state, "streaming") == 0 &&
			       f->replica[0].sent_lsn > 0 && f->replica[0].flush_lsn > 0)
CONDITION(is_replaying, f->redo && f->redo_progress >= 0 && strstr(f->problem, "replays WAL"))
CONDITION(follows, is_known(f) && f->in_recovery)
CONDITION(has_written, f->written_lsn > 0)
CONDITION(has_history, f->histories == 1)
CONDITION(hot_standby_is_off, strstr(f->problem, "hot_standby"))

/* ---- tests: they follow one another ---- */

static void
touch(struct bench *b, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", b->pg.data, name);
	assert_int_equal(pg_run(&b->pg, (const char *const[]){"touch", path, NULL}), 0);
}

/* A second instance, cloned from the first, with a monitor of its own. */
static void
clone(struct bench *b, struct bench *from)
{
	char program[300], conf[300];

	memset(b, 0, sizeof(*b));
	b->pg = from->pg;
	b->pg.pid = 0;
	snprintf(b->pg.dir, sizeof(b->pg.dir), "/tmp/podgres-unit-XXXXXX");
	assert_non_null(mkdtemp(b->pg.dir));
	assert_int_equal(chmod(b->pg.dir, 0777), 0);
	snprintf(b->pg.data, sizeof(b->pg.data), "%s/data", b->pg.dir);
	snprintf(program, sizeof(program), "%s/pg_basebackup", b->pg.bin);
	assert_int_equal(
		pg_run(&b->pg, (const char *const[]){program, "-D", b->pg.data, "-c", "fast",
				       "--no-sync", "-h", from->pg.dir, "-U", "postgres", NULL}),
		0);
	snprintf(conf, sizeof(conf),
		"unix_socket_directories='%s'\nprimary_conninfo='host=%s user=postgres'\n",
		b->pg.dir, from->pg.dir);
	pg_conf(&b->pg, conf);
	touch(b, "standby.signal");
	bench_attach(b);
}

static void
replication_is_seen_from_both_ends(void **state)
{
	struct bench *b = *state;
	static struct bench second;

	bench_start(b);
	until(b, all_is_well, 5000);
	clone(&second, b);
	bench_start(&second);
	until(&second, streams, 10000);
	assert_true(second.facts.in_recovery);
	assert_true(second.facts.has_primary_conninfo);
	assert_int_equal(second.facts.timeline, 1);
	assert_true(second.facts.received_lsn > 0 && second.facts.replay_lsn > 0);
	run_sql(b, "CREATE TABLE something ()");
	until(b, has_replica, 5000);
	assert_int_equal(b->facts.replicas, 1);
	assert_string_equal(b->facts.replica[0].usename, "postgres");
	assert_string_equal(b->facts.replica[0].sync_state, "async");
	run_sql(&second, "SELECT pg_wal_replay_pause()");
	until(&second, is_paused, 3000);
	pg_stop(&b->pg, SIGINT);
	bench_stopped(b);
	until(&second, streams_no_more, 5000);
	assert_int_equal(second.facts.accept, PG_ACCEPT_YES);
	bench_close(&second);
	bench_start(b);
	until(b, all_is_well, 5000);
	assert_int_equal(b->facts.replicas, 0);
	pg_stop(&b->pg, SIGINT);
	bench_stopped(b);
}

/* The startup process is held while it replays, so that the ticks can see it. */
static void
crash_recovery_shows_its_progress(void **state)
{
	struct bench *b = *state;
	struct procfs_startup s = {0};
	int64_t moved_ns;

	bench_start(b);
	until(b, all_is_well, 5000);
	run_sql(b, "SELECT count(pg_logical_emit_message(false, 'x', repeat('y', 1000000)))"
		   " FROM generate_series(1, 200)");
	pg_stop(&b->pg, SIGQUIT);
	bench_stopped(b);
	bench_start(b);
	for (int64_t end = clock_boot_ms() + 5000; clock_boot_ms() < end;)
		if (procfs_startup(b->pg.pid, &s) && s.wal[0])
			break;
	assert_int_equal(kill(s.pid, SIGSTOP), 0);
	until(b, is_replaying, 3000);
	printf("%s\n", b->facts.problem);
	assert_int_equal(strlen(b->facts.redo_wal), 24);
	assert_true(b->facts.redo_progress < 1);
	assert_int_equal(b->facts.accept, PG_ACCEPT_STARTING);
	moved_ns = b->facts.redo_moved_ns;
	kill(s.pid, SIGCONT);
	until(b, all_is_well, 10000);
	assert_false(b->facts.redo);
	assert_true(b->facts.redo_moved_ns >= moved_ns);
	pg_stop(&b->pg, SIGINT);
	bench_stopped(b);
}

static void
a_standby_without_hot_standby_is_explained(void **state)
{
	struct bench *b = *state;

	touch(b, "standby.signal");
	pg_conf(&b->pg, "hot_standby=off\n");
	bench_start(b);
	until(b, hot_standby_is_off, 10000);
	assert_int_equal(b->facts.accept, PG_ACCEPT_NO);
	pg_stop(&b->pg, SIGINT);
	bench_stopped(b);
	pg_conf(&b->pg, "hot_standby=on\n");
}

static void
a_promotion_ends_with_a_flushed_write_on_the_new_timeline(void **state)
{
	struct bench *b = *state;
	int64_t ms;

	touch(b, "standby.signal");
	bench_start(b);
	until(b, follows, 10000);
	assert_int_equal(b->facts.timeline, 1);
	b->sup.state = FSM_PROMOTE;
	supervisor_says(b);
	touch(b, "promote");
	kill(b->pg.pid, SIGUSR1);
	ms = until(b, has_written, 10000);
	printf("promoted, written and flushed after %lld ms\n", (long long)ms);
	assert_false(b->facts.in_recovery);
	assert_int_equal(b->facts.timeline, 2);
	assert_int_equal(b->facts.written_timeline, 2);
	until(b, has_history, 3000);
	assert_int_equal(b->facts.history[0].timeline, 1);
	assert_true(b->facts.history[0].lsn > 0);
	b->sup.state = FSM_PRIMARY;
	supervisor_says(b);
	until(b, all_is_well, 3000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replication_is_seen_from_both_ends),
		cmocka_unit_test(crash_recovery_shows_its_progress),
		cmocka_unit_test(a_standby_without_hot_standby_is_explained),
		cmocka_unit_test(a_promotion_ends_with_a_flushed_write_on_the_new_timeline),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
