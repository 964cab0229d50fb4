#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/ctl.h"

static int
parse(const char *raw, struct ctl_answer *a, struct err *e)
{
	*a = (struct ctl_answer){0};
	*e = (struct err){0};
	return ctl_parse(raw, strlen(raw), a, e);
}

static void
an_answer_of_known_length_is_read(void **state)
{
	AUTO(ctl_answer_deinit) struct ctl_answer a;
	struct err e;

	(void)state;
	assert_int_equal(
		parse("HTTP/1.1 409 Conflict\r\nX: y\r\ncontent-length:  5\r\n\r\nhello,", &a, &e),
		0);
	assert_int_equal(a.status, 409);
	assert_string_equal(buf_str(&a.body), "hello");
}

static void
an_answer_in_chunks_is_put_together(void **state)
{
	AUTO(ctl_answer_deinit) struct ctl_answer a;
	struct err e;

	(void)state;
	assert_int_equal(parse("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			       "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n",
				 &a, &e),
		0);
	assert_string_equal(buf_str(&a.body), "hello world");
}

static void
without_a_length_the_end_of_the_stream_is_the_end(void **state)
{
	AUTO(ctl_answer_deinit) struct ctl_answer a;
	struct err e;

	(void)state;
	assert_int_equal(parse("HTTP/1.0 200 OK\r\n\r\nall of it", &a, &e), 0);
	assert_string_equal(buf_str(&a.body), "all of it");
}

static void
what_is_not_http_or_cut_off_is_the_other_sides_fault(void **state)
{
	static const char *const bad[] = {
		"",
		"SSH-2.0-OpenSSH",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"HTTP/1.1 20",
		"HTTP/1.1 200 OK\r\nContent-Length: 5",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
		"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
		("HTTP/1.1 200 OK\r\nTransfer-Encoding: "
		 "chunked\r\n\r\nffffffffffffffff\r\nhello\r\n"),
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		AUTO(ctl_answer_deinit) struct ctl_answer a;
		struct err e;

		assert_int_equal(parse(bad[i], &a, &e), -1);
		assert_int_equal(e.kind, ERR_REMOTE);
	}
}

/* ---- over a real socket ---- */

struct server {
	char dir[64], path[96];
	int fd;
};

static int
server_start(void **state)
{
	static struct server s;
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(s.dir, sizeof(s.dir), "/tmp/ctl_test.XXXXXX");
	assert_non_null(mkdtemp(s.dir));
	snprintf(s.path, sizeof(s.path), "%s/control.sock", s.dir);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", s.path);
	s.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s.fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(s.fd, 1), 0);
	*state = &s;
	return 0;
}

static int
server_stop(void **state)
{
	struct server *s = *state;

	close(s->fd);
	unlink(s->path);
	rmdir(s->dir);
	return 0;
}

/* A child that takes one call, answers and writes what it read into *got. */
static pid_t
serve(struct server *s, const char *answer, size_t repeat, int got)
{
	pid_t pid = fork();
	char rq[1024];
	ssize_t n;
	int c;

	if (pid != 0)
		return pid;
	c = accept(s->fd, NULL, NULL);
	n = recv(c, rq, sizeof(rq), 0);
	if (got >= 0 && n > 0 && write(got, rq, (size_t)n) != n)
		_exit(1);
	for (size_t i = 0; i < repeat; i++)
		if (send(c, answer, strlen(answer), MSG_NOSIGNAL) < 0)
			break;
	if (repeat == 0)
		pause();
	_exit(0);
}

static void
a_call_sends_its_body_and_gets_the_answer(void **state)
{
	struct server *s = *state;
	struct ctl_call call = {.socket = s->path,
		.method = "POST",
		.target = "/v1/fence?wait=1s",
		.body = "{\"mode\":\"fast\"}",
		.idem_key = "k1",
		.timeout_ms = 5000};
	AUTO(ctl_answer_deinit) struct ctl_answer a;
	struct err e = {0};
	char rq[1024] = "";
	int got[2];
	pid_t pid;

	assert_int_equal(pipe(got), 0);
	pid = serve(s, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", 1, got[1]);
	assert_int_equal(ctl_call(&call, &a, &e), 0);
	waitpid(pid, NULL, 0);
	assert_int_equal(a.status, 200);
	assert_string_equal(buf_str(&a.body), "{}");
	assert_true(read(got[0], rq, sizeof(rq) - 1) > 0);
	assert_non_null(strstr(rq, "POST /v1/fence?wait=1s HTTP/1.1\r\n"));
	assert_non_null(strstr(rq, "Idempotency-Key: k1\r\n"));
	assert_non_null(strstr(rq, "Content-Length: 15\r\n"));
	assert_non_null(strstr(rq, "\r\n\r\n{\"mode\":\"fast\"}"));
	close(got[0]);
	close(got[1]);
}

static void
a_silent_manager_meets_the_deadline(void **state)
{
	struct server *s = *state;
	struct ctl_call call = {
		.socket = s->path, .method = "GET", .target = "/", .timeout_ms = 50};
	AUTO(ctl_answer_deinit) struct ctl_answer a;
	int64_t before = clock_boot_ms();
	struct err e = {0};
	pid_t pid = serve(s, "", 0, -1);

	assert_int_equal(ctl_call(&call, &a, &e), -1);
	assert_int_equal(e.kind, ERR_TIMEOUT);
	assert_true(clock_boot_ms() - before < 2000);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void
an_endless_answer_is_cut_off(void **state)
{
	struct server *s = *state;
	struct ctl_call call = {.socket = s->path,
		.method = "GET",
		.target = "/",
		.timeout_ms = 5000,
		.max_bytes = 10000};
	AUTO(ctl_answer_deinit) struct ctl_answer a;
	struct err e = {0};
	pid_t pid = serve(s, "HTTP/1.1 200 OK\r\n\r\n", 1000000, -1);

	assert_int_equal(ctl_call(&call, &a, &e), -1);
	assert_int_equal(e.kind, ERR_REMOTE);
	waitpid(pid, NULL, 0);
}

static void
nobody_there_is_told_with_the_path(void **state)
{
	struct ctl_call call = {.socket = "/nonexistent/control.sock",
		.method = "GET",
		.target = "/",
		.timeout_ms = 1000};
	AUTO(ctl_answer_deinit) struct ctl_answer a;
	struct err e = {0};

	(void)state;
	assert_int_equal(ctl_call(&call, &a, &e), -1);
	assert_int_equal(e.kind, ERR_REMOTE);
	assert_int_equal(err_exit(&e), 69);
	assert_string_equal(
		e.msg, "no manager at /nonexistent/control.sock: No such file or directory");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_of_known_length_is_read),
		cmocka_unit_test(an_answer_in_chunks_is_put_together),
		cmocka_unit_test(without_a_length_the_end_of_the_stream_is_the_end),
		cmocka_unit_test(what_is_not_http_or_cut_off_is_the_other_sides_fault),
		cmocka_unit_test_setup_teardown(
			a_call_sends_its_body_and_gets_the_answer, server_start, server_stop),
		cmocka_unit_test_setup_teardown(
			a_silent_manager_meets_the_deadline, server_start, server_stop),
		cmocka_unit_test_setup_teardown(
			an_endless_answer_is_cut_off, server_start, server_stop),
		cmocka_unit_test(nobody_there_is_told_with_the_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
