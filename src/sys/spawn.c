/*
 * spawn - programs that a job runs.
 *
 * Process: jobs only: it forks and waits, which the supervisor may not.
 */
#include "sys/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "spawn_child.h"
#include "sys/file.h"

#define SPAWN_TICK_MS 1000
#define SPAWN_BLIND_MS 20 /* between looks at a child for which there is no pidfd */

/* ---- start ---- */

static void
spawn_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int
spawn_pipe(int *ours, int *theirs, bool we_read, struct err *e)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(e, "make a pipe");
	*ours = fds[we_read ? 0 : 1];
	*theirs = fds[we_read ? 1 : 0];
	if (fcntl(*ours, F_SETFL, O_NONBLOCK) < 0)
		return err_sys(e, "make a pipe");
	return 0;
}

static int
spawn_pipes(struct spawn *s, struct spawn_streams *io, struct err *e)
{
	if (s->spec.in && spawn_pipe(&s->in_fd, &io->in, false, e) < 0)
		return -1;
	if (s->spec.out && spawn_pipe(&s->out_fd, &io->out, true, e) < 0)
		return -1;
	return spawn_pipe(&s->err_fd, &io->err, true, e);
}

static int
spawn_fork(struct spawn *s, struct spawn_streams *io, struct err *e)
{
	if (!s->spec.out)
		io->out = io->err;
	io->parent = getpid();
	s->pid = fork();
	if (s->pid < 0) {
		s->pid = 0;
		return err_sys(e, "start %s", s->spec.name);
	}
	if (s->pid == 0)
		spawn_child(&s->spec, io);
	s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	return 0;
}

int
spawn_start(struct spawn *s, const struct spawn_spec *spec, struct err *e)
{
	struct spawn_streams io = {.in = -1, .out = -1, .err = -1};
	int64_t now = clock_boot_ns();
	int rc;

	*s = (struct spawn){
		.spec = *spec, .pidfd = -1, .in_fd = -1, .out_fd = -1, .err_fd = -1, .code = -1};
	s->deadline_ns = spec->deadline_ms ? now + spec->deadline_ms * MS_NS : CLOCK_NEVER;
	s->tick_ns = now + SPAWN_TICK_MS * MS_NS;
	if (!file_exists(spec->argv[0]))
		return err_set(e, ERR_NOTFOUND, "there is no %s", spec->argv[0]);
	rc = spawn_pipes(s, &io, e);
	if (rc == 0)
		rc = spawn_fork(s, &io, e);
	if (io.out != io.err)
		spawn_close(&io.out);
	spawn_close(&io.in);
	spawn_close(&io.err);
	if (rc < 0)
		spawn_deinit(s);
	return rc;
}

/* ---- output ---- */

static void
spawn_end_line(struct spawn *s)
{
	s->line[s->line_len] = '\0';
	s->line_len = 0;
	if (s->line[0] == '\0')
		return;
	memcpy(s->tail[s->lines++ % SPAWN_TAIL], s->line, sizeof(s->line));
	if (s->spec.on_line)
		s->spec.on_line(s->spec.name, s->line, s->spec.arg);
}

static void
spawn_take(struct spawn *s, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		if (c == '\n')
			spawn_end_line(s);
		else if (s->line_len < sizeof(s->line) - 1 && c != '\r')
			s->line[s->line_len++] = c < ' ' && c != '\t' ? '?' : p[i];
	}
}

static void
spawn_read_err(struct spawn *s)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(s->err_fd, chunk, sizeof(chunk))) > 0)
		spawn_take(s, chunk, (size_t)n);
	if (n == 0)
		spawn_close(&s->err_fd);
}

static void
spawn_read_out(struct spawn *s)
{
	char chunk[4096];
	ssize_t n;

	while ((n = read(s->out_fd, chunk, sizeof(chunk))) > 0)
		buf_put(s->spec.out, chunk, (size_t)n);
	if (n == 0)
		spawn_close(&s->out_fd);
}

/* A child that does not read its input says why in its exit; EPIPE is no news. */
static void
spawn_write_in(struct spawn *s)
{
	const char *in = s->spec.in;
	ssize_t n = write(s->in_fd, in + s->in_done, s->spec.in_len - s->in_done);

	if (n > 0)
		s->in_done += (size_t)n;
	if (s->in_done == s->spec.in_len || (n < 0 && errno != EAGAIN && errno != EINTR))
		spawn_close(&s->in_fd);
}

static void
spawn_reap(struct spawn *s)
{
	int status;

	if (s->ended || waitpid(s->pid, &status, WNOHANG) != s->pid)
		return;
	s->ended = true;
	s->code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	s->sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	if (s->out_fd >= 0)
		spawn_read_out(s);
	if (s->err_fd >= 0)
		spawn_read_err(s);
	spawn_end_line(s);
	spawn_close(&s->in_fd);
}

/* ---- wait ---- */

enum { WATCH_IN, WATCH_OUT, WATCH_ERR, WATCH_PID, WATCH_FDS };

static void
spawn_poll_set(const struct spawn *s, struct pollfd *p)
{
	bool live = s && s->pid > 0 && !s->ended;

	p[WATCH_IN] = (struct pollfd){.fd = live ? s->in_fd : -1, .events = POLLOUT};
	p[WATCH_OUT] = (struct pollfd){.fd = live ? s->out_fd : -1, .events = POLLIN};
	p[WATCH_ERR] = (struct pollfd){.fd = live ? s->err_fd : -1, .events = POLLIN};
	p[WATCH_PID] = (struct pollfd){.fd = live ? s->pidfd : -1, .events = POLLIN};
}

static void
spawn_poll_done(struct spawn *s, const struct pollfd *p)
{
	if (!s || s->pid <= 0 || s->ended)
		return;
	if (p[WATCH_IN].revents && s->in_fd >= 0)
		spawn_write_in(s);
	if (p[WATCH_OUT].revents && s->out_fd >= 0)
		spawn_read_out(s);
	if (p[WATCH_ERR].revents && s->err_fd >= 0)
		spawn_read_err(s);
	spawn_reap(s);
	if (s->spec.on_tick && clock_boot_ns() >= s->tick_ns) {
		s->tick_ns = clock_boot_ns() + SPAWN_TICK_MS * MS_NS;
		s->spec.on_tick(s->spec.arg);
	}
}

void
spawn_pump(struct spawn *s, struct spawn *beside, int64_t max_ms)
{
	struct pollfd p[2 * WATCH_FDS];
	bool blind = s->pidfd < 0 || (beside && beside->pidfd < 0);

	if (blind && max_ms > SPAWN_BLIND_MS)
		max_ms = SPAWN_BLIND_MS;
	spawn_poll_set(s, p);
	spawn_poll_set(beside, p + WATCH_FDS);
	poll(p, ARRAY_LEN(p), (int)max_ms);
	spawn_poll_done(s, p);
	spawn_poll_done(beside, p + WATCH_FDS);
}

static int64_t
spawn_patience_ms(const struct spawn *s)
{
	int64_t left = s->deadline_ns == CLOCK_NEVER
			       ? SPAWN_TICK_MS
			       : (s->deadline_ns - clock_boot_ns()) / MS_NS + 1;

	return left < 0 ? 0 : left < SPAWN_TICK_MS ? left : SPAWN_TICK_MS;
}

int
spawn_wait(struct spawn *s, struct spawn *beside, struct err *e)
{
	while (!s->ended) {
		if (clock_boot_ns() >= s->deadline_ns) {
			spawn_deinit(s);
			return err_set(e, ERR_TIMEOUT, "%s did not end within %lld s", s->spec.name,
				(long long)(s->spec.deadline_ms / SEC_MS));
		}
		spawn_pump(s, beside, spawn_patience_ms(s));
		if (beside && beside->ended && !s->ended) {
			spawn_deinit(s);
			return err_set(e, ERR_FAILED, "%s ended meanwhile: %s", beside->spec.name,
				spawn_telling_line(beside));
		}
	}
	return 0;
}

/* ---- how it ended ---- */

const char *
spawn_telling_line(const struct spawn *s)
{
	static const char *const marks[] = {
		"PANIC:", "FATAL:", "ERROR:", "error:", "annot ", "could not"};
	unsigned n = s->lines < SPAWN_TAIL ? s->lines : SPAWN_TAIL;

	for (size_t m = 0; m < ARRAY_LEN(marks); m++)
		for (unsigned i = 1; i <= n; i++)
			if (strstr(s->tail[(s->lines - i) % SPAWN_TAIL], marks[m]))
				return s->tail[(s->lines - i) % SPAWN_TAIL];
	return n ? s->tail[(s->lines - 1) % SPAWN_TAIL] : "";
}

int
spawn_check(const struct spawn *s, struct err *e)
{
	const char *said = spawn_telling_line(s);

	if (s->code == 0)
		return 0;
	if (s->sig)
		return err_set(e, ERR_FAILED, "%s was ended by signal %d%s%s", s->spec.name, s->sig,
			*said ? ": " : "", said);
	return err_set(e, ERR_FAILED, "%s exited with %d%s%s", s->spec.name, s->code,
		*said ? ": " : "", said);
}

void
spawn_signal(const struct spawn *s, int sig)
{
	if (s->pid > 0 && !s->ended)
		kill(s->pid, sig);
}

void
spawn_deinit(struct spawn *s)
{
	if (s->pid > 0 && !s->ended) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
		s->ended = true;
		s->sig = SIGKILL;
	}
	if (s->pid == 0 && s->spec.argv == NULL)
		return; /* never started */
	spawn_close(&s->pidfd);
	spawn_close(&s->in_fd);
	spawn_close(&s->out_fd);
	spawn_close(&s->err_fd);
}

int
spawn_run(const struct spawn_spec *spec, struct spawn *beside, struct err *e)
{
	AUTO(spawn_deinit) struct spawn s = {0};

	if (spawn_start(&s, spec, e) < 0 || spawn_wait(&s, beside, e) < 0)
		return -1;
	return spawn_check(&s, e);
}
