/*
 * restore_args - what the commands that make a data directory share.
 */
#pragma once

#include "cmd/archive_cli.h"
#include "service/drill.h"

/* The options of the `podgres run` that would live in folder. */
int restore_options(struct run_options *opt, const struct cli_args *args, const char *folder,
	struct err *e) MUSTCHECK;
/* The rehearsal of one backup ("" for the newest) below --to, or a folder of its own in /var/tmp
 * that is removed afterwards. */
int restore_rehearse(struct archive_cli *x, const char *backup_id, struct drill_result *out,
	struct err *e) MUSTCHECK;
