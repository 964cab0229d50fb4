/*
 * linebuf - cut a stream into lines, in bounded memory.
 */
#include "base/linebuf.h"

#include <string.h>

void
linebuf_init(struct linebuf *l, size_t max_bytes)
{
	*l = (struct linebuf){.max = max_bytes};
	buf_init(&l->held);
}

void
linebuf_deinit(struct linebuf *l)
{
	buf_deinit(&l->held);
}

bool
linebuf_pending(const struct linebuf *l)
{
	return l->held.len > 0 || l->skipping;
}

/* The newline that ends the line, or NULL. */
static char *
linebuf_end(struct linebuf *l, char *data, size_t n)
{
	char *end = data + n;

	if (!l->quoted)
		return memchr(data, '\n', n);
	for (char *p = data; p < end; p++) {
		if (l->in_quotes) {
			p = memchr(p, '"', (size_t)(end - p));
			if (!p)
				return NULL;
			l->in_quotes = false;
		} else if (*p == '"') {
			l->in_quotes = true;
		} else if (*p == '\n') {
			return p;
		}
	}
	return NULL;
}

/* Keeps as much of a piece as the limit and the memory allow; false: not all of it. */
static bool
linebuf_hold(struct linebuf *l, const char *data, size_t n)
{
	size_t room = l->max - l->held.len;

	buf_put(&l->held, data, n < room ? n : room);
	return n <= room && !l->held.failed;
}

static void
linebuf_emit(struct linebuf *l, bool cut, linebuf_fn *fn, void *arg)
{
	struct buf line = l->held;

	/* The callee may look at us, and change how we go on. */
	buf_init(&l->held);
	if (cut)
		l->truncated++;
	if (line.data)
		fn(line.data, line.len, cut, arg);
	buf_deinit(&line);
}

void
linebuf_feed(struct linebuf *l, char *data, size_t n, linebuf_fn *fn, void *arg)
{
	while (n > 0) {
		char *end = linebuf_end(l, data, n);
		size_t len = end ? (size_t)(end - data) : n;
		size_t step = end ? len + 1 : n;

		if (l->skipping) {
			l->skipping = !end;
		} else if (end && l->held.len == 0 && len <= l->max) {
			fn(data, len, false, arg);
		} else {
			bool whole = linebuf_hold(l, data, len);

			l->skipping = !whole && !end;
			if (end || !whole)
				linebuf_emit(l, !whole, fn, arg);
		}
		data += step;
		n -= step;
	}
}

void
linebuf_flush(struct linebuf *l, linebuf_fn *fn, void *arg)
{
	l->skipping = false;
	l->in_quotes = false;
	if (l->held.len > 0)
		linebuf_emit(l, false, fn, arg);
}

void
linebuf_unquote(struct linebuf *l, linebuf_fn *fn, void *arg)
{
	struct buf again = l->held;

	buf_init(&l->held);
	l->quoted = false;
	l->in_quotes = false;
	l->skipping = false;
	linebuf_feed(l, again.data, again.len, fn, arg);
	buf_deinit(&again);
}
