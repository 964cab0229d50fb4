/*
 * sql_pipe - many statements in one round trip, and their end before their time.
 *
 * PostgreSQL manual, chapter "libpq", "Pipeline Mode" and "Canceling Queries in Progress".
 */
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "pg/sql_impl.h"

#define PIPE_POLL_MS 200
#define CANCEL_SECONDS 2

static int
pipe_sent(struct sql *c, int ok, struct err *e)
{
	if (ok && c->pq->pipelineSync(c->conn) && c->pq->flush(c->conn) >= 0)
		return 0;
	sql_break(c);
	return err_set(e, ERR_REMOTE, "%s", c->error);
}

int
sql_pipe_begin(struct sql *c, struct err *e)
{
	must(c->state == SQL_IDLE);
	sql_begin(c, 0);
	c->state = SQL_IDLE;
	if (c->pq->enterPipelineMode(c->conn))
		return 0;
	sql_break(c);
	return err_set(e, ERR_REMOTE, "%s", c->error);
}

int
sql_pipe_prepare(struct sql *c, const char *name, const char *text, struct err *e)
{
	return pipe_sent(c, c->pq->sendPrepare(c->conn, name, text, 0, NULL), e);
}

int
sql_pipe_run(struct sql *c, const char *name, struct err *e)
{
	return pipe_sent(c, c->pq->sendQueryPrepared(c->conn, name, 0, NULL, NULL, NULL, 0), e);
}

/* ---- answers ---- */

static int
pipe_broken(struct sql *c, struct err *e)
{
	sql_break(c);
	return err_set(e, ERR_REMOTE, "%s", c->error);
}

/* Waits until libpq has something to say. */
static int
pipe_wait(struct sql *c, int64_t deadline_ns, struct err *e)
{
	while (c->pq->isBusy(c->conn)) {
		int unsent = c->pq->flush(c->conn);
		struct pollfd p = {.fd = c->pq->socket(c->conn),
			.events = (short)(POLLIN | (unsent > 0 ? POLLOUT : 0))};
		int64_t left_ns = deadline_ns - clock_boot_ns();

		if (unsent < 0)
			return pipe_broken(c, e);
		if (left_ns <= 0)
			return err_set(e, ERR_TIMEOUT, "postgres has not answered in time");
		if (left_ns > PIPE_POLL_MS * MS_NS)
			left_ns = PIPE_POLL_MS * MS_NS;
		if (poll(&p, 1, (int)(left_ns / MS_NS) + 1) > 0 && !c->pq->consumeInput(c->conn))
			return pipe_broken(c, e);
	}
	return 0;
}

int
sql_pipe_take(struct sql *c, int64_t deadline_ns, struct err *e)
{
	PGresult *r;

	if (c->state != SQL_BUSY)
		sql_begin(c, deadline_ns);
	for (;;) {
		if (pipe_wait(c, deadline_ns, e) < 0)
			return -1;
		r = c->pq->getResult(c->conn);
		if (!r && c->pq->status(c->conn) == CONNECTION_BAD)
			return pipe_broken(c, e);
		if (!r)
			continue; /* between the answer and its Sync */
		if (c->pq->resultStatus(r) == PGRES_PIPELINE_SYNC) {
			c->pq->clear(r);
			break;
		}
		sql_take_result(c, r);
	}
	c->state = SQL_IDLE;
	return c->failed ? err_set(e, ERR_FAILED, "%s", c->error) : 0;
}

int
sql_pipe_end(struct sql *c, struct err *e)
{
	if (c->state == SQL_IDLE && c->pq->exitPipelineMode(c->conn))
		return 0;
	return pipe_broken(c, e);
}

/* ---- the end before its time ---- */

static void
cancel_child(struct sql *c, PGcancel *cancel)
{
	sigset_t set;
	char why[256];

	if (fork() != 0)
		_exit(0); /* the other one is an orphan that PID 1 reaps */
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	alarm(CANCEL_SECONDS);
	c->pq->cancel(cancel, why, sizeof(why));
	_exit(0);
}

void
sql_cancel(struct sql *c)
{
	PGcancel *cancel = c->pq->getCancel(c->conn);
	pid_t pid = cancel ? fork() : -1;

	if (pid == 0)
		cancel_child(c, cancel);
	if (pid > 0)
		waitpid(pid, NULL, 0); /* it ends at once */
	if (cancel)
		c->pq->freeCancel(cancel);
}
