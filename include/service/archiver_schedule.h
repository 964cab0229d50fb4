/*
 * archiver_schedule - ScheduledBackup and Backup documents of the manifest: when the next is due.
 *
 * Process: archiver.  An order goes to the supervisor at the due time, again every few seconds for
 * as long as it is refused.  What was ordered last stands in STATE_DIR/schedules, so that a due
 * time runs once whatever is started again meanwhile; several that were missed while nobody ran are
 * made up for by one.  A schedule never seen before begins now, with a run if it is `immediate`.
 */
#pragma once

#include "core/archive_name.h"
#include "core/order.h"
#include "core/schedule.h"
#include "core/spec.h"
#include "service/shared.h"

#define SCHEDULE_FILE "schedules"
#define SCHEDULES_MAX 64

struct archiver_schedule_item {
	char name[64];
	bool once, suspend,
		wrong; /* a Backup document; nothing happens; the text was no schedule */
	bool prefer_standby;
	int32_t immediate_checkpoint;
	struct schedule when;
	int64_t last_us;  /* the run or the beginning it is counted from; 0: none yet */
	int64_t due_us;   /* 0: never again */
	int64_t again_us; /* not asked again before */
	uint64_t asked;   /* id of the order that was not answered yet; 0: none */
};

struct archiver_schedule {
	/* Gives the order to the supervisor.  Set by the owner. */
	int (*send)(void *arg, uint64_t id, const struct order *o, struct err *e);
	void *arg;
	char path[PATH_LEN + 16];
	struct archiver_schedule_item item[SCHEDULES_MAX];
	size_t n;
	uint64_t ids;
};

/* What the instance is, as far as a schedule cares. */
struct archiver_schedule_now {
	int64_t wall_us;
	bool ready; /* postgres takes connections and the archive takes WAL */
	bool standby;
	bool standby_elsewhere; /* a standby of ours streams: prefer-standby is its business */
};

void archiver_schedule_init(struct archiver_schedule *a, const char *state_dir);
/* The manifest as it is now: at start and after each reload.  The spec is not kept. */
void archiver_schedule_set(struct archiver_schedule *a, const struct spec *spec, int64_t wall_us);
/* Once a second. */
void archiver_schedule_tick(struct archiver_schedule *a, const struct archiver_schedule_now *now);
/* The supervisor's answer; false: not one of ours. */
bool archiver_schedule_reply(
	struct archiver_schedule *a, uint64_t id, const struct order_reply *r, int64_t wall_us);
/* Wall microseconds of the next run; 0: none. */
int64_t archiver_schedule_next(const struct archiver_schedule *a);
