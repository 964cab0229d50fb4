/*
 * httpd_stream - answers that go on for as long as there is news.
 *
 * Process: api.  The library asks for more whenever the client has read what it had; when there is
 * nothing, the connection is suspended until the next put.  So a client that reads slowly fills its
 * own buffer and nothing else, and one that does not read at all is dropped when that is full.
 */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "net/httpd_impl.h"

#define STREAM_KERNEL \
	(64 << 10) /* the kernel would keep megabytes for somebody who does not read */
#define STREAM_BLOCK ((size_t)4 << 10) /* handed to the library at once */

static ssize_t
stream_read(void *arg, uint64_t pos, char *out, size_t max)
{
	struct httpd_req *r = arg;
	size_t n = r->stream.len < max ? r->stream.len : max;

	(void)pos;
	if (n > 0) {
		memcpy(out, r->stream.data, n);
		buf_consume(&r->stream, n);
		return (ssize_t)n;
	}
	if (r->stream_ended || r->step == CONN_DOOMED)
		return MHD_CONTENT_READER_END_OF_STREAM;
	r->held = true;
	r->h->lib.MHD_suspend_connection(r->mhd);
	return 0;
}

static void
stream_wake(struct httpd_req *r)
{
	if (!r->held)
		return;
	r->held = false;
	r->h->lib.MHD_resume_connection(r->mhd);
	loop_timer_in(r->h->spec.loop, &r->daemon->again, 0);
}

static void
stream_break(struct httpd_req *r)
{
	if (r->step != CONN_DOOMED)
		httpd_doom(r);
	stream_wake(r);
}

void
httpd_stream(struct httpd_req *r, int status, const char *type)
{
	struct httpd *h = r->h;
	int kernel = STREAM_KERNEL;

	must(r->asked && !r->response && !r->held);
	buf_init_max(&r->stream, HTTPD_STREAM_MAX);
	r->response = h->lib.MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, STREAM_BLOCK, stream_read, r, NULL);
	if (!r->response) {
		httpd_doom(r);
		return;
	}
	h->lib.MHD_add_response_header(r->response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	setsockopt(r->fd, SOL_SOCKET, SO_SNDBUF, &kernel, sizeof(kernel));
	r->streaming = true;
	r->status = (unsigned)status;
}

bool
httpd_stream_put(struct httpd_req *r, const void *p, size_t n)
{
	struct err e;

	if (!r->streaming || r->stream_ended || r->step == CONN_DOOMED)
		return false;
	buf_put(&r->stream, p, n);
	if (buf_check(&r->stream, &e) < 0) {
		stream_break(r);
		return false;
	}
	stream_wake(r);
	return true;
}

void
httpd_stream_end(struct httpd_req *r)
{
	r->stream_ended = true;
	stream_wake(r);
}

bool
httpd_stream_alive(struct httpd_req *r)
{
	struct pollfd p = {.fd = r->fd, .events = POLLRDHUP};

	if (!r->streaming || r->step == CONN_DOOMED)
		return false;
	if (poll(&p, 1, 0) <= 0 || !(p.revents & (POLLRDHUP | POLLHUP | POLLERR)))
		return true;
	stream_break(r);
	return false;
}
