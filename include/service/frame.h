/*
 * frame - what every process below the supervisor does before and around its own work.
 */
#pragma once

#include "service/shared.h"

struct frame {
	struct board *board;
	struct run_options opt;
	int log_fd;
};

/* Attaches the board, dies with the supervisor, logs under name (borrowed for ever). */
int frame_attach(struct frame *f, const char *name, struct err *e) MUSTCHECK;
void frame_detach(struct frame *f);
/* Becomes the user of postgres; nothing when not root. */
int frame_give_up_root(const struct run_options *opt, struct err *e) MUSTCHECK;
/* Logs; returns the exit code. */
int frame_fail(const char *what, const struct err *e);
