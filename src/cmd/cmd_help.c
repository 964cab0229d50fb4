/*
 * cmd_help - `podgres help`: the commands, and the tables podgres works by.
 */
#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "base/term.h"
#include "cmd/cmd.h"
#include "cmd/help_manifest.h"
#include "core/fsm.h"

static const char *const groups[] = {
	[GROUP_RUN] = "The manager",
	[GROUP_LOOK] = "Looking",
	[GROUP_ORDER] = "Orders to the manager of this pod",
	[GROUP_ARCHIVE] = "The archive",
	[GROUP_TOOL] = "Tools",
};

#define TEXT_AT 15 /* column of a command's summary */

static void
help_command_line(struct buf *out, const struct command *c, int columns)
{
	AUTO(buf_deinit) struct buf text = {0}, line = {0};

	buf_printf(&text, "%s%s", c->summary, c->missing ? " (not yet)" : "");
	term_wrap(&line, buf_str(&text), TEXT_AT, columns);
	buf_printf(out, "  %-*s", TEXT_AT - 2, c->name);
	buf_puts(out, buf_str(&line) + TEXT_AT);
}

static void
help_overview(struct buf *out, int columns)
{
	buf_puts(out, "usage: " PROGRAM " COMMAND [OPTION...]\n\n");
	term_wrap(out,
		"podgres manages one PostgreSQL in one pod: it prepares, starts, watches, fences, "
		"promotes and stops it, and answers HTTP about it.",
		0, columns);
	for (size_t g = 0; g < ARRAY_LEN(groups); g++) {
		buf_printf(out, "\n%s:\n", groups[g]);
		for (size_t i = 0; i < COMMANDS; i++)
			if (commands[i].group == g)
				help_command_line(out, &commands[i], columns);
	}
	buf_puts(out,
		"\n" PROGRAM " help COMMAND       options of a command, as COMMAND --help\n" PROGRAM
		" help states        the state table\n" PROGRAM
		" help errors        kinds of errors, exit codes, HTTP status\n" PROGRAM
		" help options       every option and its environment variable\n" PROGRAM
		" help manifest      fields of a manifest; with a path, what is below it\n");
}

static void
help_states(struct buf *out, int columns)
{
	(void)columns;
	fsm_print(out);
}

static void
help_errors(struct buf *out, int columns)
{
	(void)columns;
	buf_printf(out, "%-9s %5s %5s %6s  %s\n", "KIND", "EXIT", "HTTP", "RETRY", "MEANING");
#define KIND(name, retry, http, exit, meaning) \
	buf_printf(out, "%-9s %5d %5d %6s  %s\n", #name, exit, http, retry ? "yes" : "no", meaning);
#include "tbl/err_kinds.h"
#undef KIND
}

static void
help_options(struct buf *out, int columns)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		struct opt_set set = command_options((enum command_id)i);

		if (commands[i].group == GROUP_HIDDEN || commands[i].missing)
			continue;
		if (i)
			buf_putc(out, '\n');
		command_usage((enum command_id)i, out, columns, "");
		opts_help(&set, out, columns);
	}
}

static void
help_all_fields(struct buf *out, int columns)
{
	(void)columns;
	if (help_manifest(out, NULL) < 0)
		buf_puts(out, "no fields\n");
}

static const struct {
	const char *name;
	void (*print)(struct buf *out, int columns);
} topics[] = {
	{"states", help_states},
	{"errors", help_errors},
	{"options", help_options},
	{"manifest", help_all_fields},
};

static int
help_unknown(const char *word)
{
	struct err e = {0};
	struct suggest s;

	suggest_init(&s, word);
	for (size_t i = 0; i < ARRAY_LEN(topics); i++)
		suggest_offer(&s, topics[i].name);
	for (size_t i = 0; i < COMMANDS; i++)
		suggest_offer(&s, commands[i].name);
	err_set(&e, ERR_INVALID, "no help on %.64s%s%s%s", word, s.best ? "; did you mean " : "",
		s.best ? s.best : "", s.best ? "?" : "");
	return command_fail("help", &e, "podgres help lists what there is");
}

static int
help_on(const char *word, struct buf *out, int columns)
{
	enum command_id id = command_find(word);

	for (size_t i = 0; i < ARRAY_LEN(topics); i++) {
		if (strcmp(word, topics[i].name) == 0) {
			topics[i].print(out, columns);
			return 0;
		}
	}
	if (id == COMMANDS)
		return -1;
	command_help(id, out, columns);
	return 0;
}

/* `help manifest spec.bootstrap` */
static int
help_field(const char *path, struct buf *out)
{
	struct err e = {0};

	if (help_manifest(out, path) == 0)
		return command_print("help", out);
	err_set(&e, ERR_INVALID, "no field of a manifest is %.64s", path);
	return command_fail("help", &e, PROGRAM " help manifest lists the fields");
}

int
cmd_help(int argc, char **argv)
{
	AUTO(buf_deinit) struct buf out = {0};
	struct term term;

	term_init(&term, STDOUT_FILENO);
	if (argc > 2 && strcmp(argv[1], "manifest") == 0)
		return help_field(argv[2], &out);
	if (argc < 2 || argv[1][0] == '-')
		help_overview(&out, term.columns);
	else if (help_on(argv[1], &out, term.columns) < 0)
		return help_unknown(argv[1]);
	return command_print("help", &out);
}
