#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "sys/file.h"
#include "sys/state_file.h"

static char dir[64], path[80];

static int
setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/podgres-state-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/" STATE_FILE_NAME, dir);
	return 0;
}

static int
teardown(void **state)
{
	struct err e;

	(void)state;
	return file_remove_tree(dir, &e);
}

static struct state_record
fence(bool on, const char *why)
{
	struct state_record r = {.fenced = on, .incarnation = 7, .fence_wall_us = 11};

	snprintf(r.fence_reason, sizeof(r.fence_reason), "%s", why);
	return r;
}

static void
missing_file_is_an_empty_record(void **state)
{
	struct state_record r;
	struct err e;

	(void)state;
	assert_int_equal(state_file_read(&r, path, &e), 0);
	assert_int_equal(r.sequence, 0);
	assert_false(r.fenced);
}

static void
last_write_is_what_is_read(void **state)
{
	struct state_record r = fence(true, "first");
	struct err e;

	(void)state;
	assert_int_equal(state_file_write(path, &r, &e), 0);
	r = fence(true, "second");
	assert_int_equal(state_file_write(path, &r, &e), 0);
	r = fence(false, "third");
	assert_int_equal(state_file_write(path, &r, &e), 0);
	assert_int_equal(state_file_read(&r, path, &e), 0);
	assert_false(r.fenced);
	assert_string_equal(r.fence_reason, "third");
	assert_int_equal(r.sequence, 3);
	assert_int_equal(r.incarnation, 7);
}

static void
a_fencing_token_is_kept_by_writes_that_keep_it(void **state)
{
	struct state_record r = {.token = UINT64_C(1) << 40, .token_order = "follow"};
	struct err e;

	(void)state;
	snprintf(r.token_primary, sizeof(r.token_primary), "db-1:5432");
	assert_int_equal(state_file_write(path, &r, &e), 0);
	assert_int_equal(state_file_read(&r, path, &e), 0);
	r.fenced = true;
	assert_int_equal(state_file_write(path, &r, &e), 0);
	assert_int_equal(state_file_read(&r, path, &e), 0);
	assert_true(r.fenced && !r.token_leads);
	assert_true(r.token == UINT64_C(1) << 40);
	assert_string_equal(r.token_order, "follow");
	assert_string_equal(r.token_primary, "db-1:5432");
}

static void
a_torn_token_gives_the_record_before(void **state)
{
	struct state_record r = {.token = 5, .token_order = "promote", .token_leads = true};
	struct err e;
	int fd;

	(void)state;
	assert_int_equal(state_file_write(path, &r, &e), 0);
	r.token = 6;
	assert_int_equal(state_file_write(path, &r, &e), 0);
	fd = open(path, O_WRONLY);
	assert_int_equal(pwrite(fd, "x", 1, 4096 + 2048 + 20), 1);
	close(fd);
	assert_int_equal(state_file_read(&r, path, &e), 0);
	assert_int_equal(r.token, 5);
}

static void
writes_allocate_nothing_once_it_exists(void **state)
{
	struct state_record r = fence(true, "x");
	struct stat before, after;
	struct err e;

	(void)state;
	assert_int_equal(state_file_create(path, &e), 0);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(state_file_write(path, &r, &e), 0);
	assert_int_equal(state_file_write(path, &r, &e), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(before.st_size, after.st_size);
	assert_int_equal(before.st_blocks, after.st_blocks);
}

static void
spoil(off_t at)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "garbage", 7, at + 20), 7);
	close(fd);
}

static void
torn_slot_leaves_the_former_record(void **state)
{
	struct state_record r = fence(true, "kept");
	struct err e;

	(void)state;
	assert_int_equal(state_file_write(path, &r, &e), 0);
	r = fence(false, "torn");
	assert_int_equal(state_file_write(path, &r, &e), 0);
	spoil(4096);
	assert_int_equal(state_file_read(&r, path, &e), 0);
	assert_true(r.fenced);
	assert_string_equal(r.fence_reason, "kept");
	/* and the next write goes to the damaged slot, not over the good one */
	r = fence(true, "new");
	assert_int_equal(state_file_write(path, &r, &e), 0);
	spoil(4096);
	assert_int_equal(state_file_read(&r, path, &e), 0);
	assert_string_equal(r.fence_reason, "kept");
}

static void
two_damaged_slots_are_an_error_not_unfenced(void **state)
{
	struct state_record r = fence(true, "x");
	struct err e;

	(void)state;
	assert_int_equal(state_file_write(path, &r, &e), 0);
	assert_int_equal(state_file_write(path, &r, &e), 0);
	spoil(0);
	spoil(4096);
	assert_int_equal(state_file_read(&r, path, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
}

static void
lock_keeps_a_second_writer_out(void **state)
{
	int first = -1, second;
	struct err e;

	(void)state;
	assert_int_equal(state_file_lock(&first, path, &e), 0);
	second = open(path, O_RDWR | O_CLOEXEC);
	assert_true(second >= 0);
	assert_int_equal(flock(second, LOCK_EX | LOCK_NB), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	close(first);
	assert_int_equal(flock(second, LOCK_EX | LOCK_NB), 0);
	close(second);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(missing_file_is_an_empty_record, setup, teardown),
		cmocka_unit_test_setup_teardown(last_write_is_what_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_fencing_token_is_kept_by_writes_that_keep_it, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_torn_token_gives_the_record_before, setup, teardown),
		cmocka_unit_test_setup_teardown(
			writes_allocate_nothing_once_it_exists, setup, teardown),
		cmocka_unit_test_setup_teardown(
			torn_slot_leaves_the_former_record, setup, teardown),
		cmocka_unit_test_setup_teardown(lock_keeps_a_second_writer_out, setup, teardown),
		cmocka_unit_test_setup_teardown(
			two_damaged_slots_are_an_error_not_unfenced, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
