#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/health.h"

typedef void judge_fn(const struct health_in *in, struct health *out);

/* A primary in good health for a day. */
static struct health_in
primary(void)
{
	return (struct health_in){
		.state = FSM_PRIMARY,
		.beat_age_ms = 300,
		.watchdog_ms = 10000,
		.service = {{"logger", true, 900, 10000}, {"monitor", true, 900, 15000}},
		.services = 2,
		.postgres = HEALTH_PG_ACCEPTING,
		.seen = true,
		.known = true,
		.accept = HEALTH_ACCEPT_YES,
		.observed_age_ms = 800,
		.connect_age_ms = 1000,
		.heard_age_ms = 1000,
		.query_age_ms = 800,
		.up_ms = 86400000,
		.lag_bytes = -1,
		.max_lag_bytes = -1,
		.moved_age_ms = 86400000,
		.start_delay_ms = 3600000,
	};
}

static struct health_in
standby(void)
{
	struct health_in in = primary();

	in.state = FSM_STANDBY;
	in.in_recovery = in.has_primary = in.receiver_active = true;
	in.lag_bytes = 4096;
	return in;
}

static void
expect(judge_fn *judge, const struct health_in *in, bool ok, const char *says)
{
	struct health out;

	memset(&out, 'x', sizeof(out));
	judge(in, &out);
	if (out.ok != ok || (says && !strstr(out.reason, says)))
		fail_msg("%s, because \"%s\" (expected \"%s\")", out.ok ? "ok" : "not ok",
			out.reason, says ? says : "");
	assert_true(strlen(out.reason) > 0);
}

static void
a_healthy_primary_passes_every_probe(void **state)
{
	struct health_in in = primary();

	(void)state;
	expect(health_live, &in, true, NULL);
	expect(health_ready, &in, true, NULL);
	expect(health_startup, &in, true, NULL);
	expect(health_primary, &in, true, NULL);
	expect(health_running, &in, true, NULL);
}

static void
a_silent_supervisor_fails_every_probe(void **state)
{
	struct health_in in = primary();

	(void)state;
	in.beat_age_ms = 5001;
	expect(health_live, &in, false, "supervisor has been silent for 5 s");
	expect(health_ready, &in, false, "supervisor");
	expect(health_startup, &in, false, "supervisor");
	in.beat_age_ms = 5000;
	expect(health_live, &in, true, NULL);
	in.beat_age_ms = -1;
	expect(health_live, &in, false, "not begun");
}

static void
a_longer_watchdog_gives_the_supervisor_half_of_it(void **state)
{
	struct health_in in = primary();

	(void)state;
	in.watchdog_ms = 60000;
	in.beat_age_ms = 30000;
	expect(health_live, &in, true, NULL);
	in.beat_age_ms = 30001;
	expect(health_live, &in, false, "supervisor");
}

static void
what_a_restart_cannot_cure_is_live(void **state)
{
	static const enum fsm_state states[] = {
		FSM_BOOT, FSM_FENCED, FSM_SPACE, FSM_FAILED, FSM_HANDOVER, FSM_REJOIN};
	struct health_in in = primary();

	(void)state;
	in.postgres = HEALTH_PG_DOWN;
	in.seen = false;
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		in.state = states[i];
		expect(health_live, &in, true, NULL);
		expect(health_ready, &in, false, NULL);
	}
}

static void
a_service_that_the_supervisor_fails_to_restart_is_not_live(void **state)
{
	struct health_in in = primary();

	(void)state;
	in.service[1].silent_ms = 45000;
	expect(health_live, &in, true, NULL);
	in.service[1].silent_ms = 45001;
	expect(health_live, &in, false, "monitor has been silent for 45 s");
	in.service[1].running = false;
	expect(health_live, &in, true, NULL);
}

static void
a_wedged_postgres_is_live_until_the_policy_ends(void **state)
{
	struct health_in in = primary();

	(void)state;
	in.problem = "a new connection gets no answer";
	in.connect_age_ms = in.heard_age_ms = in.query_age_ms = HEALTH_WEDGED_MS - 1;
	expect(health_live, &in, true, NULL);
	in.connect_age_ms = in.heard_age_ms = in.query_age_ms = HEALTH_WEDGED_MS;
	expect(health_live, &in, false, "10 min: a new connection gets no answer");
	in.paused = true;
	expect(health_live, &in, true, NULL);
}

static void
one_kept_connection_that_answers_keeps_postgres_live_but_not_ready(void **state)
{
	struct health_in in = primary();

	(void)state;
	in.connect_age_ms = in.heard_age_ms = 24 * HEALTH_WEDGED_MS;
	expect(health_live, &in, true, NULL);
	expect(health_ready, &in, false, "no new connection for 4 h");
	in.problem = "postgres (pid 7) is stopped by a signal";
	expect(health_ready, &in, false, "stopped by a signal");
	in.heard_age_ms = HEALTH_HEARD_MS;
	expect(health_ready, &in, true, NULL);
}

static void
connections_that_are_all_taken_change_no_probe(void **state)
{
	struct health_in in = primary();

	(void)state;
	in.problem = "out of connections: sorry, too many clients already";
	in.connect_age_ms = in.query_age_ms = 2 * HEALTH_WEDGED_MS;
	expect(health_live, &in, true, NULL);
	expect(health_ready, &in, true, NULL);
}

static void
a_monitor_that_is_dead_says_nothing_against_postgres(void **state)
{
	struct health_in in = primary();

	(void)state;
	in.observed_age_ms = in.connect_age_ms = in.heard_age_ms = in.query_age_ms =
		2 * HEALTH_WEDGED_MS;
	expect(health_live, &in, true, NULL);
	expect(health_ready, &in, false, "nobody has looked");
}

static void
a_young_postgres_is_not_blamed_for_ages_before_its_birth(void **state)
{
	struct health_in in = primary();

	(void)state;
	in.up_ms = 2000;
	in.connect_age_ms = in.heard_age_ms = in.query_age_ms = -1;
	expect(health_live, &in, true, NULL);
	expect(health_ready, &in, true, NULL);
	in.up_ms = HEALTH_HEARD_MS + 1;
	expect(health_ready, &in, false, "no new connection");
}

static void
nobody_is_sent_to_a_fenced_or_stopping_instance(void **state)
{
	struct health_in in = primary();

	(void)state;
	in.fenced = true;
	in.fence_reason = "repair, by unix:uid=0";
	expect(health_ready, &in, false, "fenced: repair, by unix:uid=0");
	expect(health_primary, &in, false, "fenced");
	in.stopping = true;
	expect(health_ready, &in, false, "stopping");
}

static void
readiness_says_what_postgres_is_about(void **state)
{
	struct health_in in = primary();

	(void)state;
	in.accept = HEALTH_ACCEPT_NO;
	in.problem = "sorry, too many clients already";
	expect(health_ready, &in, false, "too many clients");
	in.problem = "";
	expect(health_ready, &in, false, "does not accept");
	in.seen = false;
	expect(health_ready, &in, false, "nobody has looked at this postgres");
	in.postgres = HEALTH_PG_STARTING;
	expect(health_ready, &in, false, "starting");
	in.postgres = HEALTH_PG_STOPPING;
	expect(health_ready, &in, false, "stopping");
	in.postgres = HEALTH_PG_DOWN;
	in.reason = "postgres crashed";
	expect(health_ready, &in, false, "does not run: postgres crashed");
	in.state = FSM_SPACE;
	in.reason = "";
	expect(health_ready, &in, false, "volume is full");
}

static void
a_standby_is_ready_when_it_streams_within_the_limit(void **state)
{
	struct health_in in = standby();

	(void)state;
	in.max_lag_bytes = 4096;
	expect(health_ready, &in, true, NULL);
	in.max_lag_bytes = 4095;
	expect(health_ready, &in, false, "4096 bytes behind");
	in.lag_bytes = -1;
	expect(health_ready, &in, false, "unknown");
	in.max_lag_bytes = -1;
	expect(health_ready, &in, true, NULL);
}

static void
following_the_archive_is_enough_unless_the_manifest_wants_streaming(void **state)
{
	struct health_in in = standby();

	(void)state;
	in.receiver_active = false;
	expect(health_ready, &in, true, NULL);
	in.needs_streaming = true;
	expect(health_ready, &in, false, "not streaming");
	in.has_primary = false;
	expect(health_ready, &in, true, NULL);
}

static void
a_start_that_moves_passes_and_one_that_stands_still_does_not(void **state)
{
	struct health_in in = primary();

	(void)state;
	in.postgres = HEALTH_PG_STARTING;
	in.seen = false;
	in.moved_age_ms = in.start_delay_ms;
	expect(health_startup, &in, true, NULL);
	in.moved_age_ms = in.start_delay_ms + 1;
	in.reason = "replaying 000000010000000000000042";
	expect(health_startup, &in, false, "not moved for 1 h: replaying");
	expect(health_live, &in, true, NULL);
	in.start_delay_ms = 0;
	expect(health_startup, &in, true, NULL);
}

static void
where_nothing_is_being_started_startup_is_over(void **state)
{
	struct health_in in = primary();

	(void)state;
	in.postgres = HEALTH_PG_DOWN;
	in.moved_age_ms = 2 * in.start_delay_ms;
	expect(health_startup, &in, false, NULL);
	in.fenced = true;
	expect(health_startup, &in, true, NULL);
	in.fenced = false;
	in.state = FSM_SPACE;
	expect(health_startup, &in, true, NULL);
}

static void
roles_are_told_apart(void **state)
{
	struct health_in p = primary(), s = standby();
	struct health out;

	(void)state;
	expect(health_primary, &s, false, "standby");
	health_replica(&p, -1, false, &out);
	assert_false(out.ok);
	health_replica(&s, 4096, true, &out);
	assert_true(out.ok);
	health_replica(&s, 4095, true, &out);
	assert_false(out.ok);
	s.receiver_active = false;
	health_replica(&s, -1, false, &out);
	assert_true(out.ok);
	health_replica(&s, -1, true, &out);
	assert_false(out.ok);
	p.state = FSM_PROMOTE;
	expect(health_primary, &p, false, NULL);
}

static void
nobody_is_ready_before_a_query_told_its_role(void **state)
{
	struct health_in in = standby();

	(void)state;
	in.known = in.in_recovery = in.receiver_active = in.has_primary = false;
	in.needs_streaming = true;
	expect(health_ready, &in, false, "not been asked");
	expect(health_primary, &in, false, "not been asked");
	expect(health_live, &in, true, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_healthy_primary_passes_every_probe),
		cmocka_unit_test(a_silent_supervisor_fails_every_probe),
		cmocka_unit_test(a_longer_watchdog_gives_the_supervisor_half_of_it),
		cmocka_unit_test(what_a_restart_cannot_cure_is_live),
		cmocka_unit_test(a_service_that_the_supervisor_fails_to_restart_is_not_live),
		cmocka_unit_test(a_wedged_postgres_is_live_until_the_policy_ends),
		cmocka_unit_test(
			one_kept_connection_that_answers_keeps_postgres_live_but_not_ready),
		cmocka_unit_test(connections_that_are_all_taken_change_no_probe),
		cmocka_unit_test(a_monitor_that_is_dead_says_nothing_against_postgres),
		cmocka_unit_test(a_young_postgres_is_not_blamed_for_ages_before_its_birth),
		cmocka_unit_test(nobody_is_sent_to_a_fenced_or_stopping_instance),
		cmocka_unit_test(readiness_says_what_postgres_is_about),
		cmocka_unit_test(a_standby_is_ready_when_it_streams_within_the_limit),
		cmocka_unit_test(
			following_the_archive_is_enough_unless_the_manifest_wants_streaming),
		cmocka_unit_test(a_start_that_moves_passes_and_one_that_stands_still_does_not),
		cmocka_unit_test(where_nothing_is_being_started_startup_is_over),
		cmocka_unit_test(roles_are_told_apart),
		cmocka_unit_test(nobody_is_ready_before_a_query_told_its_role),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
