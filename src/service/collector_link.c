/*
 * collector_link - a connection of the collector and its place in the loop.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "service/collector.h"

/* Unknown settings in the options refuse the login, so each version gets its own. */
#define EVERY                                                                               \
	"-c lock_timeout=50 -c statement_timeout=1000 -c default_transaction_read_only=on " \
	"-c search_path=pg_catalog -c jit=off -c datestyle=ISO -c timezone=UTC "            \
	"-c intervalstyle=postgres -c bytea_output=hex -c extra_float_digits=1 "            \
	"-c idle_in_transaction_session_timeout=60000"
#define SINCE_14 EVERY " -c idle_session_timeout=0 -c client_connection_check_interval=5000"

const char *
collector_settings(const struct collector *c)
{
	return c->sup.plan.major >= 14 ? SINCE_14 : EVERY;
}

/* The other end is closed: its backend is gone.  Or it had time enough for that. */
static void
link_left(struct collector_link *l)
{
	collector_link_close(l);
	l->on_turn(l);
}

static void
link_on_fd(struct loop_fd *src, uint32_t events, void *arg)
{
	struct collector_link *l = arg;

	(void)src;
	(void)events;
	if (!l->sql) {
		link_left(l);
		return;
	}
	sql_turn(l->sql);
	collector_link_watch(l);
	if (sql_state(l->sql) == SQL_IDLE || sql_state(l->sql) == SQL_BROKEN)
		l->on_turn(l);
}

/* First the server is asked to end the statement, then the connection is given up. */
static void
link_on_timer(struct loop_timer *t, void *arg)
{
	struct collector_link *l = arg;

	(void)t;
	if (!l->sql) {
		link_left(l);
		return;
	}
	if (sql_state(l->sql) == SQL_BUSY && !l->cancelled) {
		l->cancelled = true;
		sql_cancel(l->sql);
		loop_timer_in(l->c->s->loop, &l->timer, COLLECTOR_CANCEL_MS);
		return;
	}
	l->sql = sql_close(l->sql);
	loop_remove(l->c->s->loop, &l->src);
	l->on_turn(l);
}

void
collector_link_init(struct collector_link *l, struct collector *c)
{
	l->c = c;
	l->src.fd = l->left_fd = -1;
	loop_timer_init(&l->timer, link_on_timer, l);
}

int
collector_link_open(struct collector_link *l, const char *user, const char *database, struct err *e)
{
	const struct plan *plan = &l->c->sup.plan;
	const struct sql_spec spec = {
		.host = plan->socket_dir,
		.port = plan->port,
		.user = user,
		.database = database,
		.application = COLLECTOR_ROLE,
		.settings = collector_settings(l->c),
	};

	must(!l->sql);
	l->cancelled = false;
	l->opened_ns = clock_boot_ns();
	return sql_open(&l->sql, &l->c->pq, &spec, l->opened_ns + COLLECTOR_CONNECT_MS * MS_NS, e);
}

void
collector_link_close(struct collector_link *l)
{
	loop_remove(l->c->s->loop, &l->src);
	loop_timer_off(&l->timer);
	l->sql = sql_close(l->sql);
	if (l->left_fd >= 0)
		close(l->left_fd);
	l->left_fd = -1;
}

void
collector_link_leave(struct collector_link *l)
{
	struct loop *loop = l->c->s->loop;
	int fd = l->sql ? sql_fd(l->sql) : -1;
	int left = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	struct err e;

	collector_link_close(l);
	l->left_fd = left;
	if (left >= 0 &&
		loop_add(loop, loop_fd_init(&l->src, link_on_fd, l), left, EPOLLRDHUP, &e) == 0)
		loop_timer_in(loop, &l->timer, COLLECTOR_LEAVE_MS);
	else
		loop_timer_in(loop, &l->timer, 0);
}

bool
collector_link_held(const struct collector_link *l)
{
	return l->sql || l->left_fd >= 0;
}

/* libpq may close its socket and open another under the same number: then the loop has lost it. */
static void
link_watch_fd(struct collector_link *l, int fd)
{
	struct loop *loop = l->c->s->loop;
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
collector_link_watch(struct collector_link *l)
{
	int fd = sql_fd(l->sql);
	enum sql_state state = sql_state(l->sql);

	if (fd < 0)
		loop_remove(l->c->s->loop, &l->src);
	else
		link_watch_fd(l, fd);
	if (state != SQL_CONNECTING && state != SQL_BUSY) {
		loop_timer_off(&l->timer);
		l->cancelled = false;
	} else if (!l->cancelled) {
		loop_timer_at(l->c->s->loop, &l->timer, sql_deadline_ns(l->sql));
	}
}
