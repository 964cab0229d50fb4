/*
 * api_lease - the Lease and the members in /pg/status.
 *
 * Process: api.
 */
#include "base/clock.h"
#include "base/json.h"
#include "service/api.h"

/* In PostgreSQL's words; quorum: not all that may acknowledge have to. */
static const char *
status_sync_state(const struct elector_status *el, const struct elector_member *m)
{
	uint32_t voters = 0;

	for (uint32_t i = 0; i < el->members && i < ELECTOR_MEMBERS; i++)
		voters += el->member[i].voter;
	return !m->voter ? "async" : voters > el->sync_acks ? "quorum" : "sync";
}

static void
status_sync(struct json *j, const struct elector_status *el)
{
	json_kobj(j, "sync");
	json_kstr(j, "leader", el->sync_leader);
	json_kint(j, "acks", el->sync_acks);
	json_kstr(j, "names", el->sync_names);
	json_kstr(j, "state", el->sync_state);
	json_end_obj(j);
}

static void
status_member(struct json *j, const struct api_view *v, const struct elector_member *m)
{
	json_obj(j);
	json_kstr(j, "name", m->name);
	json_kstr(j, "address", m->address);
	json_kstr(j, "role", m->primary ? "primary" : "replica");
	json_kstr(j, "state", m->state);
	json_kbool(j, "ready", m->ready);
	json_kbool(j, "streaming", m->streaming);
	if (v->elector.sync && !m->primary)
		json_kstr(j, "syncState", status_sync_state(&v->elector, m));
	json_kint(j, "timeline", m->timeline);
	api_json_lsn(j, "receivedLsn", m->received_lsn);
	api_json_lsn(j, "replayLsn", m->replay_lsn);
	if (!m->primary && m->lag_s >= 0)
		json_knum(j, "lagSeconds", m->lag_s);
	api_json_age(j, "seenAgeSeconds", v, m->seen_ns);
	json_end_obj(j);
}

static void
status_change(struct json *j, const struct elector_change_seen *c)
{
	json_kobj(j, "lastChange");
	json_kstr(j, "from", c->from);
	json_kstr(j, "to", c->to);
	json_kstr(j, "at", c->at);
	if (c->seconds >= 0)
		json_knum(j, "seconds", c->seconds);
	json_kstr(j, "reason", c->reason);
	json_end_obj(j);
}

static void
status_lost(struct json *j, const struct plan_lost *l)
{
	json_kobj(j, "lastDivergence");
	json_kstr(j, "at", l->at);
	json_kint(j, "timeline", l->timeline);
	api_json_lsn(j, "fromLsn", l->from);
	api_json_lsn(j, "toLsn", l->to);
	json_kint(j, "bytes", (int64_t)(l->to - l->from));
	json_kstr(j, "primary", l->primary);
	json_kstr(j, "keptIn", *l->kept ? l->kept : NULL);
	json_end_obj(j);
}

void
api_json_lease(struct json *j, struct api_call *c)
{
	const struct api_view *v = &c->a->view;
	const struct elector_status *el = &v->elector;

	json_kobj(j, "lease");
	json_kstr(j, "mode", "kubernetes");
	json_kstr(j, "holder", el->holder_name);
	json_kstr(j, "identity", el->holder);
	json_kbool(j, "mine", el->role == ELECTOR_LEAD);
	api_json_age(j, "renewedAgeSeconds", v, el->sent_ns);
	json_key(j, "deadlineInSeconds");
	if (el->role == ELECTOR_LEAD)
		json_num(j, (double)(el->sent_ns + el->fast_ns - v->now_ns) / 1e9);
	else
		json_null(j);
	json_kint(j, "transitions", el->transitions);
	json_kint(j, "timeline", el->timeline);
	api_json_age(j, "readAgeSeconds", v, el->read_ns);
	json_kstr(j, "problem", el->problem);
	json_kstr(j, "hint", el->hint);
	if (el->sync)
		status_sync(j, el);
	api_json_failsafe(j, v);
	if (*el->change.from)
		status_change(j, &el->change);
	if (*v->sup.plan.lost.at)
		status_lost(j, &v->sup.plan.lost);
	json_karr(j, "members");
	for (uint32_t i = 0; i < el->members && i < ELECTOR_MEMBERS; i++)
		status_member(j, v, &el->member[i]);
	json_end_arr(j);
	json_end_obj(j);
	json_ktime(j, "watchdogFiredAt", v->sup.watchdog_fired_wall_us);
}
