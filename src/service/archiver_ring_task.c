/*
 * archiver_ring_task - what the workers should fetch, and what follows from how it ended.
 *
 * Process: archiver.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "service/archiver_ring_impl.h"

#define RING_ABSENT_NS (2 * SEC_MS * MS_NS)
#define RING_PATIENCE_MS (5 * 60 * SEC_MS)
#define RING_PAUSE_MS (1 * SEC_MS)
#define RING_PAUSE_MAX_MS (10 * SEC_MS)
#define RING_BUSY_MS 100
#define RING_TASK_MS (2 * 60 * SEC_MS)   /* and a second for each MiB of a segment */
#define RING_HOLD_MS (5 * SEC_MS)        /* after a failure nothing is fetched ahead for so long */
#define RING_HOLD_SPACE_MS (30 * SEC_MS) /* after one for want of space */
#define RING_DAMAGES 3                   /* rounds that end with a damaged object */

static void
absent_put(struct ring *r, const char name[64])
{
	struct ring_absent *a = &r->absent[r->absents++ % RING_ABSENTS];

	memcpy(a->name, name, sizeof(a->name));
	a->until_ns = r->now_ns + RING_ABSENT_NS;
}

int
ring_running(const struct ring *r)
{
	int n = 0;

	for (int i = 0; i < RING_SLOTS; i++)
		n += r->slot[i].state == SLOT_RUNNING;
	return n;
}

/* What somebody waits for first, then the others in their order. */
static struct ring_slot *
next_slot(struct ring *r)
{
	struct ring_slot *next = NULL;
	bool awaited = false;

	for (int i = 0; i < RING_SLOTS; i++) {
		struct ring_slot *s = &r->slot[i];
		bool more;

		if (s->state != SLOT_WANTED)
			continue;
		more = ring_awaited(r, s);
		if (!next || (more && !awaited) ||
			(more == awaited && strcmp(s->name + 8, next->name + 8) < 0)) {
			next = s;
			awaited = more;
		}
	}
	if (next && !awaited && ring_running(r) >= (r->spec.parallel > 0 ? r->spec.parallel : 1))
		return NULL;
	return next;
}

bool
ring_next(struct ring *r, struct archiver_task *task, bool *ahead)
{
	struct ring_slot *s = next_slot(r);
	int64_t ms = RING_TASK_MS + (r->segment_bytes >> 20) * SEC_MS;
	int n;

	if (!s)
		return false;
	s->state = SLOT_RUNNING;
	s->task = RING_ID | ++r->next_id;
	n = snprintf(s->path, sizeof(s->path), "%s/%s/%s.%llx", r->place[s->place].dir, RING_DIR,
		s->name, (unsigned long long)r->next_id);
	*task = (struct archiver_task){.id = s->task,
		.kind = TASK_FETCH,
		.source = r->spec.source[s->source],
		.flag = true, /* a partial one is better than none */
		.ahead = !ring_awaited(r, s),
		.system_id = r->spec.system_id,
		.segment_bytes = r->spec.segment_bytes,
		.deadline_ns = r->now_ns + ms * MS_NS};
	memcpy(task->name, s->name, sizeof(task->name));
	if (n < 0 || (size_t)n >= sizeof(task->path))
		task->path[0] = '\0'; /* the worker will say that it cannot be */
	else
		memcpy(task->path, s->path, sizeof(task->path));
	if (ahead)
		*ahead = task->ahead;
	return true;
}

/* ---- how they ended ---- */

static void
done_ready(struct ring *r, struct ring_slot *s, const struct archiver_done *d)
{
	struct ring_waiter *w = ring_waiter_of(r, s);
	struct ring_verdict v = {.hit = false};
	struct archive_name n;
	int place = s->place;
	char name[64];

	memcpy(name, s->name, sizeof(name));
	s->state = SLOT_READY;
	s->bytes = d->bytes;
	if (r->segment_bytes == 0 && archive_name_parse(s->name, &n) == ARCHIVE_SEGMENT &&
		d->bytes > 0 && d->bytes <= INT64_C(1) << 30)
		r->segment_bytes = (uint32_t)d->bytes;
	if (!w)
		return;
	s->ahead = false; /* somebody had to wait for it */
	memcpy(v.name, name, sizeof(v.name));
	ring_slot_serve(r, s, w->dest, &v);
	ring_verdict_queue(r, w, &v);
	w = ring_waiter_of(r, s);
	if (w && !ring_slot_new(r, place, name)) {
		ring_verdict_set(&v, RING_FAILED, "too many requests at once");
		ring_verdict_queue(r, w, &v);
	}
	ring_follow(r, place, name);
}

/* All sources were asked and none had it. */
static void
done_round(struct ring *r, struct ring_slot *s)
{
	int64_t patience = r->spec.patience_ms ? r->spec.patience_ms : RING_PATIENCE_MS;

	if (!s->doubt) {
		absent_put(r, s->name);
		ring_slot_end(r, s, RING_ABSENT, "");
		return;
	}
	if (!ring_awaited(r, s)) {
		ring_slot_drop(r, s);
		return;
	}
	s->damages += s->damaged;
	if (r->now_ns - s->since_ns >= patience * MS_NS || s->damages >= RING_DAMAGES) {
		ring_slot_end(r, s, RING_FAILED, s->why);
		return;
	}
	s->pause_ms = s->pause_ms ? s->pause_ms * 2 : RING_PAUSE_MS;
	s->pause_ms = s->pause_ms < RING_PAUSE_MAX_MS ? s->pause_ms : RING_PAUSE_MAX_MS;
	s->retry_ns = r->now_ns + s->pause_ms * MS_NS;
	s->state = SLOT_PAUSED;
	s->source = 0;
	s->doubt = s->damaged = false;
}

static void
done_failed(struct ring *r, struct ring_slot *s, const struct archiver_done *d)
{
	if (d->err_kind != ERR_NOTFOUND) {
		int64_t hold = d->err_kind == ERR_SPACE ? RING_HOLD_SPACE_MS : RING_HOLD_MS;

		s->doubt = true;
		s->damaged = s->damaged || d->err_kind == ERR_CORRUPT;
		snprintf(s->why, sizeof(s->why), "%.64s%s%.440s",
			r->spec.labels ? r->spec.labels[s->source] : "", r->spec.labels ? ": " : "",
			d->msg);
		r->ahead_after_ns = r->now_ns + hold * MS_NS;
	}
	s->state = SLOT_WANTED;
	if (++s->source >= r->spec.sources)
		done_round(r, s);
}

static struct ring_slot *
slot_of_task(struct ring *r, uint64_t task)
{
	for (int i = 0; i < RING_SLOTS; i++)
		if (r->slot[i].state == SLOT_RUNNING && r->slot[i].task == task)
			return &r->slot[i];
	return NULL;
}

bool
ring_done(struct ring *r, const struct archiver_done *done)
{
	struct ring_slot *s = slot_of_task(r, done->id);

	if (!s)
		return (done->id & RING_ID) != 0;
	if (s->stale) {
		if (done->err_kind == ERR_NONE)
			r->spec.ops->drop(r->spec.arg, s->path);
		s->state = SLOT_FREE;
		s->stale = false;
	} else if (done->err_kind == ERR_BUSY) {
		s->state = SLOT_PAUSED;
		s->retry_ns = r->now_ns + RING_BUSY_MS * MS_NS;
	} else if (done->err_kind == ERR_NONE) {
		done_ready(r, s, done);
	} else {
		done_failed(r, s, done);
	}
	return true;
}
