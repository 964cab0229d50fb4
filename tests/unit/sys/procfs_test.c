#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/defs.h"
#include "sys/procfs.h"

#define WAL "00000001000000000000000A"

static void
a_name_with_parentheses_does_not_confuse_the_state(void **state)
{
	struct procfs_stat st;

	(void)state;
	assert_true(procfs_stat_parse(
		"42 (a) R 1 (b) T 7 42 42 0 -1 4194560 1 2 3 4 50 25 0 0 20 0 1 0 9", &st));
	assert_int_equal(st.state, 'T');
	assert_int_equal(st.parent, 7);
	assert_int_equal(st.cpu_ticks, 75);
	assert_false(procfs_stat_parse("42 (cut) S 1", &st));
	assert_false(procfs_stat_parse("", &st));
}

static void
titles_of_the_startup_process_are_understood(void **state)
{
	struct procfs_startup s;

	(void)state;
	assert_true(procfs_startup_parse("postgres: startup recovering " WAL, &s));
	assert_string_equal(s.wal, WAL);
	assert_false(s.waiting);
	assert_true(procfs_startup_parse("postgres: main: startup waiting for " WAL "  ", &s));
	assert_string_equal(s.wal, WAL);
	assert_true(s.waiting);
	assert_true(procfs_startup_parse("postgres: a: startup: startup ", &s));
	assert_string_equal(s.wal, "");
}

static void
titles_of_others_are_not(void **state)
{
	static const char *const other[] = {"postgres: checkpointer ",
		"postgres: startup db [local] idle", "postgres: startup recovering [local] idle",
		"postgres: startup waiting for ", "postgres: startup recovering 0000",
		"postgres: walsender startup", "/usr/bin/postgres: startup", "postgres -D /startup",
		"", "postgres: startup recovering " WAL "A"};
	struct procfs_startup s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		assert_false(procfs_startup_parse(other[i], &s));
}

static void
a_stopped_child_shows_as_stopped_and_a_dead_one_not_at_all(void **state)
{
	struct procfs_stat st;
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(procfs_stat(pid, &st));
	assert_int_equal(st.state, 'T');
	assert_int_equal(st.parent, getpid());
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_false(procfs_stat(pid, &st));
	assert_true(procfs_rss_bytes(pid) == 0);
	assert_true(procfs_rss_bytes(getpid()) > 100000);
}

static void
a_process_without_a_startup_process_has_none(void **state)
{
	struct procfs_startup s;

	(void)state;
	assert_false(procfs_startup(getpid(), &s));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_with_parentheses_does_not_confuse_the_state),
		cmocka_unit_test(titles_of_the_startup_process_are_understood),
		cmocka_unit_test(titles_of_others_are_not),
		cmocka_unit_test(a_stopped_child_shows_as_stopped_and_a_dead_one_not_at_all),
		cmocka_unit_test(a_process_without_a_startup_process_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
