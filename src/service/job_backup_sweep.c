/*
 * job_backup_sweep - what failed and dead backups left in the store goes; a backup.info stays that
 * says why.
 *
 * Process: the job `backup`, at the end of one that failed, or with the argument `sweep`.  A backup
 * is dead when its backup.info says STARTED by this pod: only one runs at a time, and it is not us.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/job_backup.h"

#define UNDO_MS 5000 /* one call while we are being ended */
#define UNDO_BATCH 200
#define INFO_MAX (256 << 10)

/* ---- deleting a folder but for its backup.info ---- */

struct undo_batch {
	char *key[UNDO_BATCH]; /* owned */
	size_t n;
	bool more;
};

static void
batch_deinit(struct undo_batch *u)
{
	for (size_t i = 0; i < u->n; i++)
		free(u->key[i]);
	u->n = 0;
}

static int
batch_object(void *arg, const struct store_object *o, struct err *e)
{
	struct undo_batch *u = arg;
	const char *name = strrchr(o->key, '/');

	if (name && strcmp(name, "/backup.info") == 0)
		return 0;
	u->more = u->n == UNDO_BATCH;
	if (u->more)
		return 0;
	u->key[u->n] = strdup(o->key);
	return u->key[u->n++] ? 0 : err_sys(e, "list what is to be deleted");
}

static int
undo_objects(const struct backup_job *b, struct store *s, struct err *e)
{
	struct undo_batch u = {.more = true};
	const struct store_list list = {.prefix = b->folder, .each = batch_object, .arg = &u};
	int rc = 0;

	while (rc == 0 && u.more) {
		u.more = false;
		rc = store_list(s, &list, e);
		if (rc == 0 && u.n > 0)
			rc = store_delete(s, (const char *const *)u.key, u.n, e);
		batch_deinit(&u);
	}
	return rc;
}

/* Aborted uploads first: an object that appears later would stay for ever. */
static int
undo_all(struct backup_job *b, struct archive *a, const char *why, struct err *e)
{
	struct backup_info *info = &b->info;

	if (store_upload_sweep(a->store, b->folder, clock_wall_us(), NULL, e) < 0 ||
		undo_objects(b, a->store, e) < 0)
		return -1;
	info->status = BACKUP_FAILED;
	info->running_pod[0] = info->running_session[0] = '\0';
	snprintf(info->error, sizeof(info->error), "%s", why);
	if (!info->end_us)
		info->end_us = clock_wall_us();
	return backup_info_store(b, a, false, e);
}

void
backup_undo(struct backup_job *b, const struct err *why)
{
	const struct archive_patience patience = {.total_ms = UNDO_MS};
	AUTO(archive_close) struct archive *a = NULL;
	struct err e = {0};

	b->j->report.clean = !b->stored || b->info.status == BACKUP_DONE;
	if (b->j->report.clean)
		return;
	backup_list_deinit(&b->list);
	backup_out_deinit(&b->out);
	if (archive_open(&a, b->spec, NULL, b->j->opt, &patience, &e) < 0 ||
		undo_all(b, a, why->msg, &e) < 0)
		log_warning("what the backup stored is still there", F_STR("backup", b->info.id),
			F_STR("error", e.msg), F_STR("hint", "it is cleared away later"));
	else
		b->j->report.clean = true;
}

/* ---- sweep ---- */

struct sweep {
	struct backup_job *b;
	char folder[ARCHIVE_KEY_SIZE]; /* of the backup that is being listed; "": none yet */
	bool info, manifest;           /* it has a backup.info, a manifest.json */
	char (*suspect)[ARCHIVE_KEY_SIZE];
	size_t suspects, room;
};

/* A backup that is complete has a manifest.json; the others are few, and are looked at. */
static int
sweep_suspect(struct sweep *s, struct err *e)
{
	bool suspect = *s->folder && s->info && !s->manifest;

	s->info = s->manifest = false;
	if (!suspect)
		return 0;
	if (s->suspects == s->room) {
		size_t room = s->room ? s->room * 2 : 8;
		void *more = realloc(s->suspect, room * sizeof(*s->suspect));

		if (!more)
			return err_sys(e, "remember backups");
		s->suspect = more;
		s->room = room;
	}
	snprintf(s->suspect[s->suspects++], ARCHIVE_KEY_SIZE, "%s", s->folder);
	return 0;
}

static int
sweep_object(void *arg, const struct store_object *o, struct err *e)
{
	struct sweep *s = arg;
	const char *base = strstr(o->key, "/base/"), *slash = base ? strchr(base + 6, '/') : NULL;
	char folder[ARCHIVE_KEY_SIZE];

	if (!slash)
		return 0;
	snprintf(folder, sizeof(folder), "%.*s", (int)(slash + 1 - o->key), o->key);
	if (strcmp(folder, s->folder) != 0) {
		if (sweep_suspect(s, e) < 0)
			return -1;
		snprintf(s->folder, sizeof(s->folder), "%s", folder);
	}
	s->info = s->info || strcmp(slash + 1, "backup.info") == 0;
	s->manifest = s->manifest || strcmp(slash + 1, "manifest.json") == 0;
	return 0;
}

static int
sweep_list(struct sweep *s, const char *below, struct err *e)
{
	char prefix[ARCHIVE_KEY_SIZE];
	const struct store_list list = {.prefix = prefix, .each = sweep_object, .arg = s};
	struct archive *a = s->b->archive;

	if (archive_key(prefix, e, "%s/%sbase/", a->server, below) < 0 ||
		store_list(a->store, &list, e) < 0 || sweep_suspect(s, e) < 0)
		return -1;
	s->folder[0] = '\0';
	return 0;
}

static int
text_sink(void *arg, const void *p, size_t n, struct err *e)
{
	struct buf *b = arg;

	buf_put(b, p, n);
	return buf_check(b, e);
}

static bool
sweep_is_dead(struct backup_job *b, struct err *e)
{
	AUTO(buf_deinit) struct buf text = {.max = INFO_MAX};
	char key[ARCHIVE_KEY_SIZE];
	const struct store_get get = {.key = key, .sink = text_sink, .arg = &text};

	backup_info_deinit(&b->info);
	if (backup_key(b, key, "backup.info", e) < 0 ||
		store_get(b->archive->store, &get, NULL, e) < 0 ||
		backup_info_parse(&b->info, buf_str(&text), text.len, e) < 0) {
		log_warning("a backup.info cannot be read", F_STR("folder", b->folder),
			F_STR("error", e->msg));
		return false;
	}
	return b->info.status == BACKUP_STARTED && *b->info.running_pod &&
	       strcmp(b->info.running_pod, b->j->opt->pod_name) == 0;
}

static int
sweep_one(struct backup_job *b, struct err *e)
{
	if (!sweep_is_dead(b, e))
		return 0;
	if (undo_all(b, b->archive, "the backup was ended before it was complete", e) < 0)
		return -1;
	log_warning("a backup that died was cleared away", F_STR("folder", b->folder));
	return 0;
}

int
backup_sweep(struct backup_job *b, struct err *e)
{
	struct sweep s = {.b = b};
	int rc;

	job_phase(b->j, "looking for dead backups", -1);
	rc = sweep_list(&s, "", e) < 0 || sweep_list(&s, "podgres/", e) < 0 ? -1 : 0;
	for (size_t i = 0; rc == 0 && i < s.suspects; i++) {
		snprintf(b->folder, sizeof(b->folder), "%s", s.suspect[i]);
		rc = sweep_one(b, e);
	}
	free(s.suspect);
	return rc;
}
