/*
 * collector - the service: when what is due.
 */
#include "service/collector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "sys/channel.h"

#define BACKOFF_MIN_MS 200
#define BACKOFF_MAX_MS 5000
#define TICK_MS 1000
/* The monitor asks each second.  While it hears nothing, nobody is dialled: each attempt would wait
 * in the socket's queue, and all of them would be let in at once when postgres wakes up. */
#define SILENT_MS 5000

/* ---- which query belongs where ---- */

/* In the database postgres over the kept connection, or over the other one. */
static bool
query_is_side(const struct collector *c, const struct metric_query *q)
{
	if (q->database_count)
		return true;
	return !q->builtin && strcmp(c->sup.plan.database, "postgres") != 0;
}

bool
collector_fits(const struct collector *c, const struct collector_query *cq, bool side)
{
	return query_is_side(c, cq->q) == side && metric_applies(cq->q, c->version, c->in_recovery);
}

int64_t
collector_every_ms(const struct collector *c, const struct metric_query *q)
{
	if (q->every_ms)
		return q->every_ms;
	switch (q->tier) {
	case METRIC_SIZES:
		return COLLECTOR_SIZES_MS;
	case METRIC_SETTINGS:
		return COLLECTOR_SETTINGS_MS;
	case METRIC_SWEEP:
		return COLLECTOR_SWEEP_MS;
	case METRIC_FAST:
	case METRIC_TTL:
		break;
	}
	return c->ttl_ms;
}

/* ---- the postmaster ---- */

void
collector_hang_up(struct collector *c)
{
	collector_slow_stop(&c->slow);
	collector_slow_stop(&c->sweep);
	collector_link_close(&c->kept);
	collector_link_close(&c->side);
	for (size_t i = 0; i < c->queries; i++)
		c->query[i].picked = false;
}

/* Prepared statements went with the connection, however that ended. */
static void
collector_unprepared(struct collector *c)
{
	c->facts_prepared = false;
	for (size_t i = 0; i < c->queries; i++)
		c->query[i].prepared = c->query[i].ask_prepared = false;
}

static void
collector_state(struct collector *c, enum collector_state state, const char *problem)
{
	c->facts.state = state;
	if (state != COLLECTOR_FAILING)
		c->failing_ns = 0;
	else if (!c->failing_ns)
		c->failing_ns = clock_boot_ns();
	snprintf(c->facts.problem, sizeof(c->facts.problem), "%s", problem);
}

/* What the former postmaster said is true no more. */
static void
collector_gone(struct collector *c)
{
	collector_hang_up(c);
	for (size_t i = 0; i < c->queries; i++)
		query_forget(&c->query[i]);
	c->pid = 0;
	c->role_tried = false;
	c->backoff_ms = 0;
	c->connect_due_ns = c->fast_due_ns = 0;
	collector_state(c, COLLECTOR_WAITING, "");
	collector_put(c);
}

static bool
collector_may(struct collector *c)
{
	shared_read(c->s->board, SEC_SUPERVISOR, &c->sup);
	shared_read(c->s->board, SEC_POSTGRES, &c->pg);
	if (c->pid && (c->sup.pg_pid != c->pid || c->sup.pg_phase == PG_PHASE_STOPPING))
		collector_gone(c);
	if (!c->sup.pg_pid || c->sup.pg_phase != PG_PHASE_ACCEPTING || c->pg.pid != c->sup.pg_pid ||
		c->pg.accept != PG_ACCEPT_YES || !c->pg.known)
		return c->pid != 0 && c->kept.sql;
	if (!c->pid) {
		c->pid = c->sup.pg_pid;
		c->in_recovery = c->pg.in_recovery;
	}
	return true;
}

/* A promotion changes which queries belong here. */
static void
collector_role_of_server(struct collector *c)
{
	if (!c->pg.known || c->pg.in_recovery == c->in_recovery)
		return;
	c->in_recovery = c->pg.in_recovery;
	for (size_t i = 0; i < c->queries; i++)
		if (!collector_fits(c, &c->query[i], false) &&
			!collector_fits(c, &c->query[i], true))
			query_forget(&c->query[i]);
		else
			c->query[i].due_ns = 0;
	c->fast_due_ns = 0;
}

/* ---- the kept connection ---- */

static void
collector_backoff(struct collector *c)
{
	c->backoff_ms = c->backoff_ms ? 2 * c->backoff_ms : BACKOFF_MIN_MS;
	if (c->backoff_ms > BACKOFF_MAX_MS)
		c->backoff_ms = BACKOFF_MAX_MS;
	c->connect_due_ns = clock_boot_ns() + c->backoff_ms * MS_NS;
}

static void
collector_cannot(struct collector *c, const char *error, const char *sqlstate)
{
	if (c->facts.state != COLLECTOR_FAILING)
		log_warning("metrics cannot be collected", F_STR("error", error),
			F_STR("sqlstate", sqlstate));
	collector_state(c, COLLECTOR_FAILING, error);
	snprintf(c->facts.sqlstate, sizeof(c->facts.sqlstate), "%s", sqlstate);
	c->facts.failed_passes++;
	collector_hang_up(c);
	collector_backoff(c);
	collector_put(c);
}

static int
collector_login(struct collector *c, struct err *e)
{
	if (collector_link_open(&c->kept, COLLECTOR_ROLE, "postgres", e) < 0)
		return -1;
	return sql_wait(c->kept.sql, e);
}

/* Logged in, but may it see? */
static int
collector_privileges(struct collector *c, bool *enough, struct err *e)
{
	static const char ask[] = "SELECT pg_has_role('pg_monitor', 'MEMBER')";

	if (sql_ask(c->kept.sql, ask, clock_boot_ns() + COLLECTOR_CONNECT_MS * MS_NS, e) < 0)
		return -1;
	*enough = sql_bool(c->kept.sql, 0, 0);
	return 0;
}

static int
collector_connect(struct collector *c, struct err *e)
{
	bool enough = true;
	int rc;

	/* A new cluster cannot have it: an error in the log would only frighten. */
	if (c->sup.plan.initialised && !c->role_tried && !c->in_recovery) {
		c->role_tried = true;
		if (collector_role_make(c, e) < 0)
			return -1;
	}
	rc = collector_login(c, e);
	if (rc == 0)
		rc = collector_privileges(c, &enough, e);
	/* 28000: the role does not exist.  It is made once for each postmaster. */
	if ((rc == 0 && enough) || c->role_tried ||
		(rc < 0 && strncmp(sql_sqlstate(c->kept.sql), "28", 2) != 0))
		return rc;
	collector_link_close(&c->kept);
	if (collector_role_make(c, e) < 0)
		return -1;
	c->role_tried = true;
	return collector_login(c, e);
}

static void
collector_connected(struct collector *c)
{
	collector_unprepared(c);
	c->version = sql_server_version(c->kept.sql);
	c->facts.reconnects++;
	c->facts.sqlstate[0] = '\0';
	c->backoff_ms = 0;
	c->fast_due_ns = 0;
	if (c->facts.state == COLLECTOR_FAILING)
		log_info("metrics are collected again");
	collector_state(c, COLLECTOR_OK, "");
	collector_link_watch(&c->kept);
}

static bool
collector_linked(struct collector *c)
{
	struct err e;
	int64_t now = clock_boot_ns();
	bool idle = c->kept.sql && sql_state(c->kept.sql) == SQL_IDLE;

	if (idle && now - c->kept.opened_ns > COLLECTOR_AGE_MS * MS_NS)
		collector_hang_up(c);
	if (c->kept.sql && sql_state(c->kept.sql) == SQL_BROKEN)
		collector_cannot(c, sql_error(c->kept.sql), sql_sqlstate(c->kept.sql));
	if (c->kept.sql)
		return true;
	if (now < c->connect_due_ns || now - c->pg.query_ok_ns > SILENT_MS * MS_NS)
		return false;
	if (collector_connect(c, &e) < 0) {
		const char *state = c->kept.sql ? sql_sqlstate(c->kept.sql) : "";
		char copy[6];

		snprintf(copy, sizeof(copy), "%s", state);
		collector_cannot(c, e.msg, copy);
		return false;
	}
	collector_connected(c);
	return true;
}

/* ---- passes ---- */

static int64_t
collector_pace_ms(const struct collector *c)
{
	struct api_facts api;

	shared_read(c->s->board, SEC_API, &api);
	if (api.scraped_ns && clock_boot_ns() - api.scraped_ns < COLLECTOR_SCRAPED_MS * MS_NS)
		return COLLECTOR_FAST_MS;
	return COLLECTOR_IDLE_MS;
}

/* The first scrape after a quiet time does not wait for the slow pace to end. */
static bool
collector_fast_due(const struct collector *c)
{
	int64_t now = clock_boot_ns();

	return now >= c->fast_due_ns ||
	       (c->facts.pass_ns && now >= c->facts.pass_ns + collector_pace_ms(c) * MS_NS);
}

static void
collector_counts(struct collector *c)
{
	int64_t now = clock_boot_ns();
	bool failed = false;

	c->facts.passes++;
	for (size_t i = 0; i < c->queries; i++) {
		const struct collector_query *cq = &c->query[i];

		failed = failed || cq->failing;
		/* What did not run because it is not due again. */
		c->facts.cache_hits += cq->rows && !cq->failing && cq->due_ns > now;
	}
	c->facts.failed_passes += failed;
	collector_state(
		c, failed ? COLLECTOR_PARTIAL : COLLECTOR_OK, failed ? "some queries fail" : "");
	c->facts.pass_ns = clock_boot_ns();
	c->facts.pass_wall_us = clock_wall_us();
}

static void
collector_pass(struct collector *c)
{
	struct err e;
	char state[6];

	board_beat(c->s->board, SERVICE_COLLECTOR); /* to connect may have taken seconds */
	if (collector_fast(c, &e) < 0) {
		snprintf(state, sizeof(state), "%s", sql_sqlstate(c->kept.sql));
		collector_cannot(c, e.msg, state);
		return;
	}
	collector_link_watch(&c->kept);
	c->fast_due_ns = c->unlocked ? 0 : clock_boot_ns() + collector_pace_ms(c) * MS_NS;
	collector_counts(c);
	collector_put(c);
}

/* Whatever is due now and can be done; comes back from every turn of a connection. */
static void
collector_go(struct collector *c)
{
	bool idle;

	if (!collector_may(c))
		return;
	collector_role_of_server(c);
	if (!collector_linked(c))
		return;
	idle = sql_state(c->kept.sql) == SQL_IDLE && c->slow.step == SLOW_OFF;
	if (idle && collector_fast_due(c))
		collector_pass(c);
	idle = c->kept.sql && sql_state(c->kept.sql) == SQL_IDLE && c->slow.step == SLOW_OFF;
	if (idle && c->sweep.step == SLOW_OFF)
		collector_slow_start(&c->sweep, &c->side, true);
	idle = idle && c->kept.sql && sql_state(c->kept.sql) == SQL_IDLE;
	if (idle)
		collector_slow_start(&c->slow, &c->kept, false);
	if (c->changed)
		collector_put(c);
}

static void
collector_on_kept(struct collector_link *l)
{
	collector_slow_turn(&l->c->slow);
	collector_go(l->c);
}

static void
collector_on_side(struct collector_link *l)
{
	collector_slow_turn(&l->c->sweep);
	collector_go(l->c);
}

/* Nobody answers: what was said goes on to count for a while, but not for longer. */
static void
collector_silent(struct collector *c)
{
	if (!c->failing_ns || clock_boot_ns() - c->failing_ns < COLLECTOR_KEEP_MS * MS_NS)
		return;
	for (size_t i = 0; i < c->queries; i++) {
		struct collector_query *cq = &c->query[i];

		c->changed = c->changed || cq->rows;
		cq->rows = metric_result_free(cq->rows);
	}
	if (c->changed)
		collector_put(c);
}

/* ---- the service ---- */

static void
collector_on_timer(struct loop_timer *t, void *arg)
{
	struct collector *c = arg;

	loop_timer_in(c->s->loop, t, TICK_MS);
	collector_files_look(c);
	collector_go(c);
	collector_silent(c);
}

static void
collector_on_msg(struct service *s, const struct channel_msg *msg)
{
	if (msg->type == MSG_POKE)
		collector_go(s->arg);
}

static int
collector_init(struct collector *c, struct service *s, struct err *e)
{
	c->s = s;
	c->ttl_ms = COLLECTOR_TTL_MS;
	collector_link_init(&c->kept, c);
	collector_link_init(&c->side, c);
	c->kept.on_turn = collector_on_kept;
	c->side.on_turn = collector_on_side;
	c->slow.link = &c->kept;
	c->sweep.link = &c->side;
	c->facts.min_wal_bytes = c->facts.max_wal_bytes = -1;
	c->facts.wal_keep_bytes = c->facts.slot_keep_bytes = -1;
	c->build = metrics_build_new();
	if (!c->build)
		return err_sys(e, "room for metrics");
	for (size_t i = 0; i < metric_builtin_count && c->queries < COLLECTOR_QUERIES; i++)
		query_init(&c->query[c->queries++], &metric_builtin[i]);
	loop_timer_init(&c->timer, collector_on_timer, c);
	loop_timer_in(s->loop, &c->timer, 0);
	return pq_load(&c->pq, e);
}

int
service_collector_main(struct service *s)
{
	struct collector *c = calloc(1, sizeof(*c));
	struct err e;

	if (!c || collector_init(c, s, &e) < 0) {
		log_error("collector cannot start", F_STR("error", c ? e.msg : "no memory"));
		return EXIT_FAILURE;
	}
	s->arg = c;
	s->on_msg = collector_on_msg;
	if (service_run(s, &e) < 0) {
		log_error("collector ends", F_STR("error", e.msg));
		return err_exit(&e);
	}
	return 0;
}
