/*
 * wal_dir - what lies in pg_wal.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "core/lineage.h"

struct wal_dir {
	int64_t bytes; /* allocated by files directly in it */
	int32_t files; /* WAL segments */
	int32_t ready; /* archive_status/ *.ready; -1: unreadable */
	int32_t done;  /* archive_status/ *.done; -1: unreadable */
};

int wal_dir_look(const char *dir, struct wal_dir *out, struct err *e) MUSTCHECK;
/* Counts archive_status/ *.ready alone, which is cheaper; -1: unreadable. */
int32_t wal_dir_ready(const char *dir);

/*
 * How far the WAL reaches that was written before a crash: the start of the last segment, from the
 * one that begins at lsn on, whose first page says that it is what its name says (a recycled file
 * has the address of its former life, a new one zeros).  Returns 0 when not even the first is
 * there.
 */
uint64_t wal_dir_end(const char *dir, uint32_t timeline, uint64_t lsn, uint32_t segment_bytes);

/* Reads TTTTTTTT.history of timeline; *n is 0 for timeline 1, which has none. */
int wal_dir_history(
	const char *dir, uint32_t timeline, struct lineage_history *out, struct err *e) MUSTCHECK;
