/*
 * elector_choice - is the Lease to be kept, given back, or asked for, and what is written into it?
 *
 * Process: elector.  What is known of ourselves and the others, put before core/election.h.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/lineage.h"
#include "net/kube_json.h"
#include "pg/wal_dir.h"
#include "service/elector.h"
#include "sys/file.h"

#define SUPERVISOR_MS 3000 /* silent for longer, it is not spoken for */
#define STANDING_MS 30000  /* a standby that holds the Lease gives it back */
#define EMPTY_MS 20000 /* others may have data: the first in the list makes the cluster at once */
#define MEMBERS_BYTES (ELECTOR_MEMBERS * 68)

static bool
has_data(const struct elector *el)
{
	char path[FILE_PATH_MAX];
	struct err e;

	return file_join(path, sizeof(path), el->s->opt->pgdata, "PG_VERSION", &e) == 0 &&
	       file_exists(path);
}

static bool
postgres_gone(const struct elector *el)
{
	return el->sv.tree_gone && el->sv.pg_pid == 0 && el->sv.pg_phase == PG_PHASE_DOWN;
}

static bool
anybody_else(const struct elector *el)
{
	for (size_t i = 0; i < el->peers; i++)
		if (el->peer[i].facts.reachable && el->peer[i].facts.replaying &&
			!elector_peer_is_self(el, &el->peer[i]))
			return true;
	return false;
}

/* ---- held ---- */

bool
elector_releases(struct elector *el)
{
	if (!postgres_gone(el))
		return false;
	if (el->st.giving)
		return el->sv.stopping || elector_handed(el);
	/* Nobody would take it, and this pod goes on with it. */
	if (el->st.paused && el->sv.state != FSM_REJOIN)
		return false;
	/* Alone, it archives its last WAL first: there is nobody else to do it. */
	if (el->sv.stopping)
		return el->sv.leaving || anybody_else(el);
	switch (el->sv.state) {
	case FSM_FENCED:
	case FSM_REJOIN:
		return true;
	case FSM_FAILED:
	case FSM_SPACE:
		return anybody_else(el);
	default:
		return false;
	}
}

bool
elector_renews(struct elector *el)
{
	int64_t now = clock_boot_ns();
	bool standing = el->sv.state == FSM_STANDBY;

	if (el->replaced)
		return false;
	if (now - board_beat_ns(el->s->board, SERVICE_SUPERVISOR) > SUPERVISOR_MS * MS_NS)
		return false;
	if (!standing)
		el->standing_since_ns = 0;
	else if (!el->standing_since_ns)
		el->standing_since_ns = now;
	return !standing || now - el->standing_since_ns < STANDING_MS * MS_NS;
}

static void
members_text(const struct elector *el, char *out, size_t size)
{
	size_t at = (size_t)snprintf(out, size, "[");

	for (size_t i = 0; i < el->peers; i++)
		at += (size_t)snprintf(
			out + at, size - at, "%s\"%s\"", i ? "," : "", el->peer[i].name);
	snprintf(out + at, size - at, "]");
}

static bool
members_changed(const struct elector *el)
{
	char text[MEMBERS_BYTES];

	members_text(el, text, sizeof(text));
	return el->peers_listed && strcmp(text, el->object.members) != 0;
}

/* What must not wait for the next renewal. */
bool
elector_news(struct elector *el)
{
	if (el->st.giving)
		return false;
	if (elector_pause_wanted(el))
		return true;
	if (el->sv.state != FSM_PRIMARY)
		return false;
	if (members_changed(el) || elector_sync_news(el))
		return true;
	if (el->sv.plan.system_id &&
		(!el->object.system_id || el->sv.plan.timeline > el->object.timeline))
		return true;
	return elector_judged(el);
}

/* ---- what is written ---- */

/* Only a primary knows where its own timeline began; 0: it cannot be read.  The facts on the board
 * may still be of the timeline before. */
static uint64_t
timeline_began(const struct elector *el)
{
	const struct plan *plan = &el->sv.plan;
	struct lineage_entry entry[PG_HISTORY];
	struct lineage_history history = {.entry = entry, .max = PG_HISTORY};
	char inside[FILE_PATH_MAX];
	struct err e;

	if (file_join(inside, sizeof(inside), el->s->opt->pgdata, "pg_wal", &e) < 0 ||
		wal_dir_history(
			*plan->waldir ? plan->waldir : inside, plan->timeline, &history, &e) < 0) {
		log_warning("where the timeline began is not known", F_STR("error", e.msg));
		return 0;
	}
	return history.n ? history.entry[history.n - 1].lsn : 0;
}

static void
wish_timeline(struct elector *el)
{
	if (el->sv.state != FSM_PRIMARY || !el->sv.plan.system_id)
		return;
	el->wanted.system_id = el->sv.plan.system_id;
	el->wanted.promoting = false;
	if (el->sv.plan.timeline <= el->wanted.timeline)
		return;
	el->wanted.timeline = el->sv.plan.timeline;
	el->wanted.switch_lsn = timeline_began(el);
	elector_change_wish(el);
}

void
elector_wishes(struct elector *el)
{
	struct lease_object *w = &el->wanted;

	*w = el->object;
	snprintf(w->ns, sizeof(w->ns), "%s", el->place.ns);
	snprintf(w->name, sizeof(w->name), "%s", el->cluster);
	w->seq++;
	w->renew_us = clock_wall_us();
	w->duration_s = (int32_t)(el->times.lease_ms / SEC_MS);
	if (strcmp(w->holder, el->me) != 0) {
		snprintf(w->holder, sizeof(w->holder), "%s", el->me);
		w->acquire_us = w->renew_us;
		w->transitions++;
		w->command[0] = '\0';
		w->promoting = w->promoting || w->timeline > 0;
		elector_change_begins(el);
	}
	if (el->peers_listed)
		members_text(el, w->members, sizeof(w->members));
	elector_pause_wish(el);
	wish_timeline(el);
	elector_sync_wish(el);
	if (el->sv.state == FSM_PRIMARY && el->pg.known && el->pg.timeline == w->timeline)
		w->primary_lsn = el->pg.current_lsn;
	elector_wish_orders(el);
}

/* ---- not held ---- */

static size_t
own_place(const struct elector *el)
{
	for (size_t i = 0; i < el->peers; i++)
		if (elector_peer_is_self(el, &el->peer[i]))
			return i;
	return el->peers;
}

static bool
supervisor_ready(const struct elector *el)
{
	return clock_boot_ns() - board_beat_ns(el->s->board, SERVICE_SUPERVISOR) <
		       SUPERVISOR_MS * MS_NS &&
	       !el->sv.stopping && !el->sv.fenced && !el->replaced;
}

bool
elector_follows(const struct elector *el)
{
	return el->sv.state == FSM_STANDBY || el->sv.state == FSM_CLAIM;
}

/* Nobody else could know of a cluster: all answered, and none has data. */
static bool
nobody_has_data(const struct elector *el)
{
	for (size_t i = 0; i < el->peers; i++)
		if (!elector_peer_is_self(el, &el->peer[i]) &&
			(!el->peer[i].facts.reachable || el->peer[i].facts.system_id ||
				el->peer[i].seen.primary))
			return false;
	return true;
}

/*
 * No cluster is known: who has data goes first, then the first by name.  But a Lease that is not
 * there may have been deleted under a primary that has not seen it yet: where somebody else might
 * be that, it gets its full time, and without data of our own we leave it to those who have some.
 */
static bool
may_begin(struct elector *el)
{
	int64_t now = clock_boot_ns(),
		full = lease_watch_claim_ns(&el->watch, &el->times, el->me, true);
	bool alone = nobody_has_data(el);

	if (!supervisor_ready(el) || el->sv.state != FSM_BOOT || !el->peers_listed || el->st.paused)
		return false;
	if ((!alone && now < full) || now < el->watch.promise_ns)
		return false;
	if (has_data(el))
		return el->exists || !elector_failsafe_bars(el);
	return alone && (own_place(el) == 0 || now - el->peers_since_ns > EMPTY_MS * MS_NS);
}

/* Facts count that are younger than the moment since which the Lease can be had. */
static bool
answers_are_in(struct elector *el)
{
	if (!el->choosing_since_ns) {
		el->choosing_since_ns = clock_boot_ns();
		elector_peers_ask(el);
	}
	return elector_answered_since(el, el->choosing_since_ns);
}

static size_t
listed_members(const struct elector *el, char names[ELECTOR_MEMBERS][64],
	const char *list[ELECTOR_MEMBERS])
{
	const char *p = el->object.members;
	size_t n = 0;

	while (n < ELECTOR_MEMBERS && (p = strchr(p, '"'))) {
		size_t len = strcspn(p + 1, "\"");

		if (len == 0 || len >= 64 || p[1 + len] != '"')
			break;
		snprintf(names[n], 64, "%.*s", (int)len, p + 1);
		list[n] = names[n];
		n++;
		p += len + 2;
	}
	return n;
}

/*
 * With a sync set in the Lease only those are asked whose acknowledgements counted, and what they
 * have is known by what their postgres said after the Lease had ended.  The leader of the set is
 * bound by no vote: it has whatever anybody was told is safe.
 */
static void
choose_sync(const struct elector *el, const struct elector_set *set,
	struct election_member members[ELECTOR_MEMBERS])
{
	for (size_t i = 0; set->on && i < el->peers; i++) {
		if (elector_set_has(set, members[i].name))
			members[i].sync = ELECTION_SYNC;
		members[i].lsn_known = members[i].lsn_known && el->peer[i].local_replayed;
		members[i].asked_ns = el->peer[i].measured_ns;
	}
}

/*
 * The timeline to lead on from.  A holder that ended before it said which one it had made may have
 * sent it to others: who has it goes on with it, or the next one makes the same number once more.
 * Of a Lease that somebody deleted the highest timeline is all that is known.
 */
static uint32_t
newest_timeline(const struct elector *el)
{
	uint32_t newest = el->object.timeline;

	for (size_t i = 0; i < el->peers && (!el->exists || el->object.promoting); i++) {
		const struct election_member *m = &el->peer[i].facts;
		bool now = m->reachable && m->replaying &&
			   (elector_peer_is_self(el, &el->peer[i]) ||
				   m->asked_ns >= el->choosing_since_ns);

		if (m->timeline > newest && (now || !el->exists))
			newest = m->timeline;
	}
	return newest;
}

static enum election_reason
choose(struct elector *el, size_t me, const char *target)
{
	struct election_member members[ELECTOR_MEMBERS];
	char names[ELECTOR_MEMBERS][64];
	const char *list[ELECTOR_MEMBERS];
	struct elector_set set;
	const char *voters[ELECTOR_MEMBERS];
	struct election e = {.system_id = el->exists ? el->object.system_id : el->sv.plan.system_id,
		.timeline = el->object.timeline,
		.primary_lsn = el->object.primary_lsn,
		.switch_lsn = el->object.switch_lsn,
		.paused = el->st.paused &&
			  (el->order.number != 0 || strcmp(target, el->s->opt->pod_name) != 0),
		.maximum_lag_bytes = el->failover.lag_bytes,
		.target = target,
		.force = el->order.number && el->order.what == ELECTOR_ORDER_PROMOTE &&
			 el->order.force,
		.accept_loss_bytes = el->order.accept_loss_bytes,
		.lease_ended_ns = el->choosing_since_ns,
		.member = members,
		.members = el->peers};

	e.timeline = newest_timeline(el);
	if (e.timeline != el->object.timeline)
		e.switch_lsn = 0; /* where the newer one began nobody has written down */
	for (size_t i = 0; i < el->peers; i++) {
		members[i] = el->peer[i].facts;
		if (i == me)
			members[i].asked_ns = clock_boot_ns();
		else if (members[i].asked_ns < el->choosing_since_ns)
			members[i].reachable = false;
		members[i].lineage_ok = members[i].timeline <= e.timeline;
		members[i].failover_priority = elector_priority(el, members[i].name);
	}
	elector_set_read(&set, el->object.sync);
	if (!set.on && el->failover.number > 0)
		elector_set_everybody(el, &set);
	choose_sync(el, &set, members);
	for (size_t i = 0; i < set.voters; i++)
		voters[i] = set.voter[i];
	e.sync = set.on && !elector_set_ours(el, &set);
	e.voters = voters;
	e.voter_count = set.voters;
	e.acks = set.acks;
	e.waited = clock_boot_ns() - el->choosing_since_ns > 2 * el->times.retry_ms * MS_NS;
	e.member_count = listed_members(el, names, list);
	if (e.member_count)
		e.member_names = list;
	el->loss_known = election_loss(&e, me, &el->loss_bytes);
	return election_may_claim(&e, me);
}

/* The others were asked, and none of them goes before us. */
static bool
stands(struct elector *el, const char *target)
{
	size_t me = own_place(el);
	enum election_reason why;

	if (me == el->peers || !answers_are_in(el))
		return false;
	why = el->stood = choose(el, me, target);
	el->stood_ns = clock_boot_ns();
	if (why == ELECTION_OK) /* a list that somebody emptied keeps nobody out */
		return strchr(el->object.members, '"') || !elector_failsafe_bars(el);
	elector_problem(el, "", "not a candidate: %s", election_reason_sentence(why));
	return false;
}

bool
elector_may_create(struct elector *el)
{
	/* A deleted Lease says nothing of its last holder, who may not know it yet. */
	int64_t from = lease_watch_claim_ns(&el->watch, &el->times, el->me, false);
	bool never = !el->sv.plan.generation || !el->sv.plan.system_id;

	if (never)
		return may_begin(el);
	return supervisor_ready(el) && elector_follows(el) && clock_boot_ns() >= from &&
	       stands(el, "") && !elector_failsafe_bars(el);
}

/* Another start of this pod held it, or this one does and the elector forgot. */
static bool
may_take_up(const struct elector *el)
{
	switch (el->sv.state) {
	case FSM_BOOT: /* in a pause, too: it only goes on */
		return supervisor_ready(el) && has_data(el);
	case FSM_STANDBY:
		return supervisor_ready(el) && has_data(el) && !el->st.paused;
	case FSM_PRIMARY: /* also when the program was replaced under it */
		return !el->replaced;
	case FSM_CLAIM:
	case FSM_PROMOTE:
	case FSM_HANDOVER:
		return !el->replaced && strcmp(el->object.holder, el->me) == 0;
	default:
		return false;
	}
}

bool
elector_may_claim(struct elector *el)
{
	char target[64] = "";
	bool named;

	if (!el->object.system_id && !el->object.timeline)
		return clock_boot_ns() >=
			       lease_watch_claim_ns(&el->watch, &el->times, el->me, true) &&
		       may_begin(el);
	if (lease_same_pod(el->object.holder, el->me) || strcmp(el->object.holder, el->me) == 0)
		return may_take_up(el);
	elector_named(el, target);
	named = !*target || strcmp(target, el->s->opt->pod_name) == 0;
	return supervisor_ready(el) && elector_follows(el) &&
	       clock_boot_ns() >= lease_watch_claim_ns(&el->watch, &el->times, el->me, named) &&
	       stands(el, target);
}
