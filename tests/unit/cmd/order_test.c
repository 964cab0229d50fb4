/*
 * A manager that answers by a script, and `podgres promote` and its like against it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/defs.h"
#include "cmd/cmd.h"

struct manager {
	char dir[64], path[96], out[96], seen[96];
	int fd;
};

static int
setup(void **state)
{
	static struct manager m;
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(m.dir, sizeof(m.dir), "/tmp/order_test.XXXXXX");
	assert_non_null(mkdtemp(m.dir));
	snprintf(m.path, sizeof(m.path), "%s/control.sock", m.dir);
	snprintf(m.out, sizeof(m.out), "%s/out", m.dir);
	snprintf(m.seen, sizeof(m.seen), "%s/seen", m.dir);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", m.path);
	m.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(m.fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(m.fd, 8), 0);
	setenv("PODGRES_RUN_DIR", m.dir, 1);
	*state = &m;
	return 0;
}

static int
teardown(void **state)
{
	struct manager *m = *state;

	close(m->fd);
	unlink(m->path);
	unlink(m->out);
	unlink(m->seen);
	rmdir(m->dir);
	return 0;
}

/* One answer a call, the last one again and again; "" hangs up.  What was asked goes to m->seen. */
static pid_t
serve(struct manager *m, const char *const *answers)
{
	pid_t pid = fork();
	FILE *seen;

	if (pid != 0)
		return pid;
	seen = fopen(m->seen, "we");
	for (;;) {
		char rq[2048], rs[2048];
		int c = accept(m->fd, NULL, NULL);
		ssize_t n = recv(c, rq, sizeof(rq) - 1, 0);

		rq[n > 0 ? n : 0] = '\0';
		fprintf(seen, "%s\n", rq);
		fflush(seen);
		if (**answers) {
			snprintf(rs, sizeof(rs), "HTTP/1.1 %.3s X\r\nContent-Length: %zu\r\n\r\n%s",
				*answers, strlen(*answers + 4), *answers + 4);
			if (send(c, rs, strlen(rs), MSG_NOSIGNAL) < 0)
				_exit(1);
		}
		close(c);
		if (answers[1])
			answers++;
	}
}

/* Runs the command in a child with its output in m->out.  Returns its exit code. */
static int
run(struct manager *m, command_fn *fn, const char *const *words)
{
	pid_t pid = fork();
	char *argv[8];
	int argc = 0, fd, status;

	if (pid == 0) {
		for (; words[argc]; argc++)
			argv[argc] = strdup(words[argc]);
		argv[argc] = NULL;
		fd = open(m->out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
		dup2(fd, STDOUT_FILENO);
		dup2(fd, STDERR_FILENO);
		exit(fn(argc, argv));
	}
	waitpid(pid, &status, 0);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static const char *
text_of(const char *path)
{
	static char text[16384];
	AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define RUNNING                                                                       \
	"{\"operation\":{\"id\":\"op-1\",\"kind\":\"promote\",\"state\":\"running\"," \
	"\"phase\":\"waiting for the timeline\",\"progress\":null,\"error\":null}}"
#define DONE                                                                       \
	"{\"operation\":{\"id\":\"op-1\",\"kind\":\"promote\",\"state\":\"done\"," \
	"\"phase\":\"done\",\"finishedAt\":\"2026-11-20T10:00:00Z\",\"error\":null}}"

static void
an_order_is_watched_until_it_is_done(void **state)
{
	struct manager *m = *state;
	pid_t pid = serve(m, WORDS("202 " RUNNING, "200 " RUNNING, "200 " RUNNING, "200 " DONE));

	assert_int_equal(run(m, cmd_order, WORDS("promote")), 0);
	stop(pid);
	assert_non_null(strstr(text_of(m->out), "promote: done in "));
	assert_non_null(strstr(text_of(m->seen), "POST /v1/promote HTTP/1.1\r\n"));
	assert_non_null(strstr(text_of(m->seen), "Idempotency-Key: cli-"));
	assert_non_null(strstr(text_of(m->seen), "GET /v1/operations/op-1 HTTP/1.1\r\n"));
}

static void
a_refusal_is_told_with_its_reason_hint_and_exit_code(void **state)
{
	struct manager *m = *state;
	pid_t pid = serve(
		m, WORDS("409 {\"error\":{\"kind\":\"STATE\",\"message\":\"this is the primary "
			 "already\",\"hint\":\"podgres status\"}}"));

	assert_int_equal(run(m, cmd_order, WORDS("promote")), 75);
	stop(pid);
	assert_string_equal(text_of(m->out),
		"podgres promote: this is the primary already\nhint: podgres status\n");
}

static void
an_operation_that_fails_ends_with_the_code_of_its_kind(void **state)
{
	struct manager *m = *state;
	pid_t pid = serve(
		m, WORDS("202 " RUNNING,
			   "200 {\"operation\":{\"id\":\"op-1\",\"state\":\"failed\","
			   "\"finishedAt\":\"2026-11-20T10:00:00Z\",\"error\":{\"kind\":\"FAILED\","
			   "\"message\":\"postgres died\"}}}"));

	assert_int_equal(run(m, cmd_order, WORDS("restart", "--mode=fast")), 1);
	stop(pid);
	assert_string_equal(text_of(m->out), "podgres restart: postgres died\n");
	assert_non_null(strstr(text_of(m->seen), "{\"mode\":\"fast\"}"));
}

static void
no_wait_prints_the_id(void **state)
{
	struct manager *m = *state;
	pid_t pid = serve(m, WORDS("202 " RUNNING));

	assert_int_equal(run(m, cmd_order, WORDS("pause", "on", "--no-wait")), 0);
	stop(pid);
	assert_string_equal(text_of(m->out), "op-1\n");
	assert_non_null(strstr(text_of(m->seen), "POST /v1/pause "));
}

static void
json_is_the_managers_answer(void **state)
{
	struct manager *m = *state;
	pid_t pid = serve(m, WORDS("202 " RUNNING, "200 " DONE));

	assert_int_equal(run(m, cmd_order, WORDS("promote", "--json")), 0);
	stop(pid);
	assert_string_equal(text_of(m->out), DONE "\n");
}

static void
an_api_that_dies_in_between_is_asked_again_with_the_same_key(void **state)
{
	struct manager *m = *state;
	pid_t pid = serve(m, WORDS("", "202 " RUNNING, "", "", "200 " DONE));
	char key[64];
	const char *seen, *first;

	assert_int_equal(run(m, cmd_order, WORDS("promote")), 0);
	stop(pid);
	seen = text_of(m->seen);
	first = strstr(seen, "Idempotency-Key: ");
	assert_non_null(first);
	snprintf(key, sizeof(key), "%.*s", (int)strcspn(first, "\r"), first);
	assert_non_null(strstr(first + 1, key));
}

static void
an_operation_not_yet_on_the_board_is_waited_for(void **state)
{
	struct manager *m = *state;
	pid_t pid = serve(m,
		WORDS("202 " RUNNING, "404 {\"error\":{\"kind\":\"NOTFOUND\",\"message\":\"x\"}}",
			"200 " DONE));

	assert_int_equal(run(m, cmd_order, WORDS("promote")), 0);
	stop(pid);
}

static void
the_timeout_ends_the_watching_not_the_operation(void **state)
{
	struct manager *m = *state;
	pid_t pid = serve(m, WORDS("202 " RUNNING, "200 " RUNNING));

	assert_int_equal(run(m, cmd_order, WORDS("promote", "--timeout=100ms")), 75);
	stop(pid);
	assert_non_null(strstr(text_of(m->out), "operation op-1 goes on without us"));
}

static void
fence_takes_on_or_off_a_mode_and_a_reason(void **state)
{
	struct manager *m = *state;
	pid_t pid = serve(m, WORDS("202 " DONE, "200 " DONE, "202 " DONE, "200 " DONE));

	assert_int_equal(
		run(m, cmd_order,
			WORDS("fence", "on", "--mode", "immediate", "--reason", "a \"test\"")),
		0);
	assert_int_equal(run(m, cmd_order, WORDS("fence", "off")), 0);
	assert_non_null(strstr(text_of(m->out), "fence off: done in "));
	stop(pid);
	assert_non_null(
		strstr(text_of(m->seen), "{\"mode\":\"immediate\",\"reason\":\"a \\\"test\\\"\"}"));
	assert_non_null(strstr(text_of(m->seen), "POST /v1/fence "));
	assert_non_null(strstr(text_of(m->seen), "POST /v1/unfence "));
}

static void
wrong_words_are_a_matter_of_usage(void **state)
{
	struct manager *m = *state;

	assert_int_equal(run(m, cmd_order, WORDS("fence")), 64);
	assert_non_null(strstr(text_of(m->out), "expected \"fence on\" or \"fence off\""));
	assert_int_equal(run(m, cmd_order, WORDS("fence", "maybe")), 64);
	assert_int_equal(run(m, cmd_order, WORDS("fence", "on", "off")), 64);
	assert_int_equal(run(m, cmd_order, WORDS("promote", "now")), 64);
	assert_int_equal(run(m, cmd_order, WORDS("fence", "on", "--mode=smart")), 64);
	assert_int_equal(run(m, cmd_order, WORDS("reload", "--jsn")), 64);
	assert_non_null(strstr(text_of(m->out), "did you mean --json?"));
}

static void
without_a_manager_the_other_side_is_unavailable(void **state)
{
	struct manager *m = *state;

	setenv("PODGRES_RUN_DIR", "/nonexistent", 1);
	assert_int_equal(run(m, cmd_order, WORDS("promote")), 69);
	assert_non_null(strstr(text_of(m->out), "no manager at /nonexistent/control.sock"));
	assert_int_equal(run(m, cmd_status, WORDS("status")), 69);
	assert_non_null(strstr(text_of(m->out), "hint: is podgres running here?"));
}

static void
what_is_missing_in_this_version_says_so(void **state)
{
	struct manager *m = *state;

	assert_int_equal(run(m, cmd_missing, WORDS("pooler", "run")), 69);
	assert_non_null(strstr(text_of(m->out), "pooler needs the manager"));
	assert_int_equal(run(m, cmd_missing, WORDS("pooler", "--help")), 0);
	assert_non_null(strstr(text_of(m->out), "usage: podgres pooler"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_order_is_watched_until_it_is_done),
		T(a_refusal_is_told_with_its_reason_hint_and_exit_code),
		T(an_operation_that_fails_ends_with_the_code_of_its_kind),
		T(no_wait_prints_the_id),
		T(json_is_the_managers_answer),
		T(an_api_that_dies_in_between_is_asked_again_with_the_same_key),
		T(an_operation_not_yet_on_the_board_is_waited_for),
		T(the_timeout_ends_the_watching_not_the_operation),
		T(fence_takes_on_or_off_a_mode_and_a_reason),
		T(wrong_words_are_a_matter_of_usage),
		T(without_a_manager_the_other_side_is_unavailable),
		T(what_is_missing_in_this_version_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
