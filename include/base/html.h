/*
 * html - text of any bytes becomes text of an HTML document.
 *
 * What comes out can neither end the element or the quoted attribute it stands in, nor say anything
 * that a parser of HTML calls an error: bytes that are not UTF-8 and control characters become
 * U+FFFD, and so do those that turn the direction of what follows.
 */
#pragma once

#include "base/buf.h"

void html_putn(struct buf *out, const char *s, size_t n);
void html_put(struct buf *out, const char *s); /* up to its NUL */
