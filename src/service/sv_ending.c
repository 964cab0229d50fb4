/*
 * sv_ending - before a primary of several instances is stopped: a checkpoint while clients go on.
 *
 * Process: supervisor.  The checkpoint of a shutdown is the part of a hand-over during which nobody
 * can write, and it is as long as there is much to write.  A first SIGTERM therefore lets a job
 * write it beforehand, for a part of the grace period at most; a second one, or anything else that
 * ends the term of this primary, goes on at once.
 */
#include "base/clock.h"
#include "base/log.h"
#include "service/sv.h"

#define ENDING_MS 10000
#define ENDING_SHARE 4 /* of the grace period, at most one part in so many */

/* Somebody streams, who may lead next. */
static bool
has_heir(const struct sv *sv)
{
	static struct pg_facts f; /* large for a stack */

	shared_read(sv->board, SEC_POSTGRES, &f);
	return f.known && sv->pg && f.pid == proc_pid(sv->pg) && f.replicas > 0;
}

bool
sv_ending_begins(struct sv *sv)
{
	struct sv_ending *end = &sv->ending;
	int64_t ms = sv_budget_ms(sv) / ENDING_SHARE;

	if (end->asked_ns)
		return false;
	end->asked_ns = clock_boot_ns();
	if (!sv_lease_on(sv) || !sv_lease_fresh(sv) || sv->st.state != FSM_PRIMARY ||
		sv->st.pg_phase != PG_PHASE_ACCEPTING || sv->job[SV_SIDE].proc || !has_heir(sv))
		return false;
	log_info("stop requested: a checkpoint first, while clients go on");
	end->on = true;
	sv_job_start(sv, SV_SIDE, JOB_CHECKPOINT, NULL, 0);
	if (!sv->job[SV_SIDE].proc)
		return end->on = false;
	loop_timer_in(sv->loop, &end->timer, ms < ENDING_MS ? ms : ENDING_MS);
	return true;
}

void
sv_ending_skip(struct sv *sv)
{
	if (!sv->ending.asked_ns)
		sv->ending.asked_ns = clock_boot_ns();
	sv->ending.on = false;
	loop_timer_off(&sv->ending.timer);
}

void
sv_ending_over(struct sv *sv)
{
	if (!sv->ending.on)
		return;
	sv_ending_skip(sv);
	sv_stop(sv, false);
}

void
sv_ending_look(struct sv *sv)
{
	if (sv->ending.on && (sv->st.state != FSM_PRIMARY || !sv_lease_fresh(sv)))
		sv_ending_over(sv);
}

static void
ending_on_timer(struct loop_timer *t, void *arg)
{
	(void)t;
	log_warning("the checkpoint before the stop takes too long: stopping without it");
	sv_ending_over(arg);
}

void
sv_ending_init(struct sv *sv)
{
	loop_timer_init(&sv->ending.timer, ending_on_timer, sv);
}
