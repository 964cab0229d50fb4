/*
 * s3_put - one object, only if nothing else stands under its key, and checked.
 *
 * If-None-Match keeps writers apart, but there are stores that refuse it and others that ignore it.
 * The first conditional put of a struct store finds out: it looks whether something stands there,
 * writes, and writes once more, which must be refused.  From then on a put is one request.
 *
 * The ETag of the answer is compared with the MD5 of the body, so that nobody on the way can answer
 * in the store's place; the usual put stays one request.  Any other ETag (SSE-KMS has such) must be
 * confirmed each time: by a HEAD where the store compares the digest that was signed with what it
 * got, which is asked once (s3_learn()); else the object is read back.
 */
#include <stdio.h>
#include <string.h>

#include "base/md5.h"
#include "store/s3.h"

struct put {
	const struct store_put *put;
	char sha256[SHA256_HEX_SIZE];
	char md5[MD5_HEX_SIZE]; /* "": not computed */
	char code[64];          /* of the last error document */
};

/* ---- does it check? ---- */

static int
take_away(struct s3 *s, const char *key)
{
	AUTO(s3_call_deinit) struct s3_call c;
	struct err ignored;

	s3_call_init(&c, "delete", "DELETE", key);
	return s3_run(s, &c, &ignored);
}

/* Nothing is learnt when the store could not be asked: the next put asks again. */
static void
probe(struct s3 *s)
{
	static const char wrong[] = SIGV4_EMPTY_SHA256, key[] = "podgres/probe";
	AUTO(s3_call_deinit) struct s3_call c;
	struct err e;

	s3_call_init(&c, "put", "PUT", key);
	s3_body(&c, "podgres", 7);
	c.sha256 = wrong;
	c.tries = 1;
	c.total_ms = s->store->spec.stall_ms;
	if (s3_run(s, &c, &e) == 0) {
		s->verifies = S3_CANNOT;
		(void)take_away(s, key);
	} else if (c.answer.status == 400 && e.kind == ERR_CORRUPT)
		s->verifies = S3_CAN;
	else if (c.answer.status / 100 == 4)
		s->verifies = S3_CANNOT; /* refused for something else: nobody knows */
}

void
s3_learn(struct s3 *s)
{
	if (s->verifies == S3_UNKNOWN)
		probe(s);
}

/* ---- what stands there ---- */

static int
compare_bytes(struct s3 *s, const struct put *p, bool *same, struct err *e)
{
	char have[SHA256_HEX_SIZE];
	int64_t bytes;

	if (s3_digest(s, p->put->key, have, &bytes, e))
		return -1;
	*same = bytes == (int64_t)p->put->len && strcmp(have, p->sha256) == 0;
	return 0;
}

/* Its digest by its writer; else size and MD5; else all of it is read. */
static int
compare(struct s3 *s, struct put *p, const struct store_object *o, bool *same, struct err *e)
{
	*same = false;
	if (o->bytes != (int64_t)p->put->len)
		return 0;
	if (o->sha256[0]) {
		*same = strcmp(o->sha256, p->sha256) == 0;
		return 0;
	}
	if (!p->md5[0])
		md5_hex(p->put->body, p->put->len, p->md5);
	*same = strcmp(o->etag, p->md5) == 0;
	return *same ? 0 : compare_bytes(s, p, same, e);
}

/* Something stands under the key: is it this?  *missing: it is gone again. */
static int
judge_other(struct s3 *s, struct put *p, enum store_outcome *outcome, bool *missing, struct err *e)
{
	struct store_object o = {0};
	bool same;

	*missing = false;
	if (s3_head(s->store, p->put->key, &o, e)) {
		*missing = e->kind == ERR_NOTFOUND;
		return *missing ? 0 : -1;
	}
	if (compare(s, p, &o, &same, e))
		return -1;
	*outcome = STORE_SAME;
	if (same)
		return 0;
	return err_set(e, ERR_CONFLICT,
		"put %s: other content stands there already: %lld bytes%s%s", p->put->key,
		(long long)o.bytes, o.sha256[0] ? ", SHA-256 " : "", o.sha256);
}

/* ---- sending ---- */

/* It said that it has it: to be tried again, whatever the reason. */
static int
not_there(const struct put *p, struct err *e)
{
	return err_set(
		e, ERR_REMOTE, "put %s: answered as stored, and it is not there", p->put->key);
}

/* The store checks digests, but this ETag is not the MD5: is the object there? */
static int
confirm(struct s3 *s, struct put *p, struct err *e)
{
	struct store_object o = {0};
	bool same;

	if (s3_head(s->store, p->put->key, &o, e))
		return e->kind == ERR_NOTFOUND ? not_there(p, e) : -1;
	if (compare(s, p, &o, &same, e))
		return e->kind == ERR_NOTFOUND ? not_there(p, e) : -1;
	if (same)
		return 0;
	return err_set(e, ERR_REMOTE, "put %s: answered as stored, and other bytes stand there",
		p->put->key);
}

/* It has what was sent if the ETag is its MD5, or reading it says so.  Where the store does not
 * check, a damaged one made by this call would stand in the way of the right one for ever. */
static int
check_stored(struct s3 *s, struct put *p, bool create, const char *etag, struct err *e)
{
	bool same;

	if (!p->md5[0])
		md5_hex(p->put->body, p->put->len, p->md5);
	if (strcmp(etag, p->md5) == 0)
		return 0;
	if (s->verifies == S3_CAN)
		return confirm(s, p, e);
	if (compare_bytes(s, p, &same, e))
		return e->kind == ERR_NOTFOUND ? not_there(p, e) : -1;
	if (same)
		return 0;
	return err_set(e, ERR_CORRUPT, "put %s: the store has other bytes than were sent%s",
		p->put->key, create && take_away(s, p->put->key) == 0 ? "; they were deleted" : "");
}

static int
send(struct s3 *s, struct put *p, bool create, struct err *e)
{
	AUTO(buf_deinit) struct buf tags = {0};
	AUTO(s3_call_deinit) struct s3_call c;
	char etag[72];

	s3_call_init(&c, "put", "PUT", p->put->key);
	s3_body(&c, p->put->body, p->put->len);
	c.sha256 = p->sha256;
	s3_header(&c, "x-amz-meta-podgres-sha256", p->sha256);
	if (create)
		s3_header(&c, "if-none-match", "*");
	if (s3_object_headers(s, &c, p->put, &tags, e))
		return -1;
	if (s3_run(s, &c, e)) {
		memcpy(p->code, c.error.code, sizeof(p->code));
		return create ? -1 : s3_explain_refusal(s, tags.len > 0, e);
	}
	s3_etag(etag, c.answer.etag);
	if (!etag[0])
		return err_set(e, ERR_REMOTE,
			"put %s: HTTP %d without an ETag: is the endpoint an "
			"S3 server?",
			p->put->key, c.answer.status);
	return check_stored(s, p, p->put->create, etag, e);
}

/* For stores without If-None-Match: looks first.  Two writers at the same moment are not kept
 * apart by that; the ownership marker of the archive is. */
static int
look_and_send(struct s3 *s, struct put *p, enum store_outcome *outcome, struct err *e)
{
	bool missing;

	if (judge_other(s, p, outcome, &missing, e))
		return -1;
	if (!missing)
		return 0;
	*outcome = STORE_STORED;
	return send(s, p, false, e);
}

/* 501, or 400 with a document that says the same, to If-None-Match. */
static bool
refuses_condition(const struct put *p, const struct err *e)
{
	return e->kind == ERR_NOTIMPL ||
	       (e->code == 400 && (strcmp(p->code, "InvalidArgument") == 0 ||
					  strcmp(p->code, "InvalidRequest") == 0));
}

static int
with_condition(struct s3 *s, struct put *p, enum store_outcome *outcome, struct err *e)
{
	bool missing = true;

	for (int i = 0; i < 3 && missing; i++) {
		*outcome = STORE_STORED;
		if (send(s, p, true, e) == 0)
			return 0;
		if (e->kind != ERR_CONFLICT || judge_other(s, p, outcome, &missing, e))
			return -1;
	}
	return missing ? err_set(e, ERR_REMOTE,
				 "put %s: the store says that it is there, and that it is not",
				 p->put->key)
		       : 0;
}

/* The object stands there with these bytes: a store that takes it once more ignores the condition,
 * and would replace anything.  Asked once, since the same bytes do no harm. */
static void
learn_condition(struct s3 *s, struct put *p)
{
	struct err e;

	if (send(s, p, true, &e) == 0 || refuses_condition(p, &e))
		s->create = S3_CANNOT;
	else if (e.kind == ERR_CONFLICT)
		s->create = S3_CAN;
}

/* The first one: nothing is known of the store, so that it is looked at before. */
static int
first_create(struct s3 *s, struct put *p, enum store_outcome *outcome, struct err *e)
{
	bool missing;

	if (judge_other(s, p, outcome, &missing, e))
		return -1;
	if (missing && with_condition(s, p, outcome, e)) {
		/* Perhaps something else was refused: known once it goes without. */
		if (!refuses_condition(p, e) || send(s, p, false, e))
			return -1;
		s->create = S3_CANNOT;
		return 0;
	}
	learn_condition(s, p);
	return 0;
}

static int
create(struct s3 *s, struct put *p, enum store_outcome *outcome, struct err *e)
{
	if (s->create == S3_UNKNOWN)
		return first_create(s, p, outcome, e);
	return s->create == S3_CAN ? with_condition(s, p, outcome, e)
				   : look_and_send(s, p, outcome, e);
}

int
s3_put(struct store *st, const struct store_put *put, enum store_outcome *outcome, struct err *e)
{
	struct put p = {.put = put};
	struct s3 *s = st->state;

	s3_learn(s);
	sha256_hex(put->body, put->len, p.sha256);
	*outcome = STORE_STORED;
	return put->create ? create(s, &p, outcome, e) : send(s, &p, false, e);
}
