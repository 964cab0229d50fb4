/*
 * order_watch - an order from the command line: sent, then watched until its operation is over.
 */
#pragma once

#include <stdint.h>

#include "base/term.h"
#include "cmd/cmd.h"

struct order_watch {
	const struct cli_args *args;
	const char *name; /* of the command */
	const char *word; /* "on", "off" or "" */
	const char *path;
	char *body;         /* JSON */
	int64_t timeout_ms; /* unless args says another */
	/* private */
	char key[40];
	int64_t started_ns, deadline_ns;
	struct term err_term;
	int64_t copying_ns; /* since when bytes are counted, and how many there were */
	double copying_from;
	bool line; /* a progress line stands on the terminal */
};

/* Returns the exit code of the process. */
int order_watch_run(struct order_watch *w);
