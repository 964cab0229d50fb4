/*
 * restore - plan and end of a restore.
 *
 * Process: whoever restores.  The model stands in the header.
 */
#include "service/restore.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "core/when.h"
#include "pg/control.h"

/* ---- the target ---- */

static int
target_timeline(struct restore_target *t, const char *text, struct err *e)
{
	char *end;
	unsigned long v;

	if (!text || !*text || strcmp(text, "latest") == 0)
		return 0;
	v = strtoul(text, &end, 10);
	if (*end || v == 0 || v > UINT32_MAX)
		return err_set(e, ERR_CONFIG, "targetTLI \"%.40s\": a number or \"latest\"", text);
	t->timeline = (uint32_t)v;
	return 0;
}

static int
target_take(struct restore_target *t, enum catalog_target kind, const char *text, struct err *e)
{
	if (!text || !*text)
		return 0;
	if (t->kind != TARGET_LATEST)
		return err_set(e, ERR_CONFIG, "more than one recovery target is given");
	t->kind = kind;
	t->text = strdup(text);
	return t->text ? 0 : err_sys(e, "recovery target");
}

int
restore_target_of_spec(struct restore_target *t, const struct spec_recovery *s, struct err *e)
{
	*t = (struct restore_target){.kind = TARGET_LATEST, .exclusive = s->exclusive};
	if (target_take(t, TARGET_TIME, s->target_time, e) < 0 ||
		target_take(t, TARGET_XID, s->target_xid, e) < 0 ||
		target_take(t, TARGET_NAME, s->target_name, e) < 0 ||
		target_take(t, TARGET_LSN, s->target_lsn, e) < 0 ||
		target_take(t, TARGET_IMMEDIATE, s->target_immediate ? "immediate" : "", e) < 0 ||
		target_timeline(t, s->target_tli, e) < 0)
		return -1;
	if (t->kind == TARGET_LSN && !lineage_lsn_parse(t->text, &t->lsn))
		return err_set(e, ERR_CONFIG, "targetLSN \"%.40s\" is no position like 0/3000060",
			t->text);
	if (t->kind == TARGET_XID &&
		(!*t->text || strspn(t->text, "0123456789") != strlen(t->text)))
		return err_set(e, ERR_CONFIG, "targetXID \"%.40s\" is no number", t->text);
	if (s->backup_id && *s->backup_id && !backup_id_ok(s->backup_id))
		return err_set(e, ERR_CONFIG, "backupID \"%.40s\" is none like 20261120T153805",
			s->backup_id);
	snprintf(t->backup_id, sizeof(t->backup_id), "%s", s->backup_id ? s->backup_id : "");
	return 0;
}

void
restore_target_deinit(struct restore_target *t)
{
	free(t->text);
	*t = (struct restore_target){0};
}

void
restore_target_text(const struct restore_target *t, char *out, size_t size)
{
	static const char *const kinds[] = {[TARGET_LATEST] = "all of the archive",
		[TARGET_TIME] = "time ",
		[TARGET_XID] = "transaction ",
		[TARGET_NAME] = "restore point ",
		[TARGET_LSN] = "LSN ",
		[TARGET_IMMEDIATE] = "the end of the backup"};
	char when[WHEN_TEXT_SIZE];
	const char *value = "";
	size_t n;

	if (t->kind == TARGET_TIME)
		value = when_text(t->time_us, when);
	else if (t->kind != TARGET_IMMEDIATE && t->text)
		value = t->text;
	snprintf(out, size, "%s%s%s", t->exclusive ? "before " : "", kinds[t->kind], value);
	n = strlen(out);
	if (t->timeline && n < size)
		snprintf(out + n, size - n, ", timeline %u", t->timeline);
}

/* ---- the plan ---- */

int
restore_open(const struct restore *r, struct archive **out, struct err *e)
{
	return archive_open(out, r->in->p->spec, r->external, r->in->p->opt, NULL, e);
}

static const struct backup_info *
plan_find(const struct restore *r, const char *id)
{
	for (size_t i = 0; i < r->catalog.infos; i++)
		if (strcmp(r->catalog.info[i].id, id) == 0)
			return &r->catalog.info[i];
	return NULL;
}

static int
plan_by_name(struct restore *r, struct err *e)
{
	const char *name = r->backup_name;

	if (!name || !*name || *r->target.backup_id)
		return 0;
	for (size_t i = 0; i < r->catalog.infos; i++)
		if (strcmp(r->catalog.info[i].name, name) == 0 ||
			strcmp(r->catalog.info[i].id, name) == 0)
			snprintf(r->target.backup_id, sizeof(r->target.backup_id), "%s",
				r->catalog.info[i].id);
	return *r->target.backup_id
		       ? 0
		       : err_set(e, ERR_NOTFOUND, "no backup in %s/%s is named \"%s\"",
				 store_where(r->archive->store), r->archive->server, name);
}

static int
plan_chain(struct restore *r, struct err *e)
{
	const struct backup_info *b = r->path.backup, *reversed[RESTORE_CHAIN];
	size_t n = 0;

	while (b) {
		if (n == RESTORE_CHAIN)
			return err_set(e, ERR_CORRUPT, "backup %s builds on more than %d others",
				r->path.backup->id, RESTORE_CHAIN);
		reversed[n++] = b;
		if (!*b->parent)
			break;
		if (!plan_find(r, b->parent))
			return err_set(e, ERR_NOTFOUND,
				"backup %s builds on %s, which the archive does not have",
				reversed[0]->id, b->parent);
		b = plan_find(r, b->parent);
	}
	for (size_t i = 0; i < n; i++)
		r->chain[i] = reversed[n - 1 - i];
	r->chains = n;
	return 0;
}

static int
plan_programs(struct restore *r, struct err *e)
{
	int major = r->path.backup->version / 10000;

	if (bindir_find(&r->in->bin, major, r->in->p->opt->bindir, e) == 0)
		return 0;
	prepare_hint(r->in->p, "use an image with PostgreSQL %d, or set --bindir", major);
	return err_add(e, "backup %s is of PostgreSQL %d", r->path.backup->id, major);
}

/* Any version can read a time; the backup's own is known only after the choice. */
static int
plan_time(struct restore *r, struct err *e)
{
	if (r->target.kind != TARGET_TIME)
		return 0;
	if (when_parse(r->target.text, &r->target.time_us, NULL) == WHEN_ASK &&
		bindir_find(&r->in->bin, 0, r->in->p->opt->bindir, e) < 0)
		return -1;
	return restore_time_parse(r->in, r->target.text, &r->target.time_us, e);
}

static int
plan_choose(struct restore *r, struct err *e)
{
	const struct restore_target *t = &r->target;
	const struct catalog_wish wish = {.target = t->kind,
		.time_us = t->time_us,
		.lsn = t->lsn,
		.timeline = t->timeline,
		.backup_id = t->backup_id,
		.exclusive = t->exclusive};

	if (catalog_choose(&r->catalog.c, &wish, &r->path, e) < 0) {
		prepare_hint(r->in->p, "choose a target inside the window; `podgres backup list` "
				       "shows what there is");
		return err_add(e, "%s/%s", store_where(r->archive->store), r->archive->server);
	}
	return 0;
}

static void
plan_say(const struct restore *r)
{
	char target[160], end[LINEAGE_LSN_SIZE];
	const char *t = target, *lsn = lineage_lsn_text(r->path.end_lsn, end);

	restore_target_text(&r->target, target, sizeof(target));
	log_info("restoring", F_STR("from", store_where(r->archive->store)),
		F_STR("server", r->archive->server + 0), F_STR("backup", r->path.backup->id + 0),
		F_STR("target", t), F_INT("timeline", r->path.timeline), F_STR("wal_until", lsn),
		F_INT("backups", r->chains));
}

int
restore_plan(struct restore *r, struct err *e)
{
	job_phase(r->in->p->j, "reading the catalogue", -1);
	r->shared = mmap(NULL, sizeof(*r->shared), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r->shared == MAP_FAILED) {
		r->shared = NULL;
		return err_sys(e, "restore");
	}
	if (restore_open(r, &r->archive, e) < 0 || plan_time(r, e) < 0 ||
		archive_catalog_read(r->archive, &r->catalog, e) < 0)
		return -1;
	if (plan_by_name(r, e) < 0 || plan_choose(r, e) < 0 || plan_chain(r, e) < 0 ||
		plan_programs(r, e) < 0)
		return -1;
	plan_say(r);
	return 0;
}

/* ---- the end ---- */

struct end_wal {
	const struct restore *r;
	const char *dir;
	uint32_t segment_bytes;
	uint64_t current; /* first byte of the segment that is still being written */
};

static int
end_mark(const struct end_wal *w, const char *name, struct err *e)
{
	char path[FILE_PATH_MAX + 80];

	snprintf(path, sizeof(path), "%s/archive_status/%s.done", w->dir, name);
	if (file_remove(path, e) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/archive_status/%s.ready", w->dir, name);
	return file_write(path, "", 0, 0600, e);
}

static int
end_wal_one(const char *name, void *arg, struct err *e)
{
	const struct end_wal *w = arg;
	struct archive_name n;
	uint32_t timeline;
	uint64_t lsn;

	archive_name_parse(name, &n);
	if (n.kind == ARCHIVE_HISTORY && n.timeline == w->r->result.timeline)
		return end_mark(w, name, e);
	if (n.kind != ARCHIVE_SEGMENT ||
		!lineage_name_parse(name, w->segment_bytes, &timeline, &lsn))
		return 0;
	return timeline == w->r->result.timeline && lsn < w->current ? end_mark(w, name, e) : 0;
}

/* archive_mode was off, so postgres has not marked what the new timeline's archive needs first: its
 * history, and segments that are full already. */
static int
end_wal_marks(const struct restore *r, const struct control *c, struct err *e)
{
	char dir[FILE_PATH_MAX], status[FILE_PATH_MAX];
	struct end_wal w = {.r = r, .dir = dir, .segment_bytes = c->wal_segment_bytes};

	w.current = c->checkpoint - c->checkpoint % c->wal_segment_bytes;
	if (file_join(dir, sizeof(dir), r->in->place.data, "pg_wal", e) < 0 ||
		file_join(status, sizeof(status), dir, "archive_status", e) < 0 ||
		file_make_dirs(status, 0700, e) < 0)
		return -1;
	return file_each(dir, end_wal_one, &w, e);
}

static int
end_leftovers(const struct restore *r, struct err *e)
{
	static const char *const gone[] = {"podgres.restored", "backup_label.old",
		"tablespace_map.old", "postmaster.opts", "recovery.signal"};
	char path[FILE_PATH_MAX];

	for (size_t i = 0; i < ARRAY_LEN(gone); i++)
		if (file_join(path, sizeof(path), r->in->place.data, gone[i], e) < 0 ||
			file_remove(path, e) < 0)
			return -1;
	if (file_join(path, sizeof(path), r->in->place.data, "pg_wal/" PGDATA_OURS, e) < 0)
		return -1;
	return file_remove_tree(path, e);
}

int
restore_end(struct restore *r, struct err *e)
{
	char lsn[LINEAGE_LSN_SIZE];
	struct control c;

	job_phase(r->in->p->j, "stopping after recovery", -1);
	if (server_stop(r->in, e) < 0 || control_read(&c, r->in->place.data, e) < 0)
		return -1;
	if (!r->local && r->path.backup->system_id && c.system_id != r->path.backup->system_id)
		return err_set(e, ERR_CORRUPT, "recovery ended with system %llu instead of %llu",
			(unsigned long long)c.system_id,
			(unsigned long long)r->path.backup->system_id);
	r->result.timeline = control_timeline(&c);
	if (end_wal_marks(r, &c, e) < 0 || end_leftovers(r, e) < 0)
		return -1;
	if (r->local)
		return 0;
	return journal_add(
		r, e, "replayed %s %u", lineage_lsn_text(r->result.lsn, lsn), r->result.timeline);
}

void
restore_deinit(struct restore *r)
{
	restore_wal_stop(r);
	archive_catalog_deinit(&r->catalog);
	r->archive = archive_close(r->archive);
	restore_target_deinit(&r->target);
	buf_deinit(&r->done);
	if (r->shared)
		munmap(r->shared, sizeof(*r->shared));
	r->shared = NULL;
}
