/*
 * metric_builtin - the default queries, as include/tbl/metric_queries.h has them.
 */
#include "core/metric.h"

#define COLUMN(its_column, its_complete, its_usage, its_help) \
	{.column = #its_column,                               \
		.name = #its_column,                          \
		.complete = its_complete,                     \
		.help = its_help,                             \
		.usage = METRIC_USE_##its_usage},
#define LABEL(column, help) COLUMN(column, NULL, LABEL, help)
#define GAUGE(column, help) COLUMN(column, NULL, GAUGE, help)
#define COUNTER(column, help) COLUMN(column, NULL, COUNTER, help)
#define FULL_GAUGE(column, family, help) COLUMN(column, family, GAUGE, help)
#define FULL_COUNTER(column, family, help) COLUMN(column, family, COUNTER, help)

#define QUERY(id, prefix, name, tier, where, min, max, all, predicate, sql, ...) \
	static const struct metric_column columns_##id[] = {__VA_ARGS__};
#include "tbl/metric_queries.h"
#undef QUERY

static const char *const every[] = {"*"};

#define MAIN_DATABASES NULL
#define MAIN_COUNT 0
#define ALL_DATABASES every
#define ALL_COUNT 1

const struct metric_query metric_builtin[] = {
#define QUERY(its_id, its_prefix, its_name, its_tier, its_where, min, max, all, its_predicate, \
	its_sql, ...)                                                                          \
	{.id = #its_id,                                                                        \
		.prefix = its_prefix,                                                          \
		.name = its_name,                                                              \
		.sql = its_sql,                                                                \
		.predicate = its_predicate,                                                    \
		.where = METRIC_##its_where,                                                   \
		.tier = METRIC_##its_tier,                                                     \
		.min_version = min,                                                            \
		.max_version = max,                                                            \
		.databases = all##_DATABASES,                                                  \
		.database_count = all##_COUNT,                                                 \
		.column = columns_##its_id,                                                    \
		.columns = ARRAY_LEN(columns_##its_id),                                        \
		.builtin = true},
#include "tbl/metric_queries.h"
#undef QUERY
};

const size_t metric_builtin_count = ARRAY_LEN(metric_builtin);

bool
metric_applies(const struct metric_query *q, int version, bool in_recovery)
{
	if ((q->min_version && version < q->min_version) ||
		(q->max_version && version >= q->max_version))
		return false;
	return q->where == METRIC_ANYWHERE || (q->where == METRIC_ON_STANDBY) == in_recovery;
}
