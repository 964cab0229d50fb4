/*
 * page_plots - the page: the last 15 minutes, drawn, summed up and as a table.
 *
 * Process: api.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/duration.h"
#include "base/quantity.h"
#include "service/page.h"

enum unit { BYTES, BYTES_A_SECOND, SECONDS, COUNT };

static const struct {
	const char *title, *unknown;
	enum unit unit;
} plots[PLOT_SERIES] = {
	[PLOT_WAL_RATE] = {"WAL written", "unknown", BYTES_A_SECOND},
	[PLOT_LAG_BYTES] = {"Not replayed", "no standby", BYTES},
	[PLOT_LAG_S] = {"Replay late by", "no standby", SECONDS},
	[PLOT_EXPOSED_S] = {"Not archived", "no archive", SECONDS},
	[PLOT_CONNECTIONS] = {"Connections", "unknown", COUNT},
	[PLOT_QUEUE] = {"Files that wait for the archive", "no archive", COUNT},
};

#define VALUE_SIZE 40

static const char *
value_text(enum plot_series which, double v, char out[VALUE_SIZE])
{
	char text[QUANTITY_SIZE > DURATION_SIZE ? QUANTITY_SIZE : DURATION_SIZE];

	if (isnan(v))
		snprintf(out, VALUE_SIZE, "%s", plots[which].unknown);
	else if (plots[which].unit == COUNT)
		snprintf(out, VALUE_SIZE, "%.0f", v);
	else if (plots[which].unit == SECONDS)
		snprintf(out, VALUE_SIZE, "%s",
			v < 1e12 ? duration_text((int64_t)(v * 1000), text) : "for ever");
	else
		snprintf(out, VALUE_SIZE, "%s%s", quantity_text(v, text),
			plots[which].unit == BYTES_A_SECOND ? "/s" : "");
	return out;
}

static void
plot_figure(enum plot_series which, const struct plot_line *line, struct buf *out)
{
	char now[VALUE_SIZE], mean[VALUE_SIZE], high[VALUE_SIZE], top_text[VALUE_SIZE];
	struct plot_sum sum;
	double top;

	plot_sum(line, &sum);
	top = plot_top(sum.high);
	buf_printf(out, "<figure>\n<figcaption>%s: <strong>%s</strong>", plots[which].title,
		value_text(which, sum.now, now));
	if (isnan(sum.high)) {
		buf_puts(out, "</figcaption>\n</figure>\n");
		return;
	}
	buf_printf(out, " <span>on average %s, at most %s</span>",
		value_text(which, sum.mean, mean), value_text(which, sum.high, high));
	buf_printf(out,
		"</figcaption>\n<svg viewBox=\"0 0 %d 100\" preserveAspectRatio=\"none\" "
		"role=\"img\" aria-label=\"%s, the last 15 minutes\"><path d=\"",
		PLOT_WINDOW_S, plots[which].title);
	plot_path(line, top, out);
	buf_printf(out,
		"\"/></svg>\n<p class=\"ends\"><span>15 min ago</span><span>top: %s</span>"
		"<span>now</span></p>\n</figure>\n",
		value_text(which, top, top_text));
}

/* ---- the same as a table, for who does not see the plots ---- */

/* The newest point of each minute, as far back as they go. */
static void
plot_rows(const struct plot_points *p, struct buf *out)
{
	int64_t minute = INT64_MAX;

	for (size_t i = p->n; i-- > 0;) {
		char at[CLOCK_RFC3339_SIZE], text[VALUE_SIZE];
		int64_t this = p->at[i]->wall_us / (60 * SEC_US);

		if (this == minute)
			continue;
		minute = this;
		clock_rfc3339_sec(p->at[i]->wall_us, at);
		snprintf(text, sizeof(text), "%.8s", strlen(at) > 11 ? at + 11 : "");
		page_row_open(out, text);
		for (int s = 0; s < PLOT_SERIES; s++) {
			double v = plot_value(p, i, (enum plot_series)s);

			page_cell(out, PAGE_PLAIN, "%s",
				isnan(v) ? "-" : value_text((enum plot_series)s, v, text));
		}
		page_row_close(out);
	}
}

void
page_plots(const struct page_in *in, struct buf *out)
{
	const char *columns[PLOT_SERIES + 2] = {"Time (UTC)"};
	struct plot_points points;
	struct plot_line line;

	plot_points(in->plot, in->v->now_wall_us, &points);
	buf_puts(out, "<div class=\"plots\">\n");
	for (int s = 0; s < PLOT_SERIES; s++) {
		plot_line(&points, (enum plot_series)s, in->v->now_wall_us, &line);
		plot_figure((enum plot_series)s, &line, out);
		columns[s + 1] = plots[s].title;
	}
	buf_puts(out, "</div>\n<details>\n<summary>As a table, minute by minute</summary>\n");
	page_table_open(out, "The last 15 minutes, newest first", columns);
	plot_rows(&points, out);
	page_table_close(out);
	buf_puts(out, "</details>\n");
}
