#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "sys/loop.h"

struct seen {
	struct loop *loop;
	struct loop_fd *other;
	int fds, timers;
	int64_t order[8];
};

static void
on_timer(struct loop_timer *t, void *arg)
{
	struct seen *s = arg;

	s->order[s->timers++ % 8] = t->at_ns == CLOCK_NEVER;
}

static void
on_fd(struct loop_fd *src, uint32_t events, void *arg)
{
	struct seen *s = arg;
	char c;

	assert_true(events & EPOLLIN);
	assert_int_equal(read(src->fd, &c, 1), 1);
	s->fds++;
}

static void
turn_until(struct loop *l, const int *count, int want)
{
	int64_t until = clock_boot_ms() + 5000;
	struct err e;

	while (*count < want && clock_boot_ms() < until)
		assert_int_equal(loop_turn(l, 100, &e), 0);
	assert_int_equal(*count, want);
}

static void
a_timer_fires_once_at_its_time_and_not_before(void **state)
{
	AUTO(loop_free) struct loop *l = NULL;
	struct seen s = {0};
	struct loop_timer t;
	struct err e;
	int64_t start = clock_boot_ns();

	(void)state;
	assert_int_equal(loop_new(&l, &e), 0);
	loop_timer_init(&t, on_timer, &s);
	loop_timer_in(l, &t, 20);
	turn_until(l, &s.timers, 1);
	assert_true(clock_boot_ns() - start >= 20 * MS_NS);
	assert_int_equal(loop_turn(l, 5, &e), 0);
	assert_int_equal(s.timers, 1);
}

static void
a_timer_moved_forward_fires_at_the_new_time(void **state)
{
	AUTO(loop_free) struct loop *l = NULL;
	struct seen s = {0};
	struct loop_timer t;
	struct err e;

	(void)state;
	assert_int_equal(loop_new(&l, &e), 0);
	loop_timer_init(&t, on_timer, &s);
	loop_timer_in(l, &t, 100000);
	assert_int_equal(loop_turn(l, 1, &e), 0);
	loop_timer_in(l, &t, 1);
	turn_until(l, &s.timers, 1);
	loop_timer_off(&t);
	loop_timer_off(&t);
}

static void
a_readable_descriptor_calls_its_owner(void **state)
{
	AUTO(loop_free) struct loop *l = NULL;
	struct seen s = {0};
	struct loop_fd src;
	struct err e;
	int p[2];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(loop_new(&l, &e), 0);
	assert_int_equal(loop_add(l, loop_fd_init(&src, on_fd, &s), p[0], EPOLLIN, &e), 0);
	assert_int_equal(write(p[1], "ab", 2), 2);
	turn_until(l, &s.fds, 2);
	loop_remove(l, &src);
	loop_remove(l, &src);
	close(p[0]);
	close(p[1]);
}

static void
on_fd_removing(struct loop_fd *src, uint32_t events, void *arg)
{
	struct seen *s = arg;

	(void)events;
	s->fds++;
	loop_remove(s->loop, src);
	loop_remove(s->loop, s->other);
}

/* Both are ready in one turn; whichever runs first removes both. */
static void
a_source_removed_by_another_in_the_same_turn_is_not_called(void **state)
{
	AUTO(loop_free) struct loop *l = NULL;
	struct loop_fd a, b;
	struct seen sa = {.other = &b}, sb = {.other = &a};
	struct err e;
	int p[2], q[2];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_int_equal(pipe2(q, O_CLOEXEC), 0);
	assert_int_equal(loop_new(&l, &e), 0);
	sa.loop = sb.loop = l;
	assert_int_equal(loop_add(l, loop_fd_init(&a, on_fd_removing, &sa), p[0], EPOLLIN, &e), 0);
	assert_int_equal(loop_add(l, loop_fd_init(&b, on_fd_removing, &sb), q[0], EPOLLIN, &e), 0);
	assert_int_equal(write(p[1], "a", 1), 1);
	assert_int_equal(write(q[1], "a", 1), 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(loop_turn(l, 5, &e), 0);
	assert_int_equal(sa.fds + sb.fds, 1);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timer_fires_once_at_its_time_and_not_before),
		cmocka_unit_test(a_timer_moved_forward_fires_at_the_new_time),
		cmocka_unit_test(a_readable_descriptor_calls_its_owner),
		cmocka_unit_test(a_source_removed_by_another_in_the_same_turn_is_not_called),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
