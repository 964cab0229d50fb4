#include "service/archiver_schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "sys/file.h"

#define DAY_US (86400 * SEC_US)
#define NOON (INT64_C(1795262400) * SEC_US) /* 2026-11-21 12:00:00 UTC */

struct rig {
	struct archiver_schedule a;
	struct spec_schedule s[2];
	struct spec spec;
	char dir[64];
	int sent;
	uint64_t id;
	struct order order;
};

static int
note_order(void *arg, uint64_t id, const struct order *o, struct err *e)
{
	struct rig *r = arg;

	(void)e;
	r->sent++;
	r->id = id;
	r->order = *o;
	return 0;
}

static void
again(struct rig *r, int64_t wall_us)
{
	archiver_schedule_init(&r->a, r->dir);
	r->a.send = note_order;
	r->a.arg = r;
	archiver_schedule_set(&r->a, &r->spec, wall_us);
}

static struct rig *
rig_new(const char *cron)
{
	struct rig *r = calloc(1, sizeof(*r));
	static char name[] = "nightly";

	assert_non_null(r);
	snprintf(r->dir, sizeof(r->dir), "/tmp/podgres-schedule-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	r->s[0] = (struct spec_schedule){.name = name, .immediate_checkpoint = SPEC_UNSET};
	r->s[0].schedule = strdup(cron);
	r->spec.schedule = r->s;
	r->spec.schedules = 1;
	return r;
}

static void
rig_free(struct rig *r)
{
	struct err e;

	assert_int_equal(file_remove_tree(r->dir, &e), 0);
	free(r->s[0].schedule);
	free(r);
}

static void
tick(struct rig *r, int64_t wall_us)
{
	const struct archiver_schedule_now now = {.wall_us = wall_us, .ready = true};

	archiver_schedule_tick(&r->a, &now);
}

static void
accept(struct rig *r, int64_t wall_us)
{
	const struct order_reply ok = {.op_id = "x-1"};

	assert_true(archiver_schedule_reply(&r->a, r->id, &ok, wall_us));
}

static void
a_due_time_runs_once_whatever_is_started_again(void **state)
{
	struct rig *r = rig_new("0 0 13 * * *");

	(void)state;
	again(r, NOON);
	assert_true(archiver_schedule_next(&r->a) == NOON + 3600 * SEC_US);
	tick(r, NOON + 3599 * SEC_US);
	assert_int_equal(r->sent, 0);
	tick(r, NOON + 3600 * SEC_US);
	assert_int_equal(r->sent, 1);
	assert_string_equal(r->order.backup.name, "nightly-20261121130000");
	assert_int_equal(r->order.backup.immediate, -1);
	tick(r, NOON + 3601 * SEC_US);
	assert_int_equal(r->sent, 1);
	accept(r, NOON + 3602 * SEC_US);
	again(r, NOON + 3603 * SEC_US);
	tick(r, NOON + 3604 * SEC_US);
	assert_int_equal(r->sent, 1);
	assert_true(archiver_schedule_next(&r->a) == NOON + 3600 * SEC_US + DAY_US);
	rig_free(r);
}

static void
missed_runs_are_made_up_for_by_one(void **state)
{
	struct rig *r = rig_new("0 0 13 * * *");

	(void)state;
	again(r, NOON);
	again(r, NOON + 5 * DAY_US);
	tick(r, NOON + 5 * DAY_US);
	assert_int_equal(r->sent, 1);
	accept(r, NOON + 5 * DAY_US);
	tick(r, NOON + 5 * DAY_US + SEC_US);
	assert_int_equal(r->sent, 1);
	rig_free(r);
}

static void
what_is_refused_is_asked_again(void **state)
{
	const struct order_reply no = {.err_kind = ERR_STATE, .reason = "a backup is running"};
	struct rig *r = rig_new("0 0 13 * * *");
	int64_t due = NOON + 3600 * SEC_US;

	(void)state;
	again(r, NOON);
	tick(r, due);
	assert_true(archiver_schedule_reply(&r->a, r->id, &no, due));
	tick(r, due + SEC_US);
	assert_int_equal(r->sent, 1);
	tick(r, due + 11 * SEC_US);
	assert_int_equal(r->sent, 2);
	rig_free(r);
}

static void
immediate_runs_when_it_is_first_seen_and_not_again(void **state)
{
	struct rig *r = rig_new("0 0 13 * * *");

	(void)state;
	r->s[0].immediate = true;
	again(r, NOON);
	tick(r, NOON);
	assert_int_equal(r->sent, 1);
	accept(r, NOON);
	again(r, NOON + SEC_US);
	tick(r, NOON + SEC_US);
	assert_int_equal(r->sent, 1);
	rig_free(r);
}

static void
suspended_nothing_happens_and_nothing_is_made_up_for(void **state)
{
	struct rig *r = rig_new("0 0 13 * * *");

	(void)state;
	r->s[0].suspend = true;
	again(r, NOON);
	tick(r, NOON + DAY_US);
	assert_int_equal(r->sent, 0);
	assert_true(archiver_schedule_next(&r->a) == 0);
	rig_free(r);
}

static void
a_backup_document_runs_once(void **state)
{
	struct rig *r = rig_new("");

	(void)state;
	r->s[0].once = true;
	again(r, NOON);
	tick(r, NOON);
	assert_int_equal(r->sent, 1);
	assert_string_equal(r->order.backup.name, "nightly");
	accept(r, NOON);
	tick(r, NOON + SEC_US);
	again(r, NOON + DAY_US);
	tick(r, NOON + DAY_US);
	assert_int_equal(r->sent, 1);
	rig_free(r);
}

static void
a_standby_runs_only_what_prefers_standbys(void **state)
{
	struct archiver_schedule_now now = {
		.wall_us = NOON + 3600 * SEC_US, .ready = true, .standby = true};
	struct rig *r = rig_new("0 0 13 * * *");

	(void)state;
	again(r, NOON);
	archiver_schedule_tick(&r->a, &now);
	assert_int_equal(r->sent, 0);
	r->s[0].prefer_standby = true;
	again(r, NOON);
	archiver_schedule_tick(&r->a, &now);
	assert_int_equal(r->sent, 1);
	accept(r, now.wall_us);
	now = (struct archiver_schedule_now){
		.wall_us = now.wall_us + DAY_US, .ready = true, .standby_elsewhere = true};
	archiver_schedule_tick(&r->a, &now);
	assert_int_equal(r->sent, 1);
	rig_free(r);
}

static void
until_postgres_is_ready_a_run_waits(void **state)
{
	struct archiver_schedule_now now = {.wall_us = NOON + 3600 * SEC_US};
	struct rig *r = rig_new("0 0 13 * * *");

	(void)state;
	again(r, NOON);
	archiver_schedule_tick(&r->a, &now);
	assert_int_equal(r->sent, 0);
	tick(r, now.wall_us + 600 * SEC_US);
	assert_int_equal(r->sent, 1);
	assert_string_equal(r->order.backup.name, "nightly-20261121130000");
	rig_free(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_due_time_runs_once_whatever_is_started_again),
		cmocka_unit_test(missed_runs_are_made_up_for_by_one),
		cmocka_unit_test(what_is_refused_is_asked_again),
		cmocka_unit_test(immediate_runs_when_it_is_first_seen_and_not_again),
		cmocka_unit_test(suspended_nothing_happens_and_nothing_is_made_up_for),
		cmocka_unit_test(a_backup_document_runs_once),
		cmocka_unit_test(a_standby_runs_only_what_prefers_standbys),
		cmocka_unit_test(until_postgres_is_ready_a_run_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
