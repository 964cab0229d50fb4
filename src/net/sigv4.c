/*
 * sigv4 - AWS Signature Version 4.
 */
#include "net/sigv4.h"

#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define STAMP_SIZE 17 /* 20151021T072800Z */

/* ---- encoding ---- */

static bool
unreserved(unsigned char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-._~", c));
}

void
sigv4_encode(struct buf *out, const char *s, bool keep_slash)
{
	static const char digit[] = "0123456789ABCDEF";

	for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
		char hex[3] = {'%', digit[*p >> 4], digit[*p & 15]};

		if (unreserved(*p) || (*p == '/' && keep_slash))
			buf_putc(out, (char)*p);
		else
			buf_put(out, hex, sizeof(hex));
	}
}

/* Order by key and then value, as bytes.  Encoding keeps the order but for bytes that it turns
 * into "%", which sorts before what is left as it is. */
static int
compare_encoded(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	if (*a && *b) {
		unsigned char x = (unsigned char)*a, y = (unsigned char)*b;
		bool plain_x = unreserved(x), plain_y = unreserved(y);

		if (plain_x == plain_y)
			return x < y ? -1 : 1;
		return plain_x ? 1 : -1; /* '%' is below all that stays */
	}
	return *a ? 1 : *b ? -1 : 0;
}

static bool
before(const struct sigv4_pair *a, const struct sigv4_pair *b)
{
	int c = compare_encoded(a->key, b->key);

	return c < 0 || (c == 0 && compare_encoded(a->value, b->value) < 0);
}

static void
sort_pairs(struct sigv4_pair *out, const struct sigv4_pair *in, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t at = i;

		for (; at > 0 && before(&in[i], &out[at - 1]); at--)
			out[at] = out[at - 1];
		out[at] = in[i];
	}
}

void
sigv4_query(struct buf *out, const struct sigv4_pair *query, size_t n)
{
	struct sigv4_pair sorted[SIGV4_MAX_PAIRS];

	must(n <= SIGV4_MAX_PAIRS);
	sort_pairs(sorted, query, n);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_putc(out, '&');
		sigv4_encode(out, sorted[i].key, false);
		buf_putc(out, '=');
		sigv4_encode(out, sorted[i].value, false);
	}
}

/* ---- the canonical request ---- */

/* Spaces at the ends go, several inside become one. */
static void
put_value(struct buf *out, const char *v)
{
	bool first = true;

	while (*v) {
		size_t n;

		v += strspn(v, " \t");
		n = strcspn(v, " \t");
		if (n > 0 && !first)
			buf_putc(out, ' ');
		buf_put(out, v, n);
		first = false;
		v += n;
	}
}

struct canonical {
	struct sigv4_pair header[SIGV4_MAX_PAIRS];
	size_t headers;
	char stamp[STAMP_SIZE];
};

static void
make_stamp(char out[STAMP_SIZE], int64_t now_us)
{
	char text[CLOCK_RFC3339_SIZE];
	size_t n = 0;

	for (const char *p = clock_rfc3339_sec(now_us, text); *p && n < STAMP_SIZE - 1; p++)
		if (*p != '-' && *p != ':')
			out[n++] = *p;
	out[n] = '\0';
}

static int
gather(struct canonical *c, const struct sigv4_request *r, struct err *e)
{
	const struct sigv4_pair own[] = {{"host", r->host}, {"x-amz-date", c->stamp},
		{"x-amz-content-sha256", r->payload_sha256},
		{"x-amz-security-token", r->key->token}};
	size_t owns = r->key->token && r->key->token[0] ? 4 : 3;
	struct sigv4_pair all[SIGV4_MAX_PAIRS];

	must(r->headers <= SIGV4_MAX_PAIRS - 4);
	make_stamp(c->stamp, r->now_us);
	memcpy(all, own, owns * sizeof(own[0]));
	if (r->headers > 0)
		memcpy(all + owns, r->header, r->headers * sizeof(all[0]));
	c->headers = owns + r->headers;
	for (size_t i = 0; i < c->headers; i++)
		if (strpbrk(all[i].value, "\r\n"))
			return err_set(
				e, ERR_CONFIG, "the value of %s has a line break", all[i].key);
	sort_pairs(c->header, all, c->headers);
	return 0;
}

static void
put_signed_names(struct buf *out, const struct canonical *c)
{
	for (size_t i = 0; i < c->headers; i++) {
		buf_puts(out, i > 0 ? ";" : "");
		buf_puts(out, c->header[i].key);
	}
}

static int
canonical_digest(char out[SHA256_HEX_SIZE], const struct canonical *c,
	const struct sigv4_request *r, struct err *e)
{
	AUTO(buf_deinit) struct buf b = {0};

	buf_printf(&b, "%s\n", r->method);
	sigv4_encode(&b, r->path, true);
	buf_putc(&b, '\n');
	sigv4_query(&b, r->query, r->queries);
	buf_putc(&b, '\n');
	for (size_t i = 0; i < c->headers; i++) {
		buf_printf(&b, "%s:", c->header[i].key);
		put_value(&b, c->header[i].value);
		buf_putc(&b, '\n');
	}
	buf_putc(&b, '\n');
	put_signed_names(&b, c);
	buf_printf(&b, "\n%s", r->payload_sha256);
	if (buf_check(&b, e))
		return -1;
	sha256_hex(b.data, b.len, out);
	if (r->key->token && r->key->token[0])
		explicit_bzero(b.data, b.len);
	return 0;
}

/* ---- the signature ---- */

static void
chain(unsigned char key[SHA256_SIZE], const char *text, size_t n)
{
	struct hash_span k = {key, SHA256_SIZE}, t = {text, n};

	hmac_sha256(&k, &t, key);
}

static int
signing_key(unsigned char out[SHA256_SIZE], const struct sigv4_request *r, const char *stamp,
	struct err *e)
{
	AUTO(buf_deinit) struct buf b = {0};
	struct hash_span k, date = {stamp, 8};

	buf_printf(&b, "AWS4%s", r->key->secret);
	if (buf_check(&b, e))
		return -1;
	k = (struct hash_span){b.data, b.len};
	hmac_sha256(&k, &date, out);
	explicit_bzero(b.data, b.len);
	chain(out, r->region, strlen(r->region));
	chain(out, r->service, strlen(r->service));
	chain(out, "aws4_request", 12);
	return 0;
}

static int
signature(char hex[SHA256_HEX_SIZE], const struct canonical *c, const struct sigv4_request *r,
	struct err *e)
{
	AUTO(buf_deinit) struct buf b = {0};
	unsigned char key[SHA256_SIZE];
	char digest[SHA256_HEX_SIZE];

	if (canonical_digest(digest, c, r, e) || signing_key(key, r, c->stamp, e))
		return -1;
	buf_printf(&b, ALGORITHM "\n%s\n%.8s/%s/%s/aws4_request\n%s", c->stamp, c->stamp, r->region,
		r->service, digest);
	if (buf_check(&b, e))
		return -1;
	chain(key, b.data, b.len);
	hash_hex(hex, key, sizeof(key));
	explicit_bzero(key, sizeof(key));
	return 0;
}

int
sigv4_sign(struct buf *lines, const struct sigv4_request *r, struct err *e)
{
	char hex[SHA256_HEX_SIZE];
	struct canonical c;

	if (gather(&c, r, e) || signature(hex, &c, r, e))
		return -1;
	for (size_t i = 0; i < c.headers; i++) {
		buf_printf(lines, "%s: ", c.header[i].key);
		put_value(lines, c.header[i].value);
		buf_putc(lines, '\0');
	}
	buf_printf(lines, "authorization: " ALGORITHM " Credential=%s/%.8s/%s/%s/aws4_request, ",
		r->key->access, c.stamp, r->region, r->service);
	buf_puts(lines, "SignedHeaders=");
	put_signed_names(lines, &c);
	buf_printf(lines, ", Signature=%s", hex);
	buf_putc(lines, '\0');
	return buf_check(lines, e);
}
