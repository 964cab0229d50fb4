/*
 * cmd_status - `podgres status`.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/reply.h"
#include "cmd/status.h"

#define STATUS_TIMEOUT_MS (5 * SEC_MS)

int
cmd_status(int argc, char **argv)
{
	struct ctl_call call = {.method = "GET", .target = "/pg/status"};
	AUTO(reply_deinit) struct reply r = {0};
	AUTO(buf_deinit) struct buf out = {0};
	struct cli_args args;
	struct opt_rest rest;
	struct err e = {0};
	struct term term;
	const char *hint;
	int rc = 0;

	if (command_begin(argc, argv, &args, &rest, &rc) < 0)
		return rc;
	if (rest.n > 0) {
		err_set(&e, ERR_INVALID, "unexpected argument %.64s", rest.arg[0]);
		return command_fail("status", &e, "podgres status shows the instance of this pod");
	}
	call.timeout_ms = args.timeout_ms ? args.timeout_ms : STATUS_TIMEOUT_MS;
	if (reply_ask(&call, &args, &r, &e) < 0)
		return command_fail("status", &e, reply_hint(&e));
	if (r.status >= 300) {
		reply_error(reply_at(r.json, "error"), &e, &hint);
		return command_fail("status", &e, hint);
	}
	term_init(&term, STDOUT_FILENO);
	if (args.json)
		buf_put(&out, buf_str(&r.body), r.body.len);
	else
		status_render(&(struct status_view){.json = r.json,
				      .term = &term,
				      .verbose = args.verbose,
				      .now_us = clock_wall_us()},
			&out);
	return command_print("status", &out);
}
