/*
 * log - one JSON object a line, never waiting for the reader.
 */
#include "base/log.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define LOG_LINE_MAX 4096 /* PIPE_BUF: a write of at most this is not mixed with another's */

static struct log_config conf = {.logger = "podgres", .pod = "", .level = LOG_INFO, .fd = -1};
static uint64_t dropped;

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARNING] = "warning",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
	[LOG_TRACE] = "trace",
};

void
log_init(const struct log_config *config)
{
	conf = *config;
}

enum log_level
log_get_level(void)
{
	return conf.level;
}

uint64_t
log_dropped(void)
{
	return dropped;
}

const char *
log_level_name(enum log_level level)
{
	return level_names[level];
}

/* ---- a line in fixed memory: the supervisor logs on paths that may not allocate ---- */

struct line {
	char *at;
	char *end; /* room is kept for the closing of the object */
};

static void
line_putc(struct line *l, char c)
{
	if (l->at < l->end)
		*l->at++ = c;
}

static void
line_puts(struct line *l, const char *s)
{
	while (*s)
		line_putc(l, *s++);
}

/* Other processes' text comes through the logger, which repairs UTF-8; here only ASCII needs care.
 */
static void
line_escaped(struct line *l, const char *s)
{
	for (; *s && l->end - l->at > 8; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\') {
			line_putc(l, '\\');
			line_putc(l, *s);
		} else if (c == '\n') {
			line_puts(l, "\\n");
		} else if (c == '\t') {
			line_puts(l, "\\t");
		} else {
			line_putc(l, c < 0x20 ? ' ' : *s);
		}
	}
}

static void
line_pair(struct line *l, const char *key, const char *value)
{
	line_puts(l, ",\"");
	line_puts(l, key);
	line_puts(l, "\":\"");
	line_escaped(l, value);
	line_putc(l, '"');
}

static void
line_field(struct line *l, const struct log_field *f, bool text)
{
	char num[24];

	snprintf(num, sizeof(num), "%lld", (long long)f->num);
	if (text) {
		line_putc(l, ' ');
		line_puts(l, f->key);
		line_putc(l, '=');
		line_puts(l, f->str ? f->str : num);
	} else if (f->str) {
		line_pair(l, f->key, f->str);
	} else {
		line_puts(l, ",\"");
		line_puts(l, f->key);
		line_puts(l, "\":");
		line_puts(l, num);
	}
}

size_t
log_render(char *out, size_t size, const struct log_line *line)
{
	struct line l = {.at = out, .end = out + size - 8};
	char ts[CLOCK_RFC3339_SIZE];

	must(size >= 256);
	clock_rfc3339(clock_wall_us(), ts);
	if (conf.text) {
		line_puts(&l, ts);
		line_putc(&l, ' ');
		line_puts(&l, level_names[line->level]);
		line_putc(&l, ' ');
		line_puts(&l, conf.logger);
		line_puts(&l, ": ");
		line_puts(&l, line->msg);
	} else {
		line_puts(&l, "{\"ts\":\"");
		line_puts(&l, ts);
		line_puts(&l, "\",\"level\":\"");
		line_puts(&l, level_names[line->level]);
		line_putc(&l, '"');
		line_pair(&l, "logger", conf.logger);
		line_pair(&l, "msg", line->msg);
		line_pair(&l, "pod", conf.pod);
	}
	for (size_t i = 0; i < line->n; i++)
		line_field(&l, &line->fields[i], conf.text);

	l.end = out + size;
	line_puts(&l, conf.text ? "\n" : "}\n");
	*l.at = '\0';
	return (size_t)(l.at - out);
}

void
log_write(enum log_level level, const char *msg, const struct log_field *fields, size_t n)
{
	int fd = conf.fd >= 0 ? conf.fd : STDERR_FILENO;
	int saved = errno;
	const struct log_line line = {level, msg, fields, n};
	char out[LOG_LINE_MAX];
	size_t len;

	if (level > conf.level)
		return;
	len = log_render(out, sizeof(out), &line);
	if (write(fd, out, len) != (ssize_t)len)
		dropped++;
	errno = saved;
}
