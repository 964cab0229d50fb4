/*
 * jsonscan - read JSON where it lies: no tree, no memory.
 */
#include "base/jsonscan.h"

#include <stdint.h>
#include <string.h>

static void
jsonscan_space(struct jsonscan *s)
{
	while (s->at < s->end &&
		(*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
		s->at++;
}

bool
jsonscan_end(struct jsonscan *s)
{
	jsonscan_space(s);
	return s->at == s->end;
}

bool
jsonscan_take(struct jsonscan *s, char c)
{
	jsonscan_space(s);
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

/* ---- strings ---- */

static int
jsonscan_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits of \uXXXX, or -1. */
static int
jsonscan_u16(const char *p, size_t n)
{
	int v = 0;

	if (n < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int d = jsonscan_hex(p[i]);

		if (d < 0)
			return -1;
		v = v * 16 + d;
	}
	return v;
}

/* at stands on the backslash.  Moves past the escape. */
static bool
jsonscan_escape(struct jsonscan *s)
{
	size_t left = (size_t)(s->end - s->at);

	if (left >= 2 && s->at[1] != '\0' && strchr("\"\\/bfnrt", s->at[1])) {
		s->at += 2;
		return true;
	}
	if (left >= 6 && s->at[1] == 'u' && jsonscan_u16(s->at + 2, 4) >= 0) {
		s->at += 6;
		return true;
	}
	if (!s->cut || left >= 6 || (left >= 2 && s->at[1] != 'u'))
		return false;
	s->at = s->end;
	return true;
}

bool
jsonscan_string(struct jsonscan *s, struct jsonscan_span *out)
{
	if (!jsonscan_take(s, '"'))
		return false;
	*out = (struct jsonscan_span){.at = s->at, .string = true};
	while (s->at < s->end && *s->at != '"') {
		if (*s->at == '\\') {
			out->escaped = true;
			if (!jsonscan_escape(s))
				return false;
		} else if ((unsigned char)*s->at < 0x20) {
			return false;
		} else {
			s->at++;
		}
	}
	out->len = (size_t)(s->at - out->at);
	if (s->at == s->end)
		return s->cut;
	s->at++;
	return true;
}

static size_t
jsonscan_put_utf8(char *to, uint32_t c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xC0 | (c >> 6));
		to[1] = (char)(0x80 | (c & 0x3F));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xE0 | (c >> 12));
		to[1] = (char)(0x80 | ((c >> 6) & 0x3F));
		to[2] = (char)(0x80 | (c & 0x3F));
		return 3;
	}
	to[0] = (char)(0xF0 | (c >> 18));
	to[1] = (char)(0x80 | ((c >> 12) & 0x3F));
	to[2] = (char)(0x80 | ((c >> 6) & 0x3F));
	to[3] = (char)(0x80 | (c & 0x3F));
	return 4;
}

/* One character from p, which stands behind "\u" and has n bytes.  Returns the bytes used, 0 when
 * the digits are cut off. */
static size_t
jsonscan_codepoint(const char *p, size_t n, uint32_t *out)
{
	int high = jsonscan_u16(p, n), low;

	*out = 0xFFFD;
	if (high < 0)
		return 0;
	if (high < 0xD800 || high > 0xDFFF) {
		*out = (uint32_t)high;
		return 4;
	}
	if (high > 0xDBFF || n < 10 || p[4] != '\\' || p[5] != 'u')
		return 4;
	low = jsonscan_u16(p + 6, n - 6);
	if (low < 0xDC00 || low > 0xDFFF)
		return 4;
	*out = 0x10000 + (((uint32_t)high - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
	return 10;
}

static char
jsonscan_plain_escape(char c)
{
	static const char pairs[] = "b\bf\fn\nr\rt\t";

	for (size_t i = 0; i + 1 < sizeof(pairs); i += 2)
		if (pairs[i] == c)
			return pairs[i + 1];
	return c;
}

size_t
jsonscan_unescape(char *p, size_t n)
{
	char *start = p, *to = p, *end = p + n;

	for (;;) {
		char *slash = memchr(p, '\\', (size_t)(end - p));
		size_t run = (size_t)((slash ? slash : end) - p), used;
		uint32_t c;

		memmove(to, p, run);
		to += run;
		p += run;
		if (end - p < 2)
			break; /* nothing is left, or half an escape */
		if (p[1] != 'u') {
			*to++ = jsonscan_plain_escape(p[1]);
			p += 2;
			continue;
		}
		used = jsonscan_codepoint(p + 2, (size_t)(end - p - 2), &c);
		if (used == 0)
			break;
		to += jsonscan_put_utf8(to, c);
		p += 2 + used;
	}
	return (size_t)(to - start);
}

/* ---- other values ---- */

static size_t
jsonscan_digits(struct jsonscan *s)
{
	const char *from = s->at;

	while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
		s->at++;
	return (size_t)(s->at - from);
}

static bool
jsonscan_is(struct jsonscan *s, const char *chars)
{
	if (s->at == s->end || *s->at == '\0' || !strchr(chars, *s->at))
		return false;
	s->at++;
	return true;
}

static bool
jsonscan_number(struct jsonscan *s)
{
	jsonscan_is(s, "-");
	if (!jsonscan_is(s, "0") && jsonscan_digits(s) == 0)
		return s->cut && s->at == s->end;
	if (jsonscan_is(s, ".") && jsonscan_digits(s) == 0)
		return s->cut && s->at == s->end;
	if (!jsonscan_is(s, "eE"))
		return true;
	jsonscan_is(s, "+-");
	return jsonscan_digits(s) > 0 || (s->cut && s->at == s->end);
}

static bool
jsonscan_word(struct jsonscan *s, const char *word)
{
	size_t len = strlen(word), left = (size_t)(s->end - s->at);

	if (s->cut && left < len)
		len = left;
	if (left < len || memcmp(s->at, word, len) != 0)
		return false;
	s->at += len;
	return true;
}

static bool jsonscan_nested(struct jsonscan *s, int depth);

static bool
jsonscan_scalar(struct jsonscan *s)
{
	struct jsonscan_span ignored;

	switch (s->at == s->end ? '\0' : *s->at) {
	case '"':
		return jsonscan_string(s, &ignored);
	case 't':
		return jsonscan_word(s, "true");
	case 'f':
		return jsonscan_word(s, "false");
	case 'n':
		return jsonscan_word(s, "null");
	default:
		return jsonscan_number(s);
	}
}

static bool
jsonscan_any(struct jsonscan *s, int depth)
{
	jsonscan_space(s);
	if (s->at < s->end && (*s->at == '{' || *s->at == '['))
		return depth < JSONSCAN_MAX_DEPTH && jsonscan_nested(s, depth + 1);
	return jsonscan_scalar(s);
}

/* The text ends here, and may. */
static bool
jsonscan_over(struct jsonscan *s)
{
	return s->cut && jsonscan_end(s);
}

/* NOLINTNEXTLINE(misc-no-recursion): JSONSCAN_MAX_DEPTH bounds it */
static bool
jsonscan_nested(struct jsonscan *s, int depth)
{
	bool object = *s->at++ == '{';
	char close = object ? '}' : ']';
	struct jsonscan_span key;

	if (jsonscan_take(s, close))
		return true;
	do {
		if (jsonscan_over(s))
			return true;
		if (object && !jsonscan_string(s, &key))
			return false;
		if (object && !jsonscan_take(s, ':'))
			return jsonscan_over(s);
		if (!jsonscan_any(s, depth))
			return false;
	} while (jsonscan_take(s, ','));
	return jsonscan_take(s, close) || jsonscan_over(s);
}

bool
jsonscan_value(struct jsonscan *s, struct jsonscan_span *out)
{
	jsonscan_space(s);
	if (s->at < s->end && *s->at == '"')
		return jsonscan_string(s, out);
	*out = (struct jsonscan_span){.at = s->at};
	if (!jsonscan_any(s, 0))
		return false;
	out->len = (size_t)(s->at - out->at);
	return true;
}

bool
jsonscan_valid(const char *p, size_t n)
{
	struct jsonscan s = {.at = p, .end = p + n};

	return jsonscan_any(&s, 0) && jsonscan_end(&s);
}
