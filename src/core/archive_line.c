/*
 * archive_line - does a file of pg_wal belong to the history that the cluster has published?
 */
#include "core/archive_line.h"

#include <stddef.h>

/* Where the timeline was left; LINEAGE_OPEN: the history does not have it. */
static uint64_t
left_at(const struct lineage_history *h, uint32_t timeline)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->entry[i].timeline == timeline)
			return h->entry[i].lsn;
	return LINEAGE_OPEN;
}

static bool
is_within(const struct archive_name *name, uint32_t segment_bytes, uint64_t lsn)
{
	uint64_t from = ((uint64_t)name->log << 32) + (uint64_t)name->seg * segment_bytes;

	switch (name->kind) {
	case ARCHIVE_HISTORY:
		return true;
	case ARCHIVE_SEGMENT:
		return from + segment_bytes <= lsn;
	default:
		return from < lsn; /* a part, or a label of what begins there */
	}
}

enum archive_line
archive_line_judge(const struct archive_name *name, const struct archive_line_facts *f)
{
	uint64_t lsn;

	if (name->timeline >= f->timeline)
		return name->timeline == f->timeline ? ARCHIVE_LINE_ON : ARCHIVE_LINE_AHEAD;
	if (!f->history) /* no ancestor goes on behind where the newest one was left */
		return f->switch_lsn && is_within(name, f->segment_bytes, f->switch_lsn)
			       ? ARCHIVE_LINE_ON
			       : ARCHIVE_LINE_UNKNOWN;
	lsn = left_at(f->history, name->timeline);
	if (lsn == LINEAGE_OPEN) /* of very long histories only the newest part is known */
		return f->history->n > 0 && name->timeline < f->history->entry[0].timeline &&
				       f->history->n == f->history->max
			       ? ARCHIVE_LINE_UNKNOWN
			       : ARCHIVE_LINE_OFF;
	return is_within(name, f->segment_bytes, lsn) ? ARCHIVE_LINE_ON : ARCHIVE_LINE_OFF;
}
