/*
 * archive_name - the names of Barman's cloud layout: which key holds what.
 *
 * SERVER/base/ID/{backup.info,data.tar[.gz],data_0001.tar[.gz],OID.tar[.gz]}
 * SERVER/wals/TTTTTTTTLLLLLLLL/TTTTTTTTLLLLLLLLSSSSSSSS[.gz]   segments, .partial, .backup files
 * SERVER/wals/TTTTTTTT.history[.gz]
 * and ours, which Barman's programs do not look at:
 * SERVER/podgres/owner.json, SERVER/podgres/gaps/SEGMENT, SERVER/podgres/continuous/SEGMENT/...
 * SERVER/base/ID/manifest.json (core/backup_manifest.h), SERVER/base/ID/backup_manifest[.gz]: the
 * server's own
 * SERVER/podgres/base/ID/...: incremental backups with the same files as SERVER/base/ID/.  They do
 * not lie there because Barman 3.4 would restore one as if it were whole.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define ARCHIVE_KEY_SIZE 1025
#define ARCHIVE_NAME_SIZE 64 /* of a file in pg_wal that is archived, and its NUL */
#define BACKUP_ID_SIZE 16    /* "20261120T153805" */

enum archive_kind {
	ARCHIVE_OTHER, /* not a file PostgreSQL archives */
	ARCHIVE_SEGMENT,
	ARCHIVE_PARTIAL, /* SEGMENT.partial */
	ARCHIVE_BACKUP,  /* SEGMENT.OOOOOOOO.backup */
	ARCHIVE_HISTORY, /* TTTTTTTT.history */
};

struct archive_name {
	enum archive_kind kind;
	uint32_t timeline;
	uint32_t log, seg; /* the two last thirds of a segment's name; 0 of a history */
};

/* The name of a file in pg_wal, without compression's extension.  Upper case digits only. */
enum archive_kind archive_name_parse(const char *name, struct archive_name *out);
/* Key of such a file; extension ".gz" or "".  -1: not a name, or too long. */
int archive_key_wal(char out[ARCHIVE_KEY_SIZE], const char *server, const char *name,
	const char *extension, struct err *e) MUSTCHECK;
/* "SERVER/wals/", "SERVER/wals/TTTTTTTTLLLLLLLL/" of a segment's name, "SERVER/base/" ... */
int archive_key(char out[ARCHIVE_KEY_SIZE], struct err *e, const char *fmt, ...)
	PRINTF(3, 4) MUSTCHECK;
/* What a key below SERVER/wals/ holds: its file's name without folders and extension (any that
 * Barman knows), and the extension ("" or ".gz").  False: nothing of ours or Barman's. */
bool archive_key_parse(const char *key, char name[ARCHIVE_NAME_SIZE], const char **extension);

bool backup_id_ok(const char *id);                              /* eight digits, T, six digits */
void backup_id_make(char out[BACKUP_ID_SIZE], int64_t wall_us); /* UTC */
int64_t backup_id_time(const char *id);                         /* wall, microseconds; 0: not one */
