/*
 * cmd - the subcommands: one function each, one table of them all.
 *
 * A command gets its own name as argv[0] and returns the exit code of the process.  Exit codes
 * come from the kind of the error (include/tbl/err_kinds.h); messages go to stderr, results to
 * stdout.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "cmd/opts.h"

#define PROGRAM "podgres"

enum command_id {
#define COMMAND(name, text, function, group, usage, summary, missing) CMD_##name,
#include "tbl/commands.h"
#undef COMMAND
	COMMANDS
};

enum command_group { GROUP_RUN, GROUP_LOOK, GROUP_ORDER, GROUP_ARCHIVE, GROUP_TOOL, GROUP_HIDDEN };

struct command {
	const char *name;
	enum command_group group;
	const char *usage, *summary, *missing;
};

extern const struct command commands[COMMANDS];

typedef int command_fn(int argc, char **argv);
#define COMMAND(name, text, function, group, usage, summary, missing) command_fn function;
#include "tbl/commands.h"
#undef COMMAND
/* kubectl-podgres: `kubectl podgres COMMAND CLUSTER` runs the command in the cluster's pods. */
command_fn cmd_kubectl;

#define ON(name) (UINT64_C(1) << CMD_##name)
#define ON_ORDERS                                                                          \
	(ON(PROMOTE) | ON(SWITCHOVER) | ON(FENCE) | ON(RESTART) | ON(RELOAD) | ON(PAUSE) | \
		ON(REINIT) | ON(FOLLOW))

/* What the commands that talk to a manager were told (include/tbl/cli_options.h). */
struct cli_args {
	char run_dir[512];
	bool json, verbose, no_wait;
	int64_t timeout_ms; /* 0: the command's own */
	uint32_t mode;      /* enum order_mode */
	char accept_loss[32], token[24];
	char reason[128];
	/* backup create */
	char name[64], rate[32];
	bool immediate, incremental;
	uint32_t keep; /* enum order_keep */
	/* wal */
	bool follow;
	/* commands that open the archive themselves */
	char config[512], secrets_dir[512], from[256], cluster_name[256];
	bool dry_run, force, yes, read;
	/* restore */
	char bindir[512], user[64], to[512], backup[128], tablespace[2048];
	char target_time[128], target_lsn[40], target_xid[40], target_name[128],
		target_timeline[16];
	bool target_immediate, exclusive, no_replay;
	bool rehearse; /* of backup verify */
};

/* The subcommands of `podgres wal`, likewise. */
int cmd_wal_status(const struct cli_args *args, const struct opt_rest *rest);
int cmd_wal_jobs(const struct cli_args *args, const struct opt_rest *rest);
int cmd_wal_fetch(const struct cli_args *args, const struct opt_rest *rest);
int cmd_wal_push(const struct cli_args *args, const struct opt_rest *rest);
/* The subcommands of `podgres backup`; rest->arg[0] is the subcommand's name. */
int cmd_backup_create(const struct cli_args *args, const struct opt_rest *rest);

/* COMMANDS when there is none of that name. */
enum command_id command_find(const char *name);
/* The options of a command; an empty set for those that take none. */
struct opt_set command_options(enum command_id id);
/* "podgres NAME ARGUMENTS" behind a word, broken where the terminal ends. */
void command_usage(enum command_id id, struct buf *out, int columns, const char *before);
/* Usage, summary and options, as `podgres NAME --help` prints them. */
void command_help(enum command_id id, struct buf *out, int columns);
int command_print_help(enum command_id id); /* on stdout; returns the exit code */

/*
 * What every client command begins with: parses its options, answers --help.  Returns 0 to go on,
 * -1 when the command is over with *exit_code.
 */
int command_begin(int argc, char **argv, struct cli_args *args, struct opt_rest *rest,
	int *exit_code) MUSTCHECK;
/* "podgres NAME: MESSAGE" on stderr, and the hint below it unless "".  Returns the exit code. */
int command_fail(const char *name, const struct err *e, const char *hint);
/* Writes out to stdout; a reader that went away is no error of ours.  Returns the exit code. */
int command_print(const char *name, const struct buf *out);
