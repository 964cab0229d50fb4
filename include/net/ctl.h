/*
 * ctl - one HTTP/1.1 call over the manager's unix socket.
 *
 * A client of our own: a call needs one socket and one deadline, and libcurl would make
 * `podgres status` ten times as large.  What the manager may answer is bounded by max_bytes.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"

struct ctl_call {
	const char *socket;   /* path of control.sock */
	const char *method;   /* "GET", "POST" */
	const char *target;   /* "/pg/status" */
	const char *body;     /* JSON, NULL for none */
	const char *idem_key; /* Idempotency-Key, NULL for none */
	int64_t timeout_ms;   /* of the whole call */
	size_t max_bytes;     /* of the answer with its head; 0: 4 MiB */
};

struct ctl_answer {
	int status; /* HTTP */
	struct buf body;
};

/*
 * Any HTTP status is a success here.  ERR_REMOTE: nobody listens, or it is not HTTP; ERR_DENIED: no
 * right to open the socket; ERR_TIMEOUT.  ctl_answer_deinit() is always allowed, also after -1.
 */
int ctl_call(const struct ctl_call *call, struct ctl_answer *out, struct err *e) MUSTCHECK;
void ctl_answer_deinit(struct ctl_answer *a);
static inline void
ctl_answer_deinit_auto(struct ctl_answer *a)
{
	ctl_answer_deinit(a);
}

/* Each piece of a body as it comes; -1 with *e ends the call. */
typedef int ctl_piece_fn(void *arg, const void *p, size_t n, struct err *e);
/* For answers that go on: a success is handed to fn and not kept, until the manager ends it (then
 * 0) or timeout_ms have passed (0: never).  A refusal comes in out as of ctl_call(). */
int ctl_stream(const struct ctl_call *call, ctl_piece_fn *fn, void *arg, struct ctl_answer *out,
	struct err *e) MUSTCHECK;

/* The parser alone: raw is all that came until the end of the stream. */
int ctl_parse(const char *raw, size_t len, struct ctl_answer *out, struct err *e) MUSTCHECK;
