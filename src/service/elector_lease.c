/*
 * elector_lease - reads and writes the one object that decides.
 *
 * Process: elector.  One call at a time.  Every write is a PUT of what was last read, so that it
 * fails when somebody wrote in between (reference "HA", 4.3, T2); of a call without an answer
 * nobody knows whether it happened, and the object is read again before anything is concluded.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/elector.h"

#define LIST_MS 5000
#define SILENCE_MS 90000 /* of a watch: the server sends bookmarks about each minute */
#define RETRY_MS 1000
#define LEASE_RIGHTS "give the service account get, list, watch, create and update of leases"
#define NEWS_MS 100 /* between two writes that do not wait for the next renewal */

static const char *const call_names[] = {"", "read the Lease", "create the Lease",
	"claim the Lease", "renew the Lease", "give the Lease back",
	"write an order into the Lease"};

/* ---- what stands there ---- */

static void
lease_saw(struct elector *el, bool consistent)
{
	const struct lease_object *o = &el->object;
	struct lease_record r = {.exists = el->exists, .consistent = consistent};
	int64_t now = clock_boot_ns();

	el->st.read_ns = now;
	el->listed = true;
	if (el->exists) {
		snprintf(r.holder, sizeof(r.holder), "%s", o->holder);
		snprintf(r.renewed, sizeof(r.renewed), "%s", o->renewed);
		snprintf(r.version, sizeof(r.version), "%s", o->version);
		r.seq = o->seq;
		r.released = !o->holder[0] && o->released == o->seq && o->seq > 0;
		r.duration_ms = (int64_t)o->duration_s * SEC_MS;
	}
	if (el->exists && o->holder[0])
		snprintf(el->last_holder, sizeof(el->last_holder), "%.*s",
			(int)strcspn(o->holder, "/"), o->holder);
	if (lease_watch_saw(&el->watch, &r, now))
		el->choosing_since_ns = 0;
}

static void
lease_absent(struct elector *el, bool consistent)
{
	buf_reset(&el->text);
	el->object = (struct lease_object){0};
	el->exists = false;
	lease_saw(el, consistent);
}

static void
lease_take(struct elector *el, const char *text, size_t n, bool consistent)
{
	struct err e;

	buf_reset(&el->text);
	buf_put(&el->text, text, n);
	if (buf_check(&el->text, &e) < 0)
		return;
	el->exists = true;
	if (lease_json_read(&el->object, text, n, &e) < 0)
		elector_problem(el,
			"somebody wrote into it by hand: correct the field, or delete the Lease",
			"Lease %s: %s", el->cluster, e.msg);
	el->st.paused = el->object.paused;
	elector_failsafe_saw(el, false);
	lease_saw(el, consistent);
}

static enum lease_sight
lease_sight(const struct elector *el)
{
	if (!el->exists)
		return LEASE_SIGHT_ABSENT;
	if (strcmp(el->object.holder, el->me) == 0)
		return LEASE_SIGHT_MINE;
	return el->object.holder[0] ? LEASE_SIGHT_OTHER : LEASE_SIGHT_RELEASED;
}

static void
lease_on_event(void *arg, const struct kube_event *ev)
{
	struct elector *el = arg;

	switch (ev->kind) {
	case KUBE_LIST:
		el->listing = true;
		break;
	case KUBE_LISTED:
	case KUBE_ADDED:
	case KUBE_MODIFIED:
		el->listing = false;
		/* What a call of ours has shown is newer than what comes over the watch meanwhile.
		 */
		if (!el->handle)
			lease_take(el, ev->object, ev->len, false);
		break;
	case KUBE_SYNCED:
		if (el->listing && !el->handle)
			lease_absent(el, false);
		el->listing = false;
		break;
	case KUBE_DELETED:
		if (!el->handle)
			lease_absent(el, false);
		break;
	case KUBE_ALIVE:
		el->st.read_ns = ev->seen_ns;
		break;
	case KUBE_LOST:
		elector_problem(el, ev->outcome == KUBE_FORBIDDEN ? LEASE_RIGHTS : "",
			"the watch of the Lease ended: %s", ev->message);
		break;
	}
	/* Events may be older than our last write: what they show is looked up before it counts. */
	if (el->held && !el->handle && lease_sight(el) != LEASE_SIGHT_MINE)
		lease_holder_doubts(&el->holder, &el->times, ev->seen_ns, 0);
	elector_turn(el);
}

/* ---- answers ---- */

static void
lease_claimed(struct elector *el, int64_t sent_ns)
{
	if (!lease_holder_claimed(&el->holder, &el->times, sent_ns, clock_boot_ns())) {
		log_warning("the answer to the claim came too late to lead on");
		return;
	}
	el->held = true;
	el->st.claims++;
	el->standing_since_ns = 0;
	log_info("the Lease is ours", F_STR("lease", el->cluster),
		F_INT("transitions", el->object.transitions));
}

static void
lease_done_ok(struct elector *el, enum elector_call call, const struct kube_answer *a)
{
	int64_t now = clock_boot_ns();

	lease_take(el, a->text, a->len, true);
	el->st.problem[0] = el->st.hint[0] = '\0';
	switch (call) {
	case ELECTOR_CREATE:
	case ELECTOR_CLAIM:
		elector_sync_answered(el);
		lease_watch_claim_ends(&el->watch, true);
		elector_failsafe_saw(el, true);
		if (el->held)
			(void)!lease_holder_renewed(&el->holder, &el->times, a->send_ns, now);
		else
			lease_claimed(el, a->send_ns);
		elector_times_answered(el);
		break;
	case ELECTOR_RENEW:
		elector_sync_answered(el);
		elector_failsafe_saw(el, true);
		el->quiet_until_ns = now + NEWS_MS * MS_NS;
		(void)!lease_holder_renewed(&el->holder, &el->times, a->send_ns, now);
		elector_times_answered(el);
		break;
	case ELECTOR_RELEASE:
		log_info("the Lease was given back");
		el->held = el->st.giving = false;
		lease_holder_done(&el->holder);
		break;
	case ELECTOR_GET:
		if (el->held)
			lease_holder_sees(&el->holder, lease_sight(el), now);
		break;
	case ELECTOR_COMMAND:
		el->order_written = true;
		break;
	case ELECTOR_NONE:
		break;
	}
}

static void
lease_done_badly(struct elector *el, enum elector_call call, const struct kube_answer *a)
{
	bool known = kube_outcome_applied(a->outcome) == KUBE_APPLIED_NO;
	int64_t now = clock_boot_ns();

	el->watch.last.consistent = false; /* the next write follows a GET */
	if (a->outcome == KUBE_NOT_FOUND)
		lease_absent(el, call == ELECTOR_GET);
	if (call == ELECTOR_CREATE || call == ELECTOR_CLAIM)
		lease_watch_claim_ends(&el->watch, known);
	if (a->outcome != KUBE_CONFLICT && a->outcome != KUBE_EXISTS &&
		a->outcome != KUBE_NOT_FOUND)
		elector_problem(el, a->outcome == KUBE_FORBIDDEN ? LEASE_RIGHTS : "",
			"cannot %s: %s%s%s", call_names[call], kube_outcome_meaning(a->outcome),
			*a->message ? ": " : "", a->message);
	if (el->held && a->outcome == KUBE_NOT_FOUND && call == ELECTOR_GET)
		lease_holder_sees(&el->holder, LEASE_SIGHT_ABSENT, now);
	else if (el->held)
		lease_holder_doubts(&el->holder, &el->times, now,
			a->retry_after_ms > 0 ? a->retry_after_ms : 0);
	else
		el->quiet_until_ns = now + (a->retry_after_ms > RETRY_MS ? a->retry_after_ms
						   : call == ELECTOR_GET ? RETRY_MS
									 : 0) *
						   MS_NS;
}

static void
lease_on_answer(void *arg, const struct kube_answer *a)
{
	struct elector *el = arg;
	enum elector_call call = el->call;

	el->handle = NULL;
	el->call = ELECTOR_NONE;
	if (a->outcome == KUBE_OK)
		lease_done_ok(el, call, a);
	else
		lease_done_badly(el, call, a);
	elector_turn(el);
}

/* ---- calls ---- */

static int
lease_body(struct elector *el, enum elector_call call, struct buf *body, struct err *e)
{
	if (call == ELECTOR_GET)
		return 0;
	if (call == ELECTOR_CREATE)
		return lease_json_new(body, &el->wanted, e);
	return lease_json_update(body, &el->wanted, buf_str(&el->text), el->text.len, e);
}

static int
lease_send(struct elector *el, enum elector_call call, int64_t ms, struct err *e)
{
	AUTO(buf_deinit) struct buf body = {0}, path = {0};
	struct kube_request r = {.method = call == ELECTOR_GET      ? "GET"
					   : call == ELECTOR_CREATE ? "POST"
								    : "PUT",
		.path = el->lease_path,
		.deadline_ns = clock_boot_ns() + ms * MS_NS,
		.done = lease_on_answer,
		.arg = el};

	if (call == ELECTOR_CREATE) {
		if (kube_path_lease(&path, el->place.ns, NULL, e) < 0)
			return -1;
		r.path = buf_str(&path);
	}
	if (lease_body(el, call, &body, e) < 0)
		return -1;
	r.body = body.len ? buf_str(&body) : NULL;
	r.len = body.len;
	if (kube_call(el->kube, &r, &el->handle, e) < 0)
		return -1;
	el->call = call;
	return 0;
}

static void
lease_begin(struct elector *el, enum elector_call call)
{
	int64_t ms = el->held ? lease_holder_call_ms(&el->holder, &el->times, clock_boot_ns())
			      : el->times.call_ms;
	struct err e;

	if (call == ELECTOR_CREATE || call == ELECTOR_CLAIM)
		lease_watch_claims(&el->watch);
	if (call != ELECTOR_GET)
		elector_failsafe_writes(el);
	if (ms > 0 && lease_send(el, call, ms, &e) == 0)
		return;
	if (call == ELECTOR_CREATE || call == ELECTOR_CLAIM)
		lease_watch_claim_ends(&el->watch, true);
	if (ms > 0)
		elector_problem(el, "", "cannot %s: %s", call_names[call], e.msg);
	el->quiet_until_ns = clock_boot_ns() + RETRY_MS * MS_NS;
}

static void
lease_write(struct elector *el, enum elector_call call)
{
	elector_wishes(el);
	if (call == ELECTOR_RELEASE) {
		el->wanted.holder[0] = '\0';
		el->wanted.released = el->wanted.seq;
		el->wanted.duration_s = (int32_t)(el->times.released_ms / SEC_MS);
	}
	lease_begin(el, call);
}

/* ---- what comes next ---- */

bool
elector_mine(const struct elector *el)
{
	struct lease_holder h = el->holder;

	return el->held && lease_holder_phase(&h, &el->times, clock_boot_ns()) == LEASE_FRESH;
}

static void
lease_hold(struct elector *el)
{
	int64_t now = clock_boot_ns();
	enum lease_do next = lease_holder_next(&el->holder, &el->times, now);

	if (elector_releases(el)) {
		if (el->holder.doubt)
			lease_begin(el, ELECTOR_GET);
		else if (lease_sight(el) == LEASE_SIGHT_MINE && now >= el->quiet_until_ns)
			lease_write(el, ELECTOR_RELEASE);
		return;
	}
	if (next == LEASE_DO_WAIT && elector_news(el) && now >= el->quiet_until_ns)
		next = LEASE_DO_PUT;
	if (!elector_renews(el) || next == LEASE_DO_WAIT)
		return;
	if (next == LEASE_DO_GET)
		lease_begin(el, ELECTOR_GET);
	else
		lease_write(el, el->exists ? ELECTOR_RENEW : ELECTOR_CREATE);
}

/* The claim goes by what a GET has shown just now. */
static void
lease_try(struct elector *el)
{
	int64_t now = clock_boot_ns();
	bool may = el->exists ? elector_may_claim(el) : elector_may_create(el);

	if (!may || now < el->quiet_until_ns)
		return;
	if (!el->watch.last.consistent || el->watch.asked[0])
		lease_begin(el, ELECTOR_GET);
	else
		lease_write(el, el->exists ? ELECTOR_CLAIM : ELECTOR_CREATE);
}

static void
lease_pause(struct elector *el)
{
	if (!elector_pause_wanted(el) || clock_boot_ns() < el->quiet_until_ns)
		return;
	el->wanted = el->object;
	elector_pause_wish(el);
	lease_begin(el, ELECTOR_COMMAND);
}

static void
lease_order(struct elector *el)
{
	if (el->order.number == 0 || !el->exists || el->object.command[0] ||
		clock_boot_ns() < el->quiet_until_ns)
		return;
	/* Carried out or overtaken by another change: written again, it would be a second order. */
	if (el->order_written || el->object.transitions != el->order_transitions)
		return;
	el->wanted = el->object;
	elector_command(el, *el->order.target ? el->order.target : el->s->opt->pod_name);
	lease_begin(el, ELECTOR_COMMAND);
}

void
elector_lease_step(struct elector *el)
{
	if (el->handle || !el->listed)
		return;
	if (el->held) {
		lease_hold(el);
		return;
	}
	lease_pause(el);
	if (!el->handle)
		lease_try(el);
	if (!el->handle)
		lease_order(el);
}

int64_t
elector_lease_next_ns(const struct elector *el)
{
	if (el->handle)
		return CLOCK_NEVER;
	return el->held ? el->holder.next_ns : el->quiet_until_ns;
}

int
elector_lease_begin(struct elector *el, struct err *e)
{
	AUTO(buf_deinit) struct buf path = {0}, one = {0};
	char selector[LEASE_NAME_SIZE + 32];
	struct kube_watch_spec spec = {
		.call_ms = LIST_MS, .silence_ms = SILENCE_MS, .fn = lease_on_event, .arg = el};

	if (kube_path_lease(&path, el->place.ns, NULL, e) < 0 ||
		kube_path_lease(&one, el->place.ns, el->cluster, e) < 0)
		return -1;
	snprintf(selector, sizeof(selector), "metadata.name=%s", el->cluster);
	kube_path_query(&path, "fieldSelector", selector);
	if (buf_check(&path, e) < 0 || buf_check(&one, e) < 0)
		return -1;
	snprintf(el->lease_path, sizeof(el->lease_path), "%s", buf_str(&one));
	spec.path = buf_str(&path);
	return kube_watch(el->kube, &spec, &el->lease_watch, e);
}
