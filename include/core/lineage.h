/*
 * lineage - timelines, WAL positions and the names of WAL files.
 *
 * Formats: PostgreSQL, "Write-Ahead Logging Internals" and src/include/access/xlog_internal.h: a
 * position is written XXXXXXXX/XXXXXXXX in hexadecimal without leading zeros; a WAL file is named
 * by timeline and segment, 24 hexadecimal digits; TTTTTTTT.history lists the ancestors of T.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define LINEAGE_LSN_SIZE 18  /* "FFFFFFFF/FFFFFFFF" and its NUL */
#define LINEAGE_NAME_SIZE 25 /* 24 digits and their NUL */

/* Exactly "X/X", 1 to 8 digits each.  False leaves *lsn alone. */
bool lineage_lsn_parse(const char *text, uint64_t *lsn);
/* Returns out; "" for position 0, which is never a real one. */
const char *lineage_lsn_text(uint64_t lsn, char out[LINEAGE_LSN_SIZE]);

/* 24 upper case hexadecimal digits: nothing less, nothing after. */
bool lineage_name_ok(const char *name);
/* The file that holds the byte at lsn.  At a boundary it is the file that begins there, where
 * PostgreSQL's pg_walfile_name() names the one that ends.  Returns out. */
const char *lineage_name(
	uint32_t timeline, uint64_t lsn, uint32_t segment_bytes, char out[LINEAGE_NAME_SIZE]);
/* Timeline and first byte of a WAL file; false when it is not the name of one. */
bool lineage_name_parse(
	const char *name, uint32_t segment_bytes, uint32_t *timeline, uint64_t *lsn);

struct lineage_entry {
	uint32_t timeline; /* an ancestor */
	uint64_t lsn;      /* where the next timeline left it */
	char reason[96];   /* as PostgreSQL wrote it, cut to fit */
};

struct lineage_history {
	struct lineage_entry *entry; /* the caller's, room for max */
	size_t max, n;
};

#define LINEAGE_OPEN UINT64_MAX /* where a timeline ends that has not ended */

/* Reads a history file, oldest ancestor first.  More than max: the newest max are kept.  Comments
 * (#) and empty lines are skipped; ERR_CORRUPT for anything else that is not an entry, and for
 * timelines that do not grow. */
int lineage_history_parse(
	const char *text, size_t len, struct lineage_history *out, struct err *e) MUSTCHECK;

/* Two histories that each end with a timeline of their own, open: the last timeline that both have,
 * and the position up to which they are the same; LINEAGE_OPEN when they are one.  False: they have
 * nothing in common. */
bool lineage_fork(const struct lineage_history *a, const struct lineage_history *b,
	uint32_t *timeline, uint64_t *lsn);
