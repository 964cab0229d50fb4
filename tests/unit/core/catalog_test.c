#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/catalog.h"

#define SEG (UINT32_C(16) << 20)
#define HOUR_US (INT64_C(3600) * 1000000)

/* An archive whose backup number n began at the first byte but 40 of segment `first`. */
struct rig {
	struct catalog c;
	struct backup_info info[8];
	const struct backup_info *backup[8];
	struct catalog_run run[8];
	struct lineage_entry entry[4][4];
	struct catalog_history history[4];
	uint64_t gap[1];
	struct err e;
};

static void
rig_init(struct rig *f)
{
	*f = (struct rig){0};
	f->c = (struct catalog){.backup = f->backup,
		.run = f->run,
		.history = f->history,
		.gap = f->gap,
		.segment_bytes = SEG};
}

static struct backup_info *
add_backup(struct rig *f, uint32_t timeline, uint64_t first, uint64_t last, int hour)
{
	struct backup_info *b = &f->info[f->c.backups];

	backup_id_make(b->id, INT64_C(1795132800000000) + hour * HOUR_US);
	b->status = BACKUP_DONE;
	b->timeline = timeline;
	b->segment_bytes = SEG;
	b->begin_lsn = first * SEG + 40;
	b->end_lsn = last * SEG + 300;
	b->begin_us = INT64_C(1795132800000000) + hour * HOUR_US;
	b->end_us = b->begin_us + HOUR_US / 2;
	f->backup[f->c.backups++] = b;
	return b;
}

static void
add_run(struct rig *f, uint32_t timeline, uint64_t first, uint64_t last, int hour)
{
	f->run[f->c.runs++] = (struct catalog_run){
		timeline, first, last, INT64_C(1795132800000000) + hour * HOUR_US};
}

/* The newest entry says where the timeline left the one before. */
static void
add_history(struct rig *f, uint32_t timeline, uint32_t parent, uint64_t lsn)
{
	struct catalog_history *h = &f->history[f->c.histories];

	h->timeline = timeline;
	h->line = (struct lineage_history){.entry = f->entry[f->c.histories], .max = 4};
	for (size_t i = 0; i < f->c.histories; i++)
		if (f->history[i].timeline == parent) {
			memcpy(h->line.entry, f->history[i].line.entry, sizeof(f->entry[0]));
			h->line.n = f->history[i].line.n;
		}
	h->line.entry[h->line.n++] = (struct lineage_entry){.timeline = parent, .lsn = lsn};
	f->c.histories++;
}

static struct catalog_path
choose(struct rig *f, struct catalog_wish wish)
{
	struct catalog_path p;

	if (catalog_choose(&f->c, &wish, &p, &f->e))
		fail_msg("%s", f->e.msg);
	return p;
}

static void
expect_no(struct rig *f, struct catalog_wish wish, enum err_kind kind, const char *message)
{
	struct catalog_path p;

	assert_int_equal(catalog_choose(&f->c, &wish, &p, &f->e), -1);
	assert_int_equal(f->e.kind, kind);
	if (strncmp(f->e.msg, message, strlen(message)) != 0)
		assert_string_equal(f->e.msg, message);
}

static void
newest_backup_with_its_wal_is_taken(void **state)
{
	struct catalog_path p, old;
	struct rig f;

	(void)state;
	rig_init(&f);
	add_backup(&f, 1, 2, 3, 0);
	add_backup(&f, 1, 5, 5, 2);
	add_backup(&f, 1, 9, 12, 4); /* its last segments are not there yet */
	add_run(&f, 1, 1, 10, 5);
	p = choose(&f, (struct catalog_wish){0});
	assert_ptr_equal(p.backup, &f.info[1]);
	assert_true(p.end_lsn == UINT64_C(11) * SEG);
	assert_string_equal(p.last_wal, "00000001000000000000000A");
	assert_int_equal(p.timeline, 1);
	assert_true(catalog_window(&f.c, &old, &p));
	assert_ptr_equal(old.backup, &f.info[0]);
	assert_true(old.from_us == f.info[0].end_us);
	assert_true(p.to_us == f.run[0].last_modified_us);
}

static void
hole_ends_the_way_and_begins_the_window_anew(void **state)
{
	struct catalog_path p, old;
	struct rig f;

	(void)state;
	rig_init(&f);
	add_backup(&f, 1, 2, 3, 0);
	add_backup(&f, 1, 8, 8, 2);
	add_run(&f, 1, 1, 5, 1);
	add_run(&f, 1, 7, 10, 5);
	assert_true(catalog_window(&f.c, &old, &p));
	assert_ptr_equal(old.backup, &f.info[1]);
	/* yet what lies before the hole can still be had */
	p = choose(&f, (struct catalog_wish){.target = TARGET_LSN, .lsn = UINT64_C(5) * SEG});
	assert_ptr_equal(p.backup, &f.info[0]);
	assert_true(p.end_lsn == UINT64_C(6) * SEG);
	expect_no(&f, (struct catalog_wish){.target = TARGET_LSN, .lsn = UINT64_C(6) * SEG},
		ERR_UNMET, "0/6000000 is outside the window of timeline 1: it reaches from 2026-");
}

static void
target_in_time_takes_the_backup_that_ended_before(void **state)
{
	struct catalog_path p;
	struct rig f;
	int64_t t0;

	(void)state;
	rig_init(&f);
	add_backup(&f, 1, 2, 3, 0);
	add_backup(&f, 1, 5, 5, 2);
	add_run(&f, 1, 1, 10, 5);
	t0 = f.info[1].end_us;
	p = choose(&f, (struct catalog_wish){.target = TARGET_TIME, .time_us = t0});
	assert_ptr_equal(p.backup, &f.info[1]);
	p = choose(&f, (struct catalog_wish){.target = TARGET_TIME, .time_us = t0 - 1});
	assert_ptr_equal(p.backup, &f.info[0]);
	expect_no(&f, (struct catalog_wish){.target = TARGET_TIME, .time_us = f.info[0].end_us - 1},
		ERR_UNMET, "2026-11-20 00:29:59.999999+00:00 is outside the window");
	expect_no(&f,
		(struct catalog_wish){
			.target = TARGET_TIME, .time_us = f.run[0].last_modified_us + 1},
		ERR_UNMET, "2026-11-20 05:00:00.000001+00:00 is outside the window");
	assert_non_null(strstr(f.e.msg, "backup 20261120T000000"));
	assert_non_null(strstr(f.e.msg, "segment 00000001000000000000000A"));
	p = choose(&f, (struct catalog_wish){
			       .target = TARGET_TIME, .time_us = t0, .backup_id = f.info[0].id});
	assert_ptr_equal(p.backup, &f.info[0]);
}

static void
target_that_lies_nobody_knows_where_takes_the_oldest(void **state)
{
	struct catalog_path p;
	struct rig f;

	(void)state;
	rig_init(&f);
	add_backup(&f, 1, 2, 3, 0);
	add_backup(&f, 1, 5, 5, 2);
	add_run(&f, 1, 1, 10, 5);
	p = choose(&f, (struct catalog_wish){.target = TARGET_XID});
	assert_ptr_equal(p.backup, &f.info[0]);
	p = choose(&f, (struct catalog_wish){.target = TARGET_IMMEDIATE});
	assert_ptr_equal(p.backup, &f.info[1]);
}

/* 1 until the middle of segment 6, from there 2; the old primary went on to segment 8. */
static void
rig_fork(struct rig *f)
{
	rig_init(f);
	add_backup(f, 1, 2, 3, 0);
	add_backup(f, 1, 7, 7, 3); /* after the fork, on the old timeline */
	add_run(f, 1, 1, 8, 4);
	add_run(f, 2, 6, 9, 5);
	add_history(f, 2, 1, UINT64_C(6) * SEG + 1000);
}

static void
way_leads_over_the_fork(void **state)
{
	struct catalog_path p, old;
	struct rig f;

	(void)state;
	rig_fork(&f);
	p = choose(&f, (struct catalog_wish){0});
	assert_ptr_equal(p.backup, &f.info[0]);
	assert_int_equal(p.timeline, 2);
	assert_true(p.end_lsn == UINT64_C(10) * SEG);
	assert_string_equal(p.last_wal, "000000020000000000000009");
	p = choose(&f, (struct catalog_wish){.timeline = 1});
	assert_ptr_equal(p.backup, &f.info[1]);
	assert_true(p.end_lsn == UINT64_C(9) * SEG);
	assert_true(catalog_window(&f.c, &old, &p));
	assert_ptr_equal(old.backup, &f.info[0]);
	assert_ptr_equal(p.backup, &f.info[0]);
	expect_no(&f, (struct catalog_wish){.timeline = 2, .backup_id = f.info[1].id}, ERR_UNMET,
		"no backup leads to timeline 2: the newest, 20261120T030000, is of timeline 1");
}

static void
at_the_fork_the_parents_segment_will_do(void **state)
{
	struct catalog_path p;
	struct rig f;

	(void)state;
	rig_fork(&f);
	f.c.runs = 1; /* nothing of the new timeline is there yet */
	p = choose(&f, (struct catalog_wish){.timeline = 2});
	assert_true(p.end_lsn == UINT64_C(6) * SEG + 1000);
	assert_string_equal(p.last_wal, "000000010000000000000006");
	f.run[0].last = 5;
	p = choose(&f, (struct catalog_wish){.timeline = 2});
	assert_true(p.end_lsn == UINT64_C(6) * SEG);
}

static void
new_timeline_without_a_way_to_it_is_not_taken_for_the_latest(void **state)
{
	struct catalog_path p;
	struct rig f;

	(void)state;
	rig_fork(&f);
	f.c.histories = 0;
	p = choose(&f, (struct catalog_wish){0});
	assert_int_equal(p.timeline, 1);
	add_backup(&f, 2, 8, 8, 5);
	p = choose(&f, (struct catalog_wish){0});
	assert_int_equal(p.timeline, 2);
	assert_ptr_equal(p.backup, &f.info[2]);
}

static void
segment_that_is_not_whole_yet_counts_as_far_as_it_goes(void **state)
{
	static const struct catalog_tail tail[] = {
		{1, 12, UINT64_C(12) * SEG + 7, 1}, {1, 11, UINT64_C(11) * SEG + 5000, 77}};
	struct catalog_path p;
	struct rig f;

	(void)state;
	rig_init(&f);
	add_backup(&f, 1, 2, 3, 0);
	add_run(&f, 1, 1, 10, 5);
	f.c.tail = tail;
	f.c.tails = 2;
	p = choose(&f, (struct catalog_wish){0});
	assert_true(p.end_lsn == UINT64_C(11) * SEG + 5000);
	assert_true(p.to_us == 77);
	assert_string_equal(p.last_wal, "00000001000000000000000B");
	add_backup(&f, 1, 11, 11, 6); /* all of it within the tail */
	p = choose(&f, (struct catalog_wish){0});
	assert_ptr_equal(p.backup, &f.info[1]);
	f.c.tails = 1;
	p = choose(&f, (struct catalog_wish){0});
	assert_true(p.backup == &f.info[0] && p.end_lsn == UINT64_C(11) * SEG);
}

static void
incremental_backup_needs_its_parents(void **state)
{
	struct catalog_path p;
	struct rig f;

	(void)state;
	rig_init(&f);
	add_backup(&f, 1, 2, 3, 0);
	add_backup(&f, 1, 5, 5, 2);
	add_backup(&f, 1, 6, 6, 3);
	add_run(&f, 1, 1, 10, 5);
	memcpy(f.info[2].parent, f.info[1].id, BACKUP_ID_SIZE);
	memcpy(f.info[1].parent, f.info[0].id, BACKUP_ID_SIZE);
	p = choose(&f, (struct catalog_wish){0});
	assert_ptr_equal(p.backup, &f.info[2]);
	f.info[1].status = BACKUP_FAILED;
	p = choose(&f, (struct catalog_wish){0});
	assert_ptr_equal(p.backup, &f.info[0]);
	expect_no(&f, (struct catalog_wish){.backup_id = f.info[2].id}, ERR_NOTFOUND,
		"no usable backup: of 20261120T030000, which is incremental, a parent is missing");
	memcpy(f.info[1].parent, f.info[2].id, BACKUP_ID_SIZE); /* a circle */
	f.info[1].status = BACKUP_DONE;
	assert_false(catalog_chain_ok(&f.c, &f.info[2]));
}

static void
what_is_missing_is_said(void **state)
{
	struct catalog_path p, q;
	struct rig f;

	(void)state;
	rig_init(&f);
	assert_false(catalog_window(&f.c, &p, &q));
	expect_no(&f, (struct catalog_wish){0}, ERR_NOTFOUND, "no finished backup");
	add_backup(&f, 1, 2, 3, 0)->status = BACKUP_FAILED;
	expect_no(&f, (struct catalog_wish){.backup_id = "20261120T000000"}, ERR_NOTFOUND,
		"backup 20261120T000000 is FAILED");
	expect_no(&f, (struct catalog_wish){.backup_id = "20201120T000000"}, ERR_NOTFOUND,
		"no backup 20201120T000000");
	f.info[0].status = BACKUP_DONE;
	memcpy(f.info[0].begin_wal, "000000010000000000000002", LINEAGE_NAME_SIZE);
	memcpy(f.info[0].end_wal, "000000010000000000000003", LINEAGE_NAME_SIZE);
	add_run(&f, 1, 3, 3, 0);
	expect_no(&f, (struct catalog_wish){0}, ERR_NOTFOUND,
		"no usable backup: of the newest, 20261120T000000, WAL is missing between "
		"000000010000000000000002 and 000000010000000000000003");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(newest_backup_with_its_wal_is_taken),
		cmocka_unit_test(hole_ends_the_way_and_begins_the_window_anew),
		cmocka_unit_test(target_in_time_takes_the_backup_that_ended_before),
		cmocka_unit_test(target_that_lies_nobody_knows_where_takes_the_oldest),
		cmocka_unit_test(way_leads_over_the_fork),
		cmocka_unit_test(at_the_fork_the_parents_segment_will_do),
		cmocka_unit_test(new_timeline_without_a_way_to_it_is_not_taken_for_the_latest),
		cmocka_unit_test(segment_that_is_not_whole_yet_counts_as_far_as_it_goes),
		cmocka_unit_test(incremental_backup_needs_its_parents),
		cmocka_unit_test(what_is_missing_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
