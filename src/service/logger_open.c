/*
 * logger_open - ways to write to a stdout of any kind that do not wait.
 *
 * Process: logger.
 */
#include "service/logger_out.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#define PIPE_BYTES (1 << 20) /* of stdout: a reader that comes in turns misses nothing */
#define TIMED_MS 20          /* that a write may take where nothing better is to be had */

/* ---- one write ---- */

static void
logger_out_on_alarm(int sig)
{
	(void)sig; /* it only ends the write */
}

static void
logger_out_alarm(int64_t ms)
{
	/* Again and again: the first may come before the write has begun. */
	struct itimerval t = {
		.it_value.tv_usec = ms * 1000,
		.it_interval.tv_usec = ms * 1000,
	};

	setitimer(ITIMER_REAL, &t, NULL);
}

static ssize_t
logger_out_timed(struct logger_out *o, const struct iovec *iov)
{
	struct sigaction act = {.sa_handler = logger_out_on_alarm}; /* no SA_RESTART */
	struct pollfd p = {.fd = o->fd, .events = POLLOUT};
	size_t len = iov->iov_len < PIPE_BUF ? iov->iov_len : PIPE_BUF;
	ssize_t n;
	int cause;

	if (poll(&p, 1, 0) <= 0) {
		errno = EAGAIN;
		return -1;
	}
	sigaction(SIGALRM, &act, NULL);
	logger_out_alarm(TIMED_MS);
	n = write(o->fd, iov->iov_base, len);
	cause = errno;
	logger_out_alarm(0);
	errno = n < 0 && cause == EINTR ? EAGAIN : cause;
	return n;
}

static ssize_t
logger_out_send(struct logger_out *o, const struct iovec *iov, int n)
{
	struct iovec parts[2] = {iov[0], n > 1 ? iov[1] : (struct iovec){0}};
	struct msghdr msg = {.msg_iov = parts, .msg_iovlen = (size_t)n};

	return sendmsg(o->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

ssize_t
logger_out_write(struct logger_out *o, const struct iovec *iov, int n)
{
	ssize_t done;

	switch (o->mode) {
	case LOGGER_OUT_SOCKET:
		return logger_out_send(o, iov, n);
	case LOGGER_OUT_NOWAIT:
		done = pwritev2(o->fd, iov, n, -1, RWF_NOWAIT);
		if (done >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS))
			return done;
		o->mode = LOGGER_OUT_TIMED;
		return logger_out_timed(o, iov);
	case LOGGER_OUT_TIMED:
		return logger_out_timed(o, iov);
	default:
		return writev(o->fd, iov, n);
	}
}

/* ---- which way ---- */

/* The same file, by a description of our own that never waits; -1: not to be had. */
static int
logger_out_own(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

static bool
logger_out_never_waits(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_NONBLOCK);
}

void
logger_out_claim(int fd)
{
	struct stat st;
	int own;

	if (fstat(fd, &st) < 0 || S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode))
		return;
	own = logger_out_own(fd);
	if (own < 0)
		return;
	dup3(own, fd, O_CLOEXEC);
	close(own);
}

static char *
logger_out_path(int fd)
{
	char link[32], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return NULL;
	path[n] = '\0';
	return strdup(path);
}

int
logger_out_choose(struct logger_out *o, struct err *e)
{
	struct stat st;
	int own;

	if (fstat(o->fd, &st) < 0)
		return err_sys(e, "look at the log's descriptor %d", o->fd);
	if (S_ISREG(st.st_mode)) {
		o->mode = LOGGER_OUT_FILE;
		o->path = logger_out_path(o->fd);
	} else if (S_ISSOCK(st.st_mode)) {
		o->mode = LOGGER_OUT_SOCKET;
	} else if (logger_out_never_waits(o->fd)) {
		o->mode = LOGGER_OUT_NONBLOCK;
	} else if ((own = logger_out_own(o->fd)) >= 0) {
		o->mode = LOGGER_OUT_NONBLOCK;
		o->fd = own;
		o->own = true;
	} else {
		o->mode = LOGGER_OUT_NOWAIT;
	}
	if (S_ISFIFO(st.st_mode))
		(void)fcntl(o->fd, F_SETPIPE_SZ, PIPE_BYTES); /* a wish */
	return 0;
}

int
logger_out_reopen(struct logger_out *o, struct err *e)
{
	int fd;

	if (o->mode != LOGGER_OUT_FILE || !o->path)
		return 0;
	fd = open(o->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
	if (fd < 0)
		return err_sys(e, "open %s", o->path);
	if (o->own)
		close(o->fd);
	o->fd = fd;
	o->own = true;
	return 0;
}
