/*
 * service - the frame every process below the supervisor runs in.
 *
 * `podgres service NAME` and `podgres job NAME` are started by the supervisor alone.  The frame
 * attaches the board, gives up root where the table says so, asks to die with the supervisor and
 * beats.  A service is plain sequential code around a loop; every wait in it has a deadline below
 * its hung_ms.
 */
#pragma once

#include "service/shared.h"
#include "sys/loop.h"

struct channel_msg;

struct service {
	enum service_id id;
	struct board *board;
	struct loop *loop;
	const struct run_options *opt;
	/* Set by the service before service_run(); NULL: not interested. */
	void (*on_msg)(struct service *s, const struct channel_msg *msg);
	void (*on_tick)(struct service *s); /* once a second, after the beat */
	void *arg;
	bool stop; /* set to leave service_run() */
	/* private */
	struct loop_fd channel;
	struct loop_timer tick;
};

/* Runs turns until s->stop; beats once a second.  Exits the process when the supervisor is gone. */
int service_run(struct service *s, struct err *e) MUSTCHECK;
/* Send to the supervisor; a full channel is logged and forgotten. */
void service_poke(struct service *s);

/* One per service: returns the exit code of the process. */
int service_logger_main(struct service *s);
int service_fencer_main(struct service *s);
int service_monitor_main(struct service *s);
int service_api_main(struct service *s);
int service_collector_main(struct service *s);
int service_archiver_main(struct service *s);
int service_elector_main(struct service *s);

/* ---- jobs ---- */

struct job {
	enum job_id id;
	uint64_t run;
	struct board *board;
	const struct run_options *opt;
	int argc;
	char **argv;              /* of the job, without its name */
	struct job_report report; /* published by job_phase() and at the end */
	/* Told of each report; board NULL: nobody else is.  NULL: nobody. */
	void (*said)(const struct job *j, void *arg);
	void *said_arg;
};

void job_phase(struct job *j, const char *phase, float progress);
void job_publish(struct job *j); /* j->report as it is */

/* Each returns 0, or -1 with *e; the frame publishes the outcome.  j->report.hint may be set. */
/* argv: nothing, "reinit", or PREPARE_GONE LSN: the primary had no WAL from there on any more */
int job_prepare_main(struct job *j, struct err *e) MUSTCHECK;
int job_configure_main(struct job *j, struct err *e) MUSTCHECK;
int job_fence_flag_main(struct job *j, struct err *e) MUSTCHECK; /* argv: "on"|"off" REASON */
int job_promote_main(struct job *j, struct err *e) MUSTCHECK;
int job_members_main(struct job *j, struct err *e) MUSTCHECK;
int job_checkpoint_main(struct job *j, struct err *e) MUSTCHECK;
int job_handed_main(struct job *j, struct err *e) MUSTCHECK; /* argv: ADDRESS NAME */
/* argv: TOKEN ORDER "lead"|"follow" PRIMARY */
int job_token_main(struct job *j, struct err *e) MUSTCHECK;
int job_space_main(struct job *j, struct err *e) MUSTCHECK;
/* argv: "sweep", or "create" NAME IMMEDIATE INCREMENTAL KEEP RATE (see service/job_backup.h). */
int job_backup_main(struct job *j, struct err *e) MUSTCHECK;
int job_hot_backup_main(struct job *j, struct err *e) MUSTCHECK;
int job_prune_main(struct job *j, struct err *e) MUSTCHECK;

/* `podgres service NAME`, `podgres job NAME RUN [ARG...]`; argv[0] is "service" or "job". */
int service_main(int argc, char **argv);
int job_main(int argc, char **argv);
