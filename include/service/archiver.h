/*
 * archiver - what the files of the archiver share.
 *
 * The service itself never touches the store: it owns wal.sock, the queue, the schedule and the
 * section SEC_ARCHIVE, and turns a loop.  Each transfer is one task of one worker: a child forked
 * from the service (no exec), plain sequential code, one store connection of its own, killed when
 * its task is over its deadline, gone when nothing was to do for a minute.  So a hung TLS library
 * costs one child, and an idle pod pays for no library at all.
 */
#pragma once

#include "base/clock.h"
#include "service/archive.h"
#include "service/drill_record.h"
#include "service/service.h"

enum archiver_task_kind {
	TASK_PUSH,    /* name, path */
	TASK_FETCH,   /* name, path (destination), source */
	TASK_OWNER,   /* whose folder is it; flag: make the marker */
	TASK_CATALOG, /* writes RUN_DIR/catalog.json */
	TASK_GAP,     /* name: a gap object for this segment */
};

/* Fixed size, over the worker's socket. */
struct archiver_task {
	uint64_t id;
	uint32_t kind;
	int32_t source; /* -1: the own store; else number in spec's externalClusters */
	bool flag;      /* TASK_FETCH: NAME.partial will do; TASK_CATALOG: read all of it;
			   TASK_PUSH: look what stands beside it */
	bool look;      /* TASK_PUSH: only look whether it is there */
	bool leased;    /* ends when the Lease is not ours any more */
	bool ahead;     /* TASK_FETCH: nobody waits for it */
	bool unused;    /* TASK_FETCH: that the archive is empty may be so */
	bool sweep;     /* TASK_CATALOG: first remove what killed workers left */
	char name[64];
	char path[PATH_LEN];
	uint64_t system_id;
	uint32_t segment_bytes;
	uint32_t learnt;     /* what other workers know of the own store: store_teach() */
	int64_t deadline_ns; /* boot time */
};

/* What TASK_CATALOG found: the fields of struct archive_facts with the same names. */
struct archiver_summary {
	int64_t catalog_wall_us; /* 0: not a TASK_CATALOG, or it failed */
	int32_t backups;
	char last_backup[32], last_failed_backup[32];
	int64_t last_backup_wall_us, last_backup_bytes, last_backup_stored, last_backup_ms;
	int64_t last_failed_backup_wall_us;
	int64_t first_point_wall_us, last_point_wall_us;
	uint64_t gaps;
	bool broken_window; /* a gap is newer than the end of the newest backup */
	struct drill_record drill;
};

struct archiver_done {
	uint64_t id;
	uint32_t learnt;   /* store_learnt() of the own store; 0: it was not asked */
	uint32_t err_kind; /* ERR_NONE: done */
	int32_t code;      /* HTTP status, errno */
	bool same;
	uint32_t throttled; /* answers of the store that asked us to slow down */
	int64_t bytes, stored_bytes;
	char msg[512];
	struct archiver_summary summary;
};

/* ---- archiver_catalog: what TASK_CATALOG does, in a worker ---- */

#define CATALOG_FILE "catalog.json" /* below RUN_DIR */
#define CATALOG_EVERY_MS (5 * 60 * SEC_MS)

/* Reads the catalogue of the own store and writes RUN_DIR/catalog.json.  Segments are listed from
 * the last known one on, all of them once an hour and when the task's flag is set.
 * task->segment_bytes may be 0. */
int archiver_catalog(struct archive *a, const struct archiver_task *task, const char *run_dir,
	struct archiver_summary *out, struct err *e) MUSTCHECK;

/* ---- wal.sock: SOCK_SEQPACKET, one request and its answers a connection ---- */

#define WAL_PROTOCOL 1

struct wal_request {
	uint32_t protocol; /* WAL_PROTOCOL */
	uint32_t restore;  /* 0 archive, 1 restore */
	char name[64];     /* %f; of archive: last component of the path */
	char path[1024];   /* absolute: what to archive, or where to put it */
};

/* Sent every 5 s while it works (state WAL_WORKING), and once at the end. */
enum wal_state { WAL_WORKING, WAL_DONE, WAL_ABSENT, WAL_FAILED };

struct wal_answer {
	uint32_t state;
	uint32_t exit_code; /* for podgres-wal when WAL_FAILED */
	char msg[512];      /* one line for PostgreSQL's log, "" when done */
};
