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
	uint32_t segment_bytes;
};

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

/*
 * Chooses the backup (the newest DONE one whose end is before the target, whose WAL is there and
 * whose timeline leads to the one wanted) and says how far it goes.  ERR_UNMET: outside the window;
 * the message states the window and why.  ERR_NOTFOUND: no usable backup at all.
 */
int catalog_choose(const struct catalog *c, const struct catalog_wish *wish,
	struct catalog_path *out, struct err *e) MUSTCHECK;
/* The window of all backups on the newest timeline; false: nothing can be recovered. */
bool catalog_window(
	const struct catalog *c, struct catalog_path *oldest, struct catalog_path *newest);
