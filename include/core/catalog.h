/*
 * catalog - what an archive holds and what can be made of it: pure, over lists.
 *
 * The lists are the caller's.  A window is the span of time and WAL to which this archive can
 * bring a cluster: it begins at the end of a backup and goes on for as long as every segment of the
 * timelines that lead on is there.
 */
#pragma once

#include "core/backup_info.h"
#include "core/lineage.h"

/* A run of whole segments of one timeline without a hole. */
struct catalog_run {
	uint32_t timeline;
	uint64_t first, last;     /* numbers of segments: LSN / segment_bytes, both included */
	int64_t last_modified_us; /* when the last one was stored */
};

/* The beginning of a segment that is not whole yet (core/parts.h). */
struct catalog_tail {
	uint32_t timeline;
	uint64_t segment;
	uint64_t end_lsn; /* first byte that is not there */
	int64_t stored_us;
};

struct catalog_history { /* a timeline and where it came from, from its history file */
	uint32_t timeline;
	struct lineage_history line;
};

struct catalog {
	const struct backup_info *const *backup; /* sorted by ID */
	size_t backups;
	const struct catalog_run *run; /* sorted by timeline, first */
	size_t runs;
	const struct catalog_history *history;
	size_t histories;
	const uint64_t *gap; /* LSNs of gap objects: WAL that was dropped there */
	size_t gaps;
	const struct catalog_tail *tail;
	size_t tails;
	uint32_t segment_bytes;
	size_t unreadables; /* backups whose backup.info could not be read */
};

/* Timelines that lead to one, itself included: from segment first on recovery reads the file of
 * timeline, until the next leg begins (PostgreSQL, XLogFileReadAnyTLI). */
struct catalog_leg {
	uint32_t timeline;
	uint64_t first; /* number of a segment */
	uint64_t from;  /* where it left its parent; 0 of the oldest */
};

#define CATALOG_LEGS 256 /* of the newest; older ones are not looked at */

struct catalog_line {
	struct catalog_leg leg[CATALOG_LEGS]; /* oldest first */
	size_t n;
};

void catalog_line_of(const struct catalog *c, uint32_t timeline, struct catalog_line *out);
/* Whether recovery from the backup can follow this line: its timeline is part of it, and it ended
 * before the line left that timeline. */
bool catalog_leads(const struct backup_info *b, const struct catalog_line *line);
const struct catalog_run *catalog_run_of(
	const struct catalog *c, uint32_t timeline, uint64_t segment);
const struct backup_info *catalog_find(const struct catalog *c, const char *id);
/* Its parents are there and DONE. */
bool catalog_chain_ok(const struct catalog *c, const struct backup_info *b);
uint64_t catalog_segment(const struct catalog *c, uint64_t lsn);

enum catalog_target {
	TARGET_LATEST,
	TARGET_TIME,
	TARGET_XID,
	TARGET_NAME,
	TARGET_LSN,
	TARGET_IMMEDIATE
};

struct catalog_wish {
	enum catalog_target target;
	int64_t time_us;
	uint64_t lsn;
	uint32_t timeline;     /* 0: latest */
	const char *backup_id; /* "": the best */
	bool exclusive;
};

/* Where recovery from one backup leads. */
struct catalog_path {
	const struct backup_info *backup;
	uint32_t timeline; /* to recover along */
	uint64_t end_lsn;  /* first byte that is not in the archive any more */
	char last_wal[LINEAGE_NAME_SIZE];
	int64_t from_us, to_us; /* the window in time; to_us: when the last segment was stored */
};

/* How far recovery from a backup goes along a line.  False: it does not lead there, is not DONE, a
 * parent is missing, or its WAL does not reach its own end. */
bool catalog_follow(const struct catalog *c, const struct backup_info *b,
	const struct catalog_line *line, struct catalog_path *out);

/*
 * Chooses the backup (the newest DONE one whose end is before the target, whose WAL is there and
 * whose timeline leads to the one wanted) and says how far it goes.  ERR_UNMET: outside the window;
 * the message states the window and why.  ERR_NOTFOUND: no usable backup at all.
 *
 * Where a transaction or a restore point lies nobody knows before replay: without a backup's ID the
 * oldest backup is taken from which everything up to the end of the archive can be reached.
 * Timeline 0 is the newest one to which a backup leads.
 */
int catalog_choose(const struct catalog *c, const struct catalog_wish *wish,
	struct catalog_path *out, struct err *e) MUSTCHECK;
/* The window of all backups on the newest timeline; false: nothing can be recovered. */
bool catalog_window(
	const struct catalog *c, struct catalog_path *oldest, struct catalog_path *newest);
