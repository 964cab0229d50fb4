/*
 * archiver_lease - of a cluster with several instances, who may archive, and what?
 *
 * Process: archiver.  Only the holder of the Lease sends, and only before V1, which the supervisor
 * stops postgres at, too: both count from the same instant on the board.  It is asked before each
 * upload; uploads that are under way when the time is over end at once, by the service and, should
 * that one stand still, by their own look at the board.  What is sent is on the history that the
 * Lease has published.
 *
 * A standby is asked as well (archive_mode is "always"): it says "done" about what the primary has
 * archived, and no earlier, so that whatever the primary did not come to is still here, and marked,
 * when this instance becomes the primary.
 */
#include "service/archiver_impl.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "sys/file.h"

#define HISTORY_BYTES (256 << 10)
#define HISTORY_AGAIN_MS 1000

bool
archiver_lease_on(const struct archiver *a)
{
	return a->s->opt->coordination == COORDINATION_KUBERNETES;
}

/* Also for a worker, which reads the board itself. */
bool
archiver_lease_holds(const struct archiver_hold *h)
{
	return h->until_ns > 0 && clock_boot_ns() < h->until_ns;
}

bool
archiver_may_write(const struct archiver *a)
{
	return archiver_is_primary(a) &&
	       (!archiver_lease_on(a) || archiver_lease_holds(&a->lease.hold));
}

/* An elector that was started again knows nothing yet; what was sent was sent. */
void
archiver_lease_read(struct archiver_hold *h, struct board *board)
{
	static struct elector_status el;

	shared_read(board, SEC_ELECTOR, &el);
	if (el.timeline) {
		h->timeline = el.timeline;
		h->switch_lsn = el.switch_lsn;
	}
	h->members = el.members;
	if (el.role == ELECTOR_FOLLOW || (el.known && el.role == ELECTOR_WAIT))
		h->until_ns = 0;
	else if (el.role == ELECTOR_LEAD)
		h->until_ns = el.sent_ns > 0 ? el.sent_ns + el.fast_ns : 0;
}

/* ---- the history of the Lease's timeline ---- */

static void
history_read(struct archiver *a)
{
	struct archiver_lease *l = &a->lease;
	AUTO(buf_deinit) struct buf text = {0};
	char path[FILE_PATH_MAX], name[24];
	struct err e;

	l->history = (struct lineage_history){.entry = l->entry, .max = ARCHIVER_ANCESTORS};
	l->history_of = l->hold.timeline;
	if (l->hold.timeline == 1)
		return;
	snprintf(name, sizeof(name), "%08X.history", l->hold.timeline);
	if (file_join(path, sizeof(path), a->wal_dir, name, &e) == 0 &&
		file_read(&text, path, HISTORY_BYTES, &e) == 0 &&
		lineage_history_parse(buf_str(&text), text.len, &l->history, &e) == 0)
		return;
	l->history_of = 0;
	l->history_again_ns = clock_boot_ns() + HISTORY_AGAIN_MS * MS_NS;
}

static const struct lineage_history *
history(struct archiver *a)
{
	struct archiver_lease *l = &a->lease;

	if (l->history_of != l->hold.timeline && clock_boot_ns() >= l->history_again_ns)
		history_read(a);
	return l->history_of == l->hold.timeline ? &l->history : NULL;
}

/* ---- one file ---- */

enum archiver_turn
archiver_turn(struct archiver *a, const struct queue_item *it)
{
	const struct archive_line_facts facts = {.timeline = a->lease.hold.timeline,
		.switch_lsn = a->lease.hold.switch_lsn,
		.segment_bytes = a->queue.segment_bytes,
		.history = history(a)};

	if (!archiver_lease_on(a))
		return ARCHIVER_SENDS;
	if (!facts.timeline || !facts.segment_bytes)
		return ARCHIVER_WAITS;
	if (archiver_is_primary(a) && !archiver_lease_holds(&a->lease.hold))
		return ARCHIVER_WAITS;
	switch (archive_line_judge(&it->parsed, &facts)) {
	case ARCHIVE_LINE_OFF:
		return ARCHIVER_DROPS;
	case ARCHIVE_LINE_ON:
		return archiver_is_primary(a) ? ARCHIVER_SENDS : ARCHIVER_LOOKS;
	default:
		return ARCHIVER_WAITS;
	}
}

/* ---- time ---- */

static void
lease_on_timer(struct loop_timer *t, void *arg)
{
	(void)t;
	archiver_lease_look(arg);
	archiver_pump(arg);
}

void
archiver_lease_init(struct archiver *a)
{
	loop_timer_init(&a->lease.timer, lease_on_timer, a);
}

void
archiver_lease_look(struct archiver *a)
{
	struct archiver_lease *l = &a->lease;
	bool held = l->held;

	if (!archiver_lease_on(a))
		return;
	archiver_lease_read(&l->hold, a->s->board);
	l->held = archiver_lease_holds(&l->hold);
	if (l->held) {
		loop_timer_at(a->s->loop, &l->timer, l->hold.until_ns);
		return;
	}
	loop_timer_off(&l->timer);
	if (!held)
		return;
	log_info("the Lease is not ours any more: nothing more is archived from here");
	archiver_uploads_kill(a, "the Lease is not ours any more");
}
