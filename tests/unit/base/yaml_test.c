#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/yaml.h"

static struct yaml_tree *
parse(const char *text)
{
	struct yaml_tree *t = NULL;
	struct err e = {0};

	if (yaml_parse(&t, text, strlen(text), NULL, &e))
		fail_msg("%s", e.msg);
	return t;
}

static void
refused_at(const char *text, int line, const char *message)
{
	struct yaml_tree *t = NULL;
	struct yaml_mark at;
	struct err e = {0};

	assert_int_equal(yaml_parse(&t, text, strlen(text), &at, &e), -1);
	assert_null(t);
	assert_int_equal(e.kind, ERR_CONFIG);
	if (!strstr(e.msg, message))
		assert_string_equal(e.msg, message);
	assert_int_equal(at.line, line);
}

static void
fields_are_found_with_line_and_column(void **state)
{
	AUTO(yaml_tree_free)
	struct yaml_tree *t = parse("a:\n  b: [x, {c: 1}]\n  d: \"q\"\n");
	const struct yaml *b;

	(void)state;
	b = yaml_path(yaml_docs(t), "a.b");
	assert_int_equal(b->kind, YAML_LIST);
	assert_int_equal(b->line, 2);
	assert_int_equal(b->col, 6);
	assert_int_equal(b->key->col, 3);
	assert_int_equal(yaml_count(b), 2);
	assert_string_equal(yaml_text(yaml_get(b->first->next, "c")), "1");
	assert_string_equal(yaml_text(yaml_path(yaml_docs(t), "a.d")), "q");
	assert_null(yaml_path(yaml_docs(t), "a.x.y"));
	assert_null(yaml_path(yaml_docs(t), "a.b.c"));
}

static void
several_documents_follow_each_other_and_empty_ones_are_left_out(void **state)
{
	AUTO(yaml_tree_free)
	struct yaml_tree *t = parse("---\n# nothing\n---\na: 1\n---\n---\nb: 2\n...\n");

	(void)state;
	assert_string_equal(yaml_text(yaml_get(yaml_docs(t), "a")), "1");
	assert_string_equal(yaml_text(yaml_get(yaml_docs(t)->next, "b")), "2");
	assert_null(yaml_docs(t)->next->next);
}

static void
empty_text_has_no_document(void **state)
{
	AUTO(yaml_tree_free) struct yaml_tree *t = parse("");

	(void)state;
	assert_null(yaml_docs(t));
}

static void
quotes_make_a_string_of_everything(void **state)
{
	AUTO(yaml_tree_free)
	struct yaml_tree *t = parse("[true, 'true', 1, \"1\", ~, '', 1.5, .5e3, on, 0x1F, 0o17, "
				    "017, 1x, !!str 5, ., -]");
	static const enum yaml_type want[] = {YAML_IS_BOOL, YAML_IS_STRING, YAML_IS_INT,
		YAML_IS_STRING, YAML_IS_NULL, YAML_IS_STRING, YAML_IS_FLOAT, YAML_IS_FLOAT,
		YAML_IS_BOOL, YAML_IS_INT, YAML_IS_INT, YAML_IS_INT, YAML_IS_STRING, YAML_IS_STRING,
		YAML_IS_STRING, YAML_IS_STRING};
	const struct yaml *n = yaml_docs(t)->first;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++, n = n->next)
		if (yaml_type(n) != want[i])
			fail_msg("%s is %s", n->text, yaml_what(n));
	assert_null(n);
}

static void
numbers_are_read_as_kubernetes_reads_them(void **state)
{
	AUTO(yaml_tree_free)
	struct yaml_tree *t =
		parse("[0x1F, 0o17, 017, -5, 9223372036854775807, 9223372036854775808]");
	static const int64_t want[] = {31, 15, 15, -5, INT64_MAX};
	const struct yaml *n = yaml_docs(t)->first;
	int64_t v;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(want); i++, n = n->next) {
		assert_int_equal(yaml_int(n, &v), 0);
		assert_int_equal(v, want[i]);
	}
	assert_int_equal(yaml_int(n, &v), -1);
}

static void
alias_is_a_copy_and_merge_adds_what_is_missing(void **state)
{
	AUTO(yaml_tree_free)
	struct yaml_tree *t = parse("base: &b {x: 1, y: 2}\n"
				    "one: *b\n"
				    "two:\n"
				    "  <<: *b\n"
				    "  y: 3\n"
				    "three: {<<: [*b, {z: 4, x: 9}]}\n");
	const struct yaml *doc = yaml_docs(t);

	(void)state;
	assert_string_equal(yaml_text(yaml_path(doc, "one.y")), "2");
	assert_string_equal(yaml_text(yaml_path(doc, "two.x")), "1");
	assert_string_equal(yaml_text(yaml_path(doc, "two.y")), "3");
	assert_int_equal(yaml_count(yaml_get(doc, "two")), 2);
	assert_string_equal(yaml_text(yaml_path(doc, "three.z")), "4");
	assert_string_equal(yaml_text(yaml_path(doc, "three.x")), "1");
}

static void
twins_are_kept_for_the_caller(void **state)
{
	AUTO(yaml_tree_free) struct yaml_tree *t = parse("a: 1\nb: 2\na: 3\n");
	const struct yaml *a = yaml_get(yaml_docs(t), "a");

	(void)state;
	assert_string_equal(yaml_text(yaml_twin(a)), "3");
	assert_null(yaml_twin(a->next));
}

static void
what_is_not_yaml_is_refused_with_its_place(void **state)
{
	(void)state;
	refused_at("a: [1, 2\nb: 3\n", 2, "not YAML");
	refused_at("a:\n\t- x\n", 2, "not YAML");
	refused_at("a: \"\xff\"\n", 1, "not YAML");
	refused_at("? [a]\n: b\n", 1, "a key must be plain text");
	refused_at("a: \"x\\0y\"\n", 1, "NUL");
	refused_at("a: *nobody\n", 1, "names no anchor");
	refused_at("a: &x [*x]\n", 1, "contains itself");
	refused_at("{<<: 5}\n", 1, "merge key");
}

static void
laughter_of_a_billion_ends_early(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};

	(void)state;
	buf_puts(&b, "a: &a [x,x,x,x,x,x,x,x,x,x]\n");
	for (char c = 'b'; c <= 'j'; c++)
		buf_printf(&b, "%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c - 1,
			c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1);
	refused_at(buf_str(&b), 6, "more than 100000 values");
}

static void
as_many_values_as_allowed_and_not_one_more(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};
	struct yaml_tree *t;

	(void)state;
	buf_putc(&b, '[');
	for (int i = 0; i < YAML_MAX_NODES - 2; i++)
		buf_puts(&b, "1,");
	buf_puts(&b, "1]");
	t = parse(buf_str(&b));
	assert_int_equal(yaml_count(yaml_docs(t)), YAML_MAX_NODES - 1);
	yaml_tree_free(t);
	b.data[b.len - 1] = ',';
	buf_puts(&b, "1]");
	refused_at(buf_str(&b), 1, "more than 100000 values");
}

static void
depth_and_keys_are_limited(void **state)
{
	AUTO(buf_deinit) struct buf deep = {0};
	AUTO(buf_deinit) struct buf wide = {0};

	(void)state;
	for (int i = 0; i < 100; i++)
		buf_putc(&deep, '[');
	refused_at(buf_str(&deep), 1, "nested deeper than 64");
	for (int i = 0; i < YAML_MAX_KEYS + 1; i++)
		buf_printf(&wide, "k%d: 1\n", i);
	refused_at(buf_str(&wide), YAML_MAX_KEYS + 1, "keys in a map");
}

static void
alias_cannot_nest_beyond_the_limit(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};

	(void)state;
	buf_puts(&b, "a: &a ");
	for (int i = 0; i < 40; i++)
		buf_putc(&b, '[');
	for (int i = 0; i < 40; i++)
		buf_putc(&b, ']');
	buf_puts(&b, "\nb: ");
	for (int i = 0; i < 40; i++)
		buf_putc(&b, '[');
	buf_puts(&b, "*a");
	for (int i = 0; i < 40; i++)
		buf_putc(&b, ']');
	refused_at(buf_str(&b), 2, "nested deeper than 64");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_found_with_line_and_column),
		cmocka_unit_test(several_documents_follow_each_other_and_empty_ones_are_left_out),
		cmocka_unit_test(empty_text_has_no_document),
		cmocka_unit_test(quotes_make_a_string_of_everything),
		cmocka_unit_test(numbers_are_read_as_kubernetes_reads_them),
		cmocka_unit_test(alias_is_a_copy_and_merge_adds_what_is_missing),
		cmocka_unit_test(twins_are_kept_for_the_caller),
		cmocka_unit_test(what_is_not_yaml_is_refused_with_its_place),
		cmocka_unit_test(laughter_of_a_billion_ends_early),
		cmocka_unit_test(as_many_values_as_allowed_and_not_one_more),
		cmocka_unit_test(depth_and_keys_are_limited),
		cmocka_unit_test(alias_cannot_nest_beyond_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
