/*
 * replication - a connection to a walsender: connecting, waiting, commands.
 *
 * Process: the jobs backup and prepare, and the receiver of the archiver.  libpq is never allowed
 * to wait by itself: it is turned by hand around poll(), so that every wait has a deadline and
 * looks once a second whether it is still wanted.
 */
#include "pg/replication_impl.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define REPLICATION_CONNECT_MS (10 * SEC_MS)
#define REPLICATION_ANSWER_MS (60 * SEC_MS)
#define REPLICATION_LOOK_MS 1000
#define REPLICATION_PARAMS 64

/* ---- errors ---- */

static enum err_kind
replication_kind(const char *sqlstate, enum err_kind otherwise)
{
	if (strncmp(sqlstate, "28", 2) == 0 || strcmp(sqlstate, "42501") == 0)
		return ERR_DENIED;
	return otherwise;
}

/* The lines of a message as one, without the newline at its end. */
static void
replication_one_line(char *out, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text && n + 1 < size; text++) {
		if (*text != '\n')
			out[n++] = *text;
		else if (text[1] && n + 2 < size && n)
			out[n++] = ';', out[n++] = ' ';
	}
	out[n] = '\0';
}

int
replication_broken(struct replication *r, struct err *e)
{
	char line[400];

	replication_one_line(line, sizeof(line), r->pq->errorMessage(r->conn));
	return err_set(e, ERR_REMOTE, "%s", *line ? line : "the connection was closed");
}

int
replication_refused(struct replication *r, const PGresult *res, struct err *e)
{
	const char *state = r->pq->resultErrorField(res, PG_DIAG_SQLSTATE);
	char line[400];

	snprintf(r->sqlstate, sizeof(r->sqlstate), "%s", state ? state : "");
	replication_one_line(line, sizeof(line), r->pq->resultErrorMessage(res));
	if (!state || r->pq->status(r->conn) == CONNECTION_BAD)
		return err_set(
			e, ERR_REMOTE, "%s", *line ? line : "unexpected answer of the server");
	return err_set(e, replication_kind(state, ERR_FAILED), "%s", line);
}

/* ---- waiting ---- */

int64_t
replication_deadline(const struct replication *r, int64_t ms)
{
	return clock_boot_ns() + (ms ? ms : r->answer_ms) * MS_NS;
}

int
replication_poll(struct replication *r, short events, int64_t deadline_ns, struct err *e)
{
	struct pollfd p = {.fd = r->pq->socket(r->conn), .events = events};

	for (;;) {
		int64_t left_ms = (deadline_ns - clock_boot_ns() + MS_NS - 1) / MS_NS;
		int n;

		if (left_ms < 0)
			left_ms = 0;
		n = poll(&p, 1, left_ms < REPLICATION_LOOK_MS ? (int)left_ms : REPLICATION_LOOK_MS);
		if (n > 0)
			return 1;
		if (n < 0 && errno != EINTR)
			return err_sys(e, "wait for the server");
		if (r->cancelled && r->cancelled(r->arg))
			return err_set(e, ERR_TIMEOUT, "no longer wanted");
		if (left_ms == 0)
			return 0;
	}
}

static int
replication_late(struct err *e)
{
	return err_set(e, ERR_TIMEOUT, "postgres has not answered in time");
}

int
replication_flush(struct replication *r, struct err *e)
{
	int64_t deadline_ns = replication_deadline(r, 0);

	for (;;) {
		int left = r->pq->flush(r->conn), rc;

		if (left < 0)
			return replication_broken(r, e);
		if (left == 0)
			return 0;
		/* The server may have to speak before it can listen. */
		rc = replication_poll(r, POLLIN | POLLOUT, deadline_ns, e);
		if (rc <= 0)
			return rc < 0 ? -1 : replication_late(e);
		if (!r->pq->consumeInput(r->conn))
			return replication_broken(r, e);
	}
}

int
replication_result(struct replication *r, PGresult **out, int64_t deadline_ns, struct err *e)
{
	if (r->next) {
		*out = take(r->next);
		return 0;
	}
	while (r->pq->isBusy(r->conn)) {
		int rc = replication_poll(r, POLLIN, deadline_ns, e);

		if (rc <= 0)
			return rc < 0 ? -1 : replication_late(e);
		if (!r->pq->consumeInput(r->conn))
			return replication_broken(r, e);
	}
	*out = r->pq->getResult(r->conn);
	return 0;
}

int
replication_expect(struct replication *r, ExecStatusType status, PGresult **out,
	int64_t deadline_ns, struct err *e)
{
	PGresult *res;

	*out = NULL;
	if (replication_result(r, &res, deadline_ns, e) < 0)
		return -1;
	if (!res)
		return err_set(e, ERR_REMOTE, "the server's answer ended early");
	if (r->pq->resultStatus(res) != status) {
		replication_refused(r, res, e);
		r->pq->clear(res);
		return -1;
	}
	*out = res;
	return 0;
}

int
replication_drain(struct replication *r, struct err *e)
{
	int64_t deadline_ns = replication_deadline(r, 0);
	PGresult *res;
	int rc = 0;

	for (;;) {
		if (replication_result(r, &res, deadline_ns, e) < 0)
			return -1;
		if (!res)
			return rc;
		if (r->pq->resultStatus(res) == PGRES_FATAL_ERROR && rc == 0)
			rc = replication_refused(r, res, e);
		r->pq->clear(res);
		if (r->pq->status(r->conn) == CONNECTION_BAD)
			return rc < 0 ? rc : replication_broken(r, e);
	}
}

int
replication_send(struct replication *r, const char *text, struct err *e)
{
	if (r->row)
		r->pq->clear(r->row);
	if (r->next)
		r->pq->clear(r->next);
	r->row = r->next = NULL;
	r->sqlstate[0] = '\0';
	if (!r->pq->sendQuery(r->conn, text))
		return replication_broken(r, e);
	return replication_flush(r, e);
}

/* ---- copies ---- */

int
replication_copy_ended(struct replication *r, int64_t deadline_ns, struct err *e)
{
	if (replication_result(r, &r->next, deadline_ns, e) < 0)
		return -1;
	if (!r->next || r->pq->resultStatus(r->next) != PGRES_FATAL_ERROR)
		return 0;
	return replication_refused(r, r->next, e);
}

int
replication_copy(struct replication *r, const char **p, size_t *n, struct err *e)
{
	int64_t deadline_ns = 0;

	if (r->copy)
		r->pq->freemem(r->copy);
	r->copy = NULL;
	for (;;) {
		int len = r->pq->getCopyData(r->conn, &r->copy, 1), rc;

		if (len > 0) {
			*p = r->copy;
			*n = (size_t)len;
			return 1;
		}
		if (len == -1)
			return 0;
		if (len < 0)
			return replication_broken(r, e);
		if (!deadline_ns)
			deadline_ns = replication_deadline(r, 0);
		rc = replication_poll(r, POLLIN, deadline_ns, e);
		if (rc <= 0)
			return rc < 0 ? -1 : replication_late(e);
		if (!r->pq->consumeInput(r->conn))
			return replication_broken(r, e);
	}
}

int
replication_copy_put(struct replication *r, const void *p, size_t n, struct err *e)
{
	for (;;) {
		int rc = r->pq->putCopyData(r->conn, p, (int)n);

		if (rc < 0)
			return replication_broken(r, e);
		if (replication_flush(r, e) < 0)
			return -1;
		if (rc > 0)
			return 0;
	}
}

/* ---- connecting ---- */

static void
replication_on_notice(void *arg, const char *text)
{
	struct replication *r = arg;
	char line[400];

	replication_one_line(line, sizeof(line), text);
	if (r->notice)
		r->notice(r->arg, line);
}

static int
replication_connect(struct replication *r, int64_t deadline_ns, struct err *e)
{
	for (;;) {
		PostgresPollingStatusType st;
		int rc;

		st = r->pq->status(r->conn) == CONNECTION_BAD ? PGRES_POLLING_FAILED
							      : r->pq->connectPoll(r->conn);
		if (st == PGRES_POLLING_OK)
			break;
		if (st == PGRES_POLLING_FAILED) {
			replication_broken(r, e);
			/* The verbose message has the SQLSTATE: "FATAL:  28P01: ...". */
			if (strstr(e->msg, ":  28"))
				e->kind = ERR_DENIED;
			return -1;
		}
		rc = replication_poll(
			r, st == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_ns, e);
		if (rc <= 0)
			return rc < 0 ? -1 : replication_late(e);
	}
	r->pq->setErrorVerbosity(r->conn, PQERRORS_DEFAULT);
	if (r->pq->setnonblocking(r->conn, 1) < 0)
		return replication_broken(r, e);
	return 0;
}

int
replication_open(struct replication **out, const struct pq *pq, const struct replication_spec *spec,
	struct err *e)
{
	AUTO(replication_close) struct replication *r = calloc(1, sizeof(*r));
	const char *key[REPLICATION_PARAMS + 1], *value[REPLICATION_PARAMS + 1];
	int64_t deadline_ns;
	size_t n = 0;

	if (!r)
		return err_sys(e, "make a connection");
	for (; spec->key && spec->key[n]; n++) {
		if (n + 2 >= REPLICATION_PARAMS)
			return err_set(e, ERR_CONFIG, "too many connection parameters");
		key[n] = spec->key[n];
		value[n] = spec->value[n];
	}
	key[n] = "replication";
	value[n++] = spec->database ? "database" : "true";
	key[n] = "fallback_application_name";
	value[n++] = spec->application;
	key[n] = value[n] = NULL;
	r->pq = pq;
	r->answer_ms = spec->answer_ms ? spec->answer_ms : REPLICATION_ANSWER_MS;
	r->cancelled = spec->cancelled;
	r->notice = spec->notice;
	r->arg = spec->arg;
	deadline_ns = replication_deadline(
		r, spec->connect_ms ? spec->connect_ms : REPLICATION_CONNECT_MS);
	r->conn = pq->connectStartParams(key, value, 0);
	if (!r->conn)
		return err_set(e, ERR_SYS, "make a connection: out of memory");
	pq->setErrorVerbosity(r->conn, PQERRORS_VERBOSE);
	pq->setNoticeProcessor(r->conn, replication_on_notice, r);
	if (replication_connect(r, deadline_ns, e) < 0)
		return -1;
	*out = take(r);
	return 0;
}

struct replication *
replication_close(struct replication *r)
{
	if (!r)
		return NULL;
	if (r->row)
		r->pq->clear(r->row);
	if (r->next)
		r->pq->clear(r->next);
	if (r->copy)
		r->pq->freemem(r->copy);
	if (r->conn)
		r->pq->finish(r->conn);
	free(r);
	return NULL;
}

int
replication_server_version(const struct replication *r)
{
	return r->pq->serverVersion(r->conn);
}

int
replication_fd(const struct replication *r)
{
	return r->pq->socket(r->conn);
}

const char *
replication_sqlstate(const struct replication *r)
{
	return r->sqlstate;
}
