/*
 * archive - one Barman folder of a store, opened as the manifest says.
 *
 * Process: workers of the archiver, the jobs backup, prune and prepare, and the commands backup,
 * wal and restore.  Nothing here is for a process that must not wait.
 */
#pragma once

#include "core/archive_name.h"
#include "core/catalog.h"
#include "core/spec.h"
#include "service/shared.h"
#include "store/codec.h"
#include "store/store.h"

struct archive {
	struct store *store;
	char server[256]; /* first component of every key */
	char label[128];  /* "own", or the external cluster's name, for messages */
	enum codec wal_codec, data_codec;
	int wal_parallel, data_jobs;
	const struct spec_store *spec; /* borrowed */
	struct store_tag *history_tag; /* owned */
	size_t history_tags;
	/* private */
	void *keep;                      /* what the store's spec borrows */
	const char *fetch_extension;     /* of the last segment that was found; NULL: none yet */
	struct codec_stream *push_codec; /* these stay from one file to the next */
	enum codec push_format;          /* of push_codec */
	struct buf push_body;
	char *push_block;
};

/* How long and whether to go on; all 0: the store's defaults. */
struct archive_patience {
	int64_t total_ms;
	int attempts;
	bool (*cancelled)(void *arg);
	void *arg;
};

/* external NULL: the own store (spec.backup); else that external cluster's.  ERR_CONFIG when there
 * is none.  spec and opt are borrowed for the archive's life; patience may be NULL. */
struct archive_source {
	const struct spec *spec;
	const char *external;
	const struct run_options *opt;
	const struct archive_patience *patience;
};
int archive_open_from(
	struct archive **out, const struct archive_source *from, struct err *e) MUSTCHECK;
#define archive_open(out, its_spec, its_external, its_opt, its_patience, e) \
	archive_open_from(out,                                              \
		&(struct archive_source){.spec = its_spec,                  \
			.external = its_external,                           \
			.opt = its_opt,                                     \
			.patience = its_patience},                          \
		e)
struct archive *archive_close(struct archive *a); /* returns NULL */
DEFINE_AUTO(struct archive *, archive_close)
/* Memory that is kept for the next file goes back to the system. */
void archive_rest(struct archive *a);

/* ---- archive_owner: whose folder it is ---- */

/*
 * The marker SERVER/podgres/owner.json: {"systemId","cluster","namespace","createdAt","createdBy"}.
 * Absent: the owner is found by the backups and segments that are there.  make: an empty or own
 * folder without a marker gets one (create-only).  Returns 0 when it is ours; ERR_CONFLICT with
 * the owner named in the message when it is another's.  A clone has its source's system identifier:
 * cluster and namespace must be the same too, where both know them.
 */
struct archive_self {
	uint64_t system_id;
	const char *cluster, *name_space;
};
int archive_owner_check(
	struct archive *a, const struct archive_self *self, bool make, struct err *e) MUSTCHECK;

/* ---- archive_push: one file of pg_wal goes out ---- */

struct archive_push {
	const char *path;       /* of the file */
	const char *name;       /* its last component */
	uint64_t system_id;     /* in a segment's header it must be this; 0: not checked */
	uint32_t segment_bytes; /* length of a segment; 0: not checked */
	bool look;   /* also see to the name with other extensions, and to a NAME.partial */
	bool marked; /* the owner's marker must be there: in a folder, that its volume is */
};

struct archive_push_result {
	bool same; /* stood there already, with the same content */
	int64_t bytes, stored_bytes;
};

/* 0: stored and verified.  ERR_CONFLICT: other content under the name, nothing changed. */
int archive_push(struct archive *a, const struct archive_push *push, struct archive_push_result *r,
	struct err *e) MUSTCHECK;

/* Whether that file stands there under any extension; for a NAME.partial the whole segment will do.
 */
int archive_push_there(struct archive *a, const char *name, bool *there, struct err *e) MUSTCHECK;

/* ---- archive_fetch: one file comes in ---- */

struct archive_fetch {
	const char *name;
	const char *path;       /* written here: temporary name beside it, checked, fsync, rename */
	uint64_t system_id;     /* 0: not checked */
	uint32_t segment_bytes; /* length of a segment; 0: not checked */
	bool partial;           /* take NAME.partial when the whole one is certainly not there */
	bool unused;            /* that nothing at all is in the archive may be so */
};

/* ERR_NOTFOUND: the archive certainly does not have it.  One that holds nothing at all has lost its
 * volume, or is another one than was meant: that is ERR_CONFIG, unless it may be unused.
 * stored_bytes may be NULL. */
int archive_fetch(struct archive *a, const struct archive_fetch *want, int64_t *stored_bytes,
	struct err *e) MUSTCHECK;
/* The header of the first segment that is there; ERR_NOTFOUND: there is none. */
struct wal_page;
int archive_first_page(struct archive *a, struct wal_page *out, struct err *e) MUSTCHECK;
/* Any file of pg_wal as text (history, backup); at most max bytes. */
int archive_fetch_text(
	struct archive *a, const char *name, size_t max, struct buf *out, struct err *e) MUSTCHECK;

/* ---- archive_catalog: what is there ---- */

struct archive_catalog {
	struct catalog c;
	struct backup_info *info; /* owned, sorted by ID; catalog's backups point here */
	size_t infos;
	char (*unreadable)[BACKUP_ID_SIZE]; /* backups whose backup.info could not be read, owned */
	size_t unreadables;
	int *keep;     /* enum retention_keep of each, owned */
	int64_t bytes; /* of all objects */
	void *priv;
};

/* Reads everything below SERVER/base/ and the names below SERVER/wals/, in runs, so that memory
 * does not grow with the number of segments.  out->c.segment_bytes may be set before; 0: as the
 * backups say, else as the header of a segment in the store. */
int archive_catalog_read(struct archive *a, struct archive_catalog *out, struct err *e) MUSTCHECK;
void archive_catalog_deinit(struct archive_catalog *c);
static inline void
archive_catalog_deinit_auto(struct archive_catalog *c)
{
	archive_catalog_deinit(c);
}
struct json;
/* The objects of /v1/backups and `podgres backup list --json`: {"backups":[...],"window":{...}}. */
void archive_catalog_json(const struct archive_catalog *c, struct json *j);
/* One of them; keep: enum retention_keep. */
void archive_backup_json(const struct backup_info *b, int keep, struct json *j);
