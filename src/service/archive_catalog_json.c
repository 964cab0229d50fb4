/*
 * archive_catalog_json - the catalogue for /v1/backups and `podgres backup list --json`.
 *
 * Process: workers of the archiver and commands.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "core/retention.h"
#include "service/archive_catalog.h"

static void
json_given(struct json *j, const char *key, const char *text)
{
	if (*text)
		json_kstr(j, key, text);
}

static void
json_lsn(struct json *j, const char *key, uint64_t lsn)
{
	char text[LINEAGE_LSN_SIZE];

	if (lsn)
		json_kstr(j, key, lineage_lsn_text(lsn, text));
}

static void
json_tablespaces(struct json *j, const struct backup_info *b)
{
	json_karr(j, "tablespaces");
	for (size_t i = 0; i < b->tablespaces; i++) {
		json_obj(j);
		json_kstr(j, "name", b->tablespace[i].name);
		json_kint(j, "oid", b->tablespace[i].oid);
		json_kstr(j, "location", b->tablespace[i].location);
		json_end_obj(j);
	}
	json_end_arr(j);
}

static void
json_where(struct json *j, const struct backup_info *b)
{
	char text[24];

	if (b->timeline)
		json_kint(j, "timeline", b->timeline);
	json_lsn(j, "beginLsn", b->begin_lsn);
	json_lsn(j, "endLsn", b->end_lsn);
	json_given(j, "beginWal", b->begin_wal);
	json_given(j, "endWal", b->end_wal);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)b->system_id);
	json_given(j, "systemId", b->system_id ? text : "");
	if (b->version)
		json_kint(j, "postgresVersion", b->version);
}

void
archive_backup_json(const struct backup_info *b, int keep, struct json *j)
{
	static const char *const keeps[] = {
		[KEEP_NO] = "no", [KEEP_FULL] = "full", [KEEP_STANDALONE] = "standalone"};

	json_obj(j);
	json_kstr(j, "id", b->id);
	json_given(j, "name", b->name);
	json_kstr(j, "status", backup_status_text(b->status));
	json_given(j, "error", b->error);
	json_ktime(j, "startedAt", b->begin_us);
	json_ktime(j, "stoppedAt", b->end_us);
	if (b->begin_us && b->end_us >= b->begin_us)
		json_knum(j, "durationSeconds", (double)(b->end_us - b->begin_us) / 1e6);
	json_where(j, b);
	if (b->bytes)
		json_kint(j, "bytes", b->bytes);
	json_kint(j, "storedBytes", b->stored_bytes);
	json_given(j, "parent", b->parent);
	json_kbool(j, "incremental", *b->parent != '\0');
	json_kbool(j, "fromStandby", b->standby);
	json_kbool(j, "checksumFailures", b->checksum_failures);
	json_kstr(j, "keep", keeps[keep >= KEEP_NO && keep <= KEEP_STANDALONE ? keep : KEEP_NO]);
	json_given(j, "writer", b->writer);
	json_tablespaces(j, b);
	json_end_obj(j);
}

static void
json_window(struct json *j, const struct catalog *c)
{
	struct catalog_path oldest, newest;

	json_key(j, "window");
	if (!catalog_window(c, &oldest, &newest)) {
		json_null(j);
		return;
	}
	json_obj(j);
	json_ktime(j, "from", oldest.from_us);
	json_ktime(j, "to", newest.to_us);
	json_kint(j, "timeline", newest.timeline);
	json_lsn(j, "endLsn", newest.end_lsn);
	json_given(j, "lastWal", newest.last_wal);
	json_kstr(j, "oldestBackup", oldest.backup ? oldest.backup->id : NULL);
	json_kstr(j, "newestBackup", newest.backup ? newest.backup->id : NULL);
	json_end_obj(j);
}

static void
json_segment(struct json *j, const char *key, const struct catalog *c, uint32_t timeline,
	uint64_t segment)
{
	char name[LINEAGE_NAME_SIZE];

	json_kstr(
		j, key, lineage_name(timeline, segment * c->segment_bytes, c->segment_bytes, name));
}

static void
json_wal(struct json *j, const struct archive_catalog *c)
{
	const struct archive_wal *w = archive_catalog_wal(c);

	json_kobj(j, "wal");
	json_kint(j, "segmentBytes", c->c.segment_bytes);
	json_kint(j, "segments", (int64_t)w->segments);
	json_kint(j, "bytes", w->bytes);
	json_karr(j, "runs");
	for (size_t i = 0; i < c->c.runs; i++) {
		const struct catalog_run *run = &c->c.run[i];

		json_obj(j);
		json_kint(j, "timeline", run->timeline);
		json_segment(j, "first", &c->c, run->timeline, run->first);
		json_segment(j, "last", &c->c, run->timeline, run->last);
		json_kint(j, "segments", (int64_t)(run->last - run->first + 1));
		json_ktime(j, "lastStoredAt", run->last_modified_us);
		json_end_obj(j);
	}
	json_end_arr(j);
	json_karr(j, "gaps");
	for (size_t i = 0; i < c->c.gaps; i++) {
		char text[LINEAGE_LSN_SIZE];

		json_str(j, lineage_lsn_text(c->c.gap[i], text));
	}
	json_end_arr(j);
	json_end_obj(j);
}

static void
json_timelines(struct json *j, const struct catalog *c)
{
	json_karr(j, "timelines");
	for (size_t i = 0; i < c->histories; i++) {
		const struct lineage_history *line = &c->history[i].line;

		json_obj(j);
		json_kint(j, "timeline", c->history[i].timeline);
		if (line->n > 0) {
			json_kint(j, "parent", line->entry[line->n - 1].timeline);
			json_lsn(j, "switchLsn", line->entry[line->n - 1].lsn);
			json_kstr(j, "reason", line->entry[line->n - 1].reason);
		}
		json_end_obj(j);
	}
	json_end_arr(j);
}

void
archive_catalog_json(const struct archive_catalog *c, struct json *j)
{
	json_obj(j);
	json_karr(j, "backups");
	for (size_t i = 0; i < c->infos; i++)
		archive_backup_json(&c->info[i], c->keep[i], j);
	json_end_arr(j);
	json_karr(j, "unreadable");
	for (size_t i = 0; i < c->unreadables; i++)
		json_str(j, c->unreadable[i]);
	json_end_arr(j);
	json_window(j, &c->c);
	json_timelines(j, &c->c);
	json_wal(j, c);
	json_kint(j, "bytes", c->bytes);
	json_end_obj(j);
}
