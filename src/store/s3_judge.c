/*
 * s3_judge - what an answer of S3 means.
 *
 * A document with S3's error decides.  Without one it was perhaps not the store that spoke: a 404
 * page of a proxy must never look like a missing object.
 */
#include <stdio.h>
#include <string.h>

#include "store/s3.h"

#define MANY S3_MANY

static const struct row {
	const char *code;
	enum err_kind kind;
	int tries;
	const char *hint;
} codes[] = {
#define S3_ERROR(code, kind, tries, hint) {code, ERR_##kind, tries, hint},
#include "tbl/s3_errors.h"
#undef S3_ERROR
};

static const struct row *
row_of(const char *code)
{
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (strcmp(codes[i].code, code) == 0)
			return &codes[i];
	return NULL;
}

/* Where no document came, or one with a code of which nothing is known. */
static struct row
row_of_status(const struct s3_call *c)
{
	int status = c->answer.status;
	bool s3 = c->answer.amz_request_id[0] != '\0' || c->error.code[0];

	switch (status) {
	case 401:
	case 403:
		return (struct row){"", ERR_DENIED, 0, ""};
	case 404:
		return s3 && strcmp(c->method, "HEAD") == 0
			       ? (struct row){"", ERR_NOTFOUND, 0, ""}
			       : (struct row){"", ERR_REMOTE, 2, "is the endpoint an S3 server?"};
	case 405:
	case 501:
		return (struct row){"", ERR_NOTIMPL, 0, ""};
	case 407:
		return (struct row){"", ERR_CONFIG, 0, "a proxy asks for a password"};
	case 408:
	case 429:
		return (struct row){"", ERR_REMOTE, MANY, ""};
	case 412:
		return (struct row){"", ERR_CONFLICT, 0, ""};
	case 416:
		return (struct row){"", ERR_INVALID, 0, ""};
	case 507:
		return (struct row){"", ERR_SPACE, 0, ""};
	default:
		break;
	}
	if (status >= 500)
		return (struct row){"", ERR_REMOTE, MANY, ""};
	if (status >= 300 && status < 400)
		return (struct row){"", ERR_CONFIG, 0, "set the bucket's region or endpoint"};
	return s3 && status >= 400
		       ? (struct row){"", ERR_INVALID, 0, ""}
		       : (struct row){"", ERR_REMOTE, 2, "is the endpoint an S3 server?"};
}

static void
put_region(const struct s3_call *c, char *out, size_t size)
{
	const char *r =
		c->answer.amz_bucket_region[0] ? c->answer.amz_bucket_region : c->error.region;

	out[0] = '\0';
	if (r[0])
		snprintf(out, size, " (the bucket's region is %s)", r);
	else if (c->error.endpoint[0])
		snprintf(out, size, " (the bucket's endpoint is %s)", c->error.endpoint);
	else if (c->answer.location[0])
		snprintf(out, size, " (it points to %.80s)", c->answer.location);
}

static int
raise_row(const struct s3_call *c, const struct row *r, struct err *e)
{
	char region[180];

	put_region(c, region, sizeof(region));
	return err_raise(e, r->kind, c->answer.status, ERR_HERE, "HTTP %d%s%s%s%s%s%s%s",
		c->answer.status, c->error.code[0] ? " " : "", c->error.code,
		c->error.message[0] ? ": " : "", c->error.message, region, r->hint[0] ? "; " : "",
		r->hint);
}

/* A 200 may still carry an error: CompleteMultipartUpload sends its head before it is done. */
static bool
is_success(const struct s3_call *c)
{
	return c->answer.status >= 200 && c->answer.status < 300 && !c->error.code[0];
}

int
s3_judge(struct s3 *s, struct s3_call *c, int *tries, struct err *e)
{
	const struct row *known;
	struct row r;

	*tries = 0;
	memset(&c->error, 0, sizeof(c->error));
	if (c->text.len > 0)
		(void)s3_xml_error(&c->error, buf_str(&c->text), c->text.len);
	if (is_success(c)) {
		s->bucket_seen = true;
		return 0;
	}
	known = c->error.code[0] ? row_of(c->error.code) : NULL;
	r = known ? *known : row_of_status(c);
	if (!known && c->error.code[0] && c->answer.status < 300)
		r = (struct row){"", ERR_REMOTE, MANY, ""};
	if (r.kind == ERR_NOTFOUND && known)
		s->bucket_seen = true;
	*tries = r.tries;
	return raise_row(c, &r, e);
}
