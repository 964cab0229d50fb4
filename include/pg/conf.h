/*
 * conf - render what podgres writes into PGDATA: podgres.user.conf and podgres.conf.
 *
 * Pure: a struct in, a buf out.  postgresql.conf ends with the lines that include both, so the
 * order of reading is: postgresql.conf and what it includes, podgres' defaults and the manifest's
 * parameters (podgres.user.conf), what podgres owns (podgres.conf), postgresql.auto.conf.
 * The tables are include/tbl/conf_owned.h and conf_defaults.h.
 */
#pragma once

#include "core/spec.h"
#include "pg/conf_read.h"

/* What recovery demands at least (pg_control); 0: unknown, no demand. */
struct conf_control_limits {
	int32_t max_connections, max_worker_processes, max_wal_senders, max_prepared_transactions,
		max_locks_per_transaction;
};

/* All strings borrowed, "" or NULL for none. */
struct conf_input {
	int major;
	const struct spec *spec;
	bool manifest;    /* spec was given by somebody, not made of defaults */
	const char *file; /* name of the manifest, for messages */
	const char *pgdata, *socket_dir, *log_dir, *hba_file, *ident_file; /* absolute */
	const char *cluster_name, *member; /* member: application_name of a standby */
	const char *conninfo_files;        /* appended to the conninfo of the manifest */
	int port;
	bool coordinated;           /* one of several: the next two are written, "" too */
	bool driven;                /* of those, by orders: who archives is not agreed upon */
	const char *primary, *slot; /* conninfo of the primary to follow; our slot there */
	const char *sync_names;     /* synchronous_standby_names */
	bool standby;               /* standby.signal */
	bool recovery; /* standby.signal or recovery.signal: the limits below are demanded */
	bool huge_pages_off;
	bool syncfs; /* the kernel tells of write errors there: Linux 5.8 and later */
	const char *archive_command;             /* "": nothing is archived */
	const char *restore_command;             /* "": left alone */
	bool restore_command_gone;               /* the program it names does not exist */
	bool ssl_off;                            /* what the other files set cannot be loaded */
	const char *ssl_cert, *ssl_key, *ssl_ca; /* ssl_cert "": left alone */
	int64_t wal_volume_bytes;                /* 0: unknown */
	uint32_t wal_segment_bytes;
	struct conf_control_limits demand;
	const struct conf_settings *base;      /* postgresql.conf without podgres' own files */
	const struct conf_settings *auto_conf; /* postgresql.auto.conf */
};

/* Finds what the manifest may not say: owned or repeated parameters, impossible names.
 * ERR_CONFIG, "FILE:LINE:COL: ..." of the first. */
int conf_check(const struct conf_input *in, struct err *e) MUSTCHECK;

int conf_render_user(struct buf *out, const struct conf_input *in, struct err *e) MUSTCHECK;
/* hash "": without the line that carries it. */
int conf_render_owned(
	struct buf *out, const struct conf_input *in, const char *hash, struct err *e) MUSTCHECK;

/* Why a manifest may not set the parameter; NULL when it may.  For `podgres check`. */
const char *conf_owned_reason(const char *name);
/* Row i of conf_owned.h; false: no more.  open: a manifest may set it. */
bool conf_owned_row(size_t i, const char **name, bool *open);
/* The port asked for by the manifest, else fallback. */
int conf_port(const struct spec *spec, int fallback);

/* The libraries to load: those of postgresql.conf, the manifest's, and those that parameters like
 * pg_stat_statements.max imply, separated by ", ".  Returns their number. */
size_t conf_preload(struct buf *out, const struct conf_input *in);

/* Appends " OPTION='VALUE'" as libpq reads it. */
void conf_conninfo_put(struct buf *out, const char *option, const char *value);

/* A parameter of the spec by name, the last one; NULL. */
const struct spec_param *conf_param(const struct spec *spec, const char *name);
/* What the files and the manifest together set, before podgres.conf; NULL: PostgreSQL's default. */
const char *conf_wanted(const struct conf_input *in, const char *name);
