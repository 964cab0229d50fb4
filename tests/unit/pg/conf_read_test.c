#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "pg/conf_read.h"

static int
parse(struct conf_settings *s, const char *text, struct err *e)
{
	const struct conf_text t = {text, strlen(text), "f.conf"};

	return conf_parse(s, &t, NULL, NULL, e);
}

static void
expect(const char *text, const char *name, const char *value)
{
	AUTO(conf_settings_deinit) struct conf_settings s = {0};
	struct err e = {0};

	if (parse(&s, text, &e))
		fail_msg("%s", e.msg);
	assert_string_equal(conf_settings_value(&s, name, "(none)"), value);
}

static void
refuse(const char *text, const char *where)
{
	AUTO(conf_settings_deinit) struct conf_settings s = {0};
	struct err e = {0};

	assert_int_equal(parse(&s, text, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_non_null(strstr(e.msg, where));
}

static void
every_way_to_write_a_setting_is_read(void **state)
{
	(void)state;
	expect("work_mem = 4MB\n", "work_mem", "4MB");
	expect("work_mem=4MB", "work_mem", "4MB");
	expect("  work_mem\t4MB  # why\n", "work_mem", "4MB");
	expect("Work_Mem = '4 MB'#x\n", "WORK_MEM", "4 MB");
	expect("work_mem'4MB'", "work_mem", "4MB");
	expect("a.b = on\r\n", "a.b", "on");
	expect("a = -1.5\n", "a", "-1.5");
	expect("# a = 1\n\n   \n", "a", "(none)");
	expect("a = ''\n", "a", "");
}

static void
quotes_and_escapes_are_undone(void **state)
{
	(void)state;
	expect("a = 'it''s'\n", "a", "it's");
	expect("a = 'it\\'s'\n", "a", "it's");
	expect("a = '\\\\x\\n\\t\\101\\q'\n", "a", "\\x\n\tAq");
	expect("a = 'x # y'\n", "a", "x # y");
}

static void
last_setting_wins(void **state)
{
	(void)state;
	expect("a = 1\nA = 2\n", "a", "2");
}

static void
what_postgres_would_not_take_is_an_error_with_its_line(void **state)
{
	(void)state;
	refuse("a = 1\nb = 'x\n", "f.conf:2:");
	refuse("a\n", "f.conf:1:");
	refuse("a =\n", "f.conf:1:");
	refuse("= 1\n", "f.conf:1:");
	refuse("1a = 1\n", "f.conf:1:");
	refuse("a = 1 2\n", "f.conf:1:");
	refuse("a = 'x' y\n", "f.conf:1:");
	refuse("a = 'x\\'\n", "f.conf:1:");
}

static void
quoted_value_is_read_back_as_it_was(void **state)
{
	static const char *const values[] = {
		"", "'", "\\", "it's \\n", "a\nb\r", "\xc3\xa4", "#", "''"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		AUTO(buf_deinit) struct buf b = {0};

		buf_puts(&b, "a = ");
		conf_quote(&b, values[i]);
		expect(buf_str(&b), "a", values[i]);
	}
}

static void
names_have_letters_first_and_at_most_one_dot(void **state)
{
	(void)state;
	assert_true(conf_name_ok("work_mem"));
	assert_true(conf_name_ok("pg_stat_statements.max"));
	assert_true(conf_name_ok("_a$1"));
	assert_false(conf_name_ok(""));
	assert_false(conf_name_ok("a.b.c"));
	assert_false(conf_name_ok("1a"));
	assert_false(conf_name_ok("a."));
	assert_false(conf_name_ok(".a"));
	assert_false(conf_name_ok("a b"));
	assert_false(conf_name_ok("a=1\nb"));
}

/* ---- files that are edited ---- */

static void
main_render(struct buf *out, const char *text)
{
	const struct conf_text t = {text, strlen(text), "postgresql.conf"};
	struct err e = {0};

	assert_int_equal(conf_main_render(out, &t, CONF_USER_FILE, CONF_OWNED_FILE, &e), 0);
}

static void
include_lines_come_last_and_once(void **state)
{
	AUTO(buf_deinit) struct buf once = {0}, twice = {0}, moved = {0};

	(void)state;
	main_render(&once, "a = 1 # kept\n\nb = 2");
	assert_int_equal(strncmp(once.data, "a = 1 # kept\n\nb = 2\n# podgres", 29), 0);
	assert_non_null(strstr(
		once.data, "\ninclude_if_exists 'podgres.user.conf'\ninclude 'podgres.conf'\n"));
	main_render(&twice, once.data);
	assert_string_equal(once.data, twice.data);
	main_render(&moved, "include = 'podgres.conf'\na = 1 # kept\n\nb = 2\n");
	assert_string_equal(once.data, moved.data);
}

static void
only_owned_settings_leave_the_auto_file(void **state)
{
	static const char text[] = "# by hand\nport = '1'\nwork_mem = '2MB'\nPORT = '2'\n";
	AUTO(conf_settings_deinit) struct conf_settings owned = {0}, dropped = {0};
	AUTO(buf_deinit) struct buf out = {0};
	const struct conf_text t = {text, strlen(text), "postgresql.auto.conf"};
	struct err e = {0};

	(void)state;
	assert_int_equal(parse(&owned, "port = 5432\n", &e), 0);
	assert_int_equal(conf_auto_render(&out, &t, &owned, &dropped, &e), 0);
	assert_string_equal(out.data, "# by hand\nwork_mem = '2MB'\n");
	assert_int_equal(dropped.n, 2);
	assert_string_equal(dropped.item[1].value, "2");
}

/* ---- includes ---- */

static void
write_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	must(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void
includes_are_followed_but_for_our_own(void **state)
{
	AUTO(conf_settings_deinit) struct conf_settings s = {0};
	char dir[] = "/tmp/podgres-conf-XXXXXX", path[64];
	struct err e = {0};

	(void)state;
	must(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/conf.d", dir);
	must(mkdir(path, 0700) == 0);
	write_file(dir, "postgresql.conf",
		"a = 1\ninclude 'more.conf'\ninclude_if_exists 'none.conf'\ninclude_dir 'conf.d'\n"
		"include 'podgres.conf'\n");
	write_file(dir, "more.conf", "a = 2\nb = 2\n");
	write_file(dir, "conf.d/10.conf", "c = 10\n");
	write_file(dir, "conf.d/20.conf", "c = 20\n");
	write_file(dir, "conf.d/30.txt", "c = 30\n");
	write_file(dir, "podgres.conf", "a = 9\n");
	snprintf(path, sizeof(path), "%s/postgresql.conf", dir);
	if (conf_load(&s, path, &e))
		fail_msg("%s", e.msg);
	assert_string_equal(conf_settings_value(&s, "a", ""), "2");
	assert_string_equal(conf_settings_value(&s, "c", ""), "20");
	assert_non_null(strstr(conf_settings_get(&s, "b")->file, "/more.conf"));
	write_file(dir, "more.conf", "include 'postgresql.conf'\n");
	assert_int_equal(conf_load(&s, path, &e), -1);
	assert_non_null(strstr(e.msg, "nested deeper"));
	write_file(dir, "postgresql.conf", "x = 1\ninclude 'gone.conf'\n");
	assert_int_equal(conf_load(&s, path, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_non_null(strstr(e.msg, "postgresql.conf:2: the included file"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_way_to_write_a_setting_is_read),
		cmocka_unit_test(quotes_and_escapes_are_undone),
		cmocka_unit_test(last_setting_wins),
		cmocka_unit_test(what_postgres_would_not_take_is_an_error_with_its_line),
		cmocka_unit_test(quoted_value_is_read_back_as_it_was),
		cmocka_unit_test(names_have_letters_first_and_at_most_one_dot),
		cmocka_unit_test(include_lines_come_last_and_once),
		cmocka_unit_test(only_owned_settings_leave_the_auto_file),
		cmocka_unit_test(includes_are_followed_but_for_our_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
