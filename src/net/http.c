/*
 * http - a client for HTTP/1.1 over libcurl's multi interface.
 *
 * Process: workers of the archiver, jobs, commands.  One struct http is one curl multi handle with
 * its cache of connections.  Each call owns an easy handle; two that are over are kept for the next
 * calls.  Whether a call stalls is measured here and not by curl, because only time spent waiting
 * counts: a caller that compresses for a minute between two pumps has not stalled.
 */
#include "net/http_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "sys/dynlib.h"

#define SLICE_MS 150 /* cancelled() is asked so often */
#define ERROR_TEXT_MAX ((size_t)64 << 10)
#define BUFFER_BYTES (128L << 10)
#define SLOW_BYTES_PER_MS 1
#define ANEW_SECONDS 300

/* Newer than the oldest header this builds with; an older library refuses them, which is fine. */
#define OPT_MAXLIFETIME_CONN ((CURLoption)314)
#define OPT_CA_CACHE_TIMEOUT ((CURLoption)321)
#define OPT_QUICK_EXIT ((CURLoption)322) /* does not wait for a name that is being looked up */

static const struct dynlib_symbol symbols[] = {
#define DYN(name) {#name, offsetof(struct curl_api, name)},
#include "tbl/dyn_curl.h"
#undef DYN
};
static const struct dynlib library = {"libcurl.so.4", "libcurl4", symbols, ARRAY_LEN(symbols)};

/* ---- the client ---- */

int
http_open(struct http **out, const struct http_config *config, struct err *e)
{
	AUTO(http_close) struct http *h = calloc(1, sizeof(*h));

	*out = NULL;
	if (!h)
		return err_sys(e, "HTTP client");
	h->config = *config;
	if (dynlib_load(&library, &h->lib, e))
		return -1;
	if (h->lib.curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(e, ERR_CONFIG, "libcurl does not start");
	h->global = true;
	h->multi = h->lib.curl_multi_init();
	if (!h->multi)
		return err_sys(e, "HTTP client");
	h->lib.curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)HTTP_CALLS);
	h->lib.curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
	*out = take(h);
	return 0;
}

struct http *
http_close(struct http *h)
{
	if (!h)
		return NULL;
	for (size_t i = 0; i < HTTP_CALLS; i++)
		http_end(h->call[i]);
	http_loop_close(h);
	for (size_t i = 0; i < HTTP_SPARES; i++)
		if (h->spare[i])
			h->lib.curl_easy_cleanup(h->spare[i]);
	if (h->multi)
		h->lib.curl_multi_cleanup(h->multi);
	if (h->global)
		h->lib.curl_global_cleanup();
	free(h);
	return NULL;
}

/* ---- what curl calls back ---- */

static size_t
send_body(char *out, size_t size, size_t n, void *arg)
{
	struct http_call *c = arg;
	size_t left = c->request.len - c->at;

	n = size * n < left ? size * n : left;
	if (n > 0)
		memcpy(out, (const char *)c->request.body + c->at, n);
	c->at += n;
	c->moved += (int64_t)n;
	return n;
}

static int
seek_body(void *arg, curl_off_t at, int from)
{
	struct http_call *c = arg;

	if (from != SEEK_SET || at < 0 || (uint64_t)at > c->request.len)
		return CURL_SEEKFUNC_FAIL;
	c->at = (size_t)at;
	return CURL_SEEKFUNC_OK;
}

static size_t
take_line(char *p, size_t size, size_t n, void *arg)
{
	struct http_call *c = arg;

	c->answer.any = true;
	c->moved += (int64_t)(size * n);
	http_answer_line(&c->answer, p, size * n);
	/* Trailers come here too, without an empty line behind them. */
	if (size * n <= 2)
		c->head = false;
	else if (size * n > 5 && memcmp(p, "HTTP/", 5) == 0)
		c->head = true;
	return size * n;
}

static int
keep_text(struct http_call *c, const char *p, size_t n, struct err *e)
{
	struct buf *b = c->request.text;
	bool good = c->answer.status / 100 == 2;
	size_t max = good ? c->request.text_max : ERROR_TEXT_MAX;

	if (!b)
		return 0;
	if (b->len + n > max && good)
		return err_set(e, ERR_CORRUPT, "the answer is longer than %zu bytes", max);
	buf_put(b, p, b->len + n > max ? max - b->len : n);
	return buf_check(b, e);
}

static size_t
take_body(char *p, size_t size, size_t n, void *arg)
{
	struct http_call *c = arg;
	bool good = c->answer.status / 100 == 2;
	int rc;

	n *= size;
	c->moved += (int64_t)n;
	if (good && c->request.sink)
		rc = c->request.sink(c->request.arg, p, n, &c->err);
	else
		rc = keep_text(c, p, n, &c->err);
	if (rc) {
		c->ended = true;
		return 0;
	}
	if (good)
		c->answer.received += (int64_t)n;
	return n;
}

/* ---- a call ---- */

static void
set_long(struct http_call *c, CURLoption o, long v)
{
	c->http->lib.curl_easy_setopt(c->easy, o, v);
}

static void
set_size(struct http_call *c, CURLoption o, int64_t v)
{
	c->http->lib.curl_easy_setopt(c->easy, o, (curl_off_t)v);
}

static void
set_ptr(struct http_call *c, CURLoption o, const void *v)
{
	c->http->lib.curl_easy_setopt(c->easy, o, v);
}

/* ISO C has no conversion between pointers to objects and to functions; POSIX's dlsym has. */
#define set_fn(c, o, fn) (c)->http->lib.curl_easy_setopt((c)->easy, o, fn)

static void
set_client(struct http_call *c)
{
	const struct http_config *k = &c->http->config;

	set_ptr(c, CURLOPT_PRIVATE, c);
	set_ptr(c, CURLOPT_ERRORBUFFER, c->text);
	set_long(c, CURLOPT_NOSIGNAL, 1);
	set_long(c, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
	if (c->request.direct)
		set_ptr(c, CURLOPT_PROXY, "");
	set_long(c, CURLOPT_PATH_AS_IS, 1);
	set_long(c, CURLOPT_TCP_KEEPALIVE, 1);
	set_long(c, CURLOPT_BUFFERSIZE, k->buffer_bytes ? k->buffer_bytes : BUFFER_BYTES);
	set_long(c, CURLOPT_CONNECTTIMEOUT_MS, (long)k->connect_ms);
	set_ptr(c, CURLOPT_USERAGENT, "podgres/" PODGRES_VERSION);
	if (k->ca_file && k->ca_file[0])
		set_ptr(c, CURLOPT_CAINFO, k->ca_file);
	if (k->verify_anew) {
		set_long(c, CURLOPT_SSL_SESSIONID_CACHE, 0);
		set_long(c, OPT_CA_CACHE_TIMEOUT, 0);
		set_long(c, OPT_MAXLIFETIME_CONN, ANEW_SECONDS);
	}
	if (c->http->loop)
		set_long(c, OPT_QUICK_EXIT, 1);
	set_fn(c, CURLOPT_HEADERFUNCTION, take_line);
	set_ptr(c, CURLOPT_HEADERDATA, c);
	set_fn(c, CURLOPT_WRITEFUNCTION, take_body);
	set_ptr(c, CURLOPT_WRITEDATA, c);
}

static void
set_body(struct http_call *c)
{
	if (!c->request.send_body)
		return;
	set_long(c, CURLOPT_UPLOAD, 1);
	set_long(c, CURLOPT_UPLOAD_BUFFERSIZE,
		c->http->config.buffer_bytes ? c->http->config.buffer_bytes : BUFFER_BYTES);
	set_size(c, CURLOPT_INFILESIZE_LARGE, (int64_t)c->request.len);
	set_fn(c, CURLOPT_READFUNCTION, send_body);
	set_ptr(c, CURLOPT_READDATA, c);
	set_fn(c, CURLOPT_SEEKFUNCTION, seek_body);
	set_ptr(c, CURLOPT_SEEKDATA, c);
	if (c->request.rate > 0)
		set_size(c, CURLOPT_MAX_SEND_SPEED_LARGE, c->request.rate);
}

static int
add_line(struct http_call *c, const char *line, struct err *e)
{
	struct curl_slist *l = c->http->lib.curl_slist_append(c->lines, line);

	if (!l)
		return err_set(e, ERR_SYS, "no memory for a header");
	c->lines = l;
	return 0;
}

static int
set_request(struct http_call *c, struct err *e)
{
	const struct buf *b = c->request.lines;

	for (size_t i = 0; b && i < b->len; i += strlen(b->data + i) + 1)
		if (add_line(c, b->data + i, e))
			return -1;
	if (add_line(c, "Expect:", e))
		return -1;
	set_ptr(c, CURLOPT_HTTPHEADER, c->lines);
	set_ptr(c, CURLOPT_URL, c->request.url);
	set_ptr(c, CURLOPT_CUSTOMREQUEST, c->request.method);
	set_long(c, CURLOPT_NOBODY, strcmp(c->request.method, "HEAD") == 0);
	set_long(c, CURLOPT_FRESH_CONNECT, c->request.fresh);
	set_body(c);
	return 0;
}

static CURL *
easy_handle(struct http *h)
{
	for (size_t i = 0; i < HTTP_SPARES; i++)
		if (h->spare[i])
			return take(h->spare[i]);
	return h->lib.curl_easy_init();
}

static void
give_back(struct http *h, CURL *easy)
{
	for (size_t i = 0; i < HTTP_SPARES; i++)
		if (!h->spare[i]) {
			h->lib.curl_easy_reset(easy);
			h->spare[i] = easy;
			return;
		}
	h->lib.curl_easy_cleanup(easy);
}

static int
enter(struct http *h, struct http_call *c, struct err *e)
{
	for (size_t i = 0; i < HTTP_CALLS; i++)
		if (!h->call[i]) {
			h->call[i] = c;
			return 0;
		}
	return err_set(e, ERR_BUSY, "more than %d HTTP requests at once", HTTP_CALLS);
}

int
http_begin(struct http *h, const struct http_request *r, struct http_call **out, struct err *e)
{
	AUTO(http_end) struct http_call *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (!c)
		return err_sys(e, "HTTP request");
	c->http = h;
	if (enter(h, c, e))
		return -1;
	c->request = *r;
	c->answer.content_length = -1;
	c->over = true;
	c->easy = easy_handle(h);
	if (!c->easy)
		return err_sys(e, "HTTP request");
	set_client(c);
	if (set_request(c, e))
		return -1;
	if (h->lib.curl_multi_add_handle(h->multi, c->easy) != CURLM_OK)
		return err_set(e, ERR_REMOTE, "libcurl does not take the request");
	c->over = false;
	*out = c; /* callbacks may ask for it */
	if (h->loop)
		http_loop_begin(c);
	else
		http_pump(h);
	(void)take(c);
	return 0;
}

struct http_call *
http_end(struct http_call *c)
{
	struct http *h;

	if (!c)
		return NULL;
	h = c->http;
	http_loop_end(c);
	for (size_t i = 0; i < HTTP_CALLS; i++)
		if (h->call[i] == c)
			h->call[i] = NULL;
	if (c->easy) {
		if (!c->over)
			h->lib.curl_multi_remove_handle(h->multi, c->easy);
		give_back(h, c->easy);
	}
	if (c->lines)
		h->lib.curl_slist_free_all(c->lines);
	free(c);
	return NULL;
}

const struct http_answer *
http_answer(const struct http_call *c)
{
	return &c->answer;
}

/* ---- going on ---- */

static void
note_end(struct http_call *c, CURLcode code)
{
	struct http *h = c->http;
	curl_off_t sent = 0, ready = 0;
	long made = 0, head = 0;

	c->over = true;
	c->code = code;
	h->lib.curl_easy_getinfo(c->easy, CURLINFO_NUM_CONNECTS, &made);
	h->lib.curl_easy_getinfo(c->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	h->lib.curl_easy_getinfo(c->easy, CURLINFO_PRETRANSFER_TIME_T, &ready);
	h->lib.curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &head);
	c->answer.asked = ready > 0 || head > 0 || sent > 0 || c->answer.any;
	c->answer.connections = (int)made;
	c->answer.reused = made == 0;
	c->answer.sent = sent;
	h->lib.curl_multi_remove_handle(h->multi, c->easy);
}

void
http_pump(struct http *h)
{
	int running;

	h->lib.curl_multi_perform(h->multi, &running);
	http_reap(h);
}

void
http_reap(struct http *h)
{
	int left;
	CURLMsg *m;

	while ((m = h->lib.curl_multi_info_read(h->multi, &left))) {
		char *c = NULL;
		CURLcode code = m->data.result;

		if (m->msg != CURLMSG_DONE)
			continue;
		h->lib.curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &c);
		note_end((struct http_call *)(void *)c, code);
	}
}

void
http_cut(struct http_call *c, enum err_kind kind, const char *why)
{
	if (c->over)
		return;
	(void)err_set(&c->err, kind, "%s", why);
	c->ended = true;
	note_end(c, CURLE_ABORTED_BY_CALLBACK);
}

static void
look_for_stall(struct http_call *c, int64_t waited_ms)
{
	int64_t stall = c->request.stall_ms ? c->request.stall_ms : c->http->config.stall_ms;
	char why[64];

	c->window_ms += waited_ms;
	if (c->moved >= c->window_ms * SLOW_BYTES_PER_MS && c->moved > 0)
		c->window_ms = c->moved = 0;
	if (c->over || c->window_ms < stall)
		return;
	snprintf(why, sizeof(why), "stalled: less than 1 kB/s for %lld ms", (long long)stall);
	http_cut(c, ERR_TIMEOUT, why);
}

static void
wait_once(struct http *h, int64_t ms)
{
	int64_t begun = clock_boot_ms(), waited;

	h->lib.curl_multi_poll(h->multi, NULL, 0, (int)(ms < SLICE_MS ? ms : SLICE_MS), NULL);
	http_pump(h);
	waited = clock_boot_ms() - begun;
	for (size_t i = 0; i < HTTP_CALLS; i++)
		if (h->call[i] && !h->call[i]->over)
			look_for_stall(h->call[i], waited);
}

static enum err_kind
kind_of(CURLcode code)
{
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return ERR_TIMEOUT;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
		return ERR_CONFIG;
	default:
		return ERR_REMOTE;
	}
}

/* What curl's words do not say. */
static const char *
hint_of(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return "; is the endpoint spelt right, and does DNS know it?";
	case CURLE_COULDNT_CONNECT:
		return "; is the server up, and the endpoint's port right?";
	case CURLE_SSL_CONNECT_ERROR:
		return "; does this port speak TLS?";
	case CURLE_PEER_FAILED_VERIFICATION:
		return "; give the authority that signed the server's certificate";
	default:
		return "";
	}
}

int
http_result(const struct http_call *c, struct err *e)
{
	if (c->ended) {
		*e = c->err;
		return -1;
	}
	if (c->code == CURLE_OK && c->head)
		return err_set(e, ERR_REMOTE, "the connection broke within the head of the answer");
	if (c->code == CURLE_OK)
		return 0;
	return err_raise(e, kind_of(c->code), 0, ERR_HERE, "%s%s",
		c->text[0] ? c->text : c->http->lib.curl_easy_strerror(c->code), hint_of(c->code));
}

static bool
cancelled(const struct http *h)
{
	return h->config.cancelled && h->config.cancelled(h->config.arg);
}

void
http_deadline(struct http_call *c, int64_t deadline_ms)
{
	c->deadline_ms = deadline_ms;
}

int
http_wait(struct http_call *c, int64_t deadline_ms, struct err *e)
{
	c->deadline_ms = deadline_ms;
	while (!c->over) {
		int64_t left = c->deadline_ms - clock_boot_ms();

		if (left <= 0)
			http_cut(c, ERR_TIMEOUT, "the deadline passed");
		else if (cancelled(c->http))
			http_cut(c, ERR_TIMEOUT, "cancelled");
		else
			wait_once(c->http, left);
	}
	return http_result(c, e);
}

int
http_sleep(struct http *h, int64_t ms, struct err *e)
{
	int64_t end = clock_boot_ms() + ms;

	for (int64_t left = ms; left > 0; left = end - clock_boot_ms()) {
		if (cancelled(h))
			return err_set(e, ERR_TIMEOUT, "cancelled");
		wait_once(h, left);
	}
	return 0;
}
