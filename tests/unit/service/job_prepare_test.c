/*
 * job_prepare_test - the whole job, with the initdb and the postgres of the machine.
 *
 * PODGRES_TEST_BINDIR says which PostgreSQL, default: Debian's.  As root the test becomes the user
 * postgres, as the jobs do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "pg/control.h"
#include "pg/pgdata.h"
#include "service/configure.h"
#include "service/service.h"
#include "service/space.h"
#include "sys/file.h"
#include "sys/spawn.h"
#include "sys/state_file.h"

struct fixture {
	char top[64];
	struct run_options opt;
	struct job job;
	struct plan plan;
	struct err e;
};

static const char *
bindir(void)
{
	const char *given = getenv("PODGRES_TEST_BINDIR");

	return given ? given : "/usr/lib/postgresql/15/bin";
}

static void
put(const struct fixture *f, const char *name, const char *text, mode_t mode)
{
	char path[FILE_PATH_MAX], parent[FILE_PATH_MAX];
	struct err e;

	assert_int_equal(file_join(path, sizeof(path), f->top, name, &e), 0);
	assert_int_equal(file_parent(parent, sizeof(parent), path, &e), 0);
	assert_int_equal(file_make_dirs(parent, 0700, &e), 0);
	assert_int_equal(file_write(path, text, strlen(text), mode, &e), 0);
}

static bool
there(const struct fixture *f, const char *name)
{
	char path[FILE_PATH_MAX];
	struct err e;

	return file_join(path, sizeof(path), f->top, name, &e) == 0 && file_exists(path);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct run_options *o = &f->opt;

	must(f);
	snprintf(f->top, sizeof(f->top), "/tmp/podgres-prepare-XXXXXX");
	must(mkdtemp(f->top));
	snprintf(o->pgdata, sizeof(o->pgdata), "%s/data", f->top);
	snprintf(o->run_dir, sizeof(o->run_dir), "%s/run", f->top);
	snprintf(o->state_dir, sizeof(o->state_dir), "%s/.podgres-data", f->top);
	snprintf(o->initdb_dir, sizeof(o->initdb_dir), "%s/scripts", f->top);
	snprintf(o->secrets_dir, sizeof(o->secrets_dir), "%s/secrets", f->top);
	snprintf(o->bindir, sizeof(o->bindir), "%s", bindir());
	snprintf(o->pod_name, sizeof(o->pod_name), "pod-1");
	must(mkdir(o->run_dir, 0700) == 0);
	must(board_create(&f->job.board, shared_sizes, SECTIONS, &f->e) == 0);
	f->job.id = JOB_PREPARE;
	f->job.opt = o;
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	board_free(f->job.board);
	must(file_remove_tree(f->top, &f->e) == 0);
	free(f);
	return 0;
}

static int
prepare(struct fixture *f)
{
	int rc;

	f->job.report = (struct job_report){0};
	f->e = (struct err){0};
	rc = job_prepare_main(&f->job, &f->e);
	shared_read(f->job.board, SEC_PLAN, &f->plan);
	if (rc < 0)
		print_message("prepare: %s\n", f->e.msg);
	return rc;
}

static void
empty_folder_becomes_a_cluster_with_checksums_and_a_second_run_keeps_it(void **state)
{
	struct fixture *f = *state;
	struct control c;
	uint64_t id;

	assert_int_equal(prepare(f), 0);
	assert_true(f->plan.initialised);
	assert_false(f->plan.crashed);
	assert_false(f->plan.standby);
	assert_string_equal(f->plan.superuser, "postgres");
	assert_string_equal(f->plan.database, "postgres");
	assert_int_equal(f->plan.generation, 1);
	assert_int_equal(f->plan.timeline, 1);
	assert_true(space_reserve_present(f->plan.waldir));
	assert_int_equal(control_read(&c, f->opt.pgdata, &f->e), 0);
	assert_true(c.checksum_version > 0);
	id = f->plan.system_id;
	assert_true(id != 0);

	assert_int_equal(prepare(f), 0);
	assert_false(f->plan.initialised);
	assert_true(f->plan.system_id == id);
	assert_int_equal(f->plan.generation, 2);
}

static void
printed_control_file_is_what_the_real_tool_prints(void **state)
{
	struct fixture *f = *state;
	AUTO(buf_deinit) struct buf want = {0}, got = {0};
	char program[FILE_PATH_MAX];
	const char *argv[] = {program, f->opt.pgdata, NULL};
	const char *envp[] = {"LC_ALL=C", NULL};
	struct spawn_spec spec = {.name = "pg_controldata",
		.argv = argv,
		.envp = envp,
		.out = &want,
		.deadline_ms = 30000};
	struct control c;

	assert_int_equal(prepare(f), 0);
	assert_int_equal(file_join(program, sizeof(program), bindir(), "pg_controldata", &f->e), 0);
	assert_int_equal(spawn_run(&spec, NULL, &f->e), 0);
	assert_int_equal(control_read(&c, f->opt.pgdata, &f->e), 0);
	unsetenv("TZ"); // NOLINT(concurrency-mt-unsafe): one thread
	control_print(&c, &got);
	assert_string_equal(buf_str(&got), buf_str(&want));
}

static void
environment_and_scripts_of_dockers_image_are_honoured(void **state)
{
	struct fixture *f = *state;

	put(f, "scripts/1.sql", "CREATE TABLE t (a int);\n", 0600);
	put(f, "scripts/2.sh",
		"echo \"INSERT INTO t VALUES (1)\" | docker_process_sql\n"
		"psql -At -U \"$POSTGRES_USER\" -d \"$POSTGRES_DB\" -c 'SELECT count(*) FROM t' "
		">\"$PGDATA/../../rows\"\n",
		0600);
	put(f, "scripts/3.sh", "#!/bin/sh\ntouch \"$PGDATA/../../executed\"\n", 0700);
	put(f, "scripts/README", "no script", 0600);
	put(f, "password", "it's \\secret\"\n", 0600);
	{
		char file[128];

		snprintf(file, sizeof(file), "%s/password", f->top);
		setenv("POSTGRES_PASSWORD_FILE", file, 1); // NOLINT(concurrency-mt-unsafe)
		setenv("POSTGRES_USER", "alice", 1);       // NOLINT(concurrency-mt-unsafe)
		setenv("POSTGRES_DB", "shop", 1);          // NOLINT(concurrency-mt-unsafe)
	}
	assert_int_equal(prepare(f), 0);
	assert_string_equal(f->plan.superuser, "alice");
	assert_string_equal(f->plan.database, "shop");
	assert_true(there(f, "rows"));
	assert_true(there(f, "executed"));
	{
		char path[FILE_PATH_MAX], rows[16];

		assert_int_equal(file_join(path, sizeof(path), f->top, "rows", &f->e), 0);
		assert_int_equal(file_read_line(path, rows, sizeof(rows), &f->e), 0);
		assert_string_equal(rows, "1");
	}
}

static void
failing_script_fails_the_whole_and_leaves_nothing_half_made(void **state)
{
	struct fixture *f = *state;

	put(f, "scripts/1.sql", "SELECT 1;\nSELEKT 2;\n", 0600);
	assert_int_equal(prepare(f), -1);
	assert_int_equal(f->e.kind, ERR_FAILED);
	assert_non_null(strstr(f->e.msg, "1.sql"));
	assert_non_null(strstr(f->e.msg, "syntax error"));
	assert_false(there(f, "data"));
	assert_false(there(f, "data.podgres-init"));
	assert_false(there(f, "run/init"));

	put(f, "scripts/1.sql", "SELECT 1;\n", 0600);
	assert_int_equal(prepare(f), 0);
	assert_true(f->plan.initialised);
}

static const char manifest[] = "apiVersion: postgresql.cnpg.io/v1\n"
			       "kind: Cluster\n"
			       "metadata: {name: demo}\n"
			       "spec:\n"
			       "  instances: 1\n"
			       "  bootstrap:\n"
			       "    initdb:\n"
			       "      database: app\n"
			       "      owner: bob\n"
			       "      secret: {name: bob}\n"
			       "      walSegmentSize: 1\n"
			       "      dataChecksums: false\n"
			       "      postInitApplicationSQL: [create table x(a int)]\n";

static void
manifest_says_what_the_cluster_holds(void **state)
{
	struct fixture *f = *state;

	put(f, "c.yaml", manifest, 0600);
	put(f, "secrets/bob/username", "bob", 0600);
	put(f, "secrets/bob/password", "xyz", 0600);
	snprintf(f->opt.config, sizeof(f->opt.config), "%s/c.yaml", f->top);
	assert_int_equal(prepare(f), 0);
	assert_string_equal(f->plan.database, "app");
	assert_int_equal(f->plan.wal_segment_bytes, 1 << 20);
}

static void
secret_of_another_user_is_a_mistake_found_before_anything_is_made(void **state)
{
	struct fixture *f = *state;

	put(f, "c.yaml", manifest, 0600);
	put(f, "secrets/bob/username", "mallory", 0600);
	put(f, "secrets/bob/password", "xyz", 0600);
	snprintf(f->opt.config, sizeof(f->opt.config), "%s/c.yaml", f->top);
	assert_int_equal(prepare(f), -1);
	assert_int_equal(f->e.kind, ERR_CONFIG);
	assert_non_null(strstr(f->e.msg, "mallory"));
	assert_false(there(f, "data"));
}

static void
fenced_instance_is_not_touched(void **state)
{
	struct fixture *f = *state;
	struct state_record rec = {.fenced = true, .fence_reason = "by test"};
	char path[FILE_PATH_MAX];

	assert_int_equal(file_make_dirs(f->opt.state_dir, 0700, &f->e), 0);
	assert_int_equal(
		file_join(path, sizeof(path), f->opt.state_dir, STATE_FILE_NAME, &f->e), 0);
	assert_int_equal(state_file_write(path, &rec, &f->e), 0);
	assert_int_equal(prepare(f), 0);
	assert_true(f->plan.fenced);
	assert_string_equal(f->plan.fence_reason, "by test");
	assert_false(there(f, "data"));
}

static void
stale_pid_and_bits_for_the_group_are_mended_and_named(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(prepare(f), 0);
	put(f, "data/postmaster.pid", "1\n", 0600);
	put(f, "run/.s.PGSQL.5432.lock", "1\n", 0600);
	assert_int_equal(chmod(f->opt.pgdata, 0770), 0);
	assert_int_equal(prepare(f), 0);
	assert_false(there(f, "data/postmaster.pid"));
	assert_false(there(f, "run/.s.PGSQL.5432.lock"));
	assert_int_equal(f->plan.warnings, 1);
	assert_non_null(strstr(f->plan.warning[0], "0770"));
}

static void
other_major_is_refused_in_one_line(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(prepare(f), 0);
	put(f, "data/PG_VERSION", "12\n", 0600);
	assert_int_equal(prepare(f), -1);
	assert_int_equal(f->e.kind, ERR_CONFIG);
	assert_null(strchr(f->e.msg, '\n'));
	assert_true(strlen(f->job.report.hint) > 0);
}

static void
promotion_needs_a_standby(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(prepare(f), 0);
	assert_int_equal(job_promote_main(&f->job, &f->e), -1);
	assert_int_equal(f->e.kind, ERR_STATE);
	put(f, "data/standby.signal", "", 0600);
	assert_int_equal(prepare(f), 0);
	assert_true(f->plan.standby);
	assert_int_equal(job_promote_main(&f->job, &f->e), -1); /* postgres does not run */
	assert_false(there(f, "data/promote"));
}

static void
become_postgres(void)
{
	const struct passwd *pw = geteuid() == 0 ? getpwnam("postgres") : NULL;

	if (!pw)
		return;
	must(initgroups("postgres", pw->pw_gid) == 0 && setgid(pw->pw_gid) == 0 &&
		setuid(pw->pw_uid) == 0);
}

static int
clean_environment(void **state)
{
	static const char *const names[] = {
		"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD_FILE", "POSTGRES_PASSWORD"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unsetenv(names[i]); // NOLINT(concurrency-mt-unsafe): one thread
	return setup(state);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, clean_environment, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(empty_folder_becomes_a_cluster_with_checksums_and_a_second_run_keeps_it),
		TEST(printed_control_file_is_what_the_real_tool_prints),
		TEST(environment_and_scripts_of_dockers_image_are_honoured),
		TEST(failing_script_fails_the_whole_and_leaves_nothing_half_made),
		TEST(manifest_says_what_the_cluster_holds),
		TEST(secret_of_another_user_is_a_mistake_found_before_anything_is_made),
		TEST(fenced_instance_is_not_touched),
		TEST(stale_pid_and_bits_for_the_group_are_mended_and_named),
		TEST(other_major_is_refused_in_one_line),
		TEST(promotion_needs_a_standby),
	};

	become_postgres();
	umask(077);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
