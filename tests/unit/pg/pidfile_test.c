#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pg/pidfile.h"

static void
a_full_file_is_read(void **state)
{
	struct pidfile f;

	(void)state;
	assert_true(pidfile_parse("4711\n/data\n1700000000\n5432\n/run/podgres\n*\n"
				  "  5432001    131072\nready   \n",
		&f));
	assert_int_equal(f.pid, 4711);
	assert_int_equal(f.port, 5432);
	assert_string_equal(f.socket_dir, "/run/podgres");
	assert_int_equal(f.status, PIDFILE_READY);
}

static void
a_file_that_is_still_being_written_has_no_status(void **state)
{
	struct pidfile f;

	(void)state;
	assert_true(pidfile_parse("4711\n/data\n1700000000\n5432\n", &f));
	assert_int_equal(f.status, PIDFILE_NONE);
	assert_string_equal(f.socket_dir, "");
	assert_false(pidfile_parse("", &f));
	assert_false(pidfile_parse("\n\n\n", &f));
}

static void
every_status_is_known_and_no_other(void **state)
{
	static const struct {
		const char *word;
		enum pidfile_status status;
	} rows[] = {{"starting", PIDFILE_STARTING}, {"ready   ", PIDFILE_READY},
		{"standby ", PIDFILE_STANDBY}, {"stopping", PIDFILE_STOPPING},
		{"sleeping", PIDFILE_NONE}, {"", PIDFILE_NONE}};
	char text[128];
	struct pidfile f;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text), "1\n\n\n\n\n\n\n%s\n", rows[i].word);
		assert_true(pidfile_parse(text, &f));
		assert_int_equal(f.status, rows[i].status);
	}
}

static void
a_missing_file_is_none(void **state)
{
	struct pidfile f;

	(void)state;
	assert_false(pidfile_read("/nonexistent", &f));
	assert_int_equal(f.pid, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_file_is_read),
		cmocka_unit_test(a_file_that_is_still_being_written_has_no_status),
		cmocka_unit_test(every_status_is_known_and_no_other),
		cmocka_unit_test(a_missing_file_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
