/*
 * sv_backup - base backups: one at a time, in a lane of their own, gone with postgres.
 *
 * Process: supervisor.  The job is asked to end (SIGTERM) when postgres is to end, so that it can
 * take back what it stored, and killed when that takes; nobody waits for it.  A job that died
 * without a word may have left things in the store: the same job clears them away (`sweep`), also
 * once after each start of podgres, as soon as the archive answers.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/hot_backup.h"
#include "service/sv.h"

#define BACKUP_KILL_MS 10000
#define PRUNE_EVERY_NS (30 * 60 * SEC_MS * MS_NS)

static enum archive_state
archive_state(const struct sv *sv)
{
	static struct archive_facts facts;

	if (shared_read(sv->board, SEC_ARCHIVE, &facts) == 0)
		return ARCHIVE_STATE_STARTING;
	return (enum archive_state)facts.state;
}

/* Just after a start nobody has asked the store yet: the job will, before it does anything. */
static bool
archive_may_work(enum archive_state state)
{
	return state == ARCHIVE_STATE_OK || state == ARCHIVE_STATE_STARTING;
}

static bool
backup_runnable(const struct sv *sv, const struct order *o, struct order_reply *r)
{
	if (sv->stopping_pg || !sv->pg_accepted || sv->st.pg_phase != PG_PHASE_ACCEPTING)
		sv_refuse(r, ERR_STATE, "postgres is not running: there is nothing to back up");
	else if (o->backup.target == ORDER_TARGET_PRIMARY && sv->st.state != FSM_PRIMARY)
		sv_refuse(r, ERR_STATE, "a backup of the primary was asked of a standby");
	else
		return true;
	return false;
}

bool
sv_backup_allowed(const struct sv *sv, const struct order *o, struct order_reply *r)
{
	const struct sv_job *job = &sv->job[SV_BACKUP];
	enum archive_state state = archive_state(sv);
	bool hot = o->kind == ORDER_HOT_START;

	if (job->proc && job->id == JOB_HOT_BACKUP)
		sv_refuse(r, ERR_STATE, "a hot backup is open: stop it or give it up first");
	else if (sv->backup_waits || (job->proc && strcmp(job->arg, "create") == 0))
		sv_refuse(r, ERR_STATE, "a backup is running already");
	else if (hot && job->proc)
		sv_refuse(r, ERR_BUSY, "what an earlier backup left is being cleared away first");
	else if (hot)
		return backup_runnable(sv, o, r);
	else if (state == ARCHIVE_STATE_NONE)
		sv_refuse(r, ERR_CONFIG,
			"the manifest names no archive: spec.backup.barmanObjectStore");
	else if (!archive_may_work(state))
		sv_refuse(r, ERR_UNMET,
			"the archive is not in order: podgres wal status says what is wrong");
	else
		return backup_runnable(sv, o, r);
	return false;
}

bool
sv_delete_allowed(const struct sv *sv, struct order_reply *r)
{
	const struct sv_job *job = &sv->job[SV_BACKUP];
	enum archive_state state = archive_state(sv);

	if (state == ARCHIVE_STATE_NONE)
		sv_refuse(r, ERR_CONFIG,
			"the manifest names no archive: spec.backup.barmanObjectStore");
	else if (state != ARCHIVE_STATE_OK)
		sv_refuse(r, ERR_UNMET,
			"the archive is not in order: podgres wal status says what is wrong");
	else if (job->proc || sv->backup_waits)
		sv_refuse(r, ERR_STATE, "a backup or a deletion is running: try again after it");
	else
		return true;
	return false;
}

void
sv_delete_start(struct sv *sv, const struct order *o)
{
	sv_job_start(sv, SV_BACKUP, JOB_PRUNE, (const char *[]){"delete", o->backup.name}, 2);
}

static void
hot_start(struct sv *sv, const struct order_backup *b)
{
	char lasts[24];
	const char *args[] = {*b->name ? b->name : "hot", b->slot, b->immediate > 0 ? "1" : "0",
		b->no_archive ? "0" : "1", lasts};

	snprintf(lasts, sizeof(lasts), "%lld", (long long)b->lasts_ms);
	sv->hot_open = false;
	sv_job_start(sv, SV_BACKUP, JOB_HOT_BACKUP, args, ARRAY_LEN(args));
}

static void
backup_start(struct sv *sv, const struct order_backup *b)
{
	char immediate[8], keep[8], rate[24];
	const char *args[] = {"create", b->name, immediate, b->incremental ? "1" : "0", keep, rate};

	snprintf(immediate, sizeof(immediate), "%d", b->immediate);
	snprintf(keep, sizeof(keep), "%u", b->keep);
	snprintf(rate, sizeof(rate), "%lld", (long long)b->rate);
	sv->backup_waits = false;
	sv_job_start(sv, SV_BACKUP, JOB_BACKUP, args, ARRAY_LEN(args));
}

/* Waits its turn while the lane clears away or deletes. */
void
sv_backup_start(struct sv *sv, const struct order *o)
{
	if (o->kind == ORDER_HOT_START) {
		hot_start(sv, &o->backup);
	} else if (sv->job[SV_BACKUP].proc || sv->want_sweep) {
		sv->backup_next = o->backup;
		sv->backup_waits = true;
	} else {
		backup_start(sv, &o->backup);
	}
}

static void
backup_wait_ends(struct sv *sv)
{
	if (!sv->backup_waits)
		return;
	sv->backup_waits = false;
	sv_op_finish(sv, ORDER_BACKUP, ERR_STATE, "postgres is being stopped");
}

static struct operation *
backup_operation(struct sv *sv)
{
	for (int i = 0; i < SHARED_OPERATIONS; i++)
		if (sv->st.operation[i].state == OP_RUNNING &&
			sv->st.operation[i].kind == ORDER_BACKUP)
			return &sv->st.operation[i];
	return NULL;
}

static void
backup_show(struct operation *op, const struct job_report *r)
{
	op->progress = r->progress;
	op->done_bytes = r->done_bytes;
	op->total_bytes = r->total_bytes;
	snprintf(op->phase, sizeof(op->phase), "%.47s", r->phase);
	snprintf(op->result, sizeof(op->result), "%.63s", r->result);
}

void
sv_backup_done(struct sv *sv, const struct sv_job *job, const struct job_report *r)
{
	struct operation *op = backup_operation(sv);
	struct channel_msg msg;

	loop_timer_off(&sv->backup_kill);
	if (strcmp(job->arg, "sweep") == 0) {
		/* Not now: at the next start, or after the next backup that dies. */
		if (r->outcome != JOB_OUT_OK)
			log_warning("what dead backups left was not cleared away",
				F_STR("error", r->error));
	} else {
		/* It says so itself when it could not clear up behind itself. */
		sv->want_sweep = r->outcome != JOB_OUT_OK && !r->clean;
		sv->prune_ns = 0;
		if (op)
			backup_show(op, r);
		sv_op_finish(sv, ORDER_BACKUP,
			r->outcome == JOB_OUT_OK ? ERR_NONE : (enum err_kind)r->err_kind,
			r->outcome == JOB_OUT_OK ? NULL : r->error);
	}
	channel_msg_init(&msg, MSG_CATALOG, 0, NULL, 0);
	sv_tell(sv, SERVICE_ARCHIVER, &msg);
}

/* What went wrong the job has said itself; it is tried again in its turn. */
void
sv_prune_done(struct sv *sv, const struct sv_job *job, const struct job_report *r)
{
	bool well = r->outcome == JOB_OUT_OK;
	struct channel_msg msg;

	loop_timer_off(&sv->backup_kill);
	if (strcmp(job->arg, "delete") == 0)
		sv_op_finish(sv, ORDER_BACKUP_DELETE, well ? ERR_NONE : (enum err_kind)r->err_kind,
			well ? NULL : r->error);
	channel_msg_init(&msg, MSG_CATALOG, 0, NULL, 0);
	sv_tell(sv, SERVICE_ARCHIVER, &msg);
}

/* ---- a backup that is held open ---- */

bool
sv_hot_allowed(const struct sv *sv, const struct order *o, struct order_reply *r)
{
	const struct sv_job *job = &sv->job[SV_BACKUP];

	if (!job->proc || job->id != JOB_HOT_BACKUP)
		sv_refuse(r, ERR_STATE, "no hot backup is open");
	else if (o->kind == ORDER_HOT_STOP && !sv->hot_open)
		sv_refuse(r, ERR_STATE, "the hot backup has not started yet, or is ending");
	else
		return true;
	return false;
}

void
sv_hot_end(struct sv *sv, bool stop)
{
	struct err e;

	sv->hot_open = false;
	if (proc_signal(sv->job[SV_BACKUP].proc, stop ? SIGUSR1 : SIGTERM, &e) < 0)
		log_error("cannot end the hot backup", F_STR("error", e.msg));
}

void
sv_hot_done(struct sv *sv, const struct job_report *r)
{
	bool well = r->outcome == JOB_OUT_OK;
	enum err_kind kind = well ? ERR_NONE : (enum err_kind)r->err_kind;

	loop_timer_off(&sv->backup_kill);
	sv->hot_open = false;
	sv_op_finish(sv, ORDER_HOT_START, kind, well ? NULL : r->error);
	sv_op_finish(sv, ORDER_HOT_STOP, kind, well ? NULL : r->error);
	sv_op_finish(sv, ORDER_HOT_ABORT, ERR_NONE, NULL);
}

static void
hot_tick(struct sv *sv)
{
	const struct sv_job *job = &sv->job[SV_BACKUP];
	static struct job_report r;

	if (job->proc && job->id == JOB_HOT_BACKUP && !sv->hot_open &&
		shared_read(sv->board, SEC_JOB_BACKUP, &r) && r.run == job->run &&
		strcmp(r.phase, HOT_STARTED) == 0) {
		sv->hot_open = true;
		sv_op_finish(sv, ORDER_HOT_START, ERR_NONE, NULL);
	}
}

/* ---- both ---- */

void
sv_backup_end(struct sv *sv)
{
	struct sv_job *job = &sv->job[SV_BACKUP];
	struct err e;

	backup_wait_ends(sv);
	if (!job->proc || sv->backup_kill.at_ns != CLOCK_NEVER)
		return;
	if (proc_signal(job->proc, SIGTERM, &e) < 0)
		log_error("cannot end the backup", F_STR("error", e.msg));
	loop_timer_in(sv->loop, &sv->backup_kill, BACKUP_KILL_MS);
}

static void
backup_on_kill(struct loop_timer *t, void *arg)
{
	(void)t;
	sv_job_kill(arg, SV_BACKUP);
}

void
sv_backup_init(struct sv *sv)
{
	sv->want_sweep = true;
	loop_timer_init(&sv->backup_kill, backup_on_kill, sv);
}

void
sv_backup_tick(struct sv *sv)
{
	const struct sv_job *job = &sv->job[SV_BACKUP];
	struct operation *op = job->proc ? backup_operation(sv) : NULL;
	static struct job_report r;

	hot_tick(sv);
	if (op && shared_read(sv->board, SEC_JOB_BACKUP, &r) && r.run == job->run) {
		backup_show(op, &r);
		sv_publish(sv);
	}
	if (job->proc || sv->want_stop || sv->stopping_pg)
		return;
	if (sv->backup_waits && !sv->want_sweep) {
		backup_start(sv, &sv->backup_next);
		return;
	}
	if (!sv->want_sweep && (sv->st.state != FSM_PRIMARY || clock_boot_ns() < sv->prune_ns))
		return;
	if (archive_state(sv) != ARCHIVE_STATE_OK)
		return;
	if (sv->want_sweep) {
		sv->want_sweep = false;
		sv_job_start(sv, SV_BACKUP, JOB_BACKUP, (const char *[]){"sweep"}, 1);
		return;
	}
	sv->prune_ns = clock_boot_ns() + PRUNE_EVERY_NS;
	sv_job_start(sv, SV_BACKUP, JOB_PRUNE, NULL, 0);
}
