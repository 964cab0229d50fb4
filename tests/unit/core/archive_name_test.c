#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "core/archive_name.h"

#define SEG "0000000A00000001000000FE"

static const struct {
	const char *name;
	enum archive_kind kind;
} names[] = {
	{SEG, ARCHIVE_SEGMENT},
	{SEG ".partial", ARCHIVE_PARTIAL},
	{SEG ".00000028.backup", ARCHIVE_BACKUP},
	{"0000000A.history", ARCHIVE_HISTORY},
	{"", ARCHIVE_OTHER},
	{"0000000A", ARCHIVE_OTHER},
	{"0000000a00000001000000fe", ARCHIVE_OTHER},
	{"0000000000000001000000FE", ARCHIVE_OTHER},
	{"00000000.history", ARCHIVE_OTHER},
	{SEG "0", ARCHIVE_OTHER},
	{SEG ".gz", ARCHIVE_OTHER},
	{SEG ".partial.x", ARCHIVE_OTHER},
	{SEG ".0000002.backup", ARCHIVE_OTHER},
	{SEG ".00000028.backup2", ARCHIVE_OTHER},
	{"../" SEG, ARCHIVE_OTHER},
	{"0000000A.historyx", ARCHIVE_OTHER},
};

static void
names_of_pg_wal_are_told_apart(void **state)
{
	struct archive_name n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_int_equal(archive_name_parse(names[i].name, &n), names[i].kind);
		assert_int_equal(n.kind, names[i].kind);
		assert_int_equal(n.timeline, names[i].kind == ARCHIVE_OTHER ? 0 : 10);
	}
	archive_name_parse(SEG, &n);
	assert_int_equal(n.log, 1);
	assert_int_equal(n.seg, 0xfe);
}

static void
keys_are_barmans(void **state)
{
	char key[ARCHIVE_KEY_SIZE], longest[2000];
	struct err e;

	(void)state;
	assert_int_equal(archive_key_wal(key, "pg", SEG, ".gz", &e), 0);
	assert_string_equal(key, "pg/wals/0000000A00000001/" SEG ".gz");
	assert_int_equal(archive_key_wal(key, "pg", "0000000A.history", "", &e), 0);
	assert_string_equal(key, "pg/wals/0000000A.history");
	assert_int_equal(archive_key_wal(key, "pg", SEG ".00000028.backup", ".zst", &e), 0);
	assert_string_equal(key, "pg/wals/0000000A00000001/" SEG ".00000028.backup.zst");
	assert_int_equal(archive_key_wal(key, "pg", "../x", "", &e), -1);
	assert_int_equal(archive_key(key, &e, "%s/base/%s/", "pg", "x"), 0);
	assert_string_equal(key, "pg/base/x/");
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(archive_key_wal(key, longest, SEG, "", &e), -1);
}

static void
keys_are_read_whatever_compressed_them(void **state)
{
	static const char *const extensions[] = {
		"", ".gz", ".bz2", ".snappy", ".xz", ".zst", ".lz4"};
	char key[ARCHIVE_KEY_SIZE], name[ARCHIVE_NAME_SIZE];
	const char *extension;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(extensions); i++)
		for (size_t n = 0; n < 4; n++) {
			assert_int_equal(
				archive_key_wal(key, "a/b", names[n].name, extensions[i], &e), 0);
			assert_true(archive_key_parse(key, name, &extension));
			assert_string_equal(name, names[n].name);
			assert_string_equal(extension, extensions[i]);
		}
	assert_false(archive_key_parse("pg/wals/" SEG ".zip", name, &extension));
	assert_false(archive_key_parse("pg/wals/0000000A00000001/", name, &extension));
	assert_false(archive_key_parse("pg/wals/x.gz", name, &extension));
}

static void
ids_are_times_in_utc(void **state)
{
	char id[BACKUP_ID_SIZE];

	(void)state;
	backup_id_make(id, INT64_C(1795182060999999));
	assert_string_equal(id, "20261120T134100");
	assert_true(backup_id_ok(id));
	assert_true(backup_id_time(id) == INT64_C(1795182060000000));
	assert_false(backup_id_ok("20261120T13410"));
	assert_false(backup_id_ok("20261120T1341000"));
	assert_false(backup_id_ok("20261120 134100"));
	assert_false(backup_id_ok(""));
	assert_int_equal(backup_id_time("20261320T134100"), 0);
	assert_int_equal(backup_id_time("20260229T134100"), 0);
	assert_int_equal(backup_id_time("x"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_pg_wal_are_told_apart),
		cmocka_unit_test(keys_are_barmans),
		cmocka_unit_test(keys_are_read_whatever_compressed_them),
		cmocka_unit_test(ids_are_times_in_utc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
