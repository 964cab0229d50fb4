/*
 * sv - what the files of the supervisor share.  Nothing else includes this.
 *
 * One struct owns everything by embedding.  sv_event() is the only way to change the state;
 * everything that happens (signals, exits, messages, timers) ends in one event at a time.
 */
#pragma once

#include "core/ladder.h"
#include "core/restart.h"
#include "service/shared.h"
#include "sys/channel.h"
#include "sys/loop.h"
#include "sys/proc.h"
#include "sys/tree.h"

enum sv_lane { SV_MAIN, SV_SIDE, SV_FLAG, SV_CARE, SV_BACKUP, SV_LANES };

struct sv;

struct sv_child {
	struct sv *sv;
	enum service_id id;
	struct proc *proc;
	int chan; /* -1: none */
	struct loop_fd src;
	struct restart restart;
	struct loop_timer again;
};

struct sv_job {
	struct sv *sv;
	enum sv_lane lane;
	enum job_id id; /* JOB_NONE: the lane is free */
	struct proc *proc;
	uint64_t run;
	char arg[16]; /* first argument, for the end of the job */
	struct loop_timer deadline;
};

#define SV_DOUBT 2 /* a write failed, and may have happened */

#define SV_MANIFEST "manifest" /* who fences when the annotation says so */
#define SV_BY_MANIFEST ", by " SV_MANIFEST

struct sv_fence {
	bool want;
	int written; /* what stands on disk: 1 fenced, 0 not, -1 not yet read, SV_DOUBT */
	bool now;    /* --mode immediate */
	bool from_manifest;
	bool failed; /* the flag could not be written */
	char error[256];
	int64_t again_ns;
};

enum { SV_FIFO_PLAIN, SV_FIFO_JSON, SV_FIFO_CSV, SV_FIFOS };
enum { SV_LISTEN_HTTP, SV_LISTEN_METRICS, SV_LISTEN_CONTROL, SV_LISTEN_WAL, SV_LISTENS };

/* The archiver sends what is left of the WAL, once postgres is gone for good. */
struct sv_drain {
	bool on;
	int64_t by_ns;     /* until then */
	int64_t silent_ns; /* since when there is no archiver, boot time; 0: there is one */
	struct loop_timer late;
};

/* A clone anew that was ordered. */
enum sv_reinit {
	SV_REINIT_NONE,
	SV_REINIT_WANTED, /* each preparation is told so, until one has made the clone */
	SV_REINIT_CLONED, /* it is there, and has to stream */
};

/* The primary has no WAL any more that this standby could go on with. */
struct sv_gone {
	char lsn[24];    /* from there on, as the last look found; "": it was not so */
	unsigned looks;  /* in a row that found just that */
	unsigned failed; /* clones in a row that were not made */
	bool wanted;     /* each preparation is told so, until one has judged it */
	char order[24];  /* the position that it is told */
};

#define LEASE_WHOM_SIZE 328

/* The Lease, when there is one: sv_lease.c. */
struct sv_lease {
	struct elector_status el;           /* as last read */
	int64_t sent_ns;                    /* of the newest write that made or kept it ours */
	int64_t fast_ns, kill_ns, fence_ns; /* V1, V2 and V3 after that */
	int64_t lost_ns;                    /* when it was lost; 0: it is not */
	bool bound;                         /* this postgres may write as long as it is fresh */
	bool lost;                          /* for this postgres, whatever comes */
	bool waits;                         /* a preparation waits until it is known */
	bool leaving;                       /* we end as soon as it was given back */
	uint64_t handed;                    /* hand-overs that were begun */
	uint64_t used;                      /* claims that have promoted, or started a primary */
	uint64_t asked;                     /* number of our last question */
	/* orders with a token: sv_driven.c */
	struct order token_order; /* is being written; token 0: none */
	bool token_writing;

	/* orders to the elector */
	bool refused;        /* the last claim that was ordered */
	uint64_t checkpoint; /* number of the one that is being written */

	int64_t asked_ns, leave_by_ns;
	int64_t care_ns; /* when the job members runs next, boot time */
	struct elector_order ask;
	unsigned diverged;              /* looks in a row that found another history */
	struct elector_order promote;   /* how the promotion that is under way was ordered */
	char followed[LEASE_WHOM_SIZE]; /* address and holder that postgres was told to follow */
	char synced[ELECTOR_SYNC_SIZE]; /* synchronous_standby_names that the last reload wrote */
	int64_t sync_ns;                /* when that is tried again */
	struct loop_timer fast;
};

/* The checkpoint before a stop: sv_ending.c. */
struct sv_ending {
	int64_t asked_ns; /* when the stop was asked for first; 0: never */
	bool on;          /* it waits for the checkpoint */
	struct loop_timer timer;
};

struct sv {
	struct run_options opt;
	struct board *board;
	struct loop *loop;
	struct proc_set *procs;
	struct supervisor_status st; /* what is published */
	bool dirty;
	/* descriptors, all at PROC_FD_FLOOR or higher; -1: none */
	int signals, log_r, log_w, log_own, log_out, inotify;
	int fifo[SV_FIFOS], listen[SV_LISTENS];
	int baton; /* of the former program, until the board is there */
	int lock_state, lock_data;
	struct loop_fd signal_src, inotify_src, pidfd_src;
	struct loop_timer tick;
	/* children */
	struct sv_child child[SERVICES];
	struct sv_job job[SV_LANES];
	uint64_t runs;
	bool want_configure; /* a reload waits for the main lane */
	bool configure_by_op;
	bool want_prepare; /* a prepare waits for the main lane */
	enum sv_reinit reinit;
	struct sv_gone gone;
	bool want_promote; /* the promote file waits for the side lane */
	bool want_space;   /* a look for space waits for the side lane */
	int64_t prune_ns;  /* when retention is applied next, boot time */
	bool backup_waits; /* backup_next is taken and starts when the lane is free */
	struct order_backup backup_next;
	bool hot_open;   /* a hot backup waits to be stopped */
	bool want_sweep; /* a backup may have died: what it left in the store is to go */
	bool prepared;   /* this life has begun: from now on no failure ends it */
	/* postgres */
	struct proc *pg;
	int pidfd;
	bool pg_accepted; /* in this start */
	struct restart pg_restart;
	uint32_t promote_from; /* timeline before the promotion */
	bool watchdog_seen;    /* the missed deadline has been acted upon */
	/* stopping */
	bool stopping_pg; /* a ladder runs, or leftovers are being ended */
	struct ladder ladder;
	size_t rung; /* next */
	int64_t ladder_start_ns;
	int64_t settle_ms;  /* between looks at leftovers; grows */
	int leftovers;      /* killed in the last look */
	bool harsh;         /* this postgres was ended by more than a fast shutdown */
	int64_t stop_by_ns; /* end of the grace period, once asked to stop */
	struct loop_timer ladder_timer, settle, retry, promote_late, reload_soon;
	struct loop_timer fence_late;  /* the flag is slow: stop postgres all the same */
	struct loop_timer give_up;     /* the grace period is nearly over */
	struct loop_timer backup_kill; /* a backup that does not end by itself */
	int64_t ticked_ns;
	struct sv_drain drain;
	struct sv_lease lease;
	struct sv_ending ending;
	bool want_stop;
	bool quit; /* SIGQUIT */
	struct sv_fence fence;
	uint32_t op_mark[SHARED_OPERATIONS]; /* pg_starts when the operation began */
	bool want_words;                     /* of a postgres that did not come up */
	int64_t fencer_gone_ns; /* since when there is none that stays, boot time; 0: there is one
				 */
	int64_t fencer_started_ns;
	bool upgrading; /* the new program is being asked */
	bool resumed;   /* this program took over from another in the same process */
	bool done;
	int exit_code;
};

/* supervisor.c */
void sv_event(struct sv *sv, enum fsm_event ev, const char *detail); /* detail may be NULL */
void sv_publish(struct sv *sv);                                      /* at the end of the turn */
void sv_reason(struct sv *sv, const char *fmt, ...) PRINTF(2, 3);
void sv_stop(struct sv *sv, bool quit);
bool sv_arm(struct sv *sv); /* the fencer's deadline; false once it has passed */

/* sv_setup.c */
int sv_setup(struct sv *sv, const struct run_options *opt, struct err *e) MUSTCHECK;
void sv_teardown(struct sv *sv);

/* sv_services.c */
void sv_services_start(struct sv *sv);
void sv_services_now(struct sv *sv); /* those that were to come a moment later */
void sv_services_tick(struct sv *sv);
bool sv_fencer_lives(const struct sv *sv);              /* there is one, and it stays */
void sv_services_end(struct sv *sv, int64_t logger_ms); /* logger_ms: what it may take to drain */
void sv_services_stop(struct sv *sv);                   /* at the very end; bounded */
void sv_poke(struct sv *sv, enum service_id id);
void sv_tell(struct sv *sv, enum service_id id, const struct channel_msg *msg);
size_t sv_spared(const struct sv *sv, pid_t *out, size_t max);

/* sv_jobs.c */
void sv_job_prepare(struct sv *sv);
void sv_job_configure(struct sv *sv);
void sv_side_next(struct sv *sv); /* starts what waits for the side lane, if it is free */
void sv_flag_next(struct sv *sv); /* brings the flag on disk to what is wanted */
void sv_main_next(struct sv *sv); /* starts what waits for the main lane, if it is free */
void sv_job_kill(struct sv *sv, enum sv_lane lane);
void sv_jobs_init(struct sv *sv);
void sv_job_start(
	struct sv *sv, enum sv_lane lane, enum job_id id, const char *const *args, size_t n);

/* sv_backup.c */
void sv_backup_init(struct sv *sv);
bool sv_backup_allowed(const struct sv *sv, const struct order *o, struct order_reply *r);
bool sv_hot_allowed(const struct sv *sv, const struct order *o, struct order_reply *r);
void sv_hot_end(struct sv *sv, bool stop); /* else it is given up */
void sv_hot_done(struct sv *sv, const struct job_report *r);
void sv_backup_start(struct sv *sv, const struct order *o);
void sv_backup_done(struct sv *sv, const struct sv_job *job, const struct job_report *r);
void sv_backup_end(struct sv *sv);  /* postgres is going: no backup goes on */
void sv_backup_tick(struct sv *sv); /* once a second */
void sv_prune_done(struct sv *sv, const struct sv_job *job, const struct job_report *r);
bool sv_delete_allowed(const struct sv *sv, struct order_reply *r);
void sv_delete_start(struct sv *sv, const struct order *o);

/* sv_driven.c */
bool sv_driven(const struct sv *sv);         /* by orders with tokens */
bool sv_driven_follows(const struct sv *sv); /* and not to be the primary */
bool sv_driven_allowed(const struct sv *sv, const struct order *o, struct order_reply *r);
bool sv_driven_known(const struct sv *sv, const struct order *o); /* nothing, or no more to do */
void sv_driven_take(struct sv *sv, const struct order *o);        /* one with a token */
bool sv_driven_waits(const struct sv *sv, const struct operation *op); /* for its token */
void sv_driven_written(struct sv *sv, const struct job_report *r);
void sv_driven_read(struct sv *sv, const char *text); /* as it stands in the state file */
void sv_driven_look(struct sv *sv);
void sv_op_follow(struct sv *sv, struct operation *op);

/* sv_reinit.c */
bool sv_reinit_allowed(const struct sv *sv, struct order_reply *r);
void sv_reinit_start(struct sv *sv);
void sv_reinit_prepared(struct sv *sv, const struct job_report *r); /* a preparation has ended */
void sv_op_reinit(struct sv *sv, struct operation *op);
void sv_gone_cared(struct sv *sv, const struct job_report *r);    /* the job members has ended */
void sv_gone_prepared(struct sv *sv, const struct job_report *r); /* a preparation has ended */

/* sv_drain.c */
void sv_drain_init(struct sv *sv);
void sv_drain_begin(struct sv *sv); /* instead of ending at once */
void sv_drain_look(struct sv *sv);  /* the archiver has news */
void sv_drain_again(struct sv *sv); /* the archiver was started again */
void sv_drain_tick(struct sv *sv);
void sv_drain_cut(struct sv *sv); /* somebody is in a hurry */

/* sv_lease.c */
void sv_lease_init(struct sv *sv);
bool sv_lease_on(const struct sv *sv);          /* there is one */
bool sv_lease_fresh(const struct sv *sv);       /* ours and before V1; without one always */
int64_t sv_lease_limit_ns(const struct sv *sv); /* V3, boot time; CLOCK_NEVER: no limit */
int64_t sv_lease_kill_ns(const struct sv *sv);  /* V2 of a lost one, boot time */
void sv_lease_look(struct sv *sv);              /* the elector has news, or time has passed */
bool sv_lease_known(struct sv *sv);             /* else the preparation comes later by itself */
void sv_lease_bind(struct sv *sv);              /* postgres begins to be writable */
void sv_lease_free(struct sv *sv);              /* nothing of it is left */
void sv_lease_ask(struct sv *sv, const struct elector_order *o);
enum fsm_event sv_lease_claim(struct sv *sv); /* LEASE_MINE, or NONE: the answer comes later */
void sv_lease_end(struct sv *sv);             /* ends podgres, once the Lease was given back */
void sv_lease_leave(struct sv *sv);
void sv_lease_configured(struct sv *sv, const struct job_report *r); /* a reload has ended */
void sv_lease_care(struct sv *sv);
void sv_lease_handed(struct sv *sv, const struct job_report *r);
void sv_lease_checkpointed(struct sv *sv, const struct job_report *r);
void sv_lease_cared(struct sv *sv, const struct job_report *r); /* the job members has ended */

/* sv_ending.c */
void sv_ending_init(struct sv *sv);
bool sv_ending_begins(struct sv *sv); /* false: stop now */
void sv_ending_over(struct sv *sv);   /* stops, if that is what was waited for */
void sv_ending_skip(struct sv *sv);   /* the stop is under way */
void sv_ending_look(struct sv *sv);

/* sv_postgres.c */
void sv_pg_init(struct sv *sv);
void sv_pg_start(struct sv *sv);
int sv_pg_adopt(struct sv *sv, pid_t pid, struct err *e) MUSTCHECK; /* one that runs already */
void sv_pg_words_late(struct sv *sv); /* the reason of an early end, once the logger has it */
void sv_pg_look(struct sv *sv);       /* the monitor has news */
void sv_pg_stop(struct sv *sv, enum ladder_cause cause);
void sv_pg_next_rung(struct sv *sv);
int64_t sv_budget_ms(const struct sv *sv);
void sv_pg_settle(struct sv *sv); /* is everything gone? */
void sv_pg_signal(struct sv *sv, int sig);

/* sv_orders.c */
void sv_do(struct sv *sv, const struct order *o); /* without further questions */
void sv_order(struct sv *sv, const struct order *o, struct order_reply *r);
void sv_refuse(struct order_reply *r, enum err_kind kind, const char *why);
void sv_pause(struct sv *sv, bool on);
bool sv_fenced(const struct sv *sv); /* wanted, or not yet cleared on disk */
void sv_fence_want(struct sv *sv, bool on, const char *by, const char *reason);
void sv_ops_update(struct sv *sv);
void sv_op_end(struct sv *sv, struct operation *op, enum err_kind kind, const char *why);
void sv_op_phase(struct sv *sv, struct operation *op, const char *phase);
void sv_op_finish(struct sv *sv, enum order_kind kind, enum err_kind err, const char *why);
