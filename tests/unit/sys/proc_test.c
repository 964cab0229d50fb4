#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "sys/proc.h"

/* This program is its own child: argv[1] says what the child does. */
static const char *self = "/proc/self/exe";
static char *no_env[] = {NULL};

struct news {
	int count;
	struct proc_exit how;
};

static void
on_exit_note(struct proc *p, const struct proc_exit *how, void *arg)
{
	struct news *n = arg;

	(void)p;
	n->count++;
	n->how = *how;
}

static void
start(struct proc_set *set, const char *what, struct news *n, struct proc **p)
{
	const char *argv[] = {"child", what, NULL};
	struct proc_spec spec = {.name = "child",
		.program = self,
		.argv = argv,
		.envp = no_env,
		.in_fd = -1,
		.out_fd = -1,
		.on_exit = on_exit_note,
		.arg = n};
	struct err e;

	assert_int_equal(proc_start(set, &spec, p, &e), 0);
}

static void
reap_until(struct proc_set *set, const int *count, int want)
{
	int64_t until = clock_boot_ms() + 5000;
	struct err e;

	while (*count < want && clock_boot_ms() < until) {
		assert_int_equal(proc_reap(set, &e), 0);
		usleep(500);
	}
	assert_int_equal(*count, want);
}

static void
exit_code_is_reported(void **state)
{
	AUTO(proc_set_free) struct proc_set *set = NULL;
	struct news n = {0};
	struct proc *p;
	struct err e;

	(void)state;
	assert_int_equal(proc_set_new(&set, &e), 0);
	start(set, "exit3", &n, &p);
	reap_until(set, &n.count, 1);
	assert_int_equal(n.how.code, 3);
	assert_int_equal(n.how.sig, 0);
}

static void
killing_signal_is_reported(void **state)
{
	AUTO(proc_set_free) struct proc_set *set = NULL;
	struct news n = {0};
	struct proc *p;
	struct err e;

	(void)state;
	assert_int_equal(proc_set_new(&set, &e), 0);
	start(set, "wait", &n, &p);
	assert_int_equal(proc_signal(p, SIGKILL, &e), 0);
	reap_until(set, &n.count, 1);
	assert_int_equal(n.how.code, -1);
	assert_int_equal(n.how.sig, SIGKILL);
}

/* A postmaster that is told to stop before it has handlers must not take it for its death. */
static void
deaf_child_outlives_signals_until_it_listens(void **state)
{
	AUTO(proc_set_free) struct proc_set *set = NULL;
	const char *argv[] = {"child", "listen", NULL};
	struct news n = {0};
	struct proc_spec spec = {.name = "child",
		.program = self,
		.argv = argv,
		.envp = no_env,
		.in_fd = -1,
		.out_fd = -1,
		.deaf = true,
		.on_exit = on_exit_note,
		.arg = &n};
	struct proc *p;
	struct err e;

	(void)state;
	assert_int_equal(proc_set_new(&set, &e), 0);
	assert_int_equal(proc_start(set, &spec, &p, &e), 0);
	assert_int_equal(proc_signal(p, SIGHUP, &e), 0);
	reap_until(set, &n.count, 1);
	assert_int_equal(n.how.code, 5); /* the handler's; not ended by signal 1 */

	/* and the next one hears again */
	n = (struct news){0};
	start(set, "forever", &n, &p);
	assert_int_equal(proc_signal(p, SIGHUP, &e), 0);
	reap_until(set, &n.count, 1);
	assert_int_equal(n.how.sig, SIGHUP);
}

static void
missing_program_is_an_error_not_a_child(void **state)
{
	static const char *const argv[] = {"/nonexistent/program", NULL};
	AUTO(proc_set_free) struct proc_set *set = NULL;
	struct proc_spec spec = {.name = "x",
		.argv = argv,
		.envp = no_env,
		.in_fd = -1,
		.out_fd = -1,
		.on_exit = on_exit_note};
	struct proc *p;
	struct err e;

	(void)state;
	assert_int_equal(proc_set_new(&set, &e), 0);
	assert_int_equal(proc_start(set, &spec, &p, &e), -1);
	assert_non_null(strstr(e.msg, "/nonexistent/program"));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void
orphans_are_collected_and_counted(void **state)
{
	AUTO(proc_set_free) struct proc_set *set = NULL;
	struct news n = {0};
	struct proc *p;
	struct err e;
	int64_t until = clock_boot_ms() + 5000;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(proc_set_new(&set, &e), 0);
	start(set, "orphan", &n, &p);
	reap_until(set, &n.count, 1);
	while (proc_orphans(set) < 1 && clock_boot_ms() < until)
		assert_int_equal(proc_reap(set, &e), 0);
	assert_int_equal(proc_orphans(set), 1);
	assert_int_equal(n.count, 1); /* the orphan's status is nobody's news */
	assert_int_equal(n.how.code, 0);
}

static void
only_the_given_descriptors_are_open_in_the_child(void **state)
{
	AUTO(proc_set_free) struct proc_set *set = NULL;
	const char *argv[] = {"child", "fds", NULL};
	struct news n = {0};
	struct proc_fd fd = {0, 7};
	struct proc_spec spec = {.name = "child",
		.program = self,
		.argv = argv,
		.envp = no_env,
		.in_fd = -1,
		.out_fd = -1,
		.fds = &fd,
		.n_fds = 1,
		.on_exit = on_exit_note,
		.arg = &n};
	struct proc *p;
	struct err e;
	int other = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	fd.ours = proc_fd_raise(open("/dev/zero", O_RDONLY | O_CLOEXEC), &e);
	assert_true(fd.ours >= PROC_FD_FLOOR);
	assert_int_equal(proc_set_new(&set, &e), 0);
	assert_int_equal(proc_start(set, &spec, &p, &e), 0);
	reap_until(set, &n.count, 1);
	assert_int_equal(n.how.code, 0);
	close(other);
	close(fd.ours);
}

static int
child_fds(void)
{
	for (int fd = 3; fd < 256; fd++) {
		bool open_here = fcntl(fd, F_GETFD) >= 0;

		if (open_here != (fd == 7))
			return fd;
	}
	return 0;
}

static void
on_hup(int sig)
{
	(void)sig;
	_exit(5);
}

static int
child_listen(void)
{
	struct sigaction sa = {.sa_handler = on_hup};
	sigset_t none;

	sigaction(SIGHUP, &sa, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	alarm(10);
	pause();
	return 6;
}

static int
child_main(const char *what)
{
	if (strcmp(what, "exit3") == 0)
		return 3;
	if (strcmp(what, "fds") == 0)
		return child_fds();
	if (strcmp(what, "orphan") == 0)
		return fork() == 0 ? 2 : 0;
	if (strcmp(what, "listen") == 0)
		return child_listen();
	for (;;)
		pause();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exit_code_is_reported),
		cmocka_unit_test(killing_signal_is_reported),
		cmocka_unit_test(deaf_child_outlives_signals_until_it_listens),
		cmocka_unit_test(missing_program_is_an_error_not_a_child),
		cmocka_unit_test(orphans_are_collected_and_counted),
		cmocka_unit_test(only_the_given_descriptors_are_open_in_the_child),
	};

	if (argc == 2)
		return child_main(argv[1]);
	close_range(3, ~0U, 0); /* what our own parent left open is not at test */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
