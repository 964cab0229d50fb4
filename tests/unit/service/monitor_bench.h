/*
 * monitor_bench - the monitor as the frame runs it, but for the process: the test turns its loop.
 */
#pragma once

#include "base/log.h"
#include "service/monitor.h"
#include "sys/channel.h"

#include "../pg/pg_fixture.h"

struct bench {
	struct pg pg;
	struct run_options opt;
	struct service s;
	struct supervisor_status sup;
	struct pg_facts facts; /* as last read from the board */
	struct monitor *m;
	struct loop_timer tick;
	int peer; /* the supervisor's end of the channel */
	unsigned pokes;
};

typedef bool condition(const struct pg_facts *f);

static inline void
bench_tick(struct loop_timer *t, void *arg)
{
	struct bench *b = arg;

	loop_timer_in(b->s.loop, t, 1000);
	monitor_tick(b->m);
}

static inline void
bench_pokes(struct bench *b)
{
	struct channel_msg msg;
	struct err e;

	while (channel_recv(b->peer, &msg, &e) > 0)
		b->pokes += msg.type == MSG_POKE;
}

/* Milliseconds until the board shows it. */
static inline int64_t
until(struct bench *b, condition *is, int64_t limit_ms)
{
	int64_t from = clock_boot_ms();
	struct err e;

	for (;;) {
		shared_read(b->s.board, SEC_POSTGRES, &b->facts);
		bench_pokes(b);
		if (is(&b->facts))
			return clock_boot_ms() - from;
		if (clock_boot_ms() - from > limit_ms)
			break;
		assert_int_equal(loop_turn(b->s.loop, 50, &e), 0);
	}
	fail_msg("not within %lld ms; accept %u known %d recovery %d timeline %u problem '%s'",
		(long long)limit_ms, b->facts.accept, b->facts.known, b->facts.in_recovery,
		b->facts.timeline, b->facts.problem);
	return -1;
}

static inline void
supervisor_says(struct bench *b)
{
	shared_write(b->s.board, SEC_SUPERVISOR, &b->sup);
	monitor_news(b->m);
}

static inline void
bench_start(struct bench *b)
{
	pg_start(&b->pg);
	b->sup.pg_pid = b->pg.pid;
	b->sup.pg_started_boot_ns = clock_boot_ns();
	b->sup.pg_phase = PG_PHASE_STARTING;
	supervisor_says(b);
}

static inline void
bench_stopped(struct bench *b)
{
	b->sup.pg_pid = 0;
	b->sup.pg_phase = PG_PHASE_DOWN;
	supervisor_says(b);
}

/* Around the data directory of b->pg. */
static inline void
bench_attach(struct bench *b)
{
	int fds[2];
	struct err e;

	snprintf(b->opt.pgdata, sizeof(b->opt.pgdata), "%s", b->pg.data);
	snprintf(b->sup.plan.socket_dir, sizeof(b->sup.plan.socket_dir), "%s", b->pg.dir);
	snprintf(b->sup.plan.superuser, sizeof(b->sup.plan.superuser), "postgres");
	b->sup.plan.port = 5432;
	b->sup.plan.major = b->pg.major;
	b->sup.plan.timeline = 1;
	b->sup.plan.wal_segment_bytes = 16 << 20;
	b->s.id = SERVICE_MONITOR;
	b->s.opt = &b->opt;
	assert_int_equal(board_create(&b->s.board, shared_sizes, SECTIONS, &e), 0);
	assert_int_equal(loop_new(&b->s.loop, &e), 0);
	assert_int_equal(channel_pair(fds, &e), 0);
	b->s.channel.fd = fds[0];
	b->peer = fds[1];
	assert_int_equal(monitor_new(&b->m, &b->s, &e), 0);
	loop_timer_init(&b->tick, bench_tick, b);
	loop_timer_in(b->s.loop, &b->tick, 0);
}

static inline void
bench_close(struct bench *b)
{
	b->m = monitor_free(b->m);
	pg_stop(&b->pg, SIGQUIT);
	b->s.loop = loop_free(b->s.loop);
	b->s.board = board_free(b->s.board);
	close(b->peer);
	close(b->s.channel.fd);
	pg_remove(&b->pg);
}

/* ---- another session, for the test itself ---- */

static inline struct sql *
session(struct bench *b, const char *application)
{
	const struct sql_spec spec = {.host = b->pg.dir,
		.port = 5432,
		.user = "postgres",
		.database = "postgres",
		.application = application,
		.settings = ""};
	struct sql *c = NULL;
	struct err e = {0};

	assert_int_equal(sql_open(&c, &b->m->pq, &spec, clock_boot_ns() + 5000 * MS_NS, &e), 0);
	if (sql_wait(c, &e) < 0)
		c = sql_close(c);
	return c;
}

static inline void
run_sql(struct bench *b, const char *text)
{
	AUTO(sql_close) struct sql *c = session(b, "test");
	struct err e = {0};

	assert_non_null(c);
	if (sql_ask(c, text, clock_boot_ns() + 10000 * MS_NS, &e) < 0)
		fail_msg("%s: %s", text, e.msg);
}

static inline int64_t
ask_number(struct bench *b, const char *text)
{
	AUTO(sql_close) struct sql *c = session(b, "test");
	struct err e = {0};

	assert_non_null(c);
	assert_int_equal(sql_ask(c, text, clock_boot_ns() + 5000 * MS_NS, &e), 0);
	return sql_int(c, 0, 0, 0);
}

/* ---- conditions ---- */

#define CONDITION(name, holds)                     \
	static bool name(const struct pg_facts *f) \
	{                                          \
		return holds;                      \
	}

CONDITION(is_known, f->known && f->accept == PG_ACCEPT_YES && f->max_connections > 0)
CONDITION(all_is_well, is_known(f) && f->problem[0] == '\0')
