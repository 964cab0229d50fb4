/*
 * archiver_facts - what the others may know: SEC_ARCHIVE.
 *
 * Process: archiver.  Exposure is the age of the oldest WAL that the archive does not have.  The
 * position of each second is remembered, so that the time at which a position was written can be
 * told; a long outage thins the memory out instead of growing it.
 */
#include "service/archiver_impl.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"

/* ---- exposure ---- */

/* Every second sample goes, and from now on they come half as often. */
static void
exposure_thin(struct exposure *x)
{
	for (size_t i = 0; i < ARCHIVER_SAMPLES / 2; i++)
		x->sample[i] = x->sample[2 * i];
	x->n = ARCHIVER_SAMPLES / 2;
	x->gap_us = x->gap_us ? x->gap_us * 2 : 2 * SEC_US;
}

void
exposure_add(struct exposure *x, uint64_t lsn, int64_t wall_us)
{
	if (!x->sample)
		x->sample = calloc(ARCHIVER_SAMPLES, sizeof(*x->sample));
	if (!x->sample || x->last.lsn == lsn)
		return;
	if (x->last.lsn > lsn)
		exposure_forget(x); /* another cluster, or back in time */
	x->last = (struct exposure_sample){lsn, wall_us};
	if (x->n == ARCHIVER_SAMPLES)
		exposure_thin(x);
	if (x->n == 0 || wall_us - x->sample[x->n - 1].wall_us >= x->gap_us)
		x->sample[x->n++] = x->last;
}

void
exposure_forget(struct exposure *x)
{
	x->n = 0;
	x->gap_us = 0;
}

int64_t
exposure_since(const struct exposure *x, uint64_t lsn)
{
	size_t low = 0, high = x->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (x->sample[mid].lsn > lsn)
			high = mid;
		else
			low = mid + 1;
	}
	if (low < x->n)
		return x->sample[low].wall_us;
	if (x->last.lsn <= lsn)
		return 0;
	return x->n ? x->sample[x->n - 1].wall_us : x->last.wall_us;
}

static void
facts_exposure(struct archiver *a)
{
	struct archive_facts *f = &a->facts;
	uint64_t covered;

	if (!a->has_store || !archiver_is_primary(a)) {
		f->exposed_wall_us = 0;
		f->archived_lsn = 0;
		return;
	}
	if (a->pg.known && !a->pg.in_recovery && a->pg.current_lsn)
		exposure_add(&a->exposure, a->pg.current_lsn, clock_wall_us());
	f->archived_lsn = queue_archived_lsn(&a->queue);
	covered = f->continuous_lsn > f->archived_lsn ? f->continuous_lsn : f->archived_lsn;
	f->exposed_wall_us = exposure_since(&a->exposure, covered);
	if (!f->exposed_wall_us)
		exposure_forget(&a->exposure);
}

/* ---- the queue ---- */

static const struct queue_item *
oldest_item(const struct archiver *a)
{
	const struct queue_item *best = NULL;

	for (size_t i = 0; i < QUEUE_ITEMS; i++) {
		const struct queue_item *it = &a->queue.item[i];

		if (it->state != QUEUE_FREE && it->state != QUEUE_STORED &&
			(!best || strcmp(it->name, best->name) < 0))
			best = it;
	}
	return best;
}

static void
facts_queue(struct archiver *a)
{
	const struct queue_item *oldest = oldest_item(a);
	size_t stored = queue_count(&a->queue, QUEUE_STORED);
	struct archive_facts *f = &a->facts;
	char path[PATH_LEN + 128];
	struct stat st;

	f->oldest_ready_wall_us = 0;
	if (a->drain.on) {
		f->queue = a->drain.left;
		return;
	}
	f->queue = a->pg.ready_wal_files;
	if (f->queue >= 0) /* what is stored waits for PostgreSQL's question alone */
		f->queue = f->queue > (int64_t)stored ? f->queue - (int64_t)stored : 0;
	if (!oldest)
		return;
	if (f->queue <= 0)
		f->queue = (int64_t)(queue_count(&a->queue, QUEUE_WAITING) +
				     queue_count(&a->queue, QUEUE_RUNNING));
	snprintf(path, sizeof(path), "%s/archive_status/%s.ready", a->wal_dir, oldest->name);
	if (stat(path, &st) == 0)
		f->oldest_ready_wall_us = st.st_mtim.tv_sec * SEC_US + st.st_mtim.tv_nsec / 1000;
}

/* ---- all of it ---- */

static enum archive_state
facts_state(const struct archiver *a)
{
	if (!a->has_store)
		return ARCHIVE_STATE_NONE;
	if (a->facts.owner[0])
		return ARCHIVE_STATE_FOREIGN;
	if (a->facts.conflict[0])
		return ARCHIVE_STATE_CONFLICT;
	if (a->facts.failing_wall_us)
		return ARCHIVE_STATE_FAILING;
	if (a->pending)
		return ARCHIVE_STATE_STARTING;
	return a->health.owner == OWNER_OURS || a->facts.archived ? ARCHIVE_STATE_OK
								  : ARCHIVE_STATE_STARTING;
}

/* The manifest names a store, and the running postgres does not archive yet. */
static void
facts_pending(struct archiver *a)
{
	struct archive_facts *f = &a->facts;
	bool pending = a->has_store && archiver_is_primary(a) && a->pg.known &&
		       !a->pg.in_recovery && strcmp(a->pg.archive_mode, "off") == 0;

	if (pending == a->pending)
		return;
	a->pending = pending;
	f->problem[0] = f->hint[0] = '\0';
	if (!pending)
		return;
	snprintf(f->problem, sizeof(f->problem),
		"archive_mode is off in the running postgres: nothing is archived yet");
	snprintf(f->hint, sizeof(f->hint), "`podgres restart` turns it on");
	log_warning(f->problem, F_STR("hint", f->hint));
}

void
archiver_facts_publish(struct archiver *a)
{
	a->dirty = false;
	facts_pending(a);
	a->facts.state = facts_state(a);
	facts_exposure(a);
	facts_queue(a);
	shared_write(a->s->board, SEC_ARCHIVE, &a->facts);
}

void
archiver_facts_tick(struct archiver *a)
{
	archiver_facts_publish(a);
}

/* ---- jobs ---- */

uint64_t
archiver_job_begin(struct archiver *a, const char *name, bool restore, bool ahead)
{
	struct archive_facts *f = &a->facts;
	struct archive_job *j = &f->job[++f->jobs % ARCHIVE_JOBS];

	*j = (struct archive_job){.number = f->jobs,
		.state = ARCHIVE_JOB_RUNNING,
		.restore = restore,
		.ahead = ahead,
		.started_wall_us = clock_wall_us()};
	snprintf(j->name, sizeof(j->name), "%s", name);
	a->dirty = true;
	return f->jobs;
}

void
archiver_job_end(struct archiver *a, uint64_t number, enum archive_job_state state,
	const struct archiver_done *done)
{
	struct archive_job *j = &a->facts.job[number % ARCHIVE_JOBS];

	if (number == 0 || j->number != number)
		return; /* a newer one stands in its place */
	j->state = state;
	j->finished_wall_us = clock_wall_us();
	j->bytes = done->bytes;
	j->stored_bytes = done->stored_bytes;
	j->err_kind = done->err_kind;
	snprintf(j->error, sizeof(j->error), "%.*s", (int)sizeof(j->error) - 1, done->msg);
	a->dirty = true;
}
