/*
 * plot - the ring of the last 15 minutes, as lines and as figures.
 *
 * Process: monitor (adds), api (reads).
 */
#include "service/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* A line is broken where points are further apart: nobody looked meanwhile. */
#define GAP_S (3.5 * PLOT_STEP_MS / 1000)

void
plot_add(struct plot *p, const struct plot_point *point)
{
	p->point[p->count++ % PLOT_POINTS] = *point;
}

double
plot_interval_s(const char *text)
{
	double days = 0, hours, minutes, seconds;
	const char *day = strstr(text, "day");
	char *end;

	if (day) {
		days = strtod(text, &end);
		if (end == text)
			return -1;
		text = strchr(day, ' ');
		if (!text)
			return days * 86400;
	}
	hours = strtod(text, &end);
	if (end == text || *end != ':')
		return -1;
	minutes = strtod(end + 1, &end);
	if (*end != ':')
		return -1;
	seconds = strtod(end + 1, &end);
	return days * 86400 + hours * 3600 + minutes * 60 + seconds;
}

/* ---- reading ---- */

void
plot_points(const struct plot *p, int64_t now_wall_us, struct plot_points *out)
{
	uint64_t left = p->count < PLOT_POINTS ? p->count : PLOT_POINTS;
	int64_t oldest = now_wall_us - PLOT_WINDOW_S * SEC_US, last = now_wall_us + SEC_US;

	out->n = 0;
	for (uint64_t i = p->count; left > 0; left--) {
		const struct plot_point *point = &p->point[--i % PLOT_POINTS];

		if (point->wall_us == 0 || point->wall_us >= last || point->wall_us < oldest)
			continue;
		last = point->wall_us;
		out->at[out->n++] = point;
	}
	for (size_t a = 0, b = out->n; a + 1 < b; a++) {
		const struct plot_point *swap = out->at[--b];

		out->at[b] = out->at[a];
		out->at[a] = swap;
	}
}

static double
plot_known(double value)
{
	return value < 0 ? NAN : value;
}

/* Positions go back with another timeline or a restored cluster: no rate then. */
static double
plot_wal_rate(const struct plot_points *p, size_t i)
{
	const struct plot_point *a, *b = p->at[i];
	double seconds;

	if (i == 0)
		return NAN;
	a = p->at[i - 1];
	seconds = (double)(b->wall_us - a->wall_us) / SEC_US;
	if (a->wal_lsn == 0 || b->wal_lsn < a->wal_lsn || seconds > GAP_S || seconds <= 0)
		return NAN;
	return (double)(b->wal_lsn - a->wal_lsn) / seconds;
}

double
plot_value(const struct plot_points *p, size_t i, enum plot_series which)
{
	const struct plot_point *x = p->at[i];

	switch (which) {
	case PLOT_WAL_RATE:
		return plot_wal_rate(p, i);
	case PLOT_LAG_BYTES:
		return plot_known((double)x->lag_bytes);
	case PLOT_LAG_S:
		return plot_known((double)x->lag_s);
	case PLOT_EXPOSED_S:
		return plot_known((double)x->exposed_s);
	case PLOT_CONNECTIONS:
		return plot_known(x->connections);
	case PLOT_QUEUE:
		return plot_known((double)x->queue);
	case PLOT_SERIES:
		break;
	}
	return NAN;
}

void
plot_line(const struct plot_points *p, enum plot_series which, int64_t now_wall_us,
	struct plot_line *out)
{
	out->n = p->n;
	for (size_t i = 0; i < p->n; i++) {
		double ago = (double)(now_wall_us - p->at[i]->wall_us) / SEC_US;

		out->v[i].ago_s = ago < 0 ? 0 : ago;
		out->v[i].value = plot_value(p, i, which);
	}
}

void
plot_sum(const struct plot_line *l, struct plot_sum *out)
{
	double sum = 0;
	size_t known = 0;

	*out = (struct plot_sum){NAN, NAN, NAN, NAN};
	for (size_t i = 0; i < l->n; i++) {
		double v = l->v[i].value;

		if (isnan(v))
			continue;
		sum += v;
		known++;
		out->low = isnan(out->low) || v < out->low ? v : out->low;
		out->high = isnan(out->high) || v > out->high ? v : out->high;
	}
	if (known > 0)
		out->mean = sum / (double)known;
	if (l->n > 0 && l->v[l->n - 1].ago_s <= GAP_S)
		out->now = l->v[l->n - 1].value;
}

/* ---- drawing ---- */

double
plot_top(double value)
{
	double unit = 1;

	if (!(value > 0) || !isfinite(value))
		return 1;
	while (unit < value)
		unit *= 10;
	while (unit / 10 >= value)
		unit /= 10;
	return unit / 5 >= value ? unit / 5 : unit / 2 >= value ? unit / 2 : unit;
}

void
plot_path(const struct plot_line *l, double top, struct buf *out)
{
	bool drawing = false;
	double last = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct plot_value *v = &l->v[i];

		if (drawing && (isnan(v->value) || last - v->ago_s > GAP_S))
			drawing = false;
		if (isnan(v->value))
			continue;
		/* Zero further: a point that stands alone is drawn, too. */
		buf_printf(out, drawing ? "L%.0f %.1f" : "M%.0f %.1fh0", PLOT_WINDOW_S - v->ago_s,
			100 - 100 * (v->value / top));
		drawing = true;
		last = v->ago_s;
	}
}
