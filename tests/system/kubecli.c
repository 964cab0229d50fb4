/*
 * kubecli - podgres's client of the Kubernetes API, for the system tests: commands on stdin, one
 *JSON object a line on stdout, for as long as stdin is open.
 *
 *	kubecli URL TOKEN_FILE CA_FILE NAMESPACE        "" for what is not used
 *
 * call ID METHOD MS PATH TYPE [BODY...]     TYPE "-": application/json
 * renew ID NAME HOLDER MS                   GET, change, PUT; or POST where there is none
 * watch CALL_MS SILENCE_MS PATH | unwatch
 */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/linebuf.h"
#include "net/kube.h"
#include "net/lease_json.h"

#define LINE_MAX_BYTES ((size_t)1 << 20)

struct tool {
	struct loop *loop;
	struct kube *kube;
	struct kube_place place;
	struct kube_watch *watch;
	struct loop_fd in;
	struct linebuf lines;
	LIST_HEAD(, job) jobs;
	bool over;
};

struct job {
	LIST_ENTRY(job) link;
	struct tool *t;
	int64_t id, begun_ns, deadline_ns;
	char name[LEASE_NAME_SIZE], holder[LEASE_OWNER_SIZE]; /* of a renewal */
	struct lease_object lease;
};

static void
end_job(struct job *job)
{
	LIST_REMOVE(job, link);
	free(job);
}

static void
say(struct buf *b)
{
	buf_putc(b, '\n');
	if (write(STDOUT_FILENO, b->data, b->len) < 0)
		_exit(74);
}

static void
say_answer(const struct job *job, const struct kube_answer *a)
{
	AUTO(buf_deinit) struct buf b = {0};
	struct json j;

	json_init(&j, &b);
	json_obj(&j);
	json_kint(&j, "id", job->id);
	json_kstr(&j, "outcome", kube_outcome_name(a->outcome));
	json_kint(&j, "status", a->status);
	json_kint(&j, "begun_ns", job->begun_ns);
	json_kint(&j, "send_ns", a->send_ns);
	json_kint(&j, "done_ns", a->done_ns);
	json_kint(&j, "retry_after_ms", a->retry_after_ms);
	json_kstr(&j, "reason", a->reason);
	json_kstr(&j, "message", a->message);
	json_kstr(&j, "text", a->text);
	json_end_obj(&j);
	say(&b);
}

static void
say_error(int64_t id, const struct err *e)
{
	AUTO(buf_deinit) struct buf b = {0};
	struct json j;

	json_init(&j, &b);
	json_obj(&j);
	json_kint(&j, "id", id);
	json_kstr(&j, "outcome", "ERROR");
	json_kstr(&j, "message", e->msg);
	json_end_obj(&j);
	say(&b);
}

static void
on_event(void *arg, const struct kube_event *event)
{
	static const char *const names[] = {[KUBE_LIST] = "LIST",
		[KUBE_LISTED] = "LISTED",
		[KUBE_SYNCED] = "SYNCED",
		[KUBE_ADDED] = "ADDED",
		[KUBE_MODIFIED] = "MODIFIED",
		[KUBE_DELETED] = "DELETED",
		[KUBE_ALIVE] = "ALIVE",
		[KUBE_LOST] = "LOST"};
	AUTO(buf_deinit) struct buf b = {0};
	struct json j;

	(void)arg;
	json_init(&j, &b);
	json_obj(&j);
	json_kstr(&j, "event", names[event->kind]);
	json_kint(&j, "seen_ns", event->seen_ns);
	if (event->kind == KUBE_LOST) {
		json_kstr(&j, "outcome", kube_outcome_name(event->outcome));
		json_kstr(&j, "message", event->message);
		json_kint(&j, "retry_ms", event->retry_ms);
	}
	if (event->object) {
		json_key(&j, "object");
		json_strn(&j, event->object, event->len);
	}
	json_end_obj(&j);
	say(&b);
}

/* ---- calls ---- */

static void
on_answer(void *arg, const struct kube_answer *a)
{
	say_answer(arg, a);
	end_job(arg);
}

static int
begin(struct job *job, struct kube_request *r, struct err *e)
{
	struct kube_call *c;

	r->deadline_ns = job->deadline_ns;
	r->arg = job;
	return kube_call(job->t->kube, r, &c, e);
}

static void
run(struct job *job, struct kube_request *r)
{
	struct err e;

	if (begin(job, r, &e) == 0)
		return;
	say_error(job->id, &e);
	end_job(job);
}

/* ---- a renewal ---- */

static void
on_read(void *arg, const struct kube_answer *a)
{
	struct job *job = arg;
	struct kube_request r = {.done = on_answer};
	AUTO(buf_deinit) struct buf body = {0}, path = {0};
	struct lease_object *l = &job->lease;
	bool none = a->outcome == KUBE_NOT_FOUND;
	struct err e;
	int rc;

	if (a->outcome != KUBE_OK && !none) {
		on_answer(job, a);
		return;
	}
	if (!none && lease_json_read(l, a->text, a->len, &e) < 0) {
		say_error(job->id, &e);
		end_job(job);
		return;
	}
	if (none || strcmp(l->holder, job->holder) != 0) {
		l->transitions += !none;
		l->acquire_us = clock_wall_us();
	}
	snprintf(l->name, sizeof(l->name), "%s", job->name);
	snprintf(l->ns, sizeof(l->ns), "%s", job->t->place.ns);
	snprintf(l->holder, sizeof(l->holder), "%s", job->holder);
	l->renew_us = clock_wall_us();
	l->duration_s = 15;
	l->seq++;
	rc = none ? lease_json_new(&body, l, &e) : lease_json_update(&body, l, a->text, a->len, &e);
	if (rc == 0)
		rc = kube_path_lease(&path, l->ns, none ? NULL : l->name, &e);
	if (rc < 0) {
		say_error(job->id, &e);
		end_job(job);
		return;
	}
	r.method = none ? "POST" : "PUT";
	r.path = path.data;
	r.body = body.data;
	r.len = body.len;
	run(job, &r);
}

/* ---- commands ---- */

static char *
word(char **at)
{
	char *w = strsep(at, " ");

	return w ? w : (char *)(uintptr_t) "";
}

static struct job *
job_of(struct tool *t, const char *id)
{
	struct job *job = calloc(1, sizeof(*job));

	must(job);
	LIST_INSERT_HEAD(&t->jobs, job, link);
	job->t = t;
	job->id = strtoll(id, NULL, 10);
	job->begun_ns = clock_boot_ns();
	return job;
}

static void
set_deadline(struct job *job, const char *ms)
{
	job->deadline_ns = job->begun_ns + strtoll(ms, NULL, 10) * MS_NS;
}

static void
do_call(struct tool *t, char *rest)
{
	struct job *job = job_of(t, word(&rest));
	struct kube_request r = {.method = word(&rest), .done = on_answer};

	set_deadline(job, word(&rest));
	r.path = word(&rest);
	r.type = word(&rest);
	if (strcmp(r.type, "-") == 0)
		r.type = NULL;
	r.body = rest;
	r.len = rest ? strlen(rest) : 0;
	run(job, &r);
}

static void
do_renew(struct tool *t, char *rest)
{
	struct job *job = job_of(t, word(&rest));
	struct kube_request r = {.method = "GET", .done = on_read};
	AUTO(buf_deinit) struct buf path = {0};
	struct err e;

	snprintf(job->name, sizeof(job->name), "%s", word(&rest));
	snprintf(job->holder, sizeof(job->holder), "%s", word(&rest));
	set_deadline(job, word(&rest));
	if (kube_path_lease(&path, t->place.ns, job->name, &e) < 0) {
		say_error(job->id, &e);
		end_job(job);
		return;
	}
	r.path = path.data;
	run(job, &r);
}

static void
do_watch(struct tool *t, char *rest)
{
	struct kube_watch_spec spec = {.fn = on_event, .arg = t};
	struct err e;

	t->watch = kube_unwatch(t->watch);
	spec.call_ms = strtoll(word(&rest), NULL, 10);
	spec.silence_ms = strtoll(word(&rest), NULL, 10);
	spec.path = word(&rest);
	if (kube_watch(t->kube, &spec, &t->watch, &e) < 0)
		say_error(0, &e);
}

static void
on_line(char *line, size_t n, bool cut, void *arg)
{
	struct tool *t = arg;
	char *text = strndup(line, n), *rest = text, *verb;

	must(text && !cut);
	verb = word(&rest);
	if (strcmp(verb, "call") == 0)
		do_call(t, rest);
	else if (strcmp(verb, "renew") == 0)
		do_renew(t, rest);
	else if (strcmp(verb, "watch") == 0)
		do_watch(t, rest);
	else if (strcmp(verb, "unwatch") == 0)
		t->watch = kube_unwatch(t->watch);
	free(text);
}

static void
on_input(struct loop_fd *src, uint32_t events, void *arg)
{
	static char text[65536];
	struct tool *t = arg;
	ssize_t n = read(src->fd, text, sizeof(text));

	(void)events;
	if (n > 0)
		linebuf_feed(&t->lines, text, (size_t)n, on_line, t);
	t->over = n <= 0;
}

int
main(int argc, char **argv)
{
	struct tool t = {0};
	struct err e = {0};
	int rc;

	if (argc != 5)
		return 64;
	linebuf_init(&t.lines, LINE_MAX_BYTES);
	rc = kube_find(&t.place,
		&(struct kube_given){
			.url = argv[1], .token_file = argv[2], .ca_file = argv[3], .ns = argv[4]},
		&e);
	if (rc == 0)
		rc = loop_new(&t.loop, &e);
	if (rc == 0)
		rc = kube_open(&t.kube, &t.place, t.loop, &e);
	if (rc == 0)
		rc = loop_add(t.loop, loop_fd_init(&t.in, on_input, &t), STDIN_FILENO, EPOLLIN, &e);
	while (rc == 0 && !t.over)
		rc = loop_turn(t.loop, 60000, &e);
	if (rc < 0)
		fprintf(stderr, "kubecli: %s\n", e.msg);
	kube_close(t.kube);
	while (!LIST_EMPTY(&t.jobs))
		end_job(LIST_FIRST(&t.jobs));
	loop_free(t.loop);
	linebuf_deinit(&t.lines);
	return rc < 0 ? 1 : 0;
}
