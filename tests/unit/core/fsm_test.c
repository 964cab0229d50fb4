#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/fsm.h"

static void
every_cell_has_a_sentence_and_a_valid_target(void **state)
{
	(void)state;
	for (int s = 0; s < FSM_STATES; s++) {
		for (int ev = 0; ev < FSM_EVENTS; ev++) {
			struct fsm_step st = fsm_step((enum fsm_state)s, (enum fsm_event)ev);

			assert_non_null(st.sentence);
			assert_true(strlen(st.sentence) > 3);
			assert_true(st.next < FSM_STATES);
			assert_true(st.action < FSM_ACTIONS);
			if (!st.moves)
				assert_int_equal(st.next, s);
		}
	}
}

static bool
may_run(enum fsm_state s)
{
	return fsm_state_postgres(s) != FSM_PG_NONE;
}

static void
postgres_is_started_from_boot_alone(void **state)
{
	(void)state;
	for (int s = 0; s < FSM_STATES; s++) {
		for (int ev = 0; ev < FSM_EVENTS; ev++) {
			struct fsm_step st = fsm_step((enum fsm_state)s, (enum fsm_event)ev);

			if (st.action == FSM_DO_START_PRIMARY || st.action == FSM_DO_START_STANDBY)
				assert_int_equal(s, FSM_BOOT);
			if (!may_run((enum fsm_state)s) && may_run(st.next) && s != FSM_BOOT)
				assert_true(fsm_state_postgres(st.next) == FSM_PG_STOPPING);
		}
	}
}

static void
a_fence_leads_to_a_stop_from_every_state_but_those_stopped(void **state)
{
	(void)state;
	for (int s = 0; s < FSM_STATES; s++) {
		struct fsm_step st = fsm_step((enum fsm_state)s, FSM_EV_FENCE);

		if (s == FSM_FENCED || s == FSM_KILL)
			assert_false(st.moves);
		else
			assert_int_equal(st.next, FSM_KILL);
	}
}

static void
a_stop_leads_out_of_every_state(void **state)
{
	(void)state;
	for (int s = 0; s < FSM_STATES; s++) {
		struct fsm_step st = fsm_step((enum fsm_state)s, FSM_EV_STOP);

		if (s == FSM_KILL || s == FSM_HANDOVER)
			assert_false(st.moves);
		else
			assert_int_equal(fsm_state_postgres(st.next), FSM_PG_STOPPING);
	}
}

static void
the_end_of_postgres_is_handled_wherever_postgres_may_be(void **state)
{
	static const enum fsm_event ends[] = {
		FSM_EV_EXIT_RUN, FSM_EV_EXIT_EARLY, FSM_EV_EXIT_FENCED, FSM_EV_EXIT_STOP};

	(void)state;
	for (int s = 0; s < FSM_STATES; s++) {
		for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
			struct fsm_step st = fsm_step((enum fsm_state)s, ends[i]);

			assert_int_equal(st.moves, may_run((enum fsm_state)s));
		}
	}
}

static void
the_watchdog_and_lost_data_stop_everything_at_once(void **state)
{
	(void)state;
	for (int s = 0; s < FSM_STATES; s++) {
		if (!may_run((enum fsm_state)s))
			continue;
		assert_int_equal(
			fsm_step((enum fsm_state)s, FSM_EV_WATCHDOG).action, FSM_DO_STOP_NOW);
		assert_int_equal(
			fsm_step((enum fsm_state)s, FSM_EV_DATA_GONE).action, FSM_DO_STOP_NOW);
	}
}

static void
a_lost_lease_stops_whatever_may_write(void **state)
{
	(void)state;
	for (int s = 0; s < FSM_STATES; s++)
		if (fsm_state_postgres((enum fsm_state)s) == FSM_PG_WRITABLE)
			assert_int_equal(
				fsm_step((enum fsm_state)s, FSM_EV_LEASE_LOST).next, FSM_KILL);
}

static void
writable_is_reached_by_promotion_or_a_prepared_primary_only(void **state)
{
	(void)state;
	for (int s = 0; s < FSM_STATES; s++) {
		for (int ev = 0; ev < FSM_EVENTS; ev++) {
			struct fsm_step st = fsm_step((enum fsm_state)s, (enum fsm_event)ev);
			bool from = fsm_state_postgres((enum fsm_state)s) == FSM_PG_WRITABLE;

			if (from || fsm_state_postgres(st.next) != FSM_PG_WRITABLE)
				continue;
			assert_true(ev == FSM_EV_READY_PRIMARY || ev == FSM_EV_LEASE_MINE);
		}
	}
}

static void
a_promotion_is_refused_with_the_reason_of_the_state(void **state)
{
	(void)state;
	assert_string_equal(fsm_step(FSM_PRIMARY, FSM_EV_PROMOTE).sentence, "already primary");
	assert_false(fsm_step(FSM_FENCED, FSM_EV_PROMOTE).moves);
	assert_non_null(strstr(fsm_step(FSM_FENCED, FSM_EV_PROMOTE).sentence, "unfence"));
	assert_int_equal(fsm_step(FSM_STANDBY, FSM_EV_PROMOTE).next, FSM_CLAIM);
}

static void
every_state_can_reach_every_running_state_again(void **state)
{
	bool reach[FSM_STATES] = {[FSM_BOOT] = true};
	bool more = true;

	(void)state;
	/* Backwards from BOOT: from each state some chain of events leads back to a start. */
	while (more) {
		more = false;
		for (int s = 0; s < FSM_STATES; s++) {
			for (int ev = 0; ev < FSM_EVENTS && !reach[s]; ev++) {
				struct fsm_step st =
					fsm_step((enum fsm_state)s, (enum fsm_event)ev);

				if (st.moves && reach[st.next])
					reach[s] = more = true;
			}
		}
	}
	for (int s = 0; s < FSM_STATES; s++)
		assert_true(reach[s]);
}

static void
the_table_prints_itself(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};

	(void)state;
	fsm_print(&b);
	for (int s = 0; s < FSM_STATES; s++)
		assert_non_null(strstr(buf_str(&b), fsm_state_text((enum fsm_state)s)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_has_a_sentence_and_a_valid_target),
		cmocka_unit_test(postgres_is_started_from_boot_alone),
		cmocka_unit_test(a_fence_leads_to_a_stop_from_every_state_but_those_stopped),
		cmocka_unit_test(a_stop_leads_out_of_every_state),
		cmocka_unit_test(the_end_of_postgres_is_handled_wherever_postgres_may_be),
		cmocka_unit_test(the_watchdog_and_lost_data_stop_everything_at_once),
		cmocka_unit_test(a_lost_lease_stops_whatever_may_write),
		cmocka_unit_test(writable_is_reached_by_promotion_or_a_prepared_primary_only),
		cmocka_unit_test(a_promotion_is_refused_with_the_reason_of_the_state),
		cmocka_unit_test(every_state_can_reach_every_running_state_again),
		cmocka_unit_test(the_table_prints_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
