/*
 * httpd_impl - what httpd.c (connections) and httpd_request.c (requests and answers) share.
 */
#pragma once

#include <sys/queue.h>

#include <microhttpd.h>

#include "net/httpd.h"

#define HTTPD_DAEMONS 3 /* the one in use and those that end */

struct mhd_api {
#define DYN(name) __typeof__(&name) name;
#include "tbl/dyn_mhd.h"
#undef DYN
};

enum conn_step { CONN_HEAD, CONN_IDLE, CONN_BODY, CONN_HELD, CONN_REPLY, CONN_STREAM, CONN_DOOMED };

/* A connection and, as it has at most one, its request. */
struct httpd_req {
	struct httpd *h;
	struct httpd_daemon *daemon;
	struct MHD_Connection *mhd;
	int fd; /* the library's; for looking and for shutdown() */
	enum conn_step step;
	int64_t deadline_ns;
	TAILQ_ENTRY(httpd_req) link;
	/* the request */
	enum httpd_method method;
	const char *path;
	struct buf body;
	uint64_t discarded;
	bool asked, held;
	struct MHD_Response *response; /* decided, not yet queued */
	unsigned status;
	size_t answer_bytes; /* until the client has read them */
	bool streaming, stream_ended;
	struct buf stream; /* not yet read by the client */
	void *user;
};

struct httpd_daemon {
	struct httpd *h;
	struct MHD_Daemon *mhd; /* NULL: slot free */
	struct loop_fd src;
	struct loop_timer again;
	unsigned connections;
};

TAILQ_HEAD(conn_list, httpd_req);

struct httpd {
	struct mhd_api lib;
	struct httpd_spec spec;
	struct loop_fd listener;
	struct loop_timer sweep, resume;
	struct httpd_daemon daemon[HTTPD_DAEMONS];
	struct httpd_daemon *current; /* NULL: TLS without certificates */
	struct conn_list conns;
	unsigned connections;
	size_t body_bytes, answer_bytes; /* of all requests */
	struct httpd_req *adding;        /* handed to the library just now */
};

/* The library's callbacks for requests; their contexts are the httpd and the request. */
enum MHD_Result httpd_on_access(void *arg, struct MHD_Connection *mhd, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **context);
void httpd_on_completed(
	void *arg, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode how);
size_t httpd_unescape(void *arg, struct MHD_Connection *mhd, char *text);

void httpd_set_step(struct httpd_req *c, enum conn_step step);
void httpd_doom(struct httpd_req *c); /* ends the connection at its socket */
void *httpd_borrow(const char *text); /* for parameters that should have been const */
