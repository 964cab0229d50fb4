/*
 * archiver_sock - wal.sock: who asks, and what they are told.
 *
 * Process: archiver.  Each connection is one question of podgres-wal: archive this file, restore
 * that one.  It hears every five seconds that somebody works on it, and gets one answer.
 */
#include "service/archiver_impl.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "sys/file.h"

#define SOCK_RESTORE_MS 5000
#define SOCK_RESTORE_PROMOTE_MS 400
#define SOCK_RESTORE_AGAIN_MS 50 /* once it was given up, for as long as: */
#define SOCK_RESTORE_ABSENT_MS 10000
#define SOCK_WORKING_MS 5000
#define SOCK_ASK_MS 10000 /* a connection that says nothing */

static void
client_close(struct archiver_client *c)
{
	loop_remove(c->a->s->loop, &c->src);
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

void
archiver_sock_answer(struct archiver_client *c, const struct wal_answer *answer)
{
	/* Whoever does not read one message has gone. */
	(void)!send(c->fd, answer, sizeof(*answer), MSG_NOSIGNAL | MSG_DONTWAIT);
	client_close(c);
}

void
archiver_sock_fail(struct archiver_client *c, int code, const char *msg)
{
	struct wal_answer answer = {.state = WAL_FAILED, .exit_code = (uint32_t)code};

	snprintf(answer.msg, sizeof(answer.msg), "%s", msg);
	archiver_sock_answer(c, &answer);
}

/* ---- restore: the ring knows ---- */

static void
restore_answer(struct archiver *a, struct archiver_client *c, const struct ring_verdict *v)
{
	static const uint32_t states[] = {[RING_WAIT] = WAL_WORKING,
		[RING_SERVED] = WAL_DONE,
		[RING_ABSENT] = WAL_ABSENT,
		[RING_FAILED] = WAL_FAILED};
	struct wal_answer answer = {.state = states[v->state], .exit_code = 255};

	a->facts.restored += v->state == RING_SERVED;
	a->facts.restore_hits += v->state == RING_SERVED && v->hit;
	a->facts.restore_absent += v->state == RING_ABSENT;
	a->facts.restore_failed += v->state == RING_FAILED;
	a->dirty = true;
	/* "Not there" is what PostgreSQL asks for all the time: no word about it in its log. */
	if (v->state == RING_FAILED)
		snprintf(answer.msg, sizeof(answer.msg), "%s", v->msg);
	archiver_sock_answer(c, &answer);
}

void
archiver_sock_ring(struct archiver *a)
{
	struct ring_verdict v;

	while (a->ring && ring_verdict(a->ring, &v))
		for (int i = 0; i < ARCHIVER_CLIENTS; i++) {
			struct archiver_client *c = &a->client[i];

			if (c->fd >= 0 && c->heard && c->who == v.who)
				restore_answer(a, c, &v);
		}
}

/* A standby streams when the archive does not answer, and whoever was elected has been chosen for
 * what it received: neither is kept waiting for a store that is down.  -1: there is no limit, since
 * an outage must not pass for the end of the archive. */
static int64_t
restore_patience_ms(const struct archiver *a)
{
	bool promoting = a->sup.state == FSM_CLAIM || a->sup.state == FSM_PROMOTE;

	if (!archiver_lease_on(a) || !a->sup.plan.standby || a->sup.pg_pid <= 0)
		return -1;
	if (clock_boot_ns() < a->restore_absent_ns)
		return SOCK_RESTORE_AGAIN_MS;
	return promoting ? SOCK_RESTORE_PROMOTE_MS : SOCK_RESTORE_MS;
}

static void
restore_give_up(struct archiver *a, struct archiver_client *c)
{
	int64_t now = clock_boot_ns();

	if (now >= a->restore_absent_ns)
		log_warning("the archive does not answer: postgres goes on without it",
			F_STR("file", c->request.name));
	a->restore_absent_ns = now + SOCK_RESTORE_ABSENT_MS * MS_NS;
	ring_forget(a->ring, c->who);
	archiver_sock_answer(c, &(struct wal_answer){.state = WAL_ABSENT});
}

int64_t
archiver_sock_patience(struct archiver *a)
{
	int64_t ms = restore_patience_ms(a), now = clock_boot_ns(), next = CLOCK_NEVER;

	for (int i = 0; ms >= 0 && a->ring && i < ARCHIVER_CLIENTS; i++) {
		struct archiver_client *c = &a->client[i];
		int64_t until = c->since_ns + ms * MS_NS;

		if (c->fd < 0 || !c->heard || !c->request.restore)
			continue;
		if (now >= until ||
			(ms != SOCK_RESTORE_PROMOTE_MS && ring_troubled(a->ring, c->who)))
			restore_give_up(a, c);
		else if (until < next)
			next = until;
	}
	return next;
}

static void
restore_ask(struct archiver *a, struct archiver_client *c)
{
	struct ring_verdict v;

	if (!a->ring) {
		archiver_sock_fail(c, 255, "the manifest could not be read yet");
		return;
	}
	if (ring_ask(a->ring, c->who, c->request.name, c->request.path, &v) != RING_WAIT)
		restore_answer(a, c, &v);
}

/* ---- a connection ---- */

static bool
request_fine(struct wal_request *r)
{
	const char *base;

	r->name[sizeof(r->name) - 1] = '\0';
	r->path[sizeof(r->path) - 1] = '\0';
	base = file_base(r->path);
	return r->protocol == WAL_PROTOCOL && r->path[0] == '/' && strlen(r->path) < PATH_LEN &&
	       (r->restore || strcmp(base, r->name) == 0);
}

static void
client_on_data(struct loop_fd *src, uint32_t events, void *arg)
{
	struct archiver_client *c = arg;
	struct wal_request r;
	ssize_t n = recv(src->fd, &r, sizeof(r), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (c->heard || n != (ssize_t)sizeof(r)) {
		/* It went away: killed, or out of patience. */
		if (c->heard && c->request.restore && c->a->ring)
			ring_forget(c->a->ring, c->who);
		client_close(c);
		return;
	}
	c->request = r;
	c->heard = true;
	if (!request_fine(&c->request)) {
		archiver_sock_fail(
			c, r.restore ? 255 : 1, "the archiver does not know such a question");
		return;
	}
	if (c->request.restore)
		restore_ask(c->a, c);
	else
		archiver_push_ask(c->a, c);
	archiver_pump(c->a);
}

static struct archiver_client *
client_room(struct archiver *a)
{
	for (int i = 0; i < ARCHIVER_CLIENTS; i++)
		if (a->client[i].fd < 0)
			return &a->client[i];
	return NULL;
}

static void
sock_on_accept(struct loop_fd *src, uint32_t events, void *arg)
{
	struct archiver *a = arg;
	struct archiver_client *c = client_room(a);
	struct err e;
	int fd;

	(void)events;
	fd = accept4(src->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	if (!c) {
		close(fd); /* it asks again */
		return;
	}
	*c = (struct archiver_client){.a = a, .fd = fd, .who = ++a->clients};
	c->since_ns = c->told_ns = clock_boot_ns();
	if (loop_add(a->s->loop, loop_fd_init(&c->src, client_on_data, c), fd, EPOLLIN, &e) < 0) {
		log_error("a question is not heard", F_STR("error", e.msg));
		client_close(c);
	}
}

int
archiver_sock_init(struct archiver *a, struct err *e)
{
	for (int i = 0; i < ARCHIVER_CLIENTS; i++)
		a->client[i] = (struct archiver_client){.a = a, .fd = -1, .src = {.fd = -1}};
	return loop_add(
		a->s->loop, loop_fd_init(&a->listen, sock_on_accept, a), FD_LISTEN_WAL, EPOLLIN, e);
}

void
archiver_sock_tick(struct archiver *a)
{
	const struct wal_answer working = {.state = WAL_WORKING};
	int64_t now = clock_boot_ns();

	for (int i = 0; i < ARCHIVER_CLIENTS; i++) {
		struct archiver_client *c = &a->client[i];

		if (c->fd < 0)
			continue;
		if (!c->heard && now - c->since_ns > SOCK_ASK_MS * MS_NS) {
			client_close(c);
		} else if (c->heard && now - c->told_ns >= SOCK_WORKING_MS * MS_NS) {
			c->told_ns = now;
			(void)!send(c->fd, &working, sizeof(working), MSG_NOSIGNAL | MSG_DONTWAIT);
		}
	}
}
