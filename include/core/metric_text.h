/*
 * metric_text - Prometheus' text, from families and samples.
 *
 * One rendering serves both formats (exposition_formats.md of Prometheus, text 0.0.4; OpenMetrics
 * 1.0): the lines of the samples are the same, only the heads of the families differ.  OpenMetrics
 * demands "_total" of counters and forbids it for others, and renaming would break every dashboard
 * written for CloudNativePG; so counters without it, and gauges with it, are "unknown" there.
 *
 * Whatever bytes come in, the text stays valid: labels are escaped, what is no UTF-8 is replaced, a
 * series that is there already is left out and counted, and so are values that are no number.
 */
#pragma once

#include "base/buf.h"
#include "core/metric.h"

enum metric_format { METRIC_TEXT, METRIC_OPENMETRICS, METRIC_FORMATS };

struct metric_family {
	const char *name; /* complete */
	enum metric_type type;
	const char *unit; /* "" or as OpenMetrics wants it: the name's ending, "seconds" */
	const char *help;
};

struct metric_label {
	const char *name, *value; /* value is any bytes without NUL */
};

/* # HELP, # TYPE (and # UNIT) of a family. */
void metric_text_head(struct buf *out, enum metric_format format, const struct metric_family *f);
/* {a="b",c="d"}; nothing when n is 0.  Values are cut at METRIC_MAX_LABEL bytes, at a whole
 * character. */
void metric_text_labels(struct buf *out, const struct metric_label *label, size_t n);
/* name + suffix + labels + value; labels as metric_text_labels() gave them. */
void metric_text_line(struct buf *out, const char *name, const char *suffix, const char *labels,
	const char *value);
void metric_text_line_double(
	struct buf *out, const char *name, const char *suffix, const char *labels, double value);
void metric_text_double(char *out, size_t size, double value); /* size: at least 40 */
/* The number as Prometheus reads it: "NaN", "+Inf"; what PostgreSQL printed is copied.  false: it
 * is no number. */
bool metric_text_number(char *out, size_t size, const char *text);
/* Is this a name Prometheus takes?  metric: with ':'; else a label's */
bool metric_name_ok(const char *name, bool metric);
