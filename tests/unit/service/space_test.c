#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "service/space.h"
#include "sys/file.h"

#define SEG (16U << 20)
#define MB (INT64_C(1) << 20)

static char dir[64];
static bool mounted;

static void
need_grows_with_the_volume(void **state)
{
	struct space_need n;

	(void)state;
	n = space_need(100 * 1024 * MB, SEG);
	assert_int_equal(n.start_bytes, 32 * MB);
	assert_int_equal(n.reserve_bytes, 32 * MB);
	n = space_need(200 * MB, SEG);
	assert_int_equal(n.start_bytes, 32 * MB);
	assert_int_equal(n.reserve_bytes, 16 * MB);
	n = space_need(64 * MB, SEG);
	assert_int_equal(n.start_bytes, 4 * MB);
	assert_int_equal(n.reserve_bytes, 0);
}

/* A tmpfs of 40 MB; segments of 1 MB. */
static int
setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/podgres-space-XXXXXX");
	assert_non_null(mkdtemp(dir));
	mounted = mount("none", dir, "tmpfs", 0, "size=40m") == 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	if (mounted)
		umount(dir);
	return rmdir(dir);
}

static void
fill(int64_t leave)
{
	char path[FILE_PATH_MAX];
	struct err e;
	int64_t n = 40 * MB;
	int fd;

	assert_int_equal(file_join(path, sizeof(path), dir, "fill", &e), 0);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	for (; n > 0 && posix_fallocate(fd, 0, n) != 0; n -= 4096)
		assert_int_equal(ftruncate(fd, 0), 0);
	if (leave)
		assert_int_equal(ftruncate(fd, n - leave), 0);
	close(fd);
}

static void
reserve_is_made_and_released_when_the_volume_is_full(void **state)
{
	bool released;
	struct err e;

	(void)state;
	if (!mounted)
		skip();
	assert_int_equal(space_prepare(dir, 1 << 20, &released, &e), 0);
	assert_false(released);
	assert_true(space_reserve_present(dir));
	fill(0);
	assert_int_equal(space_prepare(dir, 1 << 20, &released, &e), 0);
	assert_true(released);
	assert_false(space_reserve_present(dir));
}

static void
full_volume_without_a_reserve_has_no_room_and_is_left_clean(void **state)
{
	char path[FILE_PATH_MAX];
	bool released;
	struct err e;

	(void)state;
	if (!mounted)
		skip();
	fill(MB);
	assert_int_equal(space_prepare(dir, 1 << 20, &released, &e), -1);
	assert_int_equal(e.kind, ERR_SPACE);
	assert_int_equal(file_join(path, sizeof(path), dir, ".podgres.probe", &e), 0);
	assert_false(file_exists(path));
}

static void
little_room_is_for_the_start_and_not_for_a_reserve(void **state)
{
	bool released;
	struct err e;

	(void)state;
	if (!mounted)
		skip();
	fill(3 * MB);
	assert_int_equal(space_prepare(dir, 1 << 20, &released, &e), 0);
	assert_false(space_reserve_present(dir));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(need_grows_with_the_volume),
		cmocka_unit_test_setup_teardown(
			reserve_is_made_and_released_when_the_volume_is_full, setup, teardown),
		cmocka_unit_test_setup_teardown(
			full_volume_without_a_reserve_has_no_room_and_is_left_clean, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			little_room_is_for_the_start_and_not_for_a_reserve, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
