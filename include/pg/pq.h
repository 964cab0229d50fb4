/*
 * pq - libpq, loaded by the one process that talks SQL.
 */
#pragma once

#include <libpq-fe.h>

#include "base/err.h"

/* pq->connectPoll is PQconnectPoll, and so on: include/tbl/dyn_pq.h. */
struct pq {
#define PQ(name) __typeof__(&PQ##name) name;
#include "tbl/dyn_pq.h"
#undef PQ
};

int pq_load(struct pq *out, struct err *e) MUSTCHECK;
