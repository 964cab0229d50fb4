/*
 * buf - a growing string.
 *
 * A failed allocation is remembered and makes every later put a no-op, so that a caller checks
 * once, at the end, with buf_check().  data is always NUL-terminated; it may hold NUL bytes inside.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>

#include "base/err.h"

struct buf {
	char *data; /* owned; never NULL after the first put, else NULL */
	size_t len; /* bytes, without the terminating NUL */
	size_t cap;
	size_t max; /* bytes; growing beyond it fails.  0: no limit */
	bool failed;
};

void buf_init(struct buf *b);
void buf_init_max(struct buf *b, size_t max_bytes);
void buf_deinit(struct buf *b); /* idempotent */
static inline void
buf_deinit_auto(struct buf *b)
{
	buf_deinit(b);
}

void buf_put(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
/* Between quotes; a quote inside is doubled, as SQL and PostgreSQL's files of rules have it. */
void buf_put_quoted(struct buf *b, const char *text, char quote);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF(2, 0);
void buf_reset(struct buf *b);             /* empties, keeps the memory, forgets a failure */
void buf_consume(struct buf *b, size_t n); /* drops the first n bytes, n <= len */
const char *buf_str(const struct buf *b);  /* never NULL */
char *buf_take(struct buf *b);             /* the caller frees; NULL after a failure */
int buf_check(const struct buf *b, struct err *e) MUSTCHECK;
