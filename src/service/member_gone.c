/*
 * member_gone - does the primary still have the WAL that a standby goes on from?
 *
 * Process: the jobs prepare and members.  The primary is asked for it exactly as the standby's own
 * receiver asks: from the beginning of the segment, on the timeline that holds the position.  No
 * view and no slot tells as much, and what it answers is the same in all versions.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/member.h"

#define GONE_STATE "58P01" /* requested WAL segment ... has already been removed */
#define GONE_READ_MS 3000

/* The primary's timeline at lsn; 0: none. */
static uint32_t
gone_timeline(const struct holder *h, uint64_t lsn)
{
	for (size_t i = 0; i < h->history.n; i++)
		if (lsn < h->history.entry[i].lsn)
			return h->history.entry[i].timeline;
	return 0;
}

/* The stream begins well, and the first read of it does not. */
static int
gone_read(struct holder *h, const struct replication_stream *s, struct err *e)
{
	int64_t until = clock_boot_ms() + GONE_READ_MS, left_ms;
	struct replication_message m = {0};

	if (replication_start_streaming(h->r, s, e) < 0)
		return -1;
	while ((left_ms = until - clock_boot_ms()) > 0 && m.kind != REPLICATION_WAL &&
		m.kind != REPLICATION_ENDED)
		if (replication_read(h->r, &m, left_ms, e) < 0)
			return -1;
	return 0;
}

static int
gone_ask(struct holder *h, uint64_t lsn, bool *gone, struct err *e)
{
	struct replication_stream s = {.timeline = gone_timeline(h, lsn)};
	uint32_t segment_bytes;

	/* Who is ahead of it, or is asked while it is no primary, lacks nothing. */
	if (h->in_recovery || s.timeline == 0 || lsn > h->sys.lsn)
		return 0;
	if (replication_segment_bytes(h->r, &segment_bytes, e) < 0)
		return -1;
	s.lsn = lsn - lsn % segment_bytes;
	if (gone_read(h, &s, e) == 0)
		return 0;
	*gone = strcmp(replication_sqlstate(h->r), GONE_STATE) == 0;
	if (!*gone)
		return -1;
	log_debug("the primary lacks WAL", F_STR("error", e->msg));
	return 0;
}

int
member_gone(const struct member_target *t, uint64_t lsn, bool *gone, struct err *e)
{
	AUTO(holder_close) struct holder h = {0};

	*gone = false;
	return holder_open(&h, t, e) < 0 ? -1 : gone_ask(&h, lsn, gone, e);
}
