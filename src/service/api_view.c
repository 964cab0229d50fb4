/*
 * api_view - the api's copy of the board, and what the probes make of it.
 *
 * Process: api.  Sections are large and change once a second at most, requests come ten thousand
 * times a second: a section is copied only when its sequence number has moved.
 */
#include <string.h>

#include "base/clock.h"
#include "service/api.h"

static const int64_t hung_ms[SERVICES] = {
#define SERVICE(name, text, user, hung_ms, does) [SERVICE_##name] = (hung_ms),
#include "tbl/services.h"
#undef SERVICE
};

static void
view_copy(struct api_view *v, enum section sec, void *data, size_t size)
{
	uint32_t seq = board_seq(v->board, (int)sec);

	if (seq == v->seq[sec])
		return;
	v->stamp_ns[sec] = board_read(v->board, (int)sec, data, size);
	/* A copy that did not succeed is tried again next time. */
	v->seq[sec] = v->stamp_ns[sec] ? seq : 0;
}

void
api_view_refresh(struct api_view *v)
{
	view_copy(v, SEC_SUPERVISOR, &v->sup, sizeof(v->sup));
	view_copy(v, SEC_POSTGRES, &v->pg, sizeof(v->pg));
	view_copy(v, SEC_LOG, &v->log, sizeof(v->log));
	view_copy(v, SEC_JOB_MAIN, &v->job, sizeof(v->job));
	view_copy(v, SEC_ARCHIVE, &v->archive, sizeof(v->archive));
	view_copy(v, SEC_COLLECTOR, &v->collector, sizeof(v->collector));
	view_copy(v, SEC_ELECTOR, &v->elector, sizeof(v->elector));
	v->now_ns = clock_boot_ns();
	v->now_wall_us = clock_wall_us();
}

double
api_view_age(const struct api_view *v, int64_t at_ns)
{
	if (at_ns == 0)
		return -1;
	return at_ns > v->now_ns ? 0 : (double)(v->now_ns - at_ns) / 1e9;
}

static int64_t
view_age_ms(const struct api_view *v, int64_t at_ns)
{
	if (at_ns == 0)
		return -1;
	return at_ns > v->now_ns ? 0 : (v->now_ns - at_ns) / MS_NS;
}

bool
api_view_seen(const struct api_view *v)
{
	return v->sup.pg_pid != 0 && v->pg.pid == v->sup.pg_pid;
}

int64_t
api_view_lag(const struct api_view *v)
{
	uint64_t end = v->pg.latest_end_lsn;

	if (v->pg.received_lsn > end)
		end = v->pg.received_lsn;
	if (!v->pg.known || v->pg.replay_lsn == 0 || end == 0)
		return -1;
	return end > v->pg.replay_lsn ? (int64_t)(end - v->pg.replay_lsn) : 0;
}

double
api_view_lag_s(const struct api_view *v)
{
	int64_t bytes = api_view_lag(v), us = v->now_wall_us - v->pg.replay_wall_us;

	if (bytes == 0)
		return 0;
	if (bytes < 0 || v->pg.replay_wall_us == 0)
		return -1;
	return us > 0 ? (double)us / SEC_US : 0;
}

const struct operation *
api_view_operation(const struct api_view *v, const char *id)
{
	for (int i = 0; i < SHARED_OPERATIONS; i++)
		if (*v->sup.operation[i].id && strcmp(v->sup.operation[i].id, id) == 0)
			return &v->sup.operation[i];
	return NULL;
}

/* ---- for the probes ---- */

static void
view_services(const struct api_view *v, struct health_in *in)
{
	for (int i = SERVICE_SUPERVISOR + 1; i < SERVICES; i++) {
		const struct service_status *s = &v->sup.service[i];
		int64_t beat = view_age_ms(v, board_beat_ns(v->board, i));
		int64_t born = (v->now_wall_us - s->started_wall_us) / 1000;

		in->service[in->services++] = (struct health_service){
			.name = service_text((enum service_id)i),
			.running = s->pid != 0 && i != SERVICE_API,
			.silent_ms = beat < 0 || born < beat ? born : beat,
			.hung_ms = hung_ms[i],
		};
	}
}

/* Since the start last got on: the latest of everything that shows progress. */
static int64_t
view_moved_ms(const struct api_view *v, const struct run_options *opt)
{
	int64_t at = opt->started_boot_ns;

	if (v->sup.job_name[0] && v->stamp_ns[SEC_JOB_MAIN] > at)
		at = v->stamp_ns[SEC_JOB_MAIN];
	if (v->sup.state != FSM_FAILED && v->sup.since_boot_ns > at)
		at = v->sup.since_boot_ns;
	if (api_view_seen(v) && v->pg.redo && v->pg.redo_moved_ns > at)
		at = v->pg.redo_moved_ns;
	return view_age_ms(v, at);
}

/* A supervisor that stands still cannot say that the time of its Lease is over. */
static bool
view_lease_over(const struct api_view *v, const struct run_options *opt)
{
	const struct elector_status *el = &v->elector;

	return opt->coordination != COORDINATION_NONE && v->sup.state == FSM_PRIMARY &&
	       (el->role != ELECTOR_LEAD || v->now_ns >= el->sent_ns + el->fast_ns);
}

void
api_health_in(const struct api_view *v, const struct run_options *opt, struct health_in *in)
{
	const struct supervisor_status *sup = &v->sup;
	const struct pg_facts *pg = &v->pg;

	*in = (struct health_in){
		.state = sup->state < FSM_STATES ? (enum fsm_state)sup->state : FSM_FAILED,
		.reason = sup->reason,
		.beat_age_ms = view_age_ms(v, board_beat_ns(v->board, SERVICE_SUPERVISOR)),
		.watchdog_ms = opt->watchdog_ms,
		.stopping = sup->stopping,
		.fenced = sup->fenced,
		.paused = sup->paused,
		.fence_reason = sup->fence_reason,
		.postgres = (enum health_postgres)sup->pg_phase,
		.seen = api_view_seen(v),
		.accept = (enum health_accept)pg->accept,
		.problem = pg->problem,
		.observed_age_ms = view_age_ms(v, v->stamp_ns[SEC_POSTGRES]),
		.connect_age_ms = view_age_ms(v, pg->connect_ok_ns),
		.heard_age_ms = view_age_ms(v, pg->heard_ns),
		.query_age_ms = view_age_ms(v, pg->query_ok_ns),
		.up_ms = view_age_ms(v, sup->pg_started_boot_ns),
		.known = pg->known,
		.in_recovery = pg->in_recovery,
		.receiver_active = pg->receiver_active,
		.has_primary = pg->has_primary_conninfo,
		.needs_streaming = sup->plan.ready_needs_streaming,
		.lag_bytes = api_view_lag(v),
		.max_lag_bytes = sup->plan.max_lag_bytes,
		.moved_age_ms = view_moved_ms(v, opt),
		.start_delay_ms = sup->plan.start_delay_ms,
	};
	if (view_lease_over(v, opt)) {
		in->state = FSM_KILL;
		in->reason = "the Lease is not ours any more, or nobody knows";
	}
	view_services(v, in);
}
