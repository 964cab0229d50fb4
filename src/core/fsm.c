/*
 * fsm - the state table of an instance.
 */
#include "core/fsm.h"

#include <string.h>

struct cell {
	bool set;
	bool moves;
	enum fsm_state next;
	enum fsm_action action;
	const char *sentence;
};

static const struct cell cells[FSM_STATES][FSM_EVENTS] = {
#define MOVE(from, event, next, action, sentence) \
	[FSM_##from][FSM_EV_##event] = {true, true, FSM_##next, FSM_DO_##action, sentence},
#define STAY(from, event, sentence) \
	[FSM_##from][FSM_EV_##event] = {true, false, FSM_##from, FSM_DO_NOTHING, sentence},
#include "tbl/transitions.h"
#undef MOVE
#undef STAY
};

#define NONE FSM_PG_NONE
#define RECOVERY FSM_PG_RECOVERY
#define WRITABLE FSM_PG_WRITABLE
#define STOPPING FSM_PG_STOPPING
static const struct {
	const char *text;
	enum fsm_postgres postgres;
	const char *sentence;
} states[FSM_STATES] = {
#define STATE(name, text, postgres, sentence) [FSM_##name] = {text, postgres, sentence},
#include "tbl/states.h"
#undef STATE
};

static const struct {
	const char *text;
	const char *otherwise;
} events[FSM_EVENTS] = {
#define EVENT(name, text, meaning, otherwise) [FSM_EV_##name] = {text, otherwise},
#include "tbl/events.h"
#undef EVENT
};

static const char *const actions[FSM_ACTIONS] = {
	[FSM_DO_NOTHING] = "nothing",
	[FSM_DO_PREPARE] = "prepare",
	[FSM_DO_START_PRIMARY] = "arm the fencer, start postgres",
	[FSM_DO_START_STANDBY] = "start postgres in recovery",
	[FSM_DO_CLAIM] = "claim the lease",
	[FSM_DO_PROMOTE] = "arm the fencer, promote",
	[FSM_DO_STOP_ORDERLY] = "stop in the order of the ladder",
	[FSM_DO_STOP_FAST] = "stop fast",
	[FSM_DO_STOP_NOW] = "SIGKILL the tree",
	[FSM_DO_BACK_OFF] = "try again after a pause",
	[FSM_DO_WATCH_SPACE] = "watch for space",
	[FSM_DO_EXIT] = "end podgres",
};

struct fsm_step
fsm_step(enum fsm_state from, enum fsm_event event)
{
	const struct cell *c;

	must(from < FSM_STATES && event < FSM_EVENTS);
	c = &cells[from][event];
	if (!c->set)
		return (struct fsm_step){false, from, FSM_DO_NOTHING, events[event].otherwise};
	return (struct fsm_step){c->moves, c->next, c->action, c->sentence};
}

const char *
fsm_state_text(enum fsm_state s)
{
	must(s < FSM_STATES);
	return states[s].text;
}

const char *
fsm_state_sentence(enum fsm_state s)
{
	must(s < FSM_STATES);
	return states[s].sentence;
}

enum fsm_postgres
fsm_state_postgres(enum fsm_state s)
{
	must(s < FSM_STATES);
	return states[s].postgres;
}

const char *
fsm_event_text(enum fsm_event ev)
{
	must(ev < FSM_EVENTS);
	return events[ev].text;
}

void
fsm_print(struct buf *out)
{
	for (int s = 0; s < FSM_STATES; s++) {
		buf_printf(out, "%s%s: %s\n", s ? "\n" : "", states[s].text, states[s].sentence);
		for (int ev = 0; ev < FSM_EVENTS; ev++) {
			const struct cell *c = &cells[s][ev];

			if (!c->set)
				continue;
			if (c->moves)
				buf_printf(out, "  %s -> %s (%s)\n      %s\n", events[ev].text,
					states[c->next].text, actions[c->action], c->sentence);
			else
				buf_printf(
					out, "  %s: no\n      %s\n", events[ev].text, c->sentence);
		}
	}
}
