/*
 * s3_rig - a server that speaks canned answers, one for each request, for tests of the S3 driver.
 *
 * It is a child of the test with a real socket on the loopback.  What it was asked lies in memory
 * that both see.  It ends with the test.
 */
#pragma once

/* A test need not use all of it. */
#pragma GCC diagnostic ignored "-Wunused-function"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/clock.h"
#include "store/driver.h"
#include "store/s3.h"

#define RIG_STEPS 24
#define RIG_HEAD 4096

enum rig_then {
	RIG_KEEP,  /* the connection stays */
	RIG_CLOSE, /* it is closed behind the answer, which may promise more */
	RIG_STALL, /* nothing more comes; until the client gives up */
};

struct rig_step {
	char *answer;
	size_t len;
	enum rig_then then;
};

struct rig_asked {
	int n;           /* requests that came */
	int connections; /* accepted */
	char head[RIG_STEPS][RIG_HEAD];
	size_t body[RIG_STEPS];
};

struct rig {
	struct rig_step step[RIG_STEPS];
	int steps;
	int listener;
	pid_t pid;
	struct rig_asked *asked; /* shared */
	struct store *store;
	char endpoint[64];
	struct err e;
};

/* ---- the answers ---- */

static void
rig_raw(struct rig *r, const char *text, enum rig_then then)
{
	assert_true(r->steps < RIG_STEPS);
	r->step[r->steps++] = (struct rig_step){strdup(text), strlen(text), then};
}

/* status "200 OK"; headers with an end of line each. */
static void
rig_answer(struct rig *r, const char *status, const char *headers, const char *body)
{
	struct buf b = {0};

	buf_printf(&b, "HTTP/1.1 %s\r\nx-amz-request-id: tx1\r\n%sContent-Length: %zu\r\n\r\n%s",
		status, headers, strlen(body), body);
	rig_raw(r, buf_str(&b), RIG_KEEP);
	buf_deinit(&b);
}

static void
rig_error(struct rig *r, const char *status, const char *code)
{
	char body[256];

	snprintf(body, sizeof(body), "<?xml version=\"1.0\"?><Error><Code>%s</Code></Error>", code);
	rig_answer(r, status, "Content-Type: application/xml\r\n", body);
}

/* The store compares the digests, as s3_learn() finds out before the first put. */
static void
rig_checks(struct rig *r)
{
	rig_error(r, "400 Bad Request", "XAmzContentSHA256Mismatch");
}

/* ---- the child ---- */

static size_t
rig_body_length(const char *head)
{
	const char *p = strcasestr(head, "\r\ncontent-length:");

	return p ? (size_t)strtoul(p + 17, NULL, 10) : 0;
}

/* One request is read whole; false when the client closed. */
static bool
rig_read(struct rig *r, int fd)
{
	static char head[1 << 16];
	struct rig_asked *a = r->asked;
	size_t n = 0, body = 0, got;
	char *end = NULL;

	while (!end) {
		ssize_t rc = recv(fd, head + n, sizeof(head) - 1 - n, 0);

		if (rc <= 0)
			return false;
		n += (size_t)rc;
		head[n] = '\0';
		end = memmem(head, n, "\r\n\r\n", 4);
	}
	*end = '\0';
	body = rig_body_length(head);
	for (got = n - (size_t)(end + 4 - head); got < body;) {
		static char waste[1 << 16];
		ssize_t rc = recv(fd, waste, sizeof(waste), 0);

		if (rc <= 0)
			return false;
		got += (size_t)rc;
	}
	snprintf(a->head[a->n], RIG_HEAD, "%.*s", RIG_HEAD - 1, head);
	a->body[a->n] = body;
	a->n++;
	return true;
}

static void
rig_say(int fd, const struct rig_step *s)
{
	char c;

	for (size_t at = 0; at < s->len;) {
		ssize_t rc = send(fd, s->answer + at, s->len - at, MSG_NOSIGNAL);

		if (rc <= 0)
			return;
		at += (size_t)rc;
	}
	while (s->then == RIG_STALL && recv(fd, &c, 1, 0) > 0)
		;
}

static void __attribute__((noreturn)) rig_serve(struct rig *r)
{
	int fd = -1, at = 0;

	while (at < r->steps) {
		struct pollfd p[2] = {{r->listener, POLLIN, 0}, {fd, POLLIN, 0}};

		poll(p, fd >= 0 ? 2 : 1, -1);
		if (fd >= 0 && p[1].revents) {
			if (rig_read(r, fd)) {
				rig_say(fd, &r->step[at]);
				if (r->step[at++].then == RIG_KEEP)
					continue;
			}
			close(fd);
			fd = -1;
		} else if (p[0].revents) {
			if (fd >= 0)
				close(fd);
			fd = accept(r->listener, NULL, NULL);
			r->asked->connections++;
		}
	}
	pause();
	_exit(0);
}

/* ---- the test's side ---- */

static void
rig_init(struct rig *r)
{
	memset(r, 0, sizeof(*r));
	r->listener = -1;
	setenv("AWS_ACCESS_KEY_ID", "AKID", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "SECRET-VALUE", 1);
	unsetenv("AWS_SESSION_TOKEN");
	unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
	unsetenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	r->asked = mmap(
		NULL, sizeof(*r->asked), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(r->asked != MAP_FAILED);
}

static void
rig_listen(struct rig *r)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);

	r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(r->listener >= 0);
	assert_int_equal(bind(r->listener, (struct sockaddr *)&a, n), 0);
	assert_int_equal(listen(r->listener, 16), 0);
	assert_int_equal(getsockname(r->listener, (struct sockaddr *)&a, &n), 0);
	snprintf(r->endpoint, sizeof(r->endpoint), "http://127.0.0.1:%d", ntohs(a.sin_port));
	r->pid = fork();
	assert_true(r->pid >= 0);
	if (r->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		rig_serve(r);
	}
}

/* The server with the answers so far, and a store over it, of which nothing is known. */
static void
rig_start_new(struct rig *r, struct store_spec spec)
{
	if (r->listener < 0)
		rig_listen(r);
	spec.url = spec.url ? spec.url : "s3://bucket/path";
	spec.endpoint = r->endpoint;
	spec.stall_ms = spec.stall_ms ? spec.stall_ms : 5000;
	spec.total_ms = spec.total_ms ? spec.total_ms : 10000;
	if (store_open(&r->store, &spec, &r->e))
		fail_msg("%s", r->e.msg);
}

/* The same, with conditional writes. */
static void
rig_start_with(struct rig *r, struct store_spec spec)
{
	rig_start_new(r, spec);
	((struct s3 *)r->store->state)->create = S3_CAN;
}

static void
rig_start(struct rig *r)
{
	rig_start_with(r, (struct store_spec){.region = "us-east-1"});
}

static void
rig_deinit(struct rig *r)
{
	r->store = store_close(r->store);
	if (r->pid > 0) {
		kill(r->pid, SIGKILL);
		waitpid(r->pid, NULL, 0);
	}
	if (r->listener >= 0)
		close(r->listener);
	for (int i = 0; i < r->steps; i++)
		free(r->step[i].answer);
	munmap(r->asked, sizeof(*r->asked));
}

/* The first line and headers of the i-th request hold the text. */
static bool
rig_has(const struct rig *r, int i, const char *text)
{
	return i < r->asked->n && strstr(r->asked->head[i], text);
}

#define assert_asked(r, i, text)                                                                \
	do {                                                                                    \
		if (!rig_has(r, i, text))                                                       \
			fail_msg("request %d of %d has no \"%s\":\n%s", i, (r)->asked->n, text, \
				(r)->asked->head[i]);                                           \
	} while (0)

#define assert_good(r, rc)                          \
	do {                                        \
		if (rc)                             \
			fail_msg("%s", (r)->e.msg); \
	} while (0)

static int
rig_put(struct rig *r, bool create, enum store_outcome *outcome)
{
	struct store_put put = {.key = "k", .body = "abc", .len = 3, .create = create};

	return store_put(r->store, &put, outcome, &r->e);
}

#define ABC_MD5 "900150983cd24fb0d6963f7d28e17f72"
#define ABC_SHA256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
