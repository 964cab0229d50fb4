/*
 * httpd - an HTTP/1.1 server for one listening socket.
 *
 * Process: api.  libmicrohttpd speaks HTTP and TLS; we accept, count, and keep the deadlines, for
 * which it has only one that any byte renews.  A connection whose time is up is shut down at its
 * socket; the library then sees its end and calls us back.  Connections are listed by their last
 * step, oldest first.
 *
 * Other certificates mean another daemon of the library: the old one ends with its last connection.
 */
#include "net/httpd_impl.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "sys/dynlib.h"

#define HTTPD_HEAD_MS 10000
#define HTTPD_IDLE_MS 65000
#define HTTPD_BODY_MS 15000
#define HTTPD_REPLY_MS 30000
#define HTTPD_READ_MS 2000 /* so long an answer may stand there while others want its memory */
#define HTTPD_SWEEP_MS 500
#define HTTPD_PAUSE_MS 100
#define HTTPD_ACCEPTS 16                 /* in one turn */
#define HTTPD_SPARE 8                    /* connections kept free by evicting */
#define HTTPD_MEMORY ((size_t)16 * 1024) /* of the library, for one connection */
#define HTTPD_RUNS 8

static const struct dynlib_symbol mhd_symbols[] = {
#define DYN(name) {#name, offsetof(struct mhd_api, name)},
#include "tbl/dyn_mhd.h"
#undef DYN
};
static const struct dynlib library = {
	"libmicrohttpd.so.12", "libmicrohttpd12", mhd_symbols, ARRAY_LEN(mhd_symbols)};

/* ---- connections ---- */

static int64_t
conn_step_ms(const struct httpd *h, enum conn_step step)
{
	const struct httpd_spec *s = &h->spec;

	switch (step) {
	case CONN_HEAD:
		return s->head_ms;
	case CONN_IDLE:
		return s->idle_ms;
	case CONN_BODY:
		return s->body_ms;
	case CONN_REPLY:
	case CONN_DOOMED:
		return s->reply_ms;
	case CONN_HELD:
	case CONN_STREAM:
		break;
	}
	return -1;
}

void
httpd_set_step(struct httpd_req *c, enum conn_step step)
{
	int64_t ms = conn_step_ms(c->h, step);

	c->step = step;
	c->deadline_ns = ms < 0 ? CLOCK_NEVER : clock_boot_ns() + ms * MS_NS;
	TAILQ_REMOVE(&c->h->conns, c, link);
	TAILQ_INSERT_TAIL(&c->h->conns, c, link);
}

void
httpd_doom(struct httpd_req *c)
{
	c->step = CONN_DOOMED;
	c->deadline_ns = CLOCK_NEVER;
	shutdown(c->fd, SHUT_RDWR);
}

/* The one that waits longest for its client, if any; those at work are left alone. */
static void
httpd_evict(struct httpd *h)
{
	struct httpd_req *c;

	TAILQ_FOREACH(c, &h->conns, link) {
		if (c->step == CONN_HEAD || c->step == CONN_IDLE || c->step == CONN_BODY) {
			httpd_doom(c);
			return;
		}
	}
}

static void
httpd_on_sweep(struct loop_timer *t, void *arg)
{
	struct httpd *h = arg;
	int64_t now = clock_boot_ns();
	struct httpd_req *c;

	TAILQ_FOREACH(c, &h->conns, link)
		if (c->deadline_ns <= now)
			httpd_doom(c);
	if (h->connections > 0)
		loop_timer_in(h->spec.loop, t, HTTPD_SWEEP_MS);
}

static void
httpd_on_notify(void *arg, struct MHD_Connection *mhd, void **context,
	enum MHD_ConnectionNotificationCode what)
{
	struct httpd *h = arg;
	struct httpd_req *c = *context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		c = h->adding;
		h->adding = NULL;
		c->mhd = mhd;
		*context = c;
		TAILQ_INSERT_TAIL(&h->conns, c, link);
		httpd_set_step(c, CONN_HEAD);
		c->daemon->connections++;
		if (h->connections++ == 0)
			loop_timer_in(h->spec.loop, &h->sweep, HTTPD_SWEEP_MS);
		return;
	}
	*context = NULL;
	TAILQ_REMOVE(&h->conns, c, link);
	c->daemon->connections--;
	if (--h->connections == 0)
		loop_timer_off(&h->sweep);
	free(c);
}

/* ---- daemons of the library ---- */

/* The library wants no held connection left when it stops. */
static void
daemon_let_go(struct httpd_daemon *d)
{
	struct httpd_req *c;

	TAILQ_FOREACH(c, &d->h->conns, link)
		if (c->daemon == d && c->held)
			d->h->lib.MHD_resume_connection(c->mhd);
}

static void
daemon_close(struct httpd_daemon *d)
{
	struct MHD_Daemon *mhd = d->mhd;

	if (!mhd)
		return;
	loop_remove(d->h->spec.loop, &d->src);
	loop_timer_off(&d->again);
	daemon_let_go(d);
	d->h->lib.MHD_stop_daemon(mhd);
	d->mhd = NULL;
}

static void
daemon_run(struct httpd_daemon *d)
{
	struct httpd *h = d->h;
	MHD_UNSIGNED_LONG_LONG ms = 1;

	for (int i = 0; i < HTTPD_RUNS; i++) {
		h->lib.MHD_run(d->mhd);
		if (h->lib.MHD_get_timeout(d->mhd, &ms) != MHD_YES || ms > 0)
			break;
	}
	if (d != h->current && d->connections == 0)
		daemon_close(d);
	else if (ms == 0)
		loop_timer_in(h->spec.loop, &d->again, 0);
}

static void
daemon_on_event(struct loop_fd *src, uint32_t events, void *arg)
{
	(void)src;
	(void)events;
	daemon_run(arg);
}

static void
daemon_on_again(struct loop_timer *t, void *arg)
{
	(void)t;
	daemon_run(arg);
}

static void __attribute__((format(printf, 2, 0)))
httpd_on_log(void *arg, const char *fmt, va_list ap)
{
	AUTO(buf_deinit) struct buf b = {0};

	(void)arg;
	if (log_get_level() < LOG_DEBUG)
		return;
	buf_vprintf(&b, fmt, ap);
	while (b.len > 0 && b.data[b.len - 1] == '\n')
		b.data[--b.len] = '\0';
	log_debug("http library", F_STR("detail", buf_str(&b)));
}

/* TLS 1.2 and 1.3 and nothing older. */
#define HTTPD_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE"

void *
httpd_borrow(const char *text)
{
	union {
		const char *in;
		void *out;
	} u = {.in = text};

	return u.out;
}

static struct MHD_Daemon *
httpd_start_daemon(struct httpd *h)
{
	const struct httpd_tls *t = h->spec.tls;
	struct MHD_OptionItem tls[] = {
		{MHD_OPTION_HTTPS_MEM_KEY, 0, t ? httpd_borrow(httpd_tls_key(t)) : NULL},
		{MHD_OPTION_HTTPS_MEM_CERT, 0, t ? httpd_borrow(httpd_tls_cert(t)) : NULL},
		{MHD_OPTION_HTTPS_PRIORITIES, 0, httpd_borrow(HTTPD_PRIORITIES)},
		{MHD_OPTION_END, 0, NULL},
		{MHD_OPTION_END, 0, NULL},
	};
	const struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};

	if (t && httpd_tls_ca(t))
		tls[3] = (struct MHD_OptionItem){
			MHD_OPTION_HTTPS_MEM_TRUST, 0, httpd_borrow(httpd_tls_ca(t))};
	return h->lib.MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET |
					       MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
					       (t ? MHD_USE_TLS : 0),
		0, NULL, NULL, httpd_on_access, h, MHD_OPTION_EXTERNAL_LOGGER, httpd_on_log, h,
		MHD_OPTION_CONNECTION_LIMIT, h->spec.max_connections + HTTPD_SPARE,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTPD_MEMORY, MHD_OPTION_NOTIFY_COMPLETED,
		httpd_on_completed, h, MHD_OPTION_NOTIFY_CONNECTION, httpd_on_notify, h,
		MHD_OPTION_UNESCAPE_CALLBACK, httpd_unescape, NULL, MHD_OPTION_ARRAY,
		t ? tls : none, MHD_OPTION_END);
}

/* A free slot; if all are taken, the oldest of those that should have ended is ended. */
static struct httpd_daemon *
httpd_daemon_slot(struct httpd *h)
{
	struct httpd_daemon *d = h->daemon;

	for (int i = 0; i < HTTPD_DAEMONS; i++) {
		if (!h->daemon[i].mhd)
			return &h->daemon[i];
		if (&h->daemon[i] != h->current)
			d = &h->daemon[i];
	}
	daemon_close(d);
	return d;
}

int
httpd_reload(struct httpd *h, struct err *e)
{
	struct httpd_daemon *d = httpd_daemon_slot(h), *old = h->current;
	const union MHD_DaemonInfo *info;

	d->h = h;
	d->connections = 0;
	d->src.fd = -1;
	loop_timer_init(&d->again, daemon_on_again, d);
	d->mhd = httpd_start_daemon(h);
	if (!d->mhd)
		return err_set(e, ERR_SYS, "libmicrohttpd did not start");
	info = h->lib.MHD_get_daemon_info(d->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info || loop_add(h->spec.loop, loop_fd_init(&d->src, daemon_on_event, d),
			     info->epoll_fd, EPOLLIN, e) < 0) {
		h->lib.MHD_stop_daemon(d->mhd);
		d->mhd = NULL;
		return info ? -1 : err_set(e, ERR_SYS, "libmicrohttpd has no epoll");
	}
	h->current = d;
	if (old && old->connections == 0)
		daemon_close(old);
	return 0;
}

/* ---- accepting ---- */

static void
httpd_add(struct httpd *h, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct httpd_req *c = calloc(1, sizeof(*c));

	if (!c || !h->current) {
		free(c);
		close(fd);
		return;
	}
	c->h = h;
	c->fd = fd;
	c->daemon = h->current;
	h->adding = c;
	/* It owns fd now, whatever it answers. */
	if (h->lib.MHD_add_connection(h->current->mhd, fd, addr, len) != MHD_YES)
		log_debug("http connection refused by the library");
	if (h->adding) {
		free(h->adding);
		h->adding = NULL;
	}
}

static void
httpd_pause(struct httpd *h)
{
	struct err e;

	if (loop_change(h->spec.loop, &h->listener, 0, &e) == 0)
		loop_timer_in(h->spec.loop, &h->resume, HTTPD_PAUSE_MS);
}

static void
httpd_on_resume(struct loop_timer *t, void *arg)
{
	struct httpd *h = arg;
	struct err e;

	(void)t;
	if (loop_change(h->spec.loop, &h->listener, EPOLLIN, &e) < 0)
		log_error("http listener is lost", F_STR("error", e.msg));
}

static void
httpd_on_listener(struct loop_fd *src, uint32_t events, void *arg)
{
	struct httpd *h = arg;

	(void)events;
	for (int i = 0; i < HTTPD_ACCEPTS; i++) {
		struct sockaddr_storage addr = {0};
		socklen_t len = sizeof(addr);
		int fd;

		if (h->connections + HTTPD_SPARE >= h->spec.max_connections)
			httpd_evict(h);
		if (h->connections >= h->spec.max_connections) {
			httpd_pause(h);
			break;
		}
		fd = accept4(src->fd, (struct sockaddr *)&addr, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0 && (errno == ECONNABORTED || errno == EINTR))
			continue;
		if (fd < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
			httpd_evict(h);
			httpd_pause(h);
		}
		if (fd < 0)
			break;
		httpd_add(h, fd, (struct sockaddr *)&addr, len);
	}
	if (h->current)
		daemon_run(h->current);
}

/* ---- the server ---- */

static void
httpd_defaults(struct httpd_spec *s)
{
	s->head_ms = s->head_ms ? s->head_ms : HTTPD_HEAD_MS;
	s->idle_ms = s->idle_ms ? s->idle_ms : HTTPD_IDLE_MS;
	s->body_ms = s->body_ms ? s->body_ms : HTTPD_BODY_MS;
	s->reply_ms = s->reply_ms ? s->reply_ms : HTTPD_REPLY_MS;
	s->read_ms = s->read_ms ? s->read_ms : HTTPD_READ_MS;
}

int
httpd_new(struct httpd **out, const struct httpd_spec *spec, struct err *e)
{
	AUTO(httpd_free) struct httpd *h = calloc(1, sizeof(*h));
	int flags = fcntl(spec->listen_fd, F_GETFL);

	must(spec->max_connections >= 2 * HTTPD_SPARE);
	if (!h)
		return err_sys(e, "make a server");
	h->spec = *spec;
	httpd_defaults(&h->spec);
	h->listener.fd = -1;
	TAILQ_INIT(&h->conns);
	loop_timer_init(&h->sweep, httpd_on_sweep, h);
	loop_timer_init(&h->resume, httpd_on_resume, h);
	if (flags < 0 || fcntl(spec->listen_fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_sys(e, "use the listening descriptor %d", spec->listen_fd);
	if (dynlib_load(&library, &h->lib, e) < 0)
		return -1;
	if ((!spec->tls || httpd_tls_ready(spec->tls)) && httpd_reload(h, e) < 0)
		return -1;
	if (loop_add(spec->loop, loop_fd_init(&h->listener, httpd_on_listener, h), spec->listen_fd,
		    EPOLLIN, e) < 0)
		return -1;
	*out = take(h);
	return 0;
}

struct httpd *
httpd_free(struct httpd *h)
{
	if (!h)
		return NULL;
	loop_remove(h->spec.loop, &h->listener);
	loop_timer_off(&h->sweep);
	loop_timer_off(&h->resume);
	for (int i = 0; i < HTTPD_DAEMONS; i++)
		daemon_close(&h->daemon[i]);
	free(h);
	return NULL;
}

unsigned
httpd_connections(const struct httpd *h)
{
	return h->connections;
}
