/*
 * store - where WAL and base backups are kept: objects under keys, in S3 or in a folder.
 *
 * Process: workers of the archiver, jobs, and commands; never the supervisor.  One struct store
 * belongs to one process and is used by one caller at a time.  Every call is synchronous and ends
 * by itself: each attempt has a low-speed limit, the whole call has the deadline of the spec, and
 * what can be tried again is, with growing, jittered pauses and a new connection.
 *
 * Keys are relative to the destination's path, without a leading slash: "srv/wals/0000.../0000...".
 * They hold A-Z a-z 0-9 . _ - / and, in names people chose, any UTF-8; "." and ".." are no
 * components.
 *
 * Kinds of failure: ERR_NOTFOUND only when the store certainly does not have the object (a missing
 * bucket, a refused key, a proxy's 404 page are not that); ERR_CONFLICT when something else stands
 * under the name; ERR_DENIED; ERR_CONFIG (no such bucket, wrong region, unreadable secret);
 * ERR_SPACE; ERR_REMOTE and ERR_TIMEOUT for what may be tried again later; ERR_CORRUPT when bytes
 * did not match their digest or length.  The message names the operation, the key and the answer,
 * never a credential.
 *
 * Formats: Amazon S3 API Reference; AWS Signature Version 4.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

struct store;

#define STORE_KEY_SIZE 1025 /* S3's limit of 1024 bytes, and the NUL */

struct store_tag {
	const char *key, *value;
};

/* All borrowed until store_close(); NULL is the same as "". */
struct store_spec {
	const char *url;      /* s3://BUCKET/PATH or file:///FOLDER */
	const char *endpoint; /* https://host[:port]; "": Amazon's for the region */
	const char *ca_file;  /* PEM; "": the system's */
	const char *region;   /* ""; region_file, environment AWS_REGION, AWS_DEFAULT_REGION; else
				 us-east-1 */
	/* Files with credentials, read again before they expire, when they change, and once after
	 * 400, 401 or 403.  All "": environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
	 * AWS_SESSION_TOKEN), then AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN. */
	const char *access_key_file, *secret_key_file, *session_token_file, *region_file;
	bool inherit;      /* inheritFromIAMRole: environment and web identity only */
	bool virtual_host; /* BUCKET.host instead of host/BUCKET; Amazon's own endpoint: always */
	const char *encryption; /* "", AES256, aws:kms: x-amz-server-side-encryption */
	const char *kms_key_id;
	const struct store_tag *tag; /* of every object */
	size_t tags;
	int64_t connect_ms; /* 0: 10 s */
	int64_t stall_ms; /* an attempt that moves less than 1 kB/s for so long is given up; 0: 20 s
			   */
	int64_t total_ms; /* one call with all its attempts; 0: 5 min.  A get of more than 64 MiB:
			     since its last byte; an upload: each part */
	int attempts;     /* 0: until total_ms; 1: no second one */
	/* Asked between waits, may be NULL: true ends the call with ERR_TIMEOUT. */
	bool (*cancelled)(void *arg);
	void *cancelled_arg;
};

/* Connects to nothing yet; reads credentials.  ERR_CONFIG: the spec is wrong. */
int store_open(struct store **out, const struct store_spec *spec, struct err *e) MUSTCHECK;
struct store *store_close(struct store *s); /* NULL is fine; returns NULL */
DEFINE_AUTO(struct store *, store_close)
const char *store_where(const struct store *s); /* "s3://bucket/path", for messages */

struct store_object {
	char key[STORE_KEY_SIZE];
	int64_t bytes;
	int64_t modified_us;          /* wall time, microseconds; 0: unknown */
	char etag[72];                /* without quotes; "": none */
	char sha256[SHA256_HEX_SIZE]; /* of the stored bytes as their writer said; "": unknown */
};

/*
 * What the answers have taught of this store (how it takes conditional writes, whether it compares
 * digests), so that another struct store of the same spec need not ask again.  0: nothing yet. What
 * this one knows itself stays.
 */
uint32_t store_learnt(const struct store *s);
void store_teach(struct store *s, uint32_t learnt);

/* ---- writing ---- */

struct store_put {
	const char *key;
	const void *body; /* borrowed for the call */
	size_t len;
	bool create; /* only if nothing stands there: If-None-Match: *, else HEAD and compare */
	const struct store_tag *tag; /* of this object, besides the spec's */
	size_t tags;
};

enum store_outcome {
	STORE_STORED, /* by this call */
	STORE_SAME,   /* stood there before with the same bytes */
};

/*
 * One object, whole or not at all, checked after it was stored: the payload hash is signed, size
 * and digest of the answer are compared (a folder: fsync of file and folder).  With create and
 * other bytes under the key: ERR_CONFLICT, and nothing changed.  outcome may be NULL.
 */
int store_put(struct store *s, const struct store_put *put, enum store_outcome *outcome,
	struct err *e) MUSTCHECK;

/*
 * An object written piece by piece in fixed memory: parts of equal size, at most 1,000; part n is
 * sent while part n + 1 is being filled.  An object that fits into one part becomes a plain put.
 * Nothing can be seen under the key before store_upload_finish().
 */
struct store_upload;

struct store_upload_spec {
	const char *key;
	int64_t expected_bytes; /* decides the part size: max(8 MiB, expected / 1000); 0: unknown */
	bool create;
	int64_t rate;      /* bytes a second at most; 0: no limit */
	int64_t max_bytes; /* of the memory for parts; 0: two parts */
};

struct store_upload_result {
	int64_t bytes;
	char sha256[SHA256_HEX_SIZE];
	int parts;
};

int store_upload_open(struct store *s, const struct store_upload_spec *spec,
	struct store_upload **out, struct err *e) MUSTCHECK;
int store_upload_write(struct store_upload *u, const void *p, size_t n, struct err *e) MUSTCHECK;
/* Checks size and digest of what the store has. */
int store_upload_finish(
	struct store_upload *u, struct store_upload_result *r, struct err *e) MUSTCHECK;
/* Frees; one that is not finished is aborted in the store, with one short attempt.  Returns NULL.
 */
struct store_upload *store_upload_close(struct store_upload *u);
DEFINE_AUTO(struct store_upload *, store_upload_close)
/* Aborts what killed uploads left below the prefix, begun before the time (wall, microseconds).
 * count may be NULL. */
int store_upload_sweep(struct store *s, const char *prefix, int64_t before_us, int *count,
	struct err *e) MUSTCHECK;

/* ---- reading ---- */

/* Returns 0, or -1 to end the transfer with the error it set. */
typedef int store_sink_fn(void *arg, const void *p, size_t n, struct err *e);

struct store_get {
	const char *key;
	int64_t from; /* first byte */
	int64_t len;  /* 0: to the end */
	store_sink_fn *sink;
	void *arg;
};

/* A broken transfer goes on from the byte where it broke, only while the ETag is the same.  The
 * length is checked, and the digest when the whole object was read and one is known.  object may
 * be NULL. */
int store_get(struct store *s, const struct store_get *get, struct store_object *object,
	struct err *e) MUSTCHECK;
int store_head(
	struct store *s, const char *key, struct store_object *object, struct err *e) MUSTCHECK;

struct store_list {
	const char *prefix;
	const char *after; /* keys above this one; "": all */
	bool folders; /* stop at the next slash: such objects have bytes -1 and a key that ends in
			 "/" */
	/* Each in order of its key, bytes as numbers; sha256 is not known here. */
	int (*each)(void *arg, const struct store_object *o, struct err *e);
	void *arg;
};
int store_list(struct store *s, const struct store_list *list, struct err *e) MUSTCHECK;

/* Missing ones count as deleted. */
int store_delete(struct store *s, const char *const *keys, size_t n, struct err *e) MUSTCHECK;

/* ---- numbers ---- */

struct store_stats {
	uint64_t requests, connections, retries, throttled;
	uint64_t bytes_out, bytes_in;
	int last_status; /* HTTP, 0: none */
};
const struct store_stats *store_stats(const struct store *s);
