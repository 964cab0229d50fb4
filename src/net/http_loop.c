/*
 * http_loop - requests that run from a sys/loop, several at once, in one thread.
 *
 * Process: elector.  curl says which sockets it waits for and when it wants to be called; these are
 * sources of the loop.  curl forbids to begin or end a request from within its callbacks, so done()
 * is called when curl has returned.  Deadlines are timers of the loop and not of curl, because its
 * clock stands still while the machine is suspended.
 */
#include "net/http_impl.h"

#include <sys/epoll.h>

static void
tell(struct http *h)
{
	http_reap(h);
	for (size_t i = 0; i < HTTP_CALLS; i++) {
		struct http_call *c = h->call[i];

		if (!c || !c->over || c->told)
			continue;
		c->told = true;
		loop_timer_off(&c->deadline);
		if (c->request.done)
			c->request.done(c->request.arg, c);
	}
}

static void
act(struct http *h, curl_socket_t fd, int what)
{
	int running;

	h->lib.curl_multi_socket_action(h->multi, fd, what, &running);
	tell(h);
}

static void
on_ready(struct loop_fd *src, uint32_t events, void *arg)
{
	int what = 0;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLRDHUP))
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & EPOLLERR)
		what |= CURL_CSELECT_ERR;
	act(arg, src->fd, what);
}

static void
on_due(struct loop_timer *t, void *arg)
{
	(void)t;
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void
on_deadline(struct loop_timer *t, void *arg)
{
	struct http_call *c = arg;

	(void)t;
	http_cut(c, ERR_TIMEOUT, "the deadline passed");
	tell(c->http);
}

/* ---- what curl calls ---- */

static struct http_sock *
free_sock(struct http *h)
{
	for (size_t i = 0; i < HTTP_SOCKS; i++)
		if (h->sock[i].src.fd < 0)
			return &h->sock[i];
	return NULL;
}

static int
watch(struct http *h, curl_socket_t fd, uint32_t events)
{
	struct http_sock *s = free_sock(h);
	struct err e;

	if (!s || loop_add(h->loop, &s->src, fd, events, &e) < 0)
		return -1;
	return h->lib.curl_multi_assign(h->multi, fd, s) == CURLM_OK ? 0 : -1;
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *known)
{
	struct http *h = arg;
	struct http_sock *s = known;
	uint32_t events = (what & CURL_POLL_IN ? (uint32_t)EPOLLIN : 0) |
			  (what & CURL_POLL_OUT ? (uint32_t)EPOLLOUT : 0);
	struct err e;

	(void)easy;
	if (what != CURL_POLL_REMOVE)
		return s ? loop_change(h->loop, &s->src, events, &e) : watch(h, fd, events);
	if (s) {
		loop_remove(h->loop, &s->src);
		h->lib.curl_multi_assign(h->multi, fd, NULL);
	}
	return 0;
}

static int
on_timer(CURLM *multi, long ms, void *arg)
{
	struct http *h = arg;

	(void)multi;
	if (ms < 0)
		loop_timer_off(&h->timer);
	else
		loop_timer_in(h->loop, &h->timer, ms);
	return 0;
}

/* ---- for http.c ---- */

int
http_attach(struct http *h, struct loop *loop, struct err *e)
{
	must(!h->loop);
	if (h->lib.curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
		h->lib.curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, on_timer) != CURLM_OK)
		return err_set(e, ERR_CONFIG, "libcurl cannot be driven by events");
	h->lib.curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	h->lib.curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	for (size_t i = 0; i < HTTP_SOCKS; i++)
		loop_fd_init(&h->sock[i].src, on_ready, h);
	loop_timer_init(&h->timer, on_due, h);
	h->loop = loop;
	return 0;
}

void
http_loop_begin(struct http_call *c)
{
	loop_timer_init(&c->deadline, on_deadline, c);
	loop_timer_at(c->http->loop, &c->deadline, c->request.deadline_ns);
}

void
http_loop_end(struct http_call *c)
{
	if (c->http->loop)
		loop_timer_off(&c->deadline);
}

void
http_loop_close(struct http *h)
{
	if (!h->loop)
		return;
	if (h->multi)
		h->lib.curl_multi_cleanup(take(h->multi));
	for (size_t i = 0; i < HTTP_SOCKS; i++)
		loop_remove(h->loop, &h->sock[i].src);
	loop_timer_off(&h->timer);
}
