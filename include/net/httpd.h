/*
 * httpd - an HTTP/1.1 server for one listening socket, in the loop of a single-threaded service.
 *
 * A request is answered in its callback, or held and answered later; either way with one
 * httpd_reply().  Nobody can keep the server busy by being slow: connections are bounded, each has
 * a deadline for its head, body and answer, and when there are too many, the ones that have been
 * idle longest go first.  Answers that nobody reads are bounded, too: the oldest give way, and when
 * none is old, the newcomer gets 503.  The listening socket is only accepted from: never shut down,
 * so that a successor that inherits it loses nothing.
 *
 * The library is loaded, not linked (sys/dynlib).
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "net/httpd_tls.h"
#include "sys/loop.h"

enum httpd_method {
	HTTPD_GET = 1,
	HTTPD_HEAD = 2,
	HTTPD_POST = 4,
	HTTPD_PUT = 8,
	HTTPD_DELETE = 16,
	HTTPD_PATCH = 32,
	HTTPD_OPTIONS = 64,
	HTTPD_OTHER = 128,
};

#define HTTPD_BODY_MAX ((size_t)1 << 20)     /* a longer body is answered with 413 */
#define HTTPD_ANSWERS_MAX ((size_t)32 << 20) /* of all clients that have not read theirs yet */

struct httpd;
struct httpd_req;

struct httpd_ops {
	/* The head is in, the body is not.  May reply: the body is then read and thrown away. */
	void (*head)(struct httpd_req *r, void *arg);
	/* All is in.  Replies or holds. */
	void (*request)(struct httpd_req *r, void *arg);
	/* The request is over, answered or not; r is no longer valid afterwards.  NULL: no matter
	 */
	void (*gone)(struct httpd_req *r, void *arg);
};

struct httpd_spec {
	struct loop *loop;
	int listen_fd; /* borrowed; made non-blocking */
	const struct httpd_ops *ops;
	void *arg;
	unsigned max_connections; /* at least 16 */
	struct httpd_tls *tls;    /* borrowed; NULL: no TLS */
	/* For tests, milliseconds; 0: the default. */
	int64_t head_ms, idle_ms, body_ms, reply_ms, read_ms;
};

/* With TLS whose files could not be read yet, connections are closed until they can. */
int httpd_new(struct httpd **out, const struct httpd_spec *spec, struct err *e) MUSTCHECK;
struct httpd *httpd_free(struct httpd *h); /* requests end, also held ones; returns NULL */
DEFINE_AUTO(struct httpd *, httpd_free)
/* The certificates of spec.tls have changed: new connections use them, old ones live on. */
int httpd_reload(struct httpd *h, struct err *e) MUSTCHECK;
unsigned httpd_connections(const struct httpd *h);

/* ---- requests: all strings are borrowed and live as long as the request ---- */

enum httpd_method httpd_method(const struct httpd_req *r);
const char *httpd_path(const struct httpd_req *r);                     /* decoded */
const char *httpd_query(const struct httpd_req *r, const char *key);   /* decoded; NULL: absent */
const char *httpd_header(const struct httpd_req *r, const char *name); /* NULL: absent */
const struct buf *httpd_body(const struct httpd_req *r);
/* Calls fn for each query parameter until it returns non-zero, which is returned. */
typedef int httpd_query_fn(const char *key, const char *value, void *arg);
int httpd_query_each(const struct httpd_req *r, httpd_query_fn *fn, void *arg);
/* The user at the other end of a unix socket; false: it is no unix socket. */
bool httpd_peer_uid(const struct httpd_req *r, uid_t *uid);
/* The address at the other end, without a port, IPv4 also where it came as ::ffff:...; false: a
 * unix socket. */
bool httpd_peer_address(const struct httpd_req *r, char *out, size_t size);
/* True when the client has shown a certificate of the configured CA for client use; cn gets its
 * common name. */
bool httpd_peer_cert(const struct httpd_req *r, char *cn, size_t size);
void *httpd_user(const struct httpd_req *r); /* whatever was set, at first NULL */
void httpd_set_user(struct httpd_req *r, void *user);

/* ---- answers ---- */

struct httpd_header {
	const char *name, *value;
};

struct httpd_answer {
	int status;
	const char *type; /* Content-Type; NULL: application/json */
	const char *body; /* copied, unless take_body */
	size_t len;
	struct buf *take_body;         /* instead of body: its memory is taken over */
	struct httpd_header header[4]; /* name NULL: unused */
};

/* The one answer to r; a held request is let go. */
void httpd_reply(struct httpd_req *r, const struct httpd_answer *a);
/* {"error":{"kind","message","hint"}} with the kind's status; hint may be NULL. */
void httpd_reply_error(
	struct httpd_req *r, enum err_kind kind, int status, const char *message, const char *hint);
/* The answer comes later: in request() only. */
void httpd_hold(struct httpd_req *r);

/*
 * An answer that goes on: chunks as they come, until httpd_stream_end() or the client goes away
 * (then gone() is called).  What the client does not read is kept up to HTTPD_STREAM_MAX bytes.
 */
#define HTTPD_STREAM_MAX ((size_t)128 << 10)

/* In request() only, instead of httpd_reply(). */
void httpd_stream(struct httpd_req *r, int status, const char *type);
/* False: the client reads too slowly, or is not there any more.  The stream is then broken off. */
bool httpd_stream_put(struct httpd_req *r, const void *p, size_t n);
void httpd_stream_end(struct httpd_req *r);
/* Nobody can be told that a client hung up while there is nothing to send: look now and then.
 * False: it did, and the stream is broken off. */
bool httpd_stream_alive(struct httpd_req *r);
