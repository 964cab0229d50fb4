/*
 * elector_times - what the manifest says of the Lease, and how a change of it comes into force.
 *
 * Process: elector.  Reference "HA", 4.3, T9.  A candidate waits the longer of its own L and the
 * record's, so that members may learn of a change in any order.  The holder goes in two steps: from
 * a write that was just answered on it goes by the shorter V and the longer L; and once that L
 * stands in the Lease, and the supervisor reckons with that V, by what the manifest says.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/configure.h"
#include "service/elector.h"
#include "service/spec_file.h"

static bool
same_times(const struct lease_times *a, const struct lease_times *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static void
times_failsafe(struct elector *el, const struct spec_lease *l)
{
	int64_t ms = l->failsafe_ask_ms;

	el->st.failsafe_on = l->failsafe;
	ms = ms < LEASE_ASK_MIN_MS ? LEASE_ASK_MIN_MS : ms;
	el->failsafe.ask_ms = ms > LEASE_ASK_MS ? LEASE_ASK_MS : ms;
}

static int
times_read(struct elector *el, struct err *e)
{
	AUTO(spec_free) struct spec *spec = NULL;
	struct spec_notes notes = {0};
	struct lease_request r = LEASE_REQUEST_DEFAULT;
	struct lease_times t;
	int rc = spec_file_load(&spec, el->s->opt, &notes, e);

	spec_notes_deinit(&notes);
	if (rc < 0)
		return -1;
	r.duration_s = spec->lease.duration_s;
	r.renew_s = spec->lease.renew_s;
	r.retry_s = spec->lease.retry_s;
	r.released_s = spec->lease.released_s;
	if (lease_times_make(&t, &r, e) < 0)
		return -1;
	el->goal = t;
	times_failsafe(el, &spec->lease);
	if (*el->cluster)
		return 0;
	configure_failover(&el->failover, spec);
	snprintf(el->cluster, sizeof(el->cluster), "%.253s",
		*el->s->opt->cluster_name ? el->s->opt->cluster_name : spec->name);
	return *el->cluster ? 0
			    : err_set(e, ERR_CONFIG,
				      "the cluster has no name: set --cluster-name, or "
				      "metadata.name of the manifest");
}

/* The supervisor may count on by what a former elector said. */
int
elector_times_begin(struct elector *el, struct err *e)
{
	const struct elector_status *was = &el->st;
	struct lease_times old;

	el->manifest = el->sv.plan.generation;
	if (times_read(el, e) < 0)
		return -1;
	old = el->times = el->goal;
	if (!was->fence_ns || !was->lease_ns)
		return 0;
	old.lease_ms = was->lease_ns / MS_NS;
	old.stop_ms = was->fast_ns / MS_NS;
	old.kill_ms = was->kill_ns / MS_NS;
	old.fencer_ms = was->fence_ns / MS_NS;
	el->times = lease_times_between(&old, &el->goal);
	return 0;
}

void
elector_times_look(struct elector *el)
{
	enum fsm_postgres runs = fsm_state_postgres((enum fsm_state)el->sv.state);
	struct err e;

	if (el->manifest != el->sv.plan.generation) {
		el->manifest = el->sv.plan.generation;
		if (times_read(el, &e) < 0)
			elector_problem(el, "the times that are in force stay", "%s", e.msg);
	}
	if (!el->held && !el->handle && (runs == FSM_PG_NONE || runs == FSM_PG_RECOVERY))
		el->times = el->goal;
}

void
elector_times_answered(struct elector *el)
{
	struct lease_times between = lease_times_between(&el->times, &el->goal);

	if (!el->held || same_times(&el->times, &el->goal))
		return;
	if (!same_times(&el->times, &between)) {
		/* Not when that would end the term at once. */
		if (clock_boot_ns() - el->holder.sent_ns < between.stop_ms / 2 * MS_NS) {
			el->times = between;
			lease_holder_paced(&el->holder, &el->times);
		}
		return;
	}
	if ((int64_t)el->object.duration_s * SEC_MS < between.lease_ms ||
		el->sv.lease_fence_ns != between.fencer_ms * MS_NS)
		return;
	el->times = el->goal;
	log_info("the times of the Lease have changed",
		F_INT("leaseDurationSeconds", el->times.lease_ms / SEC_MS),
		F_INT("renewDeadlineSeconds", el->times.stop_ms / SEC_MS),
		F_INT("retryPeriodSeconds", el->times.retry_ms / SEC_MS));
}
