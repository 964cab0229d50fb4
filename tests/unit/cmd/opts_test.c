#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/defs.h"
#include "cmd/cmd.h"
#include "cmd/run_options.h"

#define ARGC(argv) ((int)ARRAY_LEN(argv) - 1)

static void
clear_environment(void)
{
	struct opt_set set = run_options_set();

	for (size_t i = 0; i < set.n; i++) {
		char names[128], *save = NULL;

		snprintf(names, sizeof(names), "%s", set.opt[i].env);
		for (char *p = strtok_r(names, "|", &save); p; p = strtok_r(NULL, "|", &save))
			unsetenv(p);
	}
}

static int
setup(void **state)
{
	(void)state;
	clear_environment();
	return 0;
}

static int
parse(int argc, const char *const *argv, struct run_options *opt, struct opt_rest *rest,
	struct err *e)
{
	struct opt_set set = run_options_set();
	static char word[32][512], *copy[33];

	for (int i = 0; i < argc; i++) {
		snprintf(word[i], sizeof(word[i]), "%s", argv[i]);
		copy[i] = word[i];
	}
	copy[argc] = NULL;
	memset(opt, 0, sizeof(*opt));
	*e = (struct err){0};
	*rest = (struct opt_rest){.argc = argc, .argv = copy};
	return opts_parse(&set, rest, opt, e);
}
#define PARSE(...)                                               \
	const char *const argv[] = {"run", ##__VA_ARGS__, NULL}; \
	struct run_options opt;                                  \
	struct opt_rest rest;                                    \
	struct err e;                                            \
	int rc = parse(ARGC(argv), argv, &opt, &rest, &e)

static void
without_anything_the_defaults_stand(void **state)
{
	PARSE();

	(void)state;
	assert_int_equal(rc, 0);
	assert_string_equal(opt.pgdata, "/var/lib/postgresql/data");
	assert_string_equal(opt.run_dir, "/run/podgres");
	assert_string_equal(opt.listen, ":8000");
	assert_int_equal(opt.watchdog_ms, 10000);
	assert_int_equal(opt.log_level, 2);
	assert_false(opt.log_text);
	assert_false(opt.status_auth);
	assert_int_equal(opt.port, 0);
	assert_string_equal(opt.config, "");
}

static void
the_command_line_beats_the_environment(void **state)
{
	(void)state;
	setenv("PGDATA", "/env/data", 1);
	setenv("PODGRES_WATCHDOG", "3s", 1);
	PARSE("--pgdata", "/opt/data");
	assert_int_equal(rc, 0);
	assert_string_equal(opt.pgdata, "/opt/data");
	assert_int_equal(opt.watchdog_ms, 3000);
}

static void
the_first_variable_set_wins_and_an_empty_one_is_not_set(void **state)
{
	(void)state;
	setenv("NAMESPACE", "second", 1);
	setenv("POD_NAMESPACE", "", 1);
	{
		PARSE();
		assert_int_equal(rc, 0);
		assert_string_equal(opt.pod_namespace, "second");
	}
	setenv("POD_NAMESPACE", "first", 1);
	{
		PARSE();
		assert_int_equal(rc, 0);
		assert_string_equal(opt.pod_namespace, "first");
	}
}

static void
values_stand_behind_an_equals_sign_too(void **state)
{
	PARSE("--log-format=text", "--status-auth", "--log-level=debug", "--grace=1m30s",
		"--port=5433");

	(void)state;
	assert_int_equal(rc, 0);
	assert_true(opt.log_text);
	assert_true(opt.status_auth);
	assert_int_equal(opt.log_level, 3);
	assert_int_equal(opt.grace_ms, 90000);
	assert_int_equal(opt.port, 5433);
}

static void
a_flag_can_be_switched_off(void **state)
{
	(void)state;
	setenv("PODGRES_STATUS_AUTH", "true", 1);
	{
		PARSE();
		assert_int_equal(rc, 0);
		assert_true(opt.status_auth);
	}
	{
		PARSE("--status-auth=off");
		assert_int_equal(rc, 0);
		assert_false(opt.status_auth);
	}
}

static void
relative_paths_become_absolute(void **state)
{
	char cwd[512], want[1024];

	(void)state;
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	PARSE("--pgdata", "./data", "--run-dir", "run", "--state-dir", ".");
	assert_int_equal(rc, 0);
	snprintf(want, sizeof(want), "%s/data", cwd);
	assert_string_equal(opt.pgdata, want);
	snprintf(want, sizeof(want), "%s/run", cwd);
	assert_string_equal(opt.run_dir, want);
	assert_string_equal(opt.state_dir, cwd);
}

static void
an_unknown_option_names_its_neighbour(void **state)
{
	PARSE("--pgdat=x");

	(void)state;
	assert_int_equal(rc, -1);
	assert_int_equal(err_exit(&e), 64);
	assert_string_equal(e.msg, "unknown option --pgdat; did you mean --pgdata?");
}

static void
an_unknown_option_without_neighbour_is_just_unknown(void **state)
{
	PARSE("--xyzzy");

	(void)state;
	assert_int_equal(rc, -1);
	assert_string_equal(e.msg, "unknown option --xyzzy");
}

static void
a_missing_value_and_a_wrong_one_name_the_option(void **state)
{
	(void)state;
	{
		PARSE("--config");
		assert_int_equal(rc, -1);
		assert_string_equal(e.msg, "--config needs a value: FILE");
	}
	{
		PARSE("--watchdog", "soon");
		assert_int_equal(rc, -1);
		assert_non_null(strstr(e.msg, "--watchdog: \"soon\" is not a duration"));
	}
	{
		PARSE("--log-level", "loud");
		assert_int_equal(rc, -1);
		assert_string_equal(
			e.msg, "--log-level: \"loud\" is none of error|warning|info|debug|trace");
	}
	{
		PARSE("--port", "65536");
		assert_int_equal(rc, -1);
	}
	{
		PARSE("--port", "-1");
		assert_int_equal(rc, -1);
	}
}

static void
a_wrong_variable_is_named(void **state)
{
	(void)state;
	setenv("PODGRES_GRACE", "never", 1);
	PARSE();
	assert_int_equal(rc, -1);
	assert_non_null(strstr(e.msg, "environment variable PODGRES_GRACE"));
}

static void
a_value_longer_than_its_field_is_refused(void **state)
{
	char name[300];

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	PARSE("--pod-name", name);
	assert_int_equal(rc, -1);
	assert_string_equal(e.msg, "--pod-name: longer than 255 bytes");
}

static void
operands_are_kept_in_order_and_a_double_dash_ends_options(void **state)
{
	PARSE("one", "--port", "1", "two", "--", "--three");

	(void)state;
	assert_int_equal(rc, 0);
	assert_int_equal(rest.n, 3);
	assert_string_equal(rest.arg[0], "one");
	assert_string_equal(rest.arg[1], "two");
	assert_string_equal(rest.arg[2], "--three");
	assert_int_equal(opt.port, 1);
}

static void
help_is_found_before_anything_is_judged(void **state)
{
	PARSE("--nonsense", "--help");

	(void)state;
	assert_int_equal(rc, 0);
	assert_true(rest.help);
}

static void
psql_gets_what_is_not_ours_untouched(void **state)
{
	struct opt_set set = command_options(CMD_PSQL);
	char a0[] = "psql", a1[] = "--run-dir=/r", a2[] = "-c", a3[] = "select 1", a4[] = "--help";
	char *argv[] = {a0, a1, a2, a3, a4, NULL};
	struct cli_args args = {0};
	struct opt_rest rest = {.argc = 3, .argv = argv};
	struct err e = {0};

	(void)state;
	assert_int_equal(opts_parse(&set, &rest, &args, &e), 0);
	assert_string_equal(args.run_dir, "/r");
	assert_int_equal(rest.n, 1);
	assert_string_equal(rest.arg[0], "-c");
}

static void
options_of_other_commands_are_unknown(void **state)
{
	struct opt_set set = command_options(CMD_PROMOTE);
	char a0[] = "promote", a1[] = "--reason=x";
	char *argv[] = {a0, a1, NULL};
	struct cli_args args = {0};
	struct opt_rest rest = {.argc = 2, .argv = argv};
	struct err e = {0};

	(void)state;
	assert_int_equal(opts_parse(&set, &rest, &args, &e), -1);
	assert_string_equal(e.msg, "unknown option --reason");
}

static void
every_default_is_a_valid_value_and_every_row_is_complete(void **state)
{
	PARSE();

	(void)state;
	assert_int_equal(rc, 0);
	for (size_t id = 0; id < COMMANDS; id++) {
		struct opt_set set = command_options((enum command_id)id);

		assert_true(*commands[id].name && *commands[id].summary);
		for (size_t i = 0; i < set.n; i++) {
			assert_true(*set.opt[i].name && strlen(set.opt[i].help) > 5);
			assert_true(set.opt[i].size > 0);
			assert_true(set.opt[i].kind == OPT_FLAG || *set.opt[i].arg);
		}
	}
}

#define T(f) cmocka_unit_test_setup(f, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(without_anything_the_defaults_stand),
		T(the_command_line_beats_the_environment),
		T(the_first_variable_set_wins_and_an_empty_one_is_not_set),
		T(values_stand_behind_an_equals_sign_too),
		T(a_flag_can_be_switched_off),
		T(relative_paths_become_absolute),
		T(an_unknown_option_names_its_neighbour),
		T(an_unknown_option_without_neighbour_is_just_unknown),
		T(a_missing_value_and_a_wrong_one_name_the_option),
		T(a_wrong_variable_is_named),
		T(a_value_longer_than_its_field_is_refused),
		T(operands_are_kept_in_order_and_a_double_dash_ends_options),
		T(help_is_found_before_anything_is_judged),
		T(psql_gets_what_is_not_ours_untouched),
		T(options_of_other_commands_are_unknown),
		T(every_default_is_a_valid_value_and_every_row_is_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
