/*
 * cmd_backup_delete - `podgres backup delete`, `prune`, `keep` and `unkeep`.
 *
 * delete refuses what something still needs; --force overrules that, never the order of deletion.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "cmd/archive_cli.h"
#include "service/archive_prune.h"

static int
fail(struct archive_cli *x, const struct err *e, const char *hint)
{
	archive_cli_progress_end(x);
	return command_fail(x->name, e, hint);
}

static void
said(void *arg, const char *what, int64_t objects)
{
	archive_cli_progress(arg, "deleting below %s: %lld objects ...", what, (long long)objects);
}

/* ---- what went ---- */

static void
tell(const struct archive_cli *x, const struct archive_prune *p, struct buf *out)
{
	const char *would = p->dry_run ? "would delete " : "deleted ";
	char size[ARCHIVE_CLI_BYTES];
	struct json j;

	if (!x->args->json) {
		buf_printf(out, "%s%zu backups and %lld files of WAL, %s\n", would, p->backups,
			(long long)p->wal_files, archive_cli_bytes(p->bytes, size));
		return;
	}
	json_init(&j, out);
	json_obj(&j);
	json_kbool(&j, "dryRun", p->dry_run);
	json_karr(&j, "backups");
	for (size_t i = 0; i < x->catalog.infos; i++)
		if (p->plan->verdict[i] == RETAIN_OBSOLETE)
			json_str(&j, x->catalog.info[i].id);
	json_end_arr(&j);
	json_kint(&j, "walFiles", p->wal_files);
	json_kint(&j, "objects", p->objects);
	json_kint(&j, "bytes", p->bytes);
	json_end_obj(&j);
	buf_putc(out, '\n');
}

/* ---- prune ---- */

static int
own_archive(const struct archive_cli *x, struct err *e)
{
	if (x->from)
		return err_set(e, ERR_STATE,
			"the archive of %s is another cluster's: nothing is changed there",
			x->from);
	return 0;
}

static int
may_prune(const struct archive_cli *x, struct err *e)
{
	if (own_archive(x, e) < 0)
		return -1;
	if (!x->policy.window_us && !x->policy.redundancy)
		return err_set(e, ERR_STATE, "the manifest has no spec.backup.retentionPolicy");
	if (x->catalog.unreadables)
		return err_set(e, ERR_STATE,
			"backup.info of %s cannot be read: what it needs nobody knows",
			x->catalog.unreadable[0]);
	return 0;
}

int
cmd_backup_prune(const struct cli_args *args, const struct opt_rest *rest)
{
	AUTO(archive_cli_close) struct archive_cli x = {0};
	AUTO(buf_deinit) struct buf out = {0};
	struct archive_prune p = {.dry_run = args->dry_run, .said = said, .arg = &x};
	struct err e = {0};

	(void)rest;
	if (archive_cli_open(&x, "backup prune", args, &e) < 0 || may_prune(&x, &e) < 0)
		return fail(&x, &e, NULL);
	p.archive = x.archive;
	p.catalog = &x.catalog;
	p.plan = &x.plan;
	for (size_t i = 0; !args->json && i < x.catalog.infos; i++)
		if (x.plan.verdict[i] == RETAIN_OBSOLETE)
			buf_printf(&out, "%s  obsolete\n", x.catalog.info[i].id);
	if (archive_prune_run(&p, &e) < 0)
		return fail(&x, &e, NULL);
	archive_cli_progress_end(&x);
	tell(&x, &p, &out);
	return command_print(x.name, &out);
}

/* ---- delete ---- */

static int
ask(struct archive_cli *x, size_t count, struct err *e)
{
	char answer[16] = "";

	if (x->args->yes || x->args->dry_run)
		return 0;
	if (!isatty(STDIN_FILENO) || !x->err.tty)
		return err_set(e, ERR_INVALID, "nobody to ask: --yes says it is meant");
	fprintf(stderr, "delete %zu backup%s from %s/%s? [y/N] ", count, count == 1 ? "" : "s",
		store_where(x->archive->store), x->archive->server);
	if (!fgets(answer, sizeof(answer), stdin) || (answer[0] != 'y' && answer[0] != 'Y'))
		return err_set(e, ERR_STATE, "not deleted");
	return 0;
}

/* Unreadable ones have no row in the catalogue; they go only by force. */
static int
delete_unreadable(struct archive_cli *x, struct archive_prune *p, const char *id, struct err *e)
{
	for (size_t i = 0; i < x->catalog.unreadables; i++)
		if (strcmp(x->catalog.unreadable[i], id) == 0) {
			if (!x->args->force)
				return err_set(
					e, ERR_STATE, "%s: its backup.info cannot be read", id);
			return ask(x, 1, e) < 0 ? -1 : archive_prune_backup(p, id, e);
		}
	return err_set(e, ERR_NOTFOUND, "no backup %.64s", id);
}

static int
choose(struct archive_cli *x, const struct opt_rest *rest, bool *goes, struct err *e)
{
	const struct archive_choice choice = {.catalog = &x->catalog,
		.plan = &x->plan,
		.policy = &x->policy,
		.retention = x->spec->backup.retention,
		.goes = goes};
	size_t n = 0, at;

	for (int i = 1; i < rest->n; i++) {
		if (archive_cli_find(x, rest->arg[i], &at, e) < 0)
			return -1;
		n += !goes[at];
		goes[at] = true;
	}
	for (size_t i = 0; i < x->catalog.infos && !x->args->force; i++)
		if (goes[i] && archive_may_go(&choice, i, e) < 0)
			return -1;
	return ask(x, n, e);
}

static int
delete_chosen(struct archive_cli *x, struct archive_prune *p, const bool *goes, struct err *e)
{
	for (size_t i = x->catalog.infos; i; i--) {
		x->plan.verdict[i - 1] = goes[i - 1] ? RETAIN_OBSOLETE : RETAIN_NEEDED;
		if (goes[i - 1] && archive_prune_backup(p, x->catalog.info[i - 1].id, e) < 0)
			return -1;
	}
	return 0;
}

int
cmd_backup_delete(const struct cli_args *args, const struct opt_rest *rest)
{
	AUTO(archive_cli_close) struct archive_cli x = {0};
	AUTO(buf_deinit) struct buf out = {0};
	AUTO(free) bool *goes = NULL;
	struct archive_prune p = {.dry_run = args->dry_run, .said = said, .arg = &x};
	struct err e = {0};
	int rc;

	if (archive_cli_open(&x, "backup delete", args, &e) < 0 || own_archive(&x, &e) < 0)
		return fail(&x, &e, NULL);
	p.archive = x.archive;
	p.catalog = &x.catalog;
	p.plan = &x.plan;
	goes = calloc(x.catalog.infos + 1, sizeof(*goes));
	must(goes);
	rc = choose(&x, rest, goes, &e);
	if (rc == 0)
		rc = delete_chosen(&x, &p, goes, &e);
	else if (e.kind == ERR_NOTFOUND && rest->n == 2)
		rc = delete_unreadable(&x, &p, rest->arg[1], &e);
	if (rc < 0)
		return fail(&x, &e,
			e.kind == ERR_STATE && !args->force ? "--force deletes it nevertheless"
							    : NULL);
	archive_cli_progress_end(&x);
	tell(&x, &p, &out);
	return command_print(x.name, &out);
}

/* ---- keep ---- */

static int
keep(const char *name, const struct cli_args *args, const struct opt_rest *rest,
	enum retention_keep how)
{
	AUTO(archive_cli_close) struct archive_cli x = {0};
	struct err e = {0};
	size_t i;

	if (archive_cli_open(&x, name, args, &e) < 0 || own_archive(&x, &e) < 0 ||
		archive_cli_find(&x, rest->arg[1], &i, &e) < 0)
		return fail(&x, &e, NULL);
	if (how != KEEP_NO && x.catalog.info[i].status != BACKUP_DONE) {
		err_set(&e, ERR_STATE, "%s is %s, only a finished one can be kept",
			x.catalog.info[i].id, backup_status_text(x.catalog.info[i].status));
		return fail(&x, &e, NULL);
	}
	if (archive_keep(x.archive, x.catalog.info[i].id, how, &e) < 0)
		return fail(&x, &e, NULL);
	return 0;
}

int
cmd_backup_keep(const struct cli_args *args, const struct opt_rest *rest)
{
	const char *how = rest->n > 2 ? rest->arg[2] : "full";
	struct err e = {0};

	if (strcmp(how, "full") != 0 && strcmp(how, "standalone") != 0) {
		err_set(&e, ERR_INVALID, "\"%.32s\" is neither full nor standalone", how);
		return command_fail("backup keep", &e, NULL);
	}
	return keep("backup keep", args, rest, *how == 'f' ? KEEP_FULL : KEEP_STANDALONE);
}

int
cmd_backup_unkeep(const struct cli_args *args, const struct opt_rest *rest)
{
	return keep("backup unkeep", args, rest, KEEP_NO);
}
