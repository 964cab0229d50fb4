/*
 * pytext - Python's literals as Barman writes and reads them.
 *
 * Source: The Python Language Reference, 2.4.1 "String and Bytes literals".  Neither triple quotes
 * nor \N{...} nor prefixes but u: repr() makes none of them.
 */
#include "core/pytext.h"

#include <string.h>

#include "base/json.h"

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
put_utf8(struct buf *out, uint32_t c)
{
	if (c < 0x80) {
		buf_putc(out, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_putc(out, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			buf_putc(out, (char)(0xe0 | c >> 12));
		} else {
			buf_putc(out, (char)(0xf0 | c >> 18));
			buf_putc(out, (char)(0x80 | (c >> 12 & 0x3f)));
		}
		buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
	}
	buf_putc(out, (char)(0x80 | (c & 0x3f)));
}

/* \x, \u and \U with their digits. */
static const char *
read_code(const char *s, const char *end, int count, struct buf *out)
{
	uint32_t c = 0;

	if (end - s < count)
		return NULL;
	for (; count; count--, s++) {
		if (hex(*s) < 0)
			return NULL;
		c = c << 4 | (uint32_t)hex(*s);
	}
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return NULL;
	put_utf8(out, c);
	return s;
}

static const char *
read_octal(const char *s, const char *end, struct buf *out)
{
	uint32_t c = 0;

	for (int i = 0; i < 3 && s < end && *s >= '0' && *s <= '7'; i++)
		c = c << 3 | (uint32_t)(*s++ - '0');
	if (c == 0)
		return NULL;
	put_utf8(out, c);
	return s;
}

/* s stands behind the backslash. */
static const char *
read_escape(const char *s, const char *end, struct buf *out)
{
	static const char from[] = "abfnrtv\\'\"", to[] = "\a\b\f\n\r\t\v\\'\"";
	const char *known;

	if (s == end || !*s)
		return NULL;
	known = strchr(from, *s);
	if (known) {
		buf_putc(out, to[known - from]);
		return s + 1;
	}
	if (*s == 'x' || *s == 'u' || *s == 'U')
		return read_code(s + 1, end, *s == 'x' ? 2 : *s == 'u' ? 4 : 8, out);
	if (*s >= '0' && *s <= '7')
		return read_octal(s, end, out);
	buf_putc(out, '\\'); /* Python keeps what it does not know */
	buf_putc(out, *s);
	return s + 1;
}

const char *
pytext_read(const char *s, const char *end, struct buf *out)
{
	char quote;

	if (s < end && (*s == 'u' || *s == 'U'))
		s++;
	if (s == end || (*s != '\'' && *s != '"'))
		return NULL;
	quote = *s++;
	while (s && s < end && *s != quote) {
		if (!*s || *s == '\n')
			return NULL;
		if (*s == '\\')
			s = read_escape(s + 1, end, out);
		else
			buf_putc(out, *s++);
	}
	return s && s < end ? s + 1 : NULL;
}

static bool
put_named(struct buf *out, char c, char quote)
{
	static const char from[] = "\n\r\t\\", to[] = "nrt\\";
	const char *known = c ? strchr(from, c) : NULL;

	if (c != quote && !known)
		return false;
	buf_putc(out, '\\');
	buf_putc(out, known ? to[known - from] : c);
	return true;
}

void
pytext_print(struct buf *out, const char *text)
{
	char quote = strchr(text, '\'') && !strchr(text, '"') ? '"' : '\'';
	size_t len = strlen(text), n;
	unsigned char c;

	buf_putc(out, quote);
	for (size_t i = 0; i < len; i += n) {
		c = (unsigned char)text[i];
		n = c < 0x80 ? 1 : json_utf8_len(text + i, len - i);
		if (n == 1 && put_named(out, text[i], quote))
			continue;
		if (n == 0 || c < 0x20 || c == 0x7f) {
			buf_printf(out, "\\x%02x", c);
			n = 1;
		} else {
			buf_put(out, text + i, n);
		}
	}
	buf_putc(out, quote);
}
