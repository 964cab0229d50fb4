/*
 * api_probe - the probes, and Patroni's role checks.
 *
 * Process: api.
 */
#include <string.h>

#include "base/json.h"
#include "service/api.h"

static void
probe_reply(struct api_call *c, const struct health *health)
{
	const struct api_view *v = &c->a->view;
	struct buf *b = &c->a->scratch;
	struct json j;

	buf_reset(b);
	json_init(&j, b);
	json_obj(&j);
	json_kbool(&j, "ok", health->ok);
	json_kstr(&j, "state",
		fsm_state_text(
			v->sup.state < FSM_STATES ? (enum fsm_state)v->sup.state : FSM_FAILED));
	json_kstr(&j, "reason", health->reason);
	json_end_obj(&j);
	buf_putc(b, '\n');
	httpd_reply(c->req,
		&(struct httpd_answer){
			.status = health->ok ? 200 : 503, .body = buf_str(b), .len = b->len});
}

static void
probe(struct api_call *c, void (*judge)(const struct health_in *in, struct health *out))
{
	struct health_in in;
	struct health out;

	api_health_in(&c->a->view, c->a->opt, &in);
	judge(&in, &out);
	probe_reply(c, &out);
}

void
api_livez(struct api_call *c)
{
	probe(c, health_live);
}

void
api_readyz(struct api_call *c)
{
	probe(c, health_ready);
}

void
api_startupz(struct api_call *c)
{
	probe(c, health_startup);
}

/* ---- role checks ---- */

struct filters {
	int64_t lag; /* bytes; negative: any */
	bool streaming;
	bool tagged; /* a tag is asked for, and we have none */
};

static int
filter_param(const char *key, const char *value, void *arg)
{
	struct filters *f = arg;
	struct err e;

	if (strcmp(key, "lag") == 0 && order_lag_parse(value, &f->lag, &e) < 0)
		f->lag = -1; /* Patroni takes what it cannot read for no limit */
	if (strcmp(key, "replication_state") == 0)
		f->streaming = strcmp(value, "streaming") == 0;
	if (strncmp(key, "tag_", 4) == 0)
		f->tagged = true;
	return 0;
}

/* As Patroni: a body for GET, the status alone for HEAD and OPTIONS. */
static void
role_reply(struct api_call *c, bool ok)
{
	AUTO(buf_deinit) struct buf b = {0};
	struct json j;

	if (httpd_method(c->req) == HTTPD_GET) {
		json_init(&j, &b);
		api_json_patroni(&j, c);
		buf_putc(&b, '\n');
	}
	api_reply_json(c, ok ? 200 : 503, &b);
}

static bool
role_replica(struct api_call *c)
{
	struct filters f = {.lag = -1};
	struct health_in in;
	struct health out;

	httpd_query_each(c->req, filter_param, &f);
	api_health_in(&c->a->view, c->a->opt, &in);
	health_replica(&in, f.lag, f.streaming, &out);
	return out.ok && !f.tagged;
}

static bool
role_primary(struct api_call *c)
{
	struct health_in in;
	struct health out;

	api_health_in(&c->a->view, c->a->opt, &in);
	health_primary(&in, &out);
	return out.ok;
}

void
api_primary(struct api_call *c)
{
	role_reply(c, role_primary(c));
}

void
api_replica(struct api_call *c)
{
	role_reply(c, role_replica(c));
}

void
api_read_only(struct api_call *c)
{
	role_reply(c, role_primary(c) || role_replica(c));
}

/* A standby alone cannot know whether its primary waits for it; the Lease says who votes. */
static bool
role_voter(struct api_call *c)
{
	const struct elector_status *el = &c->a->view.elector;

	for (uint32_t i = 0; el->sync && i < el->members && i < ELECTOR_MEMBERS; i++)
		if (strcmp(el->member[i].name, c->a->opt->pod_name) == 0)
			return el->member[i].voter;
	return false;
}

void
api_sync(struct api_call *c)
{
	role_reply(c, role_replica(c) && role_voter(c));
}

void
api_async(struct api_call *c)
{
	role_reply(c, role_replica(c) && !role_voter(c));
}

/* A standby cluster needs a lease. */
void
api_standby_leader(struct api_call *c)
{
	role_reply(c, false);
}

void
api_running(struct api_call *c)
{
	struct health_in in;
	struct health out;

	api_health_in(&c->a->view, c->a->opt, &in);
	health_running(&in, &out);
	role_reply(c, out.ok);
}
