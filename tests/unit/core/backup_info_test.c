#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/backup_info.h"
#include "core/pytext.h"

struct rig {
	struct backup_info b;
	char text[8192];
	size_t len;
	struct err e;
};

static void
rig_deinit_auto(struct rig *f)
{
	backup_info_deinit(&f->b);
}

static void
rig_file(struct rig *f, const char *name)
{
	char path[200];
	FILE *in;

	snprintf(path, sizeof(path), "tests/unit/core/backup_info/%s", name);
	in = fopen(path, "re");
	assert_non_null(in);
	f->len = fread(f->text, 1, sizeof(f->text) - 1, in);
	fclose(in);
	if (backup_info_parse(&f->b, f->text, f->len, &f->e))
		fail_msg("%s", f->e.msg);
}

static void
expect_barmans(const struct backup_info *b)
{
	assert_int_equal(b->status, BACKUP_DONE);
	assert_string_equal(b->name, "mybk");
	assert_int_equal(b->timeline, 1);
	assert_true(b->begin_lsn == 0xF5000028 && b->end_lsn == 0xF5000138);
	assert_int_equal(b->begin_offset, 40);
	assert_int_equal(b->end_offset, 312);
	assert_string_equal(b->begin_wal, "0000000100000000000000F5");
	assert_true(b->begin_us == INT64_C(1795189085422605));
	assert_true(b->end_us == INT64_C(1795189085000000));
	assert_true(b->system_id == UINT64_C(7710269545778229819));
	assert_int_equal(b->version, 150020);
	assert_int_equal(b->segment_bytes, 16 << 20);
	assert_string_equal(b->error, "");
	assert_string_equal(b->server_name, "cloud");
	assert_non_null(strstr(b->label, "\nLABEL: it's \xc3\xa9\nSTART TIMELINE: 1\n"));
	assert_int_equal(b->tablespaces, 2);
	assert_string_equal(b->tablespace[0].name, "ts1");
	assert_int_equal(b->tablespace[1].oid, 16385);
	assert_string_equal(b->tablespace[1].name, "it's");
	assert_string_equal(b->tablespace[1].location, "/srv/a \"b\" \\ \xc3\xa9\n");
}

static void
what_barman_3_4_writes_is_read(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};

	(void)state;
	rig_file(&f, "barman-3.4");
	expect_barmans(&f.b);
	assert_string_equal(f.b.parent, "");
}

static void
what_barman_3_17_writes_is_read(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};

	(void)state;
	rig_file(&f, "barman-3.17");
	expect_barmans(&f.b);
	assert_string_equal(f.b.parent, "20261119T153805");
}

/* Only keys that Barman 3.4 knows, each once, in alphabetical order. */
static void
expect_keys_of_3_4(const char *text)
{
	static const char known[] =
		" backup_label backup_name begin_offset begin_time begin_wal begin_xlog "
		"compression config_file copy_stats deduplicated_size end_offset end_time end_wal "
		"end_xlog error hba_file ident_file included_files mode pgdata server_name size "
		"status systemid tablespaces timeline version xlog_segment_size ";
	char key[64], word[70], last[64] = "";
	const char *line;
	size_t n;

	for (line = text; *line; line = strchr(line, '\n') + 1) {
		if (*line == '#')
			continue;
		n = strcspn(line, "=\n");
		assert_true(line[n] == '=' && n < sizeof(key));
		snprintf(key, sizeof(key), "%.*s", (int)n, line);
		snprintf(word, sizeof(word), " %s ", key);
		assert_non_null(strstr(known, word));
		assert_true(strcmp(last, key) < 0);
		memcpy(last, key, sizeof(last));
	}
}

static void
what_is_written_is_read_again_and_has_no_new_keys(void **state)
{
	AUTO(rig_deinit) struct rig f = {0};
	AUTO(buf_deinit) struct buf one = {0}, two = {0};
	struct backup_info again;

	(void)state;
	rig_file(&f, "barman-3.17");
	f.b.bytes = 12345;
	f.b.stored_bytes = 6789;
	f.b.standby = f.b.checksum_failures = true;
	snprintf(f.b.writer, sizeof(f.b.writer), "podgres 0.1.0");
	backup_info_print(&f.b, &one);
	expect_keys_of_3_4(buf_str(&one));
	assert_int_equal(backup_info_parse(&again, one.data, one.len, &f.e), 0);
	expect_barmans(&again);
	assert_int_equal(again.bytes, 12345);
	assert_int_equal(again.stored_bytes, 6789);
	assert_true(again.standby && again.checksum_failures);
	assert_string_equal(again.parent, "20261119T153805");
	assert_string_equal(again.writer, "podgres 0.1.0");
	backup_info_print(&again, &two);
	assert_string_equal(buf_str(&one), buf_str(&two));
	backup_info_deinit(&again);
}

static void
a_backup_that_only_began_has_none_of_the_rest(void **state)
{
	AUTO(buf_deinit) struct buf out = {0};
	struct backup_info b = {.status = BACKUP_STARTED, .segment_bytes = 16 << 20}, again;
	struct err e;

	(void)state;
	backup_info_print(&b, &out);
	expect_keys_of_3_4(buf_str(&out));
	assert_non_null(strstr(buf_str(&out), "\nbegin_time=None\n"));
	assert_non_null(strstr(buf_str(&out), "\nbegin_xlog=None\n"));
	assert_non_null(strstr(buf_str(&out), "\ntablespaces=None\n"));
	assert_null(strstr(buf_str(&out), "backup_name"));
	assert_int_equal(backup_info_parse(&again, out.data, out.len, &e), 0);
	assert_int_equal(again.status, BACKUP_STARTED);
	assert_null(again.label);
	backup_info_deinit(&again);
}

static void
an_error_of_several_lines_stays_one(void **state)
{
	AUTO(buf_deinit) struct buf out = {0};
	struct backup_info b = {
		.status = BACKUP_FAILED, .error = "a\nstatus=DONE\xff", .segment_bytes = 16 << 20};
	struct backup_info again;
	struct err e;

	(void)state;
	backup_info_print(&b, &out);
	assert_int_equal(backup_info_parse(&again, out.data, out.len, &e), 0);
	assert_int_equal(again.status, BACKUP_FAILED);
	assert_string_equal(again.error, "a status=DONE?");
}

#define DONE                                                                          \
	"status=DONE\nbegin_time=2026-11-20 15:00:00\nend_time=2026-11-20 15:10:00\n" \
	"timeline=2\nbegin_xlog=1/2000028\nbegin_wal=000000020000000100000002\n"      \
	"version=150020\nsystemid=18446744073709551615\nend_xlog=1/4000000\n"

static void
smallest_file_that_barman_takes_is_taken(void **state)
{
	struct backup_info b;
	struct err e;

	(void)state;
	assert_int_equal(backup_info_parse(&b, DONE "end_wal=000000020000000100000003\n",
				 strlen(DONE "end_wal=000000020000000100000003\n"), &e),
		0);
	assert_true(b.system_id == UINT64_MAX);
	assert_int_equal(b.segment_bytes, 16 << 20);
	assert_true(b.begin_us == INT64_C(1795186800000000)); /* without a zone: UTC */
}

static const struct {
	const char *text, *message;
} wrong[] = {
	{"status", "\"status\" is no line key=value"},
	{"status=FINE\n", "status: \"FINE\" cannot be read"},
	{"begin_time=yesterday\n", "begin_time: \"yesterday\" cannot"},
	{"begin_xlog=12\n", "begin_xlog: \"12\" cannot"},
	{"begin_wal=x\n", "begin_wal: \"x\" cannot"},
	{"timeline=-1\n", "timeline: \"-1\" cannot"},
	{"version=15.2\n", "version: \"15.2\" cannot"},
	{"systemid=18446744073709551616\n", "systemid: \"18446744073709551616\" cannot"},
	{"xlog_segment_size=3\n", "xlog_segment_size: 3 is no size"},
	{"tablespaces=[('a', 1, '/x']\n", "tablespaces: "},
	{"tablespaces=[('a', 0, '/x')]\n", "tablespaces: "},
	{"tablespaces=[('a', 1, '/x')] x\n", "tablespaces: "},
	{"tablespaces=[('a', 1, '/x') ('b', 2, '/y')]\n", "tablespaces: "},
	{"backup_label='a\n", "backup_label: "},
	{"backup_label='a' 'b'\n", "backup_label: "},
	{"backup_label='\\x00'\n", "backup_label: "},
	{"parent_backup_id=../x\n", "parent_backup_id: "},
	{DONE, "status DONE without"},
	{DONE "end_wal=000000020000000100000005\n", "begin_wal 000000020000000100000002 or"},
	{DONE "end_wal=000000010000000100000003\n", "begin_wal 000000020000000100000002 or"},
	{DONE "end_wal=000000020000000100000003\nend_xlog=1/1\n", "end_xlog is before"},
};

static void
what_contradicts_itself_is_corrupt(void **state)
{
	struct backup_info b;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(
			backup_info_parse(&b, wrong[i].text, strlen(wrong[i].text), &e), -1);
		assert_int_equal(e.kind, ERR_CORRUPT);
		if (strncmp(e.msg, wrong[i].message, strlen(wrong[i].message)) != 0)
			assert_string_equal(e.msg, wrong[i].message);
	}
	assert_int_equal(backup_info_parse(&b, "status=DONE\0", 12, &e), -1);
	assert_int_equal(backup_info_parse(&b, "pgdata=/\xff", 9, &e), -1);
}

static void
literals_are_pythons(void **state)
{
	static const struct {
		const char *literal, *text;
	} rows[] = {
		{"'a'", "a"},
		{"\"it's\"", "it's"},
		{"'it\\'s \"x\"'", "it's \"x\""},
		{"'a\\n\\t\\r\\\\'", "a\n\t\r\\"},
		{"'\\x01'", "\x01"},
		{"''", ""},
	};
	AUTO(buf_deinit) struct buf b = {0};
	const char *s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		s = rows[i].literal;
		buf_reset(&b);
		assert_ptr_equal(pytext_read(s, s + strlen(s), &b), s + strlen(s));
		assert_string_equal(buf_str(&b), rows[i].text);
		buf_reset(&b);
		pytext_print(&b, rows[i].text);
		assert_string_equal(buf_str(&b), s);
	}
	buf_reset(&b);
	s = "u'\\u00e9\\U0001f418\\101\\q' rest";
	assert_string_equal(pytext_read(s, s + strlen(s), &b), " rest");
	assert_string_equal(buf_str(&b), "\xc3\xa9\xf0\x9f\x90\x98"
					 "A\\q");
	s = "'\\ud800'";
	assert_null(pytext_read(s, s + strlen(s), &b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_barman_3_4_writes_is_read),
		cmocka_unit_test(what_barman_3_17_writes_is_read),
		cmocka_unit_test(what_is_written_is_read_again_and_has_no_new_keys),
		cmocka_unit_test(a_backup_that_only_began_has_none_of_the_rest),
		cmocka_unit_test(an_error_of_several_lines_stays_one),
		cmocka_unit_test(smallest_file_that_barman_takes_is_taken),
		cmocka_unit_test(what_contradicts_itself_is_corrupt),
		cmocka_unit_test(literals_are_pythons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
