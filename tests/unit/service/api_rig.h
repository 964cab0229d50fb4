/*
 * api_rig - an api with a fake supervisor around it, for tests.
 *
 * The api runs in a child of the test, with real sockets on the loopback; the test owns the board
 * and the other end of the channel, and is the client.  Every wait ends after RIG_MS.
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
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "service/api.h"
#include "sys/channel.h"

#define RIG_MS 10000
#define RIG_PG_PID 4242

struct rig {
	struct board *board;
	struct run_options opt;
	struct supervisor_status sup;
	struct pg_facts pg;
	struct log_facts log;
	struct job_report job;
	int channel; /* the supervisor's end */
	int listen[API_LISTENERS];
	int port[API_LISTENERS]; /* of the TCP ones */
	char dir[64];
	pid_t pid;
};

struct answer {
	int status;
	char head[4096];
	char body[65536];
};

/* ---- the api's process ---- */

static void
rig_child_on_channel(struct loop_fd *src, uint32_t events, void *arg)
{
	struct service *s = arg;
	struct channel_msg msg;
	struct err e;
	int n;

	(void)events;
	while ((n = channel_recv(src->fd, &msg, &e)) > 0)
		api_on_msg(s->arg, &msg);
	if (n < 0)
		s->stop = true;
}

static void
rig_child_on_tick(struct loop_timer *t, void *arg)
{
	struct service *s = arg;

	board_beat(s->board, SERVICE_API);
	loop_timer_in(s->loop, t, 50);
	api_on_tick(s->arg);
}

static void __attribute__((noreturn)) rig_child(struct rig *r, int channel)
{
	struct service s = {.id = SERVICE_API, .board = r->board, .opt = &r->opt};
	struct api_spec spec = {.s = &s};
	struct api *a = NULL;
	struct err e = {0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	memcpy(spec.listen_fd, r->listen, sizeof(spec.listen_fd));
	if (loop_new(&s.loop, &e) < 0 ||
		loop_add(s.loop, loop_fd_init(&s.channel, rig_child_on_channel, &s), channel,
			EPOLLIN, &e) < 0)
		_exit(1);
	if (api_new(&a, &spec, &e) < 0) {
		fprintf(stderr, "api_new: %s\n", e.msg);
		_exit(2);
	}
	s.arg = a;
	loop_timer_init(&s.tick, rig_child_on_tick, &s);
	loop_timer_in(s.loop, &s.tick, 0);
	while (!s.stop && loop_turn(s.loop, 1000, &e) == 0)
		;
	api_free(a);
	loop_free(s.loop);
	board_free(r->board);
	exit(0);
}

/* ---- the board ---- */

static void
rig_publish(struct rig *r)
{
	shared_write(r->board, SEC_SUPERVISOR, &r->sup);
	shared_write(r->board, SEC_POSTGRES, &r->pg);
	shared_write(r->board, SEC_LOG, &r->log);
	shared_write(r->board, SEC_JOB_MAIN, &r->job);
	board_beat(r->board, SERVICE_SUPERVISOR);
}

/* A primary in good health. */
static void
rig_healthy(struct rig *r)
{
	int64_t now = clock_boot_ns(), wall = clock_wall_us();

	memset(&r->sup, 0, sizeof(r->sup));
	memset(&r->pg, 0, sizeof(r->pg));
	r->sup.state = FSM_PRIMARY;
	snprintf(r->sup.reason, sizeof(r->sup.reason), "primary: postgres takes writes");
	r->sup.since_wall_us = wall;
	r->sup.since_boot_ns = now;
	r->sup.pg_phase = PG_PHASE_ACCEPTING;
	r->sup.pg_pid = RIG_PG_PID;
	r->sup.pg_started_wall_us = wall;
	r->sup.pg_started_boot_ns = now - 60 * SEC_MS * MS_NS;
	r->sup.plan.max_lag_bytes = -1;
	r->sup.plan.system_id = 7300000000000000001;
	r->sup.plan.port = 5432;
	snprintf(r->sup.plan.version, sizeof(r->sup.plan.version), "15.20");
	for (int i = 0; i < SERVICES; i++) {
		r->sup.service[i].pid = 100 + i;
		r->sup.service[i].started_wall_us = wall;
		board_beat(r->board, i);
	}
	r->pg.pid = RIG_PG_PID;
	r->pg.accept = PG_ACCEPT_YES;
	r->pg.known = true;
	r->pg.heard_ns = r->pg.connect_ok_ns = r->pg.query_ok_ns = r->pg.flush_ok_ns = now;
	r->pg.timeline = 1;
	r->pg.system_id = r->sup.plan.system_id;
	r->pg.current_lsn = 0x3000148;
	r->pg.server_version_num = 150020;
	r->pg.ready_wal_files = -1;
	rig_publish(r);
}

/* ---- sockets ---- */

static int
rig_listen_tcp(int *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(a);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 512), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static struct sockaddr_un
rig_unix_address(const struct rig *r)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/control.sock", r->dir);
	return a;
}

static int
rig_listen_unix(const struct rig *r)
{
	struct sockaddr_un a = rig_unix_address(r);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 64), 0);
	return fd;
}

static int
rig_connect(const struct rig *r, enum api_listener which)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons((uint16_t)r->port[which])};
	struct sockaddr_un un = rig_unix_address(r);
	bool tcp = which != API_CONTROL;
	int fd = socket(tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, tcp ? (struct sockaddr *)&in : (struct sockaddr *)&un,
				 tcp ? sizeof(in) : sizeof(un)),
		0);
	return fd;
}

/* ---- the client ---- */

static size_t
rig_length_of(const char *head)
{
	const char *p = strcasestr(head, "\r\ncontent-length:");

	return p ? strtoul(p + 17, NULL, 10) : 0;
}

/* Bytes of one more read, 0 at the end of the stream, -1 when nothing came in time. */
static ssize_t
rig_read(int fd, char *out, size_t size)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t n;

	if (poll(&p, 1, RIG_MS) <= 0)
		return -1;
	n = read(fd, out, size);
	return n < 0 ? 0 : n;
}

/* One answer; status 0: the connection was closed instead, -1: nothing came. */
static void
rig_receive(int fd, bool no_body, struct answer *a)
{
	static char raw[sizeof(a->head) + sizeof(a->body)];
	size_t len = 0, want = 0;
	char *end = NULL;

	memset(a, 0, sizeof(*a));
	while (!end || len < want) {
		ssize_t n = rig_read(fd, raw + len, sizeof(raw) - 1 - len);

		if (n <= 0) {
			a->status = (int)n;
			return;
		}
		len += (size_t)n;
		raw[len] = '\0';
		end = strstr(raw, "\r\n\r\n");
		if (end)
			want = (size_t)(end + 4 - raw) + (no_body ? 0 : rig_length_of(raw));
	}
	assert_int_equal(sscanf(raw, "HTTP/1.%*d %d", &a->status), 1);
	snprintf(a->head, sizeof(a->head), "%.*s", (int)(end + 2 - raw), raw);
	snprintf(a->body, sizeof(a->body), "%s", end + 4);
}

static void
rig_send(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			return; /* the answer tells why */
		text += n;
		len -= (size_t)n;
	}
}

/* request: "GET /path", more: further header lines, each with CRLF; body may be NULL. */
static void
rig_send_request(int fd, const char *request, const char *more, const char *body)
{
	char head[2048];

	snprintf(head, sizeof(head), "%s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n",
		request, more, body ? strlen(body) : 0);
	rig_send(fd, head, strlen(head));
	if (body)
		rig_send(fd, body, strlen(body));
}

static void
rig_call(const struct rig *r, enum api_listener which, const char *request, struct answer *a)
{
	int fd = rig_connect(r, which);

	rig_send_request(fd, request, "", NULL);
	rig_receive(fd, strncmp(request, "HEAD", 4) == 0, a);
	close(fd);
}

/* ---- the supervisor's side of the channel ---- */

/* The next order, with its message id. */
static uint64_t
rig_order(struct rig *r, struct order *out)
{
	struct pollfd p = {.fd = r->channel, .events = POLLIN};
	struct channel_msg msg;
	struct err e;

	assert_int_equal(poll(&p, 1, RIG_MS), 1);
	assert_int_equal(channel_recv(r->channel, &msg, &e), 1);
	assert_int_equal(msg.type, MSG_ORDER);
	assert_true(channel_body(&msg, out, sizeof(*out)));
	return msg.id;
}

static void
rig_tell(struct rig *r, uint32_t type, uint64_t id, const void *body, size_t size)
{
	struct channel_msg msg;
	struct err e;

	channel_msg_init(&msg, type, id, body, size);
	assert_int_equal(channel_send(r->channel, &msg, &e), 0);
}

static void
rig_accept(struct rig *r, uint64_t id, const char *op_id)
{
	struct order_reply reply = {0};

	snprintf(reply.op_id, sizeof(reply.op_id), "%s", op_id);
	rig_tell(r, MSG_ORDER_REPLY, id, &reply, sizeof(reply));
}

static void
rig_operation(struct rig *r, const char *op_id, enum op_state state)
{
	struct operation *op = &r->sup.operation[0];

	*op = (struct operation){.kind = ORDER_RESTART, .state = state, .progress = -1};
	snprintf(op->id, sizeof(op->id), "%s", op_id);
	snprintf(op->phase, sizeof(op->phase), "stopping postgres");
	op->started_wall_us = clock_wall_us();
	if (state != OP_RUNNING)
		op->finished_wall_us = clock_wall_us();
	r->sup.operations = 1;
	rig_publish(r);
	rig_tell(r, MSG_POKE, 0, NULL, 0);
}

/* ---- from beginning to end ---- */

/* r->opt may have been filled in before. */
static void
rig_start(struct rig *r)
{
	int fds[2];
	struct err e;

	snprintf(r->dir, sizeof(r->dir), "/tmp/podgres-api-test-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	assert_int_equal(board_create(&r->board, shared_sizes, SECTIONS, &e), 0);
	assert_int_equal(channel_pair(fds, &e), 0);
	snprintf(r->opt.run_dir, sizeof(r->opt.run_dir), "%s", r->dir);
	r->opt.uid = geteuid();
	r->opt.watchdog_ms = 10000;
	r->opt.started_boot_ns = clock_boot_ns();
	snprintf(r->opt.pod_name, sizeof(r->opt.pod_name), "pg-1");
	snprintf(r->opt.cluster_name, sizeof(r->opt.cluster_name), "pg");
	snprintf(r->opt.listen, sizeof(r->opt.listen), "0.0.0.0:8000");
	shared_write(r->board, SEC_OPTIONS, &r->opt);
	r->listen[API_HTTP] = rig_listen_tcp(&r->port[API_HTTP]);
	r->listen[API_METRICS] = rig_listen_tcp(&r->port[API_METRICS]);
	r->listen[API_CONTROL] = rig_listen_unix(r);
	r->channel = fds[0];
	rig_healthy(r);
	r->pid = fork();
	assert_true(r->pid >= 0);
	if (r->pid == 0) {
		close(fds[0]);
		rig_child(r, fds[1]);
	}
	close(fds[1]);
}

/* Returns how the api ended. */
static int
rig_stop(struct rig *r)
{
	char path[128];
	int status = -1;

	close(r->channel);
	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	for (int i = 0; i < API_LISTENERS; i++)
		close(r->listen[i]);
	snprintf(path, sizeof(path), "%s/control.sock", r->dir);
	unlink(path);
	rmdir(r->dir);
	r->board = board_free(r->board);
	return status;
}
