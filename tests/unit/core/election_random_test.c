#include "election_rig.h"

static uint32_t
next(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static bool
seldom(uint32_t *seed)
{
	return next(seed) % 12 == 0;
}

static void
random_member(struct election_member *m, uint32_t *seed)
{
	m->reachable = !seldom(seed);
	m->asked_ns = seldom(seed) ? 80 : 100;
	m->system_id = seldom(seed) ? SYSTEM + 1 : SYSTEM;
	m->timeline = 3 - seldom(seed) + seldom(seed);
	m->lineage_ok = !seldom(seed);
	m->lsn_known = !seldom(seed);
	m->received_lsn = (90 + next(seed) % 12) * MB;
	m->replayed_lsn = m->received_lsn - next(seed) % 3;
	m->sync = (enum election_sync)(next(seed) % 3);
	m->failover_priority = (int)(next(seed) % 4) - 1 + 100 * (next(seed) % 2);
	snprintf(m->zone, sizeof(m->zone), "%c", "ab"[next(seed) % 2]);
	m->replaying = !seldom(seed);
	m->fenced = seldom(seed);
	m->cloning = seldom(seed);
	m->rewinding = seldom(seed);
	m->nofailover = seldom(seed);
}

static void
random_world(struct world *w, uint32_t *seed)
{
	world_init(w);
	w->e.members = 1 + next(seed) % MAX;
	for (size_t i = 0; i < w->e.members; i++)
		random_member(&w->m[i], seed);
	w->e.member_count = MAX - seldom(seed);
	w->e.paused = seldom(seed);
	w->e.maximum_lag_bytes = next(seed) % 2 ? ELECTION_NO_LIMIT : 5 * (int64_t)MB;
	w->e.prefer_zone = next(seed) % 2 ? "a" : NULL;
	w->e.sync = next(seed) % 2;
	w->e.voter_count = next(seed) % (MAX + 1);
	w->e.acks = (int)(next(seed) % 4);
	w->e.target = next(seed) % 4 ? NULL : names[next(seed) % MAX];
}

/* No rule of the code's is used: what must never be. */
static bool
forbidden(const struct election *e, const struct election_member *m)
{
	return !m->reachable || m->asked_ns < 90 || m->system_id != SYSTEM || m->timeline != 3 ||
	       !m->lineage_ok || !m->lsn_known || !m->replaying || m->fenced || m->cloning ||
	       m->rewinding || m->nofailover || m->failover_priority < 1 || e->paused ||
	       (e->maximum_lag_bytes >= 0 && m->received_lsn < 95 * MB);
}

static void
of_any_members_at_most_one_may_claim_and_never_a_forbidden_one(void **state)
{
	uint32_t seed = 2463534242;
	size_t elected = 0;
	struct world w;

	(void)state;
	for (int round = 0; round < 200000; round++) {
		size_t best, may = 0;

		random_world(&w, &seed);
		best = election_best(&w.e);
		for (size_t i = 0; i < w.e.members; i++) {
			if (election_may_claim(&w.e, i) != ELECTION_OK)
				continue;
			may++;
			assert_int_equal(best, i);
			assert_false(forbidden(&w.e, &w.m[i]));
		}
		assert_true(may <= 1);
		if (!w.e.target && best != ELECTION_NOBODY)
			assert_int_equal(may, 1);
		elected += may;
	}
	assert_true(elected > 20000);
}

static void
the_order_of_the_facts_changes_nothing(void **state)
{
	uint32_t seed = 88172645;
	struct world w, mixed;

	(void)state;
	for (int round = 0; round < 50000; round++) {
		size_t best, again;

		random_world(&w, &seed);
		mixed = w;
		mixed.e.member = mixed.m;
		for (size_t i = w.e.members - 1; i > 0; i--) {
			size_t j = next(&seed) % (i + 1);
			struct election_member m = mixed.m[i];

			mixed.m[i] = mixed.m[j];
			mixed.m[j] = m;
		}
		best = election_best(&w.e);
		again = election_best(&mixed.e);
		assert_int_equal(best == ELECTION_NOBODY, again == ELECTION_NOBODY);
		if (best != ELECTION_NOBODY)
			assert_string_equal(w.m[best].name, mixed.m[again].name);
	}
}

static void
the_comparison_is_a_total_order(void **state)
{
	uint32_t seed = 362436069;
	struct world w;

	(void)state;
	for (int round = 0; round < 50000; round++) {
		const struct election_member *a = &w.m[0], *b = &w.m[1], *c = &w.m[2];
		int ab, bc, ac;

		world_init(&w);
		for (int i = 0; i < 3; i++) {
			random_member(&w.m[i], &seed);
			w.m[i].received_lsn = (next(&seed) % 2) * MB;
		}
		ab = election_compare(&w.e, a, b);
		bc = election_compare(&w.e, b, c);
		ac = election_compare(&w.e, a, c);
		assert_true(ab != 0 && bc != 0 && ac != 0);
		assert_true((ab < 0) == (election_compare(&w.e, b, a) > 0));
		if (ab < 0 && bc < 0)
			assert_true(ac < 0);
	}
}

/* Each commit is acknowledged by acks of the voters, who have it; what else they have is chance. */
static void
whoever_wins_has_every_acknowledged_commit(void **state)
{
	uint32_t seed = 521288629;
	size_t elected = 0;
	struct world w;

	(void)state;
	for (int round = 0; round < 100000; round++) {
		uint64_t acked = (90 + next(&seed) % 8) * MB;
		size_t best;

		random_world(&w, &seed);
		w.e.sync = true;
		w.e.members = MAX;
		w.e.voter_count = 1 + next(&seed) % MAX;
		w.e.acks = 1 + (int)(next(&seed) % w.e.voter_count);
		for (int k = 0, i = (int)(next(&seed) % MAX); k < w.e.acks; i++) {
			struct election_member *m = &w.m[(size_t)i % w.e.voter_count];

			if (m->received_lsn < acked)
				m->received_lsn = acked + next(&seed) % 2 * MB;
			k++;
		}
		best = election_best(&w.e);
		if (best == ELECTION_NOBODY)
			continue;
		elected++;
		assert_true(w.m[best].received_lsn >= acked);
	}
	assert_true(elected > 5000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_any_members_at_most_one_may_claim_and_never_a_forbidden_one),
		cmocka_unit_test(the_order_of_the_facts_changes_nothing),
		cmocka_unit_test(the_comparison_is_a_total_order),
		cmocka_unit_test(whoever_wins_has_every_acknowledged_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
