/*
 * store_s3 - objects in S3: the destination's URL and what each object is written with.
 *
 * Process: workers of the archiver, jobs, commands.  What the store can and cannot do (conditional
 * writes, checking of digests, deletion in batches) is learnt from its answers and kept for the
 * life of the struct store.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/s3.h"
#include "sys/file.h"

/* ---- where it is ---- */

static int
copy(char **out, struct buf *b, struct err *e)
{
	if (buf_check(b, e))
		return -1;
	*out = b->data ? buf_take(b) : strdup("");
	return *out ? 0 : err_sys(e, "open the store");
}

static int
split_root(struct s3 *s, const char *root, struct err *e)
{
	AUTO(buf_deinit) struct buf bucket = {0}, prefix = {0};
	size_t n = strcspn(root, "/");

	if (n < 3 || n > 255)
		return err_set(e, ERR_CONFIG, "%s: the name of a bucket has 3 to 63 characters",
			s->store->where);
	buf_put(&bucket, root, n);
	root += n;
	root += strspn(root, "/");
	if (*root)
		buf_printf(&prefix, "%s/", root);
	return copy(&s->bucket, &bucket, e) || copy(&s->prefix, &prefix, e) ? -1 : 0;
}

static const char *
region_of_environment(void)
{
	const char *region = getenv("AWS_REGION");

	if (!region || !region[0])
		region = getenv("AWS_DEFAULT_REGION");
	return region && region[0] ? region : "us-east-1";
}

static int
find_region(struct s3 *s, struct err *e)
{
	const struct store_spec *spec = &s->store->spec;
	const char *region = spec->region;
	char line[64];

	if (!region[0] && spec->region_file[0]) {
		if (file_read_line(spec->region_file, line, sizeof(line), e)) {
			e->kind = ERR_CONFIG;
			return err_add(e, "region");
		}
		region = line;
	}
	region += strspn(region, " \t\r\n");
	region = region[0] ? region : region_of_environment();
	s->region = strndup(region, strcspn(region, " \t\r\n"));
	return s->region ? 0 : err_sys(e, "region");
}

static int
amazon_endpoint(const struct s3 *s, struct buf *out, struct err *e)
{
	must(s->region);
	buf_printf(out, "https://s3.%s.amazonaws.com%s", s->region,
		strncmp(s->region, "cn-", 3) == 0 ? ".cn" : "");
	return buf_check(out, e);
}

/* "https://host:port", without a path and without the port that the scheme implies, since the Host
 * header that is signed must be the one a proxy or server computes. */
static int
own_endpoint(const char *text, struct buf *out, struct err *e)
{
	bool tls = strncmp(text, "https://", 8) == 0;
	const char *host = text + (tls ? 8 : 7), *implied = tls ? ":443" : ":80";
	size_t n = strcspn(host, "/"), port = strlen(implied);

	if (!tls && strncmp(text, "http://", 7) != 0)
		return err_set(e, ERR_CONFIG,
			"endpoint %.100s: it must begin with https:// or "
			"http://",
			text);
	if (n == 0 || host[n + strspn(host + n, "/")] || strcspn(host, "?#@ \t") < n)
		return err_set(e, ERR_CONFIG,
			"endpoint %.100s: it must be a host, perhaps with a "
			"port, and nothing else",
			text);
	if (n > port && strncmp(host + n - port, implied, port) == 0)
		n -= port;
	buf_printf(out, "%s%.*s", tls ? "https://" : "http://", (int)n, host);
	return buf_check(out, e);
}

/* The bucket becomes part of the host; a dot in it would not match the certificate. */
static int
make_base(struct s3 *s, struct err *e)
{
	const struct store_spec *spec = &s->store->spec;
	AUTO(buf_deinit) struct buf end = {0}, base = {0};
	size_t scheme;

	if (spec->endpoint[0] ? own_endpoint(spec->endpoint, &end, e) : amazon_endpoint(s, &end, e))
		return -1;
	s->virtual_host = (spec->virtual_host || !spec->endpoint[0]) && !strchr(s->bucket, '.');
	scheme = (size_t)(strstr(end.data, "//") - end.data) + 2;
	buf_put(&base, end.data, scheme);
	if (s->virtual_host)
		buf_printf(&base, "%s.", s->bucket);
	buf_puts(&base, end.data + scheme);
	if (copy(&s->base, &base, e))
		return -1;
	s->host = s->base + scheme;
	return 0;
}

/* ---- open and close ---- */

static int
check_spec(const struct store_spec *spec, struct err *e)
{
	const char *enc = spec->encryption;

	if (enc[0] && strcmp(enc, "AES256") != 0 && strcmp(enc, "aws:kms") != 0)
		return err_set(e, ERR_CONFIG, "encryption %.40s: it is AES256 or aws:kms", enc);
	if (spec->kms_key_id[0] && strcmp(enc, "aws:kms") != 0)
		return err_set(e, ERR_CONFIG, "a KMS key needs the encryption aws:kms");
	return 0;
}

static int
open_client(struct s3 *s, struct err *e)
{
	const struct store_spec *spec = &s->store->spec;
	const struct http_config http = {
		.ca_file = spec->ca_file,
		.connect_ms = spec->connect_ms,
		.stall_ms = spec->stall_ms,
		.cancelled = spec->cancelled,
		.arg = spec->cancelled_arg,
	};
	struct s3_creds_config creds = {
		.access_key_file = spec->access_key_file,
		.secret_key_file = spec->secret_key_file,
		.session_token_file = spec->session_token_file,
		.inherit = spec->inherit,
		.region = s->region,
	};

	if (http_open(&s->http, &http, e))
		return -1;
	creds.http = s->http;
	return s3_creds_open(&s->creds, &creds, e);
}

static int
s3_open(struct store *store, struct err *e)
{
	struct s3 *s = calloc(1, sizeof(*s));

	if (!s)
		return err_sys(e, "open the store");
	store->state = s;
	s->store = store;
	s->jitter = (unsigned)clock_boot_ns() ^ (unsigned)getpid() << 16;
	if (check_spec(&store->spec, e) || split_root(s, store->root, e) || find_region(s, e) ||
		make_base(s, e) || open_client(s, e))
		return err_add(e, "%s", store->where);
	return 0;
}

static void
s3_close(struct store *store)
{
	struct s3 *s = store->state;

	if (!s)
		return;
	s3_creds_free(s->creds);
	http_close(s->http);
	free(s->bucket);
	free(s->prefix);
	free(s->base);
	free(s->region);
	free(s);
	store->state = NULL;
}

/* ---- what was learnt ---- */

static uint32_t
s3_learnt(const struct store *store)
{
	const struct s3 *s = store->state;

	return (uint32_t)s->create | (uint32_t)s->verifies << 2 | (uint32_t)s->batch << 4;
}

static void
teach(enum s3_can *what, uint32_t bits)
{
	if (*what == S3_UNKNOWN && (bits & 3) <= S3_CANNOT)
		*what = (enum s3_can)(bits & 3);
}

static void
s3_teach(struct store *store, uint32_t learnt)
{
	struct s3 *s = store->state;

	teach(&s->create, learnt);
	teach(&s->verifies, learnt >> 2);
	teach(&s->batch, learnt >> 4);
}

/* ---- what is common to objects ---- */

static void
put_tags(struct buf *out, const struct store_tag *tag, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (out->len > 0)
			buf_putc(out, '&');
		sigv4_encode(out, tag[i].key, false);
		buf_putc(out, '=');
		sigv4_encode(out, tag[i].value ? tag[i].value : "", false);
	}
}

int
s3_object_headers(struct s3 *s, struct s3_call *c, const struct store_put *put, struct buf *tags,
	struct err *e)
{
	const struct store_spec *spec = &s->store->spec;

	s3_header(c, "content-type", "application/octet-stream");
	if (spec->encryption[0])
		s3_header(c, "x-amz-server-side-encryption", spec->encryption);
	if (spec->kms_key_id[0])
		s3_header(c, "x-amz-server-side-encryption-aws-kms-key-id", spec->kms_key_id);
	put_tags(tags, spec->tag, spec->tags);
	if (put)
		put_tags(tags, put->tag, put->tags);
	if (buf_check(tags, e))
		return -1;
	if (tags->len > 0)
		s3_header(c, "x-amz-tagging", buf_str(tags));
	return 0;
}

int
s3_explain_refusal(const struct s3 *s, bool tags, struct err *e)
{
	bool encryption = s->store->spec.encryption[0] != '\0';

	if ((e->kind != ERR_NOTIMPL && (e->kind != ERR_INVALID || e->code != 400)) ||
		(!tags && !encryption))
		return -1;
	e->kind = ERR_CONFIG;
	return err_add(e, "the store refuses %s, which the configuration asks for",
		!tags        ? "encryption"
		: encryption ? "encryption or tags"
			     : "tags");
}

void
s3_etag(char out[72], const char *raw)
{
	size_t n;

	if (strncmp(raw, "W/", 2) == 0)
		raw += 2;
	raw += *raw == '"';
	n = strcspn(raw, "\"");
	snprintf(out, 72, "%.*s", n < 72 ? (int)n : 0, raw);
}

bool
s3_etag_is_md5(const char *etag)
{
	return strlen(etag) == 32 && strspn(etag, "0123456789abcdef") == 32;
}

static bool
is_sha256(const char *hex)
{
	return strlen(hex) == 64 && strspn(hex, "0123456789abcdef") == 64;
}

void
s3_object_of(struct store_object *o, const char *key, const struct http_answer *a)
{
	snprintf(o->key, sizeof(o->key), "%s", key);
	o->bytes = a->content_length < 0 ? 0 : a->content_length;
	o->modified_us = http_date(a->last_modified);
	s3_etag(o->etag, a->etag);
	snprintf(o->sha256, sizeof(o->sha256), "%.64s",
		is_sha256(a->meta_sha256) ? a->meta_sha256 : "");
}

const struct store_driver store_driver_s3 = {
	.scheme = "s3",
	.open = s3_open,
	.close = s3_close,
	.learnt = s3_learnt,
	.teach = s3_teach,
	.put = s3_put,
	.get = s3_get,
	.head = s3_head,
	.list = s3_list,
	.remove = s3_remove,
	.upload_open = s3_upload_open,
	.upload_write = s3_upload_write,
	.upload_finish = s3_upload_finish,
	.upload_close = s3_upload_close,
	.upload_sweep = s3_upload_sweep,
};
