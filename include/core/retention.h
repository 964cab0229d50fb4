/*
 * retention - what may be deleted: pure.
 *
 * Nothing is deleted that a kept backup or the recovery window still needs: every backup that is
 * not obsolete keeps its chain of parents, every segment from its begin_wal on its own timeline and
 * on those that lead to the newest, and all history files.  When anything is unclear (a backup.info
 * that could not be read, a backup that runs), less is deleted, never more.
 */
#pragma once

#include "core/catalog.h"

struct retention_policy {
	int64_t window_us; /* 30d, 4w, 12m (31 days each); 0: none */
	int redundancy;    /* newest n; 0: none */
	int minimum;       /* never fewer DONE backups than this; at least 1 */
};

/* "30d", "4w", "12m", "redundancy 3" or "3"; "" keeps everything. */
int retention_parse(struct retention_policy *out, const char *text, struct err *e) MUSTCHECK;

enum retention_verdict {
	RETAIN_NEEDED,   /* by the policy */
	RETAIN_KEPT,     /* somebody keeps it */
	RETAIN_CHAIN,    /* an incremental backup that stays stands on it */
	RETAIN_RUNNING,  /* not finished */
	RETAIN_OBSOLETE, /* may go */
};

enum retention_keep { KEEP_NO, KEEP_FULL, KEEP_STANDALONE }; /* Barman's annotations/keep */

struct retention_plan {
	enum retention_verdict *verdict; /* of each backup, owned */
	bool *run_gone;                  /* unused by callers; owned */
	/* Of each timeline (in the order of catalog's runs): segments below this number may go. */
	uint64_t *keep_from; /* owned, one per run */
};

int retention_plan(struct retention_plan *out, const struct catalog *c,
	const enum retention_keep *keep, const struct retention_policy *policy,
	int64_t now_us) MUSTCHECK; /* -1: out of memory */
/* Whether this segment may go under the plan. */
bool retention_segment_gone(const struct retention_plan *p, const struct catalog *c,
	uint32_t timeline, uint64_t segment);
void retention_plan_deinit(struct retention_plan *p);
