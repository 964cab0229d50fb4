/*
 * api_order - orders, the operations that come of them, and those who wait for either.
 *
 * Process: api.  An order goes to the supervisor as one message; the request is held until its
 * reply, and with ?wait= on until the operation has ended on the board.  The supervisor pokes us
 * whenever it publishes; the tick looks too.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "core/archive_name.h"
#include "service/api.h"
#include "sys/channel.h"

#define REPLY_MS 5000 /* for the supervisor to take or refuse an order */

struct api_wait {
	LIST_ENTRY(api_wait) link;
	struct api *a;
	struct httpd_req *req;
	uint64_t msg_id; /* of the order */
	enum order_kind kind;
	char op_id[ORDER_ID_SIZE]; /* "" until the supervisor has replied */
	int64_t wait_ms;           /* 0: answer when taken */
	int64_t deadline_ns;
};

/* ---- JSON ---- */

static const char *const op_states[] = {
	[OP_NONE] = "running", /* taken, not yet on the board */
	[OP_RUNNING] = "running",
	[OP_DONE] = "done",
	[OP_FAILED] = "failed",
};

static void
json_error(struct json *j, enum err_kind kind, const char *message)
{
	json_obj(j);
	json_kstr(j, "kind", err_name(kind));
	json_kstr(j, "message", message);
	json_end_obj(j);
}

void
api_json_operation(struct json *j, const struct operation *op)
{
	json_obj(j);
	json_kstr(j, "id", op->id);
	json_kstr(j, "kind", op->kind < ORDER_KINDS ? order_text((enum order_kind)op->kind) : "");
	json_kstr(j, "state", op->state <= OP_FAILED ? op_states[op->state] : "");
	json_kstr(j, "phase", op->phase);
	json_key(j, "progress");
	if (op->progress < 0)
		json_null(j);
	else
		json_num(j, (double)op->progress);
	if (op->total_bytes > 0 || op->done_bytes > 0) {
		json_kint(j, "doneBytes", op->done_bytes);
		json_kint(j, "totalBytes", op->total_bytes);
	}
	if (*op->result)
		json_kstr(j, "result", op->result);
	json_ktime(j, "startedAt", op->started_wall_us);
	json_ktime(j, "finishedAt", op->finished_wall_us);
	json_kstr(j, "by", op->by);
	json_key(j, "error");
	if (op->state == OP_FAILED)
		json_error(j, (enum err_kind)op->err_kind, op->error);
	else
		json_null(j);
	json_end_obj(j);
}

/* {"operation":{...}}, with "error" when kind is one. */
static void
reply_operation(struct api *a, struct httpd_req *req, int status, const struct operation *op,
	const char *message)
{
	AUTO(buf_deinit) struct buf b = {0};
	char location[64];
	struct json j;

	json_init(&j, &b);
	json_obj(&j);
	if (status >= 300) {
		json_key(&j, "error");
		json_error(&j, status == 504 ? ERR_TIMEOUT : (enum err_kind)op->err_kind, message);
	}
	json_key(&j, "operation");
	api_json_operation(&j, op);
	if (op->kind == ORDER_HOT_STOP && op->state == OP_DONE) {
		buf_puts(&b, ",\"data\":");
		(void)!api_hot_backup_data(a, &b);
	}
	json_end_obj(&j);
	buf_putc(&b, '\n');
	snprintf(location, sizeof(location), "/v1/operations/%s", op->id);
	httpd_reply(req,
		&(struct httpd_answer){
			.status = status, .take_body = &b, .header = {{"Location", location}}});
}

static int
kind_http(enum err_kind kind)
{
	struct err e = {.kind = kind};

	return err_http(&e);
}

/* ---- those who wait ---- */

static void
wait_end(struct api_wait *w)
{
	LIST_REMOVE(w, link);
	httpd_set_user(w->req, NULL);
	free(w);
}

static void
wait_reply_error(struct api_wait *w, enum err_kind kind, const char *message, const char *hint)
{
	struct httpd_req *req = w->req;

	if (kind_http(kind) >= 500)
		w->a->facts.errors++;
	wait_end(w);
	httpd_reply_error(req, kind, 0, message, hint);
}

/* The operation as the board has it, or the little we know when it is not there yet. */
static struct operation
wait_operation(const struct api_wait *w)
{
	const struct operation *op = api_view_operation(&w->a->view, w->op_id);
	struct operation taken = {.kind = w->kind, .progress = -1, .phase = "accepted"};

	if (op)
		return *op;
	memcpy(taken.id, w->op_id, sizeof(taken.id));
	return taken;
}

static void
wait_reply(struct api_wait *w, bool late)
{
	struct operation op = wait_operation(w);
	struct httpd_req *req = w->req;
	bool waited = w->wait_ms > 0;
	struct api *a = w->a;

	wait_end(w);
	if (!waited)
		reply_operation(a, req, 202, &op, NULL);
	else if (op.state == OP_DONE)
		reply_operation(a, req, 200, &op, NULL);
	else if (op.state == OP_FAILED)
		reply_operation(a, req, kind_http((enum err_kind)op.err_kind), &op, op.error);
	else
		reply_operation(a, req, 504, &op,
			late ? "the operation has not ended in time; it goes on"
			     : "the operation is no longer known");
}

static void
wait_check(struct api_wait *w)
{
	const struct operation *op = *w->op_id ? api_view_operation(&w->a->view, w->op_id) : NULL;
	bool late = w->deadline_ns <= w->a->view.now_ns;

	if (op && (op->state == OP_DONE || op->state == OP_FAILED))
		wait_reply(w, false);
	else if (late && *w->op_id)
		wait_reply(w, true);
	else if (late)
		wait_reply_error(w, ERR_TIMEOUT, "the supervisor has not answered the order", NULL);
}

static void
wait_arm(struct api *a)
{
	int64_t at = CLOCK_NEVER;
	struct api_wait *w;

	LIST_FOREACH(w, &a->waits, link)
		if (w->deadline_ns < at)
			at = w->deadline_ns;
	if (at == CLOCK_NEVER)
		loop_timer_off(&a->wait_timer);
	else
		loop_timer_at(a->s->loop, &a->wait_timer, at);
}

void
api_waits_check(struct api *a)
{
	struct api_wait *w, *next;

	if (LIST_EMPTY(&a->waits))
		return;
	api_view_refresh(&a->view);
	for (w = LIST_FIRST(&a->waits); w; w = next) {
		next = LIST_NEXT(w, link);
		wait_check(w);
	}
	wait_arm(a);
}

void
api_gone(struct httpd_req *req, void *arg)
{
	struct api_wait *w = httpd_user(req);
	struct api_port *port = arg;

	if (!api_follow_gone(port->api, req) && !api_failsafe_gone(port->api, req) && w)
		wait_end(w); /* the client has left; the operation goes on */
}

/* ---- the supervisor's word ---- */

static void
order_replied(struct api_wait *w, const struct order_reply *reply)
{
	if (reply->err_kind != ERR_NONE) {
		log_info("order refused", F_STR("order", order_text(w->kind)),
			F_STR("error", reply->reason));
		wait_reply_error(w, (enum err_kind)reply->err_kind, reply->reason, NULL);
		return;
	}
	memcpy(w->op_id, reply->op_id, sizeof(w->op_id));
	w->op_id[sizeof(w->op_id) - 1] = '\0';
	w->deadline_ns = clock_boot_ns() + w->wait_ms * MS_NS;
	if (w->wait_ms == 0)
		wait_reply(w, false);
}

void
api_on_msg(struct api *a, const struct channel_msg *msg)
{
	struct order_reply reply;
	struct api_wait *w;

	if (msg->type == MSG_ORDER_REPLY && channel_body(msg, &reply, sizeof(reply))) {
		api_view_refresh(&a->view);
		LIST_FOREACH(w, &a->waits, link) {
			if (w->msg_id == msg->id && !*w->op_id) {
				order_replied(w, &reply);
				break;
			}
		}
	}
	api_failsafe_on_msg(a, msg);
	api_waits_check(a);
}

/* ---- taking an order ---- */

struct asked {
	struct order order;
	int64_t wait_ms;
	struct err *e;
};

static int
asked_param(const char *key, const char *value, void *arg)
{
	struct asked *q = arg;

	return order_param(&q->order, &q->wait_ms, key, value, q->e);
}

static int
asked_read(struct api_call *c, struct asked *q, struct err *e)
{
	const char *key = httpd_header(c->req, "Idempotency-Key");
	const struct buf *body = httpd_body(c->req);

	q->e = e;
	snprintf(q->order.by, sizeof(q->order.by), "%s", c->by);
	if (httpd_query_each(c->req, asked_param, q) < 0)
		return -1;
	if (order_json(&q->order, &q->wait_ms, buf_str(body), body->len, e) < 0)
		return -1;
	if (order_whole(&q->order, e) < 0)
		return -1;
	return key ? order_idem_key(&q->order, key, e) : 0;
}

static int
order_send(struct api *a, uint64_t id, const struct order *order, struct err *e)
{
	struct channel_msg msg;

	channel_msg_init(&msg, MSG_ORDER, id, order, sizeof(*order));
	return channel_send(a->s->channel.fd, &msg, e);
}

static int
order_hold(struct api_call *c, const struct asked *q, struct err *e)
{
	struct api_wait *w = calloc(1, sizeof(*w));

	if (!w)
		return err_sys(e, "hold the request");
	w->a = c->a;
	w->req = c->req;
	w->kind = (enum order_kind)q->order.kind;
	w->msg_id = ++c->a->next_id;
	w->wait_ms = q->wait_ms;
	w->deadline_ns = clock_boot_ns() + REPLY_MS * MS_NS;
	if (order_send(c->a, w->msg_id, &q->order, e) < 0) {
		free(w);
		return err_add(e, "give the order to the supervisor");
	}
	LIST_INSERT_HEAD(&c->a->waits, w, link);
	httpd_set_user(c->req, w);
	httpd_hold(c->req);
	wait_arm(c->a);
	return 0;
}

static enum order_kind
order_of_path(const char *path)
{
	for (int i = 0; i < ORDER_KINDS; i++)
		if (strcmp(order_path((enum order_kind)i), path) == 0)
			return (enum order_kind)i;
	return ORDER_KINDS;
}

void
api_order_of(struct api_call *c, enum order_kind kind)
{
	struct asked q = {0};
	struct err e;
	int rc;

	order_init(&q.order, kind);
	if (kind == ORDER_BACKUP_DELETE)
		snprintf(q.order.backup.name, sizeof(q.order.backup.name), "%.40s", c->id);
	if (order_brings((enum order_kind)q.order.kind))
		rc = err_set(&e, ERR_NOTIMPL, "%s", order_brings((enum order_kind)q.order.kind));
	else
		rc = asked_read(c, &q, &e);
	if (rc == 0)
		rc = order_hold(c, &q, &e);
	if (rc == 0)
		return; /* the supervisor says the rest */
	log_info("order refused", F_STR("order", order_text((enum order_kind)q.order.kind)),
		F_STR("by", c->by), F_STR("error", e.msg));
	api_reply_error(c, &e, NULL);
}

void
api_order(struct api_call *c)
{
	enum order_kind kind = order_of_path(httpd_path(c->req));

	must(kind < ORDER_KINDS);
	api_order_of(c, kind);
}

void
api_backup_delete(struct api_call *c)
{
	if (backup_id_ok(c->id))
		api_order_of(c, ORDER_BACKUP_DELETE);
	else
		httpd_reply_error(c->req, ERR_NOTFOUND, 0, "that is no backup's ID",
			"GET /v1/backups lists them");
}

/* ---- operations ---- */

void
api_operation(struct api_call *c)
{
	const struct operation *op = api_view_operation(&c->a->view, c->id);
	AUTO(buf_deinit) struct buf b = {0};
	struct json j;

	if (!op) {
		httpd_reply_error(c->req, ERR_NOTFOUND, 0, "there is no such operation",
			"only the newest are kept: GET /v1/operations");
		return;
	}
	json_init(&j, &b);
	api_json_operation(&j, op);
	buf_putc(&b, '\n');
	api_reply_json(c, 200, &b);
}

void
api_operations(struct api_call *c)
{
	AUTO(buf_deinit) struct buf b = {0};
	struct json j;

	json_init(&j, &b);
	json_obj(&j);
	json_key(&j, "operations");
	api_json_operations(&j, &c->a->view);
	json_end_obj(&j);
	buf_putc(&b, '\n');
	api_reply_json(c, 200, &b);
}

/* Oldest first. */
void
api_json_operations(struct json *j, const struct api_view *v)
{
	const struct operation *sorted[SHARED_OPERATIONS];
	int n = 0;

	for (int i = 0; i < SHARED_OPERATIONS; i++) {
		const struct operation *op = &v->sup.operation[i];
		int at = n;

		if (!*op->id)
			continue;
		for (; at > 0 && sorted[at - 1]->started_wall_us > op->started_wall_us; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = op;
		n++;
	}
	json_arr(j);
	for (int i = 0; i < n; i++)
		api_json_operation(j, sorted[i]);
	json_end_arr(j);
}
