#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cmd/reply.h"
#include "cmd/status.h"

static const char primary[] =
	"{\"pod\":{\"metadata\":{\"name\":\"my-postgres-1\"}},\"state\":\"primary\","
	"\"reason\":\"primary: postgres takes writes\",\"since\":\"2026-11-20T09:59:00.500000Z\","
	"\"ready\":true,\"live\":true,\"fenced\":false,\"paused\":false,\"isPrimary\":true,"
	"\"timeLineID\":3,\"currentLsn\":\"0/5000060\",\"currentWAL\":\"000000030000000000000005\","
	"\"systemID\":\"7312345678901234567\",\"sessionID\":\"2f1c\","
	"\"instanceManagerVersion\":\"0.1.0\",\"pendingRestart\":true,"
	"\"pendingRestartSettings\":[{\"name\":\"shared_buffers\",\"old\":\"128MB\",\"new\":"
	"\"256MB\"}],"
	"\"postgres\":{\"pid\":4242,\"version\":\"15.20\",\"startedAt\":\"2026-11-20T06:48:00Z\","
	"\"connections\":12,\"maxConnections\":100,\"lastLogLines\":[\"LOG:  ready\"],"
	"\"lastExit\":{\"code\":-1,\"signal\":9,\"at\":\"2026-11-20T06:47:59Z\"}},"
	"\"observedAgeSeconds\":0.4,\"disk\":{\"dataTotalBytes\":50000000000,"
	"\"dataFreeBytes\":12000000000,\"walTotalBytes\":20000000000,\"walFreeBytes\":1000000,"
	"\"walBytes\":1234567890},\"replicationInfo\":[{\"applicationName\":\"my-postgres-2\","
	"\"state\":\"streaming\",\"syncState\":\"async\",\"receivedLsn\":\"0/5000060\","
	"\"flushLsn\":\"0/5000060\",\"replayLsn\":\"0/5000028\",\"replayLag\":\"00:00:00.001\"}],"
	"\"operations\":[{\"id\":\"op-1\",\"kind\":\"fence\",\"phase\":\"done\",\"progress\":null,"
	"\"startedAt\":\"2026-11-20T09:50:00Z\",\"finishedAt\":\"2026-11-20T09:50:02Z\","
	"\"error\":null},{\"id\":\"op-2\",\"kind\":\"promote\",\"phase\":\"failed\","
	"\"startedAt\":\"2026-11-20T09:51:00Z\",\"finishedAt\":\"2026-11-20T09:51:00Z\","
	"\"error\":{\"kind\":\"STATE\",\"message\":\"this is the primary already, and there is no "
	"way to make it more of one\"}}],"
	"\"services\":[{\"name\":\"logger\",\"pid\":11,\"restarts\":0,\"heartbeatAgeSeconds\":0.3,"
	"\"rssBytes\":1048576},{\"name\":\"monitor\",\"pid\":12,\"restarts\":2,"
	"\"heartbeatAgeSeconds\":0.7,\"rssBytes\":2097152,\"reason\":\"killed: no heartbeat for 15 "
	"s, which is longer than it may be silent\"}]}";

static const char failed[] =
	"{\"pod\":{\"metadata\":{\"name\":\"p\"}},\"state\":\"failed\",\"reason\":\"postgres "
	"cannot run: "
	"the data directory was initialised by PostgreSQL major version 14 and the programs that "
	"are "
	"installed are of version 15\",\"ready\":false,\"live\":true,"
	"\"postgres\":{\"pid\":0,\"lastExit\":{\"code\":1,\"signal\":0,"
	"\"at\":\"2026-11-20T09:59:50Z\"},\"lastLogLines\":[\"FATAL:  could not open\\tfile\"]}}";

/* 2026-11-20T10:00:00Z */
#define NOW_US INT64_C(1795168800000000)

static char *
render(const char *text, bool verbose, int columns)
{
	struct term term = {.columns = columns};
	AUTO(cJSON_Delete) cJSON *json = cJSON_Parse(text);
	struct buf out = {0};

	assert_non_null(json);
	status_render(
		&(struct status_view){
			.json = json, .term = &term, .verbose = verbose, .now_us = NOW_US},
		&out);
	return buf_take(&out);
}

static void
assert_fits(const char *text, int columns)
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		char line[1024];

		assert_true(n < sizeof(line));
		snprintf(line, sizeof(line), "%.*s", (int)n, text);
		if (term_width(line) > columns)
			fail_msg("%d columns: %s", term_width(line), line);
		text += n + (text[n] == '\n');
	}
}

static void
a_primary_fits_into_80_columns(void **state)
{
	AUTO(free) char *text = render(primary, false, 80);
	AUTO(free) char *all = render(primary, true, 80);

	(void)state;
	assert_fits(text, 80);
	assert_fits(all, 80);
	if (getenv("SHOW"))
		fprintf(stderr, "%s\n----\n%s\n", text, all);
}

static void
the_first_line_says_who_what_and_whether_ready(void **state)
{
	AUTO(free) char *text = render(primary, false, 80);

	(void)state;
	assert_int_equal(strncmp(text,
				 "my-postgres-1  primary  ready  for 59 s\n"
				 "  primary: postgres takes writes\n",
				 60),
		0);
}

static void
what_matters_today_is_shown(void **state)
{
	AUTO(free) char *text = render(primary, false, 80);

	(void)state;
	assert_non_null(strstr(text, "Postgres    15.20, pid 4242, up 3 h 12 min\n"));
	assert_non_null(strstr(text, "Role        primary on timeline 3\n"));
	assert_non_null(strstr(text, "0/5000060 (000000030000000000000005)\n"));
	assert_non_null(strstr(text, "restart for shared_buffers 128MB -> 256MB\n"));
	assert_non_null(strstr(text, "killed by signal 9 (SIGKILL), 3 h 12 min ago\n"));
	assert_non_null(strstr(text, "data 12 GB free of 50 GB, wal 1.0 MB free of 20 GB, pg_wal"));
	assert_non_null(strstr(text, "Connections 12 of 100\n"));
	assert_non_null(strstr(text, "my-postgres-2  streaming  async"));
	assert_non_null(strstr(text, "this is the primary already"));
}

static void
quiet_services_and_fresh_looks_are_for_the_curious(void **state)
{
	AUTO(free) char *text = render(primary, false, 80);
	AUTO(free) char *all = render(primary, true, 80);

	(void)state;
	assert_null(strstr(text, "logger"));
	assert_non_null(strstr(text, "monitor"));
	assert_null(strstr(text, "looked"));
	assert_null(strstr(text, "LOG:  ready"));
	assert_non_null(strstr(all, "logger"));
	assert_non_null(strstr(all, "looked 0.4 s ago"));
	assert_non_null(strstr(all, "LOG: ready"));
	assert_non_null(strstr(all, "1.0 MB"));
}

static void
a_failure_shows_its_reason_exit_and_last_words(void **state)
{
	AUTO(free) char *text = render(failed, false, 80);

	(void)state;
	assert_fits(text, 80);
	assert_non_null(strstr(text, "p  failed  not ready\n"));
	assert_non_null(strstr(text, "of version 15\n"));
	assert_non_null(strstr(text, "Postgres    not running\n"));
	assert_non_null(strstr(text, "exit code 1, 10 s ago\n"));
	assert_non_null(strstr(text, "  FATAL: could not open file\n"));
	assert_null(strchr(text, '\t'));
}

static void
an_answer_of_another_version_is_shown_as_far_as_understood(void **state)
{
	AUTO(free) char *empty = render("{}", true, 80);
	AUTO(free)
	char *odd = render("{\"state\":7,\"services\":{},\"operations\":[1,null],"
			   "\"postgres\":[],\"disk\":\"full\",\"since\":\"yesterday\"}",
		true, 80);

	(void)state;
	assert_non_null(strstr(empty, "not ready"));
	assert_non_null(strstr(odd, "not running"));
}

static void
colour_is_for_terminals(void **state)
{
	struct term term = {.columns = 80, .tty = true, .colour = true};
	AUTO(cJSON_Delete) cJSON *json = cJSON_Parse(primary);
	AUTO(buf_deinit) struct buf out = {0};
	AUTO(free) char *plain = render(primary, true, 80);

	(void)state;
	status_render(&(struct status_view){.json = json, .term = &term, .now_us = NOW_US}, &out);
	assert_non_null(strstr(buf_str(&out), "\033[32mready\033[0m"));
	assert_null(strchr(plain, '\033'));
	assert_fits(buf_str(&out), 80);
}

static void
times_and_sizes_are_read_and_written(void **state)
{
	char out[16];

	(void)state;
	assert_int_equal(status_time("2026-11-20T10:00:00Z"), NOW_US);
	assert_int_equal(status_time("2026-11-20T10:00:00.25Z"), NOW_US + 250000);
	assert_int_equal(status_time("2026-11-20T10:00:00"), 0);
	assert_int_equal(status_time(""), 0);
	assert_string_equal(status_bytes(0, out), "0 B");
	assert_string_equal(status_bytes(999, out), "999 B");
	assert_string_equal(status_bytes(999600, out), "1.0 MB");
	assert_string_equal(status_bytes(16777216, out), "17 MB");
	assert_string_equal(status_bytes(9.2e18, out), "9200 PB");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_primary_fits_into_80_columns),
		cmocka_unit_test(the_first_line_says_who_what_and_whether_ready),
		cmocka_unit_test(what_matters_today_is_shown),
		cmocka_unit_test(quiet_services_and_fresh_looks_are_for_the_curious),
		cmocka_unit_test(a_failure_shows_its_reason_exit_and_last_words),
		cmocka_unit_test(an_answer_of_another_version_is_shown_as_far_as_understood),
		cmocka_unit_test(colour_is_for_terminals),
		cmocka_unit_test(times_and_sizes_are_read_and_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
