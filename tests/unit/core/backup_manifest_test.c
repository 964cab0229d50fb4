#include "core/backup_manifest.h"

#include "base/jsonscan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SHA "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct seen {
	int files, objects, ends, others;
	struct backup_line_value last;
};

static void
read_all(const char *text, struct seen *seen)
{
	struct backup_line_value v;
	enum backup_line kind;
	struct err e;

	while (*text) {
		size_t n = strcspn(text, "\n");

		assert_int_equal(backup_manifest_line(text, n, &kind, &v, &e), 0);
		seen->files += kind == BACKUP_LINE_FILE;
		seen->objects += kind == BACKUP_LINE_OBJECT;
		seen->ends += kind == BACKUP_LINE_END;
		seen->others += kind == BACKUP_LINE_OTHER;
		if (kind == BACKUP_LINE_FILE)
			seen->last.file = v.file;
		if (kind == BACKUP_LINE_OBJECT)
			seen->last.object = v.object;
		if (kind == BACKUP_LINE_END)
			seen->last.totals = v.totals;
		text += n + 1;
	}
}

static void
what_is_written_is_read_back_line_by_line(void **state)
{
	struct backup_file f = {.path = "base/1/with \"quote\" \303\244",
		.tar = "data.tar.gz",
		.bytes = 8192,
		.sha256 = SHA};
	struct backup_object o = {
		.name = "data.tar.gz", .bytes = 12, .plain_bytes = 8192, .sha256 = SHA};
	struct backup_totals t = {
		.parent = "20261120T153805", .files = 2, .plain_bytes = 16384, .stored_bytes = 12};
	AUTO(buf_deinit) struct buf b = {0};
	struct seen seen = {0};

	(void)state;
	backup_manifest_begin(&b, "20261120T153806", 7710269545778229819U);
	backup_manifest_file(&b, &f, true);
	backup_manifest_file(&b, &f, false);
	backup_manifest_objects(&b);
	backup_manifest_object(&b, &o, true);
	backup_manifest_end(&b, &t);
	read_all(buf_str(&b), &seen);
	assert_int_equal(seen.files, 2);
	assert_int_equal(seen.objects, 1);
	assert_int_equal(seen.ends, 1);
	assert_int_equal(seen.others, 2);
	assert_string_equal(seen.last.file.path, f.path);
	assert_string_equal(seen.last.file.tar, f.tar);
	assert_string_equal(seen.last.file.sha256, f.sha256);
	assert_int_equal(seen.last.file.bytes, f.bytes);
	assert_string_equal(seen.last.object.name, o.name);
	assert_string_equal(seen.last.object.sha256, o.sha256);
	assert_int_equal(seen.last.object.bytes, o.bytes);
	assert_int_equal(seen.last.object.plain_bytes, o.plain_bytes);
	assert_string_equal(seen.last.totals.parent, t.parent);
	assert_int_equal(seen.last.totals.files, t.files);
	assert_int_equal(seen.last.totals.plain_bytes, t.plain_bytes);
	assert_int_equal(seen.last.totals.stored_bytes, t.stored_bytes);
}

static void
a_whole_manifest_is_one_valid_json(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};
	struct backup_totals t = {0};

	(void)state;
	backup_manifest_begin(&b, "20261120T153806", 1);
	backup_manifest_objects(&b);
	backup_manifest_end(&b, &t);
	assert_true(jsonscan_valid(b.data, b.len));
}

static void
a_long_path_full_of_escapes_comes_back(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};
	struct backup_file f = {.tar = "data.tar.gz", .bytes = 1, .sha256 = SHA};
	struct backup_line_value v;
	enum backup_line kind;
	struct err e;

	(void)state;
	memset(f.path, '\001', sizeof(f.path) - 1);
	backup_manifest_file(&b, &f, true);
	assert_int_equal(backup_manifest_line(b.data, b.len - 1, &kind, &v, &e), 0);
	assert_string_equal(v.file.path, f.path);
}

static void
damaged_lines_are_refused(void **state)
{
	static const char *const bad[] = {"", "x", "{", "{}", "{\"path\":\"a\"}",
		"{\"path\":\"a\",\"tar\":\"t\",\"bytes\":-1,\"sha256\":\"" SHA "\"}",
		"{\"path\":\"a\",\"tar\":\"t\",\"bytes\":1,\"sha256\":\"" SHA "0\"}",
		"{\"path\":\"a\",\"tar\":\"../t\",\"bytes\":1,\"sha256\":\"" SHA "\"}",
		"{\"name\":\"a/b\",\"bytes\":1,\"plainBytes\":1,\"sha256\":\"" SHA "\"}",
		"{\"path\":\"a\\u0000b\",\"tar\":\"t\",\"bytes\":1,\"sha256\":\"" SHA "\"}",
		"{\"path\":\"a\",\"tar\":\"t\",\"bytes\":1,\"sha256\":\"" SHA "\"} x", "]"};
	struct backup_line_value v;
	enum backup_line kind;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(backup_manifest_line(bad[i], strlen(bad[i]), &kind, &v, &e), -1);
		assert_int_equal(e.kind, ERR_CORRUPT);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_back_line_by_line),
		cmocka_unit_test(a_whole_manifest_is_one_valid_json),
		cmocka_unit_test(a_long_path_full_of_escapes_comes_back),
		cmocka_unit_test(damaged_lines_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
