#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>

#include "sys/channel.h"

struct pair {
	int fd[2];
};

static int
open_pair(void **state)
{
	static struct pair p;
	struct err e;

	if (channel_pair(p.fd, &e) < 0)
		return -1;
	*state = &p;
	return 0;
}

static int
close_pair(void **state)
{
	struct pair *p = *state;

	close(p->fd[0]);
	if (p->fd[1] >= 0)
		close(p->fd[1]);
	return 0;
}

static void
a_message_arrives_whole_with_its_id(void **state)
{
	struct pair *p = *state;
	struct channel_msg m, got;
	uint32_t body = 77, back = 0;
	struct err e;

	channel_msg_init(&m, 5, 1234, &body, sizeof(body));
	assert_int_equal(channel_send(p->fd[0], &m, &e), 0);
	assert_int_equal(channel_recv(p->fd[1], &got, &e), 1);
	assert_int_equal(got.type, 5);
	assert_int_equal(got.id, 1234);
	assert_true(channel_body(&got, &back, sizeof(back)));
	assert_int_equal(back, 77);
	assert_false(channel_body(&got, &back, 3));
}

static void
an_empty_channel_says_so(void **state)
{
	struct pair *p = *state;
	struct channel_msg got;
	struct err e;

	assert_int_equal(channel_recv(p->fd[1], &got, &e), 0);
}

static void
a_full_channel_is_an_error_and_never_a_wait(void **state)
{
	struct pair *p = *state;
	struct channel_msg m;
	struct err e = {0};
	char body[CHANNEL_BODY_MAX] = {0};
	int sent = 0;

	channel_msg_init(&m, 1, 0, body, sizeof(body));
	while (channel_send(p->fd[0], &m, &e) == 0)
		assert_true(++sent < 100000);
	assert_int_equal(e.kind, ERR_BUSY);
}

static void
a_closed_channel_is_seen_on_both_ways(void **state)
{
	struct pair *p = *state;
	struct channel_msg m;
	struct err e;

	close(p->fd[1]);
	p->fd[1] = -1;
	channel_msg_init(&m, 1, 0, NULL, 0);
	assert_int_equal(channel_send(p->fd[0], &m, &e), -1);
	assert_int_equal(e.kind, ERR_REMOTE);
	assert_int_equal(channel_recv(p->fd[0], &m, &e), -1);
	assert_int_equal(e.kind, ERR_REMOTE);
}

static void
a_message_of_a_wrong_size_is_refused(void **state)
{
	struct pair *p = *state;
	struct channel_msg got;
	struct err e;

	assert_int_equal(send(p->fd[0], "xyz", 3, 0), 3);
	assert_int_equal(channel_recv(p->fd[1], &got, &e), -1);
	assert_int_equal(e.kind, ERR_CORRUPT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_message_arrives_whole_with_its_id, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(an_empty_channel_says_so, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(
			a_full_channel_is_an_error_and_never_a_wait, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(
			a_closed_channel_is_seen_on_both_ways, open_pair, close_pair),
		cmocka_unit_test_setup_teardown(
			a_message_of_a_wrong_size_is_refused, open_pair, close_pair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
