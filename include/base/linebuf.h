/*
 * linebuf - cut a stream into lines, in bounded memory.
 *
 * Only the beginning of a line that has not ended is held; a line that comes whole is handed on
 * where it lies.  A line longer than max is handed on once, cut, and the rest of it is skipped to
 * its newline without being kept, so that no line, however long, makes memory grow.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct linebuf {
	struct buf held; /* the beginning of a line */
	size_t max;      /* bytes of a line that are kept */
	bool quoted;     /* a newline between double quotes ends no line (CSV, RFC 4180); a callback
			    may change it for the lines that follow */
	bool in_quotes;
	bool skipping;      /* the line was cut: what is left of it goes nowhere */
	uint64_t truncated; /* lines cut */
};

/* The line without its newline; the callee may change its bytes, they are gone after the call.
 * cut: the line was longer. */
typedef void linebuf_fn(char *line, size_t n, bool cut, void *arg);

void linebuf_init(struct linebuf *l, size_t max_bytes);
void linebuf_deinit(struct linebuf *l);
void linebuf_feed(struct linebuf *l, char *data, size_t n, linebuf_fn *fn, void *arg);
/* The stream has paused or ended: hands on what is held as a line of its own, ends skipping. */
void linebuf_flush(struct linebuf *l, linebuf_fn *fn, void *arg);
/* Quotes did not close: cuts what is held again, at each newline, and goes on so. */
void linebuf_unquote(struct linebuf *l, linebuf_fn *fn, void *arg);
/* Whether linebuf_flush() would do anything. */
bool linebuf_pending(const struct linebuf *l);
