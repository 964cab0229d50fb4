/*
 * ladder - the rungs by which postgres is stopped.
 */
#include "core/ladder.h"

#include <signal.h>

#include "base/defs.h"

/* PostgreSQL kills its own children 5 s after an immediate stop; we wait a little longer. */
#define LADDER_IMMEDIATE_MS 6000
#define LADDER_BUDGET_MIN_MS 1000

static const struct {
	const char *text;
	int signal;
} rungs[LADDER_RUNGS] = {
	[LADDER_SMART] = {"smart", SIGTERM},
	[LADDER_FAST] = {"fast", SIGINT},
	[LADDER_IMMEDIATE] = {"immediate", SIGQUIT},
	[LADDER_TREE] = {"SIGKILL of the tree", SIGKILL},
};

static const char *const causes[LADDER_CAUSES] = {
#define LADDER(name, text, meaning) [LADDER_##name] = text,
#include "tbl/ladders.h"
#undef LADDER
};

static void
ladder_add(struct ladder *l, int64_t at_ms, enum ladder_rung rung)
{
	must(l->n < LADDER_RUNGS);
	l->step[l->n++] = (struct ladder_step){at_ms, rung};
}

static int64_t
clamp(int64_t v, int64_t lo, int64_t hi)
{
	return v < lo ? lo : v > hi ? hi : v;
}

/* The tail after the last rung is for reaping and for the end of the program itself. */
static void
ladder_within(struct ladder *l, const struct ladder_times *t)
{
	int64_t budget = t->budget_ms < LADDER_BUDGET_MIN_MS ? LADDER_BUDGET_MIN_MS : t->budget_ms;
	int64_t tree_at = budget - clamp(budget / 10, 200, 5000);
	int64_t immediate_at = tree_at - clamp(budget / 5, 200, 10000);
	int64_t fast_at = clamp(t->smart_ms, 0, immediate_at / 2);

	if (fast_at > 0)
		ladder_add(l, 0, LADDER_SMART);
	ladder_add(l, fast_at, LADDER_FAST);
	ladder_add(l, immediate_at, LADDER_IMMEDIATE);
	ladder_add(l, tree_at, LADDER_TREE);
}

struct ladder
ladder_make(enum ladder_cause cause, const struct ladder_times *t)
{
	struct ladder l = {.cause = cause};
	int64_t later_ms;

	switch (cause) {
	case LADDER_STOP:
	case LADDER_RESTART:
		ladder_within(&l, t);
		break;
	case LADDER_QUIT:
	case LADDER_FENCE_NOW:
		ladder_add(&l, 0, LADDER_IMMEDIATE);
		ladder_add(&l, LADDER_IMMEDIATE_MS, LADDER_TREE);
		break;
	case LADDER_FENCE:
		later_ms = t->switchover_ms > 0 ? t->switchover_ms : 1;
		ladder_add(&l, 0, LADDER_FAST);
		ladder_add(&l, later_ms, LADDER_IMMEDIATE);
		ladder_add(&l, later_ms + LADDER_IMMEDIATE_MS, LADDER_TREE);
		break;
	case LADDER_LEASE:
		if (t->lease_ms > 0)
			ladder_add(&l, 0, LADDER_FAST);
		ladder_add(&l, t->lease_ms > 0 ? t->lease_ms : 0, LADDER_TREE);
		break;
	case LADDER_NOW:
	case LADDER_CAUSES:
		ladder_add(&l, 0, LADDER_TREE);
		break;
	}
	return l;
}

const char *
ladder_rung_text(enum ladder_rung r)
{
	must(r < LADDER_RUNGS);
	return rungs[r].text;
}

int
ladder_rung_signal(enum ladder_rung r)
{
	must(r < LADDER_RUNGS);
	return rungs[r].signal;
}

const char *
ladder_cause_text(enum ladder_cause c)
{
	must(c < LADDER_CAUSES);
	return causes[c];
}
