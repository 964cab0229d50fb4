/*
 * archive_cli - what the commands that look into the archive themselves begin with.
 */
#pragma once

#include "base/term.h"
#include "cmd/cmd.h"
#include "core/retention.h"
#include "service/archive.h"

struct archive_cli {
	const struct cli_args *args;
	const char *from; /* the external cluster; NULL: the own archive */
	const char *name; /* "backup list", for messages */
	struct spec *spec;
	struct run_options *opt;
	struct archive *archive;
	struct archive_catalog catalog;
	struct retention_policy policy;
	struct retention_plan plan; /* by the manifest's policy */
	struct term out, err;
	bool line; /* a progress line stands on the terminal */
};

/* The manifest, the store, what is there, and what the policy makes of it. */
int archive_cli_open(struct archive_cli *x, const char *name, const struct cli_args *args,
	struct err *e) MUSTCHECK;
void archive_cli_close(struct archive_cli *x);
static inline void
archive_cli_close_auto(struct archive_cli *x)
{
	archive_cli_close(x);
}
/* By ID, name, "latest" or "oldest"; the place in catalog.info. */
int archive_cli_find(
	const struct archive_cli *x, const char *word, size_t *out, struct err *e) MUSTCHECK;
/* On a terminal: one line on stderr that replaces the one before. */
void archive_cli_progress(struct archive_cli *x, const char *fmt, ...) PRINTF(2, 3);
void archive_cli_progress_end(struct archive_cli *x);
#define ARCHIVE_CLI_BYTES 24
const char *archive_cli_bytes(int64_t bytes, char out[ARCHIVE_CLI_BYTES]); /* "1.2 GB" */

/* Each gets argv behind the name of the command: rest->arg[0] is the subcommand. */
typedef int cli_verb_fn(const struct cli_args *args, const struct opt_rest *rest);
struct cli_verb {
	const char *name;
	cli_verb_fn *fn;
	int least, most; /* words behind it; most -1: any */
};
/* Finds the verb and runs it; without one: the first of the table when bare is set, else usage. */
int cli_verb_run(const char *command, const struct cli_verb *verb, size_t n,
	const struct cli_args *args, struct opt_rest *rest);

cli_verb_fn cmd_backup_list, cmd_backup_show, cmd_backup_verify, cmd_backup_delete,
	cmd_backup_prune, cmd_backup_keep, cmd_backup_unkeep;
cli_verb_fn cmd_wal_verify;
