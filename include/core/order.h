/*
 * order - what may be asked of a manager, and the operation that comes of it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "core/fsm.h"

enum order_kind {
#define ORDER(name, text, path, event, brings) ORDER_##name,
#include "tbl/orders.h"
#undef ORDER
	ORDER_KINDS
};

enum order_mode { ORDER_MODE_DEFAULT, ORDER_MODE_SMART, ORDER_MODE_FAST, ORDER_MODE_IMMEDIATE };

#define ORDER_PRIMARY_SIZE 192   /* as STATE_PRIMARY */
#define ORDER_ANY_LOSS INT64_MAX /* as ELECTION_ANY_LOSS */

enum order_keep { ORDER_KEEP_NO, ORDER_KEEP_FULL, ORDER_KEEP_STANDALONE };
enum order_target { ORDER_TARGET_ANY, ORDER_TARGET_PRIMARY, ORDER_TARGET_STANDBY };

/* How a backup is to be made. */
struct order_backup {
	char name[64];
	int32_t immediate; /* the checkpoint at once: 1, 0, or -1: as the manifest says */
	uint32_t target;   /* enum order_target: on what kind of instance; another one refuses */
	uint32_t keep;     /* enum order_keep: no retention policy deletes it */
	bool incremental;  /* on the newest backup that is there */
	int64_t rate;      /* bytes a second at most; 0: no limit */
	/* of a hot backup */
	char slot[64];    /* temporary slot that keeps WAL meanwhile; "": none */
	bool no_archive;  /* its end does not wait until its WAL is archived */
	int64_t lasts_ms; /* given up after that */
};

/* Fixed size: travels over a channel. */
struct order {
	uint32_t kind;     /* enum order_kind */
	uint32_t mode;     /* enum order_mode: restart and fence */
	char idem_key[64]; /* Idempotency-Key, "" for none */
	char by[64];       /* who asked, for the log and the fence reason: "unix:uid=0", "cert:CN",
			      "token" */
	char reason[128];  /* given by the caller, "" for none */
	char member[64];   /* of a switchover: the target; "": whoever is best */
	/* from an outside controller, --coordination none: the newest token that it has; 0: none */
	uint64_t token;
	char primary[ORDER_PRIMARY_SIZE]; /* of follow: HOST:PORT */
	/* of a promotion: past the guards against loss (tbl/election.h), never past the Lease */
	bool force;
	int64_t accept_loss_bytes; /* with force: so much may be lost, ELECTION_ANY_LOSS for
				      whatever it is; -1: not given */
	struct order_backup backup;
};

enum op_state { OP_NONE, OP_RUNNING, OP_DONE, OP_FAILED };

#define ORDER_ID_SIZE 32

/* One operation on the board.  Strings are NUL-terminated. */
struct operation {
	char id[ORDER_ID_SIZE];          /* "" when the slot is free */
	uint32_t kind;                   /* enum order_kind */
	uint32_t state;                  /* enum op_state */
	uint32_t err_kind;               /* enum err_kind, when OP_FAILED */
	float progress;                  /* 0..1, negative: unknown */
	int64_t done_bytes, total_bytes; /* of a backup; total 0: unknown */
	char result[64];                 /* what came of it: the ID of the backup, "" for none */
	char phase[48];
	char error[256];
	char idem_key[64];
	char by[64];
	int64_t started_wall_us;
	int64_t finished_wall_us; /* 0 while it runs */
};

const char *order_text(enum order_kind kind);
const char *order_path(enum order_kind kind);
enum fsm_event order_event(enum order_kind kind);
const char *order_brings(enum order_kind kind);               /* NULL: implemented */
int order_mode_parse(const char *text, enum order_mode *out); /* -1: no such mode */

/* As nobody asked for anything in particular. */
void order_init(struct order *o, enum order_kind kind);
/* One parameter, from the query or the body: mode (fence and restart only), reason, wait, those of
 * a backup: name, immediate, incremental, target, rate, keep; and of a hot backup: name, immediate,
 * slot, archived, lasts; of a switchover: target; of a promotion: force, acceptDataLoss;
 * of follow: primary; and of promote, follow, fence and unfence: token.  Strict:
 * anything else is ERR_INVALID.  o->kind must be set. */
int order_param(struct order *o, int64_t *wait_ms, const char *key, const char *value,
	struct err *e) MUSTCHECK;
/* The body: nothing, or a JSON object with the same names; values are strings, and true, false and
 * whole numbers stand for their text. */
int order_json(
	struct order *o, int64_t *wait_ms, const char *text, size_t len, struct err *e) MUSTCHECK;
/* All parameters are there: do they go together?  ERR_INVALID. */
int order_whole(const struct order *o, struct err *e) MUSTCHECK;
int order_idem_key(struct order *o, const char *text, struct err *e) MUSTCHECK;
/* Patroni's ?lag=: bytes, or with B, kB, MB, GB, TB in powers of 1024. */
int order_lag_parse(const char *text, int64_t *out_bytes, struct err *e) MUSTCHECK;
