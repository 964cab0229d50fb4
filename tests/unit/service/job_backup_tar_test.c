#include "service/job_backup.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void
what_a_running_server_keeps_for_itself_is_left_out(void **state)
{
	static const char *const out[] = {"postmaster.pid", "postmaster.opts", "standby.signal",
		"recovery.signal", "tablespace_map", "pg_replslot/a/state", "pg_dynshmem/x",
		"pg_stat_tmp/x", "log/postgresql.log", "pg_log/a", "pg_subtrans/0000", ".podgres",
		".podgres/manager.state"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(out); i++)
		if (!backup_tar_unwanted(out[i], ".podgres"))
			fail_msg("%s is in the backup", out[i]);
}

static void
everything_else_is_in_it(void **state)
{
	static const char *const in[] = {"PG_VERSION", "backup_label", "global/pg_control",
		"base/1/112", "log", "pg_replslot", "pg_stat_tmp", "logs/x", "pg_logical/x",
		"base/postmaster.pid", "current_logfiles", "postgresql.auto.conf", ".podgres2"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		if (backup_tar_unwanted(in[i], ".podgres"))
			fail_msg("%s is left out", in[i]);
	assert_false(backup_tar_unwanted(".podgres/x", ""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_running_server_keeps_for_itself_is_left_out),
		cmocka_unit_test(everything_else_is_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
