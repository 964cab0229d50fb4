/*
 * member - what an instance of a cluster with several needs to follow, and to be followed.
 *
 * All members share one role and one secret: SECRETS_DIR/CLUSTER-replication, with either the
 * files tls.crt and tls.key (and ca.crt), or the file password.  What a connection needs of it is
 * laid out in the run folder, mode 0600; nothing of it stands in arguments, logs or PGDATA.
 */
#pragma once

#include "base/buf.h"
#include "core/lineage.h"
#include "pg/replication.h"
#include "service/service.h"

#define MEMBER_ROLE "streaming_replica"
#define MEMBER_SLOT_PREFIX "_cnpg_"
#define MEMBER_SLOT_SIZE 64 /* NAMEDATALEN */
#define MEMBER_PASSFILE "replica.pgpass"

struct member_access {
	bool cert;               /* else by password */
	char secret[PATH_LEN];   /* SECRETS_DIR/CLUSTER-replication */
	char passfile[PATH_LEN]; /* "" with a certificate */
	char cert_file[PATH_LEN], key_file[PATH_LEN];
	char ca_file[PATH_LEN]; /* "" for none */
};

bool member_on(const struct run_options *opt);
/* The same, or driven by orders with tokens. */
bool member_is(const struct run_options *opt, const struct elector_status *el);
/* "_cnpg_" and the pod's name in small letters, what a slot's name may not hold as "_".  Too long
 * ones end in a checksum.  Returns out. */
const char *member_slot_name(const char *pod, char out[MEMBER_SLOT_SIZE]);

/* Finds the secret and lays out the files.  ERR_CONFIG names what is missing and the remedy.
 * cluster: its name where the options have none. */
int member_access(struct member_access *out, const struct run_options *opt, const char *cluster,
	struct err *e) MUSTCHECK;
/* The password, for the role; ERR_CONFIG when it is not printable ASCII. */
int member_password(const struct member_access *a, struct buf *out, struct err *e) MUSTCHECK;

/* Where a member connects to. */
struct member_target {
	const struct member_access *access;
	const char *host;
	int port;
	const char *application;
};

#define MEMBER_PARAMS 16

/* libpq's parameters, for replication_open(); strings borrowed from t and out. */
struct member_params {
	const char *key[MEMBER_PARAMS + 1], *value[MEMBER_PARAMS + 1];
	size_t n;
	char port[12];
};
void member_params(struct member_params *out, const struct member_target *t);
/* The same as one string for primary_conninfo and programs. */
void member_conninfo(struct buf *out, const struct member_target *t);

#define MEMBER_GONE "gone " /* the result of the job members, with a position behind it */

/* ---- the primary, as it answers ---- */

#define MEMBER_HISTORY 2048

struct holder {
	struct pq pq;
	struct replication *r;
	int version; /* 150020 */
	struct replication_system sys;
	bool in_recovery;
	struct lineage_history history; /* its own timeline last, open; entries owned */
	struct buf history_text;        /* of its history file; empty on timeline 1 */
};

/* Connects and asks who it is.  ERR_REMOTE, ERR_DENIED, ERR_TIMEOUT. */
int holder_open(struct holder *h, const struct member_target *t, struct err *e) MUSTCHECK;
/* Asks again, over the same connection. */
int holder_ask(struct holder *h, struct err *e) MUSTCHECK;
/* A query of one row: replication_field() has it. */
int holder_query(struct holder *h, const char *sql, struct err *e) MUSTCHECK;
/* The slot of that name is there from now on, and keeps WAL. */
int holder_slot(struct holder *h, const char *slot, struct err *e) MUSTCHECK;
void holder_close(struct holder *h); /* idempotent */
static inline void
holder_close_auto(struct holder *h)
{
	holder_close(h);
}

/* Whether the primary there lacks the WAL that a standby needs which has replayed up to lsn.  Over
 * a connection of its own; false for whoever is in recovery. */
int member_gone(const struct member_target *t, uint64_t lsn, bool *gone, struct err *e) MUSTCHECK;

/* The history of PGDATA's own timeline, from pg_wal; without its file that of the other, as far as
 * it goes.  Entries owned by the caller. */
int member_history(struct lineage_history *out, const char *waldir, uint32_t timeline,
	const struct lineage_history *other, struct err *e) MUSTCHECK;

/* ---- what the primary grants ---- */

struct sql;

/* Makes the role, or brings it in line: attributes, password, functions of pg_rewind. */
int member_role(struct sql *sql, const struct member_access *a, struct err *e) MUSTCHECK;
/* The password in the form that pg_authid keeps (RFC 5803), with a salt of 16 bytes. */
int member_scram(struct buf *out, const char *password, const unsigned char salt[16],
	struct err *e) MUSTCHECK;
/* Whether what pg_authid keeps is of that password. */
bool member_scram_is(const char *verifier, const char *password);

/* ---- slots ---- */

struct member_slots {
	const struct run_options *opt;
	const struct elector_status *el;
	struct sql *sql; /* our own postgres */
	bool in_recovery;
	struct holder *holder; /* the primary, on a standby that reaches it; else NULL */
	int64_t now_ns;
};

int member_slots(struct member_slots *s, struct err *e) MUSTCHECK;
