/*
 * Scripted servers: one thread, the loop of the client under test drives the server too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/kube_impl.h"
#include "sys/file.h"

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"
#define CLIENTS 16

struct step {
	const char *answer; /* NULL: none; "": the connection is closed */
	bool more;          /* the connection stays, chunks may follow */
	bool chunks;        /* answer is a body, sent in chunks of 25 bytes */
};

struct server {
	struct loop *loop;
	struct loop_fd listener, client[CLIENTS];
	int port, n, requests;
	const struct step *steps;
	size_t n_steps;
	char request[CLIENTS][2048];
};

static void
say(int fd, const struct step *step)
{
	const char *p = step->answer;
	AUTO(buf_deinit) struct buf out = {0};

	buf_puts(&out, step->chunks ? CHUNKED : p);
	for (size_t n; step->chunks && (n = strnlen(p, 25)) > 0; p += n)
		buf_printf(&out, "%zx\r\n%.*s\r\n", n, (int)n, p);
	if (step->chunks)
		buf_puts(&out, "0\r\n\r\n");
	assert_int_equal(write(fd, buf_str(&out), out.len), out.len);
}

static void
on_client(struct loop_fd *src, uint32_t events, void *arg)
{
	struct server *s = arg;
	char text[2048];
	ssize_t n = read(src->fd, text, sizeof(text) - 1);
	int fd = src->fd, at = s->requests;

	(void)events;
	if (n <= 0 || (size_t)at >= s->n_steps) {
		loop_remove(s->loop, src);
		close(fd);
		return;
	}
	text[n] = '\0';
	snprintf(s->request[at], sizeof(s->request[at]), "%s", text);
	s->requests++;
	if (!s->steps[at].answer)
		return;
	say(fd, &s->steps[at]);
	if (s->steps[at].more)
		return;
	loop_remove(s->loop, src);
	close(fd);
}

static void
on_accept(struct loop_fd *src, uint32_t events, void *arg)
{
	struct server *s = arg;
	int fd = accept4(src->fd, NULL, NULL, SOCK_CLOEXEC);
	struct err e;

	(void)events;
	assert_true(s->n < CLIENTS);
	loop_fd_init(&s->client[s->n], on_client, s);
	assert_int_equal(loop_add(s->loop, &s->client[s->n++], fd, EPOLLIN, &e), 0);
}

static void
serve(struct server *s, struct loop *l, const struct step *steps, size_t n)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct err e;

	memset(s, 0, sizeof(*s));
	s->loop = l;
	s->steps = steps;
	s->n_steps = n;
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	s->port = ntohs(at.sin_port);
	loop_fd_init(&s->listener, on_accept, s);
	assert_int_equal(loop_add(l, &s->listener, fd, EPOLLIN, &e), 0);
}

static void
unserve(struct server *s)
{
	for (int i = 0; i < s->n; i++) {
		int fd = s->client[i].fd;

		loop_remove(s->loop, &s->client[i]);
		if (fd >= 0)
			close(fd);
	}
	int fd = s->listener.fd;

	loop_remove(s->loop, &s->listener);
	close(fd);
}

/* ---- one call ---- */

struct got {
	bool over;
	struct kube_answer a;
	char text[512];
};

static void
on_answer(void *arg, const struct kube_answer *a)
{
	struct got *g = arg;

	g->over = true;
	g->a = *a;
	snprintf(g->text, sizeof(g->text), "%s", a->text);
}

static void
turn_until(struct loop *l, const bool *flag)
{
	int64_t end = clock_boot_ms() + 5000;
	struct err e;

	while (!*flag && clock_boot_ms() < end)
		assert_int_equal(loop_turn(l, 100, &e), 0);
	assert_true(*flag);
}

struct world {
	struct loop *loop;
	struct server server;
	struct kube *kube;
	char token[64];
};

static void
begin(struct world *w, const struct step *steps, size_t n, bool token)
{
	struct kube_place place = {.ns = "db"};
	struct err e;

	memset(w, 0, sizeof(*w));
	assert_int_equal(loop_new(&w->loop, &e), 0);
	serve(&w->server, w->loop, steps, n);
	snprintf(place.url, sizeof(place.url), "http://127.0.0.1:%d", w->server.port);
	if (token) {
		snprintf(w->token, sizeof(w->token), "/tmp/kube-test-token.%d", (int)getpid());
		assert_int_equal(file_write(w->token, "first\n", 6, 0600, &e), 0);
		snprintf(place.token_file, sizeof(place.token_file), "%s", w->token);
	}
	assert_int_equal(kube_open(&w->kube, &place, w->loop, &e), 0);
}

static void
end(struct world *w)
{
	kube_close(w->kube);
	unserve(&w->server);
	loop_free(w->loop);
	if (w->token[0])
		unlink(w->token);
}

static void
call(struct world *w, struct got *g, const char *method, int64_t ms)
{
	struct kube_request r = {.method = method,
		.path = "/x",
		.body = strcmp(method, "GET") == 0 ? NULL : "{}",
		.len = strcmp(method, "GET") == 0 ? 0 : 2,
		.deadline_ns = clock_boot_ns() + ms * MS_NS,
		.done = on_answer,
		.arg = g};
	struct kube_call *c;
	struct err e;

	memset(g, 0, sizeof(*g));
	assert_int_equal(kube_call(w->kube, &r, &c, &e), 0);
	assert_false(g->over);
	turn_until(w->loop, &g->over);
}

#define STATUS(code, reason)                                                                       \
	"HTTP/1.1 " code " X\r\nRetry-After: 3\r\nContent-Length: 72\r\nConnection: close\r\n\r\n" \
	"{\"kind\":\"Status\",\"message\":\"the message\",\"reason\":\"" reason                    \
	"\"}               "                                                                       \
	"                   "

static void
answers_are_told_apart(void **state)
{
	static const struct {
		struct step step;
		enum kube_outcome outcome;
	} rows[] = {
		{{STATUS("404", "NotFound"), false, false}, KUBE_NOT_FOUND},
		{{STATUS("409", "Conflict"), false, false}, KUBE_CONFLICT},
		{{STATUS("409", "AlreadyExists"), false, false}, KUBE_EXISTS},
		{{STATUS("401", "Unauthorized"), false, false}, KUBE_UNAUTHORIZED},
		{{STATUS("403", "Forbidden"), false, false}, KUBE_FORBIDDEN},
		{{STATUS("410", "Expired"), false, false}, KUBE_GONE},
		{{STATUS("422", "Invalid"), false, false}, KUBE_REFUSED},
		{{STATUS("429", "TooMany"), false, false}, KUBE_THROTTLED},
		{{STATUS("503", "Unavailable"), false, false}, KUBE_SERVER_ERROR},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world w;
		struct got g;

		begin(&w, &rows[i].step, 1, false);
		call(&w, &g, "PUT", 3000);
		assert_int_equal(g.a.outcome, rows[i].outcome);
		assert_int_equal(g.a.retry_after_ms, 3000);
		assert_string_equal(g.a.message, "the message");
		assert_true(g.a.send_ns > 0 && g.a.send_ns <= g.a.done_ns);
		end(&w);
	}
}

static void
connections_are_kept(void **state)
{
	static const struct step steps[] = {
		{HEAD "Content-Length: 7\r\n\r\n{\"a\":1}", true, false},
		{HEAD "Content-Length: 2\r\n\r\n{}", true, false}};
	struct world w;
	struct got g;

	(void)state;
	begin(&w, steps, 2, false);
	call(&w, &g, "GET", 3000);
	assert_int_equal(g.a.outcome, KUBE_OK);
	assert_string_equal(g.text, "{\"a\":1}");
	call(&w, &g, "PUT", 3000);
	assert_int_equal(g.a.outcome, KUBE_OK);
	assert_int_equal(w.server.n, 1);
	end(&w);
}

static void
silence_is_perhaps_applied_and_nobody_there_is_not_sent(void **state)
{
	static const struct step silent[] = {{NULL, true, false}}, cut[] = {{"", false, false}};
	struct world w;
	struct got g;

	(void)state;
	begin(&w, silent, 1, false);
	call(&w, &g, "PUT", 150);
	assert_int_equal(g.a.outcome, KUBE_MAYBE);
	assert_true(g.a.done_ns - g.a.send_ns >= 149 * MS_NS);
	assert_true(g.a.done_ns - g.a.send_ns < 2000 * MS_NS);
	end(&w);
	begin(&w, cut, 1, false);
	call(&w, &g, "PUT", 3000);
	assert_int_equal(g.a.outcome, KUBE_MAYBE);
	unserve(&w.server);
	call(&w, &g, "PUT", 3000);
	assert_int_equal(g.a.outcome, KUBE_NOT_SENT);
	assert_int_equal(g.a.send_ns, 0);
	kube_close(w.kube);
	loop_free(w.loop);
}

static void
a_handshake_that_never_ends_has_sent_nothing(void **state)
{
	static const struct step silent[] = {{NULL, true, false}};
	struct world w;
	struct got g;
	struct err e;
	struct kube_place place = {.ns = "db"};

	(void)state;
	begin(&w, silent, 1, false);
	kube_close(w.kube);
	snprintf(place.url, sizeof(place.url), "https://127.0.0.1:%d", w.server.port);
	assert_int_equal(kube_open(&w.kube, &place, w.loop, &e), 0);
	call(&w, &g, "PUT", 200);
	assert_int_equal(g.a.outcome, KUBE_NOT_SENT);
	end(&w);
}

static void
a_token_that_was_rotated_is_tried_once_after_a_401(void **state)
{
	static const struct step steps[] = {{HEAD "Content-Length: 2\r\n\r\n{}", false, false},
		{STATUS("401", "Unauthorized"), false, false},
		{STATUS("401", "Unauthorized"), false, false},
		{HEAD "Content-Length: 2\r\n\r\n{}", false, false}};
	struct world w;
	struct got g;
	struct err e;

	(void)state;
	begin(&w, steps, 4, true);
	call(&w, &g, "GET", 3000);
	assert_non_null(strstr(w.server.request[0], "Authorization: Bearer first\r\n"));
	call(&w, &g, "GET", 3000);
	assert_int_equal(g.a.outcome, KUBE_UNAUTHORIZED);
	assert_int_equal(w.server.requests, 2); /* the same token is not tried twice */
	assert_int_equal(file_write(w.token, "second", 6, 0600, &e), 0);
	call(&w, &g, "GET", 3000);
	assert_non_null(strstr(w.server.request[2], "Bearer second\r\n"));
	/* as if the file had changed between the two requests of one call */
	w.kube->token.text.data[0] = 'X';
	w.server.requests = 2;
	call(&w, &g, "GET", 3000);
	assert_non_null(strstr(w.server.request[2], "Bearer Xecond\r\n"));
	assert_non_null(strstr(w.server.request[3], "Bearer second\r\n"));
	assert_int_equal(g.a.outcome, KUBE_OK);
	end(&w);
}

static void
a_file_that_holds_no_token_is_not_sent(void **state)
{
	static const struct step steps[] = {{HEAD "Content-Length: 2\r\n\r\n{}", false, false}};
	struct world w;
	struct got g;
	struct err e;

	(void)state;
	begin(&w, steps, 1, true);
	assert_int_equal(file_write(w.token, "a\nInjected: b", 13, 0600, &e), 0);
	call(&w, &g, "GET", 3000);
	assert_int_equal(g.a.outcome, KUBE_NOT_SENT);
	assert_non_null(strstr(g.a.message, "no token"));
	assert_null(strstr(g.a.message, "Injected"));
	assert_int_equal(w.server.requests, 0);
	end(&w);
}

/* ---- a watch ---- */

struct seen {
	char text[1024];
	bool enough;
	const char *last; /* enough when this ends the text */
	struct kube_watch *w;
	bool end_it;
	char why[KUBE_TEXT_SIZE]; /* it was lost */
};

static void
on_event(void *arg, const struct kube_event *event)
{
	static const char letters[] = "[l]AMDbX";
	struct seen *s = arg;
	size_t n = strlen(s->text);

	if (event->message)
		snprintf(s->why, sizeof(s->why), "%s", event->message);
	snprintf(s->text + n, sizeof(s->text) - n, "%c%.*s", letters[event->kind],
		(int)(event->object ? event->len > 40 ? 40 : event->len : 0),
		event->object ? event->object : "");
	n = strlen(s->text);
	s->enough = n >= strlen(s->last) && strcmp(s->text + n - strlen(s->last), s->last) == 0;
	if (s->enough && s->end_it)
		s->w = kube_unwatch(s->w);
}

#define OBJ(v) "{\"metadata\":{\"resourceVersion\":\"" v "\"}}"
#define LIST_OF(v, items)                                                       \
	HEAD "Connection: close\r\n\r\n{\"metadata\":{\"resourceVersion\":\"" v \
	     "\"},\"items\":" items "}"

static void
watch(struct world *w, struct seen *s, const char *last, bool end_it)
{
	struct kube_watch_spec spec = {
		.path = "/leases", .call_ms = 1000, .silence_ms = 1000, .fn = on_event, .arg = s};
	struct err e;

	*s = (struct seen){.last = last, .end_it = end_it};
	assert_int_equal(kube_watch(w->kube, &spec, &s->w, &e), 0);
	turn_until(w->loop, &s->enough);
}

static void
a_watch_lists_and_goes_on_from_there(void **state)
{
	static const struct step steps[] = {{LIST_OF("5", "[" OBJ("3") "]"), false, false},
		{"{\"type\":\"MODIFIED\",\"object\":" OBJ(
			 "6") "}\n\n"
			      "{\"type\":\"BOOKMARK\",\"object\":" OBJ("9") "}\n",
			false, true},
		{CHUNKED, true, false}};
	struct world w;
	struct seen s;
	struct err e;

	(void)state;
	begin(&w, steps, 3, false);
	watch(&w, &s, "X", false);
	assert_string_equal(s.text, "[l" OBJ("3") "]M" OBJ("6") "bX");
	assert_non_null(strstr(w.server.request[0], "GET /leases HTTP"));
	assert_non_null(strstr(w.server.request[1], "&resourceVersion=5 "));
	while (w.server.requests < 3)
		assert_int_equal(loop_turn(w.loop, 100, &e), 0);
	assert_non_null(strstr(w.server.request[2], "&resourceVersion=9 "));
	end(&w);
}

static void
a_version_that_is_gone_is_listed_anew(void **state)
{
	static const struct step steps[] = {{LIST_OF("5", "null"), false, false},
		{STATUS("410", "Expired"), false, false}, {LIST_OF("7", "[]"), false, false},
		{"{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}\n", false,
			true},
		{LIST_OF("8", "[" OBJ("8") "]"), false, false}, {NULL, true, false}};
	struct world w;
	struct seen s;

	(void)state;
	begin(&w, steps, 6, false);
	watch(&w, &s, OBJ("8") "]", true);
	assert_string_equal(s.text, "[][][l" OBJ("8") "]");
	assert_null(s.w);
	end(&w);
}

static void
a_watch_that_falls_silent_is_begun_again(void **state)
{
	static const struct step steps[] = {
		{LIST_OF("5", "[]"), false, false}, {CHUNKED, true, false}, {NULL, true, false}};
	struct world w;
	struct seen s;
	int64_t begun = clock_boot_ms();

	(void)state;
	begin(&w, steps, 3, false);
	watch(&w, &s, "X", false);
	assert_true(clock_boot_ms() - begun >= 1000);
	assert_string_equal(s.text, "[]X");
	assert_non_null(strstr(s.why, "silent"));
	end(&w);
}

static void
an_event_that_is_too_long_is_not_kept(void **state)
{
	static char big[200000];
	const struct step steps[] = {{LIST_OF("5", "[]"), false, false}, {big, true, false}};
	struct kube_watch_spec spec = {.path = "/leases",
		.call_ms = 1000,
		.silence_ms = 1000,
		.object_max = 1024,
		.fn = on_event};
	struct world w;
	struct seen s = {.last = "X"};
	struct err e;
	size_t n = (size_t)snprintf(big, sizeof(big), HEAD "\r\n");

	(void)state;
	memset(big + n, 'x', sizeof(big) - 1 - n);
	begin(&w, steps, 2, false);
	spec.arg = &s;
	assert_int_equal(kube_watch(w.kube, &spec, &s.w, &e), 0);
	turn_until(w.loop, &s.enough);
	assert_string_equal(s.text, "[]X");
	assert_non_null(strstr(s.why, "longer than 1024 bytes"));
	end(&w);
}

/* ---- where it is ---- */

static void
a_pod_finds_its_api(void **state)
{
	char dir[64], path[128];
	struct kube_given g = {.host = "10.96.0.1", .port = "443", .account_dir = dir};
	struct kube_place p;
	struct err e;

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/kube-test.%d", (int)getpid());
	assert_int_equal(file_make_dirs(dir, 0700, &e), 0);
	assert_int_equal(kube_find(&p, &g, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	snprintf(path, sizeof(path), "%s/token", dir);
	assert_int_equal(file_write(path, "t", 1, 0600, &e), 0);
	assert_int_equal(kube_find(&p, &g, &e), -1);
	snprintf(path, sizeof(path), "%s/namespace", dir);
	assert_int_equal(file_write(path, "db", 2, 0600, &e), 0);
	assert_int_equal(kube_find(&p, &g, &e), 0);
	assert_string_equal(p.url, "https://10.96.0.1:443");
	assert_string_equal(p.ns, "db");
	snprintf(path, sizeof(path), "%s/ca.crt", dir);
	assert_string_equal(p.ca_file, path);
	g.host = "fd00::1";
	assert_int_equal(kube_find(&p, &g, &e), 0);
	assert_string_equal(p.url, "https://[fd00::1]:443");
	g.port = "44x";
	assert_int_equal(kube_find(&p, &g, &e), -1);
	g.port = "443";
	g.url = "http://localhost:8001/";
	g.ns = "other";
	assert_int_equal(kube_find(&p, &g, &e), 0);
	assert_string_equal(p.url, "http://localhost:8001");
	assert_string_equal(p.ns, "other");
	assert_string_equal(p.token_file, "");
	g.url = "ftp://x";
	assert_int_equal(kube_find(&p, &g, &e), -1);
	g.url = "https://user:secret@x";
	assert_int_equal(kube_find(&p, &g, &e), -1);
	assert_null(strstr(e.msg, "secret"));
	assert_int_equal(file_remove_tree(dir, &e), 0);
	unsetenv("KUBERNETES_SERVICE_HOST");
	assert_int_equal(kube_find(&p, &(struct kube_given){0}, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
}

static void
paths_hold_names_only(void **state)
{
	struct buf b = {0};
	struct err e;

	(void)state;
	assert_int_equal(kube_path_lease(&b, "db", "pg", &e), 0);
	kube_path_query(&b, "fieldSelector", "metadata.name=pg");
	kube_path_query(&b, "x", "a b");
	assert_string_equal(b.data, "/apis/coordination.k8s.io/v1/namespaces/db/leases/"
				    "pg?fieldSelector=metadata.name%3Dpg&x=a%20b");
	buf_reset(&b);
	assert_int_equal(kube_path_pod(&b, "db", NULL, &e), 0);
	assert_string_equal(b.data, "/api/v1/namespaces/db/pods");
	assert_int_equal(kube_path_pod(&b, "db", "../x", &e), -1);
	assert_int_equal(kube_path_pod(&b, "", "a", &e), -1);
	assert_int_equal(kube_path_lease(&b, "db", "A", &e), -1);
	buf_deinit(&b);
}

static void
retry_after_is_seconds_or_a_date(void **state)
{
	(void)state;
	assert_int_equal(kube_retry_after_ms("2"), 2000);
	assert_int_equal(kube_retry_after_ms("99999999999999999999"), 3600000);
	assert_int_equal(kube_retry_after_ms("Fri, 20 Nov 2020 08:15:30 GMT"), 0);
	assert_int_equal(kube_retry_after_ms("soon"), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pod_finds_its_api),
		cmocka_unit_test(paths_hold_names_only),
		cmocka_unit_test(retry_after_is_seconds_or_a_date),
		cmocka_unit_test(answers_are_told_apart),
		cmocka_unit_test(connections_are_kept),
		cmocka_unit_test(silence_is_perhaps_applied_and_nobody_there_is_not_sent),
		cmocka_unit_test(a_handshake_that_never_ends_has_sent_nothing),
		cmocka_unit_test(a_token_that_was_rotated_is_tried_once_after_a_401),
		cmocka_unit_test(a_file_that_holds_no_token_is_not_sent),
		cmocka_unit_test(a_watch_lists_and_goes_on_from_there),
		cmocka_unit_test(a_version_that_is_gone_is_listed_anew),
		cmocka_unit_test(a_watch_that_falls_silent_is_begun_again),
		cmocka_unit_test(an_event_that_is_too_long_is_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
