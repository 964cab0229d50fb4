/*
 * A small archive in a folder: four backups, one segment after the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "core/backup_manifest.h"
#include "service/archive_prune.h"
#include "service/archive_verify.h"
#include "store/tar.h"
#include "sys/file.h"

#define SEG (UINT32_C(1) << 20)
#define HOUR_US (INT64_C(3600) * 1000000)

struct rig {
	char folder[64], destination[80];
	struct spec *spec;
	struct run_options opt;
	struct archive *a;
	struct archive_catalog c;
	size_t found;
	struct verify_finding finding[16];
	struct err e;
};

static void
put(struct rig *f, const char *key, const void *p, size_t n)
{
	const struct store_put put = {.key = key, .body = p, .len = n};

	if (store_put(f->a->store, &put, NULL, &f->e))
		fail_msg("%s", f->e.msg);
}

static bool
has(struct rig *f, const char *key)
{
	struct store_object o;

	return store_head(f->a->store, key, &o, &f->e) == 0;
}

static int
to_buf(void *arg, const void *p, size_t n, struct err *e)
{
	buf_put(arg, p, n);
	return buf_check(arg, e);
}

static void
add_file(struct tar_writer *w, const char *name, const char *text, struct buf *manifest)
{
	const struct tar_entry t = {
		.kind = TAR_FILE, .name = name, .bytes = (int64_t)strlen(text), .mode = 0600};
	struct backup_file file = {.tar = "data.tar", .bytes = t.bytes};
	struct err e;

	assert_int_equal(tar_writer_file(w, &t, text, &e), 0);
	snprintf(file.path, sizeof(file.path), "%s", name);
	sha256_hex(text, strlen(text), file.sha256);
	backup_manifest_file(manifest, &file, strcmp(name, "PG_VERSION") == 0);
}

static void
add_data(struct rig *f, const char *id)
{
	AUTO(buf_deinit) struct buf tar = {0}, manifest = {0};
	AUTO(tar_writer_free) struct tar_writer *w = NULL;
	struct backup_object o = {.name = "data.tar"};
	const struct backup_totals totals = {.files = 3};
	char key[200];

	assert_int_equal(tar_writer_new(&w, to_buf, &tar, &f->e), 0);
	backup_manifest_begin(&manifest, id, 7);
	add_file(w, "PG_VERSION", "15\n", &manifest);
	add_file(w, "backup_label", "START", &manifest);
	add_file(w, "global/pg_control", "control", &manifest);
	assert_int_equal(tar_writer_finish(w, &f->e), 0);
	o.bytes = o.plain_bytes = (int64_t)tar.len;
	sha256_hex(tar.data, tar.len, o.sha256);
	backup_manifest_objects(&manifest);
	backup_manifest_object(&manifest, &o, true);
	backup_manifest_end(&manifest, &totals);
	snprintf(key, sizeof(key), "pg/base/%s/data.tar", id);
	put(f, key, tar.data, tar.len);
	snprintf(key, sizeof(key), "pg/base/%s/manifest.json", id);
	put(f, key, manifest.data, manifest.len);
}

static void
add_backup(struct rig *f, uint64_t segment, int hour)
{
	struct backup_info b = {.status = BACKUP_DONE,
		.timeline = 1,
		.segment_bytes = SEG,
		.begin_lsn = segment * SEG + 40,
		.end_lsn = segment * SEG + 300,
		.begin_us = INT64_C(1795132800000000) + hour * HOUR_US,
		.system_id = 7,
		.version = 150020};
	AUTO(buf_deinit) struct buf out = {0};
	char key[200];

	backup_id_make(b.id, b.begin_us);
	b.end_us = b.begin_us + 1000000;
	lineage_name(1, b.begin_lsn, SEG, b.begin_wal);
	lineage_name(1, b.end_lsn, SEG, b.end_wal);
	backup_info_print(&b, &out);
	add_data(f, b.id);
	snprintf(key, sizeof(key), "pg/base/%s/backup.info", b.id);
	put(f, key, out.data, out.len);
}

static void
add_segment(struct rig *f, uint64_t segment, const char *suffix)
{
	char name[LINEAGE_NAME_SIZE], key[200];

	lineage_name(1, segment * SEG, SEG, name);
	snprintf(key, sizeof(key), "pg/wals/%.16s/%s%s", name, name, suffix);
	put(f, key, "x", 1);
}

static void
read_catalog(struct rig *f)
{
	archive_catalog_deinit(&f->c);
	memset(&f->c, 0, sizeof(f->c));
	if (archive_catalog_read(f->a, &f->c, &f->e))
		fail_msg("%s", f->e.msg);
}

static int
setup(void **state)
{
	struct rig *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	snprintf(f->folder, sizeof(f->folder), "/tmp/podgres-prune-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->destination, sizeof(f->destination), "file://%s", f->folder);
	f->spec = spec_new(&f->e);
	assert_non_null(f->spec);
	f->spec->backup.store.set = true;
	free(f->spec->backup.store.destination);
	free(f->spec->backup.store.server_name);
	free(f->spec->backup.retention);
	f->spec->backup.store.destination = strdup(f->destination);
	f->spec->backup.store.server_name = strdup("pg");
	f->spec->backup.retention = strdup("redundancy 2");
	if (archive_open(&f->a, f->spec, NULL, &f->opt, NULL, &f->e))
		fail_msg("%s", f->e.msg);
	for (uint64_t s = 1; s <= 9; s++)
		add_segment(f, s, "");
	add_segment(f, 3, ".00000028.backup");
	add_segment(f, 4, ".partial.gz");
	put(f, "pg/wals/00000002.history", "1\t0/900000\tx\n", 13);
	put(f, "pg/podgres/gaps/000000010000000000000002", "{}", 2);
	for (int i = 0; i < 4; i++)
		add_backup(f, 1 + 2 * (uint64_t)i, i);
	read_catalog(f);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *f = *state;

	archive_catalog_deinit(&f->c);
	f->a = archive_close(f->a);
	f->spec = spec_free(f->spec);
	assert_int_equal(file_remove_tree(f->folder, &f->e), 0);
	free(f);
	return 0;
}

/* ---- pruning ---- */

static void
policy_takes_backups_and_their_wal_and_leaves_the_rest(void **state)
{
	struct rig *f = *state;

	if (archive_prune_by_policy(f->spec, &f->opt, &f->e))
		fail_msg("%s", f->e.msg);
	assert_false(has(f, "pg/base/20261120T010000/backup.info"));
	assert_false(has(f, "pg/base/20261120T010000/data.tar"));
	assert_true(has(f, "pg/base/20261120T020000/backup.info"));
	assert_true(has(f, "pg/base/20261120T020000/data.tar"));
	assert_false(has(f, "pg/wals/0000000100000000/000000010000000000000004"));
	assert_false(has(f, "pg/wals/0000000100000000/000000010000000000000004.partial.gz"));
	assert_false(has(f, "pg/wals/0000000100000000/000000010000000000000003.00000028.backup"));
	assert_false(has(f, "pg/podgres/gaps/000000010000000000000002"));
	assert_true(has(f, "pg/wals/0000000100000000/000000010000000000000005"));
	assert_true(has(f, "pg/wals/00000002.history"));
	read_catalog(f);
	assert_int_equal(f->c.infos, 2);
}

static void
dry_run_counts_and_deletes_nothing(void **state)
{
	struct rig *f = *state;
	struct retention_policy policy = {.redundancy = 1, .minimum = 1};
	struct retention_plan plan;
	struct archive_prune p = {
		.archive = f->a, .catalog = &f->c, .plan = &plan, .dry_run = true};

	assert_int_equal(retention_plan(&plan, &f->c.c, NULL, &policy, clock_wall_us()), 0);
	assert_int_equal(archive_prune_run(&p, &f->e), 0);
	assert_int_equal(p.backups, 3);
	assert_int_equal(p.wal_files, 6 + 2 + 1);
	assert_true(has(f, "pg/base/20261120T000000/backup.info"));
	assert_true(has(f, "pg/wals/0000000100000000/000000010000000000000001"));
	retention_plan_deinit(&plan);
}

static void
kept_backup_stays_with_the_wal_between_its_ends(void **state)
{
	struct rig *f = *state;

	assert_int_equal(archive_keep(f->a, "20261120T000000", KEEP_STANDALONE, &f->e), 0);
	assert_int_equal(archive_prune_by_policy(f->spec, &f->opt, &f->e), 0);
	assert_true(has(f, "pg/base/20261120T000000/backup.info"));
	assert_true(has(f, "pg/wals/0000000100000000/000000010000000000000001"));
	assert_false(has(f, "pg/wals/0000000100000000/000000010000000000000002"));
	assert_int_equal(archive_keep(f->a, "20261120T000000", KEEP_NO, &f->e), 0);
	assert_int_equal(archive_prune_by_policy(f->spec, &f->opt, &f->e), 0);
	assert_false(has(f, "pg/base/20261120T000000/backup.info"));
	assert_false(has(f, "pg/wals/0000000100000000/000000010000000000000001"));
}

static void
with_an_unreadable_backup_nothing_is_deleted(void **state)
{
	struct rig *f = *state;

	put(f, "pg/base/20261120T020000/backup.info", "status=FINE\n", 12);
	assert_int_equal(archive_prune_by_policy(f->spec, &f->opt, &f->e), -1);
	assert_int_equal(f->e.kind, ERR_STATE);
	assert_non_null(strstr(f->e.msg, "backup.info of 20261120T020000 cannot be read"));
	assert_true(has(f, "pg/base/20261120T000000/backup.info"));
	assert_true(has(f, "pg/wals/0000000100000000/000000010000000000000001"));
}

static void
parts_of_the_segment_under_way_make_the_window_longer(void **state)
{
	static const char folder[] = "pg/podgres/continuous/00000001000000000000000A/";
	static const char *const part[] = {"000000000001-00000000-00001000",
		"000000000001-00001000-00002800.gz", "000000000001-00003000-00004000", "junk"};
	const struct catalog_wish wish = {.timeline = 1};
	struct catalog_path newest;
	struct rig *f = *state;
	char key[200];

	for (size_t i = 0; i < ARRAY_LEN(part); i++) {
		snprintf(key, sizeof(key), "%s%s", folder, part[i]);
		put(f, key, "x", 1);
	}
	put(f, "pg/podgres/continuous/00000001000000000000000B/000000000001-00000010-00000020", "x",
		1);
	read_catalog(f);
	assert_int_equal(f->c.c.tails, 1);
	assert_int_equal(catalog_choose(&f->c.c, &wish, &newest, &f->e), 0);
	assert_true(newest.end_lsn == 10 * (uint64_t)SEG + 0x2800);
	assert_string_equal(newest.last_wal, "00000001000000000000000A");
}

/* ---- verifying ---- */

static void
found(void *arg, const struct verify_finding *finding)
{
	struct rig *f = arg;

	if (f->found < ARRAY_LEN(f->finding))
		f->finding[f->found] = *finding;
	f->found++;
}

static struct archive_verify
verify(struct rig *f, size_t backup)
{
	struct archive_verify v = {.archive = f->a, .catalog = &f->c, .found = found, .arg = f};

	f->found = 0;
	read_catalog(f);
	if (archive_verify_backup(&v, &f->c.info[backup], &f->e) ||
		archive_verify_wal(&v, false, &f->e))
		fail_msg("%s", f->e.msg);
	return v;
}

static void
expect_finding(struct rig *f, const char *object, const char *text)
{
	for (size_t i = 0; i < f->found && i < ARRAY_LEN(f->finding); i++)
		if (strcmp(f->finding[i].object, object) == 0 && strstr(f->finding[i].text, text))
			return;
	fail_msg("%s: %s is not among %zu findings, the first is %s: %s", object, text, f->found,
		f->finding[0].object, f->finding[0].text);
}

static void
sound_backup_has_no_findings(void **state)
{
	struct rig *f = *state;
	struct archive_verify v = verify(f, 0);

	if (f->found)
		fail_msg("%s: %s", f->finding[0].object, f->finding[0].text);
	assert_int_equal(v.objects, 1);
	assert_int_equal(v.files, 3);
	assert_int_equal(v.segments, 9);
}

/* One byte of a file's content: the tar stays whole. */
static void
changed_byte_is_found_by_file_and_object(void **state)
{
	AUTO(buf_deinit) struct buf tar = {0};
	struct rig *f = *state;
	const struct store_get get = {
		.key = "pg/base/20261120T000000/data.tar", .sink = to_buf, .arg = &tar};
	char *at;

	assert_int_equal(store_get(f->a->store, &get, NULL, &f->e), 0);
	at = memmem(tar.data, tar.len, "START", 5);
	assert_non_null(at);
	*at = 's';
	put(f, get.key, tar.data, tar.len);
	verify(f, 0);
	assert_int_equal(f->found, 2);
	expect_finding(f, "data.tar", "file backup_label has another SHA-256");
	expect_finding(f, "data.tar", "has another SHA-256 than in manifest.json");
}

static void
missing_object_segment_and_history_are_found(void **state)
{
	static const char *const gone[] = {"pg/base/20261120T000000/data.tar",
		"pg/wals/0000000100000000/000000010000000000000003",
		"pg/wals/0000000100000000/000000010000000000000004"};
	struct rig *f = *state;

	assert_int_equal(store_delete(f->a->store, gone, ARRAY_LEN(gone), &f->e), 0);
	put(f, "pg/wals/0000000300000000/000000030000000000000009", "x", 1);
	verify(f, 0);
	expect_finding(f, "data.tar", "is missing");
	expect_finding(f, "000000010000000000000003",
		"is missing, and all up to 000000010000000000000004");
	expect_finding(f, "00000003.history", "is missing");
	assert_int_equal(f->found, 3);
	verify(f, 1); /* it begins in the hole */
	expect_finding(f, "wals", "WAL is missing between 000000010000000000000003 and");
}

static void
manifest_that_ends_early_is_found(void **state)
{
	AUTO(buf_deinit) struct buf text = {0};
	struct rig *f = *state;
	const struct store_get get = {
		.key = "pg/base/20261120T000000/manifest.json", .sink = to_buf, .arg = &text};

	assert_int_equal(store_get(f->a->store, &get, NULL, &f->e), 0);
	put(f, get.key, text.data, (size_t)(strstr(text.data, "],\"objects\"") - text.data));
	verify(f, 0);
	expect_finding(f, "manifest.json", "it ends early: 3 files");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(policy_takes_backups_and_their_wal_and_leaves_the_rest),
		T(dry_run_counts_and_deletes_nothing),
		T(kept_backup_stays_with_the_wal_between_its_ends),
		T(with_an_unreadable_backup_nothing_is_deleted),
		T(parts_of_the_segment_under_way_make_the_window_longer),
		T(sound_backup_has_no_findings),
		T(changed_byte_is_found_by_file_and_object),
		T(missing_object_segment_and_history_are_found),
		T(manifest_that_ends_early_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
