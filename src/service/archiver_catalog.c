/*
 * archiver_catalog - the catalogue for those who may not touch the store, as a file.
 *
 * Process: a worker of the archiver (TASK_CATALOG).  The file is the object that
 * archive_catalog_json() makes, with "readAt" first; beside it stands what the next reading goes on
 * from.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "service/archive_catalog.h"
#include "service/archiver.h"
#include "sys/file.h"

#define CATALOG_STATE "catalog.state"
#define CATALOG_WHOLE_US (INT64_C(3600) * SEC_US)

static void
summary_backup(struct archiver_summary *out, const struct backup_info *b)
{
	if (b->status == BACKUP_DONE && b->end_us >= out->last_backup_wall_us) {
		snprintf(out->last_backup, sizeof(out->last_backup), "%s", b->id);
		out->last_backup_wall_us = b->end_us;
		out->last_backup_bytes = b->bytes;
		out->last_backup_stored = b->stored_bytes;
		out->last_backup_ms = b->begin_us ? (b->end_us - b->begin_us) / 1000 : 0;
	}
	if (b->status == BACKUP_FAILED) {
		int64_t at = b->end_us ? b->end_us : b->begin_us;

		at = at ? at : backup_id_time(b->id);
		if (at < out->last_failed_backup_wall_us)
			return;
		snprintf(out->last_failed_backup, sizeof(out->last_failed_backup), "%s", b->id);
		out->last_failed_backup_wall_us = at;
	}
}

/* WAL was dropped behind the newest backup: nothing after that can be had before the next one. */
static bool
summary_broken(const struct catalog *c)
{
	uint64_t covered = 0;

	for (size_t i = 0; i < c->backups; i++)
		if (c->backup[i]->status == BACKUP_DONE && c->backup[i]->begin_lsn > covered)
			covered = c->backup[i]->begin_lsn;
	for (size_t i = 0; i < c->gaps; i++)
		if (c->gap[i] + c->segment_bytes > covered)
			return true;
	return false;
}

static void
summary_make(struct archiver_summary *out, const struct archive_catalog *c)
{
	struct catalog_path oldest, newest;

	*out = (struct archiver_summary){.catalog_wall_us = clock_wall_us()};
	for (size_t i = 0; i < c->infos; i++) {
		out->backups += c->info[i].status == BACKUP_DONE;
		summary_backup(out, &c->info[i]);
	}
	out->gaps = c->c.gaps;
	out->broken_window = summary_broken(&c->c);
	if (!catalog_window(&c->c, &oldest, &newest))
		return;
	out->first_point_wall_us = oldest.from_us;
	out->last_point_wall_us = newest.to_us;
}

/* {"readAt":..., and on as archive_catalog_json() has it. */
static int
catalog_write(const struct archive_catalog *c, const struct archiver_summary *sum,
	const char *run_dir, struct err *e)
{
	AUTO(buf_deinit) struct buf out = {0}, body = {0};
	char path[PATH_LEN + 32], at[CLOCK_RFC3339_SIZE];
	struct json j;

	json_init(&j, &body);
	archive_catalog_json(c, &j);
	if (buf_check(&body, e) < 0)
		return -1;
	buf_printf(&out, "{\"readAt\":\"%s\",", clock_rfc3339(sum->catalog_wall_us, at));
	buf_put(&out, body.data + 1, body.len - 1);
	if (buf_check(&out, e) < 0 || file_join(path, sizeof(path), run_dir, CATALOG_FILE, e) < 0)
		return -1;
	return file_write(path, out.data, out.len, 0600, e);
}

static bool
catalog_fresh(const struct archive_wal *w, const struct archiver_task *task)
{
	return clock_wall_us() - w->whole_us < CATALOG_WHOLE_US &&
	       (task->segment_bytes == 0 || task->segment_bytes == w->segment_bytes);
}

int
archiver_catalog(struct archive *a, const struct archiver_task *task, const char *run_dir,
	struct archiver_summary *out, struct err *e)
{
	AUTO(archive_catalog_deinit) struct archive_catalog c = {0};
	AUTO(archive_wal_deinit) struct archive_wal wal = {0};
	char state[PATH_LEN + 32];

	if (file_join(state, sizeof(state), run_dir, CATALOG_STATE, e) < 0)
		return -1;
	if (!task->flag && archive_wal_load(&wal, a, state) && !catalog_fresh(&wal, task))
		archive_wal_deinit(&wal);
	c.c.segment_bytes = task->segment_bytes;
	if (archive_catalog_read_on(a, &wal, &c, e) < 0)
		return -1;
	summary_make(out, &c);
	if (drill_record_read(a, &out->drill, e) < 0 && e->kind != ERR_NOTFOUND)
		return -1;
	if (catalog_write(&c, out, run_dir, e) < 0)
		return -1;
	return archive_wal_save(archive_catalog_wal(&c), a, state, e);
}
