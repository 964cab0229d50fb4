#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/defs.h"
#include "core/ladder.h"
#include "core/restart.h"

static void
every_ladder_rises_and_ends_with_the_tree_inside_its_budget(void **state)
{
	static const int64_t budgets[] = {0, 1000, 2000, 10000, 30000, 1800000};

	(void)state;
	for (int c = 0; c < LADDER_CAUSES; c++) {
		for (size_t b = 0; b < ARRAY_LEN(budgets); b++) {
			struct ladder_times t = {budgets[b], b % 2 ? 180000 : 0, 60000, 500};
			struct ladder l = ladder_make((enum ladder_cause)c, &t);

			assert_true(l.n > 0);
			assert_int_equal(l.step[0].at_ms, 0);
			for (size_t i = 1; i < l.n; i++) {
				assert_true(l.step[i].at_ms > l.step[i - 1].at_ms);
				assert_true(l.step[i].rung > l.step[i - 1].rung);
			}
			assert_int_equal(l.step[l.n - 1].rung, LADDER_TREE);
			if ((c == LADDER_STOP || c == LADDER_RESTART) && budgets[b] >= 1000)
				assert_true(l.step[l.n - 1].at_ms < budgets[b]);
		}
	}
}

static void
smart_is_first_only_when_asked_for(void **state)
{
	struct ladder_times t = {.budget_ms = 30000};

	(void)state;
	assert_int_equal(ladder_make(LADDER_STOP, &t).step[0].rung, LADDER_FAST);
	t.smart_ms = 5000;
	assert_int_equal(ladder_make(LADDER_STOP, &t).step[0].rung, LADDER_SMART);
	assert_int_equal(ladder_make(LADDER_STOP, &t).step[1].at_ms, 5000);
}

static void
a_fence_goes_from_fast_to_immediate_after_the_switchover_delay(void **state)
{
	struct ladder l = ladder_make(LADDER_FENCE, &(struct ladder_times){.switchover_ms = 40000});

	(void)state;
	assert_int_equal(l.step[0].rung, LADDER_FAST);
	assert_int_equal(l.step[1].rung, LADDER_IMMEDIATE);
	assert_int_equal(l.step[1].at_ms, 40000);
}

static void
a_switchover_delay_of_nothing_still_rises(void **state)
{
	struct ladder l = ladder_make(LADDER_FENCE, &(struct ladder_times){0});

	(void)state;
	for (size_t i = 1; i < l.n; i++)
		assert_true(l.step[i].at_ms > l.step[i - 1].at_ms);
}

static void
a_lost_lease_kills_the_tree_when_its_time_is_over(void **state)
{
	struct ladder l = ladder_make(LADDER_LEASE, &(struct ladder_times){.lease_ms = 730});

	(void)state;
	assert_int_equal(l.n, 2);
	assert_int_equal(l.step[0].rung, LADDER_FAST);
	assert_int_equal(l.step[1].rung, LADDER_TREE);
	assert_int_equal(l.step[1].at_ms, 730);
	l = ladder_make(LADDER_LEASE, &(struct ladder_times){.lease_ms = -20});
	assert_int_equal(l.n, 1);
	assert_int_equal(l.step[0].rung, LADDER_TREE);
	assert_int_equal(l.step[0].at_ms, 0);
}

static void
rungs_are_postgres_own_signals(void **state)
{
	(void)state;
	assert_int_equal(ladder_rung_signal(LADDER_SMART), SIGTERM);
	assert_int_equal(ladder_rung_signal(LADDER_FAST), SIGINT);
	assert_int_equal(ladder_rung_signal(LADDER_IMMEDIATE), SIGQUIT);
}

static void
five_ends_in_a_minute_are_answered_at_once_and_then_the_pause_doubles(void **state)
{
	struct restart r = {0};
	int64_t now = 1000000;

	(void)state;
	for (int i = 0; i < RESTART_MAX; i++)
		assert_int_equal(restart_after(&r, now += 1000), 0);
	assert_int_equal(restart_after(&r, now += 1000), 1000);
	assert_int_equal(restart_after(&r, now += 2000), 2000);
	assert_int_equal(restart_after(&r, now += 3000), 4000);
	for (int i = 0; i < 10; i++)
		assert_true(restart_after(&r, now += 61000) <= RESTART_LAST_MS);
	assert_int_equal(restart_after(&r, now += 61000), RESTART_LAST_MS);
}

static void
an_end_long_after_the_last_is_the_first_again(void **state)
{
	struct restart r = {0};

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_int_equal(restart_after(&r, (int64_t)i * 3600000), 0);
	restart_forget(&r);
	assert_int_equal(r.count, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_ladder_rises_and_ends_with_the_tree_inside_its_budget),
		cmocka_unit_test(smart_is_first_only_when_asked_for),
		cmocka_unit_test(a_fence_goes_from_fast_to_immediate_after_the_switchover_delay),
		cmocka_unit_test(a_switchover_delay_of_nothing_still_rises),
		cmocka_unit_test(a_lost_lease_kills_the_tree_when_its_time_is_over),
		cmocka_unit_test(rungs_are_postgres_own_signals),
		cmocka_unit_test(
			five_ends_in_a_minute_are_answered_at_once_and_then_the_pause_doubles),
		cmocka_unit_test(an_end_long_after_the_last_is_the_first_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
