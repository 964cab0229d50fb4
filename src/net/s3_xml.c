/*
 * s3_xml - the XML of S3's answers.
 */
#include "net/s3_xml.h"

#include <stdio.h>
#include <string.h>

struct reader {
	const char *at, *end;
	char path[S3_XML_PATH];
	size_t path_len;
	size_t mark[S3_XML_DEPTH]; /* length of the path above each open element */
	int depth;
	bool seen_root;
	char text[S3_XML_TEXT];
	size_t text_len;
	s3_xml_fn *fn;
	void *arg;
};

static int
bad(const struct reader *r, const char *why, struct err *e)
{
	(void)r;
	return err_set(e, ERR_CORRUPT, "the answer is not XML as S3 writes it: %s", why);
}

static bool
is_name(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.' || c == ':';
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
next_is(const struct reader *r, const char *text)
{
	size_t n = strlen(text);

	return (size_t)(r->end - r->at) >= n && memcmp(r->at, text, n) == 0;
}

static int
skip_behind(struct reader *r, const char *text, struct err *e)
{
	const char *p = memmem(r->at, (size_t)(r->end - r->at), text, strlen(text));

	if (!p)
		return bad(r, "something does not end", e);
	r->at = p + strlen(text);
	return 0;
}

/* ---- text ---- */

static int
put_char(struct reader *r, char c, struct err *e)
{
	if (r->text_len >= sizeof(r->text) - 1)
		return bad(r, "a text is too long", e);
	r->text[r->text_len++] = c;
	return 0;
}

static int
put_code(struct reader *r, unsigned long c, struct err *e)
{
	char u[4];
	int n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return bad(r, "a reference is no character", e);
	for (int i = n - 1; i > 0; i--, c >>= 6)
		u[i] = (char)(0x80 | (c & 0x3f));
	u[0] = (char)(n == 1 ? c : (0xf00u >> n & 0xff) | c);
	for (int i = 0; i < n; i++)
		if (put_char(r, u[i], e))
			return -1;
	return 0;
}

static int
digit_of(char c, int base)
{
	int v = c >= '0' && c <= '9'   ? c - '0'
		: c >= 'a' && c <= 'f' ? c - 'a' + 10
		: c >= 'A' && c <= 'F' ? c - 'A' + 10
				       : 99;

	return v < base ? v : -1;
}

static int
put_reference(struct reader *r, const char *p, size_t n, struct err *e)
{
	static const struct {
		const char *name;
		char c;
	} entity[] = {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
	int base = n > 1 && p[1] == 'x' ? 16 : 10;
	unsigned long code = 0;

	for (size_t i = 0; i < ARRAY_LEN(entity); i++)
		if (strlen(entity[i].name) == n && memcmp(p, entity[i].name, n) == 0)
			return put_char(r, entity[i].c, e);
	if (n < 2 || p[0] != '#' || n > 9)
		return bad(r, "an unknown entity", e);
	for (size_t i = base == 16 ? 2 : 1; i < n; i++) {
		int d = digit_of(p[i], base);

		if (d < 0)
			return bad(r, "a bad reference", e);
		code = code * (unsigned long)base + (unsigned long)d;
	}
	return put_code(r, code, e);
}

static int
read_text(struct reader *r, struct err *e)
{
	while (r->at < r->end && *r->at != '<') {
		const char *semi;

		if (r->depth == 0 && !is_space(*r->at))
			return bad(r, "text outside of an element", e);
		if (*r->at != '&') {
			if (*r->at == '\0')
				return bad(r, "a NUL", e);
			if (r->depth > 0 && put_char(r, *r->at, e))
				return -1;
			r->at++;
			continue;
		}
		semi = memchr(r->at, ';', (size_t)(r->end - r->at));
		if (!semi || put_reference(r, r->at + 1, (size_t)(semi - r->at - 1), e))
			return bad(r, "a bad entity", e);
		r->at = semi + 1;
	}
	return 0;
}

/* ---- elements ---- */

/* The name without its name space. */
static int
read_name(struct reader *r, const char **name, size_t *n, struct err *e)
{
	const char *from = r->at;

	while (r->at < r->end && is_name(*r->at)) {
		if (*r->at == ':')
			from = r->at + 1;
		r->at++;
	}
	*name = from;
	*n = (size_t)(r->at - from);
	return *n > 0 ? 0 : bad(r, "an element without a name", e);
}

static int
push(struct reader *r, const char *name, size_t n, struct err *e)
{
	if (r->depth == S3_XML_DEPTH || r->path_len + n + 2 > sizeof(r->path))
		return bad(r, "elements are nested too deep", e);
	if (r->depth == 0 && r->seen_root)
		return bad(r, "two documents", e);
	r->seen_root = true;
	r->mark[r->depth++] = r->path_len;
	if (r->path_len > 0)
		r->path[r->path_len++] = '/';
	memcpy(r->path + r->path_len, name, n);
	r->path_len += n;
	r->path[r->path_len] = '\0';
	r->text_len = 0;
	return 0;
}

static int
pop(struct reader *r, struct err *e)
{
	int rc;

	r->text[r->text_len] = '\0';
	rc = r->fn(r->arg, r->path, r->text, e);
	r->path_len = r->mark[--r->depth];
	r->path[r->path_len] = '\0';
	r->text_len = 0;
	return rc;
}

static int
read_close(struct reader *r, struct err *e)
{
	const char *name, *open;
	size_t n;

	r->at += 2;
	if (read_name(r, &name, &n, e))
		return -1;
	while (r->at < r->end && is_space(*r->at))
		r->at++;
	if (r->at == r->end || *r->at++ != '>' || r->depth == 0)
		return bad(r, "a stray end of an element", e);
	open = strrchr(r->path, '/');
	open = open ? open + 1 : r->path;
	if (strlen(open) != n || memcmp(open, name, n) != 0)
		return bad(r, "an element ends under another name", e);
	return pop(r, e);
}

/* Attributes are stepped over; a '>' inside quotes ends nothing. */
static int
skip_attributes(struct reader *r, bool *empty, struct err *e)
{
	char quote = '\0', last = '\0';

	for (; r->at < r->end; r->at++) {
		char c = *r->at;

		if (quote) {
			quote = c == quote ? '\0' : quote;
		} else if (c == '"' || c == '\'') {
			quote = c;
		} else if (c == '<') {
			break;
		} else if (c == '>') {
			r->at++;
			*empty = last == '/';
			return 0;
		}
		last = c;
	}
	return bad(r, "an element does not end", e);
}

static int
read_open(struct reader *r, struct err *e)
{
	const char *name;
	bool empty = false;
	size_t n;

	r->at++;
	if (read_name(r, &name, &n, e) || push(r, name, n, e) || skip_attributes(r, &empty, e))
		return -1;
	return empty ? pop(r, e) : 0;
}

static int
read_markup(struct reader *r, struct err *e)
{
	if (next_is(r, "<?"))
		return skip_behind(r, "?>", e);
	if (next_is(r, "<!--"))
		return skip_behind(r, "-->", e);
	if (next_is(r, "<!"))
		return bad(r, "a document type or CDATA", e);
	return next_is(r, "</") ? read_close(r, e) : read_open(r, e);
}

int
s3_xml_read(const char *xml, size_t n, s3_xml_fn *fn, void *arg, struct err *e)
{
	struct reader r = {.at = xml, .end = xml + n, .fn = fn, .arg = arg};

	if (next_is(&r, "\xef\xbb\xbf"))
		r.at += 3;
	while (r.at < r.end)
		if (read_text(&r, e) || (r.at < r.end && read_markup(&r, e)))
			return -1;
	if (r.depth > 0 || !r.seen_root)
		return bad(&r, "it ends too early", e);
	return 0;
}

/* ---- errors ---- */

static int
take_error(void *arg, const char *path, char *text, struct err *e)
{
	struct s3_xml_error *x = arg;
	const struct {
		const char *path;
		char *out;
		size_t size;
	} row[] = {
		{"Error/Code", x->code, sizeof(x->code)},
		{"Error/Message", x->message, sizeof(x->message)},
		{"Error/Region", x->region, sizeof(x->region)},
		{"Error/Endpoint", x->endpoint, sizeof(x->endpoint)},
		{"ErrorResponse/Error/Code", x->code, sizeof(x->code)},
		{"ErrorResponse/Error/Message", x->message, sizeof(x->message)},
	};

	(void)e;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		if (strcmp(path, row[i].path) == 0)
			snprintf(row[i].out, row[i].size, "%s", text);
	return 0;
}

/* What goes into messages and logs has no control characters. */
static void
tidy(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = ' ';
}

int
s3_xml_error(struct s3_xml_error *out, const char *xml, size_t n)
{
	struct err ignored;

	memset(out, 0, sizeof(*out));
	if (n == 0 || s3_xml_read(xml, n, take_error, out, &ignored) || !out->code[0])
		return -1;
	tidy(out->code);
	tidy(out->message);
	tidy(out->region);
	tidy(out->endpoint);
	return 0;
}

int
s3_xml_url_decode(char *s)
{
	char *to = s;

	for (; *s; s++) {
		int hi, lo;

		if (*s != '%') {
			*to++ = (char)(*s == '+' ? ' ' : *s);
			continue;
		}
		hi = digit_of(s[1], 16);
		lo = hi < 0 ? -1 : digit_of(s[2], 16);
		if (lo < 0 || hi * 16 + lo == 0)
			return -1;
		*to++ = (char)(hi * 16 + lo);
		s += 2;
	}
	*to = '\0';
	return 0;
}
