/*
 * api_failsafe - /failsafe: a holder of the Lease whose API is away asks us not to claim it.
 *
 * Process: api.  Only members may ask: by their address, and by a certificate where one can be
 * shown.  The elector answers, since it is the one that would claim; the request is held until
 * then, and not for long (reference "HA", 4.4).
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "net/kube_json.h"
#include "service/api.h"
#include "sys/channel.h"

#define PROMISE_MS 900 /* for the elector */
#define PROMISE_BODY_MAX 1024
#define PROMISE_A_SECOND 20

/* ---- who asks ---- */

static bool
is_member(const struct elector_status *el, const char *address)
{
	for (uint32_t i = 0; i < el->members && i < ELECTOR_MEMBERS; i++)
		if (*el->member[i].address && strcmp(el->member[i].address, address) == 0)
			return true;
	return false;
}

/* The sentence why not, or NULL. */
static const char *
not_a_member(struct api_call *c, char *address, size_t size)
{
	char cn[64];

	if (c->a->opt->coordination == COORDINATION_NONE)
		return "there is no Lease: see --coordination";
	if (!httpd_peer_address(c->req, address, size) || !is_member(&c->a->view.elector, address))
		return "only members of the cluster may ask, from the addresses of their pods";
	if (c->a->tls && *c->a->opt->tls_client_ca && !httpd_peer_cert(c->req, cn, sizeof(cn)))
		return "members show a certificate of the configured CA";
	return NULL;
}

static bool
too_often(struct api *a)
{
	int64_t now = clock_boot_ns();

	if (now - a->promised_ns > SEC_MS * MS_NS) {
		a->promised_ns = now;
		a->promised = 0;
	}
	return ++a->promised > PROMISE_A_SECOND;
}

/* ---- GET ---- */

static void
failsafe_show(struct api_call *c)
{
	AUTO(buf_deinit) struct buf b = {0};
	const struct api_view *v = &c->a->view;
	const struct elector_status *el = &v->elector;
	struct json j;

	json_init(&j, &b);
	json_obj(&j);
	api_json_failsafe(&j, v);
	json_kstr(&j, "holder", el->holder);
	json_karr(&j, "members");
	for (uint32_t i = 0; i < el->members && i < ELECTOR_MEMBERS; i++)
		json_str(&j, el->member[i].name);
	json_end_arr(&j);
	json_end_obj(&j);
	buf_putc(&b, '\n');
	api_reply_json(c, 200, &b);
}

void
api_json_failsafe(struct json *j, const struct api_view *v)
{
	const struct elector_status *el = &v->elector;

	json_kobj(j, "failsafe");
	json_kbool(j, "enabled", el->failsafe_on);
	json_kbool(j, "active", el->failsafe);
	json_kstr(j, "problem", el->failsafe_problem);
	json_kbool(j, "promised", el->promise_ns > v->now_ns);
	json_knum(j, "promisedForSeconds",
		el->promise_ns > v->now_ns ? (double)(el->promise_ns - v->now_ns) / 1e9 : 0);
	json_end_obj(j);
}

/* ---- POST ---- */

static void
promise_arm(struct api *a)
{
	int64_t at = CLOCK_NEVER;

	for (size_t i = 0; i < API_PROMISES; i++)
		if (a->promise[i].req && a->promise[i].by_ns < at)
			at = a->promise[i].by_ns;
	if (at == CLOCK_NEVER)
		loop_timer_off(&a->promise_timer);
	else
		loop_timer_at(a->s->loop, &a->promise_timer, at);
}

static void
promise_reply(struct api_promise *p, const struct promise_answer *answer)
{
	AUTO(buf_deinit) struct buf b = {0};
	struct httpd_req *req = p->req;
	struct json j;

	p->req = NULL;
	if (!answer->granted) {
		httpd_reply_error(req, ERR_STATE, 409, answer->reason, NULL);
		return;
	}
	json_init(&j, &b);
	json_obj(&j);
	json_kbool(&j, "promised", true);
	json_knum(&j, "seconds", (double)answer->ms / 1e3);
	json_end_obj(&j);
	buf_putc(&b, '\n');
	httpd_reply(req, &(struct httpd_answer){.status = 200, .take_body = &b});
}

void
api_failsafe_on_msg(struct api *a, const struct channel_msg *msg)
{
	struct promise_answer answer;

	if (msg->type != MSG_PROMISED || !channel_body(msg, &answer, sizeof(answer)))
		return;
	answer.reason[sizeof(answer.reason) - 1] = '\0';
	for (size_t i = 0; i < API_PROMISES; i++)
		if (a->promise[i].req && a->promise[i].id == msg->id)
			promise_reply(&a->promise[i], &answer);
	promise_arm(a);
}

static void
promise_on_timer(struct loop_timer *t, void *arg)
{
	struct api *a = arg;
	int64_t now = clock_boot_ns();

	(void)t;
	for (size_t i = 0; i < API_PROMISES; i++) {
		struct httpd_req *req = a->promise[i].req;

		if (!req || a->promise[i].by_ns > now)
			continue;
		a->promise[i].req = NULL;
		httpd_reply_error(req, ERR_TIMEOUT, 0, "the elector has not answered", NULL);
	}
	promise_arm(a);
}

static bool
question_read(struct api_call *c, struct promise_question *q)
{
	const struct buf *body = httpd_body(c->req);
	struct jsonscan_span v;

	return body->len <= PROMISE_BODY_MAX &&
	       kube_json_find(kube_json_span(buf_str(body), body->len), "holder", &v) &&
	       kube_json_text(&v, q->holder, sizeof(q->holder)) && *q->holder;
}

static void
promise_ask(struct api_call *c, const struct promise_question *q)
{
	struct api *a = c->a;
	struct api_promise *p = NULL;
	struct channel_msg msg;
	struct err e;

	for (size_t i = 0; i < API_PROMISES && !p; i++)
		if (!a->promise[i].req)
			p = &a->promise[i];
	if (!p || too_often(a)) {
		httpd_reply_error(c->req, ERR_BUSY, 429, "asked too often", NULL);
		return;
	}
	channel_msg_init(&msg, MSG_PROMISE, ++a->next_id, q, sizeof(*q));
	if (channel_send(a->s->channel.fd, &msg, &e) < 0) {
		api_reply_error(c, &e, NULL);
		return;
	}
	*p = (struct api_promise){c->req, a->next_id, q->by_ns};
	httpd_hold(c->req);
	promise_arm(a);
}

void
api_failsafe(struct api_call *c)
{
	struct promise_question q = {.by_ns = clock_boot_ns() + PROMISE_MS * MS_NS};
	const char *why = not_a_member(c, q.address, sizeof(q.address));

	if (why) {
		httpd_reply_error(c->req, ERR_DENIED, 0, why, NULL);
		return;
	}
	if (httpd_method(c->req) != HTTPD_POST) {
		failsafe_show(c);
		return;
	}
	if (question_read(c, &q))
		promise_ask(c, &q);
	else
		httpd_reply_error(c->req, ERR_INVALID, 0, "expected {\"holder\": ...}", NULL);
}

bool
api_failsafe_gone(struct api *a, struct httpd_req *req)
{
	for (size_t i = 0; i < API_PROMISES; i++) {
		if (a->promise[i].req != req)
			continue;
		a->promise[i].req = NULL;
		return true;
	}
	return false;
}

void
api_failsafe_init(struct api *a)
{
	loop_timer_init(&a->promise_timer, promise_on_timer, a);
}
