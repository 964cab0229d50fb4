/*
 * archive_delete - single backups: which may go, and one that does.
 *
 * Process: the job prune, and the command backup.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/archive_prune.h"

/* ---- may it go ---- */

static size_t
done_ones(const struct archive_choice *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->catalog->infos; i++)
		n += c->catalog->info[i].status == BACKUP_DONE && !c->goes[i];
	return n;
}

/* Who stands on it and stays; NULL: nobody. */
static const char *
child_of(const struct archive_choice *c, const char *id)
{
	for (size_t i = 0; i < c->catalog->infos; i++)
		if (!c->goes[i] && strcmp(c->catalog->info[i].parent, id) == 0)
			return c->catalog->info[i].id;
	return NULL;
}

int
archive_may_go(const struct archive_choice *c, size_t i, struct err *e)
{
	const struct backup_info *b = &c->catalog->info[i];
	const char *child = child_of(c, b->id);

	if (child)
		return err_set(
			e, ERR_STATE, "%s: the incremental backup %s stands on it", b->id, child);
	if (c->catalog->keep[i] != KEEP_NO)
		return err_set(e, ERR_STATE, "%s: it is kept, see backup unkeep", b->id);
	if (c->plan->verdict[i] == RETAIN_RUNNING)
		return err_set(e, ERR_STATE, "%s: it is being made", b->id);
	if (b->status == BACKUP_DONE && c->plan->verdict[i] == RETAIN_NEEDED &&
		(c->policy->window_us || c->policy->redundancy))
		return err_set(
			e, ERR_STATE, "%s: retentionPolicy %s needs it", b->id, c->retention);
	if (b->status == BACKUP_DONE && done_ones(c) == 0)
		return err_set(e, ERR_STATE, "%s: it is the last finished backup", b->id);
	return 0;
}

/* ---- it goes ---- */

static int
delete_at(struct archive_prune *p, struct archive_choice *c, size_t at, struct err *e)
{
	AUTO(free) bool *goes = calloc(p->catalog->infos, sizeof(*goes));

	if (!goes)
		return err_set(e, ERR_SYS, "out of memory");
	goes[at] = true;
	c->goes = goes;
	if (archive_may_go(c, at, e) < 0)
		return -1;
	return archive_prune_backup(p, p->catalog->info[at].id, e);
}

static int
delete_found(struct archive *a, const struct archive_catalog *catalog, const struct spec *spec,
	const char *id, struct err *e)
{
	const char *retention = spec->backup.retention;
	struct retention_policy policy;
	struct retention_plan plan = {0};
	struct archive_choice c = {
		.catalog = catalog, .plan = &plan, .policy = &policy, .retention = retention};
	struct archive_prune p = {.archive = a, .catalog = catalog, .plan = &plan};
	size_t at = 0;
	int rc;

	while (at < catalog->infos && strcmp(catalog->info[at].id, id) != 0)
		at++;
	if (at == catalog->infos)
		return err_set(e, ERR_NOTFOUND, "there is no backup %.40s", id);
	if (retention_parse(&policy, retention, e) < 0)
		return -1;
	if (retention_plan(&plan, &catalog->c, (const enum retention_keep *)catalog->keep, &policy,
		    clock_wall_us()) < 0)
		return err_set(e, ERR_SYS, "out of memory");
	rc = delete_at(&p, &c, at, e);
	retention_plan_deinit(&plan);
	if (rc == 0)
		log_info("a backup was deleted, as ordered", F_STR("backup", id),
			F_INT("objects", p.objects), F_INT("bytes", p.bytes));
	return rc;
}

int
archive_delete_backup(
	const struct spec *spec, const struct run_options *opt, const char *id, struct err *e)
{
	AUTO(archive_catalog_deinit) struct archive_catalog catalog = {0};
	AUTO(archive_close) struct archive *a = NULL;

	if (archive_open(&a, spec, NULL, opt, NULL, e) < 0 ||
		archive_catalog_read(a, &catalog, e) < 0)
		return -1;
	return delete_found(a, &catalog, spec, id, e);
}
