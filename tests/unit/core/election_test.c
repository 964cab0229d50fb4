#include "election_rig.h"

static void
expect(const struct world *w, size_t me, enum election_reason want)
{
	enum election_reason is = election_may_claim(&w->e, me);

	if (is != want)
		fail_msg("%s: %s, expected %s", w->m[me].name, election_reason_text(is),
			election_reason_text(want));
}

static void
every_reason_is_a_sentence_for_people(void **state)
{
	(void)state;
	for (int r = 0; r < ELECTION_REASONS; r++) {
		const char *s = election_reason_sentence((enum election_reason)r);

		assert_true(strlen(s) > 15);
		assert_true(s[strlen(s) - 1] != '.');
		assert_true(strlen(election_reason_text((enum election_reason)r)) > 3);
		for (int other = 0; other < r; other++)
			assert_string_not_equal(election_reason_text((enum election_reason)r),
				election_reason_text((enum election_reason)other));
	}
}

static void
of_equals_exactly_one_goes_first(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	expect(&w, 0, ELECTION_OK);
	expect(&w, 1, ELECTION_BETTER);
	expect(&w, 2, ELECTION_BETTER);
}

/* ---- what keeps a member out, each by itself and against force ---- */

static void
put_no_system(struct world *w)
{
	w->m[0].system_id = 0;
}
static void
put_other_system(struct world *w)
{
	w->m[0].system_id++;
}
static void
put_fenced(struct world *w)
{
	w->m[0].fenced = true;
}
static void
put_paused(struct world *w)
{
	w->e.paused = true;
}
static void
put_nofailover(struct world *w)
{
	w->m[0].nofailover = true;
}
static void
put_priority_0(struct world *w)
{
	w->m[0].failover_priority = 0;
}
static void
put_no_member(struct world *w)
{
	w->e.member_names++, w->e.member_count--;
}
static void
put_cloning(struct world *w)
{
	w->m[0].cloning = true;
}
static void
put_rewinding(struct world *w)
{
	w->m[0].rewinding = true;
}
static void
put_not_running(struct world *w)
{
	w->m[0].replaying = false;
}
static void
put_other_lineage(struct world *w)
{
	w->m[0].lineage_ok = false;
}
static void
put_ahead(struct world *w)
{
	w->m[0].timeline = 4;
}
static void
put_stale(struct world *w)
{
	w->m[0].asked_ns = 89;
}
static void
put_silent(struct world *w)
{
	w->m[0].reachable = false;
}
static void
put_behind(struct world *w)
{
	w->m[0].timeline = 2;
}
static void
put_no_lsn(struct world *w)
{
	w->m[0].lsn_known = false;
}
static void
put_lag(struct world *w)
{
	w->m[0].received_lsn = 84 * MB - 1;
}
static void
put_not_sync(struct world *w)
{
	w->e.sync = true, w->e.acks = 1, w->e.voters++, w->e.voter_count = 2;
}
static void
put_no_quorum(struct world *w)
{
	w->e.sync = true, w->e.acks = 1, w->e.voter_count = 4;
}
static void
put_target(struct world *w)
{
	w->e.target = "pg-3";
}
static void
put_better(struct world *w)
{
	w->m[2].received_lsn++;
}

static const struct rule {
	void (*put)(struct world *w);
	enum election_reason reason;
} rules[] = {
	{put_no_system, ELECTION_NO_SYSTEM},
	{put_other_system, ELECTION_OTHER_SYSTEM},
	{put_fenced, ELECTION_FENCED},
	{put_paused, ELECTION_PAUSED},
	{put_nofailover, ELECTION_NOFAILOVER},
	{put_priority_0, ELECTION_NOFAILOVER},
	{put_no_member, ELECTION_NO_MEMBER},
	{put_cloning, ELECTION_CLONING},
	{put_rewinding, ELECTION_REWINDING},
	{put_not_running, ELECTION_NOT_RUNNING},
	{put_other_lineage, ELECTION_OTHER_LINEAGE},
	{put_ahead, ELECTION_OTHER_LINEAGE},
	{put_stale, ELECTION_STALE},
	{put_silent, ELECTION_STALE},
	{put_behind, ELECTION_TIMELINE},
	{put_no_lsn, ELECTION_NO_LSN},
	{put_lag, ELECTION_LAG},
	{put_not_sync, ELECTION_NOT_SYNC},
	{put_no_quorum, ELECTION_NO_QUORUM},
	{put_target, ELECTION_TARGET},
	{put_better, ELECTION_BETTER},
};

static void
each_rule_alone_keeps_the_member_out(void **state)
{
	bool seen[ELECTION_REASONS] = {
		[ELECTION_OK] = true, [ELECTION_LOSS_UNKNOWN] = true, [ELECTION_LOSS] = true};
	struct world w;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		world_init(&w);
		rules[i].put(&w);
		expect(&w, 0, rules[i].reason);
		seen[rules[i].reason] = true;
	}
	for (int r = 0; r < ELECTION_REASONS; r++)
		assert_true(seen[r]);
}

static void
who_is_kept_out_does_not_stand_in_the_others_way(void **state)
{
	struct world w;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		enum election_reason r = rules[i].reason;

		if (r == ELECTION_PAUSED || r == ELECTION_NO_QUORUM || r == ELECTION_TARGET ||
			r == ELECTION_BETTER)
			continue;
		world_init(&w);
		w.m[0].received_lsn += MB;
		rules[i].put(&w);
		if (r == ELECTION_NOT_SYNC)
			w.e.acks = 2;
		expect(&w, 1, ELECTION_OK);
		expect(&w, 2, ELECTION_BETTER);
	}
}

static void
force_goes_past_the_guards_alone(void **state)
{
	struct world w;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		world_init(&w);
		rules[i].put(&w);
		w.e.force = true;
		w.e.accept_loss_bytes = ELECTION_ANY_LOSS;
		expect(&w, 0,
			election_reason_forceable(rules[i].reason) ? ELECTION_OK : rules[i].reason);
	}
}

static void
force_accepts_no_more_loss_than_was_said(void **state)
{
	struct world w;
	uint64_t loss = 0;

	(void)state;
	world_init(&w);
	w.e.force = true;
	expect(&w, 0, ELECTION_OK);
	w.m[0].received_lsn = 60 * MB;
	assert_true(election_loss(&w.e, 0, &loss));
	assert_int_equal(loss, 40 * MB);
	expect(&w, 0, ELECTION_LOSS);
	w.e.accept_loss_bytes = 40 * (int64_t)MB - 1;
	expect(&w, 0, ELECTION_LOSS);
	w.e.accept_loss_bytes++;
	expect(&w, 0, ELECTION_OK);
	w.m[2].received_lsn = 101 * MB; /* a peer knows more than the lease */
	expect(&w, 0, ELECTION_LOSS);
	w.e.accept_loss_bytes = -1;
	expect(&w, 1, ELECTION_LOSS);
}

static void
force_without_known_positions_needs_the_acceptance_of_any_loss(void **state)
{
	struct world w;
	uint64_t loss = 0;

	(void)state;
	world_init(&w);
	w.e.force = true;
	w.e.accept_loss_bytes = INT64_MAX - 1;
	w.m[0].lsn_known = false;
	expect(&w, 0, ELECTION_LOSS_UNKNOWN);
	w.e.primary_lsn = 0;
	expect(&w, 1, ELECTION_LOSS_UNKNOWN);
	w.e.accept_loss_bytes = ELECTION_ANY_LOSS;
	expect(&w, 0, ELECTION_OK);
	world_init(&w);
	w.m[0].timeline = 2;
	assert_false(election_loss(&w.e, 0, &loss));
	w.e.switch_lsn = 70 * MB; /* what timeline 2 wrote behind it is lost as well */
	assert_true(election_loss(&w.e, 0, &loss));
	assert_int_equal(loss, 30 * MB);
}

/* ---- who goes first ---- */

static void
timeline_then_wal_then_sync_state_priority_zone_replay_and_name_decide(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.e.prefer_zone = "a";
	/* From the last criterion to the first: each outweighs all those before it. */
	assert_true(election_compare(&w.e, &w.m[0], &w.m[1]) < 0);
	w.m[1].replayed_lsn++;
	assert_true(election_compare(&w.e, &w.m[0], &w.m[1]) > 0);
	snprintf(w.m[0].zone, sizeof(w.m[0].zone), "a");
	assert_true(election_compare(&w.e, &w.m[0], &w.m[1]) < 0);
	w.m[1].failover_priority++;
	assert_true(election_compare(&w.e, &w.m[0], &w.m[1]) > 0);
	w.m[0].sync = ELECTION_POTENTIAL;
	assert_true(election_compare(&w.e, &w.m[0], &w.m[1]) < 0);
	w.m[1].sync = ELECTION_SYNC;
	assert_true(election_compare(&w.e, &w.m[0], &w.m[1]) > 0);
	w.m[0].received_lsn++;
	assert_true(election_compare(&w.e, &w.m[0], &w.m[1]) < 0);
	w.m[0].timeline--;
	assert_true(election_compare(&w.e, &w.m[0], &w.m[1]) > 0);
	assert_int_equal(election_compare(&w.e, &w.m[1], &w.m[1]), 0);
}

static void
a_switchovers_target_needs_not_be_the_best_but_fit(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.e.target = "pg-3";
	expect(&w, 2, ELECTION_OK);
	expect(&w, 0, ELECTION_TARGET);
	w.m[2].received_lsn -= MB;
	expect(&w, 2, ELECTION_OK);
	w.m[2].fenced = true;
	expect(&w, 2, ELECTION_FENCED);
	expect(&w, 0, ELECTION_TARGET);
	w.e.target = ""; /* it had its time */
	expect(&w, 0, ELECTION_OK);
}

static void
a_better_one_that_does_not_come_is_waited_for_but_not_for_ever(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.m[2].received_lsn += MB;
	expect(&w, 0, ELECTION_BETTER);
	w.e.waited = true;
	expect(&w, 0, ELECTION_OK);
	w.e.sync = true;
	w.e.voter_count = 3;
	w.e.acks = 1;
	expect(&w, 0, ELECTION_BETTER);
	expect(&w, 2, ELECTION_OK);
	w.m[2].received_lsn -= MB;
	expect(&w, 1, ELECTION_OK); /* as much WAL as the first */
}

/* ---- synchronous replication ---- */

static void
the_quorum_counts_only_voters_that_could_be_elected(void **state)
{
	struct world w;
	size_t needed = 0;

	(void)state;
	world_init(&w);
	w.e.sync = true;
	w.e.voter_count = 3;
	w.e.acks = 1; /* any one of three acknowledged: all three are needed */
	assert_int_equal(election_quorum(&w.e, &needed), 3);
	assert_int_equal(needed, 3);
	expect(&w, 0, ELECTION_OK);
	w.m[2].reachable = false;
	expect(&w, 0, ELECTION_NO_QUORUM);
	w.e.acks = 2;
	expect(&w, 0, ELECTION_OK);
	w.m[1].fenced = true;
	expect(&w, 0, ELECTION_NO_QUORUM);
	w.m[1].fenced = false, w.m[1].asked_ns = 80;
	expect(&w, 0, ELECTION_NO_QUORUM);
	w.e.acks = 3;
	expect(&w, 0, ELECTION_OK);
	w.e.acks = 0; /* nobody but the old primary is known to have everything */
	expect(&w, 0, ELECTION_NO_QUORUM);
	w.e.acks = 1, w.e.voter_count = 0;
	expect(&w, 0, ELECTION_NOT_SYNC);
}

static void
a_target_behind_another_voter_does_not_lose_its_commits(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.e.sync = true;
	w.e.voter_count = 3;
	w.e.acks = 2;
	w.e.target = "pg-2";
	w.m[2].received_lsn++;
	expect(&w, 1, ELECTION_BETTER);
	w.m[1].received_lsn++;
	expect(&w, 1, ELECTION_OK);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_is_a_sentence_for_people),
		cmocka_unit_test(of_equals_exactly_one_goes_first),
		cmocka_unit_test(each_rule_alone_keeps_the_member_out),
		cmocka_unit_test(who_is_kept_out_does_not_stand_in_the_others_way),
		cmocka_unit_test(force_goes_past_the_guards_alone),
		cmocka_unit_test(force_accepts_no_more_loss_than_was_said),
		cmocka_unit_test(force_without_known_positions_needs_the_acceptance_of_any_loss),
		cmocka_unit_test(
			timeline_then_wal_then_sync_state_priority_zone_replay_and_name_decide),
		cmocka_unit_test(a_switchovers_target_needs_not_be_the_best_but_fit),
		cmocka_unit_test(a_better_one_that_does_not_come_is_waited_for_but_not_for_ever),
		cmocka_unit_test(the_quorum_counts_only_voters_that_could_be_elected),
		cmocka_unit_test(a_target_behind_another_voter_does_not_lose_its_commits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
