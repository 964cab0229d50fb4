/*
 * pgdata - what a data directory is, without touching it.
 *
 * Layout: PostgreSQL manual, section 73.1.  Only reads; what follows from it is for the caller.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "pg/control.h"
#include "sys/file.h"

#define PGDATA_OURS ".podgres" /* a folder inside that is ours and does not count */

enum pgdata_kind {
	PGDATA_MISSING,   /* no such folder */
	PGDATA_EMPTY,     /* nothing in it, or only PGDATA_OURS */
	PGDATA_CLUSTER,   /* everything that makes a cluster is there */
	PGDATA_HALF,      /* part of a cluster; what says what is missing */
	PGDATA_STRANGE,   /* something else; what names it */
	PGDATA_MOUNT_TOP, /* nothing but lost+found: the top of a file system */
	PGDATA_CLOSED,    /* may not be read; what says why */
};

struct pgdata {
	enum pgdata_kind kind;
	char path[FILE_PATH_MAX]; /* links resolved, when it exists */
	bool mount_point;
	uint32_t uid, gid, mode; /* of the folder; mode: permission bits */
	char version[16];        /* text of PG_VERSION */
	int major;               /* of PG_VERSION; 0: none or nonsense */
	struct control control;  /* zeroed unless control_ok */
	bool control_ok;
	char wal[FILE_PATH_MAX]; /* real folder of pg_wal */
	bool standby_signal, recovery_signal, backup_label, postmaster_pid;
	char what[512];
};

/* Fails only for a path that cannot be a folder at all (too long, a file). */
int pgdata_inspect(struct pgdata *out, const char *path, struct err *e) MUSTCHECK;

/* The refusal of PGDATA_MOUNT_TOP, with the remedy.  Returns -1. */
int pgdata_refuse_mount_top(const char *path, struct err *e);

/* Whether a folder holds nothing but PGDATA_OURS and lost+found; *first: a name it holds else. */
int pgdata_is_empty(const char *path, bool *empty, char first[256], struct err *e) MUSTCHECK;

/* A tablespace link of pg_tblspc that leads nowhere: ERR_CONFIG naming both. */
int pgdata_check_tablespaces(const char *path, struct err *e) MUSTCHECK;

/* A process of this PID namespace that works in the folder (postgres does: it is its current
 * folder).  *pid 0: none seen. */
int pgdata_find_process(const char *path, pid_t *pid, struct err *e) MUSTCHECK;

/* Name of the role with OID 10, which initdb made: read from pg_authid on disk, so it works before
 * postgres runs.  ERR_CORRUPT or ERR_NOTFOUND when it cannot be found. */
int pgdata_superuser(char out[64], const char *path, struct err *e) MUSTCHECK;
/* Pure part of it: a page of pg_authid. */
bool pgdata_superuser_in_page(char out[64], const unsigned char *page, size_t n);
