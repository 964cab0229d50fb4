/*
 * loop - wait for descriptors and deadlines with epoll, one event at a time.
 *
 * Sources are embedded in their owner, so that a loop owns nothing.  Timers are deadlines on
 * CLOCK_BOOTTIME.  A callback may add, change and remove any source, its own included.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/err.h"

struct loop;
struct loop_fd;
struct loop_timer;

typedef void loop_fd_fn(struct loop_fd *src, uint32_t events, void *arg); /* EPOLL* bits */
typedef void loop_timer_fn(struct loop_timer *t, void *arg);

struct loop_fd {
	int fd; /* -1: not in a loop */
	loop_fd_fn *fn;
	void *arg;
	uint64_t serial;
	LIST_ENTRY(loop_fd) link;
};

struct loop_timer {
	int64_t at_ns; /* CLOCK_NEVER: off */
	loop_timer_fn *fn;
	void *arg;
	bool linked;
	LIST_ENTRY(loop_timer) link;
};

int loop_new(struct loop **out, struct err *e) MUSTCHECK;
struct loop *loop_free(struct loop *l); /* forgets its sources, closes none of their descriptors */
DEFINE_AUTO(struct loop *, loop_free)

struct loop_fd *loop_fd_init(struct loop_fd *src, loop_fd_fn *fn, void *arg); /* returns src */
/* src must outlive its membership; fd stays the caller's.  events: EPOLLIN, EPOLLOUT, ... */
int loop_add(struct loop *l, struct loop_fd *src, int fd, uint32_t events, struct err *e) MUSTCHECK;
int loop_change(struct loop *l, struct loop_fd *src, uint32_t events, struct err *e) MUSTCHECK;
void loop_remove(struct loop *l, struct loop_fd *src); /* idempotent; before closing the fd */

void loop_timer_init(struct loop_timer *t, loop_timer_fn *fn, void *arg);
void loop_timer_at(struct loop *l, struct loop_timer *t, int64_t boot_ns); /* absolute */
void loop_timer_in(struct loop *l, struct loop_timer *t, int64_t ms);
void loop_timer_off(struct loop_timer *t);

/* One turn: wait until a source or a timer is due, at most max_ms; due timers run before sources.
 */
int loop_turn(struct loop *l, int64_t max_ms, struct err *e) MUSTCHECK;
