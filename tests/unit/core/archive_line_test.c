#include "core/archive_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define MB16 (16u << 20)

/* Timeline 1 was left in the middle of segment 5, timeline 2 at the boundary before 8. */
static struct lineage_entry entries[] = {{.timeline = 1, .lsn = 5 * (uint64_t)MB16 + 100},
	{.timeline = 2, .lsn = 8 * (uint64_t)MB16}};
static struct lineage_history history = {.entry = entries, .max = 8, .n = 2};

static enum archive_line
judge(const char *name, const struct lineage_history *h)
{
	const struct archive_line_facts facts = {.timeline = 3,
		.switch_lsn = 8 * (uint64_t)MB16,
		.segment_bytes = MB16,
		.history = h};
	struct archive_name parsed;

	assert_int_not_equal(archive_name_parse(name, &parsed), ARCHIVE_OTHER);
	return archive_line_judge(&parsed, &facts);
}

static void
segments_that_end_before_their_timeline_was_left_are_on_the_line(void **state)
{
	(void)state;
	assert_int_equal(judge("000000010000000000000004", &history), ARCHIVE_LINE_ON);
	assert_int_equal(judge("000000010000000000000005", &history), ARCHIVE_LINE_OFF);
	assert_int_equal(judge("000000010000000000000006", &history), ARCHIVE_LINE_OFF);
	assert_int_equal(judge("000000020000000000000007", &history), ARCHIVE_LINE_ON);
	assert_int_equal(judge("000000020000000000000008", &history), ARCHIVE_LINE_OFF);
	assert_int_equal(judge("000000030000000000000099", &history), ARCHIVE_LINE_ON);
}

static void
what_nobody_has_published_is_ahead(void **state)
{
	(void)state;
	assert_int_equal(judge("00000004.history", &history), ARCHIVE_LINE_AHEAD);
	assert_int_equal(judge("000000040000000000000001", &history), ARCHIVE_LINE_AHEAD);
}

static void
parts_and_labels_are_on_the_line_when_they_begin_there(void **state)
{
	(void)state;
	assert_int_equal(judge("000000010000000000000005.partial", &history), ARCHIVE_LINE_ON);
	assert_int_equal(judge("000000010000000000000006.partial", &history), ARCHIVE_LINE_OFF);
	assert_int_equal(
		judge("000000010000000000000005.00000028.backup", &history), ARCHIVE_LINE_ON);
	assert_int_equal(judge("00000002.history", &history), ARCHIVE_LINE_ON);
}

static void
a_timeline_that_the_history_does_not_have_is_off_the_line(void **state)
{
	struct lineage_history newest = {.entry = entries + 1, .max = 1, .n = 1};
	struct lineage_history other = {.entry = entries, .max = 8, .n = 1};

	(void)state;
	assert_int_equal(judge("000000020000000000000001", &other), ARCHIVE_LINE_OFF);
	assert_int_equal(judge("00000002.history", &other), ARCHIVE_LINE_OFF);
	/* of a history that is too long to be kept nothing is said */
	assert_int_equal(judge("000000010000000000000001", &newest), ARCHIVE_LINE_UNKNOWN);
}

static void
without_a_history_only_what_ends_before_the_last_switch_is_on_the_line(void **state)
{
	(void)state;
	assert_int_equal(judge("000000010000000000000004", NULL), ARCHIVE_LINE_ON);
	assert_int_equal(judge("000000010000000000000008", NULL), ARCHIVE_LINE_UNKNOWN);
	assert_int_equal(judge("000000030000000000000008", NULL), ARCHIVE_LINE_ON);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_that_end_before_their_timeline_was_left_are_on_the_line),
		cmocka_unit_test(what_nobody_has_published_is_ahead),
		cmocka_unit_test(parts_and_labels_are_on_the_line_when_they_begin_there),
		cmocka_unit_test(a_timeline_that_the_history_does_not_have_is_off_the_line),
		cmocka_unit_test(
			without_a_history_only_what_ends_before_the_last_switch_is_on_the_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
