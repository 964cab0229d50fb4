/*
 * status_tables - the lists of a status: replicas, slots, operations, services, log lines.
 */
#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "cmd/reply.h"
#include "cmd/status.h"

#define OPERATIONS_SHOWN 3
#define SERVICE_SILENT_S 5

void
status_heads(struct term_table *t, const char *const *heads, int n)
{
	term_table_init(t, n);
	for (int i = 0; i < n; i++)
		term_table_put(t, TERM_PLAIN, heads[i]);
}

void
status_replication(const struct status_view *v, struct buf *out)
{
	const cJSON *list = status_list(v, "replicationInfo"), *it;
	AUTO(term_table_deinit) struct term_table t = {0};

	if (!list)
		return;
	status_head(v, out, "Replication");
	STATUS_HEADS(&t, "STANDBY", "STATE", "SYNC", "SENT", "FLUSHED", "REPLAYED", "LAG");
	for (it = status_first(list); it; it = it->next)

	{
		const char *state = reply_str(it, "state");
		bool streams = strcmp(state, "streaming") == 0;

		term_table_put(&t, TERM_PLAIN, reply_str(it, "applicationName"));
		term_table_put(&t, streams ? TERM_GREEN : TERM_YELLOW, state);
		term_table_put(&t, TERM_PLAIN, reply_str(it, "syncState"));
		term_table_put(&t, TERM_PLAIN, reply_str(it, "receivedLsn"));
		term_table_put(&t, TERM_PLAIN, reply_str(it, "flushLsn"));
		term_table_put(&t, TERM_PLAIN, reply_str(it, "replayLsn"));
		term_table_put(&t, TERM_PLAIN, reply_str(it, "replayLag"));
	}
	term_table_print(&t, v->term, out, 2);
}

void
status_slots(const struct status_view *v, struct buf *out)
{
	const cJSON *list = status_list(v, "replicationSlotsInfo"), *it;
	AUTO(term_table_deinit) struct term_table t = {0};

	if (!list || !v->verbose)
		return;
	status_head(v, out, "Replication slots");
	STATUS_HEADS(&t, "SLOT", "TYPE", "ACTIVE", "RESTART", "WAL");
	for (it = status_first(list); it; it = it->next)

	{
		const char *wal = reply_str(it, "walStatus");
		bool bad = strcmp(wal, "lost") == 0 || strcmp(wal, "unreserved") == 0;

		term_table_put(&t, TERM_PLAIN, reply_str(it, "slotName"));
		term_table_put(&t, TERM_PLAIN, reply_str(it, "slotType"));
		term_table_put(&t, TERM_PLAIN, reply_true(it, "active") ? "yes" : "no");
		term_table_put(&t, TERM_PLAIN, reply_str(it, "restartLsn"));
		term_table_put(&t, bad ? TERM_RED : TERM_PLAIN, wal);
	}
	term_table_print(&t, v->term, out, 2);
}

void
status_collations(const struct status_view *v, struct buf *out)
{
	const cJSON *list = status_list(v, "collation"), *it;
	AUTO(term_table_deinit) struct term_table t = {0};

	if (!list)
		return;
	status_head(v, out,
		"Collations that changed under their indexes (REINDEX, then "
		"ALTER DATABASE ... REFRESH COLLATION VERSION)");
	STATUS_HEADS(&t, "DATABASE", "RECORDED", "LIBRARY");
	for (it = status_first(list); it; it = it->next)

	{
		term_table_put(&t, TERM_YELLOW, reply_str(it, "database"));
		term_table_put(&t, TERM_PLAIN, reply_str(it, "recorded"));
		term_table_put(&t, TERM_PLAIN, reply_str(it, "actual"));
	}
	term_table_print(&t, v->term, out, 2);
}

static void
tables_operation(const struct status_view *v, struct term_table *t, const cJSON *op)
{
	int64_t began = status_time(reply_str(op, "startedAt"));
	int64_t ended = status_time(reply_str(op, "finishedAt"));
	const char *error = reply_str(op, "error.message");
	double progress = reply_num(op, "progress", -1);
	char text[DURATION_SIZE];

	term_table_put(t, TERM_PLAIN, reply_str(op, "id"));
	term_table_put(t, TERM_PLAIN, reply_str(op, "kind"));
	term_table_put(t, TERM_PLAIN, status_since(v, reply_str(op, "startedAt"), text));
	term_table_put(
		t, TERM_PLAIN, duration_text(((ended ? ended : v->now_us) - began) / 1000, text));
	if (*error)
		term_table_put(t, TERM_RED, error);
	else if (ended)
		term_table_put(t, TERM_GREEN, "done");
	else if (progress >= 0)
		term_table_printf(
			t, TERM_YELLOW, "%s, %.0f %%", reply_str(op, "phase"), progress * 100);
	else
		term_table_put(t, TERM_YELLOW, reply_str(op, "phase"));
}

/* The newest, oldest first; all with -v. */
void
status_operations(const struct status_view *v, struct buf *out)
{
	const cJSON *list = status_list(v, "operations"), *it;
	int skip = v->verbose ? 0 : cJSON_GetArraySize(list) - OPERATIONS_SHOWN;
	AUTO(term_table_deinit) struct term_table t = {0};

	if (!list)
		return;
	status_head(v, out, "Operations");
	STATUS_HEADS(&t, "ID", "ORDER", "AGO", "TOOK", "RESULT");
	for (it = status_first(list); it; it = it->next)
		if (skip-- <= 0)
			tables_operation(v, &t, it);
	term_table_print(&t, v->term, out, 2);
}

static bool
tables_service_odd(const cJSON *it)
{
	return reply_num(it, "pid", 0) <= 0 || reply_num(it, "restarts", 0) > 0 ||
	       reply_num(it, "heartbeatAgeSeconds", 0) > SERVICE_SILENT_S;
}

/* Those with something to tell; all with -v. */
void
status_services(const struct status_view *v, struct buf *out)
{
	const cJSON *list = status_list(v, "services"), *it;
	AUTO(term_table_deinit) struct term_table t = {0};
	char rss[16];

	STATUS_HEADS(&t, "SERVICE", "PID", "RESTARTS", "BEAT", "MEMORY", "WHY");
	for (it = status_first(list); it; it = it->next)

	{
		double beat = reply_num(it, "heartbeatAgeSeconds", -1);
		double pid = reply_num(it, "pid", 0);

		if (!v->verbose && !tables_service_odd(it))
			continue;
		term_table_put(&t, TERM_PLAIN, reply_str(it, "name"));
		term_table_printf(
			&t, pid > 0 ? TERM_PLAIN : TERM_RED, pid > 0 ? "%.0f" : "down", pid);
		term_table_printf(&t, TERM_PLAIN, "%.0f", reply_num(it, "restarts", 0));
		term_table_printf(&t, beat > SERVICE_SILENT_S ? TERM_RED : TERM_PLAIN,
			beat < 0 ? "-" : "%.1f s", beat);
		term_table_put(&t, TERM_PLAIN,
			reply_num(it, "rssBytes", 0) > 0
				? status_bytes(reply_num(it, "rssBytes", 0), rss)
				: NULL);
		term_table_put(&t, TERM_PLAIN, reply_str(it, "reason"));
	}
	if (t.rows <= t.cells)
		return;
	status_head(v, out, "Services");
	term_table_print(&t, v->term, out, 2);
}

/* Down, and nobody wanted that. */
static bool
tables_fell(const struct status_view *v)
{
	if (strcmp(status_s(v, "state"), "failed") == 0)
		return true;
	return status_n(v, "postgres.pid") <= 0 && !status_b(v, "fenced") &&
	       !status_b(v, "stopping");
}

/* What postgres said last, when it fell or somebody asks for everything. */
void
status_log(const struct status_view *v, struct buf *out)
{
	const cJSON *list = status_list(v, "postgres.lastLogLines"), *it;

	if (!list || (!v->verbose && !tables_fell(v)))
		return;
	status_head(v, out, "Last lines of postgres");
	for (it = status_first(list); it; it = it->next)
		if (cJSON_IsString(it))
			term_wrap(out, it->valuestring, 2, v->term->columns);
}
