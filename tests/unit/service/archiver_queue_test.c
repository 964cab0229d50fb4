#include "service/archiver_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "core/lineage.h"
#include "service/archiver_impl.h"

#define MB16 (16u << 20)

/* Segments below `ready` wait; how often it was asked. */
struct folder {
	uint64_t ready;
	uint32_t timeline;
	unsigned asked;
};

static bool
folder_ready(void *arg, const char *name)
{
	struct folder *f = arg;
	uint32_t timeline;
	uint64_t lsn;

	f->asked++;
	return lineage_name_parse(name, MB16, &timeline, &lsn) && timeline == f->timeline &&
	       lsn / MB16 < f->ready;
}

static struct queue q;
static struct folder folder;

static int
setup(void **state)
{
	(void)state;
	folder = (struct folder){.timeline = 1};
	queue_init(&q, folder_ready, &folder);
	queue_clear(&q, MB16);
	q.ahead = true;
	return 0;
}

static const char *
name_of(uint64_t number)
{
	static char name[LINEAGE_NAME_SIZE];

	return lineage_name(1, number * MB16, MB16, name);
}

static struct queue_item *
run_next(void)
{
	struct queue_item *it = queue_next(&q, 1);

	if (it)
		queue_set(it, QUEUE_RUNNING, 1);
	return it;
}

static void
what_postgres_asks_for_goes_first_and_the_next_ones_are_found_by_name(void **state)
{
	struct queue_item *it;

	(void)state;
	folder.ready = 8;
	assert_non_null(queue_ask(&q, name_of(5), 1));
	it = run_next();
	assert_string_equal(it->name, name_of(5));
	assert_true(it->asked);
	it = run_next();
	assert_string_equal(it->name, name_of(6));
	assert_false(it->asked);
	assert_string_equal(run_next()->name, name_of(7));
	assert_null(run_next());
	assert_int_equal(folder.asked, 3); /* 6, 7 and the 8 that does not wait */
}

static void
a_question_for_what_runs_joins_it(void **state)
{
	struct queue_item *a, *b;

	(void)state;
	folder.ready = 8;
	queue_ask(&q, name_of(5), 1);
	run_next();
	a = run_next(); /* 6, ahead */
	b = queue_ask(&q, name_of(6), 2);
	assert_ptr_equal(a, b);
	assert_int_equal(b->state, QUEUE_RUNNING);
	assert_true(b->asked);
	assert_int_equal(queue_count(&q, QUEUE_RUNNING), 2);
}

static void
what_was_sent_ahead_is_remembered_until_it_is_asked_for(void **state)
{
	struct queue_item *it;

	(void)state;
	folder.ready = 7;
	queue_ask(&q, name_of(5), 1);
	queue_set(run_next(), QUEUE_STORED, 1);
	it = run_next();
	queue_set(it, QUEUE_STORED, 1);
	queue_forget(queue_find(&q, name_of(5)));
	it = queue_ask(&q, name_of(6), 2);
	assert_int_equal(it->state, QUEUE_STORED);
	queue_forget(it);
	assert_null(run_next());
}

static void
history_comes_before_segments(void **state)
{
	(void)state;
	queue_found(&q, "000000010000000000000005.00000028.backup", 1);
	queue_found(&q, "00000002.history", 1);
	assert_string_equal(run_next()->name, "00000002.history");
	assert_string_equal(run_next()->name, "000000010000000000000005.00000028.backup");
}

static void
looking_ahead_ends_at_its_limit(void **state)
{
	int n = 0;

	(void)state;
	folder.ready = 1000;
	queue_ask(&q, name_of(0x10), 1);
	for (struct queue_item *it; (it = run_next()); n++)
		queue_set(it, QUEUE_STORED, n);
	assert_int_equal(n, QUEUE_AHEAD);
	queue_forget(queue_find(&q, name_of(0x10)));
	assert_non_null(run_next());
}

static void
two_hundred_thousand_waiting_cost_one_look_each(void **state)
{
	(void)state;
	folder.ready = 200000 + 1;
	queue_ask(&q, name_of(1), 1);
	for (uint64_t i = 1; i <= 200000; i++) {
		struct queue_item *it = queue_ask(&q, name_of(i), (int64_t)i);

		if (it->state == QUEUE_WAITING)
			queue_set(it, QUEUE_STORED, 1);
		queue_forget(it);
		it = run_next();
		if (it)
			queue_set(it, QUEUE_STORED, 1);
	}
	assert_in_range(folder.asked, 199000, 200010);
}

static void
everything_before_the_oldest_that_is_missing_is_archived(void **state)
{
	struct queue_item *five, *six;

	(void)state;
	folder.ready = 7;
	assert_int_equal(queue_archived_lsn(&q), 0);
	queue_ask(&q, name_of(5), 1);
	five = run_next();
	six = run_next();
	queue_set(six, QUEUE_STORED, 1);
	assert_int_equal(queue_archived_lsn(&q), 5ull * MB16);
	queue_set(five, QUEUE_STORED, 1);
	assert_int_equal(queue_archived_lsn(&q), 7ull * MB16);
	queue_forget(five);
	queue_forget(six);
	assert_int_equal(queue_archived_lsn(&q), 7ull * MB16);
}

static void
a_new_timeline_moves_the_cursor(void **state)
{
	struct queue_item *it;

	(void)state;
	queue_ask(&q, name_of(5), 1);
	queue_set(run_next(), QUEUE_STORED, 1);
	it = queue_ask(&q, "000000020000000000000006", 2);
	assert_int_equal(it->number, 6);
	assert_int_equal(q.timeline, 2);
	assert_int_equal(q.cursor, 7);
}

static void
a_look_at_the_folder_finds_the_oldest_of_the_newest_timeline(void **state)
{
	(void)state;
	folder.timeline = 2;
	folder.ready = 0x20;
	queue_found(&q, "000000010000000000000009", 1);
	queue_found(&q, "000000020000000000000012", 1);
	queue_found(&q, "000000020000000000000010", 1);
	queue_found(&q, "000000020000000000000011", 1);
	assert_string_equal(run_next()->name, "000000020000000000000010");
}

static void
what_is_no_file_of_wal_is_refused(void **state)
{
	static const char *const names[] = {"", "x", "../../etc/passwd", "00000001000000000000000",
		"0000000100000000000000a1", "archive_status", "000000010000000000000001.ready"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_null(queue_ask(&q, names[i], 1));
}

static void
a_full_queue_gives_up_what_nobody_asked_for_and_never_what_runs(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < QUEUE_ITEMS; i++) {
		struct queue_item *it = queue_ask(&q, name_of(i), (int64_t)i);

		assert_non_null(it);
		it->asked = i >= 2;
		queue_set(it, i < 2 ? QUEUE_STORED : QUEUE_RUNNING, (int64_t)i);
	}
	assert_non_null(queue_ask(&q, name_of(1000), 500));
	assert_null(queue_find(&q, name_of(0)));
	assert_non_null(queue_ask(&q, name_of(1001), 500));
	assert_null(queue_ask(&q, name_of(1002), 500));
	assert_int_equal(queue_count(&q, QUEUE_RUNNING), QUEUE_ITEMS - 2);
}

/* ---- exposure ---- */

static void
exposure_is_the_time_of_the_oldest_missing_byte(void **state)
{
	struct exposure x = {.n = 0};

	(void)state;
	assert_int_equal(exposure_since(&x, 0), 0);
	for (int i = 1; i <= 10; i++)
		exposure_add(&x, (uint64_t)i * 100, i * SEC_US);
	exposure_add(&x, 1000, 99 * SEC_US); /* nothing new was written */
	assert_int_equal(exposure_since(&x, 0), 1 * SEC_US);
	assert_int_equal(exposure_since(&x, 450), 5 * SEC_US);
	assert_int_equal(exposure_since(&x, 500), 6 * SEC_US);
	assert_int_equal(exposure_since(&x, 1000), 0);
	free(x.sample);
}

static void
a_long_outage_thins_the_memory_out_and_keeps_its_beginning(void **state)
{
	struct exposure x = {.n = 0};
	int64_t at;

	(void)state;
	for (int i = 1; i <= 100000; i++)
		exposure_add(&x, (uint64_t)i * 10, i * SEC_US);
	assert_true(x.n <= ARCHIVER_SAMPLES);
	assert_int_equal(exposure_since(&x, 5), 1 * SEC_US);
	at = exposure_since(&x, 500000);
	assert_in_range(at / SEC_US, 50001, 50100);
	free(x.sample);
}

static void
a_position_that_goes_back_begins_anew(void **state)
{
	struct exposure x = {.n = 0};

	(void)state;
	exposure_add(&x, 1000, 1);
	exposure_add(&x, 10, 2);
	assert_int_equal(x.n, 1);
	assert_int_equal(exposure_since(&x, 5), 2);
	free(x.sample);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
			what_postgres_asks_for_goes_first_and_the_next_ones_are_found_by_name,
			setup),
		cmocka_unit_test_setup(a_question_for_what_runs_joins_it, setup),
		cmocka_unit_test_setup(
			what_was_sent_ahead_is_remembered_until_it_is_asked_for, setup),
		cmocka_unit_test_setup(history_comes_before_segments, setup),
		cmocka_unit_test_setup(looking_ahead_ends_at_its_limit, setup),
		cmocka_unit_test_setup(two_hundred_thousand_waiting_cost_one_look_each, setup),
		cmocka_unit_test_setup(
			everything_before_the_oldest_that_is_missing_is_archived, setup),
		cmocka_unit_test_setup(a_new_timeline_moves_the_cursor, setup),
		cmocka_unit_test_setup(
			a_look_at_the_folder_finds_the_oldest_of_the_newest_timeline, setup),
		cmocka_unit_test_setup(what_is_no_file_of_wal_is_refused, setup),
		cmocka_unit_test_setup(
			a_full_queue_gives_up_what_nobody_asked_for_and_never_what_runs, setup),
		cmocka_unit_test(exposure_is_the_time_of_the_oldest_missing_byte),
		cmocka_unit_test(a_long_outage_thins_the_memory_out_and_keeps_its_beginning),
		cmocka_unit_test(a_position_that_goes_back_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
