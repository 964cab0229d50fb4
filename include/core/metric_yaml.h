/*
 * metric_yaml - users' queries: CloudNativePG's files and postgres_exporter's queries.yaml.
 *
 * Keys of a query: query, metrics (a list of one-key maps), name, primary, master, runonserver (a
 * range such as ">=14.0.0 <17"), predicate_query, target_databases (names and patterns with * ? [),
 * cache_seconds, timeout_seconds.  Of a column: usage, description, name, metric_mapping (or
 * metrics_mapping), pg_version.
 */
#pragma once

#include "base/buf.h"
#include "core/metric.h"

struct metric_set; /* owns its queries */

struct metric_note {
	bool error; /* this query is left out; else a warning */
	int line, col;
	char text[256]; /* "NAME.metrics[2]: ..., expected ..." */
};

struct metric_notes {
	struct metric_note *item;
	size_t n;
};

struct metric_set *metric_set_new(void);
struct metric_set *metric_set_free(struct metric_set *s);
DEFINE_AUTO(struct metric_set *, metric_set_free)
struct metric_source {
	const char *file; /* for messages */
	const char *prefix;
};

/*
 * Adds the queries of one file.  A wrong query is a note and costs itself alone; -1 only when the
 * file is no YAML or no map (ERR_CONFIG, *e = "FILE:LINE:COL: ...", a note as well).  prefix:
 * "cnpg_", or "pg_" for a queries.yaml of postgres_exporter.
 */
int metric_set_read(struct metric_set *s, const struct buf *text,
	const struct metric_source *source, struct metric_notes *notes, struct err *e) MUSTCHECK;
void metric_notes_deinit(struct metric_notes *n);
size_t metric_set_count(const struct metric_set *s);
const struct metric_query *metric_set_at(const struct metric_set *s, size_t i);

/* Does a database's name match a pattern (path.Match of Go: * ? [a-z] \)? */
bool metric_pattern(const char *pattern, const char *name);
/* ">=13.1.0 <17.0.0 || 18": the bounds as server_version_num.  Only what is one interval. */
int metric_range(const char *text, int *min, int *max, struct err *e) MUSTCHECK;
