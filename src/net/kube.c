/*
 * kube - the client, and its calls.
 *
 * A call is one HTTP request, or two when the first was answered 401 and the token file holds
 * another token by then.  Its deadline is the one of both.
 */
#include "net/kube_impl.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define CONNECT_MS 10000 /* deadlines of calls are shorter, as a rule */
#define BUFFER_BYTES (16L << 10)

struct kube_call {
	struct kube *kube;
	struct kube_ask ask;
	struct kube_ask_spec spec;
	struct buf path, body;
	char method[8], type[64];
	kube_done_fn *done;
	void *arg;
	bool again; /* it was repeated */
	struct loop_timer failed;
	struct kube_answer answer;
	LIST_ENTRY(kube_call) link;
};

/* ---- the client ---- */

int
kube_open(struct kube **out, const struct kube_place *place, struct loop *loop, struct err *e)
{
	AUTO(kube_close) struct kube *k = calloc(1, sizeof(*k));
	struct http_config config = {
		.connect_ms = CONNECT_MS, .buffer_bytes = BUFFER_BYTES, .verify_anew = true};

	*out = NULL;
	if (!k)
		return err_sys(e, "Kubernetes client");
	LIST_INIT(&k->calls);
	LIST_INIT(&k->over);
	LIST_INIT(&k->watches);
	k->place = *place;
	k->loop = loop;
	memcpy(k->token.file.path, place->token_file, KUBE_FILE_SIZE);
	memcpy(k->ca.path, place->ca_file, KUBE_FILE_SIZE);
	config.ca_file = k->place.ca_file;
	if (http_open(&k->http, &config, e) < 0 || http_attach(k->http, loop, e) < 0)
		return -1;
	*out = take(k);
	return 0;
}

struct kube *
kube_close(struct kube *k)
{
	if (!k)
		return NULL;
	while (!LIST_EMPTY(&k->calls))
		kube_cancel(LIST_FIRST(&k->calls));
	while (!LIST_EMPTY(&k->watches))
		kube_unwatch(LIST_FIRST(&k->watches));
	http_close(k->http);
	kube_token_wipe(&k->token);
	free(k);
	return NULL;
}

/* ---- one request ---- */

static int
add_lines(struct kube *k, struct kube_ask *a, const char *type, struct err *e)
{
	static const char accept[] = "Accept: application/json";

	buf_reset(&a->lines);
	buf_put(&a->lines, accept, sizeof(accept));
	if (type) {
		buf_printf(&a->lines, "Content-Type: %s", type);
		buf_putc(&a->lines, '\0');
	}
	if (k->token.file.path[0]) {
		buf_printf(&a->lines, "Authorization: Bearer %s", buf_str(&k->token.text));
		buf_putc(&a->lines, '\0');
	}
	return buf_check(&a->lines, e);
}

int
kube_ask(struct kube *k, struct kube_ask *a, const struct kube_ask_spec *spec, struct err *e)
{
	struct http_request r = spec->request;
	bool changed;

	kube_ask_end(a);
	if (kube_token_refresh(&k->token, false, e) < 0)
		return -1;
	a->serial = k->token.serial;
	if (kube_file_due(&k->ca, clock_boot_ns(), &changed) && changed)
		k->ca_changed = true;
	buf_printf(&a->url, "%s%s", k->place.url, spec->path);
	if (buf_check(&a->url, e) < 0 || add_lines(k, a, spec->type, e) < 0)
		return -1;
	r.url = a->url.data;
	r.lines = &a->lines;
	r.text = &a->text;
	r.text_max = spec->text_max;
	r.direct = true;
	r.fresh = k->ca_changed;
	a->send_ns = clock_boot_ns();
	if (http_begin(k->http, &r, &a->http, e) < 0)
		return -1;
	k->ca_changed = false;
	return 0;
}

void
kube_ask_end(struct kube_ask *a)
{
	a->http = http_end(a->http);
	if (a->lines.data)
		explicit_bzero(a->lines.data, a->lines.cap);
	buf_deinit(&a->lines);
	buf_deinit(&a->url);
	buf_deinit(&a->text);
}

void
kube_ask_read(const struct kube_ask *a, struct kube_answer *out)
{
	const struct http_answer *h = http_answer(a->http);
	struct err e;
	int rc = http_result(a->http, &e);

	*out = (struct kube_answer){.status = h->status,
		.send_ns = a->send_ns,
		.done_ns = clock_boot_ns(),
		.retry_after_ms = kube_retry_after_ms(h->retry_after),
		.text = ""};
	if (rc < 0) {
		out->outcome = h->asked ? KUBE_MAYBE : KUBE_NOT_SENT;
		snprintf(out->message, sizeof(out->message), "%.*s", (int)sizeof(out->message) - 1,
			e.msg);
	} else {
		if (h->status / 100 != 2)
			kube_read_status(out, buf_str(&a->text), a->text.len);
		out->outcome = kube_outcome_of(h->status, out->reason);
		out->text = out->outcome == KUBE_OK ? buf_str(&a->text) : "";
		out->len = out->outcome == KUBE_OK ? a->text.len : 0;
	}
	if (out->outcome == KUBE_NOT_SENT)
		out->send_ns = 0;
	if (!out->message[0] && out->outcome != KUBE_OK)
		snprintf(out->message, sizeof(out->message), "HTTP %d", h->status);
}

/* ---- calls ---- */

struct kube_call *
kube_cancel(struct kube_call *c)
{
	if (!c)
		return NULL;
	LIST_REMOVE(c, link);
	loop_timer_off(&c->failed);
	kube_ask_end(&c->ask);
	buf_deinit(&c->path);
	buf_deinit(&c->body);
	free(c);
	return NULL;
}

/* It is gone for its owner when done() is called; the texts of the answer live until that returns.
 */
static void
finish(struct kube_call *c)
{
	LIST_REMOVE(c, link);
	LIST_INSERT_HEAD(&c->kube->over, c, link);
	c->done(c->arg, &c->answer);
	kube_cancel(c);
}

static void
not_begun(struct kube_call *c, const struct err *why)
{
	c->answer = (struct kube_answer){.outcome = KUBE_NOT_SENT,
		.done_ns = clock_boot_ns(),
		.retry_after_ms = -1,
		.text = ""};
	snprintf(c->answer.message, sizeof(c->answer.message), "%.*s",
		(int)sizeof(c->answer.message) - 1, why->msg);
	loop_timer_in(c->kube->loop, &c->failed, 0);
}

static void
on_failed(struct loop_timer *t, void *arg)
{
	(void)t;
	finish(arg);
}

/* Refused: with another token it is worth a second try. */
static bool
try_again(struct kube_call *c)
{
	uint64_t serial = c->ask.serial;
	struct err e;

	if (c->again || c->answer.outcome != KUBE_UNAUTHORIZED)
		return false;
	c->again = true;
	return kube_token_refresh(&c->kube->token, true, &e) == 0 &&
	       c->kube->token.serial != serial;
}

static void
on_done(void *arg, struct http_call *http)
{
	struct kube_call *c = arg;
	struct err e;

	(void)http;
	kube_ask_read(&c->ask, &c->answer);
	if (!try_again(c))
		finish(c);
	else if (kube_ask(c->kube, &c->ask, &c->spec, &e) < 0)
		not_begun(c, &e);
}

static int
copy_request(struct kube_call *c, const struct kube_request *r, struct err *e)
{
	snprintf(c->method, sizeof(c->method), "%s", r->method);
	snprintf(c->type, sizeof(c->type), "%s", r->type ? r->type : "application/json");
	buf_puts(&c->path, r->path);
	buf_put(&c->body, r->body ? r->body : "", r->len);
	if (buf_check(&c->path, e) < 0 || buf_check(&c->body, e) < 0)
		return -1;
	c->done = r->done;
	c->arg = r->arg;
	c->spec = (struct kube_ask_spec){.path = c->path.data,
		.type = r->body ? c->type : NULL,
		.text_max = KUBE_OBJECT_MAX,
		.request = {.method = c->method,
			.body = c->body.data,
			.len = c->body.len,
			.send_body = r->body != NULL,
			.deadline_ns = r->deadline_ns,
			.done = on_done,
			.arg = c}};
	return 0;
}

static bool
room(const struct kube *k)
{
	const struct kube_call *c;
	int n = 0;

	LIST_FOREACH(c, &k->calls, link)
		n++;
	return n < KUBE_CALLS;
}

int
kube_call(struct kube *k, const struct kube_request *r, struct kube_call **out, struct err *e)
{
	AUTO(free) struct kube_call *c = NULL;

	*out = NULL;
	if (!room(k))
		return err_set(e, ERR_BUSY, "more than %d calls of the Kubernetes API at once",
			KUBE_CALLS);
	c = calloc(1, sizeof(*c));
	if (!c)
		return err_sys(e, "call of the Kubernetes API");
	c->kube = k;
	loop_timer_init(&c->failed, on_failed, c);
	LIST_INSERT_HEAD(&k->calls, c, link);
	if (copy_request(c, r, e) < 0) {
		kube_cancel(take(c));
		return -1;
	}
	if (kube_ask(k, &c->ask, &c->spec, e) < 0)
		not_begun(c, e);
	*out = take(c);
	return 0;
}
