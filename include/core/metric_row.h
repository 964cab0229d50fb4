/*
 * metric_row - from the rows of a query to the samples of its families.
 *
 * Values as CloudNativePG has them (pkg/management/postgres/metrics): NULL -> NaN, a NULL label ->
 * "", booleans -> 1 and 0 (labels "true", "false"), timestamps -> seconds since 1970; text that is
 * no number is left out.
 */
#pragma once

#include "core/metric_text.h"

/* Rows of whoever holds them; col counts columns of the result. */
struct metric_rows {
	int rows, cols;
	const char *(*column)(const void *arg, int col);
	uint32_t (*type)(const void *arg, int col);              /* OID of its type */
	const char *(*value)(const void *arg, int row, int col); /* NULL for null */
	const void *arg;
};

struct metric_told {
	uint32_t samples;
	uint32_t dropped; /* rows over the cap, series that were there, values that are no number */
};

/* The complete name of a column's family; the caller frees; NULL: no memory. */
char *metric_family_name(const struct metric_query *q, const struct metric_column *c);

/* What one query gave, family by family; results of several databases are added one by one. */
struct metric_result;

struct metric_result *metric_result_new(const struct metric_query *q, int version);
struct metric_result *metric_result_free(struct metric_result *r);
DEFINE_AUTO(struct metric_result *, metric_result_free)
/* Fails (ERR_CONFIG) when a column of the query is missing in the result, or one is there that
 * nobody described: *e names it.  Nothing is added then. */
int metric_result_add(struct metric_result *r, const struct metric_rows *rows,
	struct metric_told *told, struct err *e) MUSTCHECK;
size_t metric_result_families(const struct metric_result *r);
/* Of family i: its description and its lines, borrowed. */
const struct metric_family *metric_result_family(const struct metric_result *r, size_t i);
const struct buf *metric_result_lines(const struct metric_result *r, size_t i);
