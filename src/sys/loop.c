/*
 * loop - wait for descriptors and deadlines with epoll, one event at a time.
 *
 * epoll counts milliseconds only, so the next deadline also arms a timerfd.  Timers are few: a list
 * that is walked is simpler than a heap and as fast.
 */
#include "sys/loop.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "base/clock.h"

#define LOOP_BATCH 16

struct loop {
	int epfd;
	int timerfd;
	int64_t armed_ns;
	uint64_t serial;
	LIST_HEAD(, loop_fd) fds;
	LIST_HEAD(, loop_timer) timers;
};

int
loop_new(struct loop **out, struct err *e)
{
	AUTO(loop_free) struct loop *l = calloc(1, sizeof(*l));
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = 0};

	if (!l)
		return err_sys(e, "make a loop");
	LIST_INIT(&l->fds);
	LIST_INIT(&l->timers);
	l->timerfd = -1;
	l->armed_ns = CLOCK_NEVER;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0)
		return err_sys(e, "make an epoll");
	l->timerfd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->timerfd < 0)
		return err_sys(e, "make a timer");
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, l->timerfd, &ev) < 0)
		return err_sys(e, "watch the timer");
	*out = take(l);
	return 0;
}

struct loop *
loop_free(struct loop *l)
{
	struct loop_timer *t;

	if (!l)
		return NULL;
	LIST_FOREACH(t, &l->timers, link)
		t->linked = false;
	if (l->timerfd >= 0)
		close(l->timerfd);
	if (l->epfd >= 0)
		close(l->epfd);
	free(l);
	return NULL;
}

/* ---- descriptors ---- */

struct loop_fd *
loop_fd_init(struct loop_fd *src, loop_fd_fn *fn, void *arg)
{
	*src = (struct loop_fd){.fd = -1, .fn = fn, .arg = arg};
	return src;
}

int
loop_add(struct loop *l, struct loop_fd *src, int fd, uint32_t events, struct err *e)
{
	struct epoll_event ev = {.events = events, .data.u64 = ++l->serial};

	src->fd = fd;
	src->serial = l->serial;
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, fd, &ev) < 0) {
		src->fd = -1;
		return err_sys(e, "watch descriptor %d", fd);
	}
	LIST_INSERT_HEAD(&l->fds, src, link);
	return 0;
}

int
loop_change(struct loop *l, struct loop_fd *src, uint32_t events, struct err *e)
{
	struct epoll_event ev = {.events = events, .data.u64 = src->serial};

	if (epoll_ctl(l->epfd, EPOLL_CTL_MOD, src->fd, &ev) < 0)
		return err_sys(e, "change the watch on descriptor %d", src->fd);
	return 0;
}

void
loop_remove(struct loop *l, struct loop_fd *src)
{
	if (src->fd < 0 || src->serial == 0)
		return;
	epoll_ctl(l->epfd, EPOLL_CTL_DEL, src->fd, NULL);
	LIST_REMOVE(src, link);
	src->fd = -1;
	src->serial = 0;
}

/* An event may be for a source that an earlier callback of the same turn has removed. */
static void
loop_dispatch(struct loop *l, uint64_t serial, uint32_t events)
{
	struct loop_fd *src;

	LIST_FOREACH(src, &l->fds, link) {
		if (src->serial == serial) {
			src->fn(src, events, src->arg);
			return;
		}
	}
}

/* ---- timers ---- */

void
loop_timer_init(struct loop_timer *t, loop_timer_fn *fn, void *arg)
{
	*t = (struct loop_timer){.at_ns = CLOCK_NEVER, .fn = fn, .arg = arg};
}

void
loop_timer_at(struct loop *l, struct loop_timer *t, int64_t boot_ns)
{
	t->at_ns = boot_ns;
	if (!t->linked) {
		LIST_INSERT_HEAD(&l->timers, t, link);
		t->linked = true;
	}
}

void
loop_timer_in(struct loop *l, struct loop_timer *t, int64_t ms)
{
	loop_timer_at(l, t, clock_boot_ns() + ms * MS_NS);
}

void
loop_timer_off(struct loop_timer *t)
{
	t->at_ns = CLOCK_NEVER;
	if (t->linked) {
		LIST_REMOVE(t, link);
		t->linked = false;
	}
}

static struct loop_timer *
loop_first_timer(struct loop *l)
{
	struct loop_timer *t, *first = NULL;

	LIST_FOREACH(t, &l->timers, link)
		if (!first || t->at_ns < first->at_ns)
			first = t;
	return first;
}

static void
loop_run_timers(struct loop *l)
{
	int64_t now = clock_boot_ns();
	struct loop_timer *t;

	while ((t = loop_first_timer(l)) && t->at_ns <= now) {
		loop_timer_off(t);
		t->fn(t, t->arg);
	}
}

static int
loop_arm(struct loop *l, int64_t at_ns, struct err *e)
{
	struct itimerspec its = {0};

	if (at_ns == l->armed_ns)
		return 0;
	if (at_ns != CLOCK_NEVER) {
		its.it_value.tv_sec = at_ns / (1000 * MS_NS);
		its.it_value.tv_nsec = at_ns % (1000 * MS_NS);
	}
	if (timerfd_settime(l->timerfd, TFD_TIMER_ABSTIME, &its, NULL) < 0)
		return err_sys(e, "arm the timer");
	l->armed_ns = at_ns;
	return 0;
}

int
loop_turn(struct loop *l, int64_t max_ms, struct err *e)
{
	struct epoll_event ev[LOOP_BATCH];
	struct loop_timer *t = loop_first_timer(l);
	int n;

	if (loop_arm(l, t ? t->at_ns : CLOCK_NEVER, e) < 0)
		return -1;
	n = epoll_wait(l->epfd, ev, LOOP_BATCH, (int)max_ms);
	if (n < 0 && errno != EINTR)
		return err_sys(e, "wait for events");

	loop_run_timers(l);
	for (int i = 0; i < n; i++) {
		if (ev[i].data.u64 == 0) {
			uint64_t ticks;

			if (read(l->timerfd, &ticks, sizeof(ticks)) == sizeof(ticks))
				l->armed_ns = CLOCK_NEVER;
			continue;
		}
		loop_dispatch(l, ev[i].data.u64, ev[i].events);
	}
	return 0;
}
