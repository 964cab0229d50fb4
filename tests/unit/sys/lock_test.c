#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "sys/file.h"
#include "sys/lock.h"

static char dir[64], path[80];

static int
setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/podgres-lock-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/lock", dir);
	return 0;
}

static int
teardown(void **state)
{
	struct err e;

	(void)state;
	return file_remove_tree(dir, &e);
}

static void
second_taker_is_told_who_holds_it(void **state)
{
	AUTO(close) int fd = -1;
	int other;
	char mine[32];
	struct err e;

	(void)state;
	assert_int_equal(lock_take(&fd, path, 0, &e), 0);
	assert_int_equal(lock_take(&other, path, 60, &e), -1);
	assert_int_equal(other, -1);
	assert_int_equal(e.kind, ERR_STATE);
	snprintf(mine, sizeof(mine), "pid %ld on ", (long)getpid());
	assert_non_null(strstr(e.msg, mine));
}

static void
folder_can_be_locked_and_is_not_written(void **state)
{
	AUTO(close) int fd = -1;
	int other;
	struct err e;

	(void)state;
	assert_int_equal(lock_take(&fd, dir, 0, &e), 0);
	assert_int_equal(lock_take(&other, dir, 0, &e), -1);
	assert_int_equal(e.kind, ERR_STATE);
}

static void
lock_is_held_by_a_child_that_inherited_it(void **state)
{
	int fd, other, pipefd[2];
	struct err e;
	pid_t child;
	char c;

	(void)state;
	assert_int_equal(lock_take(&fd, path, 0, &e), 0);
	assert_int_equal(pipe2(pipefd, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		close(pipefd[1]);
		_exit(read(pipefd[0], &c, 1) < 0);
	}
	close(fd);
	assert_int_equal(lock_take(&other, path, 0, &e), -1);
	assert_int_equal(write(pipefd[1], "x", 1), 1);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(lock_take(&other, path, 2000, &e), 0);
	close(other);
	close(pipefd[0]);
	close(pipefd[1]);
}

static void
waiting_ends_when_the_holder_lets_go(void **state)
{
	int fd, other;
	int64_t before = clock_boot_ms();
	struct err e;
	pid_t child;

	(void)state;
	assert_int_equal(lock_take(&fd, path, 0, &e), 0);
	child = fork();
	if (child == 0) {
		usleep(100000); /* it is the wait that is tested */
		_exit(0);
	}
	close(fd);
	assert_int_equal(lock_take(&other, path, 5000, &e), 0);
	assert_in_range(clock_boot_ms() - before, 50, 4000);
	assert_int_equal(waitpid(child, NULL, 0), child);
	close(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(second_taker_is_told_who_holds_it, setup, teardown),
		cmocka_unit_test_setup_teardown(
			folder_can_be_locked_and_is_not_written, setup, teardown),
		cmocka_unit_test_setup_teardown(
			lock_is_held_by_a_child_that_inherited_it, setup, teardown),
		cmocka_unit_test_setup_teardown(
			waiting_ends_when_the_holder_lets_go, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
