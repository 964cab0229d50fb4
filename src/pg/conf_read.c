/*
 * conf_read - read and quote PostgreSQL's configuration file format.
 */
#include "pg/conf_read.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

void
conf_settings_deinit(struct conf_settings *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->item[i].name);
		free(s->item[i].value);
		free(s->item[i].file);
	}
	free(s->item);
	*s = (struct conf_settings){0};
}

static int
settings_grow(struct conf_settings *s, struct err *e)
{
	size_t cap = s->cap ? 2 * s->cap : 32;
	struct conf_setting *item;

	if (s->n < s->cap)
		return 0;
	item = reallocarray(s->item, cap, sizeof(*item));
	if (!item)
		return err_sys(e, "settings");
	s->item = item;
	s->cap = cap;
	return 0;
}

int
conf_settings_add(struct conf_settings *s, const struct conf_setting *copied, struct err *e)
{
	struct conf_setting own = {.line = copied->line};

	if (settings_grow(s, e))
		return -1;
	own.name = strdup(copied->name);
	own.value = strdup(copied->value);
	own.file = strdup(copied->file ? copied->file : "");
	s->item[s->n++] = own;
	if (!own.name || !own.value || !own.file) {
		s->n--;
		free(own.name);
		free(own.value);
		free(own.file);
		return err_sys(e, "settings");
	}
	return 0;
}

const struct conf_setting *
conf_settings_get(const struct conf_settings *s, const char *name)
{
	for (size_t i = s ? s->n : 0; i > 0; i--)
		if (strcasecmp(s->item[i - 1].name, name) == 0)
			return &s->item[i - 1];
	return NULL;
}

const char *
conf_settings_value(const struct conf_settings *s, const char *name, const char *fallback)
{
	const struct conf_setting *got = conf_settings_get(s, name);

	return got ? got->value : fallback;
}

static bool
letter(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static bool
letter_or_digit(unsigned char c)
{
	return letter(c) || (c >= '0' && c <= '9') || c == '$';
}

static bool
blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* Length of the name at p, 0 when there is none. */
static size_t
name_length(const char *p, size_t n)
{
	size_t i = 0;

	for (int part = 0; part < 2; part++) {
		if (i >= n || !letter((unsigned char)p[i]))
			return part == 0 ? 0 : i - 1;
		while (i < n && letter_or_digit((unsigned char)p[i]))
			i++;
		if (i >= n || p[i] != '.')
			return i;
		i++;
	}
	return i - 1;
}

bool
conf_name_ok(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && name_length(name, n) == n;
}

static int
octal(const char *p, size_t n, size_t *used)
{
	int v = 0;

	for (*used = 0; *used < 3 && *used < n && p[*used] >= '0' && p[*used] <= '7'; ++*used)
		v = v * 8 + (p[*used] - '0');
	return v & 0xff;
}

/* One escape after its backslash; returns the bytes it took. */
static size_t
unescape(struct buf *out, const char *p, size_t n)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *at;
	size_t used;
	int v;

	if (*p >= '0' && *p <= '7') {
		v = octal(p, n, &used);
		buf_putc(out, (char)v);
		return used;
	}
	at = strchr(from, *p);
	buf_putc(out, at && *at ? to[at - from] : *p);
	return 1;
}

/* p[0] is the opening quote.  Returns the bytes of the string with its quotes, 0 if it has no end.
 */
static size_t
quoted_value(struct buf *out, const char *p, size_t n)
{
	size_t i = 1;

	while (i < n) {
		if (p[i] == '\'' && (i + 1 >= n || p[i + 1] != '\''))
			return i + 1;
		if (p[i] == '\'') {
			buf_putc(out, '\'');
			i += 2;
		} else if (p[i] == '\\') {
			if (++i >= n)
				return 0;
			i += unescape(out, p + i, n - i);
		} else {
			buf_putc(out, p[i++]);
		}
	}
	return 0;
}

static size_t
bare_value(struct buf *out, const char *p, size_t n)
{
	size_t i = 0;

	while (i < n && (letter_or_digit((unsigned char)p[i]) || (p[i] && strchr("-+.:/", p[i]))))
		i++;
	buf_put(out, p, i);
	return i;
}

static size_t
skip_blank(const char *p, size_t n, size_t i)
{
	while (i < n && blank(p[i]))
		i++;
	return i;
}

/* 1: a setting; 0: an empty line; -1: neither. */
static int
parse_line(const char *p, size_t n, struct buf *name, struct buf *value)
{
	size_t i = skip_blank(p, n, 0), len;

	if (i >= n || p[i] == '#')
		return 0;
	len = name_length(p + i, n - i);
	if (len == 0)
		return -1;
	buf_put(name, p + i, len);
	i += len;
	if (i < n && !blank(p[i]) && p[i] != '=' && p[i] != '\'')
		return -1;
	i = skip_blank(p, n, i);
	if (i < n && p[i] == '=')
		i = skip_blank(p, n, i + 1);
	if (i >= n)
		return -1;
	len = p[i] == '\'' ? quoted_value(value, p + i, n - i) : bare_value(value, p + i, n - i);
	i = skip_blank(p, n, i + len);
	return len > 0 && (i >= n || p[i] == '#') ? 1 : -1;
}

static bool
is_include(const char *name)
{
	return strcasecmp(name, "include") == 0 || strcasecmp(name, "include_if_exists") == 0 ||
	       strcasecmp(name, "include_dir") == 0;
}

int
conf_parse(struct conf_settings *s, const struct conf_text *t, conf_include_fn *include, void *arg,
	struct err *e)
{
	AUTO(buf_deinit) struct buf name = {0}, value = {0};
	const char *p = t->text, *end = t->text + t->len, *eol;
	AUTO(free) char *file = strdup(t->file);

	for (int line = 1; p < end; line++, p = eol + 1) {
		struct conf_setting at = {.file = file, .line = line};
		int got;

		eol = memchr(p, '\n', (size_t)(end - p));
		eol = eol ? eol : end;
		buf_reset(&name);
		buf_reset(&value);
		got = parse_line(p, (size_t)(eol - p), &name, &value);
		if (got < 0)
			return err_set(e, ERR_CONFIG,
				"%s:%d: this is not a setting, expected "
				"NAME = 'VALUE'",
				t->file, line);
		if (got == 0)
			continue;
		if (buf_check(&name, e) || buf_check(&value, e))
			return -1;
		at.name = name.data;
		at.value = value.data ? value.data : (char[]){""};
		if (!is_include(at.name)) {
			if (conf_settings_add(s, &at, e))
				return -1;
		} else if (include && include(arg, &at, e)) {
			return -1;
		}
	}
	return 0;
}

void
conf_quote(struct buf *out, const char *value)
{
	buf_putc(out, '\'');
	for (const char *p = value; *p; p++) {
		if (*p == '\'' || *p == '\\')
			buf_putc(out, *p);
		if (*p == '\n')
			buf_puts(out, "\\n");
		else if (*p == '\r')
			buf_puts(out, "\\r");
		else
			buf_putc(out, *p);
	}
	buf_putc(out, '\'');
}
