#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/wait.h>

#include "pg/bindir.h"
#include "pg/pgdata.h"

static char dir[64];

static int
setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/podgres-pgdata-XXXXXX");
	assert_non_null(mkdtemp(dir));
	return 0;
}

static int
teardown(void **state)
{
	struct err e;

	(void)state;
	return file_remove_tree(dir, &e);
}

static void
put(const char *name, const char *text, size_t n)
{
	char path[FILE_PATH_MAX], parent[FILE_PATH_MAX];
	struct err e;

	assert_int_equal(file_join(path, sizeof(path), dir, name, &e), 0);
	assert_int_equal(file_parent(parent, sizeof(parent), path, &e), 0);
	assert_int_equal(file_make_dirs(parent, 0700, &e), 0);
	if (text)
		assert_int_equal(file_write(path, text, n, 0600, &e), 0);
	else
		assert_int_equal(file_make_dirs(path, 0700, &e), 0);
}

static void
drop(const char *name)
{
	char path[FILE_PATH_MAX];
	struct err e;

	assert_int_equal(file_join(path, sizeof(path), dir, name, &e), 0);
	assert_int_equal(file_remove_tree(path, &e), 0);
}

/* As much of a cluster as is looked at. */
static void
put_cluster(void)
{
	AUTO(buf_deinit) struct buf control = {0};
	struct err e;

	assert_int_equal(file_read(&control, "tests/unit/pg/control/15.control", 1024, &e), 0);
	put("PG_VERSION", "15\n", 3);
	put("global/pg_control", control.data, control.len);
	put("base/1", NULL, 0);
	put("base/4", NULL, 0);
	put("pg_xact", NULL, 0);
	put("pg_wal", NULL, 0);
	put("pg_tblspc", NULL, 0);
}

static struct pgdata
look(void)
{
	struct pgdata d;
	struct err e;

	assert_int_equal(pgdata_inspect(&d, dir, &e), 0);
	return d;
}

static void
empty_folder_and_one_with_our_own_things_are_empty(void **state)
{
	(void)state;
	assert_int_equal(look().kind, PGDATA_EMPTY);
	put(PGDATA_OURS "/manager.state", "x", 1);
	assert_int_equal(look().kind, PGDATA_EMPTY);
}

static void
missing_folder_is_missing_and_a_file_is_an_error(void **state)
{
	struct pgdata d;
	struct err e;

	(void)state;
	assert_int_equal(pgdata_inspect(&d, "/nonexistent/x", &e), 0);
	assert_int_equal(d.kind, PGDATA_MISSING);
	assert_int_equal(pgdata_inspect(&d, "/etc/passwd", &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
}

static void
lost_and_found_alone_is_the_top_of_a_file_system(void **state)
{
	(void)state;
	put("lost+found", NULL, 0);
	assert_int_equal(look().kind, PGDATA_MOUNT_TOP);
	put_cluster();
	assert_int_equal(look().kind, PGDATA_CLUSTER);
}

static void
anything_else_is_strange_and_named(void **state)
{
	struct pgdata d;

	(void)state;
	put("photos", NULL, 0);
	d = look();
	assert_int_equal(d.kind, PGDATA_STRANGE);
	assert_string_equal(d.what, "photos");
}

static void
whole_cluster_is_described(void **state)
{
	struct pgdata d;

	(void)state;
	put_cluster();
	put("standby.signal", "", 0);
	put("backup_label", "x", 1);
	d = look();
	assert_int_equal(d.kind, PGDATA_CLUSTER);
	assert_int_equal(d.major, 15);
	assert_true(d.control_ok);
	assert_true(d.standby_signal);
	assert_true(d.backup_label);
	assert_false(d.recovery_signal);
	assert_non_null(strstr(d.wal, "/pg_wal"));
}

static void
each_missing_part_makes_it_half(void **state)
{
	static const char *const parts[] = {
		"PG_VERSION", "global/pg_control", "base", "base/4", "pg_xact", "pg_wal"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct pgdata d;

		put_cluster();
		drop(parts[i]);
		d = look();
		assert_int_equal(d.kind, PGDATA_HALF);
		assert_true(strlen(d.what) > 0);
	}
}

static void
damaged_control_file_is_said(void **state)
{
	struct pgdata d;

	(void)state;
	put_cluster();
	put("global/pg_control", "garbage that is long enough", 27);
	d = look();
	assert_int_equal(d.kind, PGDATA_CLUSTER);
	assert_false(d.control_ok);
	assert_true(strlen(d.what) > 0);
}

static void
tablespace_that_leads_nowhere_is_found(void **state)
{
	char link[FILE_PATH_MAX];
	struct err e;

	(void)state;
	put_cluster();
	assert_int_equal(pgdata_check_tablespaces(dir, &e), 0);
	assert_int_equal(file_join(link, sizeof(link), dir, "pg_tblspc/16384", &e), 0);
	assert_int_equal(symlink("/nonexistent/ts", link), 0);
	assert_int_equal(pgdata_check_tablespaces(dir, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_non_null(strstr(e.msg, "/nonexistent/ts"));
}

static void
process_that_works_in_the_folder_is_found(void **state)
{
	pid_t pid, child;
	struct err e;
	int fds[2];
	char c;

	(void)state;
	assert_int_equal(pgdata_find_process(dir, &pid, &e), 0);
	assert_int_equal(pid, 0);
	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		if (chdir(dir) < 0 || write(fds[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(fds[0], &c, 1), 1);
	assert_int_equal(pgdata_find_process(dir, &pid, &e), 0);
	assert_int_equal(pid, child);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(fds[0]);
	close(fds[1]);
}

/* ---- pg_authid ---- */

static void
put_tuple(unsigned char *page, uint16_t *lower, uint16_t *upper, const char *name, uint32_t xmax)
{
	uint32_t oid = 10, item;
	unsigned char *t;

	*upper -= 120;
	t = page + *upper;
	memcpy(t + 4, &xmax, 4);
	t[22] = 32;
	memcpy(t + 32, &oid, 4);
	snprintf((char *)t + 36, 64, "%s", name);
	item = *upper | 1U << 15 | 120U << 17;
	memcpy(page + *lower, &item, 4);
	*lower += 4;
	memcpy(page + 12, lower, 2);
}

static void
live_version_of_the_renamed_superuser_is_taken(void **state)
{
	unsigned char page[8192] = {0};
	uint16_t lower = 24, upper = 8192;
	char name[64];

	(void)state;
	assert_false(pgdata_superuser_in_page(name, page, sizeof(page)));
	put_tuple(page, &lower, &upper, "old", 700);
	put_tuple(page, &lower, &upper, "new", 0);
	assert_true(pgdata_superuser_in_page(name, page, sizeof(page)));
	assert_string_equal(name, "new");
}

static void
nonsense_pages_hold_nobody(void **state)
{
	unsigned char page[8192];
	char name[64];

	(void)state;
	memset(page, 0xFF, sizeof(page));
	assert_false(pgdata_superuser_in_page(name, page, sizeof(page)));
	assert_false(pgdata_superuser_in_page(name, page, 100));
}

/* ---- programs ---- */

static void
versions_are_read_from_what_postgres_says(void **state)
{
	char version[64];
	int major;

	(void)state;
	assert_int_equal(bindir_parse_version(
				 "postgres (PostgreSQL) 15.20 (Debian 15.20-0)\n", version, &major),
		0);
	assert_string_equal(version, "15.20");
	assert_int_equal(major, 15);
	assert_int_equal(
		bindir_parse_version("postgres (PostgreSQL) 18beta1\n", version, &major), 0);
	assert_int_equal(major, 18);
	assert_int_equal(bindir_parse_version("bash 5", version, &major), -1);
}

static void
folder_without_postgres_is_a_mistake_of_the_configuration(void **state)
{
	struct bindir b;
	struct err e;

	(void)state;
	assert_int_equal(bindir_find(&b, 15, dir, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_int_equal(bindir_find(&b, 999, "", &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(empty_folder_and_one_with_our_own_things_are_empty),
		TEST(missing_folder_is_missing_and_a_file_is_an_error),
		TEST(lost_and_found_alone_is_the_top_of_a_file_system),
		TEST(anything_else_is_strange_and_named),
		TEST(whole_cluster_is_described),
		TEST(each_missing_part_makes_it_half),
		TEST(damaged_control_file_is_said),
		TEST(tablespace_that_leads_nowhere_is_found),
		TEST(process_that_works_in_the_folder_is_found),
		TEST(live_version_of_the_renamed_superuser_is_taken),
		TEST(nonsense_pages_hold_nobody),
		TEST(versions_are_read_from_what_postgres_says),
		TEST(folder_without_postgres_is_a_mistake_of_the_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
