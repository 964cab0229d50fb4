/*
 * replication - a connection to a walsender: base backups and streams of WAL.
 *
 * Process: the jobs backup and prepare, and the receiver of the archiver.  Plain sequential calls
 * over libpq; none waits longer than its deadline, or than its stall limit while data flows.  A
 * connection whose call failed with anything but ERR_FAILED is of no more use: close it.
 *
 * Protocol: PostgreSQL, "Streaming Replication Protocol"; versions 13 to 18.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "pg/pq.h"

struct replication;

struct replication_spec {
	/* libpq's parameters, both ended by NULL; "replication" and "fallback_application_name" are
	 * added.  Borrowed for the call. */
	const char *const *key, *const *value;
	const char *application;
	bool database;      /* the command may also be SQL; "dbname" is among the parameters */
	int64_t connect_ms; /* 0: 10 s */
	int64_t answer_ms;  /* of each command and for the next byte of a stream; 0: 60 s */
	/* Asked at least once a second while something is waited for, may be NULL: true ends the
	 * call with ERR_TIMEOUT. */
	bool (*cancelled)(void *arg);
	void (*notice)(void *arg, const char *text); /* the server's warnings; may be NULL */
	void *arg;
};

/* pq is borrowed for the connection's life.  ERR_REMOTE, ERR_DENIED or ERR_TIMEOUT. */
int replication_open(struct replication **out, const struct pq *pq,
	const struct replication_spec *spec, struct err *e) MUSTCHECK;
struct replication *replication_close(struct replication *r); /* NULL is fine; returns NULL */
DEFINE_AUTO(struct replication *, replication_close)
int replication_server_version(const struct replication *r); /* 150020 */
int replication_fd(const struct replication *r);             /* for a loop; -1: broken */

/* ---- commands ---- */

struct replication_system {
	uint64_t system_id;
	uint32_t timeline;
	uint64_t lsn; /* flushed */
};

int replication_identify(
	struct replication *r, struct replication_system *out, struct err *e) MUSTCHECK;
/* SHOW name.  Cut to fit. */
int replication_show(
	struct replication *r, const char *name, char *out, size_t size, struct err *e) MUSTCHECK;
/* wal_segment_size in bytes. */
int replication_segment_bytes(struct replication *r, uint32_t *out, struct err *e) MUSTCHECK;
/* Any command that ends with at most one row set, of which the first row can be asked for until
 * the next command: CREATE_REPLICATION_SLOT, TIMELINE_HISTORY...  ERR_FAILED: refused. */
int replication_command(struct replication *r, const char *text, struct err *e) MUSTCHECK;
const char *replication_field(const struct replication *r, int col); /* "" for null or none */
const char *replication_sqlstate(const struct replication *r); /* of the last refusal, or "" */

/* ---- base backup ---- */

struct replication_tablespace {
	uint32_t oid; /* 0: the data directory itself */
	char location[1024];
	int64_t bytes; /* estimate; -1: unknown */
};

#define REPLICATION_TABLESPACES 256

struct replication_start {
	uint64_t lsn;
	uint32_t timeline;
	size_t tablespaces; /* the data directory among them */
	const struct replication_tablespace *tablespace;
	int64_t bytes; /* estimate of all; -1: unknown */
};

/* Called in this order: start; for each tablespace (as the server sends them: the data directory is
 * the last before 15 and may be so after) archive, data..., archive_end; manifest...  A tar is
 * whole but for the two blocks of zeros at its end, which versions before 15 leave out.  Each
 * returns 0, or -1 with *e, which ends the backup.  All but archive and data may be NULL. */
struct replication_sink {
	int (*start)(void *arg, const struct replication_start *s, struct err *e);
	int (*archive)(void *arg, const struct replication_tablespace *t, struct err *e);
	int (*data)(void *arg, const void *p, size_t n, struct err *e);
	int (*archive_end)(void *arg, struct err *e);
	int (*manifest)(void *arg, const void *p, size_t n, struct err *e);
	void (*moved)(void *arg, int64_t bytes); /* read so far by the server or by us */
	void *arg;
};

struct replication_backup {
	const char *label;
	bool fast;               /* immediate checkpoint */
	bool progress;           /* have the sizes estimated first */
	bool manifest;           /* backup_manifest with CRC-32C */
	bool wal;                /* put the WAL needed into the tar */
	bool tablespace_map;     /* put tablespace_map into the tar */
	bool no_verify;          /* do not check pages */
	bool no_wait;            /* do not wait for WAL to be archived: podgres waits by itself */
	bool incremental;        /* 17 and later: after replication_manifest_end() */
	int64_t rate;            /* bytes a second at most; 0: no limit */
	const char *compression; /* 15 and later: "gzip", "zstd", "lz4" of the tars; NULL: none */
	const char *compression_detail; /* "level=1"; NULL: none */
	int64_t checkpoint_ms;          /* longest wait for its beginning; 0: 1 h */
	const struct replication_sink *sink;
};

struct replication_end {
	uint64_t lsn;
	uint32_t timeline;
	bool checksum_failures; /* all was sent, but pages with a wrong checksum were reported */
};

/* "BASE_BACKUP ..." as this version understands it, for tests and logs. */
struct buf;
void replication_backup_text(const struct replication_backup *b, int version, struct buf *out);
int replication_base_backup(struct replication *r, const struct replication_backup *b,
	struct replication_end *out, struct err *e) MUSTCHECK;

/* UPLOAD_MANIFEST (17 and later): the parent's backup_manifest, piece by piece. */
int replication_manifest_begin(struct replication *r, struct err *e) MUSTCHECK;
int replication_manifest_write(
	struct replication *r, const void *p, size_t n, struct err *e) MUSTCHECK;
int replication_manifest_end(struct replication *r, struct err *e) MUSTCHECK;

/* ---- streams of WAL ---- */

struct replication_stream {
	const char *slot; /* NULL or "": none */
	uint64_t lsn;     /* from here on */
	uint32_t timeline;
};

enum replication_kind {
	REPLICATION_NONE, /* nothing came in time */
	REPLICATION_WAL,
	REPLICATION_KEEPALIVE,
	REPLICATION_ENDED, /* the timeline ends here: another START_REPLICATION may follow */
};

struct replication_message {
	enum replication_kind kind;
	const char *data; /* WAL, until the next read */
	size_t len;
	uint64_t lsn;         /* of the first byte */
	uint64_t end_lsn;     /* the server's end of WAL */
	bool reply;           /* it wants a status at once */
	uint32_t timeline;    /* ENDED: the next one, 0: none */
	uint64_t timeline_at; /* ENDED: where it begins */
};

struct replication_status {
	uint64_t written, flushed, applied;
	bool reply; /* ask for an answer */
};

int replication_start_streaming(
	struct replication *r, const struct replication_stream *s, struct err *e) MUSTCHECK;
/* Waits at most wait_ms (0: not at all). */
int replication_read(struct replication *r, struct replication_message *m, int64_t wait_ms,
	struct err *e) MUSTCHECK;
int replication_send_status(
	struct replication *r, const struct replication_status *s, struct err *e) MUSTCHECK;
/* Ends the stream in an orderly way; the connection takes commands again. */
int replication_stop_streaming(struct replication *r, struct err *e) MUSTCHECK;
