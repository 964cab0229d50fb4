#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/httpd.h"

#define PATIENCE_MS 10000

static struct loop *loop;
static struct httpd *server;
static int listen_fd;
static int port;
static int ended; /* requests that are over */
static struct httpd_req *held;

/* ---- a server that echoes ---- */

static void
on_head(struct httpd_req *r, void *arg)
{
	(void)arg;
	if (httpd_method(r) == HTTPD_DELETE)
		httpd_reply_error(r, ERR_DENIED, 0, "no", "ask nicely");
}

static void
on_request(struct httpd_req *r, void *arg)
{
	AUTO(buf_deinit) struct buf b = {0};
	const char *size = httpd_query(r, "size");

	(void)arg;
	if (strcmp(httpd_path(r), "/held") == 0) {
		held = r;
		httpd_hold(r);
		return;
	}
	buf_put(&b, httpd_body(r)->data, httpd_body(r)->len);
	for (long n = size ? strtol(size, NULL, 10) : 0; n > 0; n--)
		buf_putc(&b, 'x');
	httpd_reply(r, &(struct httpd_answer){.status = 200, .take_body = &b});
}

static void
on_gone(struct httpd_req *r, void *arg)
{
	(void)arg;
	if (r == held)
		held = NULL;
	ended++;
}

static const struct httpd_ops ops = {on_head, on_request, on_gone};

static int
serve(int64_t reply_ms, int64_t read_ms)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(a);
	struct err e = {0};

	ended = 0;
	held = NULL;
	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listen_fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(listen_fd, 64), 0);
	assert_int_equal(getsockname(listen_fd, (struct sockaddr *)&a, &len), 0);
	port = ntohs(a.sin_port);
	assert_int_equal(loop_new(&loop, &e), 0);
	if (httpd_new(&server,
		    &(struct httpd_spec){
			    .loop = loop,
			    .listen_fd = listen_fd,
			    .ops = &ops,
			    .max_connections = 32,
			    .head_ms = 300,
			    .idle_ms = 600,
			    .body_ms = 300,
			    .reply_ms = reply_ms,
			    .read_ms = read_ms,
		    },
		    &e) < 0)
		fail_msg("%s", e.msg);
	return 0;
}

static int
setup(void **state)
{
	(void)state;
	return serve(300, 100);
}

static int
setup_patient(void **state)
{
	(void)state;
	return serve(PATIENCE_MS, 1);
}

static int
setup_very_patient(void **state)
{
	(void)state;
	return serve(PATIENCE_MS, PATIENCE_MS);
}

static int
teardown(void **state)
{
	(void)state;
	server = httpd_free(server);
	loop = loop_free(loop);
	close(listen_fd);
	return 0;
}

/* ---- clients ---- */

static int
client(const char *text)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)port)};
	int small = 4096;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (text)
		assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	return fd;
}

/* One turn; is fd's other side gone?  out gets what came, if not NULL. */
static bool
turn(int fd, struct buf *out)
{
	char block[4096];
	struct err e;
	ssize_t n;

	assert_int_equal(loop_turn(loop, 20, &e), 0);
	if (!out)
		return false;
	while ((n = recv(fd, block, sizeof(block), MSG_DONTWAIT)) > 0)
		buf_put(out, block, (size_t)n);
	return n == 0 || (n < 0 && errno == ECONNRESET);
}

/* Milliseconds until the server closed fd. */
static int64_t
until_closed(int fd, struct buf *out)
{
	int64_t began = clock_boot_ms();

	while (!turn(fd, out))
		assert_true(clock_boot_ms() - began < PATIENCE_MS);
	return clock_boot_ms() - began;
}

static void
until_text(int fd, struct buf *out, const char *text)
{
	int64_t began = clock_boot_ms();

	while (!strstr(buf_str(out), text)) {
		turn(fd, out);
		assert_true(clock_boot_ms() - began < PATIENCE_MS);
	}
}

/* ---- tests ---- */

static void
a_request_is_answered_and_the_connection_kept(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};
	AUTO(close)
	int fd = client("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");

	(void)state;
	until_text(fd, &b, "\r\n\r\nhello");
	assert_int_equal(httpd_connections(server), 1);
	buf_reset(&b);
	assert_true(send(fd, "GET /a?size=3 HTTP/1.1\r\nHost: x\r\n\r\n", 36, 0) == 36);
	until_text(fd, &b, "\r\n\r\nxxx");
	assert_int_equal(ended, 2);
}

static void
a_refusal_comes_before_the_body_is_asked_for(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};
	AUTO(close) int fd = client("DELETE /a HTTP/1.1\r\nHost: x\r\n\r\n");

	(void)state;
	until_text(fd, &b, "\"hint\":\"ask nicely\"}}\n");
	assert_memory_equal(buf_str(&b), "HTTP/1.1 403", 12);
}

static void
silence_before_the_first_request_ends_at_the_deadline(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};
	int64_t began = clock_boot_ms();
	AUTO(close) int fd = client(NULL);

	(void)state;
	assert_in_range(until_closed(fd, &b), 150, PATIENCE_MS);
	while (httpd_connections(server) > 0 && turn(fd, &b) &&
		clock_boot_ms() - began < PATIENCE_MS)
		;
	assert_int_equal(httpd_connections(server), 0);
}

/* Each byte is fresh activity; only a deadline for the whole head ends it. */
static void
a_head_that_trickles_ends_at_the_deadline(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};
	int64_t began = clock_boot_ms();
	AUTO(close) int fd = client("GET / HTTP/1.1\r\n");

	(void)state;
	while (!turn(fd, &b)) {
		(void)!send(fd, "a", 1, MSG_NOSIGNAL);
		assert_true(clock_boot_ms() - began < PATIENCE_MS);
	}
	assert_in_range(clock_boot_ms() - began, 150, PATIENCE_MS);
	assert_int_equal(ended, 0);
}

static void
a_body_that_trickles_ends_at_the_deadline(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};
	int64_t began = clock_boot_ms();
	AUTO(close) int fd = client("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");

	(void)state;
	while (!turn(fd, &b)) {
		(void)!send(fd, "a", 1, MSG_NOSIGNAL);
		assert_true(clock_boot_ms() - began < PATIENCE_MS);
	}
	assert_in_range(clock_boot_ms() - began, 150, PATIENCE_MS);
	assert_int_equal(ended, 1);
}

static void
an_answer_that_nobody_reads_ends_at_the_deadline(void **state)
{
	int64_t began = clock_boot_ms();
	AUTO(close) int fd = client("GET /?size=9000000 HTTP/1.1\r\nHost: x\r\n\r\n");

	(void)state;
	do {
		turn(fd, NULL);
		assert_true(clock_boot_ms() - began < PATIENCE_MS);
	} while (ended == 0);
	assert_in_range(clock_boot_ms() - began, 150, PATIENCE_MS);
}

#define BIG "GET /?size=8000000 HTTP/1.1\r\nHost: x\r\n\r\n"
#define BIG_FIT (HTTPD_ANSWERS_MAX / 8000000)

static void
fill_with_answers_that_nobody_reads(int fd[BIG_FIT])
{
	int64_t began = clock_boot_ms();

	for (size_t i = 0; i < BIG_FIT; i++) {
		fd[i] = client(BIG);
		while (httpd_connections(server) <= i || clock_boot_ms() - began < 20)
			turn(fd[i], NULL);
		turn(fd[i], NULL);
	}
	assert_int_equal(ended, 0);
}

static void
answers_that_nobody_reads_give_way_to_others(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};
	int64_t began = clock_boot_ms();
	int fd[BIG_FIT];

	(void)state;
	fill_with_answers_that_nobody_reads(fd);
	AUTO(close) int last = client(BIG);
	until_text(last, &b, "HTTP/1.1 200");
	while (ended < 2) { /* the one that gave way, and this one */
		assert_false(turn(last, &b));
		assert_true(clock_boot_ms() - began < PATIENCE_MS / 2);
	}
	for (size_t i = 0; i < BIG_FIT; i++)
		close(fd[i]);
}

static void
there_is_a_limit_for_answers_that_nobody_has_read_yet(void **state)
{
	AUTO(buf_deinit) struct buf b = {0}, small = {0};
	int fd[BIG_FIT];

	(void)state;
	fill_with_answers_that_nobody_reads(fd);
	AUTO(close)
	int last = client(BIG), other = client("GET /?size=9 HTTP/1.1\r\nHost: x\r\n\r\n");
	until_text(last, &b, "HTTP/1.1 503");
	until_text(other, &small, "HTTP/1.1 200");
	for (size_t i = 0; i < BIG_FIT; i++)
		close(fd[i]);
}

static void
the_longest_idle_make_room_for_newcomers(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};
	int fd[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
		fd[i] = client("GET / HT");
		turn(fd[i], NULL);
	}
	assert_true(httpd_connections(server) <= 32);
	assert_true(send(fd[63], "TP/1.1\r\nHost: x\r\n\r\n", 19, 0) == 19);
	until_text(fd[63], &b, "HTTP/1.1 200");
	for (size_t i = 0; i < ARRAY_LEN(fd); i++)
		close(fd[i]);
}

static void
a_held_request_is_answered_later_and_has_no_deadline(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};
	int64_t began = clock_boot_ms();
	AUTO(close) int fd = client("GET /held HTTP/1.1\r\nHost: x\r\n\r\n");

	(void)state;
	while (!held || clock_boot_ms() - began < 1200)
		assert_false(turn(fd, &b));
	assert_int_equal(b.len, 0);
	httpd_reply(held, &(struct httpd_answer){.status = 202, .body = "later", .len = 5});
	until_text(fd, &b, "\r\n\r\nlater");
	assert_int_equal(ended, 1);
}

static void
stopping_ends_held_requests_too(void **state)
{
	AUTO(close) int fd = client("GET /held HTTP/1.1\r\nHost: x\r\n\r\n");

	(void)state;
	while (!held)
		turn(fd, NULL);
	server = httpd_free(server);
	assert_null(held);
	assert_int_equal(ended, 1);
}

static void
the_listening_socket_survives_its_server(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};
	AUTO(close)
	int fd = client("GET /?size=2 HTTP/1.1\r\nHost: x\r\n\r\n"); /* not accepted yet */
	struct httpd_spec spec = {
		.loop = loop, .listen_fd = listen_fd, .ops = &ops, .max_connections = 16};
	struct err e;

	(void)state;
	server = httpd_free(server);
	assert_int_equal(httpd_new(&server, &spec, &e), 0);
	until_text(fd, &b, "\r\n\r\nxx");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_answered_and_the_connection_kept),
		TEST(a_refusal_comes_before_the_body_is_asked_for),
		TEST(silence_before_the_first_request_ends_at_the_deadline),
		TEST(a_head_that_trickles_ends_at_the_deadline),
		TEST(a_body_that_trickles_ends_at_the_deadline),
		TEST(an_answer_that_nobody_reads_ends_at_the_deadline),
		cmocka_unit_test_setup_teardown(
			answers_that_nobody_reads_give_way_to_others, setup_patient, teardown),
		cmocka_unit_test_setup_teardown(
			there_is_a_limit_for_answers_that_nobody_has_read_yet, setup_very_patient,
			teardown),
		TEST(the_longest_idle_make_room_for_newcomers),
		TEST(a_held_request_is_answered_later_and_has_no_deadline),
		TEST(stopping_ends_held_requests_too),
		TEST(the_listening_socket_survives_its_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
