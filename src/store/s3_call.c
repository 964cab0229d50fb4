/*
 * s3_call - one request with all its attempts.
 *
 * Between two attempts lies a pause of random length, at most 100 ms, then 200, 400 ... 10 s ("full
 * jitter"), or what Retry-After asks for.  Whatever broke is tried anew on a new connection; one
 * that broke before any answer on a connection that had been kept is sent again at once, since a
 * server may close those without a word.
 */
#include <string.h>

#include "base/clock.h"
#include "store/s3.h"

#define PAUSE_BASE_MS 100
#define PAUSE_MAX_MS 10000
#define RETRY_AFTER_MAX_MS 120000

void
s3_call_init(struct s3_call *c, const char *op, const char *method, const char *key)
{
	memset(c, 0, sizeof(*c));
	c->op = op;
	c->method = method;
	c->key = key;
}

void
s3_call_deinit(struct s3_call *c)
{
	c->running = http_end(c->running);
	buf_deinit(&c->text);
	buf_deinit(&c->url);
	buf_deinit(&c->lines);
}

void
s3_query(struct s3_call *c, const char *key, const char *value)
{
	must(c->queries < S3_PAIRS);
	c->query[c->queries++] = (struct sigv4_pair){key, value};
}

void
s3_header(struct s3_call *c, const char *name, const char *value)
{
	must(c->headers < S3_PAIRS);
	c->header[c->headers++] = (struct sigv4_pair){name, value};
}

void
s3_body(struct s3_call *c, const void *p, size_t n)
{
	c->body = p;
	c->len = n;
	c->send_body = true;
}

/* ---- one attempt ---- */

static int
make_path(struct s3 *s, const struct s3_call *c, struct buf *path, struct err *e)
{
	if (!s->virtual_host)
		buf_printf(path, "/%s", s->bucket);
	if (c->key)
		buf_printf(path, "/%s%s", s->prefix, c->key);
	else if (s->virtual_host)
		buf_putc(path, '/');
	return buf_check(path, e);
}

static int
sign(struct s3 *s, struct s3_call *c, struct err *e)
{
	AUTO(buf_deinit) struct buf path = {0};
	struct sigv4_key key;
	struct sigv4_request r = {
		.method = c->method,
		.host = s->host,
		.query = c->query,
		.queries = c->queries,
		.header = c->header,
		.headers = c->headers,
		.payload_sha256 = c->digest,
		.region = s->region,
		.service = "s3",
		.key = &key,
		.now_us = clock_wall_us(),
	};

	if (make_path(s, c, &path, e) || s3_creds_get(s->creds, &key, e))
		return -1;
	r.path = buf_str(&path);
	buf_reset(&c->url);
	buf_puts(&c->url, s->base);
	sigv4_encode(&c->url, r.path, true);
	if (c->queries > 0)
		buf_putc(&c->url, '?');
	sigv4_query(&c->url, c->query, c->queries);
	buf_reset(&c->lines);
	return buf_check(&c->url, e) || sigv4_sign(&c->lines, &r, e) ? -1 : 0;
}

static int
send_once(struct s3 *s, struct s3_call *c, struct err *e)
{
	struct http_request r = {
		.method = c->method,
		.lines = &c->lines,
		.body = c->body,
		.len = c->len,
		.send_body = c->send_body,
		.sink = c->sink,
		.arg = c->arg,
		.text = &c->text,
		.text_max = S3_XML_MAX,
		.fresh = c->fresh,
		.rate = c->rate,
		.stall_ms = c->stall_ms,
	};

	if (c->prepare && c->prepare(c, c->arg, e)) {
		c->final = true;
		return -1;
	}
	if (sign(s, c, e))
		return -1;
	buf_reset(&c->text);
	memset(&c->answer, 0, sizeof(c->answer));
	r.url = buf_str(&c->url);
	s->store->stats.requests++;
	return http_begin(s->http, &r, &c->running, e);
}

static void
count(struct store_stats *st, const struct http_answer *a)
{
	st->connections += (uint64_t)a->connections;
	st->bytes_out += (uint64_t)a->sent;
	st->bytes_in += (uint64_t)a->received;
	st->last_status = a->status;
	st->throttled += a->status == 503 || a->status == 429;
}

/* The attempt's end: 0, or the error and how often such a one is worth another attempt. */
static int
finish_once(struct s3 *s, struct s3_call *c, int *tries, struct err *e)
{
	int rc;

	*tries = 0;
	if (!c->running) /* it could not even begin */
		return -1;
	rc = http_wait(c->running, c->deadline_ms, e);
	c->answer = *http_answer(c->running);
	c->running = http_end(c->running);
	count(&s->store->stats, &c->answer);
	if (rc == 0)
		return s3_judge(s, c, tries, e);
	c->fresh = true;
	if (!c->final) /* what was done with the answer has nothing to do with the place */
		(void)err_add(e, "%s", s->base);
	*tries = e->kind == ERR_REMOTE || e->kind == ERR_TIMEOUT ? S3_MANY : 0;
	return -1;
}

/* ---- and the next ---- */

static int64_t
retry_after_ms(const struct http_answer *a)
{
	int64_t at = http_date(a->retry_after), ms;

	ms = at ? (at - clock_wall_us()) / 1000 : strtol(a->retry_after, NULL, 10) * SEC_MS;
	return ms < 0 ? 0 : ms > RETRY_AFTER_MAX_MS ? RETRY_AFTER_MAX_MS : ms;
}

static int64_t
pause_ms(struct s3 *s, const struct s3_call *c)
{
	int64_t top = c->attempt < 7 ? (int64_t)PAUSE_BASE_MS << c->attempt : PAUSE_MAX_MS;
	int64_t asked = retry_after_ms(&c->answer);

	s->jitter = s->jitter * 1103515245u + 12345u;
	top = top < PAUSE_MAX_MS ? top : PAUSE_MAX_MS;
	top = (int64_t)(s->jitter >> 8) % (top + 1);
	return top > asked ? top : asked;
}

/* Refused credentials are read again, once; it goes on if they are other ones. */
static bool
with_other_keys(struct s3 *s, struct s3_call *c, const struct err *e)
{
	struct err ignored;
	bool changed;

	if (c->reread ||
		(c->answer.status != 400 && c->answer.status != 401 && c->answer.status != 403))
		return false;
	if (e->kind != ERR_DENIED && e->kind != ERR_INVALID)
		return false;
	c->reread = true;
	return s3_creds_again(s->creds, &changed, &ignored) == 0 && changed;
}

static bool
kept_connection_was_dead(struct s3_call *c)
{
	if (c->replaced || !c->answer.reused || c->answer.any || c->answer.status)
		return false;
	c->replaced = true;
	return true;
}

/* Whether to go on, after the pause that is due. */
static bool
once_more(struct s3 *s, struct s3_call *c, int tries, const struct err *e)
{
	int most = c->tries ? c->tries : s->store->spec.attempts;
	struct err ignored;
	int64_t pause;

	if (c->final || store_cancelled(s->store) || clock_boot_ms() >= c->deadline_ms)
		return false;
	if (with_other_keys(s, c, e) || (tries > 0 && kept_connection_was_dead(c)))
		return true;
	c->attempt++;
	if (c->attempt > tries || (most > 0 && c->attempt >= most))
		return false;
	pause = pause_ms(s, c);
	return clock_boot_ms() + pause < c->deadline_ms &&
	       http_sleep(s->http, pause, &ignored) == 0;
}

static int64_t
deadline_of(const struct s3 *s, const struct s3_call *c)
{
	return clock_boot_ms() + (c->total_ms ? c->total_ms : s->store->spec.total_ms);
}

int
s3_begin(struct s3 *s, struct s3_call *c, struct err *e)
{
	if (c->sha256)
		memcpy(c->digest, c->sha256, sizeof(c->digest));
	else
		sha256_hex(c->body, c->len, c->digest);
	if (send_once(s, c, e))
		return err_add(e, "%s %s", c->op, c->key ? c->key : s->store->where);
	return 0;
}

int
s3_end(struct s3 *s, struct s3_call *c, struct err *e)
{
	int tries;

	c->deadline_ms = deadline_of(s, c);
	while (finish_once(s, c, &tries, e)) {
		if (!once_more(s, c, tries, e))
			return err_add(e, "%s %s", c->op, c->key ? c->key : s->store->where);
		s->store->stats.retries++;
		(void)send_once(s, c, e);
	}
	return 0;
}

int
s3_run(struct s3 *s, struct s3_call *c, struct err *e)
{
	return s3_begin(s, c, e) || s3_end(s, c, e) ? -1 : 0;
}
