/*
 * sql - one connection to postgres that never makes anybody wait.
 *
 * Every step has a deadline on CLOCK_BOOTTIME.  Two ways to use it: from a loop (sql_fd,
 * sql_events, sql_turn), or one after the other (sql_wait, sql_ask).  One statement at a time; its
 * rows stay until the next is sent.
 *
 * A deadline that passes does not cancel the statement by itself: PQcancel() waits for the
 * postmaster, which may be the very process that hangs.  The statement_timeout of the settings ends
 * it in the server, and closing the connection gives it up.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "pg/pq.h"

struct sql;

/* Borrowed for the call of sql_open(). */
struct sql_spec {
	const char *host; /* folder of the unix socket, or a host */
	int port;
	const char *user;
	const char *database;
	const char *application;
	const char *settings; /* "-c name=value ..."; they beat those of role and database */
};

enum sql_state {
	SQL_CONNECTING,
	SQL_IDLE,
	SQL_BUSY,
	SQL_BROKEN, /* close it; sql_error() and sql_sqlstate() say why */
};

/* Begins to connect.  pq is borrowed for the connection's life. */
int sql_open(struct sql **out, const struct pq *pq, const struct sql_spec *spec,
	int64_t deadline_ns, struct err *e) MUSTCHECK;
struct sql *sql_close(struct sql *c); /* NULL is fine; returns NULL; never waits */
DEFINE_AUTO(struct sql *, sql_close)

enum sql_state sql_state(const struct sql *c);
int sql_fd(const struct sql *c);          /* -1 when broken; may change with each turn */
uint32_t sql_events(const struct sql *c); /* EPOLLIN | EPOLLOUT, to wait for before a turn */
int64_t sql_deadline_ns(const struct sql *c);
bool sql_overdue(const struct sql *c, int64_t now_ns); /* busy or connecting past its deadline */

/* Goes on as far as it can without waiting.  Returns the state; a statement that the server
 * refused ends in SQL_IDLE with sql_failed(). */
enum sql_state sql_turn(struct sql *c);

/* Each begins one statement; allowed in SQL_IDLE only.  Text may hold several statements divided
 * by semicolons with sql_send(); the rows are those of the last that has rows. */
int sql_send(struct sql *c, const char *text, int64_t deadline_ns, struct err *e) MUSTCHECK;
int sql_send_prepare(struct sql *c, const char *name, const char *text, int64_t deadline_ns,
	struct err *e) MUSTCHECK;
int sql_send_prepared(
	struct sql *c, const char *name, int64_t deadline_ns, struct err *e) MUSTCHECK;

/* Waits until it is idle.  ERR_TIMEOUT: still busy, the connection may be waited for again.
 * ERR_REMOTE: broken.  ERR_FAILED: the server refused the statement. */
int sql_wait(struct sql *c, struct err *e) MUSTCHECK;
/* sql_send() and sql_wait(). */
int sql_ask(struct sql *c, const char *text, int64_t deadline_ns, struct err *e) MUSTCHECK;

/* ---- the rows of the last statement ---- */

bool sql_failed(const struct sql *c);
const char *sql_error(const struct sql *c);    /* first line, without newline; "" when none */
const char *sql_sqlstate(const struct sql *c); /* five characters, or "" */
int sql_server_version(const struct sql *c);   /* 150020; 0 before it is connected */
int sql_rows(const struct sql *c);
int sql_cols(const struct sql *c);
const char *sql_column(const struct sql *c, int col); /* its name */
uint32_t sql_type(const struct sql *c, int col);      /* OID of its type */
bool sql_null(const struct sql *c, int row, int col);
const char *sql_text(const struct sql *c, int row, int col);                  /* "" for null */
void sql_copy(const struct sql *c, int row, int col, char *out, size_t size); /* cut to fit */
int64_t sql_int(const struct sql *c, int row, int col, int64_t if_null);
bool sql_bool(const struct sql *c, int row, int col); /* false for null */

/* ---- many statements in one round trip (libpq's pipeline mode) ---- */

/*
 * Each statement has a Sync behind it, so that one that fails costs itself alone.  Between begin
 * and end: first all prepares and runs, then as many takes, in that order.
 */
int sql_pipe_begin(struct sql *c, struct err *e) MUSTCHECK; /* in SQL_IDLE */
int sql_pipe_prepare(struct sql *c, const char *name, const char *text, struct err *e) MUSTCHECK;
int sql_pipe_run(struct sql *c, const char *name, struct err *e) MUSTCHECK;
/* Waits for the next answer; returns as sql_wait() does.  After ERR_TIMEOUT it may be tried again.
 */
int sql_pipe_take(struct sql *c, int64_t deadline_ns, struct err *e) MUSTCHECK;
int sql_pipe_end(struct sql *c, struct err *e) MUSTCHECK; /* all answers were taken */

/*
 * Asks the server to end the running statement, from a process of its own that lives for two
 * seconds at most, since libpq waits for the postmaster there.
 */
void sql_cancel(struct sql *c);
