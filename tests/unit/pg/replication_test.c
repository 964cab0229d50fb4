#include "fake_pq.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"

/* ---- a sink that writes down what it gets ---- */

static int
note_start(void *arg, const struct replication_start *s, struct err *e)
{
	(void)e;
	buf_printf(arg, "start %llx %u %lld;", (unsigned long long)s->lsn, s->timeline,
		(long long)s->bytes);
	return 0;
}

static int
note_archive(void *arg, const struct replication_tablespace *t, struct err *e)
{
	(void)e;
	buf_printf(arg, "tar %u %s:", t->oid, t->location);
	return 0;
}

static int
note_data(void *arg, const void *p, size_t n, struct err *e)
{
	(void)e;
	buf_put(arg, p, n);
	return 0;
}

static int
note_end(void *arg, struct err *e)
{
	(void)e;
	buf_puts(arg, ";");
	return 0;
}

static int
note_manifest(void *arg, const void *p, size_t n, struct err *e)
{
	(void)e;
	buf_printf(arg, "manifest %.*s;", (int)n, (const char *)p);
	return 0;
}

static int
run_backup(struct replication *r, struct buf *notes, struct replication_end *end, struct err *e)
{
	const struct replication_sink sink = {.start = note_start,
		.archive = note_archive,
		.data = note_data,
		.archive_end = note_end,
		.manifest = note_manifest,
		.arg = notes};
	const struct replication_backup b = {
		.label = "it's", .fast = true, .progress = true, .manifest = true, .sink = &sink};

	return replication_base_backup(r, &b, end, e);
}

#define BEGIN_ROW                                                                             \
	{                                                                                     \
		.status = PGRES_TUPLES_OK, .rows = 1, .cols = 2, .cell = { "0/5000028", "3" } \
	}
#define SPACES                                                             \
	{                                                                  \
		.status = PGRES_TUPLES_OK, .rows = 2, .cols = 3, .cell = { \
			"16384",                                           \
			"/ts",                                             \
			"7",                                               \
			NULL,                                              \
			NULL,                                              \
			"100"                                              \
		}                                                          \
	}
#define END_ROW                                                                               \
	{                                                                                     \
		.status = PGRES_TUPLES_OK, .rows = 1, .cols = 2, .cell = { "0/5000100", "3" } \
	}
#define COPY_BEGIN                       \
	{                                \
		.status = PGRES_COPY_OUT \
	}
#define EXPECTED "start 5000028 3 109568;tar 16384 /ts:abcdef;tar 0 :ghi;manifest {};"

/* ---- tests ---- */

static void
one_copy_with_kinds_of_messages_is_understood(void **state)
{
	static const struct step steps[] = {BEGIN_ROW, SPACES, COPY_BEGIN,
		{.status = PGRES_EMPTY_QUERY,
			.message = {{"n16384.tar" NUL "/ts", 15}, {"dabc", 4}, {"ddef", 4},
				{"p" NUL NUL NUL NUL NUL NUL NUL "\7", 9}, {"nbase.tar" NUL, 11},
				{"dghi", 4}, {"m", 1}, {"d{}", 3}}},
		END_ROW, DONE};
	struct replication *r = connect_as(150020, steps);
	AUTO(buf_deinit) struct buf notes = {0};
	struct replication_end end;
	struct err e;

	(void)state;
	assert_int_equal(run_backup(r, &notes, &end, &e), 0);
	assert_string_equal(buf_str(&notes), EXPECTED);
	assert_int_equal(end.lsn, 0x5000100);
	assert_int_equal(end.timeline, 3);
	assert_false(end.checksum_failures);
	assert_string_equal(last_query,
		"BASE_BACKUP (LABEL 'it''s', TARGET 'client', PROGRESS, CHECKPOINT 'fast', "
		"MANIFEST 'yes')");
	replication_close(r);
}

static void
one_copy_for_each_tablespace_is_understood(void **state)
{
	static const struct step steps[] = {BEGIN_ROW, SPACES, COPY_BEGIN,
		{.status = PGRES_EMPTY_QUERY, .message = {{"abc", 3}, {"def", 3}}}, COPY_BEGIN,
		{.status = PGRES_EMPTY_QUERY, .message = {{"ghi", 3}}}, COPY_BEGIN,
		{.status = PGRES_EMPTY_QUERY, .message = {{"{}", 2}}}, END_ROW, DONE};
	struct replication *r = connect_as(140011, steps);
	AUTO(buf_deinit) struct buf notes = {0};
	struct replication_end end;
	struct err e;

	(void)state;
	assert_int_equal(run_backup(r, &notes, &end, &e), 0);
	assert_string_equal(buf_str(&notes), EXPECTED);
	assert_string_equal(last_query, "BASE_BACKUP LABEL 'it''s' PROGRESS FAST MANIFEST 'yes'");
	replication_close(r);
}

static void
wrong_checksums_are_told_apart_from_a_backup_that_failed(void **state)
{
	static const struct step steps[] = {BEGIN_ROW, SPACES, COPY_BEGIN,
		{.status = PGRES_EMPTY_QUERY, .message = {{"nbase.tar" NUL, 11}, {"dx", 2}}},
		END_ROW,
		{.status = PGRES_FATAL_ERROR,
			.sqlstate = "XX001",
			.error = "ERROR:  checksum verification failure during base backup\n"},
		END_OF_SCRIPT};
	struct replication *r = connect_as(160000, steps);
	AUTO(buf_deinit) struct buf notes = {0};
	struct replication_end end;
	struct err e;

	(void)state;
	assert_int_equal(run_backup(r, &notes, &end, &e), 0);
	assert_true(end.checksum_failures);
	replication_close(r);
}

static void
a_tar_that_the_server_broke_off_is_never_closed(void **state)
{
	static const struct step steps[] = {BEGIN_ROW, SPACES, COPY_BEGIN,
		{.status = PGRES_EMPTY_QUERY, .message = {{"nbase.tar" NUL, 11}, {"dx", 2}}},
		{.status = PGRES_FATAL_ERROR,
			.sqlstate = "58P01",
			.error = "ERROR:  could not open file\nDETAIL:  x\n"},
		END_OF_SCRIPT};
	struct replication *r = connect_as(160000, steps);
	AUTO(buf_deinit) struct buf notes = {0};
	struct replication_end end;
	struct err e;

	(void)state;
	assert_int_equal(run_backup(r, &notes, &end, &e), -1);
	assert_int_equal(e.kind, ERR_FAILED);
	assert_string_equal(e.msg, "ERROR:  could not open file; DETAIL:  x");
	assert_string_equal(buf_str(&notes), "start 5000028 3 109568;tar 0 :x");
	replication_close(r);
}

static void
strange_messages_are_refused(void **state)
{
	static const struct {
		const char *p;
		int n;
	} bad[] = {{"dx", 2}, {"z", 1}, {"n17.tar" NUL, 9}, {"nbase", 5}, {"p1", 2}};
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct step steps[] = {BEGIN_ROW, SPACES, COPY_BEGIN, {.status = PGRES_EMPTY_QUERY},
			END_ROW, DONE};
		AUTO(buf_deinit) struct buf notes = {0};
		struct replication_end end;
		struct replication *r;

		steps[3].message[0].p = bad[i].p;
		steps[3].message[0].n = bad[i].n;
		r = connect_as(180000, steps);
		assert_int_equal(run_backup(r, &notes, &end, &e), -1);
		assert_int_equal(e.kind, ERR_REMOTE);
		replication_close(r);
	}
}

static void
a_server_that_says_nothing_is_given_up(void **state)
{
	static const struct step steps[] = {END_OF_SCRIPT};
	struct replication *r = connect_as(150000, steps);
	struct replication_system sys;
	struct err e;

	(void)state;
	script_silent = true;
	assert_int_equal(replication_identify(r, &sys, &e), -1);
	assert_int_equal(e.kind, ERR_TIMEOUT);
	replication_close(r);
}

static void
the_system_and_its_segments_are_known(void **state)
{
	static const struct step steps[] = {
		{.status = PGRES_TUPLES_OK,
			.rows = 1,
			.cols = 4,
			.cell = {"7710269545778229819", "2", "1/ABC", NULL}},
		{.status = PGRES_COMMAND_OK},
		{.status = PGRES_TUPLES_OK, .rows = 1, .cols = 1, .cell = {"64MB"}}, DONE};
	struct step copy[ARRAY_LEN(steps) + 1];
	struct replication_system sys;
	struct replication *r;
	uint32_t segment;
	struct err e;

	(void)state;
	memcpy(copy, steps, 2 * sizeof(copy[0]));
	copy[2] = (struct step){.status = PGRES_EMPTY_QUERY}; /* no more results */
	memcpy(&copy[3], &steps[2], (ARRAY_LEN(steps) - 2) * sizeof(copy[0]));
	r = connect_as(150000, copy);
	assert_int_equal(replication_identify(r, &sys, &e), 0);
	assert_true(sys.system_id == 7710269545778229819U);
	assert_int_equal(sys.timeline, 2);
	assert_true(sys.lsn == 0x100000ABC);
	script++;
	assert_int_equal(replication_segment_bytes(r, &segment, &e), 0);
	assert_int_equal(segment, 64 << 20);
	replication_close(r);
}

static void
rates_stay_within_what_the_server_takes(void **state)
{
	static const struct {
		int64_t rate;
		const char *text;
	} rates[] = {{1, "MAX_RATE 32"}, {10 << 20, "MAX_RATE 10240"}, {INT64_C(5) << 30, NULL}};
	(void)state;

	for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
		const struct replication_backup b = {.label = "x", .rate = rates[i].rate};
		AUTO(buf_deinit) struct buf text = {0};

		replication_backup_text(&b, 150000, &text);
		replication_backup_text(&b, 130000, &text);
		if (rates[i].text)
			assert_non_null(strstr(buf_str(&text), rates[i].text));
		else
			assert_null(strstr(buf_str(&text), "MAX_RATE"));
	}
}

static void
wal_and_keepalives_come_as_they_were_sent(void **state)
{
	static const char wal[] = "w" NUL NUL NUL NUL NUL NUL "\1\0" NUL NUL NUL NUL NUL NUL "\2"
				  "\0" NUL NUL NUL NUL NUL NUL NUL NUL "bytes";
	static const char alive[] =
		"k" NUL NUL NUL NUL NUL NUL "\3\0" NUL NUL NUL NUL NUL NUL NUL NUL "\1";
	struct step steps[] = {{.status = PGRES_COPY_BOTH},
		{.status = PGRES_EMPTY_QUERY,
			.message = {{wal, sizeof(wal) - 1}, {alive, sizeof(alive) - 1}}},
		{.status = PGRES_TUPLES_OK, .rows = 1, .cols = 2, .cell = {"4", "0/3000000"}},
		DONE};
	struct replication *r = connect_as(150000, steps);
	const struct replication_stream s = {.slot = "ours", .lsn = 0x1000000, .timeline = 3};
	const struct replication_status status = {.written = 1, .flushed = 2, .applied = 3};
	struct replication_message m;
	struct err e;

	(void)state;
	assert_int_equal(replication_start_streaming(r, &s, &e), 0);
	assert_string_equal(
		last_query, "START_REPLICATION SLOT ours PHYSICAL 0/1000000 TIMELINE 3");
	assert_int_equal(replication_read(r, &m, 0, &e), 0);
	assert_int_equal(m.kind, REPLICATION_WAL);
	assert_int_equal(m.lsn, 0x100);
	assert_int_equal(m.end_lsn, 0x200);
	assert_int_equal(m.len, 5);
	assert_memory_equal(m.data, "bytes", 5);
	assert_int_equal(replication_send_status(r, &status, &e), 0);
	assert_int_equal(sent.len, 34);
	assert_int_equal(sent.data[8], 1);
	assert_int_equal(sent.data[16], 2);
	assert_int_equal(replication_read(r, &m, 0, &e), 0);
	assert_int_equal(m.kind, REPLICATION_KEEPALIVE);
	assert_int_equal(m.end_lsn, 0x300);
	assert_true(m.reply);
	assert_int_equal(replication_read(r, &m, 0, &e), 0);
	assert_int_equal(m.kind, REPLICATION_ENDED);
	assert_int_equal(m.timeline, 4);
	assert_int_equal(m.timeline_at, 0x3000000);
	replication_close(r);
}

static int
setup(void **state)
{
	(void)state;
	return pipe(pipe_fds);
}

static int
teardown(void **state)
{
	(void)state;
	buf_deinit(&sent);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_copy_with_kinds_of_messages_is_understood),
		cmocka_unit_test(one_copy_for_each_tablespace_is_understood),
		cmocka_unit_test(wrong_checksums_are_told_apart_from_a_backup_that_failed),
		cmocka_unit_test(a_tar_that_the_server_broke_off_is_never_closed),
		cmocka_unit_test(strange_messages_are_refused),
		cmocka_unit_test(a_server_that_says_nothing_is_given_up),
		cmocka_unit_test(the_system_and_its_segments_are_known),
		cmocka_unit_test(rates_stay_within_what_the_server_takes),
		cmocka_unit_test(wal_and_keepalives_come_as_they_were_sent),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
