/*
 * retention_world - random archives: what a cluster and its mishaps leave behind.
 *
 * A world is a list of timelines with the segments that were stored and when, and of backups.  It
 * knows the truth, also where the catalogue that is made of it does not: the parent of a timeline
 * whose history was lost.  The same seed gives the same world.  Used by the unit test, which asks
 * an oracle, and by tests/system/retention_cases, whose output is replayed with real restores.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/retention.h"

#define WORLD_SEG (UINT32_C(16) << 20)
#define WORLD_LINES 6
#define WORLD_SEGMENTS 96
#define WORLD_BACKUPS 16
#define WORLD_START_US INT64_C(1795132800000000) /* 2026-11-20 */
#define WORLD_HOUR_US (INT64_C(3600) * 1000000)

struct world_line {
	uint32_t parent; /* 0: the first */
	uint64_t fork;   /* LSN */
	uint64_t at;     /* LSN of its end */
	bool there[WORLD_SEGMENTS];
	int64_t stored_us[WORLD_SEGMENTS];
	bool history_lost;
};

struct world {
	uint64_t state; /* of the random numbers */
	int64_t now_us;
	struct world_line line[WORLD_LINES + 1]; /* by timeline, from 1 */
	uint32_t lines, current;
	struct backup_info info[WORLD_BACKUPS];
	enum retention_keep keep[WORLD_BACKUPS];
	size_t backups, unreadables;
	struct retention_policy policy;
	/* what a catalogue borrows */
	const struct backup_info *backup[WORLD_BACKUPS];
	struct catalog_run run[WORLD_LINES * WORLD_SEGMENTS];
	struct lineage_entry entry[WORLD_LINES][WORLD_LINES];
	struct catalog_history history[WORLD_LINES];
	struct catalog c;
};

static inline uint32_t
world_random(struct world *w, uint32_t below)
{
	w->state = w->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(w->state >> 33) % below;
}

static inline bool
world_chance(struct world *w, uint32_t percent)
{
	return world_random(w, 100) < percent;
}

/* WAL is written on a timeline and each full segment stored. */
static inline void
world_write(struct world *w, uint32_t timeline, uint32_t segments)
{
	struct world_line *l = &w->line[timeline];
	uint64_t s;

	for (; segments; segments--) {
		s = l->at / WORLD_SEG;
		if (s + 1 >= WORLD_SEGMENTS)
			return;
		w->now_us += WORLD_HOUR_US / 2 + world_random(w, 600) * 1000000;
		l->there[s] = !world_chance(w, 1);
		l->stored_us[s] = w->now_us;
		l->at = (s + 1) * WORLD_SEG + 100 + world_random(w, WORLD_SEG - 200);
	}
}

static inline struct backup_info *
world_parent(struct world *w, const struct backup_info *b)
{
	struct backup_info *p = w->backups ? &w->info[w->backups - 1] : NULL;

	return p && p->status == BACKUP_DONE && p->timeline == b->timeline ? p : NULL;
}

static inline void
world_backup(struct world *w)
{
	struct world_line *l = &w->line[w->current];
	struct backup_info *b = &w->info[w->backups], *parent;

	if (w->backups == WORLD_BACKUPS || l->at / WORLD_SEG + 5 >= WORLD_SEGMENTS)
		return;
	*b = (struct backup_info){.timeline = w->current,
		.segment_bytes = WORLD_SEG,
		.begin_lsn = l->at,
		.begin_us = w->now_us,
		.status = BACKUP_DONE};
	backup_id_make(b->id, b->begin_us);
	parent = world_parent(w, b);
	if (parent && world_chance(w, 40))
		memcpy(b->parent, parent->id, sizeof(b->parent));
	world_write(w, w->current, world_random(w, 3));
	l->at += 50;
	b->end_lsn = l->at;
	b->end_us = w->now_us += 1000000;
	world_write(w, w->current, 1); /* pg_backup_stop() switches */
	lineage_name(b->timeline, b->begin_lsn, WORLD_SEG, b->begin_wal);
	lineage_name(b->timeline, b->end_lsn, WORLD_SEG, b->end_wal);
	if (world_chance(w, 10))
		b->status = BACKUP_FAILED;
	if (world_chance(w, 4))
		b->status = BACKUP_STARTED;
	if (b->status == BACKUP_STARTED && world_chance(w, 50))
		b->begin_lsn = 0;
	if (b->status != BACKUP_DONE)
		b->end_us = 0, b->end_lsn = 0;
	w->keep[w->backups] = world_chance(w, 90)   ? KEEP_NO
			      : world_chance(w, 50) ? KEEP_FULL
						    : KEEP_STANDALONE;
	w->backups++;
}

/* A promotion, or a recovery to an earlier point; the old timeline ends, or seldom goes on. */
static inline void
world_fork(struct world *w)
{
	uint32_t from = world_chance(w, 80) ? w->current : 1 + world_random(w, w->lines);
	struct world_line *l, *parent = &w->line[from];
	uint64_t back = world_chance(w, 50) ? 0 : (uint64_t)world_random(w, 8) * WORLD_SEG;

	if (w->lines == WORLD_LINES || parent->at < parent->fork + back + WORLD_SEG)
		return;
	l = &w->line[++w->lines];
	l->parent = from;
	l->fork = l->at = parent->at - back;
	l->history_lost = world_chance(w, 3);
	if (world_chance(w, 10))
		world_write(w, w->current, 1 + world_random(w, 4));
	w->current = w->lines;
}

/* What a catalogue says of it: histories, runs, backups. */
static inline void
world_histories(struct world *w)
{
	struct catalog_history *h;
	struct lineage_history *line;
	uint32_t t;

	for (uint32_t of = 2; of <= w->lines; of++) {
		if (w->line[of].history_lost)
			continue;
		h = &w->history[w->c.histories];
		line = &h->line;
		*h = (struct catalog_history){
			of, {.entry = w->entry[w->c.histories], .max = WORLD_LINES}};
		for (t = of; w->line[t].parent; t = w->line[t].parent)
			line->n++;
		t = of;
		for (size_t i = line->n; i; i--, t = w->line[t].parent)
			line->entry[i - 1] = (struct lineage_entry){
				.timeline = w->line[t].parent, .lsn = w->line[t].fork};
		w->c.histories++;
	}
}

static inline void
world_runs(struct world *w)
{
	struct catalog_run *r = NULL;

	w->c.runs = 0;
	for (uint32_t t = 1; t <= w->lines; t++) {
		r = NULL;
		for (uint64_t s = 0; s < WORLD_SEGMENTS; s++) {
			if (!w->line[t].there[s]) {
				r = NULL;
				continue;
			}
			if (!r) {
				r = &w->run[w->c.runs++];
				*r = (struct catalog_run){t, s, s, 0};
			}
			r->last = s;
			r->last_modified_us = w->line[t].stored_us[s];
		}
	}
}

static inline void
world_policy(struct world *w)
{
	w->policy = (struct retention_policy){.minimum = (int)world_random(w, 3)};
	if (world_chance(w, 60))
		w->policy.window_us = (int64_t)(1 + world_random(w, 40)) * WORLD_HOUR_US;
	else
		w->policy.redundancy = 1 + (int)world_random(w, 4);
}

static inline void
world_make(struct world *w, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
	w->now_us = WORLD_START_US;
	w->lines = w->current = 1;
	w->line[1].at = WORLD_SEG + 200;
	world_write(w, 1, 2);
	for (uint32_t events = 3 + world_random(w, 22); events; events--) {
		if (world_chance(w, 40))
			world_backup(w);
		else if (world_chance(w, 25))
			world_fork(w);
		else
			world_write(w, w->current, 1 + world_random(w, 6));
	}
	w->now_us += world_chance(w, 80) ? 0 : world_random(w, 300) * WORLD_HOUR_US;
	w->unreadables = world_chance(w, 3);
	world_policy(w);
	for (size_t i = 0; i < w->backups; i++)
		w->backup[i] = &w->info[i];
	w->c = (struct catalog){.backup = w->backup,
		.backups = w->backups,
		.run = w->run,
		.history = w->history,
		.segment_bytes = WORLD_SEG,
		.unreadables = w->unreadables};
	world_histories(w);
	world_runs(w);
}
