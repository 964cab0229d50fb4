/*
 * cmd_help_manifest - `podgres help manifest`: the table of manifest fields.
 */
#include "cmd/help_manifest.h"

#include <string.h>

#include "core/field.h"
#include "core/guc.h"

static const char *const kinds[] = {"Cluster", "ScheduledBackup", "Backup", "Pooler"};

static void
print_classes(struct buf *out)
{
	for (int c = 0; c < FIELD_CLASSES; c++)
		buf_printf(out, "%-15s %s\n", field_class_text((enum field_class)c),
			field_class_meaning((enum field_class)c));
}

static void
print_owned(struct buf *out)
{
	const char *name, *reason;

	for (size_t i = 0; guc_owned(i, &name, &reason); i++)
		buf_printf(out, "%s\n    %s.\n", name, reason);
}

static void
print_parameters(struct buf *out)
{
	buf_puts(out, "\nParameters of PostgreSQL that podgres sets itself:\n\n");
	print_owned(out);
	buf_puts(out, "\nWhat podgres chooses where nobody else has:\n\n");
#define MEMBER_DEFAULT(id, min, max, text, why)
#define DEFAULT(id, min, max, text, why) \
	buf_printf(out, "%s = %s\n    %s.\n", #id, *text ? text : "by the WAL volume", why);
#include "tbl/conf_defaults.h"
#undef DEFAULT
#undef MEMBER_DEFAULT
}

/* The blocks of the table whose path begins with a prefix; a block is what follows a line that is
 * not indented. */
static int
keep_path(struct buf *out, const char *all, const char *prefix)
{
	size_t len = strlen(prefix);
	const char *end;
	bool keep = false, found = false;

	for (; *all; all = end) {
		end = strchrnul(all, '\n');
		end += *end == '\n';
		if (*all != ' ')
			keep = strncmp(all, prefix, len) == 0 && strchr(".[ \n", all[len]);
		if (keep)
			buf_put(out, all, (size_t)(end - all));
		found = found || keep;
	}
	return found ? 0 : -1;
}

int
help_manifest(struct buf *out, const char *only)
{
	AUTO(buf_deinit) struct buf all = {0};
	bool found = false;

	if (only && field_root(only) != FIELD_NONE) {
		field_print(out, only, -1);
		return 0;
	}
	if (!only) {
		buf_puts(out,
			"The manifest is CloudNativePG's (apiVersion postgresql.cnpg.io/v1).\n"
			"Of each field:\n\n");
		print_classes(out);
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		buf_reset(&all);
		field_print(&all, kinds[i], -1);
		if (!only)
			buf_printf(out, "\n%s", buf_str(&all));
		else if (keep_path(out, buf_str(&all), only) == 0)
			found = true;
	}
	if (!only)
		print_parameters(out);
	return only && !found ? -1 : 0;
}

/* ---- roff ---- */

/* What troff would take for its own, made plain. */
static void
roff_text(struct buf *out, const char *p, size_t n)
{
	if (n && (*p == '.' || *p == '\''))
		buf_puts(out, "\\&");
	for (; n; n--, p++) {
		if (*p == '\\')
			buf_puts(out, "\\e");
		else if (*p == '-')
			buf_puts(out, "\\-");
		else
			buf_putc(out, *p);
	}
}

/* Blocks of "NAME\n    line\n    line\n" become tagged paragraphs. */
static void
roff_blocks(struct buf *out, const char *text)
{
	const char *end;

	for (; *text; text = *end ? end + 1 : end) {
		end = strchrnul(text, '\n');
		if (end == text)
			continue;
		if (*text != ' ') {
			buf_puts(out, ".TP\n\\fB");
			roff_text(out, text, (size_t)(end - text));
			buf_puts(out, "\\fR\n");
		} else {
			text += strspn(text, " ");
			roff_text(out, text, (size_t)(end - text));
			buf_puts(out, "\n.br\n");
		}
	}
}

void
help_manifest_man(struct buf *out)
{
	AUTO(buf_deinit) struct buf text = {0};

	buf_puts(out, ".SH CLASSES\n");
	for (int c = 0; c < FIELD_CLASSES; c++)
		buf_printf(&text, "%s\n    %s.\n", field_class_text((enum field_class)c),
			field_class_meaning((enum field_class)c));
	roff_blocks(out, buf_str(&text));
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		buf_reset(&text);
		field_print(&text, kinds[i], -1);
		buf_printf(out, ".SH KIND %s\n", kinds[i]);
		roff_blocks(out, buf_str(&text));
	}
	buf_reset(&text);
	buf_puts(
		out, ".SH PARAMETERS\nPodgres sets these itself and refuses them in a manifest.\n");
	print_owned(&text);
	roff_blocks(out, buf_str(&text));
}
