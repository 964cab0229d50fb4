/*
 * archive_line - does a file of pg_wal belong to the history that the cluster has published?
 *
 * The Lease names the timeline of the last primary, its history file the ancestors and where each
 * of them was left.  What a primary wrote behind such a point, because it had not heard yet that
 * another one leads, is of no use to anybody and stands under names that the archive may need.
 */
#pragma once

#include "core/archive_name.h"
#include "core/lineage.h"

enum archive_line {
	ARCHIVE_LINE_ON,      /* part of the history: it belongs into the archive */
	ARCHIVE_LINE_AHEAD,   /* of a timeline that nobody has published yet */
	ARCHIVE_LINE_OFF,     /* nothing of it is, but for what a later timeline repeats */
	ARCHIVE_LINE_UNKNOWN, /* of an ancestor, and the history is not known */
};

struct archive_line_facts {
	uint32_t timeline;   /* that was published last; not 0 */
	uint64_t switch_lsn; /* where it began; 0: not known */
	uint32_t segment_bytes;
	const struct lineage_history *history; /* of timeline, without itself; NULL: not known */
};

enum archive_line archive_line_judge(
	const struct archive_name *name, const struct archive_line_facts *facts);
