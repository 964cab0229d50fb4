/*
 * archiver_queue - which file of pg_wal goes out next.
 *
 * Process: archiver.  Fixed memory; a search goes over the items, whose number is small.
 */
#include "service/archiver_queue.h"

#include <stdio.h>
#include <string.h>

#include "core/lineage.h"

void
queue_init(struct queue *q, bool (*ready)(void *arg, const char *name), void *arg)
{
	memset(q, 0, sizeof(*q));
	q->ready = ready;
	q->arg = arg;
}

void
queue_clear(struct queue *q, uint32_t segment_bytes)
{
	memset(q->item, 0, sizeof(q->item));
	q->segment_bytes = segment_bytes;
	q->anchored = false;
	q->timeline = 0;
	q->cursor = 0;
}

void
queue_forget(struct queue_item *it)
{
	memset(it, 0, sizeof(*it));
}

void
queue_set(struct queue_item *it, enum queue_state state, int64_t now_ns)
{
	it->state = state;
	it->since_ns = now_ns;
	if (state != QUEUE_RUNNING)
		it->task = 0;
}

struct queue_item *
queue_find(struct queue *q, const char *name)
{
	for (size_t i = 0; i < QUEUE_ITEMS; i++)
		if (q->item[i].state != QUEUE_FREE && strcmp(q->item[i].name, name) == 0)
			return &q->item[i];
	return NULL;
}

/* A free item; else the one that was stored longest ago and that nobody has asked for. */
static struct queue_item *
queue_room(struct queue *q)
{
	struct queue_item *old = NULL;

	for (size_t i = 0; i < QUEUE_ITEMS; i++) {
		struct queue_item *it = &q->item[i];

		if (it->state == QUEUE_FREE)
			return it;
		if ((it->state == QUEUE_STORED || it->state == QUEUE_FAILED) && !it->asked &&
			(!old || it->since_ns < old->since_ns))
			old = it;
	}
	return old;
}

static struct queue_item *
queue_put(struct queue *q, const char *name, int64_t now_ns)
{
	struct queue_item *it;
	struct archive_name parsed;

	if (archive_name_parse(name, &parsed) == ARCHIVE_OTHER || strlen(name) >= sizeof(it->name))
		return NULL;
	it = queue_room(q);
	if (!it)
		return NULL;
	queue_forget(it);
	snprintf(it->name, sizeof(it->name), "%s", name);
	it->parsed = parsed;
	if (q->segment_bytes)
		it->number = parsed.log * (UINT64_C(0x100000000) / q->segment_bytes) + parsed.seg;
	queue_set(it, QUEUE_WAITING, now_ns);
	return it;
}

static bool
is_segment(const struct queue_item *it)
{
	return it->parsed.kind == ARCHIVE_SEGMENT;
}

struct queue_item *
queue_ask(struct queue *q, const char *name, int64_t now_ns)
{
	struct queue_item *it = queue_find(q, name);

	if (!it) {
		it = queue_put(q, name, now_ns);
		if (!it)
			return NULL;
		/* Not what was expected: PostgreSQL knows better where it stands. */
		if (is_segment(it)) {
			q->timeline = it->parsed.timeline;
			q->cursor = it->number + 1;
			q->anchored = true;
		}
	}
	it->asked = true;
	return it;
}

void
queue_found(struct queue *q, const char *name, int64_t now_ns)
{
	struct archive_name parsed;
	uint64_t number;

	if (archive_name_parse(name, &parsed) == ARCHIVE_OTHER || queue_find(q, name))
		return;
	if (parsed.kind != ARCHIVE_SEGMENT) {
		struct queue_item *it = queue_put(q, name, now_ns);

		if (it)
			it->scanned = true;
		return;
	}
	if (!q->segment_bytes)
		return;
	number = parsed.log * (UINT64_C(0x100000000) / q->segment_bytes) + parsed.seg;
	if (!q->anchored || parsed.timeline > q->timeline ||
		(parsed.timeline == q->timeline && number < q->cursor)) {
		q->timeline = parsed.timeline;
		q->cursor = number;
		q->anchored = true;
	}
}

void
queue_anchor(struct queue *q, uint32_t timeline, uint64_t lsn)
{
	if (q->anchored || !q->segment_bytes || !timeline)
		return;
	q->timeline = timeline;
	q->cursor = lsn / q->segment_bytes;
	q->anchored = true;
}

/* History files first: without them nobody finds the way to the timeline.  Then by name, which is
 * the order in which PostgreSQL asks. */
static bool
comes_before(const struct queue_item *a, const struct queue_item *b)
{
	bool ha = a->parsed.kind == ARCHIVE_HISTORY, hb = b->parsed.kind == ARCHIVE_HISTORY;

	if (a->asked != b->asked)
		return a->asked;
	if (ha != hb)
		return ha;
	return strcmp(a->name, b->name) < 0;
}

static struct queue_item *
queue_look_ahead(struct queue *q, int64_t now_ns)
{
	char name[LINEAGE_NAME_SIZE];
	struct queue_item *it;

	if (!q->ahead || !q->anchored || !q->segment_bytes ||
		queue_count(q, QUEUE_STORED) + queue_count(q, QUEUE_RUNNING) >= QUEUE_AHEAD)
		return NULL;
	lineage_name(q->timeline, q->cursor * q->segment_bytes, q->segment_bytes, name);
	it = queue_find(q, name);
	if (it) { /* the cursor went back to where it had been */
		q->cursor++;
		return NULL;
	}
	if (!q->ready(q->arg, name))
		return NULL;
	it = queue_put(q, name, now_ns);
	if (it)
		q->cursor++;
	return it;
}

struct queue_item *
queue_next(struct queue *q, int64_t now_ns)
{
	struct queue_item *best = NULL;

	for (size_t i = 0; i < QUEUE_ITEMS; i++)
		if (q->item[i].state == QUEUE_WAITING && q->item[i].hold_ns <= now_ns &&
			(!best || comes_before(&q->item[i], best)))
			best = &q->item[i];
	return best ? best : queue_look_ahead(q, now_ns);
}

bool
queue_has_work(const struct queue *q)
{
	return queue_count(q, QUEUE_WAITING) + queue_count(q, QUEUE_RUNNING) > 0;
}

size_t
queue_count(const struct queue *q, enum queue_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < QUEUE_ITEMS; i++)
		n += q->item[i].state == state;
	return n;
}

uint64_t
queue_archived_lsn(const struct queue *q)
{
	uint64_t low = q->cursor;

	if (!q->anchored)
		return 0;
	for (size_t i = 0; i < QUEUE_ITEMS; i++) {
		const struct queue_item *it = &q->item[i];

		if (it->state != QUEUE_FREE && it->state != QUEUE_STORED && is_segment(it) &&
			it->parsed.timeline == q->timeline && it->number < low)
			low = it->number;
	}
	return low * q->segment_bytes;
}
