/*
 * ladder - the rungs by which postgres is stopped: which signal, when, to whom.
 *
 * Pure: times are milliseconds since the stop began.  Every ladder ends with SIGKILL of the whole
 * tree inside its budget (interface, section 6), because a stop that depends on somebody's good
 * will is none.  PostgreSQL's meaning of the signals: "Shutting Down the Server" in its manual.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum ladder_cause {
#define LADDER(name, text, meaning) LADDER_##name,
#include "tbl/ladders.h"
#undef LADDER
	LADDER_CAUSES
};

enum ladder_rung { LADDER_SMART, LADDER_FAST, LADDER_IMMEDIATE, LADDER_TREE, LADDER_RUNGS };

struct ladder_times {
	int64_t budget_ms;     /* until everything must be gone; causes STOP and RESTART */
	int64_t smart_ms;      /* smart phase; 0: none */
	int64_t switchover_ms; /* fast to immediate when fencing */
	int64_t lease_ms;      /* from now to V2 of a lost Lease; not above 0: it has passed */
};

struct ladder_step {
	int64_t at_ms;
	enum ladder_rung rung;
};

struct ladder {
	enum ladder_cause cause;
	size_t n;
	struct ladder_step step[LADDER_RUNGS];
};

struct ladder ladder_make(enum ladder_cause cause, const struct ladder_times *t);
const char *ladder_rung_text(enum ladder_rung r); /* "fast" */
int ladder_rung_signal(enum ladder_rung r);       /* to the postmaster; SIGKILL is for the tree */
const char *ladder_cause_text(enum ladder_cause c);
