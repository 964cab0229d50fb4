/*
 * logger_out - the pod's stdout, written without ever waiting for whoever reads it.
 *
 * A ring of LOGGER_RING_BYTES takes what stdout does not; when it is full, whole lines are dropped
 * and counted, and a line that says how many takes their place once it flows again.  The ring's
 * memory is the kernel's until it is used and goes back when the ring is empty.
 *
 * O_NONBLOCK belongs to the open description, which we share with whoever started the pod (a user's
 * terminal, a shell): it is never set there.  We open the file behind it anew, or use what the
 * kernel offers to write a shared description without waiting.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "sys/loop.h"

#define LOGGER_RING_BYTES ((size_t)2 << 20)

enum logger_out_mode {
	LOGGER_OUT_FILE,     /* a regular file: the page cache takes it */
	LOGGER_OUT_NONBLOCK, /* a description of our own */
	LOGGER_OUT_SOCKET,   /* MSG_DONTWAIT */
	LOGGER_OUT_NOWAIT,   /* shared, RWF_NOWAIT (Linux 6.4 for pipes and terminals) */
	LOGGER_OUT_TIMED,    /* shared, on an old kernel: poll, then a write that a timer ends */
};

struct logger_out {
	struct loop *loop; /* borrowed */
	int fd;
	bool own; /* fd is ours to close */
	enum logger_out_mode mode;
	char *path; /* of a regular file, as it was when we started; else NULL */
	char *ring;
	size_t head, used, high; /* high: most ever used since memory was given back */
	bool gap;                /* lines are being dropped */
	uint64_t gap_lines, gap_bytes;
	uint64_t lines, dropped, dropped_bytes;
	int64_t blocked_ns; /* boot time since when nothing was taken; 0: it flows */
	struct loop_fd watch;
	struct loop_timer retry;
};

/* Before root is given up: makes the description behind fd our own, in its place, if that can be.
 */
void logger_out_claim(int fd);

int logger_out_init(struct logger_out *o, struct loop *loop, int fd, struct err *e) MUSTCHECK;
void logger_out_deinit(struct logger_out *o);
/* Queues a whole line, or drops it and counts. */
void logger_out_put(struct logger_out *o, const char *line, size_t n);
void logger_out_drop(struct logger_out *o, size_t bytes); /* a line that could not be made */
/* Writes what stdout takes; does nothing while it is known to take nothing. */
void logger_out_flush(struct logger_out *o);
/* Opens a regular file again by its name, after a rotation; others stay. */
int logger_out_reopen(struct logger_out *o, struct err *e) MUSTCHECK;
/* Before the end: waits up to ms for the ring to empty. */
void logger_out_finish(struct logger_out *o, int64_t ms);

/* One attempt in the given mode: bytes taken, or -1 with errno.  EAGAIN: nothing now. */
ssize_t logger_out_write(struct logger_out *o, const struct iovec *iov, int n);
/* Picks the mode by what fd is; part of logger_out_init(). */
int logger_out_choose(struct logger_out *o, struct err *e) MUSTCHECK;
