/*
 * procfs - what /proc says about a process (proc(5)).
 *
 * A pid may be reused; the caller knows whose it is.  Nothing here waits for the process.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct procfs_stat {
	char state; /* R running, S sleeping, D waits for a disk, T stopped, Z dead, unreaped */
	pid_t parent;
	uint64_t cpu_ticks; /* user and system time, in clock ticks */
};

/* False when there is no such process. */
bool procfs_stat(pid_t pid, struct procfs_stat *out);
/* For tests: the text of /proc/PID/stat; the name in it may hold spaces and parentheses. */
bool procfs_stat_parse(const char *text, struct procfs_stat *out);

int64_t procfs_rss_bytes(pid_t pid); /* 0: no such process */

/* The startup process of postgres, by its title: "postgres: NAME: startup recovering SEGMENT". */
struct procfs_startup {
	pid_t pid;
	bool waiting; /* for WAL that is not there yet */
	char wal[25]; /* "" before the first segment */
};

/* Finds it among the children of the postmaster; false when there is none. */
bool procfs_startup(pid_t postmaster, struct procfs_startup *out);
/* title ends with its NUL; false for any other process' title. */
bool procfs_startup_parse(const char *title, struct procfs_startup *out);
