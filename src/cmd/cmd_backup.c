/*
 * cmd_backup - `podgres backup`: which subcommand does what.
 */
#include "cmd/archive_cli.h"

static const struct cli_verb verbs[] = {
	{"create", cmd_backup_create, 0, 0},
	{"list", cmd_backup_list, 0, 0},
	{"show", cmd_backup_show, 1, 1},
	{"verify", cmd_backup_verify, 0, -1},
	{"delete", cmd_backup_delete, 1, -1},
	{"prune", cmd_backup_prune, 0, 0},
	{"keep", cmd_backup_keep, 1, 2},
	{"unkeep", cmd_backup_unkeep, 1, 1},
};

int
cmd_backup(int argc, char **argv)
{
	struct cli_args args;
	struct opt_rest rest;
	int rc = 0;

	if (command_begin(argc, argv, &args, &rest, &rc) < 0)
		return rc;
	return cli_verb_run("backup", verbs, ARRAY_LEN(verbs), &args, &rest);
}
