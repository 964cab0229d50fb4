/*
 * httpd_request - requests and their answers; see httpd.c for the connections.
 *
 * Process: api.  Bodies are collected here, bounded each and all together.  So are the answers that
 * wait for clients to read them.
 */
#include "net/httpd_impl.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/json.h"

#define HTTPD_DISCARD_MAX ((uint64_t)4 << 20)         /* of a body that nobody wants */
#define HTTPD_BODIES_MAX ((size_t)4 * HTTPD_BODY_MAX) /* of all requests together */
#define HTTPD_SMALL ((size_t)4096) /* answers that are given whatever stands there */

/* ---- requests ---- */

static enum httpd_method
httpd_method_of(const char *text)
{
	static const struct {
		const char *text;
		enum httpd_method method;
	} methods[] = {
		{"GET", HTTPD_GET},
		{"HEAD", HTTPD_HEAD},
		{"POST", HTTPD_POST},
		{"PUT", HTTPD_PUT},
		{"DELETE", HTTPD_DELETE},
		{"PATCH", HTTPD_PATCH},
		{"OPTIONS", HTTPD_OPTIONS},
	};

	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (strcmp(methods[i].text, text) == 0)
			return methods[i].method;
	return HTTPD_OTHER;
}

static void
httpd_drop_body(struct httpd_req *r)
{
	r->h->body_bytes -= r->body.len;
	buf_deinit(&r->body);
}

static void
httpd_forget_answer(struct httpd_req *r)
{
	r->h->answer_bytes -= r->answer_bytes;
	r->answer_bytes = 0;
}

static void
httpd_too_large(struct httpd_req *r)
{
	httpd_drop_body(r);
	if (!r->response)
		httpd_reply_error(r, ERR_INVALID, MHD_HTTP_CONTENT_TOO_LARGE,
			"the body is longer than 1 MiB", NULL);
}

static enum MHD_Result
httpd_send(struct httpd_req *r)
{
	struct httpd *h = r->h;
	struct MHD_Response *response = take(r->response);
	enum MHD_Result rc;

	httpd_set_step(r, r->streaming ? CONN_STREAM : CONN_REPLY);
	rc = h->lib.MHD_queue_response(r->mhd, r->status, response);
	h->lib.MHD_destroy_response(response);
	return rc;
}

/* The head is in.  A refusal goes out at once if the client waits for leave to send its body, or if
 * the body is too long to be read for nothing; else after it, or closing would reset the connection
 * before the client has read the answer. */
static enum MHD_Result
httpd_begin(struct httpd *h, struct httpd_req *r, const char *url, const char *method)
{
	const char *length, *expect;
	uint64_t body = 0;

	r->method = httpd_method_of(method);
	r->path = url;
	buf_init_max(&r->body, HTTPD_BODY_MAX);
	httpd_set_step(r, CONN_BODY);
	length = httpd_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
	if (length)
		body = strtoull(length, NULL, 10);
	h->spec.ops->head(r, h->spec.arg);
	if (body > HTTPD_BODY_MAX)
		httpd_too_large(r);
	expect = r->response ? httpd_header(r, MHD_HTTP_HEADER_EXPECT) : NULL;
	if (r->response && (expect || body > HTTPD_DISCARD_MAX))
		return httpd_send(r);
	return MHD_YES;
}

static enum MHD_Result
httpd_take_body(struct httpd_req *r, const char *data, size_t size)
{
	struct httpd *h = r->h;

	if (!r->response && h->body_bytes + size > HTTPD_BODIES_MAX) {
		httpd_drop_body(r);
		httpd_reply_error(r, ERR_BUSY, 0, "too many bodies are being received", NULL);
	}
	if (!r->response && r->body.len + size > HTTPD_BODY_MAX)
		httpd_too_large(r);
	if (r->response) {
		r->discarded += size;
		return r->discarded > HTTPD_DISCARD_MAX ? MHD_NO : MHD_YES;
	}
	buf_put(&r->body, data, size);
	if (r->body.failed)
		return MHD_NO;
	h->body_bytes += size;
	return MHD_YES;
}

enum MHD_Result
httpd_on_access(void *arg, struct MHD_Connection *mhd, const char *url, const char *method,
	const char *version, const char *data, size_t *size, void **context)
{
	struct httpd *h = arg;
	struct httpd_req *r = *context;

	(void)version;
	if (!r) {
		r = h->lib.MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
			    ->socket_context;
		*context = r;
		return httpd_begin(h, r, url, method);
	}
	if (*size > 0) {
		size_t n = *size;

		*size = 0;
		return httpd_take_body(r, data, n);
	}
	if (!r->response && !r->asked) {
		r->asked = true;
		h->spec.ops->request(r, h->spec.arg);
	}
	if (r->response)
		return httpd_send(r);
	return r->held ? MHD_YES : MHD_NO;
}

void
httpd_on_completed(
	void *arg, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode how)
{
	struct httpd *h = arg;
	struct httpd_req *r = *context;

	(void)mhd;
	(void)how;
	if (!r)
		return;
	*context = NULL;
	if (h->spec.ops->gone)
		h->spec.ops->gone(r, h->spec.arg);
	httpd_drop_body(r);
	httpd_forget_answer(r);
	if (r->response)
		h->lib.MHD_destroy_response(take(r->response));
	buf_deinit(&r->stream);
	r->asked = r->held = r->streaming = r->stream_ended = false;
	r->discarded = 0;
	r->user = NULL;
	r->path = NULL;
	if (r->daemon != h->current)
		httpd_doom(r); /* its certificates are no longer in use */
	else if (r->step != CONN_DOOMED)
		httpd_set_step(r, CONN_IDLE);
}

/* ---- what a request says ---- */

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %00 stays as it is written: a NUL would hide what follows it. */
size_t
httpd_unescape(void *arg, struct MHD_Connection *mhd, char *text)
{
	char *in = text, *out = text;

	(void)arg;
	(void)mhd;
	while (*in) {
		int high = *in == '%' ? hex_digit(in[1]) : -1;
		int low = high >= 0 ? hex_digit(in[2]) : -1;

		if (low >= 0 && high + low > 0) {
			*out++ = (char)(high << 4 | low);
			in += 3;
		} else {
			*out++ = *in++;
		}
	}
	*out = '\0';
	return (size_t)(out - text);
}

enum httpd_method
httpd_method(const struct httpd_req *r)
{
	return r->method;
}

const char *
httpd_path(const struct httpd_req *r)
{
	return r->path;
}

const char *
httpd_query(const struct httpd_req *r, const char *key)
{
	return r->h->lib.MHD_lookup_connection_value(r->mhd, MHD_GET_ARGUMENT_KIND, key);
}

const char *
httpd_header(const struct httpd_req *r, const char *name)
{
	return r->h->lib.MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, name);
}

const struct buf *
httpd_body(const struct httpd_req *r)
{
	return &r->body;
}

struct each {
	httpd_query_fn *fn;
	void *arg;
	int rc;
};

static enum MHD_Result
httpd_on_each(void *arg, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct each *each = arg;

	(void)kind;
	each->rc = each->fn(key, value ? value : "", each->arg);
	return each->rc == 0 ? MHD_YES : MHD_NO;
}

int
httpd_query_each(const struct httpd_req *r, httpd_query_fn *fn, void *arg)
{
	struct each each = {.fn = fn, .arg = arg};

	r->h->lib.MHD_get_connection_values(r->mhd, MHD_GET_ARGUMENT_KIND, httpd_on_each, &each);
	return each.rc;
}

bool
httpd_peer_uid(const struct httpd_req *r, uid_t *uid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int domain = 0;
	socklen_t domain_len = sizeof(domain);

	if (getsockopt(r->fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_len) < 0 || domain != AF_UNIX)
		return false;
	if (getsockopt(r->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || len != sizeof(cred))
		return false;
	*uid = cred.uid;
	return true;
}

bool
httpd_peer_address(const struct httpd_req *r, char *out, size_t size)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_storage room;
	} a = {0};
	socklen_t len = sizeof(a);

	if (getpeername(r->fd, &a.any, &len) < 0)
		return false;
	if (a.any.sa_family == AF_INET)
		return inet_ntop(AF_INET, &a.v4.sin_addr, out, (socklen_t)size) != NULL;
	if (a.any.sa_family != AF_INET6)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&a.v6.sin6_addr))
		return inet_ntop(AF_INET, &a.v6.sin6_addr.s6_addr[12], out, (socklen_t)size) !=
		       NULL;
	return inet_ntop(AF_INET6, &a.v6.sin6_addr, out, (socklen_t)size) != NULL;
}

bool
httpd_peer_cert(const struct httpd_req *r, char *cn, size_t size)
{
	const union MHD_ConnectionInfo *info;

	if (!r->h->spec.tls)
		return false;
	info = r->h->lib.MHD_get_connection_info(r->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	return info && httpd_tls_peer(r->h->spec.tls, info->tls_session, cn, size);
}

void *
httpd_user(const struct httpd_req *r)
{
	return r->user;
}

void
httpd_set_user(struct httpd_req *r, void *user)
{
	r->user = user;
}

/* ---- answers ---- */

static struct MHD_Response *
httpd_response(struct httpd *h, const struct httpd_answer *a)
{
	size_t len = a->take_body ? a->take_body->len : a->len;
	struct MHD_Response *response;
	char *owned;

	if (!a->take_body)
		return h->lib.MHD_create_response_from_buffer(
			len, httpd_borrow(a->body ? a->body : ""), MHD_RESPMEM_MUST_COPY);
	owned = buf_take(a->take_body);
	if (!owned)
		return NULL;
	response = h->lib.MHD_create_response_from_buffer(len, owned, MHD_RESPMEM_MUST_FREE);
	if (!response)
		free(owned);
	return response;
}

/* Clients that do not read lose their answers to those that may. */
static bool
httpd_has_room(struct httpd *h, size_t len)
{
	int64_t late = clock_boot_ns() + (h->spec.reply_ms - h->spec.read_ms) * MS_NS;
	struct httpd_req *c;

	TAILQ_FOREACH(c, &h->conns, link) {
		if (len <= HTTPD_SMALL || h->answer_bytes + len <= HTTPD_ANSWERS_MAX)
			return true;
		if (c->step == CONN_REPLY && c->deadline_ns <= late) {
			httpd_forget_answer(c);
			httpd_doom(c);
		}
	}
	return h->answer_bytes + len <= HTTPD_ANSWERS_MAX;
}

void
httpd_reply(struct httpd_req *r, const struct httpd_answer *a)
{
	struct httpd *h = r->h;
	size_t len = a->take_body ? a->take_body->len : a->len;
	struct MHD_Response *response;

	must(!r->response);
	if (!httpd_has_room(h, len)) {
		httpd_reply_error(r, ERR_BUSY, 0, "too many answers wait to be read", NULL);
		return;
	}
	response = httpd_response(h, a);
	if (response) {
		r->answer_bytes = len;
		h->answer_bytes += len;
		h->lib.MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
			a->type ? a->type : "application/json");
		for (size_t i = 0; i < ARRAY_LEN(a->header); i++)
			if (a->header[i].name)
				h->lib.MHD_add_response_header(
					response, a->header[i].name, a->header[i].value);
		r->response = response;
		r->status = (unsigned)a->status;
	} else {
		httpd_doom(r); /* no memory: the connection is what is left to give up */
	}
	if (r->held) {
		r->held = false;
		h->lib.MHD_resume_connection(r->mhd);
		loop_timer_in(h->spec.loop, &r->daemon->again, 0); /* nothing else wakes it */
	}
}

void
httpd_reply_error(
	struct httpd_req *r, enum err_kind kind, int status, const char *message, const char *hint)
{
	AUTO(buf_deinit) struct buf b = {0};
	struct err e = {.kind = kind};
	struct json j;

	json_init(&j, &b);
	json_obj(&j);
	json_kobj(&j, "error");
	json_kstr(&j, "kind", err_name(kind));
	json_kstr(&j, "message", message);
	if (hint && *hint)
		json_kstr(&j, "hint", hint);
	json_end_obj(&j);
	json_end_obj(&j);
	buf_putc(&b, '\n');
	httpd_reply(r,
		&(struct httpd_answer){.status = status ? status : err_http(&e), .take_body = &b});
}

void
httpd_hold(struct httpd_req *r)
{
	must(r->asked && !r->response);
	httpd_set_step(r, CONN_HELD);
	r->held = true;
	r->h->lib.MHD_suspend_connection(r->mhd);
}
