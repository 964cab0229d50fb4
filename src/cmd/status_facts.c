/*
 * status_facts - the facts of a status, one a line.
 */
#include <stdio.h>
#include <string.h>

#include "cmd/reply.h"
#include "cmd/status.h"

#define LABEL_WIDTH 12

/* "Label       text", wrapped under itself. */
void
status_fact(const struct status_view *v, struct buf *out, const char *label, const struct buf *text)
{
	AUTO(buf_deinit) struct buf lines = {0};

	if (text->len == 0)
		return;
	term_wrap(&lines, buf_str(text), LABEL_WIDTH, v->term->columns);
	term_paint(v->term, out, TERM_DIM, label);
	buf_printf(out, "%*s", LABEL_WIDTH - term_width(label), "");
	if (lines.len > LABEL_WIDTH)
		buf_puts(out, lines.data + LABEL_WIDTH);
}

static void status_factf(const struct status_view *v, struct buf *out, const char *label,
	const char *fmt, ...) PRINTF(4, 5);

static void
status_factf(const struct status_view *v, struct buf *out, const char *label, const char *fmt, ...)
{
	AUTO(buf_deinit) struct buf text = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	status_fact(v, out, label, &text);
}

/* ---- postgres ---- */

static void
status_postgres(const struct status_view *v, struct buf *out)
{
	const char *version = status_s(v, "postgres.version");
	AUTO(buf_deinit) struct buf text = {0};
	double pid = status_n(v, "postgres.pid");
	char since[32];

	if (*version)
		buf_printf(&text, "%s, ", version);
	if (pid > 0)
		buf_printf(&text, "pid %.0f, up %s", pid,
			status_since(v, status_s(v, "postgres.startedAt"), since));
	else
		buf_puts(&text, "not running");
	if (*status_s(v, "postgres.phase") && pid > 0)
		buf_printf(&text, ", %s", status_s(v, "postgres.phase"));
	status_fact(v, out, "Postgres", &text);
}

static void
status_last_exit(const struct status_view *v, struct buf *out)
{
	const cJSON *last = reply_at(v->json, "postgres.lastExit");
	double sig = reply_num(last, "signal", 0);
	AUTO(buf_deinit) struct buf text = {0};
	char since[32];

	if (!cJSON_IsObject(last))
		return;
	if (sig > 0)
		buf_printf(&text, "killed by signal %.0f (SIG%s)", sig,
			sigabbrev_np((int)sig) ? sigabbrev_np((int)sig) : "?");
	else
		buf_printf(&text, "exit code %.0f", reply_num(last, "code", -1));
	if (status_time(reply_str(last, "at")))
		buf_printf(&text, ", %s ago", status_since(v, reply_str(last, "at"), since));
	status_fact(v, out, "Last exit", &text);
}

static void
status_role(const struct status_view *v, struct buf *out)
{
	const char *role = status_b(v, "isPrimary") ? "primary" : "standby";
	const char *lsn = status_s(v, "currentLsn"), *wal = status_s(v, "currentWAL");
	double timeline = status_n(v, "timeLineID");
	AUTO(buf_deinit) struct buf text = {0};
	double lag = status_n(v, "recovery.lagBytes");
	char bytes[16];

	if (timeline > 0)
		status_factf(v, out, "Role", "%s on timeline %.0f", role, timeline);
	if (*lsn)
		buf_printf(&text, "%s%s%s%s", lsn, *wal ? " (" : "", wal, *wal ? ")" : "");
	if (*status_s(v, "receivedLsn"))
		buf_printf(
			&text, "%sreceived %s", text.len ? ", " : "", status_s(v, "receivedLsn"));
	if (*status_s(v, "replayLsn"))
		buf_printf(&text, "%sreplayed %s", text.len ? ", " : "", status_s(v, "replayLsn"));
	if (status_b(v, "replayPaused"))
		buf_puts(&text, ", replay is paused");
	if (lag > 0)
		buf_printf(&text, ", %s behind", status_bytes(lag, bytes));
	status_fact(v, out, "WAL", &text);
	if (!status_b(v, "isPrimary") && timeline > 0)
		status_factf(v, out, "Streaming", "%s",
			status_b(v, "isWalReceiverActive") ? "yes" : "no");
}

static void
status_connections(const struct status_view *v, struct buf *out)
{
	double used = status_n(v, "postgres.connections"),
	       max = status_n(v, "postgres.maxConnections");

	if (used >= 0 && max > 0)
		status_factf(v, out, "Connections", "%.0f of %.0f", used, max);
}

static void
status_percent(const cJSON *it, struct buf *text)
{
	double progress = reply_num(it, "progress", -1);

	if (progress >= 0)
		buf_printf(text, ", %.0f %%", progress * 100);
}

static void
status_recovery(const struct status_view *v, struct buf *out)
{
	const cJSON *it = reply_at(v->json, "recovery");
	double still = reply_num(it, "movedAgeSeconds", -1);
	AUTO(buf_deinit) struct buf text = {0};

	if (!reply_true(it, "inProgress"))
		return;
	buf_puts(&text, reply_true(it, "afterCrash") ? "after a crash" : "replaying");
	if (*reply_str(it, "wal"))
		buf_printf(&text, ", at %s", reply_str(it, "wal"));
	status_percent(it, &text);
	if (still > 10)
		buf_printf(&text, ", has not moved for %.0f s", still);
	status_fact(v, out, "Recovery", &text);
}

/* The job that runs, or the error of the one that failed last. */
static void
status_job(const struct status_view *v, struct buf *out)
{
	const cJSON *it = reply_at(v->json, "job");
	const char *error = reply_str(it, "error.message"), *hint = reply_str(it, "error.hint");
	AUTO(buf_deinit) struct buf text = {0};

	if (!reply_true(it, "running") && !*error)
		return;
	buf_puts(&text, reply_str(it, "name"));
	if (*error) {
		buf_printf(&text, " failed: %s%s%s", error, *hint ? "; hint: " : "", hint);
	} else {
		if (*reply_str(it, "phase"))
			buf_printf(&text, ": %s", reply_str(it, "phase"));
		status_percent(it, &text);
	}
	status_fact(v, out, "Job", &text);
}

/* On the way down, or waiting for the next attempt. */
static void
status_waiting(const struct status_view *v, struct buf *out)
{
	double left = status_n(v, "stopDeadlineInSeconds");
	double next = status_n(v, "postgres.nextStartInSeconds");
	AUTO(buf_deinit) struct buf text = {0};

	if (*status_s(v, "ladder"))
		buf_puts(&text, status_s(v, "ladder"));
	if (left >= 0)
		buf_printf(&text, "%s%.0f s left", text.len ? ", " : "", left);
	status_fact(v, out, "Stopping", &text);
	if (next >= 0)
		status_factf(v, out, "Next start", "in %.0f s", next);
}

static void
status_pending(const struct status_view *v, struct buf *out)
{
	const cJSON *list = status_list(v, "pendingRestartSettings"), *it;
	AUTO(buf_deinit) struct buf text = {0};

	if (!list) {
		if (status_b(v, "pendingRestart"))
			status_factf(v, out, "Pending", "settings wait for a restart");
		return;
	}
	for (it = status_first(list); it; it = it->next)

		buf_printf(&text, "%s%s %s -> %s", text.len ? ", " : "restart for ",
			reply_str(it, "name"), reply_str(it, "old"), reply_str(it, "new"));
	status_fact(v, out, "Pending", &text);
}

static void
status_volume(const cJSON *disk, const char *name, struct buf *text)
{
	char total_path[32], free_path[32], a[16], b[16];
	double total, left;

	snprintf(total_path, sizeof(total_path), "%sTotalBytes", name);
	snprintf(free_path, sizeof(free_path), "%sFreeBytes", name);
	total = reply_num(disk, total_path, -1);
	left = reply_num(disk, free_path, -1);
	if (total > 0 && left >= 0)
		buf_printf(text, "%s%s %s free of %s", text->len ? ", " : "", name,
			status_bytes(left, a), status_bytes(total, b));
}

static void
status_disk(const struct status_view *v, struct buf *out)
{
	const cJSON *disk = reply_at(v->json, "disk");
	AUTO(buf_deinit) struct buf text = {0};
	double wal = reply_num(disk, "walBytes", -1);
	char bytes[16];

	status_volume(disk, "data", &text);
	status_volume(disk, "wal", &text);
	if (wal >= 0)
		buf_printf(&text, "%spg_wal %s", text.len ? ", " : "", status_bytes(wal, bytes));
	status_fact(v, out, "Disk", &text);
}

static void
status_fence(const struct status_view *v, struct buf *out)
{
	const char *why = status_s(v, "fenceReason");

	if (status_b(v, "fenced"))
		status_factf(v, out, "Fence", "on%s%s%s", *why ? ": " : "", why,
			reply_at(v->json, "postgres.treeGone") && !status_b(v, "postgres.treeGone")
				? "; processes of postgres are left"
				: "");
	else if (v->verbose)
		status_factf(v, out, "Fence", "off");
}

static void
status_ages(const struct status_view *v, struct buf *out)
{
	static const struct {
		const char *path, *text;
	} ages[] = {
		{"observedAgeSeconds", "looked"},
		{"connectAgeSeconds", "connected"},
		{"queryAgeSeconds", "queried"},
		{"flushAgeSeconds", "WAL flushed"},
	};
	AUTO(buf_deinit) struct buf text = {0};

	for (size_t i = 0; i < ARRAY_LEN(ages); i++) {
		double age = status_n(v, ages[i].path);

		/* Old news always matter; fresh ones only to those who ask for all. */
		if (age >= 0 && (v->verbose || age > 10))
			buf_printf(
				&text, "%s%s %.1f s ago", text.len ? ", " : "", ages[i].text, age);
	}
	status_fact(v, out, "Seen", &text);
}

static void
status_archive(const struct status_view *v, struct buf *out)
{
	status_archive_of(v, reply_at(v->json, "archive"), out);
	status_backup_of(v, reply_at(v->json, "backup"), out);
}

/* What no probe asks for and somebody should know. */
static void
status_oddities(const struct status_view *v, struct buf *out)
{
	double dropped = status_n(v, "log.dropped"),
	       blocked = status_n(v, "log.stdoutBlockedSeconds");
	double shm = status_n(v, "disk.shmPercent");
	const char *fired = status_s(v, "watchdogFiredAt");
	char since[32];

	if (dropped > 0)
		status_factf(v, out, "Log", "%.0f lines dropped, nobody read them", dropped);
	if (blocked > 1)
		status_factf(v, out, "Log", "stdout takes nothing for %.0f s", blocked);
	if (shm > 80)
		status_factf(v, out, "/dev/shm", "%.0f %% in use", shm);
	if (status_b(v, "disk.dataGone"))
		status_factf(
			v, out, "Data", "global/pg_control or PG_VERSION is gone or another file");
	if (status_time(fired))
		status_factf(v, out, "Watchdog", "killed postgres %s ago",
			status_since(v, fired, since));
}

static void
status_warnings(const struct status_view *v, struct buf *out)
{
	const cJSON *it;

	for (it = status_first(status_list(v, "warnings")); it; it = it->next)
		if (cJSON_IsString(it))
			status_factf(v, out, "Warning", "%s", it->valuestring);
}

static void
status_more(const struct status_view *v, struct buf *out)
{
	if (!v->verbose)
		return;
	status_factf(v, out, "System", "%s", status_s(v, "systemID"));
	status_factf(v, out, "Data", "%s", status_s(v, "manager.pgdata"));
	if (strcmp(status_s(v, "lease.mode"), "standalone") == 0)
		status_factf(v, out, "Lease", "standalone");
	status_factf(v, out, "podgres", "%s, session %s", status_s(v, "instanceManagerVersion"),
		status_s(v, "sessionID"));
}

void
status_facts(const struct status_view *v, struct buf *out)
{
	status_postgres(v, out);
	status_role(v, out);
	status_lease(v, out);
	status_connections(v, out);
	status_recovery(v, out);
	status_job(v, out);
	status_waiting(v, out);
	status_last_exit(v, out);
	status_fence(v, out);
	status_pending(v, out);
	status_disk(v, out);
	status_archive(v, out);
	status_ages(v, out);
	status_oddities(v, out);
	status_warnings(v, out);
	status_more(v, out);
}
