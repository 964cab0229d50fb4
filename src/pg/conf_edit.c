/*
 * conf_edit - postgresql.conf and postgresql.auto.conf as text: keep every line but ours.
 */
#include "pg/conf_read.h"

#include <string.h>
#include <strings.h>

#define MARK "# podgres: the next two lines stay last, so that podgres.conf has the last word"

/* What one line sets; n 0 when it sets nothing or is not understood. */
static int
line_settings(struct conf_settings *s, const char *p, size_t n, conf_include_fn *include, void *arg)
{
	const struct conf_text t = {p, n, ""};
	struct err ignored = {0};

	return conf_parse(s, &t, include, arg, &ignored);
}

struct ours {
	const char *user_file, *owned_file;
	bool found;
};

static int
note_ours(void *arg, const struct conf_setting *at, struct err *e)
{
	struct ours *o = arg;

	(void)e;
	if (strcmp(at->value, CONF_USER_FILE) == 0 || strcmp(at->value, CONF_OWNED_FILE) == 0)
		o->found = true;
	return 0;
}

static bool
is_ours(const char *p, size_t n)
{
	AUTO(conf_settings_deinit) struct conf_settings s = {0};
	struct ours o = {0};

	if (n == strlen(MARK) && memcmp(p, MARK, n) == 0)
		return true;
	return line_settings(&s, p, n, note_ours, &o) == 0 && o.found;
}

static const char *
end_of_line(const char *p, const char *end)
{
	const char *eol = memchr(p, '\n', (size_t)(end - p));

	return eol ? eol : end;
}

int
conf_main_render(struct buf *out, const struct conf_text *t, const char *user_file,
	const char *owned_file, struct err *e)
{
	const char *p = t->text, *end = t->text + t->len, *eol;

	for (; p < end; p = eol + 1) {
		eol = end_of_line(p, end);
		if (is_ours(p, (size_t)(eol - p)))
			continue;
		buf_put(out, p, (size_t)(eol - p));
		buf_putc(out, '\n');
	}
	buf_printf(out, "%s\ninclude_if_exists '%s'\ninclude '%s'\n", MARK, user_file, owned_file);
	return buf_check(out, e);
}

int
conf_auto_render(struct buf *out, const struct conf_text *t, const struct conf_settings *owned,
	struct conf_settings *dropped, struct err *e)
{
	const char *p = t->text, *end = t->text + t->len, *eol;

	for (; p < end; p = eol + 1) {
		AUTO(conf_settings_deinit) struct conf_settings one = {0};

		eol = end_of_line(p, end);
		if (line_settings(&one, p, (size_t)(eol - p), NULL, NULL) == 0 && one.n == 1 &&
			conf_settings_get(owned, one.item[0].name)) {
			if (conf_settings_add(dropped, &one.item[0], e))
				return -1;
			continue;
		}
		buf_put(out, p, (size_t)(eol - p));
		buf_putc(out, '\n');
	}
	return buf_check(out, e);
}
