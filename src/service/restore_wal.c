/*
 * restore_wal - the WAL server of a recovery.
 *
 * Process: a child forked by whoever restores, and its workers.  It speaks the protocol of wal.sock
 * to podgres-wal and works by the archiver's prefetch ring.  What it knows beyond the ring is the
 * catalogue that the restore was planned by: a segment that was listed then and is "not there" now
 * ends the recovery with an error, and does not pass for the end of the archive.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/archive_parts.h"
#include "service/archiver_ring.h"
#include "service/restore.h"

#define WAL_CLIENTS 8
#define WAL_WORKERS 8
#define WAL_BEAT_NS (5 * SEC_MS * MS_NS)
#define WAL_TURN_MS 1000
#define WAL_EXIT_TROUBLE 255
#define WAL_TASK_MS (5 * 60 * SEC_MS)

struct restore_wal {
	pid_t pid;
};

struct wal_client {
	int fd; /* -1: free */
	uint64_t who;
	int64_t beat_ns;
	bool asked;
};

struct wal_worker {
	int fd; /* -1: not started */
	pid_t pid;
	uint64_t task; /* 0: idle */
};

struct wal_server {
	struct restore *r;
	int listener;
	struct ring *ring;
	struct wal_client client[WAL_CLIENTS];
	struct wal_worker worker[WAL_WORKERS];
	int workers;
	uint64_t who;
};

/* ---- a worker ---- */

static void
wal_fetch(struct archive *a, const struct archiver_task *t, struct archiver_done *d)
{
	const struct archive_fetch fetch = {.name = t->name,
		.path = t->path,
		.system_id = t->system_id,
		.segment_bytes = t->segment_bytes,
		.partial = t->flag};
	struct err e = {0};

	if (archive_fetch_or_parts(a, &fetch, t->ahead, &d->stored_bytes, &e) == 0) {
		d->bytes = t->segment_bytes;
		return;
	}
	d->err_kind = e.kind;
	d->code = e.code;
	snprintf(d->msg, sizeof(d->msg), "%s", e.msg);
}

static void __attribute__((noreturn)) wal_worker_run(struct restore *r, int fd)
{
	struct archive *a = NULL;
	struct archiver_task t;
	struct err e = {0};

	while (recv(fd, &t, sizeof(t), 0) == (ssize_t)sizeof(t)) {
		struct archiver_done d = {.id = t.id};

		if (!a && restore_open(r, &a, &e) < 0) {
			d.err_kind = e.kind;
			snprintf(d.msg, sizeof(d.msg), "%s", e.msg);
		} else {
			wal_fetch(a, &t, &d);
		}
		if (send(fd, &d, sizeof(d), MSG_NOSIGNAL) != (ssize_t)sizeof(d))
			break;
	}
	_exit(0);
}

static int
wal_worker_start(struct wal_server *s, struct wal_worker *w)
{
	pid_t parent = getpid();
	int pair[2];

	if (w->fd >= 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	w->pid = fork();
	if (w->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		if (getppid() != parent)
			_exit(1);
		wal_worker_run(s->r, pair[1]);
	}
	close(pair[1]);
	w->fd = pair[0];
	if (w->pid > 0)
		return 0;
	close(w->fd);
	w->fd = -1;
	return -1;
}

/* It is reaped; what it was at has failed and may be tried again. */
static void
wal_worker_lost(struct wal_server *s, struct wal_worker *w)
{
	struct archiver_done d = {
		.id = w->task, .err_kind = ERR_REMOTE, .msg = "a process that fetches WAL died"};

	kill(w->pid, SIGKILL);
	waitpid(w->pid, NULL, 0);
	close(w->fd);
	*w = (struct wal_worker){.fd = -1};
	if (d.id)
		ring_done(s->ring, &d);
}

static void
wal_worker_read(struct wal_server *s, struct wal_worker *w)
{
	struct archiver_done d;

	if (recv(w->fd, &d, sizeof(d), MSG_DONTWAIT) != (ssize_t)sizeof(d)) {
		wal_worker_lost(s, w);
		return;
	}
	w->task = 0;
	ring_done(s->ring, &d);
}

static struct wal_worker *
wal_worker_idle(struct wal_server *s)
{
	for (int i = 0; i < s->workers; i++)
		if (!s->worker[i].task)
			return &s->worker[i];
	return NULL;
}

static void
wal_tasks(struct wal_server *s)
{
	struct archiver_task t;
	struct wal_worker *w;
	bool ahead;

	while ((w = wal_worker_idle(s)) != NULL && ring_next(s->ring, &t, &ahead)) {
		struct archiver_done busy = {.id = t.id, .err_kind = ERR_BUSY};

		if (wal_worker_start(s, w) == 0 &&
			send(w->fd, &t, sizeof(t), MSG_NOSIGNAL) == (ssize_t)sizeof(t)) {
			w->task = t.id;
			continue;
		}
		ring_done(s->ring, &busy);
		return;
	}
}

/* ---- answers ---- */

/* Was in the archive when the restore was planned. */
static bool
wal_listed(const struct restore *r, const char *name)
{
	const struct catalog *c = &r->catalog.c;
	struct archive_name n;
	uint64_t per_log, number;

	if (archive_name_parse(name, &n) != ARCHIVE_SEGMENT || !c->segment_bytes)
		return false;
	per_log = (UINT64_C(1) << 32) / c->segment_bytes;
	number = n.log * per_log + n.seg;
	for (size_t i = 0; i < c->runs; i++)
		if (c->run[i].timeline == n.timeline && number >= c->run[i].first &&
			number <= c->run[i].last)
			return true;
	return false;
}

/* A segment that a newer timeline of the path replaces may be refused though it is there. */
static bool
wal_should_be_there(const struct wal_server *s, const char *name)
{
	struct archive_name n;

	return archive_name_parse(name, &n) == ARCHIVE_SEGMENT &&
	       n.timeline == s->r->path.timeline && wal_listed(s->r, name);
}

static void
wal_note(struct wal_server *s, const struct ring_verdict *v)
{
	struct restore_shared *shared = s->r->shared;
	struct archive_name n;
	uint32_t timeline;
	uint64_t lsn;

	if (archive_name_parse(v->name, &n) != ARCHIVE_SEGMENT ||
		!lineage_name_parse(v->name, s->r->catalog.c.segment_bytes, &timeline, &lsn))
		return;
	if (v->state == RING_SERVED) {
		shared->wal.served++;
		if (lsn > shared->wal.asked_lsn)
			shared->wal.asked_lsn = lsn;
		shared->wal.asked_timeline = timeline;
	} else if (v->state == RING_ABSENT && lsn >= s->r->path.end_lsn) {
		shared->wal.end_asked = true;
	}
}

static void
wal_answer(struct wal_server *s, struct wal_client *c, const struct ring_verdict *v)
{
	struct wal_answer a = {.state = WAL_DONE};

	wal_note(s, v);
	if (v->state == RING_ABSENT)
		a.state = WAL_ABSENT;
	if (v->state == RING_FAILED ||
		(v->state == RING_ABSENT && wal_should_be_there(s, v->name))) {
		a.state = WAL_FAILED;
		a.exit_code = WAL_EXIT_TROUBLE;
		snprintf(a.msg, sizeof(a.msg), "%s",
			v->state == RING_FAILED ? v->msg
						: "the archive had this segment a moment ago, and "
						  "now it has not");
		snprintf(s->r->shared->wal.failed, sizeof(s->r->shared->wal.failed), "%s: %.440s",
			v->name, a.msg);
	}
	send(c->fd, &a, sizeof(a), MSG_NOSIGNAL | MSG_DONTWAIT);
	close(c->fd);
	*c = (struct wal_client){.fd = -1};
}

static void
wal_client_lost(struct wal_server *s, struct wal_client *c)
{
	if (c->asked)
		ring_forget(s->ring, c->who);
	close(c->fd);
	*c = (struct wal_client){.fd = -1};
}

static void
wal_client_read(struct wal_server *s, struct wal_client *c)
{
	struct wal_request q;
	struct ring_verdict v;
	ssize_t n = recv(c->fd, &q, sizeof(q), MSG_DONTWAIT);

	if (n != (ssize_t)sizeof(q) || c->asked || q.protocol != WAL_PROTOCOL || !q.restore) {
		wal_client_lost(s, c);
		return;
	}
	q.name[sizeof(q.name) - 1] = q.path[sizeof(q.path) - 1] = '\0';
	c->asked = true;
	c->who = ++s->who;
	c->beat_ns = clock_boot_ns() + WAL_BEAT_NS;
	if (ring_ask(s->ring, c->who, q.name, q.path, &v) != RING_WAIT)
		wal_answer(s, c, &v);
}

static void
wal_accept(struct wal_server *s)
{
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	for (int i = 0; i < WAL_CLIENTS; i++) {
		if (s->client[i].fd >= 0)
			continue;
		s->client[i] = (struct wal_client){.fd = fd};
		return;
	}
	close(fd);
}

static void
wal_verdicts(struct wal_server *s)
{
	struct ring_verdict v;

	while (ring_verdict(s->ring, &v))
		for (int i = 0; i < WAL_CLIENTS; i++)
			if (s->client[i].fd >= 0 && s->client[i].asked && s->client[i].who == v.who)
				wal_answer(s, &s->client[i], &v);
}

static void
wal_beats(struct wal_server *s)
{
	const struct wal_answer a = {.state = WAL_WORKING};
	int64_t now = clock_boot_ns();

	for (int i = 0; i < WAL_CLIENTS; i++) {
		struct wal_client *c = &s->client[i];

		if (c->fd < 0 || !c->asked || now < c->beat_ns)
			continue;
		send(c->fd, &a, sizeof(a), MSG_NOSIGNAL | MSG_DONTWAIT);
		c->beat_ns = now + WAL_BEAT_NS;
	}
}

/* ---- the loop ---- */

static int
wal_wait_ms(struct wal_server *s)
{
	int64_t now = clock_boot_ns(), next = ring_tick(s->ring, now);
	int64_t ms = next == CLOCK_NEVER ? WAL_TURN_MS : (next - now) / MS_NS + 1;

	return (int)(ms < 1 ? 1 : ms > WAL_TURN_MS ? WAL_TURN_MS : ms);
}

static void
wal_turn(struct wal_server *s)
{
	struct pollfd p[1 + WAL_CLIENTS + WAL_WORKERS];

	p[0] = (struct pollfd){.fd = s->listener, .events = POLLIN};
	for (int i = 0; i < WAL_CLIENTS; i++)
		p[1 + i] = (struct pollfd){.fd = s->client[i].fd, .events = POLLIN};
	for (int i = 0; i < WAL_WORKERS; i++)
		p[1 + WAL_CLIENTS + i] = (struct pollfd){.fd = s->worker[i].fd, .events = POLLIN};
	poll(p, ARRAY_LEN(p), wal_wait_ms(s));
	ring_tick(s->ring, clock_boot_ns());
	for (int i = 0; i < WAL_WORKERS; i++)
		if (p[1 + WAL_CLIENTS + i].revents && s->worker[i].fd >= 0)
			wal_worker_read(s, &s->worker[i]);
	for (int i = 0; i < WAL_CLIENTS; i++)
		if (p[1 + i].revents && s->client[i].fd >= 0)
			wal_client_read(s, &s->client[i]);
	if (p[0].revents)
		wal_accept(s);
	wal_verdicts(s);
	wal_tasks(s);
	wal_beats(s);
}

static void __attribute__((noreturn)) wal_run(struct restore *r, int listener)
{
	struct wal_server s = {.r = r, .listener = listener};
	const char *label = r->archive->label;
	const struct ring_spec spec = {.parallel = r->archive->wal_parallel,
		.source = {0},
		.sources = 1,
		.labels = &label,
		.segment_bytes = r->catalog.c.segment_bytes,
		.system_id = r->path.backup->system_id,
		.ops = &ring_files};
	struct err e;

	for (int i = 0; i < WAL_CLIENTS; i++)
		s.client[i].fd = -1;
	for (int i = 0; i < WAL_WORKERS; i++)
		s.worker[i].fd = -1;
	s.workers = spec.parallel < 1 ? 2 : spec.parallel + 1;
	if (s.workers > WAL_WORKERS)
		s.workers = WAL_WORKERS;
	if (ring_new(&s.ring, &spec, &e) < 0) {
		log_error("no WAL server", F_STR("error", e.msg));
		_exit(1);
	}
	for (;;)
		wal_turn(&s);
}

/* ---- from outside ---- */

static int
wal_listen(struct restore *r, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd;

	if (file_join(r->socket, sizeof(r->socket), r->in->socket_dir, "wal.sock", e) < 0)
		return -1;
	if (strlen(r->socket) >= sizeof(sa.sun_path))
		return err_set(e, ERR_CONFIG, "too long for a socket: %s", r->socket);
	memcpy(sa.sun_path, r->socket, strlen(r->socket) + 1);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, "socket");
	unlink(r->socket);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, WAL_CLIENTS) < 0) {
		close(fd);
		return err_sys(e, "listen on %s", r->socket);
	}
	return fd;
}

int
restore_wal_start(struct restore *r, struct err *e)
{
	pid_t parent = getpid();
	int fd = wal_listen(r, e);

	if (fd < 0)
		return -1;
	r->wal = calloc(1, sizeof(*r->wal));
	if (!r->wal) {
		close(fd);
		return err_sys(e, "WAL server");
	}
	memset(&r->shared->wal, 0, sizeof(r->shared->wal));
	r->wal->pid = fork();
	if (r->wal->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		wal_run(r, fd);
	}
	close(fd);
	return r->wal->pid < 0 ? err_sys(e, "fork the WAL server") : 0;
}

void
restore_wal_stop(struct restore *r)
{
	if (!r->wal)
		return;
	if (r->wal->pid > 0) {
		kill(r->wal->pid, SIGKILL);
		waitpid(r->wal->pid, NULL, 0);
	}
	free(r->wal);
	r->wal = NULL;
	unlink(r->socket);
}

/* ---- restore_command ---- */

/* A word for the shell that postgres runs, with % doubled for postgres itself. */
static void
wal_quote(struct buf *out, const char *text)
{
	buf_putc(out, '\'');
	for (; *text; text++) {
		if (*text == '\'')
			buf_puts(out, "'\\''");
		else if (*text == '%')
			buf_puts(out, "%%");
		else
			buf_putc(out, *text);
	}
	buf_putc(out, '\'');
}

static int
wal_program(char out[FILE_PATH_MAX], struct err *e)
{
	const char *path = getenv("PATH"); // NOLINT(concurrency-mt-unsafe): one thread
	ssize_t n = readlink("/proc/self/exe", out, FILE_PATH_MAX - sizeof("podgres-wal") - 1);

	if (n > 0) {
		out[n] = '\0';
		snprintf(strrchr(out, '/') + 1, sizeof("podgres-wal"), "podgres-wal");
		if (access(out, X_OK) == 0)
			return 0;
	}
	for (path = path ? path : ""; *path; path += *path == ':') {
		size_t len = strcspn(path, ":");

		snprintf(out, FILE_PATH_MAX, "%.*s/podgres-wal", (int)len, path);
		if (*path == '/' && access(out, X_OK) == 0)
			return 0;
		path += len;
	}
	return err_set(e, ERR_CONFIG,
		"podgres-wal is neither beside podgres nor on PATH, or the user of postgres cannot "
		"get there");
}

int
restore_wal_command(const struct restore *r, struct buf *out, struct err *e)
{
	char program[FILE_PATH_MAX];

	if (wal_program(program, e) < 0)
		return -1;
	wal_quote(out, program);
	buf_puts(out, " --socket ");
	wal_quote(out, r->socket);
	buf_puts(out, " restore %f %p");
	return buf_check(out, e);
}
