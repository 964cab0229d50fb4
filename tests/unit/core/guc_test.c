#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/guc.h"

static void
good(const char *name, const char *value)
{
	struct err e = {0};

	if (guc_check(name, value, &e))
		fail_msg("%s = %s: %s", name, value, e.msg);
}

static void
bad(const char *name, const char *value)
{
	struct err e = {0};

	if (guc_check(name, value, &e) != -1)
		fail_msg("%s = %s was taken", name, value);
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_non_null(strstr(e.msg, "expected"));
}

static void
what_podgres_owns_is_refused_in_any_letter_case(void **state)
{
	static const char *const owned[] = {"archive_command", "restore_command",
		"primary_conninfo", "listen_addresses", "hba_file", "log_directory",
		"recovery_target_time", "synchronous_standby_names", "restart_after_crash",
		"shared_preload_libraries", "Archive_Command"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(owned); i++)
		assert_non_null(guc_refused(owned[i]));
	assert_null(guc_refused("work_mem"));
	assert_null(guc_refused("port"));
	assert_null(guc_refused(""));
}

static void
values_that_cloudnativepg_writes_are_harmless(void **state)
{
	(void)state;
	assert_true(guc_harmless("archive_mode", "on"));
	assert_false(guc_harmless("archive_mode", "off"));
	assert_true(guc_harmless("shared_preload_libraries", ""));
	assert_false(guc_harmless("shared_preload_libraries", "x"));
	assert_false(guc_harmless("work_mem", "on"));
}

static void
sizes_times_and_numbers_are_checked(void **state)
{
	(void)state;
	good("shared_buffers", "256MB");
	good("shared_buffers", "16384");
	good("SHARED_BUFFERS", "1.5GB");
	bad("shared_buffers", "64kB");
	bad("shared_buffers", "lots");
	good("checkpoint_timeout", "5min");
	bad("checkpoint_timeout", "5");
	bad("checkpoint_timeout", "5m");
	good("max_connections", "100");
	bad("max_connections", "0");
	bad("max_connections", "100MB");
	good("wal_buffers", "-1");
	good("statement_timeout", "0");
	good("random_page_cost", "1.1");
	bad("random_page_cost", "cheap");
	good("checkpoint_completion_target", "0.9");
	bad("port", "65536");
}

static void
switches_are_checked(void **state)
{
	struct err e = {0};

	(void)state;
	good("jit", "off");
	good("jit", "Tr");
	assert_int_equal(guc_check("jit", "maybe", &e), -1);
}

static void
units_of_kubernetes_are_found_everywhere(void **state)
{
	(void)state;
	bad("shared_buffers", "256Mi");
	bad("some_extension.cache", "1.5Gi");
	good("some_extension.name", "Mi");
	good("some_extension.name", "1Gib");
}

static void
unknown_parameters_take_anything(void **state)
{
	(void)state;
	good("log_line_prefix", "%m [%p] ");
	good("my.own", "");
}

static void
names_have_the_shape_postgres_wants(void **state)
{
	static const char *const ok[] = {
		"work_mem", "a.b", "a.b.c", "_x", "x$1", "auto_explain.log_analyze"};
	static const char *const no[] = {
		"", ".", "a.", ".a", "1a", "a b", "a=b", "a-b", "a'b", "a\nb", "a..b"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ok); i++)
		assert_true(guc_name_ok(ok[i]));
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		if (guc_name_ok(no[i]))
			fail_msg("%s was taken", no[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_podgres_owns_is_refused_in_any_letter_case),
		cmocka_unit_test(values_that_cloudnativepg_writes_are_harmless),
		cmocka_unit_test(sizes_times_and_numbers_are_checked),
		cmocka_unit_test(switches_are_checked),
		cmocka_unit_test(units_of_kubernetes_are_found_everywhere),
		cmocka_unit_test(unknown_parameters_take_anything),
		cmocka_unit_test(names_have_the_shape_postgres_wants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
