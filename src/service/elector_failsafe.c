/*
 * elector_failsafe - a primary goes on without the API as long as everybody promises not to follow.
 *
 * Process: elector.  When renewals stay unanswered and V1 comes nearer, every member that the Lease
 * lists, or may list once a write of ours lands late, is asked for a promise not to claim for L.
 * It counts from its receipt, we from the sending of the oldest question, so that the same
 * inequality holds as for a renewal (reference "HA", 4.4; tests/model, FAILSAFE and MEMBERS).  One
 * refusal or one silence, and time runs on towards V1.  A promise is kept in memory only: an
 * elector that starts again waits L from its first sight anyway, and promises nothing before.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "service/elector.h"
#include "sys/channel.h"

#define AGAIN_MS 250
#define ANSWER_BYTES 512

/* ---- whom the Lease may list ---- */

/* The names of a JSON array of strings, one after the other. */
static bool
next_name(const char **at, char out[64])
{
	const char *p = strchr(*at, '"');
	size_t len = p ? strcspn(p + 1, "\"") : 0;

	if (!p || len == 0 || len >= 64 || p[1 + len] != '"')
		return false;
	snprintf(out, 64, "%.*s", (int)len, p + 1);
	*at = p + len + 2;
	return true;
}

static bool
lists(const char *members, const char *name)
{
	char one[64];

	while (next_name(&members, one))
		if (strcmp(one, name) == 0)
			return true;
	return false;
}

static void
might_add(struct elector *el, const char *members)
{
	struct elector_failsafe *fs = &el->failsafe;
	char name[64];

	while (next_name(&members, name)) {
		size_t i = 0;

		while (i < fs->mights && strcmp(fs->might[i], name) != 0)
			i++;
		if (i == ELECTOR_NAMES)
			fs->too_many = true;
		else if (i == fs->mights)
			memcpy(fs->might[fs->mights++], name, sizeof(name));
	}
}

void
elector_failsafe_writes(struct elector *el)
{
	might_add(el, el->wanted.members);
}

/* Once a write of ours was answered, nothing older of ours can land any more. */
void
elector_failsafe_saw(struct elector *el, bool ours)
{
	struct elector_failsafe *fs = &el->failsafe;

	if (ours) {
		fs->mights = 0;
		fs->too_many = false;
		if (el->st.failsafe)
			log_info("failsafe: the API answers again");
		el->st.failsafe = false;
		el->st.failsafe_problem[0] = '\0';
	}
	might_add(el, el->object.members);
	fs->member = fs->member || lists(el->object.members, el->s->opt->pod_name);
}

/* ---- the holder ---- */

static void PRINTF(2, 3) failed(struct elector *el, const char *fmt, ...)
{
	char text[sizeof(el->st.failsafe_problem)];
	struct elector_failsafe *fs = &el->failsafe;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (strcmp(text, el->st.failsafe_problem) != 0)
		log_warning("failsafe: no promise of everybody", F_STR("why", text),
			F_STR("hint", "postgres is stopped unless the API answers in time"));
	memcpy(el->st.failsafe_problem, text, sizeof(text));
	fs->again_ns = clock_boot_ns() + AGAIN_MS * MS_NS;
}

static void
round_end(struct elector *el)
{
	struct elector_failsafe *fs = &el->failsafe;

	for (size_t i = 0; i < fs->vows; i++)
		if (fs->vow[i].ask)
			fs->vow[i].ask = http_end(fs->vow[i].ask);
	fs->vows = 0;
	fs->asking = false;
}

static bool
promised_by(const struct elector_failsafe *fs, const char *name)
{
	for (size_t i = 0; i < fs->vows; i++)
		if (strcmp(fs->vow[i].name, name) == 0)
			return fs->vow[i].granted;
	return false;
}

/* NULL: everybody that may be listed by now has promised. */
static const char *
missing(const struct elector *el)
{
	const struct elector_failsafe *fs = &el->failsafe;

	for (size_t i = 0; i < fs->mights; i++)
		if (strcmp(fs->might[i], el->s->opt->pod_name) != 0 &&
			!promised_by(fs, fs->might[i]))
			return fs->might[i];
	return NULL;
}

static void
round_won(struct elector *el)
{
	struct elector_failsafe *fs = &el->failsafe;
	size_t n = fs->vows;

	round_end(el);
	if (!lease_holder_promised(&el->holder, &el->times, fs->sent_ns, clock_boot_ns()))
		return;
	el->st.failsafe_problem[0] = '\0';
	if (!el->st.failsafe)
		log_warning("failsafe: primary without the API", F_INT("promises", (int64_t)n),
			F_STR("hint", "it stops as soon as one member does not promise"));
	el->st.failsafe = true;
}

static void
vow_on_done(void *arg, struct http_call *c)
{
	struct elector *el = arg;
	struct elector_failsafe *fs = &el->failsafe;
	struct elector_vow *v = NULL;
	int status = http_answer(c)->status;
	char name[64];
	struct err e;

	for (size_t i = 0; i < fs->vows && !v; i++)
		if (fs->vow[i].ask == c)
			v = &fs->vow[i];
	if (!v) {
		(void)http_end(c);
		return;
	}
	if (http_result(c, &e) < 0)
		status = 0;
	v->granted = status == 200;
	v->ask = http_end(c);
	memcpy(name, v->name, sizeof(name));
	if (!v->granted) {
		round_end(el);
		if (status)
			failed(el, "%s refuses: HTTP %d", name, status);
		else
			failed(el, "%s does not answer: %.80s", name, e.msg);
	}
	elector_turn(el);
}

static int
vow_ask(struct elector *el, struct elector_vow *v, struct err *e)
{
	struct elector_failsafe *fs = &el->failsafe;
	const struct elector_peer *p = elector_peer_of(el, v->name);
	char url[192];
	bool v6;
	struct http_request r = {.method = "POST",
		.url = url,
		.body = buf_str(&fs->body),
		.len = fs->body.len,
		.send_body = true,
		.arg = el,
		.direct = true,
		.deadline_ns = fs->by_ns,
		.done = vow_on_done};

	if (!p || !p->address[0])
		return err_set(e, ERR_NOTFOUND, "its address is not known");
	v6 = strchr(p->address, ':') != NULL;
	snprintf(url, sizeof(url), "%s://%s%s%s:%s/failsafe",
		*el->s->opt->tls_cert ? "https" : "http", v6 ? "[" : "", p->address, v6 ? "]" : "",
		elector_port(el));
	return http_begin(el->http, &r, &v->ask, e);
}

static void
round_body(struct elector *el)
{
	struct json j;

	buf_reset(&el->failsafe.body);
	json_init(&j, &el->failsafe.body);
	json_obj(&j);
	json_kstr(&j, "holder", el->me);
	json_end_obj(&j);
}

static void
round_begin(struct elector *el)
{
	struct elector_failsafe *fs = &el->failsafe;
	int64_t v1_ns = lease_holder_deadline_ns(&el->holder, &el->times, LEASE_STOP);
	struct err e;

	round_end(el);
	round_body(el);
	fs->sent_ns = clock_boot_ns();
	fs->by_ns = fs->sent_ns + fs->ask_ms * MS_NS;
	fs->by_ns = fs->by_ns < v1_ns ? fs->by_ns : v1_ns;
	for (size_t i = 0; i < fs->mights; i++) {
		struct elector_vow *v = &fs->vow[fs->vows];

		if (strcmp(fs->might[i], el->s->opt->pod_name) == 0)
			continue;
		*v = (struct elector_vow){0};
		memcpy(v->name, fs->might[i], sizeof(v->name));
		fs->vows++;
		if (vow_ask(el, v, &e) == 0)
			continue;
		round_end(el);
		failed(el, "%s cannot be asked: %.80s", fs->might[i], e.msg);
		return;
	}
	fs->asking = true;
}

/* A primary whose Lease says all that candidates go by. */
static bool
may_ask(struct elector *el)
{
	const struct elector_failsafe *fs = &el->failsafe;

	return el->st.failsafe_on && el->held && elector_mine(el) && el->exists &&
	       el->sv.state == FSM_PRIMARY && !el->st.giving && el->object.system_id &&
	       (el->holder.doubt || el->st.failsafe) &&
	       el->object.timeline == el->sv.plan.timeline && !fs->too_many &&
	       lists(el->object.members, el->s->opt->pod_name) && elector_renews(el);
}

/* A whole renewal was not answered; afterwards at the pace of renewals. */
static int64_t
due_ns(const struct elector *el)
{
	int64_t ms = el->times.retry_ms + (el->st.failsafe ? 0 : el->times.call_ms);
	int64_t at_ns = el->holder.sent_ns + ms * MS_NS;

	return at_ns < el->failsafe.again_ns ? el->failsafe.again_ns : at_ns;
}

int64_t
elector_failsafe_next_ns(const struct elector *el)
{
	if (!el->held || !el->st.failsafe_on || el->sv.state != FSM_PRIMARY)
		return CLOCK_NEVER;
	return el->failsafe.asking ? el->failsafe.by_ns : due_ns(el);
}

void
elector_failsafe_step(struct elector *el)
{
	struct elector_failsafe *fs = &el->failsafe;
	int64_t now = clock_boot_ns();
	const char *name;

	if (!may_ask(el)) {
		round_end(el);
		if (!elector_mine(el))
			el->st.failsafe = false;
		return;
	}
	if (!fs->asking && now >= due_ns(el))
		round_begin(el);
	if (!fs->asking)
		return;
	name = missing(el);
	if (!name) {
		round_won(el);
	} else if (now >= fs->by_ns) {
		round_end(el);
		failed(el, "%s does not answer in time", name);
	}
}

void
elector_failsafe_close(struct elector *el)
{
	round_end(el);
	buf_deinit(&el->failsafe.body);
}

/* ---- a Lease that somebody deleted, or emptied of its members ---- */

/*
 * Its holder may go on by promises of those whom it lists.  Who was listed refuses them once the
 * Lease is gone, and so can make another; who was not is asked by nobody, and has to hear from all
 * of the others that none of them leads or has promised.
 */
bool
elector_failsafe_bars(struct elector *el)
{
	if (!el->st.failsafe_on || el->failsafe.member)
		return false;
	for (size_t i = 0; i < el->peers; i++) {
		const struct elector_peer *p = &el->peer[i];

		if (elector_peer_is_self(el, p) || !p->address[0] ||
			(p->facts.reachable && !p->seen.primary && !p->promised))
			continue;
		elector_problem(el, "bring it back, or delete its pod",
			"the Lease %s, and %s may still lead",
			el->exists ? "lists nobody" : "is gone", p->name);
		return true;
	}
	return false;
}

/* ---- the member that is asked ---- */

static bool
same_address(const char *a, const char *b)
{
	unsigned char x[16], y[16];
	int family = strchr(a, ':') ? AF_INET6 : AF_INET;

	return inet_pton(family, a, x) == 1 && inet_pton(family, b, y) == 1 &&
	       memcmp(x, y, family == AF_INET6 ? 16 : 4) == 0;
}

static const char *
refusal(struct elector *el, const struct promise_question *q)
{
	const struct elector_peer *p;
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(q->holder, "/"), q->holder);
	p = elector_peer_of(el, name);
	if (!p || !same_address(p->address, q->address))
		return "this is not the address of who holds the Lease";
	if (clock_boot_ns() > q->by_ns)
		return "the question is too old";
	if (el->held || elector_peer_is_self(el, p))
		return "this member holds the Lease itself, or did";
	if (!el->watch.known || !el->exists)
		return "this member does not know the Lease";
	if (strcmp(el->object.holder, q->holder) != 0)
		return "this member knows another holder";
	if (!lists(el->object.members, el->s->opt->pod_name))
		return "this member is not listed in the Lease";
	return lease_watch_promise(&el->watch, &el->times, q->holder, clock_boot_ns())
		       ? NULL
		       : "a claim of its own is under way";
}

void
elector_failsafe_asked(struct elector *el, const struct channel_msg *msg)
{
	struct promise_question q;
	struct promise_answer a = {0};
	struct channel_msg out;
	const char *why;
	struct err e;

	if (!channel_body(msg, &q, sizeof(q)))
		return;
	q.holder[sizeof(q.holder) - 1] = q.address[sizeof(q.address) - 1] = '\0';
	why = refusal(el, &q);
	a.granted = !why;
	if (why) {
		snprintf(a.reason, sizeof(a.reason), "%s", why);
		log_warning("no promise to the holder of the Lease", F_STR("asked_by", q.address),
			F_STR("holder", q.holder), F_STR("why", why));
	} else {
		a.ms = (el->watch.promise_ns - clock_boot_ns()) / MS_NS;
		log_info("promised not to claim the Lease", F_STR("holder", q.holder),
			F_INT("ms", a.ms));
	}
	channel_msg_init(&out, MSG_PROMISED, msg->id, &a, sizeof(a));
	if (channel_send(el->s->channel.fd, &out, &e) < 0)
		log_warning("promise not sent", F_STR("error", e.msg));
}
