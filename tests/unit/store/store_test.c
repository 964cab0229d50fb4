#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/driver.h"

static struct store *
open_url(const char *url, struct err *e)
{
	struct store_spec spec = {.url = url};
	struct store *s;

	setenv("AWS_ACCESS_KEY_ID", "A", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "S", 1);
	return store_open(&s, &spec, e) ? NULL : s;
}

static void
the_scheme_chooses_the_driver(void **state)
{
	struct store *s;
	struct err e;

	(void)state;
	s = open_url("s3://bucket/a/b//", &e);
	assert_non_null(s);
	assert_ptr_equal(s->driver, &store_driver_s3);
	assert_string_equal(store_where(s), "s3://bucket/a/b");
	assert_string_equal(s->root, "bucket/a/b");
	assert_int_equal(s->spec.total_ms, 300000);
	store_close(s);
	assert_null(open_url("ftp://bucket", &e));
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_null(open_url("s3", &e));
	assert_int_equal(e.kind, ERR_CONFIG);
}

static void
keys_that_are_none_reach_no_driver(void **state)
{
	static const char *const bad[] = {"", "/a", "..", "a/../b", "a/.", ".", "a\nb", "a\x7f"};
	char longest[STORE_KEY_SIZE + 1];
	struct store_object o;
	struct store *s;
	struct err e;

	(void)state;
	s = open_url("s3://bucket", &e);
	assert_non_null(s);
	memset(longest, 'k', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (size_t i = 0; i <= sizeof(bad) / sizeof(bad[0]); i++) {
		const char *key = i < sizeof(bad) / sizeof(bad[0]) ? bad[i] : longest;
		struct store_put put = {.key = key};

		assert_int_equal(store_head(s, key, &o, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
		assert_int_equal(store_put(s, &put, NULL, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
		assert_int_equal(store_delete(s, &key, 1, &e), -1);
		assert_int_equal(e.kind, ERR_INVALID);
	}
	assert_int_equal(store_stats(s)->requests, 0);
	assert_int_equal(store_delete(s, NULL, 0, &e), 0);
	store_close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_scheme_chooses_the_driver),
		cmocka_unit_test(keys_that_are_none_reach_no_driver),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
