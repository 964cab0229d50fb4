/*
 * archiver_owner - nothing is written into a folder before it is known to be ours.
 *
 * Process: archiver.  Asked at the start, for another store, and before the first file of a new
 * timeline, because a promotion is how two primaries come about.  A primary makes the marker where
 * there is none; a standby only looks.
 */
#include "service/archiver_impl.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"

#define OWNER_DEADLINE_MS 60000
#define OWNER_AGAIN_MS 60000

bool
archiver_owner_fine(struct archiver *a, const char *name)
{
	struct archiver_health *h = &a->health;
	struct archive_name parsed;

	if (archive_name_parse(name, &parsed) != ARCHIVE_OTHER &&
		parsed.timeline > h->owner_timeline && h->owner != OWNER_ASKED) {
		h->owner_timeline = parsed.timeline;
		h->owner_made = false;
		if (h->owner == OWNER_OURS)
			h->owner = OWNER_UNKNOWN;
	}
	return h->owner == OWNER_OURS && h->owner_made;
}

bool
archiver_owner_known(const struct archiver *a)
{
	return a->health.owner == OWNER_OURS;
}

void
archiver_owner_start(struct archiver *a)
{
	struct archiver_health *h = &a->health;
	struct archiver_task task = {.id = ++a->tasks, .kind = TASK_OWNER, .source = -1};
	int64_t now = clock_boot_ns();
	struct err e;

	if (!a->has_store || !a->system_id || h->owner == OWNER_ASKED || now < h->owner_again_ns)
		return;
	if (h->owner == OWNER_OURS && (h->owner_made || !archiver_may_write(a)))
		return;
	snprintf(task.name, sizeof(task.name), "owner of the folder");
	task.flag = archiver_may_write(a);
	task.leased = task.flag && archiver_lease_on(a);
	task.system_id = a->system_id;
	task.deadline_ns = now + OWNER_DEADLINE_MS * MS_NS;
	if (archiver_start(a, WORKER_PUSH, &task, 0, &e) == 0)
		h->owner = OWNER_ASKED;
	else if (e.kind != ERR_BUSY)
		log_error("the folder's owner was not asked for", F_STR("error", e.msg));
}

static void
owner_foreign(struct archiver *a, const struct archiver_done *done)
{
	struct archive_facts *f = &a->facts;

	a->health.owner_again_ns = clock_boot_ns() + OWNER_AGAIN_MS * MS_NS;
	a->health.owner = OWNER_FOREIGN;
	if (!f->owner[0])
		log_error(
			"the folder in the archive belongs to another cluster: nothing is written",
			F_STR("error", done->msg), F_STR("destination", f->destination),
			F_STR("hint",
				"give this cluster a destinationPath or a serverName of its own"));
	snprintf(f->owner, sizeof(f->owner), "%.255s", done->msg);
	snprintf(f->problem, sizeof(f->problem), "%s", done->msg);
	snprintf(f->hint, sizeof(f->hint),
		"give this cluster a destinationPath or a serverName of its own in spec.backup");
	f->err_kind = done->err_kind;
	f->err_code = 0;
}

void
archiver_owner_done(
	struct archiver *a, const struct archiver_worker *w, const struct archiver_done *done)
{
	struct archiver_health *h = &a->health;

	a->dirty = true;
	h->owner = OWNER_UNKNOWN;
	if (done->err_kind == ERR_NONE) {
		h->owner = OWNER_OURS;
		h->owner_made = w->task.flag;
		a->facts.owner[0] = '\0';
		archiver_store_worked(a);
	} else if (done->err_kind == ERR_CONFLICT) {
		owner_foreign(a, done);
	} else if (done->err_kind != ERR_BUSY) {
		archiver_store_failed(a, "the folder's owner", done);
	}
}
