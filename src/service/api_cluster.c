/*
 * api_cluster - the members, the timelines and this member in Patroni's words.
 *
 * Process: api.  Field names: Patroni's REST API.  Without a Lease the members are this one and the
 * standbys that stream from it.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "service/api.h"

/* Patroni's words for what postgres does. */
static const char *
patroni_state(struct api_call *c)
{
	const struct supervisor_status *sup = &c->a->view.sup;

	if (sup->fenced)
		return "stopped";
	switch ((enum pg_phase)sup->pg_phase) {
	case PG_PHASE_STARTING:
		return "starting";
	case PG_PHASE_ACCEPTING:
		return "running";
	case PG_PHASE_STOPPING:
		return "stopping";
	case PG_PHASE_DOWN:
		break;
	}
	return sup->pg_exit.set && sup->state == FSM_FAILED ? "crashed" : "stopped";
}

static bool
patroni_is_primary(struct api_call *c)
{
	const struct api_view *v = &c->a->view;

	return v->sup.state == FSM_PRIMARY && !(api_view_seen(v) && v->pg.in_recovery);
}

static const char *
patroni_role(struct api_call *c)
{
	const struct api_view *v = &c->a->view;

	if (patroni_is_primary(c))
		return "primary";
	if (api_view_seen(v) && v->pg.known && v->pg.in_recovery)
		return "replica";
	return v->sup.plan.standby     ? "replica"
	       : v->sup.plan.system_id ? "demoted"
				       : "uninitialized";
}

static void
patroni_xlog(struct json *j, const struct pg_facts *pg)
{
	json_kobj(j, "xlog");
	if (pg->in_recovery) {
		json_kint(j, "received_location", (int64_t)pg->received_lsn);
		json_kint(j, "replayed_location", (int64_t)pg->replay_lsn);
		json_ktime(j, "replayed_timestamp", pg->replay_wall_us);
		json_kbool(j, "paused", pg->replay_paused);
	} else {
		json_kint(j, "location", (int64_t)pg->current_lsn);
	}
	json_end_obj(j);
}

static void
patroni_replication(struct json *j, const struct pg_facts *pg)
{
	json_karr(j, "replication");
	for (uint32_t i = 0; i < pg->replicas && i < PG_REPLICAS; i++) {
		const struct pg_replica *r = &pg->replica[i];

		json_obj(j);
		json_kstr(j, "usename", r->usename);
		json_kstr(j, "application_name", r->application_name);
		json_kstr(j, "client_addr", *r->client_addr ? r->client_addr : NULL);
		json_kstr(j, "state", r->state);
		json_kstr(j, "sync_state", r->sync_state);
		json_kint(j, "sync_priority", r->sync_priority);
		json_end_obj(j);
	}
	json_end_arr(j);
}

static void
patroni_pending(struct json *j, const struct pg_facts *pg)
{
	if (pg->pending_count == 0)
		return;
	json_kbool(j, "pending_restart", true);
	json_kobj(j, "pending_restart_reason");
	for (uint32_t i = 0; i < pg->pending_count && i < PG_PENDING; i++) {
		json_kobj(j, pg->pending[i].name);
		json_kstr(j, "old_value", pg->pending[i].old_value);
		json_kstr(j, "new_value", pg->pending[i].new_value);
		json_end_obj(j);
	}
	json_end_obj(j);
}

static void
patroni_postgres(struct json *j, const struct pg_facts *pg)
{
	char id[24];

	json_ktime(j, "postmaster_start_time", pg->postmaster_start_wall_us);
	json_kint(j, "server_version", pg->server_version_num);
	json_kint(j, "timeline", pg->timeline);
	patroni_xlog(j, pg);
	if (pg->in_recovery && pg->receiver_active)
		json_kstr(j, "replication_state", "streaming");
	if (!pg->in_recovery && pg->replicas > 0)
		patroni_replication(j, pg);
	patroni_pending(j, pg);
	snprintf(id, sizeof(id), "%llu", (unsigned long long)pg->system_id);
	json_kstr(j, "database_system_identifier", id);
}

void
api_json_patroni(struct json *j, struct api_call *c)
{
	const struct api_view *v = &c->a->view;

	json_obj(j);
	json_kstr(j, "state", patroni_state(c));
	json_kstr(j, "role", patroni_role(c));
	if (api_view_seen(v) && v->pg.known)
		patroni_postgres(j, &v->pg);
	if (v->sup.paused)
		json_kbool(j, "pause", true);
	json_kobj(j, "patroni");
	json_kstr(j, "version", "podgres " PODGRES_VERSION);
	json_kstr(j, "scope", c->a->opt->cluster_name);
	json_kstr(j, "name", c->a->opt->pod_name);
	json_end_obj(j);
	json_end_obj(j);
}

void
api_patroni(struct api_call *c)
{
	AUTO(buf_deinit) struct buf b = {0};
	struct json j;

	json_init(&j, &b);
	api_json_patroni(&j, c);
	buf_putc(&b, '\n');
	api_reply_json(c, 200, &b);
}

/* ---- /cluster ---- */

static void
lag_of(struct json *j, const char *key, const char *lag_key, uint64_t end, uint64_t at)
{
	char lsn[24];

	if (at == 0) {
		json_kstr(j, key, "unknown");
		json_kstr(j, lag_key, "unknown");
		return;
	}
	snprintf(lsn, sizeof(lsn), "%X/%X", (unsigned)(at >> 32), (unsigned)at);
	json_kstr(j, key, lsn);
	json_kint(j, lag_key, end > at ? (int64_t)(end - at) : 0);
}

static const char *
member_role(const struct pg_replica *r)
{
	if (strcmp(r->sync_state, "sync") == 0)
		return "sync_standby";
	return strcmp(r->sync_state, "quorum") == 0 ? "quorum_standby" : "replica";
}

static void
cluster_standby(struct json *j, const struct pg_facts *pg, const struct pg_replica *r)
{
	json_obj(j);
	json_kstr(j, "name", r->application_name);
	json_kstr(j, "role", member_role(r));
	json_kstr(j, "state", r->state);
	if (*r->client_addr)
		json_kstr(j, "host", r->client_addr);
	json_kint(j, "timeline", pg->timeline);
	lag_of(j, "receive_lsn", "receive_lag", pg->current_lsn, r->flush_lsn);
	lag_of(j, "replay_lsn", "replay_lag", pg->current_lsn, r->replay_lsn);
	lag_of(j, "lsn", "lag", pg->current_lsn, r->replay_lsn);
	json_end_obj(j);
}

static void
cluster_url(struct json *j, struct api_call *c, const char *host)
{
	const char *port = strrchr(c->a->opt->listen, ':');
	bool v6 = strchr(host, ':') != NULL;
	char url[400];

	if (*c->a->opt->listen && port) {
		snprintf(url, sizeof(url), "http%s://%s%s%s%s/patroni", c->a->tls ? "s" : "",
			v6 ? "[" : "", host, v6 ? "]" : "", port);
		json_kstr(j, "api_url", url);
	}
	json_kstr(j, "host", host);
	json_kint(j, "port", c->a->view.sup.plan.port);
}

static void
cluster_address(struct json *j, struct api_call *c)
{
	const struct run_options *opt = c->a->opt;

	cluster_url(j, c, *opt->pod_ip ? opt->pod_ip : opt->pod_name);
}

static void
cluster_self(struct json *j, struct api_call *c)
{
	const struct api_view *v = &c->a->view;
	bool streams = api_view_seen(v) && v->pg.in_recovery && v->pg.receiver_active;
	const char *role = patroni_role(c);

	json_obj(j);
	json_kstr(j, "name", c->a->opt->pod_name);
	json_kstr(j, "role", strcmp(role, "primary") == 0 ? "leader" : role);
	json_kstr(j, "state", streams ? "streaming" : patroni_state(c));
	cluster_address(j, c);
	if (api_view_seen(v) && v->pg.known) {
		uint64_t end =
			v->pg.replay_lsn + (uint64_t)(api_view_lag(v) > 0 ? api_view_lag(v) : 0);

		json_kint(j, "timeline", v->pg.timeline);
		if (v->pg.in_recovery) {
			lag_of(j, "receive_lsn", "receive_lag", end, v->pg.received_lsn);
			lag_of(j, "replay_lsn", "replay_lag", end, v->pg.replay_lsn);
			lag_of(j, "lsn", "lag", end, v->pg.replay_lsn);
		}
		patroni_pending(j, &v->pg);
	}
	json_end_obj(j);
}

/* Another member, as it said of itself. */
static void
cluster_member(struct json *j, struct api_call *c, const struct elector_member *m, uint64_t end)
{
	const struct elector_status *el = &c->a->view.elector;
	uint32_t voters = 0;

	for (uint32_t i = 0; i < el->members && i < ELECTOR_MEMBERS; i++)
		voters += el->member[i].voter;
	json_obj(j);
	json_kstr(j, "name", m->name);
	json_kstr(j, "role",
		m->primary               ? "leader"
		: !m->voter              ? "replica"
		: voters > el->sync_acks ? "quorum_standby"
					 : "sync_standby");
	json_kstr(j, "state",
		m->primary     ? "running"
		: m->streaming ? "streaming"
		: m->ready     ? "running"
			       : "stopped");
	cluster_url(j, c, m->address);
	json_kint(j, "timeline", m->timeline);
	if (!m->primary) {
		lag_of(j, "receive_lsn", "receive_lag", end, m->received_lsn);
		lag_of(j, "replay_lsn", "replay_lag", end, m->replay_lsn);
		lag_of(j, "lsn", "lag", end, m->replay_lsn);
	}
	json_end_obj(j);
}

static void
cluster_members(struct json *j, struct api_call *c)
{
	const struct elector_status *el = &c->a->view.elector;
	uint64_t end = 0;

	for (uint32_t i = 0; i < el->members && i < ELECTOR_MEMBERS; i++)
		if (el->member[i].primary)
			end = el->member[i].received_lsn;
	for (uint32_t i = 0; i < el->members && i < ELECTOR_MEMBERS; i++)
		if (strcmp(el->member[i].name, c->a->opt->pod_name) == 0)
			cluster_self(j, c);
		else
			cluster_member(j, c, &el->member[i], end);
}

static void
cluster_alone(struct json *j, struct api_call *c)
{
	const struct api_view *v = &c->a->view;

	cluster_self(j, c);
	for (uint32_t i = 0; api_view_seen(v) && i < v->pg.replicas && i < PG_REPLICAS; i++)
		cluster_standby(j, &v->pg, &v->pg.replica[i]);
}

void
api_cluster(struct api_call *c)
{
	AUTO(buf_deinit) struct buf b = {0};
	const struct api_view *v = &c->a->view;
	struct json j;

	json_init(&j, &b);
	json_obj(&j);
	json_karr(&j, "members");
	if (v->elector.members > 0)
		cluster_members(&j, c);
	else
		cluster_alone(&j, c);
	json_end_arr(&j);
	if (v->sup.paused)
		json_kbool(&j, "pause", true);
	json_kstr(&j, "scope", c->a->opt->cluster_name);
	json_end_obj(&j);
	buf_putc(&b, '\n');
	api_reply_json(c, 200, &b);
}

/* [[timeline, lsn, reason], ...]: the history file knows neither when nor who. */
void
api_history(struct api_call *c)
{
	AUTO(buf_deinit) struct buf b = {0};
	const struct pg_facts *pg = &c->a->view.pg;
	struct json j;

	json_init(&j, &b);
	json_arr(&j);
	for (uint32_t i = 0; i < pg->histories && i < PG_HISTORY; i++) {
		json_arr(&j);
		json_int(&j, pg->history[i].timeline);
		json_uint(&j, pg->history[i].lsn);
		json_str(&j, pg->history[i].reason);
		json_end_arr(&j);
	}
	json_end_arr(&j);
	buf_putc(&b, '\n');
	api_reply_json(c, 200, &b);
}
