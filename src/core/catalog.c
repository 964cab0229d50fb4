/*
 * catalog - how recovery runs through an archive: lines of timelines and runs of segments.
 *
 * The rule which file recovery reads is PostgreSQL's (xlogrecovery.c, XLogFileReadAnyTLI): of the
 * timelines that lead to the wanted one the newest whose first segment is not after this one; where
 * that file is not there, an older one's, which ends where the newer timeline left it.
 */
#include "core/catalog.h"

#include <string.h>

uint64_t
catalog_segment(const struct catalog *c, uint64_t lsn)
{
	return lsn / c->segment_bytes;
}

static const struct catalog_history *
history_of(const struct catalog *c, uint32_t timeline)
{
	for (size_t i = 0; i < c->histories; i++)
		if (c->history[i].timeline == timeline)
			return &c->history[i];
	return NULL;
}

void
catalog_line_of(const struct catalog *c, uint32_t timeline, struct catalog_line *out)
{
	const struct catalog_history *h = history_of(c, timeline);
	size_t n = h ? h->line.n : 0, skip = n >= CATALOG_LEGS ? n - CATALOG_LEGS + 1 : 0;
	uint64_t from = 0;

	out->n = 0;
	for (size_t i = 0; i < n; i++) {
		if (i >= skip)
			out->leg[out->n++] = (struct catalog_leg){
				h->line.entry[i].timeline, catalog_segment(c, from), from};
		from = h->line.entry[i].lsn;
	}
	out->leg[out->n++] = (struct catalog_leg){timeline, catalog_segment(c, from), from};
}

/* The leg of a timeline; n when it is not part of the line. */
static size_t
leg_of(const struct catalog_line *line, uint32_t timeline)
{
	size_t i;

	for (i = 0; i < line->n && line->leg[i].timeline != timeline; i++)
		;
	return i;
}

bool
catalog_leads(const struct backup_info *b, const struct catalog_line *line)
{
	size_t i = leg_of(line, b->timeline);

	if (i == line->n)
		return false;
	return i + 1 == line->n || b->end_lsn <= line->leg[i + 1].from;
}

/* Runs are sorted by timeline and first. */
const struct catalog_run *
catalog_run_of(const struct catalog *c, uint32_t timeline, uint64_t segment)
{
	size_t low = 0, high = c->runs, mid;
	const struct catalog_run *r;

	while (low < high) {
		mid = low + (high - low) / 2;
		r = &c->run[mid];
		if (r->timeline < timeline || (r->timeline == timeline && r->last < segment))
			low = mid + 1;
		else
			high = mid;
	}
	r = low < c->runs ? &c->run[low] : NULL;
	return r && r->timeline == timeline && r->first <= segment ? r : NULL;
}

const struct backup_info *
catalog_find(const struct catalog *c, const char *id)
{
	for (size_t i = 0; i < c->backups; i++)
		if (strcmp(c->backup[i]->id, id) == 0)
			return c->backup[i];
	return NULL;
}

bool
catalog_chain_ok(const struct catalog *c, const struct backup_info *b)
{
	for (size_t i = 0; b && *b->parent; i++) {
		if (i == c->backups)
			return false; /* they go in a circle */
		b = catalog_find(c, b->parent);
		if (!b || b->status != BACKUP_DONE)
			return false;
	}
	return b != NULL;
}

/* ---- following ---- */

struct walk {
	const struct catalog *c;
	const struct catalog_line *line;
	const struct catalog_run *last;  /* the run that was read last */
	const struct catalog_tail *tail; /* what was read after it */
	uint64_t at;                     /* the first segment not read yet */
	uint64_t end_lsn;                /* the first byte that is not there */
};

static size_t
leg_at(const struct catalog_line *line, uint64_t segment)
{
	size_t i = line->n - 1;

	while (i > 0 && line->leg[i].first > segment)
		i--;
	return i;
}

static uint64_t
end_of(const struct catalog *c, uint64_t segment)
{
	uint64_t end = (segment + 1) * c->segment_bytes;

	return end ? end : UINT64_MAX; /* the very last segment there can be */
}

/* Reads as far as one run goes on this leg.  False: nothing more is there. */
static bool
walk_leg(struct walk *w)
{
	size_t i = leg_at(w->line, w->at);
	const struct catalog_leg *leg = &w->line->leg[i];
	const struct catalog_run *r = catalog_run_of(w->c, leg->timeline, w->at);
	uint64_t last;

	if (!r)
		return false;
	last = r->last;
	if (i + 1 < w->line->n && last >= leg[1].first)
		last = leg[1].first - 1;
	w->last = r;
	w->end_lsn = end_of(w->c, last);
	w->at = last + 1;
	return w->at != 0;
}

/* The segment in which a timeline begins may be there as its parent's, up to the fork. */
static void
walk_fork(struct walk *w)
{
	size_t i = leg_at(w->line, w->at);
	const struct catalog_leg *leg = &w->line->leg[i];
	const struct catalog_run *r;

	if (i == 0 || leg->first != w->at || leg->from <= w->at * w->c->segment_bytes)
		return;
	r = catalog_run_of(w->c, leg[-1].timeline, w->at);
	if (!r)
		return;
	w->last = r;
	w->end_lsn = leg->from;
	w->at++;
}

/* Behind the last whole segment. */
static void
walk_tail(struct walk *w)
{
	uint32_t timeline = w->line->leg[leg_at(w->line, w->at)].timeline;
	const struct catalog_tail *t;

	for (size_t i = 0; i < w->c->tails; i++) {
		t = &w->c->tail[i];
		if (t->timeline != timeline || t->segment != w->at || t->end_lsn <= w->end_lsn)
			continue;
		w->tail = t;
		w->end_lsn = t->end_lsn;
		w->at++;
		return;
	}
}

static void
last_name(const struct walk *w, char out[LINEAGE_NAME_SIZE])
{
	out[0] = '\0';
	if (w->tail)
		lineage_name(w->tail->timeline, w->tail->segment * w->c->segment_bytes,
			w->c->segment_bytes, out);
	else if (w->last)
		lineage_name(w->last->timeline, (w->at - 1) * w->c->segment_bytes,
			w->c->segment_bytes, out);
}

bool
catalog_follow(const struct catalog *c, const struct backup_info *b,
	const struct catalog_line *line, struct catalog_path *out)
{
	struct walk w = {.c = c, .line = line};

	if (b->status != BACKUP_DONE || b->segment_bytes != c->segment_bytes ||
		!catalog_leads(b, line) || !catalog_chain_ok(c, b))
		return false;
	w.at = catalog_segment(c, b->begin_lsn);
	while (walk_leg(&w))
		;
	walk_tail(&w);
	if (!w.tail)
		walk_fork(&w);
	if ((!w.last && !w.tail) || w.end_lsn < b->end_lsn)
		return false;
	*out = (struct catalog_path){.backup = b,
		.timeline = line->leg[line->n - 1].timeline,
		.end_lsn = w.end_lsn,
		.from_us = b->end_us,
		.to_us = w.tail ? w.tail->stored_us : w.last->last_modified_us};
	last_name(&w, out->last_wal);
	return true;
}
