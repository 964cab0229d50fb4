/*
 * metric_value - one value of PostgreSQL as Prometheus wants it.
 */
#include "core/metric_value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

const char *
metric_value_label(const char *text, uint32_t type)
{
	if (!text)
		return "";
	if (type == METRIC_OID_BOOL)
		return *text == 't' ? "true" : "false";
	return text;
}

/* ---- times ---- */

/* "+05:30", "-08", "+00:00:10" and nothing; seconds east of Greenwich. */
static bool
read_zone(const char *text, int *out)
{
	int sign = *text == '-' ? -1 : 1, h = 0, m = 0, s = 0, n = 0;

	*out = 0;
	if (!*text)
		return true;
	if ((*text != '+' && *text != '-') || sscanf(text + 1, "%2d%n", &h, &n) != 1)
		return false;
	text += 1 + n;
	if (*text == ':' && sscanf(text, ":%2d%n", &m, &n) == 1)
		text += n;
	if (*text == ':' && sscanf(text, ":%2d%n", &s, &n) == 1)
		text += n;
	*out = sign * (h * 3600 + m * 60 + s);
	return !*text;
}

bool
metric_value_time(const char *text, double *out)
{
	struct tm tm = {0};
	int n = 0, zone;

	/* "infinity" and years before 0 have no seconds worth telling. */
	if (sscanf(text, "%d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &n) != 3)
		return false;
	text += n;
	if (sscanf(text, " %2d:%2d:%2d%n", &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) == 3)
		text += n;
	if (*text == '.')
		text += 1 + strspn(text + 1, "0123456789");
	if (!read_zone(text, &zone))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	*out = (double)timegm(&tm) - zone;
	return true;
}

static double
unit_ms(const char *unit, size_t n)
{
	static const struct {
		const char *name;
		double ms;
	} units[] = {{"h", 3600e3}, {"m", 60e3}, {"s", 1e3}, {"ms", 1}, {"us", 1e-3},
		{"\xC2\xB5s", 1e-3}, {"\xCE\xBCs", 1e-3}, {"ns", 1e-6}};

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strlen(units[i].name) == n && memcmp(units[i].name, unit, n) == 0)
			return units[i].ms;
	return 0;
}

bool
metric_value_duration(const char *text, double *out)
{
	bool minus = *text == '-';
	double sum = 0, factor;

	if (*text == '-' || *text == '+')
		text++;
	if (strcmp(text, "0") == 0) {
		*out = 0;
		return true;
	}
	if (!*text)
		return false;
	while (*text) {
		size_t digits = strspn(text, "0123456789."), unit;
		char number[32];

		if (!digits || digits >= sizeof(number))
			return false;
		snprintf(number, sizeof(number), "%.*s", (int)digits, text);
		text += digits;
		unit = strcspn(text, "0123456789.");
		factor = unit_ms(text, unit);
		if (factor == 0)
			return false;
		sum += strtod(number, NULL) * factor;
		text += unit;
	}
	*out = minus ? -sum : sum;
	return true;
}

/* ---- numbers ---- */

static bool
value_mapped(char *out, size_t size, const struct metric_column *c, const char *text)
{
	for (size_t i = 0; i < c->maps; i++)
		if (strcmp(c->map[i].text, text) == 0) {
			metric_text_double(out, size, c->map[i].value);
			return true;
		}
	return false;
}

static bool
value_plain(char *out, size_t size, const char *text, uint32_t type)
{
	double d;

	switch (type) {
	case METRIC_OID_BOOL:
		return snprintf(out, size, "%c", *text == 't' ? '1' : '0') > 0;
	case METRIC_OID_DATE:
	case METRIC_OID_TIMESTAMP:
	case METRIC_OID_TIMESTAMPTZ:
		if (!metric_value_time(text, &d))
			return metric_text_number(out, size, text);
		metric_text_double(out, size, d);
		return true;
	default:
		return metric_text_number(out, size, text);
	}
}

bool
metric_value(char *out, size_t size, const struct metric_column *c, const char *text, uint32_t type)
{
	double d;

	if (!text)
		return snprintf(out, size, "NaN") > 0;
	if (c->usage == METRIC_USE_MAPPED)
		return value_mapped(out, size, c, text);
	if (c->usage != METRIC_USE_DURATION)
		return value_plain(out, size, text, type);
	if (!metric_value_duration(text, &d))
		return false;
	metric_text_double(out, size, d);
	return true;
}

/* ---- histograms ---- */

/* The next element of an array of numbers, from *at on; false: it ends, or is none. */
static bool
array_next(const char **at, char *out, size_t size)
{
	size_t n;

	if (**at != '{' && **at != ',')
		return false;
	++*at;
	n = strcspn(*at, ",}");
	if (!n || n >= size)
		return false;
	snprintf(out, size, "%.*s", (int)n, *at);
	*at += n;
	return true;
}

static bool
put_bucket(struct buf *out, const char *name, const char *labels, const char *le, const char *count)
{
	AUTO(buf_deinit) struct buf all = {0};
	char bound[64], number[64];

	if (!metric_text_number(bound, sizeof(bound), le) ||
		!metric_text_number(number, sizeof(number), count))
		return false;
	if (*labels)
		buf_printf(&all, "%.*s,le=\"%s\"}", (int)strlen(labels) - 1, labels, bound);
	else
		buf_printf(&all, "{le=\"%s\"}", bound);
	metric_text_line(out, name, "_bucket", buf_str(&all), number);
	return true;
}

bool
metric_value_histogram(
	struct buf *out, const char *name, const char *labels, const struct metric_histogram *h)
{
	AUTO(buf_deinit) struct buf text = {0};
	char le[64], n[64], sum[64], count[64];
	const char *bounds = h->part[0], *counts = h->part[1];

	if (!bounds || !counts || !h->part[2] || !h->part[3] ||
		!metric_text_number(sum, sizeof(sum), h->part[2]) ||
		!metric_text_number(count, sizeof(count), h->part[3]))
		return false;
	while (array_next(&bounds, le, sizeof(le))) {
		if (!array_next(&counts, n, sizeof(n)))
			return false;
		if (strcasecmp(le, "infinity") != 0 && !put_bucket(&text, name, labels, le, n))
			return false;
	}
	if (strcmp(bounds, "}") != 0 || !put_bucket(&text, name, labels, "infinity", count))
		return false;
	metric_text_line(&text, name, "_sum", labels, sum);
	metric_text_line(&text, name, "_count", labels, count);
	buf_put(out, text.data, text.len);
	return true;
}
