#include "api_rig.h"
#include "service/plot.h"

static struct rig rig;

static int
setup(void **state)
{
	(void)state;
	memset(&rig, 0, sizeof(rig));
	rig_start(&rig);
	return 0;
}

/* Leaks and overflows of the api's process show in its exit status. */
static int
teardown(void **state)
{
	int status = rig_stop(&rig);

	(void)state;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static void
expect_call(enum api_listener which, const char *request, int status, const char *says)
{
	struct answer a;

	rig_call(&rig, which, request, &a);
	if (a.status != status || (says && !strstr(a.body, says) && !strstr(a.head, says)))
		fail_msg("%s: %d %s%s (expected %d %s)", request, a.status, a.head, a.body, status,
			says ? says : "");
}

/* ---- paths and methods ---- */

static void
probes_of_a_healthy_primary_are_200(void **state)
{
	(void)state;
	expect_call(API_HTTP, "GET /livez", 200, "\"ok\":true");
	expect_call(API_HTTP, "GET /healthz", 200, NULL);
	expect_call(API_HTTP, "GET /readyz", 200, "postgres takes writes");
	expect_call(API_HTTP, "GET /startupz", 200, NULL);
	expect_call(API_CONTROL, "GET /readyz", 200, NULL);
}

static void
head_answers_as_get_without_a_body(void **state)
{
	struct answer a;

	(void)state;
	rig_call(&rig, API_HTTP, "HEAD /readyz", &a);
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "");
	assert_true(rig_length_of(a.head) > 0);
	rig_call(&rig, API_HTTP, "HEAD /pg/status", &a);
	assert_int_equal(a.status, 200);
}

static void
unknown_paths_are_404_on_every_listener(void **state)
{
	(void)state;
	expect_call(API_HTTP, "GET /nowhere", 404, "\"kind\":\"NOTFOUND\"");
	expect_call(API_HTTP, "GET /readyz/", 404, NULL);
	expect_call(API_HTTP, "POST /v1/nowhere", 404, NULL);
	expect_call(API_METRICS, "GET /readyz", 404, NULL);
	expect_call(API_HTTP, "GET /metrics", 404, NULL);
	expect_call(API_HTTP, "GET /v1/operations/a/b", 404, NULL);
}

static void
wrong_methods_are_405_and_name_the_right_ones(void **state)
{
	(void)state;
	expect_call(API_HTTP, "POST /readyz", 405, "Allow: GET, HEAD\r\n");
	expect_call(API_HTTP, "GET /v1/promote", 405, "Allow: POST\r\n");
	expect_call(API_HTTP, "PUT /v1/backups", 405, "Allow: GET, HEAD, POST\r\n");
	expect_call(API_HTTP, "BREW /livez", 405, "\"kind\":\"INVALID\"");
	expect_call(API_HTTP, "DELETE /primary", 405, "Allow: GET, HEAD, OPTIONS\r\n");
}

static void
metrics_answer_before_there_is_anything(void **state)
{
	(void)state;
	expect_call(API_METRICS, "GET /metrics", 200, "cnpg_collector_up{cluster=");
	expect_call(API_CONTROL, "GET /metrics", 200, "podgres_metrics_age_seconds +Inf");
	expect_call(API_METRICS, "GET /metrics?collect[]=podgres", 200, "podgres_build_info{");
	expect_call(API_METRICS, "GET /metrics?collect[]=nothing", 400, "no such group");
	expect_call(API_METRICS, "GET /", 200, "/metrics");
}

static void
the_index_lists_the_paths(void **state)
{
	(void)state;
	expect_call(API_HTTP, "GET /v1", 200, "/v1/promote");
	expect_call(API_CONTROL, "GET /v1", 200, "/v1/promote");
	expect_call(API_HTTP, "POST /v1", 405, "Allow: GET, HEAD\r\n");
}

static void
the_page_is_for_people_and_allows_itself_alone(void **state)
{
	struct answer a;

	(void)state;
	expect_call(API_HTTP, "GET /", 200, "<h1>pg-1");
	expect_call(API_HTTP, "GET /", 200, "default-src 'none'; style-src 'sha256-");
	expect_call(API_HTTP, "GET /", 200, "X-Content-Type-Options: nosniff");
	expect_call(API_HTTP, "GET /", 200, "Cache-Control: no-store");
	expect_call(API_CONTROL, "GET /", 200, "Content-Type: text/html; charset=utf-8");
	rig_call(&rig, API_HTTP, "HEAD /", &a);
	assert_int_equal(a.status, 200);
	assert_string_equal(a.body, "");
	assert_true(rig_length_of(a.head) > 4000);
	expect_call(API_HTTP, "OPTIONS /", 200, NULL);
	expect_call(API_HTTP, "POST /", 405, "Allow: GET, HEAD, OPTIONS\r\n");
	expect_call(API_METRICS, "POST /", 405, NULL);
}

static void
the_ring_is_served_before_and_after_there_is_one(void **state)
{
	struct plot plot = {0};
	struct plot_point p = {.wall_us = clock_wall_us(),
		.wal_lsn = 0x3000000,
		.lag_bytes = -1,
		.lag_s = -1,
		.exposed_s = 1.5F,
		.connections = 7,
		.queue = 2,
		.disk_free = -1,
		.state = FSM_PRIMARY,
		.replica_lag = {-1, 5, -1, -1, -1, -1, -1, -1}};

	(void)state;
	expect_call(API_HTTP, "GET /v1/plots", 200, "\"points\":[]");
	plot_add(&plot, &p);
	shared_write(rig.board, SEC_PLOT, &plot);
	expect_call(API_HTTP, "GET /v1/plots", 200, "\"connections\":7,\"queue\":2");
	expect_call(API_HTTP, "GET /v1/plots", 200, "\"replicaLagBytes\":[null,5]");
	expect_call(API_HTTP, "GET /v1/plots", 200, "\"lagBytes\":null");
	expect_call(API_HTTP, "GET /", 200, "Connections: <strong>7</strong>");
	expect_call(API_HTTP, "DELETE /v1/plots", 405, NULL);
}

/* ---- the board ---- */

static void
a_new_publication_is_seen_by_the_next_request(void **state)
{
	(void)state;
	rig.sup.fenced = true;
	snprintf(rig.sup.fence_reason, sizeof(rig.sup.fence_reason), "because");
	rig_publish(&rig);
	expect_call(API_HTTP, "GET /readyz", 503, "fenced: because");
	expect_call(API_HTTP, "GET /livez", 200, NULL);
	expect_call(API_HTTP, "GET /pg/status", 200, "\"fenceReason\":\"because\"");
	rig.sup.fenced = false;
	rig_publish(&rig);
	expect_call(API_HTTP, "GET /readyz", 200, NULL);
}

static void
facts_about_an_earlier_postmaster_do_not_count(void **state)
{
	(void)state;
	rig.sup.pg_pid = RIG_PG_PID + 1;
	rig_publish(&rig);
	expect_call(API_HTTP, "GET /readyz", 503, "nobody has looked at this postgres");
	expect_call(API_HTTP, "GET /primary", 503, NULL);
}

static void
patronis_role_checks_tell_primary_and_replica_apart(void **state)
{
	(void)state;
	expect_call(API_HTTP, "GET /primary", 200, "\"role\":\"primary\"");
	expect_call(API_HTTP, "OPTIONS /read-write", 200, NULL);
	expect_call(API_HTTP, "HEAD /leader", 200, NULL);
	expect_call(API_HTTP, "GET /replica", 503, NULL);
	expect_call(API_HTTP, "GET /read-only", 200, NULL);
	expect_call(API_HTTP, "GET /health", 200, NULL);
	rig.sup.state = FSM_STANDBY;
	rig.pg.in_recovery = rig.pg.receiver_active = rig.pg.has_primary_conninfo = true;
	rig.pg.replay_lsn = 0x1000000;
	rig.pg.latest_end_lsn = rig.pg.received_lsn = 0x1000000 + (10 << 20);
	rig_publish(&rig);
	expect_call(API_HTTP, "GET /primary", 503, "\"role\":\"replica\"");
	expect_call(API_HTTP, "OPTIONS /replica", 200, NULL);
	expect_call(API_HTTP, "GET /replica?lag=10MB", 200, NULL);
	expect_call(API_HTTP, "GET /replica?lag=10485759", 503, NULL);
	expect_call(API_HTTP, "GET /replica?replication_state=streaming", 200, NULL);
	expect_call(API_HTTP, "GET /replica?tag_zone=a", 503, NULL);
	expect_call(API_HTTP, "GET /async?lag=1GB", 200, NULL);
	expect_call(API_HTTP, "GET /sync", 503, NULL);
	rig.pg.receiver_active = false;
	rig_publish(&rig);
	expect_call(API_HTTP, "GET /replica?replication_state=streaming", 503, NULL);
	expect_call(API_HTTP, "GET /replica", 200, NULL);
}

static void
status_is_200_and_says_why_when_postgres_is_down(void **state)
{
	(void)state;
	rig.sup.state = FSM_FAILED;
	rig.sup.pg_phase = PG_PHASE_DOWN;
	rig.sup.pg_pid = 0;
	rig.sup.pg_exit =
		(struct pg_exit){.set = true, .code = -1, .sig = SIGSEGV, .at_wall_us = 1};
	snprintf(rig.sup.reason, sizeof(rig.sup.reason), "postgres crashed");
	rig.log.count = 1;
	snprintf(rig.log.line[0], LOG_LAST_BYTES, "PANIC:  could not read \"x\" \xff");
	rig_publish(&rig);
	expect_call(API_HTTP, "GET /pg/status", 200, "\"signal\":11");
	expect_call(API_HTTP, "GET /pg/status", 200, "could not read \\\"x\\\" \xEF\xBF\xBD");
	expect_call(API_HTTP, "GET /pg/status", 200, "\"reason\":\"postgres crashed\"");
	expect_call(API_HTTP, "GET /livez", 200, NULL);
	expect_call(API_HTTP, "GET /cluster", 200, "\"state\":\"crashed\"");
	expect_call(API_HTTP, "GET /pg/controldata", 404, "pg_control");
}

static void
standbys_and_timelines_are_listed(void **state)
{
	struct pg_replica *r = &rig.pg.replica[0];

	(void)state;
	rig.pg.replicas = 1;
	snprintf(r->application_name, sizeof(r->application_name), "pg-2");
	snprintf(r->state, sizeof(r->state), "streaming");
	snprintf(r->sync_state, sizeof(r->sync_state), "sync");
	r->flush_lsn = r->replay_lsn = rig.pg.current_lsn - 0x100;
	rig.pg.histories = 1;
	rig.pg.history[0].timeline = 1;
	rig.pg.history[0].lsn = 0x5000000;
	snprintf(rig.pg.history[0].reason, sizeof(rig.pg.history[0].reason), "no recovery target");
	rig_publish(&rig);
	expect_call(API_HTTP, "GET /cluster", 200, "\"name\":\"pg-2\",\"role\":\"sync_standby\"");
	expect_call(API_HTTP, "GET /cluster", 200, "\"replay_lag\":256");
	expect_call(API_HTTP, "GET /history", 200, "[[1,83886080,\"no recovery target\"]]");
	expect_call(API_HTTP, "GET /pg/status", 200, "\"applicationName\":\"pg-2\"");
}

/* ---- orders ---- */

static void
tcp_without_configuration_gives_no_orders_and_says_so(void **state)
{
	struct pollfd p = {.fd = rig.channel, .events = POLLIN};

	(void)state;
	expect_call(API_HTTP, "POST /v1/promote", 403, "neither a client CA nor a token file");
	expect_call(API_HTTP, "POST /v1/backups", 403, NULL);
	expect_call(API_HTTP, "DELETE /v1/backups/x", 403, NULL);
	assert_int_equal(poll(&p, 1, 0), 0);
}

static void
an_order_is_taken_with_202_and_a_place_to_look(void **state)
{
	int fd = rig_connect(&rig, API_CONTROL);
	struct order o;
	struct answer a;
	uint64_t id;

	(void)state;
	rig_send_request(fd, "POST /v1/restart?mode=fast", "Idempotency-Key: k1\r\n",
		"{\"reason\":\"a test\"}");
	id = rig_order(&rig, &o);
	assert_int_equal(o.kind, ORDER_RESTART);
	assert_int_equal(o.mode, ORDER_MODE_FAST);
	assert_string_equal(o.reason, "a test");
	assert_string_equal(o.idem_key, "k1");
	assert_memory_equal(o.by, "unix:uid=", 9);
	rig_accept(&rig, id, "op-1");
	rig_receive(fd, false, &a);
	assert_int_equal(a.status, 202);
	assert_non_null(strstr(a.head, "Location: /v1/operations/op-1\r\n"));
	assert_non_null(strstr(a.body, "{\"operation\":{\"id\":\"op-1\",\"kind\":\"restart\""));
	close(fd);
}

static void
a_refused_order_is_409_with_the_sentence(void **state)
{
	struct order_reply reply = {.err_kind = ERR_STATE, .reason = "it is the primary already"};
	int fd = rig_connect(&rig, API_CONTROL);
	struct answer a;
	struct order o;
	uint64_t id;

	(void)state;
	rig_send_request(fd, "POST /v1/promote?wait=5s", "", NULL);
	id = rig_order(&rig, &o);
	rig_tell(&rig, MSG_ORDER_REPLY, id, &reply, sizeof(reply));
	rig_receive(fd, false, &a);
	assert_int_equal(a.status, 409);
	assert_non_null(strstr(a.body, "\"kind\":\"STATE\",\"message\":\"it is the primary"));
	close(fd);
}

/* Sends a restart with ?wait= and lets the supervisor take it. */
static int
begin_wait(const char *wait, const char *op_id)
{
	int fd = rig_connect(&rig, API_CONTROL);
	char request[64];
	struct order o;

	snprintf(request, sizeof(request), "POST /v1/restart?wait=%s", wait);
	rig_send_request(fd, request, "", NULL);
	rig_operation(&rig, op_id, OP_RUNNING);
	rig_accept(&rig, rig_order(&rig, &o), op_id);
	return fd;
}

static void
who_waits_is_answered_when_the_operation_ends(void **state)
{
	int fd = begin_wait("30s", "op-2");
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct answer a;

	(void)state;
	expect_call(API_HTTP, "GET /v1/operations/op-2", 200, "\"state\":\"running\"");
	expect_call(API_HTTP, "GET /readyz", 200, NULL);
	assert_int_equal(poll(&p, 1, 0), 0);
	rig_operation(&rig, "op-2", OP_DONE);
	rig_receive(fd, false, &a);
	assert_int_equal(a.status, 200);
	assert_non_null(strstr(a.body, "\"state\":\"done\""));
	assert_non_null(strstr(a.body, "\"finishedAt\":\""));
	close(fd);
}

static void
a_failed_operation_has_the_status_of_its_kind(void **state)
{
	int fd = begin_wait("30s", "op-3");
	struct operation *op = &rig.sup.operation[0];
	struct answer a;

	(void)state;
	op->state = OP_FAILED;
	op->err_kind = ERR_UNMET;
	snprintf(op->error, sizeof(op->error), "a condition");
	rig_publish(&rig);
	rig_tell(&rig, MSG_POKE, 0, NULL, 0);
	rig_receive(fd, false, &a);
	assert_int_equal(a.status, 412);
	assert_non_null(
		strstr(a.body, "\"error\":{\"kind\":\"UNMET\",\"message\":\"a condition\"}"));
	close(fd);
}

static void
the_deadline_of_a_wait_is_504_and_the_operation_goes_on(void **state)
{
	int fd = begin_wait("200ms", "op-4");
	int64_t began = clock_boot_ms();
	struct answer a;

	(void)state;
	rig_receive(fd, false, &a);
	assert_int_equal(a.status, 504);
	assert_true(clock_boot_ms() - began < 2000);
	assert_non_null(strstr(a.body, "\"kind\":\"TIMEOUT\""));
	assert_non_null(strstr(a.body, "\"id\":\"op-4\""));
	expect_call(API_CONTROL, "GET /v1/operations/op-4", 200, "\"state\":\"running\"");
	close(fd);
}

static void
a_client_that_leaves_while_waiting_hurts_nobody(void **state)
{
	int fd = begin_wait("300ms", "op-5");
	int other = begin_wait("30s", "op-5");
	struct answer a;

	(void)state;
	close(fd);
	rig_operation(&rig, "op-5", OP_DONE);
	rig_receive(other, false, &a);
	assert_int_equal(a.status, 200);
	close(other);
	expect_call(API_HTTP, "GET /readyz", 200, NULL);
}

static void
a_connection_goes_on_after_an_order(void **state)
{
	int fd = begin_wait("30s", "op-6");
	struct answer a;

	(void)state;
	rig_operation(&rig, "op-6", OP_DONE);
	rig_receive(fd, false, &a);
	assert_int_equal(a.status, 200);
	rig_send_request(fd, "GET /readyz", "", NULL);
	rig_receive(fd, false, &a);
	assert_int_equal(a.status, 200);
	close(fd);
}

static void
a_broken_order_is_400_and_reaches_nobody(void **state)
{
	struct pollfd p = {.fd = rig.channel, .events = POLLIN};
	int fd = rig_connect(&rig, API_CONTROL);
	struct answer a;

	(void)state;
	expect_call(API_CONTROL, "POST /v1/restart?wait=soon", 400, "duration");
	expect_call(API_CONTROL, "POST /v1/restart?colour=red", 400, "colour");
	rig_send_request(fd, "POST /v1/fence", "", "{\"mode\":");
	rig_receive(fd, false, &a);
	assert_int_equal(a.status, 400);
	close(fd);
	assert_int_equal(poll(&p, 1, 0), 0);
}

static void
unknown_operations_are_404(void **state)
{
	(void)state;
	rig_operation(&rig, "op-7", OP_DONE);
	expect_call(API_HTTP, "GET /v1/operations/op-8", 404, "no such operation");
	expect_call(API_HTTP, "GET /v1/operations", 200, "{\"operations\":[{\"id\":\"op-7\"");
}

/* ---- bodies and slow clients ---- */

static void
send_zeros(int fd, size_t bytes)
{
	static const char block[65536];

	for (; bytes > 0; bytes -= bytes < sizeof(block) ? bytes : sizeof(block))
		rig_send(fd, block, bytes < sizeof(block) ? bytes : sizeof(block));
}

static void
a_body_above_a_mebibyte_is_413(void **state)
{
	static const char head[] = "POST /v1/fence HTTP/1.1\r\nHost: x\r\n";
	int fd = rig_connect(&rig, API_CONTROL);
	struct answer a;
	char more[64];

	(void)state;
	rig_send(fd, head, strlen(head));
	snprintf(more, sizeof(more), "Content-Length: %d\r\n\r\n", (1 << 20) + 1);
	rig_send(fd, more, strlen(more));
	send_zeros(fd, (1 << 20) + 1);
	rig_receive(fd, false, &a);
	assert_int_equal(a.status, 413);
	close(fd);

	fd = rig_connect(&rig, API_CONTROL); /* the same without saying so first */
	rig_send(fd, head, strlen(head));
	snprintf(more, sizeof(more), "Transfer-Encoding: chunked\r\n\r\n180000\r\n");
	rig_send(fd, more, strlen(more));
	send_zeros(fd, 0x180000);
	rig_send(fd, "\r\n0\r\n\r\n", 7);
	rig_receive(fd, false, &a);
	assert_int_equal(a.status, 413);
	close(fd);
}

static void
a_body_that_never_was_allowed_is_refused_before_it_is_sent(void **state)
{
	static const char head[] = "POST /v1/fence HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
				   "Content-Length: 500000000\r\n\r\n";
	int fd = rig_connect(&rig, API_HTTP);
	struct answer a;

	(void)state;
	rig_send(fd, head, strlen(head));
	rig_receive(fd, false, &a);
	assert_int_equal(a.status, 403);
	close(fd);
}

static void
a_crowd_of_silent_connections_does_not_keep_a_probe_out(void **state)
{
	int fd[400];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
		fd[i] = rig_connect(&rig, API_HTTP);
		rig_send(fd[i], "GET /rea", 8);
	}
	for (int i = 0; i < 10; i++)
		expect_call(API_HTTP, "GET /readyz", 200, NULL);
	expect_call(API_CONTROL, "GET /readyz", 200, NULL);
	for (size_t i = 0; i < ARRAY_LEN(fd); i++)
		close(fd[i]);
}

static void
two_requests_in_one_packet_get_two_answers(void **state)
{
	static const char text[] = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
				   "GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	int fd = rig_connect(&rig, API_HTTP);
	char raw[4096];
	size_t len = 0;
	ssize_t n;

	(void)state;
	rig_send(fd, text, strlen(text));
	while ((n = rig_read(fd, raw + len, sizeof(raw) - 1 - len)) > 0)
		len += (size_t)n;
	raw[len] = '\0';
	assert_non_null(strstr(raw, "HTTP/1.1 200"));
	assert_non_null(strstr(raw, "HTTP/1.1 404"));
	close(fd);
}

static void
nonsense_is_refused(void **state)
{
	static const char *const texts[] = {"GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
		"\x16\x03 \x01 \x02\r\n\r\n",
		"GET /%00%ff%zz?a=%00&=&&=x HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /readyz%00/x HTTP/1.1\r\nHost: x\r\n\r\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		int fd = rig_connect(&rig, API_HTTP);
		struct answer a;

		rig_send(fd, texts[i], strlen(texts[i]));
		rig_receive(fd, false, &a);
		if (a.status != 0 && a.status < 400)
			fail_msg("%s: %d", texts[i], a.status);
		close(fd);
	}
	expect_call(API_HTTP, "GET /readyz", 200, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(probes_of_a_healthy_primary_are_200),
		TEST(head_answers_as_get_without_a_body),
		TEST(unknown_paths_are_404_on_every_listener),
		TEST(wrong_methods_are_405_and_name_the_right_ones),
		TEST(metrics_answer_before_there_is_anything),
		TEST(the_index_lists_the_paths),
		TEST(the_page_is_for_people_and_allows_itself_alone),
		TEST(the_ring_is_served_before_and_after_there_is_one),
		TEST(a_new_publication_is_seen_by_the_next_request),
		TEST(facts_about_an_earlier_postmaster_do_not_count),
		TEST(patronis_role_checks_tell_primary_and_replica_apart),
		TEST(status_is_200_and_says_why_when_postgres_is_down),
		TEST(standbys_and_timelines_are_listed),
		TEST(tcp_without_configuration_gives_no_orders_and_says_so),
		TEST(an_order_is_taken_with_202_and_a_place_to_look),
		TEST(a_refused_order_is_409_with_the_sentence),
		TEST(who_waits_is_answered_when_the_operation_ends),
		TEST(a_failed_operation_has_the_status_of_its_kind),
		TEST(the_deadline_of_a_wait_is_504_and_the_operation_goes_on),
		TEST(a_client_that_leaves_while_waiting_hurts_nobody),
		TEST(a_connection_goes_on_after_an_order),
		TEST(a_broken_order_is_400_and_reaches_nobody),
		TEST(unknown_operations_are_404),
		TEST(a_body_above_a_mebibyte_is_413),
		TEST(a_body_that_never_was_allowed_is_refused_before_it_is_sent),
		TEST(a_crowd_of_silent_connections_does_not_keep_a_probe_out),
		TEST(two_requests_in_one_packet_get_two_answers),
		TEST(nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
