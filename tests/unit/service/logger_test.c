/*
 * The logger's own code in a process of its own, with pipes for all it reads and writes: the test
 * is postgres, the supervisor and whoever reads the log.
 */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cJSON.h>
#include <cmocka.h>

#include "base/clock.h"
#include "service/logger.h"

#define FLOOR 40 /* our descriptors stay out of the way of the child's */
#define WAIT_MS 20000

struct pod {
	struct board *board;
	struct run_options opt;
	int in_r[LOGGER_FORMS], in_w[LOGGER_FORMS];
	int out_r, out_w;
	pid_t pid;
	struct buf got; /* stdout, not yet looked at */
	struct buf line;
	cJSON *json;
};

/* ---- the child ---- */

static void
child_put(int from, int to)
{
	if (dup2(from, to) < 0)
		_exit(90);
}

static void
child_main(struct pod *p)
{
	struct service s = {.id = SERVICE_LOGGER, .board = p->board, .opt = &p->opt};
	struct logger *l = NULL;
	struct err e;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < LOGGER_FORMS; i++)
		child_put(p->in_r[i], FD_LOG_PIPE + i);
	child_put(p->out_w, FD_LOG_OUT);
	if (loop_new(&s.loop, &e) < 0 || logger_new(&l, &s, &e) < 0)
		_exit(91);
	while (!s.stop) {
		if (loop_turn(s.loop, 100, &e) < 0)
			_exit(92);
		s.on_tick(&s);
	}
	l = logger_free(l);
	s.loop = loop_free(s.loop);
	board_free(p->board);
	_exit(0);
}

static void
pod_start(struct pod *p)
{
	p->pid = fork();
	assert_true(p->pid >= 0);
	if (p->pid == 0)
		child_main(p);
}

static int
pod_end(struct pod *p, int sig)
{
	int status;

	if (p->pid <= 0)
		return 0;
	kill(p->pid, sig);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	p->pid = 0;
	return status;
}

static void
pod_pipe(int *r, int *w)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	*r = fcntl(fds[0], F_DUPFD_CLOEXEC, FLOOR);
	*w = fcntl(fds[1], F_DUPFD_CLOEXEC, FLOOR);
	assert_true(*r >= FLOOR && *w >= FLOOR);
	close(fds[0]);
	close(fds[1]);
}

static int
setup(void **state)
{
	struct pod *p = calloc(1, sizeof(*p));
	struct err e;

	assert_non_null(p);
	assert_int_equal(board_create(&p->board, shared_sizes, SECTIONS, &e), 0);
	snprintf(p->opt.pod_name, sizeof(p->opt.pod_name), "pod-0");
	for (int i = 0; i < LOGGER_FORMS; i++)
		pod_pipe(&p->in_r[i], &p->in_w[i]);
	pod_pipe(&p->out_r, &p->out_w);
	pod_start(p);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct pod *p = *state;

	pod_end(p, SIGKILL);
	for (int i = 0; i < LOGGER_FORMS; i++) {
		close(p->in_r[i]);
		close(p->in_w[i]);
	}
	close(p->out_r);
	close(p->out_w);
	cJSON_Delete(p->json);
	buf_deinit(&p->got);
	buf_deinit(&p->line);
	board_free(p->board);
	free(p);
	return 0;
}

/* ---- what goes in ---- */

/* Returns the longest that one write took, in milliseconds. */
static int64_t
pod_write(struct pod *p, enum logger_form form, const char *text, size_t n)
{
	int64_t longest = 0;

	while (n > 0) {
		int64_t from = clock_boot_ms();
		ssize_t done = write(p->in_w[form], text, n < 4096 ? n : 4096);

		assert_true(done > 0);
		if (clock_boot_ms() - from > longest)
			longest = clock_boot_ms() - from;
		text += done;
		n -= (size_t)done;
	}
	return longest;
}

static void
pod_say(struct pod *p, enum logger_form form, const char *text)
{
	pod_write(p, form, text, strlen(text));
}

#define JSON_RECORD(message)                                                                   \
	"{\"timestamp\":\"2026-11-20 21:43:00.123 UTC\",\"pid\":7,\"error_severity\":\"LOG\"," \
	"\"message\":\"" message "\",\"backend_type\":\"client backend\",\"query_id\":0}\n"
#define CSV_RECORD(message)                                                              \
	"2026-11-20 21:43:00.123 UTC,\"app\",\"shop\",7,\"[local]\",65f.7,1,\"SELECT\"," \
	"2026-11-20 21:42:59 UTC,4/12,0,LOG,00000,\"" message                            \
	"\",,,,,,,,,\"psql\",\"client backend\",,0\n"

/* ---- what comes out ---- */

static bool
pod_fill(struct pod *p, int64_t until_ms)
{
	struct pollfd fd = {.fd = p->out_r, .events = POLLIN};
	int64_t left = until_ms - clock_boot_ms();
	char chunk[65536];
	ssize_t n;

	if (left <= 0 || poll(&fd, 1, (int)left) <= 0)
		return false;
	n = read(p->out_r, chunk, sizeof(chunk));
	assert_true(n > 0);
	buf_put(&p->got, chunk, (size_t)n);
	return true;
}

/* The next line, as JSON; each must be some.  False when none comes in time. */
static bool
pod_next(struct pod *p, int64_t ms)
{
	int64_t until = clock_boot_ms() + ms;
	char *nl;

	while (!(nl = p->got.len ? memchr(p->got.data, '\n', p->got.len) : NULL))
		if (!pod_fill(p, until))
			return false;
	buf_reset(&p->line);
	buf_put(&p->line, p->got.data, (size_t)(nl - p->got.data));
	buf_consume(&p->got, p->line.len + 1);
	cJSON_Delete(p->json);
	p->json = cJSON_Parse(buf_str(&p->line));
	if (!p->json)
		fail_msg("no JSON: %.300s", buf_str(&p->line));
	return true;
}

static const char *
pod_text(const struct pod *p, const char *key)
{
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(p->json, key));

	return s ? s : "";
}

static const char *
pod_record(const struct pod *p, const char *key)
{
	const cJSON *r = cJSON_GetObjectItemCaseSensitive(p->json, "record");
	const char *s = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(r, key));

	return s ? s : "";
}

static void
pod_hears(struct pod *p, const char *msg)
{
	assert_true(pod_next(p, WAIT_MS));
	assert_string_equal(pod_text(p, "msg"), msg);
}

static void
pod_hears_record(struct pod *p, const char *message)
{
	pod_hears(p, "record");
	assert_string_equal(pod_record(p, "message"), message);
}

static struct log_facts
pod_facts(struct pod *p)
{
	struct log_facts f;

	shared_read(p->board, SEC_LOG, &f);
	return f;
}

/* Waits for the board to say so. */
#define POD_WAIT(p, f, condition)                                         \
	do {                                                              \
		int64_t until_ = clock_boot_ms() + WAIT_MS;               \
		struct log_facts f = pod_facts(p);                        \
		while (!(condition) && clock_boot_ms() < until_) {        \
			struct pollfd none_ = {.fd = -1};                 \
			poll(&none_, 1, 5);                               \
			f = pod_facts(p);                                 \
		}                                                         \
		if (!(condition))                                         \
			fail_msg("the board never said: %s", #condition); \
	} while (0)

/* ---- the tests ---- */

static void
every_form_becomes_a_line_of_json(void **state)
{
	struct pod *p = *state;

	pod_say(p, LOGGER_RAW, "{\"ts\":\"x\",\"level\":\"info\",\"msg\":\"own\"}\n");
	pod_hears(p, "own");
	assert_string_equal(buf_str(&p->line), "{\"ts\":\"x\",\"level\":\"info\",\"msg\":\"own\"}");
	pod_say(p, LOGGER_RAW, "some \"text\"\r\n\n");
	pod_hears(p, "some \"text\"");
	assert_string_equal(pod_text(p, "logger"), "output");
	assert_string_equal(pod_text(p, "pod"), "pod-0");
	pod_say(p, LOGGER_RAW, "2026-11-20 21:43:00.123 UTC [1] FATAL:  early\n");
	pod_hears_record(p, "early");
	assert_string_equal(pod_text(p, "level"), "error");
	pod_say(p, LOGGER_JSON, JSON_RECORD("json"));
	pod_hears_record(p, "json");
	pod_say(p, LOGGER_CSV, CSV_RECORD("csv"));
	pod_hears_record(p, "csv");
	pod_say(p, LOGGER_CSV, CSV_RECORD("two\nlines, \"\"quoted\"\""));
	pod_hears_record(p, "two\nlines, \"quoted\"");
	pod_say(p, LOGGER_PLAIN, "LOG:  redirecting\n");
	pod_hears_record(p, "redirecting");
	pod_say(p, LOGGER_PLAIN, "something else\n");
	pod_hears(p, "something else");
	assert_string_equal(pod_text(p, "logger"), "postgres");
}

static void
half_a_line_is_written_after_a_short_while(void **state)
{
	struct pod *p = *state;

	pod_say(p, LOGGER_RAW, "creating ... ");
	pod_hears(p, "creating ... ");
	pod_say(p, LOGGER_RAW, "ok\n");
	pod_hears(p, "ok");
}

static void
line_of_ten_megabytes_is_cut_and_the_next_is_whole(void **state)
{
	static const char *const begin[LOGGER_FORMS] = {"",
		JSON_RECORD("first") "{\"timestamp\":\"x\","
				     "\"error_severity\":\"LOG\",\"message\":\"",
		CSV_RECORD("first") "2026-11-20 21:43:00.123 "
				    "UTC,,,7,,65f.7,1,,2026-11-20 21:42:59 UTC,,0,LOG,00000,\"x\ny",
		"LOG:  "};
	static const char *const end[LOGGER_FORMS] = {"\nnext\n", "\"}\n" JSON_RECORD("next"),
		"\",,,,,,,,,\"psql\",\"client backend\",,0\n" CSV_RECORD("next"), "\nLOG:  next\n"};
	struct pod *p = *state;
	const size_t n = 10 << 20;
	char *text = malloc(n);

	assert_non_null(text);
	memset(text, 'x', n);
	for (int i = 0; i < LOGGER_FORMS; i++) {
		pod_say(p, (enum logger_form)i, begin[i]);
		if (i == LOGGER_JSON || i == LOGGER_CSV)
			pod_hears_record(p, "first");
		pod_write(p, (enum logger_form)i, text, n);
		pod_say(p, (enum logger_form)i, end[i]);
		assert_true(pod_next(p, WAIT_MS));
		assert_true(cJSON_IsTrue(cJSON_GetObjectItem(p->json, "truncated")));
		assert_in_range(p->line.len, LOGGER_LINE_MAX / 2, LOGGER_LINE_MAX + 1024);
		if (i == LOGGER_RAW)
			pod_hears(p, "next");
		else
			pod_hears_record(p, "next");
	}
	free(text);
	POD_WAIT(p, f, f.truncated == LOGGER_FORMS);
}

/* The generator of xorshift64*: the same bytes each time. */
static void
fill_random(char *p, size_t n)
{
	uint64_t x = 88172645463325252ULL;

	for (size_t i = 0; i < n; i++) {
		x ^= x >> 12;
		x ^= x << 25;
		x ^= x >> 27;
		p[i] = (char)((x * 2685821657736338717ULL) >> 56);
	}
}

static void
garbage_becomes_json_and_does_no_harm(void **state)
{
	static const char *const good[LOGGER_FORMS] = {"\nFATAL:  good\n", "\n" JSON_RECORD("good"),
		"\n" CSV_RECORD("good"), "\nFATAL:  good\n"};
	const size_t n = 256 << 10;
	struct pod *p = *state;
	char *text = malloc(n);

	assert_non_null(text);
	fill_random(text, n);
	for (int i = 0; i < LOGGER_FORMS; i++) {
		bool found = false;

		pod_write(p, (enum logger_form)i, text, n);
		pod_say(p, (enum logger_form)i, good[i]);
		while (!found && pod_next(p, WAIT_MS))
			found = strcmp(pod_record(p, "message"), "good") == 0;
		assert_true(found);
	}
	free(text);
}

static void
nul_bytes_without_end_become_one_short_line(void **state)
{
	struct pod *p = *state;
	char *text = calloc(2, LOGGER_LINE_MAX);

	assert_non_null(text);
	pod_write(p, LOGGER_RAW, text, 2 * LOGGER_LINE_MAX);
	pod_say(p, LOGGER_RAW, "\nnext\n");
	assert_true(pod_next(p, WAIT_MS));
	assert_true(cJSON_IsTrue(cJSON_GetObjectItem(p->json, "truncated")));
	assert_in_range(p->line.len, 1024, LOGGER_LINE_MAX);
	pod_hears(p, "next");
	free(text);
}

/* ---- halves ---- */

static void
half_a_record_of_a_killed_collector_does_not_take_the_next_with_it(void **state)
{
	struct pod *p = *state;

	pod_say(p, LOGGER_JSON, "{\"timestamp\":\"2026\",\"error_severity\":\"LOG\",\"mess");
	pod_say(p, LOGGER_JSON, JSON_RECORD("whole \\\"{\\\"timestamp\\\":\\\"x\\\"}"));
	assert_true(pod_next(p, WAIT_MS));
	assert_string_equal(
		pod_text(p, "msg"), "{\"timestamp\":\"2026\",\"error_severity\":\"LOG\",\"mess");
	pod_hears_record(p, "whole \"{\"timestamp\":\"x\"}");
}

static void
half_a_csv_record_costs_no_whole_one(void **state)
{
	struct pod *p = *state;

	pod_say(p, LOGGER_CSV, "half of a message\",,,,,,,,,\"psql\",\"client backend\",,0\n");
	pod_say(p, LOGGER_CSV, CSV_RECORD("a"));
	pod_say(p, LOGGER_CSV, CSV_RECORD("b"));
	assert_true(pod_next(p, WAIT_MS));
	assert_string_equal(
		pod_text(p, "msg"), "half of a message\",,,,,,,,,\"psql\",\"client backend\",,0");
	pod_hears_record(p, "a");
	pod_hears_record(p, "b");
	pod_say(p, LOGGER_CSV, CSV_RECORD("several\nlines\n"));
	pod_hears_record(p, "several\nlines\n");
}

static void
open_quote_is_given_up_after_a_second(void **state)
{
	struct pod *p = *state;

	pod_say(p, LOGGER_CSV, CSV_RECORD("a") "2026-11-20 21:43:00.123 UTC,\"cut off\n");
	pod_say(p, LOGGER_CSV, CSV_RECORD("b"));
	pod_hears_record(p, "a");
	pod_hears(p, "2026-11-20 21:43:00.123 UTC,\"cut off");
	pod_hears_record(p, "b");
}

/* ---- stdout that is not read ---- */

#define LOAD_RECORDS 40000

static void
stdout_not_read_never_makes_postgres_wait(void **state)
{
	static const char record[] = JSON_RECORD(
		"duration: 0.123 ms  statement: select * from pgbench_accounts where aid = 12345");
	uint64_t lines = 0, announced = 0;
	struct pod *p = *state;
	int64_t longest = 0, took;

	for (int i = 0; i < LOAD_RECORDS; i++) {
		took = pod_write(p, LOGGER_JSON, record, sizeof(record) - 1);
		longest = took > longest ? took : longest;
	}
	assert_in_range(
		longest, 0, 1000); /* a machine may stall; a reader that waits takes for ever */
	POD_WAIT(p, f, f.records == LOAD_RECORDS && f.stdout_blocked_ns > 0 && f.dropped > 0);

	while (announced == 0) {
		assert_true(pod_next(p, WAIT_MS));
		if (strcmp(pod_text(p, "msg"), "log lines dropped") == 0)
			announced = (uint64_t)cJSON_GetNumberValue(
				cJSON_GetObjectItem(p->json, "lines"));
		else
			lines++;
	}
	assert_int_equal(lines + announced, LOAD_RECORDS);
	assert_true(lines > 1000);
	pod_say(p, LOGGER_RAW, "flows\n");
	pod_hears(p, "flows");
	POD_WAIT(p, f, f.stdout_blocked_ns == 0 && f.dropped == announced && f.lines == lines + 2);
	assert_true(pod_facts(p).dropped_bytes > announced * sizeof(record));
}

static void
what_is_dropped_and_what_is_written_add_up_when_reading_is_slow(void **state)
{
	uint64_t sent = 0, lines = 0, announced = 0;
	struct pod *p = *state;

	/* Ten bursts of 2 MB, of each a few kilobytes are read before the next. */
	for (int burst = 0; burst < 10; burst++) {
		for (int i = 0; i < 10000; i++, sent++)
			pod_say(p, LOGGER_JSON, JSON_RECORD("burst"));
		(void)pod_fill(p, clock_boot_ms() + 1000);
	}
	while (lines + announced < sent && pod_next(p, WAIT_MS)) {
		if (strcmp(pod_text(p, "msg"), "log lines dropped") == 0)
			announced += (uint64_t)cJSON_GetNumberValue(
				cJSON_GetObjectItem(p->json, "lines"));
		else
			lines++;
	}
	assert_int_equal(lines + announced, sent);
	POD_WAIT(p, f, f.dropped == announced && f.records == sent);
}

static void
flags_of_the_shared_stdout_are_left_alone(void **state)
{
	struct pod *p = *state;

	pod_say(p, LOGGER_RAW, "x\n");
	pod_hears(p, "x");
	assert_int_equal(fcntl(p->out_w, F_GETFL) & O_NONBLOCK, 0);
}

/* ---- the board, and the end ---- */

static void
last_lines_of_postgres_stand_on_the_board_oldest_first(void **state)
{
	struct pod *p = *state;
	char line[256];

	for (int i = 0; i < LOG_LAST_LINES + 5; i++) {
		snprintf(line, sizeof(line),
			"{\"error_severity\":\"FATAL\",\"message\":\"no %d\"}\n", i);
		pod_say(p, LOGGER_JSON, line);
	}
	pod_say(p, LOGGER_RAW, "not of postgres\n");
	POD_WAIT(p, f, f.lines == LOG_LAST_LINES + 6);
	assert_int_equal(pod_facts(p).count, LOG_LAST_LINES);
	assert_string_equal(pod_facts(p).line[0], "FATAL:  no 5");
	assert_string_equal(pod_facts(p).line[LOG_LAST_LINES - 1], "FATAL:  no 24");
}

static void
next_logger_goes_on_where_a_killed_one_stopped(void **state)
{
	struct pod *p = *state;

	pod_say(p, LOGGER_JSON, JSON_RECORD("one"));
	pod_hears_record(p, "one");
	POD_WAIT(p, f, f.records == 1);
	pod_end(p, SIGKILL);
	pod_say(p, LOGGER_JSON, JSON_RECORD("two"));
	pod_start(p);
	pod_hears_record(p, "two");
	POD_WAIT(p, f, f.records == 2 && f.lines == 2 && f.count == 2);
	assert_string_equal(pod_facts(p).line[0], "LOG:  one");
	assert_string_equal(pod_facts(p).line[1], "LOG:  two");
}

static void
asked_to_end_it_writes_what_is_left(void **state)
{
	struct pod *p = *state;
	int status;

	pod_say(p, LOGGER_RAW, "started\n");
	pod_hears(p, "started");
	kill(p->pid, SIGSTOP);
	for (int i = 0; i < 100; i++)
		pod_say(p, LOGGER_JSON, JSON_RECORD("late"));
	pod_say(p, LOGGER_RAW, "half");
	kill(p->pid, SIGTERM);
	kill(p->pid, SIGCONT);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	p->pid = 0;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	for (int late = 0, half = 0; late < 100 || !half;) {
		assert_true(pod_next(p, WAIT_MS));
		late += strcmp(pod_record(p, "message"), "late") == 0;
		half += strcmp(pod_text(p, "msg"), "half") == 0;
	}
	assert_int_equal(pod_facts(p).records, 100);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(every_form_becomes_a_line_of_json),
		CASE(half_a_line_is_written_after_a_short_while),
		CASE(line_of_ten_megabytes_is_cut_and_the_next_is_whole),
		CASE(garbage_becomes_json_and_does_no_harm),
		CASE(nul_bytes_without_end_become_one_short_line),
		CASE(half_a_record_of_a_killed_collector_does_not_take_the_next_with_it),
		CASE(half_a_csv_record_costs_no_whole_one),
		CASE(open_quote_is_given_up_after_a_second),
		CASE(stdout_not_read_never_makes_postgres_wait),
		CASE(what_is_dropped_and_what_is_written_add_up_when_reading_is_slow),
		CASE(flags_of_the_shared_stdout_are_left_alone),
		CASE(last_lines_of_postgres_stand_on_the_board_oldest_first),
		CASE(next_logger_goes_on_where_a_killed_one_stopped),
		CASE(asked_to_end_it_writes_what_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
