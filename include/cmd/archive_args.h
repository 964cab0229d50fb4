/*
 * archive_args - the archive of the manifest, for commands that go to the store themselves.
 */
#pragma once

#include "cmd/cmd.h"
#include "service/archive.h"

struct archive_args {
	struct run_options opt;
	struct spec *spec;
	struct archive *archive;
};

/* By --config, --secrets-dir and --from, or the environment.  Messages go to stderr. */
int archive_args_open(
	struct archive_args *out, const struct cli_args *args, struct err *e) MUSTCHECK;
void archive_args_close(struct archive_args *a); /* idempotent */
static inline void
archive_args_close_auto(struct archive_args *a)
{
	archive_args_close(a);
}
