/*
 * collector_slow - the queries that may take longer, one by one, in one database after the other.
 *
 * Each runs in a transaction of its own that can only read, with its own time limit; users' queries
 * through a cursor, so that no more rows come than are wanted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/collector.h"

#define SLOW_DATABASES_MAX 4096
#define SLOW_ROUND_TRIP_MS 1000 /* more than the server's own limit */

static const char databases_sql[] =
	"SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate AND "
	"datconnlimit NOT IN (0, -2) AND " /* lets nobody in; half dropped */
	"has_database_privilege(oid, 'CONNECT') ORDER BY datname";

/* ---- what runs where ---- */

static bool
name_in(const struct metric_query *q, const char *database)
{
	for (size_t i = 0; i < q->database_count; i++)
		if (metric_pattern(q->databases[i], database))
			return true;
	return false;
}

static bool
slow_wants(const struct collector_slow *s, const struct collector_query *cq)
{
	const struct collector *c = s->link->c;

	/* The other connection may be at work with its own at the same time. */
	if (!cq->picked || !collector_fits(c, cq, s->side))
		return false;
	if (!s->side)
		return true;
	if (cq->q->database_count == 0)
		return strcmp(s->database[s->database_at], c->sup.plan.database) == 0;
	return name_in(cq->q, s->database[s->database_at]);
}

static struct collector_query *
slow_query(const struct collector_slow *s)
{
	return &s->link->c->query[s->at];
}

static const char *
slow_database(const struct collector_slow *s)
{
	return s->side ? s->database[s->database_at] : "";
}

/* ---- steps ---- */

static int64_t
slow_timeout_ms(const struct metric_query *q)
{
	return q->timeout_ms > 0 ? q->timeout_ms : COLLECTOR_SLOW_MS;
}

static int64_t
slow_deadline(const struct collector_slow *s)
{
	return clock_boot_ns() + (slow_timeout_ms(slow_query(s)->q) + SLOW_ROUND_TRIP_MS) * MS_NS;
}

/* Sends what this step says; the answer comes to slow_answer(). */
static int
slow_send(struct collector_slow *s, struct err *e)
{
	const struct metric_query *q = slow_query(s)->q;
	struct sql *sql = s->link->sql;
	AUTO(buf_deinit) struct buf text = {0};

	switch (s->step) {
	case SLOW_BEGIN:
		buf_printf(&text,
			"BEGIN READ ONLY; SET LOCAL statement_timeout = %lld; SET LOCAL "
			"search_path = %s",
			(long long)slow_timeout_ms(q),
			q->builtin ? "pg_catalog" : "pg_catalog, public");
		break;
	case SLOW_ASK_PREPARE:
		return sql_send_prepare(sql, "", q->predicate, slow_deadline(s), e);
	case SLOW_PREPARE:
		if (!q->builtin)
			buf_puts(&text, "DECLARE podgres NO SCROLL CURSOR FOR ");
		buf_puts(&text, q->sql);
		if (buf_check(&text, e) < 0)
			return -1;
		return sql_send_prepare(sql, "", buf_str(&text), slow_deadline(s), e);
	case SLOW_ASK:
	case SLOW_DECLARE:
		return sql_send_prepared(sql, "", slow_deadline(s), e);
	case SLOW_FETCH:
		buf_printf(&text, "FETCH FORWARD %u FROM podgres",
			(q->max_series ? q->max_series : METRIC_MAX_SERIES) + 1);
		break;
	case SLOW_END:
		buf_puts(&text, "ROLLBACK; RESET SESSION AUTHORIZATION; RESET ALL");
		break;
	case SLOW_OFF:
	case SLOW_CONNECT:
	case SLOW_LEAVE:
		return 0;
	}
	return buf_check(&text, e) < 0 ? -1 : sql_send(sql, buf_str(&text), slow_deadline(s), e);
}

static enum slow_step
slow_after(const struct collector_slow *s)
{
	const struct collector_query *cq = slow_query(s);

	switch (s->step) {
	case SLOW_BEGIN:
		return cq->q->predicate[0] ? SLOW_ASK_PREPARE : SLOW_PREPARE;
	case SLOW_ASK_PREPARE:
		return SLOW_ASK;
	case SLOW_ASK:
		return sql_rows(s->link->sql) == 1 && sql_bool(s->link->sql, 0, 0) ? SLOW_PREPARE
										   : SLOW_END;
	case SLOW_PREPARE:
		return SLOW_DECLARE;
	case SLOW_DECLARE:
		return cq->q->builtin ? SLOW_END : SLOW_FETCH;
	default:
		return SLOW_END;
	}
}

/* ---- rounds ---- */

static void
slow_finish(struct collector_slow *s)
{
	struct collector *c = s->link->c;

	for (size_t i = 0; i < c->queries; i++) {
		struct collector_query *cq = &c->query[i];

		if (!cq->picked || !collector_fits(c, cq, s->side))
			continue;
		c->facts.cache_misses++;
		query_end(cq, collector_every_ms(c, cq->q));
		c->changed = true;
	}
	if (s->side) {
		c->facts.sweep_s = (float)(clock_boot_ns() - s->began_ns) / (float)(1000 * MS_NS);
		collector_link_close(s->link);
	}
	free(s->database);
	s->database = NULL;
	s->step = SLOW_OFF;
}

static void
slow_leave(struct collector_slow *s)
{
	s->step = SLOW_LEAVE;
	collector_link_leave(s->link);
}

/* The next query of this database, else the next database. */
static bool
slow_next_query(struct collector_slow *s, size_t from)
{
	for (s->at = from; s->at < s->link->c->queries; s->at++)
		if (slow_wants(s, slow_query(s))) {
			s->step = SLOW_BEGIN;
			slow_query(s)->began_ns = clock_boot_ns();
			return true;
		}
	s->at = 0;
	if (s->side)
		slow_leave(s);
	else
		slow_finish(s);
	return false;
}

static bool
slow_any_wants(struct collector_slow *s)
{
	for (size_t i = 0; i < s->link->c->queries; i++)
		if (slow_wants(s, &s->link->c->query[i]))
			return true;
	return false;
}

static void
slow_database_fails(struct collector_slow *s, const char *error, const char *sqlstate)
{
	struct collector *c = s->link->c;

	for (size_t i = 0; i < c->queries; i++) {
		struct collector_query *cq = &c->query[i];

		if (!slow_wants(s, cq) || cq->failed)
			continue;
		cq->failed = true;
		snprintf(cq->error, sizeof(cq->error), "database %s: %s", slow_database(s), error);
		snprintf(cq->group.sqlstate, sizeof(cq->group.sqlstate), "%s", sqlstate);
	}
}

static void
slow_all_fail(struct collector_slow *s, const char *error, const char *sqlstate)
{
	struct collector *c = s->link->c;

	for (size_t i = 0; i < c->queries; i++) {
		struct collector_query *cq = &c->query[i];

		if (!cq->picked || !collector_fits(c, cq, s->side) || cq->failed)
			continue;
		cq->failed = true;
		snprintf(cq->error, sizeof(cq->error), "%s", error);
		snprintf(cq->group.sqlstate, sizeof(cq->group.sqlstate), "%s", sqlstate);
	}
}

static void
slow_next_database(struct collector_slow *s)
{
	struct err e;

	while (++s->database_at < s->databases) {
		if (!slow_any_wants(s))
			continue;
		s->step = SLOW_CONNECT;
		if (collector_link_open(s->link, COLLECTOR_ROLE, s->database[s->database_at], &e) ==
			0) {
			collector_link_watch(s->link);
			return;
		}
		slow_database_fails(s, e.msg, "");
	}
	slow_finish(s);
}

/* ---- answers ---- */

static void
slow_lost(struct collector_slow *s)
{
	const char *error = s->link->sql ? sql_error(s->link->sql) : "it did not answer in time";
	const char *state = s->link->sql ? sql_sqlstate(s->link->sql) : "57014";

	if (s->side) {
		slow_database_fails(s, error, state);
		slow_leave(s);
		return;
	}
	slow_all_fail(s, error, state);
	collector_link_close(s->link);
	slow_finish(s);
}

static void
slow_answer(struct collector_slow *s)
{
	struct collector_query *cq = slow_query(s);

	if (s->step == SLOW_END) {
		cq->spent_ns += clock_boot_ns() - cq->began_ns;
		slow_next_query(s, s->at + 1);
		return;
	}
	if (sql_failed(s->link->sql)) {
		query_error(cq, s->link->sql, slow_database(s));
		s->step = SLOW_END;
		return;
	}
	if (s->step == SLOW_FETCH || (s->step == SLOW_DECLARE && cq->q->builtin))
		query_rows(cq, s->link->sql, slow_database(s));
	s->step = slow_after(s);
}

void
collector_slow_turn(struct collector_slow *s)
{
	struct err e;

	if (s->step == SLOW_OFF)
		return;
	if (s->step == SLOW_LEAVE) {
		slow_next_database(s);
		return;
	}
	if (!s->link->sql || sql_state(s->link->sql) == SQL_BROKEN) {
		slow_lost(s);
		return;
	}
	if (s->step == SLOW_CONNECT) {
		if (!slow_next_query(s, 0))
			return;
	} else {
		slow_answer(s);
	}
	if (s->step == SLOW_OFF || s->step == SLOW_CONNECT || s->step == SLOW_LEAVE)
		return;
	if (slow_send(s, &e) < 0)
		slow_lost(s);
	else
		collector_link_watch(s->link);
}

/* ---- from outside ---- */

/* Over the kept connection, which is idle. */
static int
slow_databases(struct collector_slow *s, struct err *e)
{
	struct sql *sql = s->link->c->kept.sql;
	int n;

	if (sql_ask(sql, databases_sql, clock_boot_ns() + SLOW_ROUND_TRIP_MS * MS_NS, e) < 0)
		return -1;
	n = sql_rows(sql);
	n = n < SLOW_DATABASES_MAX ? n : SLOW_DATABASES_MAX;
	s->database = calloc((size_t)n + 1, sizeof(*s->database));
	if (!s->database)
		return err_sys(e, "list the databases");
	s->databases = (uint32_t)n;
	for (uint32_t i = 0; i < s->databases; i++)
		sql_copy(sql, (int)i, 0, s->database[i], sizeof(s->database[i]));
	s->database_at = UINT32_MAX; /* before the first */
	return 0;
}

static size_t
slow_pick(struct collector_slow *s)
{
	struct collector *c = s->link->c;
	size_t picked = 0;

	for (size_t i = 0; i < c->queries; i++) {
		struct collector_query *cq = &c->query[i];
		bool slow = !cq->q->builtin || cq->q->tier != METRIC_FAST;

		if (!slow || cq->picked || !query_due(cq, s->began_ns) ||
			!collector_fits(c, cq, s->side))
			continue;
		cq->picked = true;
		query_begin(cq, c->version);
		picked++;
	}
	return picked;
}

static void
slow_begin_side(struct collector_slow *s)
{
	struct err e;

	s->step = SLOW_CONNECT;
	if (slow_databases(s, &e) == 0) {
		slow_next_database(s);
		return;
	}
	slow_all_fail(s, e.msg, sql_sqlstate(s->link->c->kept.sql));
	slow_finish(s);
}

bool
collector_slow_start(struct collector_slow *s, struct collector_link *l, bool side)
{
	struct err e;

	s->link = l;
	s->side = side;
	s->began_ns = clock_boot_ns();
	s->at = 0;
	if (!slow_pick(s))
		return false;
	if (side) {
		slow_begin_side(s);
	} else if (slow_next_query(s, 0)) {
		if (slow_send(s, &e) < 0)
			slow_lost(s);
		else
			collector_link_watch(s->link);
	}
	return true;
}

void
collector_slow_stop(struct collector_slow *s)
{
	struct collector *c = s->link->c;

	if (s->step == SLOW_OFF)
		return;
	s->step = SLOW_OFF;
	free(s->database);
	s->database = NULL;
	for (size_t i = 0; i < c->queries; i++)
		if (collector_fits(c, &c->query[i], s->side))
			c->query[i].picked = false;
}
