/*
 * fuzz_html - any bytes as text of HTML: UTF-8 comes out, without markup, and as often escaped as
 * wanted it says the same to a reader.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/html.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a browser makes of it. */
static void
unescape(const struct buf *html, struct buf *out)
{
	static const struct {
		const char *entity;
		char c;
	} known[] = {
		{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#39;", '\''}};

	for (const char *p = buf_str(html); *p;) {
		size_t k = 0;

		while (*p == '&' && k < ARRAY_LEN(known) &&
			strncmp(p, known[k].entity, strlen(known[k].entity)) != 0)
			k++;
		must(*p != '&' || k < ARRAY_LEN(known));
		buf_putc(out, *p == '&' ? known[k].c : *p);
		p += *p == '&' ? strlen(known[k].entity) : 1;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf_deinit) struct buf html = {0}, text = {0}, again = {0};

	html_putn(&html, (const char *)data, size);
	must(!strpbrk(buf_str(&html), "<>\"'\r"));
	must(strlen(buf_str(&html)) == html.len);
	for (size_t i = 0, n; i < html.len; i += n) {
		n = json_utf8_len(html.data + i, html.len - i);
		must(n > 0 && (n > 1 || (unsigned char)html.data[i] >= ' ' ||
				      strchr("\t\n", html.data[i])));
	}
	unescape(&html, &text);
	html_putn(&again, buf_str(&text), text.len);
	must(strcmp(buf_str(&again), buf_str(&html)) == 0);
	return 0;
}
