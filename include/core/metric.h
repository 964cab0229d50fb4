/*
 * metric - what a metric query is: the SQL, what each column means, when and where it runs.
 *
 * The default queries (include/tbl/metric_queries.h) and those of users (core/metric_yaml.h) are
 * the same struct, and are run and rendered by the same code.
 *
 * Format of the users' files: CloudNativePG, "Monitoring", and postgres_exporter's queries.yaml.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum metric_type { METRIC_UNTYPED, METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* What becomes of a column. */
enum metric_usage {
	METRIC_USE_DISCARD,
	METRIC_USE_LABEL,
	METRIC_USE_COUNTER,
	METRIC_USE_GAUGE,
	METRIC_USE_HISTOGRAM, /* columns X, X_bucket, X_sum, X_count of arrays */
	METRIC_USE_MAPPED,    /* text -> number by map */
	METRIC_USE_DURATION,  /* text such as "1h30m" -> milliseconds, name + "_milliseconds" */
};

struct metric_map {
	const char *text;
	double value;
};

struct metric_column {
	const char *column;   /* of the result */
	const char *name;     /* of the metric or label; as a rule the same */
	const char *complete; /* the whole name of the family, instead; NULL */
	const char *help;     /* "" for none */
	enum metric_usage usage;
	const struct metric_map *map; /* METRIC_USE_MAPPED */
	size_t maps;
	int min_version, max_version; /* as metric_query's */
};

enum metric_where { METRIC_ANYWHERE, METRIC_ON_PRIMARY, METRIC_ON_STANDBY };

/* How often, when the query itself does not say (every_ms == 0). */
enum metric_tier {
	METRIC_FAST,     /* each pass */
	METRIC_TTL,      /* monitoring.metricsQueriesTTL, users' queries */
	METRIC_SIZES,    /* a minute, and at least 100 times what it cost */
	METRIC_SETTINGS, /* when the configuration was loaded anew, and each 5 minutes */
	METRIC_SWEEP,    /* each 5 minutes, in every database of target_databases */
};

struct metric_query {
	const char *id;     /* unique: the key in the file, or of the table */
	const char *prefix; /* "cnpg_", "podgres_", "pg_": before name */
	const char *name;   /* family = prefix + name + "_" + column's name */
	const char *sql;
	const char *predicate; /* one row with one boolean that is true, else it is skipped; "" */
	enum metric_where where;
	enum metric_tier tier;
	int64_t every_ms;             /* cache_seconds; 0: by the tier */
	int64_t timeout_ms;           /* timeout_seconds; 0: the default */
	int min_version, max_version; /* server_version_num, inclusive and exclusive; 0: no bound */
	const char *const *databases; /* patterns; databases == 0: the main one */
	size_t database_count;
	const struct metric_column *column;
	size_t columns;
	uint32_t max_series; /* rows beyond it are dropped and counted; 0: METRIC_MAX_SERIES */
	bool builtin;
	int line; /* of the file, 0 for built-in ones */
};

#define METRIC_MAX_SERIES 10000u /* rows of one query */
#define METRIC_MAX_LABEL 1024    /* bytes of a label's value */
#define METRIC_MAX_LABELS 32     /* of one query */

/* ---- the default queries ---- */

extern const struct metric_query metric_builtin[];
extern const size_t metric_builtin_count;

/* Does it belong on a server of this version (server_version_num) and role? */
bool metric_applies(const struct metric_query *q, int version, bool in_recovery);
