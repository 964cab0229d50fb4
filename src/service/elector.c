/*
 * elector - the Lease in Kubernetes, the members, and who is to be the primary.
 *
 * Process: elector.  One loop: watches and answers of the API, answers of the members, the board,
 * the clock; after each, elector_turn() does what is due.  Its own end costs nothing but time: the
 * supervisor counts on from the last write that it has seen on the board.
 *
 *   elector_lease     the calls about the Lease
 *   elector_choice    keep it, give it back, ask for it; what it says
 *   elector_sync      who acknowledges commits, in the Lease and in postgres
 *   elector_order     what people ask for
 *   elector_change    the last change of primary, for whoever asks
 *   elector_times     the manifest's primaryLease, also when it changes
 *   elector_peers     the other members
 *   elector_label     the role, where Services look
 *   elector_pause     the whole cluster is left alone
 *   elector_failsafe  a primary without the API, by the promises of the others
 */
#include "service/elector.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/configure.h"
#include "sys/channel.h"

#define TURN_MS 200
#define DECIDE_MS 12000

void
elector_problem(struct elector *el, const char *hint, const char *fmt, ...)
{
	char text[sizeof(el->st.problem)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (strcmp(text, el->st.problem) == 0)
		return;
	memcpy(el->st.problem, text, sizeof(text));
	snprintf(el->st.hint, sizeof(el->st.hint), "%s", hint);
	log_warning("elector", F_STR("problem", el->st.problem), F_STR("hint", hint));
}

/* ---- the board ---- */

static void
elector_read(struct elector *el)
{
	shared_read(el->s->board, SEC_SUPERVISOR, &el->sv);
	shared_read(el->s->board, SEC_POSTGRES, &el->pg);
	/* What stands there of another postmaster says nothing of this one. */
	if (el->pg.pid != el->sv.pg_pid || !el->sv.pg_pid)
		el->pg.known = el->pg.receiver_active = false;
	/* Whoever begins to stream is perhaps a new member. */
	if (el->pg.known && el->pg.replicas != el->replicas) {
		el->replicas = el->pg.replicas;
		elector_peers_look(el);
	}
}

/* A former pod of our name led: on our address there is nobody but us, and nobody to follow. */
static bool
former_self(const struct elector *el)
{
	return !el->held && !el->replaced && strcmp(el->st.holder_name, el->s->opt->pod_name) == 0;
}

/* The holder is no pod of the cluster, and has not renewed for as long as it said: a name that was
 * written by hand, or a pod that is gone for good. */
static bool
nobody_there(const struct elector *el)
{
	return !*el->st.holder_address && el->peers_listed && !el->held &&
	       clock_boot_ns() >= lease_watch_claim_ns(&el->watch, &el->times, el->me, true);
}

static void
publish_role(struct elector *el)
{
	struct elector_status *st = &el->st;
	const struct elector_peer *p;
	const char *slash;

	st->role = elector_mine(el) ? ELECTOR_LEAD : ELECTOR_WAIT;
	snprintf(st->holder, sizeof(st->holder), "%.255s", el->exists ? el->object.holder : "");
	slash = strchr(st->holder, '/');
	snprintf(st->holder_name, sizeof(st->holder_name), "%.*s",
		slash ? (int)(slash - st->holder) : 63, st->holder);
	if (st->role == ELECTOR_WAIT && *st->holder && !lease_same_pod(st->holder, el->me) &&
		!former_self(el))
		st->role = ELECTOR_FOLLOW;
	p = elector_peer_of(el, st->holder_name);
	snprintf(st->holder_address, sizeof(st->holder_address), "%s", p ? p->address : "");
	if (st->role == ELECTOR_FOLLOW && nobody_there(el))
		st->role = ELECTOR_WAIT;
	if (*st->holder && !*st->holder_address)
		elector_peers_look(el);
}

/*
 * Our own timeline, and nobody knows whether the Lease says so: another may make one of the same
 * number.  As a standby this postgres could not be told from one of that history any more.
 */
static bool
twin_danger(const struct elector *el)
{
	return el->exists && lease_same_pod(el->object.holder, el->me) &&
	       (el->object.promoting ||
		       (!el->sv.plan.standby && el->sv.plan.timeline > el->object.timeline));
}

/* A preparation that began now would make a standby of what may lead the next moment. */
static bool
still_deciding(const struct elector *el)
{
	if (el->held || el->sv.state != FSM_BOOT || el->sv.fenced)
		return false;
	if (twin_danger(el))
		return true;
	if (clock_boot_ns() > el->began_ns + DECIDE_MS * MS_NS)
		return false;
	if (el->exists && el->object.holder[0])
		return lease_same_pod(el->object.holder, el->me);
	return !el->exists || !el->object.system_id;
}

/* Both were all zero once and are only copied: their padding is the same too. */
static bool
same_bytes(const void *a, const void *b, size_t n)
{
	return memcmp(a, b, n) == 0;
}

void
elector_publish(struct elector *el)
{
	struct elector_status *st = &el->st, *told = &el->told;
	const struct lease_object *o = &el->object;

	st->known = el->listed && (el->peers_listed || el->held) && !still_deciding(el);
	publish_role(el);
	st->sent_ns = el->held ? el->holder.sent_ns : 0;
	st->fast_ns = el->times.stop_ms * MS_NS;
	st->kill_ns = el->times.kill_ms * MS_NS;
	st->fence_ns = el->times.fencer_ms * MS_NS;
	st->lease_ns = el->times.lease_ms * MS_NS;
	st->promise_ns = el->watch.promise_ns;
	st->system_id = o->system_id;
	st->timeline = o->timeline;
	st->switch_lsn = o->switch_lsn;
	st->transitions = o->transitions;
	elector_sync_publish(el);
	elector_change_publish(el);
	st->members = (uint32_t)el->peers;
	for (size_t i = 0; i < el->peers; i++)
		st->member[i] = el->peer[i].seen;
	if (same_bytes(told, st, sizeof(*st)))
		return;
	shared_write(el->s->board, SEC_ELECTOR, st);
	/* What nobody acts upon, the supervisor sees when it looks next. */
	if (told->role != st->role || told->paused != st->paused || told->known != st->known ||
		told->sent_ns != st->sent_ns || told->claims != st->claims ||
		told->handovers != st->handovers || told->checkpoint != st->checkpoint ||
		told->answered != st->answered || strcmp(told->holder, st->holder) != 0 ||
		strcmp(told->holder_address, st->holder_address) != 0 ||
		strcmp(told->sync_names, st->sync_names) != 0)
		service_poke(el->s);
	memcpy(told, st, sizeof(*st));
}

/* ---- turns ---- */

/* Nothing of the postgres that led is left: the next claim begins from nothing. */
static void
elector_forget(struct elector *el)
{
	enum fsm_postgres runs = fsm_state_postgres((enum fsm_state)el->sv.state);

	if (!el->held || elector_mine(el) || el->handle)
		return;
	/* What replays writes nothing. */
	if (!el->sv.tree_gone && runs != FSM_PG_RECOVERY)
		return;
	log_warning("the Lease is not ours any more");
	el->held = el->st.giving = false;
	lease_holder_done(&el->holder);
}

void
elector_turn(struct elector *el)
{
	int64_t next;

	elector_read(el);
	elector_forget(el);
	elector_handover_look(el);
	elector_times_look(el);
	elector_sync_turn(el);
	elector_lease_step(el);
	elector_failsafe_step(el);
	elector_pause_ends(el);
	elector_order_ends(el);
	elector_label(el);
	elector_publish(el);
	next = elector_lease_next_ns(el);
	if (elector_failsafe_next_ns(el) < next)
		next = elector_failsafe_next_ns(el);
	if (next > clock_boot_ns() && next < clock_boot_ns() + TURN_MS * MS_NS)
		loop_timer_at(el->s->loop, &el->timer, next);
	else
		loop_timer_in(el->s->loop, &el->timer, TURN_MS);
}

static void
elector_on_timer(struct loop_timer *t, void *arg)
{
	(void)t;
	elector_turn(arg);
}

static void
elector_on_msg(struct service *s, const struct channel_msg *msg)
{
	struct elector *el = s->arg;
	struct elector_order o;

	if (msg->type == MSG_ELECT && channel_body(msg, &o, sizeof(o)) &&
		!elector_pause_take(el, &o))
		elector_order_take(el, &o);
	if (msg->type == MSG_PROMISE)
		elector_failsafe_asked(el, msg);
	elector_turn(el);
}

/* ---- life ---- */

static int
elector_open(struct elector *el, struct err *e)
{
	const struct run_options *opt = el->s->opt;
	const struct kube_given given = {.url = opt->kube_api,
		.token_file = opt->kube_token,
		.ca_file = opt->kube_ca,
		.ns = opt->pod_namespace};

	if (!*opt->pod_uid)
		return err_set(e, ERR_CONFIG,
			"POD_UID is not set: without it nobody can tell this pod from a later one "
			"of its name (env.valueFrom.fieldRef: metadata.uid)");
	if (!lease_holder_name(el->me, opt->pod_name, opt->pod_uid, opt->session_id))
		return err_set(e, ERR_CONFIG, "the names of this pod are too long");
	snprintf(el->st.identity, sizeof(el->st.identity), "%.255s", el->me);
	if (elector_times_begin(el, e) < 0 || kube_find(&el->place, &given, e) < 0 ||
		kube_open(&el->kube, &el->place, el->s->loop, e) < 0)
		return -1;
	return elector_lease_begin(el, e) < 0 || elector_peers_begin(el, e) < 0 ? -1 : 0;
}

static void
elector_close(struct elector *el)
{
	elector_failsafe_close(el);
	elector_peers_close(el);
	el->kube = kube_close(el->kube);
	buf_deinit(&el->text);
}

int
service_elector_main(struct service *s)
{
	AUTO(free) struct elector *el = calloc(1, sizeof(*el));
	struct err e;
	int rc = 0;

	if (!el)
		return err_exit(&(struct err){.kind = ERR_SYS});
	el->s = s;
	s->arg = el;
	s->on_msg = elector_on_msg;
	el->began_ns = clock_boot_ns();
	loop_timer_init(&el->timer, elector_on_timer, el);
	/* Claims, orders and hand-overs go on counting where the last elector ended. */
	shared_read(s->board, SEC_ELECTOR, &el->st);
	el->st.known = el->st.giving = el->st.failsafe = false;
	el->st.promise_ns = 0; /* who starts again waits L anyway */
	el->st.role = ELECTOR_WAIT;
	elector_read(el);
	elector_sync_begin(el);
	if (elector_open(el, &e) < 0) {
		elector_problem(el, "", "%s", e.msg);
		elector_publish(el);
		log_error("elector cannot start", F_STR("error", e.msg));
		rc = err_exit(&e);
	} else {
		loop_timer_in(s->loop, &el->timer, 0);
		if (service_run(s, &e) < 0) {
			log_error("elector ends", F_STR("error", e.msg));
			rc = err_exit(&e);
		}
	}
	elector_close(el);
	return rc;
}
