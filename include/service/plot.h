/*
 * plot - the ring of the last 15 minutes on the board (struct plot), as lines and as figures.
 *
 * Pure.  Whoever reads trusts nothing of the ring but its size: points are taken from the newest
 * backwards while their times go back, so that a clock that was set leaves a shorter line and never
 * a wrong one.  NAN is "unknown".
 */
#pragma once

#include "base/buf.h"
#include "service/shared.h"

#define PLOT_WINDOW_S 900

enum plot_series {
	PLOT_WAL_RATE, /* bytes a second */
	PLOT_LAG_BYTES,
	PLOT_LAG_S,
	PLOT_EXPOSED_S,
	PLOT_CONNECTIONS,
	PLOT_QUEUE,
	PLOT_SERIES
};

/* Oldest first. */
struct plot_points {
	size_t n;
	const struct plot_point *at[PLOT_POINTS]; /* in the ring */
};

struct plot_value {
	double ago_s; /* 0 ... PLOT_WINDOW_S */
	double value;
};

struct plot_line {
	size_t n;
	struct plot_value v[PLOT_POINTS];
};

struct plot_sum {
	double now; /* of the newest point */
	double low, mean, high;
};

void plot_points(const struct plot *p, int64_t now_wall_us, struct plot_points *out);
/* Of point i; the rate is that since the point before it. */
double plot_value(const struct plot_points *p, size_t i, enum plot_series which);
void plot_line(const struct plot_points *p, enum plot_series which, int64_t now_wall_us,
	struct plot_line *out);
void plot_sum(const struct plot_line *l, struct plot_sum *out);
/* 1, 2 or 5 times a power of ten, not below value; 1 for 0 and NAN. */
double plot_top(double value);
/* The data of an SVG path in a box of PLOT_WINDOW_S x 100, top at 0; gaps where nothing is known.
 */
void plot_path(const struct plot_line *l, double top, struct buf *out);

/* Adds a point; the ring keeps the newest PLOT_POINTS. */
void plot_add(struct plot *p, const struct plot_point *point);
/* Seconds of an interval as PostgreSQL writes it, "00:00:01.5" or "2 days 00:00:01"; negative: it
 * is none. */
double plot_interval_s(const char *text);
