#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <string.h>

#include <cmocka.h>

#include "base/term.h"

static const struct term plain = {.columns = 40};

static void
what_is_no_terminal_gets_no_colour_and_80_columns(void **state)
{
	AUTO(close) int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	AUTO(buf_deinit) struct buf b = {0};
	struct term t;

	(void)state;
	unsetenv("COLUMNS");
	term_init(&t, fd);
	assert_false(t.tty);
	assert_int_equal(t.columns, 80);
	term_paint(&t, &b, TERM_RED, "x");
	assert_string_equal(buf_str(&b), "x");
	setenv("COLUMNS", "120", 1);
	term_init(&t, fd);
	assert_int_equal(t.columns, 120);
	setenv("COLUMNS", "3", 1);
	term_init(&t, fd);
	assert_int_equal(t.columns, 40);
	unsetenv("COLUMNS");
}

static int
terminal(void)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void
a_terminal_gets_colour_unless_NO_COLOR_or_dumb(void **state)
{
	AUTO(close) int fd = terminal();
	struct term t;

	(void)state;
	unsetenv("NO_COLOR");
	setenv("TERM", "xterm", 1);
	term_init(&t, fd);
	assert_true(t.colour);
	setenv("NO_COLOR", "1", 1);
	term_init(&t, fd);
	assert_true(t.tty);
	assert_false(t.colour);
	setenv("NO_COLOR", "", 1);
	term_init(&t, fd);
	assert_true(t.colour);
	setenv("TERM", "dumb", 1);
	term_init(&t, fd);
	assert_false(t.colour);
}

static void
width_counts_characters_not_bytes_nor_colours(void **state)
{
	(void)state;
	assert_int_equal(term_width("abc"), 3);
	assert_int_equal(term_width("\xC3\xA4\xE2\x80\xA6"), 2);
	assert_int_equal(term_width("\033[31mred\033[0m"), 3);
	assert_int_equal(term_width("\033["), 0);
}

static void
text_is_broken_at_spaces(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};

	(void)state;
	term_wrap(&b, "one two  three\tfour", 2, 10);
	assert_string_equal(buf_str(&b), "  one two\n  three\n  four\n");
	buf_reset(&b);
	term_wrap(&b, "unbreakablyLong x", 0, 5);
	assert_string_equal(buf_str(&b), "unbreakablyLong\nx\n");
	buf_reset(&b);
	term_wrap(&b, "", 4, 10);
	assert_string_equal(buf_str(&b), "");
}

static void
columns_of_a_table_line_up(void **state)
{
	AUTO(term_table_deinit) struct term_table t;
	AUTO(buf_deinit) struct buf b = {0};

	(void)state;
	term_table_init(&t, 2);
	term_table_put(&t, TERM_PLAIN, "A");
	term_table_put(&t, TERM_PLAIN, "B");
	term_table_put(&t, TERM_PLAIN, "longer");
	term_table_put(&t, TERM_PLAIN, NULL);
	term_table_printf(&t, TERM_PLAIN, "%d", 7);
	term_table_put(&t, TERM_PLAIN, "x\ny\033");
	term_table_print(&t, &plain, &b, 1);
	assert_string_equal(buf_str(&b), " A       B\n longer  -\n 7       x y \n");
}

static void
the_widest_column_gives_way_first(void **state)
{
	AUTO(term_table_deinit) struct term_table t;
	AUTO(buf_deinit) struct buf b = {0};

	(void)state;
	term_table_init(&t, 3);
	term_table_put(&t, TERM_PLAIN, "short");
	term_table_put(&t, TERM_PLAIN, "a cell that is much too long for so few columns");
	term_table_put(&t, TERM_PLAIN, "end");
	term_table_print(&t, &plain, &b, 0);
	assert_string_equal(buf_str(&b), "short  a cell that is much too lon…  end\n");
}

static void
a_table_drops_what_is_beyond_its_limit(void **state)
{
	AUTO(term_table_deinit) struct term_table t;

	(void)state;
	term_table_init(&t, 1);
	for (int i = 0; i < 2 * TERM_ROWS_MAX; i++)
		term_table_put(&t, TERM_PLAIN, "x");
	assert_int_equal(t.rows, TERM_ROWS_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_terminal_gets_no_colour_and_80_columns),
		cmocka_unit_test(a_terminal_gets_colour_unless_NO_COLOR_or_dumb),
		cmocka_unit_test(width_counts_characters_not_bytes_nor_colours),
		cmocka_unit_test(text_is_broken_at_spaces),
		cmocka_unit_test(columns_of_a_table_line_up),
		cmocka_unit_test(the_widest_column_gives_way_first),
		cmocka_unit_test(a_table_drops_what_is_beyond_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
