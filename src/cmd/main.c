/*
 * main - a table: the name of the command, the function that is it.
 */
#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "cmd/cmd.h"

static command_fn *const functions[COMMANDS] = {
#define COMMAND(name, text, function, group, usage, summary, missing) [CMD_##name] = function,
#include "tbl/commands.h"
#undef COMMAND
};

/* What people type before they have read anything. */
static const struct {
	const char *word;
	enum command_id command;
} aliases[] = {
	{"--help", CMD_HELP},
	{"-h", CMD_HELP},
	{"--version", CMD_VERSION},
	{"-V", CMD_VERSION},
};

static int
main_unknown(const char *word)
{
	struct err e = {0};
	struct suggest s;

	suggest_init(&s, word);
	for (size_t i = 0; i < COMMANDS; i++)
		if (commands[i].group != GROUP_HIDDEN)
			suggest_offer(&s, commands[i].name);
	if (s.best)
		err_set(&e, ERR_INVALID, "unknown command %.64s; did you mean %s?", word, s.best);
	else
		err_set(&e, ERR_INVALID, "unknown command %.64s", word);
	return command_fail(NULL, &e, "podgres help lists the commands");
}

int
main(int argc, char **argv)
{
	const char *base = argc > 0 ? strrchr(argv[0], '/') : NULL;
	enum command_id id;

	base = base ? base + 1 : argc > 0 ? argv[0] : PROGRAM;
	if (strcmp(base, "kubectl-podgres") == 0)
		return cmd_kubectl(argc, argv);
	if (argc < 2) {
		fprintf(stderr,
			"usage: podgres COMMAND [OPTION...]; podgres help lists the commands\n");
		return 64;
	}
	id = command_find(argv[1]);
	for (size_t i = 0; i < ARRAY_LEN(aliases); i++)
		if (strcmp(argv[1], aliases[i].word) == 0)
			id = aliases[i].command;
	if (id == COMMANDS)
		return main_unknown(argv[1]);
	return functions[id](argc - 1, argv + 1);
}
