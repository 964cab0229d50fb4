/*
 * prepare_place_test - a run that was killed at any step of making a cluster converges.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "service/prepare_init.h"

static char top[64];
static struct run_options opt;
static struct job job;
static struct prepare p;
static struct init in;

static const char *
path_of(const char *name, char out[FILE_PATH_MAX])
{
	struct err e;

	assert_int_equal(file_join(out, FILE_PATH_MAX, top, name, &e), 0);
	return out;
}

static bool
there(const char *name)
{
	char path[FILE_PATH_MAX];

	return file_exists(path_of(name, path));
}

static void
put(const char *name, const char *text)
{
	char path[FILE_PATH_MAX], parent[FILE_PATH_MAX];
	struct err e;

	path_of(name, path);
	assert_int_equal(file_parent(parent, sizeof(parent), path, &e), 0);
	assert_int_equal(file_make_dirs(parent, 0700, &e), 0);
	assert_int_equal(file_write(path, text, strlen(text), 0600, &e), 0);
}

static int
setup(void **state)
{
	(void)state;
	snprintf(top, sizeof(top), "/tmp/podgres-place-XXXXXX");
	assert_non_null(mkdtemp(top));
	memset(&opt, 0, sizeof(opt));
	memset(&p, 0, sizeof(p));
	memset(&in, 0, sizeof(in));
	snprintf(opt.pgdata, sizeof(opt.pgdata), "%s/data", top);
	job.opt = p.opt = &opt;
	p.j = &job;
	in.p = &p;
	return 0;
}

static int
teardown(void **state)
{
	struct err e;

	(void)state;
	return file_remove_tree(top, &e);
}

/* What initdb would have made, in little. */
static void
build(const char *data)
{
	static const char *const files[] = {
		"PG_VERSION", "global/pg_control", "base/1/x", "pg_xact/0000", "postgresql.conf"};
	char name[256];

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(name, sizeof(name), "%s/%s", data, files[i]);
		put(name, "x");
	}
}

static void
expect_whole(void)
{
	assert_true(there("data/PG_VERSION"));
	assert_true(there("data/global/pg_control"));
	assert_true(there("data/base/1/x"));
	assert_true(there("data/pg_xact/0000"));
	assert_true(there("data/postgresql.conf"));
	assert_false(there("data.podgres-init"));
	assert_false(there("data/.podgres/init"));
}

static void
begin(void)
{
	struct err e;

	assert_int_equal(place_find(&p, &in.place, &e), 0);
	assert_int_equal(place_make(&in, &e), 0);
}

static void
missing_or_empty_folder_is_replaced_from_beside_it(void **state)
{
	char path[FILE_PATH_MAX];
	struct err e;

	(void)state;
	for (int exists = 0; exists <= 1; exists++) {
		if (exists)
			assert_int_equal(mkdir(path_of("data", path), 0700), 0);
		begin();
		assert_false(in.place.inside);
		build("data.podgres-init/data");
		assert_false(there("data/PG_VERSION"));
		assert_int_equal(place_complete(&in, &e), 0);
		assert_int_equal(place_move(&in.place, &e), 0);
		expect_whole();
		assert_int_equal(file_remove_tree(opt.pgdata, &e), 0);
	}
}

static void
folder_that_holds_our_state_is_filled_from_inside(void **state)
{
	struct err e;

	(void)state;
	put("data/.podgres/manager.state", "kept");
	begin();
	assert_true(in.place.inside);
	build("data/.podgres/init/data");
	assert_int_equal(place_complete(&in, &e), 0);
	assert_int_equal(place_move(&in.place, &e), 0);
	expect_whole();
	assert_true(there("data/.podgres/manager.state"));
}

static void
half_made_cluster_is_thrown_away(void **state)
{
	struct err e;

	(void)state;
	begin();
	put("data.podgres-init/data/base/1/x", "x");
	assert_int_equal(prepare_init_resume(&p, &e), 0);
	assert_false(there("data.podgres-init"));
	assert_false(there("data"));
}

static void
complete_cluster_is_never_thrown_away_but_moved(void **state)
{
	struct err e;

	(void)state;
	begin();
	build("data.podgres-init/data");
	assert_int_equal(place_complete(&in, &e), 0);
	assert_int_equal(prepare_init_resume(&p, &e), 0);
	expect_whole();
}

static void
entries_already_moved_are_not_missed(void **state)
{
	static const char *const order[] = {
		"base", "postgresql.conf", "pg_xact", "global", "PG_VERSION"};
	struct err e;

	(void)state;
	for (size_t moved = 0; moved <= ARRAY_LEN(order); moved++) {
		put("data/.podgres/manager.state", "kept");
		begin();
		build("data/.podgres/init/data");
		assert_int_equal(place_complete(&in, &e), 0);
		for (size_t i = 0; i < moved; i++) {
			char from[FILE_PATH_MAX], to[FILE_PATH_MAX];

			assert_int_equal(
				file_join(from, sizeof(from), in.place.data, order[i], &e), 0);
			assert_int_equal(file_join(to, sizeof(to), opt.pgdata, order[i], &e), 0);
			assert_int_equal(rename(from, to), 0);
		}
		assert_int_equal(prepare_init_resume(&p, &e), 0);
		expect_whole();
		assert_int_equal(file_remove_tree(opt.pgdata, &e), 0);
	}
}

static void
wal_folder_is_filled_and_linked_and_others_files_stay(void **state)
{
	char wal[FILE_PATH_MAX], path[FILE_PATH_MAX], to[FILE_PATH_MAX] = "";
	struct err e;

	(void)state;
	snprintf(opt.waldir, sizeof(opt.waldir), "%.400s", path_of("wal", wal));
	begin();
	build("data.podgres-init/data");
	put("wal/.podgres/000000010000000000000001", "x");
	put("wal/.podgres/archive_status/x", "x");
	assert_int_equal(symlink("/elsewhere", path_of("data.podgres-init/data/pg_wal", path)), 0);
	assert_int_equal(place_complete(&in, &e), 0);
	/* killed after the first file went up */
	assert_int_equal(rename(path_of("wal/.podgres/000000010000000000000001", path),
				 path_of("wal/000000010000000000000001", to)),
		0);
	assert_int_equal(prepare_init_resume(&p, &e), 0);
	expect_whole();
	memset(to, 0, sizeof(to));
	assert_true(readlink(path_of("data/pg_wal", path), to, sizeof(to) - 1) > 0);
	assert_string_equal(to, wal);
	assert_true(there("wal/000000010000000000000001"));
	assert_true(there("wal/archive_status/x"));
	assert_false(there("wal/.podgres"));
}

static void
clearing_a_half_made_cluster_leaves_the_wal_of_others(void **state)
{
	char wal[FILE_PATH_MAX];
	struct err e = {0};

	(void)state;
	snprintf(opt.waldir, sizeof(opt.waldir), "%.400s", path_of("wal", wal));
	begin();
	put("wal/.podgres/000000010000000000000001", "x");
	put("wal/000000010000000000000009", "of another cluster that moved in since");
	assert_int_equal(prepare_init_resume(&p, &e), 0);
	assert_false(there("wal/.podgres"));
	assert_true(there("wal/000000010000000000000009"));
}

static void
wal_folder_in_use_is_refused(void **state)
{
	char wal[FILE_PATH_MAX];
	struct err e = {0};

	(void)state;
	snprintf(opt.waldir, sizeof(opt.waldir), "%.400s", path_of("wal", wal));
	put("wal/000000010000000000000009", "x");
	assert_int_equal(place_find(&p, &in.place, &e), 0);
	assert_int_equal(place_make(&in, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
}

static void
stranger_in_the_way_is_named_and_left(void **state)
{
	struct err e;

	(void)state;
	put("data.podgres-init/precious", "x");
	assert_int_equal(prepare_init_resume(&p, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_true(there("data.podgres-init/precious"));
}

static void
begun_and_not_yet_marked_is_nothing(void **state)
{
	char path[FILE_PATH_MAX];
	struct err e;

	(void)state;
	assert_int_equal(mkdir(path_of("data.podgres-init", path), 0700), 0);
	assert_int_equal(prepare_init_resume(&p, &e), 0);
	assert_false(there("data.podgres-init"));
	put("data.podgres-init/state.podgres-tmp", "buil");
	assert_int_equal(prepare_init_resume(&p, &e), 0);
	assert_false(there("data.podgres-init"));
}

static void
words_are_split_as_a_shell_does(void **state)
{
	AUTO(words_deinit) struct words w = {0};
	struct err e;

	(void)state;
	assert_int_equal(words_split(&w, "  -E UTF8 '--a=b c' \"d\\\"e\" f\\ g --x='' ", &e), 0);
	assert_int_equal(w.n, 6);
	assert_string_equal(w.item[2], "--a=b c");
	assert_string_equal(w.item[3], "d\"e");
	assert_string_equal(w.item[4], "f g");
	assert_string_equal(w.item[5], "--x=");
	assert_int_equal(words_split(&w, "'open", &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
}

static void
memory_is_read_as_postgres_writes_it(void **state)
{
	(void)state;
	assert_int_equal(prepare_memory_value("128MB", 8192), 128 << 20);
	assert_int_equal(prepare_memory_value("16384", 8192), 128 << 20);
	assert_int_equal(prepare_memory_value("1.5 GB", 8192), 1536 << 20);
	assert_int_equal(prepare_memory_value("lots", 8192), -1);
	assert_int_equal(prepare_memory_value("1 mb", 8192), -1);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(missing_or_empty_folder_is_replaced_from_beside_it),
		TEST(folder_that_holds_our_state_is_filled_from_inside),
		TEST(half_made_cluster_is_thrown_away),
		TEST(complete_cluster_is_never_thrown_away_but_moved),
		TEST(entries_already_moved_are_not_missed),
		TEST(wal_folder_is_filled_and_linked_and_others_files_stay),
		TEST(clearing_a_half_made_cluster_leaves_the_wal_of_others),
		TEST(wal_folder_in_use_is_refused),
		TEST(stranger_in_the_way_is_named_and_left),
		TEST(begun_and_not_yet_marked_is_nothing),
		TEST(words_are_split_as_a_shell_does),
		TEST(memory_is_read_as_postgres_writes_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
