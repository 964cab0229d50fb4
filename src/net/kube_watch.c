/*
 * kube_watch - a list, then the changes since, for as long as somebody wants to know.
 *
 * Steps: LIST (GET of the collection: the server's newest state), STREAM (watch from the version of
 * the list, or the last one seen), PAUSE (after a failure; then STREAM again, or LIST when there is
 * no version to go on from).  The server ends a stream every few minutes; that is no failure.
 *
 * Lines arrive within curl's callbacks, where nothing may be begun or ended.  They are kept there
 * and handed on from a timer that is due at once; the loop runs it before it looks at sockets
 * again, so that not much more than one line is ever kept.
 */
#include "net/kube_impl.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "net/kube_json.h"

#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS 5000
#define GOOD_MS 1000     /* a stream that lasted so long had not failed */
#define SERVER_MIN_S 240 /* the server ends a stream after this and up to half as much more */
#define VERSION_SIZE 64

enum step { LIST, STREAM, PAUSE };

struct kube_watch {
	struct kube *kube;
	struct kube_watch_spec spec;
	struct buf path, url; /* given; of the request */
	struct kube_ask ask;
	enum step step;
	char version[VERSION_SIZE]; /* "": to be listed */
	struct buf lines;
	size_t open; /* bytes of the line that has not ended */
	bool over;   /* the request is, but lines of it may be left */
	bool begun;  /* the head of the stream was seen to have come in time */
	struct loop_timer ready, silence, pause;
	int64_t begun_ns, heard_ns;
	int failures; /* in a row */
	bool *gone;   /* set when it is ended by its own callback */
	LIST_ENTRY(kube_watch) link;
};

static void begin(struct kube_watch *w);

/* ---- telling ---- */

/* False: the watch is gone. */
static bool
tell(struct kube_watch *w, const struct kube_event *event)
{
	bool gone = false;

	w->gone = &gone;
	w->spec.fn(w->spec.arg, event);
	if (gone)
		return false;
	w->gone = NULL;
	return true;
}

static bool
tell_kind(struct kube_watch *w, enum kube_event_kind kind)
{
	return tell(w, &(struct kube_event){.kind = kind, .seen_ns = w->heard_ns});
}

static bool
tell_object(struct kube_watch *w, enum kube_event_kind kind, const struct jsonscan_span *object)
{
	return tell(w, &(struct kube_event){.kind = kind,
			       .object = object->at,
			       .len = object->len,
			       .seen_ns = w->heard_ns});
}

static void
stop(struct kube_watch *w)
{
	kube_ask_end(&w->ask);
	loop_timer_off(&w->ready);
	loop_timer_off(&w->silence);
	buf_reset(&w->lines);
	w->over = w->begun = false;
	w->open = 0;
}

/* Between half of it and all of it, so that many pods do not come back at once. */
static int64_t
jitter(int64_t ms)
{
	uint32_t r = 0;

	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != (ssize_t)sizeof(r))
		r = (uint32_t)clock_boot_ns();
	return ms / 2 + (int64_t)(r % (uint32_t)(ms / 2 + 1));
}

static int64_t
pause_ms(struct kube_watch *w, const struct kube_answer *a)
{
	int64_t ms = PAUSE_FIRST_MS;

	if (w->step == STREAM && w->ask.http && http_answer(w->ask.http)->status / 100 == 2 &&
		clock_boot_ns() - w->begun_ns > GOOD_MS * MS_NS)
		w->failures = 0;
	for (int i = 0; i < w->failures && ms < PAUSE_MAX_MS; i++)
		ms *= 2;
	w->failures++;
	ms = jitter(ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS);
	return a->retry_after_ms > ms ? jitter(a->retry_after_ms) + a->retry_after_ms / 2 : ms;
}

static void
lost(struct kube_watch *w, const struct kube_answer *a)
{
	int64_t ms = pause_ms(w, a);
	char message[KUBE_TEXT_SIZE];
	struct err e;

	snprintf(message, sizeof(message), "%s", a->message);
	if (a->outcome == KUBE_UNAUTHORIZED)
		(void)(kube_token_refresh(&w->kube->token, true, &e) == 0);
	stop(w);
	w->step = PAUSE;
	loop_timer_in(w->kube->loop, &w->pause, ms);
	(void)tell(w, &(struct kube_event){.kind = KUBE_LOST,
			      .seen_ns = clock_boot_ns(),
			      .message = message,
			      .outcome = a->outcome,
			      .retry_ms = ms});
}

static void
lost_because(struct kube_watch *w, enum kube_outcome outcome, const char *why)
{
	struct kube_answer a = {.outcome = outcome, .retry_after_ms = -1};

	snprintf(a.message, sizeof(a.message), "%s", why);
	lost(w, &a);
}

/* ---- events ---- */

static bool
keep_version(struct kube_watch *w, const struct jsonscan_span *object)
{
	struct jsonscan_span v;
	char version[VERSION_SIZE];

	if (!kube_json_find(*object, "metadata.resourceVersion", &v) ||
		!kube_json_text(&v, version, sizeof(version)) || !version[0])
		return false;
	memcpy(w->version, version, sizeof(version));
	return true;
}

/* An event that says why the server ends the stream: a Status object. */
static void
on_error_event(struct kube_watch *w, const struct jsonscan_span *object)
{
	struct kube_answer a = {.retry_after_ms = -1};
	struct jsonscan_span v;
	char code[8] = "";

	kube_read_status(&a, object->at, object->len);
	if (kube_json_find(*object, "code", &v) && !v.string && v.len < sizeof(code))
		memcpy(code, v.at, v.len);
	a.status = (int)strtol(code, NULL, 10);
	a.outcome = a.status ? kube_outcome_of(a.status, a.reason) : KUBE_SERVER_ERROR;
	if (a.outcome != KUBE_GONE) {
		lost(w, &a);
		return;
	}
	w->version[0] = '\0';
	stop(w);
	begin(w);
}

/* False: the stream is over, or the watch is gone. */
static bool
on_event(struct kube_watch *w, const char *p, size_t n)
{
	static const struct {
		const char *type;
		enum kube_event_kind kind;
	} kinds[] = {{"ADDED", KUBE_ADDED}, {"MODIFIED", KUBE_MODIFIED}, {"DELETED", KUBE_DELETED},
		{"BOOKMARK", KUBE_ALIVE}};
	struct jsonscan_span line = kube_json_span(p, n), type, object;

	if (!kube_json_find(line, "type", &type) || !kube_json_find(line, "object", &object)) {
		lost_because(w, KUBE_SERVER_ERROR, "a line of the watch is no event");
		return false;
	}
	if (kube_json_is(&type, "ERROR")) {
		on_error_event(w, &object);
		return false;
	}
	if (!keep_version(w, &object)) {
		lost_because(w, KUBE_SERVER_ERROR, "an event of the watch has no resourceVersion");
		return false;
	}
	w->failures = 0;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kube_json_is(&type, kinds[i].type))
			return kinds[i].kind == KUBE_ALIVE ? tell_kind(w, KUBE_ALIVE)
							   : tell_object(w, kinds[i].kind, &object);
	return true;
}

/* What is kept is taken out first: a callback may end the watch, or what an event says the stream.
 */
static bool
hand_on(struct kube_watch *w)
{
	AUTO(buf_deinit) struct buf all = w->lines;
	size_t at = 0;

	w->lines = (struct buf){0};
	while (at < all.len) {
		char *end = memchr(all.data + at, '\n', all.len - at);
		size_t n = end ? (size_t)(end - all.data) - at : 0;

		if (!end)
			break;
		if (n > 0 && !on_event(w, all.data + at, n))
			return false;
		at += n + 1;
	}
	buf_consume(&all, at);
	w->lines = all; /* the beginning of a line */
	all = (struct buf){0};
	return true;
}

/* ---- the stream ---- */

/* Of many short events more may come at once than of one long. */
static bool
too_long(struct kube_watch *w, const char *p, size_t n)
{
	const char *first = memchr(p, '\n', n), *last = memrchr(p, '\n', n);
	bool too = w->open + (first ? (size_t)(first - p) : n) > w->spec.object_max;

	w->open = last ? (size_t)(p + n - last) - 1 : w->open + n;
	return too;
}

static int
on_bytes(void *arg, const void *p, size_t n, struct err *e)
{
	struct kube_watch *w = arg;

	w->heard_ns = clock_boot_ns();
	loop_timer_in(w->kube->loop, &w->silence, w->spec.silence_ms);
	if (too_long(w, p, n))
		return err_set(e, ERR_CORRUPT, "an event of the watch is longer than %zu bytes",
			w->spec.object_max);
	buf_put(&w->lines, p, n);
	if (buf_check(&w->lines, e) < 0)
		return -1;
	loop_timer_in(w->kube->loop, &w->ready, 0);
	return 0;
}

/* A stream ends after minutes, by its server; one that ended at once has failed. */
static void
on_end(struct kube_watch *w)
{
	struct kube_answer a;

	kube_ask_read(&w->ask, &a);
	if (a.outcome == KUBE_GONE)
		w->version[0] = '\0';
	if (a.outcome == KUBE_GONE ||
		(a.outcome == KUBE_OK && clock_boot_ns() - w->begun_ns > GOOD_MS * MS_NS)) {
		stop(w);
		begin(w);
		return;
	}
	if (a.outcome == KUBE_OK)
		snprintf(a.message, sizeof(a.message), "the server ended the watch at once");
	if (a.outcome == KUBE_OK)
		a.outcome = KUBE_SERVER_ERROR;
	lost(w, &a);
}

static void
on_ready(struct loop_timer *t, void *arg)
{
	struct kube_watch *w = arg;

	(void)t;
	if (hand_on(w) && w->over)
		on_end(w);
}

static void
on_silence(struct loop_timer *t, void *arg)
{
	struct kube_watch *w = arg;

	(void)t;
	if (w->step == STREAM && w->heard_ns < w->begun_ns && http_answer(w->ask.http)->any &&
		w->spec.silence_ms > w->spec.call_ms && !w->begun) {
		w->begun = true;
		loop_timer_in(w->kube->loop, &w->silence, w->spec.silence_ms - w->spec.call_ms);
		return;
	}
	lost_because(w, KUBE_MAYBE,
		w->step == LIST ? "the deadline passed" : "the watch has fallen silent");
}

/* ---- the list ---- */

struct listing {
	struct kube_watch *w;
	bool gone;
};

static int
on_item(void *arg, const struct jsonscan_span *key, const struct jsonscan_span *value,
	struct err *e)
{
	struct listing *l = arg;

	(void)key;
	if (tell_object(l->w, KUBE_LISTED, value))
		return 0;
	l->gone = true;
	return err_set(e, ERR_STATE, "the watch was ended");
}

static void
take_list(struct kube_watch *w, struct buf *text)
{
	struct jsonscan_span all = kube_json_span(buf_str(text), text->len), items;
	struct listing l = {.w = w};
	struct err e;

	if (!keep_version(w, &all) || !kube_json_find(all, "items", &items)) {
		lost_because(w, KUBE_SERVER_ERROR, "the list is none");
		return;
	}
	if (!tell_kind(w, KUBE_LIST))
		return;
	/* "items": null is how Go says that there are none */
	if (items.len != 4 || memcmp(items.at, "null", 4) != 0)
		if (kube_json_elements(items, on_item, &l, &e) < 0 && !l.gone)
			w->version[0] = '\0';
	if (l.gone)
		return;
	if (!w->version[0]) {
		lost_because(w, KUBE_SERVER_ERROR, "the list is none");
		return;
	}
	if (tell_kind(w, KUBE_SYNCED))
		begin(w);
}

static void
on_list(struct kube_watch *w)
{
	AUTO(buf_deinit) struct buf text = {0};
	struct kube_answer a;

	kube_ask_read(&w->ask, &a);
	w->heard_ns = a.done_ns;
	if (a.outcome != KUBE_OK) {
		lost(w, &a);
		return;
	}
	text = w->ask.text;
	w->ask.text = (struct buf){0};
	stop(w);
	take_list(w, &text);
}

/* ---- requests ---- */

static void
on_done(void *arg, struct http_call *http)
{
	struct kube_watch *w = arg;

	(void)http;
	w->over = true;
	loop_timer_off(&w->silence);
	if (w->step == LIST)
		on_list(w);
	else
		loop_timer_in(w->kube->loop, &w->ready, 0);
}

static int
make_url(struct kube_watch *w, struct err *e)
{
	char seconds[24];

	buf_reset(&w->url);
	buf_put(&w->url, w->path.data, w->path.len);
	if (w->step == STREAM) {
		snprintf(seconds, sizeof(seconds), "%lld",
			(long long)(SERVER_MIN_S + jitter(SERVER_MIN_S)));
		kube_path_query(&w->url, "watch", "1");
		kube_path_query(&w->url, "allowWatchBookmarks", "true");
		kube_path_query(&w->url, "timeoutSeconds", seconds);
		kube_path_query(&w->url, "resourceVersion", w->version);
	}
	return buf_check(&w->url, e);
}

/* The head of a stream's answer must come within call_ms; then bytes are to come by and by. */
static void
begin(struct kube_watch *w)
{
	struct kube_ask_spec spec = {.text_max = w->spec.object_max,
		.request = {
			.method = "GET", .done = on_done, .arg = w, .deadline_ns = CLOCK_NEVER}};
	struct err e;

	w->step = w->version[0] ? STREAM : LIST;
	w->begun_ns = clock_boot_ns();
	spec.request.sink = w->step == STREAM ? on_bytes : NULL;
	if (make_url(w, &e) < 0) {
		lost_because(w, KUBE_NOT_SENT, e.msg);
		return;
	}
	spec.path = w->url.data;
	if (kube_ask(w->kube, &w->ask, &spec, &e) < 0) {
		lost_because(w, KUBE_NOT_SENT, e.msg);
		return;
	}
	loop_timer_in(
		w->kube->loop, &w->silence, w->step == LIST ? w->spec.call_ms : w->spec.silence_ms);
}

static void
on_pause_over(struct loop_timer *t, void *arg)
{
	(void)t;
	begin(arg);
}

/* ---- beginning and ending ---- */

int
kube_watch(
	struct kube *k, const struct kube_watch_spec *spec, struct kube_watch **out, struct err *e)
{
	struct kube_watch *w = calloc(1, sizeof(*w));

	*out = NULL;
	if (!w)
		return err_sys(e, "watch of the Kubernetes API");
	w->kube = k;
	w->spec = *spec;
	if (w->spec.object_max == 0)
		w->spec.object_max = KUBE_OBJECT_MAX;
	loop_timer_init(&w->ready, on_ready, w);
	loop_timer_init(&w->silence, on_silence, w);
	loop_timer_init(&w->pause, on_pause_over, w);
	LIST_INSERT_HEAD(&k->watches, w, link);
	buf_puts(&w->path, spec->path);
	if (buf_check(&w->path, e) < 0) {
		kube_unwatch(w);
		return -1;
	}
	loop_timer_in(k->loop, &w->pause, 0);
	*out = w;
	return 0;
}

struct kube_watch *
kube_unwatch(struct kube_watch *w)
{
	if (!w)
		return NULL;
	if (w->gone)
		*w->gone = true;
	LIST_REMOVE(w, link);
	loop_timer_off(&w->pause);
	stop(w);
	buf_deinit(&w->lines);
	buf_deinit(&w->path);
	buf_deinit(&w->url);
	free(w);
	return NULL;
}
