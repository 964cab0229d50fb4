/*
 * configure_files - the parts of configure: what is known before rendering, and the trial.
 *
 * Private to src/service/configure*.c.
 */
#pragma once

#include "pg/conf.h"
#include "pg/hba.h"
#include "service/configure.h"

enum configure_file {
	CONFIGURE_HBA,
	CONFIGURE_IDENT,
	CONFIGURE_USER,
	CONFIGURE_OWNED,
	CONFIGURE_MAIN,
	CONFIGURE_AUTO,
	CONFIGURE_FILES
};

/* Everything configure works on; strings in it are what struct conf_input borrows. */
struct configure {
	struct job *job;
	struct plan *plan;
	const struct spec *spec;
	struct conf_input in;
	struct hba_input hba;
	struct conf_settings base, auto_conf;
	struct buf old_main, old_auto, own_hba, own_ident;
	struct conf_text own_hba_text, own_ident_text;
	char log_dir[PATH_LEN + 8];
	char hba_file[PATH_LEN + 32], ident_file[PATH_LEN + 32], main_file[PATH_LEN + 32];
	char tls_cert[PATH_LEN], tls_key[PATH_LEN], tls_ca[PATH_LEN];
	char os_user[64];
	struct buf archive_command, restore_command;
	struct buf primary; /* conninfo of the primary of our cluster */
	char slot[64];      /* ours there */
	char sync_names[ELECTOR_SYNC_SIZE];
	struct buf conninfo;              /* where a standby finds its password and certificates */
	struct buf text[CONFIGURE_FILES]; /* rendered */
	bool changed[CONFIGURE_FILES];    /* differs from what stands in PGDATA */
};

const char *configure_file_name(enum configure_file f);
void configure_deinit(struct configure *c); /* idempotent */

/* Reads what the data directory, the volume and the environment say. */
int configure_gather(struct configure *c, struct err *e) MUSTCHECK;
/* Warns about and works around what the files of an adopted data directory name but is not here. */
int configure_adopt(struct configure *c, struct err *e) MUSTCHECK;
/* archive_command and restore_command, when the manifest names a store. */
int configure_archive(struct configure *c, struct err *e) MUSTCHECK;
/* What the plan says of the archive: "none", or where it is. */
void configure_archive_plan(struct plan *plan, const struct spec *spec);
/* Whom a member of a cluster follows, and whom it lets follow. */
int configure_member(struct configure *c, struct err *e) MUSTCHECK;
/* Lays out password file and key for a standby that follows an external cluster. */
int configure_replica(struct configure *c, struct err *e) MUSTCHECK;
/* Appends to c->conninfo where password and certificates of that cluster are now.  Needs c->job,
 * spec and in.file. */
int configure_external(struct configure *c, const struct spec_external *x, struct err *e) MUSTCHECK;
/* Lets postgres read the rendered files, without a server and without touching PGDATA's own.
 * ERR_CONFIG with the place in the manifest when it refuses them. */
int configure_try(struct configure *c, struct err *e) MUSTCHECK;

/* Into the plan, once, and the log. */
void configure_note(struct plan *plan, const char *fmt, ...) PRINTF(2, 3);
#define configure_warn(plan, ...) configure_note(plan, CONFIGURE_WARNING __VA_ARGS__)
