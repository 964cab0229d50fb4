#include "ring_world.h"

#include "sys/file.h"

/* ---- one thing each ---- */

static void
what_follows_is_fetched_before_it_is_asked_for(void **state)
{
	static struct world w;
	struct ring_verdict v;
	struct ring_stats stats;

	(void)state;
	world_make(&w, 4, 1);
	for (uint64_t s = 1; s <= 20; s++)
		put(&w, 0, name_of(1, s), HAS);
	assert_int_equal(get(&w, name_of(1, 1), &v), RING_SERVED);
	assert_false(v.hit);
	work(&w);
	for (uint64_t s = 2; s <= 20; s++) {
		assert_int_equal(
			ring_ask(w.ring, 9, name_of(1, s), DIR "/RECOVERYXLOG", &v), RING_SERVED);
		assert_true(v.hit);
		assert_string_equal(served(&w)->name, name_of(1, s));
		work(&w);
	}
	ring_stats(w.ring, &stats);
	assert_int_equal(stats.hits, 19);
	assert_int_equal(w.fetches, 21); /* and one that is not there */
	assert_int_equal(get(&w, name_of(1, 21), NULL), RING_ABSENT);
	assert_true(w.held_max <= 8);
	ring_gone(&w);
	for (int i = 0; i < FILES; i++)
		assert_null(strstr(w.file[i].path, RING_DIR));
}

static void
the_depth_grows_when_postgres_waits(void **state)
{
	static struct world w;
	struct ring_stats stats;
	struct ring_verdict v;

	(void)state;
	world_make(&w, 4, 1);
	for (uint64_t s = 1; s <= 40; s++)
		put(&w, 0, name_of(1, s), HAS);
	get(&w, name_of(1, 1), NULL);
	ring_stats(w.ring, &stats);
	assert_int_equal(stats.depth, 4);
	start_all(&w);
	assert_int_equal(ring_ask(w.ring, 3, name_of(1, 2), DIR "/RECOVERYXLOG", &v), RING_WAIT);
	work(&w);
	ring_stats(w.ring, &stats);
	assert_int_equal(stats.depth, 8);
	assert_int_equal(stats.late, 1);
	ring_gone(&w);
}

static void
absence_is_remembered_for_two_seconds(void **state)
{
	static struct world w;

	(void)state;
	world_make(&w, 1, 2);
	assert_int_equal(get(&w, name_of(1, 5), NULL), RING_ABSENT);
	assert_int_equal(get(&w, "00000002.history", NULL), RING_ABSENT);
	assert_int_equal(w.fetches, 4); /* two names, two sources */
	put(&w, 0, name_of(1, 5), HAS);
	wait_s(&w, 1);
	assert_int_equal(get(&w, name_of(1, 5), NULL), RING_ABSENT);
	assert_int_equal(w.fetches, 4);
	wait_s(&w, 1.1);
	assert_int_equal(get(&w, name_of(1, 5), NULL), RING_SERVED);
	put(&w, 0, "00000002.history", HAS);
	assert_int_equal(get(&w, "00000003.history", NULL), RING_ABSENT);
	put(&w, 0, "00000003.history", HAS);
	ring_stored(w.ring, "00000003.history"); /* by this archiver itself */
	assert_int_equal(get(&w, "00000003.history", NULL), RING_SERVED);
	ring_gone(&w);
}

static void
a_store_out_of_reach_is_not_an_absent_file(void **state)
{
	static struct world w;
	struct ring_verdict v;
	int64_t began;

	(void)state;
	world_make(&w, 1, 2);
	put(&w, 1, name_of(1, 5), DOWN); /* the first says no, the second nothing */
	began = w.now_ns;
	assert_int_equal(get(&w, name_of(1, 5), &v), RING_FAILED);
	assert_non_null(strstr(v.msg, "503"));
	assert_true(w.now_ns - began >= 60 * SEC_MS * MS_NS);
	assert_true(w.now_ns - began < 80 * SEC_MS * MS_NS);
	ring_gone(&w);
}

static void
the_second_source_serves_when_the_first_is_down(void **state)
{
	static struct world w;

	(void)state;
	world_make(&w, 1, 2);
	put(&w, 0, name_of(1, 5), DOWN);
	put(&w, 1, name_of(1, 5), HAS);
	assert_int_equal(get(&w, name_of(1, 5), NULL), RING_SERVED);
	ring_gone(&w);
}

static void
a_damaged_object_fails_soon_and_is_never_served(void **state)
{
	static struct world w;
	struct ring_verdict v;
	int64_t began;

	(void)state;
	world_make(&w, 1, 1);
	put(&w, 0, name_of(1, 5), BAD);
	began = w.now_ns;
	assert_int_equal(get(&w, name_of(1, 5), &v), RING_FAILED);
	assert_non_null(strstr(v.msg, "3 bytes"));
	assert_true(w.now_ns - began < 20 * SEC_MS * MS_NS);
	assert_null(file_at(&w, DIR "/RECOVERYXLOG"));
	ring_gone(&w);
}

static void
nothing_is_served_beyond_the_switch(void **state)
{
	static struct world w;
	struct ring_verdict v;

	(void)state;
	world_make(&w, 2, 1);
	snprintf(w.history[2].text, 512, "1\t0/540000\tno recovery target\n"); /* in segment 5 */
	put(&w, 0, "00000002.history", HAS);
	for (uint64_t s = 1; s < 9; s++)
		put(&w, 0, name_of(1, s), HAS);
	assert_int_equal(get(&w, "00000002.history", NULL), RING_SERVED);
	assert_int_equal(get(&w, name_of(1, 4), NULL), RING_SERVED);
	assert_int_equal(served(&w)->cut, 0);
	assert_int_equal(get(&w, name_of(1, 5), NULL), RING_SERVED);
	assert_int_equal(served(&w)->cut, 0x40000);
	assert_int_equal(get(&w, name_of(1, 6), &v), RING_ABSENT);
	put(&w, 0, name_of(2, 6), HAS);
	wait_s(&w, 3);
	assert_int_equal(get(&w, name_of(2, 6), NULL), RING_SERVED);
	assert_string_equal(served(&w)->name, name_of(2, 6));
	ring_gone(&w);
}

static void
what_was_fetched_before_the_history_came_is_not_served_either(void **state)
{
	static struct world w;

	(void)state;
	world_make(&w, 4, 1);
	snprintf(w.history[2].text, 512, "1\t0/500000\tno recovery target\n");
	for (uint64_t s = 1; s < 9; s++)
		put(&w, 0, name_of(1, s), HAS);
	assert_int_equal(get(&w, name_of(1, 4), NULL), RING_SERVED);
	work(&w); /* 5 ... 8 lie ready */
	put(&w, 0, "00000002.history", HAS);
	assert_int_equal(get(&w, "00000002.history", NULL), RING_SERVED);
	assert_int_equal(get(&w, name_of(1, 5), NULL), RING_ABSENT);
	ring_gone(&w);
}

static void
a_history_that_postgres_refuses_changes_nothing(void **state)
{
	static struct world w;

	(void)state;
	world_make(&w, 1, 1);
	snprintf(w.history[2].text, 512, "1\t0/500000\tx\n");
	snprintf(w.history[3].text, 512, "1\t0/300000\tx\n");                 /* no child of 2 */
	snprintf(w.history[4].text, 512, "1\t0/500000\tx\n2\t0/700000\tx\n"); /* too late */
	for (uint64_t s = 1; s < 30; s++) {
		put(&w, 0, name_of(1, s), HAS);
		put(&w, 0, name_of(2, s), HAS);
	}
	for (int t = 2; t <= 4; t++) {
		char name[64];

		snprintf(name, sizeof(name), "%08X.history", (unsigned)t);
		put(&w, 0, name, HAS);
	}
	get(&w, "00000002.history", NULL);
	get(&w, "00000003.history", NULL);
	assert_int_equal(get(&w, name_of(1, 4), NULL), RING_SERVED);
	for (uint64_t s = 5; s < 20; s++)
		assert_int_equal(get(&w, name_of(2, s), NULL), RING_SERVED);
	get(&w, "00000004.history", NULL);
	assert_int_equal(get(&w, name_of(2, 20), NULL), RING_SERVED);
	ring_gone(&w);
}

static void
a_new_archiver_learns_the_timeline_from_pg_wal(void **state)
{
	static struct world w;
	struct file *f;

	(void)state;
	world_make(&w, 1, 1);
	f = file_of(&w, "");
	snprintf(f->path, sizeof(f->path), "%s", DIR "/00000002.history");
	snprintf(f->name, sizeof(f->name), "00000002.history");
	snprintf(w.history[2].text, 512, "1\t0/500000\tx\n");
	put(&w, 0, name_of(1, 6), HAS);
	assert_int_equal(get(&w, name_of(2, 6), NULL), RING_ABSENT);
	assert_int_equal(get(&w, name_of(1, 6), NULL), RING_ABSENT);
	assert_int_equal(w.fetches, 1);
	ring_gone(&w);
}

static void
a_client_that_went_away_gets_no_verdict(void **state)
{
	static struct world w;
	struct ring_verdict v;

	(void)state;
	world_make(&w, 1, 1);
	put(&w, 0, name_of(1, 6), HAS);
	assert_int_equal(ring_ask(w.ring, 5, name_of(1, 6), DIR "/RECOVERYXLOG", &v), RING_WAIT);
	start_all(&w);
	ring_forget(w.ring, 5);
	work(&w);
	assert_false(ring_verdict(w.ring, &v));
	assert_int_equal(ring_ask(w.ring, 6, name_of(1, 6), DIR "/RECOVERYXLOG", &v), RING_SERVED);
	ring_gone(&w);
}

static void
two_clients_may_want_the_same_file(void **state)
{
	static struct world w;
	struct ring_verdict v;
	unsigned seen = 0;

	(void)state;
	world_make(&w, 1, 1);
	put(&w, 0, name_of(1, 6), HAS);
	assert_int_equal(ring_ask(w.ring, 1, name_of(1, 6), DIR "/a", &v), RING_WAIT);
	assert_int_equal(ring_ask(w.ring, 2, name_of(1, 6), DIR "/b", &v), RING_WAIT);
	work(&w);
	while (ring_verdict(w.ring, &v)) {
		assert_int_equal(v.state, RING_SERVED);
		seen |= (unsigned)v.who;
	}
	assert_int_equal(seen, 3);
	assert_non_null(file_at(&w, DIR "/a"));
	assert_non_null(file_at(&w, DIR "/b"));
	ring_gone(&w);
}

static void
those_who_wait_outlive_a_reset(void **state)
{
	static struct world w;
	struct ring_spec spec = {
		.parallel = 1, .source = {0}, .sources = 1, .ops = &ops, .arg = &w};
	struct ring_verdict v;

	(void)state;
	world_make(&w, 1, 1);
	put(&w, 1, name_of(1, 6), HAS);
	assert_int_equal(ring_ask(w.ring, 1, name_of(1, 6), DIR "/a", &v), RING_WAIT);
	start_all(&w);
	ring_reset(w.ring, &spec);
	work(&w);
	assert_true(ring_verdict(w.ring, &v));
	assert_int_equal(v.state, RING_SERVED);
	spec.sources = 0;
	assert_int_equal(ring_ask(w.ring, 1, name_of(1, 9), DIR "/a", &v), RING_WAIT);
	ring_reset(w.ring, &spec);
	assert_true(ring_verdict(w.ring, &v));
	assert_int_equal(v.state, RING_ABSENT);
	ring_gone(&w);
}

static void
big_segments_are_few(void **state)
{
	static struct world w;
	struct ring_spec spec = {.parallel = 8,
		.source = {-1},
		.sources = 1,
		.segment_bytes = (uint32_t)512 << 20,
		.ops = &ops,
		.arg = &w};
	struct ring_stats stats;

	(void)state;
	world_make(&w, 8, 1);
	ring_reset(w.ring, &spec);
	for (int s = 1; s < 8; s++) {
		char name[64];

		snprintf(name, sizeof(name), "0000000100000000%08X", (unsigned)s);
		put(&w, 0, name, HAS);
	}
	assert_int_equal(get(&w, "000000010000000000000001", NULL), RING_SERVED);
	work(&w);
	ring_stats(w.ring, &stats);
	assert_int_equal(stats.held, 2);
	ring_gone(&w);
}

/* ---- sources ---- */

static void
a_recovery_reads_its_source_alone(void **state)
{
	char none[] = "", old[] = "old", main_[] = "main";
	struct spec_external external[2] = {
		{.name = old, .store.set = true}, {.name = main_, .store.set = true}};
	struct spec spec = {.bootstrap = SPEC_BOOT_RECOVERY,
		.recovery = {.set = true, .source = main_},
		.replica_source = none,
		.external = external,
		.externals = 2,
		.backup.store.set = true};
	int out[RING_SOURCES];

	(void)state;
	assert_int_equal(ring_sources(&spec, false, out), 1);
	assert_int_equal(out[0], 1);
	assert_int_equal(ring_sources(&spec, true, out), 1);
	assert_int_equal(out[0], -1);
	spec.replica_enabled = true;
	spec.replica_source = old;
	assert_int_equal(ring_sources(&spec, true, out), 2);
	assert_int_equal(out[0], -1);
	assert_int_equal(out[1], 0);
	spec.recovery.source = none; /* from a backup of its own */
	assert_int_equal(ring_sources(&spec, false, out), 1);
	assert_int_equal(out[0], -1);
}

/* The folder may be the one that holds podgres' own state, when somebody restores into PGDATA. */
static void
only_what_was_fetched_is_cleared_away(void **state)
{
	static const struct {
		const char *name;
		bool stays;
	} files[] = {{"manager.state", true}, {"lock", true}, {"archive.gaps", true},
		{"000000010000000000000003", true}, {"000000010000000000000003.1f", false},
		{"000000010000000000000003.1f.podgres-tmp", false},
		{"000000010000000000000003.partial.2", false}, {"00000002.history.a", false},
		{"00000002.history", true}};
	char dir[] = "/tmp/podgres-ring-XXXXXX", path[96];
	struct err e = {0};

	(void)state;
	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i].name);
		assert_int_equal(file_write(path, "x", 1, 0600, &e), 0);
	}
	assert_int_equal(ring_files.folder(NULL, dir, true, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i].name);
		if (file_exists(path) != files[i].stays)
			fail_msg("%s", files[i].name);
	}
	assert_int_equal(file_remove_tree(dir, &e), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_follows_is_fetched_before_it_is_asked_for),
		cmocka_unit_test(the_depth_grows_when_postgres_waits),
		cmocka_unit_test(absence_is_remembered_for_two_seconds),
		cmocka_unit_test(a_store_out_of_reach_is_not_an_absent_file),
		cmocka_unit_test(the_second_source_serves_when_the_first_is_down),
		cmocka_unit_test(a_damaged_object_fails_soon_and_is_never_served),
		cmocka_unit_test(nothing_is_served_beyond_the_switch),
		cmocka_unit_test(what_was_fetched_before_the_history_came_is_not_served_either),
		cmocka_unit_test(a_history_that_postgres_refuses_changes_nothing),
		cmocka_unit_test(a_new_archiver_learns_the_timeline_from_pg_wal),
		cmocka_unit_test(a_client_that_went_away_gets_no_verdict),
		cmocka_unit_test(two_clients_may_want_the_same_file),
		cmocka_unit_test(those_who_wait_outlive_a_reset),
		cmocka_unit_test(big_segments_are_few),
		cmocka_unit_test(a_recovery_reads_its_source_alone),
		cmocka_unit_test(only_what_was_fetched_is_cleared_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
