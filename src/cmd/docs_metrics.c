/*
 * docs_metrics - the families of metrics, for the manual.
 */
#include "cmd/docs_metrics.h"

#include <stdio.h>
#include <string.h>

#include "cmd/roff.h"
#include "core/metric_row.h"

#define DOCS_OLDEST 13 /* the versions of PostgreSQL that podgres runs */

/* ---- from the board ---- */

struct live {
	const char *name, *type, *labels, *help;
};

#define GAUGE "gauge"
#define COUNTER "counter"
#define LIVE(its_name, its_type, its_labels, its_help) {its_name, its_type, its_labels, its_help},
static const struct live live[] = {
#include "tbl/metrics_live.h"
};
#undef LIVE
#undef GAUGE
#undef COUNTER

/* "full cluster" -> "{full,cluster}" */
static void
put_labels(struct buf *out, const char *labels)
{
	if (!*labels)
		return;
	buf_puts(out, " {");
	for (; *labels; labels++)
		buf_putc(out, *labels == ' ' ? ',' : *labels);
	buf_putc(out, '}');
}

static void
docs_live(struct buf *out)
{
	roff_head(out, "FIGURES OF PODGRES");
	buf_puts(out, "They are of the moment of the scrape, in whatever state PostgreSQL is.\n");
	for (size_t i = 0; i < ARRAY_LEN(live); i++) {
		AUTO(buf_deinit) struct buf rest = {0};

		buf_puts(&rest, live[i].type);
		put_labels(&rest, live[i].labels);
		roff_term(out, live[i].name, buf_str(&rest));
		roff_sentence(out, live[i].help);
	}
}

/* ---- queries ---- */

static const char *
when(const struct metric_query *q)
{
	switch (q->tier) {
	case METRIC_FAST:
		return "Each pass";
	case METRIC_TTL:
		return "At most once in metricsQueriesTTL";
	case METRIC_SIZES:
		return "Once a minute";
	case METRIC_SETTINGS:
		return "When the configuration was loaded, and every 5 minutes";
	case METRIC_SWEEP:
		break;
	}
	return "Every 5 minutes, in every database";
}

static void
put_versions(struct buf *out, const struct metric_query *q)
{
	int from = q->min_version ? q->min_version / 10000 : DOCS_OLDEST;

	if (q->max_version)
		buf_printf(out, "; PostgreSQL %d to %d", from, q->max_version / 10000 - 1);
	else if (q->min_version)
		buf_printf(out, "; PostgreSQL %d and later", from);
	if (q->where == METRIC_ON_PRIMARY)
		buf_puts(out, "; on a primary");
	else if (q->where == METRIC_ON_STANDBY)
		buf_puts(out, "; on a standby");
	else if (*q->predicate)
		buf_puts(out, "; only where it makes sense");
}

static void
docs_labels(struct buf *out, const struct metric_query *q)
{
	const char *between = "Labels: ";

	for (size_t i = 0; i < q->columns; i++) {
		const struct metric_column *c = &q->column[i];

		if (c->usage != METRIC_USE_LABEL)
			continue;
		buf_printf(out, "%s\\fB", between);
		roff_text(out, c->name);
		buf_puts(out, "\\fR (");
		roff_text(out, c->help);
		buf_putc(out, ')');
		between = ",\n";
	}
	if (*between == ',')
		buf_puts(out, ".\n");
}

static void
docs_families(struct buf *out, const struct metric_query *q)
{
	for (size_t i = 0; i < q->columns; i++) {
		const struct metric_column *c = &q->column[i];
		AUTO(free) char *name = NULL;

		if (c->usage != METRIC_USE_GAUGE && c->usage != METRIC_USE_COUNTER)
			continue;
		name = metric_family_name(q, c);
		roff_term(out, name ? name : c->name,
			c->usage == METRIC_USE_COUNTER ? "counter" : "gauge");
		roff_sentence(out, c->help);
	}
}

static void
docs_query(struct buf *out, const struct metric_query *q)
{
	buf_puts(out, ".SS ");
	roff_line(out, q->id);
	buf_puts(out, when(q));
	put_versions(out, q);
	buf_puts(out, ".\n");
	docs_labels(out, q);
	docs_families(out, q);
}

void
docs_metrics_man(struct buf *out)
{
	docs_live(out);
	roff_head(out, "FIGURES OF POSTGRESQL");
	buf_puts(out, "The heads are the names of the queries, as \\fIcollect[]\\fR and the label "
		      "\\fBquery\\fR have them.\n");
	for (size_t i = 0; i < metric_builtin_count; i++)
		docs_query(out, &metric_builtin[i]);
}
