#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "sys/spawn.h"

static char self[4096];

/* The children of these tests are this program itself with a role. */
static struct spawn_spec
role(const char *const *argv)
{
	return (struct spawn_spec){.name = argv[1], .argv = argv};
}

static void
success_is_quiet(void **state)
{
	const char *argv[] = {self, "ok", NULL};
	struct spawn_spec spec = role(argv);
	struct err e;

	(void)state;
	assert_int_equal(spawn_run(&spec, NULL, &e), 0);
}

static void
failure_tells_code_and_the_line_that_matters(void **state)
{
	const char *argv[] = {self, "fail", NULL};
	struct spawn_spec spec = role(argv);
	struct err e;

	(void)state;
	assert_int_equal(spawn_run(&spec, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_FAILED);
	assert_string_equal(e.msg, "fail exited with 3: FATAL:  it matters");
}

static void
missing_program_is_not_found(void **state)
{
	const char *argv[] = {"/nonexistent/program", "x", NULL};
	struct spawn_spec spec = role(argv);
	struct err e;

	(void)state;
	assert_int_equal(spawn_run(&spec, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
}

static void
input_larger_than_a_pipe_arrives_whole_and_output_is_caught(void **state)
{
	AUTO(buf_deinit) struct buf out = {0};
	static char in[300000];
	const char *argv[] = {self, "cat", NULL};
	struct spawn_spec spec = role(argv);
	struct err e;

	(void)state;
	memset(in, 'x', sizeof(in));
	spec.in = in;
	spec.in_len = sizeof(in);
	spec.out = &out;
	assert_int_equal(spawn_run(&spec, NULL, &e), 0);
	assert_int_equal(out.len, sizeof(in));
	assert_memory_equal(out.data, in, sizeof(in));
}

static void
deadline_kills(void **state)
{
	const char *argv[] = {self, "sleep", NULL};
	struct spawn_spec spec = role(argv);
	int64_t before = clock_boot_ms();
	struct err e;

	(void)state;
	spec.deadline_ms = 100;
	assert_int_equal(spawn_run(&spec, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_TIMEOUT);
	assert_in_range(clock_boot_ms() - before, 90, 5000);
}

static void
end_of_the_one_beside_ends_the_wait(void **state)
{
	const char *argv_a[] = {self, "sleep", NULL}, *argv_b[] = {self, "fail", NULL};
	struct spawn_spec a = role(argv_a), b = role(argv_b);
	AUTO(spawn_deinit) struct spawn beside = {0};
	struct err e;

	(void)state;
	assert_int_equal(spawn_start(&beside, &b, &e), 0);
	assert_int_equal(spawn_run(&a, &beside, &e), -1);
	assert_int_equal(e.kind, ERR_FAILED);
	assert_non_null(strstr(e.msg, "fail ended meanwhile"));
}

static void
huge_pages_can_be_denied(void **state)
{
	const char *argv[] = {self, "huge", NULL};
	struct spawn_spec spec = role(argv);
	struct err e;

	(void)state;
	spec.no_huge_pages = true;
	assert_int_equal(spawn_run(&spec, NULL, &e), 0);
}

static void
child_inherits_no_descriptor(void **state)
{
	const char *argv[] = {self, "fds", NULL};
	struct spawn_spec spec = role(argv);
	AUTO(close) int leak = open("/dev/null", O_RDONLY); /* no O_CLOEXEC, on purpose */
	struct err e;

	(void)state;
	assert_true(leak >= 3);
	assert_int_equal(spawn_run(&spec, NULL, &e), 0);
}

/* parent -> job (forked) -> child: the job is killed, the child must follow */
static void
child_dies_with_its_job(void **state)
{
	const char *argv[] = {self, "sleep", NULL};
	struct spawn_spec spec = role(argv);
	int fds[2];
	pid_t job;
	char c;

	(void)state;
	assert_int_equal(pipe(fds), 0); /* inherited down to the job; closed by exec in its child */
	job = fork();
	if (job == 0) {
		struct spawn s;
		struct err e;

		if (spawn_start(&s, &spec, &e) < 0 || write(fds[1], "x", 1) != 1)
			_exit(1);
		dprintf(fds[1], "%ld\n", (long)s.pid);
		pause();
		_exit(0);
	}
	assert_int_equal(read(fds[0], &c, 1), 1);
	{
		char text[32] = "";
		long pid;

		assert_true(read(fds[0], text, sizeof(text) - 1) > 0);
		pid = strtol(text, NULL, 10);
		assert_int_equal(kill(job, SIGKILL), 0);
		assert_int_equal(waitpid(job, NULL, 0), job);
		for (int i = 0; i < 200 && kill((pid_t)pid, 0) == 0; i++) {
			char path[64], stat[256] = "";
			int fd;

			snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				break;
			(void)!read(fd, stat, sizeof(stat) - 1);
			close(fd);
			if (strstr(stat, ") Z "))
				break;
			usleep(10000);
			assert_int_not_equal(i, 199);
		}
	}
	close(fds[0]);
	close(fds[1]);
}

static void
child_stands_at_the_root_unless_told_otherwise(void **state)
{
	const char *argv[] = {self, "root?", NULL};
	struct spawn_spec spec = role(argv);
	struct err e;

	(void)state;
	assert_int_equal(spawn_run(&spec, NULL, &e), 0);
	spec.cwd = "/proc";
	assert_int_equal(spawn_run(&spec, NULL, &e), -1);
}

static int
act_cat(void)
{
	char chunk[1000];
	ssize_t n;

	while ((n = read(0, chunk, sizeof(chunk))) > 0)
		if (write(1, chunk, (size_t)n) != n)
			return 1;
	return 0;
}

static int
act(const char *what)
{
	char here[4096];

	if (strcmp(what, "ok") == 0)
		return 0;
	if (strcmp(what, "fail") == 0) {
		printf("starting\nFATAL:  it matters\n\nHINT:  none\n");
		return 3;
	}
	if (strcmp(what, "cat") == 0)
		return act_cat();
	if (strcmp(what, "huge") == 0)
		return mmap(NULL, 2 << 20, PROT_READ, MAP_ANONYMOUS | MAP_PRIVATE | MAP_HUGETLB, -1,
			       0) != MAP_FAILED ||
		       mmap(NULL, 4096, PROT_READ, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0) ==
			       MAP_FAILED;
	if (strcmp(what, "fds") == 0)
		return fcntl(3, F_GETFD) >= 0 || fcntl(4, F_GETFD) >= 0 || fcntl(5, F_GETFD) >= 0;
	if (strcmp(what, "root?") == 0)
		return !(getcwd(here, sizeof(here)) && strcmp(here, "/") == 0);
	pause();
	return 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(success_is_quiet),
		cmocka_unit_test(failure_tells_code_and_the_line_that_matters),
		cmocka_unit_test(missing_program_is_not_found),
		cmocka_unit_test(input_larger_than_a_pipe_arrives_whole_and_output_is_caught),
		cmocka_unit_test(deadline_kills),
		cmocka_unit_test(end_of_the_one_beside_ends_the_wait),
		cmocka_unit_test(huge_pages_can_be_denied),
		cmocka_unit_test(child_inherits_no_descriptor),
		cmocka_unit_test(child_dies_with_its_job),
		cmocka_unit_test(child_stands_at_the_root_unless_told_otherwise),
	};

	if (argc == 2)
		return act(argv[1]);
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
