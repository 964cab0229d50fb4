/*
 * spawn - programs that a job runs: initdb, psql, a postgres of its own, scripts.
 *
 * Process: jobs only.  A child dies with its job (PDEATHSIG, SIGKILL), stays in the job's process
 * group, inherits no descriptor but its three streams, and starts with default signals.  Its output
 * is read line by line while it runs; the last lines are kept for the error.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

#define SPAWN_TAIL 8
#define SPAWN_LINE 400

typedef void spawn_line_fn(const char *name, const char *line, void *arg);
typedef void spawn_tick_fn(void *arg);

struct spawn_spec {
	const char *name;        /* for messages; borrowed while the child lives */
	const char *const *argv; /* argv[0]: a path */
	const char *const *envp; /* NULL: ours */
	const char *cwd;         /* NULL: /, since ours may be closed to the user we have become */
	const void *in;          /* fed to its stdin; NULL: /dev/null.  Borrowed until it ended */
	size_t in_len;
	int64_t deadline_ms;    /* from the start; 0: none */
	bool no_huge_pages;     /* mmap(MAP_HUGETLB) and shmget(SHM_HUGETLB) fail in it */
	struct buf *out;        /* stdout goes here instead of to on_line; NULL: with stderr */
	spawn_line_fn *on_line; /* each line of output; NULL: nobody */
	spawn_tick_fn *on_tick; /* about once a second while waiting; NULL: nobody */
	void *arg;
};

struct spawn {
	pid_t pid; /* 0: no child */
	bool ended;
	int code; /* exit code, -1 when a signal ended it */
	int sig;
	struct spawn_spec spec;
	/* private */
	int pidfd, in_fd, out_fd, err_fd;
	size_t in_done;
	int64_t deadline_ns, tick_ns;
	size_t line_len;
	char line[SPAWN_LINE];
	unsigned lines;
	char tail[SPAWN_TAIL][SPAWN_LINE];
};

/* Fails with ERR_NOTFOUND when argv[0] is not there; any other trouble of exec counts as an exit
 * with 126 and a line that says so. */
int spawn_start(struct spawn *s, const struct spawn_spec *spec, struct err *e) MUSTCHECK;
/* Moves bytes of both for at most max_ms; beside may be NULL.  Returns when either ended. */
void spawn_pump(struct spawn *s, struct spawn *beside, int64_t max_ms);
/* Until s has ended.  ERR_TIMEOUT after its deadline (it is then killed and reaped); ERR_FAILED
 * when beside ended first. */
int spawn_wait(struct spawn *s, struct spawn *beside, struct err *e) MUSTCHECK;
/* 0 when it exited with 0; else ERR_FAILED: how it ended and its telling line. */
int spawn_check(const struct spawn *s, struct err *e) MUSTCHECK;
/* The line of its last output that says most; "" when it said nothing. */
const char *spawn_telling_line(const struct spawn *s);
void spawn_signal(const struct spawn *s, int sig); /* nothing when it has ended */
void spawn_deinit(struct spawn *s);                /* kills, reaps and closes; idempotent */
static inline void
spawn_deinit_auto(struct spawn *s)
{
	spawn_deinit(s);
}

/* start, wait and check. */
int spawn_run(const struct spawn_spec *spec, struct spawn *beside, struct err *e) MUSTCHECK;
