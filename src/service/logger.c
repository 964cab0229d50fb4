/*
 * logger - drains what postgres and everybody else in the pod writes, and writes it to stdout.
 *
 * Process: logger.  The supervisor holds both ends of every input, so that none ever ends; what the
 * pipes hold while a logger is started again waits for the next one.  Inputs are read as they come,
 * one chunk each in turn, and what a chunk gave is written at once; what stdout does not take waits
 * in a bounded ring (logger_out.h).
 */
#include "service/logger.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#include "base/clock.h"
#include "base/json.h"
#include "sys/channel.h"

#define PIPE_BYTES (1 << 20) /* what inputs hold while we are busy or are started again */
/* When we are told to end, the supervisor waits a second and a half for the last lines. */
#define DRAIN_MS 400
#define FINISH_MS 800

struct logger_source {
	const char *name;
	int fd;
	int deadline_ms; /* for a line that has begun */
};

static const struct logger_source sources[LOGGER_FORMS] = {
	[LOGGER_RAW] = {"pipe", FD_LOG_PIPE, 250},
	[LOGGER_JSON] = {"jsonlog", FD_LOG_JSON, 1000},
	[LOGGER_CSV] = {"csvlog", FD_LOG_CSV, 1000},
	[LOGGER_PLAIN] = {"plain", FD_LOG_PLAIN, 1000},
};

/* ---- reading ---- */

/* A line that has begun has until the deadline to end, from its first byte.  One that is being
 * skipped has it from its last byte: but in CSV its end may be missed for a quote that is not
 * there.
 */
static void
logger_arm(struct logger_input *in)
{
	struct logger *l = in->logger;
	bool waits = in->lines.skipping && in->form != LOGGER_CSV;

	if (!linebuf_pending(&in->lines))
		loop_timer_off(&in->deadline);
	else if (in->moved || waits || !in->deadline.linked)
		loop_timer_in(l->s->loop, &in->deadline, sources[in->form].deadline_ms);
}

static void
logger_on_deadline(struct loop_timer *t, void *arg)
{
	struct logger_input *in = arg;

	(void)t;
	if (in->lines.quoted)
		linebuf_unquote(&in->lines, logger_line, in);
	else
		linebuf_flush(&in->lines, logger_line, in);
	logger_arm(in);
	logger_out_flush(&in->logger->out);
	logger_board_touch(in->logger);
}

/* One chunk; false when there was none. */
static bool
logger_read(struct logger_input *in)
{
	struct logger *l = in->logger;
	ssize_t n = read(in->watch.fd, l->chunk, sizeof(l->chunk));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		loop_remove(l->s->loop, &in->watch);
		log_error("an input of the log has ended", F_STR("input", sources[in->form].name),
			F_STR("error", n < 0 ? strerror(errno) : "end of file"));
		return false;
	}
	in->moved = false;
	linebuf_feed(&in->lines, l->chunk, (size_t)n, logger_line, in);
	logger_arm(in);
	return true;
}

static void
logger_on_input(struct loop_fd *src, uint32_t events, void *arg)
{
	struct logger_input *in = arg;

	(void)src;
	(void)events;
	if (!logger_read(in))
		return;
	logger_out_flush(&in->logger->out);
	logger_board_touch(in->logger);
}

/* What is in the pipes now, but not what goes on coming. */
static void
logger_drain(struct logger *l)
{
	int64_t until = clock_boot_ms() + DRAIN_MS;

	for (int i = 0; i < LOGGER_FORMS; i++) {
		struct logger_input *in = &l->in[i];

		while (in->watch.fd >= 0 && clock_boot_ms() < until && logger_read(in))
			logger_out_flush(&l->out);
		while (linebuf_pending(&in->lines) && in->lines.quoted)
			linebuf_unquote(&in->lines, logger_line, in);
		linebuf_flush(&in->lines, logger_line, in);
	}
}

/* ---- what the supervisor says ---- */

static void
logger_on_msg(struct service *s, const struct channel_msg *msg)
{
	struct logger *l = s->arg;
	struct err e;

	if (msg->type != MSG_REOPEN)
		return;
	if (logger_out_reopen(&l->out, &e) < 0)
		log_error("cannot reopen the log, the old file goes on", F_STR("error", e.msg));
}

static void
logger_on_term(struct loop_fd *src, uint32_t events, void *arg)
{
	struct logger *l = arg;

	(void)src;
	(void)events;
	l->s->stop = true;
}

/* A change that no input has brought: stdout takes lines again. */
static void
logger_on_tick(struct service *s)
{
	struct logger *l = s->arg;

	if (l->facts.lines != l->out.lines || l->facts.dropped != l->out.dropped ||
		l->facts.stdout_blocked_ns != l->out.blocked_ns)
		logger_board_touch(l);
}

static void
logger_on_publish(struct loop_timer *t, void *arg)
{
	(void)t;
	logger_board_publish(arg);
}

/* ---- life ---- */

static int
logger_open_input(struct logger *l, enum logger_form form, struct err *e)
{
	struct logger_input *in = &l->in[form];
	int fd = sources[form].fd, flags = fcntl(fd, F_GETFL);

	*in = (struct logger_input){.logger = l, .form = form, .watch.fd = -1};
	linebuf_init(&in->lines, LOGGER_LINE_MAX);
	in->lines.quoted = form == LOGGER_CSV;
	loop_timer_init(&in->deadline, logger_on_deadline, in);
	if (flags < 0)
		return err_sys(e, "input %s of the log", sources[form].name);
	/* Nobody else reads: the other end has a description of its own. */
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return err_sys(e, "set up input %s of the log", sources[form].name);
	fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES); /* a wish */
	return loop_add(l->s->loop, loop_fd_init(&in->watch, logger_on_input, in), fd, EPOLLIN, e);
}

static int
logger_watch_term(struct logger *l, struct err *e)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_sys(e, "watch for SIGTERM");
	return loop_add(l->s->loop, loop_fd_init(&l->term, logger_on_term, l), fd, EPOLLIN, e);
}

static int
logger_init(struct logger *l, struct err *e)
{
	const struct run_options *opt = l->s->opt;

	l->term.fd = -1;
	loop_timer_init(&l->publish, logger_on_publish, l);
	json_escape(&l->pod, opt->pod_name, strlen(opt->pod_name));
	if (buf_check(&l->pod, e) < 0)
		return -1;
	l->style = (struct logrec_style){.pod = buf_str(&l->pod), .text = opt->log_text};
	if (logger_out_init(&l->out, l->s->loop, FD_LOG_OUT, e) < 0)
		return -1;
	logger_board_load(l);
	for (int i = 0; i < LOGGER_FORMS; i++)
		if (logger_open_input(l, (enum logger_form)i, e) < 0)
			return -1;
	return logger_watch_term(l, e);
}

int
logger_new(struct logger **out, struct service *s, struct err *e)
{
	struct logger *l = calloc(1, sizeof(*l));

	if (!l)
		return err_sys(e, "make a logger");
	l->s = s;
	for (int i = 0; i < LOGGER_FORMS; i++)
		l->in[i].watch.fd = -1;
	if (logger_init(l, e) < 0) {
		logger_free(l);
		return -1;
	}
	s->arg = l;
	s->on_msg = logger_on_msg;
	s->on_tick = logger_on_tick;
	*out = l;
	return 0;
}

struct logger *
logger_free(struct logger *l)
{
	if (!l)
		return NULL;
	if (l->out.ring) {
		logger_drain(l);
		logger_out_finish(&l->out, FINISH_MS);
		logger_board_publish(l);
		logger_out_deinit(&l->out);
	}
	for (int i = 0; i < LOGGER_FORMS; i++) {
		loop_remove(l->s->loop, &l->in[i].watch);
		loop_timer_off(&l->in[i].deadline);
		linebuf_deinit(&l->in[i].lines);
	}
	loop_timer_off(&l->publish);
	if (l->term.fd >= 0) {
		int fd = l->term.fd;

		loop_remove(l->s->loop, &l->term);
		close(fd);
	}
	buf_deinit(&l->pod);
	buf_deinit(&l->line);
	free(l);
	return NULL;
}
