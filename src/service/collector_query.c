/*
 * collector_query - one query: when it is due, what it said, when it is left alone.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/collector.h"

void
query_init(struct collector_query *cq, const struct metric_query *q)
{
	memset(cq, 0, sizeof(*cq));
	cq->q = q;
	snprintf(cq->group.name, sizeof(cq->group.name), "%s", q->id);
}

void
query_deinit(struct collector_query *cq)
{
	cq->rows = metric_result_free(cq->rows);
	cq->next = metric_result_free(cq->next);
}

bool
query_due(const struct collector_query *cq, int64_t now_ns)
{
	return now_ns >= cq->due_ns && now_ns >= cq->break_until_ns;
}

void
query_begin(struct collector_query *cq, int version)
{
	cq->next = metric_result_free(cq->next);
	cq->next = metric_result_new(cq->q, version);
	cq->told = (struct metric_told){0};
	cq->failed = false;
	cq->error[0] = cq->group.sqlstate[0] = '\0';
	cq->spent_ns = 0;
}

/* ---- rows ---- */

static const char *
row_column(const void *arg, int col)
{
	return sql_column(arg, col);
}

static uint32_t
row_type(const void *arg, int col)
{
	return sql_type(arg, col);
}

static const char *
row_value(const void *arg, int row, int col)
{
	return sql_null(arg, row, col) ? NULL : sql_text(arg, row, col);
}

static void
query_fails(struct collector_query *cq, const char *error, const char *database)
{
	if (cq->failed)
		return; /* the first says enough */
	cq->failed = true;
	if (*database)
		snprintf(cq->error, sizeof(cq->error), "database %s: %s", database, error);
	else
		snprintf(cq->error, sizeof(cq->error), "%s", error);
}

void
query_rows(struct collector_query *cq, const struct sql *c, const char *database)
{
	const struct metric_rows rows = {
		.rows = sql_rows(c),
		.cols = sql_cols(c),
		.column = row_column,
		.type = row_type,
		.value = row_value,
		.arg = c,
	};
	struct err e;

	if (!cq->next || metric_result_add(cq->next, &rows, &cq->told, &e) == 0)
		return;
	snprintf(cq->group.sqlstate, sizeof(cq->group.sqlstate), "42P10");
	query_fails(cq, e.msg, database);
}

void
query_error(struct collector_query *cq, const struct sql *c, const char *database)
{
	if (!cq->failed)
		snprintf(cq->group.sqlstate, sizeof(cq->group.sqlstate), "%s", sql_sqlstate(c));
	query_fails(cq, sql_error(c), database);
}

/* ---- the end ---- */

#define LOCK_NOT_AVAILABLE "55P03"
#define QUERY_CANCELED "57014"
#define NO_RESOURCES "53" /* too many connections, out of memory, disk full */

/* The server was busy with something, and will be again. */
static bool
query_timed_out(const struct collector_query *cq)
{
	return strcmp(cq->group.sqlstate, LOCK_NOT_AVAILABLE) == 0 ||
	       strcmp(cq->group.sqlstate, QUERY_CANCELED) == 0;
}

static void
query_say(struct collector_query *cq)
{
	if (cq->failed == cq->failing)
		return;
	cq->failing = cq->failed;
	cq->failing_ns = clock_boot_ns();
	if (cq->failed)
		log_warning("a metric query fails", F_STR("query", cq->q->id),
			F_STR("error", cq->error), F_STR("sqlstate", cq->group.sqlstate));
	else
		log_info("a metric query works again", F_STR("query", cq->q->id));
}

static void
query_breaker(struct collector_query *cq, int64_t now)
{
	cq->group.breaker = cq->failed && query_timed_out(cq);
	cq->locked = cq->group.breaker && strcmp(cq->group.sqlstate, LOCK_NOT_AVAILABLE) == 0;
	if (!cq->group.breaker) {
		cq->break_ms = 0;
		return;
	}
	/* To wait for a lock costs the server nothing; to be late costs a core for a second. */
	cq->break_ms = cq->break_ms && !cq->locked ? 2 * cq->break_ms : COLLECTOR_BREAK_MS;
	if (cq->break_ms > COLLECTOR_BREAK_MAX_MS)
		cq->break_ms = COLLECTOR_BREAK_MAX_MS;
	cq->break_until_ns = now + cq->break_ms * MS_NS;
}

/* It could not even begin: that says nothing about the query, which may be due once an hour. */
static bool
query_soon(const struct collector_query *cq)
{
	return cq->failed && (strncmp(cq->group.sqlstate, NO_RESOURCES, 2) == 0 ||
				     (cq->locked && cq->told.samples == 0));
}

void
query_unlock(struct collector_query *cq)
{
	if (!cq->locked)
		return;
	cq->locked = false;
	cq->due_ns = cq->break_until_ns = 0;
}

void
query_end(struct collector_query *cq, int64_t every_ms)
{
	int64_t now = clock_boot_ns();

	cq->picked = false;
	cq->due_ns = now + every_ms * MS_NS;
	cq->group.took_s = (float)cq->spent_ns / (float)(1000 * MS_NS);
	if (cq->failed)
		cq->group.errors_total++;
	query_say(cq);
	query_breaker(cq, now);
	if (query_soon(cq) && cq->due_ns > now + COLLECTOR_BREAK_MS * MS_NS)
		cq->due_ns = now + COLLECTOR_BREAK_MS * MS_NS;
	/* A failure in one of many databases leaves the rows of the others. */
	if (cq->failed && cq->told.samples == 0) {
		cq->next = metric_result_free(cq->next);
		return;
	}
	metric_result_free(cq->rows);
	cq->rows = cq->next;
	cq->next = NULL;
	cq->group.taken_ns = now;
	cq->group.taken_wall_us = clock_wall_us();
	cq->group.samples = cq->told.samples;
	cq->group.dropped = cq->told.dropped;
	cq->group.dropped_total += cq->told.dropped;
}

void
query_age(struct collector_query *cq, int64_t now_ns)
{
	if (cq->rows && cq->failing && now_ns - cq->failing_ns > COLLECTOR_KEEP_MS * MS_NS)
		cq->rows = metric_result_free(cq->rows);
}

void
query_forget(struct collector_query *cq)
{
	query_deinit(cq);
	cq->due_ns = cq->break_until_ns = cq->break_ms = 0;
	cq->prepared = cq->ask_prepared = cq->picked = cq->group.breaker = cq->locked = false;
	cq->group.taken_ns = cq->group.taken_wall_us = 0;
	cq->group.samples = 0;
}
