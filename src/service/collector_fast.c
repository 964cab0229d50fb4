/*
 * collector_fast - the quick queries, in one round trip.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "service/collector.h"

/* What was sent, in order: an answer comes for each. */
enum fast_what {
	FAST_LOCK,
	FAST_FACTS_PREPARE,
	FAST_FACTS,
	FAST_ASK_PREPARE,
	FAST_ASK,
	FAST_PREPARE,
	FAST_RUN
};

struct fast_item {
	enum fast_what what;
	struct collector_query *cq;
};

#define FAST_ITEMS (4 * COLLECTOR_QUERIES)

struct fast {
	struct collector *c;
	struct sql *sql;
	struct fast_item item[FAST_ITEMS];
	size_t items;
	int64_t deadline_ns;
	bool cancelled;
};

static const char lock_short[] = "SELECT set_config('lock_timeout', '10', false)";
static const char lock_long[] = "SELECT set_config('lock_timeout', '50', false)";

/* What the api makes metrics of itself: pg_wal{...}, sync_replicas{...}. */
static const char facts_sql[] =
	"SELECT pg_size_bytes(current_setting('min_wal_size')), "
	"pg_size_bytes(current_setting('max_wal_size')), "
	"pg_size_bytes(current_setting('wal_keep_size')), "
	"CASE WHEN current_setting('max_slot_wal_keep_size') LIKE '-%' THEN -1 ELSE "
	"pg_size_bytes(current_setting('max_slot_wal_keep_size')) END, "
	"current_setting('synchronous_standby_names')";

static void
fast_facts(struct fast *f)
{
	struct collector_facts *to = &f->c->facts;

	to->min_wal_bytes = sql_int(f->sql, 0, 0, -1);
	to->max_wal_bytes = sql_int(f->sql, 0, 1, -1);
	to->wal_keep_bytes = sql_int(f->sql, 0, 2, -1);
	to->slot_keep_bytes = sql_int(f->sql, 0, 3, -1);
	sql_copy(
		f->sql, 0, 4, to->synchronous_standby_names, sizeof(to->synchronous_standby_names));
}

static void
fast_name(char *out, size_t size, const struct fast *f, const struct collector_query *cq, char kind)
{
	snprintf(out, size, "%c%zu", kind, (size_t)(cq - f->c->query));
}

static int
fast_send(struct fast *f, enum fast_what what, struct collector_query *cq, const char *text,
	struct err *e)
{
	bool ask = what == FAST_ASK || what == FAST_ASK_PREPARE;
	char name[24];

	fast_name(name, sizeof(name), f, cq, ask ? 'p' : 'q');
	f->item[f->items++] = (struct fast_item){what, cq};
	return text ? sql_pipe_prepare(f->sql, name, text, e) : sql_pipe_run(f->sql, name, e);
}

/* ---- answers ---- */

static void
fast_took(struct fast *f, const struct fast_item *item, bool good)
{
	struct collector_query *cq = item->cq;

	switch (item->what) {
	case FAST_PREPARE:
		cq->prepared = good;
		break;
	case FAST_ASK:
		if (good && !(sql_rows(f->sql) == 1 && sql_bool(f->sql, 0, 0)))
			cq->picked = false;
		break;
	case FAST_RUN:
		if (good)
			query_rows(cq, f->sql, "");
		break;
	case FAST_ASK_PREPARE:
		cq->ask_prepared = good;
		break;
	case FAST_LOCK:
		break;
	case FAST_FACTS_PREPARE:
		f->c->facts_prepared = good;
		break;
	case FAST_FACTS:
		if (good)
			fast_facts(f);
		break;
	}
	if (!good && cq) {
		query_error(cq, f->sql, "");
		if (strcmp(sql_sqlstate(f->sql), "55P03") == 0)
			f->c->locked = true;
	}
}

static int
fast_take_one(struct fast *f, struct err *e)
{
	int rc = sql_pipe_take(f->sql, f->deadline_ns, e);

	if (rc < 0 && e->kind == ERR_TIMEOUT && !f->cancelled) {
		f->cancelled = true;
		sql_cancel(f->sql);
		f->deadline_ns = clock_boot_ns() + COLLECTOR_CANCEL_MS * MS_NS;
		rc = sql_pipe_take(f->sql, f->deadline_ns, e);
	}
	return rc;
}

static int
fast_take(struct fast *f, struct err *e)
{
	int64_t before = clock_boot_ns(), now;

	for (size_t i = 0; i < f->items; i++, before = now) {
		bool good = fast_take_one(f, e) == 0;

		now = clock_boot_ns();
		if (f->item[i].cq)
			f->item[i].cq->spent_ns += now - before;
		if (!good && e->kind != ERR_FAILED)
			return -1;
		fast_took(f, &f->item[i], good);
	}
	f->items = 0;
	return 0;
}

/* ---- the pass ---- */

static int
fast_send_facts(struct fast *f, struct err *e)
{
	if (!f->c->facts_prepared) {
		f->item[f->items++] = (struct fast_item){FAST_FACTS_PREPARE, NULL};
		if (sql_pipe_prepare(f->sql, "facts", facts_sql, e) < 0)
			return -1;
	}
	f->item[f->items++] = (struct fast_item){FAST_FACTS, NULL};
	return sql_pipe_run(f->sql, "facts", e);
}

static int
fast_ask(struct fast *f, struct err *e)
{
	if (fast_send_facts(f, e) < 0)
		return -1;
	if (f->c->locked && sql_pipe_prepare(f->sql, "", lock_short, e) == 0 &&
		sql_pipe_run(f->sql, "", e) == 0) {
		f->item[f->items++] = (struct fast_item){FAST_LOCK, NULL};
		f->item[f->items++] = (struct fast_item){FAST_LOCK, NULL};
	}
	for (size_t i = 0; i < f->c->queries; i++) {
		struct collector_query *cq = &f->c->query[i];

		if (!cq->picked || !cq->q->predicate[0])
			continue;
		if (!cq->ask_prepared &&
			fast_send(f, FAST_ASK_PREPARE, cq, cq->q->predicate, e) < 0)
			return -1;
		if (fast_send(f, FAST_ASK, cq, NULL, e) < 0)
			return -1;
	}
	return fast_take(f, e);
}

static int
fast_run(struct fast *f, struct err *e)
{
	for (size_t i = 0; i < f->c->queries; i++) {
		struct collector_query *cq = &f->c->query[i];

		if (!cq->picked || cq->failed)
			continue;
		if (!cq->prepared && fast_send(f, FAST_PREPARE, cq, cq->q->sql, e) < 0)
			return -1;
		if (fast_send(f, FAST_RUN, cq, NULL, e) < 0)
			return -1;
	}
	if (f->c->locked && sql_pipe_prepare(f->sql, "", lock_long, e) == 0 &&
		sql_pipe_run(f->sql, "", e) == 0) {
		f->item[f->items++] = (struct fast_item){FAST_LOCK, NULL};
		f->item[f->items++] = (struct fast_item){FAST_LOCK, NULL};
		f->c->locked = false;
	}
	return fast_take(f, e);
}

/* One of those that a lock keeps from work is tried anyway: it tells when the lock is gone. */
static bool
fast_due(const struct collector_query *cq, int64_t now, bool *tried)
{
	if (query_due(cq, now))
		return true;
	if (!cq->locked || *tried)
		return false;
	return *tried = true;
}

static size_t
fast_pick(struct collector *c, bool *mine)
{
	int64_t now = clock_boot_ns();
	bool tried = false;
	size_t n = 0;

	for (size_t i = 0; i < c->queries; i++) {
		struct collector_query *cq = &c->query[i];

		mine[i] = cq->q->builtin && cq->q->tier == METRIC_FAST &&
			  collector_fits(c, cq, false) && fast_due(cq, now, &tried);
		if (!mine[i])
			continue;
		cq->picked = true;
		query_begin(cq, c->version);
		n++;
	}
	return n;
}

static void
fast_end(struct collector *c, const bool *mine, bool done)
{
	bool unlocked = false;

	for (size_t i = 0; i < c->queries; i++) {
		struct collector_query *cq = &c->query[i];
		bool was = cq->locked;

		if (mine[i] && done)
			query_end(cq, 0);
		else if (mine[i])
			cq->picked = false;
		unlocked = unlocked || (was && !cq->locked);
	}
	for (size_t i = 0; unlocked && i < c->queries; i++)
		query_unlock(&c->query[i]);
	c->unlocked = unlocked;
}

int
collector_fast(struct collector *c, struct err *e)
{
	AUTO(free) struct fast *f = calloc(1, sizeof(*f)); /* 16 kB */
	bool mine[COLLECTOR_QUERIES] = {false};
	int64_t began = clock_boot_ns();
	int rc = 0;

	if (!f)
		return err_sys(e, "a pass over the metric queries");
	f->c = c;
	f->sql = c->kept.sql;
	f->deadline_ns = began + COLLECTOR_PASS_MS * MS_NS;
	c->unlocked = false;
	if (!fast_pick(c, mine))
		return 0;
	rc = sql_pipe_begin(f->sql, e);
	if (rc == 0)
		rc = fast_ask(f, e);
	if (rc == 0)
		rc = fast_run(f, e);
	if (rc == 0)
		rc = sql_pipe_end(f->sql, e);
	fast_end(c, mine, rc == 0);
	c->facts.pass_s = (float)(clock_boot_ns() - began) / (float)(1000 * MS_NS);
	return rc;
}
