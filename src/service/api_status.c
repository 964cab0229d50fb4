/*
 * api_status - everything known about this instance, as JSON.
 *
 * Process: api.  The first part has CloudNativePG's fields with their documented meaning
 * (pkg/postgres/status.go, struct PostgresqlStatus); the second part is ours (interface, "HTTP").
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "pg/control.h"
#include "service/api.h"

/* ---- values ---- */

void
api_json_lsn(struct json *j, const char *key, uint64_t lsn)
{
	char text[24];

	if (lsn == 0)
		return;
	snprintf(text, sizeof(text), "%X/%X", (unsigned)(lsn >> 32), (unsigned)lsn);
	json_kstr(j, key, text);
}

/* Always there: CloudNativePG has these as plain strings. */
static void
json_lsn(struct json *j, const char *key, uint64_t lsn)
{
	if (lsn == 0)
		json_kstr(j, key, "");
	else
		api_json_lsn(j, key, lsn);
}

static void
json_given(struct json *j, const char *key, const char *text)
{
	if (*text)
		json_kstr(j, key, text);
}

static void
json_kuint_text(struct json *j, const char *key, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
	json_kstr(j, key, v ? text : "");
}

/* Seconds since a boot time; null for never. */
void
api_json_age(struct json *j, const char *key, const struct api_view *v, int64_t at_ns)
{
	json_key(j, key);
	if (at_ns == 0)
		json_null(j);
	else
		json_num(j, api_view_age(v, at_ns));
}

static void
json_bytes(struct json *j, const char *key, int64_t bytes)
{
	json_key(j, key);
	if (bytes < 0)
		json_null(j);
	else
		json_int(j, bytes);
}

/* ---- CloudNativePG's part ---- */

static void
cnpg_archiver(struct json *j, const struct pg_facts *pg)
{
	if (pg->archived_wall_us > pg->failed_wall_us)
		json_kbool(j, "isArchivingWAL", true);
	json_given(j, "lastArchivedWAL", pg->archived_wal);
	json_ktime(j, "lastArchivedWALTime", pg->archived_wall_us);
	json_given(j, "lastFailedWAL", pg->failed_wal);
	json_ktime(j, "lastFailedWALTime", pg->failed_wall_us);
	json_given(j, "currentWAL", pg->current_wal);
	if (pg->ready_wal_files > 0)
		json_kint(j, "readyWalFiles", pg->ready_wal_files);
}

static void
cnpg_replication(struct json *j, const struct pg_facts *pg)
{
	json_karr(j, "replicationInfo");
	for (uint32_t i = 0; i < pg->replicas && i < PG_REPLICAS; i++) {
		const struct pg_replica *r = &pg->replica[i];
		char priority[16];

		json_obj(j);
		json_kstr(j, "applicationName", r->application_name);
		json_kstr(j, "state", r->state);
		json_lsn(j, "receivedLsn", r->sent_lsn);
		json_lsn(j, "writeLsn", r->write_lsn);
		json_lsn(j, "flushLsn", r->flush_lsn);
		json_lsn(j, "replayLsn", r->replay_lsn);
		json_kstr(j, "writeLag", r->write_lag);
		json_kstr(j, "flushLag", r->flush_lag);
		json_kstr(j, "replayLag", r->replay_lag);
		json_kstr(j, "syncState", r->sync_state);
		snprintf(priority, sizeof(priority), "%d", r->sync_priority);
		json_kstr(j, "syncPriority", priority);
		json_end_obj(j);
	}
	json_end_arr(j);
}

static void
cnpg_slot(struct json *j, const struct pg_slot *s)
{
	json_obj(j);
	json_kstr(j, "slotName", s->name);
	json_kstr(j, "plugin", s->plugin);
	json_kstr(j, "slotType", s->type);
	json_kuint_text(j, "datoid", s->datoid);
	json_kstr(j, "database", s->database);
	json_kuint_text(j, "xmin", s->xmin);
	json_kuint_text(j, "catalogXmin", s->catalog_xmin);
	json_lsn(j, "restartLsn", s->restart_lsn);
	json_kstr(j, "walStatus", s->wal_status);
	if (s->safe_wal_size != INT64_MIN)
		json_kint(j, "safeWalSize", s->safe_wal_size);
	json_kbool(j, "active", s->active);
	json_end_obj(j);
}

static void
cnpg_postgres(struct json *j, const struct pg_facts *pg)
{
	if (!pg->in_recovery)
		api_json_lsn(j, "currentLsn", pg->current_lsn);
	else
		api_json_lsn(j, "receivedLsn",
			pg->received_lsn > pg->replay_lsn ? pg->received_lsn : pg->replay_lsn);
	if (pg->in_recovery)
		api_json_lsn(j, "replayLsn", pg->replay_lsn);
	if (pg->in_recovery)
		json_kbool(j, "localWalReplayed", pg->local_replayed);
	cnpg_archiver(j, pg);
	cnpg_replication(j, pg);
	json_karr(j, "replicationSlotsInfo");
	for (uint32_t i = 0; i < pg->slots && i < PG_SLOTS; i++)
		cnpg_slot(j, &pg->slot[i]);
	json_end_arr(j);
	json_karr(j, "pgStatBasebackupsInfo");
	json_end_arr(j);
	json_given(j, "loadedConfigurationHash", pg->config_hash);
}

/* Down on purpose: whoever reads this need not be alarmed. */
static bool
down_on_purpose(const struct api_view *v)
{
	const struct supervisor_status *s = &v->sup;

	return s->pg_phase != PG_PHASE_ACCEPTING && (s->fenced || s->stopping || s->paused);
}

static void
cnpg_part(struct json *j, struct api_call *c)
{
	const struct api_view *v = &c->a->view;
	bool seen = api_view_seen(v) && v->pg.known;
	uint32_t timeline = seen && v->pg.timeline ? v->pg.timeline : v->sup.plan.timeline;
	uint64_t system_id = v->pg.system_id ? v->pg.system_id : v->sup.plan.system_id;

	json_kuint_text(j, "systemID", system_id);
	json_kbool(j, "isPrimary",
		seen ? !v->pg.in_recovery : v->sup.plan.system_id && !v->sup.plan.standby);
	json_kbool(j, "replayPaused", seen && v->pg.replay_paused);
	json_kbool(j, "pendingRestart", seen && v->pg.pending_count > 0);
	json_kbool(j, "pendingRestartForDecrease", seen && v->pg.pending_decrease);
	json_kbool(j, "isWalReceiverActive", seen && v->pg.receiver_active);
	json_kbool(j, "isPgRewindRunning", false);
	json_kbool(j, "mightBeUnavailable", down_on_purpose(v));
	if (down_on_purpose(v))
		json_kstr(j, "mightBeUnavailableMaskedError", v->sup.reason);
	if (timeline)
		json_kint(j, "timeLineID", timeline);
	if (seen)
		cnpg_postgres(j, &v->pg);
	json_kobj(j, "pod");
	json_kobj(j, "metadata");
	json_kstr(j, "name", c->a->opt->pod_name);
	json_given(j, "namespace", c->a->opt->pod_namespace);
	json_end_obj(j);
	json_end_obj(j);
	json_kstr(j, "instanceManagerVersion", PODGRES_VERSION);
	json_kstr(j, "instanceArch", c->a->arch);
	json_kstr(j, "executableHash", api_hash(c->a));
	json_kbool(j, "isInstanceManagerUpgrading", false);
	json_kstr(j, "sessionID", c->a->opt->session_id);
	json_kbool(j, "isPodReady", false);
}

/* ---- our part ---- */

static void
status_verdicts(struct json *j, struct api_call *c)
{
	const struct supervisor_status *s = &c->a->view.sup;
	struct health_in in;
	struct health ready, live;

	api_health_in(&c->a->view, c->a->opt, &in);
	health_ready(&in, &ready);
	health_live(&in, &live);
	json_kstr(j, "state", fsm_state_text(in.state));
	json_kstr(j, "reason", *s->reason ? s->reason : fsm_state_sentence(in.state));
	json_ktime(j, "since", s->since_wall_us);
	json_kbool(j, "ready", ready.ok);
	json_kstr(j, "readyReason", ready.reason);
	json_kbool(j, "live", live.ok);
	json_kstr(j, "liveReason", live.reason);
	json_kbool(j, "fenced", s->fenced);
	if (s->fenced) {
		json_kstr(j, "fenceReason", s->fence_reason);
		json_kbool(j, "fenceDurable", s->fence_durable);
		json_ktime(j, "fencedAt", s->fence_wall_us);
	}
	json_kbool(j, "paused", s->paused);
	json_kbool(j, "stopping", s->stopping);
	if (s->stopping && s->stop_deadline_ns)
		json_knum(j, "stopDeadlineInSeconds",
			(double)(s->stop_deadline_ns - c->a->view.now_ns) / 1e9);
	json_given(j, "ladder", s->ladder);
}

static void
postgres_exit(struct json *j, const struct pg_exit *x)
{
	json_key(j, "lastExit");
	if (!x->set) {
		json_null(j);
		return;
	}
	json_obj(j);
	json_key(j, "code");
	if (x->code < 0)
		json_null(j);
	else
		json_int(j, x->code);
	json_key(j, "signal");
	if (x->sig == 0)
		json_null(j);
	else
		json_int(j, x->sig);
	json_ktime(j, "at", x->at_wall_us);
	json_end_obj(j);
}

static void
postgres_lines(struct json *j, const struct log_facts *log)
{
	json_karr(j, "lastLogLines");
	for (uint32_t i = 0; i < log->count && i < LOG_LAST_LINES; i++)
		json_strn(j, log->line[i], strnlen(log->line[i], LOG_LAST_BYTES));
	json_end_arr(j);
}

static const char *
phase_text(uint32_t phase)
{
	static const char *const words[] = {
		[PG_PHASE_DOWN] = "down",
		[PG_PHASE_STARTING] = "starting",
		[PG_PHASE_ACCEPTING] = "accepting",
		[PG_PHASE_STOPPING] = "stopping",
	};

	return phase < ARRAY_LEN(words) ? words[phase] : "";
}

static void
status_postgres(struct json *j, const struct api_view *v)
{
	const struct supervisor_status *s = &v->sup;
	bool seen = api_view_seen(v);

	json_kobj(j, "postgres");
	json_kint(j, "pid", s->pg_pid);
	json_kstr(j, "phase", phase_text(s->pg_phase));
	json_kstr(j, "version", s->plan.version);
	json_kint(j, "port", s->plan.port);
	json_given(j, "socketDir", s->plan.socket_dir);
	json_given(j, "superuser", s->plan.superuser);
	json_given(j, "bindir", s->plan.bindir);
	json_ktime(j, "startedAt", s->pg_started_wall_us);
	json_kint(j, "starts", s->pg_starts);
	json_kint(j, "treeProcesses", s->tree);
	json_kbool(j, "treeGone", s->tree_gone);
	json_given(j, "problem", seen ? v->pg.problem : "");
	json_given(j, "hint", seen ? v->pg.hint : "");
	if (seen && v->pg.known) {
		json_kint(j, "connections", v->pg.connections);
		json_kint(j, "maxConnections", v->pg.max_connections);
	}
	if (s->backoff_until_ns > v->now_ns)
		json_knum(j, "nextStartInSeconds", (double)(s->backoff_until_ns - v->now_ns) / 1e9);
	postgres_exit(j, &s->pg_exit);
	postgres_lines(j, &v->log);
	json_end_obj(j);
}

static void
status_ages(struct json *j, const struct api_view *v)
{
	bool seen = api_view_seen(v);

	api_json_age(j, "observedAgeSeconds", v, v->stamp_ns[SEC_POSTGRES]);
	api_json_age(j, "connectAgeSeconds", v, seen ? v->pg.connect_ok_ns : 0);
	api_json_age(j, "queryAgeSeconds", v, seen ? v->pg.query_ok_ns : 0);
	api_json_age(j, "flushAgeSeconds", v, seen ? v->pg.flush_ok_ns : 0);
}

/* Without Kubernetes the lease is always ours. */
static void
status_lease(struct json *j, struct api_call *c)
{
	const struct api_view *v = &c->a->view;

	if (c->a->opt->coordination == COORDINATION_KUBERNETES) {
		api_json_lease(j, c);
		return;
	}
	json_kobj(j, "lease");
	json_kstr(j, "mode", v->elector.driven ? "orders" : "standalone");
	if (v->elector.driven) {
		json_kint(j, "token", (int64_t)v->elector.token);
		json_kstr(j, "order", v->elector.token_order);
	}
	json_kstr(j, "holder", v->elector.driven ? v->elector.holder_name : c->a->opt->pod_name);
	json_kbool(j, "mine", !v->elector.driven || v->elector.role == ELECTOR_LEAD);
	json_kint(j, "renewedAgeSeconds", 0);
	json_key(j, "deadlineInSeconds");
	if (board_deadline_ns(v->board) == 0)
		json_null(j);
	else
		json_num(j, (double)(board_deadline_ns(v->board) - v->now_ns) / 1e9);
	json_kint(j, "transitions", 0);
	json_end_obj(j);
	json_ktime(j, "watchdogFiredAt", v->sup.watchdog_fired_wall_us);
}

static void
status_archive(struct json *j, const struct api_view *v)
{
	json_kobj(j, "archive");
	json_kint(j, "readyFiles", v->pg.ready_wal_files < 0 ? 0 : v->pg.ready_wal_files);
	api_json_archive(j, v);
	json_end_obj(j);
	json_kobj(j, "backup");
	api_json_backup(j, v);
	json_end_obj(j);
}

static void
status_disk(struct json *j, const struct api_view *v)
{
	bool written = v->stamp_ns[SEC_POSTGRES] != 0;

	json_kobj(j, "disk");
	json_bytes(j, "dataTotalBytes", written ? v->pg.disk_data_total : -1);
	json_bytes(j, "dataFreeBytes", written ? v->pg.disk_data_free : -1);
	json_bytes(j, "walTotalBytes", written ? v->pg.disk_wal_total : -1);
	json_bytes(j, "walFreeBytes", written ? v->pg.disk_wal_free : -1);
	json_bytes(j, "walBytes", written ? v->pg.wal_bytes : -1);
	json_kbool(j, "reserve", written && v->pg.reserve_present);
	json_kbool(j, "dataGone", written && v->pg.data_gone);
	json_kint(j, "shmPercent", v->pg.shm_percent);
	json_end_obj(j);
}

static void
status_recovery(struct json *j, const struct api_view *v)
{
	bool seen = api_view_seen(v);

	json_kobj(j, "recovery");
	json_kbool(j, "inProgress", seen && v->pg.redo);
	json_kbool(j, "standby", seen && v->pg.known ? v->pg.in_recovery : v->sup.plan.standby);
	json_kbool(j, "afterCrash", v->sup.plan.crashed);
	if (seen && v->pg.redo) {
		json_kstr(j, "wal", v->pg.redo_wal);
		json_key(j, "progress");
		if (v->pg.redo_progress < 0)
			json_null(j);
		else
			json_num(j, (double)v->pg.redo_progress);
		api_json_age(j, "movedAgeSeconds", v, v->pg.redo_moved_ns);
	}
	if (seen && v->pg.known && v->pg.in_recovery) {
		json_bytes(j, "lagBytes", api_view_lag(v));
		json_key(j, "lagSeconds");
		if (api_view_lag_s(v) < 0)
			json_null(j);
		else
			json_num(j, api_view_lag_s(v));
		json_ktime(j, "replayedAt", v->pg.replay_wall_us);
	}
	api_json_restored(j, v);
	json_end_obj(j);
}

static void
status_job(struct json *j, const struct api_view *v)
{
	const struct job_report *r = v->job.job ? &v->job : &v->sup.job;

	json_key(j, "job");
	if (!r->job || r->job >= JOBS) {
		json_null(j);
		return;
	}
	json_obj(j);
	json_kstr(j, "name", job_text((enum job_id)r->job));
	json_kbool(j, "running", v->sup.job_name[0] != '\0' && r->outcome == JOB_OUT_NONE);
	json_kstr(j, "phase", r->phase);
	json_key(j, "progress");
	if (r->progress < 0)
		json_null(j);
	else
		json_num(j, (double)r->progress);
	json_kint(j, "doneBytes", r->done_bytes);
	json_kint(j, "totalBytes", r->total_bytes);
	if (r->outcome == JOB_OUT_FAILED || r->outcome == JOB_OUT_NO_SPACE) {
		json_kobj(j, "error");
		json_kstr(j, "kind", err_name((enum err_kind)r->err_kind));
		json_kstr(j, "message", r->error);
		json_given(j, "hint", r->hint);
		json_end_obj(j);
	}
	json_end_obj(j);
}

static void
status_services(struct json *j, const struct api_view *v)
{
	json_karr(j, "services");
	for (int i = 0; i < SERVICES; i++) {
		const struct service_status *s = &v->sup.service[i];

		json_obj(j);
		json_kstr(j, "name", service_text((enum service_id)i));
		json_kint(j, "pid", s->pid);
		json_kint(j, "restarts", s->restarts);
		api_json_age(j, "heartbeatAgeSeconds", v, board_beat_ns(v->board, i));
		json_bytes(j, "rssBytes", v->stamp_ns[SEC_POSTGRES] ? v->pg.rss_bytes[i] : -1);
		json_given(j, "reason", s->reason);
		if (s->backoff_until_ns > v->now_ns)
			json_knum(j, "nextStartInSeconds",
				(double)(s->backoff_until_ns - v->now_ns) / 1e9);
		json_end_obj(j);
	}
	json_end_arr(j);
}

static void
status_collation(struct json *j, const struct pg_facts *pg)
{
	json_karr(j, "collation");
	for (uint32_t i = 0; i < pg->collations && i < PG_COLLATIONS; i++) {
		json_obj(j);
		json_kstr(j, "database", pg->collation[i].database);
		json_kstr(j, "recorded", pg->collation[i].recorded);
		json_kstr(j, "actual", pg->collation[i].actual);
		json_end_obj(j);
	}
	json_end_arr(j);
}

static void
status_settings(struct json *j, const struct api_view *v)
{
	const struct plan *plan = &v->sup.plan;

	json_karr(j, "pendingRestartSettings");
	for (uint32_t i = 0; i < v->pg.pending_count && i < PG_PENDING; i++) {
		json_obj(j);
		json_kstr(j, "name", v->pg.pending[i].name);
		json_kstr(j, "old", v->pg.pending[i].old_value);
		json_kstr(j, "new", v->pg.pending[i].new_value);
		json_end_obj(j);
	}
	json_end_arr(j);
	json_karr(j, "warnings");
	for (uint32_t i = 0; i < plan->warnings && i < PLAN_WARNINGS; i++)
		json_str(j, plan->warning[i]);
	json_end_arr(j);
	json_kstr(j, "configError", *plan->config_error ? plan->config_error : NULL);
	json_kstr(j, "configHash", plan->config_hash);
}

static void
status_log(struct json *j, const struct api_view *v)
{
	json_kobj(j, "log");
	json_kint(j, "lines", (int64_t)v->log.lines);
	json_kint(j, "dropped", (int64_t)v->log.dropped);
	api_json_age(j, "stdoutBlockedSeconds", v, v->log.stdout_blocked_ns);
	json_end_obj(j);
}

static void
status_manager(struct json *j, struct api_call *c)
{
	const struct run_options *opt = c->a->opt;

	json_kobj(j, "manager");
	json_ktime(j, "startedAt", opt->started_wall_us);
	json_kbool(j, "init", opt->is_init);
	json_kint(j, "orphans", (int64_t)c->a->view.sup.orphans);
	json_kstr(j, "pgdata", opt->pgdata);
	json_given(j, "cluster", opt->cluster_name);
	json_kint(j, "httpRequests", (int64_t)c->a->facts.requests);
	json_kint(j, "httpErrors", (int64_t)c->a->facts.errors);
	json_given(j, "tlsError", c->a->facts.tls_error);
	json_ktime(j, "certificateExpiresAt", c->a->facts.cert_expires_wall_us);
	json_end_obj(j);
}

static void
our_part(struct json *j, struct api_call *c)
{
	const struct api_view *v = &c->a->view;

	status_verdicts(j, c);
	status_postgres(j, v);
	status_ages(j, v);
	status_lease(j, c);
	status_archive(j, v);
	status_disk(j, v);
	status_recovery(j, v);
	json_key(j, "operations");
	api_json_operations(j, v);
	status_job(j, v);
	status_services(j, v);
	status_collation(j, &v->pg);
	status_settings(j, v);
	status_log(j, v);
	status_manager(j, c);
}

void
api_status(struct api_call *c)
{
	AUTO(buf_deinit) struct buf b = {0};
	struct json j;

	json_init(&j, &b);
	json_obj(&j);
	cnpg_part(&j, c);
	our_part(&j, c);
	json_end_obj(&j);
	buf_putc(&b, '\n');
	api_reply_json(c, 200, &b);
}

/* ---- /pg/controldata ---- */

void
api_controldata(struct api_call *c)
{
	AUTO(buf_deinit) struct buf text = {0};
	AUTO(buf_deinit) struct buf b = {0};
	const struct pg_facts *pg = &c->a->view.pg;
	struct json j;
	struct err e;

	if (pg->control_bytes == 0 || pg->control_bytes > PG_CONTROL_BYTES) {
		err_set(&e, ERR_NOTFOUND, "pg_control could not be read%s",
			pg->data_gone ? ": it is gone" : " yet");
		api_reply_error(c, &e, NULL);
		return;
	}
	if (control_print_bytes(&text, pg->control, pg->control_bytes, &e) < 0) {
		api_reply_error(c, &e, NULL);
		return;
	}
	json_init(&j, &b);
	json_obj(&j);
	json_key(&j, "data");
	json_strn(&j, buf_str(&text), text.len);
	json_end_obj(&j);
	buf_putc(&b, '\n');
	api_reply_json(c, 200, &b);
}
