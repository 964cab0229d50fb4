/*
 * metric_value - one value of PostgreSQL as Prometheus wants it.
 *
 * Types are recognised by their OIDs (pg_type.dat of PostgreSQL); times are read as DateStyle ISO
 * prints them, and as UTC where they carry no zone.
 */
#pragma once

#include "core/metric_text.h"

enum metric_oid {
	METRIC_OID_BOOL = 16,
	METRIC_OID_DATE = 1082,
	METRIC_OID_TIMESTAMP = 1114,
	METRIC_OID_TIMESTAMPTZ = 1184,
};

/* What a label says: "" for NULL, "true" and "false". */
const char *metric_value_label(const char *text, uint32_t type);
/* false: it is no number, and there is nothing to say.  out: 64 bytes at least. */
bool metric_value(
	char *out, size_t size, const struct metric_column *c, const char *text, uint32_t type);
/* "2026-11-20 15:03:50.34+00" -> seconds since 1970 */
bool metric_value_time(const char *text, double *out);
/* Go's time.ParseDuration: "1h30m", "-1.5s", "300ms", "2us" -> milliseconds */
bool metric_value_duration(const char *text, double *out);

/* Arrays of PostgreSQL ("{1,2,3}") for bounds and counts, and two numbers; NULL for null. */
struct metric_histogram {
	const char *part[4]; /* X (bounds), X_bucket (counts, cumulative), X_sum, X_count */
};

bool metric_value_histogram(
	struct buf *out, const char *name, const char *labels, const struct metric_histogram *h);
