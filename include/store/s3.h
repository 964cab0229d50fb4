/*
 * s3 - what the files of the S3 driver share (src/store/s3_*.c, store_s3.c).
 *
 * A struct s3_call is one request with all its attempts.  It begins with s3_begin(), runs while
 * anything of the same client waits, and is brought to its end by s3_end(), which signs and sends
 * it again as long as that makes sense.  Message and kind of its failure are complete: operation,
 * key, answer.
 */
#pragma once

#include "base/hash.h"
#include "net/http.h"
#include "net/s3_creds.h"
#include "net/s3_xml.h"
#include "net/sigv4.h"
#include "store/driver.h"

#define S3_PAIRS 10
#define S3_XML_MAX ((size_t)8 << 20)

enum s3_can { S3_UNKNOWN, S3_CAN, S3_CANNOT };

struct s3 {
	struct store *store;
	struct http *http;
	struct s3_creds *creds;
	char *bucket;
	char *prefix;     /* "" or "path/" */
	char *base;       /* "https://host:port", with the bucket when it is part of the host */
	const char *host; /* in base */
	bool virtual_host;
	char *region;
	char *tags; /* of every object, encoded; "": none */
	unsigned jitter;
	/* Learnt from the store's answers: */
	enum s3_can create;   /* If-None-Match */
	enum s3_can verifies; /* the signed digest against what it got */
	enum s3_can batch;    /* DeleteObjects */
	bool bucket_seen;
};

struct s3_call {
	const char *op;  /* "put" */
	const char *key; /* below the destination; NULL: the bucket itself */
	const char *method;
	struct sigv4_pair query[S3_PAIRS];
	size_t queries;
	struct sigv4_pair header[S3_PAIRS];
	size_t headers;
	const void *body;
	size_t len;
	bool send_body;
	const char *sha256; /* of the body, when it is known already */
	http_sink_fn *sink;
	void *arg;
	int64_t rate, stall_ms;
	int tries;        /* attempts at most; 0: the spec's */
	int64_t total_ms; /* 0: the spec's */
	/* Called before each attempt, may be NULL: sets what differs.  -1 ends the call. */
	int (*prepare)(struct s3_call *c, void *arg, struct err *e);

	/* The answer. */
	struct http_answer answer;
	struct buf text;
	struct s3_xml_error error; /* code "": no error document came */

	/* Of the attempts. */
	bool final; /* set by a sink: its failure is the call's */
	struct http_call *running;
	struct buf url, lines;
	char digest[SHA256_HEX_SIZE];
	int64_t deadline_ms;
	int attempt;
	bool reread, fresh, replaced;
};

void s3_call_init(struct s3_call *c, const char *op, const char *method, const char *key);
void s3_call_deinit(struct s3_call *c); /* cuts it when it runs */
static inline void
s3_call_deinit_auto(struct s3_call *c)
{
	s3_call_deinit(c);
}
void s3_query(struct s3_call *c, const char *key, const char *value);
void s3_header(struct s3_call *c, const char *name, const char *value);
void s3_body(struct s3_call *c, const void *p, size_t n);

int s3_begin(struct s3 *s, struct s3_call *c, struct err *e) MUSTCHECK;
int s3_end(struct s3 *s, struct s3_call *c, struct err *e) MUSTCHECK;
int s3_run(struct s3 *s, struct s3_call *c, struct err *e) MUSTCHECK;

/* What an answer means: 0 for success, else the error with its kind; *tries as in the table. */
#define S3_MANY 1000
int s3_judge(struct s3 *s, struct s3_call *c, int *tries, struct err *e) MUSTCHECK;

/* Encryption and tags, for whatever makes an object. */
int s3_object_headers(struct s3 *s, struct s3_call *c, const struct store_put *put,
	struct buf *tags, struct err *e) MUSTCHECK;
/* What the store does not do, with encryption or tags, becomes a CONFIG that names them. */
int s3_explain_refusal(const struct s3 *s, bool tags, struct err *e);

void s3_etag(char out[72], const char *raw); /* without quotes */
bool s3_etag_is_md5(const char *etag);
void s3_object_of(struct store_object *o, const char *key, const struct http_answer *a);

/* ---- the operations ---- */

int s3_put(struct store *st, const struct store_put *put, enum store_outcome *outcome,
	struct err *e) MUSTCHECK;
/* Asks once whether the store compares the signed digest; then s->verifies is known, unless the
 * store could not be asked. */
void s3_learn(struct s3 *s);
int s3_get(struct store *st, const struct store_get *get, struct store_object *object,
	struct err *e) MUSTCHECK;
int s3_head(
	struct store *st, const char *key, struct store_object *object, struct err *e) MUSTCHECK;
/* Reads all of it: its digest. */
int s3_digest(struct s3 *s, const char *key, char out[SHA256_HEX_SIZE], int64_t *bytes,
	struct err *e) MUSTCHECK;
int s3_list(struct store *st, const struct store_list *list, struct err *e) MUSTCHECK;
int s3_remove(struct store *st, const char *const *keys, size_t n, struct err *e) MUSTCHECK;
int s3_upload_open(struct store_upload *up, struct err *e) MUSTCHECK;
int s3_upload_write(struct store_upload *up, const void *data, size_t n, struct err *e) MUSTCHECK;
int s3_upload_finish(
	struct store_upload *up, struct store_upload_result *r, struct err *e) MUSTCHECK;
void s3_upload_close(struct store_upload *up);
int s3_upload_sweep(struct store *st, const char *prefix, int64_t before_us, int *count,
	struct err *e) MUSTCHECK;
/* One short attempt. */
int s3_abort(struct s3 *s, const char *key, const char *id, struct err *e) MUSTCHECK;
