/*
 * archive_prune - deletes from an archive what retention lets go.
 *
 * Keys are collected in batches, listed on from the last one: memory does not grow with the
 * archive, and no list is under way while something is deleted.
 */
#include "service/archive_prune.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define BATCH 1000 /* DeleteObjects takes no more */

struct batch {
	char *key[BATCH];
	size_t n;
	int64_t bytes;
	char last[STORE_KEY_SIZE]; /* looked at */
	bool full, not_ours;
	const struct archive_prune *p;
	const char *prefix;
	bool (*wanted)(const struct batch *b, const char *key);
};

static void
batch_empty(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		free(b->key[i]);
	b->n = 0;
	b->bytes = 0;
	b->full = false;
}

/* A full batch ends the list with an error that is none. */
static int
batch_each(void *arg, const struct store_object *o, struct err *e)
{
	struct batch *b = arg;

	if (b->wanted(b, o->key)) {
		if (b->n == BATCH) {
			b->full = true;
			return err_set(e, ERR_BUSY, "batch is full");
		}
		b->key[b->n] = strdup(o->key);
		if (!b->key[b->n])
			return err_sys(e, "remember %s", o->key);
		b->n++;
		b->bytes += o->bytes > 0 ? o->bytes : 0;
	}
	snprintf(b->last, sizeof(b->last), "%s", o->key);
	return 0;
}

static int
batch_list(struct batch *b, struct err *e)
{
	const struct store_list list = {
		.prefix = b->prefix, .after = b->last, .each = batch_each, .arg = b};

	batch_empty(b);
	if (store_list(b->p->archive->store, &list, e) == 0)
		return 0;
	return b->full ? 0 : -1;
}

static int
batch_delete(struct batch *b, struct archive_prune *p, struct err *e)
{
	if (b->n && !p->dry_run &&
		store_delete(p->archive->store, (const char *const *)b->key, b->n, e) < 0)
		return -1;
	p->objects += (int64_t)b->n;
	p->bytes += b->bytes;
	return 0;
}

/* Everything below a prefix that is wanted. */
static int
sweep(struct archive_prune *p, const char *prefix,
	bool (*wanted)(const struct batch *b, const char *key), struct err *e)
{
	struct batch b = {.p = p, .prefix = prefix, .wanted = wanted};
	int rc;

	do {
		rc = batch_list(&b, e);
		if (rc == 0 && b.n && p->said)
			p->said(p->arg, prefix, (int64_t)b.n);
		if (rc == 0)
			rc = batch_delete(&b, p, e);
	} while (rc == 0 && b.full);
	batch_empty(&b);
	return rc;
}

/* ---- backups ---- */

static bool
not_info(const struct batch *b, const char *key)
{
	return strcmp(key + strlen(b->prefix), "backup.info") != 0;
}

static bool
any(const struct batch *b, const char *key)
{
	(void)b;
	(void)key;
	return true;
}

int
archive_prune_backup(struct archive_prune *p, const char *id, struct err *e)
{
	char prefix[ARCHIVE_KEY_SIZE];

	must(backup_id_ok(id)); /* else the prefix would be another folder */
	if (archive_key(prefix, e, "%s/base/%s/", p->archive->server, id) < 0 ||
		sweep(p, prefix, not_info, e) < 0 || (!p->dry_run && sweep(p, prefix, any, e) < 0))
		return err_add(e, "delete backup %s", id);
	p->backups++;
	return 0;
}

int
archive_keep(struct archive *a, const char *id, enum retention_keep keep, struct err *e)
{
	const char *text = keep == KEEP_STANDALONE ? "standalone" : "full", *list[1];
	struct store_put put = {.body = text, .len = strlen(text)};
	char key[ARCHIVE_KEY_SIZE];

	if (archive_key(key, e, "%s/base/%s/annotations/keep", a->server, id) < 0)
		return -1;
	put.key = list[0] = key;
	return keep == KEEP_NO ? store_delete(a->store, list, 1, e)
			       : store_put(a->store, &put, NULL, e);
}

/* ---- WAL ---- */

static bool
segment_gone(const struct archive_prune *p, const char *name)
{
	const struct catalog *c = &p->catalog->c;
	uint32_t timeline;
	uint64_t lsn;
	char segment[LINEAGE_NAME_SIZE];

	snprintf(segment, sizeof(segment), "%.24s", name);
	return c->segment_bytes && lineage_name_parse(segment, c->segment_bytes, &timeline, &lsn) &&
	       retention_segment_gone(p->plan, c, timeline, lsn / c->segment_bytes);
}

/* Segments, what is left of partial ones, and backup labels; never a history. */
static bool
wal_wanted(const struct batch *b, const char *key)
{
	char name[ARCHIVE_NAME_SIZE];
	const char *extension;

	return archive_key_parse(key, name, &extension) && strlen(name) >= 24 &&
	       segment_gone(b->p, name);
}

/* podgres/gaps/SEGMENT, podgres/continuous/SEGMENT/... */
static bool
own_wanted(const struct batch *b, const char *key)
{
	return segment_gone(b->p, key + strlen(b->prefix));
}

int
archive_prune_wal(struct archive_prune *p, struct err *e)
{
	static const struct {
		const char *folder;
		bool (*wanted)(const struct batch *b, const char *key);
	} folders[] = {{"wals", wal_wanted}, {"podgres/gaps", own_wanted},
		{"podgres/continuous", own_wanted}};
	char prefix[ARCHIVE_KEY_SIZE];
	int64_t before = p->objects;

	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		if (archive_key(prefix, e, "%s/%s/", p->archive->server, folders[i].folder) < 0 ||
			sweep(p, prefix, folders[i].wanted, e) < 0)
			return err_add(e, "delete WAL");
	p->wal_files += p->objects - before;
	return 0;
}

/* ---- all of it ---- */

int
archive_prune_run(struct archive_prune *p, struct err *e)
{
	const struct archive_catalog *c = p->catalog;

	/* The newest first: an incremental one goes before what it stands on. */
	for (size_t i = c->infos; i; i--)
		if (p->plan->verdict[i - 1] == RETAIN_OBSOLETE &&
			archive_prune_backup(p, c->info[i - 1].id, e) < 0)
			return -1;
	return archive_prune_wal(p, e);
}

static int
prune_planned(struct archive_prune *p, const struct retention_policy *policy, struct err *e)
{
	struct retention_plan plan;
	int rc;

	if (retention_plan(&plan, &p->catalog->c, (const enum retention_keep *)p->catalog->keep,
		    policy, clock_wall_us()) < 0)
		return err_sys(e, "plan the retention");
	p->plan = &plan;
	rc = archive_prune_run(p, e);
	retention_plan_deinit(&plan);
	p->plan = NULL;
	return rc;
}

static void
say_deleted(const struct archive_prune *p, const char *policy)
{
	if (!p->objects)
		return;
	log_info("deleted from the archive what retention lets go", F_STR("policy", policy),
		F_INT("backups", (int64_t)p->backups), F_INT("walFiles", p->wal_files),
		F_INT("objects", p->objects), F_INT("bytes", p->bytes));
}

int
archive_prune_by_policy(const struct spec *spec, const struct run_options *opt, struct err *e)
{
	AUTO(archive_catalog_deinit) struct archive_catalog catalog = {0};
	AUTO(archive_close) struct archive *a = NULL;
	struct archive_prune p = {.catalog = &catalog};
	struct retention_policy policy;
	int rc;

	if (!spec->backup.store.set || !*spec->backup.retention)
		return 0;
	if (retention_parse(&policy, spec->backup.retention, e) < 0 ||
		archive_open(&a, spec, NULL, opt, NULL, e) < 0 ||
		archive_catalog_read(a, &catalog, e) < 0)
		return -1;
	if (catalog.unreadables)
		return err_set(e, ERR_STATE,
			"nothing was deleted: backup.info of %s%s cannot be read",
			catalog.unreadable[0], catalog.unreadables > 1 ? " and others" : "");
	p.archive = a;
	rc = prune_planned(&p, &policy, e);
	say_deleted(&p, spec->backup.retention);
	return rc;
}
