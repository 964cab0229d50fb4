/*
 * status_archive - the archive's part of a status; `podgres wal status` is made of the same lines.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "cmd/reply.h"
#include "cmd/status.h"

static const char *
ago(const struct status_view *v, const char *rfc3339, char out[DURATION_SIZE])
{
	int64_t at = status_time(rfc3339);

	return duration_text(at && v->now_us > at ? (v->now_us - at) / 1000 : 0, out);
}

/* Something waits or nothing does. */
static void
archive_exposure(const struct status_view *v, const cJSON *a, struct buf *text)
{
	double seconds = reply_num(a, "exposureSeconds", -1), queue = reply_num(a, "queue", -1);
	char span[DURATION_SIZE];

	(void)v;
	if (seconds >= 0.5)
		buf_printf(text, "%s of WAL %s not in the archive",
			duration_text((int64_t)(seconds * 1000), span),
			seconds < 1.5 ? "is" : "are");
	else if (seconds >= 0)
		buf_puts(text, "all WAL is in the archive");
	if (queue > 0)
		buf_printf(text, ", %.0f file%s wait%s", queue, queue > 1 ? "s" : "",
			queue > 1 ? "" : "s");
}

static void
archive_trouble(const struct status_view *v, const cJSON *a, struct buf *text)
{
	const char *problem = reply_str(a, "failing.message"), *hint = reply_str(a, "failing.hint");
	const char *conflict = reply_str(a, "conflict.wal"), *owner = reply_str(a, "owner");
	char span[DURATION_SIZE];

	if (*conflict)
		buf_printf(text,
			"SPLIT BRAIN? other content stands under %s, which was left as it is; ",
			conflict);
	if (*owner)
		buf_printf(text, "the folder belongs to %s: nothing is written; ", owner);
	if (!*problem)
		return;
	if (*reply_str(a, "failing.since"))
		buf_printf(text, "failing for %s: ", ago(v, reply_str(a, "failing.since"), span));
	buf_printf(text, "%s%s%s", problem, *hint ? "; hint: " : "", hint);
}

static void
archive_state(const struct status_view *v, const cJSON *a, struct buf *text)
{
	const char *state = reply_str(a, "state"), *where = reply_str(a, "destination");

	if (strcmp(state, "none") == 0) {
		buf_puts(text, "none: WAL is not archived, what is lost with the volume is lost");
		return;
	}
	buf_printf(text, "%s%s%s", where, *where ? ": " : "", state);
	if (strcmp(state, "starting") != 0) {
		buf_puts(text, ", ");
		archive_exposure(v, a, text);
	}
}

static void
archive_last(const struct status_view *v, const cJSON *a, struct buf *text)
{
	const char *wal = reply_str(a, "lastArchivedWal"), *failed = reply_str(a, "lastFailedWal");
	char span[DURATION_SIZE];

	if (*wal)
		buf_printf(text, "%s, %s ago", wal, ago(v, reply_str(a, "lastArchivedAt"), span));
	if (*failed && (v->verbose || *reply_str(a, "failing.message")))
		buf_printf(text, "%sfailed last: %s, %s ago", text->len ? "; " : "", failed,
			ago(v, reply_str(a, "lastFailedAt"), span));
}

static void
archive_window(const struct status_view *v, const cJSON *a, struct buf *text)
{
	const char *from = reply_str(a, "window.from"), *to = reply_str(a, "window.to");
	int64_t from_us = status_time(from), to_us = status_time(to);
	char span[DURATION_SIZE];

	(void)v;
	if (from_us == 0) {
		if (*reply_str(a, "destination"))
			buf_puts(text, "nothing can be recovered yet: there is no base backup");
	} else {
		buf_printf(text, "%.19sZ to %.19sZ (%s)", from, to,
			duration_text((to_us - from_us) / 1000, span));
	}
	if (reply_true(a, "windowBroken"))
		buf_puts(text, "; BROKEN: WAL was dropped, a new base backup is needed");
}

void
status_archive_of(const struct status_view *v, const cJSON *a, struct buf *out)
{
	static void (*const parts[])(const struct status_view *v, const cJSON *a,
		struct buf *text) = {archive_state, archive_trouble, archive_last, archive_window};
	static const char *const labels[] = {"Archive", "Trouble", "Last WAL", "Window"};

	if (!*reply_str(a, "state"))
		return;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		AUTO(buf_deinit) struct buf text = {0};

		parts[i](v, a, &text);
		status_fact(v, out, labels[i], &text);
	}
}

void
status_backup_of(const struct status_view *v, const cJSON *b, struct buf *out)
{
	const char *last = reply_str(b, "last"), *failed = reply_str(b, "lastFailed");
	double bytes = reply_num(b, "lastStoredBytes", 0),
	       done = reply_num(b, "running.progress", -1);
	int64_t next = status_time(reply_str(b, "nextAt"));
	AUTO(buf_deinit) struct buf text = {0};
	char span[DURATION_SIZE], size[16];

	if (*last)
		buf_printf(&text, "%s, %s ago", last, ago(v, reply_str(b, "lastAt"), span));
	if (*last && bytes > 0)
		buf_printf(&text, ", %s", status_bytes(bytes, size));
	if (*failed &&
		status_time(reply_str(b, "lastFailedAt")) > status_time(reply_str(b, "lastAt")))
		buf_printf(&text, "%sFAILED since: %s", text.len ? "; " : "", failed);
	if (next > v->now_us)
		buf_printf(&text, "%snext in %s", text.len ? "; " : "",
			duration_text((next - v->now_us) / 1000, span));
	if (*reply_str(b, "running.id"))
		buf_printf(&text, "%sone runs, %s", text.len ? "; " : "",
			reply_str(b, "running.phase"));
	if (*reply_str(b, "running.id") && done >= 0)
		buf_printf(&text, ", %.0f %%", done * 100);
	status_fact(v, out, "Backup", &text);
}
