/*
 * roff - pieces of a manual page.
 */
#pragma once

#include "base/buf.h"

/* Text with what troff would read as its own made plain. */
void roff_text(struct buf *out, const char *text);
void roff_line(struct buf *out, const char *text);
/* A line that ends with a full stop. */
void roff_sentence(struct buf *out, const char *text);
void roff_head(struct buf *out, const char *title);
/* term in bold, rest in italics; NULL: none */
void roff_term(struct buf *out, const char *term, const char *rest);
