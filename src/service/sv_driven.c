/*
 * sv_driven - --coordination none: somebody outside drives several instances, with fencing tokens.
 *
 * Process: supervisor.  An order with a token is written down before it is carried out (job token);
 * one with a smaller token than the last is refused, the same order with the same token is the same
 * order.  From the first token on the instance is what the last one said, after a crash and a
 * restart too.  What others read of a Lease on the board, they then read of the token: this file
 * writes SEC_ELECTOR, because no elector runs.
 *
 * Here nobody counts time: whoever drives must know that the former primary is stopped before it
 * promotes another one.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "service/sv.h"

bool
sv_driven(const struct sv *sv)
{
	return !sv_lease_on(sv) && sv->lease.el.driven;
}

bool
sv_driven_follows(const struct sv *sv)
{
	return sv_driven(sv) && sv->lease.el.role == ELECTOR_FOLLOW;
}

/* ---- what stands on the board ---- */

/* HOST:PORT, the host perhaps in brackets. */
static void
driven_primary(struct elector_status *el, const char *primary)
{
	const char *colon = strrchr(primary, ':');
	size_t n = colon ? (size_t)(colon - primary) : 0;
	bool brackets = n > 2 && primary[0] == '[';

	snprintf(el->holder, sizeof(el->holder), "%s", primary);
	snprintf(el->holder_name, sizeof(el->holder_name), "%.63s", primary);
	snprintf(el->holder_address, sizeof(el->holder_address), "%.*s",
		(int)(brackets ? n - 2 : n), primary + brackets);
	el->holder_port = colon ? (uint16_t)strtoul(colon + 1, NULL, 10) : 0;
}

static void
driven_set(struct sv *sv, uint64_t token, const char *order, bool leads, const char *primary)
{
	struct elector_status *el = &sv->lease.el;

	*el = (struct elector_status){.driven = true,
		.known = true,
		.token = token,
		.role = leads      ? ELECTOR_LEAD
			: *primary ? ELECTOR_FOLLOW
				   : ELECTOR_WAIT}; /* fenced before anybody said whom to follow */
	snprintf(el->identity, sizeof(el->identity), "%.255s", sv->opt.pod_name);
	snprintf(el->token_order, sizeof(el->token_order), "%s", order);
	if (leads)
		snprintf(el->holder, sizeof(el->holder), "%s", el->identity);
	else
		driven_primary(el, primary);
	shared_write(sv->board, SEC_ELECTOR, el);
	sv_publish(sv);
}

void
sv_driven_read(struct sv *sv, const char *text)
{
	char order[16] = "", role[16] = "", primary[192] = "";
	unsigned long long token = 0;

	if (sv_lease_on(sv) ||
		sscanf(text, "%llu %15s %15s %191s", &token, order, role, primary) < 3)
		return;
	driven_set(sv, token, order, strcmp(role, "lead") == 0, primary);
	log_info("driven by orders", F_INT("token", (int64_t)token), F_STR("order", order + 0),
		F_STR("role", role + 0), F_STR("primary", primary + 0));
}

/* ---- may it be? ---- */

static bool
driven_same(const struct sv *sv, const struct order *o)
{
	const struct elector_status *el = &sv->lease.el;

	return strcmp(el->token_order, order_text((enum order_kind)o->kind)) == 0 &&
	       (o->kind != ORDER_FOLLOW || strcmp(el->holder, o->primary) == 0);
}

static bool driven_refuse(struct order_reply *r, enum err_kind kind, const char *fmt, ...)
	PRINTF(3, 4);

static bool
driven_refuse(struct order_reply *r, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	r->err_kind = kind;
	va_start(ap, fmt);
	vsnprintf(r->reason, sizeof(r->reason), fmt, ap);
	va_end(ap);
	return false;
}

static bool
driven_token_allowed(const struct sv *sv, const struct order *o, struct order_reply *r)
{
	unsigned long long seen = sv->lease.el.token, token = o->token;

	if (sv->lease.token_writing || sv->job[SV_SIDE].proc)
		return driven_refuse(r, ERR_BUSY, "another order is being written down");
	if (token < seen)
		return driven_refuse(
			r, ERR_UNMET, "token %llu is too old: %llu was seen", token, seen);
	if (token == seen && !driven_same(sv, o))
		return driven_refuse(r, ERR_STATE, "token %llu was seen with another order, %s",
			token, sv->lease.el.token_order);
	return true;
}

bool
sv_driven_allowed(const struct sv *sv, const struct order *o, struct order_reply *r)
{
	if (sv_lease_on(sv) && (o->token || o->kind == ORDER_FOLLOW))
		return driven_refuse(r, ERR_STATE,
			"the Lease says who is the primary: orders carry no token here");
	if (o->token)
		return driven_token_allowed(sv, o, r);
	if (sv_driven(sv) && (o->kind == ORDER_PROMOTE || o->kind == ORDER_UNFENCE))
		return driven_refuse(r, ERR_UNMET,
			"this instance is driven by orders with tokens: give one above %llu",
			(unsigned long long)sv->lease.el.token);
	return true;
}

bool
sv_driven_known(const struct sv *sv, const struct order *o)
{
	if (!o->token)
		return false;
	return (sv_driven(sv) && o->token == sv->lease.el.token) ||
	       (o->kind == ORDER_PROMOTE && sv->st.state == FSM_PRIMARY) ||
	       (o->kind == ORDER_FOLLOW && sv_fenced(sv));
}

/* ---- carried out ---- */

/* Twice is once: what is so already is left alone. */
static void
driven_act(struct sv *sv, const struct order *o)
{
	if (o->kind == ORDER_PROMOTE) {
		sv_job_configure(sv); /* others may follow from now on */
		if (sv->st.state != FSM_PRIMARY && sv->st.state != FSM_PROMOTE)
			sv_do(sv, o);
	} else if (o->kind != ORDER_FOLLOW || !sv_fenced(sv)) {
		sv_do(sv, o);
	}
	sv_ops_update(sv);
}

void
sv_driven_take(struct sv *sv, const struct order *o)
{
	const struct elector_status *el = &sv->lease.el;
	bool fence = o->kind == ORDER_FENCE || o->kind == ORDER_UNFENCE;
	bool leads = o->kind == ORDER_PROMOTE ||
		     (fence && (el->driven ? el->role == ELECTOR_LEAD : !sv->st.plan.standby));
	char number[24];
	const char *args[4] = {number, order_text((enum order_kind)o->kind),
		leads ? "lead" : "follow", fence ? el->holder : o->primary};

	if (o->token == el->token && sv_driven(sv)) {
		if (o->kind != ORDER_FOLLOW || sv->st.state != FSM_STANDBY)
			driven_act(sv, o);
		return;
	}
	snprintf(number, sizeof(number), "%llu", (unsigned long long)o->token);
	sv->lease.token_order = *o;
	sv->lease.token_writing = true;
	sv_job_start(sv, SV_SIDE, JOB_TOKEN, args, 4);
}

bool
sv_driven_waits(const struct sv *sv, const struct operation *op)
{
	return sv->lease.token_writing && op->kind == sv->lease.token_order.kind;
}

void
sv_driven_written(struct sv *sv, const struct job_report *r)
{
	const struct order *o = &sv->lease.token_order;
	const struct elector_status *el = &sv->lease.el;
	bool fence = o->kind == ORDER_FENCE || o->kind == ORDER_UNFENCE;
	char holder[sizeof(el->holder)];

	sv->lease.token_writing = false;
	if (r->outcome != JOB_OUT_OK) {
		sv_op_finish(sv, (enum order_kind)o->kind, (enum err_kind)r->err_kind, r->error);
		return;
	}
	memcpy(holder, el->holder, sizeof(holder));
	driven_set(sv, o->token, order_text((enum order_kind)o->kind),
		o->kind == ORDER_PROMOTE ||
			(fence && (el->driven ? el->role == ELECTOR_LEAD : !sv->st.plan.standby)),
		fence ? holder : o->primary);
	driven_act(sv, o);
}

void
sv_driven_look(struct sv *sv)
{
	if (!sv_driven(sv))
		return;
	sv_lease_care(sv);
	sv_ops_update(sv);
	/* The promotion was written down, and not carried out to its end. */
	if (sv->lease.el.role == ELECTOR_LEAD && sv->st.state == FSM_STANDBY && !sv_fenced(sv) &&
		!sv->st.paused && sv->st.pg_phase == PG_PHASE_ACCEPTING)
		sv_event(sv, FSM_EV_PROMOTE, "the last token said so");
}

void
sv_op_follow(struct sv *sv, struct operation *op)
{
	static struct pg_facts f;
	enum err_kind kind = (enum err_kind)sv->st.job.err_kind;

	if (!sv_driven_follows(sv)) {
		sv_op_end(sv, op, ERR_STATE, "another order came after it");
	} else if (sv_fenced(sv)) {
		sv_op_end(sv, op, ERR_NONE, NULL); /* it follows when it is unfenced */
	} else if (sv->st.state == FSM_FAILED && kind != ERR_REMOTE && kind != ERR_TIMEOUT &&
		   kind != ERR_DENIED) { /* its role is made in a moment */
		sv_op_end(sv, op, ERR_FAILED, sv->st.reason);
	} else {
		shared_read(sv->board, SEC_POSTGRES, &f);
		if (sv->st.state == FSM_STANDBY && sv->pg && f.pid == proc_pid(sv->pg) && f.known &&
			f.receiver_active)
			sv_op_end(sv, op, ERR_NONE, NULL);
		else
			sv_op_phase(sv, op, "turning to that primary");
	}
}
