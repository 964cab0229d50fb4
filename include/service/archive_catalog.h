/*
 * archive_catalog - what the files of the catalogue share.
 */
#pragma once

#include "service/archive.h"

#define ARCHIVE_WAL_TAIL 64

/* A segment of the tail. */
struct archive_wal_tail {
	uint32_t timeline;
	uint64_t segment;
	int64_t bytes;
};

/*
 * What stands below SERVER/wals/.  A LIST costs one request per 1,000 segments, so it goes on where
 * the last one ended, but for the last ARCHIVE_WAL_TAIL objects: uploads run side by side, and one
 * of these may have been overtaken.  What was deleted meanwhile is seen by a whole one only.
 */
struct archive_wal {
	struct catalog_run *run; /* owned */
	size_t runs, run_room;
	uint32_t *history; /* timelines with a history file, owned */
	size_t histories, history_room;
	uint32_t segment_bytes; /* 0: learnt from the store */
	uint64_t segments;
	int64_t bytes;                                  /* of all objects there */
	int64_t whole_us;                               /* when all of it was listed; 0: never */
	struct archive_wal_tail tail[ARCHIVE_WAL_TAIL]; /* of segment n in slot n % ... */
	uint64_t tails;                                 /* ever */
};

void archive_wal_deinit(struct archive_wal *w);
static inline void
archive_wal_deinit_auto(struct archive_wal *w)
{
	archive_wal_deinit(w);
}
/* A whole LIST when w is fresh, else what is new. */
int archive_wal_read(struct archive *a, struct archive_wal *w, struct err *e) MUSTCHECK;
/* Kept in a file of this machine between two runs; server and destination must be the same. */
int archive_wal_save(const struct archive_wal *w, const struct archive *a, const char *path,
	struct err *e) MUSTCHECK;
/* False: there is none that fits. */
bool archive_wal_load(struct archive_wal *w, const struct archive *a, const char *path);

/* What stands below SERVER/podgres/continuous/, a tail for each segment that has its first byte.
 * Owned by the caller. */
int archive_catalog_tails(struct archive *a, uint32_t segment_bytes, struct catalog_tail **out,
	size_t *n, struct err *e) MUSTCHECK;

/* As archive_catalog_read(), going on from w, which is taken over and left empty. */
int archive_catalog_read_on(struct archive *a, struct archive_wal *w, struct archive_catalog *out,
	struct err *e) MUSTCHECK;
const struct archive_wal *archive_catalog_wal(const struct archive_catalog *c);
