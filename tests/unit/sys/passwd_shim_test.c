#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sys/envlist.h"
#include "sys/passwd_shim.h"
#include "sys/spawn.h"

static void
program_sees_the_made_up_name(void **state)
{
	AUTO(envlist_deinit) struct envlist env = {0};
	AUTO(buf_deinit) struct buf out = {0};
	const char *argv[] = {"/usr/bin/id", "-un", NULL};
	struct spawn_spec spec = {.name = "id", .argv = argv, .out = &out, .deadline_ms = 10000};
	struct passwd_shim shim;
	struct err e;

	(void)state;
	if (passwd_shim_open(&shim, "nobody-else", &e) < 0 && e.kind == ERR_NOTIMPL)
		skip();
	assert_true(shim.fd >= 0);
	assert_int_equal(envlist_init(&env, &e), 0);
	/* the sanitizers want to be first; the program does not need them */
	assert_int_equal(envlist_set(&env, "LD_PRELOAD", shim.path, &e), 0);
	spec.envp = (const char *const *)env.item;
	assert_int_equal(spawn_run(&spec, NULL, &e), 0);
	assert_string_equal(buf_str(&out), "nobody-else\n");
	passwd_shim_close(&shim);
	passwd_shim_close(&shim);
}

static void
environment_is_set_replaced_and_dropped(void **state)
{
	AUTO(envlist_deinit) struct envlist env = {0}, copy = {0};
	struct err e;

	(void)state;
	assert_int_equal(envlist_init(&env, &e), 0);
	assert_int_equal(envlist_set(&env, "PODGRES_X", "1", &e), 0);
	assert_int_equal(envlist_set(&env, "PODGRES_X", "2", &e), 0);
	assert_string_equal(envlist_get(&env, "PODGRES_X"), "2");
	assert_null(envlist_get(&env, "PODGRES"));
	assert_int_equal(envlist_copy(&copy, &env, &e), 0);
	envlist_drop(&env, "PODGRES_X");
	assert_null(envlist_get(&env, "PODGRES_X"));
	assert_string_equal(envlist_get(&copy, "PODGRES_X"), "2");
	assert_null(env.item[env.n]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(program_sees_the_made_up_name),
		cmocka_unit_test(environment_is_set_replaced_and_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
