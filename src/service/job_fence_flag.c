/*
 * job_fence_flag - write, clear or read the durable fence flag.
 *
 * Process: job fence-flag.  The answer is the phase of the report: "fenced" or "clear", and, when
 * reading, the reason in the report's error text, which is no error then, and in its hint what the
 * last fencing token said: "TOKEN ORDER lead|follow PRIMARY".
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "service/service.h"
#include "sys/file.h"
#include "sys/state_file.h"

static int
flag_write(const char *path, bool on, const char *reason, struct err *e)
{
	AUTO(close) int lock = -1;
	struct state_record rec;

	/* What is as it should be needs no write, which a full or read-only volume may refuse. */
	if (!on && state_file_read(&rec, path, e) == 0 && !rec.fenced)
		return 0;
	if (state_file_lock(&lock, path, e) < 0)
		return -1;
	/* Damaged slots are overwritten: an order is newer than whatever they said. */
	if (state_file_read(&rec, path, e) < 0) {
		if (e->kind != ERR_CORRUPT)
			return -1;
		rec = (struct state_record){0};
	}
	rec.fenced = on;
	rec.fence_wall_us = on ? clock_wall_us() : 0;
	snprintf(rec.fence_reason, sizeof(rec.fence_reason), "%s", on ? reason : "");
	return state_file_write(path, &rec, e);
}

int
job_fence_flag_main(struct job *j, struct err *e)
{
	const char *verb = j->argc > 0 ? j->argv[0] : "read";
	const char *reason = j->argc > 1 ? j->argv[1] : "";
	char path[FILE_PATH_MAX];
	struct state_record rec;

	if (file_join(path, sizeof(path), j->opt->state_dir, STATE_FILE_NAME, e) < 0)
		return -1;
	if (strcmp(verb, "read") != 0 && flag_write(path, strcmp(verb, "on") == 0, reason, e) < 0)
		return err_add(e, "fence flag %s", verb);
	/* What counts is what a reader finds. */
	if (state_file_read(&rec, path, e) < 0)
		return err_add(e, "fence flag");
	snprintf(j->report.error, sizeof(j->report.error), "%s", rec.fence_reason);
	if (rec.token)
		snprintf(j->report.hint, sizeof(j->report.hint), "%llu %s %s %s",
			(unsigned long long)rec.token, rec.token_order,
			rec.token_leads ? "lead" : "follow", rec.token_primary);
	job_phase(j, rec.fenced ? "fenced" : "clear", 1);
	return 0;
}
