/*
 * shared_elector - SEC_ELECTOR of the board, and what the supervisor asks of the elector.
 *
 * Part of service/shared.h, which says how strings, times and LSNs are kept.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* ---- SEC_ELECTOR, written by the elector: the Lease and the members as last known ---- */

#define ELECTOR_MEMBERS 16
#define ELECTOR_SYNC_SIZE 1280

enum elector_role {
	ELECTOR_WAIT,   /* the Lease is not known, or nobody holds it: nothing may be made or led */
	ELECTOR_LEAD,   /* it is ours and fresh: be the primary, or become it */
	ELECTOR_FOLLOW, /* it is another's */
};

struct elector_member {
	char name[64], address[64]; /* of the pod; the address without a port */
	uint32_t timeline;
	uint64_t received_lsn, replay_lsn; /* of a primary both are its current position */
	bool primary, ready, streaming, replay_paused;
	bool voter;      /* in the sync set of the Lease */
	int64_t seen_ns; /* boot time of its last answer; 0: none yet */
	char state[24];  /* of the state table */
	double lag_s;    /* of a replica, replayed behind received; negative: unknown */
};

enum elector_order_kind {
	ELECTOR_ORDER_NONE,
	ELECTOR_ORDER_PROMOTE,
	ELECTOR_ORDER_SWITCHOVER,
	ELECTOR_ORDER_PAUSE,
	ELECTOR_ORDER_RESUME,
};

struct elector_order {
	uint64_t number; /* from 1; the answer repeats it */
	uint32_t what;   /* enum elector_order_kind */
	char target[64]; /* of a switchover; "": whoever is best */
	bool force;      /* of a promotion: past the guards against loss, never past the Lease */
	int64_t accept_loss_bytes; /* with force; ELECTION_ANY_LOSS: whatever it is */
};

/* The last change of primary, as the Lease tells of it.  from "": none that is known. */
struct elector_change_seen {
	char from[64], to[64], at[40], reason[48];
	double seconds; /* without a primary; negative: unknown */
};

struct elector_status {
	uint32_t role;      /* enum elector_role */
	bool known;         /* the Lease, or that there is none, was read since this start */
	char identity[256]; /* ours: POD/UID/NONCE */
	char holder[256];   /* "" for nobody */
	char holder_name[64], holder_address[64];
	int64_t sent_ns; /* boot time of sending the last write that made or kept the Lease ours,
			    0: it is not */
	int64_t fast_ns, kill_ns, fence_ns; /* V1, V2 and V3 of it, after sent_ns */
	int64_t lease_ns;                   /* L */
	int64_t read_ns;                    /* boot time of the last answer of the API; 0: none */
	uint64_t system_id;                 /* of the cluster; 0: it was never made */
	uint32_t timeline;                  /* of the last primary */
	uint64_t switch_lsn;                /* where that timeline began */
	uint64_t claims;                    /* of ours that were granted: each may promote once */
	int64_t transitions;                /* of the Lease */
	bool giving;          /* ours until postgres is stopped; then it is given back */
	uint64_t handovers;   /* so often was the supervisor asked to stop postgres for that */
	uint64_t answered;    /* number of the last order that was answered */
	uint32_t answer_kind; /* enum err_kind; ERR_NONE: it is done */
	char answer[256];     /* why not; "" when it is done */
	/* --coordination none, driven by orders with tokens: the supervisor writes this section */
	bool driven;
	uint64_t token;
	char token_order[16];
	uint16_t holder_port; /* 0: as ours */

	/* a switchover */
	char heir[64], heir_address[64]; /* of the last hand-over */
	uint64_t checkpoint;             /* one is wanted, under this number; 0: none */

	bool paused;
	/* synchronous replication */
	bool sync;            /* the Lease has a sync set */
	char sync_leader[64]; /* who has whatever was acknowledged, with those who voted */
	uint32_t sync_acks;   /* of the members that vote, so many acknowledge each commit */
	char sync_state[96];  /* what comes next, for people */
	char sync_names[ELECTOR_SYNC_SIZE]; /* synchronous_standby_names as it is to be */
	bool failsafe_on;                   /* by the manifest */
	bool failsafe; /* ours by the promises of the members: the API does not answer */
	char failsafe_problem[160];   /* why the last round brought nothing; "" */
	int64_t promise_ns;           /* promised not to claim before; boot time, 0: nothing */
	char problem[256], hint[256]; /* "" for none */
	struct elector_change_seen change;
	uint32_t members;
	struct elector_member member[ELECTOR_MEMBERS];
};

/* ---- failsafe: a holder without the API asks the members not to follow it ---- */

struct promise_question {
	char holder[320]; /* as it stands in the Lease */
	char address[64]; /* whence it is asked */
	int64_t by_ns;    /* nobody waits for the answer any longer, boot time */
};

struct promise_answer {
	bool granted;
	int64_t ms;       /* for so long from now */
	char reason[160]; /* why not; "" */
};
