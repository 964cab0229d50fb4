/*
 * sql_impl - what the files of sql share.
 */
#pragma once

#include "pg/sql.h"

#define SQL_ERROR_SIZE 320

struct sql {
	const struct pq *pq;
	PGconn *conn;
	PGresult *result; /* the last one with rows, or the one that failed */
	enum sql_state state;
	uint32_t events;
	int64_t deadline_ns;
	bool failed;
	char error[SQL_ERROR_SIZE];
	char sqlstate[6];
};

enum sql_state sql_break(struct sql *c);            /* notes why; returns SQL_BROKEN */
void sql_begin(struct sql *c, int64_t deadline_ns); /* forgets the last statement */
void sql_take_result(struct sql *c, PGresult *r);   /* owns r */
