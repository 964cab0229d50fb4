/*
 * cmd_wal - `podgres wal`: what the archive lacks, what goes out and comes back.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "cmd/archive_cli.h"
#include "cmd/cmd.h"
#include "cmd/reply.h"
#include "cmd/status.h"

#define WAL_TIMEOUT_MS (5 * SEC_MS)

typedef int wal_fn(const struct cli_args *args, const struct opt_rest *rest);

static const struct {
	const char *name;
	wal_fn *fn;
	int arguments; /* besides its name */
} subcommands[] = {
	{"status", cmd_wal_status, 0},
	{"jobs", cmd_wal_jobs, 0},
	{"verify", cmd_wal_verify, 0},
	{"fetch", cmd_wal_fetch, 2},
	{"push", cmd_wal_push, 1},
};

int
cmd_wal(int argc, char **argv)
{
	struct cli_args args;
	struct opt_rest rest;
	struct err e = {0};
	int rc = 0;

	if (command_begin(argc, argv, &args, &rest, &rc) < 0)
		return rc;
	for (size_t i = 0; rest.n > 0 && i < ARRAY_LEN(subcommands); i++) {
		if (strcmp(rest.arg[0], subcommands[i].name) != 0)
			continue;
		if (rest.n - 1 == subcommands[i].arguments)
			return subcommands[i].fn(&args, &rest);
		err_set(&e, ERR_INVALID, "%s takes %d argument%s", rest.arg[0],
			subcommands[i].arguments, subcommands[i].arguments == 1 ? "" : "s");
		return command_fail("wal", &e, PROGRAM " wal --help says how");
	}
	if (rest.n > 0)
		err_set(&e, ERR_INVALID, "there is no \"%.40s\"", rest.arg[0]);
	else
		err_set(&e, ERR_INVALID, "what about the WAL?");
	return command_fail("wal", &e, PROGRAM " wal --help lists what there is");
}

/* Returns 0 with the answer, or the exit code. */
static int
wal_ask(const char *target, const struct cli_args *args, struct reply *r)
{
	struct ctl_call call = {.method = "GET", .target = target};
	struct err e = {0};
	const char *hint;

	call.timeout_ms = args->timeout_ms ? args->timeout_ms : WAL_TIMEOUT_MS;
	if (reply_ask(&call, args, r, &e) < 0)
		return command_fail("wal", &e, reply_hint(&e));
	if (r->status < 300)
		return 0;
	reply_error(reply_at(r->json, "error"), &e, &hint);
	return command_fail("wal", &e, hint);
}

int
cmd_wal_status(const struct cli_args *args, const struct opt_rest *rest)
{
	AUTO(reply_deinit) struct reply r = {0};
	AUTO(buf_deinit) struct buf out = {0};
	struct status_view v = {.verbose = true, .now_us = clock_wall_us()};
	struct term term;
	int rc = wal_ask(args->json ? "/v1/wal" : "/pg/status", args, &r);

	(void)rest;
	if (rc != 0)
		return rc;
	term_init(&term, STDOUT_FILENO);
	v.term = &term;
	v.json = r.json;
	if (args->json) {
		buf_put(&out, buf_str(&r.body), r.body.len);
		return command_print("wal", &out);
	}
	status_archive_of(&v, reply_at(r.json, "archive"), &out);
	status_backup_of(&v, reply_at(r.json, "backup"), &out);
	return command_print("wal", &out);
}

/* ---- jobs ---- */

/* One job as a line of its own, in columns that hold every name. */
static void
job_line(const struct term *term, const cJSON *job, struct buf *out)
{
	const char *state = reply_str(job, "state"), *at = reply_str(job, "finishedAt");
	double seconds = reply_num(job, "seconds", -1), stored = reply_num(job, "storedBytes", 0);
	enum term_colour colour = TERM_PLAIN;
	char span[DURATION_SIZE] = "", size[16] = "", word[16];

	if (strcmp(state, "failed") == 0)
		colour = TERM_RED;
	else if (strcmp(state, "done") == 0)
		colour = TERM_GREEN;
	if (reply_num(job, "missed", 0) > 0) {
		buf_printf(out, "(%.0f more in between)\n", reply_num(job, "missed", 0));
		return;
	}
	if (seconds >= 0)
		duration_text((int64_t)(seconds * 1000), span);
	if (stored > 0)
		status_bytes(stored, size);
	at = *at ? at : reply_str(job, "startedAt");
	buf_printf(
		out, "%.19sZ  %-7s  %-40s  ", at, reply_str(job, "kind"), reply_str(job, "name"));
	snprintf(word, sizeof(word), "%-7s", state);
	term_paint(term, out, colour, word);
	buf_printf(out, "  %8s  %7s%s%s%s\n", span, size, reply_true(job, "ahead") ? "  ahead" : "",
		*reply_str(job, "error.message") ? "  " : "", reply_str(job, "error.message"));
}

struct job_follow {
	const struct cli_args *args;
	struct term term;
	struct buf line;
};

static int
follow_print(struct job_follow *f, const char *line, size_t n, struct err *e)
{
	AUTO(cJSON_Delete) cJSON *job = cJSON_ParseWithLength(line, n);
	AUTO(buf_deinit) struct buf out = {0};

	if (!job)
		return err_set(e, ERR_REMOTE, "the manager's answer is not JSON");
	job_line(&f->term, job, &out);
	fwrite(buf_str(&out), 1, out.len, stdout);
	return 0;
}

static int
follow_piece(void *arg, const void *p, size_t n, struct err *e)
{
	struct job_follow *f = arg;
	char *eol;

	if (f->args->json) {
		fwrite(p, 1, n, stdout);
	} else {
		buf_put(&f->line, p, n);
		if (buf_check(&f->line, e) < 0)
			return -1;
		while ((eol = memchr(f->line.data, '\n', f->line.len))) {
			size_t len = (size_t)(eol - f->line.data);

			if (follow_print(f, f->line.data, len, e) < 0)
				return -1;
			buf_consume(&f->line, len + 1);
		}
	}
	return fflush(stdout) == 0 ? 0 : err_sys(e, "standard output");
}

static int
jobs_follow(const struct cli_args *args)
{
	struct ctl_call call = {.method = "GET", .target = "/v1/wal/jobs?follow=1"};
	struct job_follow f = {.args = args};
	AUTO(reply_deinit) struct reply r = {.fn = follow_piece, .arg = &f};
	struct err e = {0};
	const char *hint = "";
	int rc = 0;

	call.timeout_ms = args->timeout_ms;
	term_init(&f.term, STDOUT_FILENO);
	buf_init_max(&f.line, (size_t)1 << 20);
	if (reply_follow(&call, args, &r, &e) < 0)
		rc = e.kind == ERR_TIMEOUT && args->timeout_ms
			     ? 0
			     : command_fail("wal", &e, reply_hint(&e));
	else if (r.status >= 300)
		rc = (reply_error(reply_at(r.json, "error"), &e, &hint),
			command_fail("wal", &e, hint));
	buf_deinit(&f.line);
	return rc;
}

int
cmd_wal_jobs(const struct cli_args *args, const struct opt_rest *rest)
{
	AUTO(reply_deinit) struct reply r = {0};
	AUTO(buf_deinit) struct buf out = {0};
	const cJSON *list, *job;
	struct term term;
	int rc;

	(void)rest;
	if (args->follow)
		return jobs_follow(args);
	rc = wal_ask("/v1/wal/jobs", args, &r);
	if (rc != 0)
		return rc;
	term_init(&term, STDOUT_FILENO);
	list = reply_at(r.json, "jobs");
	if (args->json)
		buf_put(&out, buf_str(&r.body), r.body.len);
	else
		for (job = list ? list->child : NULL; job; job = job->next)
			job_line(&term, job, &out);
	return command_print("wal", &out);
}
