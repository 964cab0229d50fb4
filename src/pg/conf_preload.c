/*
 * conf_preload - which libraries postgres loads at its start.
 *
 * A parameter of a managed extension brings its library along, as CloudNativePG does it.
 */
#include "pg/conf.h"

#include <string.h>
#include <strings.h>

static const char *const managed[] = {
	"pg_stat_statements", "pgaudit", "auto_explain", "pg_failover_slots"};

/* out is the list so far: items are separated by ", ", so whole items are compared. */
static bool
has(const struct buf *out, const char *item, size_t n)
{
	const char *p = buf_str(out);

	while (*p) {
		size_t len = strcspn(p, ",");

		if (len == n && memcmp(p, item, n) == 0)
			return true;
		p += len;
		p += strspn(p, ", ");
	}
	return false;
}

static size_t
add(struct buf *out, const char *item, size_t n)
{
	if (n == 0 || has(out, item, n))
		return 0;
	if (out->len > 0)
		buf_puts(out, ", ");
	buf_put(out, item, n);
	return 1;
}

/* A list as PostgreSQL reads it: commas between, blanks around, perhaps double quotes. */
static size_t
add_list(struct buf *out, const char *list)
{
	size_t added = 0;

	for (const char *p = list; *p;) {
		size_t n;

		p += strspn(p, ", \t\n");
		if (*p == '"') {
			n = strcspn(++p, "\"");
			added += add(out, p, n);
			p += n + (p[n] == '"');
			continue;
		}
		n = strcspn(p, ", \t\n");
		added += add(out, p, n);
		p += n;
	}
	return added;
}

static size_t
add_managed(struct buf *out, const struct spec *spec)
{
	size_t added = 0;

	for (size_t m = 0; m < ARRAY_LEN(managed); m++) {
		size_t n = strlen(managed[m]);

		for (size_t i = 0; i < spec->params; i++)
			if (strncasecmp(spec->param[i].name, managed[m], n) == 0 &&
				spec->param[i].name[n] == '.')
				added += add(out, managed[m], n);
	}
	return added;
}

/* CloudNativePG wrote its custom.conf from a manifest; with a manifest here, that one counts. */
static bool
superseded(const struct conf_input *in, const struct conf_setting *s)
{
	const char *slash = strrchr(s->file, '/');

	return in->manifest && strcmp(slash ? slash + 1 : s->file, "custom.conf") == 0;
}

size_t
conf_preload(struct buf *out, const struct conf_input *in)
{
	const struct conf_setting *s = conf_settings_get(in->base, "shared_preload_libraries");
	size_t n = 0;

	if (s && !superseded(in, s))
		n += add_list(out, s->value);
	for (size_t i = 0; i < in->spec->preload.n; i++)
		n += add_list(out, in->spec->preload.item[i].text);
	return n + add_managed(out, in->spec);
}
