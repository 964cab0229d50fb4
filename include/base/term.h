/*
 * term - text for people: columns, wrapping, colour.
 *
 * Widths count what stands on the screen: UTF-8 sequences are one column each, the escape sequences
 * of colours none.  Colour is for terminals only, and never against NO_COLOR (no-color.org).
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"

struct term {
	bool tty;
	bool colour;
	int columns; /* at least 40 */
};

/* What stands behind fd: a terminal's own width, else $COLUMNS, else 80. */
void term_init(struct term *t, int fd);

enum term_colour { TERM_PLAIN, TERM_BOLD, TERM_DIM, TERM_RED, TERM_GREEN, TERM_YELLOW, TERM_CYAN };

/* Text in a colour, or as it is. */
void term_paint(const struct term *t, struct buf *out, enum term_colour c, const char *text);
int term_width(const char *text);
/* Text broken at spaces into lines of at most columns, each behind indent spaces, newline last.
 * Control characters become spaces. */
void term_wrap(struct buf *out, const char *text, int indent, int columns);

#define TERM_CELLS_MAX 12
#define TERM_ROWS_MAX 128

/* A table; cells are copied.  The first row is the head. */
struct term_table {
	int cells; /* in a row */
	int rows;  /* cells put so far; what is beyond the limit is dropped */
	char *cell[TERM_ROWS_MAX * TERM_CELLS_MAX];
	enum term_colour colour[TERM_ROWS_MAX * TERM_CELLS_MAX];
};

void term_table_init(struct term_table *t, int cells);
void term_table_deinit(struct term_table *t);
static inline void
term_table_deinit_auto(struct term_table *t)
{
	term_table_deinit(t);
}
/* Text may be NULL: "-".  Cells are put left to right, row after row. */
void term_table_put(struct term_table *t, enum term_colour c, const char *text);
void term_table_printf(struct term_table *t, enum term_colour c, const char *fmt, ...) PRINTF(3, 4);
/* Columns that do not fit into the width of the terminal are cut from the widest on, marked "…". */
void term_table_print(
	const struct term_table *t, const struct term *term, struct buf *out, int indent);
