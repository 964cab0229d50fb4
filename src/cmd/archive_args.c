/*
 * archive_args - the archive of the manifest, for commands that go to the store themselves.
 */
#include "cmd/archive_args.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cmd/run_options.h"
#include "service/spec_file.h"

#define ARCHIVE_PATIENCE_MS (60 * SEC_MS)

/* The environment and the defaults of `podgres run`. */
static int
args_options(struct run_options *opt, const struct cli_args *args, struct err *e)
{
	struct opt_set set = run_options_set();
	char name[] = "wal";
	char *argv[] = {name, NULL};
	struct opt_rest none = {.argc = 1, .argv = argv};

	if (opts_parse(&set, &none, opt, e) < 0)
		return -1;
	if (*args->config)
		snprintf(opt->config, sizeof(opt->config), "%s", args->config);
	if (*args->secrets_dir)
		snprintf(opt->secrets_dir, sizeof(opt->secrets_dir), "%s", args->secrets_dir);
	if (!*opt->config)
		return err_set(e, ERR_CONFIG,
			"no manifest: --config FILE or PODGRES_CONFIG says where the archive is");
	return 0;
}

/* The own store; without one, the only external cluster's. */
static const char *
args_from(const struct cli_args *args, const struct spec *spec)
{
	const char *found = NULL;

	if (strcmp(args->from, "own") == 0)
		return NULL;
	if (*args->from || spec->backup.store.set)
		return *args->from ? args->from : NULL;
	for (size_t i = 0; i < spec->externals; i++)
		if (spec->external[i].store.set && !found)
			found = spec->external[i].name;
	return found;
}

int
archive_args_open(struct archive_args *out, const struct cli_args *args, struct err *e)
{
	struct archive_patience patience = {.total_ms = ARCHIVE_PATIENCE_MS};

	*out = (struct archive_args){.spec = NULL};
	if (args->timeout_ms)
		patience.total_ms = args->timeout_ms;
	if (args_options(&out->opt, args, e) < 0 ||
		spec_file_load(&out->spec, &out->opt, NULL, e) < 0)
		return -1;
	return archive_open(
		&out->archive, out->spec, args_from(args, out->spec), &out->opt, &patience, e);
}

void
archive_args_close(struct archive_args *a)
{
	a->archive = archive_close(a->archive);
	a->spec = spec_free(a->spec);
}
