/*
 * pq - libpq, loaded by the one process that talks SQL.
 */
#include "pg/pq.h"

#include "sys/dynlib.h"

static const struct dynlib_symbol symbols[] = {
#define PQ(name) {"PQ" #name, offsetof(struct pq, name)},
#include "tbl/dyn_pq.h"
#undef PQ
};
static const struct dynlib library = {"libpq.so.5", "libpq5", symbols, ARRAY_LEN(symbols)};

int
pq_load(struct pq *out, struct err *e)
{
	return dynlib_load(&library, out, e);
}
