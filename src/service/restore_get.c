/*
 * restore_get - one large object over several connections, in order.
 *
 * Process: the child that unpacks an object.  Most backups are one tar, and one stream of gzip can
 * be read only from its beginning; so what is done side by side is the download.  Helpers are
 * forked; each fetches every n-th piece into its own slot of shared memory, says so with one byte
 * and waits for one byte before it fetches the next into the same slot.  Memory: helpers times
 * GET_PIECE, whatever the size of the object.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "service/restore.h"

#define GET_PIECE ((int64_t)4 << 20)
#define GET_HELPERS 4
#define GET_WAIT_MS (10 * 60 * 1000) /* a helper's own deadline is shorter */

struct get_slot {
	pid_t pid;
	int fd;
	struct get_shared {
		int64_t bytes; /* -1: failed */
		struct err e;
		unsigned char data[GET_PIECE];
	} * shared;
};

struct get {
	const struct restore_get *spec;
	struct get_slot slot[GET_HELPERS];
	int helpers;
	int64_t pieces;
};

/* ---- a helper ---- */

static int
get_fill(void *arg, const void *p, size_t n, struct err *e)
{
	struct get_shared *s = arg;

	if (s->bytes + (int64_t)n > GET_PIECE)
		return err_set(e, ERR_CORRUPT, "more bytes than asked for");
	memcpy(s->data + s->bytes, p, n);
	s->bytes += (int64_t)n;
	return 0;
}

static int
get_piece(struct archive *a, const struct restore_get *spec, int64_t piece, struct get_shared *s,
	struct err *e)
{
	struct store_get get = {
		.key = spec->key, .from = piece * GET_PIECE, .sink = get_fill, .arg = s};

	get.len = spec->bytes - get.from < GET_PIECE ? spec->bytes - get.from : GET_PIECE;
	s->bytes = 0;
	if (store_get(a->store, &get, NULL, e) < 0)
		return -1;
	return s->bytes == get.len ? 0
				   : err_set(e, ERR_CORRUPT, "%s: bytes are missing", spec->key);
}

static void __attribute__((noreturn)) get_helper(const struct get *g, int me, int fd)
{
	AUTO(archive_close) struct archive *a = NULL;
	struct get_shared *s = g->slot[me].shared;
	char byte = 0;

	if (restore_open(g->spec->restore, &a, &s->e) < 0)
		s->bytes = -1;
	for (int64_t i = me; i < g->pieces && s->bytes >= 0; i += g->helpers) {
		if (get_piece(a, g->spec, i, s, &s->e) < 0)
			s->bytes = -1;
		if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1)
			_exit(0);
	}
	if (s->bytes < 0)
		(void)!write(fd, &byte, 1);
	_exit(0);
}

static int
get_helper_start(struct get *g, int me, struct err *e)
{
	struct get_slot *s = &g->slot[me];
	pid_t parent = getpid();
	int pair[2];

	s->shared = mmap(NULL, sizeof(*s->shared), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->shared == MAP_FAILED) {
		s->shared = NULL;
		return err_sys(e, "memory of a download");
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socket of a download");
	s->pid = fork();
	if (s->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		if (getppid() != parent)
			_exit(0);
		get_helper(g, me, pair[1]);
	}
	close(pair[1]);
	s->fd = pair[0];
	return s->pid < 0 ? err_sys(e, "fork for a download") : 0;
}

/* ---- in order ---- */

static int
get_take(struct get *g, int64_t piece, struct err *e)
{
	struct get_slot *s = &g->slot[piece % g->helpers];
	struct pollfd p = {.fd = s->fd, .events = POLLIN};
	char byte = 0;

	if (poll(&p, 1, GET_WAIT_MS) <= 0)
		return err_set(e, ERR_TIMEOUT, "a download does not move");
	if (read(s->fd, &byte, 1) != 1)
		return err_set(e, ERR_FAILED, "a download process died");
	if (s->shared->bytes < 0) {
		*e = s->shared->e;
		return -1;
	}
	if (g->spec->sink(g->spec->arg, s->shared->data, (size_t)s->shared->bytes, e) < 0)
		return -1;
	(void)!write(s->fd, &byte, 1);
	return 0;
}

static void
get_end(struct get *g)
{
	for (int i = 0; i < g->helpers; i++) {
		struct get_slot *s = &g->slot[i];

		if (s->fd >= 0)
			close(s->fd);
		if (s->pid > 0) {
			kill(s->pid, SIGKILL);
			waitpid(s->pid, NULL, 0);
		}
		if (s->shared)
			munmap(s->shared, sizeof(*s->shared));
	}
}

static int
get_parallel(struct get *g, struct err *e)
{
	for (int i = 0; i < g->helpers; i++)
		if (get_helper_start(g, i, e) < 0)
			return -1;
	for (int64_t i = 0; i < g->pieces; i++)
		if (get_take(g, i, e) < 0)
			return -1;
	return 0;
}

int
restore_get(const struct restore_get *spec, struct err *e)
{
	const struct store_get whole = {.key = spec->key, .sink = spec->sink, .arg = spec->arg};
	struct get g = {.spec = spec, .helpers = spec->parallel};
	int rc;

	g.pieces = (spec->bytes + GET_PIECE - 1) / GET_PIECE;
	if (g.helpers > GET_HELPERS)
		g.helpers = GET_HELPERS;
	if (g.helpers < 2 || g.pieces < 4)
		return store_get(spec->archive->store, &whole, NULL, e);
	for (int i = 0; i < g.helpers; i++)
		g.slot[i].fd = -1;
	rc = get_parallel(&g, e);
	get_end(&g);
	return rc;
}
