/*
 * sv_lease - whose turn it is: the Lease as the elector tells of it, and the deadlines that follow.
 *
 * Process: supervisor.  Nothing here asks Kubernetes.  The board says when the last write was sent
 * that made or kept the Lease ours; V1, V2 and V3 count from there, whether the elector lives,
 * hangs or is gone (reference "HA", 4.3: T4, T5, T8).  A postgres that may write is bound to the
 * Lease until nothing is left of it, and a Lease that was lost stays lost for it.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/lineage.h"
#include "service/sv.h"

#define LEASE_CLAIM_MS 60000 /* an order to promote is answered by then */
#define LEASE_CARE_MS 10000
#define LEASE_DIVERGED_TIMES 2
#define LEASE_CARE_AGAIN_MS 2000
#define LEASE_SYNC_MS 3000
#define LEASE_REFUSED_MS 60000
#define LEASE_RELEASE_MS 3000 /* the end waits so long until the Lease was given back */

bool
sv_lease_on(const struct sv *sv)
{
	return sv->opt.coordination == COORDINATION_KUBERNETES;
}

bool
sv_lease_fresh(const struct sv *sv)
{
	const struct sv_lease *l = &sv->lease;

	return !sv_lease_on(sv) || (l->el.role == ELECTOR_LEAD && l->sent_ns > 0 && !l->lost &&
					   clock_boot_ns() < l->sent_ns + l->fast_ns);
}

int64_t
sv_lease_limit_ns(const struct sv *sv)
{
	const struct sv_lease *l = &sv->lease;

	return sv_lease_on(sv) && l->bound ? l->sent_ns + l->fence_ns : CLOCK_NEVER;
}

/* Another that was seen brings V1 forward, and V2 with it. */
int64_t
sv_lease_kill_ns(const struct sv *sv)
{
	const struct sv_lease *l = &sv->lease;
	int64_t counted_ns = l->sent_ns + l->kill_ns;
	int64_t lost_ns = l->lost_ns + (l->kill_ns - l->fast_ns);

	return l->lost_ns && lost_ns < counted_ns ? lost_ns : counted_ns;
}

/* ---- a postgres under the Lease ---- */

static void
lease_lost(struct sv *sv, const char *why)
{
	if (sv->lease.lost)
		return;
	sv->lease.lost = true;
	sv->lease.lost_ns = clock_boot_ns();
	log_error("the Lease is lost", F_STR("why", why), F_STR("holder", sv->lease.el.holder),
		F_STR("hint", "postgres is stopped; it follows the next primary"));
	sv_event(sv, FSM_EV_LEASE_LOST, why);
}

/* Deadlines first, whatever else happened. */
static void
lease_watch(struct sv *sv)
{
	struct sv_lease *l = &sv->lease;
	char why[320];

	if (!l->bound || l->lost)
		return;
	if (l->el.role == ELECTOR_FOLLOW) {
		snprintf(why, sizeof(why), "%.250s holds it now", l->el.holder);
		lease_lost(sv, why);
	} else if (clock_boot_ns() >= l->sent_ns + l->fast_ns) {
		snprintf(why, sizeof(why), "it was not renewed for %.1f s%s%.200s",
			(double)(clock_boot_ns() - l->sent_ns) / 1e9, *l->el.problem ? ": " : "",
			l->el.problem);
		lease_lost(sv, why);
	} else {
		loop_timer_at(sv->loop, &l->fast, l->sent_ns + l->fast_ns);
	}
}

void
sv_lease_bind(struct sv *sv)
{
	if (!sv_lease_on(sv))
		return;
	sv->lease.bound = true;
	sv->lease.used = sv->lease.el.claims;
	/* V3 may be nearer than the watchdog. */
	if (board_deadline_ns(sv->board) != 0 && sv_arm(sv))
		sv_poke(sv, SERVICE_FENCER);
	lease_watch(sv);
}

void
sv_lease_free(struct sv *sv)
{
	sv->lease.bound = sv->lease.lost = false;
	sv->lease.lost_ns = 0;
	loop_timer_off(&sv->lease.fast);
}

/* ---- what the elector says ---- */

static void
lease_read(struct sv *sv)
{
	struct sv_lease *l = &sv->lease;

	bool free = l->el.known && !*l->el.holder;

	shared_read(sv->board, SEC_ELECTOR, &l->el);
	/* Whoever is to be chosen wants to know what each has received. */
	if (!free && l->el.known && !*l->el.holder)
		sv_poke(sv, SERVICE_MONITOR);
	/* An elector that was started again knows nothing yet; what was sent was sent. */
	if (l->el.role != ELECTOR_LEAD || l->el.sent_ns <= l->sent_ns)
		return;
	l->sent_ns = l->el.sent_ns;
	l->fast_ns = l->el.fast_ns;
	l->kill_ns = l->el.kill_ns;
	l->fence_ns = l->el.fence_ns;
	if (sv->st.lease_fence_ns != l->fence_ns) {
		sv->st.lease_fence_ns = l->fence_ns;
		sv_publish(sv);
	}
	if (board_deadline_ns(sv->board) != 0 && l->bound)
		(void)!sv_arm(sv);
}

/* The pause of the whole cluster. */
static void
lease_pause(struct sv *sv)
{
	if (sv->lease.el.read_ns && sv->lease.el.paused != sv->st.paused)
		sv_pause(sv, sv->lease.el.paused);
}

static void
lease_begin(struct sv *sv)
{
	struct sv_lease *l = &sv->lease;

	if (!l->waits || !l->el.known || l->el.giving)
		return;
	l->waits = false;
	if (sv->st.state == FSM_BOOT)
		sv_job_prepare(sv);
}

/* A claim that was granted promotes once. */
static void
lease_promote(struct sv *sv)
{
	struct sv_lease *l = &sv->lease;

	if (l->el.claims <= l->used || !sv_lease_fresh(sv))
		return;
	if (sv->st.state == FSM_CLAIM) {
		l->used = l->el.claims;
		sv_event(sv, FSM_EV_LEASE_MINE, NULL);
	} else if (sv->st.state == FSM_STANDBY && sv->st.pg_phase == PG_PHASE_ACCEPTING) {
		sv_event(sv, FSM_EV_ELECTED, NULL);
	}
}

static void
lease_answer(struct sv *sv)
{
	struct sv_lease *l = &sv->lease;

	if (sv->st.state != FSM_CLAIM || sv_lease_fresh(sv))
		return;
	l->refused = l->el.answered >= l->asked && *l->el.answer;
	if (l->refused)
		sv_event(sv, FSM_EV_LEASE_REFUSED, l->el.answer);
	else if (clock_boot_ns() > l->asked_ns + LEASE_CLAIM_MS * MS_NS)
		sv_event(sv, FSM_EV_LEASE_REFUSED, "nobody answered in time");
}

/* The elector considers a switchover: what is dirty is written while clients go on. */
static void
lease_checkpoint(struct sv *sv)
{
	struct sv_lease *l = &sv->lease;

	if (!l->el.checkpoint || l->el.checkpoint == l->checkpoint || sv->job[SV_SIDE].proc ||
		sv->st.state != FSM_PRIMARY)
		return;
	l->checkpoint = l->el.checkpoint;
	sv_job_start(sv, SV_SIDE, JOB_CHECKPOINT, NULL, 0);
}

void
sv_lease_checkpointed(struct sv *sv, const struct job_report *r)
{
	sv->st.checkpointed = sv->lease.checkpoint;
	snprintf(sv->st.checkpoint_error, sizeof(sv->st.checkpoint_error), "%.159s",
		r->outcome == JOB_OUT_OK ? "" : r->error);
	sv_publish(sv);
}

static void
lease_handed(struct sv *sv, const char *error)
{
	sv->st.handed = sv->lease.handed;
	snprintf(sv->st.handed_error, sizeof(sv->st.handed_error), "%.199s", error);
	sv_publish(sv);
}

void
sv_lease_handed(struct sv *sv, const struct job_report *r)
{
	lease_handed(sv, r->outcome == JOB_OUT_OK ? "" : r->error);
}

/* The elector has found somebody who goes on from here. */
static void
lease_hand_over(struct sv *sv)
{
	struct sv_lease *l = &sv->lease;

	if (l->el.handovers == l->handed)
		return;
	l->handed = l->el.handovers;
	if (!l->el.giving || sv->st.state != FSM_PRIMARY)
		return;
	if (!sv->job[SV_SIDE].proc)
		sv_job_start(sv, SV_SIDE, JOB_HANDED,
			(const char *[]){l->el.heir_address, l->el.heir}, 2);
	else
		lease_handed(sv, "nobody could look what the next primary has received");
	sv_event(sv, FSM_EV_SWITCHOVER, NULL);
}

static void
lease_whom(const struct elector_status *el, char out[LEASE_WHOM_SIZE])
{
	snprintf(out, LEASE_WHOM_SIZE, "%s %s", el->holder_address, el->holder);
}

/* The address of who is followed stands in a file of postgres, which it reads again. */
static void
lease_follow(struct sv *sv)
{
	struct sv_lease *l = &sv->lease;
	char whom[sizeof(l->followed)];

	if (sv->st.state != FSM_STANDBY || l->el.role != ELECTOR_FOLLOW || !*l->el.holder_address)
		return;
	lease_whom(&l->el, whom);
	if (strcmp(l->followed, whom) == 0)
		return;
	memcpy(l->followed, whom, sizeof(whom));
	log_info("following another primary", F_STR("holder", l->el.holder_name),
		F_STR("address", l->el.holder_address));
	sv_job_configure(sv);
}

/* What we have beyond the point where the new timeline began, nobody else will ever have. */
static void
lease_diverged(struct sv *sv)
{
	static struct pg_facts f;
	const struct elector_status *el = &sv->lease.el;
	char why[128], lsn[LINEAGE_LSN_SIZE];

	if (sv->st.state != FSM_STANDBY || el->role != ELECTOR_FOLLOW || sv->st.paused ||
		!el->switch_lsn)
		return;
	shared_read(sv->board, SEC_POSTGRES, &f);
	if (!sv->pg || f.pid != proc_pid(sv->pg) || !f.known || !f.timeline ||
		f.timeline >= el->timeline)
		return;
	if (f.replay_lsn <= el->switch_lsn && f.received_lsn <= el->switch_lsn)
		return;
	snprintf(why, sizeof(why), "timeline %u began at %s, before what we have", el->timeline,
		lineage_lsn_text(el->switch_lsn, lsn));
	sv_event(sv, FSM_EV_DIVERGED, why);
}

/* Who acknowledges commits stands in a file of postgres, too. */
static void
lease_sync(struct sv *sv)
{
	struct sv_lease *l = &sv->lease;
	enum fsm_postgres runs = fsm_state_postgres((enum fsm_state)sv->st.state);

	bool again = l->sync_ns && clock_boot_ns() >= l->sync_ns;

	if ((runs != FSM_PG_RECOVERY && runs != FSM_PG_WRITABLE) || !sv->pg ||
		sv->job[SV_MAIN].proc || (strcmp(l->synced, l->el.sync_names) == 0 && !again))
		return;
	l->sync_ns = 0;
	memcpy(l->synced, l->el.sync_names, sizeof(l->synced));
	sv_job_configure(sv);
}

void
sv_lease_configured(struct sv *sv, const struct job_report *r)
{
	/* Of a manifest that is refused the job has written what matters here. */
	int64_t ms = r->err_kind == ERR_CONFIG ? LEASE_REFUSED_MS : LEASE_SYNC_MS;

	if (r->outcome != JOB_OUT_OK && sv_lease_on(sv) && sv->lease.el.sync)
		sv->lease.sync_ns = clock_boot_ns() + ms * MS_NS;
}

/* Role and slots of the members, on a primary and on a standby. */
void
sv_lease_care(struct sv *sv)
{
	bool now = sv->st.pg_phase == PG_PHASE_ACCEPTING &&
		   (sv->st.state == FSM_PRIMARY || sv->st.state == FSM_STANDBY);

	if (!now)
		sv->lease.care_ns = 0;
	if (!now || sv->job[SV_CARE].proc || clock_boot_ns() < sv->lease.care_ns)
		return;
	sv->lease.care_ns = clock_boot_ns() + LEASE_CARE_MS * MS_NS;
	sv_job_start(sv, SV_CARE, JOB_MEMBERS, NULL, 0);
}

void
sv_lease_cared(struct sv *sv, const struct job_report *r)
{
	if (r->outcome != JOB_OUT_OK) {
		sv->lease.care_ns = clock_boot_ns() + LEASE_CARE_AGAIN_MS * MS_NS;
		log_warning("role and slots of the members", F_STR("error", r->error),
			F_STR("hint", r->hint));
		return;
	}
	sv_gone_cared(sv, r);
	if (strcmp(r->result, "settings") == 0 && !sv->st.paused && sv->st.state == FSM_STANDBY)
		sv_event(sv, FSM_EV_RESTART, "the primary's settings are higher than ours");
	if (strcmp(r->result, "diverged") != 0 || sv->st.paused) {
		sv->lease.diverged = 0;
		return;
	}
	/* Once may have been the moment between two primaries. */
	sv->lease.care_ns = clock_boot_ns() + LEASE_CARE_AGAIN_MS * MS_NS;
	if (++sv->lease.diverged < LEASE_DIVERGED_TIMES)
		return;
	sv->lease.diverged = 0;
	sv_event(sv, FSM_EV_DIVERGED, "the primary has another history");
}

void
sv_lease_look(struct sv *sv)
{
	if (!sv_lease_on(sv)) {
		sv_driven_look(sv);
		return;
	}
	lease_read(sv);
	lease_watch(sv);
	lease_pause(sv);
	lease_begin(sv);
	lease_promote(sv);
	lease_answer(sv);
	lease_checkpoint(sv);
	sv_ending_look(sv);
	lease_hand_over(sv);
	lease_follow(sv);
	lease_diverged(sv);
	lease_sync(sv);
	sv_lease_care(sv);
	sv_lease_leave(sv);
	sv_ops_update(sv);
}

/* ---- questions of the rest of the supervisor ---- */

bool
sv_lease_known(struct sv *sv)
{
	if (!sv_lease_on(sv))
		return true;
	lease_read(sv);
	if (sv->lease.el.known && !sv->lease.el.giving) {
		memcpy(sv->lease.synced, sv->lease.el.sync_names, sizeof(sv->lease.synced));
		sv->lease.followed[0] = '\0';
		if (sv->lease.el.role == ELECTOR_FOLLOW)
			lease_whom(&sv->lease.el, sv->lease.followed);
		return true;
	}
	sv->lease.waits = true;
	sv_reason(sv, "waiting for the Lease: %s",
		sv->lease.el.giving     ? "it is being given back"
		: *sv->lease.el.problem ? sv->lease.el.problem
					: "it was not read yet");
	return false;
}

void
sv_lease_ask(struct sv *sv, const struct elector_order *o)
{
	struct channel_msg msg;

	sv->lease.asked_ns = clock_boot_ns();
	sv->lease.ask = *o;
	sv->lease.ask.number = ++sv->lease.asked;
	channel_msg_init(&msg, MSG_ELECT, 0, &sv->lease.ask, sizeof(sv->lease.ask));
	sv_tell(sv, SERVICE_ELECTOR, &msg);
}

enum fsm_event
sv_lease_claim(struct sv *sv)
{
	if (sv_lease_fresh(sv)) {
		sv->lease.used = sv->lease.el.claims;
		return FSM_EV_LEASE_MINE;
	}
	sv->lease.promote.what = ELECTOR_ORDER_PROMOTE;
	sv_lease_ask(sv, &sv->lease.promote);
	sv->lease.promote = (struct elector_order){0}; /* the next one is not forced by it */
	return FSM_EV_NONE;
}

/* ---- the end ---- */

void
sv_lease_end(struct sv *sv)
{
	struct sv_lease *l = &sv->lease;

	if (sv->done || l->leaving)
		return;
	l->leaving = sv->st.leaving = true;
	l->leave_by_ns = clock_boot_ns() + LEASE_RELEASE_MS * MS_NS;
	if (sv->stop_by_ns && l->leave_by_ns > sv->stop_by_ns)
		l->leave_by_ns = sv->stop_by_ns;
	/* The elector reads there that nothing of postgres is left. */
	shared_write(sv->board, SEC_SUPERVISOR, &sv->st);
	sv_poke(sv, SERVICE_ELECTOR);
	sv_lease_leave(sv);
}

void
sv_lease_leave(struct sv *sv)
{
	struct sv_lease *l = &sv->lease;
	bool ours = sv_lease_on(sv) && !sv->quit && l->el.role == ELECTOR_LEAD &&
		    (!sv->st.paused || l->el.giving);

	if (!l->leaving || sv->done)
		return;
	if (ours && clock_boot_ns() < l->leave_by_ns) {
		loop_timer_at(sv->loop, &l->fast, l->leave_by_ns);
		return;
	}
	if (ours)
		log_warning("the Lease could not be given back: the others wait until it expires");
	sv->done = true;
}

static void
lease_on_timer(struct loop_timer *t, void *arg)
{
	(void)t;
	sv_lease_look(arg);
}

void
sv_lease_init(struct sv *sv)
{
	struct sv_lease *l = &sv->lease;

	loop_timer_init(&l->fast, lease_on_timer, sv);
	/* Of a former program the deadlines alone count on: the elector's counters begin anew. */
	l->el = (struct elector_status){0};
	/* Of one that is driven by orders the supervisor wrote it itself. */
	if (!sv_lease_on(sv))
		shared_read(sv->board, SEC_ELECTOR, &l->el);
	l->used = l->handed = l->asked = 0;
}
