/*
 * retention - what may be deleted: pure.
 *
 * Nothing is deleted that a kept backup or the recovery window still needs:
 * - Every backup that is needed, kept in full, or runs keeps every segment from its begin_wal on,
 * on its own timeline and on all that can be reached from it.
 * - A backup that is kept standalone, or only because incremental ones stand on it, keeps the
 *   segments from its begin_wal to its end_wal.
 * - History files are never deleted.
 * Of each timeline that lives (WAL came within the window, or since the newest backup began) the
 * policy holds by itself: only backups that lead to it and whose WAL is there count.  Where there
 * are too few, every backup that leads or might lead there stays.  When anything is unclear (a
 * backup.info that could not be read, a timeline without its history), less is deleted, never more.
 * Failed backups go when they are older than every needed one; one that began a week ago and never
 * ended has failed.
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
	RETAIN_UNCLEAR,  /* some backup.info could not be read: nothing goes */
	RETAIN_OBSOLETE, /* may go */
};

enum retention_keep { KEEP_NO, KEEP_FULL, KEEP_STANDALONE }; /* Barman's annotations/keep */

struct retention_plan {
	enum retention_verdict *verdict; /* of each backup, owned */
	/* Of each timeline (in the order of catalog's runs): segments below this number may go, but
	 * for those that retention_segment_gone() knows of. */
	uint64_t *keep_from; /* owned, one per run */
};

int retention_plan(struct retention_plan *out, const struct catalog *c,
	const enum retention_keep *keep, const struct retention_policy *policy,
	int64_t now_us) MUSTCHECK; /* -1: out of memory */
/* Whether this segment may go under the plan. */
bool retention_segment_gone(const struct retention_plan *p, const struct catalog *c,
	uint32_t timeline, uint64_t segment);
const char *retention_text(enum retention_verdict v); /* "needed" */
void retention_plan_deinit(struct retention_plan *p);
