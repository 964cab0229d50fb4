/*
 * monitor_link - one connection of the monitor and its place in the loop.
 */
#include "service/monitor.h"

#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"

static void
link_on_fd(struct loop_fd *src, uint32_t events, void *arg)
{
	struct monitor_link *l = arg;

	(void)src;
	(void)events;
	if (!l->sql)
		return;
	sql_turn(l->sql);
	monitor_link_watch(l);
	l->on_turn(l);
}

static void
link_on_timer(struct loop_timer *t, void *arg)
{
	struct monitor_link *l = arg;

	(void)t;
	l->on_timer(l);
}

void
monitor_link_init(struct monitor_link *l, struct monitor *m)
{
	l->m = m;
	l->src.fd = -1;
	loop_timer_init(&l->timer, link_on_timer, l);
}

int
monitor_link_open(
	struct monitor_link *l, const char *database, const char *application, struct err *e)
{
	const struct plan *plan = &l->m->sup.plan;
	const struct sql_spec spec = {
		.host = plan->socket_dir,
		.port = plan->port,
		.user = plan->superuser,
		.database = database,
		.application = application,
		.settings = observe_settings(plan->major),
	};

	must(!l->sql);
	if (sql_open(&l->sql, &l->m->pq, &spec, clock_boot_ns() + MONITOR_ANSWER_MS * MS_NS, e) < 0)
		return -1;
	monitor_link_watch(l);
	return 0;
}

void
monitor_link_close(struct monitor_link *l)
{
	loop_remove(l->m->s->loop, &l->src);
	loop_timer_off(&l->timer);
	l->sql = sql_close(l->sql);
}

/* libpq may close its socket and open another under the same number: then the loop has lost it. */
static void
link_watch_fd(struct monitor_link *l, int fd)
{
	struct loop *loop = l->m->s->loop;
	uint32_t events = sql_events(l->sql);
	struct err e;

	if (l->src.fd == fd && events == l->events && sql_state(l->sql) != SQL_CONNECTING)
		return;
	if (l->src.fd == fd && loop_change(loop, &l->src, events, &e) == 0) {
		l->events = events;
		return;
	}
	loop_remove(loop, &l->src);
	must(loop_add(loop, loop_fd_init(&l->src, link_on_fd, l), fd, events, &e) == 0);
	l->events = events;
}

void
monitor_link_watch(struct monitor_link *l)
{
	int fd = sql_fd(l->sql);
	enum sql_state state = sql_state(l->sql);

	if (fd < 0)
		loop_remove(l->m->s->loop, &l->src);
	else
		link_watch_fd(l, fd);
	if (state == SQL_CONNECTING || state == SQL_BUSY) {
		if (!sql_overdue(l->sql, clock_boot_ns()))
			loop_timer_at(l->m->s->loop, &l->timer, sql_deadline_ns(l->sql));
	} else {
		loop_timer_off(&l->timer);
	}
}
