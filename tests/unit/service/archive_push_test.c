#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "archive_rig.h"

#define SEG3 "000000010000000000000003"
#define DIR3 "srv/wals/0000000100000000/"

/* The file as postgres has it, with `mark` in its first page. */
static void
in_pg_wal(struct rig *r, const char *name, const char *mark)
{
	AUTO(free) void *p = rig_segment(name, mark);
	struct err e = {0};

	if (file_write(r->dest, p, RIG_SEGMENT, 0600, &e) < 0)
		fail_msg("%s", e.msg);
}

static int
push(struct rig *r, const char *name, bool look, struct archive_push_result *out, struct err *e)
{
	const struct archive_push p = {.name = name,
		.path = r->dest,
		.system_id = RIG_SYSTEM,
		.segment_bytes = RIG_SEGMENT,
		.look = look};

	*e = (struct err){0};
	return archive_push(&r->a, &p, out, e);
}

static bool
there(struct rig *r, const char *key)
{
	struct store_object o;
	struct err e;

	return store_head(r->a.store, key, &o, &e) == 0;
}

static void
what_goes_out_comes_back_in_every_compression(void **state)
{
	static const enum codec codecs[] = {CODEC_NONE, CODEC_GZIP, CODEC_ZSTD, CODEC_LZ4};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codecs); i++) {
		AUTO(buf_deinit) struct buf back = {0};
		struct archive_push_result out;
		struct archive_fetch f = {.name = SEG3, .system_id = RIG_SYSTEM};
		struct rig r;
		struct err e;

		rig_make(&r);
		r.a.wal_codec = codecs[i];
		in_pg_wal(&r, SEG3, "mark");
		assert_int_equal(push(&r, SEG3, false, &out, &e), 0);
		assert_false(out.same);
		assert_int_equal(out.bytes, RIG_SEGMENT);
		unlink(r.dest);
		f.path = r.dest;
		assert_int_equal(archive_fetch(&r.a, &f, NULL, &e), 0);
		assert_int_equal(file_read(&back, r.dest, RIG_SEGMENT, &e), 0);
		assert_string_equal(back.data + 100, "mark");
		rig_end(&r);
	}
}

#define SEG4 "000000010000000000000004"
#define SEG5 "000000010000000000000005"
#define SEG6 "000000010000000000000006"

static int
push_marked(struct rig *r, const char *name, const char *mark)
{
	struct archive_push_result out;
	struct err e;

	in_pg_wal(r, name, mark);
	return push(r, name, false, &out, &e);
}

static void
expect_marked(struct rig *r, const char *name, const char *mark)
{
	const struct archive_fetch f = {.name = name, .path = r->dest, .system_id = RIG_SYSTEM};
	AUTO(buf_deinit) struct buf back = {0};
	struct err e;

	unlink(r->dest);
	assert_int_equal(archive_fetch(&r->a, &f, NULL, &e), 0);
	assert_int_equal(file_read(&back, r->dest, RIG_SEGMENT, &e), 0);
	assert_string_equal(back.data + 100, mark);
}

/* Memory that stays for the next one brings nothing of the last one along. */
static void
segments_one_after_the_other_do_not_mix(void **state)
{
	static const enum codec codecs[] = {CODEC_NONE, CODEC_GZIP, CODEC_ZSTD, CODEC_LZ4};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codecs); i++) {
		struct archive_push_result out;
		struct rig r;
		struct err e;

		rig_make(&r);
		r.a.wal_codec = codecs[i];
		assert_int_equal(push_marked(&r, SEG3, "three"), 0);
		/* One that fails in the middle. */
		assert_int_equal(truncate(r.dest, RIG_SEGMENT - 1), 0);
		assert_int_equal(push(&r, SEG4, false, &out, &e), -1);
		assert_int_equal(push_marked(&r, SEG4, "four"), 0);
		archive_rest(&r.a);
		assert_int_equal(push_marked(&r, SEG5, "five"), 0);
		assert_int_equal(push_marked(&r, SEG6, "six"), 0);
		expect_marked(&r, SEG3, "three");
		expect_marked(&r, SEG4, "four");
		expect_marked(&r, SEG5, "five");
		expect_marked(&r, SEG6, "six");
		rig_end(&r);
	}
}

/* PostgreSQL recycles the file while the store is being listed. */
static bool
recycle(void *arg)
{
	struct rig *r = arg;
	char away[160];

	snprintf(away, sizeof(away), "%s.recycled", r->dest);
	(void)!rename(r->dest, away);
	return false;
}

static void
a_file_that_is_recycled_while_it_is_read_is_not_stored(void **state)
{
	struct archive_push_result out;
	struct store_spec spec = {.cancelled = recycle};
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	rig_put_segment(&r, "000000010000000000000002", "", "x");
	r.a.store = store_close(r.a.store);
	spec.url = r.url;
	spec.cancelled_arg = &r;
	assert_int_equal(store_open(&r.a.store, &spec, &e), 0);
	in_pg_wal(&r, SEG3, "mark");
	assert_int_equal(push(&r, SEG3, true, &out, &e), -1);
	assert_int_equal(e.kind, ERR_SYS);
	assert_non_null(strstr(e.msg, "changed while it was read"));
	assert_false(there(&r, DIR3 SEG3));
	rig_end(&r);
}

static void
a_volume_that_is_gone_takes_no_segment(void **state)
{
	struct archive_push p = {.name = SEG3, .system_id = RIG_SYSTEM, .marked = true};
	struct archive_push_result out;
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	p.path = r.dest;
	in_pg_wal(&r, SEG3, "mark");
	assert_int_equal(archive_push(&r.a, &p, &out, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_non_null(strstr(e.msg, "is the volume mounted"));
	assert_false(there(&r, DIR3 SEG3));
	rig_put(&r, "srv/podgres/owner.json", "{}", 2);
	assert_int_equal(archive_push(&r.a, &p, &out, &e), 0);
	assert_true(there(&r, DIR3 SEG3));
	rig_end(&r);
}

static void
an_ordinary_segment_is_one_request(void **state)
{
	struct archive_push_result out;
	uint64_t before;
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	r.a.wal_codec = CODEC_GZIP;
	in_pg_wal(&r, SEG3, "x");
	before = store_stats(r.a.store)->requests;
	assert_int_equal(push(&r, SEG3, false, &out, &e), 0);
	assert_int_equal(store_stats(r.a.store)->requests - before, 1);
	rig_end(&r);
}

/* As another program would have packed it: other bytes, the same content. */
static void
put_level(struct rig *r, const char *key, int level)
{
	AUTO(buf_deinit) struct buf plain = {0}, packed = {0};
	const struct codec_spec spec = {
		.codec = CODEC_GZIP, .level = level, .sink = rig_sink, .arg = &packed};
	AUTO(codec_free) struct codec_stream *c = NULL;
	struct store_put put = {.key = key};
	struct err e = {0};

	assert_int_equal(file_read(&plain, r->dest, RIG_SEGMENT, &e), 0);
	assert_int_equal(codec_compress(&c, &spec, &e), 0);
	assert_int_equal(codec_write(c, plain.data, plain.len, &e), 0);
	assert_int_equal(codec_finish(c, &e), 0);
	put.body = packed.data;
	put.len = packed.len;
	assert_int_equal(store_put(r->a.store, &put, NULL, &e), 0);
}

static void
the_same_again_is_the_same_whoever_compressed_it(void **state)
{
	struct archive_push_result out;
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	r.a.wal_codec = CODEC_GZIP;
	in_pg_wal(&r, SEG3, "x");
	assert_int_equal(push(&r, SEG3, false, &out, &e), 0);
	assert_false(out.same);
	assert_int_equal(push(&r, SEG3, false, &out, &e), 0);
	assert_true(out.same);
	rig_end(&r);
	rig_make(&r);
	r.a.wal_codec = CODEC_GZIP;
	in_pg_wal(&r, SEG3, "x");
	put_level(&r, DIR3 SEG3 ".gz", 9);
	assert_int_equal(push(&r, SEG3, false, &out, &e), 0);
	assert_true(out.same);
	rig_end(&r);
}

static void
other_content_is_a_conflict_and_stays_as_it_is(void **state)
{
	struct archive_push_result out;
	struct store_object before, after;
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	r.a.wal_codec = CODEC_GZIP;
	rig_put_segment(&r, SEG3, ".gz", "theirs");
	assert_int_equal(store_head(r.a.store, DIR3 SEG3 ".gz", &before, &e), 0);
	in_pg_wal(&r, SEG3, "ours");
	assert_int_equal(push(&r, SEG3, false, &out, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_non_null(strstr(e.msg, SEG3));
	assert_int_equal(store_head(r.a.store, DIR3 SEG3 ".gz", &after, &e), 0);
	assert_int_equal(before.bytes, after.bytes);
	assert_int_equal(before.modified_us, after.modified_us);
	/* Cut short, too. */
	rig_put(&r, DIR3 "000000010000000000000004", "short", 5);
	in_pg_wal(&r, "000000010000000000000004", "ours");
	r.a.wal_codec = CODEC_NONE;
	assert_int_equal(push(&r, "000000010000000000000004", false, &out, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	rig_end(&r);
}

static void
a_look_finds_the_file_under_another_extension(void **state)
{
	struct archive_push_result out;
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	r.a.wal_codec = CODEC_GZIP;
	rig_put_segment(&r, SEG3, "", "x");
	in_pg_wal(&r, SEG3, "x");
	assert_int_equal(push(&r, SEG3, true, &out, &e), 0);
	assert_true(out.same);
	assert_false(there(&r, DIR3 SEG3 ".gz"));
	in_pg_wal(&r, SEG3, "y");
	assert_int_equal(push(&r, SEG3, true, &out, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	rig_end(&r);
}

static void
a_part_and_its_whole_segment_never_stay_side_by_side(void **state)
{
	struct archive_push_result out;
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	r.a.wal_codec = CODEC_ZSTD;
	in_pg_wal(&r, SEG3, "x");
	assert_int_equal(push(&r, SEG3 ".partial", false, &out, &e), 0);
	assert_true(there(&r, DIR3 SEG3 ".partial.zst"));
	assert_int_equal(push(&r, SEG3, true, &out, &e), 0);
	assert_true(there(&r, DIR3 SEG3 ".zst"));
	assert_false(there(&r, DIR3 SEG3 ".partial.zst"));
	assert_int_equal(push(&r, SEG3 ".partial", false, &out, &e), 0);
	assert_true(out.same);
	assert_false(there(&r, DIR3 SEG3 ".partial.zst"));
	rig_end(&r);
}

static void
wal_of_another_cluster_or_length_is_refused(void **state)
{
	struct archive_push p = {.name = SEG3, .segment_bytes = RIG_SEGMENT, .system_id = 42};
	struct archive_push_result out;
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	p.path = r.dest;
	in_pg_wal(&r, SEG3, "x");
	assert_int_equal(archive_push(&r.a, &p, &out, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_int_equal(truncate(r.dest, RIG_SEGMENT - 1), 0);
	assert_int_equal(push(&r, SEG3, false, &out, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	unlink(r.dest);
	assert_int_equal(push(&r, SEG3, false, &out, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	assert_int_equal(push(&r, "postgresql.conf", false, &out, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_false(there(&r, DIR3 SEG3));
	rig_end(&r);
}

static void
history_files_have_a_place_of_their_own(void **state)
{
	struct archive_push_result out;
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	assert_int_equal(file_write(r.dest, "1\t0/3000000\tx\n", 14, 0600, &e), 0);
	assert_int_equal(push(&r, "00000002.history", true, &out, &e), 0);
	assert_true(there(&r, "srv/wals/00000002.history"));
	rig_end(&r);
}

/* ---- whose folder ---- */

#define MARKER "srv/podgres/owner.json"
#define INFO "srv/base/20261101T000000/backup.info"

static const struct archive_self us = {
	.system_id = RIG_SYSTEM, .cluster = "pg", .name_space = "prod"};

static int
owner(struct rig *r, const struct archive_self *self, bool make, struct err *e)
{
	*e = (struct err){0};
	return archive_owner_check(&r->a, self, make, e);
}

static void
an_empty_folder_becomes_ours_when_it_may(void **state)
{
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	assert_int_equal(owner(&r, &us, false, &e), 0);
	assert_false(there(&r, MARKER));
	assert_int_equal(owner(&r, &us, true, &e), 0);
	assert_true(there(&r, MARKER));
	assert_int_equal(owner(&r, &us, true, &e), 0);
	rig_end(&r);
}

static void
another_system_another_name_and_another_namespace_are_refused(void **state)
{
	const struct archive_self others[] = {
		{.system_id = 42, .cluster = "pg", .name_space = "prod"},
		{.system_id = RIG_SYSTEM, .cluster = "clone", .name_space = "prod"},
		{.system_id = RIG_SYSTEM, .cluster = "pg", .name_space = "test"},
	};
	const struct archive_self nameless = {.system_id = RIG_SYSTEM};
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	assert_int_equal(owner(&r, &us, true, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		assert_int_equal(owner(&r, &others[i], true, &e), -1);
		assert_int_equal(e.kind, ERR_CONFLICT);
		assert_non_null(strstr(e.msg, "prod/pg"));
		assert_non_null(strstr(e.msg, "7312345678901234567"));
	}
	assert_int_equal(owner(&r, &nameless, true, &e), 0);
	rig_end(&r);
}

static void
a_marker_that_cannot_be_read_is_nobodys_leave(void **state)
{
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	rig_put(&r, MARKER, "{", 1);
	assert_int_equal(owner(&r, &us, true, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	rig_end(&r);
}

static void
a_folder_of_barman_is_known_by_its_newest_backup(void **state)
{
	static const char mine[] = "status=DONE\nsystemid=7312345678901234567\ntimeline=1\n"
				   "begin_wal=000000010000000000000002\nversion=150020\n";
	static const char theirs[] = "status=DONE\nsystemid=42\ntimeline=1\n"
				     "begin_wal=000000010000000000000002\nversion=150020\n";
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	rig_put(&r, "srv/base/20250101T000000/backup.info", mine, sizeof(mine) - 1);
	rig_put(&r, INFO, theirs, sizeof(theirs) - 1);
	assert_int_equal(owner(&r, &us, true, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_non_null(strstr(e.msg, "42"));
	assert_false(there(&r, MARKER));
	rig_end(&r);
	rig_make(&r);
	rig_put(&r, INFO, mine, sizeof(mine) - 1);
	assert_int_equal(owner(&r, &us, true, &e), 0);
	assert_true(there(&r, MARKER));
	rig_end(&r);
}

static void
a_folder_with_wal_alone_is_known_by_its_first_segment(void **state)
{
	const struct archive_self other = {.system_id = 42, .cluster = "pg"};
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	rig_put_segment(&r, SEG3, ".gz", "x");
	assert_int_equal(owner(&r, &other, true, &e), -1);
	assert_int_equal(e.kind, ERR_CONFLICT);
	assert_int_equal(owner(&r, &us, true, &e), 0);
	rig_end(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_out_comes_back_in_every_compression),
		cmocka_unit_test(segments_one_after_the_other_do_not_mix),
		cmocka_unit_test(a_file_that_is_recycled_while_it_is_read_is_not_stored),
		cmocka_unit_test(a_volume_that_is_gone_takes_no_segment),
		cmocka_unit_test(an_ordinary_segment_is_one_request),
		cmocka_unit_test(the_same_again_is_the_same_whoever_compressed_it),
		cmocka_unit_test(other_content_is_a_conflict_and_stays_as_it_is),
		cmocka_unit_test(a_look_finds_the_file_under_another_extension),
		cmocka_unit_test(a_part_and_its_whole_segment_never_stay_side_by_side),
		cmocka_unit_test(wal_of_another_cluster_or_length_is_refused),
		cmocka_unit_test(history_files_have_a_place_of_their_own),
		cmocka_unit_test(an_empty_folder_becomes_ours_when_it_may),
		cmocka_unit_test(another_system_another_name_and_another_namespace_are_refused),
		cmocka_unit_test(a_marker_that_cannot_be_read_is_nobodys_leave),
		cmocka_unit_test(a_folder_of_barman_is_known_by_its_newest_backup),
		cmocka_unit_test(a_folder_with_wal_alone_is_known_by_its_first_segment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
