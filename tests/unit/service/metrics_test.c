/*
 * The snapshot on its way over the board: whole, in groups, compressed, and damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "service/api_metrics.h"
#include "service/shared.h"

struct rig {
	struct board *board;
	struct metrics_build *build;
	struct metrics_view *view;
};

static int
setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct err e;

	assert_int_equal(board_create(&r->board, shared_sizes, SECTIONS, &e), 0);
	r->build = metrics_build_new();
	r->view = metrics_view_new();
	*state = r;
	return 0;
}

static int
teardown(void **state)
{
	struct rig *r = *state;

	metrics_view_free(r->view);
	metrics_build_free(r->build);
	board_free(r->board);
	free(r);
	return 0;
}

static void
add(struct rig *r, const char *name, const char *line)
{
	const struct metric_family f = {name, METRIC_COUNTER, "", "Help"};
	AUTO(buf_deinit) struct buf lines = {0};

	buf_puts(&lines, line);
	metrics_build_family(r->build, &f, &lines);
}

static void
fill(struct rig *r)
{
	struct err e;

	metrics_build_start(r->build, 42);
	assert_true(metrics_build_group(r->build, &(struct metrics_group){.name = "one"}));
	add(r, "a", "a{x=\"1\"} 1\n");
	add(r, "b", "b 2\n");
	assert_true(metrics_build_group(r->build, &(struct metrics_group){.name = "two"}));
	add(r, "c", "c 3\n");
	assert_int_equal(metrics_build_put(r->build, r->board, &e), 0);
}

static bool
is_two(const char *group, const void *arg)
{
	(void)arg;
	return strcmp(group, "two") == 0;
}

static void
what_was_put_is_read_whole_and_in_groups(void **state)
{
	struct rig *r = *state;
	AUTO(buf_deinit) struct buf out = {0};

	assert_false(metrics_view_refresh(r->view, r->board));
	fill(r);
	assert_true(metrics_view_refresh(r->view, r->board));
	assert_int_equal(metrics_view_head(r->view)->pg_pid, 42);
	metrics_view_text(r->view, &out, METRIC_TEXT, NULL, NULL);
	assert_string_equal(buf_str(&out), "# HELP a Help\n# TYPE a counter\na{x=\"1\"} 1\n# HELP "
					   "b Help\n# TYPE b counter\nb 2\n"
					   "# HELP c Help\n# TYPE c counter\nc 3\n");
	buf_reset(&out);
	metrics_view_text(r->view, &out, METRIC_OPENMETRICS, is_two, NULL);
	assert_string_equal(buf_str(&out), "# HELP c Help\n# TYPE c unknown\nc 3\n");
}

static void
a_family_that_is_there_is_dropped_and_counted(void **state)
{
	struct rig *r = *state;
	AUTO(buf_deinit) struct buf out = {0};
	struct err e;

	metrics_build_start(r->build, 42);
	assert_true(metrics_build_group(r->build, &(struct metrics_group){.name = "one"}));
	add(r, "a", "a 1\n");
	add(r, "a", "a 2\n");
	assert_int_equal(metrics_build_put(r->build, r->board, &e), 0);
	assert_true(metrics_view_refresh(r->view, r->board));
	assert_int_equal(metrics_view_head(r->view)->group[0].dropped, 1);
	metrics_view_text(r->view, &out, METRIC_TEXT, NULL, NULL);
	assert_null(strstr(buf_str(&out), "a 2"));
}

static void
gunzip_is(const struct buf *gz, const char *want)
{
	char plain[4096];
	z_stream z = {.next_in = (Bytef *)gz->data,
		.avail_in = (uInt)gz->len,
		.next_out = (Bytef *)plain,
		.avail_out = sizeof(plain) - 1};

	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END); /* checksum and length, too */
	assert_int_equal(z.avail_in, 0);
	plain[z.total_out] = '\0';
	inflateEnd(&z);
	assert_string_equal(plain, want);
}

static void
both_parts_are_one_gzip_file(void **state)
{
	struct rig *r = *state;
	AUTO(buf_deinit) struct buf out = {0}, own = {0}, text = {0};
	struct err e;

	fill(r);
	assert_true(metrics_view_refresh(r->view, r->board));
	buf_puts(&own, "live 1\n# EOF\n");
	for (int f = 0; f < METRIC_FORMATS; f++) {
		buf_reset(&out);
		buf_reset(&text);
		metrics_view_text(r->view, &text, (enum metric_format)f, NULL, NULL);
		buf_puts(&text, buf_str(&own));
		assert_int_equal(
			metrics_view_gzip(r->view, &out, (enum metric_format)f, &own, &e), 0);
		gunzip_is(&out, buf_str(&text));
	}
	buf_reset(&out);
	assert_int_equal(metrics_view_gzip(NULL, &out, METRIC_TEXT, &own, &e), 0);
	gunzip_is(&out, buf_str(&own));
}

/* The collector may be anything: lengths that lie are found before they are used. */
static void
a_head_that_lies_is_not_believed(void **state)
{
	struct rig *r = *state;
	struct metrics_head *h = calloc(1, sizeof(*h));
	const struct board_piece piece = {h, sizeof(*h)};
	const uint32_t lies[] = {1, 4096, 70000, METRICS_MAX_BYTES, UINT32_MAX};

	for (size_t i = 0; i < ARRAY_LEN(lies); i++)
		for (int field = 0; field < 4; field++) {
			memset(h, 0, sizeof(*h));
			*(field == 0         ? &h->families
				: field == 1 ? &h->arena_bytes
				: field == 2 ? &h->gzip_bytes[1]
					     : &h->groups) = lies[i];
			if (field == 2 && lies[i] < METRICS_MAX_BYTES / 2)
				continue; /* a stream nobody can check */
			if (field == 3 && lies[i] <= METRICS_GROUPS)
				continue;
			board_write_pieces(r->board, SEC_METRICS, &piece, 1);
			assert_false(metrics_view_refresh(r->view, r->board));
		}
	memset(h->group[0].name, 'x', sizeof(h->group[0].name));
	h->groups = 1;
	board_write_pieces(r->board, SEC_METRICS, &piece, 1);
	assert_false(metrics_view_refresh(r->view, r->board));
	fill(r);
	assert_true(metrics_view_refresh(r->view, r->board));
	free(h);
}

/* A board on which everything has something to say. */
static void
full_board(struct api_view *v, struct metrics_head *h)
{
	v->sup.plan.wal_segment_bytes = 1 << 24;
	snprintf(v->sup.plan.version, sizeof(v->sup.plan.version), "15.20");
	snprintf(v->sup.job_name, sizeof(v->sup.job_name), "%s", job_text(JOB_PREPARE));
	v->sup.pg_pid = v->pg.pid = 42;
	v->pg.known = true;
	v->pg.replicas = v->pg.collations = 1;
	snprintf(v->archive.problem, sizeof(v->archive.problem), "out of reach");
	h->groups = 1;
	h->group[0] = (struct metrics_group){
		.name = "q", .sqlstate = "57014", .breaker = true, .errors_total = 1};
}

static void
every_row_of_the_table_is_rendered(void **state)
{
	struct rig *r = *state;
	struct api_view *v = calloc(1, sizeof(*v));
	struct metrics_head *h = calloc(1, sizeof(*h));
	struct run_options *opt = calloc(1, sizeof(*opt));
	struct api_facts api = {0};
	const struct live_in in = {.v = v, .opt = opt, .api = &api, .head = h, .arch = "amd64"};
	AUTO(buf_deinit) struct buf out = {0};
	char line[160];

	v->board = r->board;
	full_board(v, h);
	live_all(&out, METRIC_TEXT, &in, NULL);
	for (size_t i = 0; i < live_rows(); i++) {
		snprintf(line, sizeof(line), "# HELP %s ", live_name(i));
		if (!strstr(buf_str(&out), line))
			print_error("%s\n", live_name(i));
		assert_non_null(strstr(buf_str(&out), line));
	}
	free(v);
	free(h);
	free(opt);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_was_put_is_read_whole_and_in_groups, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_family_that_is_there_is_dropped_and_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(both_parts_are_one_gzip_file, setup, teardown),
		cmocka_unit_test_setup_teardown(a_head_that_lies_is_not_believed, setup, teardown),
		cmocka_unit_test_setup_teardown(
			every_row_of_the_table_is_rendered, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
