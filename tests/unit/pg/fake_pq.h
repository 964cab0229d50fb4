/*
 * fake_pq - a libpq that says what a script tells it, for the tests of replication.
 *
 * A script is an array of results; PGRES_EMPTY_QUERY stands for the messages of a copy, and
 * PGRES_NONFATAL_ERROR for its end.  Included by one test.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "pg/replication.h"

#define CELLS 9
#define NUL "\0"

struct step {
	ExecStatusType status; /* of a result; PGRES_EMPTY_QUERY: the messages of a copy */
	int rows, cols;
	const char *cell[CELLS]; /* NULL: null */
	const char *sqlstate, *error;
	struct {
		const char *p;
		int n;
	} message[10];
};

static const struct step *script;
static int script_message, script_version, asked;
static bool script_silent; /* nothing ever comes */
static char last_query[512];
static struct buf sent;
static int pipe_fds[2];

static PGconn *
fake_start(const char *const *keys, const char *const *values, int expand)
{
	bool replication = false;

	(void)expand;
	for (int i = 0; keys[i]; i++)
		replication = replication || (strcmp(keys[i], "replication") == 0 &&
						     strcmp(values[i], "true") == 0);
	assert_true(replication);
	return (PGconn *)(void *)&script_version;
}

static PostgresPollingStatusType
fake_poll(PGconn *c)
{
	(void)c;
	return PGRES_POLLING_OK;
}

static ConnStatusType
fake_status(const PGconn *c)
{
	(void)c;
	return CONNECTION_OK;
}

static int
fake_socket(const PGconn *c)
{
	(void)c;
	return pipe_fds[0];
}

static char *
fake_error(const PGconn *c)
{
	static char text[] = "gone\n";

	(void)c;
	return text;
}

static void
fake_finish(PGconn *c)
{
	(void)c;
}

static int
fake_nonblocking(PGconn *c, int on)
{
	(void)c;
	(void)on;
	return 0;
}

static PGVerbosity
fake_verbosity(PGconn *c, PGVerbosity v)
{
	(void)c;
	return v;
}

static PQnoticeProcessor
fake_notice(PGconn *c, PQnoticeProcessor fn, void *arg)
{
	(void)c;
	(void)arg;
	return fn;
}

static int
fake_version(const PGconn *c)
{
	(void)c;
	return script_version;
}

static int
fake_query(PGconn *c, const char *text)
{
	(void)c;
	snprintf(last_query, sizeof(last_query), "%s", text);
	asked++;
	return 1;
}

static int
fake_zero(PGconn *c)
{
	(void)c;
	return 0;
}

static int
fake_one(PGconn *c)
{
	(void)c;
	return 1;
}

static int
fake_busy(PGconn *c)
{
	(void)c;
	return script_silent;
}

static PGresult *
fake_result(PGconn *c)
{
	(void)c;
	if (!script || script->status == PGRES_EMPTY_QUERY)
		return NULL;
	if (script->status == PGRES_NONFATAL_ERROR) { /* end of the script */
		return NULL;
	}
	return (PGresult *)(uintptr_t)script++;
}

static const struct step *
step_of(const PGresult *r)
{
	return (const struct step *)(const void *)r;
}

static ExecStatusType
fake_result_status(const PGresult *r)
{
	return step_of(r)->status;
}

static char *
fake_field(const PGresult *r, int code)
{
	(void)code;
	return (char *)(uintptr_t)step_of(r)->sqlstate;
}

static char *
fake_message(const PGresult *r)
{
	return (char *)(uintptr_t)(step_of(r)->error ? step_of(r)->error : "");
}

static int
fake_rows(const PGresult *r)
{
	return step_of(r)->rows;
}

static int
fake_cols(const PGresult *r)
{
	return step_of(r)->cols;
}

static char *
fake_value(const PGresult *r, int row, int col)
{
	const char *v = step_of(r)->cell[row * step_of(r)->cols + col];

	return (char *)(uintptr_t)(v ? v : "");
}

static int
fake_null(const PGresult *r, int row, int col)
{
	return !step_of(r)->cell[row * step_of(r)->cols + col];
}

static void
fake_clear(PGresult *r)
{
	(void)r;
}

static int
fake_get_copy(PGconn *c, char **out, int async)
{
	int n;

	(void)c;
	assert_int_equal(async, 1);
	if (script_silent)
		return 0;
	if (script->status != PGRES_EMPTY_QUERY)
		return -1;
	n = script->message[script_message].n;
	if (n == 0) {
		script++;
		script_message = 0;
		return -1;
	}
	*out = malloc((size_t)n + 1);
	assert_non_null(*out);
	memcpy(*out, script->message[script_message].p, (size_t)n);
	script_message++;
	return n;
}

static int
fake_put_copy(PGconn *c, const char *p, int n)
{
	(void)c;
	buf_put(&sent, p, (size_t)n);
	return 1;
}

static int
fake_put_end(PGconn *c, const char *error)
{
	(void)c;
	(void)error;
	buf_puts(&sent, "END");
	return 1;
}

static void
fake_free(void *p)
{
	free(p);
}

static const struct pq fake = {
	.connectStartParams = fake_start,
	.connectPoll = fake_poll,
	.status = fake_status,
	.socket = fake_socket,
	.errorMessage = fake_error,
	.finish = fake_finish,
	.setnonblocking = fake_nonblocking,
	.setErrorVerbosity = fake_verbosity,
	.setNoticeProcessor = fake_notice,
	.serverVersion = fake_version,
	.sendQuery = fake_query,
	.flush = fake_zero,
	.consumeInput = fake_one,
	.isBusy = fake_busy,
	.getResult = fake_result,
	.resultStatus = fake_result_status,
	.resultErrorField = fake_field,
	.resultErrorMessage = fake_message,
	.ntuples = fake_rows,
	.nfields = fake_cols,
	.getvalue = fake_value,
	.getisnull = fake_null,
	.clear = fake_clear,
	.getCopyData = fake_get_copy,
	.putCopyData = fake_put_copy,
	.putCopyEnd = fake_put_end,
	.freemem = fake_free,
};

#define END_OF_SCRIPT                          \
	{                                      \
		.status = PGRES_NONFATAL_ERROR \
	}
#define DONE {.status = PGRES_COMMAND_OK}, END_OF_SCRIPT

static struct replication *
connect_as(int version, const struct step *steps)
{
	const struct replication_spec spec = {.application = "test", .answer_ms = 50};
	struct replication *r;
	struct err e;

	script = steps;
	script_message = 0;
	script_version = version;
	script_silent = false;
	buf_reset(&sent);
	assert_int_equal(replication_open(&r, &fake, &spec, &e), 0);
	return r;
}
