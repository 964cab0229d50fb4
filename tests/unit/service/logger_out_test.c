#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/logger_out.h"

#define LINE_BYTES 1000
#define WAIT_MS 5000

struct sink {
	struct loop *loop;
	struct logger_out out;
	int r, w;
	char line[LINE_BYTES + 1];
	char path[64];
};

static int
setup(void **state)
{
	struct sink *s = calloc(1, sizeof(*s));
	struct err e;

	assert_non_null(s);
	assert_int_equal(loop_new(&s->loop, &e), 0);
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	log_init(&(struct log_config){.logger = "logger", .pod = "p", .level = LOG_INFO, .fd = -1});
	memset(s->line, 'x', LINE_BYTES - 1);
	s->line[LINE_BYTES - 1] = '\n';
	s->r = s->w = -1;
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct sink *s = *state;

	logger_out_deinit(&s->out);
	if (s->r >= 0)
		close(s->r);
	if (s->w >= 0)
		close(s->w);
	if (*s->path)
		unlink(s->path);
	s->loop = loop_free(s->loop);
	free(s);
	return 0;
}

static void
sink_open(struct sink *s)
{
	struct err e;

	assert_int_equal(logger_out_init(&s->out, s->loop, s->w, &e), 0);
}

static void
sink_pipe(struct sink *s)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	s->r = fds[0];
	s->w = fds[1];
	sink_open(s);
}

/* Puts lines until the ring drops some; no flush may take long. */
static uint64_t
sink_fill(struct sink *s)
{
	uint64_t put = 0;

	while (!s->out.gap) {
		int64_t from = clock_boot_ms();

		logger_out_put(&s->out, s->line, LINE_BYTES);
		logger_out_flush(&s->out);
		assert_in_range(clock_boot_ms() - from, 0, 2000);
		put++;
	}
	return put;
}

/* Reads until all is out and so many lines have come. */
static void
sink_drain(struct sink *s, uint64_t want)
{
	int64_t until = clock_boot_ms() + WAIT_MS;
	uint64_t lines = 0;
	char chunk[65536];
	struct err e;

	fcntl(s->r, F_SETFL, fcntl(s->r, F_GETFL) | O_NONBLOCK);
	while (lines < want || s->out.used > 0 || s->out.gap) {
		ssize_t n = read(s->r, chunk, sizeof(chunk));

		for (ssize_t i = 0; i < n; i++)
			lines += chunk[i] == '\n';
		assert_int_equal(loop_turn(s->loop, n > 0 ? 0 : 10, &e), 0);
		assert_true(clock_boot_ms() < until);
	}
	assert_int_equal(lines, want);
}

static void
sink_blocks_and_flows(struct sink *s)
{
	uint64_t put = sink_fill(s);

	assert_true(s->out.blocked_ns > 0);
	assert_true(put > LOGGER_RING_BYTES / LINE_BYTES);
	assert_int_equal(s->out.dropped, 1);
	assert_int_equal(s->out.dropped_bytes, LINE_BYTES);
	sink_drain(s, put); /* one is missing, one says so */
	assert_int_equal(s->out.blocked_ns, 0);
	logger_out_put(&s->out, s->line, LINE_BYTES);
	logger_out_flush(&s->out);
	sink_drain(s, 1);
}

static void
full_pipe_never_waits(void **state)
{
	struct sink *s = *state;

	sink_pipe(s);
	assert_int_equal(s->out.mode, LOGGER_OUT_NONBLOCK);
	assert_true(s->out.own);
	assert_int_equal(fcntl(s->w, F_GETFL) & O_NONBLOCK, 0);
	sink_blocks_and_flows(s);
}

/* Reopening is refused when stdout belongs to root and we do not. */
static void
full_pipe_of_somebody_else_never_waits(void **state)
{
	static const enum logger_out_mode modes[] = {LOGGER_OUT_NOWAIT, LOGGER_OUT_TIMED};

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		struct sink *s = *state;

		sink_pipe(s);
		close(s->out.fd);
		s->out.fd = s->w;
		s->out.own = false;
		s->out.mode = modes[i];
		sink_blocks_and_flows(s);
		assert_int_equal(fcntl(s->w, F_GETFL) & O_NONBLOCK, 0);
		if (i + 1 < ARRAY_LEN(modes)) {
			teardown(state);
			setup(state);
		}
	}
}

static void
write_that_would_wait_is_ended_by_the_timer(void **state)
{
	struct sink *s = *state;
	struct iovec iov = {s->line, LINE_BYTES};
	int64_t from;
	char byte;

	sink_pipe(s);
	s->out.mode = LOGGER_OUT_TIMED;
	close(s->out.fd);
	s->out.fd = s->w;
	s->out.own = false;
	while (logger_out_write(&s->out, &iov, 1) > 0)
		;
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(read(s->r, &byte, 1), 1);
	from = clock_boot_ms();
	(void)!logger_out_write(&s->out, &iov, 1);
	assert_in_range(clock_boot_ms() - from, 0, 5000);
}

static void
full_socket_never_waits(void **state)
{
	struct sink *s = *state;
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	s->r = fds[0];
	s->w = fds[1];
	sink_open(s);
	assert_int_equal(s->out.mode, LOGGER_OUT_SOCKET);
	sink_blocks_and_flows(s);
}

static void
stopped_terminal_never_waits(void **state)
{
	struct sink *s = *state;
	struct termios t;
	uint64_t put;

	s->r = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(s->r >= 0);
	assert_int_equal(grantpt(s->r), 0);
	assert_int_equal(unlockpt(s->r), 0);
	s->w = open(ptsname(s->r), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(s->w >= 0);
	assert_int_equal(tcgetattr(s->w, &t), 0);
	cfmakeraw(&t);
	assert_int_equal(tcsetattr(s->w, TCSANOW, &t), 0);
	assert_int_equal(tcflow(s->w, TCOOFF), 0); /* what ^S does */
	sink_open(s);
	assert_int_equal(s->out.mode, LOGGER_OUT_NONBLOCK);
	assert_int_equal(fcntl(s->w, F_GETFL) & O_NONBLOCK, 0);
	put = sink_fill(s);
	assert_true(s->out.blocked_ns > 0);
	assert_int_equal(tcflow(s->w, TCOON), 0);
	sink_drain(s, put);
}

static void
reader_that_went_away_costs_lines_not_the_logger(void **state)
{
	struct sink *s = *state;
	struct err e;

	sink_pipe(s);
	close(s->r);
	s->r = -1;
	(void)sink_fill(s);
	assert_true(s->out.retry.linked);
	assert_int_equal(loop_turn(s->loop, 10, &e), 0);
	assert_true(s->out.blocked_ns > 0);
	logger_out_finish(&s->out, 50);
}

static void
disk_full_is_tried_again(void **state)
{
	struct sink *s = *state;

	s->w = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(s->w >= 0);
	sink_open(s);
	logger_out_put(&s->out, s->line, LINE_BYTES);
	logger_out_flush(&s->out);
	assert_int_equal(s->out.used, LINE_BYTES);
	assert_true(s->out.retry.linked);
}

static off_t
size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : -1;
}

static void
file_is_opened_again_by_its_name(void **state)
{
	struct sink *s = *state;
	char old[80];
	struct err e;

	snprintf(s->path, sizeof(s->path), "/tmp/logger_out_test.XXXXXX");
	s->w = mkostemp(s->path, O_CLOEXEC);
	assert_true(s->w >= 0);
	snprintf(old, sizeof(old), "%s.1", s->path);
	sink_open(s);
	assert_int_equal(s->out.mode, LOGGER_OUT_FILE);
	logger_out_put(&s->out, s->line, LINE_BYTES);
	logger_out_flush(&s->out);
	assert_int_equal(rename(s->path, old), 0);
	logger_out_put(&s->out, s->line, LINE_BYTES);
	logger_out_flush(&s->out);
	assert_int_equal(logger_out_reopen(&s->out, &e), 0);
	logger_out_put(&s->out, s->line, LINE_BYTES);
	logger_out_flush(&s->out);
	assert_int_equal(size_of(old), 2 * LINE_BYTES);
	assert_int_equal(size_of(s->path), LINE_BYTES);
	unlink(old);
}

static void
pipe_is_not_opened_again(void **state)
{
	struct sink *s = *state;
	struct err e;

	sink_pipe(s);
	assert_int_equal(logger_out_reopen(&s->out, &e), 0);
	logger_out_put(&s->out, s->line, LINE_BYTES);
	logger_out_flush(&s->out);
	sink_drain(s, 1);
}

static void
claimed_stdout_is_our_own_and_its_maker_keeps_his(void **state)
{
	struct sink *s = *state;
	int fds[2], ours;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	s->r = fds[0];
	s->w = fds[1];
	ours = fcntl(s->w, F_DUPFD_CLOEXEC, 0); /* as a child has it */
	logger_out_claim(ours);
	assert_int_equal(fcntl(ours, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	assert_int_equal(fcntl(s->w, F_GETFL) & O_NONBLOCK, 0);
	close(ours);
	sink_open(s);
}

static size_t
resident(const struct logger_out *o)
{
	unsigned char vec[LOGGER_RING_BYTES / 4096];
	size_t pages = 0;

	assert_int_equal(mincore(o->ring, LOGGER_RING_BYTES, vec), 0);
	for (size_t i = 0; i < sizeof(vec); i++)
		pages += vec[i] & 1;
	return pages * 4096;
}

static void
memory_goes_back_when_the_ring_is_empty(void **state)
{
	struct sink *s = *state;
	uint64_t put;

	sink_pipe(s);
	assert_int_equal(resident(&s->out), 0);
	put = sink_fill(s);
	assert_true(resident(&s->out) > LOGGER_RING_BYTES / 2);
	sink_drain(s, put);
	assert_in_range(resident(&s->out), 0, 64 << 10);
}

static void
gap_stays_one_gap_until_half_of_the_ring_is_free(void **state)
{
	struct sink *s = *state;
	char chunk[65536];
	struct err e;
	size_t used;

	sink_pipe(s);
	(void)sink_fill(s);
	used = s->out.used;
	while (s->out.used == used) {
		assert_true(read(s->r, chunk, sizeof(chunk)) > 0);
		assert_int_equal(loop_turn(s->loop, 10, &e), 0);
	}
	assert_true(s->out.gap);
	logger_out_put(&s->out, s->line, LINE_BYTES);
	assert_int_equal(s->out.dropped, 2);
}

static void
end_waits_for_a_reader_but_not_for_long(void **state)
{
	struct sink *s = *state;
	int64_t from;

	sink_pipe(s);
	(void)sink_fill(s);
	from = clock_boot_ms();
	logger_out_finish(&s->out, 100);
	assert_in_range(clock_boot_ms() - from, 99, 5000);
	assert_true(s->out.used > 0);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(full_pipe_never_waits),
		CASE(full_pipe_of_somebody_else_never_waits),
		CASE(write_that_would_wait_is_ended_by_the_timer),
		CASE(full_socket_never_waits),
		CASE(stopped_terminal_never_waits),
		CASE(reader_that_went_away_costs_lines_not_the_logger),
		CASE(disk_full_is_tried_again),
		CASE(file_is_opened_again_by_its_name),
		CASE(pipe_is_not_opened_again),
		CASE(claimed_stdout_is_our_own_and_its_maker_keeps_his),
		CASE(memory_goes_back_when_the_ring_is_empty),
		CASE(gap_stays_one_gap_until_half_of_the_ring_is_free),
		CASE(end_waits_for_a_reader_but_not_for_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
