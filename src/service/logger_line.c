/*
 * logger_line - one line of an input becomes one line on stdout.
 *
 * Process: logger.
 */
#include "service/logger.h"

#include <string.h>

#include "base/clock.h"

#define LINE_MAX_BYTES (LOGGER_RING_BYTES / 4 * 3)
#define LINE_KEEP_BYTES ((size_t)16 << 10) /* of memory between lines */
/* The fields of a record fit when they are this short, even if each byte becomes \u00XX. */
#define FIELD_MAX_BYTES ((size_t)8 << 10)

static void
logger_begin(struct logger *l)
{
	if (l->line.cap > LINE_KEEP_BYTES)
		buf_deinit(&l->line);
	buf_reset(&l->line);
	l->line.max = LINE_MAX_BYTES;
	l->style.wall_us = clock_wall_us();
	l->style.field_max = 0;
}

static void
logger_end(struct logger *l)
{
	if (l->line.failed)
		logger_out_drop(&l->out, l->line.len);
	else
		logger_out_put(&l->out, l->line.data, l->line.len);
}

/* Made shorter when it is too long for us: the second attempt fails for want of memory only. */
static bool
logger_too_long(struct logger *l)
{
	if (!l->line.failed)
		return false;
	buf_reset(&l->line);
	l->style.field_max = FIELD_MAX_BYTES;
	return true;
}

static void
logger_put_record(struct logger *l)
{
	logger_begin(l);
	logrec_render(&l->rec, &l->style, &l->line);
	if (logger_too_long(l))
		logrec_render(&l->rec, &l->style, &l->line);
	logger_end(l);
	logger_board_record(l);
}

static void
logger_put_raw(struct logger *l, const struct logrec_raw *raw)
{
	if (raw->len == 0)
		return;
	logger_begin(l);
	logrec_render_raw(raw, &l->style, &l->line);
	if (logger_too_long(l))
		logrec_render_raw(raw, &l->style, &l->line);
	logger_end(l);
}

static void
logger_put_own(struct logger *l, char *line, size_t n)
{
	logger_begin(l);
	logrec_render_own(line, n, &l->style, &l->line);
	logger_end(l);
}

/* ---- by form ---- */

static void
logger_raw(struct logger *l, char *line, size_t n, bool cut)
{
	if (!cut && logrec_own(line, n))
		logger_put_own(l, line, n);
	else if (logrec_plain(&l->rec, line, n, cut))
		logger_put_record(l);
	else
		logger_put_raw(l, &(struct logrec_raw){"output", line, n, cut});
}

static void
logger_plain(struct logger *l, char *line, size_t n, bool cut)
{
	if (logrec_plain(&l->rec, line, n, cut))
		logger_put_record(l);
	else
		logger_put_raw(l, &(struct logrec_raw){"postgres", line, n, cut});
}

/* A collector killed in the middle of a line leaves its half in front of the next one's first line:
 * inside a record the key cannot stand like this, its quotes would be escaped. */
static void
logger_json(struct logger *l, char *line, size_t n, bool cut)
{
	static const char begin[] = "{\"timestamp\":\"";
	char *at = line, *end = line + n;

	while (!logrec_json(&l->rec, at, (size_t)(end - at), cut)) {
		at = at < end ? memmem(at + 1, (size_t)(end - at - 1), begin, sizeof(begin) - 1)
			      : NULL;
		if (!at) {
			logger_put_raw(l, &(struct logrec_raw){"postgres", line, n, cut});
			return;
		}
	}
	logger_put_raw(l, &(struct logrec_raw){"postgres", line, (size_t)(at - line), true});
	logger_put_record(l);
}

/*
 * Where a record of several lines ends is known only when its beginning was seen, and a logger or a
 * collector that was killed leaves halves.  So when a record does not come out whole, or does not
 * end in time, we go on line by line, and count quotes again once a line was a record.
 */
static void
logger_csv(struct logger_input *in, char *line, size_t n, bool cut)
{
	struct logger *l = in->logger;
	bool whole = logrec_csv(&l->rec, line, n, cut);

	/* Cut without counting its quotes: where it ends is not known either. */
	in->lines.quoted = whole && (!cut || in->lines.quoted);
	if (whole) {
		logger_put_record(l);
		return;
	}
	for (char *end = line + n; line < end;) {
		char *nl = memchr(line, '\n', (size_t)(end - line));
		size_t len = (size_t)((nl ? nl : end) - line);

		if (nl && logrec_csv(&l->rec, line, len, false))
			logger_put_record(l);
		else
			logger_put_raw(l, &(struct logrec_raw){"postgres", line, len, cut && !nl});
		line += len + 1;
	}
}

void
logger_line(char *line, size_t n, bool cut, void *arg)
{
	struct logger_input *in = arg;
	struct logger *l = in->logger;

	in->moved = true;
	l->truncated += cut;
	if (n > 0 && line[n - 1] == '\r')
		n--;
	switch (in->form) {
	case LOGGER_JSON:
		logger_json(l, line, n, cut);
		break;
	case LOGGER_CSV:
		logger_csv(in, line, n, cut);
		break;
	case LOGGER_PLAIN:
		logger_plain(l, line, n, cut);
		break;
	default:
		logger_raw(l, line, n, cut);
		break;
	}
}
