/*
 * api_metrics_pod - the instance: state, services, jobs, positions.
 *
 * Process: api.
 */
#include <math.h>
#include <string.h>

#include "service/api_metrics.h"

static void
pod_state(struct live *l)
{
	const struct api_view *v = l->in->v;

	live_put2(l, "podgres_build_info", PODGRES_VERSION, l->in->arch, 1);
	for (int i = 0; i < FSM_STATES; i++)
		live_put1(l, "podgres_state", fsm_state_text((enum fsm_state)i),
			v->sup.state == (uint32_t)i);
	live_put(l, "podgres_state_age_seconds", api_view_age(v, v->sup.since_boot_ns));
	live_put(l, "podgres_is_primary",
		v->sup.state == FSM_PRIMARY && api_view_seen(v) && v->pg.known &&
			!v->pg.in_recovery);
	live_put(l, "podgres_ready", l->in->ready);
	live_put(l, "podgres_live", l->in->live);
	live_put(l, "podgres_fenced", v->sup.fenced);
	live_put(l, "podgres_paused", v->sup.paused);
}

static void
pod_postgres(struct live *l)
{
	const struct api_view *v = l->in->v;
	const struct supervisor_status *sup = &v->sup;
	double age = api_view_age(v, v->pg.query_ok_ns);

	live_put(l, "podgres_postgres_starts_total", sup->pg_starts);
	live_put(l, "podgres_postgres_start_time_seconds",
		sup->pg_pid ? live_seconds(sup->pg_started_wall_us) : 0);
	live_put(l, "podgres_postgres_answer_age_seconds", age < 0 ? INFINITY : age);
	live_put(l, "podgres_postgres_pending_restart", v->pg.pending_count);
	live_put(l, "podgres_start_time_seconds", live_seconds(l->in->opt->started_wall_us));
	live_put(l, "podgres_watchdog_fired_timestamp_seconds",
		live_seconds(sup->watchdog_fired_wall_us));
	live_put(l, "podgres_orphans_reaped_total", (double)sup->orphans);
	live_put(l, "podgres_config_error", sup->plan.config_error[0] != '\0');
	live_put(l, "podgres_config_warnings", sup->plan.warnings);
	live_put(l, "podgres_lease_held",
		l->in->opt->coordination ? v->elector.role == ELECTOR_LEAD
					 : sup->state == FSM_PRIMARY || sup->state == FSM_PROMOTE);
	live_put(l, "podgres_lease_deadline_seconds",
		sup->lease_deadline_ns ? (double)(sup->lease_deadline_ns - v->now_ns) / 1e9
				       : INFINITY);
}

static void
pod_services(struct live *l)
{
	const struct api_view *v = l->in->v;
	int i;

	for (i = 0; i < SERVICES; i++)
		live_put1(l, "podgres_service_up", service_text((enum service_id)i),
			v->sup.service[i].pid != 0);
	for (i = 0; i < SERVICES; i++)
		live_put1(l, "podgres_service_restarts_total", service_text((enum service_id)i),
			v->sup.service[i].restarts);
	for (i = 0; i < SERVICES; i++) {
		double age = api_view_age(v, board_beat_ns(v->board, i));

		live_put1(l, "podgres_service_heartbeat_age_seconds",
			service_text((enum service_id)i), age < 0 ? INFINITY : age);
	}
	for (i = 0; i < SERVICES; i++)
		live_put1(l, "podgres_service_resident_memory_bytes",
			service_text((enum service_id)i), (double)v->pg.rss_bytes[i]);
}

static bool
pod_operates(const struct supervisor_status *sup, enum order_kind kind)
{
	for (int i = 0; i < SHARED_OPERATIONS; i++)
		if (sup->operation[i].id[0] && sup->operation[i].kind == kind &&
			!sup->operation[i].finished_wall_us)
			return true;
	return false;
}

static void
pod_jobs(struct live *l)
{
	const struct supervisor_status *sup = &l->in->v->sup;
	int i;

	for (i = JOB_NONE + 1; i < JOBS; i++)
		live_put1(l, "podgres_job_running", job_text((enum job_id)i),
			strcmp(sup->job_name, job_text((enum job_id)i)) == 0);
	for (i = JOB_NONE + 1; i < JOBS; i++)
		if (strcmp(sup->job_name, job_text((enum job_id)i)) == 0)
			live_put1(l, "podgres_job_progress_ratio", sup->job_name,
				sup->job.progress < 0 ? NAN : (double)sup->job.progress);
	live_put(l, "podgres_operations_total", sup->operations);
	for (i = 0; i < ORDER_KINDS; i++)
		live_put1(l, "podgres_operation_running", order_text((enum order_kind)i),
			pod_operates(sup, (enum order_kind)i));
}

static void
pod_replicas(struct live *l)
{
	const struct pg_facts *pg = &l->in->v->pg;

	for (uint32_t i = 0; i < pg->replicas && i < PG_REPLICAS; i++) {
		const struct pg_replica *r = &pg->replica[i];
		const char *labels[] = {
			r->application_name, r->client_addr, r->state, r->sync_state};
		bool before = false;

		for (uint32_t k = 0; k < i; k++)
			before = before ||
				 (strcmp(pg->replica[k].application_name, r->application_name) ==
						 0 &&
					 strcmp(pg->replica[k].client_addr, r->client_addr) == 0 &&
					 strcmp(pg->replica[k].state, r->state) == 0 &&
					 strcmp(pg->replica[k].sync_state, r->sync_state) == 0);
		if (!before)
			live_putn(l, "podgres_replica_lag_bytes", labels,
				r->replay_lsn && pg->current_lsn >= r->replay_lsn
					? (double)(pg->current_lsn - r->replay_lsn)
					: 0);
	}
}

static void
pod_positions(struct live *l)
{
	const struct pg_facts *pg = &l->in->v->pg;
	int64_t lag = api_view_lag(l->in->v);

	live_put(l, "podgres_timeline", pg->timeline);
	live_put1(l, "podgres_wal_position_bytes", "current", (double)pg->current_lsn);
	live_put1(l, "podgres_wal_position_bytes", "flushed", (double)pg->flush_lsn);
	live_put1(l, "podgres_wal_position_bytes", "received", (double)pg->received_lsn);
	live_put1(l, "podgres_wal_position_bytes", "replayed", (double)pg->replay_lsn);
	live_put(l, "podgres_replay_paused", pg->replay_paused);
	live_put(l, "podgres_replay_lag_bytes", pg->in_recovery && lag >= 0 ? (double)lag : NAN);
	live_put(l, "podgres_replay_timestamp_seconds", live_seconds(pg->replay_wall_us));
	pod_replicas(l);
	live_put(l, "podgres_connections", pg->connections);
	live_put(l, "podgres_connections_max", pg->max_connections - pg->superuser_reserved);
	for (uint32_t i = 0; i < pg->collations && i < PG_COLLATIONS; i++)
		live_put1(l, "podgres_collation_mismatch", pg->collation[i].database, 1);
}

void
live_pod(struct live *l)
{
	pod_state(l);
	pod_postgres(l);
	pod_services(l);
	pod_jobs(l);
	if (api_view_seen(l->in->v) && l->in->v->pg.known)
		pod_positions(l);
}
