/*
 * fsm - the state table of an instance: (state, event) -> (action, next state, sentence).
 *
 * Pure: it knows nothing but its arguments.  Every cell exists; what is not a transition says why
 * nothing happens, and an order that meets such a cell is refused with that sentence.
 * States: architecture, section 4; reference "HA", section 7.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"

enum fsm_state {
#define STATE(name, text, postgres, sentence) FSM_##name,
#include "tbl/states.h"
#undef STATE
	FSM_STATES
};

enum fsm_event {
#define EVENT(name, text, meaning, otherwise) FSM_EV_##name,
#include "tbl/events.h"
#undef EVENT
	FSM_EVENTS,
	FSM_EV_NONE = FSM_EVENTS
};

/* What the supervisor does after a transition. */
enum fsm_action {
	FSM_DO_NOTHING,
	FSM_DO_PREPARE,       /* run the prepare job */
	FSM_DO_START_PRIMARY, /* arm the fencer, start postgres; it will be writable */
	FSM_DO_START_STANDBY, /* start postgres in recovery */
	FSM_DO_CLAIM,         /* ask for the lease; standalone it is granted at once */
	FSM_DO_PROMOTE,       /* arm the fencer, tell postgres to leave recovery */
	FSM_DO_STOP_ORDERLY,  /* the ladder of the stop's cause */
	FSM_DO_STOP_FAST,     /* fast, then quickly harder */
	FSM_DO_STOP_NOW,      /* SIGKILL of the tree */
	FSM_DO_BACK_OFF,      /* arm the retry timer */
	FSM_DO_WATCH_SPACE,   /* look for space until it is back */
	FSM_DO_EXIT,          /* end podgres */
	FSM_ACTIONS
};

enum fsm_postgres { FSM_PG_NONE, FSM_PG_RECOVERY, FSM_PG_WRITABLE, FSM_PG_STOPPING };

struct fsm_step {
	bool moves; /* false: nothing happens, and sentence says why */
	enum fsm_state next;
	enum fsm_action action;
	const char *sentence; /* never NULL, static */
};

struct fsm_step fsm_step(enum fsm_state from, enum fsm_event event);
const char *fsm_state_text(enum fsm_state s); /* "primary" */
const char *fsm_state_sentence(enum fsm_state s);
enum fsm_postgres fsm_state_postgres(enum fsm_state s);
const char *fsm_event_text(enum fsm_event ev);
/* The whole table as text for `podgres help states` and the man page. */
void fsm_print(struct buf *out);
