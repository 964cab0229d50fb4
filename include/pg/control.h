/*
 * control - global/pg_control of PostgreSQL 13 to 18.
 *
 * The layout is struct ControlFileData of src/include/catalog/pg_control.h on 64-bit machines, in
 * the machine's own byte order: pg_control_version 1300 (PostgreSQL 13 to 16), 1700 and 1800 (which
 * put default_char_signedness before the nonce).  The major follows from catalog_version_no.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define CONTROL_BYTES 512 /* as much of the file as ever matters: it is written as one sector */
#define CONTROL_NONCE 32

enum control_state { /* DBState */
	CONTROL_STARTING_UP,
	CONTROL_SHUT_DOWN,
	CONTROL_SHUT_DOWN_IN_RECOVERY,
	CONTROL_SHUTTING_DOWN,
	CONTROL_IN_CRASH_RECOVERY,
	CONTROL_IN_ARCHIVE_RECOVERY,
	CONTROL_IN_PRODUCTION,
	CONTROL_STATES
};

struct control_checkpoint {
	uint64_t redo; /* LSN */
	uint32_t timeline, prev_timeline;
	bool full_page_writes;
	uint64_t next_xid; /* with the epoch above */
	uint32_t next_oid, next_multi, next_multi_offset;
	uint32_t oldest_xid, oldest_xid_db, oldest_multi, oldest_multi_db;
	int64_t time_s; /* since 1970 */
	uint32_t oldest_commit_ts_xid, newest_commit_ts_xid, oldest_active_xid;
};

struct control {
	uint64_t system_id;
	uint32_t version; /* 1300, 1700 or 1800 */
	uint32_t catalog;
	int major;      /* 13 to 18, by catalog; 0: a catalog version of no release */
	uint32_t state; /* enum control_state; a damaged file may hold anything */
	int64_t modified_s;
	uint64_t checkpoint; /* LSN of the latest checkpoint's record */
	struct control_checkpoint copy;
	uint64_t unlogged_lsn;
	uint64_t min_recovery_point;
	uint32_t min_recovery_timeline;
	uint64_t backup_start_point, backup_end_point;
	bool backup_end_required;
	int32_t wal_level; /* 0 minimal, 1 replica, 2 logical */
	bool wal_log_hints;
	/* what a standby must not go below */
	int32_t max_connections, max_worker_processes, max_wal_senders, max_prepared_xacts,
		max_locks_per_xact;
	bool track_commit_timestamp;
	uint32_t max_align, block_bytes, relation_segment_blocks, wal_block_bytes,
		wal_segment_bytes, name_len, index_keys, toast_chunk_bytes,
		large_object_chunk_bytes;
	bool float8_by_value;
	uint32_t checksum_version; /* 0: no data checksums */
	bool char_signed;          /* 1800 only */
	unsigned char nonce[CONTROL_NONCE];
	uint32_t crc;
	bool crc_ok;
};

/* Fails with ERR_CORRUPT when the bytes are too few, of an unknown version, or the CRC is wrong; in
 * the last case *out is filled in all the same. */
int control_parse(struct control *out, const void *bytes, size_t n, struct err *e) MUSTCHECK;
/* Reads PGDATA/global/pg_control.  ERR_NOTFOUND when there is none. */
int control_read(struct control *out, const char *pgdata, struct err *e) MUSTCHECK;
/* The raw bytes, at most CONTROL_BYTES, for the board.  *n is what was read. */
int control_read_bytes(
	unsigned char out[CONTROL_BYTES], size_t *n, const char *pgdata, struct err *e) MUSTCHECK;

/* Points the latest checkpoint of PGDATA/global/pg_control at a place that does not exist: recovery
 * from backup_label never looks at it, and without the label postgres says that there is no valid
 * checkpoint instead of taking a restored base backup for a crashed server. */
int control_invalidate(const char *pgdata, struct err *e) MUSTCHECK;

/* Byte for byte what pg_controldata of that major prints in the C locale and our TZ, the warnings
 * about a wrong CRC and a wrong segment size included. */
void control_print(const struct control *c, struct buf *out);
/* Parse and print; fails only where nothing sensible can be printed. */
int control_print_bytes(struct buf *out, const void *bytes, size_t n, struct err *e) MUSTCHECK;

const char *control_state_text(uint32_t state); /* "in production" */
/* Postgres was stopped in an orderly way: no crash recovery comes. */
bool control_clean(const struct control *c);
/* The timeline recovery will at least reach. */
uint32_t control_timeline(const struct control *c);
/* Major of a catalog version, 0 when it is of no release. */
int control_major(uint32_t catalog);
