/*
 * restore - a cluster made from an archive: base backup, WAL up to a target, checked.
 *
 * Process: the job prepare (bootstrap.recovery), and the commands restore and backup verify.
 *
 * The steps, each of which can be repeated by a later process after a kill:
 *
 *   plan     the catalogue is read, the backup and the timeline are chosen; a target outside of the
 *            window ends here, before a byte is downloaded
 *   base     objects stream through decompression and tar into files of WRAP/data, several at once
 *            in forked children; digests are compared; chains of incremental backups are combined
 *   files    what is the old cluster's own (configuration, pid files) is set aside or removed;
 *            pg_control forgets its checkpoint, so that nothing but backup_label can start it
 *   replay   a private postgres, fed by a WAL server of this process, replays to the target and
 *            promotes; what it reached is compared with what the archive has
 *
 * WRAP/journal says how far it is (restore_journal.c).
 */
#pragma once

#include "service/archive.h"
#include "service/prepare_init.h"

struct restore_target {
	enum catalog_target kind;
	char *text; /* as it was given: time, XID, name or LSN; owned, NULL: none */
	int64_t time_us;
	uint64_t lsn;
	uint32_t timeline; /* 0: the latest */
	char backup_id[BACKUP_ID_SIZE];
	bool exclusive;
};

/* Where a tablespace goes instead of its own place: by name or OID. */
struct restore_map {
	const char *from, *to;
};

#define RESTORE_CHAIN 64 /* backups that build on each other */

struct restore_place { /* of one tablespace */
	uint32_t oid;
	char path[FILE_PATH_MAX];
};

/* What came of it. */
struct restore_result {
	uint64_t lsn;       /* recovered up to here; on a new timeline: where it left the old one */
	uint32_t timeline;  /* that the cluster is on now */
	char stopped[256];  /* what postgres said of the end: "recovery stopping before commit ..."
			     */
	char last_time[64]; /* of the last replayed commit; "" when none was */
	uint64_t segments;  /* of WAL that were fetched */
	int64_t base_ms, replay_ms;
	int64_t bytes, stored_bytes; /* of the base backup: written; downloaded */
};

struct restore_shared;

struct restore {
	/* ---- the caller's ---- */
	struct init *in;      /* place.data, bin, env, wish.superuser, p->{j,opt,spec} */
	const char *external; /* name of the external cluster; NULL: the own store */
	const char
		*backup_name; /* "" or the name of a backup; else target.backup_id, else the best */
	struct restore_target target;
	const char *map_dir; /* for tablespaces whose own place cannot be used */
	const struct restore_map *map;
	size_t maps;
	bool local;      /* no archive: the WAL that is there is all there is */
	bool check_only; /* a drill: tablespaces never go to their own place */

	/* ---- what is found ---- */
	struct archive *archive;
	struct archive_catalog catalog;
	struct catalog_path path;
	const struct backup_info
		*chain[RESTORE_CHAIN]; /* the full one first, the chosen one last */
	size_t chains;
	struct restore_place place[BACKUP_TABLESPACES];
	size_t places;
	struct restore_result result;

	/* ---- the journal ---- */
	char journal[FILE_PATH_MAX];
	struct buf done; /* its text */

	/* ---- while it runs ---- */
	struct restore_shared *shared;
	struct restore_wal *wal;
	char fatal[400];            /* what postgres said last before it ended */
	char socket[FILE_PATH_MAX]; /* of the WAL server */
};

/* ---- restore: the whole of it ---- */

/* Fills kind, text, lsn ... from the manifest's bootstrap.recovery, or what has its form.  The time
 * is read by restore_plan(). */
int restore_target_of_spec(
	struct restore_target *t, const struct spec_recovery *s, struct err *e) MUSTCHECK;
void restore_target_deinit(struct restore_target *t);
/* "before 2026-11-20 13:41:00+00", for people. */
void restore_target_text(const struct restore_target *t, char *out, size_t size);

/* Needs in->p, in->place and in->env.  ERR_UNMET or ERR_NOTFOUND with the window. */
int restore_plan(struct restore *r, struct err *e) MUSTCHECK;
int restore_base(struct restore *r, struct err *e) MUSTCHECK;
/* Replays and leaves the private postgres running as a primary, for in's server_sql(). */
int restore_replay(struct restore *r, struct err *e) MUSTCHECK;
/* Stops it, checks what is on disk. */
int restore_end(struct restore *r, struct err *e) MUSTCHECK;
void restore_deinit(struct restore *r); /* kills what runs; idempotent */

/* ---- restore_journal: how far it is ---- */

/* Reads WRAP/journal; one of another backup or target is dropped together with what it was about.
 */
int journal_open(struct restore *r, struct err *e) MUSTCHECK;
bool journal_has(const struct restore *r, const char *line);
/* The rest of the first line that begins with key and a blank; NULL: there is none. */
const char *journal_get(const struct restore *r, const char *key, char *out, size_t size);
int journal_add(struct restore *r, struct err *e, const char *fmt, ...) PRINTF(3, 4) MUSTCHECK;

/* ---- restore_base and restore_object: the data ---- */

/* Shared by the children of one restore: fixed memory, no locks, each field has one writer. */
#define RESTORE_WORKERS 8
struct restore_shared {
	struct restore_counts {
		int64_t stored, written; /* bytes so far */
		uint64_t files;
		struct err e;
	} worker[RESTORE_WORKERS];
	struct {                    /* the WAL server */
		uint64_t asked_lsn; /* begin of the newest segment asked for */
		uint32_t asked_timeline;
		bool end_asked; /* the segment behind the archive's end was asked for, and is
				   not there */
		uint64_t served;
		char failed[512]; /* why the last request failed */
	} wal;
};

struct restore_digests;
/* base/ID/manifest.json.  *out NULL: the backup has none. */
int digests_read(struct restore_digests **out, struct archive *a, const char *backup_id,
	struct err *e) MUSTCHECK;
struct restore_digests *digests_free(struct restore_digests *d);
DEFINE_AUTO(struct restore_digests *, digests_free)
struct digest_file {
	const char *tar, *path;
	int64_t bytes;
	char sha256[SHA256_HEX_SIZE];
};
/* ERR_CORRUPT when the list has another, or none of that name. */
int digests_check(
	const struct restore_digests *d, const struct digest_file *f, struct err *e) MUSTCHECK;
size_t digests_files(const struct restore_digests *d);
int64_t digests_plain_bytes(const struct restore_digests *d);

struct restore_object { /* one tar of the store */
	char key[ARCHIVE_KEY_SIZE];
	int64_t bytes;
	uint32_t oid;                          /* of its tablespace; 0: the data directory */
	char dir[FILE_PATH_MAX];               /* where its entries go */
	int parallel;                          /* connections for it */
	const struct restore_digests *digests; /* NULL: none known */
};
/* Streams it into files.  In a forked child with an archive of its own. */
int restore_object(struct restore *r, const struct restore_object *o, struct restore_counts *counts,
	struct err *e) MUSTCHECK;

struct restore_get {
	const struct restore *restore;
	struct archive *archive;
	const char *key;
	int64_t bytes;
	int parallel;
	store_sink_fn *sink;
	void *arg;
};
/* The whole object, its pieces in order. */
int restore_get(const struct restore_get *spec, struct err *e) MUSTCHECK;
/* The same folder once more, for a forked child: connections are not shared. */
int restore_open(const struct restore *r, struct archive **out, struct err *e) MUSTCHECK;

/* ---- restore_tblspc ---- */

/* Of one tablespace; nothing is made. */
int tblspc_place(const struct restore *r, const struct backup_tablespace *t,
	struct restore_place *p, struct err *e) MUSTCHECK;
int tblspc_choose(struct restore *r, struct err *e) MUSTCHECK;
int tblspc_link(struct restore *r, const char *data, struct err *e) MUSTCHECK;

/* ---- restore_files: what must not come back ---- */

int restore_files(struct restore *r, struct err *e) MUSTCHECK;
/* Only the old cluster's configuration, pid files, slots and the like. */
int restore_files_clean(const char *data, struct err *e) MUSTCHECK;

/* ---- restore_combine: PostgreSQL 17's incremental backups ---- */

/* dirs: the full one first.  Into data, which must not exist. */
int restore_combine(
	struct restore *r, const char *const *dirs, const char *data, struct err *e) MUSTCHECK;

/* ---- restore_wal: segments for the private postgres ---- */

struct restore_wal;
int restore_wal_start(struct restore *r, struct err *e) MUSTCHECK;
void restore_wal_stop(struct restore *r);
/* The value of restore_command. */
int restore_wal_command(const struct restore *r, struct buf *out, struct err *e) MUSTCHECK;

/* ---- restore_time ---- */

/* Whatever PostgreSQL takes; without a zone: UTC, as CloudNativePG has it. */
int restore_time_parse(struct init *in, const char *text, int64_t *us, struct err *e) MUSTCHECK;
