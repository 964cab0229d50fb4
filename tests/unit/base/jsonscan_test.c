#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "base/jsonscan.h"

#define TEN(s) s s s s s s s s s s
#define EIGHTY(s) TEN(s s s s s s s s)

static void
json_is_told_from_what_is_not(void **state)
{
	static const char *const good[] = {"{}", "[]", " {\"a\" : [1, -0.5e+3, true,false,null]} ",
		"\"\\u00e4\\\"\\\\\"", "0", "-1", "1E9", "[[[[1]]]]", "{\"a\":{\"b\":{}}}",
		"\"\xff\""};
	static const char *const bad[] = {"", "{", "}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "[1,]",
		"[1 2]", "01", "-", "1.", ".5", "1e", "tru", "nul", "\"", "\"\\x\"", "\"\\u12g4\"",
		"\"a\nb\"", "{} {}", "{a:1}", "{\"a\":1}}", EIGHTY("[") "1" EIGHTY("]")};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (!jsonscan_valid(good[i], strlen(good[i])))
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (jsonscan_valid(bad[i], strlen(bad[i])))
			fail_msg("taken: %s", bad[i]);
}

static void
unescaped_is(const char *in, const char *want, size_t n)
{
	char text[64];
	size_t len;

	snprintf(text, sizeof(text), "%s", in);
	len = jsonscan_unescape(text, strlen(text));
	assert_int_equal(len, n);
	assert_memory_equal(text, want, n);
}

static void
escapes_become_their_characters(void **state)
{
	(void)state;
	unescaped_is("plain", "plain", 5);
	unescaped_is("\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 8);
	unescaped_is("a\\u00e4b\\u20acc",
		"a\xC3\xA4"
		"b\xE2\x82\xAC"
		"c",
		8);
	unescaped_is("\\ud83d\\ude00!", "\xF0\x9F\x98\x80!", 5);
	unescaped_is("x\\u0000y", "x\0y", 3);
}

static void
half_a_surrogate_becomes_the_replacement_character(void **state)
{
	(void)state;
	unescaped_is("\\ud83d", "\xEF\xBF\xBD", 3);
	unescaped_is("\\ud83dx", "\xEF\xBF\xBDx", 4);
	unescaped_is("\\ude00\\ud83d", "\xEF\xBF\xBD\xEF\xBF\xBD", 6);
	unescaped_is("\\ud83d\\u0041",
		"\xEF\xBF\xBD"
		"A",
		4);
}

static void
half_an_escape_is_left_out(void **state)
{
	(void)state;
	unescaped_is("ab\\", "ab", 2);
	unescaped_is("ab\\u12", "ab", 2);
}

static void
values_are_spans_of_the_text(void **state)
{
	static const char text[] = " [1, 2] , \"a\\n\" , -5";
	struct jsonscan s = {.at = text, .end = text + strlen(text)};
	struct jsonscan_span v;

	(void)state;
	assert_true(jsonscan_value(&s, &v));
	assert_int_equal(v.len, 6);
	assert_false(v.string);
	assert_true(jsonscan_take(&s, ','));
	assert_true(jsonscan_value(&s, &v));
	assert_true(v.string && v.escaped);
	assert_memory_equal(v.at, "a\\n", v.len);
	assert_true(jsonscan_take(&s, ','));
	assert_true(jsonscan_value(&s, &v));
	assert_memory_equal(v.at, "-5", v.len);
	assert_true(jsonscan_end(&s));
}

static void
cut_text_is_good_at_every_length(void **state)
{
	static const char text[] = "{\"a\":\"x\\u00e4\\n\",\"b\":[1.5e3,{\"c\":true}],\"d\":null}";

	(void)state;
	for (size_t n = 1; n <= strlen(text); n++) {
		struct jsonscan s = {.at = text, .end = text + n, .cut = true};
		struct jsonscan_span v;

		if (!jsonscan_value(&s, &v) || !jsonscan_end(&s))
			fail_msg("refused when cut: %.*s", (int)n, text);
		assert_true(n == strlen(text) || !jsonscan_valid(text, n));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_told_from_what_is_not),
		cmocka_unit_test(escapes_become_their_characters),
		cmocka_unit_test(half_a_surrogate_becomes_the_replacement_character),
		cmocka_unit_test(half_an_escape_is_left_out),
		cmocka_unit_test(values_are_spans_of_the_text),
		cmocka_unit_test(cut_text_is_good_at_every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
