/*
 * roff - pieces of a manual page.
 */
#include "cmd/roff.h"

#include <string.h>

void
roff_text(struct buf *out, const char *text)
{
	bool begin = true;

	for (const char *p = text; *p; p++) {
		if (begin && (*p == '.' || *p == '\''))
			buf_puts(out, "\\&");
		begin = *p == '\n';
		if (*p == '\\')
			buf_puts(out, "\\e");
		else if (*p == '-')
			buf_puts(out, "\\-");
		else
			buf_putc(out, *p);
	}
}

void
roff_line(struct buf *out, const char *text)
{
	roff_text(out, text);
	buf_putc(out, '\n');
}

void
roff_head(struct buf *out, const char *title)
{
	buf_printf(out, ".SH %s\n", title);
}

void
roff_term(struct buf *out, const char *term, const char *rest)
{
	buf_puts(out, ".TP\n\\fB");
	roff_text(out, term);
	buf_puts(out, "\\fR");
	if (rest && *rest) {
		buf_puts(out, " \\fI");
		roff_text(out, rest);
		buf_puts(out, "\\fR");
	}
	buf_putc(out, '\n');
}

void
roff_sentence(struct buf *out, const char *text)
{
	size_t n = strlen(text);

	roff_text(out, text);
	buf_puts(out, n && text[n - 1] == '.' ? "\n" : ".\n");
}
