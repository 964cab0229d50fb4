#include "api_rig.h"

static struct rig rig;
static struct elector_status el;

static void
publish(const char *member)
{
	el.members = 1;
	snprintf(el.member[0].name, sizeof(el.member[0].name), "pg-2");
	snprintf(el.member[0].address, sizeof(el.member[0].address), "%s", member);
	shared_write(rig.board, SEC_ELECTOR, &el);
}

static int
setup(void **state)
{
	(void)state;
	memset(&rig, 0, sizeof(rig));
	memset(&el, 0, sizeof(el));
	rig.opt.coordination = COORDINATION_KUBERNETES;
	rig_start(&rig);
	publish("127.0.0.1");
	return 0;
}

static int
teardown(void **state)
{
	int status = rig_stop(&rig);

	(void)state;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static int
ask(const char *body)
{
	int fd = rig_connect(&rig, API_HTTP);

	rig_send_request(fd, "POST /failsafe", "", body);
	return fd;
}

static void
answered(int fd, int status, const char *says)
{
	struct answer a;

	rig_receive(fd, false, &a);
	close(fd);
	if (a.status != status || !strstr(a.body, says))
		fail_msg("%d %s (expected %d %s)", a.status, a.body, status, says);
}

/* The question as the elector gets it; returns its id. */
static uint64_t
question(struct promise_question *q)
{
	struct pollfd p = {.fd = rig.channel, .events = POLLIN};
	struct channel_msg msg;
	struct err e;

	assert_int_equal(poll(&p, 1, RIG_MS), 1);
	assert_int_equal(channel_recv(rig.channel, &msg, &e), 1);
	assert_int_equal(msg.type, MSG_PROMISE);
	assert_true(channel_body(&msg, q, sizeof(*q)));
	return msg.id;
}

static void
the_elector_answers_a_member(void **state)
{
	struct promise_question q;
	struct promise_answer yes = {.granted = true, .ms = 15000},
			      no = {.reason = "this member knows another holder"};
	int fd = ask("{\"holder\":\"pg-2/u/n\"}");

	(void)state;
	rig_tell(&rig, MSG_PROMISED, question(&q), &yes, sizeof(yes));
	assert_string_equal(q.holder, "pg-2/u/n");
	assert_string_equal(q.address, "127.0.0.1");
	answered(fd, 200, "\"promised\":true");
	fd = ask("{\"holder\":\"pg-2/u/n\"}");
	rig_tell(&rig, MSG_PROMISED, question(&q), &no, sizeof(no));
	answered(fd, 409, "knows another holder");
}

static void
an_elector_that_is_silent_has_promised_nothing(void **state)
{
	struct promise_question q;
	int fd = ask("{\"holder\":\"pg-2/u/n\"}");

	(void)state;
	question(&q);
	answered(fd, 504, "has not answered");
}

static void
only_members_are_heard(void **state)
{
	(void)state;
	publish("10.0.0.9");
	answered(ask("{\"holder\":\"pg-2/u/n\"}"), 403, "only members");
	assert_int_equal(poll(&(struct pollfd){.fd = rig.channel, .events = POLLIN}, 1, 50), 0);
	publish("");
	answered(ask("{\"holder\":\"pg-2/u/n\"}"), 403, "only members");
}

static void
what_is_no_question_is_refused(void **state)
{
	char big[3000];

	(void)state;
	answered(ask(NULL), 400, "holder");
	answered(ask("{\"holder\":\"\"}"), 400, "holder");
	answered(ask("[1"), 400, "holder");
	snprintf(big, sizeof(big), "{\"holder\":\"pg-2/u/n\",\"x\":\"%02000d\"}", 0);
	answered(ask(big), 400, "holder");
}

static void
many_questions_are_too_many(void **state)
{
	struct promise_question q;
	int fd[API_PROMISES];

	(void)state;
	for (int i = 0; i < API_PROMISES; i++) {
		fd[i] = ask("{\"holder\":\"pg-2/u/n\"}");
		question(&q);
	}
	answered(ask("{\"holder\":\"pg-2/u/n\"}"), 429, "too often");
	for (int i = 0; i < API_PROMISES; i++)
		answered(fd[i], 504, "has not answered");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_elector_answers_a_member),
		TEST(an_elector_that_is_silent_has_promised_nothing),
		TEST(only_members_are_heard),
		TEST(what_is_no_question_is_refused),
		TEST(many_questions_are_too_many),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
