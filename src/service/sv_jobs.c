/*
 * sv_jobs - the processes that run to their end, so that the supervisor never waits for a disk.
 *
 * Process: supervisor.  Lanes: MAIN has one long job at a time, SIDE the short ones that must not
 * wait for those, FLAG the fence flag's, BACKUP base backups (sv_backup.c).  A job says on the
 * board how it went; one that was killed has said nothing and has failed.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/sv.h"

#define SV_SPACE_AGAIN_MS 3000
#define SV_JOB_ARGS 8

static const int64_t deadline_s[JOBS] = {
#define JOB(name, text, lane, deadline_s, does) [JOB_##name] = deadline_s,
#include "tbl/jobs.h"
#undef JOB
};

/* ---- how a job went ---- */

static bool
sv_report(const struct sv *sv, const struct sv_job *job, struct job_report *r)
{
	static const int sections[SV_LANES] = {[SV_MAIN] = SEC_JOB_MAIN,
		[SV_SIDE] = SEC_JOB_SIDE,
		[SV_FLAG] = SEC_JOB_FLAG,
		[SV_CARE] = SEC_JOB_CARE,
		[SV_BACKUP] = SEC_JOB_BACKUP};

	if (board_read(sv->board, sections[job->lane], r, sizeof(*r)) == 0 || r->run != job->run) {
		*r = (struct job_report){.run = job->run, .job = job->id};
		r->outcome = JOB_OUT_NONE;
	}
	if (r->outcome != JOB_OUT_NONE)
		return true;
	r->outcome = JOB_OUT_FAILED;
	r->err_kind = ERR_FAILED;
	snprintf(r->error, sizeof(r->error), "the job %s was ended before it finished",
		job_text(job->id));
	return false;
}

static void
sv_take_plan(struct sv *sv)
{
	static struct plan plan;
	uint32_t warnings = sv->st.plan.warnings;

	shared_read(sv->board, SEC_PLAN, &plan);
	/* A promotion since the preparation is known here alone. */
	if (sv->pg)
		plan.timeline = sv->st.plan.timeline;
	sv->st.plan = plan;
	sv_publish(sv);
	if (plan.warnings != warnings)
		for (uint32_t i = 0; i < plan.warnings && i < PLAN_WARNINGS; i++)
			log_warning("configuration", F_STR("warning", plan.warning[i]));
	if (plan.fenced_by_manifest && !sv->fence.want) {
		sv->fence.from_manifest = true;
		sv_fence_want(sv, true, SV_MANIFEST, "annotation cnpg.io/fencedInstances");
	} else if (!plan.fenced_by_manifest && sv->fence.want && sv->fence.from_manifest) {
		sv_fence_want(sv, false, SV_MANIFEST, "");
	}
}

static void
sv_first_start_failed(struct sv *sv, const struct job_report *r)
{
	const struct err e = {.kind = (enum err_kind)r->err_kind};
	struct pollfd people = {.fd = STDERR_FILENO, .events = POLLOUT};

	log_error("cannot start", F_STR("error", r->error), F_STR("hint", r->hint));
	/* For people; whoever does not read it does not keep us here. */
	if (poll(&people, 1, 0) == 1 && (people.revents & POLLOUT))
		fprintf(stderr, "podgres: %s%s%s\n", r->error, *r->hint ? ": " : "", r->hint);
	sv->exit_code = err_exit(&e);
	sv_reason(sv, "%s", r->error);
	sv->done = true;
}

static void
sv_prepared(struct sv *sv, const struct job_report *r)
{
	bool first = !sv->prepared;

	switch (r->outcome) {
	case JOB_OUT_OK:
		sv->prepared = true;
		sv_take_plan(sv);
		if (sv_fenced(sv) || sv->want_stop)
			return; /* that event comes, or has come, by itself */
		if (!sv->st.plan.standby && !sv_lease_fresh(sv)) {
			sv_event(sv, FSM_EV_UNFIT, "the Lease was lost meanwhile");
			return;
		}
		sv_event(sv, sv->st.plan.standby ? FSM_EV_READY_STANDBY : FSM_EV_READY_PRIMARY,
			sv->st.plan.crashed ? "crash recovery comes first" : NULL);
		return;
	case JOB_OUT_NO_SPACE:
		sv_event(sv, FSM_EV_NO_SPACE, r->error);
		return;
	default:
		if (first && r->err_kind == ERR_CONFIG && sv->st.state == FSM_BOOT)
			sv_first_start_failed(sv, r);
		else
			sv_event(sv, FSM_EV_UNFIT, r->error);
	}
}

static void
sv_configured(struct sv *sv, const struct job_report *r)
{
	const char *problem = r->outcome == JOB_OUT_OK ? NULL : r->error;

	sv_lease_configured(sv, r);
	if (!problem) {
		sv_take_plan(sv);
		if (*sv->st.plan.config_error)
			problem = sv->st.plan.config_error;
	}
	if (problem) {
		log_error("configuration not applied", F_STR("error", problem),
			F_STR("hint", "the former configuration stays in force"));
		snprintf(sv->st.plan.config_error, sizeof(sv->st.plan.config_error), "%s", problem);
		sv_op_finish(sv, ORDER_RELOAD, ERR_CONFIG, problem);
		if (sv_lease_on(sv))
			sv_pg_signal(
				sv, SIGHUP); /* whom commits wait for is written all the same */
		return;
	}
	sv->st.plan.config_error[0] = '\0';
	sv_pg_signal(sv, SIGHUP);
	log_info("configuration applied", F_STR("hash", sv->st.plan.config_hash));
	sv_op_finish(sv, ORDER_RELOAD, ERR_NONE, NULL);
	sv_event(sv, FSM_EV_CONFIG, NULL);
}

/* The flag job says in its phase what stands on disk: "fenced" or "clear". */
static void
sv_flag_done(struct sv *sv, const struct sv_job *job, const struct job_report *r)
{
	struct sv_fence *f = &sv->fence;
	bool reading = strcmp(job->arg, "read") == 0;

	f->failed = r->outcome != JOB_OUT_OK;
	if (!f->failed) {
		f->written = strcmp(r->phase, "fenced") == 0;
	} else {
		f->written = SV_DOUBT;
		snprintf(f->error, sizeof(f->error), "%.255s", r->error);
		log_error("fence flag", F_STR("step", job->arg), F_STR("error", r->error));
	}
	if (reading && !f->failed)
		sv_driven_read(sv, r->hint);
	if (reading) {
		/* What cannot be read may say "fenced": then nothing is started.  What the manifest
		 * fenced, the manifest may have let go meanwhile: the preparation reads it anew
		 * before anything is started. */
		f->want = f->written != 0 && (f->failed || !strstr(r->error, SV_BY_MANIFEST));
		/* Whoever unfences us much later finds a pod that stays, whatever PGDATA says. */
		sv->prepared = sv->prepared || f->want;
		snprintf(sv->st.fence_reason, sizeof(sv->st.fence_reason), "%.190s",
			f->failed ? "the fence flag cannot be read" : r->error);
		sv_event(sv, f->want ? FSM_EV_FENCE : FSM_EV_RETRY, NULL);
	} else if (f->failed && !f->want && strcmp(job->arg, "on") == 0) {
		f->failed = false; /* nobody wants it any more: make sure that it is clear */
	} else if (f->failed && !f->want) {
		f->want = true; /* still fenced on disk, so still fenced */
		sv_op_finish(sv, ORDER_UNFENCE, ERR_SYS, f->error);
		sv_event(sv, FSM_EV_FENCE, f->error);
	} else if (f->want == (strcmp(job->arg, "on") == 0)) {
		sv_event(sv, f->want ? FSM_EV_FENCE : FSM_EV_UNFENCE,
			f->want ? sv->st.fence_reason : NULL);
	}
	sv_publish(sv);
	sv_ops_update(sv);
}

static void
sv_promote_told(struct sv *sv, const struct job_report *r)
{
	if (r->outcome != JOB_OUT_OK) {
		sv_op_finish(sv, ORDER_PROMOTE, (enum err_kind)r->err_kind, r->error);
		sv_event(sv, FSM_EV_PROMOTE_FAILED, r->error);
		return;
	}
	if (sv->st.state == FSM_PROMOTE)
		sv_pg_signal(sv, SIGUSR1);
}

static void
sv_space_looked(struct sv *sv, const struct job_report *r)
{
	if (sv->st.state != FSM_SPACE)
		return;
	if (r->outcome == JOB_OUT_OK) {
		sv_event(sv, FSM_EV_SPACE_BACK, NULL);
		return;
	}
	sv_reason(sv, "%s: %s", fsm_state_sentence(FSM_SPACE), r->error);
	loop_timer_in(sv->loop, &sv->retry, SV_SPACE_AGAIN_MS);
}

/* ---- start and end ---- */

static void
sv_lane_free(struct sv *sv, enum sv_lane lane)
{
	if (lane == SV_SIDE)
		sv_side_next(sv);
	else if (lane == SV_FLAG)
		sv_flag_next(sv);
	else if (lane == SV_MAIN)
		sv_main_next(sv);
}

void
sv_main_next(struct sv *sv)
{
	/* While postgres is being ended, whatever is started is ended with it. */
	if (sv->stopping_pg || sv->want_stop || sv->job[SV_MAIN].proc)
		return;
	if (sv->want_prepare) {
		sv->want_prepare = false;
		sv_job_prepare(sv);
	} else if (sv->want_configure) {
		sv->want_configure = false;
		sv_job_configure(sv);
	}
}

static void
sv_job_ended(struct sv *sv, const struct sv_job *was, const struct job_report *r)
{
	switch (was->id) {
	case JOB_PREPARE:
		sv_reinit_prepared(sv, r);
		sv_gone_prepared(sv, r);
		sv_prepared(sv, r);
		break;
	case JOB_CONFIGURE:
		sv_configured(sv, r);
		break;
	case JOB_FENCE_FLAG:
		sv_flag_done(sv, was, r);
		break;
	case JOB_PROMOTE:
		sv_promote_told(sv, r);
		break;
	case JOB_SPACE:
		sv_space_looked(sv, r);
		break;
	case JOB_BACKUP:
		sv_backup_done(sv, was, r);
		break;
	case JOB_PRUNE:
		sv_prune_done(sv, was, r);
		break;
	case JOB_HOT_BACKUP:
		sv_hot_done(sv, r);
		break;
	case JOB_MEMBERS:
		sv_lease_cared(sv, r);
		break;
	case JOB_TOKEN:
		sv_driven_written(sv, r);
		break;
	case JOB_HANDED:
		sv_lease_handed(sv, r);
		break;
	case JOB_CHECKPOINT:
		sv_lease_checkpointed(sv, r);
		sv_ending_over(sv);
		break;
	case JOB_NONE:
	case JOBS:
		break;
	}
}

static void
sv_job_on_exit(struct proc *p, const struct proc_exit *how, void *arg)
{
	struct sv_job *job = arg, was = *job;
	struct sv *sv = job->sv;
	static struct job_report r;

	(void)p;
	loop_timer_off(&job->deadline);
	job->id = JOB_NONE;
	job->proc = NULL;
	if (!sv_report(sv, &was, &r))
		log_warning("job ended early", F_STR("job", job_text(was.id)),
			F_INT("code", how->code), F_INT("signal", how->sig));
	if (was.lane == SV_MAIN) {
		sv->st.job = r;
		sv->st.job_name[0] = '\0';
		sv_publish(sv);
	}
	sv_job_ended(sv, &was, &r);
	sv_lane_free(sv, was.lane);
}

static void
sv_job_on_deadline(struct loop_timer *t, void *arg)
{
	struct sv_job *job = arg;

	(void)t;
	log_error("job missed its deadline and is killed", F_STR("job", job_text(job->id)));
	sv_job_kill(job->sv, job->lane);
}

void
sv_job_start(struct sv *sv, enum sv_lane lane, enum job_id id, const char *const *args, size_t n)
{
	struct sv_job *job = &sv->job[lane];
	char run[24];
	const char *argv[5 + SV_JOB_ARGS] = {"podgres", "job", job_text(id), run};
	struct proc_fd fds[] = {{board_fd(sv->board), FD_BOARD}};
	struct proc_spec spec = {.name = job_text(id),
		.program = "/proc/self/exe",
		.argv = argv,
		.envp = environ,
		.in_fd = -1,
		.out_fd = sv->log_w,
		.fds = fds,
		.n_fds = 1,
		.on_exit = sv_job_on_exit,
		.arg = job};
	struct err e;

	must(!job->proc && n <= SV_JOB_ARGS);
	for (size_t i = 0; i < n; i++)
		argv[4 + i] = args[i];
	job->id = id;
	job->run = ++sv->runs;
	snprintf(job->arg, sizeof(job->arg), "%s", n ? args[0] : "");
	snprintf(run, sizeof(run), "%llu", (unsigned long long)job->run);
	if (lane == SV_MAIN) {
		snprintf(sv->st.job_name, sizeof(sv->st.job_name), "%s", job_text(id));
		sv_publish(sv);
	}
	if (proc_start(sv->procs, &spec, &job->proc, &e) < 0) {
		struct proc_exit how = {.code = -1};

		log_error("job not started", F_STR("error", e.msg));
		sv_job_on_exit(NULL, &how, job);
		return;
	}
	if (deadline_s[id])
		loop_timer_in(sv->loop, &job->deadline, deadline_s[id] * SEC_MS);
}

void
sv_job_kill(struct sv *sv, enum sv_lane lane)
{
	struct sv_job *job = &sv->job[lane];
	struct err e;

	if (job->proc && proc_signal(job->proc, SIGKILL, &e) < 0)
		log_error("cannot kill", F_STR("error", e.msg));
}

void
sv_job_prepare(struct sv *sv)
{
	if (sv->job[SV_MAIN].proc) {
		/* A second look while one is under way would end up beside a running postgres. */
		sv->want_prepare = sv->job[SV_MAIN].id != JOB_PREPARE;
		return;
	}
	if (!sv_lease_known(sv))
		return;
	if (sv->reinit != SV_REINIT_WANTED && sv->gone.wanted)
		sv_job_start(sv, SV_MAIN, JOB_PREPARE,
			(const char *[]){PREPARE_GONE, sv->gone.order}, 2);
	else
		sv_job_start(sv, SV_MAIN, JOB_PREPARE, (const char *[]){"reinit"},
			sv->reinit == SV_REINIT_WANTED);
}

void
sv_job_configure(struct sv *sv)
{
	if (sv->job[SV_MAIN].proc || sv->want_prepare) {
		sv->want_configure = true;
		return;
	}
	sv_job_start(sv, SV_MAIN, JOB_CONFIGURE, NULL, 0);
}

void
sv_flag_next(struct sv *sv)
{
	const struct sv_fence *f = &sv->fence;

	if (sv->job[SV_FLAG].proc)
		return;
	if (f->written < 0)
		sv_job_start(sv, SV_FLAG, JOB_FENCE_FLAG, (const char *[]){"read"}, 1);
	else if (f->written != (int)f->want && !f->failed && f->want)
		sv_job_start(sv, SV_FLAG, JOB_FENCE_FLAG,
			(const char *[]){"on", sv->st.fence_reason}, 2);
	else if (f->written != (int)f->want && !f->failed)
		sv_job_start(sv, SV_FLAG, JOB_FENCE_FLAG, (const char *[]){"off"}, 1);
}

void
sv_side_next(struct sv *sv)
{
	if (sv->job[SV_SIDE].proc)
		return;
	if (sv->want_promote) {
		sv->want_promote = false;
		/* Fenced meanwhile: the next start must not find that we wanted to be primary. */
		if (sv->st.state == FSM_PROMOTE)
			sv_job_start(sv, SV_SIDE, JOB_PROMOTE, NULL, 0);
	} else if (sv->want_space) {
		sv->want_space = false;
		sv_job_start(sv, SV_SIDE, JOB_SPACE, NULL, 0);
	}
}

void
sv_jobs_init(struct sv *sv)
{
	sv_backup_init(sv);
	for (int i = 0; i < SV_LANES; i++) {
		sv->job[i] = (struct sv_job){.sv = sv, .lane = (enum sv_lane)i};
		loop_timer_init(&sv->job[i].deadline, sv_job_on_deadline, &sv->job[i]);
	}
}
