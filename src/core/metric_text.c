/*
 * metric_text - Prometheus' text, from families and samples.
 */
#include "core/metric_text.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"

/* ---- heads ---- */

static bool
ends(const char *name, const char *with)
{
	size_t n = strlen(name), w = strlen(with);

	return n > w && strcmp(name + n - w, with) == 0;
}

static const char *const type_names[] = {
	[METRIC_UNTYPED] = "untyped",
	[METRIC_COUNTER] = "counter",
	[METRIC_GAUGE] = "gauge",
	[METRIC_HISTOGRAM] = "histogram",
};

/* OpenMetrics 1.0, "MetricFamily": a counter's samples end in _total, its family does not; nobody
 * else's do. */
static const char *
open_type(const struct metric_family *f)
{
	bool total = ends(f->name, "_total");

	if (f->type == METRIC_UNTYPED || (f->type == METRIC_COUNTER) != total)
		return "unknown";
	return type_names[f->type];
}

static void
put_help(struct buf *out, const char *help, bool quotes)
{
	for (; *help; help++) {
		if (*help == '\n')
			buf_puts(out, "\\n");
		else if (*help == '\\')
			buf_puts(out, "\\\\");
		else if (*help == '"' && quotes)
			buf_puts(out, "\\\"");
		else
			buf_putc(out, *help);
	}
}

void
metric_text_head(struct buf *out, enum metric_format format, const struct metric_family *f)
{
	bool open = format == METRIC_OPENMETRICS;
	const char *type = open ? open_type(f) : type_names[f->type];
	int len = (int)strlen(f->name);
	char unit[64];

	if (open && strcmp(type, "counter") == 0)
		len -= (int)strlen("_total");
	buf_printf(out, "# HELP %.*s ", len, f->name);
	put_help(out, f->help, open);
	buf_printf(out, "\n# TYPE %.*s %s\n", len, f->name, type);
	if (!open || !f->unit[0])
		return;
	snprintf(unit, sizeof(unit), "_%s", f->unit);
	if (len > (int)strlen(unit) &&
		strncmp(f->name + len - strlen(unit), unit, strlen(unit)) == 0)
		buf_printf(out, "# UNIT %.*s %s\n", len, f->name, f->unit);
}

/* ---- labels ---- */

static void
put_value(struct buf *out, const char *value)
{
	const char *p = value;
	size_t n, used = 0;

	for (; *p; p += n ? n : 1, used += n ? n : 3) {
		n = json_utf8_len(p, strnlen(p, 4));
		if (used + (n ? n : 3) > METRIC_MAX_LABEL)
			break;
		if (!n)
			buf_puts(out, "\xEF\xBF\xBD");
		else if (*p == '\n')
			buf_puts(out, "\\n");
		else if (*p == '\\' || *p == '"')
			buf_printf(out, "\\%c", *p);
		else
			buf_put(out, p, n);
	}
}

void
metric_text_labels(struct buf *out, const struct metric_label *label, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		buf_putc(out, i ? ',' : '{');
		buf_puts(out, label[i].name);
		buf_puts(out, "=\"");
		put_value(out, label[i].value);
		buf_putc(out, '"');
	}
	if (n)
		buf_putc(out, '}');
}

/* ---- samples ---- */

void
metric_text_line(struct buf *out, const char *name, const char *suffix, const char *labels,
	const char *value)
{
	buf_puts(out, name);
	buf_puts(out, suffix);
	buf_puts(out, labels);
	buf_putc(out, ' ');
	buf_puts(out, value);
	buf_putc(out, '\n');
}

void
metric_text_line_double(
	struct buf *out, const char *name, const char *suffix, const char *labels, double value)
{
	char text[40];

	metric_text_double(text, sizeof(text), value);
	metric_text_line(out, name, suffix, labels, text);
}

void
metric_text_double(char *out, size_t size, double value)
{
	if (isnan(value))
		snprintf(out, size, "NaN");
	else if (isinf(value))
		snprintf(out, size, value > 0 ? "+Inf" : "-Inf");
	else if (fabs(value) < 9e15 && value == (double)(int64_t)value)
		snprintf(out, size, "%lld", (long long)value);
	else if (snprintf(out, size, "%.15g", value) > 0 && strtod(out, NULL) != value)
		snprintf(out, size, "%.17g", value);
}

bool
metric_text_number(char *out, size_t size, const char *text)
{
	size_t n = strspn(text, "+-0123456789.eE");
	char *end;
	double d;

	if (strcasecmp(text, "nan") == 0)
		return snprintf(out, size, "NaN") > 0;
	if (strcasecmp(text, "infinity") == 0 || strcasecmp(text, "+inf") == 0)
		return snprintf(out, size, "+Inf") > 0;
	if (strcasecmp(text, "-infinity") == 0 || strcasecmp(text, "-inf") == 0)
		return snprintf(out, size, "-Inf") > 0;
	if (!n || text[n])
		return false;
	d = strtod(text, &end);
	if (*end)
		return false;
	if (n < size)
		return snprintf(out, size, "%s", text) > 0;
	metric_text_double(out, size, d);
	return true;
}

bool
metric_name_ok(const char *name, bool metric)
{
	if (!*name || isdigit((unsigned char)*name))
		return false;
	if (!metric && strncmp(name, "__", 2) == 0)
		return false;
	for (; *name; name++)
		if (!(isalnum((unsigned char)*name) && (unsigned char)*name < 0x80) &&
			*name != '_' && !(metric && *name == ':'))
			return false;
	return true;
}
