/*
 * pytext - Python's literals as Barman writes and reads them (repr, ast.literal_eval).
 */
#pragma once

#include "base/buf.h"

/* One string literal at s, up to end: its text is appended to out, and what follows the closing
 * quote returned.  NULL: not a string literal, or one with a NUL in it. */
const char *pytext_read(const char *s, const char *end, struct buf *out);
/* The text as repr() has it; what is not UTF-8 becomes \xNN. */
void pytext_print(struct buf *out, const char *text);
