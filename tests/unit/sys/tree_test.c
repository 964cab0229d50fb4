#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "sys/tree.h"

/* The first test of all: on the wrong branch it would take the machine. */
static void
killing_everything_is_refused_to_whoever_is_not_pid_1(void **state)
{
	struct err e;

	(void)state;
	assert_int_not_equal(getpid(), 1);
	assert_int_equal(tree_kill_everything(&e), -1);
	assert_int_equal(e.kind, ERR_STATE);
}

static pid_t
child_that_waits(int depth)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (depth > 0)
		child_that_waits(depth - 1);
	for (;;)
		pause();
}

static void
wait_for_count(const struct tree *t, int want)
{
	int64_t until = clock_boot_ms() + 30000;
	struct err e;
	int n;

	while ((n = tree_count(t, &e)) != want && clock_boot_ms() < until)
		usleep(1000);
	assert_int_equal(n, want);
}

static void
descendants_are_counted_and_spared_ones_are_not(void **state)
{
	pid_t a = child_that_waits(2), b = child_that_waits(0);
	struct tree all = {.root = getpid()}, but_b = {.root = getpid(), .spare = &b, .n_spare = 1};
	struct err e;

	(void)state;
	wait_for_count(&all, 4);
	wait_for_count(&but_b, 3);
	assert_int_equal(tree_kill(&but_b, SIGKILL, 10, &e), 3);
	assert_int_equal(waitpid(a, NULL, 0), a);
	assert_int_equal(kill(b, 0), 0);
	wait_for_count(&all, 1); /* what was killed takes a moment to die */
	assert_int_equal(tree_kill(&all, SIGKILL, 10, &e), 1);
	assert_int_equal(waitpid(b, NULL, 0), b);
	wait_for_count(&all, 0);
}

/* Hundreds of processes are looked at in less than a tick: this runs in PID 1. */
static void
many_processes_are_looked_at_quickly(void **state)
{
	struct tree all = {.root = getpid()};
	pid_t first = child_that_waits(0);
	int64_t began;
	struct err e;

	(void)state;
	for (int i = 0; i < 9; i++)
		child_that_waits(29);
	wait_for_count(&all, 271);
	began = clock_boot_ms();
	assert_int_equal(tree_count(&all, &e), 271);
	assert_in_range(clock_boot_ms() - began, 0, 5000);
	assert_int_equal(tree_kill(&all, SIGKILL, 50, &e), 271);
	while (waitpid(-1, NULL, 0) > 0)
		continue;
	wait_for_count(&all, 0);
	assert_int_equal(tree_process_state(first), 0);
}

static void
a_stopped_process_is_seen_as_stopped(void **state)
{
	pid_t a = child_that_waits(0);
	int64_t until = clock_boot_ms() + 30000;

	(void)state;
	kill(a, SIGSTOP);
	while (tree_process_state(a) != 'T' && clock_boot_ms() < until)
		usleep(1000);
	assert_int_equal(tree_process_state(a), 'T');
	kill(a, SIGKILL);
	waitpid(a, NULL, 0);
	assert_int_equal(tree_process_state(a), 0);
}

static void
proc_of_another_namespace_is_refused(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(tree_check_proc(&e), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killing_everything_is_refused_to_whoever_is_not_pid_1),
		cmocka_unit_test(descendants_are_counted_and_spared_ones_are_not),
		cmocka_unit_test(many_processes_are_looked_at_quickly),
		cmocka_unit_test(a_stopped_process_is_seen_as_stopped),
		cmocka_unit_test(proc_of_another_namespace_is_refused),
	};

	/* Whom the death of a parent kills stays to be counted, however fast PID 1 is to reap. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
