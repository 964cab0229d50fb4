/*
 * retention - what may be deleted.
 *
 * Three passes: which backups stay and why; which timelines each of them leads to; from which
 * segment on each timeline is needed.
 */
#include "core/retention.h"

#include <stdlib.h>
#include <string.h>

#define GIVEN_UP_US (INT64_C(7) * 86400 * 1000000)

struct work {
	const struct catalog *c;
	const struct retention_policy *policy;
	const enum retention_keep *keep;
	enum retention_verdict *verdict;
	int64_t now_us, cutoff_us, newest_begin_us;
	struct catalog_line line; /* of the timeline at hand */
};

static bool
is_done(const struct backup_info *b)
{
	return b->status == BACKUP_DONE;
}

static int64_t
began_us(const struct backup_info *b)
{
	return b->begin_us ? b->begin_us : backup_id_time(b->id);
}

static bool
is_running(const struct work *w, const struct backup_info *b)
{
	return !is_done(b) && b->status != BACKUP_FAILED && began_us(b) > w->now_us - GIVEN_UP_US;
}

/* ---- timelines ---- */

/* Nobody knows where it came from. */
static bool
is_foundling(const struct catalog *c, uint32_t timeline)
{
	for (size_t i = 0; i < c->histories; i++) {
		if (c->history[i].timeline == timeline)
			return false;
		for (size_t n = 0; n < c->history[i].line.n; n++)
			if (c->history[i].line.entry[n].timeline == timeline)
				return false;
	}
	return timeline > 1;
}

/* From the history of a descendant the line of a timeline without one of its own is known too. */
static void
line_of(const struct catalog *c, uint32_t timeline, struct catalog_line *out)
{
	size_t n;

	catalog_line_of(c, timeline, out);
	for (size_t i = 0; out->n == 1 && i < c->histories; i++)
		for (n = 0; n < c->history[i].line.n; n++)
			if (n > 0 && c->history[i].line.entry[n].timeline == timeline) {
				catalog_line_of(c, c->history[i].timeline, out);
				while (out->n > 1 && out->leg[out->n - 1].timeline != timeline)
					out->n--;
				break;
			}
}

/* A timeline is younger than the one it left. */
static bool
might_lead(const struct work *w, const struct backup_info *b)
{
	uint32_t timeline = w->line.leg[w->line.n - 1].timeline;

	return catalog_leads(b, &w->line) ||
	       (b->timeline < timeline && is_foundling(w->c, timeline));
}

/* ---- backups ---- */

/* The walk from the newest to the oldest ends here: this one is enough. */
static bool
is_enough(const struct work *w, const struct backup_info *b, int *counted)
{
	struct catalog_path path;

	if (!catalog_follow(w->c, b, &w->line, &path))
		return false;
	if (w->policy->window_us)
		return b->end_us < w->cutoff_us;
	return ++*counted >= w->policy->redundancy;
}

static void
need_for_timeline(struct work *w, uint32_t timeline)
{
	const struct backup_info *b;
	int counted = 0;

	line_of(w->c, timeline, &w->line);
	for (size_t i = w->c->backups; i; i--) {
		b = w->c->backup[i - 1];
		if (!is_done(b) || !might_lead(w, b))
			continue;
		w->verdict[i - 1] = RETAIN_NEEDED;
		if (is_enough(w, b, &counted))
			break;
	}
}

/* The timeline's newest segment was stored when it counted. */
static bool
lives(const struct work *w, const struct catalog_run *r)
{
	if (r->last_modified_us == 0 || r->last_modified_us >= w->newest_begin_us)
		return true;
	return w->policy->window_us && r->last_modified_us >= w->cutoff_us;
}

static void
need_for_timelines(struct work *w)
{
	const struct catalog *c = w->c;
	uint32_t done = 0;

	for (size_t i = 0; i < c->runs; i++)
		if (c->run[i].timeline != done && lives(w, &c->run[i])) {
			done = c->run[i].timeline;
			need_for_timeline(w, done);
		}
}

/* The newest ones, whatever they lead to, and all within the window. */
static void
need_newest(struct work *w)
{
	int least = w->policy->minimum > 1 ? w->policy->minimum : 1, n = 0;
	const struct backup_info *b;

	if (w->policy->redundancy > least)
		least = w->policy->redundancy;
	for (size_t i = w->c->backups; i; i--) {
		b = w->c->backup[i - 1];
		if (!is_done(b))
			continue;
		if (n == 0) {
			w->newest_begin_us = began_us(b);
			need_for_timeline(w, b->timeline);
		}
		if (n++ < least || (w->policy->window_us && b->end_us >= w->cutoff_us))
			w->verdict[i - 1] = RETAIN_NEEDED;
	}
}

static void
judge_others(struct work *w)
{
	size_t oldest = w->c->backups;
	const struct backup_info *b;

	for (size_t i = w->c->backups; i; i--)
		if (w->verdict[i - 1] == RETAIN_NEEDED)
			oldest = i - 1;
	for (size_t i = 0; i < w->c->backups; i++) {
		b = w->c->backup[i];
		if (w->verdict[i] == RETAIN_NEEDED)
			continue;
		if (is_running(w, b))
			w->verdict[i] = RETAIN_RUNNING;
		else if (w->keep && w->keep[i] != KEEP_NO)
			w->verdict[i] = RETAIN_KEPT;
		else if (w->c->unreadables)
			w->verdict[i] = RETAIN_UNCLEAR;
		else if (!is_done(b) && i > oldest)
			w->verdict[i] = RETAIN_NEEDED; /* its error is still of interest */
	}
}

static size_t
index_of(const struct catalog *c, const char *id)
{
	size_t i;

	for (i = 0; i < c->backups && strcmp(c->backup[i]->id, id) != 0; i++)
		;
	return i;
}

/* Parents of what stays, and theirs. */
static void
keep_chains(struct work *w)
{
	const struct catalog *c = w->c;
	size_t at;

	for (size_t i = 0; i < c->backups; i++) {
		if (w->verdict[i] == RETAIN_OBSOLETE || w->verdict[i] == RETAIN_CHAIN)
			continue;
		at = i;
		for (size_t steps = 0; steps < c->backups && *c->backup[at]->parent; steps++) {
			at = index_of(c, c->backup[at]->parent);
			if (at == c->backups)
				break;
			if (w->verdict[at] == RETAIN_OBSOLETE)
				w->verdict[at] = RETAIN_CHAIN;
		}
	}
}

static void
keep_all(struct work *w)
{
	for (size_t i = 0; i < w->c->backups; i++)
		w->verdict[i] = is_running(w, w->c->backup[i]) ? RETAIN_RUNNING : RETAIN_NEEDED;
}

/* ---- segments ---- */

/* What it needs goes on from its beginning. */
static bool
keeps_on(const struct work *w, size_t i)
{
	const struct backup_info *b = w->c->backup[i];

	if (b->status == BACKUP_FAILED || (!is_done(b) && !is_running(w, b)))
		return false;
	if (w->verdict[i] == RETAIN_KEPT)
		return w->keep[i] == KEEP_FULL;
	return w->verdict[i] != RETAIN_OBSOLETE && w->verdict[i] != RETAIN_CHAIN;
}

/* The first segment of this timeline that backup number i needs. */
static uint64_t
first_needed(struct work *w, size_t i)
{
	const struct backup_info *b = w->c->backup[i];
	size_t n = w->line.n;

	if (!keeps_on(w, i))
		return UINT64_MAX;
	if (!b->begin_lsn || !b->timeline)
		return 0;  /* it began, nobody knows where */
	if (!is_done(b)) { /* where it will end nobody knows either */
		while (n && w->line.leg[n - 1].timeline != b->timeline)
			n--;
		return n || might_lead(w, b) ? catalog_segment(w->c, b->begin_lsn) : UINT64_MAX;
	}
	return might_lead(w, b) ? catalog_segment(w->c, b->begin_lsn) : UINT64_MAX;
}

static void
needed_segments(struct work *w, uint64_t *keep_from)
{
	const struct catalog *c = w->c;
	uint64_t first;

	for (size_t r = 0; r < c->runs; r++) {
		if (r && c->run[r].timeline == c->run[r - 1].timeline) {
			keep_from[r] = keep_from[r - 1];
			continue;
		}
		line_of(c, c->run[r].timeline, &w->line);
		keep_from[r] = UINT64_MAX;
		for (size_t i = 0; i < c->backups; i++) {
			first = first_needed(w, i);
			if (first < keep_from[r])
				keep_from[r] = first;
		}
	}
}

static bool
any_done(const struct catalog *c)
{
	for (size_t i = 0; i < c->backups; i++)
		if (is_done(c->backup[i]))
			return true;
	return false;
}

/* ---- the plan ---- */

int
retention_plan(struct retention_plan *out, const struct catalog *c, const enum retention_keep *keep,
	const struct retention_policy *policy, int64_t now_us)
{
	struct work w = {.c = c,
		.policy = policy,
		.keep = keep,
		.now_us = now_us,
		.cutoff_us = now_us - policy->window_us,
		.newest_begin_us = INT64_MIN};

	*out = (struct retention_plan){0};
	out->verdict = calloc(c->backups + 1, sizeof(*out->verdict));
	out->keep_from = calloc(c->runs + 1, sizeof(*out->keep_from));
	if (!out->verdict || !out->keep_from) {
		retention_plan_deinit(out);
		return -1;
	}
	w.verdict = out->verdict;
	if ((!policy->window_us && !policy->redundancy) || !any_done(c) || !c->segment_bytes) {
		keep_all(&w);
		return 0;
	}
	for (size_t i = 0; i < c->backups; i++)
		out->verdict[i] = RETAIN_OBSOLETE;
	need_newest(&w);
	need_for_timelines(&w);
	judge_others(&w);
	keep_chains(&w);
	if (!c->unreadables)
		needed_segments(&w, out->keep_from);
	return 0;
}

/* Between the beginning and the end of a backup that stays. */
static bool
is_inside(const struct retention_plan *p, const struct catalog *c, uint32_t timeline,
	uint64_t segment)
{
	const struct backup_info *b;

	for (size_t i = 0; i < c->backups; i++) {
		b = c->backup[i];
		if (p->verdict[i] != RETAIN_OBSOLETE && b->timeline == timeline && b->begin_lsn &&
			segment >= catalog_segment(c, b->begin_lsn) &&
			segment <= catalog_segment(c, b->end_lsn))
			return true;
	}
	return false;
}

bool
retention_segment_gone(const struct retention_plan *p, const struct catalog *c, uint32_t timeline,
	uint64_t segment)
{
	size_t r;

	for (r = 0; r < c->runs && c->run[r].timeline != timeline; r++)
		;
	if (r == c->runs || segment >= p->keep_from[r])
		return false;
	return !is_inside(p, c, timeline, segment);
}

const char *
retention_text(enum retention_verdict v)
{
	static const char *const text[] = {
		[RETAIN_NEEDED] = "needed",
		[RETAIN_KEPT] = "kept",
		[RETAIN_CHAIN] = "needed by an incremental one",
		[RETAIN_RUNNING] = "running",
		[RETAIN_UNCLEAR] = "unclear",
		[RETAIN_OBSOLETE] = "obsolete",
	};

	return text[v];
}

void
retention_plan_deinit(struct retention_plan *p)
{
	free(p->verdict);
	free(p->keep_from);
	*p = (struct retention_plan){0};
}
