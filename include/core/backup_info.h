/*
 * backup_info - Barman's backup.info: what one base backup is.
 *
 * Format: key=value lines in alphabetical order, "None" for empty; only the keys that Barman 3.4
 * knows are written, since it refuses files with others.  What else podgres knows stands in lines
 * that begin with "# podgres: ", which every version skips.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "core/archive_name.h"
#include "core/lineage.h"

enum backup_status { BACKUP_EMPTY, BACKUP_STARTED, BACKUP_FAILED, BACKUP_WAITING, BACKUP_DONE };

struct backup_tablespace {
	char name[64];
	uint32_t oid;
	char location[512];
};

#define BACKUP_TABLESPACES 64

struct backup_info {
	char id[BACKUP_ID_SIZE]; /* from the key, not in the file */
	char name[128];          /* backup_name; "": none */
	enum backup_status status;
	char error[512];
	uint32_t timeline;
	uint64_t begin_lsn, end_lsn;
	uint32_t begin_offset, end_offset;
	char begin_wal[LINEAGE_NAME_SIZE], end_wal[LINEAGE_NAME_SIZE];
	int64_t begin_us, end_us; /* wall, microseconds; 0: none */
	uint64_t system_id;
	int32_t version; /* 150020 */
	uint32_t segment_bytes;
	char pgdata[512];
	char server_name[256]; /* what stands there: "cloud" */
	char *label;           /* backup_label's text, owned; NULL: none */
	struct backup_tablespace tablespace[BACKUP_TABLESPACES];
	size_t tablespaces;
	/* # podgres: lines; 0 and "" when another program wrote the file */
	int64_t bytes;               /* of the data directory, before compression */
	int64_t stored_bytes;        /* of all objects */
	char parent[BACKUP_ID_SIZE]; /* of an incremental one */
	bool standby;                /* taken from one */
	bool checksum_failures;      /* pages whose checksum was wrong were reported */
	char writer[64];             /* "podgres 0.1.0" */
	/* Of one that is STARTED: who makes it.  When that pod starts again and
	 * finds it, it is dead. */
	char running_pod[256], running_session[40];
};

int backup_info_parse(
	struct backup_info *out, const char *text, size_t len, struct err *e) MUSTCHECK;
void backup_info_print(const struct backup_info *b, struct buf *out);
void backup_info_deinit(struct backup_info *b);
const char *backup_status_text(enum backup_status s); /* "DONE" */
