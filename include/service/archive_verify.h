/*
 * archive_verify - is what the archive holds whole?
 *
 * Process: commands.  A backup's objects are read back through decompression and tar, and compared
 * with manifest.json: length and SHA-256 of each object and of each file.  One that another program
 * made has no such digests: there only what can be read is known.  WAL is looked at by its names,
 * and, where asked for, by its content.  What is wrong is a finding; an error ends the
 * verification.
 */
#pragma once

#include "service/archive.h"

struct verify_finding {
	bool warning;            /* else an error: something cannot be restored */
	char of[BACKUP_ID_SIZE]; /* "": of the WAL */
	char object[128];
	char text[400];
};

struct archive_verify {
	struct archive *archive;
	const struct archive_catalog *catalog;
	void (*found)(void *arg, const struct verify_finding *f);
	void (*progress)(void *arg, const char *what, int64_t bytes); /* read so far; may be NULL */
	void *arg;
	/* out */
	size_t errors, warnings, backups;
	int64_t objects, files, bytes, segments;
};

void archive_verify_found(struct archive_verify *v, const struct verify_finding *f);
void archive_verify_read(struct archive_verify *v, const char *what, int64_t bytes);

int archive_verify_backup(
	struct archive_verify *v, const struct backup_info *b, struct err *e) MUSTCHECK;
/* Holes between the first needed segment and the last one, on every timeline; histories.  content:
 * also reads every segment that a backup needs. */
int archive_verify_wal(struct archive_verify *v, bool content, struct err *e) MUSTCHECK;
