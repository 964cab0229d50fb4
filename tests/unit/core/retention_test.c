/*
 * The plan is asked about 10,000 worlds.  The oracle goes the other way round: it knows every
 * segment one by one and the true parents of timelines, computes how far each backup reached before
 * and reaches after the deletion, and what each segment and backup would still be needed for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "retention_world.h"

#define WORLDS 10000

/* Of the world before the deletion, or of what is left. */
struct view {
	bool there[WORLD_LINES + 1][WORLD_SEGMENTS];
	bool backup[WORLD_BACKUPS];
	/* The last segment to which a backup brings a cluster along a timeline; -1: it cannot. */
	int reach[WORLD_BACKUPS][WORLD_LINES + 1];
};

struct trial {
	struct world w;
	struct view before, after;
	struct retention_plan plan;
	uint64_t seed;
};

/* ---- the truth ---- */

static bool
leads(const struct world *w, const struct backup_info *b, uint32_t timeline)
{
	for (; timeline > b->timeline; timeline = w->line[timeline].parent)
		if (w->line[timeline].parent == b->timeline)
			return b->end_lsn <= w->line[timeline].fork;
	return timeline == b->timeline;
}

/* The timeline whose file of this segment recovery reads. */
static uint32_t
reads(const struct world *w, uint32_t timeline, uint64_t segment)
{
	while (w->line[timeline].parent && segment < w->line[timeline].fork / WORLD_SEG)
		timeline = w->line[timeline].parent;
	return timeline;
}

static bool
has_parents(const struct world *w, const struct view *v, size_t i)
{
	while (*w->info[i].parent) {
		size_t p;

		for (p = 0; p < w->backups && strcmp(w->info[p].id, w->info[i].parent) != 0; p++)
			;
		if (p == w->backups || !v->backup[p] || w->info[p].status != BACKUP_DONE)
			return false;
		i = p;
	}
	return true;
}

static int
reach(const struct world *w, const struct view *v, size_t i, uint32_t timeline)
{
	const struct backup_info *b = &w->info[i];
	uint64_t s = b->begin_lsn / WORLD_SEG;

	if (b->status != BACKUP_DONE || !v->backup[i] || !leads(w, b, timeline) ||
		!has_parents(w, v, i))
		return -1;
	while (s < WORLD_SEGMENTS && v->there[reads(w, timeline, s)][s])
		s++;
	return s * WORLD_SEG >= b->end_lsn ? (int)s - 1 : -1;
}

static void
look(const struct world *w, struct view *v)
{
	for (size_t i = 0; i < w->backups; i++)
		for (uint32_t t = 1; t <= w->lines; t++)
			v->reach[i][t] = reach(w, v, i, t);
}

static void
trial_init(struct trial *x, uint64_t seed)
{
	struct world *w = &x->w;

	memset(x, 0, sizeof(*x));
	x->seed = seed;
	world_make(w, seed);
	assert_int_equal(retention_plan(&x->plan, &w->c, w->keep, &w->policy, w->now_us), 0);
	for (size_t i = 0; i < w->backups; i++) {
		x->before.backup[i] = true;
		x->after.backup[i] = x->plan.verdict[i] != RETAIN_OBSOLETE;
	}
	for (uint32_t t = 1; t <= w->lines; t++)
		for (uint64_t s = 0; s < WORLD_SEGMENTS; s++) {
			x->before.there[t][s] = w->line[t].there[s];
			x->after.there[t][s] = w->line[t].there[s] &&
					       !retention_segment_gone(&x->plan, &w->c, t, s);
		}
	look(w, &x->before);
	look(w, &x->after);
}

static void
trial_deinit(struct trial *x)
{
	retention_plan_deinit(&x->plan);
}

#define EXPECT(x, truth, ...)                                                      \
	do {                                                                       \
		if (!(truth)) {                                                    \
			print_error("seed %llu: ", (unsigned long long)(x)->seed); \
			fail_msg(__VA_ARGS__);                                     \
		}                                                                  \
	} while (0)

/* ---- nothing that is needed goes ---- */

static bool
standalone(const struct trial *x, size_t i)
{
	return x->plan.verdict[i] == RETAIN_CHAIN ||
	       (x->plan.verdict[i] == RETAIN_KEPT && x->w.keep[i] == KEEP_STANDALONE);
}

static void
kept_backups_reach_as_far_as_before(struct trial *x)
{
	const struct backup_info *b;

	for (size_t i = 0; i < x->w.backups; i++) {
		b = &x->w.info[i];
		if (!x->after.backup[i])
			continue;
		EXPECT(x, has_parents(&x->w, &x->after, i) == has_parents(&x->w, &x->before, i),
			"backup %zu lost a parent", i);
		if (standalone(x, i)) {
			EXPECT(x,
				(x->after.reach[i][b->timeline] < 0) ==
					(x->before.reach[i][b->timeline] < 0),
				"standalone backup %zu cannot be restored", i);
			continue;
		}
		for (uint32_t t = 1; t <= x->w.lines; t++)
			EXPECT(x, x->after.reach[i][t] == x->before.reach[i][t],
				"backup %zu reaches %d of timeline %u, before %d", i,
				x->after.reach[i][t], t, x->before.reach[i][t]);
	}
}

/* Whether the segment's end on the timeline can be had, from a backup that ended before a time. */
static bool
can_have(const struct world *w, const struct view *v, uint32_t t, uint64_t s, int64_t until_us)
{
	for (size_t i = 0; i < w->backups; i++)
		if (v->reach[i][t] >= (int)s && w->info[i].end_lsn <= (s + 1) * WORLD_SEG &&
			w->info[i].end_us <= until_us)
			return true;
	return false;
}

static void
every_point_of_the_window_stays(struct trial *x)
{
	const struct world *w = &x->w;
	int64_t cutoff = w->now_us - w->policy.window_us;
	bool first;

	for (uint32_t t = 1; w->policy.window_us && t <= w->lines; t++) {
		first = true;
		for (uint64_t s = w->line[t].fork / WORLD_SEG; s < WORLD_SEGMENTS; s++) {
			if (!w->line[t].there[s] || w->line[t].stored_us[s] < cutoff)
				continue;
			if (can_have(w, &x->before, t, s, INT64_MAX))
				EXPECT(x, can_have(w, &x->after, t, s, INT64_MAX),
					"segment %u of timeline %u is lost", (unsigned)s, t);
			if (first && can_have(w, &x->before, t, s, cutoff - 1))
				EXPECT(x, can_have(w, &x->after, t, s, cutoff - 1),
					"the window's beginning on timeline %u is lost", t);
			first = false;
		}
	}
}

static int
count(const struct trial *x, const struct view *v, bool restorable)
{
	int n = 0;

	for (size_t i = 0; i < x->w.backups; i++)
		n += v->backup[i] && x->w.info[i].status == BACKUP_DONE &&
		     (!restorable || v->reach[i][x->w.info[i].timeline] >= 0);
	return n;
}

static void
enough_backups_stay(struct trial *x)
{
	int least = x->w.policy.redundancy > x->w.policy.minimum ? x->w.policy.redundancy
								 : x->w.policy.minimum;

	if (least < 1)
		least = 1;
	for (int restorable = 0; restorable < 2; restorable++) {
		int had = count(x, &x->before, restorable), has = count(x, &x->after, restorable);

		EXPECT(x,
			has >= (had < (restorable ? 1 : least) ? had
				       : restorable            ? 1
							       : least),
			"%d of %d backups are left", has, had);
	}
}

static void
what_runs_or_is_unclear_stays(struct trial *x)
{
	const struct world *w = &x->w;
	const struct backup_info *b;

	for (size_t i = 0; i < w->backups; i++) {
		b = &w->info[i];
		if (w->unreadables || w->keep[i] != KEEP_NO)
			EXPECT(x, x->after.backup[i] || (w->keep[i] == KEEP_NO && !w->unreadables),
				"backup %zu went", i);
		if (b->status != BACKUP_STARTED || b->begin_us < w->now_us - 7 * 24 * WORLD_HOUR_US)
			continue;
		EXPECT(x, x->after.backup[i], "running backup %zu went", i);
		for (uint64_t s = b->begin_lsn / WORLD_SEG; s < WORLD_SEGMENTS; s++)
			EXPECT(x, x->after.there[b->timeline][s] == x->before.there[b->timeline][s],
				"segment %u of running backup %zu went", (unsigned)s, i);
	}
	if (w->unreadables)
		EXPECT(x, memcmp(x->after.there, x->before.there, sizeof(x->after.there)) == 0,
			"WAL went");
}

/* ---- nothing stays for no reason ---- */

static bool
is_cautious(const struct trial *x)
{
	for (uint32_t t = 2; t <= x->w.lines; t++)
		if (x->w.line[t].history_lost)
			return true;
	return x->w.unreadables > 0;
}

static int64_t
newest_done_begin(const struct world *w)
{
	for (size_t i = w->backups; i; i--)
		if (w->info[i - 1].status == BACKUP_DONE)
			return w->info[i - 1].begin_us;
	return INT64_MAX;
}

static bool
alive(const struct world *w, uint32_t t)
{
	int64_t since = newest_done_begin(w);

	if (w->policy.window_us && w->now_us - w->policy.window_us < since)
		since = w->now_us - w->policy.window_us;
	for (uint64_t s = 0; s < WORLD_SEGMENTS; s++)
		if (w->line[t].there[s] && w->line[t].stored_us[s] >= since)
			return true;
	for (size_t i = w->backups; i; i--)
		if (w->info[i - 1].status == BACKUP_DONE)
			return w->info[i - 1].timeline == t;
	return false;
}

/* Newer usable ones that make it superfluous for a timeline. */
static int
better(const struct trial *x, size_t i, uint32_t t)
{
	const struct world *w = &x->w;
	int n = 0;

	for (size_t k = i + 1; k < w->backups; k++)
		n += x->before.reach[k][t] >= 0 &&
		     (!w->policy.window_us || w->info[k].end_us < w->now_us - w->policy.window_us);
	return n;
}

static bool
has_a_reason(const struct trial *x, size_t i)
{
	const struct world *w = &x->w;
	int newer = 0, least = w->policy.redundancy ? w->policy.redundancy : 1;

	if (w->policy.window_us && w->info[i].end_us >= w->now_us - w->policy.window_us)
		return true;
	for (size_t k = i + 1; k < w->backups; k++)
		newer += w->info[k].status == BACKUP_DONE;
	if (newer < least || newer < w->policy.minimum)
		return true;
	for (uint32_t t = 1; t <= w->lines; t++)
		if (alive(w, t) && leads(w, &w->info[i], t) && better(x, i, t) < least)
			return true;
	return false;
}

static bool
needs_segment(const struct trial *x, size_t i, uint32_t t, uint64_t s)
{
	const struct backup_info *b = &x->w.info[i];
	bool done = b->status == BACKUP_DONE;
	uint64_t first = b->begin_lsn / WORLD_SEG;

	if (!x->after.backup[i] || (!done && x->plan.verdict[i] != RETAIN_RUNNING))
		return false;
	if (!b->begin_lsn)
		return true;
	if (t == b->timeline && s >= first && s <= b->end_lsn / WORLD_SEG)
		return true;
	if (standalone(x, i))
		return false;
	return s >= first && leads(&x->w, b, t);
}

static void
nothing_stays_for_no_reason(struct trial *x)
{
	const struct world *w = &x->w;
	bool needed;

	if (is_cautious(x) || count(x, &x->before, false) == 0)
		return;
	for (size_t i = 0; i < w->backups; i++)
		if (w->info[i].status == BACKUP_DONE && x->plan.verdict[i] == RETAIN_NEEDED)
			EXPECT(x, has_a_reason(x, i), "backup %zu stays", i);
	for (uint32_t t = 1; t <= w->lines; t++)
		for (uint64_t s = 0; s < WORLD_SEGMENTS; s++) {
			if (!x->after.there[t][s])
				continue;
			needed = false;
			for (size_t i = 0; i < w->backups && !needed; i++)
				needed = needs_segment(x, i, t, s);
			EXPECT(x, needed, "segment %u of timeline %u stays", (unsigned)s, t);
		}
}

static void
in_ten_thousand_worlds_what_is_needed_stays_and_the_rest_goes(void **state)
{
	static struct trial x;
	size_t gone = 0, backups = 0, forks = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= WORLDS; seed++) {
		trial_init(&x, seed);
		kept_backups_reach_as_far_as_before(&x);
		every_point_of_the_window_stays(&x);
		enough_backups_stay(&x);
		what_runs_or_is_unclear_stays(&x);
		nothing_stays_for_no_reason(&x);
		backups += x.w.backups;
		forks += x.w.lines - 1;
		for (size_t i = 0; i < x.w.backups; i++)
			gone += !x.after.backup[i];
		trial_deinit(&x);
	}
	print_message("%zu of %zu backups went, %zu forks\n", gone, backups, forks);
	assert_true(gone > WORLDS && forks > WORLDS); /* the worlds are not too simple */
}

/* ---- single ones ---- */

static void
policies_are_read(void **state)
{
	static const struct {
		const char *text;
		int days, redundancy;
	} rows[] = {{"30d", 30, 0}, {"4w", 28, 0}, {"12m", 372, 0}, {"redundancy 3", 0, 3},
		{"REDUNDANCY 3", 0, 3}, {"7", 0, 7}, {"", 0, 0}};
	static const char *const wrong[] = {"0d", "d", "-1d", "30 d", "30D", "1.5d", "30dd",
		"redundancy", "redundancy 0", "redundancy 3d", "redundancy3", "999999d"};
	struct retention_policy p;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(retention_parse(&p, rows[i].text, &e), 0);
		assert_true(p.window_us == (int64_t)rows[i].days * 24 * WORLD_HOUR_US);
		assert_int_equal(p.redundancy, rows[i].redundancy);
		assert_int_equal(p.minimum, 1);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (retention_parse(&p, wrong[i], &e) == 0)
			fail_msg("%s", wrong[i]);
}

static void
without_a_policy_everything_stays(void **state)
{
	struct retention_policy none = {.minimum = 1};
	static struct world w;
	struct retention_plan p;

	(void)state;
	world_make(&w, 4);
	assert_int_equal(retention_plan(&p, &w.c, w.keep, &none, w.now_us + INT64_MAX / 2), 0);
	for (size_t i = 0; i < w.backups; i++)
		assert_true(p.verdict[i] == RETAIN_NEEDED || p.verdict[i] == RETAIN_RUNNING);
	for (uint64_t s = 0; s < WORLD_SEGMENTS; s++)
		assert_false(retention_segment_gone(&p, &w.c, 1, s));
	retention_plan_deinit(&p);
}

static void
every_verdict_has_a_word(void **state)
{
	(void)state;
	for (int v = RETAIN_NEEDED; v <= RETAIN_OBSOLETE; v++)
		assert_true(*retention_text((enum retention_verdict)v));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policies_are_read),
		cmocka_unit_test(without_a_policy_everything_stays),
		cmocka_unit_test(every_verdict_has_a_word),
		cmocka_unit_test(in_ten_thousand_worlds_what_is_needed_stays_and_the_rest_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
