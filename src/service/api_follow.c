/*
 * api_follow - those who read /v1/wal/jobs?follow=1: one JSON object a line, as things happen.
 *
 * Process: api.  While somebody follows, a timer looks at the board four times a second and writes
 * what is new or has changed.  There are at most FOLLOW_MAX, each for an hour; one that does not
 * read what is there is dropped.
 */
#include "base/clock.h"
#include "base/json.h"
#include "service/api.h"

#define FOLLOW_MAX 8
#define FOLLOW_LOOK_MS 250
#define FOLLOW_LONGEST_NS (3600 * SEC_MS * MS_NS)

struct api_follow {
	LIST_ENTRY(api_follow) link;
	struct httpd_req *req;
	int64_t until_ns;
	uint64_t newest; /* of the jobs that were told */
	struct {
		uint64_t number;
		uint32_t state;
	} seen[ARCHIVE_JOBS];
};

static void
follow_line(struct buf *out, const struct archive_job *job)
{
	struct json j;

	json_init(&j, out);
	api_json_archive_job(&j, job);
	buf_putc(out, '\n');
}

/* More happened between two looks than the board remembers. */
static void
follow_missed(struct buf *out, uint64_t n)
{
	struct json j;

	json_init(&j, out);
	json_obj(&j);
	json_kint(&j, "missed", (int64_t)n);
	json_end_obj(&j);
	buf_putc(out, '\n');
}

static void
follow_news(struct api_follow *w, const struct archive_facts *f, struct buf *out)
{
	uint64_t first = f->jobs > ARCHIVE_JOBS ? f->jobs - ARCHIVE_JOBS + 1 : 1;

	if (f->jobs < w->newest)
		w->newest = 0; /* another archiver counts anew */
	if (w->newest && first > w->newest + 1)
		follow_missed(out, first - w->newest - 1);
	for (uint64_t n = first; n <= f->jobs; n++) {
		const struct archive_job *job = &f->job[n % ARCHIVE_JOBS];

		if (job->number != n || (w->seen[n % ARCHIVE_JOBS].number == n &&
						w->seen[n % ARCHIVE_JOBS].state == job->state))
			continue;
		w->seen[n % ARCHIVE_JOBS].number = n;
		w->seen[n % ARCHIVE_JOBS].state = job->state;
		follow_line(out, job);
	}
	w->newest = f->jobs;
}

static void
follow_look(struct api *a, struct api_follow *w)
{
	AUTO(buf_deinit) struct buf out = {0};

	if (a->view.now_ns >= w->until_ns) {
		httpd_stream_end(w->req);
		return;
	}
	if (!httpd_stream_alive(w->req))
		return;
	follow_news(w, &a->view.archive, &out);
	if (out.len > 0)
		httpd_stream_put(w->req, out.data, out.len);
}

static void
follow_on_timer(struct loop_timer *t, void *arg)
{
	struct api *a = arg;
	struct api_follow *w;

	if (LIST_EMPTY(&a->follows))
		return;
	api_view_refresh(&a->view);
	LIST_FOREACH(w, &a->follows, link)
		follow_look(a, w);
	loop_timer_in(a->s->loop, t, FOLLOW_LOOK_MS);
}

void
api_follow_init(struct api *a)
{
	LIST_INIT(&a->follows);
	loop_timer_init(&a->follow_timer, follow_on_timer, a);
}

static unsigned
follow_count(const struct api *a)
{
	const struct api_follow *w;
	unsigned n = 0;

	LIST_FOREACH(w, &a->follows, link)
		n++;
	return n;
}

void
api_follow_start(struct api_call *c)
{
	struct api *a = c->a;
	struct api_follow *w;

	if (follow_count(a) >= FOLLOW_MAX) {
		httpd_reply_error(c->req, ERR_BUSY, 0, "too many follow the jobs already",
			"GET /v1/wal/jobs without follow shows the last ones");
		return;
	}
	w = calloc(1, sizeof(*w));
	if (!w) {
		httpd_reply_error(c->req, ERR_BUSY, 0, "out of memory", NULL);
		return;
	}
	w->req = c->req;
	w->until_ns = a->view.now_ns + FOLLOW_LONGEST_NS;
	LIST_INSERT_HEAD(&a->follows, w, link);
	httpd_stream(c->req, 200, "application/x-ndjson");
	follow_look(a, w);
	loop_timer_in(a->s->loop, &a->follow_timer, FOLLOW_LOOK_MS);
}

bool
api_follow_gone(struct api *a, struct httpd_req *req)
{
	struct api_follow *w;

	LIST_FOREACH(w, &a->follows, link) {
		if (w->req != req)
			continue;
		LIST_REMOVE(w, link);
		free(w);
		return true;
	}
	return false;
}
