/*
 * logger_out - the pod's stdout, written without ever waiting for whoever reads it.
 *
 * Process: logger.
 */
#include "service/logger_out.h"

#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/log.h"

#define RETRY_MS 500                 /* after an error, and where epoll cannot tell */
#define RING_KEEP ((size_t)64 << 10) /* of memory when empty */
#define GAP_LINE_MAX 1024

/* ---- the ring ---- */

static void
ring_put(struct logger_out *o, const char *p, size_t n)
{
	size_t tail = (o->head + o->used) % LOGGER_RING_BYTES;
	size_t first = LOGGER_RING_BYTES - tail;

	if (first > n)
		first = n;
	memcpy(o->ring + tail, p, first);
	memcpy(o->ring, p + first, n - first);
	o->used += n;
	if (tail + first > o->high)
		o->high = tail + first;
}

static void
ring_take(struct logger_out *o, size_t n)
{
	o->head = (o->head + n) % LOGGER_RING_BYTES;
	o->used -= n;
	if (o->used > 0)
		return;
	o->head = 0;
	if (o->high > RING_KEEP)
		madvise(o->ring + RING_KEEP, LOGGER_RING_BYTES - RING_KEEP, MADV_DONTNEED);
	o->high = 0;
}

static int
ring_iov(struct logger_out *o, struct iovec iov[2])
{
	size_t first = LOGGER_RING_BYTES - o->head;

	if (first >= o->used) {
		iov[0] = (struct iovec){o->ring + o->head, o->used};
		return 1;
	}
	iov[0] = (struct iovec){o->ring + o->head, first};
	iov[1] = (struct iovec){o->ring, o->used - first};
	return 2;
}

/* ---- lines ---- */

void
logger_out_drop(struct logger_out *o, size_t bytes)
{
	o->gap = true;
	o->gap_lines++;
	o->gap_bytes += bytes;
	o->dropped++;
	o->dropped_bytes += bytes;
}

void
logger_out_put(struct logger_out *o, const char *line, size_t n)
{
	if (o->gap || n > LOGGER_RING_BYTES - GAP_LINE_MAX - o->used) {
		logger_out_drop(o, n);
		return;
	}
	ring_put(o, line, n);
	o->lines++;
}

/* Half of the ring is free again: say what is missing here, and take lines again. */
static void
logger_out_close_gap(struct logger_out *o)
{
	const char *hint = "stdout was not read as fast as lines came";
	const struct log_field fields[] = {
		F_INT("lines", o->gap_lines),
		F_INT("bytes", o->gap_bytes),
		F_STR("hint", hint),
	};
	char line[GAP_LINE_MAX];
	size_t n;

	if (!o->gap || o->used > LOGGER_RING_BYTES / 2)
		return;
	n = log_render(line, sizeof(line),
		&(struct log_line){LOG_WARNING, "log lines dropped", fields, ARRAY_LEN(fields)});
	ring_put(o, line, n);
	o->lines++;
	o->gap = false;
	o->gap_lines = 0;
	o->gap_bytes = 0;
}

/* ---- writing ---- */

static bool
logger_out_waiting(const struct logger_out *o)
{
	return o->watch.fd >= 0 || o->retry.linked;
}

static void
logger_out_on_writable(struct loop_fd *src, uint32_t events, void *arg)
{
	struct logger_out *o = arg;

	(void)events;
	loop_remove(o->loop, src);
	logger_out_flush(o);
}

static void
logger_out_on_retry(struct loop_timer *t, void *arg)
{
	(void)t;
	logger_out_flush(arg);
}

static void
logger_out_wait(struct logger_out *o, int cause)
{
	struct err e;

	if (o->blocked_ns == 0)
		o->blocked_ns = clock_boot_ns();
	if (cause != EAGAIN || loop_add(o->loop, loop_fd_init(&o->watch, logger_out_on_writable, o),
				       o->fd, EPOLLOUT, &e) < 0)
		loop_timer_in(o->loop, &o->retry, RETRY_MS);
}

/* One write of all there is; what is left waits for the next time stdout takes something. */
void
logger_out_flush(struct logger_out *o)
{
	struct iovec iov[2];
	ssize_t n;
	int count;

	if (logger_out_waiting(o))
		return;
	logger_out_close_gap(o);
	while (o->used > 0) {
		count = ring_iov(o, iov);
		n = logger_out_write(o, iov, count);
		if (n <= 0) {
			logger_out_wait(o, n < 0 ? errno : EAGAIN);
			return;
		}
		o->blocked_ns = 0;
		ring_take(o, (size_t)n);
		logger_out_close_gap(o);
	}
}

void
logger_out_finish(struct logger_out *o, int64_t ms)
{
	int64_t until = clock_boot_ms() + ms;

	for (;;) {
		struct pollfd p = {.fd = o->fd, .events = POLLOUT};
		int64_t left = until - clock_boot_ms();

		loop_remove(o->loop, &o->watch);
		loop_timer_off(&o->retry);
		logger_out_flush(o);
		if (o->used == 0 || left <= 0)
			return;
		/* A failing stdout is writable at once and for ever. */
		if (poll(&p, 1, (int)left) > 0 && (p.revents & (POLLERR | POLLNVAL)))
			return;
	}
}

/* ---- life ---- */

int
logger_out_init(struct logger_out *o, struct loop *loop, int fd, struct err *e)
{
	void *ring = mmap(NULL, LOGGER_RING_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	*o = (struct logger_out){.loop = loop, .fd = fd, .watch.fd = -1};
	loop_timer_init(&o->retry, logger_out_on_retry, o);
	if (ring == MAP_FAILED)
		return err_sys(e, "get memory for the log");
	o->ring = ring;
	return logger_out_choose(o, e);
}

void
logger_out_deinit(struct logger_out *o)
{
	loop_remove(o->loop, &o->watch);
	loop_timer_off(&o->retry);
	if (o->ring)
		munmap(o->ring, LOGGER_RING_BYTES);
	if (o->own)
		close(o->fd);
	free(o->path);
	*o = (struct logger_out){.fd = -1, .watch.fd = -1};
}
