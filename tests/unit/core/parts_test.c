#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/defs.h"
#include "core/parts.h"

static void
a_name_is_read_as_it_was_written(void **state)
{
	struct part p = {.run = UINT64_C(0x19AA00112233), .from = 0, .to = 0x1000}, q;
	char name[PART_NAME_SIZE + 8];

	(void)state;
	assert_string_equal(part_name(&p, name), "19AA00112233-00000000-00001000");
	assert_true(part_parse("19AA00112233-00000000-00001000.gz", &q));
	assert_true(q.run == p.run && q.from == p.from && q.to == p.to);
	assert_string_equal(q.extension, ".gz");
	assert_true(part_parse(name, &q));
	assert_string_equal(q.extension, "");
}

static void
what_is_no_part_is_refused(void **state)
{
	static const char *const bad[] = {"", "19AA00112233", "19AA00112233-00000000",
		"19AA00112233-00000000-00000000", "19AA00112233-00001000-00000800",
		"19aa00112233-00000000-00001000", "19AA00112233-00000000-00001000x",
		"19AA0011223-00000000-00001000", "19AA00112233_00000000_00001000"};
	struct part p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(part_parse(bad[i], &p));
}

static void
a_run_is_put_in_order_up_to_its_first_hole(void **state)
{
	struct part p[] = {{.run = 5, .from = 200, .to = 300}, {.run = 5, .from = 0, .to = 100},
		{.run = 5, .from = 100, .to = 200}, {.run = 5, .from = 350, .to = 400}};

	(void)state;
	assert_int_equal(parts_chain(p, ARRAY_LEN(p)), 3);
	assert_int_equal(p[0].from, 0);
	assert_int_equal(p[1].from, 100);
	assert_int_equal(p[2].to, 300);
}

static void
the_newest_run_with_a_beginning_counts(void **state)
{
	struct part p[] = {{.run = 1, .from = 0, .to = 500}, {.run = 1, .from = 500, .to = 900},
		{.run = 2, .from = 0, .to = 600}, {.run = 3, .from = 600, .to = 700}};

	(void)state;
	assert_int_equal(parts_chain(p, ARRAY_LEN(p)), 1);
	assert_int_equal(p[0].run, 2);
	assert_int_equal(p[0].to, 600);
}

static void
without_a_beginning_there_is_nothing(void **state)
{
	struct part p[] = {{.run = 1, .from = 10, .to = 20}};

	(void)state;
	assert_int_equal(parts_chain(p, 1), 0);
	assert_int_equal(parts_chain(p, 0), 0);
}

static void
of_two_from_one_byte_the_longer_counts(void **state)
{
	struct part p[] = {{.run = 1, .from = 0, .to = 10}, {.run = 1, .from = 0, .to = 30},
		{.run = 1, .from = 10, .to = 20}, {.run = 1, .from = 30, .to = 40}};

	(void)state;
	assert_int_equal(parts_chain(p, ARRAY_LEN(p)), 2);
	assert_int_equal(p[0].to, 30);
	assert_int_equal(p[1].to, 40);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_read_as_it_was_written),
		cmocka_unit_test(what_is_no_part_is_refused),
		cmocka_unit_test(a_run_is_put_in_order_up_to_its_first_hole),
		cmocka_unit_test(the_newest_run_with_a_beginning_counts),
		cmocka_unit_test(without_a_beginning_there_is_nothing),
		cmocka_unit_test(of_two_from_one_byte_the_longer_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
