/*
 * status - what /pg/status says, for a person.
 *
 * First line: who, what, ready or not.  Then the sentence of the state table.  Then facts, one a
 * line, those that nobody needs today left out; -v shows them all.  80 columns are enough.
 */
#include "cmd/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/duration.h"
#include "cmd/reply.h"

#define LABEL_WIDTH 12

/* ---- small things ---- */

int64_t
status_time(const char *rfc3339)
{
	struct tm tm = {0};
	const char *rest = strptime(rfc3339, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t us = 0, unit = 100000;

	if (!rest)
		return 0;
	if (*rest == '.')
		for (rest++; *rest >= '0' && *rest <= '9'; rest++, unit /= 10)
			us += (*rest - '0') * unit;
	return *rest == 'Z' ? (int64_t)timegm(&tm) * SEC_US + us : 0;
}

const char *
status_bytes(double bytes, char out[16])
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
	size_t i = 0;

	while (bytes >= 999.5 && i < ARRAY_LEN(units) - 1) {
		bytes /= 1000;
		i++;
	}
	snprintf(out, 16, i > 0 && bytes < 9.95 ? "%.1f %s" : "%.0f %s", bytes, units[i]);
	return out;
}

const char *
status_since(const struct status_view *v, const char *rfc3339, char out[32])
{
	int64_t at = status_time(rfc3339);

	if (at == 0)
		snprintf(out, 32, "-");
	else
		duration_text((v->now_us - at) / 1000, out);
	return out;
}

const cJSON *
status_list(const struct status_view *v, const char *path)
{
	const cJSON *list = reply_at(v->json, path);

	return cJSON_IsArray(list) && list->child ? list : NULL;
}

void
status_head(const struct status_view *v, struct buf *out, const char *title)
{
	buf_putc(out, '\n');
	term_paint(v->term, out, TERM_BOLD, title);
	buf_putc(out, '\n');
}

/* "Label       text", wrapped under itself. */
static void
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

static const char *
status_s(const struct status_view *v, const char *path)
{
	return reply_str(v->json, path);
}

static double
status_n(const struct status_view *v, const char *path)
{
	return reply_num(v->json, path, -1);
}

static bool
status_b(const struct status_view *v, const char *path)
{
	return reply_true(v->json, path);
}

/* ---- the first lines ---- */

static void
status_title(const struct status_view *v, struct buf *out)
{
	const char *state = status_s(v, "state"), *name = status_s(v, "pod.metadata.name");
	bool ready = status_b(v, "ready"), failed = strcmp(state, "failed") == 0;
	char since[32];

	if (!*name)
		name = status_s(v, "pod.name");
	term_paint(v->term, out, TERM_BOLD, *name ? name : "this instance");
	buf_puts(out, "  ");
	term_paint(v->term, out, failed ? TERM_RED : ready ? TERM_GREEN : TERM_YELLOW, state);
	buf_puts(out, "  ");
	term_paint(v->term, out, ready ? TERM_GREEN : TERM_YELLOW, ready ? "ready" : "not ready");
	if (reply_at(v->json, "live") && !status_b(v, "live")) {
		buf_puts(out, "  ");
		term_paint(v->term, out, TERM_RED, "not live");
	}
	if (status_b(v, "fenced")) {
		buf_puts(out, "  ");
		term_paint(v->term, out, TERM_YELLOW, "fenced");
	}
	if (status_b(v, "paused")) {
		buf_puts(out, "  ");
		term_paint(v->term, out, TERM_YELLOW, "paused");
	}
	if (status_time(status_s(v, "since")))
		buf_printf(out, "  for %s", status_since(v, status_s(v, "since"), since));
	buf_putc(out, '\n');
	term_wrap(out, status_s(v, "reason"), 2, v->term->columns);
}

static void
status_problems(const struct status_view *v, struct buf *out)
{
	static const struct {
		const char *path, *label;
		enum term_colour colour;
	} lines[] = {
		{"problem", "", TERM_RED},
		{"readyReason", "not ready: ", TERM_YELLOW},
		{"liveReason", "not live: ", TERM_RED},
		{"configError", "configuration kept, the new one is broken: ", TERM_RED},
		{"tlsError", "TLS: ", TERM_RED},
		{"hint", "hint: ", TERM_PLAIN},
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		const char *text = status_s(v, lines[i].path);
		AUTO(buf_deinit) struct buf line = {0}, wrapped = {0};

		if (!*text || strcmp(text, status_s(v, "reason")) == 0)
			continue;
		buf_printf(&line, "%s%s", lines[i].label, text);
		term_wrap(&wrapped, buf_str(&line), 2, v->term->columns);
		if (wrapped.len > 0)
			wrapped.data[--wrapped.len] = '\0';
		term_paint(v->term, out, lines[i].colour, buf_str(&wrapped));
		buf_putc(out, '\n');
	}
}

/* ---- the facts ---- */

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
	double lag = status_n(v, "lagBytes");
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

/* Crash or archive recovery, or a job that prepares. */
static void
status_progress(const struct status_view *v, struct buf *out)
{
	const char *paths[] = {"recovery", "job"}, *labels[] = {"Recovery", "Job"};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		const cJSON *it = reply_at(v->json, paths[i]);
		AUTO(buf_deinit) struct buf text = {0};
		double progress = reply_num(it, "progress", -1);
		const char *segment = reply_str(it, "segment");

		if (!cJSON_IsObject(it) || (reply_at(it, "active") && !reply_true(it, "active")))
			continue;
		buf_puts(&text, reply_str(it, "name"));
		if (*reply_str(it, "phase"))
			buf_printf(&text, "%s%s", text.len ? ": " : "", reply_str(it, "phase"));
		if (*segment)
			buf_printf(&text, "%sreplaying %s", text.len ? ", " : "", segment);
		if (progress >= 0)
			buf_printf(&text, "%s%.0f %%", text.len ? ", " : "", progress * 100);
		if (*reply_str(it, "error"))
			buf_printf(&text, "%s%s", text.len ? ", " : "", reply_str(it, "error"));
		status_fact(v, out, labels[i], &text);
	}
}

static void
status_pending(const struct status_view *v, struct buf *out)
{
	const cJSON *list = status_list(v, "pendingSettings"), *it;
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
			reply_at(v->json, "treeGone") && !status_b(v, "treeGone")
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
	const char *mode = status_s(v, "archive.mode"), *wal = status_s(v, "lastArchivedWAL");
	const char *failed = status_s(v, "lastFailedWAL");

	if (!*mode && !v->verbose)
		return;
	if (*failed)
		status_factf(v, out, "Archive", "%s, last %s, failed %s", mode, *wal ? wal : "none",
			failed);
	else if (*wal || v->verbose)
		status_factf(v, out, "Archive", "%s, last %s", *mode ? mode : "off",
			*wal ? wal : "none");
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
	status_factf(v, out, "Lease", "%s", status_s(v, "lease.mode"));
	status_factf(v, out, "podgres", "%s, session %s", status_s(v, "instanceManagerVersion"),
		status_s(v, "sessionID"));
}

void
status_render(const struct status_view *v, struct buf *out)
{
	status_title(v, out);
	status_problems(v, out);
	buf_putc(out, '\n');
	status_postgres(v, out);
	status_role(v, out);
	status_connections(v, out);
	status_progress(v, out);
	status_last_exit(v, out);
	status_fence(v, out);
	status_pending(v, out);
	status_disk(v, out);
	status_archive(v, out);
	status_ages(v, out);
	status_warnings(v, out);
	status_more(v, out);
	status_replication(v, out);
	status_slots(v, out);
	status_collations(v, out);
	status_operations(v, out);
	status_services(v, out);
	status_log(v, out);
}
