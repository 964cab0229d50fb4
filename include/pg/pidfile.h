/*
 * pidfile - postmaster.pid, which the postmaster rewrites as it comes up and goes down.
 *
 * Format: PostgreSQL, "Database File Layout" and src/include/miscadmin.h (LOCK_FILE_LINE_*): pid,
 * data directory, start time, port, socket folder, listen address, shared memory, status.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pidfile_status {
	PIDFILE_NONE,     /* no file, or no status in it yet */
	PIDFILE_STARTING, /* no connections yet */
	PIDFILE_READY,    /* takes connections */
	PIDFILE_STANDBY,  /* in recovery and takes none: hot_standby is off */
	PIDFILE_STOPPING,
};

struct pidfile {
	int32_t pid; /* 0: none; a single-user backend's is negative */
	int32_t port;
	char socket_dir[256];
	enum pidfile_status status;
};

/* Lines that are missing leave zeros.  False when there is not even a pid. */
bool pidfile_parse(const char *text, struct pidfile *out);
/* Reads PGDATA/postmaster.pid; false when it is missing, unreadable or empty. */
bool pidfile_read(const char *pgdata, struct pidfile *out);
