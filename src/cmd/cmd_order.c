/*
 * cmd_order - promote, fence, restart, reload, pause: ask, then watch the operation.
 *
 * The order is sent with an Idempotency-Key of our own, so that it can be sent again when the api
 * process dies between taking it and answering; the operation itself lives in the supervisor.
 * Watching is asking again: an answer is a copy of the board and costs next to nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/json.h"
#include "base/term.h"
#include "cmd/cmd.h"
#include "cmd/reply.h"
#include "core/order.h"

#define ORDER_TIMEOUT_MS (300 * SEC_MS)
#define ORDER_CALL_MS (5 * SEC_MS)
#define ORDER_LAST_MS 200
#define ORDER_KNOWN_MS (2 * SEC_MS)
#define ORDER_POLL_MIN_MS 20
#define ORDER_POLL_MAX_MS 250

struct watch {
	const struct cli_args *args;
	const char *name; /* of the command */
	const char *word; /* "on", "off" or "" */
	const char *path;
	char *body; /* JSON */
	char key[40];
	int64_t started_ns, deadline_ns;
	struct term err_term;
	bool line; /* a progress line stands on the terminal */
};

/* ---- what was asked ---- */

/* "on" or "off" for those that take it.  Returns the kind of the order, -1 with *e. */
static int
order_kind(const char *name, const struct opt_rest *rest, struct err *e)
{
	static const struct {
		const char *name, *word;
		enum order_kind kind;
	} orders[] = {
		{"promote", NULL, ORDER_PROMOTE},
		{"restart", NULL, ORDER_RESTART},
		{"reload", NULL, ORDER_RELOAD},
		{"fence", "on", ORDER_FENCE},
		{"fence", "off", ORDER_UNFENCE},
		{"pause", "on", ORDER_PAUSE},
		{"pause", "off", ORDER_RESUME},
	};
	bool takes_word = false;

	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		if (strcmp(orders[i].name, name) != 0)
			continue;
		takes_word = orders[i].word;
		if (rest->n == takes_word &&
			(!takes_word || strcmp(orders[i].word, rest->arg[0]) == 0))
			return (int)orders[i].kind;
	}
	if (takes_word)
		return err_set(e, ERR_INVALID, "expected \"%s on\" or \"%s off\"", name, name);
	return err_set(e, ERR_INVALID, "unexpected argument %.64s", rest->arg[0]);
}

static int
order_body(const struct cli_args *args, enum order_kind kind, char **out, struct err *e)
{
	static const char *const modes[] = {NULL, "smart", "fast", "immediate"};
	AUTO(buf_deinit) struct buf b = {0};
	struct json j;

	if (kind == ORDER_FENCE && args->mode == ORDER_MODE_SMART)
		return err_set(e, ERR_INVALID,
			"a fence does not wait for clients: --mode fast or immediate");
	json_init(&j, &b);
	json_obj(&j);
	if (modes[args->mode])
		json_kstr(&j, "mode", modes[args->mode]);
	if (*args->reason)
		json_kstr(&j, "reason", args->reason);
	json_end_obj(&j);
	if (buf_check(&b, e) < 0)
		return -1;
	*out = buf_take(&b);
	return 0;
}

/* ---- watching ---- */

static void
order_sleep(int64_t ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * MS_NS};

	nanosleep(&ts, NULL);
}

static void
order_line(struct watch *w, const cJSON *op)
{
	char took[DURATION_SIZE];
	double progress = reply_num(op, "progress", -1);

	if (!w->err_term.tty || w->args->json)
		return;
	duration_text((clock_boot_ns() - w->started_ns) / MS_NS, took);
	fprintf(stderr, "\r\033[K%s: %.*s", w->name, w->err_term.columns - 40,
		reply_str(op, "phase"));
	if (progress >= 0)
		fprintf(stderr, ", %d %%", (int)(progress * 100));
	fprintf(stderr, " (%s)", took);
	fflush(stderr);
	w->line = true;
}

static void
order_line_end(struct watch *w)
{
	if (w->line)
		fprintf(stderr, "\r\033[K");
	w->line = false;
}

/* Asks until there is an answer; the manager may be between two api processes. */
static int
order_ask(struct watch *w, const struct ctl_call *call, struct reply *r, struct err *e)
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
		if (pause > ORDER_POLL_MAX_MS)
			return e->kind ? -1 : 0;
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
order_watch(struct watch *w, const char *id, struct reply *r, struct err *e)
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
order_tell(const struct watch *w, const struct reply *r)
{
	AUTO(buf_deinit) struct buf out = {0};
	const cJSON *op = reply_at(r->json, "operation"), *error;
	char took[DURATION_SIZE];
	const char *hint;
	struct err e = {0};

	op = op ? op : r->json;
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
		buf_printf(&out, "%s%s%s: done in %s\n", w->name, *w->word ? " " : "", w->word,
			duration_text((clock_boot_ns() - w->started_ns) / MS_NS, took));
	return command_print(w->name, &out);
}

static int
order_run(struct watch *w)
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
cmd_order(int argc, char **argv)
{
	AUTO(free) char *body = NULL;
	struct cli_args args;
	struct opt_rest rest;
	struct err e = {0};
	struct watch w = {.args = &args, .name = argv[0], .started_ns = clock_boot_ns()};
	uint64_t key;
	int rc = 0, kind;

	if (command_begin(argc, argv, &args, &rest, &rc) < 0)
		return rc;
	kind = order_kind(argv[0], &rest, &e);
	if (kind < 0 || order_body(&args, (enum order_kind)kind, &body, &e) < 0) {
		char hint[96];

		snprintf(hint, sizeof(hint), PROGRAM " %s --help says how", argv[0]);
		return command_fail(argv[0], &e, hint);
	}
	if (getrandom(&key, sizeof(key), 0) != (ssize_t)sizeof(key)) {
		err_sys(&e, "random bytes");
		return command_fail(argv[0], &e, NULL);
	}
	snprintf(w.key, sizeof(w.key), "cli-%016llx", (unsigned long long)key);
	w.word = rest.n ? rest.arg[0] : "";
	w.path = order_path((enum order_kind)kind);
	w.body = body;
	w.deadline_ns =
		w.started_ns + (args.timeout_ms ? args.timeout_ms : ORDER_TIMEOUT_MS) * MS_NS;
	term_init(&w.err_term, STDERR_FILENO);
	return order_run(&w);
}
