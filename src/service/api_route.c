/*
 * api_route - from a request to its handler: path, method, leave.
 *
 * Process: api.
 */
#include <stdio.h>
#include <string.h>

#include "service/api.h"

enum {
	GET = HTTPD_GET | HTTPD_HEAD,
	POST = HTTPD_POST,
	PUT = HTTPD_PUT,
	DELETE = HTTPD_DELETE,
	OPTIONS = HTTPD_OPTIONS
};
enum { HTTP = 1 << API_HTTP, METRICS = 1 << API_METRICS, CONTROL = 1 << API_CONTROL };
enum auth { OPEN, STATUS, ORDER };

struct route {
	const char *path;
	unsigned methods;
	api_handler_fn *handler;
	enum auth auth;
	unsigned on;
	const char *sentence;
};

static const struct route routes[] = {
#define ROUTE(path, methods, handler, auth, on, sentence) \
	{path, methods, api_##handler, auth, on, sentence},
#include "tbl/routes.h"
#undef ROUTE
};

/* ---- finding ---- */

/* *id is where {id} begins in path, or NULL. */
static bool
route_matches(const struct route *r, const char *path, const char **id)
{
	const char *brace = strchr(r->path, '{');
	size_t fixed = brace ? (size_t)(brace - r->path) : 0;

	*id = NULL;
	if (!brace)
		return strcmp(r->path, path) == 0;
	if (strncmp(r->path, path, fixed) != 0 || !path[fixed] || strchr(path + fixed, '/'))
		return false;
	*id = path + fixed;
	return true;
}

/* The route for this call; NULL, and the methods that the path knows, 0 for an unknown path. */
static const struct route *
route_find(const struct api_port *port, const struct httpd_req *req, const char **id,
	unsigned *methods)
{
	const char *path = httpd_path(req);

	*methods = 0;
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (!(routes[i].on & 1U << port->which) || !route_matches(&routes[i], path, id))
			continue;
		*methods |= routes[i].methods;
		if (routes[i].methods & httpd_method(req))
			return &routes[i];
	}
	return NULL;
}

/* ---- refusals ---- */

static void
reply_unknown(struct httpd_req *req)
{
	httpd_reply_error(req, ERR_NOTFOUND, 0, "there is no such path", "GET /v1 lists the paths");
}

static void
reply_method(struct httpd_req *req, unsigned methods)
{
	static const char body[] =
		"{\"error\":{\"kind\":\"INVALID\",\"message\":\"this path does not take this "
		"method\"}}\n";
	char allow[64];

	snprintf(allow, sizeof(allow), "%s%s%s%s%s", methods & HTTPD_GET ? ", GET, HEAD" : "",
		methods & POST ? ", POST" : "", methods & PUT ? ", PUT" : "",
		methods & DELETE ? ", DELETE" : "", methods & OPTIONS ? ", OPTIONS" : "");
	httpd_reply(req, &(struct httpd_answer){.status = 405,
				 .body = body,
				 .len = sizeof(body) - 1,
				 .header = {{"Allow", allow + 2}}});
}

static bool
route_allowed(const struct route *r, struct api_call *c)
{
	char why[200];

	if (r->auth == OPEN || (r->auth == STATUS && !c->a->opt->status_auth))
		return true;
	if (api_may_order(c, why, sizeof(why)))
		return true;
	httpd_reply_error(c->req, ERR_DENIED, 0, why,
		"use the unix socket as root or as the user of postgres, or start podgres with "
		"--tls-client-ca or --token-file");
	return false;
}

/* ---- the two steps of a request ---- */

void
api_head(struct httpd_req *req, void *arg)
{
	struct api_port *port = arg;
	struct api_call c = {.a = port->api, .req = req, .port = port->which};
	const struct route *r;
	unsigned methods;

	port->api->facts.requests++;
	r = route_find(port, req, &c.id, &methods);
	if (!r && methods == 0)
		reply_unknown(req);
	else if (!r)
		reply_method(req, methods);
	else
		route_allowed(r, &c);
}

void
api_request(struct httpd_req *req, void *arg)
{
	struct api_port *port = arg;
	struct api_call c = {.a = port->api, .req = req, .port = port->which};
	const struct route *r;
	unsigned methods;
	char why[200];

	r = route_find(port, req, &c.id, &methods);
	must(r);
	if (r->auth == ORDER && !api_may_order(&c, why, sizeof(why))) {
		httpd_reply_error(req, ERR_DENIED, 0, why, NULL); /* the token changed meanwhile */
		return;
	}
	api_view_refresh(&port->api->view);
	r->handler(&c);
}

/* ---- answers ---- */

void
api_reply_json(struct api_call *c, int status, struct buf *body)
{
	struct err e;

	if (buf_check(body, &e) < 0) {
		api_reply_error(c, &e, NULL);
		return;
	}
	httpd_reply(c->req, &(struct httpd_answer){.status = status, .take_body = body});
}

void
api_reply_error(struct api_call *c, const struct err *e, const char *hint)
{
	if (err_http(e) >= 500 && e->kind != ERR_NOTIMPL)
		c->a->facts.errors++;
	httpd_reply_error(c->req, e->kind, 0, e->msg, hint);
}

/* ---- small handlers ---- */

void
api_index(struct api_call *c)
{
	AUTO(buf_deinit) struct buf b = {0};

	buf_puts(&b, "podgres " PODGRES_VERSION "\n\n");
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		const struct route *r = &routes[i];

		if (r->on & 1U << c->port)
			buf_printf(&b, "%-4s %-22s %s\n",
				r->methods & HTTPD_GET ? "GET"
				: r->methods & POST    ? "POST"
				: r->methods & DELETE  ? "DEL"
						       : "OPT",
				r->path, r->sentence);
	}
	httpd_reply(c->req,
		&(struct httpd_answer){
			.status = 200, .type = "text/plain; charset=utf-8", .take_body = &b});
}
