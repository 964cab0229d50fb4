#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "service/plot.h"

#define NOW (INT64_C(1763710000) * SEC_US)
#define STEP_US (INT64_C(1000) * PLOT_STEP_MS)

static struct plot plot;
static struct plot_points points;
static struct plot_line line;

static int
setup(void **state)
{
	(void)state;
	memset(&plot, 0, sizeof(plot));
	return 0;
}

static struct plot_point
point_at(int64_t wall_us, uint64_t lsn)
{
	return (struct plot_point){.wall_us = wall_us,
		.wal_lsn = lsn,
		.lag_bytes = -1,
		.lag_s = -1,
		.exposed_s = -1,
		.connections = (int32_t)(lsn % 100),
		.queue = -1};
}

static void
add(int64_t wall_us, uint64_t lsn)
{
	struct plot_point p = point_at(wall_us, lsn);

	plot_add(&plot, &p);
}

/* n points up to now, each one megabyte further. */
static void
fill(int n)
{
	for (int i = 0; i < n; i++)
		add(NOW - (n - 1 - i) * STEP_US, 1000000 * (uint64_t)(i + 1));
}

static void
an_empty_ring_has_no_points_and_no_figures(void **state)
{
	struct plot_sum sum;

	(void)state;
	plot_points(&plot, NOW, &points);
	assert_int_equal(points.n, 0);
	plot_line(&points, PLOT_WAL_RATE, NOW, &line);
	plot_sum(&line, &sum);
	assert_true(isnan(sum.now) && isnan(sum.low) && isnan(sum.mean) && isnan(sum.high));
}

static void
the_newest_180_points_remain_oldest_first(void **state)
{
	(void)state;
	fill(500);
	plot_points(&plot, NOW, &points);
	assert_int_equal(points.n, PLOT_POINTS);
	assert_int_equal(points.at[PLOT_POINTS - 1]->wall_us, NOW);
	for (size_t i = 1; i < points.n; i++)
		assert_int_equal(points.at[i]->wall_us - points.at[i - 1]->wall_us, STEP_US);
}

static void
points_older_than_15_minutes_are_left_out(void **state)
{
	(void)state;
	fill(10);
	plot_points(&plot, NOW + PLOT_WINDOW_S * SEC_US - 2 * STEP_US, &points);
	assert_int_equal(points.n, 3);
}

static void
a_clock_that_was_set_shortens_the_line(void **state)
{
	(void)state;
	fill(10);
	add(NOW - 5 * STEP_US + 1, 5); /* set back: what seems later is gone */
	plot_points(&plot, NOW, &points);
	assert_int_equal(points.n, 6);
	assert_int_equal(points.at[5]->wal_lsn, 5);
	plot_points(&plot, NOW - 3600 * SEC_US, &points); /* all of it in the future */
	assert_int_equal(points.n, 0);
}

static void
any_bytes_in_the_ring_are_survived(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};

	(void)state;
	srandom(1);
	for (int round = 0; round < 50; round++) {
		unsigned char *p = (unsigned char *)&plot;

		for (size_t i = 0; i < sizeof(plot); i++)
			p[i] = (unsigned char)random();
		for (int i = 0; i < PLOT_POINTS; i += 2)
			plot.point[i].wall_us = NOW - i * SEC_US;
		plot_points(&plot, NOW, &points);
		assert_true(points.n <= PLOT_POINTS);
		for (int s = 0; s < PLOT_SERIES; s++) {
			struct plot_sum sum;

			plot_line(&points, (enum plot_series)s, NOW, &line);
			plot_sum(&line, &sum);
			buf_reset(&b);
			plot_path(&line, plot_top(sum.high), &b);
			assert_null(strpbrk(buf_str(&b), "\"<>&"));
		}
	}
}

static void
the_rate_is_unknown_across_gaps_and_timelines(void **state)
{
	(void)state;
	add(NOW - 40 * SEC_US, 1000);
	add(NOW - 35 * SEC_US, 6000);
	add(NOW - 10 * SEC_US, 7000); /* nobody looked for 25 s */
	add(NOW - 5 * SEC_US, 500);   /* another cluster */
	add(NOW, 10500);
	plot_points(&plot, NOW, &points);
	assert_true(isnan(plot_value(&points, 0, PLOT_WAL_RATE)));
	assert_float_equal(plot_value(&points, 1, PLOT_WAL_RATE), 1000, 0.001);
	assert_true(isnan(plot_value(&points, 2, PLOT_WAL_RATE)));
	assert_true(isnan(plot_value(&points, 3, PLOT_WAL_RATE)));
	assert_float_equal(plot_value(&points, 4, PLOT_WAL_RATE), 2000, 0.001);
}

static void
figures_leave_out_what_is_unknown(void **state)
{
	struct plot_sum sum;

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct plot_point p = point_at(NOW - (3 - i) * STEP_US, 0);

		p.lag_bytes = i == 1 ? -1 : 10 * i;
		plot_add(&plot, &p);
	}
	plot_points(&plot, NOW, &points);
	plot_line(&points, PLOT_LAG_BYTES, NOW, &line);
	plot_sum(&line, &sum);
	assert_float_equal(sum.now, 30, 0);
	assert_float_equal(sum.low, 0, 0);
	assert_float_equal(sum.high, 30, 0);
	assert_float_equal(sum.mean, 50.0 / 3, 0.001);
	plot_line(&points, PLOT_LAG_BYTES, NOW + 60 * SEC_US, &line);
	plot_sum(&line, &sum);
	assert_true(isnan(sum.now)); /* a minute old is not now */
}

static void
expect_path(enum plot_series which, double top, const char *path)
{
	AUTO(buf_deinit) struct buf b = {0};

	plot_points(&plot, NOW, &points);
	plot_line(&points, which, NOW, &line);
	plot_path(&line, top, &b);
	assert_string_equal(buf_str(&b), path);
}

static void
a_path_breaks_where_nothing_is_known(void **state)
{
	struct plot_point down = point_at(NOW - 4 * STEP_US, 0);

	(void)state;
	down.connections = -1;
	add(NOW - 6 * STEP_US, 0);
	add(NOW - 5 * STEP_US, 50);
	plot_add(&plot, &down);
	add(NOW, 25);
	expect_path(PLOT_CONNECTIONS, 100, "M870 100.0h0L875 50.0M900 75.0h0");
	expect_path(PLOT_QUEUE, 100, "");
}

static void
the_top_is_a_round_number(void **state)
{
	(void)state;
	assert_float_equal(plot_top(0), 1, 0);
	assert_float_equal(plot_top(NAN), 1, 0);
	assert_float_equal(plot_top(INFINITY), 1, 0);
	assert_float_equal(plot_top(1), 1, 0);
	assert_float_equal(plot_top(1.5), 2, 0);
	assert_float_equal(plot_top(4), 5, 0);
	assert_float_equal(plot_top(51), 100, 0);
	assert_float_equal(plot_top(0.03), 0.05, 1e-9);
	for (double v = 1e-6; v < 1e19; v *= 1.37)
		assert_true(plot_top(v) >= v * 0.999999 && plot_top(v) <= v * 2.500001);
}

static void
intervals_are_read_as_postgres_writes_them(void **state)
{
	(void)state;
	assert_float_equal(plot_interval_s("00:00:00.25"), 0.25, 1e-9);
	assert_float_equal(plot_interval_s("01:02:03"), 3723, 1e-9);
	assert_float_equal(plot_interval_s("2 days 00:00:01.5"), 172801.5, 1e-9);
	assert_float_equal(plot_interval_s("1 day"), 86400, 1e-9);
	assert_true(plot_interval_s("") < 0);
	assert_true(plot_interval_s("soon") < 0);
	assert_true(plot_interval_s("today") < 0);
	assert_true(plot_interval_s("5") < 0);
}

#define CASE(f) cmocka_unit_test_setup(f, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_empty_ring_has_no_points_and_no_figures),
		CASE(the_newest_180_points_remain_oldest_first),
		CASE(points_older_than_15_minutes_are_left_out),
		CASE(a_clock_that_was_set_shortens_the_line),
		CASE(any_bytes_in_the_ring_are_survived),
		CASE(the_rate_is_unknown_across_gaps_and_timelines),
		CASE(figures_leave_out_what_is_unknown),
		CASE(a_path_breaks_where_nothing_is_known),
		CASE(the_top_is_a_round_number),
		CASE(intervals_are_read_as_postgres_writes_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
