/*
 * sv_orders - what people ask for: accept or refuse, and see the operation through to its end.
 *
 * Process: supervisor.  The fence is a level, not an event: want and what stands on disk are
 * brought together by the flag job, whatever the order in which orders came.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/sv.h"

#define SV_SWITCH_MS 120000   /* nobody has taken over by then */
#define SV_FENCE_LATE_MS 2000 /* after that postgres is stopped without a durable flag */

/* ---- operations ---- */

void
sv_op_end(struct sv *sv, struct operation *op, enum err_kind kind, const char *why)
{
	op->state = kind == ERR_NONE ? OP_DONE : OP_FAILED;
	op->err_kind = kind;
	op->finished_wall_us = clock_wall_us();
	op->progress = kind == ERR_NONE ? 1 : op->progress;
	snprintf(op->phase, sizeof(op->phase), kind == ERR_NONE ? "done" : "failed");
	snprintf(op->error, sizeof(op->error), "%s", why ? why : "");
	log_info("operation ended", F_STR("operation", op->id),
		F_STR("kind", order_text((enum order_kind)op->kind)), F_STR("error", op->error));
	sv_publish(sv);
}

static struct operation *
sv_op_new(struct sv *sv, const struct order *o)
{
	uint32_t slot = sv->st.operations % SHARED_OPERATIONS;
	struct operation *op = &sv->st.operation[slot];

	/* A fence is never refused: rather is the oldest operation no longer followed. */
	if (op->state == OP_RUNNING && o->kind == ORDER_FENCE)
		sv_op_end(sv, op, ERR_BUSY, "no longer followed: too many operations");
	if (op->state == OP_RUNNING)
		return NULL;
	*op = (struct operation){.kind = o->kind,
		.state = OP_RUNNING,
		.progress = -1,
		.started_wall_us = clock_wall_us()};
	snprintf(op->id, sizeof(op->id), "%.8s-%u", sv->opt.session_id, ++sv->st.operations);
	snprintf(op->phase, sizeof(op->phase), "accepted");
	memcpy(op->idem_key, o->idem_key, sizeof(op->idem_key));
	memcpy(op->by, o->by, sizeof(op->by));
	sv->op_mark[slot] = sv->st.pg_starts;
	sv_publish(sv);
	return op;
}

static bool
sv_op_runs(const struct sv *sv, enum order_kind kind)
{
	for (int i = 0; i < SHARED_OPERATIONS; i++)
		if (sv->st.operation[i].state == OP_RUNNING && sv->st.operation[i].kind == kind)
			return true;
	return false;
}

void
sv_op_finish(struct sv *sv, enum order_kind kind, enum err_kind err, const char *why)
{
	for (int i = 0; i < SHARED_OPERATIONS; i++)
		if (sv->st.operation[i].state == OP_RUNNING && sv->st.operation[i].kind == kind)
			sv_op_end(sv, &sv->st.operation[i], err, why);
}

void
sv_op_phase(struct sv *sv, struct operation *op, const char *phase)
{
	if (strncmp(op->phase, phase, sizeof(op->phase) - 1) == 0)
		return;
	snprintf(op->phase, sizeof(op->phase), "%.47s", phase);
	sv_publish(sv);
}

static void
sv_op_fence(struct sv *sv, struct operation *op)
{
	if (!sv->fence.want)
		sv_op_end(sv, op, ERR_STATE, "superseded by unfence");
	else if (sv->st.state != FSM_FENCED || !sv->st.tree_gone)
		sv_op_phase(sv, op, *sv->st.ladder ? sv->st.ladder : "writing the fence flag");
	else if (sv->fence.failed)
		sv_op_end(sv, op, ERR_SYS, sv->fence.error);
	else if (sv->fence.written == 1)
		sv_op_end(sv, op, ERR_NONE, NULL);
}

static void
sv_op_unfence(struct sv *sv, struct operation *op)
{
	if (sv->fence.want)
		sv_op_end(sv, op, ERR_STATE, "superseded by fence");
	else if (sv->fence.written == 0 && sv->st.state != FSM_FENCED)
		sv_op_end(sv, op, ERR_NONE, NULL);
}

static void
sv_op_promote(struct sv *sv, struct operation *op)
{
	switch (sv->st.state) {
	case FSM_PRIMARY:
		sv_op_end(sv, op, ERR_NONE, NULL);
		break;
	case FSM_CLAIM:
	case FSM_PROMOTE:
		sv_op_phase(sv, op, fsm_state_text((enum fsm_state)sv->st.state));
		break;
	default:
		sv_op_end(sv, op, sv->lease.refused ? ERR_STATE : ERR_FAILED,
			sv->lease.refused ? sv->lease.el.answer : sv->st.reason);
	}
}

static void
sv_op_switchover(struct sv *sv, struct operation *op)
{
	const struct sv_lease *l = &sv->lease;
	bool answered = l->el.answered >= l->asked;

	if (answered && *l->el.answer)
		sv_op_end(sv, op, (enum err_kind)l->el.answer_kind, l->el.answer);
	else if (answered && l->el.role == ELECTOR_FOLLOW)
		sv_op_end(sv, op, ERR_NONE, NULL);
	else if (clock_boot_ns() > l->asked_ns + SV_SWITCH_MS * MS_NS)
		sv_op_end(sv, op, ERR_TIMEOUT, "nobody took over in time");
	else
		sv_op_phase(sv, op,
			l->el.giving || !answered ? "stopping" : "waiting for the next primary");
}

/* It is over when this member sees it, too. */
static void
sv_op_pause(struct sv *sv, struct operation *op)
{
	const struct sv_lease *l = &sv->lease;

	if (l->el.answered < l->asked)
		sv_op_phase(sv, op, "writing it into the Lease");
	else if (*l->el.answer)
		sv_op_end(sv, op, (enum err_kind)l->el.answer_kind, l->el.answer);
	else if (sv->st.paused == (op->kind == ORDER_PAUSE))
		sv_op_end(sv, op, ERR_NONE, NULL);
}

static void
sv_op_restart(struct sv *sv, struct operation *op, uint32_t mark)
{
	if (sv->st.pg_starts > mark && sv->st.pg_phase == PG_PHASE_ACCEPTING)
		sv_op_end(sv, op, ERR_NONE, NULL);
	else if (sv->st.state == FSM_FAILED || sv->st.state == FSM_SPACE ||
		 sv->st.state == FSM_FENCED)
		sv_op_end(sv, op, ERR_FAILED, sv->st.reason);
	else
		sv_op_phase(sv, op, sv->st.pg_phase == PG_PHASE_STOPPING ? "stopping" : "starting");
}

void
sv_ops_update(struct sv *sv)
{
	for (int i = 0; i < SHARED_OPERATIONS; i++) {
		struct operation *op = &sv->st.operation[i];

		if (op->state != OP_RUNNING)
			continue;
		if (sv->want_stop)
			sv_op_end(sv, op, ERR_STATE, "podgres is stopping");
		else if (sv_driven_waits(sv, op))
			sv_op_phase(sv, op, "writing the token");
		else if (op->kind == ORDER_FOLLOW)
			sv_op_follow(sv, op);
		else if (op->kind == ORDER_FENCE)
			sv_op_fence(sv, op);
		else if (op->kind == ORDER_UNFENCE)
			sv_op_unfence(sv, op);
		else if (op->kind == ORDER_PROMOTE)
			sv_op_promote(sv, op);
		else if (op->kind == ORDER_SWITCHOVER)
			sv_op_switchover(sv, op);
		else if (op->kind == ORDER_REINIT)
			sv_op_reinit(sv, op);
		else if (op->kind == ORDER_PAUSE || op->kind == ORDER_RESUME)
			sv_op_pause(sv, op);
		else if (op->kind == ORDER_RESTART)
			sv_op_restart(sv, op, sv->op_mark[i]);
	}
}

/* ---- the fence ---- */

bool
sv_fenced(const struct sv *sv)
{
	return sv->fence.want || sv->fence.written != 0;
}

void
sv_fence_want(struct sv *sv, bool on, const char *by, const char *reason)
{
	bool news = sv->fence.want != on;

	sv->fence.want = on;
	sv->fence.failed = false;
	if (on && news) {
		sv->st.fence_wall_us = clock_wall_us();
		snprintf(sv->st.fence_reason, sizeof(sv->st.fence_reason), "%.100s%s%.80s", reason,
			*reason ? ", by " : "by ", by);
	}
	if (!on)
		sv->fence.from_manifest = false;
	log_info(
		on ? "fence ordered" : "unfence ordered", F_STR("by", by), F_STR("reason", reason));
	sv_publish(sv);
	if (on && news)
		loop_timer_in(sv->loop, &sv->fence_late, SV_FENCE_LATE_MS);
	sv_flag_next(sv);
	/* Nothing to write: the level is there already, or the table may still have to move. */
	if (sv->fence.written == (on ? 1 : 0) && !sv->job[SV_FLAG].proc)
		sv_event(sv, on ? FSM_EV_FENCE : FSM_EV_UNFENCE, NULL);
	sv_ops_update(sv);
}

/* ---- orders ---- */

static bool
sv_known_key(const struct sv *sv, const struct order *o, struct order_reply *r)
{
	if (!*o->idem_key)
		return false;
	for (int i = 0; i < SHARED_OPERATIONS; i++) {
		const struct operation *op = &sv->st.operation[i];

		if (*op->id && op->kind == o->kind &&
			strncmp(op->idem_key, o->idem_key, sizeof(op->idem_key)) == 0) {
			memcpy(r->op_id, op->id, sizeof(r->op_id));
			r->repeated = true;
			return true;
		}
	}
	return false;
}

void
sv_refuse(struct order_reply *r, enum err_kind kind, const char *why)
{
	r->err_kind = kind;
	snprintf(r->reason, sizeof(r->reason), "%s", why);
}

/* Would the table do something?  Fence and unfence are levels and always welcome. */
static bool
sv_allowed(const struct sv *sv, const struct order *o, struct order_reply *r)
{
	enum order_kind kind = (enum order_kind)o->kind;
	enum fsm_event ev = order_event(kind);
	struct fsm_step step;

	if (order_brings(kind)) {
		sv_refuse(r, ERR_NOTIMPL, order_brings(kind));
		return false;
	}
	if (sv->want_stop) {
		sv_refuse(r, ERR_STATE, "podgres is stopping");
		return false;
	}
	if (kind == ORDER_PROMOTE && sv->fence.want) {
		sv_refuse(r, ERR_STATE, fsm_step(FSM_FENCED, FSM_EV_PROMOTE).sentence);
		return false;
	}
	if (kind == ORDER_PROMOTE && sv->st.paused) {
		sv_refuse(r, ERR_STATE, "paused: resume before promoting");
		return false;
	}
	if (kind == ORDER_SWITCHOVER && sv->st.paused && !*o->member) {
		sv_refuse(r, ERR_STATE, "paused: a switchover needs a target");
		return false;
	}
	if (!sv_driven_allowed(sv, o, r))
		return false;
	if (sv_driven_known(sv, o))
		return true;
	if (kind == ORDER_BACKUP || kind == ORDER_HOT_START)
		return sv_backup_allowed(sv, o, r);
	if (kind == ORDER_BACKUP_DELETE)
		return sv_delete_allowed(sv, r);
	if (kind == ORDER_HOT_STOP || kind == ORDER_HOT_ABORT)
		return sv_hot_allowed(sv, o, r);
	if (kind == ORDER_REINIT && !sv_reinit_allowed(sv, r))
		return false;
	if ((kind == ORDER_SWITCHOVER || kind == ORDER_PROMOTE) &&
		(sv_op_runs(sv, ORDER_SWITCHOVER) || sv_op_runs(sv, ORDER_PROMOTE))) {
		sv_refuse(r, ERR_STATE, "a switchover or a promotion is under way");
		return false;
	}
	if (kind == ORDER_SWITCHOVER && !sv_lease_on(sv)) {
		sv_refuse(r, ERR_STATE,
			"a lone instance has nobody to hand over to: see --coordination");
		return false;
	}
	if (kind == ORDER_FENCE || kind == ORDER_UNFENCE || ev == FSM_EV_NONE)
		return true;
	step = fsm_step((enum fsm_state)sv->st.state, ev);
	if (!step.moves)
		sv_refuse(r, ERR_STATE, step.sentence);
	return step.moves;
}

void
sv_pause(struct sv *sv, bool on)
{
	sv->st.paused = on;
	sv_publish(sv);
	if (!sv_lease_on(sv))
		sv_op_finish(sv, on ? ORDER_PAUSE : ORDER_RESUME, ERR_NONE, NULL);
	/* What ended during the pause starts now. */
	if (!on && !sv->pg && !sv->job[SV_MAIN].proc && sv->retry.at_ns == CLOCK_NEVER)
		sv_event(sv, FSM_EV_RETRY, NULL);
}

static void
sv_switchover(struct sv *sv, const struct order *o)
{
	struct elector_order ask = {.what = ELECTOR_ORDER_SWITCHOVER};

	snprintf(ask.target, sizeof(ask.target), "%.63s", o->member);
	sv_lease_ask(sv, &ask);
}

static void
sv_do_fence(struct sv *sv, const struct order *o)
{
	sv->fence.now = o->mode == ORDER_MODE_IMMEDIATE;
	sv_fence_want(sv, true, o->by, o->reason);
	/* Somebody in a hurry may overtake a fence that is still being polite. */
	if (sv->fence.now && sv->stopping_pg && sv->pg)
		sv_pg_stop(sv, LADDER_FENCE_NOW);
}

void
sv_do(struct sv *sv, const struct order *o)
{
	switch ((enum order_kind)o->kind) {
	case ORDER_FENCE:
		sv_do_fence(sv, o);
		break;
	case ORDER_UNFENCE:
		sv_fence_want(sv, false, o->by, o->reason);
		break;
	case ORDER_RELOAD:
		sv_job_configure(sv);
		break;
	case ORDER_PAUSE:
	case ORDER_RESUME:
		if (!sv_lease_on(sv))
			sv_pause(sv, o->kind == ORDER_PAUSE);
		else
			sv_lease_ask(sv,
				&(struct elector_order){.what = o->kind == ORDER_PAUSE
									? ELECTOR_ORDER_PAUSE
									: ELECTOR_ORDER_RESUME});
		break;
	case ORDER_RESTART:
		restart_forget(&sv->pg_restart); /* somebody looks after it */
		sv_event(sv, FSM_EV_RESTART, NULL);
		if (o->mode == ORDER_MODE_IMMEDIATE && sv->pg)
			sv_pg_stop(sv, LADDER_QUIT);
		break;
	case ORDER_PROMOTE:
		sv->lease.promote = (struct elector_order){
			.force = o->force, .accept_loss_bytes = o->accept_loss_bytes};
		sv_event(sv, FSM_EV_PROMOTE, NULL);
		break;
	case ORDER_FOLLOW:
		sv_event(sv, FSM_EV_FOLLOW, o->primary);
		break;
	case ORDER_BACKUP:
	case ORDER_HOT_START:
		sv_backup_start(sv, o);
		break;
	case ORDER_BACKUP_DELETE:
		sv_delete_start(sv, o);
		break;
	case ORDER_HOT_STOP:
	case ORDER_HOT_ABORT:
		sv_hot_end(sv, o->kind == ORDER_HOT_STOP);
		break;
	case ORDER_SWITCHOVER:
		sv_switchover(sv, o);
		break;
	case ORDER_REINIT:
		sv_reinit_start(sv);
		break;
	case ORDER_KINDS:
		break;
	}
}

void
sv_order(struct sv *sv, const struct order *o, struct order_reply *r)
{
	struct operation *op;
	struct order own = *o;

	own.by[sizeof(own.by) - 1] = own.reason[sizeof(own.reason) - 1] = '\0';
	own.idem_key[sizeof(own.idem_key) - 1] = '\0';
	own.backup.name[sizeof(own.backup.name) - 1] = '\0';
	if (own.kind >= ORDER_KINDS) {
		sv_refuse(r, ERR_INVALID, "no such order");
		return;
	}
	if (sv_known_key(sv, &own, r) || !sv_allowed(sv, &own, r))
		return;
	op = sv_op_new(sv, &own);
	if (!op) {
		sv_refuse(r, ERR_BUSY, "too many operations are running");
		return;
	}
	memcpy(r->op_id, op->id, sizeof(r->op_id));
	log_info("order", F_STR("kind", order_text((enum order_kind)own.kind)),
		F_STR("operation", op->id), F_STR("by", own.by), F_STR("reason", own.reason));
	if (own.token)
		sv_driven_take(sv, &own);
	else
		sv_do(sv, &own);
	sv_ops_update(sv);
}
