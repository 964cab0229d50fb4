#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/lineage.h"

#define MB16 (UINT32_C(16) << 20)

static void
positions_are_read_and_written_as_postgres_does(void **state)
{
	char text[LINEAGE_LSN_SIZE];
	uint64_t lsn = 0;

	(void)state;
	assert_true(lineage_lsn_parse("16/B374D848", &lsn));
	assert_true(lsn == UINT64_C(0x16B374D848));
	assert_string_equal(lineage_lsn_text(lsn, text), "16/B374D848");
	assert_true(lineage_lsn_parse("ffffffff/ffffffff", &lsn));
	assert_string_equal(lineage_lsn_text(lsn, text), "FFFFFFFF/FFFFFFFF");
	assert_string_equal(lineage_lsn_text(0, text), "");
}

static void
what_is_not_a_position_is_refused_and_leaves_the_old_one(void **state)
{
	static const char *const bad[] = {"", "/", "1/", "/1", "1", "1/2/3", "1/2 ", " 1/2",
		"123456789/0", "0/123456789", "g/1", "-1/0"};
	uint64_t lsn = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(lineage_lsn_parse(bad[i], &lsn));
	assert_int_equal(lsn, 7);
}

static void
names_of_wal_files_follow_the_segment_size(void **state)
{
	char name[LINEAGE_NAME_SIZE];
	uint32_t timeline;
	uint64_t lsn;

	(void)state;
	assert_string_equal(
		lineage_name(3, UINT64_C(0x1FF000000), MB16, name), "0000000300000001000000FF");
	assert_string_equal(lineage_name(3, UINT64_C(0x1C0000000), UINT32_C(1) << 30, name),
		"000000030000000100000003");
	assert_true(lineage_name_parse("0000000300000001000000FF", MB16, &timeline, &lsn));
	assert_int_equal(timeline, 3);
	assert_true(lsn == UINT64_C(0x1FF000000));
}

static void
what_is_not_the_name_of_a_wal_file_is_refused(void **state)
{
	static const char *const bad[] = {"", "0000000300000001000000F",
		"0000000300000001000000FFF", "0000000300000001000000ff", "000000030000000100000100",
		"000000000000000100000001", "0000000300000001000000FF.partial", "00000003.history"};
	uint32_t timeline;
	uint64_t lsn;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(lineage_name_parse(bad[i], MB16, &timeline, &lsn));
}

static int
history(const char *text, struct lineage_history *out, struct err *e)
{
	return lineage_history_parse(text, strlen(text), out, e);
}

static void
a_history_lists_the_ancestors(void **state)
{
	struct lineage_entry entry[4];
	struct lineage_history h = {.entry = entry, .max = 4};
	struct err e = {0};

	(void)state;
	assert_int_equal(history("# made by hand\n\n1\t0/3000148\tno recovery target specified\n"
				 "  2\t1/A0\tbefore 2000-01-01 00:00:00+00\n"
				 "5\t1/B0",
				 &h, &e),
		0);
	assert_int_equal(h.n, 3);
	assert_int_equal(entry[0].timeline, 1);
	assert_true(entry[0].lsn == 0x3000148);
	assert_string_equal(entry[0].reason, "no recovery target specified");
	assert_string_equal(entry[1].reason, "before 2000-01-01 00:00:00+00");
	assert_int_equal(entry[2].timeline, 5);
	assert_string_equal(entry[2].reason, "");
}

static void
a_long_history_keeps_the_newest(void **state)
{
	struct lineage_entry entry[2];
	struct lineage_history h = {.entry = entry, .max = 2};
	struct err e = {0};

	(void)state;
	assert_int_equal(history("1 0/1 a\n2 0/2 b\n3 0/3 c\n", &h, &e), 0);
	assert_int_equal(h.n, 2);
	assert_int_equal(entry[0].timeline, 2);
	assert_int_equal(entry[1].timeline, 3);
}

static void
a_long_reason_is_cut(void **state)
{
	struct lineage_entry entry[1];
	struct lineage_history h = {.entry = entry, .max = 1};
	char text[400] = "1\t0/1\t";
	struct err e = {0};

	(void)state;
	memset(text + 6, 'x', 300);
	assert_int_equal(history(text, &h, &e), 0);
	assert_int_equal(strlen(entry[0].reason), sizeof(entry[0].reason) - 1);
}

static void
a_broken_history_names_the_line(void **state)
{
	static const char *const bad[] = {"1 0/1 a\nx 0/2 b\n", "1 0/1 a\n2\n", "1 0/1 a\n2 02 b\n",
		"1 0/1 a\n1 0/2 b\n", "1 0/1 a\n99999999999 0/2 b\n"};
	struct lineage_entry entry[4];
	struct lineage_history h = {.entry = entry, .max = 4};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = {0};

		assert_int_equal(history(bad[i], &h, &e), -1);
		assert_int_equal(e.kind, ERR_CORRUPT);
		assert_non_null(strstr(e.msg, "line 2"));
	}
}

static struct lineage_history
line_of(struct lineage_entry *entry, size_t n)
{
	return (struct lineage_history){entry, n, n};
}

static void
histories_part_where_the_first_of_them_left(void **state)
{
	struct lineage_entry old[] = {{1, LINEAGE_OPEN, ""}};
	struct lineage_entry next[] = {{1, 0x300, ""}, {2, LINEAGE_OPEN, ""}};
	struct lineage_entry twin[] = {{1, 0x200, ""}, {2, LINEAGE_OPEN, ""}};
	struct lineage_entry late[] = {{1, 0x300, ""}, {2, 0x500, ""}, {3, LINEAGE_OPEN, ""}};
	struct lineage_entry stranger[] = {{7, LINEAGE_OPEN, ""}};
	struct lineage_history a = line_of(old, 1), b = line_of(next, 2), c = line_of(twin, 2),
			       d = line_of(late, 3), x = line_of(stranger, 1);
	uint32_t timeline = 0;
	uint64_t lsn = 0;

	(void)state;
	assert_true(lineage_fork(&a, &a, &timeline, &lsn));
	assert_true(timeline == 1 && lsn == LINEAGE_OPEN);
	assert_true(lineage_fork(&a, &b, &timeline, &lsn));
	assert_true(timeline == 1 && lsn == 0x300);
	assert_true(lineage_fork(&b, &d, &timeline, &lsn));
	assert_true(timeline == 2 && lsn == 0x500);
	/* Two that both call themselves 2. */
	assert_true(lineage_fork(&c, &b, &timeline, &lsn));
	assert_true(timeline == 1 && lsn == 0x200);
	assert_true(lineage_fork(&c, &d, &timeline, &lsn));
	assert_true(timeline == 1 && lsn == 0x200);
	assert_false(lineage_fork(&a, &x, &timeline, &lsn));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(positions_are_read_and_written_as_postgres_does),
		cmocka_unit_test(what_is_not_a_position_is_refused_and_leaves_the_old_one),
		cmocka_unit_test(names_of_wal_files_follow_the_segment_size),
		cmocka_unit_test(what_is_not_the_name_of_a_wal_file_is_refused),
		cmocka_unit_test(a_history_lists_the_ancestors),
		cmocka_unit_test(a_long_history_keeps_the_newest),
		cmocka_unit_test(a_long_reason_is_cut),
		cmocka_unit_test(a_broken_history_names_the_line),
		cmocka_unit_test(histories_part_where_the_first_of_them_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
