#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "sys/file.h"
#include "sys/mount.h"

static char dir[64];

static int
setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/podgres-file-XXXXXX");
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

static const char *
at(const char *name, char out[FILE_PATH_MAX])
{
	struct err e;

	assert_int_equal(file_join(out, FILE_PATH_MAX, dir, name, &e), 0);
	return out;
}

static void
written_file_replaces_and_reads_back(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};
	char p[FILE_PATH_MAX];
	struct stat st;
	struct err e;

	(void)state;
	assert_int_equal(file_write(at("f", p), "one", 3, 0640, &e), 0);
	assert_int_equal(file_write(p, "two!", 4, 0600, &e), 0);
	assert_int_equal(file_read(&b, p, 4, &e), 0);
	assert_string_equal(buf_str(&b), "two!");
	assert_int_equal(stat(p, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void
file_beyond_the_limit_is_refused_and_leaves_the_buffer(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};
	char p[FILE_PATH_MAX];
	struct err e;

	(void)state;
	buf_puts(&b, "before");
	assert_int_equal(file_write(at("f", p), "12345", 5, 0600, &e), 0);
	assert_int_equal(file_read(&b, p, 4, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	assert_string_equal(buf_str(&b), "before");
}

static void
missing_file_has_its_own_kind(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};
	char p[FILE_PATH_MAX];
	struct err e;

	(void)state;
	assert_int_equal(file_read(&b, at("no", p), 4, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	assert_non_null(strstr(e.msg, "No such file"));
}

static void
full_device_has_its_own_kind(void **state)
{
	struct err e;

	(void)state;
	errno = ENOSPC;
	assert_int_equal(file_err(&e, "write"), -1);
	assert_int_equal(e.kind, ERR_SPACE);
	assert_true(err_retryable(&e));
}

static void
tree_is_removed_without_following_links(void **state)
{
	char p[FILE_PATH_MAX], q[FILE_PATH_MAX];
	struct err e;

	(void)state;
	assert_int_equal(file_make_dirs(at("tree/a/b", p), 0700, &e), 0);
	assert_int_equal(file_make_dirs(at("outside", p), 0700, &e), 0);
	assert_int_equal(file_write(at("outside/kept", p), "x", 1, 0600, &e), 0);
	assert_int_equal(file_write(at("tree/a/f", p), "x", 1, 0600, &e), 0);
	assert_int_equal(symlink(at("outside", p), at("tree/a/link", q)), 0);
	assert_int_equal(file_sync_tree(at("tree", p), &e), 0);
	assert_int_equal(file_remove_tree(at("tree", p), &e), 0);
	assert_false(file_exists(p));
	assert_true(file_exists(at("outside/kept", p)));
	assert_int_equal(file_remove_tree(at("tree", p), &e), 0);
}

static void
mount_point_inside_a_tree_stops_its_removal(void **state)
{
	char p[FILE_PATH_MAX], q[FILE_PATH_MAX];
	bool point = false;
	struct err e;

	(void)state;
	assert_int_equal(file_make_dirs(at("tree/m", p), 0700, &e), 0);
	assert_int_equal(file_make_dirs(at("src", q), 0700, &e), 0);
	assert_int_equal(file_write(at("src/kept", q), "x", 1, 0600, &e), 0);
	if (mount(at("src", q), p, NULL, MS_BIND, NULL) < 0)
		skip(); /* not allowed to mount */
	assert_int_equal(mount_is_point(p, &point, &e), 0);
	assert_true(point);
	assert_int_equal(file_remove_tree(at("tree", q), &e), -1);
	assert_int_equal(e.kind, ERR_STATE);
	assert_int_equal(umount(p), 0);
	assert_true(file_exists(at("src/kept", q)));
	assert_int_equal(mount_is_point(p, &point, &e), 0);
	assert_false(point);
}

static void
parents_and_bases_of_paths(void **state)
{
	char p[64];
	struct err e;

	(void)state;
	assert_int_equal(file_parent(p, sizeof(p), "/a/b", &e), 0);
	assert_string_equal(p, "/a");
	assert_int_equal(file_parent(p, sizeof(p), "/b", &e), 0);
	assert_string_equal(p, "/");
	assert_int_equal(file_parent(p, sizeof(p), "b", &e), 0);
	assert_string_equal(p, ".");
	assert_string_equal(file_base("/a/b"), "b");
	assert_int_equal(file_parent(p, 4, "/long/path", &e), -1);
}

static void
make_dirs_refuses_a_file_in_the_way(void **state)
{
	char p[FILE_PATH_MAX];
	struct err e;

	(void)state;
	assert_int_equal(file_write(at("f", p), "x", 1, 0600, &e), 0);
	assert_int_equal(file_make_dirs(p, 0700, &e), -1);
	assert_int_equal(file_make_dirs(at("f/g", p), 0700, &e), -1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(written_file_replaces_and_reads_back),
		TEST(file_beyond_the_limit_is_refused_and_leaves_the_buffer),
		TEST(missing_file_has_its_own_kind),
		TEST(full_device_has_its_own_kind),
		TEST(tree_is_removed_without_following_links),
		TEST(mount_point_inside_a_tree_stops_its_removal),
		TEST(parents_and_bases_of_paths),
		TEST(make_dirs_refuses_a_file_in_the_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
