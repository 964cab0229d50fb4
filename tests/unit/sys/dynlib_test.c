#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "sys/dynlib.h"
#include "sys/file.h"

struct api {
	__typeof__(&curl_version) version;
};

static const struct dynlib_symbol symbols[] = {{"curl_version", offsetof(struct api, version)}};
static const struct dynlib library = {"libcurl.so.4", "libcurl4", symbols, 1};

static int64_t
resident_kb(void)
{
	AUTO(buf_deinit) struct buf text = {0};
	const char *at;
	struct err e;

	assert_int_equal(file_read(&text, "/proc/self/smaps_rollup", 4096, &e), 0);
	at = strstr(buf_str(&text), "Rss:");
	assert_non_null(at);
	return strtoll(at + 4, NULL, 10);
}

static void
a_library_goes_on_working_after_it_has_let_its_pages_go(void **state)
{
	int64_t before;
	struct err e;
	struct api api;
	char words[512];

	(void)state;
	if (dynlib_load(&library, &api, &e) < 0)
		fail_msg("%s", e.msg);
	snprintf(words, sizeof(words), "%s", api.version());
	before = resident_kb();
	dynlib_rest();
	assert_true(resident_kb() < before - 1024);
	assert_string_equal(api.version(), words);
	dynlib_rest();
	assert_string_equal(api.version(), words);
}

static void
what_is_missing_is_named(void **state)
{
	const struct dynlib_symbol none[] = {{"curl_nothing", 0}};
	const struct dynlib old = {"libcurl.so.4", "libcurl4", none, 1};
	const struct dynlib absent = {"libpodgres-none.so.1", "libnone", none, 1};
	struct api api;
	struct err e;

	(void)state;
	assert_int_equal(dynlib_load(&old, &api, &e), -1);
	assert_non_null(strstr(e.msg, "curl_nothing"));
	assert_int_equal(dynlib_load(&absent, &api, &e), -1);
	assert_non_null(strstr(e.msg, "libnone"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_library_goes_on_working_after_it_has_let_its_pages_go),
		cmocka_unit_test(what_is_missing_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
