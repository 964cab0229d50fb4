/*
 * api_page - GET / and GET /v1/plots: the page for people, and the ring it draws.
 *
 * Process: api.  From the board alone.
 */
#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "service/api.h"
#include "service/page.h"
#include "service/plot.h"

/* NULL when memory is short: the answer is given. */
static struct plot *
plot_read(struct api_call *c, int64_t *stamp_ns)
{
	struct plot *p = malloc(sizeof(*p));
	struct err e;

	if (!p) {
		(void)err_sys(&e, "read the plots");
		api_reply_error(c, &e, NULL);
		return NULL;
	}
	*stamp_ns = shared_read(c->a->view.board, SEC_PLOT, p);
	return p;
}

/* ---- the page ---- */

void
api_page(struct api_call *c)
{
	AUTO(buf_deinit) struct buf out = {0};
	int64_t stamp_ns;
	AUTO(free) struct plot *plot = plot_read(c, &stamp_ns);
	struct page_in in = {
		.v = &c->a->view,
		.opt = c->a->opt,
		.api = &c->a->facts,
		.plot = plot,
	};
	struct health_in health;
	char policy[PAGE_POLICY_SIZE];
	struct err e;

	if (!plot)
		return;
	api_health_in(&c->a->view, c->a->opt, &health);
	health_ready(&health, &in.ready);
	health_live(&health, &in.live);
	page_render(&in, &out);
	if (buf_check(&out, &e) < 0) {
		api_reply_error(c, &e, NULL);
		return;
	}
	httpd_reply(c->req,
		&(struct httpd_answer){
			.status = 200,
			.type = "text/html; charset=utf-8",
			.take_body = &out,
			.header = {{"Content-Security-Policy", page_policy(policy)},
				{"X-Content-Type-Options", "nosniff"},
				{"Referrer-Policy", "no-referrer"}, {"Cache-Control", "no-store"}},
		});
}

/* ---- the ring ---- */

static void
json_known(struct json *j, const char *key, double value)
{
	json_knum(j, key, value < 0 ? NAN : value);
}

static void
json_count(struct json *j, const char *key, int64_t value)
{
	json_key(j, key);
	if (value < 0)
		json_null(j);
	else
		json_int(j, value);
}

static void
json_replicas(struct json *j, const struct plot_point *p)
{
	int n = PLOT_REPLICAS;

	while (n > 0 && p->replica_lag[n - 1] < 0)
		n--;
	json_karr(j, "replicaLagBytes");
	for (int i = 0; i < n; i++)
		if (p->replica_lag[i] < 0)
			json_null(j);
		else
			json_int(j, p->replica_lag[i]);
	json_end_arr(j);
}

static void
json_point(struct json *j, const struct plot_points *points, size_t i)
{
	const struct plot_point *p = points->at[i];

	json_obj(j);
	json_ktime(j, "at", p->wall_us);
	json_kstr(
		j, "state", p->state < FSM_STATES ? fsm_state_text((enum fsm_state)p->state) : "");
	api_json_lsn(j, "walLsn", p->wal_lsn);
	api_json_lsn(j, "replayLsn", p->replay_lsn);
	json_knum(j, "walBytesPerSecond", plot_value(points, i, PLOT_WAL_RATE));
	json_count(j, "lagBytes", p->lag_bytes);
	json_known(j, "lagSeconds", (double)p->lag_s);
	json_known(j, "exposureSeconds", (double)p->exposed_s);
	json_count(j, "connections", p->connections);
	json_count(j, "queue", p->queue);
	json_count(j, "dataFreeBytes", p->disk_free);
	json_replicas(j, p);
	json_end_obj(j);
}

void
api_plots(struct api_call *c)
{
	AUTO(buf_deinit) struct buf out = {0};
	int64_t stamp_ns;
	AUTO(free) struct plot *plot = plot_read(c, &stamp_ns);
	struct plot_points points;
	struct json j;

	if (!plot)
		return;
	plot_points(plot, c->a->view.now_wall_us, &points);
	json_init(&j, &out);
	json_obj(&j);
	json_kint(&j, "stepSeconds", PLOT_STEP_MS / 1000);
	json_kint(&j, "windowSeconds", PLOT_WINDOW_S);
	json_known(&j, "observedAgeSeconds", api_view_age(&c->a->view, stamp_ns));
	json_karr(&j, "points");
	for (size_t i = 0; i < points.n; i++)
		json_point(&j, &points, i);
	json_end_arr(&j);
	json_end_obj(&j);
	buf_putc(&out, '\n');
	api_reply_json(c, 200, &out);
}
