/*
 * collector_put - the snapshot of all metrics, and what is known of the collector itself.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/collector.h"

static void
put_query(struct collector *c, struct collector_query *cq)
{
	struct metrics_group group = cq->group;

	if (!c->version || (!collector_fits(c, cq, true) && !collector_fits(c, cq, false)))
		return;
	if (!metrics_build_group(c->build, &group))
		return;
	for (size_t i = 0; cq->rows && i < metric_result_families(cq->rows); i++)
		metrics_build_family(c->build, metric_result_family(cq->rows, i),
			metric_result_lines(cq->rows, i));
}

static void
put_facts(struct collector *c)
{
	struct collector_facts *f = &c->facts;
	int64_t now = clock_boot_ns();

	f->queries = f->broken = 0;
	f->connections = collector_link_held(&c->kept) + collector_link_held(&c->side);
	for (size_t i = 0; i < c->queries; i++) {
		f->queries += collector_fits(c, &c->query[i], true) ||
			      collector_fits(c, &c->query[i], false);
		f->broken += now < c->query[i].break_until_ns;
	}
	shared_write(c->s->board, SEC_COLLECTOR, f);
}

void
collector_put(struct collector *c)
{
	int64_t now = clock_boot_ns();
	struct err e;

	metrics_build_start(c->build, c->pid);
	for (size_t i = 0; i < c->queries; i++) {
		query_age(&c->query[i], now);
		put_query(c, &c->query[i]);
	}
	if (metrics_build_put(c->build, c->s->board, &e) < 0)
		log_error("metrics are not published", F_STR("error", e.msg));
	put_facts(c);
	c->changed = false;
}
