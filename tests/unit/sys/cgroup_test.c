#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sys/cgroup.h"
#include "sys/file.h"

static char dir[64], proc[80];
static struct cgroup_where where;

static int
setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/podgres-cgroup-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(proc, sizeof(proc), "%s/proc", dir);
	where = (struct cgroup_where){.sysfs = dir, .proc = proc};
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
put(const char *name, const char *text)
{
	char path[FILE_PATH_MAX], parent[FILE_PATH_MAX];
	struct err e;

	assert_int_equal(file_join(path, sizeof(path), dir, name, &e), 0);
	assert_int_equal(file_parent(parent, sizeof(parent), path, &e), 0);
	assert_int_equal(file_make_dirs(parent, 0700, &e), 0);
	assert_int_equal(file_write(path, text, strlen(text), 0600, &e), 0);
}

static void
lowest_limit_on_the_way_up_counts(void **state)
{
	(void)state;
	put("proc", "0::/pod/app\n");
	put("pod/memory.max", "1000000\n");
	put("pod/app/memory.max", "max\n");
	assert_int_equal(cgroup_memory_limit(&where), 1000000);
	put("pod/app/memory.max", "500000\n");
	assert_int_equal(cgroup_memory_limit(&where), 500000);
}

static void
names_of_the_host_fall_back_to_the_root_of_the_mount(void **state)
{
	(void)state;
	put("proc", "0::/kubepods/burstable/pod1/x\n");
	put("memory.max", "2000\n");
	assert_int_equal(cgroup_memory_limit(&where), 2000);
}

static void
version_1_and_its_way_of_saying_none(void **state)
{
	(void)state;
	put("proc", "12:cpu,cpuacct:/\n5:memory:/docker/x\n0::/\n");
	put("memory/docker/x/memory.limit_in_bytes", "9223372036854771712\n");
	assert_int_equal(cgroup_memory_limit(&where), CGROUP_NO_LIMIT);
	put("memory/docker/x/memory.limit_in_bytes", "4096\n");
	assert_int_equal(cgroup_memory_limit(&where), 4096);
}

static void
huge_pages_are_found_by_the_name_of_their_size(void **state)
{
	(void)state;
	put("proc", "0::/a\n");
	put("unified/a/hugetlb.2MB.max", "0\n");
	put("unified/a/hugetlb.1GB.max", "max\n");
	assert_int_equal(cgroup_hugetlb_limit(&where, INT64_C(2) << 20), 0);
	assert_int_equal(cgroup_hugetlb_limit(&where, INT64_C(1) << 30), CGROUP_NO_LIMIT);
}

static void
nothing_to_read_is_no_limit(void **state)
{
	(void)state;
	assert_int_equal(cgroup_memory_limit(&where), CGROUP_NO_LIMIT);
	put("proc", "garbage\n::\n");
	assert_int_equal(cgroup_memory_limit(&where), CGROUP_NO_LIMIT);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lowest_limit_on_the_way_up_counts),
		TEST(names_of_the_host_fall_back_to_the_root_of_the_mount),
		TEST(version_1_and_its_way_of_saying_none),
		TEST(huge_pages_are_found_by_the_name_of_their_size),
		TEST(nothing_to_read_is_no_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
