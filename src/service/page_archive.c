/*
 * page_archive - the page: what is in the archive, what is not yet, and what can be recovered.
 *
 * Process: api.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/quantity.h"
#include "service/page.h"

static const struct {
	const char *says;
	enum page_mood mood;
} states[] = {
	[ARCHIVE_STATE_NONE] = {"nothing is archived: no store is configured", PAGE_WARN},
	[ARCHIVE_STATE_STARTING] = {"the store was not asked yet", PAGE_PLAIN},
	[ARCHIVE_STATE_OK] = {"ok", PAGE_GOOD},
	[ARCHIVE_STATE_FAILING] = {"failing; it is tried again", PAGE_BAD},
	[ARCHIVE_STATE_FOREIGN] = {"the folder belongs to another cluster: nothing is written",
		PAGE_BAD},
	[ARCHIVE_STATE_CONFLICT] = {"other bytes stand under a segment's name: two primaries?",
		PAGE_BAD},
};

static void
archive_exposure(const struct page_in *in, struct buf *out)
{
	const struct archive_facts *f = &in->v->archive;
	int64_t ms = page_since_ms(in, f->exposed_wall_us);
	char span[DURATION_SIZE], when[PAGE_WHEN_SIZE];

	if (f->exposed_wall_us)
		page_fact(out, "Not archived", ms > 600000 ? PAGE_WARN : PAGE_PLAIN,
			"WAL of the last %s", duration_text(ms > 0 ? ms : 0, span));
	else
		page_fact(out, "Not archived", PAGE_GOOD, "nothing");
	if (f->queue < 0)
		page_fact(out, "Queue", PAGE_PLAIN, "unknown");
	else if (f->oldest_ready_wall_us)
		page_fact(out, "Queue", PAGE_PLAIN, "%" PRId64 " files, the oldest from %s",
			f->queue, page_when(in, f->oldest_ready_wall_us, when));
	else
		page_fact(out, "Queue", PAGE_PLAIN, "%" PRId64 " files", f->queue);
}

static void
archive_last(const struct page_in *in, struct buf *out)
{
	const struct archive_facts *f = &in->v->archive;
	char when[PAGE_WHEN_SIZE];

	page_fact(out, "Last archived", PAGE_PLAIN, "%s%s%s",
		*f->last_archived ? f->last_archived : "nothing", *f->last_archived ? ", " : "",
		*f->last_archived ? page_when(in, f->last_archived_wall_us, when) : "");
	page_fact(out, "Last failure", PAGE_PLAIN, "%s%s%s",
		*f->last_failed ? f->last_failed : "none", *f->last_failed ? ", " : "",
		*f->last_failed ? page_when(in, f->last_failed_wall_us, when) : "");
	page_fact(out, "Since the start", PAGE_PLAIN, "%" PRIu64 " archived, %" PRIu64 " failed",
		f->archived, f->failed);
}

static void
archive_trouble(const struct page_in *in, struct buf *out)
{
	const struct archive_facts *f = &in->v->archive;

	if (*f->problem)
		page_fact(out, "Failing", PAGE_BAD, "%s%s%s", f->problem, *f->hint ? ": " : "",
			f->hint);
	if (f->failing_wall_us)
		page_fact_time(in, out, "Failing since", f->failing_wall_us);
	if (*f->owner)
		page_fact(out, "Owner", PAGE_PLAIN, "%s", f->owner);
	if (*f->conflict)
		page_fact(out, "Conflict", PAGE_BAD, "segment %s", f->conflict);
	if (f->gaps)
		page_fact(out, "Gaps", PAGE_BAD, "%" PRIu64, f->gaps);
}

void
page_archive(const struct page_in *in, struct buf *out)
{
	const struct archive_facts *f = &in->v->archive;
	char lsn[PAGE_LSN_SIZE];

	page_facts_open(out);
	if (in->v->stamp_ns[SEC_ARCHIVE] == 0 || f->state >= ARRAY_LEN(states))
		page_fact(out, "State", PAGE_PLAIN, "unknown: the archiver has said nothing yet");
	else
		page_fact(out, "State", states[f->state].mood, "%s", states[f->state].says);
	if (f->state != ARCHIVE_STATE_NONE) {
		page_fact(out, "Destination", PAGE_PLAIN, "%s", f->destination);
		archive_exposure(in, out);
		archive_last(in, out);
		if (f->continuous_lsn)
			page_fact(out, "Continuously up to", PAGE_PLAIN, "%s",
				page_lsn(f->continuous_lsn, lsn));
	}
	archive_trouble(in, out);
	page_facts_close(out);
}

/* ---- backups ---- */

static void
backups_last(const struct page_in *in, struct buf *out)
{
	const struct archive_facts *f = &in->v->archive;
	char when[PAGE_WHEN_SIZE], size[QUANTITY_SIZE], span[DURATION_SIZE];

	if (*f->last_backup)
		page_fact(out, "Last backup", PAGE_PLAIN, "%s, %s, %s, took %s", f->last_backup,
			page_when(in, f->last_backup_wall_us, when),
			quantity_text((double)f->last_backup_stored, size),
			duration_text(f->last_backup_ms, span));
	else
		page_fact(out, "Last backup", f->catalog_wall_us ? PAGE_WARN : PAGE_PLAIN, "%s",
			f->catalog_wall_us ? "none" : "the catalogue was not read yet");
	if (*f->last_failed_backup)
		page_fact(out, "Last that failed", PAGE_WARN, "%s, %s", f->last_failed_backup,
			page_when(in, f->last_failed_backup_wall_us, when));
	page_fact(out, "Backups", PAGE_PLAIN, "%" PRId32, f->backups);
	if (f->next_backup_wall_us)
		page_fact_time(in, out, "Next", f->next_backup_wall_us);
	else
		page_fact(out, "Next", PAGE_PLAIN, "no schedule");
}

static void
backups_window(const struct page_in *in, struct buf *out)
{
	const struct archive_facts *f = &in->v->archive;
	char from[CLOCK_RFC3339_SIZE], to[CLOCK_RFC3339_SIZE];

	if (f->first_point_wall_us)
		page_fact(out, "Can be recovered", f->broken_window ? PAGE_WARN : PAGE_GOOD,
			"from %s to %s", clock_rfc3339_sec(f->first_point_wall_us, from),
			clock_rfc3339_sec(f->last_point_wall_us, to));
	else
		page_fact(out, "Can be recovered", PAGE_WARN, "nothing that is known of");
	if (f->broken_window)
		page_fact(
			out, "Window", PAGE_BAD, "broken: WAL was dropped, a new backup is needed");
	if (f->drill_failed)
		page_fact(out, "Restore drill", PAGE_BAD, "the last one failed");
	page_fact_time(in, out, "Last restore drill that went well", f->drill_wall_us);
}

void
page_backups(const struct page_in *in, struct buf *out)
{
	if (in->v->archive.state == ARCHIVE_STATE_NONE) {
		buf_puts(out, "<p>None: no store is configured.</p>\n");
		return;
	}
	page_facts_open(out);
	backups_window(in, out);
	backups_last(in, out);
	page_facts_close(out);
}
