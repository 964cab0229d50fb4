/*
 * The commands that become or run another program: psql and kubectl.  This program itself stands in
 * for both, by the name it is called with, and prints what it was given.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/defs.h"
#include "cmd/cmd.h"

/* ---- the stand-ins ---- */

static int
fake_kubectl(int argc, char **argv)
{
	const char *pods = getenv("FAKE_PODS"), *rc = getenv("FAKE_RC");

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "get") == 0) {
			printf("%s", pods ? pods : "");
			return 0;
		}
	}
	for (int i = 1; i < argc; i++)
		printf("%s%s", argv[i], i + 1 < argc ? " " : "\n");
	return rc ? (int)strtol(rc, NULL, 10) : 0;
}

static int
fake_psql(int argc, char **argv)
{
	printf("uid=%u host=%s port=%s user=%s db=%s", (unsigned)geteuid(), getenv("PGHOST"),
		getenv("PGPORT") ? getenv("PGPORT") : "-", getenv("PGUSER"), getenv("PGDATABASE"));
	for (int i = 1; i < argc; i++)
		printf(" [%s]", argv[i]);
	printf("\n");
	return 7;
}

/* ---- the stage ---- */

struct stage {
	char dir[64], run[96], out[96];
};

/* A copy, because another user may have to run it, and the checkout may be private to root. */
static void
stage_copy(const struct stage *s, const char *name)
{
	AUTO(close) int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	char path[160];
	struct stat st;
	int to;

	snprintf(path, sizeof(path), "%s/%s", s->dir, name);
	to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_true(from >= 0 && to >= 0);
	assert_int_equal(fstat(from, &st), 0);
	assert_int_equal(sendfile(to, from, NULL, (size_t)st.st_size), st.st_size);
	close(to);
}

static int
setup(void **state)
{
	static const char *const clear[] = {
		"PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "FAKE_PODS", "FAKE_RC"};
	static struct stage s;

	for (size_t i = 0; i < ARRAY_LEN(clear); i++)
		unsetenv(clear[i]);
	snprintf(s.dir, sizeof(s.dir), "/tmp/exec_test.XXXXXX");
	assert_non_null(mkdtemp(s.dir));
	assert_int_equal(chmod(s.dir, 0755), 0);
	snprintf(s.run, sizeof(s.run), "%s/run", s.dir);
	snprintf(s.out, sizeof(s.out), "%s/out", s.dir);
	assert_int_equal(mkdir(s.run, 0700), 0);
	stage_copy(&s, "psql");
	stage_copy(&s, "kubectl");
	setenv("PATH", s.dir, 1);
	setenv("PODGRES_BINDIR", s.dir, 1);
	setenv("PODGRES_RUN_DIR", s.run, 1);
	*state = &s;
	return 0;
}

static int
teardown(void **state)
{
	static const char *const names[] = {
		"psql", "kubectl", "out", "run/.s.PGSQL.5433", "run/.s.PGSQL.5433.lock", "run"};
	struct stage *s = *state;
	char path[160];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", s->dir, names[i]);
		if (unlink(path) < 0)
			rmdir(path);
	}
	rmdir(s->dir);
	return 0;
}

static void
touch(const struct stage *s, const char *name)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", s->run, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
}

static int
run(const struct stage *s, command_fn *fn, const char *const *words)
{
	pid_t pid = fork();
	char *argv[16];
	int argc = 0, fd, status;

	if (pid == 0) {
		for (; words[argc]; argc++)
			argv[argc] = strdup(words[argc]);
		argv[argc] = NULL;
		fd = open(s->out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		dup2(fd, STDIN_FILENO);
		exit(fn(argc, argv));
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}
#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char *
text_of(const struct stage *s)
{
	static char text[4096];
	AUTO(close) int fd = open(s->out, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* ---- psql ---- */

static void
psql_finds_the_port_in_the_name_of_the_socket(void **state)
{
	struct stage *s = *state;
	char want[256];

	touch(s, ".s.PGSQL.5433.lock");
	touch(s, ".s.PGSQL.5433");
	assert_int_equal(run(s, cmd_psql, WORDS("psql", "-c", "select 1", "--help")), 7);
	snprintf(want, sizeof(want),
		"uid=%u host=%s port=5433 user=postgres db=postgres [-c] [select 1] [--help]\n",
		(unsigned)geteuid(), s->run);
	assert_string_equal(text_of(s), want);
}

static void
psql_leaves_alone_what_the_caller_has_set(void **state)
{
	struct stage *s = *state;

	touch(s, ".s.PGSQL.5433");
	setenv("PGUSER", "app", 1);
	setenv("PGDATABASE", "shop", 1);
	setenv("PGPORT", "1", 1);
	assert_int_equal(run(s, cmd_psql, WORDS("psql")), 7);
	assert_non_null(strstr(text_of(s), "port=1 user=app db=shop\n"));
}

static void
psql_gives_up_root_for_the_owner_of_the_run_directory(void **state)
{
	struct stage *s = *state;

	if (geteuid() != 0)
		return; /* nothing to give up */
	assert_int_equal(chown(s->run, 65534, 65534), 0);
	assert_int_equal(run(s, cmd_psql, WORDS("psql")), 7);
	assert_non_null(strstr(text_of(s), "uid=65534 "));
}

static void
psql_without_a_run_directory_says_so(void **state)
{
	struct stage *s = *state;

	assert_int_equal(run(s, cmd_psql, WORDS("psql", "--run-dir", "/nonexistent")), 69);
	assert_non_null(strstr(text_of(s), "/nonexistent: No such file or directory"));
}

/* ---- kubectl ---- */

static void
status_goes_to_every_pod_of_the_cluster(void **state)
{
	struct stage *s = *state;

	setenv("FAKE_PODS", "pod/db-1\npod/db-2\n", 1);
	assert_int_equal(
		run(s, cmd_kubectl, WORDS("kubectl-podgres", "status", "db", "-n", "prod", "-v")),
		0);
	assert_string_equal(text_of(s),
		"== pod/db-1\n-n prod exec pod/db-1 -c postgres -- podgres status -v\n"
		"== pod/db-2\n-n prod exec pod/db-2 -c postgres -- podgres status -v\n");
}

static void
an_order_goes_to_the_pod_that_is_named(void **state)
{
	struct stage *s = *state;

	setenv("FAKE_PODS", "", 1);
	setenv("FAKE_RC", "75", 1);
	assert_int_equal(run(s, cmd_kubectl, WORDS("kubectl-podgres", "fence", "db-1", "on")), 75);
	assert_string_equal(text_of(s), "exec pod/db-1 -c postgres -- podgres fence on\n");
}

static void
an_order_never_goes_to_several_pods(void **state)
{
	struct stage *s = *state;

	setenv("FAKE_PODS", "pod/db-1\npod/db-2\n", 1);
	assert_int_equal(run(s, cmd_kubectl, WORDS("kubectl-podgres", "promote", "db")), 64);
	assert_null(strstr(text_of(s), "exec"));
	assert_non_null(strstr(text_of(s), "name the one this is for"));
}

static void
without_a_name_usage_is_told(void **state)
{
	struct stage *s = *state;

	assert_int_equal(run(s, cmd_kubectl, WORDS("kubectl-podgres", "status")), 64);
	assert_non_null(strstr(text_of(s), "usage: kubectl podgres"));
}

static void
without_kubectl_the_other_side_is_unavailable(void **state)
{
	struct stage *s = *state;

	setenv("PATH", "/nonexistent", 1);
	assert_int_equal(run(s, cmd_kubectl, WORDS("kubectl-podgres", "status", "db")), 69);
	assert_non_null(strstr(text_of(s), "kubectl: No such file or directory"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(psql_finds_the_port_in_the_name_of_the_socket),
		T(psql_leaves_alone_what_the_caller_has_set),
		T(psql_gives_up_root_for_the_owner_of_the_run_directory),
		T(psql_without_a_run_directory_says_so),
		T(status_goes_to_every_pod_of_the_cluster),
		T(an_order_goes_to_the_pod_that_is_named),
		T(an_order_never_goes_to_several_pods),
		T(without_a_name_usage_is_told),
		T(without_kubectl_the_other_side_is_unavailable),
	};
	const char *name = strrchr(argv[0], '/');

	name = name ? name + 1 : argv[0];
	if (strcmp(name, "kubectl") == 0)
		return fake_kubectl(argc, argv);
	if (strcmp(name, "psql") == 0)
		return fake_psql(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
