/*
 * tree - the processes below one process, found in /proc, and their end.
 *
 * Used on the stop path and by the fencer: fixed memory, no allocation, no library but libc,
 * bounded time.  What belongs to the tree: every descendant of root, but for the processes in spare
 * and their descendants.  Orphans count, because the kernel gives them to root (PID 1 or a
 * subreaper).
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

#define TREE_MAX 16384 /* processes looked at; more cannot be counted, but these are killed */

struct tree {
	pid_t root;
	const pid_t *spare; /* borrowed */
	size_t n_spare;
};

/* Live descendants, zombies not counted.  -1 when /proc cannot be read. */
int tree_count(const struct tree *t, struct err *e) MUSTCHECK;
/* Sends sig to each; returns how many were alive (zombies not counted).  For SIGKILL it stops the
 * parents before it kills, so that a fork cannot outrun it, and looks again until a look finds
 * nothing or rounds are used up. */
int tree_kill(const struct tree *t, int sig, int rounds, struct err *e) MUSTCHECK;
/* kill(-1, SIGKILL), allowed to PID 1 alone: anywhere else it would take the whole machine.
 * Returns -1 and does nothing when getpid() is not 1. */
int tree_kill_everything(struct err *e) MUSTCHECK;
/* State letter of a process in /proc/PID/stat ('T' stopped, 'Z' zombie, 'D' ...), 0 when it is
 * gone. */
char tree_process_state(pid_t pid);
/* /proc is there and shows our own PID namespace. */
int tree_check_proc(struct err *e) MUSTCHECK;
