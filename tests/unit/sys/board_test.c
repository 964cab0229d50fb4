#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "sys/board.h"

struct big {
	uint64_t word[512]; /* all the same value, so that a torn copy shows */
};

static const size_t sizes[] = {sizeof(uint64_t), sizeof(struct big)};

static struct board *
board(void)
{
	struct board *b = NULL;
	struct err e;

	assert_int_equal(board_create(&b, sizes, ARRAY_LEN(sizes), &e), 0);
	return b;
}

static void
a_section_never_written_reads_as_zero_without_a_stamp(void **state)
{
	AUTO(board_free) struct board *b = board();
	uint64_t v = 7;

	(void)state;
	assert_int_equal(board_read(b, 0, &v, sizeof(v)), 0);
	assert_int_equal(v, 0);
	assert_int_equal(board_seq(b, 0), 0);
}

static void
what_was_written_is_read_with_its_time(void **state)
{
	AUTO(board_free) struct board *b = board();
	uint64_t v = 42, got = 0;
	int64_t before = clock_boot_ns();

	(void)state;
	board_write(b, 0, &v, sizeof(v));
	assert_true(board_read(b, 0, &got, sizeof(got)) >= before);
	assert_int_equal(got, 42);
}

static void
another_process_reads_through_the_descriptor(void **state)
{
	AUTO(board_free) struct board *b = board(), *again = NULL;
	uint64_t v = 3, got = 0;
	struct err e;
	int fd = dup(board_fd(b));

	(void)state;
	board_write(b, 0, &v, sizeof(v));
	assert_int_equal(board_attach(&again, fd, sizes, ARRAY_LEN(sizes), &e), 0);
	board_read(again, 0, &got, sizeof(got));
	assert_int_equal(got, 3);
}

static void
a_board_of_another_layout_is_refused(void **state)
{
	static const size_t other[] = {8, 16, 32};
	AUTO(board_free) struct board *b = board(), *again = NULL;
	struct err e;

	(void)state;
	assert_int_equal(board_attach(&again, board_fd(b), other, ARRAY_LEN(other), &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
}

static void
write_big(struct board *b, uint64_t v)
{
	struct big big;

	for (size_t i = 0; i < ARRAY_LEN(big.word); i++)
		big.word[i] = v;
	board_write(b, 1, &big, sizeof(big));
}

/* The writer is killed at random moments: readers must find whole copies, and the last ones. */
static void
a_writer_killed_halfway_leaves_the_last_whole_copy(void **state)
{
	AUTO(board_free) struct board *b = board();

	(void)state;
	write_big(b, 1);
	for (int round = 0; round < 50; round++) {
		pid_t pid = fork();
		int64_t until;

		if (pid == 0)
			for (uint64_t v = 2;; v++)
				write_big(b, v);
		until = clock_boot_ns() + 2 * MS_NS;
		while (clock_boot_ns() < until) {
			struct big big;

			if (board_read(b, 1, &big, sizeof(big)) == 0)
				continue; /* a reader out of tries says so */
			for (size_t i = 1; i < ARRAY_LEN(big.word); i++)
				assert_int_equal(big.word[i], big.word[0]);
		}
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	write_big(b, 99);
	{
		struct big big;

		assert_true(board_read(b, 1, &big, sizeof(big)) > 0);
		assert_int_equal(big.word[0], 99);
		assert_int_equal(big.word[511], 99);
	}
}

static void
a_passed_deadline_is_sticky(void **state)
{
	AUTO(board_free) struct board *b = board();
	int64_t past = clock_boot_ns() - 1;

	(void)state;
	assert_int_equal(board_deadline_move(b, clock_boot_ns() + 1000 * MS_NS), 0);
	assert_int_equal(board_deadline_move(b, past), 0);
	assert_int_equal(board_deadline_move(b, clock_boot_ns() + 1000 * MS_NS), -1);
	board_deadline_disarm(b);
	assert_int_equal(board_deadline_move(b, clock_boot_ns() + 1000 * MS_NS), 0);
}

static void
a_deadline_is_not_moved_once_the_fencer_has_fired(void **state)
{
	AUTO(board_free) struct board *b = board();

	(void)state;
	assert_int_equal(board_deadline_move(b, clock_boot_ns() + 1000 * MS_NS), 0);
	board_fired_set(b, clock_boot_ns());
	assert_int_equal(board_deadline_move(b, clock_boot_ns() + 2000 * MS_NS), -1);
	board_deadline_disarm(b);
	board_fired_set(b, 0);
	assert_int_equal(board_deadline_move(b, clock_boot_ns() + 2000 * MS_NS), 0);
}

static void
beats_keep_their_slots(void **state)
{
	AUTO(board_free) struct board *b = board();

	(void)state;
	board_beat(b, 2);
	assert_int_equal(board_beat_ns(b, 1), 0);
	assert_true(board_beat_ns(b, 2) > 0);
}

static void
a_part_is_read_of_the_publication_that_was_meant(void **state)
{
	const size_t small[] = {64};
	AUTO(board_free) struct board *b = NULL;
	char got[8] = "";
	const struct board_part part = {got, 2, 4};
	const struct board_piece pieces[] = {{"abc", 3}, {"defgh", 5}};
	struct err e;
	uint32_t seq;

	(void)state;
	assert_int_equal(board_create(&b, small, 1, &e), 0);
	assert_false(board_read_at(b, 0, 0, &part));
	board_write_pieces(b, 0, pieces, 2);
	seq = board_seq(b, 0);
	assert_true(board_read_at(b, 0, seq, &part));
	assert_string_equal(got, "cdef");
	assert_false(board_read_at(b, 0, seq, &(struct board_part){got, 62, 4}));
	board_write_pieces(b, 0, pieces, 2);
	assert_false(board_read_at(b, 0, seq, &part));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_section_never_written_reads_as_zero_without_a_stamp),
		cmocka_unit_test(what_was_written_is_read_with_its_time),
		cmocka_unit_test(another_process_reads_through_the_descriptor),
		cmocka_unit_test(a_board_of_another_layout_is_refused),
		cmocka_unit_test(a_writer_killed_halfway_leaves_the_last_whole_copy),
		cmocka_unit_test(a_passed_deadline_is_sticky),
		cmocka_unit_test(a_deadline_is_not_moved_once_the_fencer_has_fired),
		cmocka_unit_test(beats_keep_their_slots),
		cmocka_unit_test(a_part_is_read_of_the_publication_that_was_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
