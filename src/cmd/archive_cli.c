/*
 * archive_cli - what the commands that look into the archive themselves begin with.
 *
 * They need no manager: the manifest says where the archive is, and files below the secrets folder
 * who may read it.  So they work outside of a pod too.
 */
#include "cmd/archive_cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/suggest.h"
#include "service/spec_file.h"

#define SECRETS_DEFAULT "/etc/podgres/secrets"
#define CONFIG_DEFAULT "/etc/podgres/cluster.yaml"
#define ARCHIVE_CLI_ATTEMPTS 6 /* somebody sits before it: some seconds, not minutes */

static int
read_spec(struct archive_cli *x, struct err *e)
{
	const struct cli_args *args = x->args;

	x->opt = calloc(1, sizeof(*x->opt));
	if (!x->opt)
		return err_sys(e, "options");
	snprintf(x->opt->config, sizeof(x->opt->config), "%s",
		*args->config ? args->config : CONFIG_DEFAULT);
	snprintf(x->opt->secrets_dir, sizeof(x->opt->secrets_dir), "%s",
		*args->secrets_dir ? args->secrets_dir : SECRETS_DEFAULT);
	snprintf(x->opt->cluster_name, sizeof(x->opt->cluster_name), "%s", args->cluster_name);
	if (!*args->config && access(CONFIG_DEFAULT, F_OK) != 0)
		return err_set(
			e, ERR_CONFIG, "which archive?  --config names the manifest that says it");
	return spec_file_load(&x->spec, x->opt, NULL, e);
}

static int
read_plan(struct archive_cli *x, struct err *e)
{
	/* The policy is of the own archive. */
	const char *policy = x->from ? "" : x->spec->backup.retention;

	if (retention_parse(&x->policy, policy, e) < 0)
		return -1;
	return retention_plan(&x->plan, &x->catalog.c, (const enum retention_keep *)x->catalog.keep,
		       &x->policy, clock_wall_us()) < 0
		       ? err_sys(e, "plan the retention")
		       : 0;
}

/* NULL: the own one.  Without --from and without an own one, the only one there is. */
static const char *
which(struct archive_cli *x)
{
	const struct spec *s = x->spec;
	size_t n = 0;

	if (*x->args->from)
		return strcmp(x->args->from, "own") != 0 ? x->args->from : NULL;
	if (s->backup.store.set)
		return NULL;
	for (size_t i = 0; i < s->externals; i++)
		if (s->external[i].store.set && n++ == 0)
			x->from = s->external[i].name;
	return n == 1 ? x->from : NULL;
}

int
archive_cli_open(
	struct archive_cli *x, const char *name, const struct cli_args *args, struct err *e)
{
	const struct archive_patience patience = {.attempts = ARCHIVE_CLI_ATTEMPTS};

	*x = (struct archive_cli){.args = args, .name = name};
	term_init(&x->out, STDOUT_FILENO);
	term_init(&x->err, STDERR_FILENO);
	if (read_spec(x, e) < 0)
		return -1;
	x->from = which(x);
	if (archive_open(&x->archive, x->spec, x->from, x->opt, &patience, e) < 0)
		return -1;
	archive_cli_progress(x, "reading the catalogue of %s ...", store_where(x->archive->store));
	if (archive_catalog_read(x->archive, &x->catalog, e) < 0)
		return -1;
	archive_cli_progress_end(x);
	return read_plan(x, e);
}

void
archive_cli_close(struct archive_cli *x)
{
	archive_cli_progress_end(x);
	retention_plan_deinit(&x->plan);
	archive_catalog_deinit(&x->catalog);
	x->archive = archive_close(x->archive);
	x->spec = spec_free(x->spec);
	free(x->opt);
	x->opt = NULL;
}

/* ---- backups ---- */

static bool
done(const struct archive_cli *x, size_t i)
{
	return x->catalog.info[i].status == BACKUP_DONE;
}

static bool
is_wanted(const struct archive_cli *x, const char *word, size_t i)
{
	const struct backup_info *b = &x->catalog.info[i];

	return strcmp(b->id, word) == 0 || (*b->name && strcmp(b->name, word) == 0);
}

int
archive_cli_find(const struct archive_cli *x, const char *word, size_t *out, struct err *e)
{
	bool latest = strcmp(word, "latest") == 0, oldest = strcmp(word, "oldest") == 0;
	size_t n = x->catalog.infos, found = n;
	struct suggest near;

	suggest_init(&near, word);
	for (size_t i = 0; i < n; i++) {
		suggest_offer(&near, x->catalog.info[i].id);
		if (oldest && found < n)
			continue;
		if (is_wanted(x, word, i) || ((latest || oldest) && done(x, i)))
			found = i;
	}
	*out = found;
	if (found < n)
		return 0;
	if (near.best)
		return err_set(
			e, ERR_NOTFOUND, "no backup %.64s, did you mean %s?", word, near.best);
	return err_set(e, ERR_NOTFOUND, "no backup %.64s in %s/%s", word,
		store_where(x->archive->store), x->archive->server);
}

/* ---- people ---- */

void
archive_cli_progress(struct archive_cli *x, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (!x->err.tty || x->args->json)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fprintf(stderr, "\r\033[K%.*s", x->err.columns - 1, text);
	fflush(stderr);
	x->line = true;
}

void
archive_cli_progress_end(struct archive_cli *x)
{
	if (x->line)
		fputs("\r\033[K", stderr);
	x->line = false;
}

const char *
archive_cli_bytes(int64_t bytes, char out[ARCHIVE_CLI_BYTES])
{
	static const char *const unit[] = {"B", "kB", "MB", "GB", "TB", "PB"};
	int64_t whole = bytes, tenth = 0;
	size_t i;

	for (i = 0; whole >= 1000 && i + 1 < ARRAY_LEN(unit); i++) {
		tenth = whole % 1000 / 100;
		whole /= 1000;
	}
	if (i && whole < 100)
		snprintf(out, ARCHIVE_CLI_BYTES, "%d.%d %s", (int)whole, (int)tenth, unit[i]);
	else
		snprintf(out, ARCHIVE_CLI_BYTES, "%lld %s", (long long)whole, unit[i]);
	return out;
}

/* ---- subcommands ---- */

static int
usage(const char *command, const struct err *e)
{
	char hint[96];

	snprintf(hint, sizeof(hint), PROGRAM " %s --help says how", command);
	return command_fail(command, e, hint);
}

int
cli_verb_run(const char *command, const struct cli_verb *verb, size_t n,
	const struct cli_args *args, struct opt_rest *rest)
{
	const char *word = rest->n ? rest->arg[0] : "";
	struct err e = {0};
	struct suggest near;

	suggest_init(&near, word);
	for (size_t i = 0; i < n; i++) {
		suggest_offer(&near, verb[i].name);
		if (strcmp(verb[i].name, word) != 0)
			continue;
		if (rest->n - 1 < verb[i].least)
			err_set(&e, ERR_INVALID, "%s: which one?", word);
		else if (verb[i].most >= 0 && rest->n - 1 > verb[i].most)
			err_set(&e, ERR_INVALID, "%s: unexpected argument %.64s", word,
				rest->arg[verb[i].most + 1]);
		return e.kind ? usage(command, &e) : verb[i].fn(args, rest);
	}
	if (!*word)
		err_set(&e, ERR_INVALID, "what is to be done?");
	else if (near.best)
		err_set(&e, ERR_INVALID, "\"%.32s\" is not known, did you mean %s?", word,
			near.best);
	else
		err_set(&e, ERR_INVALID, "\"%.32s\" is not known", word);
	return usage(command, &e);
}
