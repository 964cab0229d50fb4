/*
 * archiver_push - the files that go out: what PostgreSQL asks for, and what it will ask for next.
 *
 * Process: archiver.  PostgreSQL is told "done" only when the store has said so.  A store that
 * fails is tried again with growing pauses, whether PostgreSQL asks or not, one file at a time;
 * PostgreSQL is kept waiting for half a minute, because after a failure it does nothing for a
 * minute, and is then told.  While postgres is being stopped its archiver must not hold that up: it
 * gets what is known, and after a moment a code above 128, at which it ends by itself (PostgreSQL,
 * "Continuous Archiving and PITR"); what is left goes out in the drain.
 */
#include "service/archiver_impl.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "sys/file.h"

#define PUSH_PATIENCE_MS 30000  /* a question that cannot be answered with "done" */
#define PUSH_STOP_MS 2000       /* all questions together while postgres is being stopped */
#define PUSH_STOP_LEASE_MS 100  /* the same where another member waits to lead */
#define PUSH_AGAIN_MS 10000     /* what failed for good is looked at again */
#define PUSH_DEADLINE_MS 120000 /* of one file, and for each byte: */
#define PUSH_BYTES_MS 100       /* bytes in a millisecond */
#define PUSH_EASE_MS 30000
#define PUSH_HOLD_MS 1000
#define PUSH_WARY 2
#define PUSH_LOOK_MS 300 /* at first, and each time twice as long */
#define PUSH_PARALLEL (ARCHIVER_WORKERS / 2 - 2)
#define PUSH_EXIT_STOPPING 130 /* PostgreSQL's archiver ends above 128 */

static void push_answer_all(struct archiver *a);

/* ---- how much at once ---- */

/* Those who fetch and look must find a worker, too. */
static int
push_most(const struct archiver *a)
{
	int n = a->spec && a->has_store ? a->spec->backup.store.wal_parallel : 1;

	return n < 1 ? 1 : n > PUSH_PARALLEL ? PUSH_PARALLEL : n;
}

/* A store that asks for it gets half of the load; it grows back slowly. */
static void
push_pace(struct archiver *a, const struct archiver_done *done)
{
	struct archiver_health *h = &a->health;
	int64_t now = clock_boot_ns();
	int most = push_most(a);

	if (done->throttled) {
		h->parallel = h->parallel > 1 ? h->parallel / 2 : 1;
		h->eased_ns = now;
		log_warning("the store asks for less: fewer transfers at once",
			F_INT("parallel", h->parallel));
	} else if (h->parallel < most && now - h->eased_ns > PUSH_EASE_MS * MS_NS) {
		h->parallel++;
		h->eased_ns = now;
	}
}

/* ---- answers ---- */

static void
push_fail(struct archiver_client *c, int code, const char *msg)
{
	archiver_sock_fail(c, code, msg);
}

static void
push_done(struct archiver_client *c)
{
	archiver_sock_answer(c, &(struct wal_answer){.state = WAL_DONE});
}

static bool
same_file(const struct archiver *a, const struct queue_item *it)
{
	char path[FILE_PATH_MAX];
	struct err ignored = {0};
	struct stat st;

	return file_join(path, sizeof(path), a->wal_dir, it->name, &ignored) == 0 &&
	       stat(path, &st) == 0 && st.st_size == it->bytes &&
	       st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec == it->mtime_ns;
}

static const char *
push_problem(const struct archiver *a)
{
	return a->facts.problem[0] ? a->facts.problem : "the archive was not reached yet";
}

static int64_t
stop_wait_ns(const struct archiver *a, const struct archiver_client *c, int64_t now)
{
	return now - (c->since_ns > a->stopping_ns ? c->since_ns : a->stopping_ns);
}

/* The time that the shutdown may have lost with us is used up. */
static bool
stop_waited(const struct archiver *a, const struct archiver_client *c, int64_t now)
{
	int64_t ms = archiver_lease_on(a) ? PUSH_STOP_LEASE_MS : PUSH_STOP_MS;

	return a->stop_waited_ns + stop_wait_ns(a, c, now) > ms * MS_NS;
}

/* What can be said now; false: it has to wait. */
static bool
push_answer(struct archiver *a, struct archiver_client *c)
{
	struct queue_item *it = queue_find(&a->queue, c->request.name);
	int64_t now = clock_boot_ns(), waited_ms = (now - c->since_ns) / MS_NS;
	bool trouble = a->health.fails > 0 || a->facts.owner[0];

	if (!it) {
		push_fail(c, 1, "it was given up: asked again, it is tried again");
		return true;
	}
	if (it->state == QUEUE_STORED && same_file(a, it)) {
		if (a->stopping_ns)
			a->stop_waited_ns += stop_wait_ns(a, c, now);
		queue_forget(it);
		push_done(c);
		return true;
	}
	if (it->state == QUEUE_STORED)
		queue_set(it, QUEUE_WAITING, now);
	if (a->stopping_ns && (trouble || it->state == QUEUE_FAILED || stop_waited(a, c, now))) {
		push_fail(c, PUSH_EXIT_STOPPING,
			"postgres is being stopped: podgres sends what is left afterwards");
		return true;
	}
	if (it->state == QUEUE_FAILED) {
		push_fail(c, 1, it->msg);
		return true;
	}
	/* Of what the primary does nothing is said before it has done it. */
	if (archiver_lease_on(a) && !archiver_is_primary(a) && !trouble)
		return false;
	if (a->facts.owner[0]) {
		push_fail(c, 1, push_problem(a));
		return true;
	}
	if (trouble && archiver_gap_drop(a, it->name)) {
		queue_forget(it);
		push_done(c);
		return true;
	}
	if (waited_ms > PUSH_PATIENCE_MS && trouble) {
		push_fail(c, 1, push_problem(a));
		return true;
	}
	return false;
}

static void
push_answer_all(struct archiver *a)
{
	for (int i = 0; i < ARCHIVER_CLIENTS; i++) {
		struct archiver_client *c = &a->client[i];

		if (c->fd >= 0 && c->heard && !c->request.restore)
			(void)push_answer(a, c);
	}
}

/* Somebody may have run the command by hand with a file from elsewhere. */
static bool
push_in_wal(const struct archiver *a, const struct wal_request *r)
{
	char path[FILE_PATH_MAX];
	struct err ignored = {0};
	struct stat ours, theirs;

	return file_join(path, sizeof(path), a->wal_dir, r->name, &ignored) == 0 &&
	       stat(path, &ours) == 0 && stat(r->path, &theirs) == 0 &&
	       ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

void
archiver_push_ask(struct archiver *a, struct archiver_client *c)
{
	struct queue_item *it;
	int64_t now = clock_boot_ns();

	if (!a->spec) {
		push_fail(c, 1, "the manifest could not be read yet");
		return;
	}
	if (!a->has_store) {
		push_fail(c, 1,
			"spec.backup of the manifest names no archive: WAL is kept until it does, "
			"or until postgres is restarted without archive_mode");
		return;
	}
	if (!push_in_wal(a, &c->request)) {
		push_fail(c, 1, "this file is not in pg_wal of the cluster that podgres runs");
		return;
	}
	it = queue_ask(&a->queue, c->request.name, now);
	if (!it) {
		push_fail(c, 1, "this is not the name of a file that PostgreSQL archives");
		return;
	}
	if (it->state == QUEUE_FAILED && now - it->since_ns > PUSH_AGAIN_MS * MS_NS)
		queue_set(it, QUEUE_WAITING, now);
	(void)push_answer(a, c);
}

/* ---- sending ---- */

/* The file as it is now; false: it is not there. */
static bool
push_stat(struct archiver *a, struct queue_item *it, struct archiver_task *task)
{
	struct stat st;

	if (snprintf(task->path, sizeof(task->path), "%s/%s", a->wal_dir, it->name) >=
			(int)sizeof(task->path) ||
		stat(task->path, &st) < 0)
		return false;
	it->bytes = st.st_size;
	it->mtime_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
	return true;
}

static void
push_gone(struct archiver *a, struct queue_item *it)
{
	if (!it->asked) {
		queue_forget(it);
		return;
	}
	snprintf(it->msg, sizeof(it->msg), "%s is not in pg_wal", it->name);
	it->err_kind = ERR_NOTFOUND;
	queue_set(it, QUEUE_FAILED, clock_boot_ns());
	push_answer_all(a);
}

static bool
push_item(struct archiver *a, struct queue_item *it, bool look)
{
	struct archiver_task task = {.id = ++a->tasks,
		.kind = TASK_PUSH,
		.source = -1,
		.system_id = a->system_id,
		.segment_bytes = a->queue.segment_bytes};
	int64_t now = clock_boot_ns();
	uint64_t job;
	struct err e;

	if (!push_stat(a, it, &task)) {
		push_gone(a, it);
		return false; /* one such in a turn: there may be 200,000 */
	}
	snprintf(task.name, sizeof(task.name), "%s", it->name);
	/* The first ones may meet what an earlier life or another instance left there. */
	task.flag = a->health.stored < PUSH_WARY;
	task.look = look;
	task.leased = !look && archiver_lease_on(a);
	task.deadline_ns = now + (PUSH_DEADLINE_MS + it->bytes / PUSH_BYTES_MS) * MS_NS;
	job = look ? 0 : archiver_job_begin(a, it->name, false, !it->asked);
	queue_set(it, QUEUE_RUNNING, now);
	it->task = task.id;
	if (archiver_start(a, WORKER_PUSH, &task, job, &e) == 0)
		return true;
	queue_set(it, QUEUE_WAITING, now);
	archiver_job_end(a, job, ARCHIVE_JOB_FAILED, &(struct archiver_done){.err_kind = e.kind});
	log_error("a transfer was not started", F_STR("file", it->name), F_STR("error", e.msg));
	a->health.hold_ns = now + PUSH_HOLD_MS * MS_NS;
	return false;
}

/* What a later timeline repeats of it is archived with that one; the rest never happened. */
static void
push_drop(struct archiver *a, struct queue_item *it)
{
	struct archiver_task ignored = {0};

	if (!push_stat(a, it, &ignored)) {
		push_gone(a, it);
		return;
	}
	log_info("a file of a line of WAL that was given up is not archived",
		F_STR("file", it->name), F_INT("timeline", a->lease.hold.timeline));
	queue_set(it, QUEUE_STORED, clock_boot_ns());
	push_answer_all(a);
}

void
archiver_push_start(struct archiver *a)
{
	int most = a->health.fails ? 1 : a->health.parallel;
	struct queue_item *it;
	int64_t now = clock_boot_ns();

	if (!a->has_store || !a->wal_dir[0] || now < a->health.hold_ns)
		return;
	archiver_owner_start(a);
	archiver_gap_start(a);
	a->queue.ahead = archiver_may_write(a) && !a->drain.on && !a->facts.conflict[0] &&
			 a->health.owner == OWNER_OURS;
	while (archiver_busy(a, WORKER_PUSH) < most && (it = queue_next(&a->queue, now))) {
		enum archiver_turn turn = archiver_turn(a, it);

		if (turn == ARCHIVER_WAITS)
			return;
		if (turn == ARCHIVER_DROPS) {
			push_drop(a, it);
			continue;
		}
		if (turn == ARCHIVER_LOOKS ? !archiver_owner_known(a)
					   : !archiver_owner_fine(a, it->name)) {
			archiver_owner_start(a);
			return;
		}
		if (!push_item(a, it, turn == ARCHIVER_LOOKS))
			return;
	}
}

/* ---- how it went ---- */

static struct queue_item *
push_of_task(struct archiver *a, uint64_t task)
{
	for (size_t i = 0; i < QUEUE_ITEMS; i++)
		if (a->queue.item[i].state == QUEUE_RUNNING && a->queue.item[i].task == task)
			return &a->queue.item[i];
	return NULL;
}

static void
push_stored(struct archiver *a, struct queue_item *it, const struct archiver_done *done)
{
	struct archive_facts *f = &a->facts;

	archiver_store_worked(a);
	a->health.stored++;
	f->archived++;
	if (a->ring)
		ring_stored(a->ring, it->name);
	f->bytes_read += (uint64_t)done->bytes;
	f->bytes_stored += (uint64_t)done->stored_bytes;
	f->last_archived_wall_us = clock_wall_us();
	snprintf(f->last_archived, sizeof(f->last_archived), "%s", it->name);
	if (strcmp(f->conflict, it->name) == 0)
		f->conflict[0] = '\0';
	it->conflict = false;
	it->fails = 0;
	if (done->same)
		log_debug("it was in the archive already", F_STR("file", it->name));
	queue_set(it, QUEUE_STORED, clock_boot_ns());
	a->drain.moved_ns = clock_boot_ns();
}

static void
push_conflict(struct archiver *a, struct queue_item *it, const struct archiver_done *done)
{
	struct archive_facts *f = &a->facts;

	if (!it->conflict) {
		f->conflicts++;
		f->conflict_wall_us = clock_wall_us();
		snprintf(f->conflict, sizeof(f->conflict), "%s", it->name);
		log_error("the archive holds other content under the name of our segment",
			F_STR("file", it->name), F_STR("error", done->msg),
			F_STR("hint",
				"another primary writes to this folder, or did: find out which of "
				"them has the right data before anything is removed there"));
	}
	it->conflict = true;
	snprintf(f->problem, sizeof(f->problem), "%s", done->msg);
	snprintf(f->hint, sizeof(f->hint),
		"another primary wrote this segment: see which of the "
		"two is right before anything is removed");
	f->err_kind = done->err_kind;
	f->err_code = done->code;
}

/* On a standby: has the primary sent it? */
static void
push_looked(struct archiver *a, struct queue_item *it, const struct archiver_done *done)
{
	int64_t pause_ms = PUSH_LOOK_MS << (it->looks < 4 ? it->looks : 4);

	if (done->same) {
		archiver_store_worked(a);
		queue_set(it, QUEUE_STORED, clock_boot_ns());
		return;
	}
	it->looks++;
	queue_set(it, QUEUE_WAITING, clock_boot_ns());
	it->hold_ns = clock_boot_ns() + pause_ms * MS_NS;
}

/* What trying again does not change. */
static bool
is_final(uint32_t kind)
{
	return kind == ERR_CONFLICT || kind == ERR_INVALID || kind == ERR_NOTFOUND;
}

/* Something is wrong with the file, not with the store. */
static void
push_unfit(struct archiver *a, const struct queue_item *it, const struct archiver_done *done)
{
	struct archive_facts *f = &a->facts;

	if (it->fails <= 1)
		log_error("a file of pg_wal cannot be archived", F_STR("file", it->name),
			F_STR("error", done->msg));
	if (!f->failing_wall_us)
		f->failing_wall_us = clock_wall_us();
	snprintf(f->problem, sizeof(f->problem), "%s", done->msg);
	snprintf(f->hint, sizeof(f->hint),
		"PostgreSQL asks for this file again and again, and "
		"archives nothing that comes after it");
	f->err_kind = done->err_kind;
	f->err_code = done->code;
}

static void
push_failed(struct archiver *a, struct queue_item *it, const struct archiver_done *done)
{
	struct archive_facts *f = &a->facts;

	it->fails++;
	if (done->err_kind == ERR_NOTFOUND) {
		push_gone(a, it);
		return;
	}
	f->failed++;
	f->last_failed_wall_us = clock_wall_us();
	snprintf(f->last_failed, sizeof(f->last_failed), "%s", it->name);
	if (done->err_kind == ERR_CONFLICT)
		push_conflict(a, it, done);
	else if (done->err_kind == ERR_INVALID)
		push_unfit(a, it, done);
	else
		archiver_store_failed(a, it->name, done);
	if (!is_final(done->err_kind)) {
		queue_set(it, QUEUE_WAITING, clock_boot_ns());
		return;
	}
	it->err_kind = (enum err_kind)done->err_kind;
	snprintf(it->msg, sizeof(it->msg), "%.*s", (int)sizeof(it->msg) - 1, done->msg);
	queue_set(it, QUEUE_FAILED, clock_boot_ns());
}

void
archiver_push_done(
	struct archiver *a, const struct archiver_worker *w, const struct archiver_done *done)
{
	struct queue_item *it = push_of_task(a, done->id);

	archiver_job_end(a, w->job, done->err_kind ? ARCHIVE_JOB_FAILED : ARCHIVE_JOB_DONE, done);
	push_pace(a, done);
	a->dirty = true;
	if (!it)
		return;
	if (done->err_kind == ERR_NONE && w->task.look)
		push_looked(a, it, done);
	else if (done->err_kind == ERR_NONE)
		push_stored(a, it, done);
	else if (done->err_kind == ERR_BUSY)
		queue_set(it, QUEUE_WAITING, clock_boot_ns()); /* ended by us, not by the store */
	else
		push_failed(a, it, done);
	push_answer_all(a);
}

/* ---- time ---- */

/* Who asked may have gone; what was stored ahead may be done without a question. */
static void
push_forget(struct archiver *a)
{
	for (size_t i = 0; i < QUEUE_ITEMS; i++) {
		struct queue_item *it = &a->queue.item[i];
		bool waits = false;

		if (it->state == QUEUE_FREE)
			continue;
		for (int k = 0; k < ARCHIVER_CLIENTS; k++)
			waits |= a->client[k].fd >= 0 && a->client[k].heard &&
				 strcmp(a->client[k].request.name, it->name) == 0;
		it->asked = waits;
	}
}

void
archiver_push_tick(struct archiver *a)
{
	push_forget(a);
	push_answer_all(a);
}

void
archiver_push_reset(struct archiver *a)
{
	a->health = (struct archiver_health){.parallel = push_most(a)};
	a->facts.failing_wall_us = 0;
	a->facts.problem[0] = a->facts.hint[0] = a->facts.owner[0] = a->facts.conflict[0] = '\0';
	a->facts.err_kind = 0;
	a->facts.err_code = 0;
	a->scanned = false;
	queue_clear(&a->queue, a->queue.segment_bytes);
	/* Those who wait go on waiting, for the new store. */
	for (int i = 0; i < ARCHIVER_CLIENTS; i++)
		if (a->client[i].fd >= 0 && a->client[i].heard && !a->client[i].request.restore)
			(void)queue_ask(&a->queue, a->client[i].request.name, clock_boot_ns());
	a->dirty = true;
}
