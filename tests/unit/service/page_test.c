#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "service/page.h"

#define NASTY "</li><b a=\"'&\x01\xff"

static struct api_view view;
static struct run_options opt;
static struct api_facts api;
static struct plot plot;
static struct page_in in = {.v = &view, .opt = &opt, .api = &api, .plot = &plot};

/* ---- a strict reader: every element is closed in order, ids are there once, and referred to ----
 */

#define DEPTH 64

struct reader {
	const char *at;
	char open[DEPTH][16];
	int depth;
};

static bool
is_void(const char *name)
{
	return strcmp(name, "meta") == 0 || strcmp(name, "link") == 0;
}

static void
read_name(struct reader *r, char name[16])
{
	size_t n = strspn(r->at, "abcdefghijklmnopqrstuvwxyz0123456789");

	assert_true(n > 0 && n < 16);
	snprintf(name, 16, "%.*s", (int)n, r->at);
	r->at += n;
}

static void
read_attributes(struct reader *r)
{
	while (*r->at == ' ') {
		r->at++;
		assert_int_not_equal(strncmp(r->at, "style=", 6), 0);
		assert_int_not_equal(strncmp(r->at, "on", 2), 0);
		r->at += strspn(
			r->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-0123456789");
		if (r->at[0] != '=')
			continue;
		assert_int_equal(r->at[1], '"');
		r->at += 2;
		r->at += strcspn(r->at, "\"<");
		assert_int_equal(*r->at++, '"');
	}
}

static void
read_close(struct reader *r)
{
	char name[16];

	r->at++;
	read_name(r, name);
	assert_true(r->depth > 0);
	assert_string_equal(name, r->open[--r->depth]);
	assert_int_equal(*r->at++, '>');
}

static void
read_open(struct reader *r)
{
	char name[16], end[20];

	read_name(r, name);
	read_attributes(r);
	if (*r->at == '/') {
		assert_string_equal(name, "path");
		r->at += 2;
		return;
	}
	assert_int_equal(*r->at++, '>');
	if (is_void(name))
		return;
	assert_true(r->depth < DEPTH);
	snprintf(r->open[r->depth++], 16, "%s", name);
	if (strcmp(name, "script") == 0 || strcmp(name, "style") == 0) {
		snprintf(end, sizeof(end), "</%s", name);
		r->at = strstr(r->at, end);
		assert_non_null(r->at);
	}
}

static void
read_all(const char *html)
{
	struct reader r = {.at = html};

	assert_int_equal(strncmp(html, "<!DOCTYPE html>\n", 16), 0);
	for (r.at += 16; *r.at;) {
		r.at += strcspn(r.at, "<");
		if (!*r.at)
			break;
		r.at++;
		if (*r.at == '/')
			read_close(&r);
		else
			read_open(&r);
	}
	assert_int_equal(r.depth, 0);
}

static const char *
render(struct buf *b)
{
	struct err e;

	buf_reset(b);
	page_render(&in, b);
	assert_int_equal(buf_check(b, &e), 0);
	for (size_t at = 0, n; at < b->len; at += n) {
		n = json_utf8_len(b->data + at, b->len - at);
		assert_true(n > 0);
	}
	assert_int_equal(strlen(buf_str(b)), b->len);
	read_all(buf_str(b));
	return buf_str(b);
}

static void
has(const char *html, const char *what)
{
	if (!strstr(html, what))
		fail_msg("the page lacks: %s", what);
}

/* ---- facts ---- */

static void
fill_strings(void)
{
	struct plan *plan = &view.sup.plan;

#define FILL(array) snprintf(array, sizeof(array), "%s", NASTY)
	FILL(opt.pod_name);
	FILL(opt.cluster_name);
	FILL(view.sup.reason);
	FILL(view.sup.fence_reason);
	FILL(view.sup.ladder);
	FILL(view.sup.service[1].reason);
	FILL(plan->version);
	FILL(plan->config_error);
	FILL(plan->warning[0]);
	FILL(view.pg.problem);
	FILL(view.pg.hint);
	FILL(view.pg.redo_wal);
	FILL(view.pg.replica[0].application_name);
	FILL(view.pg.replica[0].state);
	FILL(view.pg.replica[0].sync_state);
	FILL(view.pg.replica[0].client_addr);
	FILL(view.pg.replica[0].replay_lag);
	FILL(view.pg.pending[0].name);
	FILL(view.pg.pending[0].new_value);
	FILL(view.pg.pending[0].old_value);
	FILL(view.pg.collation[0].database);
	FILL(view.pg.collation[0].recorded);
	FILL(view.pg.collation[0].actual);
	FILL(view.archive.destination);
	FILL(view.archive.problem);
	FILL(view.archive.hint);
	FILL(view.archive.owner);
	FILL(view.archive.conflict);
	FILL(view.archive.last_archived);
	FILL(view.archive.last_failed);
	FILL(view.archive.last_backup);
	FILL(view.archive.last_failed_backup);
	FILL(view.sup.operation[0].phase);
	FILL(view.sup.operation[0].by);
	FILL(view.sup.operation[0].id);
	FILL(view.sup.operation[1].error);
	FILL(view.sup.operation[1].id);
	FILL(view.sup.operation[2].result);
	FILL(view.sup.operation[2].id);
	FILL(view.sup.job_name);
	FILL(view.job.phase);
	FILL(view.job.error);
	FILL(view.job.hint);
	FILL(view.log.line[0]);
	FILL(api.tls_error);
	FILL(in.ready.reason);
	FILL(in.live.reason);
#undef FILL
	memset(view.log.line[1], 0xff, LOG_LAST_BYTES); /* without a NUL */
}

static void
fill_facts(void)
{
	struct plot_point p = {.wall_us = view.now_wall_us - 5 * SEC_US, .connections = 3};

	for (int i = 0; i < SECTIONS; i++)
		view.stamp_ns[i] = view.now_ns;
	view.sup.pg_pid = view.pg.pid = 42;
	view.sup.fenced = view.sup.paused = true;
	view.sup.pg_exit = (struct pg_exit){.set = true, .sig = 9};
	view.sup.plan.warnings = 1;
	view.sup.operations = 3;
	view.sup.operation[0].state = OP_RUNNING;
	view.sup.operation[1].state = OP_FAILED;
	view.sup.operation[2].state = OP_DONE;
	view.job.job = JOB_NONE + 1;
	view.job.progress = 0.5F;
	view.pg.known = view.pg.redo = true;
	view.pg.replicas = PG_REPLICAS + 4;
	view.pg.pending_count = view.pg.collations = 1;
	view.pg.disk_data_total = view.pg.disk_wal_total = 1;
	view.archive.state = ARCHIVE_STATE_FAILING;
	view.archive.queue = 3;
	view.archive.gaps = 1;
	view.archive.first_point_wall_us = view.archive.failing_wall_us = view.now_wall_us - 1;
	view.archive.broken_window = view.archive.drill_failed = true;
	view.log.count = 2;
	plot_add(&plot, &p);
	p.wall_us = view.now_wall_us;
	plot_add(&plot, &p);
}

static int
setup(void **state)
{
	(void)state;
	memset(&view, 0, sizeof(view));
	memset(&opt, 0, sizeof(opt));
	memset(&api, 0, sizeof(api));
	memset(&plot, 0, sizeof(plot));
	memset(&in.ready, 0, sizeof(in.ready));
	memset(&in.live, 0, sizeof(in.live));
	view.now_ns = INT64_C(1000000000000);
	view.now_wall_us = INT64_C(1763710000) * SEC_US;
	return 0;
}

/* ---- tests ---- */

static void
an_empty_board_makes_a_whole_page(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};
	const char *html = render(&b);

	(void)state;
	has(html, "the supervisor has said nothing");
	has(html, "PostgreSQL has said nothing yet");
	has(html, "Nothing was asked for");
	has(html, "no store is configured");
	has(html, "not running");
}

static void
everything_from_outside_is_escaped(void **state)
{
	static const char escaped[] = "&lt;/li&gt;&lt;b a=&quot;&#39;&amp;\xef\xbf\xbd\xef\xbf\xbd";
	AUTO(buf_deinit) struct buf b = {0};
	const char *html;
	int n = 0;

	(void)state;
	fill_strings();
	fill_facts();
	html = render(&b);
	for (const char *p = html; (p = strstr(p, escaped)); p++)
		n++;
	assert_in_range(n, 38, 60);
	assert_null(strstr(html, "<b a"));
	assert_null(strstr(html, "\x01"));
}

/* What the clocks and counters of a strange day may be. */
static void
set_numbers(int64_t n)
{
	struct archive_facts *f = &view.archive;

	view.sup.since_wall_us = view.sup.pg_started_wall_us = view.sup.fence_wall_us = n;
	view.sup.watchdog_fired_wall_us = n;
	view.sup.state = (uint32_t)n % FSM_STATES;
	view.sup.pg_phase = view.sup.operations = (uint32_t)n;
	view.sup.pg_exit.sig = view.sup.service[3].pid = (int32_t)n;
	view.pg.current_lsn = view.pg.replica[0].replay_lsn = (uint64_t)n;
	view.pg.disk_data_free = view.pg.disk_data_total = view.pg.disk_wal_free = n;
	view.pg.disk_wal_total = view.pg.wal_bytes = view.pg.rss_bytes[2] = n;
	view.pg.redo_progress = view.job.progress = (float)n;
	view.pg.replicas = view.pg.pending_count = view.pg.collations = (uint32_t)n;
	view.pg.connections = view.pg.max_connections = (int32_t)n;
	view.sup.plan.warnings = view.log.count = (uint32_t)n;
	f->state = view.job.job = (uint32_t)n;
	f->exposed_wall_us = f->oldest_ready_wall_us = f->failing_wall_us = f->queue = n;
	f->last_archived_wall_us = f->last_backup_wall_us = f->last_backup_stored = n;
	f->last_backup_ms = f->next_backup_wall_us = f->first_point_wall_us = n;
	f->last_point_wall_us = f->drill_wall_us = f->catalog_wall_us = n;
	api.cert_expires_wall_us = n;
	for (int i = 0; i < SHARED_OPERATIONS; i++) {
		view.sup.operation[i].kind = view.sup.operation[i].state = (uint32_t)n;
		view.sup.operation[i].started_wall_us = view.sup.operation[i].finished_wall_us = n;
		view.sup.operation[i].progress = (float)n;
	}
}

static void
numbers_of_any_size_make_a_whole_page(void **state)
{
	static const int64_t numbers[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, 7, INT32_MAX,
		UINT32_MAX, INT64_C(1) << 53, INT64_MAX - 1, INT64_MAX};
	AUTO(buf_deinit) struct buf b = {0};

	(void)state;
	fill_strings();
	fill_facts();
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		set_numbers(numbers[i]);
		render(&b);
	}
}

static void
no_address_but_our_own_is_named(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};
	const char *html;

	(void)state;
	fill_facts();
	html = render(&b);
	assert_null(strstr(html, "http:"));
	assert_null(strstr(html, "https:"));
	assert_null(strstr(html, "src="));
	for (const char *p = html; (p = strstr(p, "href=\"")); p++)
		assert_true(p[6] == '#' || p[6] == '/' || strncmp(p + 6, "data:,\"", 7) == 0);
	assert_null(strstr(html, "href=\"//"));
}

static void
the_policy_names_what_stands_in_the_page(void **state)
{
	char policy[PAGE_POLICY_SIZE];

	(void)state;
	page_policy(policy);
	has(policy, "default-src 'none'; style-src 'sha256-");
	has(policy, "='; script-src 'sha256-");
	has(policy, "frame-ancestors 'none'");
	assert_null(strstr(policy, "unsafe"));
	assert_true(page_style().len > 500 && page_script().len > 500);
	assert_null(memmem(page_style().at, page_style().len, "</", 2));
	assert_null(memmem(page_script().at, page_script().len, "</", 2));
	assert_null(memmem(page_script().at, page_script().len, "<!--", 4));
	assert_null(memmem(page_style().at, page_style().len, "url(", 4));
}

#define CASE(f) cmocka_unit_test_setup(f, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_empty_board_makes_a_whole_page),
		CASE(everything_from_outside_is_escaped),
		CASE(numbers_of_any_size_make_a_whole_page),
		CASE(no_address_but_our_own_is_named),
		CASE(the_policy_names_what_stands_in_the_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
