/*
 * buf - a growing string.
 */
#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#define BUF_MIN_CAP 128

void
buf_init(struct buf *b)
{
	*b = (struct buf){0};
}

void
buf_init_max(struct buf *b, size_t max_bytes)
{
	*b = (struct buf){.max = max_bytes};
}

void
buf_deinit(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}

static bool
buf_grow(struct buf *b, size_t more)
{
	size_t want, cap;
	char *p;

	if (b->failed)
		return false;
	if (__builtin_add_overflow(b->len, more + 1, &want) || (b->max && want > b->max + 1)) {
		b->failed = true;
		return false;
	}
	if (b->data && want <= b->cap)
		return true;
	cap = b->cap ? b->cap * 2 : BUF_MIN_CAP;
	if (cap < want)
		cap = want;
	p = realloc(b->data, cap);
	if (!p) {
		b->failed = true;
		return false;
	}
	b->data = p;
	b->cap = cap;
	return true;
}

void
buf_put(struct buf *b, const void *p, size_t n)
{
	if (!buf_grow(b, n))
		return;
	if (n)
		memcpy(b->data + b->len, p, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void
buf_puts(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void
buf_putc(struct buf *b, char c)
{
	buf_put(b, &c, 1);
}

void
buf_put_quoted(struct buf *b, const char *text, char quote)
{
	buf_putc(b, quote);
	for (; *text; text++) {
		if (*text == quote)
			buf_putc(b, quote);
		buf_putc(b, *text);
	}
	buf_putc(b, quote);
}

void
buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0) {
		b->failed = true;
		return;
	}
	if (!buf_grow(b, (size_t)n))
		return;
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	b->len += (size_t)n;
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data)
		b->data[0] = '\0';
}

void
buf_consume(struct buf *b, size_t n)
{
	must(n <= b->len);
	if (n == 0)
		return;
	memmove(b->data, b->data + n, b->len - n + 1);
	b->len -= n;
}

const char *
buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}

char *
buf_take(struct buf *b)
{
	char *p;

	if (!b->failed && !b->data)
		buf_put(b, "", 0);
	if (b->failed) {
		buf_deinit(b);
		return NULL;
	}
	p = take(b->data);
	*b = (struct buf){.max = b->max};
	return p;
}

int
buf_check(const struct buf *b, struct err *e)
{
	if (!b->failed)
		return 0;
	errno = ENOMEM;
	return err_sys(e, "buffer of %zu bytes", b->len);
}
