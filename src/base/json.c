/*
 * json - write JSON into a buf.
 */
#include "base/json.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"

void
json_init(struct json *j, struct buf *out)
{
	*j = (struct json){.out = out};
	j->first[0] = true;
}

/* ---- text ---- */

/* RFC 3629: shortest form, no surrogates, to U+10FFFF. */
size_t
json_utf8_len(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned char c = p[0], lo = 0x80, hi = 0xBF;
	size_t len = c < 0x80 ? 1 : c >= 0xC2 && c <= 0xDF ? 2 : (c & 0xF0) == 0xE0 ? 3 : 0;

	if (c >= 0xF0 && c <= 0xF4)
		len = 4;
	if (len == 0 || len > n)
		return 0;
	if (c == 0xE0)
		lo = 0xA0;
	else if (c == 0xED)
		hi = 0x9F;
	else if (c == 0xF0)
		lo = 0x90;
	else if (c == 0xF4)
		hi = 0x8F;
	if (len > 1 && (p[1] < lo || p[1] > hi))
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xC0) != 0x80)
			return 0;
	return len;
}

void
json_repair(struct buf *out, const char *s, size_t n)
{
	size_t run = 0;

	for (size_t i = 0; i < n;) {
		size_t len = (unsigned char)s[i] < 0x80 ? 1 : json_utf8_len(s + i, n - i);

		i += len;
		if (len > 0)
			continue;
		buf_put(out, s + run, i - run);
		buf_puts(out, "\xEF\xBF\xBD");
		run = ++i;
	}
	if (n > run)
		buf_put(out, s + run, n - run);
}

static void
json_escape_ascii(struct buf *out, unsigned char c)
{
	static const char plain[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	for (size_t i = 0; i + 1 < sizeof(plain); i += 2) {
		if ((unsigned char)plain[i] == c) {
			buf_putc(out, '\\');
			buf_putc(out, plain[i + 1]);
			return;
		}
	}
	buf_printf(out, "\\u%04x", c);
}

/* Goes out as it is; most bytes do, so this is looked at first. */
static bool
json_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

void
json_escape(struct buf *out, const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t i = 0, run = 0;

	while (i < n) {
		size_t len = json_plain(p[i]) ? 1 : p[i] < 0x80 ? 0 : json_utf8_len(s + i, n - i);

		i += len;
		if (len > 0)
			continue;
		buf_put(out, s + run, i - run);
		if (p[i] >= 0x80)
			buf_puts(out, "\xEF\xBF\xBD");
		else
			json_escape_ascii(out, p[i]);
		run = ++i;
	}
	if (n > run)
		buf_put(out, s + run, n - run);
}

/* ---- structure ---- */

static void
json_lead(struct json *j)
{
	if (j->after_key) {
		j->after_key = false;
		return;
	}
	if (!j->first[j->depth])
		buf_putc(j->out, ',');
	j->first[j->depth] = false;
}

static void
json_open(struct json *j, char c)
{
	json_lead(j);
	must(j->depth < JSON_MAX_DEPTH);
	buf_putc(j->out, c);
	j->first[++j->depth] = true;
}

static void
json_close(struct json *j, char c)
{
	must(j->depth > 0 && !j->after_key);
	j->depth--;
	buf_putc(j->out, c);
}

void
json_obj(struct json *j)
{
	json_open(j, '{');
}

void
json_arr(struct json *j)
{
	json_open(j, '[');
}

void
json_end_obj(struct json *j)
{
	json_close(j, '}');
}

void
json_end_arr(struct json *j)
{
	json_close(j, ']');
}

void
json_key(struct json *j, const char *key)
{
	must(!j->after_key);
	json_lead(j);
	buf_putc(j->out, '"');
	json_escape(j->out, key, strlen(key));
	buf_puts(j->out, "\":");
	j->after_key = true;
}

/* ---- values ---- */

void
json_strn(struct json *j, const char *s, size_t n)
{
	json_lead(j);
	buf_putc(j->out, '"');
	json_escape(j->out, s, n);
	buf_putc(j->out, '"');
}

void
json_str(struct json *j, const char *s)
{
	if (s)
		json_strn(j, s, strlen(s));
	else
		json_null(j);
}

void
json_int(struct json *j, int64_t v)
{
	json_lead(j);
	buf_printf(j->out, "%lld", (long long)v);
}

void
json_uint(struct json *j, uint64_t v)
{
	json_lead(j);
	buf_printf(j->out, "%llu", (unsigned long long)v);
}

void
json_num(struct json *j, double v)
{
	if (!isfinite(v)) {
		json_null(j);
		return;
	}
	json_lead(j);
	buf_printf(j->out, "%.3f", v);
}

void
json_bool(struct json *j, bool v)
{
	json_lead(j);
	buf_puts(j->out, v ? "true" : "false");
}

void
json_null(struct json *j)
{
	json_lead(j);
	buf_puts(j->out, "null");
}

/* ---- key and value ---- */

void
json_kstr(struct json *j, const char *key, const char *s)
{
	json_key(j, key);
	json_str(j, s);
}

void
json_kint(struct json *j, const char *key, int64_t v)
{
	json_key(j, key);
	json_int(j, v);
}

void
json_knum(struct json *j, const char *key, double v)
{
	json_key(j, key);
	json_num(j, v);
}

void
json_kbool(struct json *j, const char *key, bool v)
{
	json_key(j, key);
	json_bool(j, v);
}

void
json_kobj(struct json *j, const char *key)
{
	json_key(j, key);
	json_obj(j);
}

void
json_karr(struct json *j, const char *key)
{
	json_key(j, key);
	json_arr(j);
}

void
json_ktime(struct json *j, const char *key, int64_t wall_us)
{
	char text[CLOCK_RFC3339_SIZE];

	if (wall_us > 0)
		json_kstr(j, key, clock_rfc3339(wall_us, text));
}
