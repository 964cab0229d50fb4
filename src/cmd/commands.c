/*
 * commands - what is known of every command, and what all of them begin and end with.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/term.h"
#include "cmd/cmd.h"
#include "cmd/run_options.h"

const struct command commands[COMMANDS] = {
#define COMMAND(name, text, function, group, usage, summary, missing) \
	[CMD_##name] = {text, GROUP_##group, usage, summary, missing},
#include "tbl/commands.h"
#undef COMMAND
};

static const struct opt cli_options[] = {
#define CLI_OPTION(name, letter, kind, field, env, dflt, arg, commands, help) \
	{name, letter, OPT_##kind, offsetof(struct cli_args, field),          \
		sizeof(((struct cli_args *)NULL)->field), env, dflt, arg, commands, help},
#include "tbl/cli_options.h"
#undef CLI_OPTION
};

enum command_id
command_find(const char *name)
{
	size_t i = 0;

	while (i < COMMANDS && strcmp(commands[i].name, name) != 0)
		i++;
	return (enum command_id)i;
}

struct opt_set
command_options(enum command_id id)
{
	struct opt_set set = {.command = commands[id].name};

	if (id == CMD_RUN)
		return run_options_set();
	set.opt = cli_options;
	set.n = ARRAY_LEN(cli_options);
	set.commands = UINT64_C(1) << id;
	set.pass_through = id == CMD_PSQL;
	return set;
}

int
command_fail(const char *name, const struct err *e, const char *hint)
{
	fprintf(stderr, PROGRAM "%s%s: %s\n", name ? " " : "", name ? name : "", e->msg);
	if (hint && *hint)
		fprintf(stderr, "hint: %s\n", hint);
	return err_exit(e);
}

int
command_print(const char *name, const struct buf *out)
{
	struct err e = {0};

	if (buf_check(out, &e) < 0)
		return command_fail(name, &e, NULL);
	if (fwrite(buf_str(out), 1, out->len, stdout) == out->len && fflush(stdout) == 0)
		return 0;
	if (errno == EPIPE)
		return 0;
	err_sys(&e, "standard output");
	return command_fail(name, &e, NULL);
}

void
command_usage(enum command_id id, struct buf *out, int columns, const char *before)
{
	AUTO(buf_deinit) struct buf text = {0};

	buf_printf(&text, "%s" PROGRAM " %s %s", before, commands[id].name, commands[id].usage);
	term_wrap(out, buf_str(&text), 0, columns);
}

void
command_help(enum command_id id, struct buf *out, int columns)
{
	const struct command *c = &commands[id];
	struct opt_set set = command_options(id);

	command_usage(id, out, columns, "usage: ");
	buf_putc(out, '\n');
	term_wrap(out, c->summary, 0, columns);
	if (c->missing)
		term_wrap(out, c->missing, 0, columns);
	buf_puts(out, "\nOptions:\n");
	opts_help(&set, out, columns);
}

/* --help for commands that are their own parsers. */
int
command_print_help(enum command_id id)
{
	AUTO(buf_deinit) struct buf out = {0};
	struct term term;

	term_init(&term, STDOUT_FILENO);
	command_help(id, &out, term.columns);
	return command_print(commands[id].name, &out);
}

int
command_begin(int argc, char **argv, struct cli_args *args, struct opt_rest *rest, int *exit_code)
{
	enum command_id id = command_find(argv[0]);
	struct opt_set set = command_options(id == COMMANDS ? CMD_HELP : id);
	struct err e = {0};

	memset(args, 0, sizeof(*args));
	*rest = (struct opt_rest){.argc = argc, .argv = argv};
	if (opts_parse(&set, rest, args, &e) < 0) {
		char hint[96];

		snprintf(hint, sizeof(hint), PROGRAM " %s --help lists the options", set.command);
		*exit_code = command_fail(set.command, &e, hint);
		return -1;
	}
	if (rest->help) {
		*exit_code = command_print_help(id == COMMANDS ? CMD_HELP : id);
		return -1;
	}
	return 0;
}

int
cmd_missing(int argc, char **argv)
{
	enum command_id id = command_find(argv[0]);
	struct err e = {0};

	must(id < COMMANDS && commands[id].missing);
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return command_print_help(id);
	err_set(&e, ERR_NOTIMPL, "%s", commands[id].missing);
	return command_fail(argv[0], &e, NULL);
}
