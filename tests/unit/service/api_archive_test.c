#include "api_rig.h"

#include <fcntl.h>

#include "service/archiver.h"
#include "sys/file.h"

static struct rig rig;
static struct archive_facts facts;

static void
publish(void)
{
	shared_write(rig.board, SEC_ARCHIVE, &facts);
}

static int
setup(void **state)
{
	(void)state;
	memset(&rig, 0, sizeof(rig));
	memset(&facts, 0, sizeof(facts));
	rig_start(&rig);
	facts.state = ARCHIVE_STATE_OK;
	snprintf(facts.destination, sizeof(facts.destination), "s3://b/pg");
	facts.archived_lsn = 0x5000000;
	publish();
	return 0;
}

static int
teardown(void **state)
{
	char path[PATH_LEN + 32];
	int status;

	(void)state;
	snprintf(path, sizeof(path), "%s/" CATALOG_FILE, rig.dir);
	unlink(path);
	status = rig_stop(&rig);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static void
expect(const char *request, int status, const char *says)
{
	struct answer a;

	rig_call(&rig, API_HTTP, request, &a);
	if (a.status != status || (says && !strstr(a.body, says)))
		fail_msg("%s: %d %s (expected %d %s)", request, a.status, a.body, status,
			says ? says : "");
}

static void
job(uint64_t number, enum archive_job_state state, const char *name)
{
	struct archive_job *j = &facts.job[number % ARCHIVE_JOBS];

	*j = (struct archive_job){.number = number,
		.state = state,
		.bytes = 16 << 20,
		.started_wall_us = clock_wall_us()};
	snprintf(j->name, sizeof(j->name), "%s", name);
	if (state != ARCHIVE_JOB_RUNNING)
		j->finished_wall_us = j->started_wall_us + 20000;
	if (state == ARCHIVE_JOB_FAILED) {
		j->err_kind = ERR_REMOTE;
		snprintf(j->error, sizeof(j->error), "put: HTTP 503");
	}
	facts.jobs = number > facts.jobs ? number : facts.jobs;
}

/* ---- state ---- */

static void
exposure_counts_from_the_oldest_wal_that_is_not_there(void **state)
{
	(void)state;
	expect("GET /v1/wal", 200, "\"exposureSeconds\":0.000");
	expect("GET /v1/wal", 200, "\"failing\":null,\"conflict\":null,\"window\":null");
	facts.exposed_wall_us = clock_wall_us() - 90 * SEC_US;
	facts.state = ARCHIVE_STATE_FAILING;
	facts.queue = 3;
	facts.err_kind = ERR_REMOTE;
	facts.err_code = 503;
	snprintf(facts.problem, sizeof(facts.problem), "put x: HTTP 503");
	publish();
	expect("GET /v1/wal", 200, "\"exposureSeconds\":90.");
	expect("GET /v1/wal", 200,
		"\"failing\":{\"kind\":\"REMOTE\",\"code\":503,\"message\":\"put x: HTTP 503\"");
	expect("GET /v1/wal", 200, "\"queue\":3");
	expect("GET /pg/status", 200, "\"exposureSeconds\":90.");
}

static void
without_a_destination_nothing_pretends_to_be_safe(void **state)
{
	(void)state;
	memset(&facts, 0, sizeof(facts));
	publish();
	expect("GET /v1/wal", 200, "\"mode\":\"none\",\"state\":\"none\",\"exposureSeconds\":null");
	expect("GET /v1/backups", 200, "\"backups\":[],\"window\":null,\"archive\":\"none\"");
}

static void
an_archive_in_trouble_changes_no_probe(void **state)
{
	(void)state;
	facts.state = ARCHIVE_STATE_CONFLICT;
	snprintf(facts.conflict, sizeof(facts.conflict), "00000001000000000000000A");
	facts.exposed_wall_us = clock_wall_us() - 3600 * SEC_US;
	facts.queue = 10000;
	publish();
	expect("GET /v1/wal", 200, "\"conflict\":{\"wal\":\"00000001000000000000000A\"");
	expect("GET /readyz", 200, NULL);
	expect("GET /livez", 200, NULL);
	expect("GET /startupz", 200, NULL);
}

/* ---- jobs ---- */

static void
jobs_stand_in_their_order_newest_last(void **state)
{
	struct answer a;
	const char *first, *last;

	(void)state;
	expect("GET /v1/wal/jobs", 200, "{\"jobs\":[]}");
	for (uint64_t n = 1; n <= 100; n++)
		job(n, ARCHIVE_JOB_DONE, "000000010000000000000001");
	job(100, ARCHIVE_JOB_FAILED, "000000010000000000000002");
	publish();
	rig_call(&rig, API_HTTP, "GET /v1/wal/jobs", &a);
	first = strstr(a.body, "\"number\":37,");
	last = strstr(a.body, "\"number\":100,");
	assert_non_null(first);
	assert_true(last > first);
	assert_null(strstr(a.body, "\"number\":36,"));
	assert_non_null(
		strstr(a.body, "\"error\":{\"kind\":\"REMOTE\",\"message\":\"put: HTTP 503\"}"));
}

/* Reads until the text came. */
static bool
read_until(int fd, char *out, size_t size, const char *text)
{
	size_t len = strlen(out);

	while (!strstr(out, text)) {
		ssize_t n = rig_read(fd, out + len, size - 1 - len);

		if (n <= 0)
			return false;
		len += (size_t)n;
		out[len] = '\0';
	}
	return true;
}

static void
followers_see_jobs_begin_and_end(void **state)
{
	static char in[65536];
	int fd = rig_connect(&rig, API_HTTP);

	(void)state;
	in[0] = '\0';
	job(1, ARCHIVE_JOB_DONE, "000000010000000000000001");
	publish();
	rig_send_request(fd, "GET /v1/wal/jobs?follow=1", "", NULL);
	assert_true(read_until(fd, in, sizeof(in), "\"number\":1,"));
	assert_non_null(strcasestr(in, "transfer-encoding: chunked"));
	job(2, ARCHIVE_JOB_RUNNING, "000000010000000000000002");
	publish();
	assert_true(read_until(fd, in, sizeof(in), "\"number\":2,"));
	assert_non_null(strstr(in, "\"state\":\"running\""));
	job(2, ARCHIVE_JOB_DONE, "000000010000000000000002");
	publish();
	assert_true(
		read_until(fd, in, sizeof(in), "000000010000000000000002\",\"state\":\"done\""));
	for (uint64_t n = 3; n <= 200; n++)
		job(n, ARCHIVE_JOB_DONE, "000000010000000000000003");
	publish();
	assert_true(read_until(fd, in, sizeof(in), "\"number\":200,"));
	assert_non_null(strstr(in, "{\"missed\":134}\n"));
	close(fd);
}

static void
followers_are_few_and_those_who_left_make_room(void **state)
{
	int fd[9];
	char in[4096];

	(void)state;
	for (int i = 0; i < 9; i++) {
		fd[i] = rig_connect(&rig, API_HTTP);
		in[0] = '\0';
		rig_send_request(fd[i], "GET /v1/wal/jobs?follow=1", "", NULL);
		assert_true(read_until(fd[i], in, sizeof(in), "\r\n\r\n"));
		assert_non_null(strstr(in, i < 8 ? " 200 " : " 503 "));
	}
	close(fd[8]);
	close(fd[3]);
	for (int64_t until = clock_boot_ms() + RIG_MS;;) {
		fd[3] = rig_connect(&rig, API_HTTP);
		in[0] = '\0';
		rig_send_request(fd[3], "GET /v1/wal/jobs?follow=1", "", NULL);
		assert_true(read_until(fd[3], in, sizeof(in), "\r\n\r\n"));
		if (strstr(in, " 200 "))
			break;
		close(fd[3]);
		assert_true(clock_boot_ms() < until);
	}
	for (int i = 0; i < 8; i++)
		close(fd[i]);
}

static void
a_follower_that_does_not_read_is_dropped_and_nobody_waits(void **state)
{
	int fd = rig_connect(&rig, API_HTTP), small = 1;
	int64_t until = clock_boot_ms() + 5000;
	static char in[65536];
	uint64_t n = 0;
	ssize_t got;

	(void)state;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	rig_send_request(fd, "GET /v1/wal/jobs?follow=1", "", NULL);
	while (clock_boot_ms() < until) {
		for (int i = 0; i < ARCHIVE_JOBS; i++) {
			job(++n, ARCHIVE_JOB_FAILED, "000000010000000000000003");
			memset(facts.job[n % ARCHIVE_JOBS].error, 'x', 159);
		}
		publish();
		board_beat(rig.board, SERVICE_SUPERVISOR);
		expect("GET /v1/wal", 200, NULL);
		poll(NULL, 0, 20);
	}
	/* What it was sent before is there, and then the end. */
	while ((got = rig_read(fd, in, sizeof(in))) > 0)
		;
	assert_int_equal(got, 0);
	close(fd);
}

/* ---- the catalogue ---- */

static void
backups_are_those_of_the_catalogue_and_what_runs_now(void **state)
{
	static const char text[] =
		"{\"readAt\":\"2026-11-20T10:00:00Z\",\"backups\":["
		"{\"id\":\"20261119T010203\",\"status\":\"DONE\",\"tablespaces\":[{\"name\":\"a]}"
		"\"}]},"
		"{\"id\":\"20261120T010203\",\"status\":\"FAILED\"}],\"window\":null}";
	char path[PATH_LEN + 32];
	struct answer a;
	struct err e;

	(void)state;
	expect("GET /v1/backups", 200, "\"readAt\":null,\"backups\":[]");
	expect("GET /v1/backups/20261119T010203", 503, "not read yet");
	snprintf(path, sizeof(path), "%s/" CATALOG_FILE, rig.dir);
	assert_int_equal(file_write(path, text, sizeof(text) - 1, 0600, &e), 0);
	expect("GET /v1/backups", 200, "\"id\":\"20261120T010203\",\"status\":\"FAILED\"}]");
	expect("GET /v1/backups", 200, "\"window\":null,\"archive\":\"ok\"");
	expect("GET /v1/backups", 200, "\"running\":null}");
	rig_call(&rig, API_HTTP, "GET /v1/backups/20261119T010203", &a);
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "{\"id\":\"20261119T010203\",\"status\":\"DONE\","
				    "\"tablespaces\":[{\"name\":\"a]}\"}]}\n");
	expect("GET /v1/backups/20261119T010204", 404, "NOTFOUND");
	expect("GET /v1/backups/readAt", 404, "NOTFOUND");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(exposure_counts_from_the_oldest_wal_that_is_not_there),
		TEST(without_a_destination_nothing_pretends_to_be_safe),
		TEST(an_archive_in_trouble_changes_no_probe),
		TEST(jobs_stand_in_their_order_newest_last),
		TEST(followers_see_jobs_begin_and_end),
		TEST(followers_are_few_and_those_who_left_make_room),
		TEST(a_follower_that_does_not_read_is_dropped_and_nobody_waits),
		TEST(backups_are_those_of_the_catalogue_and_what_runs_now),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
