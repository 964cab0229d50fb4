#include "spec_rig.h"

#include "base/clock.h"
#include "core/lease_time.h"

#define S(seconds) ((int64_t)((double)(seconds)*1e3 + 0.5) * MS_NS)
#define ME "pg-1/uid-1/n1"
#define OTHER "pg-2/uid-2/n1"

static struct lease_times
default_times(void)
{
	struct lease_request in = LEASE_REQUEST_DEFAULT;
	struct lease_times t = {0};
	struct err e = {0};

	if (lease_times_make(&t, &in, &e))
		fail_msg("%s", e.msg);
	return t;
}

/* ---- the inequality ---- */

static void
the_defaults_keep_the_inequality_with_room_for_both_stops(void **state)
{
	struct lease_times t = default_times();

	(void)state;
	assert_int_equal(t.lease_ms, 15000);
	assert_int_equal(t.stop_ms, 10000);
	assert_int_equal(t.kill_ms, 11500);
	assert_int_equal(t.fencer_ms, 12500);
	assert_int_equal(t.retry_ms, 2000);
	assert_int_equal(t.call_ms, 2500);
	assert_int_equal(t.released_ms, 1000);
	assert_true(lease_times_safe(&t));
}

static void
expect_refusal(struct lease_request in, const char *message)
{
	struct lease_times t = {.lease_ms = 7};
	struct err e = {0};

	assert_int_equal(lease_times_make(&t, &in, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	if (!strstr(e.msg, message))
		assert_string_equal(e.msg, message);
	assert_int_equal(t.lease_ms, 7);
	assert_true(strlen(e.msg) <= 250);
}

static void
what_cannot_hold_is_refused_with_the_inequality_and_its_numbers(void **state)
{
	(void)state;
	expect_refusal((struct lease_request){15, 13, 2, 1, 0, 0},
		"V3/(1-rho) + J < L/(1+rho) does not hold: 13.80/0.99 + 2 = 15.94, and 15/1.01 = "
		"14.85 s (V1 renewDeadlineSeconds 13, V2 13.50, V3 13.80, L "
		"leaseDurationSeconds): raise L or lower V1");
	expect_refusal((struct lease_request){86400, 86400, 2, 1, 0, 0}, "V3/(1-rho)");
	expect_refusal((struct lease_request){15, 3, 3, 1, 0, 0},
		"V1 >= R + 2H does not hold: renewDeadlineSeconds 3 is less than "
		"retryPeriodSeconds 3 + 2 calls of 0.3 s = 3.6 s");
	expect_refusal((struct lease_request){15, 10, 20, 1, 0, 0}, "V1 >= R + 2H");
	expect_refusal((struct lease_request){15, 10, 2, 16, 0, 0},
		"releasedLeaseDurationSeconds 16 s is longer than leaseDurationSeconds 15 s");
}

static void
what_is_no_time_or_would_overflow_is_refused(void **state)
{
	static const int64_t bad[] = {INT64_MIN, -1, 0, LEASE_MAX_S + 1, INT64_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		expect_refusal((struct lease_request){bad[i], 10, 2, 1, 0, 0}, "leaseDuration");
		expect_refusal((struct lease_request){15, bad[i], 2, 1, 0, 0}, "renewDeadline");
		expect_refusal((struct lease_request){15, 10, bad[i], 1, 0, 0}, "retryPeriod");
		expect_refusal((struct lease_request){15, 10, 2, bad[i], 0, 0}, "releasedLease");
	}
	expect_refusal((struct lease_request){15, 10, 2, 1, INT64_MAX, 0}, "stop times");
	expect_refusal((struct lease_request){15, 10, 2, 1, 0, -1}, "stop times");
}

static void
every_accepted_request_is_safe_and_every_refused_one_could_not_be(void **state)
{
	struct lease_times t, tight;
	struct err e = {0};
	int accepted = 0;

	(void)state;
	for (int64_t l = 1; l <= 40; l++)
		for (int64_t v = 1; v <= 40; v++) {
			struct lease_request in = {l, v, 1, 1, 0, 0};
			int64_t last = v * 1000 + LEASE_FAST_STOP_MIN_MS + LEASE_TREE_MIN_MS;

			tight = (struct lease_times){l * 1000, 1000, LEASE_CALL_MIN_MS, v * 1000,
				v * 1000 + LEASE_FAST_STOP_MIN_MS, last, 1000};
			assert_int_equal(
				lease_times_make(&t, &in, &e) == 0, lease_times_safe(&tight));
			if (!lease_times_safe(&tight))
				continue;
			accepted++;
			assert_true(lease_times_safe(&t));
			assert_true((double)t.fencer_ms / 0.99 + LEASE_KILL_BUDGET_MS <
				    (double)t.lease_ms / 1.01);
			assert_true(t.fencer_ms - t.kill_ms >= LEASE_TREE_MIN_MS);
			assert_true(t.kill_ms - t.stop_ms >= LEASE_FAST_STOP_MIN_MS);
			assert_true(t.stop_ms >= t.retry_ms + 2 * t.call_ms);
		}
	assert_true(accepted > 300);
}

static void
changed_times_are_safe_at_once_only_beside_the_old_ones(void **state)
{
	struct lease_times from = default_times(), to = from;

	(void)state;
	assert_true(lease_times_change_safe(&from, &to));
	to.lease_ms = 30000;
	assert_true(lease_times_change_safe(&from, &to));
	to.stop_ms = 20000, to.kill_ms = 21500, to.fencer_ms = 22500;
	assert_true(lease_times_safe(&to));
	assert_false(lease_times_change_safe(&from, &to));
	assert_false(lease_times_change_safe(&to, &from));
}

/* ---- the holder ---- */

static void
deadlines_count_from_the_sending_of_the_last_answered_renewal(void **state)
{
	struct lease_times t = default_times();
	struct lease_holder h = {0};

	(void)state;
	assert_true(lease_holder_claimed(&h, &t, S(100), S(102)));
	assert_int_equal(lease_holder_deadline_ns(&h, &t, LEASE_STOP), S(110));
	assert_int_equal(lease_holder_deadline_ns(&h, &t, LEASE_KILL), S(111.5));
	assert_int_equal(lease_holder_deadline_ns(&h, &t, LEASE_DEAD), S(112.5));
	assert_int_equal(lease_holder_phase(&h, &t, S(109.999)), LEASE_FRESH);
	assert_true(lease_holder_renewed(&h, &t, S(105), S(109)));
	assert_int_equal(lease_holder_phase(&h, &t, S(114.999)), LEASE_FRESH);
	assert_int_equal(lease_holder_phase(&h, &t, S(115)), LEASE_STOP);
	assert_int_equal(lease_holder_phase(&h, &t, S(116.5)), LEASE_KILL);
	assert_int_equal(lease_holder_phase(&h, &t, S(117.5)), LEASE_DEAD);
}

static void
a_claim_answered_after_v1_gives_nothing(void **state)
{
	struct lease_times t = default_times();
	struct lease_holder h = {0};

	(void)state;
	assert_false(lease_holder_claimed(&h, &t, S(100), S(110)));
	assert_int_equal(lease_holder_phase(&h, &t, S(110)), LEASE_NONE);
	assert_false(lease_holder_claimed(&h, &t, S(120), S(119)));
	assert_true(lease_holder_claimed(&h, &t, S(100), S(109.9)));
}

static void
a_deadline_that_has_passed_stays_passed(void **state)
{
	struct lease_times t = default_times();
	struct lease_holder h = {0};

	(void)state;
	assert_true(lease_holder_claimed(&h, &t, S(100), S(100)));
	assert_false(lease_holder_renewed(&h, &t, S(109), S(110)));
	assert_int_equal(lease_holder_phase(&h, &t, S(110)), LEASE_STOP);
	assert_int_equal(lease_holder_phase(&h, &t, S(101)), LEASE_STOP);
	assert_false(lease_holder_renewed(&h, &t, S(100.5), S(101)));
	assert_false(lease_holder_claimed(&h, &t, S(120), S(120)));
	assert_int_equal(lease_holder_next(&h, &t, S(200)), LEASE_DO_WAIT);
	lease_holder_done(&h);
	assert_true(lease_holder_claimed(&h, &t, S(200), S(200)));
}

static void
answers_out_of_order_never_move_the_deadline_back(void **state)
{
	struct lease_times t = default_times();
	struct lease_holder h = {0};

	(void)state;
	assert_true(lease_holder_claimed(&h, &t, S(100), S(100)));
	assert_true(lease_holder_renewed(&h, &t, S(104), S(105)));
	assert_false(lease_holder_renewed(&h, &t, S(102), S(106)));
	assert_false(lease_holder_renewed(&h, &t, S(108), S(107)));
	assert_int_equal(lease_holder_deadline_ns(&h, &t, LEASE_STOP), S(114));
}

static void
a_conflict_is_read_before_it_is_written_over(void **state)
{
	struct lease_times t = default_times();
	struct lease_holder h = {0};

	(void)state;
	assert_true(lease_holder_claimed(&h, &t, S(100), S(100)));
	assert_int_equal(lease_holder_next(&h, &t, S(101.9)), LEASE_DO_WAIT);
	assert_int_equal(lease_holder_next(&h, &t, S(102)), LEASE_DO_PUT);
	lease_holder_doubts(&h, &t, S(102), 0);
	assert_int_equal(lease_holder_next(&h, &t, S(102)), LEASE_DO_GET);
	lease_holder_doubts(&h, &t, S(103), 0);
	assert_int_equal(lease_holder_next(&h, &t, S(103.4)), LEASE_DO_WAIT);
	lease_holder_doubts(&h, &t, S(103), 60000);
	assert_int_equal(lease_holder_next(&h, &t, S(105)), LEASE_DO_GET);
	lease_holder_sees(&h, LEASE_SIGHT_MINE, S(105));
	assert_int_equal(lease_holder_next(&h, &t, S(105)), LEASE_DO_PUT);
	assert_int_equal(lease_holder_deadline_ns(&h, &t, LEASE_STOP), S(110));
	lease_holder_sees(&h, LEASE_SIGHT_ABSENT, S(105));
	assert_int_equal(lease_holder_phase(&h, &t, S(105)), LEASE_FRESH);
	assert_int_equal(lease_holder_next(&h, &t, S(105)), LEASE_DO_PUT);
}

static void
another_holder_or_none_begins_the_stop_at_once(void **state)
{
	static const enum lease_sight sights[] = {LEASE_SIGHT_OTHER, LEASE_SIGHT_RELEASED};
	struct lease_times t = default_times();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sights); i++) {
		struct lease_holder h = {0};

		assert_true(lease_holder_claimed(&h, &t, S(100), S(100)));
		lease_holder_sees(&h, sights[i], S(103));
		assert_int_equal(lease_holder_phase(&h, &t, S(103)), LEASE_STOP);
		assert_int_equal(lease_holder_phase(&h, &t, S(104.5)), LEASE_KILL);
		assert_int_equal(lease_holder_phase(&h, &t, S(105.5)), LEASE_DEAD);
		lease_holder_sees(&h, LEASE_SIGHT_MINE, S(106));
		assert_int_equal(lease_holder_phase(&h, &t, S(106)), LEASE_DEAD);
	}
	{
		struct lease_holder h = {0};

		assert_true(lease_holder_claimed(&h, &t, S(100), S(100)));
		lease_holder_sees(&h, LEASE_SIGHT_OTHER, S(109.9));
		assert_int_equal(lease_holder_deadline_ns(&h, &t, LEASE_DEAD), S(112.4));
		assert_int_equal(lease_holder_phase(&h, &t, S(112.4)), LEASE_DEAD);
	}
}

static void
a_call_ends_in_its_time_and_before_v1(void **state)
{
	struct lease_times t = default_times();
	struct lease_holder h = {0};

	(void)state;
	assert_true(lease_holder_claimed(&h, &t, S(100), S(100)));
	assert_int_equal(lease_holder_call_ms(&h, &t, S(102)), 2500);
	assert_int_equal(lease_holder_call_ms(&h, &t, S(109)), 1000);
	assert_int_equal(lease_holder_call_ms(&h, &t, S(111)), 1);
	assert_true(lease_may_release(true));
	assert_false(lease_may_release(false));
}

/* ---- the candidate ---- */

static struct lease_record
record_of(const char *holder, uint64_t seq)
{
	struct lease_record r = {.exists = true, .seq = seq, .duration_ms = 15000};

	snprintf(r.holder, sizeof(r.holder), "%s", holder);
	snprintf(r.renewed, sizeof(r.renewed), "t%d", (int)seq);
	snprintf(r.version, sizeof(r.version), "v%d", (int)seq);
	r.consistent = true;
	r.released = !*holder;
	return r;
}

#define FULL (15.0 + LEASE_MARGIN_MS / 1000.0)

static void
a_candidate_counts_the_whole_duration_from_when_it_last_saw_a_change(void **state)
{
	struct lease_times t = default_times();
	struct lease_record r = record_of(OTHER, 1);
	struct lease_watch w = {0};

	(void)state;
	assert_true(lease_watch_claim_ns(&w, &t, ME, true) == CLOCK_NEVER);
	assert_true(lease_watch_saw(&w, &r, S(50)));
	assert_int_equal(lease_watch_claim_ns(&w, &t, ME, true), S(50 + FULL));
	assert_false(lease_watch_saw(&w, &r, S(60)));
	assert_int_equal(lease_watch_claim_ns(&w, &t, ME, true), S(50 + FULL));
	r.seq++;
	assert_true(lease_watch_saw(&w, &r, S(61)));
	assert_int_equal(lease_watch_claim_ns(&w, &t, ME, false), S(61 + FULL));
	snprintf(r.renewed, sizeof(r.renewed), "later");
	assert_true(lease_watch_saw(&w, &r, S(62)));
	snprintf(r.holder, sizeof(r.holder), "pg-3/uid-3/n1");
	assert_true(lease_watch_saw(&w, &r, S(63)));
	r.exists = false;
	assert_true(lease_watch_saw(&w, &r, S(64)));
	assert_int_equal(lease_watch_claim_ns(&w, &t, ME, true), S(64 + FULL));
}

static void
a_command_written_by_others_changes_no_counting(void **state)
{
	struct lease_times t = default_times();
	struct lease_record r = record_of(OTHER, 1);
	struct lease_watch w = {0};

	(void)state;
	assert_true(lease_watch_saw(&w, &r, S(50)));
	snprintf(r.version, sizeof(r.version), "v99");
	assert_false(lease_watch_saw(&w, &r, S(55)));
	assert_string_equal(w.last.version, "v99");
	assert_int_equal(lease_watch_claim_ns(&w, &t, ME, true), S(50 + FULL));
}

static void
the_longer_of_both_durations_counts(void **state)
{
	struct lease_times t = default_times();
	struct lease_record r = record_of(OTHER, 1);
	struct lease_watch w = {0};

	(void)state;
	r.duration_ms = 40000;
	lease_watch_saw(&w, &r, S(50));
	assert_int_equal(lease_watch_claim_ns(&w, &t, ME, true), S(90.1));
	r.duration_ms = 1000;
	lease_watch_saw(&w, &r, S(50));
	assert_int_equal(lease_watch_claim_ns(&w, &t, ME, true), S(50 + FULL));
	r.duration_ms = INT64_MAX;
	lease_watch_saw(&w, &r, S(50));
	assert_int_equal(lease_watch_claim_ns(&w, &t, ME, true), S(50 + LEASE_MAX_S + 0.1));
}

static void
a_released_lease_is_the_preferred_ones_at_once_and_soon_anybodys(void **state)
{
	struct lease_times t = default_times();
	struct lease_record r = record_of("", 5);
	struct lease_watch w = {0};

	(void)state;
	lease_watch_saw(&w, &r, S(50));
	assert_int_equal(lease_watch_claim_ns(&w, &t, ME, true), S(50));
	assert_int_equal(lease_watch_claim_ns(&w, &t, ME, false), S(51));
}

static void
a_lease_emptied_by_hand_is_not_released(void **state)
{
	struct lease_times t = default_times();
	struct lease_record r = record_of("", 5);
	struct lease_watch w = {0};

	(void)state;
	r.released = false;
	lease_watch_saw(&w, &r, S(50));
	assert_int_equal(lease_watch_claim_ns(&w, &t, ME, true), S(50 + FULL));
	r.released = true;
	assert_true(lease_watch_saw(&w, &r, S(52)));
	assert_int_equal(lease_watch_claim_ns(&w, &t, ME, true), S(52));
}

static void
only_the_same_pod_takes_its_own_lease_back_without_waiting(void **state)
{
	static const char *const others[] = {"pg-1/uid-2/n1", "pg-1/uid-11/n1", "pg-1x/uid-1/n1",
		"pg-1/uid-1", "pg-1/uid-1/n1/x", "pg-1", "uid-1/n1"};
	struct lease_times t = default_times();
	struct lease_record r = record_of("pg-1/uid-1/earlier", 5);
	struct lease_watch w = {0};
	char name[LEASE_HOLDER_SIZE], wide[400];

	(void)state;
	lease_watch_saw(&w, &r, S(50));
	assert_int_equal(lease_watch_claim_ns(&w, &t, ME, false), S(50));
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		assert_false(lease_same_pod(ME, others[i]));
		r = record_of(others[i], 6 + i);
		lease_watch_saw(&w, &r, S(50));
		assert_int_equal(lease_watch_claim_ns(&w, &t, ME, true), S(50 + FULL));
	}
	assert_true(lease_holder_name(name, "pg-1", "uid-1", "n1"));
	assert_string_equal(name, ME);
	memset(wide, 'a', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	assert_false(lease_holder_name(name, wide, "uid", "n"));
}

static void
a_promise_postpones_the_claim_by_the_whole_duration(void **state)
{
	struct lease_times t = default_times();
	struct lease_record r = record_of(OTHER, 1);
	struct lease_watch w = {0};

	(void)state;
	assert_false(lease_watch_promise(&w, &t, OTHER, S(40)));
	lease_watch_saw(&w, &r, S(50));
	assert_true(lease_watch_promise(&w, &t, OTHER, S(60)));
	assert_int_equal(lease_watch_claim_ns(&w, &t, ME, true), S(60 + FULL));
	r = record_of("", 2);
	lease_watch_saw(&w, &r, S(61));
	assert_int_equal(lease_watch_claim_ns(&w, &t, ME, true), S(61));
	r = record_of("pg-3/uid-3/n1", 3);
	lease_watch_saw(&w, &r, S(62));
	assert_false(lease_watch_promise(&w, &t, OTHER, S(63)));
	assert_false(lease_watch_promise(&w, &t, "", S(63)));
}

static void
nobody_promises_while_a_claim_of_its_own_may_still_land(void **state)
{
	struct lease_times t = default_times();
	struct lease_record r = record_of(OTHER, 1);
	struct lease_watch w = {0};

	(void)state;
	lease_watch_saw(&w, &r, S(50));
	lease_watch_claims(&w);
	assert_false(lease_watch_promise(&w, &t, OTHER, S(66)));
	lease_watch_claim_ends(&w, false);
	assert_false(lease_watch_promise(&w, &t, OTHER, S(67)));
	lease_watch_saw(&w, &r, S(68)); /* unmoved: it may land yet */
	assert_false(lease_watch_promise(&w, &t, OTHER, S(68)));
	r = record_of(OTHER, 2);
	r.consistent = false; /* a watch may be behind */
	lease_watch_saw(&w, &r, S(69));
	assert_false(lease_watch_promise(&w, &t, OTHER, S(69)));
	r.consistent = true;
	lease_watch_saw(&w, &r, S(70));
	assert_true(lease_watch_promise(&w, &t, OTHER, S(70)));
	lease_watch_claims(&w);
	lease_watch_claim_ends(&w, true);
	assert_true(lease_watch_promise(&w, &t, OTHER, S(71)));
}

/* ---- the manifest ---- */

static void
the_manifest_gives_the_times_or_leaves_the_defaults(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};
	AUTO(rig_deinit) struct rig g = {0};

	(void)state;
	rig_ok(&f, HEAD);
	assert_int_equal(f.s->lease.duration_s, 15);
	assert_int_equal(f.s->lease.renew_s, 10);
	assert_int_equal(f.s->lease.retry_s, 2);
	assert_int_equal(f.s->lease.released_s, 1);
	rig_ok(&g, HEAD "  primaryLease: {leaseDurationSeconds: 30, renewDeadlineSeconds: 20,\n"
			"    retryPeriodSeconds: 4, releasedLeaseDurationSeconds: 2}\n");
	assert_int_equal(g.s->lease.duration_s, 30);
	assert_int_equal(g.s->lease.renew_s, 20);
	assert_int_equal(g.s->lease.retry_s, 4);
	assert_int_equal(g.s->lease.released_s, 2);
}

static void
a_manifest_whose_lease_cannot_be_safe_is_refused(void **state)
{
	(void)state;
	expect_error(HEAD "  primaryLease:\n    renewDeadlineSeconds: 14\n",
		"c.yaml:7:3: spec.primaryLease: V3/(1-rho) + J < L/(1+rho) does not hold: "
		"14.80/0.99 "
		"+ 2 = 16.95, and 15/1.01 = 14.85 s");
	expect_error(HEAD "  primaryLease:\n    leaseDurationSeconds: 9223372036854775807\n",
		"c.yaml:7:3: spec.primaryLease: leaseDurationSeconds: 9223372036854775807 s, "
		"expected 1 to 86400 s");
}

static void
between_two_sets_of_times_both_are_kept(void **state)
{
	struct lease_times a = default_times(), b, m;
	struct lease_request r = {6, 3, 1, 1, 0, 0};
	struct err e;

	(void)state;
	assert_int_equal(lease_times_make(&b, &r, &e), 0);
	for (int i = 0; i < 2; i++) {
		m = lease_times_between(i ? &a : &b, i ? &b : &a);
		assert_true(lease_times_safe(&m));
		assert_true(lease_times_change_safe(&a, &m));
		assert_true(lease_times_change_safe(&b, &m) || m.lease_ms > b.lease_ms);
		assert_int_equal(m.lease_ms, 15000);
		assert_int_equal(m.stop_ms, 3000);
		assert_int_equal(m.fencer_ms, b.fencer_ms);
	}
}

static void
promises_move_the_deadline_and_leave_the_doubt(void **state)
{
	struct lease_times t = default_times();
	struct lease_holder h = {0};
	int64_t now = 1000 * SEC_MS * MS_NS;

	(void)state;
	assert_true(lease_holder_claimed(&h, &t, now, now));
	lease_holder_doubts(&h, &t, now + 5000 * MS_NS, 0);
	assert_true(lease_holder_promised(&h, &t, now + 5000 * MS_NS, now + 5100 * MS_NS));
	assert_int_equal(
		lease_holder_deadline_ns(&h, &t, LEASE_STOP), now + (5000 + t.stop_ms) * MS_NS);
	assert_true(h.doubt);
	assert_int_equal(lease_holder_next(&h, &t, now + 5100 * MS_NS), LEASE_DO_GET);
	/* An older question moves nothing back, and after V1 none counts. */
	assert_false(lease_holder_promised(&h, &t, now + 4000 * MS_NS, now + 5200 * MS_NS));
	assert_false(lease_holder_promised(
		&h, &t, now + (5000 + t.stop_ms - 1) * MS_NS, now + (5000 + t.stop_ms) * MS_NS));
	assert_int_equal(h.worst, LEASE_STOP);
}

static void
a_deleted_lease_is_waited_out_as_long_as_it_said(void **state)
{
	struct lease_times t = default_times();
	struct lease_watch w = {0};
	struct lease_record r = {.exists = true, .holder = "a/1/x", .seq = 1, .duration_ms = 60000};
	int64_t now = 1000 * SEC_MS * MS_NS;

	(void)state;
	lease_watch_saw(&w, &r, now);
	lease_watch_saw(&w, &(struct lease_record){0}, now + 1);
	assert_int_equal(lease_watch_claim_ns(&w, &t, "b/1/y", true),
		now + 1 + (60000 + LEASE_MARGIN_MS) * MS_NS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_keep_the_inequality_with_room_for_both_stops),
		cmocka_unit_test(what_cannot_hold_is_refused_with_the_inequality_and_its_numbers),
		cmocka_unit_test(what_is_no_time_or_would_overflow_is_refused),
		cmocka_unit_test(every_accepted_request_is_safe_and_every_refused_one_could_not_be),
		cmocka_unit_test(changed_times_are_safe_at_once_only_beside_the_old_ones),
		cmocka_unit_test(deadlines_count_from_the_sending_of_the_last_answered_renewal),
		cmocka_unit_test(a_claim_answered_after_v1_gives_nothing),
		cmocka_unit_test(a_deadline_that_has_passed_stays_passed),
		cmocka_unit_test(answers_out_of_order_never_move_the_deadline_back),
		cmocka_unit_test(a_conflict_is_read_before_it_is_written_over),
		cmocka_unit_test(another_holder_or_none_begins_the_stop_at_once),
		cmocka_unit_test(a_call_ends_in_its_time_and_before_v1),
		cmocka_unit_test(
			a_candidate_counts_the_whole_duration_from_when_it_last_saw_a_change),
		cmocka_unit_test(a_command_written_by_others_changes_no_counting),
		cmocka_unit_test(the_longer_of_both_durations_counts),
		cmocka_unit_test(a_released_lease_is_the_preferred_ones_at_once_and_soon_anybodys),
		cmocka_unit_test(a_lease_emptied_by_hand_is_not_released),
		cmocka_unit_test(only_the_same_pod_takes_its_own_lease_back_without_waiting),
		cmocka_unit_test(a_promise_postpones_the_claim_by_the_whole_duration),
		cmocka_unit_test(nobody_promises_while_a_claim_of_its_own_may_still_land),
		cmocka_unit_test(the_manifest_gives_the_times_or_leaves_the_defaults),
		cmocka_unit_test(promises_move_the_deadline_and_leave_the_doubt),
		cmocka_unit_test(between_two_sets_of_times_both_are_kept),
		cmocka_unit_test(a_deleted_lease_is_waited_out_as_long_as_it_said),
		cmocka_unit_test(a_manifest_whose_lease_cannot_be_safe_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
