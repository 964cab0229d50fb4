/*
 * api_metrics_live - the writer of what the board says, held against the table.
 *
 * Process: api.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "service/api_metrics.h"

#define LABELS_MAX 4

enum { GAUGE = METRIC_GAUGE, COUNTER = METRIC_COUNTER };

static const struct {
	const char *name;
	enum metric_type type;
	const char *labels, *help;
} rows[] = {
#define LIVE(name, type, labels, help) {name, (enum metric_type)type, labels, help},
#include "tbl/metrics_live.h"
#undef LIVE
};

size_t
live_rows(void)
{
	return ARRAY_LEN(rows);
}

const char *
live_name(size_t row)
{
	return rows[row].name;
}

static bool
ends(const char *name, const char *with)
{
	size_t n = strlen(name), w = strlen(with);

	return n > w && strcmp(name + n - w, with) == 0;
}

static const char *
unit_of(const char *name)
{
	return ends(name, "_seconds") || ends(name, "_seconds_total") ? "seconds"
	       : ends(name, "_bytes") || ends(name, "_bytes_total")   ? "bytes"
	       : ends(name, "_ratio")                                 ? "ratio"
								      : "";
}

/* Moves on to the row of this name; false: it is not asked for. */
static bool
live_row(struct live *l, const char *name)
{
	if (l->want && strncmp(name, l->want, strlen(l->want)) != 0)
		return false;
	while (l->at < ARRAY_LEN(rows) && strcmp(rows[l->at].name, name) != 0) {
		l->at++;
		l->begun = false;
	}
	must(l->at < ARRAY_LEN(rows)); /* not in the table, or written out of its order */
	if (!l->begun)
		metric_text_head(l->out, l->format,
			&(struct metric_family){
				.name = name,
				.type = rows[l->at].type,
				.unit = unit_of(name),
				.help = rows[l->at].help,
			});
	l->begun = true;
	return true;
}

static void
live_line(struct live *l, const char *const *values, double value)
{
	struct metric_label label[LABELS_MAX];
	char names[LABELS_MAX][24];
	const char *at = rows[l->at].labels;
	char number[40];
	size_t n = 0;

	for (; *at && n < LABELS_MAX; n++) {
		size_t len = strcspn(at, " ");

		snprintf(names[n], sizeof(names[n]), "%.*s", (int)len, at);
		label[n] = (struct metric_label){names[n], values[n]};
		at += len + (at[len] == ' ');
	}
	metric_text_double(number, sizeof(number), value);
	buf_puts(l->out, rows[l->at].name);
	metric_text_labels(l->out, label, n);
	buf_putc(l->out, ' ');
	buf_puts(l->out, number);
	buf_putc(l->out, '\n');
}

void
live_putn(struct live *l, const char *name, const char *const *labels, double value)
{
	if (live_row(l, name))
		live_line(l, labels, value);
}

void
live_put(struct live *l, const char *name, double value)
{
	live_putn(l, name, NULL, value);
}

void
live_put1(struct live *l, const char *name, const char *label, double value)
{
	live_putn(l, name, (const char *const[]){label}, value);
}

void
live_put2(struct live *l, const char *name, const char *first, const char *second, double value)
{
	live_putn(l, name, (const char *const[]){first, second}, value);
}

void
live_all(struct buf *out, enum metric_format format, const struct live_in *in, const char *want)
{
	struct live l = {.out = out, .format = format, .in = in, .want = want};

	live_cnpg(&l);
	live_pod(&l);
	live_archive(&l);
	live_self(&l);
}
