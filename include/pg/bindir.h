/*
 * bindir - where the programs of PostgreSQL lie.
 */
#pragma once

#include "base/err.h"
#include "sys/file.h"

#define PG_MAJOR_MIN 13
#define PG_MAJOR_MAX 18

struct bindir {
	char dir[FILE_PATH_MAX];
	char postgres[FILE_PATH_MAX];
	int major;
	char version[64]; /* "15.20" */
};

/* The folder for a major, or for the newest one known when major is 0.  given: the only folder to
 * look into, or "" for the usual ones: PATH, /usr/lib/postgresql/NN/bin, /usr/pgsql-NN/bin,
 * /usr/local/bin and the like.  Runs `postgres --version`.  ERR_CONFIG says what was looked for. */
int bindir_find(struct bindir *out, int major, const char *given, struct err *e) MUSTCHECK;
/* A program beside postgres; ERR_CONFIG when it is not there. */
int bindir_program(
	const struct bindir *b, const char *name, char out[FILE_PATH_MAX], struct err *e) MUSTCHECK;
/* The same for a client, psql say, of which one of another version in PATH does as well. */
int bindir_client(
	const struct bindir *b, const char *name, char out[FILE_PATH_MAX], struct err *e) MUSTCHECK;
/* "postgres (PostgreSQL) 15.20 (Debian ...)" gives "15.20" and 15; -1: not that. */
int bindir_parse_version(const char *text, char version[64], int *major);
