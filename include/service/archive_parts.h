/*
 * archive_parts - the parts of a segment that is not whole yet, in the store (core/parts.h).
 *
 * Process: the receiver of the archiver writes and removes them; workers and jobs read them when a
 * recovery asks for a segment that the archive does not have whole.
 */
#pragma once

#include "core/parts.h"
#include "service/archive.h"

struct archive_part {
	const char *segment; /* 24 digits */
	struct part part;    /* its extension is set by the archive's codec */
	int fd;              /* of the segment's file, read from part.from on; -1: use p */
	const void *p;       /* part.to - part.from bytes */
};

int archive_part_put(struct archive *a, const struct archive_part *part, struct err *e) MUSTCHECK;
/*
 * The beginning of the segment want->name, as far as parts go, then zeros up to its length:
 * PostgreSQL takes zeros for the end of WAL.  Checked, fsynced and renamed into place like any
 * fetched file.  *to: where the zeros begin.  ERR_NOTFOUND: there are certainly none.
 */
int archive_parts_fetch(
	struct archive *a, const struct archive_fetch *want, uint32_t *to, struct err *e) MUSTCHECK;
/*
 * archive_fetch(), and for a recovery what there is of a segment that is not whole.  Only when
 * somebody waits for it: parts grow, and fetched ahead they would be old when replay comes to them;
 * then ERR_STATE.  Not for a standby, which would take their end for that of the archive.
 */
int archive_fetch_or_parts(struct archive *a, const struct archive_fetch *want, bool ahead,
	int64_t *stored_bytes, struct err *e) MUSTCHECK;
/* Removes the parts of every segment that ends at or before lsn on this timeline or an older one.
 * count may be NULL. */
struct archive_parts_old {
	uint32_t timeline, segment_bytes;
	uint64_t lsn;
};
int archive_parts_drop(struct archive *a, const struct archive_parts_old *old, int *count,
	struct err *e) MUSTCHECK;
/* Removes the parts of one segment that runs before this one wrote. */
int archive_parts_drop_runs(
	struct archive *a, const char *segment, uint64_t before_run, struct err *e) MUSTCHECK;
