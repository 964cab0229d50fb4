/*
 * s3_upload - multipart uploads: one part is sent while the next is being filled.
 *
 * Two buffers of one part each; the second exists only once a first part is full.  The digest of
 * each part is signed and its ETag looked at; that of the whole is counted on the way.  Metadata
 * can only be given when an upload begins, so that the digest of the whole is a result and not a
 * field of the object.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/md5.h"
#include "store/s3.h"

#define MIB ((int64_t)1 << 20)
#define PART_MIN (5 * MIB) /* S3's limit, but for the last one */
#define PART_DEFAULT (8 * MIB)
#define PARTS 1000
#define PARTS_S3 10000
#define FINISH_TRIES 3
#define COMPLETE_STALL_MS 120000 /* putting the parts together takes its time in silence */
#define ABORT_MS 5000

struct part {
	unsigned char *data; /* owned, part_bytes */
	size_t len;
	struct sha256 sha;
	char digest[SHA256_HEX_SIZE];
	struct s3_call call;
	char number[12];
	bool sending;
};

struct upload {
	struct s3 *s3;
	const char *key;
	int64_t rate;
	size_t part_bytes;
	int parts_max;
	struct part part[2];
	int filling;      /* 0 or 1 */
	char *id;         /* owned; NULL: not begun in the store */
	char (*etag)[72]; /* owned, of the parts that are stored */
	int parts;        /* sent or being sent */
	struct sha256 sha;
	int64_t bytes;
};

/* ---- open ---- */

/* Equal parts; at most 1,000, which every store takes, and more only where memory is limited so
 * that they must be smaller. */
static int
choose_part(struct upload *u, const struct store_upload_spec *spec, struct err *e)
{
	int64_t want = (spec->expected_bytes + PARTS - 1) / PARTS;

	want = want < PART_DEFAULT ? PART_DEFAULT : want;
	want = (want + MIB - 1) / MIB * MIB;
	u->parts_max = PARTS;
	if (spec->max_bytes > 0 && want > spec->max_bytes / 2) {
		want = spec->max_bytes / 2 / MIB * MIB;
		u->parts_max = PARTS_S3;
	}
	if (want < PART_MIN)
		return err_set(e, ERR_INVALID, "upload %s: parts need two times 5 MiB of memory",
			spec->key);
	if (spec->expected_bytes > want * u->parts_max)
		return err_set(e, ERR_CONFIG,
			"upload %s: %lld bytes do not fit into %d parts of "
			"%lld MiB, which is what the memory allows",
			spec->key, (long long)spec->expected_bytes, u->parts_max,
			(long long)(want / MIB));
	u->part_bytes = (size_t)want;
	return 0;
}

static int
need_buffer(struct upload *u, struct err *e)
{
	struct part *p = &u->part[u->filling];

	if (!p->data)
		p->data = malloc(u->part_bytes);
	if (!p->data)
		return err_set(e, ERR_SYS, "upload %s: no memory for a part of %zu bytes", u->key,
			u->part_bytes);
	p->len = 0;
	sha256_init(&p->sha);
	return 0;
}

int
s3_upload_open(struct store_upload *up, struct err *e)
{
	struct upload *u = calloc(1, sizeof(*u));

	if (!u)
		return err_sys(e, "upload %s", up->spec.key);
	up->state = u;
	u->s3 = up->store->state;
	u->key = up->spec.key;
	u->rate = up->spec.rate;
	sha256_init(&u->sha);
	s3_learn(u->s3);
	return choose_part(u, &up->spec, e) || need_buffer(u, e) ? -1 : 0;
}

struct found {
	char *id;
	bool ours;
};

static int
take_id(void *arg, const char *path, char *text, struct err *e)
{
	struct found *f = arg;

	if (strcmp(path, "InitiateMultipartUploadResult/UploadId") != 0 || !text[0])
		return 0;
	free(f->id);
	f->id = strdup(text);
	return f->id ? 0 : err_sys(e, "upload");
}

static int
begin(struct upload *u, struct err *e)
{
	AUTO(buf_deinit) struct buf tags = {0};
	AUTO(s3_call_deinit) struct s3_call c;
	struct found f = {0};

	s3_call_init(&c, "begin upload", "POST", u->key);
	s3_query(&c, "uploads", "");
	s3_body(&c, "", 0);
	if (s3_object_headers(u->s3, &c, NULL, &tags, e))
		return -1;
	if (s3_run(u->s3, &c, e))
		return s3_explain_refusal(u->s3, tags.len > 0, e);
	if (s3_xml_read(buf_str(&c.text), c.text.len, take_id, &f, e) == 0 && !f.id)
		(void)err_set(e, ERR_REMOTE, "the answer has no upload id");
	u->id = f.id;
	return u->id ? 0 : err_add(e, "begin upload %s", u->key);
}

/* ---- parts ---- */

/* What the ETag must be where the store checks nothing; "" with an ETag that is no MD5. */
static int
check_part(struct upload *u, const struct part *p, const char *etag, struct err *e)
{
	char md5[MD5_HEX_SIZE];

	if (!etag[0])
		return err_set(e, ERR_REMOTE, "upload %s: part %s: the answer has no ETag", u->key,
			p->number);
	if (u->s3->verifies == S3_CAN || !s3_etag_is_md5(etag))
		return 0;
	md5_hex(p->data, p->len, md5);
	if (strcmp(md5, etag) == 0 || u->s3->store->spec.encryption[0])
		return 0;
	return err_set(e, ERR_CORRUPT,
		"upload %s: part %s: the store has other bytes than were "
		"sent",
		u->key, p->number);
}

static int
wait_part(struct upload *u, struct part *p, struct err *e)
{
	char *etag;
	int rc;

	if (!p->sending)
		return 0;
	etag = u->etag[strtol(p->number, NULL, 10) - 1];
	rc = s3_end(u->s3, &p->call, e);
	s3_etag(etag, p->call.answer.etag);
	s3_call_deinit(&p->call);
	p->sending = false;
	return rc ? err_add(e, "part %s", p->number) : check_part(u, p, etag, e);
}

static int
room_for_etag(struct upload *u, struct err *e)
{
	char(*grown)[72];

	if (u->parts == u->parts_max)
		return err_set(e, ERR_INVALID,
			"upload %s: more than %d parts of %zu bytes: it is "
			"larger than was expected",
			u->key, u->parts_max, u->part_bytes);
	if (u->parts % 64 != 0)
		return 0;
	grown = realloc(u->etag, (size_t)(u->parts + 64) * sizeof(*grown));
	if (!grown)
		return err_sys(e, "upload %s", u->key);
	u->etag = grown;
	return 0;
}

/* A limited rate may need longer than the store's deadline. */
static int64_t
part_deadline(const struct upload *u, const struct part *p)
{
	int64_t total = u->s3->store->spec.total_ms;
	int64_t least = u->rate > 0 ? 2 * (int64_t)p->len * 1000 / u->rate : 0;

	return total + least;
}

static int
send_part(struct upload *u, struct part *p, struct err *e)
{
	if (room_for_etag(u, e))
		return -1;
	u->parts++;
	snprintf(p->number, sizeof(p->number), "%d", u->parts);
	sha256_end_hex(&p->sha, p->digest);
	s3_call_init(&p->call, "upload", "PUT", u->key);
	s3_query(&p->call, "partNumber", p->number);
	s3_query(&p->call, "uploadId", u->id);
	s3_body(&p->call, p->data, p->len);
	p->call.sha256 = p->digest;
	p->call.rate = u->rate;
	p->call.total_ms = part_deadline(u, p);
	p->sending = true;
	return s3_begin(u->s3, &p->call, e);
}

/* The full part goes on its way once the one before has arrived. */
static int
flush(struct upload *u, struct err *e)
{
	struct part *full = &u->part[u->filling], *other = &u->part[1 - u->filling];

	if (!u->id && begin(u, e))
		return -1;
	if (wait_part(u, other, e) || send_part(u, full, e))
		return -1;
	u->filling = 1 - u->filling;
	return need_buffer(u, e);
}

int
s3_upload_write(struct store_upload *up, const void *data, size_t n, struct err *e)
{
	struct upload *u = up->state;
	const char *at = data;

	while (n > 0) {
		struct part *p = &u->part[u->filling];
		size_t some = u->part_bytes - p->len;

		/* A full part goes when more comes, so that one part is a plain put. */
		if (some == 0) {
			if (flush(u, e))
				return -1;
			continue;
		}
		some = n < some ? n : some;
		memcpy(p->data + p->len, at, some);
		sha256_put(&p->sha, at, some);
		sha256_put(&u->sha, at, some);
		p->len += some;
		u->bytes += (int64_t)some;
		at += some;
		n -= some;
	}
	http_pump(u->s3->http);
	return 0;
}

/* ---- finish ---- */

static int
make_list(const struct upload *u, struct buf *out, struct err *e)
{
	buf_puts(
		out, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	for (int i = 0; i < u->parts; i++)
		buf_printf(out,
			"<Part><PartNumber>%d</PartNumber><ETag>&quot;%s&quot;</ETag></Part>",
			i + 1, u->etag[i]);
	buf_puts(out, "</CompleteMultipartUpload>");
	return buf_check(out, e);
}

static int
take_result(void *arg, const char *path, char *text, struct err *e)
{
	struct found *f = arg;

	(void)text, (void)e;
	f->ours |= strcmp(path, "CompleteMultipartUploadResult") == 0;
	return 0;
}

static int
complete_once(struct upload *u, const struct buf *body, bool condition, struct err *e)
{
	AUTO(s3_call_deinit) struct s3_call c;
	struct found f = {0};

	s3_call_init(&c, "finish upload", "POST", u->key);
	s3_query(&c, "uploadId", u->id);
	s3_body(&c, body->data, body->len);
	s3_header(&c, "content-type", "application/xml");
	if (condition)
		s3_header(&c, "if-none-match", "*");
	c.stall_ms = COMPLETE_STALL_MS;
	c.tries = 1; /* whether it was done after all is looked at first */
	if (s3_run(u->s3, &c, e))
		return -1;
	if (s3_xml_read(buf_str(&c.text), c.text.len, take_result, &f, e) == 0 && f.ours)
		return 0;
	return err_set(
		e, ERR_REMOTE, "finish upload %s: the answer does not say that it is done", u->key);
}

/* *there: an object of our size made of as many parts as ours stands under the key. */
static int
look(struct upload *u, bool *there, bool *other, struct err *e)
{
	struct store_object o = {0};
	char parts[16];
	const char *dash;

	*there = *other = false;
	if (s3_head(u->s3->store, u->key, &o, e))
		return e->kind == ERR_NOTFOUND ? 0 : -1;
	snprintf(parts, sizeof(parts), "-%d", u->parts);
	dash = strrchr(o.etag, '-');
	*there = o.bytes == u->bytes && (!dash || strcmp(dash, parts) == 0);
	*other = !*there;
	return 0;
}

/* Somebody else's object may be as long, and made of as many parts: one that stood there before
 * ours was asked for is ours only if its bytes are. */
static int
look_closely(struct upload *u, bool *there, bool *other, struct err *e)
{
	char have[SHA256_HEX_SIZE], ours[SHA256_HEX_SIZE];
	struct sha256 sha = u->sha;
	int64_t bytes;

	if (look(u, there, other, e))
		return -1;
	if (!*there)
		return 0;
	if (s3_digest(u->s3, u->key, have, &bytes, e))
		return -1;
	sha256_end_hex(&sha, ours);
	*there = strcmp(have, ours) == 0;
	*other = !*there;
	return 0;
}

static int
conflict(const struct upload *u, struct err *e)
{
	return err_set(e, ERR_CONFLICT, "upload %s: something else stands there already", u->key);
}

/* Nobody else may have made the object meanwhile; some stores ignore If-None-Match here, so that it
 * is looked at before. */
static int
check_free(struct upload *u, struct err *e)
{
	struct store_object o = {0};

	if (s3_head(u->s3->store, u->key, &o, e) == 0)
		return conflict(u, e);
	return e->kind == ERR_NOTFOUND ? 0 : -1;
}

static bool
worth_another(const struct err *e)
{
	return e->kind == ERR_REMOTE || e->kind == ERR_TIMEOUT || e->kind == ERR_NOTFOUND ||
	       e->kind == ERR_CONFLICT || e->kind == ERR_NOTIMPL || e->kind == ERR_CORRUPT;
}

/* After a failure: was it done after all, and is asking again of use? */
static int
after_failure(struct upload *u, bool *condition, bool *done, struct err *e)
{
	struct err why = *e;
	bool other;

	*done = false;
	if (!worth_another(e) || store_cancelled(u->s3->store))
		return -1;
	if (why.kind == ERR_CONFLICT ? look_closely(u, done, &other, e) : look(u, done, &other, e))
		return -1;
	if (*done)
		return 0;
	if (other && *condition)
		return conflict(u, e);
	*e = why;
	if (why.kind == ERR_NOTFOUND) /* no such upload, and no object */
		return -1;
	if (why.kind == ERR_CONFLICT || why.kind == ERR_NOTIMPL) {
		if (!*condition)
			return -1;
		*condition = false; /* it does not know it: Swift says 412 */
		return 0;
	}
	return http_sleep(u->s3->http, 500, &why);
}

static int
complete(struct upload *u, bool create, struct err *e)
{
	AUTO(buf_deinit) struct buf body = {0};
	bool condition = create && u->s3->create != S3_CANNOT, done = false;

	if (make_list(u, &body, e) || (create && check_free(u, e)))
		return -1;
	for (int i = 0; i < FINISH_TRIES; i++) {
		if (complete_once(u, &body, condition, e) == 0)
			return 0;
		if (after_failure(u, &condition, &done, e))
			return -1;
		if (done)
			return 0;
	}
	return -1;
}

static int
check_result(struct upload *u, struct err *e)
{
	struct store_object o = {0};

	if (s3_head(u->s3->store, u->key, &o, e)) {
		if (e->kind == ERR_NOTFOUND)
			e->kind = ERR_REMOTE; /* it said that it is done */
		return err_add(e, "after the upload");
	}
	if (o.bytes == u->bytes)
		return 0;
	return err_set(e, ERR_CORRUPT, "upload %s: the store has %lld bytes, %lld were sent",
		u->key, (long long)o.bytes, (long long)u->bytes);
}

static int
finish_parts(struct upload *u, bool create, struct err *e)
{
	struct part *last = &u->part[u->filling], *before = &u->part[1 - u->filling];

	if (wait_part(u, before, e))
		return -1;
	if (last->len > 0 && (send_part(u, last, e) || wait_part(u, last, e)))
		return -1;
	if (complete(u, create, e))
		return -1;
	free(take(u->id)); /* nothing is left to abort */
	return check_result(u, e);
}

static int
finish_small(struct store_upload *up, struct upload *u, struct err *e)
{
	const struct part *p = &u->part[u->filling];
	const struct store_put put = {
		.key = u->key, .body = p->data, .len = p->len, .create = up->spec.create};
	enum store_outcome ignored;

	u->parts = 1;
	return s3_put(up->store, &put, &ignored, e);
}

int
s3_upload_finish(struct store_upload *up, struct store_upload_result *r, struct err *e)
{
	struct upload *u = up->state;

	if (u->id ? finish_parts(u, up->spec.create, e) : finish_small(up, u, e))
		return -1;
	r->bytes = u->bytes;
	r->parts = u->parts;
	sha256_end_hex(&u->sha, r->sha256);
	return 0;
}

/* ---- the end of one that failed ---- */

int
s3_abort(struct s3 *s, const char *key, const char *id, struct err *e)
{
	AUTO(s3_call_deinit) struct s3_call c;

	s3_call_init(&c, "abort upload", "DELETE", key);
	s3_query(&c, "uploadId", id);
	c.tries = 1;
	c.total_ms = ABORT_MS;
	if (s3_run(s, &c, e) == 0 || e->kind == ERR_NOTFOUND)
		return 0;
	return -1;
}

void
s3_upload_close(struct store_upload *up)
{
	struct upload *u = up->state;
	struct err ignored;

	if (!u)
		return;
	for (int i = 0; i < 2; i++) {
		if (u->part[i].sending)
			s3_call_deinit(&u->part[i].call);
		free(u->part[i].data);
	}
	if (u->id)
		(void)(s3_abort(u->s3, u->key, u->id, &ignored) == 0);
	free(u->id);
	free(u->etag);
	free(u);
}
