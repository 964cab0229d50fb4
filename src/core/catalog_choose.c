/*
 * catalog_choose - which backup to recover from, and the window that an archive covers.
 */
#include <stdio.h>
#include <string.h>

#include "core/catalog.h"
#include "core/when.h"

/* ---- timelines ---- */

/* The newest timeline below this one that the archive speaks of; 0: there is none. */
static uint32_t
timeline_below(const struct catalog *c, uint64_t limit)
{
	uint32_t best = 0;

	for (size_t i = 0; i < c->histories; i++)
		if (c->history[i].timeline < limit && c->history[i].timeline > best)
			best = c->history[i].timeline;
	for (size_t i = 0; i < c->runs; i++)
		if (c->run[i].timeline < limit && c->run[i].timeline > best)
			best = c->run[i].timeline;
	for (size_t i = 0; i < c->backups; i++)
		if (c->backup[i]->timeline < limit && c->backup[i]->timeline > best)
			best = c->backup[i]->timeline;
	return best;
}

static bool
wanted(const struct catalog_wish *wish, const struct backup_info *b)
{
	return !wish || !wish->backup_id || !*wish->backup_id ||
	       strcmp(wish->backup_id, b->id) == 0;
}

/* The newest usable backup along a line. */
static bool
newest_on(const struct catalog *c, const struct catalog_line *line, const struct catalog_wish *wish,
	struct catalog_path *out)
{
	for (size_t i = c->backups; i; i--)
		if (wanted(wish, c->backup[i - 1]) &&
			catalog_follow(c, c->backup[i - 1], line, out))
			return true;
	return false;
}

/* The line to follow: the wish's timeline, or the newest to which a usable backup leads. */
static bool
find_line(const struct catalog *c, const struct catalog_wish *wish, struct catalog_line *line,
	struct catalog_path *newest)
{
	uint64_t limit = (uint64_t)UINT32_MAX + 1;
	uint32_t timeline = wish ? wish->timeline : 0;

	if (timeline) {
		catalog_line_of(c, timeline, line);
		return newest_on(c, line, wish, newest);
	}
	while ((timeline = timeline_below(c, limit)) != 0) {
		catalog_line_of(c, timeline, line);
		if (newest_on(c, line, wish, newest))
			return true;
		limit = timeline;
	}
	return false;
}

/* The oldest backup from which the same end can be reached. */
static void
oldest_to(const struct catalog *c, const struct catalog_line *line, const struct catalog_wish *wish,
	const struct catalog_path *newest, struct catalog_path *out)
{
	for (size_t i = 0; i < c->backups; i++)
		if (wanted(wish, c->backup[i]) && catalog_follow(c, c->backup[i], line, out) &&
			out->end_lsn == newest->end_lsn)
			return;
	*out = *newest;
}

bool
catalog_window(const struct catalog *c, struct catalog_path *oldest, struct catalog_path *newest)
{
	struct catalog_line line;

	if (!c->segment_bytes || !find_line(c, NULL, &line, newest))
		return false;
	oldest_to(c, &line, NULL, newest, oldest);
	return true;
}

/* ---- choosing ---- */

/* Whether replay from this backup can stop at the target: it must be consistent before. */
static bool
begins_before(const struct catalog_wish *wish, const struct backup_info *b)
{
	if (wish->target == TARGET_TIME)
		return b->end_us <= wish->time_us;
	return wish->target != TARGET_LSN || b->end_lsn <= wish->lsn;
}

static bool
reaches(const struct catalog_wish *wish, const struct catalog_path *p)
{
	if (wish->target == TARGET_TIME)
		return p->to_us >= wish->time_us;
	return wish->target != TARGET_LSN || p->end_lsn > wish->lsn;
}

static void
say_target(const struct catalog_wish *wish, char *out, size_t size)
{
	char text[WHEN_TEXT_SIZE];

	if (wish->target == TARGET_TIME)
		snprintf(out, size, "%s", when_text(wish->time_us, text));
	else
		lineage_lsn_text(wish->lsn, out);
}

static int
outside(const struct catalog *c, const struct catalog_wish *wish, const struct catalog_line *line,
	const struct catalog_path *newest, struct err *e)
{
	char target[WHEN_TEXT_SIZE], from[WHEN_TEXT_SIZE], to[WHEN_TEXT_SIZE];
	char from_lsn[LINEAGE_LSN_SIZE], to_lsn[LINEAGE_LSN_SIZE];
	struct catalog_path oldest;

	oldest_to(c, line, wish, newest, &oldest);
	say_target(wish, target, sizeof(target));
	return err_set(e, ERR_UNMET,
		"%s is outside the window of timeline %u: it reaches from %s (%s, backup %s) to %s "
		"(%s, segment %s)%s",
		target, newest->timeline, when_text(oldest.from_us, from),
		lineage_lsn_text(oldest.backup->end_lsn, from_lsn), oldest.backup->id,
		when_text(newest->to_us, to), lineage_lsn_text(newest->end_lsn, to_lsn),
		newest->last_wal, c->gaps ? "; WAL was dropped while the store failed" : "");
}

/* Nothing can be followed: say of the newest candidate why. */
static int
unusable(const struct catalog *c, const struct catalog_wish *wish, struct err *e)
{
	const struct backup_info *b = NULL;

	for (size_t i = c->backups; i && !b; i--)
		if (c->backup[i - 1]->status == BACKUP_DONE && wanted(wish, c->backup[i - 1]))
			b = c->backup[i - 1];
	if (!b && wish->backup_id && *wish->backup_id) {
		b = catalog_find(c, wish->backup_id);
		if (b)
			return err_set(e, ERR_NOTFOUND, "backup %s is %s, not DONE", b->id,
				backup_status_text(b->status));
		return err_set(e, ERR_NOTFOUND, "no backup %s", wish->backup_id);
	}
	if (!b)
		return err_set(e, ERR_NOTFOUND, "no finished backup");
	if (!catalog_chain_ok(c, b))
		return err_set(e, ERR_NOTFOUND,
			"no usable backup: of %s, which is incremental, a parent is missing",
			b->id);
	if (wish->timeline && wish->timeline != b->timeline)
		return err_set(e, ERR_UNMET,
			"no backup leads to timeline %u: the newest, %s, is of timeline %u",
			wish->timeline, b->id, b->timeline);
	return err_set(e, ERR_NOTFOUND,
		"no usable backup: of the newest, %s, WAL is missing between %s and %s", b->id,
		b->begin_wal, b->end_wal);
}

int
catalog_choose(const struct catalog *c, const struct catalog_wish *wish, struct catalog_path *out,
	struct err *e)
{
	struct catalog_path newest;
	struct catalog_line line;

	if (!c->segment_bytes || !find_line(c, wish, &line, &newest))
		return unusable(c, wish, e);
	if (wish->target == TARGET_XID || wish->target == TARGET_NAME) {
		oldest_to(c, &line, wish, &newest, out);
		return 0;
	}
	for (size_t i = c->backups; i; i--) {
		const struct backup_info *b = c->backup[i - 1];

		if (!wanted(wish, b) || !begins_before(wish, b) ||
			!catalog_follow(c, b, &line, out))
			continue;
		if (reaches(wish, out))
			return 0;
	}
	return outside(c, wish, &line, &newest, e);
}
