/*
 * sql - one connection to postgres that never makes anybody wait.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "pg/sql_impl.h"

/* ---- errors ---- */

static bool
is_sqlstate(const char *s)
{
	return strspn(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && s[5] == ':';
}

/* While connecting libpq keeps the SQLSTATE to itself, but for its verbose messages:
 * "...: FATAL:  53300: sorry, ...".  The words may be in any language; the five letters are not. */
static void
sql_find_sqlstate(struct sql *c, char *text)
{
	char *at = text;

	while ((at = strstr(at, ":  "))) {
		at += 3;
		if (!is_sqlstate(at))
			continue;
		memcpy(c->sqlstate, at, 5);
		memmove(at, at + 7, strlen(at + 7) + 1);
		return;
	}
}

static void
sql_note_error(struct sql *c, const char *text)
{
	size_t n = strcspn(text, "\n");

	n = n < sizeof(c->error) ? n : sizeof(c->error) - 1;
	memcpy(c->error, text, n);
	c->error[n] = '\0';
}

enum sql_state
sql_break(struct sql *c)
{
	if (!c->failed) {
		sql_note_error(c, c->pq->errorMessage(c->conn));
		sql_find_sqlstate(c, c->error);
	}
	c->failed = true;
	return c->state = SQL_BROKEN;
}

static void
sql_no_notices(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

/* ---- connecting ---- */

struct sql *
sql_close(struct sql *c)
{
	if (!c)
		return NULL;
	if (c->result)
		c->pq->clear(c->result);
	if (c->conn)
		c->pq->finish(c->conn);
	free(c);
	return NULL;
}

static enum sql_state
sql_turn_connecting(struct sql *c)
{
	switch (c->pq->connectPoll(c->conn)) {
	case PGRES_POLLING_READING:
		c->events = EPOLLIN;
		return c->state;
	case PGRES_POLLING_WRITING:
		c->events = EPOLLOUT;
		return c->state;
	case PGRES_POLLING_OK:
		c->events = EPOLLIN;
		if (c->pq->setnonblocking(c->conn, 1) < 0)
			return sql_break(c);
		c->pq->setErrorVerbosity(c->conn, PQERRORS_DEFAULT);
		return c->state = SQL_IDLE;
	case PGRES_POLLING_FAILED:
	default:
		return sql_break(c);
	}
}

/* A unix socket is connected at once.  Then the first packet goes out now: a server process that
 * waits for it cannot be shut down until authentication_timeout. */
static bool
sql_is_writable(const struct sql *c)
{
	struct pollfd p = {.fd = c->pq->socket(c->conn), .events = POLLOUT};

	return poll(&p, 1, 0) > 0;
}

int
sql_open(struct sql **out, const struct pq *pq, const struct sql_spec *spec, int64_t deadline_ns,
	struct err *e)
{
	AUTO(sql_close) struct sql *c = calloc(1, sizeof(*c));
	char port[12];
	const char *const keys[] = {"host", "port", "user", "dbname", "application_name", "options",
		"client_encoding", "passfile", "gssencmode", NULL};
	const char *const values[] = {spec->host, port, spec->user, spec->database,
		spec->application, spec->settings, "UTF8", "/nonexistent", "disable", NULL};

	if (!c)
		return err_sys(e, "make a connection");
	snprintf(port, sizeof(port), "%d", spec->port);
	c->pq = pq;
	c->deadline_ns = deadline_ns;
	c->conn = pq->connectStartParams(keys, values, 0);
	if (!c->conn)
		return err_set(e, ERR_SYS, "make a connection: out of memory");
	pq->setErrorVerbosity(c->conn, PQERRORS_VERBOSE);
	pq->setNoticeProcessor(c->conn, sql_no_notices, NULL);
	c->state = SQL_CONNECTING;
	c->events = EPOLLOUT;
	if (pq->status(c->conn) == CONNECTION_BAD)
		sql_break(c);
	else if (sql_is_writable(c))
		sql_turn_connecting(c);
	*out = take(c);
	return 0;
}

/* ---- statements ---- */

void
sql_begin(struct sql *c, int64_t deadline_ns)
{
	if (c->result)
		c->pq->clear(c->result);
	c->result = NULL;
	c->failed = false;
	c->error[0] = c->sqlstate[0] = '\0';
	c->deadline_ns = deadline_ns;
	c->state = SQL_BUSY;
}

static int
sql_sent(struct sql *c, int ok, struct err *e)
{
	int unsent = ok ? c->pq->flush(c->conn) : -1;

	c->events = unsent > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN;
	if (unsent >= 0)
		return 0;
	sql_break(c);
	return err_set(e, ERR_REMOTE, "%s", c->error);
}

int
sql_send(struct sql *c, const char *text, int64_t deadline_ns, struct err *e)
{
	must(c->state == SQL_IDLE);
	sql_begin(c, deadline_ns);
	return sql_sent(c, c->pq->sendQuery(c->conn, text), e);
}

int
sql_send_prepare(
	struct sql *c, const char *name, const char *text, int64_t deadline_ns, struct err *e)
{
	must(c->state == SQL_IDLE);
	sql_begin(c, deadline_ns);
	return sql_sent(c, c->pq->sendPrepare(c->conn, name, text, 0, NULL), e);
}

int
sql_send_prepared(struct sql *c, const char *name, int64_t deadline_ns, struct err *e)
{
	must(c->state == SQL_IDLE);
	sql_begin(c, deadline_ns);
	return sql_sent(c, c->pq->sendQueryPrepared(c->conn, name, 0, NULL, NULL, NULL, 0), e);
}

void
sql_take_result(struct sql *c, PGresult *r)
{
	ExecStatusType status = c->pq->resultStatus(r);
	const char *state;

	if (status == PGRES_FATAL_ERROR && !c->failed) {
		state = c->pq->resultErrorField(r, PG_DIAG_SQLSTATE);
		c->failed = true;
		sql_note_error(c, c->pq->resultErrorMessage(r));
		snprintf(c->sqlstate, sizeof(c->sqlstate), "%s", state ? state : "");
	}
	if (status != PGRES_TUPLES_OK) {
		c->pq->clear(r);
		return;
	}
	if (c->result)
		c->pq->clear(c->result);
	c->result = r;
}

static enum sql_state
sql_turn_busy(struct sql *c)
{
	int unsent = c->pq->flush(c->conn);
	PGresult *r;

	if (unsent < 0 || !c->pq->consumeInput(c->conn))
		return sql_break(c);
	c->events = unsent ? EPOLLIN | EPOLLOUT : EPOLLIN;
	while (!c->pq->isBusy(c->conn)) {
		r = c->pq->getResult(c->conn);
		if (!r)
			return c->state = SQL_IDLE;
		sql_take_result(c, r);
	}
	return c->pq->status(c->conn) == CONNECTION_BAD ? sql_break(c) : c->state;
}

/* An idle connection that becomes readable brings a message of its end, as a rule. */
static enum sql_state
sql_turn_idle(struct sql *c)
{
	PGresult *r;

	if (!c->pq->consumeInput(c->conn) || c->pq->status(c->conn) == CONNECTION_BAD)
		return sql_break(c);
	while (!c->pq->isBusy(c->conn) && (r = c->pq->getResult(c->conn)))
		c->pq->clear(r);
	return c->pq->status(c->conn) == CONNECTION_BAD ? sql_break(c) : c->state;
}

enum sql_state
sql_turn(struct sql *c)
{
	switch (c->state) {
	case SQL_CONNECTING:
		return sql_turn_connecting(c);
	case SQL_BUSY:
		sql_turn_busy(c);
		if (c->state == SQL_IDLE && c->pq->status(c->conn) == CONNECTION_BAD)
			return sql_break(c);
		return c->state;
	case SQL_IDLE:
		return sql_turn_idle(c);
	case SQL_BROKEN:
		break;
	}
	return c->state;
}

/* ---- one after the other ---- */

int
sql_wait(struct sql *c, struct err *e)
{
	while (c->state == SQL_CONNECTING || c->state == SQL_BUSY) {
		int64_t left_ns = c->deadline_ns - clock_boot_ns();
		struct pollfd p = {.fd = sql_fd(c),
			.events = (short)((c->events & EPOLLIN ? POLLIN : 0) |
					  (c->events & EPOLLOUT ? POLLOUT : 0))};

		if (left_ns <= 0)
			return err_set(e, ERR_TIMEOUT, "postgres has not answered in time");
		if (poll(&p, 1, (int)(left_ns / MS_NS < 60000 ? left_ns / MS_NS + 1 : 60000)) > 0)
			sql_turn(c);
	}
	if (c->state == SQL_BROKEN)
		return err_set(e, ERR_REMOTE, "%s", c->error);
	return c->failed ? err_set(e, ERR_FAILED, "%s", c->error) : 0;
}

int
sql_ask(struct sql *c, const char *text, int64_t deadline_ns, struct err *e)
{
	return sql_send(c, text, deadline_ns, e) < 0 ? -1 : sql_wait(c, e);
}

/* ---- questions ---- */

enum sql_state
sql_state(const struct sql *c)
{
	return c->state;
}

int
sql_fd(const struct sql *c)
{
	return c->state == SQL_BROKEN ? -1 : c->pq->socket(c->conn);
}

uint32_t
sql_events(const struct sql *c)
{
	return c->events;
}

int64_t
sql_deadline_ns(const struct sql *c)
{
	return c->deadline_ns;
}

bool
sql_overdue(const struct sql *c, int64_t now_ns)
{
	return (c->state == SQL_CONNECTING || c->state == SQL_BUSY) && now_ns >= c->deadline_ns;
}

bool
sql_failed(const struct sql *c)
{
	return c->failed;
}

const char *
sql_error(const struct sql *c)
{
	return c->error;
}

const char *
sql_sqlstate(const struct sql *c)
{
	return c->sqlstate;
}

int
sql_server_version(const struct sql *c)
{
	return c->pq->serverVersion(c->conn);
}

int
sql_rows(const struct sql *c)
{
	return c->result ? c->pq->ntuples(c->result) : 0;
}

int
sql_cols(const struct sql *c)
{
	return c->result ? c->pq->nfields(c->result) : 0;
}

const char *
sql_column(const struct sql *c, int col)
{
	const char *name = col < sql_cols(c) ? c->pq->fname(c->result, col) : NULL;

	return name ? name : "";
}

uint32_t
sql_type(const struct sql *c, int col)
{
	return col < sql_cols(c) ? c->pq->ftype(c->result, col) : 0;
}

bool
sql_null(const struct sql *c, int row, int col)
{
	return row >= sql_rows(c) || col >= c->pq->nfields(c->result) ||
	       c->pq->getisnull(c->result, row, col);
}

const char *
sql_text(const struct sql *c, int row, int col)
{
	return sql_null(c, row, col) ? "" : c->pq->getvalue(c->result, row, col);
}

void
sql_copy(const struct sql *c, int row, int col, char *out, size_t size)
{
	snprintf(out, size, "%s", sql_text(c, row, col));
}

int64_t
sql_int(const struct sql *c, int row, int col, int64_t if_null)
{
	return sql_null(c, row, col) ? if_null : strtoll(sql_text(c, row, col), NULL, 10);
}

bool
sql_bool(const struct sql *c, int row, int col)
{
	return sql_text(c, row, col)[0] == 't';
}
