/*
 * backup_manifest - manifest.json: every file of a base backup with its SHA-256, and every object.
 *
 * One JSON object, written so that each file and each object stands on a line of its own and can be
 * read without the rest: a manifest of a million files needs no more memory than one of ten.
 *
 *   {"version":1,"backupId":"20261120T153805","systemId":"7710...","files":[
 *   {"path":"base/1/112","tar":"data.tar.gz","bytes":8192,"sha256":"..."},
 *   ...
 *   ],"objects":[
 *   {"name":"data.tar.gz","bytes":1234,"plainBytes":5678,"sha256":"..."},
 *   ...
 *   ],"parent":"","fileCount":2,"plainBytes":5678,"storedBytes":1234}
 *
 * sha256 of a file is of its content, that of an object of its bytes in the store.  Only regular
 * files are listed.  A path is relative to the data directory; of a tablespace's tar it begins with
 * PG_15_..., and tar names the tablespace.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/hash.h"
#include "core/archive_name.h"

#define BACKUP_TAR_SIZE 40   /* "4294967295_0001.tar.snappy" */
#define BACKUP_PATH_SIZE 512 /* of a file; tars of PostgreSQL allow 100, links included */

struct backup_file {
	char path[BACKUP_PATH_SIZE];
	char tar[BACKUP_TAR_SIZE]; /* name of the object it is in */
	int64_t bytes;
	char sha256[SHA256_HEX_SIZE];
};

struct backup_object {
	char name[BACKUP_TAR_SIZE]; /* below SERVER/base/ID/ */
	int64_t bytes;              /* in the store */
	int64_t plain_bytes;        /* before compression */
	char sha256[SHA256_HEX_SIZE];
};

struct backup_totals {
	char parent[BACKUP_ID_SIZE];
	int64_t files, plain_bytes, stored_bytes;
};

/* ---- writing, in this order ---- */

void backup_manifest_begin(struct buf *out, const char *id, uint64_t system_id);
void backup_manifest_file(struct buf *out, const struct backup_file *f, bool first);
void backup_manifest_objects(struct buf *out);
void backup_manifest_object(struct buf *out, const struct backup_object *o, bool first);
void backup_manifest_end(struct buf *out, const struct backup_totals *t);

/* ---- reading, line by line ---- */

enum backup_line { BACKUP_LINE_OTHER, BACKUP_LINE_FILE, BACKUP_LINE_OBJECT, BACKUP_LINE_END };

struct backup_line_value {
	struct backup_file file;
	struct backup_object object;
	struct backup_totals totals;
};

/* One line without its newline.  ERR_CORRUPT: not of a manifest.  Whoever reads a whole one must
 * see BACKUP_LINE_END, with as many files as it says. */
int backup_manifest_line(const char *line, size_t len, enum backup_line *kind,
	struct backup_line_value *out, struct err *e) MUSTCHECK;
