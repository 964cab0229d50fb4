#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "archive_rig.h"

#define SEG3 "000000010000000000000003"

static int
get(struct rig *r, const char *name, bool partial, struct err *e)
{
	struct archive_fetch f = {.name = name,
		.path = r->dest,
		.system_id = RIG_SYSTEM,
		.segment_bytes = RIG_SEGMENT,
		.partial = partial};

	*e = (struct err){0};
	return archive_fetch(&r->a, &f, NULL, e);
}

static void
assert_mark(struct rig *r, const char *mark)
{
	AUTO(buf_deinit) struct buf b = {0};
	struct err e;

	assert_int_equal(file_read(&b, r->dest, RIG_SEGMENT, &e), 0);
	assert_int_equal(b.len, RIG_SEGMENT);
	assert_string_equal(b.data + 100, mark);
	unlink(r->dest);
}

/* Nothing is left beside what was asked for. */
static int
count_one(const char *name, void *arg, struct err *e)
{
	(void)e;
	if (strcmp(name, "store") != 0)
		++*(int *)arg;
	return 0;
}

static int
leftovers(struct rig *r)
{
	struct err e;
	int n = 0;

	assert_int_equal(file_each(r->dir, count_one, &n, &e), 0);
	return n;
}

static void
every_compression_is_found(void **state)
{
	static const char *const extensions[] = {
		"", ".gz", ".bz2", ".snappy", ".xz", ".zst", ".lz4"};
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	for (size_t i = 0; i < ARRAY_LEN(extensions); i++) {
		char name[LINEAGE_NAME_SIZE];

		lineage_name(1, (i + 1) * RIG_SEGMENT, RIG_SEGMENT, name);
		rig_put_segment(&r, name, extensions[i], extensions[i]);
		if (get(&r, name, false, &e) < 0)
			fail_msg("%s: %s", extensions[i], e.msg);
		assert_mark(&r, extensions[i]);
		assert_string_equal(r.a.fetch_extension, extensions[i]);
	}
	rig_end(&r);
}

static void
the_usual_segment_costs_one_request(void **state)
{
	uint64_t before;
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	r.a.wal_codec = CODEC_GZIP;
	rig_put_segment(&r, SEG3, ".gz", "x");
	before = store_stats(r.a.store)->requests;
	assert_int_equal(get(&r, SEG3, true, &e), 0);
	assert_int_equal(store_stats(r.a.store)->requests - before, 1);
	rig_end(&r);
}

static void
a_whole_segment_goes_before_a_partial_one(void **state)
{
	static const char *const extensions[] = {"", ".gz", ".zst", ".snappy", ".xz"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(extensions); i++) {
		struct rig r;
		struct err e;

		rig_make(&r);
		rig_put_segment(&r, SEG3 ".partial", extensions[i], "partial");
		assert_int_equal(get(&r, SEG3, false, &e), -1);
		assert_int_equal(e.kind, ERR_NOTFOUND);
		assert_int_equal(get(&r, SEG3, true, &e), 0);
		assert_mark(&r, "partial");
		rig_put_segment(&r, SEG3, extensions[i], "whole");
		r.a.fetch_extension = ".lz4"; /* so that a LIST is needed */
		assert_int_equal(get(&r, SEG3, true, &e), 0);
		assert_mark(&r, "whole");
		rig_end(&r);
	}
}

static void
what_is_wrong_is_never_handed_over(void **state)
{
	AUTO(free) unsigned char *p = rig_segment("000000010000000000000004", "x");
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	rig_put(&r, "srv/wals/0000000100000000/" SEG3, p, RIG_SEGMENT); /* another segment */
	assert_int_equal(get(&r, SEG3, true, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_non_null(strstr(e.msg, "srv/wals/0000000100000000/" SEG3));
	assert_non_null(strstr(e.msg, "0/400000"));
	rig_put(&r, "srv/wals/0000000100000000/000000010000000000000004", p, RIG_SEGMENT - 512);
	assert_int_equal(get(&r, "000000010000000000000004", true, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	rig_put(&r, "srv/wals/0000000100000000/000000010000000000000005.gz", "not gzip", 8);
	rig_put(&r, "srv/wals/0000000100000000/000000010000000000000006", "", 0);
	assert_int_equal(get(&r, "000000010000000000000006", true, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	p[24] ^= 1; /* of another system */
	rig_put(&r, "srv/wals/0000000100000000/000000010000000000000007", p, RIG_SEGMENT);
	assert_int_equal(get(&r, "000000010000000000000007", true, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_int_equal(leftovers(&r), 0);
	rig_end(&r);
}

static void
a_cut_compressed_object_is_corrupt(void **state)
{
	static const char *const extensions[] = {".gz", ".bz2", ".snappy", ".xz", ".zst", ".lz4"};
	char path[256];
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	for (size_t i = 0; i < ARRAY_LEN(extensions); i++) {
		struct stat st;

		rig_put_segment(&r, SEG3, extensions[i], "x");
		snprintf(path, sizeof(path), "%s/store/srv/wals/0000000100000000/" SEG3 "%s", r.dir,
			extensions[i]);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(truncate(path, st.st_size - 3), 0);
		assert_int_equal(get(&r, SEG3, true, &e), -1);
		assert_int_equal(e.kind, ERR_CORRUPT);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(leftovers(&r), 0);
	rig_end(&r);
}

static void
a_sound_twin_replaces_a_damaged_object(void **state)
{
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	rig_put(&r, "srv/wals/0000000100000000/" SEG3, "short", 5);
	rig_put_segment(&r, SEG3, ".gz", "twin");
	assert_int_equal(get(&r, SEG3, true, &e), 0);
	assert_mark(&r, "twin");
	rig_end(&r);
}

static void
an_archive_that_holds_nothing_at_all_is_not_believed(void **state)
{
	struct archive_fetch f = {.name = SEG3, .partial = true, .unused = true};
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	assert_int_equal(get(&r, SEG3, true, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_non_null(strstr(e.msg, "is the volume mounted"));
	rig_put(&r, "other/podgres/owner.json", "{}", 2);
	assert_int_equal(get(&r, SEG3, true, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	f.path = r.dest;
	assert_int_equal(archive_fetch(&r.a, &f, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	rig_put(&r, "srv/podgres/owner.json", "{}", 2);
	assert_int_equal(get(&r, SEG3, true, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	rig_end(&r);
}

static void
histories_come_as_text_too(void **state)
{
	const char *text = "1\t0/500000\tno recovery target specified\n";
	AUTO(buf_deinit) struct buf b = {0};
	struct rig r;
	struct err e = {0};

	(void)state;
	rig_make(&r);
	assert_int_equal(archive_fetch_text(&r.a, "00000002.history", 1000, &b, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	rig_put(&r, "srv/wals/00000002.history.gz", text, strlen(text));
	assert_int_equal(archive_fetch_text(&r.a, "00000002.history", 1000, &b, &e), 0);
	assert_string_equal(buf_str(&b), text);
	assert_int_equal(get(&r, "00000002.history", true, &e), 0);
	rig_put(&r, "srv/wals/00000003.history", "rubbish\n", 8);
	assert_int_equal(get(&r, "00000003.history", true, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_int_equal(archive_fetch_text(&r.a, "00000002.history", 10, &b, &e), -1);
	assert_int_equal(get(&r, "../../etc/passwd", true, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	rig_end(&r);
}

static void
a_full_disk_or_a_missing_folder_is_said(void **state)
{
	struct archive_fetch f = {.name = SEG3, .path = "/nowhere/at/all"};
	struct rig r;
	struct err e = {0};

	(void)state;
	rig_make(&r);
	rig_put_segment(&r, SEG3, "", "x");
	assert_int_equal(archive_fetch(&r.a, &f, NULL, &e), -1);
	assert_non_null(strstr(e.msg, "/nowhere/at/all"));
	assert_int_not_equal(e.kind, ERR_CORRUPT);
	assert_int_not_equal(e.kind, ERR_NONE);
	rig_end(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_compression_is_found),
		cmocka_unit_test(the_usual_segment_costs_one_request),
		cmocka_unit_test(a_whole_segment_goes_before_a_partial_one),
		cmocka_unit_test(what_is_wrong_is_never_handed_over),
		cmocka_unit_test(a_cut_compressed_object_is_corrupt),
		cmocka_unit_test(a_sound_twin_replaces_a_damaged_object),
		cmocka_unit_test(an_archive_that_holds_nothing_at_all_is_not_believed),
		cmocka_unit_test(histories_come_as_text_too),
		cmocka_unit_test(a_full_disk_or_a_missing_folder_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
