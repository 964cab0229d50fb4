#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "pg/wal_dir.h"

#define SEGMENT (UINT32_C(1) << 20)

struct folder {
	char dir[64];
};

static void
put(const struct folder *f, const char *name, const void *data, size_t len)
{
	char path[160];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	out = fopen(path, "we");
	assert_non_null(out);
	assert_int_equal(fwrite(data, 1, len, out), len);
	assert_int_equal(fclose(out), 0);
}

/* The beginning of a page as PostgreSQL writes it: magic, info, timeline, address. */
static void
segment(const struct folder *f, uint64_t lsn, uint64_t says)
{
	unsigned char page[64] = {0x13, 0xD1, 0, 0, 1};
	char name[LINEAGE_NAME_SIZE];

	memcpy(page + 8, &says, sizeof(says));
	put(f, lineage_name(1, lsn, SEGMENT, name), page, sizeof(page));
}

static int
setup(void **state)
{
	static struct folder f;
	char path[128];

	snprintf(f.dir, sizeof(f.dir), "/tmp/podgres-unit-XXXXXX");
	assert_non_null(mkdtemp(f.dir));
	snprintf(path, sizeof(path), "%s/archive_status", f.dir);
	assert_int_equal(mkdir(path, 0700), 0);
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	const struct folder *f = *state;
	pid_t pid = fork();

	if (pid == 0) {
		execlp("rm", "rm", "-rf", f->dir, (char *)NULL);
		_exit(127);
	}
	return waitpid(pid, NULL, 0) == pid ? 0 : -1;
}

static void
only_ready_files_are_counted_as_ready(void **state)
{
	const struct folder *f = *state;
	struct wal_dir w;
	struct err e;

	put(f, "archive_status/000000010000000000000001.ready", "", 0);
	put(f, "archive_status/000000010000000000000002.done", "", 0);
	put(f, "archive_status/00000002.history.ready", "", 0);
	put(f, "archive_status/.ready", "", 0);
	assert_int_equal(wal_dir_look(f->dir, &w, &e), 0);
	assert_int_equal(w.ready, 2);
	assert_int_equal(wal_dir_look("/nonexistent", &w, &e), -1);
	assert_int_equal(w.ready, -1);
}

static void
the_end_is_the_last_segment_that_was_begun(void **state)
{
	const struct folder *f = *state;
	struct wal_dir w;
	struct err e;

	segment(f, 3 * SEGMENT, 3 * SEGMENT);
	segment(f, 4 * SEGMENT, 4 * SEGMENT);
	segment(f, 5 * SEGMENT, 1 * SEGMENT); /* recycled */
	segment(f, 6 * SEGMENT, 6 * SEGMENT);
	assert_true(wal_dir_end(f->dir, 1, 3 * SEGMENT, SEGMENT) == 4 * SEGMENT);
	assert_true(wal_dir_end(f->dir, 1, 5 * SEGMENT, SEGMENT) == 0);
	assert_true(wal_dir_end(f->dir, 1, 9 * SEGMENT, SEGMENT) == 0);
	assert_int_equal(wal_dir_look(f->dir, &w, &e), 0);
	assert_int_equal(w.files, 4);
	assert_true(w.bytes > 0);
}

static void
the_first_timeline_has_no_history_and_another_must(void **state)
{
	const struct folder *f = *state;
	struct lineage_entry entry[4];
	struct lineage_history h = {.entry = entry, .max = 4};
	struct err e;

	assert_int_equal(wal_dir_history(f->dir, 1, &h, &e), 0);
	assert_int_equal(h.n, 0);
	assert_int_equal(wal_dir_history(f->dir, 2, &h, &e), -1);
	put(f, "00000002.history", "1\t0/3000148\twhy\n", 16);
	assert_int_equal(wal_dir_history(f->dir, 2, &h, &e), 0);
	assert_int_equal(h.n, 1);
	assert_string_equal(entry[0].reason, "why");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_ready_files_are_counted_as_ready),
		cmocka_unit_test(the_end_is_the_last_segment_that_was_begun),
		cmocka_unit_test(the_first_timeline_has_no_history_and_another_must),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
