/*
 * term - text for people: columns, wrapping, colour.
 */
#include "base/term.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

static const char *const colours[] = {
	[TERM_PLAIN] = "",
	[TERM_BOLD] = "\033[1m",
	[TERM_DIM] = "\033[2m",
	[TERM_RED] = "\033[31m",
	[TERM_GREEN] = "\033[32m",
	[TERM_YELLOW] = "\033[33m",
	[TERM_CYAN] = "\033[36m",
};

void
term_init(struct term *t, int fd)
{
	const char *no = getenv("NO_COLOR"), *type = getenv("TERM"), *columns = getenv("COLUMNS");
	struct winsize size = {0};

	*t = (struct term){.tty = isatty(fd), .columns = 80};
	t->colour = t->tty && !(no && *no) && !(type && strcmp(type, "dumb") == 0);
	if (t->tty && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		t->columns = size.ws_col;
	else if (columns && strtol(columns, NULL, 10) > 0)
		t->columns = (int)strtol(columns, NULL, 10);
	if (t->columns < 40)
		t->columns = 40;
}

void
term_paint(const struct term *t, struct buf *out, enum term_colour c, const char *text)
{
	if (t->colour && c != TERM_PLAIN)
		buf_printf(out, "%s%s\033[0m", colours[c], text);
	else
		buf_puts(out, text);
}

/* Bytes of the character at s, escape sequences included as characters of no width. */
static size_t
term_char(const char *s, int *width)
{
	size_t n = 1;

	*width = 1;
	if (s[0] == '\033' && s[1] == '[') {
		*width = 0;
		n = 2 + strcspn(s + 2, "m");
		return s[n] ? n + 1 : n;
	}
	while (((unsigned char)s[n] & 0xC0) == 0x80)
		n++;
	return n;
}

int
term_width(const char *text)
{
	int sum = 0;

	while (*text) {
		int width;

		text += term_char(text, &width);
		sum += width;
	}
	return sum;
}

/* ---- wrapping ---- */

static bool
term_blank(char c)
{
	return c == ' ' || (c > 0 && c < 0x20 && c != '\033') || c == 0x7F;
}

/* The next word at *p and its width; false at the end. */
static bool
term_word(const char **p, size_t *len, int *width)
{
	const char *s = *p;

	while (*s && term_blank(*s))
		s++;
	*p = s;
	*len = 0;
	*width = 0;
	while (s[*len] && !term_blank(s[*len])) {
		int w;

		*len += term_char(s + *len, &w);
		*width += w;
	}
	return *len > 0;
}

void
term_wrap(struct buf *out, const char *text, int indent, int columns)
{
	int at = 0, width;
	size_t len;

	for (; term_word(&text, &len, &width); text += len) {
		if (at > 0 && at + 1 + width > columns) {
			buf_putc(out, '\n');
			at = 0;
		}
		if (at == 0) {
			buf_printf(out, "%*s", indent, "");
			at = indent;
		} else {
			buf_putc(out, ' ');
			at++;
		}
		buf_put(out, text, len);
		at += width;
	}
	if (at > 0)
		buf_putc(out, '\n');
}

/* ---- tables ---- */

void
term_table_init(struct term_table *t, int cells)
{
	must(cells > 0 && cells <= TERM_CELLS_MAX);
	memset(t, 0, sizeof(*t));
	t->cells = cells;
}

void
term_table_deinit(struct term_table *t)
{
	for (int i = 0; i < t->rows; i++)
		free(t->cell[i]);
	t->rows = 0;
}

void
term_table_put(struct term_table *t, enum term_colour c, const char *text)
{
	char *copy, *p;

	if (t->rows == TERM_ROWS_MAX * t->cells)
		return;
	copy = strdup(text && *text ? text : "-");
	for (p = copy; p && *p; p++)
		if (term_blank(*p) || *p == '\033')
			*p = ' ';
	t->colour[t->rows] = c;
	t->cell[t->rows++] = copy;
}

void
term_table_printf(struct term_table *t, enum term_colour c, const char *fmt, ...)
{
	AUTO(buf_deinit) struct buf text = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	term_table_put(t, c, buf_str(&text));
}

static const char *
term_cell(const struct term_table *t, int i)
{
	return t->cell[i] ? t->cell[i] : "?";
}

static void
term_table_measure(const struct term_table *t, int room, int width[TERM_CELLS_MAX])
{
	int sum = 2 * (t->cells - 1);

	memset(width, 0, TERM_CELLS_MAX * sizeof(*width));
	for (int i = 0; i < t->rows; i++) {
		int w = term_width(term_cell(t, i));

		if (w > width[i % t->cells])
			width[i % t->cells] = w;
	}
	for (int c = 0; c < t->cells; c++)
		sum += width[c];
	while (sum > room) {
		int widest = 0;

		for (int c = 1; c < t->cells; c++)
			if (width[c] > width[widest])
				widest = c;
		if (width[widest] <= 4)
			return;
		width[widest]--;
		sum--;
	}
}

/* At most width columns of text, then "…" when something was left off.  Returns the width put. */
static int
term_put_cut(struct buf *out, const char *text, int width)
{
	bool cut = term_width(text) > width;
	int room = cut ? width - 1 : width, at = 0;

	while (*text && at < room) {
		int w;
		size_t n = term_char(text, &w);

		buf_put(out, text, n);
		text += n;
		at += w;
	}
	if (cut)
		buf_puts(out, "…");
	return at + cut;
}

static void
term_table_cell(
	const struct term_table *t, const struct term *term, struct buf *out, int i, int width)
{
	AUTO(buf_deinit) struct buf text = {0};
	bool last = i % t->cells == t->cells - 1 || i == t->rows - 1;
	int used = term_put_cut(&text, term_cell(t, i), width);

	term_paint(term, out, i < t->cells ? TERM_DIM : t->colour[i], buf_str(&text));
	if (last)
		buf_putc(out, '\n');
	else
		buf_printf(out, "%*s", width - used + 2, "");
}

void
term_table_print(const struct term_table *t, const struct term *term, struct buf *out, int indent)
{
	int width[TERM_CELLS_MAX];

	term_table_measure(t, term->columns - indent, width);
	for (int i = 0; i < t->rows; i++) {
		if (i % t->cells == 0)
			buf_printf(out, "%*s", indent, "");
		term_table_cell(t, term, out, i, width[i % t->cells]);
	}
}
