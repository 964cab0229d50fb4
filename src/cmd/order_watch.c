/*
 * order_watch - an order from the command line: sent, then watched until its operation is over.
 *
 * The order is sent with an Idempotency-Key of our own, so that it can be sent again when the api
 * process dies between taking it and answering; the operation itself lives in the supervisor.
 * Watching is asking again: an answer is a copy of the board and costs next to nothing.
 */
#include "cmd/order_watch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/duration.h"
#include "cmd/reply.h"
#include "core/order.h"

#define ORDER_CALL_MS (5 * SEC_MS)
#define ORDER_LAST_MS 200
#define ORDER_KNOWN_MS (2 * SEC_MS)
#define ORDER_POLL_MIN_MS 20
#define ORDER_POLL_MAX_MS 250
#define ORDER_BUSY_MS (60 * SEC_MS)

/* ---- watching ---- */

static void
order_sleep(int64_t ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * MS_NS};

	nanosleep(&ts, NULL);
}

#define BAR_COLUMNS 24

/* "[=====     ] 1.2/4.0 GB, 30 %, 210 MB/s, 14 s left" */
static void
order_bar(const struct order_watch *w, const cJSON *op, struct buf *out)
{
	double done = reply_num(op, "doneBytes", 0), total = reply_num(op, "totalBytes", 0);
	double took_s = (double)(clock_boot_ns() - w->copying_ns) / 1e9;
	double rate = took_s > 0.5 ? (done - w->copying_from) / took_s : 0;
	int filled;

	done = done < total ? done : total;
	filled = (int)(done / total * BAR_COLUMNS);
	buf_puts(out, " [");
	for (int i = 0; i < BAR_COLUMNS; i++)
		buf_putc(out, i < filled ? '=' : ' ');
	buf_printf(
		out, "] %.1f/%.1f MB, %d %%", done / 1e6, total / 1e6, (int)(done / total * 100));
	if (rate > 0 && done < total) {
		char left[DURATION_SIZE];

		buf_printf(out, ", %.1f MB/s, %s left", rate / 1e6,
			duration_text((int64_t)((total - done) / rate) * SEC_MS, left));
	}
}

static void
order_line(struct order_watch *w, const cJSON *op)
{
	double progress = reply_num(op, "progress", -1);
	AUTO(buf_deinit) struct buf out = {0};
	char took[DURATION_SIZE];

	if (!w->err_term.tty || w->args->json)
		return;
	if (reply_num(op, "totalBytes", 0) > 0 && !w->copying_ns) {
		w->copying_ns = clock_boot_ns();
		w->copying_from = reply_num(op, "doneBytes", 0);
	}
	duration_text((clock_boot_ns() - w->started_ns) / MS_NS, took);
	buf_printf(&out, "%s: %s", w->name, reply_str(op, "phase"));
	if (w->copying_ns && progress < 1)
		order_bar(w, op, &out);
	else if (progress >= 0)
		buf_printf(&out, ", %d %%", (int)(progress * 100));
	buf_printf(&out, " (%s)", took);
	fprintf(stderr, "\r\033[K%.*s", w->err_term.columns - 1, buf_str(&out));
	fflush(stderr);
	w->line = true;
}

static void
order_line_end(struct order_watch *w)
{
	if (w->line)
		fprintf(stderr, "\r\033[K");
	w->line = false;
}

static bool
order_patient(const struct order_watch *w)
{
	return clock_boot_ns() - w->started_ns < ORDER_BUSY_MS * MS_NS;
}

/* Asks until there is an answer; the manager may be between two api processes. */
static int
order_ask(struct order_watch *w, const struct ctl_call *call, struct reply *r, struct err *e)
{
	for (int64_t pause = ORDER_POLL_MIN_MS;; pause *= 2) {
		int64_t left = (w->deadline_ns - clock_boot_ns()) / MS_NS;
		struct ctl_call now = *call;

		/* The last call gets a moment too: what is late may be done all the same. */
		now.timeout_ms = left > ORDER_CALL_MS   ? ORDER_CALL_MS
				 : left < ORDER_LAST_MS ? ORDER_LAST_MS
							: left;
		if (reply_ask(&now, w->args, r, e) == 0 && r->status != 502 && r->status != 503)
			return 0;
		/* Nobody there at all: only somebody who was there before is worth waiting for. */
		if (left <= 0 || (e->kind == ERR_REMOTE && e->code == ENOENT) ||
			e->kind == ERR_DENIED || e->kind == ERR_INVALID)
			return e->kind ? -1 : 0;
		/* A manager that says it is busy, with what is soon over, is waited for longer. */
		if (pause > ORDER_POLL_MAX_MS && (e->kind || r->status != 503 || !order_patient(w)))
			return e->kind ? -1 : 0;
		pause = pause > ORDER_POLL_MAX_MS ? ORDER_POLL_MAX_MS : pause;
		reply_deinit(r);
		*e = (struct err){0};
		order_sleep(pause);
	}
}

static bool
order_over(const cJSON *op)
{
	return *reply_str(op, "finishedAt") || reply_at(op, "error.kind");
}

/* Asks for the operation until it is over.  r holds the last answer. */
static int
order_watch(struct order_watch *w, const char *id, struct reply *r, struct err *e)
{
	char target[64 + ORDER_ID_SIZE];
	struct ctl_call call = {.method = "GET", .target = target};
	int64_t pause = ORDER_POLL_MIN_MS;

	snprintf(target, sizeof(target), "/v1/operations/%s", id);
	for (;;) {
		const cJSON *op;

		reply_deinit(r);
		if (order_ask(w, &call, r, e) < 0)
			return -1;
		op = reply_at(r->json, "operation");
		op = op ? op : r->json;
		/* Taken, but perhaps not yet on the board. */
		if (r->status != 404 || clock_boot_ns() - w->started_ns > ORDER_KNOWN_MS * MS_NS)
			if (r->status >= 300 || order_over(op))
				return 0;
		order_line(w, op);
		if (clock_boot_ns() >= w->deadline_ns)
			return err_set(e, ERR_TIMEOUT,
				"it still runs; operation %s goes on without us", id);
		order_sleep(pause);
		pause = pause * 2 > ORDER_POLL_MAX_MS ? ORDER_POLL_MAX_MS : pause * 2;
	}
}

/* ---- the end ---- */

/* Prints what came of it.  Returns the exit code. */
static int
order_tell(const struct order_watch *w, const struct reply *r)
{
	AUTO(buf_deinit) struct buf out = {0};
	const cJSON *op = reply_at(r->json, "operation"), *error;
	char took[DURATION_SIZE];
	const char *hint, *result;
	struct err e = {0};

	op = op ? op : r->json;
	result = reply_str(op, "result");
	error = r->status >= 300 ? reply_at(r->json, "error") : reply_at(op, "error");
	if (cJSON_IsObject(error) || r->status >= 300)
		reply_error(error, &e, &hint);
	if (w->args->json) {
		buf_put(&out, buf_str(&r->body), r->body.len);
		if (!out.len || out.data[out.len - 1] != '\n')
			buf_putc(&out, '\n');
		command_print(w->name, &out);
		return e.kind ? err_exit(&e) : 0;
	}
	if (e.kind)
		return command_fail(w->name, &e, hint);
	if (w->args->no_wait)
		buf_printf(&out, "%s\n", reply_str(op, "id"));
	else
		buf_printf(&out, "%s%s%s:%s%s done in %s\n", w->name, *w->word ? " " : "", w->word,
			*result ? " " : "", result,
			duration_text((clock_boot_ns() - w->started_ns) / MS_NS, took));
	return command_print(w->name, &out);
}

static int
watch_run(struct order_watch *w)
{
	struct ctl_call call = {
		.method = "POST", .target = w->path, .body = w->body, .idem_key = w->key};
	AUTO(reply_deinit) struct reply r = {0};
	struct err e = {0};
	char id[ORDER_ID_SIZE];
	int rc;

	if (order_ask(w, &call, &r, &e) < 0)
		return command_fail(w->name, &e, reply_hint(&e));
	snprintf(id, sizeof(id), "%s", reply_str(r.json, "operation.id"));
	if (r.status >= 300 || !*id || w->args->no_wait)
		return order_tell(w, &r);
	rc = order_watch(w, id, &r, &e);
	order_line_end(w);
	if (rc < 0)
		return command_fail(w->name, &e, reply_hint(&e));
	return order_tell(w, &r);
}

int
order_watch_run(struct order_watch *w)
{
	int64_t ms = w->args->timeout_ms ? w->args->timeout_ms : w->timeout_ms;
	struct err e = {0};
	uint64_t key;

	if (getrandom(&key, sizeof(key), 0) != (ssize_t)sizeof(key)) {
		err_sys(&e, "random bytes");
		return command_fail(w->name, &e, NULL);
	}
	snprintf(w->key, sizeof(w->key), "cli-%016llx", (unsigned long long)key);
	w->started_ns = clock_boot_ns();
	w->deadline_ns = w->started_ns + ms * MS_NS;
	term_init(&w->err_term, STDERR_FILENO);
	return watch_run(w);
}
