/*
 * prepare_init - what the files that make a cluster share.
 *
 * A cluster is made in a folder of its own and appears in PGDATA only when it is whole.  That
 * folder is WRAP/data, and WRAP/state says how far it is:
 *
 *   building   initdb or the bootstrap is at work; a run that finds this throws WRAP away
 *   restoring  a recovery is at work; a run that restores goes on with it (service/restore.h)
 *   complete   all is on disk; a run that finds this moves what is left to move
 *
 * WRAP is PGDATA.podgres-init beside PGDATA, and WRAP/data is renamed to PGDATA.  Where that cannot
 * be (PGDATA is a mount point, or nothing may be made beside it) WRAP is PGDATA/.podgres/init and
 * the entries are moved one by one, PG_VERSION last, so that PGDATA is no cluster before.
 */
#pragma once

#include "service/prepare.h"
#include "sys/envlist.h"
#include "sys/passwd_shim.h"
#include "sys/spawn.h"

struct init_place {
	char target[FILE_PATH_MAX]; /* PGDATA */
	char wrap[FILE_PATH_MAX];
	char data[FILE_PATH_MAX];  /* WRAP/data */
	char state[FILE_PATH_MAX]; /* WRAP/state */
	bool inside;
	bool replaces; /* PGDATA holds a cluster, which is set aside first */
};

/* What is to be made; strings owned, never NULL. */
struct init_wish {
	char *superuser, *superuser_password;    /* "": no password */
	char *database, *owner, *owner_password; /* database "": none besides those of initdb */
	char *initdb_args;                       /* POSTGRES_INITDB_ARGS */
	char *host_auth;                         /* POSTGRES_HOST_AUTH_METHOD */
	bool by_manifest; /* bootstrap.initdb says it, else the environment of Docker's image */
};

struct init {
	struct prepare *p;
	struct init_place place;
	struct init_wish wish;
	struct bindir bin;
	struct envlist env;             /* of initdb and of the server: without passwords */
	char socket_dir[FILE_PATH_MAX]; /* private to this job */
	struct passwd_shim shim;        /* when the uid has no name */
	struct spawn server;
};

#define INIT_PORT "5432" /* of the server that only this job can reach */

/* ---- prepare_place ---- */

/* Both places, the one to use first; n is 1 or 2. */
int place_find(const struct prepare *p, struct init_place *out, struct err *e) MUSTCHECK;
/* Beside PGDATA, whatever PGDATA holds; ERR_CONFIG when it cannot be. */
int place_beside(const struct prepare *p, struct init_place *out, struct err *e) MUSTCHECK;
/* WRAP says "complete", and what it holds is not yet moved. */
bool place_is_complete(const struct init_place *pl);
int place_make(struct init *in, struct err *e) MUSTCHECK;     /* WRAP, "building" */
int place_restore(struct init *in, struct err *e) MUSTCHECK;  /* WRAP, "restoring", or as found */
int place_complete(struct init *in, struct err *e) MUSTCHECK; /* fsync all, "complete" */
int place_move(const struct init_place *pl, struct err *e) MUSTCHECK;
void place_discard(struct init *in); /* after a failure; what cannot go is left and said */

/* ---- prepare_wish ---- */

int wish_read(struct init *in, struct err *e) MUSTCHECK;
/* The same for bootstrap.recovery and pg_basebackup: database, owner and passwords. */
int wish_of_recovery(struct init *in, struct err *e) MUSTCHECK;
void wish_deinit(struct init_wish *w);
/* A secret's key: the file SECRETS_DIR/NAME/KEY without its last newline. */
int wish_secret(const struct prepare *p, const char *name, const char *key, struct buf *out,
	struct err *e) MUSTCHECK;

/* ---- prepare_initdb ---- */

int initdb_run(struct init *in, struct err *e) MUSTCHECK;
/* Splits as a shell would: blanks, quotes and backslashes, no expansion.  Appends to argv. */
struct words {
	char **item; /* owned, NULL at the end */
	size_t n;
};
int words_add(struct words *w, const char *word, struct err *e) MUSTCHECK;
int words_addf(struct words *w, struct err *e, const char *fmt, ...) PRINTF(3, 4) MUSTCHECK;
int words_split(struct words *w, const char *text, struct err *e) MUSTCHECK;
void words_deinit(struct words *w);
static inline void
words_deinit_auto(struct words *w)
{
	words_deinit(w);
}

/* ---- prepare_server ---- */

/* The parts of a start, for a recovery as well. */
int server_folder(struct init *in, struct err *e) MUSTCHECK; /* RUN_DIR/init and its hba.conf */
int server_set(struct words *w, const char *name, const char *value, struct err *e) MUSTCHECK;
int server_user_settings(struct words *w, const struct spec *s, struct err *e) MUSTCHECK;
int server_own_settings(struct words *w, const struct init *in, struct err *e) MUSTCHECK;
bool server_ready(const struct init *in); /* as postmaster.pid says */

int server_start(struct init *in, struct err *e) MUSTCHECK;
int server_stop(struct init *in, struct err *e) MUSTCHECK;
/* A fast shutdown, and what pg_control says after it. */
int server_end(struct init *in, int64_t stop_ms, struct control *c, struct err *e) MUSTCHECK;
void server_kill(struct init *in);
/* Feeds sql to psql.  secret: messages of errors never show the statement. */
struct server_sql {
	const char *database, *sql, *what;
	bool secret;
};
int server_sql(struct init *in, const struct server_sql *q, struct err *e) MUSTCHECK;

/* ---- prepare_clone: pg_basebackup into in->place ---- */

/* The program, and what it is told whatever the source. */
int copy_argv(struct words *w, const struct init *in, struct err *e) MUSTCHECK;
void copy_line(const char *name, const char *line, void *arg); /* progress; arg: struct init */

/* ---- prepare_bootstrap and prepare_scripts ---- */

int bootstrap_run(struct init *in, struct err *e) MUSTCHECK;
/* The wish's roles and database in a cluster that came from elsewhere and may have them already;
 * its server runs. */
int bootstrap_adopt(struct init *in, struct err *e) MUSTCHECK;
int scripts_run(struct init *in, struct err *e) MUSTCHECK;
bool scripts_any(const struct init *in);

int init_env(struct init *in, struct err *e) MUSTCHECK;          /* fills in->env */
int init_name_for_uid(struct init *in, struct err *e) MUSTCHECK; /* when the uid has no name */
int init_place_failed(struct init *in, struct err *e);           /* a hint for *e; returns -1 */
void init_line(const char *name, const char *line, void *arg); /* output of a program to the log */
void init_tick(void *arg);                                     /* arg: struct init */
