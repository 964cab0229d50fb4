#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "archive_rig.h"
#include "base/clock.h"
#include "base/json.h"
#include "core/retention.h"
#include "service/archive_catalog.h"
#include "service/archiver.h"

/* An object that stands for a segment: nobody reads it. */
static void
put_name(struct rig *r, uint32_t timeline, uint64_t segment)
{
	char name[LINEAGE_NAME_SIZE], key[ARCHIVE_KEY_SIZE];
	struct err e;

	lineage_name(timeline, segment * RIG_SEGMENT, RIG_SEGMENT, name);
	assert_int_equal(archive_key_wal(key, "srv", name, segment % 3 ? ".gz" : "", &e), 0);
	if (segment % 3)
		rig_put(r, key, "x", 1);
	else
		rig_put(r, key, "xyz", 3);
}

static void
remove_name(struct rig *r, uint32_t timeline, uint64_t segment)
{
	char name[LINEAGE_NAME_SIZE], key[ARCHIVE_KEY_SIZE];
	const char *keys[] = {key};
	struct err e;

	lineage_name(timeline, segment * RIG_SEGMENT, RIG_SEGMENT, name);
	assert_int_equal(archive_key_wal(key, "srv", name, segment % 3 ? ".gz" : "", &e), 0);
	assert_int_equal(store_delete(r->a.store, keys, 1, &e), 0);
}

static void
put_backup(struct rig *r, const char *id, uint64_t begin, enum backup_status status)
{
	AUTO(buf_deinit) struct buf text = {0};
	struct backup_info b = {.status = status,
		.timeline = 1,
		.begin_lsn = begin * RIG_SEGMENT + 40,
		.end_lsn = begin * RIG_SEGMENT + 400,
		.begin_us = backup_id_time(id),
		.end_us = backup_id_time(id) + 60 * SEC_US,
		.system_id = RIG_SYSTEM,
		.version = 150020,
		.segment_bytes = RIG_SEGMENT};
	char key[ARCHIVE_KEY_SIZE];
	struct err e;

	lineage_name(1, b.begin_lsn, RIG_SEGMENT, b.begin_wal);
	lineage_name(1, b.end_lsn, RIG_SEGMENT, b.end_wal);
	snprintf(b.id, sizeof(b.id), "%s", id);
	snprintf(b.server_name, sizeof(b.server_name), "cloud");
	backup_info_print(&b, &text);
	assert_int_equal(archive_key(key, &e, "srv/base/%s/backup.info", id), 0);
	rig_put(r, key, text.data, text.len);
	assert_int_equal(archive_key(key, &e, "srv/base/%s/data.tar.gz", id), 0);
	rig_put(r, key, "0123456789", 10);
}

static void
read_all(struct rig *r, struct archive_catalog *c)
{
	struct err e = {0};

	memset(c, 0, sizeof(*c));
	if (archive_catalog_read(&r->a, c, &e) < 0)
		fail_msg("%s", e.msg);
}

static void
an_empty_archive_has_nothing(void **state)
{
	struct archive_catalog c;
	struct rig r;

	(void)state;
	rig_make(&r);
	read_all(&r, &c);
	assert_int_equal(c.infos, 0);
	assert_int_equal(c.c.runs, 0);
	assert_int_equal(c.bytes, 0);
	archive_catalog_deinit(&c);
	archive_catalog_deinit(&c);
	rig_end(&r);
}

static void
segments_become_runs_that_end_at_holes(void **state)
{
	const char *history = "1\t0/2800000\tx\n";
	struct archive_catalog c;
	struct rig r;

	(void)state;
	rig_make(&r);
	for (uint64_t s = 10; s < 60; s++)
		if (s != 30 && s != 31)
			put_name(&r, 1, s);
	for (uint64_t s = 40; s < 45; s++)
		put_name(&r, 2, s);
	/* across a folder's border, and under two extensions */
	for (uint64_t s = 4090; s < 4100; s++)
		put_name(&r, 1, s);
	rig_put(&r, "srv/wals/0000000100000000/00000001000000000000000B", "x", 1);
	rig_put(&r, "srv/wals/0000000100000000/00000001000000000000000A.partial", "x", 1);
	rig_put(&r, "srv/wals/0000000100000000/00000001000000000000000A.00000028.backup.gz", "x",
		1);
	rig_put(&r, "srv/wals/00000002.history.gz", history, strlen(history));
	rig_put(&r, "srv/wals/readme.txt", "x", 1);
	put_backup(&r, "20261119T010203", 10, BACKUP_DONE);
	read_all(&r, &c);
	assert_int_equal(c.c.segment_bytes, RIG_SEGMENT);
	assert_int_equal(c.c.runs, 4);
	assert_int_equal(c.c.run[0].first, 10);
	assert_int_equal(c.c.run[0].last, 29);
	assert_int_equal(c.c.run[1].first, 32);
	assert_int_equal(c.c.run[1].last, 59);
	assert_int_equal(c.c.run[2].first, 4090);
	assert_int_equal(c.c.run[2].last, 4099);
	assert_int_equal(c.c.run[3].timeline, 2);
	assert_true(c.c.run[3].last_modified_us > 0);
	assert_int_equal(c.c.histories, 1);
	assert_int_equal(c.c.history[0].timeline, 2);
	assert_int_equal(c.c.history[0].line.entry[0].lsn, 0x2800000);
	assert_int_equal(archive_catalog_wal(&c)->segments, 48 + 10 + 5);
	archive_catalog_deinit(&c);
	rig_end(&r);
}

static void
backups_are_sorted_and_what_is_unreadable_is_named(void **state)
{
	struct archive_catalog c;
	struct rig r;

	(void)state;
	rig_make(&r);
	put_backup(&r, "20261120T010203", 12, BACKUP_FAILED);
	put_backup(&r, "20261119T010203", 10, BACKUP_DONE);
	rig_put(&r, "srv/base/20261119T010203/annotations/keep", "standalone", 10);
	rig_put(&r, "srv/base/20261118T010203/backup.info", "status=PURPLE\n", 14);
	rig_put(&r, "srv/base/20261117T010203/data.tar.gz", "0123", 4); /* killed, or running */
	rig_put(&r, "srv/base/notes/x", "1", 1);
	rig_put(&r, "srv/podgres/gaps/00000001000000000000000C", "{}", 2);
	put_name(&r, 1, 10);
	read_all(&r, &c);
	assert_int_equal(c.infos, 3);
	assert_string_equal(c.info[0].id, "20261117T010203");
	assert_int_equal(c.info[0].status, BACKUP_EMPTY);
	assert_string_equal(c.info[1].id, "20261119T010203");
	assert_int_equal(c.info[1].status, BACKUP_DONE);
	assert_int_equal(c.keep[1], KEEP_STANDALONE);
	assert_int_equal(c.keep[2], KEEP_NO);
	assert_true(c.info[1].stored_bytes > 10);
	assert_int_equal(c.info[2].status, BACKUP_FAILED);
	assert_int_equal(c.unreadables, 1);
	assert_string_equal(c.unreadable[0], "20261118T010203");
	assert_int_equal(c.c.gaps, 1);
	assert_int_equal(c.c.gap[0], 12 * (uint64_t)RIG_SEGMENT);
	archive_catalog_deinit(&c);
	rig_end(&r);
}

static void
the_size_of_a_segment_is_learnt_from_the_store(void **state)
{
	struct archive_catalog c;
	struct rig r;

	(void)state;
	rig_make(&r);
	rig_put_segment(&r, "000000010000000000000009", ".zst", "x");
	put_name(&r, 1, 10);
	read_all(&r, &c);
	assert_int_equal(c.c.segment_bytes, RIG_SEGMENT);
	assert_int_equal(c.c.runs, 1);
	assert_int_equal(c.c.run[0].first, 9);
	archive_catalog_deinit(&c);
	rig_end(&r);
}

static void
a_damaged_history_fails_the_reading(void **state)
{
	struct archive_catalog c = {.infos = 0};
	struct rig r;
	struct err e = {0};

	(void)state;
	rig_make(&r);
	put_name(&r, 1, 10);
	rig_put(&r, "srv/wals/00000002.history", "rubbish\n", 8);
	c.c.segment_bytes = RIG_SEGMENT;
	assert_int_equal(archive_catalog_read(&r.a, &c, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_non_null(strstr(e.msg, "00000002.history"));
	rig_end(&r);
}

/* What a whole list says of the same store. */
static void
assert_like_whole(struct rig *r, const struct archive_wal *w)
{
	AUTO(archive_wal_deinit) struct archive_wal whole = {.segment_bytes = RIG_SEGMENT};
	struct err e;

	assert_int_equal(archive_wal_read(&r->a, &whole, &e), 0);
	assert_int_equal(w->runs, whole.runs);
	for (size_t i = 0; i < whole.runs; i++) {
		assert_int_equal(w->run[i].timeline, whole.run[i].timeline);
		assert_int_equal(w->run[i].first, whole.run[i].first);
		assert_int_equal(w->run[i].last, whole.run[i].last);
	}
	assert_int_equal(w->segments, whole.segments);
	assert_int_equal(w->bytes, whole.bytes);
	assert_int_equal(w->histories, whole.histories);
}

static void
going_on_from_the_last_list_says_what_a_whole_one_says(void **state)
{
	const char *history = "1\t0/7800000\tx\n";
	struct archive_wal w = {.segment_bytes = RIG_SEGMENT}, again = {0};
	char path[128];
	uint64_t next = 1;
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	snprintf(path, sizeof(path), "%s/state", r.dir);
	for (int round = 0; round < 12; round++) {
		uint32_t timeline = round < 8 ? 1 : 2;

		for (int i = 0; i < 37 * round % 50; i++)
			put_name(&r, timeline, next++);
		if (round == 3)
			next++; /* an upload that is overtaken */
		if (round == 4)
			put_name(&r, 1, next - (37 * 4 % 50) - 1);
		if (round == 7)
			rig_put(&r, "srv/wals/00000002.history", history, strlen(history));
		assert_int_equal(archive_wal_read(&r.a, &w, &e), 0);
		assert_like_whole(&r, &w);
		assert_int_equal(archive_wal_save(&w, &r.a, path, &e), 0);
		archive_wal_deinit(&w);
		assert_true(archive_wal_load(&w, &r.a, path));
	}
	/* another archive's state is no use; nor is half a file */
	snprintf(r.a.server, sizeof(r.a.server), "other");
	assert_false(archive_wal_load(&again, &r.a, path));
	snprintf(r.a.server, sizeof(r.a.server), "srv");
	assert_int_equal(truncate(path, 100), 0);
	assert_false(archive_wal_load(&again, &r.a, path));
	archive_wal_deinit(&w);
	rig_end(&r);
}

static void
the_task_writes_the_catalogue_and_sums_it_up(void **state)
{
	struct archiver_task task = {.kind = TASK_CATALOG, .segment_bytes = RIG_SEGMENT};
	AUTO(buf_deinit) struct buf text = {0};
	struct archiver_summary sum;
	char path[128];
	struct rig r;
	struct err e = {0};

	(void)state;
	rig_make(&r);
	put_backup(&r, "20261119T010203", 10, BACKUP_DONE);
	put_backup(&r, "20261120T010203", 12, BACKUP_FAILED);
	for (uint64_t s = 10; s < 20; s++)
		put_name(&r, 1, s);
	if (archiver_catalog(&r.a, &task, r.dir, &sum, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(sum.backups, 1);
	assert_string_equal(sum.last_backup, "20261119T010203");
	assert_string_equal(sum.last_failed_backup, "20261120T010203");
	assert_int_equal(sum.last_backup_ms, 60000);
	assert_true(sum.first_point_wall_us == backup_id_time("20261119T010203") + 60 * SEC_US);
	assert_true(sum.last_point_wall_us >= sum.first_point_wall_us);
	assert_false(sum.broken_window);
	snprintf(path, sizeof(path), "%s/" CATALOG_FILE, r.dir);
	assert_int_equal(file_read(&text, path, 1 << 20, &e), 0);
	assert_int_equal(strncmp(buf_str(&text), "{\"readAt\":\"20", 13), 0);
	assert_non_null(strstr(buf_str(&text), "{\"id\":\"20261119T010203\",\"status\":\"DONE\""));
	assert_non_null(strstr(buf_str(&text), "\"window\":{\"from\":\"2026-11-19T01:03:03"));
	assert_non_null(strstr(buf_str(&text), "\"last\":\"000000010000000000000013\""));
	rig_put(&r, "srv/podgres/gaps/00000001000000000000000E", "{}", 2);
	put_name(&r, 1, 20);
	remove_name(&r, 1, 14);
	assert_int_equal(archiver_catalog(&r.a, &task, r.dir, &sum, &e), 0);
	assert_true(sum.broken_window);
	assert_int_equal(sum.gaps, 1);
	rig_end(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_archive_has_nothing),
		cmocka_unit_test(segments_become_runs_that_end_at_holes),
		cmocka_unit_test(backups_are_sorted_and_what_is_unreadable_is_named),
		cmocka_unit_test(the_size_of_a_segment_is_learnt_from_the_store),
		cmocka_unit_test(a_damaged_history_fails_the_reading),
		cmocka_unit_test(going_on_from_the_last_list_says_what_a_whole_one_says),
		cmocka_unit_test(the_task_writes_the_catalogue_and_sums_it_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
