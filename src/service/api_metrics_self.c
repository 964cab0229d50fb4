/*
 * api_metrics_self - disk, memory, log, certificates, and the metrics themselves.
 *
 * Process: api.
 */
#include <math.h>

#include "service/api_metrics.h"

static double
known(int64_t n)
{
	return n < 0 ? NAN : (double)n;
}

static void
self_volumes(struct live *l)
{
	const struct pg_facts *pg = &l->in->v->pg;

	live_put1(l, "podgres_volume_size_bytes", "data", known(pg->disk_data_total));
	live_put1(l, "podgres_volume_size_bytes", "wal", known(pg->disk_wal_total));
	live_put1(l, "podgres_volume_free_bytes", "data", known(pg->disk_data_free));
	live_put1(l, "podgres_volume_free_bytes", "wal", known(pg->disk_wal_free));
	live_put(l, "podgres_wal_size_bytes", known(pg->wal_bytes));
	live_put(l, "podgres_space_reserve", pg->reserve_present);
	live_put1(l, "podgres_memory_bytes", "current", known(pg->memory_used));
	live_put1(l, "podgres_memory_bytes", "limit",
		pg->memory_limit < 0 ? INFINITY : (double)pg->memory_limit);
	live_put(l, "podgres_shm_used_ratio", pg->shm_percent / 100.0);
}

static void
self_service(struct live *l)
{
	const struct log_facts *log = &l->in->v->log;
	const struct api_facts *api = l->in->api;
	int64_t left_us = api->cert_expires_wall_us - l->in->v->now_wall_us;

	live_put(l, "podgres_log_lines_total", (double)log->lines);
	live_put(l, "podgres_log_dropped_lines_total", (double)log->dropped);
	live_put(l, "podgres_certificate_expiry_timestamp_seconds",
		live_seconds(api->cert_expires_wall_us));
	live_put(l, "podgres_certificate_left_seconds",
		api->cert_expires_wall_us ? (double)left_us / 1e6 : INFINITY);
	live_put(l, "podgres_http_requests_total", (double)api->requests);
	live_put(l, "podgres_http_errors_total", (double)api->errors);
}

/* ---- queries ---- */

static double
query_age(const struct live *l, const struct metrics_group *g)
{
	return g->taken_ns ? api_view_age(l->in->v, g->taken_ns) : INFINITY;
}

static void
self_queries(struct live *l, const struct metrics_head *h)
{
	const struct metrics_group *g = h->group, *end = h->group + h->groups;

	for (g = h->group; g < end; g++)
		live_put1(l, "podgres_metrics_query_age_seconds", g->name, query_age(l, g));
	for (g = h->group; g < end; g++)
		live_put1(l, "podgres_metrics_query_duration_seconds", g->name, (double)g->took_s);
	for (g = h->group; g < end; g++)
		live_put1(
			l, "podgres_metrics_query_errors_total", g->name, (double)g->errors_total);
	for (g = h->group; g < end; g++)
		if (g->sqlstate[0])
			live_put2(l, "podgres_metrics_query_failing", g->name, g->sqlstate, 1);
	for (g = h->group; g < end; g++)
		if (g->breaker)
			live_put1(l, "podgres_metrics_query_breaker", g->name, 1);
	for (g = h->group; g < end; g++)
		live_put1(l, "podgres_metrics_series_dropped_total", g->name,
			(double)g->dropped_total);
}

void
live_self(struct live *l)
{
	const struct collector_facts *f = &l->in->v->collector;
	const struct api_facts *api = l->in->api;

	self_volumes(l);
	self_service(l);
	live_put(l, "podgres_metrics_age_seconds",
		f->pass_ns ? api_view_age(l->in->v, f->pass_ns) : INFINITY);
	if (l->in->head)
		self_queries(l, l->in->head);
	live_put(l, "podgres_metrics_connections", f->connections);
	live_put(l, "podgres_metrics_reconnects_total", (double)f->reconnects);
	live_put(l, "podgres_metrics_scrapes_total", (double)api->scrapes);
	live_put(l, "podgres_metrics_scrape_duration_seconds", (double)api->scrape_ns / 1e9);
	live_put(l, "podgres_metrics_files_warnings", f->warnings);
}
