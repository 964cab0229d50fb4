/*
 * shared - what stands on the board, section by section, and what travels over the channels.
 *
 * One writer per section.  Everything is fixed size and free of pointers.  Strings are
 * NUL-terminated, "" when unknown; wall times are microseconds since 1970, 0 when unknown; boot
 * times are CLOCK_BOOTTIME nanoseconds, 0 when unknown; LSNs are 64 bit, 0 when unknown.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/fsm.h"
#include "core/order.h"
#include "service/shared_elector.h"
#include "sys/board.h"

/* ---- processes ---- */

enum service_id {
	SERVICE_SUPERVISOR, /* slot 0 of heartbeats and of services[] */
#define SERVICE(name, text, user, hung_ms, does) SERVICE_##name,
#include "tbl/services.h"
#undef SERVICE
	SERVICES
};

enum job_id {
	JOB_NONE,
#define JOB(name, text, lane, deadline_s, does) JOB_##name,
#include "tbl/jobs.h"
#undef JOB
	JOBS
};

/* Descriptors a child finds open.  The first three streams: 0 is /dev/null, 1 and 2 the log pipe.
 */
enum shared_fd {
	FD_BOARD = 3,
	FD_CHANNEL = 4, /* services only */
	/* api */
	FD_LISTEN_HTTP = 5,
	FD_LISTEN_METRICS = 6,
	FD_LISTEN_CONTROL = 7,
	/* archiver */
	FD_LISTEN_WAL = 5, /* RUN_DIR/wal.sock */
	/* logger: where to read, and the real stdout */
	FD_LOG_PIPE = 5,  /* raw output of every process of the pod */
	FD_LOG_JSON = 6,  /* FIFO RUN_DIR/log/postgres.json */
	FD_LOG_CSV = 7,   /* FIFO RUN_DIR/log/postgres.csv */
	FD_LOG_PLAIN = 8, /* FIFO RUN_DIR/log/postgres: the collector's own stderr file */
	FD_LOG_OUT = 9,
	/* postgres: the volume's lock, held as long as any of its processes lives */
	FD_LOCK_STATE = 10,
	FD_LOCK_DATA = 11,
};

/* ---- SEC_OPTIONS, written once by the supervisor before anything is started ---- */

#define PATH_LEN 512

/* Who says which instance is the primary. */
enum coordination {
	COORDINATION_NONE,       /* nobody: the instance is alone, or driven by orders */
	COORDINATION_KUBERNETES, /* the Lease named like the cluster */
};

/* Whom a member is cloned from. */
enum clone_from { CLONE_FROM_AUTO, CLONE_FROM_PRIMARY, CLONE_FROM_ARCHIVE };

/* What is kept of WAL that the primary does not have. */
enum keep_diverged { KEEP_DIVERGED_WAL, KEEP_DIVERGED_NONE };

struct run_options {
	char config[PATH_LEN];    /* manifest; "" for none */
	char pgdata[PATH_LEN];    /* absolute */
	char waldir[PATH_LEN];    /* POSTGRES_INITDB_WALDIR; "" for inside PGDATA */
	char bindir[PATH_LEN];    /* given; "" to find by PG_VERSION */
	char run_dir[PATH_LEN];   /* control.sock, wal.sock, postgres' socket, log/ */
	char state_dir[PATH_LEN]; /* durable: manager.state, lock; on PGDATA's volume */
	char secrets_dir[PATH_LEN];
	char initdb_dir[PATH_LEN]; /* /docker-entrypoint-initdb.d */
	uint32_t port;             /* of postgres, given by option or PGPORT; 0: not given */
	char user[64];             /* whom postgres runs as when we are root */
	uint32_t uid, gid;         /* resolved from user when root, else our own */
	char pod_name[256];
	char pod_namespace[256];
	char pod_uid[64];
	char pod_ip[64];
	char cluster_name[256];
	char listen[128]; /* "0.0.0.0:8000" as given; "" for off */
	char metrics_listen[128];
	char tls_cert[PATH_LEN], tls_key[PATH_LEN], tls_client_ca[PATH_LEN]; /* "" for none */
	char token_file[PATH_LEN]; /* bearer token for orders; "" for none */
	bool status_auth;          /* GET /pg/status needs what orders need */
	bool log_text;
	uint32_t log_level;      /* enum log_level */
	int64_t watchdog_ms;     /* the fencer kills when the supervisor is silent for so long */
	int64_t grace_ms;        /* the whole stop; 0: from the manifest's stopDelay */
	char session_id[40];     /* random UUID of this start */
	char started_by[64];     /* pid 1 or not, for status */
	bool is_init;            /* getpid() == 1 in the supervisor */
	uint32_t coordination;   /* enum coordination */
	char kube_api[PATH_LEN]; /* "https://host:port"; "" for what the pod's service account says
				  */
	char kube_token[PATH_LEN], kube_ca[PATH_LEN]; /* files; "" for the service account's */
	uint32_t clone_from;                          /* enum clone_from */
	uint32_t keep_diverged;                       /* enum keep_diverged */
	int64_t keep_old_ms; /* a former data directory, from when the next one streams */
	int64_t started_wall_us;
	int64_t started_boot_ns;
};

/* ---- SEC_PLAN, written by the jobs prepare and configure ---- */

#define PLAN_PRIORITIES 16

struct plan_priority {
	char name[64]; /* of the pod */
	int32_t priority;
};

/* Synchronous replication and failover, from the manifest: struct spec_sync. */
struct plan_failover {
	int32_t instances;
	bool first;
	int32_t number, least, max_names;
	int64_t lag_bytes; /* maximumLagOnFailover; -1: no limit */
	uint32_t priorities;
	struct plan_priority priority[PLAN_PRIORITIES];
};

/* What this instance had as a primary and gave up when it followed another one. */
struct plan_lost {
	char at[40];       /* RFC 3339; "": never */
	uint32_t timeline; /* that was left at from */
	uint64_t from, to;
	char primary[64];    /* that went on */
	char kept[PATH_LEN]; /* folder with a copy of the WAL; "": none */
};

#define PLAN_WARNINGS 16

struct plan_pending {
	char name[64];
	char old_value[96];
	char new_value[96];
};

struct plan {
	uint64_t generation;     /* grows with each run of a job that wrote it */
	char postgres[PATH_LEN]; /* the program to exec */
	char bindir[PATH_LEN];
	char waldir[PATH_LEN]; /* real folder of pg_wal */
	int32_t major;         /* 13 ... 18 */
	char version[64];      /* "15.20", from the program */
	int32_t port;
	char socket_dir[PATH_LEN]; /* of postgres */
	char superuser[64];
	char database[64]; /* the application's, or "postgres" */
	uint64_t system_id;
	uint32_t timeline;
	bool standby;     /* standby.signal is there, or the manifest makes it a replica */
	bool crashed;     /* pg_control is not "shut down": crash recovery comes */
	bool initialised; /* this run made the cluster */
	uint32_t wal_segment_bytes;
	/* from the manifest, milliseconds */
	int64_t start_delay_ms; /* startDelay: /startupz gives up when nothing moved for so long */
	int64_t stop_delay_ms;  /* stopDelay: the whole stop */
	int64_t smart_ms;       /* smartShutdownTimeout */
	int64_t switchover_ms;  /* switchoverDelay: fast to immediate when fencing */
	int64_t max_lag_bytes;  /* probes.readiness.maximumLag; -1: no limit */
	bool ready_needs_streaming; /* a standby must stream to be ready; false: may follow the
				       archive */
	struct plan_failover failover;
	bool fenced_by_manifest; /* annotation cnpg.io/fencedInstances names us */
	int64_t min_free_bytes;  /* below this on the WAL volume postgres is not started */
	bool huge_pages_off;     /* promised here but not granted: configure turns them off */
	bool fenced;             /* the durable fence flag, as prepare found it */
	char fence_reason[192];
	int64_t fence_wall_us;
	char config_hash[65];   /* SHA-256 of what was rendered */
	char config_error[512]; /* a broken manifest keeps the old one: FILE:LINE:COL: ... */
	char archive[64];       /* "none" */
	struct plan_lost lost;
	uint32_t warnings;
	char warning[PLAN_WARNINGS][320];
};

/* ---- SEC_JOB_MAIN, SEC_JOB_SIDE, SEC_JOB_FLAG, SEC_JOB_CARE, SEC_JOB_BACKUP: the job of that lane
 * ---- */

#define PREPARE_GONE "wal-gone" /* argument of the job prepare, before a position */

struct job_report {
	uint64_t run;     /* number of this run, given by the supervisor */
	uint32_t job;     /* enum job_id */
	uint32_t outcome; /* enum job_outcome, once done */
	uint32_t err_kind;
	char phase[64];
	float progress; /* 0..1, negative: unknown */
	int64_t done_bytes, total_bytes;
	bool clean;      /* of a backup that failed: nothing of it is left in the store */
	char result[64]; /* what came of it, "" for none: the ID of a backup */
	char error[512]; /* one line: what, where */
	char hint[320];  /* what to do about it */
};

enum job_outcome {
	JOB_OUT_NONE, /* not finished, or died without a word */
	JOB_OUT_OK,
	JOB_OUT_FAILED, /* err_kind, error and hint say why */
	JOB_OUT_NO_SPACE,
};

/* ---- SEC_SUPERVISOR ---- */

struct service_status {
	char name[16];
	int32_t pid; /* 0: not running */
	uint32_t restarts;
	int64_t started_wall_us;
	int64_t backoff_until_ns; /* 0: none */
	char reason[128];         /* why it was restarted last, or is held back */
};

enum pg_phase {
	PG_PHASE_DOWN,
	PG_PHASE_STARTING, /* exec'd, not yet accepting */
	PG_PHASE_ACCEPTING,
	PG_PHASE_STOPPING,
};

struct pg_exit {
	bool set;
	int32_t code; /* -1 when a signal ended it */
	int32_t sig;
	int64_t at_wall_us;
};

#define SHARED_OPERATIONS 16

struct supervisor_status {
	uint32_t state; /* enum fsm_state */
	char reason[512];
	int64_t since_wall_us;
	int64_t since_boot_ns;
	uint32_t pg_phase; /* enum pg_phase */
	int32_t pg_pid;
	int64_t pg_started_wall_us;
	int64_t pg_started_boot_ns;
	struct pg_exit pg_exit;
	uint32_t pg_starts;
	uint32_t
		tree; /* processes of the postgres tree counted while stopping or fenced; 0: gone */
	bool tree_gone;     /* no process of the postgres tree is left */
	bool fenced;        /* the fence is wanted */
	bool fence_durable; /* and stands on disk */
	char fence_reason[192];
	int64_t fence_wall_us;
	bool paused;
	bool stopping; /* podgres was asked to end */
	bool leaving;  /* and has nothing left to do but to give the Lease back */
	int64_t stop_deadline_ns;
	char ladder[96]; /* the rung we stand on: "fast, immediate in 12 s" */
	int64_t backoff_until_ns;
	uint64_t checkpointed;      /* number of the last checkpoint that the elector asked for */
	uint64_t handed;            /* number of the last hand-over whose end was looked at */
	char handed_error[200];     /* what the next primary lacks; "" for nothing */
	char checkpoint_error[160]; /* why it was not written in time; "" when it was */
	uint64_t orphans;           /* adopted zombies collected */
	int64_t watchdog_fired_wall_us;
	int64_t lease_deadline_ns;                     /* the deadline the fencer watches */
	int64_t lease_fence_ns;                        /* V3 of the Lease, as it is reckoned with */
	uint32_t operations;                           /* ever; the newest are in the ring */
	struct operation operation[SHARED_OPERATIONS]; /* slot = number % SHARED_OPERATIONS */
	struct service_status service[SERVICES];
	struct plan plan;      /* the plan in force */
	struct job_report job; /* the main lane, as last seen */
	char job_name[16];     /* "" when none runs */
};

/* ---- SEC_POSTGRES, written by the monitor ---- */

#define PG_REPLICAS 16
#define PG_SLOTS 32
#define PG_COLLATIONS 16
#define PG_PENDING 16
#define PG_CONTROL_BYTES 512
#define PG_HISTORY 64

struct pg_replica {
	char application_name[64], state[24], sync_state[16], client_addr[48], usename[64];
	uint64_t sent_lsn, write_lsn, flush_lsn, replay_lsn;
	char write_lag[32], flush_lag[32], replay_lag[32];
	int32_t sync_priority;
};

struct pg_slot {
	char name[64], plugin[64], type[16], database[64], wal_status[16];
	uint32_t datoid;
	uint32_t xmin, catalog_xmin;
	uint64_t restart_lsn;
	int64_t safe_wal_size; /* INT64_MIN: null */
	bool active;
};

struct pg_collation {
	char database[64];
	char recorded[64], actual[64]; /* versions */
};

struct pg_history_entry {
	uint32_t timeline;
	uint64_t lsn;
	char reason[96];
};

enum pg_accept {
	PG_ACCEPT_UNKNOWN,
	PG_ACCEPT_NO,
	PG_ACCEPT_STARTING,
	PG_ACCEPT_YES,
	PG_ACCEPT_STOPPING
};

struct pg_facts {
	int32_t pid;       /* of the postmaster these facts are about; 0: none */
	uint32_t accept;   /* enum pg_accept */
	char problem[256]; /* what is wrong, one line; "" when nothing */
	char hint[256];
	int64_t connect_ok_ns; /* last time a new connection worked */
	int64_t heard_ns;      /* the same, or was refused with a reason: "too many clients" */
	int64_t query_ok_ns;   /* last time a query answered */
	int64_t flush_ok_ns;   /* last time WAL was seen flushed, or nothing waited for it */
	/* role and positions, from the last answered query */
	bool known; /* at least one query answered since the postmaster started */
	bool in_recovery;
	bool replay_paused;
	bool receiver_active; /* pg_stat_wal_receiver has a row in state streaming */
	bool has_primary_conninfo;
	bool local_replayed;   /* of the WAL that is here nothing is left to read: what was
				  received is known */
	char checkpointer[32]; /* what the checkpointer waits for, with synchronous replication */
	char sync_names[1280]; /* synchronous_standby_names as the server has it */
	uint32_t timeline;
	uint64_t system_id;
	uint64_t current_lsn, insert_lsn, flush_lsn, received_lsn, replay_lsn, latest_end_lsn;
	int64_t replay_wall_us; /* pg_last_xact_replay_timestamp */
	uint64_t written_lsn;   /* end of our own flushed test write after a promotion; 0: none */
	uint32_t written_timeline;
	int64_t postmaster_start_wall_us;
	int32_t server_version_num;
	char current_wal[25];
	char archived_wal[64], failed_wal[64];
	int64_t archived_wall_us, failed_wall_us;
	int32_t ready_wal_files; /* -1: unknown */
	char archive_mode[16];
	int32_t connections, max_connections, superuser_reserved;
	uint32_t pending_count; /* settings that wait for a restart */
	struct plan_pending pending[PG_PENDING];
	bool pending_decrease;
	char config_hash[65]; /* podgres.config_hash as the server has it */
	uint32_t replicas;    /* rows of pg_stat_replication, may exceed PG_REPLICAS */
	struct pg_replica replica[PG_REPLICAS];
	uint32_t slots;
	struct pg_slot slot[PG_SLOTS];
	uint32_t collations; /* databases whose recorded version differs from the library's */
	struct pg_collation collation[PG_COLLATIONS];
	/* crash or archive recovery before connections are possible */
	bool redo;             /* the startup process replays */
	char redo_wal[25];     /* the segment in its title */
	float redo_progress;   /* 0..1, negative: unknown */
	int64_t redo_moved_ns; /* last time the position moved */
	/* files */
	bool data_gone;         /* global/pg_control or PG_VERSION is missing or another file */
	uint32_t control_bytes; /* of control; 0: unreadable */
	unsigned char control[PG_CONTROL_BYTES];
	int64_t disk_data_total, disk_data_free, disk_wal_total,
		disk_wal_free; /* bytes, -1: unknown */
	int64_t wal_bytes;     /* in pg_wal, -1: unknown */
	int32_t wal_files,
		done_wal_files; /* segments there; .done in archive_status; -1: unknown */
	int64_t memory_used, memory_limit; /* of the container, bytes; -1: unknown, none */
	bool reserve_present;              /* the reserve file is in place */
	uint32_t histories;
	struct pg_history_entry history[PG_HISTORY];
	/* memory of our own processes, bytes, by service_id */
	int64_t rss_bytes[SERVICES];
	uint32_t shm_percent; /* use of /dev/shm */
};

/* ---- SEC_LOG, written by the logger ---- */

#define LOG_LAST_LINES 20
#define LOG_LAST_BYTES 400

struct log_facts {
	uint64_t lines;   /* ever written to stdout */
	uint64_t dropped; /* lost because stdout was not read */
	uint64_t dropped_bytes;
	uint64_t truncated;        /* longer than the limit */
	uint64_t records;          /* of postgres */
	int64_t stdout_blocked_ns; /* boot time since when stdout takes nothing; 0: it flows */
	uint32_t count;            /* lines below, oldest first */
	char line[LOG_LAST_LINES][LOG_LAST_BYTES]; /* postgres' own: "FATAL:  ..." */
};

/* ---- SEC_API ---- */

struct api_facts {
	uint64_t requests;
	uint64_t errors;     /* 5xx other than probes' 503 */
	char tls_error[256]; /* a certificate that could not be loaded */
	int64_t cert_expires_wall_us;
	uint64_t scrapes;   /* GET /metrics */
	int64_t scraped_ns; /* the last, boot time; 0: never */
	int64_t scrape_ns;  /* what it took */
	uint64_t scrape_bytes;
};

/* ---- SEC_ARCHIVE, written by the archiver ---- */

enum archive_state {
	ARCHIVE_STATE_NONE,     /* no destination: nothing is archived, by choice */
	ARCHIVE_STATE_STARTING, /* the store was not yet asked */
	ARCHIVE_STATE_OK,
	ARCHIVE_STATE_FAILING,  /* the last attempt failed; it is tried again */
	ARCHIVE_STATE_FOREIGN,  /* the folder belongs to another cluster: nothing is written */
	ARCHIVE_STATE_CONFLICT, /* other bytes stand under a segment's name: two primaries? */
};

#define ARCHIVE_JOBS 64

enum archive_job_state {
	ARCHIVE_JOB_RUNNING,
	ARCHIVE_JOB_DONE,
	ARCHIVE_JOB_FAILED,
	ARCHIVE_JOB_ABSENT
};

/* One file going out or coming in.  Number n stands in slot n % ARCHIVE_JOBS. */
struct archive_job {
	uint64_t number; /* from 1; 0: the slot is empty */
	uint32_t state;  /* enum archive_job_state */
	bool restore;    /* else archive */
	bool ahead;      /* begun before postgres asked for it */
	char name[64];
	int64_t started_wall_us, finished_wall_us;
	int64_t bytes, stored_bytes; /* as postgres knows it; as it is in the store */
	uint32_t err_kind;
	char error[160];
};

struct archive_facts {
	uint32_t state;             /* enum archive_state */
	char destination[PATH_LEN]; /* s3://bucket/path/server, "" for none */
	char problem[512], hint[256];
	char owner[256];         /* whose the folder is, when it is foreign */
	uint32_t err_kind;       /* of the problem */
	int32_t err_code;        /* HTTP status or errno, 0: none */
	int64_t failing_wall_us; /* since when; 0: it does not fail */
	int64_t queue;           /* files that wait, the .ready of archive_status; -1: unknown */
	int64_t oldest_ready_wall_us; /* 0: none waits */
	char last_archived[64], last_failed[64];
	int64_t last_archived_wall_us, last_failed_wall_us;
	uint64_t archived_lsn;   /* everything before it is in the archive; 0: unknown */
	uint64_t continuous_lsn; /* the same with the parts of the current segment; 0: off */
	int64_t exposed_wall_us; /* when the oldest WAL that is not in the archive was written;
				    0: all of it is there */
	uint64_t archived, failed, conflicts, restored, restore_hits, restore_absent,
		restore_failed, gaps;
	uint64_t bytes_read, bytes_stored;
	char conflict[64]; /* the segment of the split-brain alarm; "": none */
	int64_t conflict_wall_us;
	bool broken_window; /* WAL was dropped: a new base backup is needed */
	bool drained;       /* after postgres ended: nothing is left to do, or leave it */
	int64_t left;       /* files that did not go out by then */
	/* catalogue, as last read */
	int64_t catalog_wall_us; /* 0: never */
	int32_t backups;
	char last_backup[32], last_failed_backup[32];
	int64_t last_backup_wall_us, last_backup_bytes, last_backup_stored, last_backup_ms;
	int64_t last_failed_backup_wall_us;
	int64_t first_point_wall_us, last_point_wall_us; /* the window; 0: none */
	int64_t next_backup_wall_us;                     /* by the schedules; 0: none */
	int64_t drill_wall_us, drill_ms; /* end of the last restore drill that went well, 0: none */
	bool drill_failed;               /* the last one did not */
	uint64_t jobs;                   /* number of the newest */
	struct archive_job job[ARCHIVE_JOBS];
};

/* ---- SEC_COLLECTOR, written by the collector ---- */

enum collector_state {
	COLLECTOR_WAITING,    /* postgres takes no connections */
	COLLECTOR_CONNECTING, /* or holding back after a failure */
	COLLECTOR_OK,
	COLLECTOR_PARTIAL, /* some queries failed in the last pass */
	COLLECTOR_FAILING, /* no connection, no login, or no answer */
};

struct collector_facts {
	uint32_t state;    /* enum collector_state */
	char problem[256]; /* "" when none; the first one */
	char hint[256];
	char sqlstate[6];
	int32_t connections; /* held now */
	uint64_t passes, failed_passes, reconnects, cache_hits, cache_misses;
	int64_t pass_ns, pass_wall_us; /* end of the last complete pass */
	float pass_s, sweep_s;         /* what the last ones took */
	uint32_t queries, broken;      /* known; left out by the breaker */
	/* of the server's settings, bytes or counts; -1: unknown */
	int64_t min_wal_bytes, max_wal_bytes, wal_keep_bytes, slot_keep_bytes;
	char synchronous_standby_names[256];
	uint32_t files;       /* of users' queries */
	uint32_t warnings;    /* in them: what `podgres check` says */
	char file_error[320]; /* FILE:LINE:COL: ..., the first; "" */
};

/* ---- SEC_PLOT, written by the monitor: the last 15 minutes for the page ---- */

#define PLOT_POINTS 180
#define PLOT_STEP_MS 5000
#define PLOT_REPLICAS 8

struct plot_point {
	int64_t wall_us;                    /* 0: no point */
	uint64_t wal_lsn;                   /* current, or received on a standby; 0: unknown */
	uint64_t replay_lsn;                /* on a standby */
	int64_t lag_bytes;                  /* of a standby, or the worst replica; -1: unknown */
	float lag_s;                        /* the same in time; negative: unknown */
	float exposed_s;                    /* WAL not in the archive; negative: unknown */
	int32_t connections;                /* -1: unknown */
	int64_t queue;                      /* files that wait for the archive; -1: unknown */
	int64_t disk_free;                  /* of the data volume, -1: unknown */
	uint32_t state;                     /* enum fsm_state */
	int64_t replica_lag[PLOT_REPLICAS]; /* bytes not replayed, in the order of pg_facts; -1 */
};

struct plot {
	uint64_t count; /* ever; the newest is at (count - 1) % PLOT_POINTS */
	struct plot_point point[PLOT_POINTS];
};

/* ---- SEC_ELECTOR: service/shared_elector.h ---- */

/* ---- sections ---- */

enum section {
	SEC_OPTIONS,
	SEC_SUPERVISOR,
	SEC_PLAN,
	SEC_JOB_MAIN,
	SEC_JOB_SIDE,
	SEC_JOB_FLAG,
	SEC_JOB_CARE,
	SEC_JOB_BACKUP,
	SEC_POSTGRES,
	SEC_LOG,
	SEC_API,
	SEC_ARCHIVE,
	SEC_COLLECTOR,
	SEC_METRICS, /* METRICS_MAX_BYTES, written in part: service/metrics.h */
	SEC_PLOT,
	SEC_ELECTOR,
	SECTIONS
};

extern const size_t shared_sizes[SECTIONS];

#define shared_write(board, sec, ptr) board_write(board, sec, ptr, sizeof(*(ptr)))
#define shared_read(board, sec, ptr) board_read(board, sec, ptr, sizeof(*(ptr)))

/* ---- messages ---- */

enum msg_type {
	MSG_POKE = 1,    /* either way: something on the board is new.  No body */
	MSG_ORDER,       /* api -> supervisor: struct order; answered with the same id */
	MSG_ORDER_REPLY, /* supervisor -> api: struct order_reply */
	MSG_REOPEN,      /* supervisor -> services: SIGUSR1.  No body */
	MSG_DRAIN,       /* supervisor -> archiver: postgres is gone, archive what is left; body:
			    int64_t, boot time in ns until which.  archive_facts.drained answers */
	MSG_ELECT,       /* supervisor -> elector: struct elector_order */
	MSG_CATALOG,     /* supervisor -> archiver: backups changed, read the catalogue again */
	MSG_PROMISE,     /* api -> supervisor -> elector: struct promise_question */
	MSG_PROMISED,    /* elector -> supervisor -> api, with its id: struct promise_answer */
};

struct order_reply {
	uint32_t err_kind;         /* ERR_NONE: accepted */
	char op_id[ORDER_ID_SIZE]; /* "" when refused */
	bool repeated;             /* the Idempotency-Key was known: op_id is the earlier one's */
	char reason[320];          /* the sentence of the state table, when refused */
};

const char *service_text(enum service_id id);
const char *job_text(enum job_id id);
