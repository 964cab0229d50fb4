/*
 * archiver_worker - the children that do the transfers.
 *
 * Process: archiver.  A worker is a fork of the service that has one end of a socket and nothing
 * else of it.  Tasks go in, one at a time, and come out done; a worker that ends, by itself or by
 * us, ends its task as failed.  One that is stuck in the kernel cannot be waited for, so that
 * nothing here waits: its slot is free at once, and what is left of it is reaped when it goes.
 */
#include "service/archiver_impl.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"

#define WORKER_IDLE_MS 60000
#define WORKER_LATE_MS 2000 /* it may say itself that its time was over */

static void
worker_close(struct archiver_worker *w, bool kill_it)
{
	if (kill_it)
		kill(w->pid, SIGKILL);
	loop_remove(w->a->s->loop, &w->src);
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
	w->pid = 0;
	w->busy = false;
}

static void
worker_reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* Its slot is free before anybody hears of it, so that the next task can be started at once. */
static void
worker_lost(struct archiver_worker *w, enum err_kind kind, const char *why)
{
	struct archiver_worker was = *w;
	struct archiver_done done = {.id = w->task.id, .err_kind = kind};

	worker_close(w, true);
	worker_reap();
	if (!was.busy)
		return;
	snprintf(done.msg, sizeof(done.msg), "%s: %s", was.task.name, why);
	archiver_done(was.a, &was, &done);
}

static void
worker_on_done(struct loop_fd *src, uint32_t events, void *arg)
{
	struct archiver_worker *w = arg, was;
	struct archiver_done done;
	ssize_t n = recv(src->fd, &done, sizeof(done), MSG_DONTWAIT);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != (ssize_t)sizeof(done) || !w->busy || done.id != w->task.id) {
		worker_lost(w, ERR_REMOTE, "the process that sent it ended");
		return;
	}
	done.msg[sizeof(done.msg) - 1] = '\0';
	was = *w;
	w->busy = false;
	w->idle_since_ns = clock_boot_ns();
	archiver_done(w->a, &was, &done);
}

static struct archiver_worker *
worker_find(struct archiver *a, enum worker_class class)
{
	struct archiver_worker *empty = NULL;

	for (int i = 0; i < ARCHIVER_WORKERS; i++) {
		struct archiver_worker *w = &a->worker[i];

		if (w->pid && !w->busy && w->class == class)
			return w;
		if (!w->pid && !empty)
			empty = w;
	}
	return empty;
}

static int
worker_fork(struct archiver *a, struct archiver_worker *w, struct err *e)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "make a socket for a worker");
	pid = fork();
	if (pid == 0)
		archiver_worker_main(a, pair[1]);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return err_sys(e, "start a worker");
	}
	w->a = a;
	w->pid = pid;
	w->fd = pair[0];
	w->busy = false;
	if (loop_add(a->s->loop, loop_fd_init(&w->src, worker_on_done, w), w->fd, EPOLLIN, e) == 0)
		return 0;
	worker_close(w, true);
	return -1;
}

int
archiver_start(struct archiver *a, enum worker_class class, const struct archiver_task *task,
	uint64_t job, struct err *e)
{
	struct archiver_worker *w = worker_find(a, class);

	if (!w)
		return err_set(e, ERR_BUSY, "all workers are at work");
	if (!w->pid && worker_fork(a, w, e) < 0)
		return -1;
	w->class = class;
	w->task = *task;
	w->task.learnt = task->source < 0 ? a->health.learnt : 0;
	w->job = job;
	if (send(w->fd, &w->task, sizeof(*task), MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof(*task)) {
		(void)err_sys(e, "give a worker its task");
		worker_close(w, true);
		return -1;
	}
	w->busy = true;
	return 0;
}

void
archiver_uploads_kill(struct archiver *a, const char *why)
{
	for (int i = 0; i < ARCHIVER_WORKERS; i++)
		if (a->worker[i].pid && a->worker[i].busy && a->worker[i].task.leased)
			worker_lost(&a->worker[i], ERR_BUSY, why);
}

int
archiver_busy(const struct archiver *a, enum worker_class class)
{
	int n = 0;

	for (int i = 0; i < ARCHIVER_WORKERS; i++)
		n += a->worker[i].pid && a->worker[i].busy && a->worker[i].class == class;
	return n;
}

void
archiver_workers_kill(struct archiver *a)
{
	for (int i = 0; i < ARCHIVER_WORKERS; i++)
		if (a->worker[i].pid)
			worker_lost(&a->worker[i], ERR_BUSY, "the configuration changed");
}

void
archiver_workers_tick(struct archiver *a)
{
	int64_t now = clock_boot_ns();

	worker_reap();
	for (int i = 0; i < ARCHIVER_WORKERS; i++) {
		struct archiver_worker *w = &a->worker[i];

		if (!w->pid)
			continue;
		if (w->busy && now > w->task.deadline_ns + WORKER_LATE_MS * MS_NS) {
			log_warning("a transfer is over its time and is ended",
				F_STR("file", w->task.name), F_INT("pid", w->pid));
			worker_lost(w, ERR_TIMEOUT, "it took too long");
		} else if (!w->busy && now - w->idle_since_ns > WORKER_IDLE_MS * MS_NS) {
			worker_close(w, false);
		}
	}
}
