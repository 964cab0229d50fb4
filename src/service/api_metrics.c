/*
 * api_metrics - GET /metrics: format, filter, compression.
 *
 * Process: api.  Nothing here waits or asks anybody: the snapshot was rendered and compressed by
 * the collector, the rest stands on the board.
 */
#include "service/api_metrics.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "core/metric_accept.h"

#define SNAPSHOT_MAX_MS INT64_C(300000) /* what is older says nothing about now */
#define WANTED_MAX 64

/* ---- which groups ---- */

/* "podgres" and "cnpg" are what the board says; the others are queries. */
struct wanted {
	const char *name[WANTED_MAX];
	size_t n;
	const char *unknown;
	const struct metrics_head *head;
};

static const char *const own_groups[] = {"cnpg", "barman", "podgres"};

static bool
group_known(const struct wanted *w, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(own_groups); i++)
		if (strcmp(own_groups[i], name) == 0)
			return true;
	for (uint32_t i = 0; w->head && i < w->head->groups; i++)
		if (strcmp(w->head->group[i].name, name) == 0)
			return true;
	return false;
}

static int
wanted_add(const char *key, const char *value, void *arg)
{
	struct wanted *w = arg;

	if (strcmp(key, "collect[]") != 0 && strcmp(key, "name[]") != 0)
		return 0;
	if (!group_known(w, value))
		w->unknown = value;
	if (w->n < WANTED_MAX)
		w->name[w->n++] = value;
	return 0;
}

static bool
wanted_has(const char *group, const void *arg)
{
	const struct wanted *w = arg;

	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->name[i], group) == 0)
			return true;
	return false;
}

static void
reply_unknown(struct api_call *c, const struct wanted *w)
{
	AUTO(buf_deinit) struct buf hint = {0};
	struct err e;

	buf_puts(&hint, "there are cnpg, barman, podgres");
	for (uint32_t i = 0; w->head && i < w->head->groups; i++)
		buf_printf(&hint, ", %s", w->head->group[i].name);
	err_set(&e, ERR_INVALID, "collect[]=%.64s: there is no such group of metrics", w->unknown);
	api_reply_error(c, &e, buf_str(&hint));
}

/* ---- the text ---- */

/* The snapshot, if it is about the postmaster that runs and not too old. */
static bool
snapshot_holds(struct api *a)
{
	const struct metrics_head *h;

	if (!a->metrics)
		a->metrics = metrics_view_new();
	if (!a->metrics || !metrics_view_refresh(a->metrics, a->view.board))
		return false;
	h = metrics_view_head(a->metrics);
	return h->pg_pid && h->pg_pid == a->view.sup.pg_pid &&
	       a->view.now_ns - h->taken_ns < SNAPSHOT_MAX_MS * MS_NS;
}

static void
put_live(struct api *a, struct buf *out, enum metric_format format, const struct wanted *w)
{
	struct health_in health;
	struct health say;
	struct live_in in = {
		.v = &a->view,
		.opt = a->opt,
		.api = &a->facts,
		.head = w->head,
		.arch = a->arch,
	};

	api_health_in(&a->view, a->opt, &health);
	health_live(&health, &say);
	in.live = say.ok;
	health_ready(&health, &say);
	in.ready = say.ok;
	if (!w->n)
		live_all(out, format, &in, NULL);
	for (size_t i = 0; w->n && i < ARRAY_LEN(own_groups); i++)
		if (wanted_has(own_groups[i], w))
			live_all(out, format, &in, own_groups[i]);
	if (format == METRIC_OPENMETRICS)
		buf_puts(out, "# EOF\n");
}

static int
put_answer(struct api *a, struct buf *out, const struct wanted *w, struct httpd_answer *answer,
	struct err *e)
{
	enum metric_format format = (enum metric_format)a->metrics_format;
	bool holds = a->metrics_holds;
	AUTO(buf_deinit) struct buf own = {0};

	answer->type = metric_content_type(format);
	if (a->metrics_gzip && !w->n) {
		answer->header[0] = (struct httpd_header){"Content-Encoding", "gzip"};
		put_live(a, &own, format, w);
		return metrics_view_gzip(holds ? a->metrics : NULL, out, format, &own, e);
	}
	if (holds)
		metrics_view_text(a->metrics, out, format, w->n ? wanted_has : NULL, w);
	put_live(a, out, format, w);
	return buf_check(out, e);
}

void
api_metrics(struct api_call *c)
{
	struct api *a = c->a;
	AUTO(buf_deinit) struct buf out = {0};
	struct httpd_answer answer = {.status = 200, .take_body = &out};
	struct wanted w = {0};
	struct err e;

	api_view_refresh(&a->view);
	a->metrics_holds = snapshot_holds(a);
	a->metrics_format = metric_accept(httpd_header(c->req, "Accept"));
	a->metrics_gzip = metric_accept_gzip(httpd_header(c->req, "Accept-Encoding"));
	w.head = a->metrics && metrics_view_head(a->metrics)->generation
			 ? metrics_view_head(a->metrics)
			 : NULL;
	httpd_query_each(c->req, wanted_add, &w);
	if (w.unknown) {
		reply_unknown(c, &w);
		return;
	}
	if (put_answer(a, &out, &w, &answer, &e) < 0) {
		api_reply_error(c, &e, NULL);
		return;
	}
	a->facts.scrapes++;
	a->facts.scraped_ns = a->view.now_ns;
	a->facts.scrape_bytes += out.len;
	answer.header[1] = (struct httpd_header){"Vary", "Accept, Accept-Encoding"};
	httpd_reply(c->req, &answer);
	a->facts.scrape_ns = clock_boot_ns() - a->view.now_ns;
}

/* The name under which the client knows us, without its port; 0: not as a name looks. */
static size_t
host_len(const char *host)
{
	size_t n;

	if (!host)
		return 0;
	if (*host == '[') {
		n = 1 + strspn(host + 1, "0123456789abcdefABCDEF:.");
		return host[n] == ']' ? n + 1 : 0;
	}
	n = strspn(host, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-._");
	return host[n] == '\0' || host[n] == ':' ? n : 0;
}

void
api_metrics_index(struct api_call *c)
{
	const char *host = httpd_header(c->req, "Host");
	const char *port = strrchr(c->a->opt->listen, ':');
	AUTO(buf_deinit) struct buf page = {0};
	size_t n = host_len(host);

	buf_puts(&page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
			"<title>podgres: metrics</title>\n</head>\n<body>\n<h1>podgres</h1>\n"
			"<p><a href=\"/metrics\">Metrics</a> for Prometheus.</p>\n");
	if (n > 0 && port)
		buf_printf(&page,
			"<p><a href=\"//%.*s%s/\">The page about this instance</a>.</p>\n", (int)n,
			host, port);
	else
		buf_puts(&page, "<p>The page about this instance is <code>/</code> on the port of "
				"the API, 8000 as a rule.</p>\n");
	buf_puts(&page, "</body>\n</html>\n");
	httpd_reply(c->req, &(struct httpd_answer){
				    .status = 200,
				    .type = "text/html; charset=utf-8",
				    .take_body = &page,
				    .header = {{"Content-Security-Policy", "default-src 'none'"}},
			    });
}
