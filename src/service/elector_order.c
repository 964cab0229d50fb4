/*
 * elector_order - what people ask for: a switchover, a promotion; refused, or begun.
 *
 * Process: elector.  An order that is given to the holder is answered here; one that is given to
 * another member stands in the Lease as its annotation command until the holder has answered it
 * there.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/kube_json.h"
#include "service/elector.h"

#define ORDER_MS 50000
#define SETTLE_MS 500
#define TARGET_MS 3000 /* that the target of a switchover has beyond the usual */
#define SOFT_MS 5000   /* what may be over in a moment is waited for */
#define SOFT_AGAIN_MS 250
#define CHECKPOINT_MS 40000                  /* for the supervisor's word; its job has less */
#define ANSWERS_MS 700                       /* for the answers of the others */
#define SWITCH_LAG_BYTES (INT64_C(16) << 20) /* a switchover that would wait longer is refused */

/* ---- orders in the Lease ---- */

bool
elector_command_field(const struct elector *el, const char *field, char *out, size_t size)
{
	const char *text = el->object.command;
	struct jsonscan_span v;

	return *text && kube_json_find(kube_json_span(text, strlen(text)), field, &v) &&
	       kube_json_text(&v, out, size);
}

void
elector_command(struct elector *el, const char *target)
{
	snprintf(el->wanted.command, sizeof(el->wanted.command),
		"{\"what\":\"switchover\",\"target\":\"%s\",\"by\":\"%s\"}", target,
		el->s->opt->pod_name);
}

/* Our own postgres knows sooner than the member's answer. */
static bool
streams_here(const struct elector *el, const struct elector_peer *p)
{
	for (uint32_t i = 0; el->pg.known && i < el->pg.replicas && i < PG_REPLICAS; i++)
		if (strcmp(el->pg.replica[i].application_name, p->name) == 0)
			return strcmp(el->pg.replica[i].state, "streaming") == 0;
	return p->seen.streaming;
}

/* What may be over in a moment. */
static const char *
switch_delay(const struct elector *el, const struct elector_peer *p)
{
	if (!p->facts.reachable)
		return "the member does not answer";
	if (!p->facts.replaying || !streams_here(el, p))
		return "the member does not stream";
	if (el->pg.current_lsn > p->facts.received_lsn + SWITCH_LAG_BYTES)
		return "the member is too far behind";
	if (el->pg.current_lsn > p->facts.replayed_lsn + SWITCH_LAG_BYTES)
		return "the member has received, but not replayed what it needs";
	return NULL;
}

static const char *
switch_obstacle(struct elector *el, const char *target, bool *soft)
{
	const struct elector_peer *p = elector_peer_of(el, target);
	const char *why;

	*soft = false;
	if (strcmp(target, el->s->opt->pod_name) == 0)
		return "it is the primary already";
	if (!p)
		return "no such member is known";
	if (p->facts.reachable && p->facts.system_id && p->facts.system_id != el->sv.plan.system_id)
		return "the member is of another cluster";
	if (p->facts.reachable && p->facts.fenced)
		return "the member is fenced";
	if (p->facts.reachable && p->seen.replay_paused)
		return "the member's replay is paused";
	if (p->facts.reachable && elector_sync_obstacle(el, p))
		return elector_sync_obstacle(el, p);
	why = switch_delay(el, p);
	*soft = why != NULL;
	return why;
}

/* Whoever is best by what the others say of themselves; false: nobody. */
static bool
switch_best(struct elector *el, char out[64])
{
	const struct elector_peer *best = NULL;
	bool soft;

	for (size_t i = 0; i < el->peers; i++) {
		const struct elector_peer *p = &el->peer[i];

		if (!switch_obstacle(el, p->name, &soft) &&
			(!best || p->facts.received_lsn > best->facts.received_lsn))
			best = p;
	}
	if (best)
		snprintf(out, 64, "%s", best->name);
	return best != NULL;
}

/* ---- one after the other: the members, a checkpoint, the members again ---- */

/* Whom it is about; false: nobody could be. */
static bool
switch_target(struct elector *el, char out[64])
{
	out[0] = '\0';
	if (el->order.number == 0)
		return elector_command_field(el, "target", out, 64);
	snprintf(out, 64, "%s", el->order.target);
	return *out || switch_best(el, out);
}

static const char *
switch_why(struct elector *el, char target[64], bool *soft)
{
	*soft = true;
	if (!switch_target(el, target))
		return el->order.number ? "no member could take over: none streams without lag"
					: "it names nobody";
	return switch_obstacle(el, target, soft);
}

/* All that can be asked have answered since then, or had their time.  Whose Lease it was is not
 * waited for: it has stopped, or is gone, and would not be chosen. */
bool
elector_answered_since(const struct elector *el, int64_t since_ns)
{
	for (size_t i = 0; i < el->peers; i++)
		if (el->peer[i].asked_ns < since_ns && !elector_peer_is_self(el, &el->peer[i]) &&
			strcmp(el->peer[i].name, el->last_holder) != 0)
			return clock_boot_ns() - since_ns > ANSWERS_MS * MS_NS;
	return true;
}

static void
switch_ask(struct elector *el)
{
	el->switching.asked_ns = clock_boot_ns();
	elector_peers_ask(el);
}

static bool
switch_verdict(struct elector *el, const char *why)
{
	snprintf(el->switching.why, sizeof(el->switching.why), "%s", why ? why : "");
	el->st.checkpoint = 0;
	return true;
}

/* What is dirty is written while clients go on, so that the stop has little left to do. */
static bool
switch_checkpoint(struct elector *el)
{
	int64_t now = clock_boot_ns();

	if (!el->st.checkpoint) {
		el->st.checkpoint = (uint64_t)now;
		el->switching.checkpoint_ns = now;
		return false;
	}
	if (el->sv.checkpointed != el->st.checkpoint) {
		if (now - el->switching.checkpoint_ns < CHECKPOINT_MS * MS_NS)
			return false;
		return switch_verdict(el, "the supervisor has written no checkpoint");
	}
	if (*el->sv.checkpoint_error)
		return switch_verdict(el, el->sv.checkpoint_error);
	el->switching.written = true;
	switch_ask(el);
	return false;
}

static bool
switch_look(struct elector *el)
{
	struct elector_switching *w = &el->switching;
	int64_t now = clock_boot_ns();
	const char *why;
	bool soft;

	if (el->st.checkpoint && !w->written)
		return switch_checkpoint(el);
	if (!elector_answered_since(el, w->asked_ns))
		return false;
	why = switch_why(el, w->target, &soft);
	if (why && (!soft || now - w->since_ns > SOFT_MS * MS_NS))
		return switch_verdict(el, why);
	if (why) {
		if (now - w->asked_ns > SOFT_AGAIN_MS * MS_NS)
			switch_ask(el);
		return false;
	}
	return w->written ? switch_verdict(el, NULL) : switch_checkpoint(el);
}

bool
elector_judged(struct elector *el)
{
	struct elector_switching *w = &el->switching;
	char refused[16];

	if (*w->undone)
		return true;
	if (el->order.number == 0 &&
		(!el->object.command[0] ||
			elector_command_field(el, "refused", refused, sizeof(refused)))) {
		w->since_ns = 0;
		el->st.checkpoint = 0;
		return el->object.command[0];
	}
	if (!w->since_ns) {
		memset(w, 0, offsetof(struct elector_switching, undone));
		w->since_ns = clock_boot_ns();
		el->st.checkpoint = 0;
		switch_ask(el);
		return false;
	}
	w->judged = w->judged || switch_look(el);
	return w->judged;
}

/* ---- begun, or refused ---- */

/* The supervisor is asked to stop postgres; then the Lease is given back. */
static void
begin_handover(struct elector *el, const char *target)
{
	const struct elector_peer *p = elector_peer_of(el, target);

	log_info("switchover", F_STR("target", target));
	el->st.giving = true;
	el->st.handovers++;
	snprintf(el->st.heir, sizeof(el->st.heir), "%.63s", target);
	snprintf(el->st.heir_address, sizeof(el->st.heir_address), "%s", p ? p->address : "");
}

static void
write_refusal(struct elector *el, const char *target, const char *why)
{
	char plain[sizeof(el->switching.why)];

	snprintf(plain, sizeof(plain), "%s", why);
	for (char *c = plain; *c; c++)
		if (*c == '"' || *c == '\\' || (unsigned char)*c < 0x20)
			*c = '\'';
	snprintf(el->wanted.command, sizeof(el->wanted.command),
		"{\"refused\":\"yes\",\"target\":\"%s\",\"why\":\"%s\"}", target, plain);
}

/* A switchover that stands in the Lease. */
static void
wish_command(struct elector *el)
{
	struct elector_switching *w = &el->switching;
	char refused[16];

	if (elector_command_field(el, "refused", refused, sizeof(refused))) {
		el->wanted.command[0] = '\0';
		return;
	}
	w->since_ns = 0;
	if (!*w->why) {
		begin_handover(el, w->target);
		return;
	}
	log_warning(
		"switchover refused", F_STR("target", w->target + 0), F_STR("reason", w->why + 0));
	write_refusal(el, w->target, w->why);
}

/* One that was ordered here. */
static void
wish_order(struct elector *el)
{
	struct elector_switching *w = &el->switching;
	bool named = *w->target && *w->why;

	w->since_ns = 0;
	el->st.answered = el->order.number;
	el->st.answer_kind = *w->why ? ERR_STATE : ERR_NONE;
	snprintf(el->st.answer, sizeof(el->st.answer), "%s%s%.180s", named ? w->target : "",
		named ? ": " : "", w->why);
	el->order.number = 0;
	if (*w->why)
		return;
	begin_handover(el, w->target);
	elector_command(el, w->target);
}

/* ---- carried out, or not ---- */

bool
elector_handed(const struct elector *el)
{
	return el->sv.handed == el->st.handovers && !*el->sv.handed_error;
}

/* The next one lacks something, and nothing is lost yet: postgres starts again where it was. */
void
elector_handover_look(struct elector *el)
{
	struct elector_switching *w = &el->switching;

	if (!el->st.giving || el->sv.handed != el->st.handovers || !*el->sv.handed_error ||
		el->sv.stopping || !elector_mine(el))
		return;
	log_warning("the switchover is undone", F_STR("target", el->st.heir + 0),
		F_STR("reason", el->sv.handed_error + 0));
	el->st.giving = false;
	snprintf(w->undone, sizeof(w->undone), "%s", el->sv.handed_error);
	snprintf(el->st.answer, sizeof(el->st.answer), "%.190s; the former primary goes on",
		w->undone);
	el->st.answer_kind = ERR_STATE;
	el->st.heir[0] = '\0';
}

static void
wish_undone(struct elector *el)
{
	char target[64] = "";

	(void)elector_command_field(el, "target", target, sizeof(target));
	if (el->object.command[0])
		write_refusal(el, target, el->switching.undone);
	el->switching.undone[0] = '\0';
	el->switching.since_ns = 0;
}

void
elector_wish_orders(struct elector *el)
{
	if (el->st.giving && *el->st.heir)
		elector_command(el, el->st.heir);
	if (el->sv.state != FSM_PRIMARY || el->st.giving || !elector_judged(el))
		return;
	if (*el->switching.undone)
		wish_undone(el);
	else if (el->order.number)
		wish_order(el);
	else
		wish_command(el);
}

/* ---- orders to a member that is not the holder ---- */

/* Whom the election is about: whom a switchover names, as long as it has time to take over; else,
 * of a promotion ordered here, ourselves. */
void
elector_named(const struct elector *el, char out[64])
{
	int64_t by_ns = el->choosing_since_ns + (2 * el->times.retry_ms + TARGET_MS) * MS_NS;
	char refused[16];

	out[0] = '\0';
	if (!elector_command_field(el, "refused", refused, sizeof(refused)) &&
		(!el->choosing_since_ns || clock_boot_ns() < by_ns))
		(void)elector_command_field(el, "target", out, 64);
	if (!*out && el->order.number && el->order.what == ELECTOR_ORDER_PROMOTE)
		snprintf(out, 64, "%.63s", el->s->opt->pod_name);
}

void
elector_order_take(struct elector *el, const struct elector_order *o)
{
	el->order = *o;
	el->order.target[sizeof(el->order.target) - 1] = '\0';
	el->order_at_ns = clock_boot_ns();
	el->order_by_ns = el->order_at_ns + ORDER_MS * MS_NS;
	el->order_transitions = el->object.transitions;
	el->order_written = false;
	el->st.answer[0] = '\0';
	el->holder.next_ns = 0; /* what a holder answers stands in its next write */
}

static void order_end(struct elector *el, enum err_kind kind, const char *fmt, ...) PRINTF(3, 4);

static void
order_end(struct elector *el, enum err_kind kind, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(el->st.answer, sizeof(el->st.answer), fmt, ap);
	va_end(ap);
	el->st.answered = el->order.number;
	el->st.answer_kind = kind;
	el->order.number = 0;
}

/* The Lease could be claimed, and we are not the one, also after the others had their time. */
static bool
order_lost(const struct elector *el)
{
	int64_t had_ns = el->choosing_since_ns + 2 * el->times.retry_ms * MS_NS + SETTLE_MS * MS_NS;

	return el->order.what == ELECTOR_ORDER_PROMOTE && el->stood != ELECTION_OK &&
	       el->choosing_since_ns && el->stood_ns > el->order_at_ns && el->stood_ns > had_ns;
}

static void
order_end_lost(struct elector *el)
{
	const char *why = election_reason_sentence(el->stood);

	if (!el->loss_known)
		order_end(el, ERR_STATE, "%s; how much WAL is missing here is not known", why);
	else
		order_end(el, ERR_STATE, "%s; %" PRIu64 " bytes are known to be missing here", why,
			el->loss_bytes);
}

void
elector_order_ends(struct elector *el)
{
	const char *holder = el->object.holder;
	char why[160] = "", refused[16];

	if (el->order.number == 0)
		return;
	if (elector_mine(el) && el->order.what == ELECTOR_ORDER_PROMOTE)
		order_end(el, ERR_NONE, "%s", "");
	else if (clock_boot_ns() > el->order_by_ns)
		order_end(el, ERR_STATE, "the Lease did not become free in time");
	else if (el->held)
		return;
	else if (el->order_written &&
		 elector_command_field(el, "refused", refused, sizeof(refused)) &&
		 elector_command_field(el, "why", why, sizeof(why)))
		order_end(el, ERR_STATE, "the primary refused: %s", why);
	else if (el->object.transitions != el->order_transitions && *holder)
		order_end(el, ERR_STATE, "%.*s became the primary meanwhile",
			(int)strcspn(holder, "/"), holder);
	else if (order_lost(el))
		order_end_lost(el);
}
