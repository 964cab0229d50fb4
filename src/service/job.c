/*
 * job - the frame of work that runs to its end in a process of its own.
 *
 * Process: each job.  What it has to say goes to the board, so that a killed job has said nothing:
 * the supervisor takes "no outcome" for a failure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "service/frame.h"
#include "service/service.h"

enum lane {
	MAIN = SEC_JOB_MAIN,
	SIDE = SEC_JOB_SIDE,
	CARE = SEC_JOB_CARE,
	FLAG = SEC_JOB_FLAG,
	BACKUP = SEC_JOB_BACKUP
};

static const enum lane lanes[JOBS] = {
#define JOB(name, text, lane, deadline_s, does) [JOB_##name] = lane,
#include "tbl/jobs.h"
#undef JOB
};

static int (*const mains[JOBS])(struct job *j, struct err *e) = {
	[JOB_PREPARE] = job_prepare_main,
	[JOB_CONFIGURE] = job_configure_main,
	[JOB_FENCE_FLAG] = job_fence_flag_main,
	[JOB_PROMOTE] = job_promote_main,
	[JOB_MEMBERS] = job_members_main,
	[JOB_CHECKPOINT] = job_checkpoint_main,
	[JOB_HANDED] = job_handed_main,
	[JOB_TOKEN] = job_token_main,
	[JOB_SPACE] = job_space_main,
	[JOB_BACKUP] = job_backup_main,
	[JOB_HOT_BACKUP] = job_hot_backup_main,
	[JOB_PRUNE] = job_prune_main,
};

void
job_publish(struct job *j)
{
	if (j->board)
		board_write(j->board, (int)lanes[j->id], &j->report, sizeof(j->report));
	if (j->said)
		j->said(j, j->said_arg);
}

void
job_phase(struct job *j, const char *phase, float progress)
{
	snprintf(j->report.phase, sizeof(j->report.phase), "%s", phase);
	j->report.progress = progress;
	job_publish(j);
}

static int
job_finish(struct job *j, int rc, const struct err *e)
{
	struct job_report *r = &j->report;

	if (rc == 0) {
		r->outcome = JOB_OUT_OK;
		job_publish(j);
		return 0;
	}
	r->outcome = e->kind == ERR_SPACE ? JOB_OUT_NO_SPACE : JOB_OUT_FAILED;
	r->err_kind = e->kind;
	snprintf(r->error, sizeof(r->error), "%s", e->msg);
	job_publish(j);
	log_error("job failed", F_STR("job", job_text(j->id)), F_STR("error", r->error),
		F_STR("hint", r->hint));
	return err_exit(e);
}

static enum job_id
job_find(const char *name)
{
	for (int i = JOB_NONE + 1; i < JOBS; i++)
		if (strcmp(job_text((enum job_id)i), name) == 0)
			return (enum job_id)i;
	return JOB_NONE;
}

int
job_main(int argc, char **argv)
{
	struct frame f = {.log_fd = -1};
	struct job j = {.id = argc >= 3 ? job_find(argv[1]) : JOB_NONE};
	struct err e = {0};
	int rc;

	if (j.id == JOB_NONE) {
		fprintf(stderr, "podgres job: started by `podgres run` and by nothing else\n");
		return 64;
	}
	if (frame_attach(&f, job_text(j.id), &e) < 0) {
		fprintf(stderr, "podgres job %s: %s\n", job_text(j.id), e.msg);
		return err_exit(&e);
	}
	j.run = strtoull(argv[2], NULL, 10);
	j.argc = argc - 3;
	j.argv = argv + 3;
	j.board = f.board;
	j.opt = &f.opt;
	j.report = (struct job_report){.run = j.run, .job = j.id, .progress = -1};
	job_publish(&j);
	umask(077);
	rc = frame_give_up_root(&f.opt, &e);
	if (rc == 0)
		rc = mains[j.id](&j, &e);
	rc = job_finish(&j, rc, &e);
	frame_detach(&f);
	return rc;
}
