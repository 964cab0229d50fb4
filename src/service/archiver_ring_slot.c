/*
 * archiver_ring_slot - the files the ring holds or has under way, and which should be next.
 *
 * Process: archiver.
 */
#include <stdio.h>
#include <string.h>

#include "service/archiver_ring_impl.h"

#define RING_BYTES ((int64_t)1 << 30)

bool
ring_awaited(const struct ring *r, const struct ring_slot *s)
{
	for (int i = 0; i < RING_WAITERS; i++)
		if (r->waiter[i].who && r->waiter[i].place == s->place &&
			strcmp(r->waiter[i].name, s->name) == 0)
			return true;
	return false;
}

struct ring_slot *
ring_slot_find(struct ring *r, int place, const char *name)
{
	for (int i = 0; i < RING_SLOTS; i++) {
		struct ring_slot *s = &r->slot[i];

		if (s->state != SLOT_FREE && !s->stale && s->place == place &&
			strcmp(s->name, name) == 0)
			return s;
	}
	return NULL;
}

void
ring_slot_drop(struct ring *r, struct ring_slot *s)
{
	if (s->state == SLOT_RUNNING) {
		s->stale = true; /* the worker still writes there */
		return;
	}
	if (s->state == SLOT_READY)
		r->spec.ops->drop(r->spec.arg, s->path);
	s->state = SLOT_FREE;
	s->stale = false;
}

static struct ring_slot *
slot_spare(struct ring *r)
{
	struct ring_slot *spare = NULL;

	for (int i = 0; i < RING_SLOTS; i++) {
		struct ring_slot *s = &r->slot[i];

		if (s->state == SLOT_FREE)
			return s;
		if (s->state != SLOT_RUNNING && !ring_awaited(r, s) &&
			(!spare || strcmp(s->name, spare->name) > 0))
			spare = s;
	}
	if (spare)
		ring_slot_drop(r, spare);
	return spare;
}

struct ring_slot *
ring_slot_new(struct ring *r, int place, const char *name)
{
	struct ring_slot *s = slot_spare(r);

	if (!s)
		return NULL;
	*s = (struct ring_slot){.state = SLOT_WANTED, .place = place, .since_ns = r->now_ns};
	snprintf(s->name, sizeof(s->name), "%s", name);
	return s;
}

int
ring_depth_limit(const struct ring *r)
{
	int64_t limit = 2 * (int64_t)(r->spec.parallel > 0 ? r->spec.parallel : 1);

	if (r->segment_bytes && limit > RING_BYTES / r->segment_bytes)
		limit = RING_BYTES / r->segment_bytes;
	if (limit > RING_SLOTS - RING_WAITERS)
		limit = RING_SLOTS - RING_WAITERS;
	return limit > 1 ? (int)limit : 1;
}

/* What postgres has passed, or what lies beyond what it may ask for next, is of no use. */
static void
slot_sweep(struct ring *r, int place)
{
	const struct ring_place *p = &r->place[place];
	uint64_t limit = (uint64_t)ring_depth_limit(r), segment;
	uint32_t timeline;

	for (int i = 0; i < RING_SLOTS; i++) {
		struct ring_slot *s = &r->slot[i];

		if (s->state == SLOT_FREE || s->stale || s->place != place || ring_awaited(r, s) ||
			!ring_segment(r, s->name, &timeline, &segment))
			continue;
		if (segment < p->at || segment > p->at + limit || ring_line_denies(r, p, s->name))
			ring_slot_drop(r, s);
	}
}

void
ring_slot_plan(struct ring *r, int place)
{
	struct ring_place *p = &r->place[place];
	char name[LINEAGE_NAME_SIZE];
	int limit = ring_depth_limit(r);

	if (!p->at_known || r->segment_bytes == 0)
		return;
	slot_sweep(r, place);
	p->depth = p->depth < limit ? p->depth : limit;
	for (int k = 1; k <= p->depth && r->now_ns >= r->ahead_after_ns; k++) {
		struct ring_slot *s;

		ring_line_name(r, p, p->at + (uint64_t)k, name);
		if (ring_absent_known(r, name))
			return;
		if (ring_slot_find(r, place, name))
			continue;
		s = ring_slot_new(r, place, name);
		if (!s)
			return;
		s->ahead = true;
	}
}
