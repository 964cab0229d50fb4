/*
 * s3_get - read an object, going on where a transfer broke; and ask about one.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "store/s3.h"

/* Above this size the deadline counts from the last byte that came. */
#define LARGE_BYTES (64 << 20)

struct get {
	struct store *store;
	const struct store_get *get;
	struct store_object *object; /* of the first answer; etag "": none yet */
	bool begun;                  /* object is filled */
	int64_t end;                 /* first byte behind what is wanted, once begun */
	int64_t at;                  /* next byte to hand on */
	int64_t skip;                /* bytes of this answer that come before it */
	bool fresh;                  /* nothing of this answer was looked at yet */
	struct sha256 sha;
	bool hashed;
	struct s3_call call;
	char range[64], match[80];
};

/* ---- the head of an answer ---- */

/* "bytes 5-9/10": *total -1 for "*". */
static int
parse_range(const char *text, int64_t *from, int64_t *total)
{
	int64_t to;
	char size[24];

	if (sscanf(text, "bytes %" SCNd64 "-%" SCNd64 "/%23s", from, &to, size) != 3)
		return -1;
	*total = size[0] == '*' ? -1 : strtoll(size, NULL, 10);
	return *from >= 0 && to >= *from ? 0 : -1;
}

/* The whole object's size, and where this answer begins. */
static int
extent(const struct get *g, const struct http_answer *a, int64_t *from, int64_t *total,
	struct err *e)
{
	*from = 0;
	*total = a->content_length;
	if (a->status == 206 && parse_range(a->content_range, from, total))
		return err_set(e, ERR_REMOTE, "the answer has no usable Content-Range");
	if (*total < 0)
		return err_set(e, ERR_REMOTE, "the answer does not say how long the object is");
	if (*from > g->at)
		return err_set(e, ERR_REMOTE,
			"the answer begins at byte %" PRId64 " instead of %" PRId64, *from, g->at);
	return 0;
}

static int
look_at(struct get *g, struct err *e)
{
	const struct http_answer *a = http_answer(g->call.running);
	int64_t from, total;
	char etag[72];

	g->fresh = false;
	if (extent(g, a, &from, &total, e))
		return -1;
	s3_etag(etag, a->etag);
	if (g->begun && (strcmp(etag, g->object->etag) != 0 || total != g->object->bytes)) {
		g->call.final = true;
		return err_set(e, ERR_CORRUPT, "the object was replaced while it was being read");
	}
	if (!g->begun) {
		s3_object_of(g->object, g->get->key, a);
		g->object->bytes = total;
		g->end = g->get->len ? g->get->from + g->get->len : total;
		g->end = g->end < total ? g->end : total;
		g->begun = true;
	}
	g->skip = g->at - from;
	return 0;
}

/* ---- the body ---- */

static int
take_bytes(void *arg, const void *p, size_t n, struct err *e)
{
	struct get *g = arg;
	const char *at = p;

	if (g->fresh && look_at(g, e))
		return -1;
	if (g->skip >= (int64_t)n) {
		g->skip -= (int64_t)n;
		return 0;
	}
	at += g->skip;
	n -= (size_t)g->skip;
	g->skip = 0;
	if ((int64_t)n > g->end - g->at)
		n = (size_t)(g->end - g->at);
	if (n == 0)
		return 0;
	if (g->hashed)
		sha256_put(&g->sha, at, n);
	if (g->get->sink(g->get->arg, at, n, e)) {
		g->call.final = true;
		return -1;
	}
	g->at += (int64_t)n;
	g->call.attempt = 0; /* it gets on */
	if (g->end - g->get->from > LARGE_BYTES) {
		g->call.deadline_ms = clock_boot_ms() + g->store->spec.total_ms;
		http_deadline(g->call.running, g->call.deadline_ms);
	}
	return 0;
}

/* From the byte that is next, of the object that it was. */
static int
prepare(struct s3_call *c, void *arg, struct err *e)
{
	struct get *g = arg;

	(void)e;
	c->headers = 0;
	g->fresh = true;
	g->skip = 0;
	if (g->begun && g->object->etag[0]) {
		snprintf(g->match, sizeof(g->match), "\"%s\"", g->object->etag);
		s3_header(c, "if-match", g->match);
	}
	if (g->at == 0 && g->get->len == 0)
		return 0;
	if (g->get->len)
		snprintf(g->range, sizeof(g->range), "bytes=%" PRId64 "-%" PRId64, g->at,
			g->get->from + g->get->len - 1);
	else
		snprintf(g->range, sizeof(g->range), "bytes=%" PRId64 "-", g->at);
	s3_header(c, "range", g->range);
	return 0;
}

static int
check_whole(struct get *g, struct err *e)
{
	char hex[SHA256_HEX_SIZE];

	if (g->at != g->end)
		return err_set(e, ERR_CORRUPT, "get %s: %" PRId64 " bytes came instead of %" PRId64,
			g->get->key, g->at - g->get->from, g->end - g->get->from);
	if (!g->hashed || g->end != g->object->bytes || !g->object->sha256[0])
		return 0;
	sha256_end_hex(&g->sha, hex);
	if (strcmp(hex, g->object->sha256) == 0)
		return 0;
	return err_set(e, ERR_CORRUPT, "get %s: SHA-256 is %s, but %s was stored", g->get->key, hex,
		g->object->sha256);
}

static int
explain(struct get *g, struct err *e)
{
	if (e->kind == ERR_CONFLICT && g->begun) {
		e->kind = ERR_CORRUPT;
		return err_add(e, "the object was replaced while it was being read");
	}
	return -1;
}

static int
get_as(struct store *st, const char *op, const struct store_get *get, struct store_object *object,
	struct err *e)
{
	struct get g = {.store = st,
		.get = get,
		.object = object,
		.at = get->from,
		.hashed = get->from == 0};
	struct s3 *s = st->state;
	int rc;

	sha256_init(&g.sha);
	s3_call_init(&g.call, op, "GET", get->key);
	g.call.sink = take_bytes;
	g.call.arg = &g;
	g.call.prepare = prepare;
	rc = s3_run(s, &g.call, e) ? explain(&g, e) : 0;
	/* An object of no bytes calls no sink. */
	if (rc == 0 && !g.begun) {
		s3_object_of(object, get->key, &g.call.answer);
		g.end = g.at;
	}
	s3_call_deinit(&g.call);
	return rc ? -1 : check_whole(&g, e);
}

int
s3_get(struct store *st, const struct store_get *get, struct store_object *object, struct err *e)
{
	return get_as(st, "get", get, object, e);
}

/* ---- digest ---- */

struct digest {
	struct sha256 sha;
	int64_t bytes;
};

static int
digest_bytes(void *arg, const void *p, size_t n, struct err *e)
{
	struct digest *d = arg;

	(void)e;
	sha256_put(&d->sha, p, n);
	d->bytes += (int64_t)n;
	return 0;
}

int
s3_digest(struct s3 *s, const char *key, char out[SHA256_HEX_SIZE], int64_t *bytes, struct err *e)
{
	struct digest d = {.bytes = 0};
	struct store_get get = {.key = key, .sink = digest_bytes, .arg = &d};
	struct store_object o = {0};

	sha256_init(&d.sha);
	if (s3_get(s->store, &get, &o, e))
		return -1;
	sha256_end_hex(&d.sha, out);
	*bytes = d.bytes;
	return 0;
}

/* ---- head ---- */

static int
drop_bytes(void *arg, const void *p, size_t n, struct err *e)
{
	(void)arg, (void)p, (void)n, (void)e;
	return 0;
}

/* A HEAD has no document: a 404 may mean the bucket, a 400 the region.  A GET tells. */
static int
ask_by_get(struct store *st, const char *key, struct store_object *object, struct err *e)
{
	struct store_get get = {.key = key, .len = 1, .sink = drop_bytes};
	struct err why;

	if (get_as(st, "head", &get, object, &why) == 0)
		return 0;
	*e = why;
	return -1;
}

/* That something is missing needs to be asked only as long as nothing has shown the bucket. */
static bool
needs_words(const struct s3 *s, const struct s3_call *c, const struct err *e)
{
	if (e->kind == ERR_NOTFOUND)
		return !s->bucket_seen;
	return c->answer.status >= 300 && c->answer.status < 500 && c->answer.status != 404 &&
	       (e->kind == ERR_INVALID || e->kind == ERR_DENIED || e->kind == ERR_CONFIG);
}

int
s3_head(struct store *st, const char *key, struct store_object *object, struct err *e)
{
	AUTO(s3_call_deinit) struct s3_call c;
	struct s3 *s = st->state;

	s3_call_init(&c, "head", "HEAD", key);
	if (s3_run(s, &c, e) == 0) {
		s3_object_of(object, key, &c.answer);
		return 0;
	}
	return needs_words(s, &c, e) ? ask_by_get(st, key, object, e) : -1;
}
