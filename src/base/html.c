/*
 * html - text of any bytes becomes text of an HTML document.
 */
#include "base/html.h"

#include <stdint.h>
#include <string.h>

#include "base/json.h"

#define REPLACEMENT "\xef\xbf\xbd"

static const char *
html_entity(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

static uint32_t
html_code(const char *s, size_t n)
{
	static const unsigned char first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	uint32_t c = (unsigned char)s[0] & first[n];

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	return c;
}

/* Not a control character, no noncharacter, nothing that turns the direction of text. */
static bool
html_shown(uint32_t c)
{
	if (c < 0x20)
		return c == '\t' || c == '\n';
	if ((c >= 0x7f && c < 0xa0) || (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef))
		return false;
	return !((c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069));
}

void
html_putn(struct buf *out, const char *s, size_t n)
{
	for (size_t i = 0, len; i < n; i += len) {
		const char *entity = html_entity(s[i]);

		len = json_utf8_len(s + i, n - i);
		if (entity)
			buf_puts(out, entity);
		else if (len == 0 || !html_shown(html_code(s + i, len)))
			buf_puts(out, REPLACEMENT);
		else
			buf_put(out, s + i, len);
		len = len ? len : 1;
	}
}

void
html_put(struct buf *out, const char *s)
{
	html_putn(out, s, strlen(s));
}
