/*
 * elector_peers - the pods of the cluster, and what each says of itself.
 *
 * Process: elector.  Kubernetes says which pods there are and where; each is asked over HTTP, all
 * at once, and whoever does not answer soon counts as not reachable.  Nothing here is proof of
 * anything: it makes the choice among candidates a good one.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/lineage.h"
#include "net/kube_json.h"
#include "service/elector.h"

#define LIST_MS 5000
#define LOOK_MS 300
#define LIST_AGAIN_MS 5000
#define LIST_RETRY_MS 1000
#define ASK_MS 2000     /* between two rounds */
#define ASK_SOON_MS 250 /* while somebody is being chosen */
#define ANSWER_MS 1000
#define STATUS_MAX (256 << 10)
#define FRESH_MS 6000 /* older answers say nothing of now */

bool
elector_peer_is_self(const struct elector *el, const struct elector_peer *p)
{
	return strcmp(p->name, el->s->opt->pod_name) == 0;
}

struct elector_peer *
elector_peer_of(struct elector *el, const char *name)
{
	for (size_t i = 0; i < el->peers; i++)
		if (strcmp(el->peer[i].name, name) == 0)
			return &el->peer[i];
	return NULL;
}

/* ---- which there are ---- */

static struct elector_peer *
peer_add(struct elector *el, const char *name)
{
	size_t at = el->peers;

	if (el->peers == ELECTOR_MEMBERS)
		return NULL;
	/* By name: everybody sees the same order. */
	while (at > 0 && strcmp(el->peer[at - 1].name, name) > 0 && !el->peer[at - 1].ask)
		at--;
	memmove(&el->peer[at + 1], &el->peer[at], (el->peers - at) * sizeof(el->peer[0]));
	el->peers++;
	el->peer[at] = (struct elector_peer){0};
	snprintf(el->peer[at].name, sizeof(el->peer[at].name), "%s", name);
	snprintf(el->peer[at].facts.name, sizeof(el->peer[at].facts.name), "%s", name);
	snprintf(el->peer[at].seen.name, sizeof(el->peer[at].seen.name), "%s", name);
	el->peer[at].facts.failover_priority = ELECTION_PRIORITY;
	return &el->peer[at];
}

static void
peer_stop(struct elector_peer *p)
{
	if (p->ask)
		p->ask = http_end(p->ask);
	buf_deinit(&p->text);
}

static void
peer_drop(struct elector *el, size_t at)
{
	peer_stop(&el->peer[at]);
	el->peers--;
	memmove(&el->peer[at], &el->peer[at + 1], (el->peers - at) * sizeof(el->peer[0]));
}

/* A question under way holds the address of its peer. */
static void
peers_quiet(struct elector *el)
{
	for (size_t i = 0; i < el->peers; i++)
		if (el->peer[i].ask)
			el->peer[i].ask = http_end(el->peer[i].ask);
}

static bool
pod_field(struct jsonscan_span pod, const char *path, char *out, size_t size)
{
	struct jsonscan_span v;

	return kube_json_find(pod, path, &v) && kube_json_text(&v, out, size);
}

static void
pod_is_ours(struct elector *el, struct jsonscan_span pod)
{
	const struct run_options *opt = el->s->opt;
	char uid[64] = "";

	if (!*opt->pod_uid || !pod_field(pod, "metadata.uid", uid, sizeof(uid)) || el->replaced ||
		strcmp(uid, opt->pod_uid) == 0)
		return;
	el->replaced = true;
	elector_problem(el, "this one ends its term and claims nothing any more",
		"pod %s has another UID in Kubernetes: %s", opt->pod_name, uid);
}

static int
peer_listed(
	void *arg, const struct jsonscan_span *key, const struct jsonscan_span *pod, struct err *e)
{
	struct elector *el = arg;
	char name[64], address[64] = "";
	struct elector_peer *p;

	(void)key;
	(void)e;
	if (!pod_field(*pod, "metadata.name", name, sizeof(name)))
		return 0;
	(void)pod_field(*pod, "status.podIP", address, sizeof(address));
	if (strcmp(name, el->s->opt->pod_name) == 0)
		pod_is_ours(el, *pod);
	p = elector_peer_of(el, name);
	if (!p) {
		peers_quiet(el);
		p = peer_add(el, name);
	}
	if (!p)
		return 0;
	p->there = true;
	snprintf(p->address, sizeof(p->address), "%s", address);
	snprintf(p->seen.address, sizeof(p->seen.address), "%s", address);
	return 0;
}

static void
peers_take(struct elector *el, const struct kube_answer *a)
{
	struct jsonscan_span items;
	struct err e;

	for (size_t i = 0; i < el->peers; i++)
		el->peer[i].there = false;
	if (!kube_json_find(kube_json_span(a->text, a->len), "items", &items) ||
		kube_json_elements(items, peer_listed, el, &e) < 0) {
		elector_problem(el, "", "the list of pods cannot be understood");
		return;
	}
	for (size_t i = 0; i < el->peers; i++) {
		if (el->peer[i].there)
			continue;
		peers_quiet(el);
		peer_drop(el, i--);
	}
	if (!el->peers_listed)
		el->peers_since_ns = a->done_ns;
	el->peers_listed = true;
}

static void
peers_on_list(void *arg, const struct kube_answer *a)
{
	struct elector *el = arg;
	bool good = a->outcome == KUBE_OK;

	el->list = NULL;
	el->list_at_ns = a->done_ns + (good ? LIST_AGAIN_MS : LIST_RETRY_MS) * MS_NS;
	if (good)
		peers_take(el, a);
	else
		elector_problem(el,
			a->outcome == KUBE_FORBIDDEN ? "give the service account list of pods" : "",
			"cannot list the pods: %s%s%s", kube_outcome_meaning(a->outcome),
			*a->message ? ": " : "", a->message);
	elector_turn(el);
}

/* A list every few seconds: members come and go seldom, and the right to watch is not needed. */
static void
peers_list(struct elector *el)
{
	struct kube_request r = {.method = "GET",
		.path = el->pods_path,
		.deadline_ns = clock_boot_ns() + LIST_MS * MS_NS,
		.done = peers_on_list,
		.arg = el};
	struct err e;

	if (el->list || clock_boot_ns() < el->list_at_ns)
		return;
	if (kube_call(el->kube, &r, &el->list, &e) < 0)
		el->list_at_ns = clock_boot_ns() + LIST_RETRY_MS * MS_NS;
}

/* ---- what each says ---- */

static bool
status_text(const struct elector_peer *p, const char *path, char *out, size_t size)
{
	struct jsonscan_span v;

	out[0] = '\0';
	return kube_json_find(kube_json_span(buf_str(&p->text), p->text.len), path, &v) &&
	       kube_json_text(&v, out, size);
}

/* Numbers and true or false, as they stand. */
static bool
status_word(const struct elector_peer *p, const char *path, char *out, size_t size)
{
	struct jsonscan_span v;

	out[0] = '\0';
	if (!kube_json_find(kube_json_span(buf_str(&p->text), p->text.len), path, &v) ||
		v.len >= size)
		return false;
	memcpy(out, v.at, v.len);
	out[v.len] = '\0';
	return true;
}

static bool
status_true(const struct elector_peer *p, const char *path)
{
	char word[16];

	return status_word(p, path, word, sizeof(word)) && strcmp(word, "true") == 0;
}

static uint64_t
status_number(const struct elector_peer *p, const char *path)
{
	char word[32];

	return status_word(p, path, word, sizeof(word)) ? strtoull(word, NULL, 10) : 0;
}

static uint64_t
status_lsn(const struct elector_peer *p, const char *path)
{
	char text[LINEAGE_LSN_SIZE];
	uint64_t lsn = 0;

	if (status_text(p, path, text, sizeof(text)))
		(void)lineage_lsn_parse(text, &lsn);
	return lsn;
}

/* An age, as nanoseconds; unknown is as old as can be. */
static int64_t
status_seconds_ns(const struct elector_peer *p, const char *path)
{
	char word[32];
	double s = status_word(p, path, word, sizeof(word)) ? strtod(word, NULL) : -1;

	return s >= 0 && s < 1e6 ? (int64_t)(s * 1e9) : 1000000 * SEC_MS * MS_NS;
}

static double
status_lag_s(const struct elector_peer *p)
{
	char word[32];

	if (!status_word(p, "recovery.lagSeconds", word, sizeof(word)) || strcmp(word, "null") == 0)
		return -1;
	return strtod(word, NULL);
}

static void
peer_read(struct elector_peer *p)
{
	struct election_member *f = &p->facts;
	struct elector_member *m = &p->seen;
	uint64_t current = status_lsn(p, "currentLsn");

	f->reachable = true;
	f->asked_ns = p->asked_ns = p->sent_ns;
	f->system_id = status_number(p, "systemID");
	f->timeline = (uint32_t)status_number(p, "timeLineID");
	f->received_lsn = current ? current : status_lsn(p, "receivedLsn");
	f->replayed_lsn = current ? current : status_lsn(p, "replayLsn");
	f->lsn_known = f->received_lsn > 0;
	f->fenced = status_true(p, "fenced");
	p->measured_ns = p->sent_ns - status_seconds_ns(p, "queryAgeSeconds");
	p->local_replayed = status_true(p, "localWalReplayed");
	(void)status_text(p, "state", m->state, sizeof(m->state));
	m->primary = status_true(p, "isPrimary");
	m->ready = status_true(p, "ready");
	p->promised = status_true(p, "lease.failsafe.promised");
	m->streaming = status_true(p, "isWalReceiverActive");
	m->replay_paused = status_true(p, "replayPaused");
	f->replaying = !m->primary && f->lsn_known &&
		       (strcmp(m->state, fsm_state_text(FSM_STANDBY)) == 0 ||
			       strcmp(m->state, fsm_state_text(FSM_CLAIM)) == 0);
	m->timeline = f->timeline;
	m->lag_s = status_lag_s(p);
	m->received_lsn = f->received_lsn;
	m->replay_lsn = f->replayed_lsn;
	m->seen_ns = clock_boot_ns();
}

static void
peer_on_done(void *arg, struct http_call *c)
{
	struct elector *el = arg;
	struct elector_peer *p = NULL;
	struct err e;

	for (size_t i = 0; i < el->peers && !p; i++)
		if (el->peer[i].ask == c)
			p = &el->peer[i];
	if (!p) {
		(void)http_end(c);
		return;
	}
	if (http_result(c, &e) == 0 && http_answer(c)->status == 200)
		peer_read(p);
	else
		p->facts.reachable = false;
	p->ask = http_end(c);
	elector_turn(el);
}

const char *
elector_port(const struct elector *el)
{
	const char *colon = strrchr(el->s->opt->listen, ':');

	return colon ? colon + 1 : "8000";
}

static void
peer_ask(struct elector *el, struct elector_peer *p)
{
	char url[192];
	bool v6 = strchr(p->address, ':') != NULL;
	struct http_request r = {.method = "GET",
		.url = url,
		.arg = el,
		.text = &p->text,
		.text_max = STATUS_MAX,
		.direct = true,
		.deadline_ns = clock_boot_ns() + ANSWER_MS * MS_NS,
		.done = peer_on_done};
	struct err e;

	if (p->ask || !p->address[0])
		return;
	snprintf(url, sizeof(url), "%s://%s%s%s:%s/pg/status",
		*el->s->opt->tls_cert ? "https" : "http", v6 ? "[" : "", p->address, v6 ? "]" : "",
		elector_port(el));
	buf_reset(&p->text);
	p->sent_ns = clock_boot_ns();
	if (http_begin(el->http, &r, &p->ask, &e) < 0)
		log_debug("member not asked", F_STR("member", p->name), F_STR("error", e.msg));
}

static double
own_lag_s(const struct pg_facts *pg, const struct election_member *f)
{
	if (f->received_lsn <= f->replayed_lsn)
		return 0;
	return pg->replay_wall_us ? (double)(clock_wall_us() - pg->replay_wall_us) / SEC_US : -1;
}

/* Ourselves we know from the board. */
static void
peer_self(struct elector *el, struct elector_peer *p)
{
	const struct pg_facts *pg = &el->pg;
	bool recovery = pg->known && pg->in_recovery;
	struct election_member *f = &p->facts;

	f->reachable = true;
	f->asked_ns = p->asked_ns = clock_boot_ns();
	f->system_id = el->sv.plan.system_id;
	f->timeline = pg->known && pg->timeline ? pg->timeline : el->sv.plan.timeline;
	f->replayed_lsn = recovery ? pg->replay_lsn : pg->current_lsn;
	f->received_lsn =
		recovery && pg->received_lsn > pg->replay_lsn ? pg->received_lsn : f->replayed_lsn;
	f->lsn_known = f->received_lsn > 0;
	f->fenced = el->sv.fenced;
	p->measured_ns = pg->known ? pg->query_ok_ns : 0;
	p->local_replayed = pg->known && pg->local_replayed;
	f->replaying = recovery && elector_follows(el) && el->sv.pg_phase == PG_PHASE_ACCEPTING;
	p->seen.primary = el->sv.state == FSM_PRIMARY;
	p->seen.streaming = pg->receiver_active;
	p->seen.replay_paused = pg->replay_paused;
	p->seen.ready = el->sv.pg_phase == PG_PHASE_ACCEPTING;
	p->seen.timeline = f->timeline;
	p->seen.lag_s = own_lag_s(pg, f);
	p->seen.received_lsn = f->received_lsn;
	p->seen.replay_lsn = f->replayed_lsn;
	p->seen.seen_ns = f->asked_ns;
	snprintf(p->seen.state, sizeof(p->seen.state), "%s",
		fsm_state_text((enum fsm_state)el->sv.state));
}

void
elector_peers_ask(struct elector *el)
{
	int64_t now = clock_boot_ns();

	peers_list(el);
	for (size_t i = 0; i < el->peers; i++) {
		struct elector_peer *p = &el->peer[i];

		if (elector_peer_is_self(el, p))
			peer_self(el, p);
		else
			peer_ask(el, p);
		if (now - p->asked_ns > FRESH_MS * MS_NS)
			p->facts.reachable = false;
	}
	loop_timer_in(el->s->loop, &el->ask_timer,
		el->choosing_since_ns || !el->peers_listed ? ASK_SOON_MS : ASK_MS);
}

/* Somebody is there whom we do not know: a list now, if the last one is not from just now. */
void
elector_peers_look(struct elector *el)
{
	int64_t soon = clock_boot_ns() + LOOK_MS * MS_NS;

	if (el->list || el->list_at_ns <= soon)
		return;
	el->list_at_ns -= LIST_AGAIN_MS * MS_NS - LOOK_MS * MS_NS;
	loop_timer_at(
		el->s->loop, &el->ask_timer, el->list_at_ns > clock_boot_ns() ? el->list_at_ns : 0);
}

static void
peers_on_timer(struct loop_timer *t, void *arg)
{
	(void)t;
	elector_peers_ask(arg);
}

int
elector_peers_begin(struct elector *el, struct err *e)
{
	AUTO(buf_deinit) struct buf path = {0};
	const struct http_config config = {.ca_file = "",
		.connect_ms = ANSWER_MS,
		.stall_ms = ANSWER_MS,
		.buffer_bytes = 16 << 10};
	char selector[LEASE_NAME_SIZE + 32];

	loop_timer_init(&el->ask_timer, peers_on_timer, el);
	if (http_open(&el->http, &config, e) < 0 || http_attach(el->http, el->s->loop, e) < 0 ||
		kube_path_pod(&path, el->place.ns, NULL, e) < 0)
		return -1;
	snprintf(selector, sizeof(selector), "cnpg.io/cluster=%s", el->cluster);
	kube_path_query(&path, "labelSelector", selector);
	if (buf_check(&path, e) < 0)
		return -1;
	snprintf(el->pods_path, sizeof(el->pods_path), "%s", buf_str(&path));
	loop_timer_in(el->s->loop, &el->ask_timer, 0);
	return 0;
}

void
elector_peers_close(struct elector *el)
{
	for (size_t i = 0; i < el->peers; i++)
		peer_stop(&el->peer[i]);
	el->peers = 0;
	el->http = http_close(el->http);
}
