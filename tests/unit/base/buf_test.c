#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void
puts_and_printf_append(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};

	(void)state;
	buf_puts(&b, "a");
	buf_printf(&b, "%d-%s", 7, "x");
	assert_string_equal(buf_str(&b), "a7-x");
	assert_int_equal(b.len, 4);
}

static void
growing_past_the_limit_is_remembered_as_failure(void **state)
{
	struct buf b;
	struct err e = {0};

	(void)state;
	buf_init_max(&b, 4);
	buf_puts(&b, "1234");
	assert_int_equal(buf_check(&b, &e), 0);
	buf_putc(&b, '5');
	assert_int_equal(buf_check(&b, &e), -1);
	assert_string_equal(buf_str(&b), "1234");
	buf_deinit(&b);
}

static void
take_of_an_empty_buffer_is_an_empty_string(void **state)
{
	struct buf b;
	AUTO(free) char *s = NULL;

	(void)state;
	buf_init(&b);
	s = buf_take(&b);
	assert_string_equal(s, "");
}

static void
consume_drops_from_the_front(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};

	(void)state;
	buf_puts(&b, "hello");
	buf_consume(&b, 3);
	assert_string_equal(buf_str(&b), "lo");
}

static void
quotes_inside_quotes_are_doubled(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};

	(void)state;
	buf_put_quoted(&b, "a\"b'c\"", '"');
	buf_put_quoted(&b, "it's", '\'');
	buf_put_quoted(&b, "", '"');
	assert_string_equal(buf_str(&b), "\"a\"\"b'c\"\"\"'it''s'\"\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quotes_inside_quotes_are_doubled),
		cmocka_unit_test(puts_and_printf_append),
		cmocka_unit_test(growing_past_the_limit_is_remembered_as_failure),
		cmocka_unit_test(take_of_an_empty_buffer_is_an_empty_string),
		cmocka_unit_test(consume_drops_from_the_front),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
