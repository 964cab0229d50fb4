/*
 * job_backup - what the files of the job `backup` share.  Nothing else includes this.
 *
 * One struct owns everything.  The order of things: the archive is seen to take WAL; backup.info
 * says STARTED; BASE_BACKUP's tars go through backup_tar (what is left out, SHA-256 of each file),
 * backup_out (tar, compression, upload) and never touch a disk; the last WAL is seen to reach the
 * archive; backup.info says DONE.  Until then the backup does not exist.
 *
 * Memory is fixed: the codec's windows, two parts of the data's upload, one of the manifest's.
 */
#pragma once

#include "core/backup_info.h"
#include "core/backup_manifest.h"
#include "pg/replication.h"
#include "pg/sql.h"
#include "service/archive.h"
#include "service/service.h"
#include "store/tar.h"

/* A tar is ended at the next file's end of this size, so that parts of uploads stay small. */
#define BACKUP_TAR_BYTES (INT64_C(8) << 30)

struct backup_wish {
	const char *name;
	int immediate; /* -1: as the manifest says */
	bool incremental;
	enum order_keep keep;
	int64_t rate;
};

struct backup_job;

/* ---- backup_out: one object after the other ---- */

struct backup_out {
	struct backup_job *b;
	char name[BACKUP_TAR_SIZE]; /* of the object that is open */
	struct codec_stream *codec;
	struct store_upload *upload;
	int64_t plain_bytes;
	struct backup_object *object; /* finished ones, owned */
	size_t objects;
	int64_t stored_bytes; /* of all of them */
};

/* stem "data_0001.tar": the codec's extension is added.  expected: bytes, 0 unknown. */
int backup_out_open(
	struct backup_out *o, const char *stem, int64_t expected, struct err *e) MUSTCHECK;
int backup_out_write(void *out, const void *p, size_t n, struct err *e) MUSTCHECK;
int backup_out_close(struct backup_out *o, struct err *e) MUSTCHECK;
void backup_out_deinit(struct backup_out *o); /* what is open is aborted */

/* ---- backup_list: manifest.json, written while the tars are ---- */

struct backup_list {
	struct backup_job *b;
	struct archive *archive; /* its own connection: another upload goes on meanwhile */
	struct store_upload *upload;
	struct buf text; /* not yet in the upload */
	int64_t files, bytes;
};

int backup_list_open(struct backup_list *l, struct err *e) MUSTCHECK;
int backup_list_file(struct backup_list *l, const struct backup_file *f, struct err *e) MUSTCHECK;
int backup_list_close(struct backup_list *l, struct err *e) MUSTCHECK;
void backup_list_deinit(struct backup_list *l);

/* ---- backup_tar: the server's tars become ours ---- */

struct backup_tar {
	struct backup_job *b;
	uint32_t oid; /* of the tablespace; 0: the data directory */
	int number;   /* of the tar, from 0 */
	int64_t left; /* bytes of this tablespace that are still to come, an estimate */
	struct tar_reader *reader;
	struct tar_writer *writer;
	bool skip, label; /* the entry that is open is left out; is backup_label */
	bool hashing;
	struct sha256 hash;
	struct backup_file file;
	struct buf label_text;
};

/* For replication_sink; arg is the struct backup_tar. */
int backup_tar_archive(void *arg, const struct replication_tablespace *t, struct err *e) MUSTCHECK;
int backup_tar_data(void *arg, const void *p, size_t n, struct err *e) MUSTCHECK;
int backup_tar_end(void *arg, struct err *e) MUSTCHECK;
void backup_tar_deinit(struct backup_tar *t);
/* Whether a file of the data directory has no place in a backup.  own: the folder of podgres
 * inside it, "" for none. */
bool backup_tar_unwanted(const char *name, const char *own);

/* ---- the job ---- */

struct backup_job {
	struct job *j;
	struct backup_wish wish;
	struct spec *spec;
	struct plan plan;
	struct archive *archive;
	struct pq pq;
	struct replication *repl;
	struct backup_info info;
	char folder[ARCHIVE_KEY_SIZE]; /* "SERVER/base/ID/" */
	char own[64];                  /* folder of podgres inside PGDATA, "" for none */
	bool standby;
	bool stored; /* backup.info may stand in the store */
	int stop_fd; /* signalfd: SIGTERM asks us to end; -1: none */
	bool stopped;
	int64_t told_ns; /* when progress was last published */
	struct backup_out out;
	struct backup_list list;
	struct backup_tar tar;
	bool manifest_open; /* the server's backup_manifest is being stored */
};

/* true: somebody wants us to end.  arg is the struct backup_job. */
bool backup_cancelled(void *arg);
/* Waits; -1 with ERR_TIMEOUT when cancelled meanwhile. */
int backup_pause(struct backup_job *b, int64_t ms, struct err *e) MUSTCHECK;
int backup_archive_open(struct backup_job *b, struct archive **out, struct err *e) MUSTCHECK;
int backup_key(const struct backup_job *b, char out[ARCHIVE_KEY_SIZE], const char *name,
	struct err *e) MUSTCHECK;
/* Writes backup.info as b->info says. */
int backup_info_store(
	struct backup_job *b, struct archive *a, bool create, struct err *e) MUSTCHECK;
int backup_create(struct backup_job *b, struct err *e) MUSTCHECK;

/* job_backup_wal.c */
int backup_sql(struct backup_job *b, struct sql **out, struct err *e) MUSTCHECK;
/* Asks whether this is a standby; sees one segment into the archive. */
int backup_preflight(struct backup_job *b, struct err *e) MUSTCHECK;
/* Waits until the last segment is in the archive. */
int backup_last_wal(struct backup_job *b, struct err *e) MUSTCHECK;

/* job_backup_parent.c: chooses the parent and gives its manifest to the server. */
int backup_parent_send(struct backup_job *b, struct err *e) MUSTCHECK;

/* job_backup_sweep.c */
/* Takes back what a failed backup stored and leaves a backup.info that says why. */
void backup_undo(struct backup_job *b, const struct err *why);
int backup_sweep(struct backup_job *b, struct err *e) MUSTCHECK;
