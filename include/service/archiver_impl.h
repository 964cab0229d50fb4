/*
 * archiver_impl - what the files of the archiver service share.  Nothing else includes this.
 *
 *   archiver         life, plan, what to do next
 *   archiver_sock    wal.sock: who asks and what they are told
 *   archiver_worker  the children that do the transfers; archiver_task what they do
 *   archiver_push    files that go out: queue, failures, owner, back-off
 *   archiver_store   the store's health
 *   archiver_lease   of a cluster: who may archive, and what
 *   archiver_scan    looks at archive_status; the drain after postgres
 *   archiver_facts   SEC_ARCHIVE: jobs, exposure
 *   archiver_gap     drop-with-gap
 *   archiver_continuous  starts, hears and ends the receiver of backup.continuous
 */
#pragma once

#include "core/archive_line.h"
#include "service/archiver.h"
#include "service/archiver_queue.h"
#include "service/archiver_ring.h"
#include "service/archiver_schedule.h"

#define ARCHIVER_WORKERS 24
#define ARCHIVER_CLIENTS 64
#define ARCHIVER_SAMPLES 4096
#define ARCHIVER_GAPS 512
#define ARCHIVER_ANCESTORS 128

/* ---- workers ---- */

enum worker_class { WORKER_PUSH, WORKER_FETCH, WORKER_CARE, WORKER_CLASSES };

struct archiver;

struct archiver_worker {
	struct archiver *a;
	pid_t pid; /* 0: the slot is free */
	int fd;
	struct loop_fd src;
	enum worker_class class;
	bool busy;
	uint64_t job; /* its number on the board */
	struct archiver_task task;
	int64_t idle_since_ns;
};

/* ---- who asks ---- */

struct archiver_client {
	struct archiver *a;
	int fd; /* -1: the slot is free */
	struct loop_fd src;
	bool heard; /* the request is here */
	struct wal_request request;
	uint64_t who; /* for the ring */
	int64_t since_ns, told_ns;
};

/* ---- the store's health ---- */

enum owner_state { OWNER_UNKNOWN, OWNER_ASKED, OWNER_OURS, OWNER_FOREIGN };

struct archiver_health {
	unsigned fails;   /* in a row */
	unsigned stored;  /* since the start, or since the store changed */
	int64_t hold_ns;  /* nothing is begun before, boot time */
	int64_t said_ns;  /* when the log last heard of it */
	int64_t say_ms;   /* it hears of the same trouble again after so long */
	bool told;        /* of this trouble */
	int parallel;     /* uploads at once, now */
	int64_t eased_ns; /* when that last grew or shrank */
	enum owner_state owner;
	bool owner_made; /* the marker is there, or we may not make it */
	uint32_t owner_timeline;
	int64_t owner_again_ns;
	uint32_t learnt; /* what the workers found out: store_learnt() */
};

/* ---- whose turn it is, in a cluster ---- */

struct archiver_hold {
	int64_t until_ns;  /* the Lease is ours until then, boot time; 0: it is not */
	uint32_t timeline; /* that was published last; 0: none, or not known */
	uint64_t switch_lsn;
	uint32_t members;
};

struct archiver_lease {
	struct archiver_hold hold;
	bool held; /* when it was looked at last */
	struct loop_timer timer;
	uint32_t history_of; /* timeline; 0: of none */
	int64_t history_again_ns;
	struct lineage_history history;
	struct lineage_entry entry[ARCHIVER_ANCESTORS];
};

enum archiver_turn {
	ARCHIVER_SENDS,
	ARCHIVER_LOOKS, /* whether the primary has sent it */
	ARCHIVER_WAITS, /* nothing is done with it now */
	ARCHIVER_DROPS, /* of a line that was given up: it never goes out */
};

/* ---- after postgres ---- */

struct archiver_drain {
	bool on, done;
	int64_t by_ns;
	int64_t moved_ns; /* when a file last went out */
	char (*name)[ARCHIVE_NAME_SIZE];
	size_t names, next;
	int64_t left;
};

struct exposure_sample {
	uint64_t lsn;
	int64_t wall_us;
};

struct exposure {
	struct exposure_sample *sample; /* oldest first */
	size_t n;
	int64_t gap_us; /* between samples, at least */
	struct exposure_sample last;
};

/* One dropped segment. */
struct archiver_gap {
	char name[ARCHIVE_NAME_SIZE];
	bool told; /* the gap object is in the store */
};

struct archiver_gaps {
	struct archiver_gap gap[ARCHIVER_GAPS];
	size_t n;
	uint64_t task; /* the one under way */
	bool loaded;
	int64_t order_ns; /* a new base backup is not asked for before */
};

/* The receiver of backup.continuous. */
struct archiver_continuous {
	pid_t pid; /* 0: none */
	int fd;
	struct loop_fd src;
	int64_t heard_ns, again_ns;
	unsigned fails;
};

struct archiver {
	struct service *s;
	pid_t self;
	/* what is wanted */
	struct spec *spec; /* NULL: no manifest was readable yet */
	struct archiver_schedule schedule;
	char manifest_hash[SHA256_HEX_SIZE];
	uint64_t generation; /* of the plan that was looked at */
	bool has_store;
	bool pending; /* the running postgres was started without archive_mode */
	char wal_dir[PATH_LEN];
	uint64_t system_id; /* 0: not known yet */
	/* what others know */
	struct supervisor_status sup;
	struct pg_facts pg;
	int64_t stopping_ns;    /* since when postgres is being stopped; 0: it is not */
	int64_t stop_waited_ns; /* how long its archiver has waited for us since */
	/* what goes on */
	struct loop_fd listen;
	struct loop_timer again;
	struct archiver_worker worker[ARCHIVER_WORKERS];
	struct archiver_client client[ARCHIVER_CLIENTS];
	uint64_t tasks, clients;
	struct queue queue;
	struct ring *ring;
	struct ring_spec ring_spec;
	const char *ring_label[RING_SOURCES];
	bool ring_cluster;    /* the ring knows that the cluster exists */
	uint32_t ring_starts; /* of postgres: another one follows a timeline of its own */
	bool ring_stale;      /* what it was told is not so any more */
	int64_t manifest_due_ns;
	int64_t restore_absent_ns; /* until then a standby is told at once that a file is not there
				    */
	struct archiver_health health;
	struct archiver_lease lease;
	struct archiver_drain drain;
	struct archiver_gaps gaps;
	struct exposure exposure;
	struct archiver_continuous continuous;
	int64_t scan_due_ns, catalog_due_ns, sweep_due_ns;
	bool scanned;
	bool catalog_all;
	int catalog_fails;
	struct archive_facts facts;
	bool dirty;
};

/* archiver.c */
void archiver_pump(struct archiver *a); /* starts what can be started */
bool archiver_is_primary(const struct archiver *a);
bool archiver_stopping(const struct archiver *a);

/* archiver_sock.c */
int archiver_sock_init(struct archiver *a, struct err *e) MUSTCHECK;
void archiver_sock_answer(struct archiver_client *c, const struct wal_answer *answer);
void archiver_sock_fail(struct archiver_client *c, int code, const char *msg);
void archiver_sock_tick(struct archiver *a);
void archiver_sock_ring(struct archiver *a); /* verdicts */
/* Those who wait for too long are answered; when the next one has, boot time or CLOCK_NEVER. */
int64_t archiver_sock_patience(struct archiver *a);

/* archiver_worker.c */
/* ERR_BUSY: no worker is free; else the task is under way, and its end comes to archiver_done(). */
int archiver_start(struct archiver *a, enum worker_class class, const struct archiver_task *task,
	uint64_t job, struct err *e) MUSTCHECK;
int archiver_busy(const struct archiver *a, enum worker_class class);
void archiver_workers_kill(struct archiver *a); /* what they do is not wanted any more */
void archiver_uploads_kill(struct archiver *a, const char *why);
void archiver_workers_tick(struct archiver *a);
void archiver_done(
	struct archiver *a, const struct archiver_worker *w, const struct archiver_done *done);
/* archiver_task.c: the life of a worker; never returns. */
void archiver_worker_main(struct archiver *a, int fd) __attribute__((noreturn));

/* archiver_push.c */
void archiver_push_ask(struct archiver *a, struct archiver_client *c);
void archiver_push_start(struct archiver *a);
void archiver_push_done(
	struct archiver *a, const struct archiver_worker *w, const struct archiver_done *done);
void archiver_push_tick(struct archiver *a);
void archiver_push_reset(struct archiver *a); /* another store, or another cluster */

/* archiver_store.c */
void archiver_store_failed(struct archiver *a, const char *what, const struct archiver_done *done);
void archiver_store_worked(struct archiver *a);

/* archiver_owner.c: is the folder ours? */
bool archiver_owner_fine(struct archiver *a, const char *name); /* may this file be sent? */
bool archiver_owner_known(const struct archiver *a);            /* it is ours: we may look */
void archiver_owner_start(struct archiver *a);
void archiver_owner_done(
	struct archiver *a, const struct archiver_worker *w, const struct archiver_done *done);

/* archiver_lease.c */
bool archiver_lease_on(const struct archiver *a); /* there is one */
bool archiver_lease_holds(const struct archiver_hold *h);
/* Reads the board; also for a worker. */
void archiver_lease_read(struct archiver_hold *h, struct board *board);
/* A primary, and the Lease is ours where there is one. */
bool archiver_may_write(const struct archiver *a);
enum archiver_turn archiver_turn(struct archiver *a, const struct queue_item *it);
void archiver_lease_init(struct archiver *a);
void archiver_lease_look(struct archiver *a);

/* archiver_scan.c */
bool archiver_ready(void *arg, const char *name); /* NAME.ready is there */
void archiver_scan_tick(struct archiver *a);
void archiver_drain_begin(struct archiver *a, int64_t by_ns);
void archiver_drain_look(struct archiver *a);

/* archiver_facts.c */
void archiver_facts_publish(struct archiver *a);
void archiver_facts_tick(struct archiver *a);
uint64_t archiver_job_begin(struct archiver *a, const char *name, bool restore, bool ahead);
void archiver_job_end(struct archiver *a, uint64_t number, enum archive_job_state state,
	const struct archiver_done *done);
/* Pure: when the oldest WAL beyond lsn was written; 0: there is none. */
int64_t exposure_since(const struct exposure *x, uint64_t lsn);
void exposure_add(struct exposure *x, uint64_t lsn, int64_t wall_us);
void exposure_forget(struct exposure *x);

/* archiver_gap.c */
bool archiver_gap_drop(struct archiver *a, const char *name); /* true: dropped, durably noted */
void archiver_gap_start(struct archiver *a);
void archiver_gap_done(
	struct archiver *a, const struct archiver_worker *w, const struct archiver_done *done);
void archiver_gap_load(struct archiver *a);
void archiver_gap_tick(struct archiver *a); /* asks for the base backup that ends it */
#define ARCHIVER_GAP_ORDER UINT64_C(0x676170)
void archiver_gap_reply(struct archiver *a, const struct order_reply *r);

/* archiver_continuous.c */
void archiver_continuous_tick(struct archiver *a);
void archiver_continuous_stop(struct archiver *a);
