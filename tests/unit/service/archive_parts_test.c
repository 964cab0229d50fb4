#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "archive_rig.h"
#include "service/archive_parts.h"

#define SEG3 "000000010000000000000003"
#define SEG4 "000000010000000000000004"

static unsigned char wal[RIG_SEGMENT];

static void
fill(const char *name)
{
	AUTO(free) void *p = rig_segment(name, "mark");

	memcpy(wal, p, sizeof(wal));
	for (size_t i = 4096; i < sizeof(wal); i++)
		wal[i] = (unsigned char)(i * 7 + i / 255);
}

static void
put(struct rig *r, const char *segment, uint64_t run, uint32_t from, uint32_t to)
{
	struct err e;
	struct archive_part p = {.segment = segment,
		.part = {.run = run, .from = from, .to = to},
		.fd = -1,
		.p = wal + from};

	if (archive_part_put(&r->a, &p, &e) < 0)
		fail_msg("%s", e.msg);
}

static int
get(struct rig *r, uint32_t *to, struct err *e)
{
	const struct archive_fetch f = {.name = SEG3,
		.path = r->dest,
		.system_id = RIG_SYSTEM,
		.segment_bytes = RIG_SEGMENT};

	*e = (struct err){0};
	return archive_parts_fetch(&r->a, &f, to, e);
}

static void
parts_become_the_beginning_of_the_segment_and_zeros(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};
	uint32_t to = 0;
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	r.a.wal_codec = CODEC_GZIP;
	fill(SEG3);
	put(&r, SEG3, 7, 0, 5000);
	put(&r, SEG3, 7, 5000, 90000);
	put(&r, SEG3, 7, 200000, 200001); /* behind a hole */
	put(&r, SEG3, 6, 0, RIG_SEGMENT); /* of an older run */
	if (get(&r, &to, &e) < 0)
		fail_msg("%s", e.msg);
	assert_int_equal(to, 90000);
	assert_int_equal(file_read(&b, r.dest, RIG_SEGMENT, &e), 0);
	assert_int_equal(b.len, RIG_SEGMENT);
	assert_memory_equal(b.data, wal, 90000);
	for (size_t i = 90000; i < b.len; i++)
		assert_int_equal(b.data[i], 0);
	rig_end(&r);
}

static void
no_parts_are_certainly_absent(void **state)
{
	uint32_t to;
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	assert_int_equal(get(&r, &to, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	rig_end(&r);
}

static void
parts_of_another_system_are_not_handed_over(void **state)
{
	uint32_t to;
	struct rig r;
	struct err e;

	(void)state;
	rig_make(&r);
	fill(SEG4); /* bytes of another segment under this one's name */
	put(&r, SEG3, 7, 0, 9000);
	assert_int_equal(get(&r, &to, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
	assert_false(file_exists(r.dest));
	rig_end(&r);
}

static void
parts_go_when_their_segment_is_whole_or_a_newer_run_began(void **state)
{
	struct archive_parts_old old = {.timeline = 1, .segment_bytes = RIG_SEGMENT};
	uint32_t to;
	struct rig r;
	struct err e;
	int n = 0;

	(void)state;
	rig_make(&r);
	fill(SEG3);
	put(&r, SEG3, 6, 0, 5000);
	put(&r, SEG3, 6, 5000, 6000);
	put(&r, SEG3, 7, 0, 7000);
	assert_int_equal(archive_parts_drop_runs(&r.a, SEG3, 7, &e), 0);
	assert_int_equal(get(&r, &to, &e), 0);
	assert_int_equal(to, 7000);
	old.lsn = UINT64_C(4) * RIG_SEGMENT - 1;
	assert_int_equal(archive_parts_drop(&r.a, &old, &n, &e), 0);
	assert_int_equal(n, 0);
	old.lsn++;
	assert_int_equal(archive_parts_drop(&r.a, &old, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_int_equal(get(&r, &to, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	rig_end(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_become_the_beginning_of_the_segment_and_zeros),
		cmocka_unit_test(no_parts_are_certainly_absent),
		cmocka_unit_test(parts_of_another_system_are_not_handed_over),
		cmocka_unit_test(parts_go_when_their_segment_is_whole_or_a_newer_run_began),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
