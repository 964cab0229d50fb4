/*
 * The order of changes, by hand and by every possibility: three standbys, every wish, a crash, a
 * failover or a change of mind after every step.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "core/syncset.h"

#define A 1u
#define B 2u
#define C 4u

static void
expect_step(const struct syncset_state *st, struct syncset want, enum syncset_do what,
	struct syncset to)
{
	struct syncset_step s = syncset_step(st, want);

	assert_int_equal(s.what, what);
	assert_int_equal(s.to.voters, to.voters);
	assert_int_equal(s.to.acks, to.acks);
	assert_true(strlen(s.sentence) > 10);
}

#define SET(voters, acks) ((struct syncset){voters, acks})

static void
when_adding_postgres_is_told_before_the_lease(void **state)
{
	struct syncset_state st = {.in_force = true, .streaming = A | B | C};

	(void)state;
	expect_step(&st, SET(A, 1), SYNCSET_SET_GUC, SET(A, 1));
	st.guc = SET(A, 1), st.in_force = false;
	expect_step(&st, SET(A, 1), SYNCSET_WAIT, SET(A, 1));
	st.in_force = true;
	expect_step(&st, SET(A, 1), SYNCSET_WAIT, SET(A, 1));
	st.past_mark = A;
	expect_step(&st, SET(A, 1), SYNCSET_SET_LEASE, SET(A, 1));
	st.lease = SET(A, 1);
	expect_step(&st, SET(A, 1), SYNCSET_DONE, SET(A, 1));
	expect_step(&st, SET(A | B, 2), SYNCSET_SET_GUC, SET(A | B, 2));
}

static void
when_removing_the_lease_is_told_before_postgres(void **state)
{
	struct syncset_state st = {
		.guc = {A | B, 2}, .lease = {A | B, 2}, .in_force = true, .streaming = A};

	(void)state;
	expect_step(&st, SET(A, 1), SYNCSET_SET_LEASE, SET(A, 1));
	st.lease = SET(A, 1);
	expect_step(&st, SET(A, 1), SYNCSET_SET_GUC, SET(A, 1));
	expect_step(&st, SET(0, 0), SYNCSET_SET_LEASE, SET(0, 0));
	st.lease = SET(0, 0);
	expect_step(&st, SET(0, 0), SYNCSET_SET_GUC, SET(0, 0));
}

static void
a_dead_voter_is_replaced_without_waiting_for_it(void **state)
{
	struct syncset_state st = {
		.guc = {A, 1}, .lease = {A, 1}, .in_force = true, .streaming = B};

	(void)state;
	expect_step(&st, SET(B, 1), SYNCSET_SET_LEASE, SET(0, 0));
	st.lease = SET(0, 0);
	expect_step(&st, SET(B, 1), SYNCSET_SET_GUC, SET(B, 1));
	st.guc = SET(B, 1), st.past_mark = B;
	expect_step(&st, SET(B, 1), SYNCSET_SET_LEASE, SET(B, 1));
}

static void
a_living_voter_is_replaced_with_somebody_electable_throughout(void **state)
{
	struct syncset_state st = {
		.guc = {A, 1}, .lease = {A, 1}, .in_force = true, .streaming = A | B};

	(void)state;
	expect_step(&st, SET(B, 1), SYNCSET_SET_GUC, SET(A | B, 2));
	st.guc = SET(A | B, 2), st.past_mark = B;
	expect_step(&st, SET(B, 1), SYNCSET_SET_LEASE, SET(B, 1));
	st.lease = SET(B, 1);
	expect_step(&st, SET(B, 1), SYNCSET_SET_GUC, SET(B, 1));
	st = (struct syncset_state){
		.guc = {A | B, 1}, .lease = {A | B, 1}, .in_force = true, .streaming = B | C};
	expect_step(&st, SET(B | C, 1), SYNCSET_SET_GUC, SET(B, 1));
}

static void
a_new_primary_counts_one_acknowledgement_less(void **state)
{
	struct syncset s;

	(void)state;
	s = syncset_takeover(SET(A | B | C, 2), B, SET(A | C, 1));
	assert_true(syncset_equal(s, SET(A | C, 1)));
	s = syncset_takeover(SET(A | B, 1), B, SET(A, 1));
	assert_true(syncset_equal(s, SET(0, 0)));
	s = syncset_takeover(SET(A | B | C, 2), B, SET(0, 0));
	assert_true(syncset_equal(s, SET(0, 0)));
	s = syncset_takeover(SET(A, 1), C, SET(A, 1)); /* forced: it was no voter */
	assert_true(syncset_equal(s, SET(0, 0)));
}

/* ---- what is wanted ---- */

static void
expect_want(
	const struct syncset_config *c, uint32_t streaming, struct syncset now, struct syncset want)
{
	static const uint8_t members[] = {2, 0, 1}; /* C is preferred to A, A to B */
	struct syncset is = syncset_want(c, members, 3, streaming, now);

	assert_int_equal(is.voters, want.voters);
	assert_int_equal(is.acks, want.acks);
}

static void
any_lets_all_vote_and_first_only_as_many_as_acknowledge(void **state)
{
	struct syncset_config any = {SYNCSET_ANY, 1, true, 0, 0},
			      first = {SYNCSET_FIRST, 1, true, 0, 0};

	(void)state;
	expect_want(&any, A | B | C, SET(0, 0), SET(A | B | C, 1));
	expect_want(&first, A | B | C, SET(0, 0), SET(C, 1));
	expect_want(&first, A | B | C, SET(B, 1), SET(B, 1)); /* who votes goes on */
	expect_want(&first, A | C, SET(B, 1), SET(C, 1));
	any.max_voters = 2;
	expect_want(&any, A | B | C, SET(0, 0), SET(A | C, 1));
	expect_want(&any, 8 | B, SET(0, 0), SET(B, 1)); /* no member */
	any.number = 0;
	expect_want(&any, A | B | C, SET(A, 1), SET(0, 0));
}

static void
required_waits_for_missing_standbys_and_preferred_goes_on_without(void **state)
{
	struct syncset_config required = {SYNCSET_ANY, 2, true, 0, 0},
			      preferred = {SYNCSET_ANY, 2, false, 0, 0},
			      many = {SYNCSET_ANY, 5, true, 0, 0},
			      some = {SYNCSET_ANY, 2, false, 0, 1}; /* min 1, max 2 */

	(void)state;
	expect_want(&required, A, SET(A | B, 2), SET(A | B, 2));
	expect_want(&required, 0, SET(0, 0), SET(A | C, 2));
	expect_want(&many, A, SET(0, 0), SET(A | B | C, 5));
	expect_want(&preferred, A, SET(A | B, 2), SET(A, 1));
	expect_want(&preferred, 0, SET(A | B, 2), SET(0, 0));
	expect_want(&preferred, A | B | C, SET(0, 0), SET(A | B | C, 2));
	expect_want(&some, A, SET(A | B, 2), SET(A, 1));
	expect_want(&some, 0, SET(A, 1), SET(A, 1));
}

static void
expect_text(enum syncset_method method, struct syncset set, const char *text)
{
	static const char *const names[SYNCSET_MEMBERS] = {"pg-1", "pg\"2", "pg-3"};
	struct syncset_config c = {.method = method};
	struct buf out = {0};

	syncset_guc_text(&out, &c, set, names);
	assert_string_equal(buf_str(&out), text);
	buf_deinit(&out);
}

static void
the_setting_is_written_as_postgres_reads_it(void **state)
{
	(void)state;
	expect_text(SYNCSET_ANY, SET(A | B | C, 2), "ANY 2 (\"pg-1\", \"pg\"\"2\", \"pg-3\")");
	expect_text(SYNCSET_FIRST, SET(C, 1), "FIRST 1 (\"pg-3\")");
	expect_text(SYNCSET_ANY, SET(0, 0), "");
	expect_text(SYNCSET_ANY, SET(0, 1), "ANY 1 (\"podgres nobody\")");
}

/* ---- every possibility ---- */

/*
 * A commit is the set of standbys that have it; of all commits only the smallest sets matter.  Bit
 * h of a family says that there is a commit which exactly the standbys h have.
 */
struct point {
	struct syncset guc, before, lease; /* before: the setting that may still be in use */
	uint8_t in_force, old, recent;     /* families: acknowledged before the mark, and after */
};

typedef struct syncset_step step_fn(const struct syncset_state *st, struct syncset want);

#define WISHES 14
#define STATES (1u << 22)

struct search {
	step_fn *step;
	struct point *queue;
	uint32_t *seen; /* index + 1 into the queue, by hash */
	uint32_t n;
	bool lost; /* somebody was elected without an acknowledged commit */
};

static struct syncset
wish(int i)
{
	static const uint8_t voters[WISHES] = {0, 1, 2, 4, 3, 3, 5, 5, 6, 6, 7, 7, 7, 0};
	static const uint8_t acks[WISHES] = {0, 1, 1, 1, 1, 2, 1, 2, 1, 2, 1, 2, 3, 1};

	return SET(voters[i], acks[i]);
}

static uint8_t
smallest(unsigned family)
{
	uint8_t kept = 0;

	for (unsigned h = 0; h < 8; h++) {
		bool holds_smaller = false;

		for (unsigned s = 0; s < h; s++)
			holds_smaller = holds_smaller || ((family >> s & 1) && (s & ~h) == 0);
		if ((family >> h & 1) && !holds_smaller)
			kept |= (uint8_t)(1u << h);
	}
	return kept;
}

static void
reach(struct search *s, struct point p)
{
	uint32_t hash = 2166136261u;
	uint8_t key[9];

	p.old = smallest(p.old);
	p.recent = smallest(p.recent);
	if (p.in_force)
		p.before = p.guc;
	memcpy(key,
		(uint8_t[9]){(uint8_t)p.guc.voters, (uint8_t)p.guc.acks, (uint8_t)p.before.voters,
			(uint8_t)p.before.acks, (uint8_t)p.lease.voters, (uint8_t)p.lease.acks,
			p.in_force, p.old, p.recent},
		sizeof(key));
	for (size_t i = 0; i < sizeof(key); i++)
		hash = (hash ^ key[i]) * 16777619u;
	for (hash %= 2 * STATES; s->seen[hash]; hash = (hash + 1) % (2 * STATES)) {
		const struct point *q = &s->queue[s->seen[hash] - 1];

		if (syncset_equal(q->guc, p.guc) && syncset_equal(q->before, p.before) &&
			syncset_equal(q->lease, p.lease) && q->in_force == p.in_force &&
			q->old == p.old && q->recent == p.recent)
			return;
	}
	assert_true(s->n < STATES);
	s->queue[s->n++] = p;
	s->seen[hash] = s->n;
}

static uint32_t
have_all(unsigned family)
{
	uint32_t all = 7;

	for (unsigned h = 0; h < 8; h++)
		if (family >> h & 1)
			all &= h;
	return all;
}

/* Acknowledged by exactly as many as the setting asks for: more is never worse. */
static void
commit_under(struct search *s, const struct point *p, struct syncset setting)
{
	for (unsigned h = 0; h < 8; h++)
		if ((h & ~setting.voters) == 0 && __builtin_popcount(h) == setting.acks) {
			struct point q = *p;

			q.recent |= (uint8_t)(1u << h);
			reach(s, q);
		}
}

static unsigned
caught_up(unsigned family, unsigned who)
{
	unsigned out = 0;

	for (unsigned h = 0; h < 8; h++)
		if (family >> h & 1)
			out |= 1u << (h | who);
	return out;
}

static void
replicate(struct search *s, const struct point *p, unsigned who)
{
	struct point q = *p;

	q.old = (uint8_t)caught_up(p->old, who);
	q.recent = (uint8_t)caught_up(p->recent, who);
	reach(s, q);
}

static void
take_step(struct search *s, const struct point *p, int w, uint32_t streaming)
{
	struct syncset_state st = {p->guc, p->lease, p->in_force, have_all(p->old), streaming};
	struct syncset_step step = s->step(&st, wish(w));
	struct point q = *p;

	if (step.what == SYNCSET_SET_LEASE) {
		q.lease = step.to;
	} else if (step.what == SYNCSET_SET_GUC) {
		q.before = p->guc;
		q.guc = step.to;
		q.in_force = false;
	} else {
		return;
	}
	reach(s, q);
}

/* The bit of the winner stands for the old primary from now on, which has nothing that counts. */
static void
lead(struct search *s, const struct point *p, unsigned me, int w)
{
	struct point q = {.guc = wish(w), .in_force = true};
	unsigned all = p->old | p->recent;

	q.lease = syncset_takeover(p->lease, me, wish(w));
	for (unsigned h = 0; h < 8; h++)
		if (all >> h & 1)
			q.old |= (uint8_t)(1u << (h & ~me));
	reach(s, q);
}

static void
elect(struct search *s, const struct point *p)
{
	unsigned all = p->old | p->recent;
	int needed = __builtin_popcount(p->lease.voters) - p->lease.acks + 1;

	for (unsigned e = 1; e < 8; e++) {
		if ((e & ~p->lease.voters) || __builtin_popcount(e) < needed)
			continue;
		for (unsigned h = 0; h < 8; h++)
			s->lost = s->lost || ((all >> h & 1) && (h & e) == 0);
		for (unsigned me = 1; me < 8; me <<= 1)
			for (int w = 0; (e & me & have_all(all)) && w < WISHES; w++)
				lead(s, p, me, w);
	}
}

static void
explore(struct search *s, const struct point *p)
{
	struct point q = *p;

	elect(s, p);
	commit_under(s, p, p->guc);
	if (!p->in_force)
		commit_under(s, p, p->before);
	for (unsigned who = 1; who < 8; who <<= 1)
		replicate(s, p, who);
	/* The reload has reached everybody, or postgres was started again after a crash: now the
	 * mark is taken, and it may be taken again at any time. */
	q.in_force = true;
	q.old |= q.recent;
	q.recent = 0;
	reach(s, q);
	for (int w = 0; w < WISHES; w++)
		for (uint32_t streaming = 0; streaming < 8; streaming++)
			take_step(s, p, w, streaming);
}

/* Whether an acknowledged commit can be lost; all that can happen is tried. */
static bool
loses(step_fn *step, uint32_t *states)
{
	struct search s = {.step = step,
		.queue = calloc(STATES, sizeof(struct point)),
		.seen = calloc((size_t)2 * STATES, sizeof(uint32_t))};

	assert_non_null(s.queue);
	assert_non_null(s.seen);
	reach(&s, (struct point){.in_force = true});
	for (uint32_t i = 0; i < s.n && !s.lost; i++) {
		struct point p = s.queue[i];

		explore(&s, &p);
	}
	*states = s.n;
	free(s.queue);
	free(s.seen);
	return s.lost;
}

static void
no_crash_at_any_point_loses_an_acknowledged_commit(void **state)
{
	uint32_t states = 0;

	(void)state;
	assert_false(loses(syncset_step, &states));
	print_message("%u states\n", states);
	assert_true(states > 1000);
}

/* ---- the orders that must not be ---- */

static struct syncset_step
always_the_lease_first(const struct syncset_state *st, struct syncset want)
{
	if (!syncset_equal(st->lease, want))
		return (struct syncset_step){SYNCSET_SET_LEASE, want, ""};
	return (struct syncset_step){SYNCSET_SET_GUC, want, ""};
}

static struct syncset_step
always_postgres_first(const struct syncset_state *st, struct syncset want)
{
	if (!syncset_equal(st->guc, want))
		return (struct syncset_step){SYNCSET_SET_GUC, want, ""};
	return (struct syncset_step){SYNCSET_SET_LEASE, want, ""};
}

static struct syncset_step
without_the_mark(const struct syncset_state *st, struct syncset want)
{
	struct syncset_state blind = *st;

	blind.past_mark = 7;
	return syncset_step(&blind, want);
}

static struct syncset_step
without_waiting_for_the_reload(const struct syncset_state *st, struct syncset want)
{
	struct syncset_state blind = *st;

	blind.in_force = true;
	return syncset_step(&blind, want);
}

static void
every_other_order_is_found_to_lose_some(void **state)
{
	static step_fn *const wrong[] = {always_the_lease_first, always_postgres_first,
		without_the_mark, without_waiting_for_the_reload};
	uint32_t states = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		if (!loses(wrong[i], &states))
			fail_msg("order %zu loses nothing in %u states", i, states);
}

/* From any pair that is safe to any wish, with everybody there: a few steps, and then done. */
static void
every_wish_is_reached_when_its_voters_stream(void **state)
{
	(void)state;
	for (int g = 0; g < WISHES; g++)
		for (int l = 0; l < WISHES - 1; l++)
			for (int w = 0; w < WISHES; w++) {
				struct syncset_state st = {wish(g), wish(l), true, 7, 7};
				int steps = 0;

				if (!syncset_covers(st.guc, st.lease))
					continue;
				for (; steps < 8; steps++) {
					struct syncset_step s = syncset_step(&st, wish(w));

					if (s.what == SYNCSET_DONE)
						break;
					assert_true(s.what != SYNCSET_WAIT);
					if (s.what == SYNCSET_SET_GUC)
						st.guc = s.to;
					else
						st.lease = s.to;
				}
				assert_true(steps <= 4);
				assert_true(syncset_equal(st.guc, wish(w)));
			}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(when_adding_postgres_is_told_before_the_lease),
		cmocka_unit_test(when_removing_the_lease_is_told_before_postgres),
		cmocka_unit_test(a_dead_voter_is_replaced_without_waiting_for_it),
		cmocka_unit_test(a_living_voter_is_replaced_with_somebody_electable_throughout),
		cmocka_unit_test(a_new_primary_counts_one_acknowledgement_less),
		cmocka_unit_test(any_lets_all_vote_and_first_only_as_many_as_acknowledge),
		cmocka_unit_test(required_waits_for_missing_standbys_and_preferred_goes_on_without),
		cmocka_unit_test(the_setting_is_written_as_postgres_reads_it),
		cmocka_unit_test(no_crash_at_any_point_loses_an_acknowledged_commit),
		cmocka_unit_test(every_other_order_is_found_to_lose_some),
		cmocka_unit_test(every_wish_is_reached_when_its_voters_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
