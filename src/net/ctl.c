/*
 * ctl - one HTTP/1.1 call over the manager's unix socket.
 *
 * The request says "Connection: close", so the answer ends with the stream; its length is checked
 * all the same, because a manager that dies halfway closes the stream too.
 */
#include "net/ctl.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"

#define CTL_MAX_BYTES (4u << 20)

void
ctl_answer_deinit(struct ctl_answer *a)
{
	buf_deinit(&a->body);
}

/* ---- the answer ---- */

struct ctl_head {
	int status;
	size_t bytes;     /* of the head itself */
	long long length; /* -1: not given */
	bool chunked;
};

static int
ctl_bad(struct err *e, const char *what)
{
	return err_set(e, ERR_REMOTE, "the manager's answer is not HTTP: %s", what);
}

/* One header line without its end. */
static int
ctl_header(const char *line, size_t n, struct ctl_head *head, struct err *e)
{
	const char *colon = memchr(line, ':', n);
	char value[64];
	size_t name, len;

	if (!colon)
		return ctl_bad(e, "a header without a colon");
	name = (size_t)(colon - line);
	colon++;
	while (colon < line + n && (*colon == ' ' || *colon == '\t'))
		colon++;
	len = (size_t)(line + n - colon);
	snprintf(value, sizeof(value), "%.*s", len < 63 ? (int)len : 63, colon);
	if (name == 14 && strncasecmp(line, "Content-Length", name) == 0) {
		if (!*value || strspn(value, "0123456789") != strlen(value) || strlen(value) > 15)
			return ctl_bad(e, "Content-Length");
		head->length = strtoll(value, NULL, 10);
	} else if (name == 17 && strncasecmp(line, "Transfer-Encoding", name) == 0) {
		head->chunked = strcasecmp(value, "chunked") == 0;
	}
	return 0;
}

/* Status line and headers. */
static int
ctl_head(const char *raw, size_t len, struct ctl_head *head, struct err *e)
{
	const char *line = raw, *eol;

	*head = (struct ctl_head){.length = -1};
	if (len < 12 || strncmp(raw, "HTTP/1.", 7) != 0 || raw[8] != ' ' ||
		strspn(raw + 9, "0123456789") != 3)
		return ctl_bad(e, "the status line");
	head->status = (int)strtol(raw + 9, NULL, 10);
	for (bool first = true;; first = false) {
		size_t n;

		eol = memmem(line, len - (size_t)(line - raw), "\r\n", 2);
		if (!eol)
			return ctl_bad(e, "it ends within the headers");
		n = (size_t)(eol - line);
		if (n == 0)
			break;
		if (!first && ctl_header(line, n, head, e) < 0)
			return -1;
		line = eol + 2;
	}
	head->bytes = (size_t)(eol + 2 - raw);
	return 0;
}

/* RFC 9112, section 7.1; trailers are ignored. */
static int
ctl_chunks(const char *p, size_t len, struct buf *out, struct err *e)
{
	const char *end = p + len;

	for (;;) {
		const char *eol = memmem(p, (size_t)(end - p), "\r\n", 2);
		unsigned long long n;
		char *stop;

		if (!eol || eol == p || eol - p > 16)
			return ctl_bad(e, "a chunk without its size");
		n = strtoull(p, &stop, 16);
		if (stop == p || (stop != eol && *stop != ';'))
			return ctl_bad(e, "the size of a chunk");
		if (n == 0)
			return 0;
		p = eol + 2;
		if (n > (size_t)(end - p) || (size_t)(end - p) - n < 2)
			return ctl_bad(e, "a chunk is cut off");
		buf_put(out, p, n);
		p += n;
		if (p[0] != '\r' || p[1] != '\n')
			return ctl_bad(e, "the end of a chunk");
		p += 2;
	}
}

int
ctl_parse(const char *raw, size_t len, struct ctl_answer *out, struct err *e)
{
	struct ctl_head head;
	size_t at, have;

	buf_reset(&out->body);
	if (ctl_head(raw, len, &head, e) < 0)
		return -1;
	out->status = head.status;
	at = head.bytes;
	have = len - at;
	if (head.chunked) {
		if (ctl_chunks(raw + at, have, &out->body, e) < 0)
			return -1;
	} else if (head.length > (long long)have) {
		return ctl_bad(e, "it is cut off");
	} else {
		buf_put(&out->body, raw + at, head.length >= 0 ? (size_t)head.length : have);
	}
	return buf_check(&out->body, e);
}

/* ---- the stream ---- */

static int
ctl_wait(int fd, short events, int64_t deadline_ns, struct err *e)
{
	struct pollfd p = {.fd = fd, .events = events};

	for (;;) {
		int64_t left = (deadline_ns - clock_boot_ns()) / MS_NS;
		int n;

		if (left <= 0)
			return err_set(e, ERR_TIMEOUT, "the manager did not answer in time");
		n = poll(&p, 1, left > 60000 ? 60000 : (int)left + 1);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return err_sys(e, "poll");
	}
}

static int
ctl_connect(const struct ctl_call *call, int *out, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	AUTO(close) int fd = -1;
	enum err_kind kind;

	if (strlen(call->socket) >= sizeof(a.sun_path))
		return err_set(e, ERR_INVALID, "%s: longer than a unix socket's path may be",
			call->socket);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", call->socket);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(e, "socket");
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0) {
		kind = errno == EACCES || errno == EPERM ? ERR_DENIED : ERR_REMOTE;
		return err_raise(e, kind, errno, ERR_HERE, "no manager at %s: %s", call->socket,
			errno == EAGAIN ? "it takes no more connections" : strerrordesc_np(errno));
	}
	*out = fd;
	fd = -1;
	return 0;
}

static int
ctl_send(int fd, const struct buf *rq, int64_t deadline_ns, struct err *e)
{
	size_t done = 0;

	while (done < rq->len) {
		ssize_t n = send(fd, rq->data + done, rq->len - done, MSG_NOSIGNAL);

		if (n >= 0) {
			done += (size_t)n;
			continue;
		}
		/* It may have answered and closed without reading all of it: look. */
		if (errno == EPIPE || errno == ECONNRESET)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return err_sys(e, "send");
		if (ctl_wait(fd, POLLOUT, deadline_ns, e) < 0)
			return -1;
	}
	return 0;
}

static int
ctl_recv(int fd, struct buf *raw, int64_t deadline_ns, struct err *e)
{
	char chunk[16384];

	for (;;) {
		ssize_t n = recv(fd, chunk, sizeof(chunk), 0);

		if (n == 0)
			return 0;
		if (n > 0) {
			buf_put(raw, chunk, (size_t)n);
			if (raw->failed)
				return err_set(e, ERR_REMOTE,
					"the manager's answer is longer than %zu bytes", raw->max);
			continue;
		}
		if (errno == ECONNRESET && raw->len > 0)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return err_raise(e, ERR_REMOTE, errno, ERR_HERE, "the manager hung up: %s",
				strerrordesc_np(errno));
		if (ctl_wait(fd, POLLIN, deadline_ns, e) < 0)
			return -1;
	}
}

static void
ctl_request(const struct ctl_call *call, const char *version, struct buf *rq)
{
	buf_printf(rq, "%s %s HTTP/%s\r\nHost: localhost\r\nConnection: close\r\n", call->method,
		call->target, version);
	if (call->idem_key)
		buf_printf(rq, "Idempotency-Key: %s\r\n", call->idem_key);
	if (call->body)
		buf_puts(rq, "Content-Type: application/json\r\n");
	if (call->body || strcmp(call->method, "GET") != 0)
		buf_printf(rq, "Content-Length: %zu\r\n", call->body ? strlen(call->body) : 0);
	buf_printf(rq, "\r\n%s", call->body ? call->body : "");
}

int
ctl_call(const struct ctl_call *call, struct ctl_answer *out, struct err *e)
{
	int64_t deadline = clock_boot_ns() + call->timeout_ms * MS_NS;
	AUTO(buf_deinit) struct buf rq = {0}, raw = {0};
	AUTO(close) int fd = -1;

	*out = (struct ctl_answer){0};
	buf_init_max(&raw, call->max_bytes ? call->max_bytes : CTL_MAX_BYTES);
	ctl_request(call, "1.1", &rq);
	if (buf_check(&rq, e) < 0 || ctl_connect(call, &fd, e) < 0 ||
		ctl_send(fd, &rq, deadline, e) < 0 || ctl_recv(fd, &raw, deadline, e) < 0)
		return -1;
	if (raw.len == 0)
		return err_set(e, ERR_REMOTE, "the manager hung up without an answer");
	return ctl_parse(buf_str(&raw), raw.len, out, e);
}

/* ---- answers that go on ---- */

/* One read; returns its bytes, 0 at the end. */
static ssize_t
ctl_piece(int fd, char *out, size_t size, int64_t deadline_ns, struct err *e)
{
	for (;;) {
		ssize_t n = recv(fd, out, size, 0);

		if (n >= 0)
			return n;
		if (errno != EAGAIN && errno != EINTR)
			return err_raise(e, ERR_REMOTE, errno, ERR_HERE, "the manager hung up: %s",
				strerrordesc_np(errno));
		if (ctl_wait(fd, POLLIN, deadline_ns, e) < 0)
			return -1;
	}
}

/* Reads until the head is whole; what came behind it stays in raw. */
static int
ctl_stream_head(int fd, struct buf *raw, struct ctl_head *head, int64_t deadline_ns, struct err *e)
{
	char piece[4096];

	while (!memmem(buf_str(raw), raw->len, "\r\n\r\n", 4)) {
		ssize_t n = ctl_piece(fd, piece, sizeof(piece), deadline_ns, e);

		if (n < 0)
			return -1;
		if (n == 0)
			return ctl_bad(e, "it ends within the headers");
		buf_put(raw, piece, (size_t)n);
		if (raw->failed)
			return ctl_bad(e, "its head is too long");
	}
	return ctl_head(buf_str(raw), raw->len, head, e);
}

int
ctl_stream(const struct ctl_call *call, ctl_piece_fn *fn, void *arg, struct ctl_answer *out,
	struct err *e)
{
	int64_t deadline = CLOCK_NEVER;
	AUTO(buf_deinit) struct buf rq = {0}, raw = {0};
	AUTO(close) int fd = -1;
	struct ctl_head head;
	char piece[16384];
	ssize_t n;

	*out = (struct ctl_answer){0};
	if (call->timeout_ms)
		deadline = clock_boot_ns() + call->timeout_ms * MS_NS;
	buf_init_max(&raw, CTL_MAX_BYTES);
	ctl_request(call, "1.0", &rq); /* so that the body comes as it is */
	if (buf_check(&rq, e) < 0 || ctl_connect(call, &fd, e) < 0 ||
		ctl_send(fd, &rq, deadline, e) < 0 ||
		ctl_stream_head(fd, &raw, &head, deadline, e) < 0)
		return -1;
	out->status = head.status;
	if (head.status >= 300)
		return ctl_recv(fd, &raw, deadline, e) < 0
			       ? -1
			       : ctl_parse(buf_str(&raw), raw.len, out, e);
	if (raw.len > head.bytes && fn(arg, raw.data + head.bytes, raw.len - head.bytes, e) < 0)
		return -1;
	while ((n = ctl_piece(fd, piece, sizeof(piece), deadline, e)) > 0)
		if (fn(arg, piece, (size_t)n, e) < 0)
			return -1;
	return n < 0 ? -1 : 0;
}
