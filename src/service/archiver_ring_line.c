/*
 * archiver_ring_line - which timeline postgres follows, and what of the others it must not get.
 *
 * Process: archiver.  PostgreSQL (xlogrecovery.c: XLogFileReadAnyTLI, rescanLatestTimeLine) asks
 * for a segment on the newest timeline of its history first and then on the older ones, and does
 * not look whether the older one had been left by then.  So a segment that an old primary went on
 * to write after the switch would be replayed; here it is not there.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "service/archiver_ring_impl.h"

void
ring_line_deinit(struct ring_line *l)
{
	free(l->leave);
	*l = (struct ring_line){0};
}

bool
ring_segment(const struct ring *r, const char *name, uint32_t *timeline, uint64_t *segment)
{
	uint64_t lsn;

	if (r->segment_bytes == 0 || !lineage_name_parse(name, r->segment_bytes, timeline, &lsn))
		return false;
	*segment = lsn / r->segment_bytes;
	return true;
}

static const struct ring_leave *
line_leave(const struct ring_leave *leave, size_t n, uint32_t timeline)
{
	for (size_t i = 0; i < n; i++)
		if (leave[i].timeline == timeline)
			return &leave[i];
	return NULL;
}

/* ---- which one ---- */

/* Returns the ancestors, oldest first; NULL: the text is no history. */
static struct ring_leave *
line_parse(const struct buf *text, size_t *n)
{
	struct lineage_history h = {.max = 1};
	AUTO(free) struct lineage_entry *entry = NULL;
	struct ring_leave *leave;
	struct err e;

	for (size_t i = 0; i < text->len; i++)
		h.max += text->data[i] == '\n';
	h.max = h.max < RING_LEAVES ? h.max : RING_LEAVES;
	h.entry = entry = calloc(h.max, sizeof(*entry));
	if (!entry || lineage_history_parse(buf_str(text), text->len, &h, &e) < 0)
		return NULL;
	leave = calloc(h.n ? h.n : 1, sizeof(*leave));
	for (size_t i = 0; leave && i < h.n; i++)
		leave[i] = (struct ring_leave){entry[i].timeline, entry[i].lsn};
	*n = h.n;
	return leave;
}

/*
 * As rescanLatestTimeLine: a child of the one followed, left not before what was replayed.  How far
 * that is, only what was handed over tells, so one segment of doubt counts for the new one: to give
 * too little to somebody who has gone astray is better than to give the wrong thing.
 */
static bool
line_accepts(const struct ring *r, const struct ring_line *l, uint32_t timeline,
	const struct ring_leave *leave, size_t n)
{
	const struct ring_leave *left;

	if (l->timeline == 0 || timeline == l->timeline)
		return true;
	if (timeline < l->timeline)
		return false;
	left = line_leave(leave, n, l->timeline);
	return left && left->lsn + r->segment_bytes >= l->served;
}

void
ring_line_history(struct ring *r, struct ring_place *p, uint32_t timeline, const struct buf *text)
{
	AUTO(free) struct ring_leave *leave = NULL;
	struct ring_line *l = &p->line;
	size_t n;

	leave = line_parse(text, &n);
	if (!leave || !line_accepts(r, l, timeline, leave, n))
		return;
	if (timeline != l->timeline)
		l->served = 0;
	free(l->leave);
	l->leave = take(leave);
	l->n = n;
	l->timeline = timeline;
}

void
ring_line_look(struct ring *r, struct ring_place *p, uint32_t timeline)
{
	AUTO(buf_deinit) struct buf text = {0};
	char path[PATH_LEN + 32];
	struct err e;

	if (timeline <= 1 || timeline <= p->line.timeline || timeline <= p->line.looked)
		return;
	p->line.looked = timeline;
	snprintf(path, sizeof(path), "%s/%08X.history", p->dir, timeline);
	if (r->spec.ops->read(r->spec.arg, path, &text, &e) == 0)
		ring_line_history(r, p, timeline, &text);
}

/* ---- what follows from it ---- */

static const struct ring_leave *
line_of_segment(const struct ring *r, const struct ring_place *p, const char *name, uint64_t *begin)
{
	uint32_t timeline;
	uint64_t segment;

	if (p->line.timeline == 0 || !ring_segment(r, name, &timeline, &segment))
		return NULL;
	*begin = segment * r->segment_bytes;
	return line_leave(p->line.leave, p->line.n, timeline);
}

bool
ring_line_denies(const struct ring *r, const struct ring_place *p, const char *name)
{
	uint64_t begin;
	const struct ring_leave *left = line_of_segment(r, p, name, &begin);

	return left && begin >= left->lsn;
}

uint32_t
ring_line_cut(const struct ring *r, const struct ring_place *p, const char *name)
{
	uint64_t begin;
	const struct ring_leave *left = line_of_segment(r, p, name, &begin);

	if (!left || left->lsn <= begin || left->lsn >= begin + r->segment_bytes)
		return 0;
	return (uint32_t)(left->lsn - begin);
}

void
ring_line_name(const struct ring *r, const struct ring_place *p, uint64_t segment,
	char out[LINEAGE_NAME_SIZE])
{
	const struct ring_line *l = &p->line;
	uint32_t timeline = l->timeline;

	/* The newest that had begun by the end of this segment. */
	for (size_t i = l->n; i > 0; i--) {
		if (segment >= l->leave[i - 1].lsn / r->segment_bytes)
			break;
		timeline = l->leave[i - 1].timeline;
	}
	if (timeline < p->at_timeline)
		timeline = p->at_timeline;
	lineage_name(timeline, segment * r->segment_bytes, r->segment_bytes, out);
}
