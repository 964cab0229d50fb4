/*
 * http - a client for HTTP/1.1: one request is one attempt; connections are kept.
 *
 * Process: workers of the archiver, jobs, commands.  libcurl is loaded when the client is made.
 * Requests run while http_pump() or http_wait() of any request of the same client run, so that one
 * can be sent while its caller prepares the next.  No redirect is followed, no 100-continue asked
 * for, no signal used.  Proxies are those of the environment (https_proxy, no_proxy ...).
 *
 * Kinds of failure: ERR_TIMEOUT (connecting, stalled, deadline, cancelled), ERR_REMOTE (also a body
 * that ended too early), ERR_CONFIG (an unusable URL, certificate or CA file), ERR_CORRUPT (a body
 * too long for its buffer), and what a sink set.  An answer of whatever status is no failure here.
 *
 * Or the client is driven by a sys/loop: after http_attach() each request has a deadline and
 * done(), which is called once, from the loop and never from http_begin(), when it is over.  Nobody
 * waits, so http_wait(), http_pump() and http_sleep() are not for such a client, and nothing looks
 * for stalls.  done() may begin and end any request, its own included; a sink may not.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "sys/loop.h"

struct http;
struct http_call;

struct http_config {
	const char *ca_file; /* ""; borrowed, as all strings here */
	int64_t connect_ms, stall_ms;
	long buffer_bytes; /* of each request, for receiving and for sending; 0: 128 KiB */
	bool verify_anew;  /* the CA file is read for each connection, no TLS session is taken up,
			      and  a connection is used for five minutes at most */
	bool (*cancelled)(void *arg); /* asked at least five times a second; may be NULL */
	void *arg;
};

int http_open(struct http **out, const struct http_config *config, struct err *e) MUSTCHECK;
struct http *http_close(struct http *h); /* ends its calls too; NULL is fine; returns NULL */
DEFINE_AUTO(struct http *, http_close)

/* Returns 0, or -1 with the error that ends the transfer. */
typedef int http_sink_fn(void *arg, const void *p, size_t n, struct err *e);
typedef void http_done_fn(void *arg, struct http_call *c);

/* Borrowed until the call is over. */
struct http_request {
	const char *method;      /* GET, HEAD, PUT, POST, DELETE */
	const char *url;         /* http or https, encoded */
	const struct buf *lines; /* further headers, "name: value" with a NUL behind each */
	const void *body;
	size_t len;
	bool send_body;     /* with a body, perhaps of length 0 */
	http_sink_fn *sink; /* gets the body of a 2xx; else it goes to text */
	void *arg;
	struct buf *text; /* may be NULL: dropped */
	size_t text_max;  /* of a 2xx; more is ERR_CORRUPT.  Other answers are cut at 64 KiB */
	bool direct;      /* by no proxy */
	bool fresh;       /* on a new connection */
	int64_t rate;     /* bytes a second to send at most; 0: no limit */
	int64_t stall_ms; /* 0: the client's */
	/* Of a client with a loop only: */
	int64_t deadline_ns; /* boot time of the whole; CLOCK_NEVER */
	http_done_fn *done;
};

#define HTTP_FIELD_SIZE 136

struct http_answer {
	int status;             /* 0: none came */
	int64_t content_length; /* -1: not said */
	int64_t received;       /* bytes of the body of a 2xx, handed on or kept */
	int64_t sent;
	bool reused;                /* on a connection that an earlier request had made */
	bool any;                   /* something was received */
	bool asked;                 /* bytes of the request may have reached the server */
	int connections;            /* made for it */
	char etag[HTTP_FIELD_SIZE]; /* as it came, with quotes */
	char content_range[HTTP_FIELD_SIZE];
	char content_type[HTTP_FIELD_SIZE];
	char retry_after[HTTP_FIELD_SIZE];
	char last_modified[HTTP_FIELD_SIZE];
	char location[HTTP_FIELD_SIZE];
	char date[HTTP_FIELD_SIZE];
	char amz_request_id[HTTP_FIELD_SIZE];
	char amz_bucket_region[HTTP_FIELD_SIZE];
	char meta_sha256[HTTP_FIELD_SIZE]; /* x-amz-meta-podgres-sha256 */
};

/* Begins; to be ended by http_end(). */
int http_begin(struct http *h, const struct http_request *r, struct http_call **out,
	struct err *e) MUSTCHECK;
/* Lets all calls proceed without waiting; failures show when the call is waited for. */
void http_pump(struct http *h);
/* Waits until it is over or the deadline (boot time, CLOCK_NEVER) has passed. */
int http_wait(struct http_call *c, int64_t deadline_ms, struct err *e) MUSTCHECK;
/* Moves the deadline of a call that is waited for, from its sink. */
void http_deadline(struct http_call *c, int64_t deadline_ms);
/* How it ended: 0, or -1 as http_wait() would say.  Only when it is over. */
int http_result(const struct http_call *c, struct err *e) MUSTCHECK;
const struct http_answer *http_answer(const struct http_call *c);
struct http_call *http_end(struct http_call *c); /* cuts one that is not over; returns NULL */
DEFINE_AUTO(struct http_call *, http_end)

/* Before the first request.  The loop must outlive the client. */
int http_attach(struct http *h, struct loop *loop, struct err *e) MUSTCHECK;

/* Pauses with the calls of the client going on; ERR_TIMEOUT when cancelled. */
int http_sleep(struct http *h, int64_t ms, struct err *e) MUSTCHECK;

/* One line of an answer's head, with or without its end: fills the field it names. */
void http_answer_line(struct http_answer *a, const char *p, size_t n);
/* "Wed, 21 Oct 2015 07:28:00 GMT" (RFC 9110, 5.6.7) in microseconds; 0: it is not one. */
int64_t http_date(const char *text);
/* "2015-10-21T07:28:00.000Z", as in S3's XML, likewise. */
int64_t http_iso_date(const char *text);
