#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/linebuf.h"

struct heard {
	struct linebuf lines;
	struct buf text;    /* "<line>" or "<line!>" when cut */
	const char *quotes; /* begin to count quotes after this line */
};

static void
hear(char *line, size_t n, bool cut, void *arg)
{
	struct heard *h = arg;

	if (h->quotes && strlen(h->quotes) == n && memcmp(line, h->quotes, n) == 0)
		h->lines.quoted = true;
	buf_putc(&h->text, '<');
	buf_put(&h->text, line, n);
	buf_puts(&h->text, cut ? "!>" : ">");
}

static void
feed(struct heard *h, const char *text, size_t n)
{
	/* Exactly as large as the text, so that a byte read past it is seen. */
	char *copy = malloc(n);

	assert_non_null(copy);
	memcpy(copy, text, n);
	linebuf_feed(&h->lines, copy, n, hear, h);
	free(copy);
}

static void
feeds(struct heard *h, const char *text)
{
	feed(h, text, strlen(text));
}

static int
setup(void **state)
{
	struct heard *h = calloc(1, sizeof(*h));

	linebuf_init(&h->lines, 8);
	*state = h;
	return h ? 0 : -1;
}

static int
teardown(void **state)
{
	struct heard *h = *state;

	linebuf_deinit(&h->lines);
	buf_deinit(&h->text);
	free(h);
	return 0;
}

static void
lines_come_out_whole_however_they_came_in(void **state)
{
	struct heard *h = *state;

	feeds(h, "a\nbc");
	assert_true(linebuf_pending(&h->lines));
	feeds(h, "d\n\ne");
	feeds(h, "\n");
	assert_string_equal(buf_str(&h->text), "<a><bcd><><e>");
	assert_false(linebuf_pending(&h->lines));
}

static void
line_of_exactly_the_limit_is_not_cut(void **state)
{
	struct heard *h = *state;

	feeds(h, "12345678\n");
	feeds(h, "1234");
	feeds(h, "5678");
	feeds(h, "\n");
	assert_string_equal(buf_str(&h->text), "<12345678><12345678>");
	assert_int_equal(h->lines.truncated, 0);
}

static void
longer_line_is_cut_and_its_rest_skipped(void **state)
{
	struct heard *h = *state;

	feeds(h, "123456789\nx\n");
	feeds(h, "12345");
	feeds(h, "6789");
	feeds(h, "more and more");
	assert_true(linebuf_pending(&h->lines));
	assert_int_equal(h->lines.held.len, 0);
	feeds(h, "and more\ny\n");
	assert_string_equal(buf_str(&h->text), "<12345678!><x><12345678!><y>");
	assert_int_equal(h->lines.truncated, 2);
}

static void
flush_hands_on_half_a_line_and_ends_skipping(void **state)
{
	struct heard *h = *state;

	feeds(h, "half");
	linebuf_flush(&h->lines, hear, h);
	linebuf_flush(&h->lines, hear, h);
	feeds(h, "123456789");
	linebuf_flush(&h->lines, hear, h);
	feeds(h, "new\n");
	assert_string_equal(buf_str(&h->text), "<half><12345678!><new>");
}

static void
nul_bytes_are_bytes(void **state)
{
	struct heard *h = *state;

	feed(h, "a\0b\n\0\n", 6);
	assert_int_equal(h->text.len, 8);
	assert_memory_equal(h->text.data, "<a\0b><\0>", 8);
}

static void
newline_inside_quotes_ends_no_line(void **state)
{
	struct heard *h = *state;

	h->lines.quoted = true;
	feeds(h, "a,\"b\n");
	feeds(h, "\"\"");
	feeds(h, "\"\nc\n");
	assert_string_equal(buf_str(&h->text), "<a,\"b\n\"\"\"><c>");
}

static void
end_of_a_cut_line_in_quotes_is_found_by_its_quotes(void **state)
{
	struct heard *h = *state;

	h->lines.quoted = true;
	feeds(h, "\"123456789\nabc\n\"\nnext\n");
	assert_string_equal(buf_str(&h->text), "<\"1234567!><next>");
}

static void
quotes_that_do_not_close_are_cut_again_at_newlines(void **state)
{
	struct heard *h = *state;

	h->lines.quoted = true;
	feeds(h, "\"a\nb\nc");
	assert_string_equal(buf_str(&h->text), "");
	linebuf_unquote(&h->lines, hear, h);
	assert_string_equal(buf_str(&h->text), "<\"a><b>");
	feeds(h, "d\n");
	assert_string_equal(buf_str(&h->text), "<\"a><b><cd>");
	assert_false(linebuf_pending(&h->lines));
}

static void
callee_may_turn_quotes_on_for_the_lines_that_follow(void **state)
{
	struct heard *h = *state;

	h->quotes = "on";
	feeds(h, "\"x\non\n\"y\nz\"\n");
	assert_string_equal(buf_str(&h->text), "<\"x><on><\"y\nz\">");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			lines_come_out_whole_however_they_came_in, setup, teardown),
		cmocka_unit_test_setup_teardown(
			line_of_exactly_the_limit_is_not_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(
			longer_line_is_cut_and_its_rest_skipped, setup, teardown),
		cmocka_unit_test_setup_teardown(
			flush_hands_on_half_a_line_and_ends_skipping, setup, teardown),
		cmocka_unit_test_setup_teardown(nul_bytes_are_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(
			newline_inside_quotes_ends_no_line, setup, teardown),
		cmocka_unit_test_setup_teardown(
			end_of_a_cut_line_in_quotes_is_found_by_its_quotes, setup, teardown),
		cmocka_unit_test_setup_teardown(
			quotes_that_do_not_close_are_cut_again_at_newlines, setup, teardown),
		cmocka_unit_test_setup_teardown(
			callee_may_turn_quotes_on_for_the_lines_that_follow, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
