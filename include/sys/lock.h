/*
 * lock - one manager a volume.
 *
 * An flock belongs to the open file: whoever inherits the descriptor keeps it held, so a postgres
 * that outlives its podgres still keeps a second one out, from another PID namespace too.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"

/* Takes an exclusive flock on a file (made when missing, mode 0600) or a folder, trying again until
 * wait_ms have passed.  A file gets "pid PID on HOST since TIME" as its text.  *fd_out stays open
 * (O_CLOEXEC) for as long as the lock is to be held.  ERR_STATE when somebody else holds it, naming
 * the text found; nothing but the lock file is ever touched, and that only by its holder. */
int lock_take(int *fd_out, const char *path, int64_t wait_ms, struct err *e) MUSTCHECK;
