/*
 * api_metrics_cnpg - CloudNativePG's own metrics, and the names that guides use.
 *
 * Process: api.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "service/api_metrics.h"

#define UP_SILENT_S 10 /* the monitor asks each second; it takes connections and says nothing */

/* "15.20" -> 15.20; "18beta1" -> 18 */
static double
version_number(const char *text)
{
	return *text ? strtod(text, NULL) : NAN;
}

static void
cnpg_collections(struct live *l)
{
	const struct collector_facts *f = &l->in->v->collector;
	bool bad = f->state == COLLECTOR_PARTIAL || f->state == COLLECTOR_FAILING;

	live_put(l, "cnpg_collector_collections_total", (double)f->passes);
	live_put1(l, "cnpg_collector_collection_errors_total", "Collect.cnpg",
		(double)f->failed_passes);
	live_put(l, "cnpg_collector_last_collection_error", bad);
	live_put1(l, "cnpg_collector_collection_duration_seconds", "Collect.up", 0);
	live_put1(
		l, "cnpg_collector_collection_duration_seconds", "Collect.cnpg", (double)f->pass_s);
}

/* "ANY 2 (a, b)", "FIRST 1 (...)", "2 (a, b)", "a, b" -> how many; "" -> 0 */
static double
sync_wanted(const char *names)
{
	const char *at = names + strcspn(names, "0123456789(,*");

	if (!*names)
		return 0;
	return *at >= '0' && *at <= '9' ? strtod(at, NULL) : 1;
}

static void
cnpg_sync(struct live *l)
{
	const struct pg_facts *pg = &l->in->v->pg;
	double wanted = sync_wanted(l->in->v->collector.synchronous_standby_names);
	double observed = 0;

	for (uint32_t i = 0; i < pg->replicas && i < PG_REPLICAS; i++)
		observed += strcmp(pg->replica[i].sync_state, "sync") == 0 ||
			    strcmp(pg->replica[i].sync_state, "quorum") == 0;
	live_put(l, "cnpg_collector_manual_switchover_required", 0);
	live_put1(l, "cnpg_collector_sync_replicas", "min", wanted);
	live_put1(l, "cnpg_collector_sync_replicas", "max", wanted);
	live_put1(l, "cnpg_collector_sync_replicas", "expected", wanted);
	live_put1(l, "cnpg_collector_sync_replicas", "observed", observed);
	live_put(l, "cnpg_collector_replica_mode",
		l->in->v->sup.plan.standby && l->in->v->pg.in_recovery);
}

static double
known(int64_t n)
{
	return n < 0 ? NAN : (double)n;
}

static double
segments(const struct live *l, int64_t bytes)
{
	uint32_t size = l->in->v->sup.plan.wal_segment_bytes;

	return bytes < 0 || !size ? NAN : floor((double)bytes / size);
}

static void
cnpg_wal(struct live *l)
{
	const struct pg_facts *pg = &l->in->v->pg;
	const struct collector_facts *f = &l->in->v->collector;
	int64_t total = pg->disk_wal_total, available = pg->disk_wal_free;

	live_put1(l, "cnpg_collector_pg_wal_archive_status", "ready", known(pg->ready_wal_files));
	live_put1(l, "cnpg_collector_pg_wal_archive_status", "done", known(pg->done_wal_files));
	live_put1(l, "cnpg_collector_pg_wal", "count", known(pg->wal_files));
	live_put1(l, "cnpg_collector_pg_wal", "size", known(pg->wal_bytes));
	live_put1(l, "cnpg_collector_pg_wal", "min", segments(l, f->min_wal_bytes));
	live_put1(l, "cnpg_collector_pg_wal", "max", segments(l, f->max_wal_bytes));
	live_put1(l, "cnpg_collector_pg_wal", "keep", segments(l, f->wal_keep_bytes));
	live_put1(l, "cnpg_collector_pg_wal", "slots_max", segments(l, f->slot_keep_bytes));
	live_put1(l, "cnpg_collector_pg_wal", "volume_size",
		total < 0 || available < 0 ? NAN : segments(l, total - available));
	live_put1(l, "cnpg_collector_pg_wal", "volume_max", segments(l, total));
}

static void
cnpg_backups(struct live *l)
{
	const struct archive_facts *a = &l->in->v->archive;

	live_put(l, "cnpg_collector_first_recoverability_point",
		live_seconds(a->first_point_wall_us));
	live_put(l, "cnpg_collector_last_available_backup_timestamp",
		live_seconds(a->last_backup_wall_us));
	live_put(l, "cnpg_collector_last_failed_backup_timestamp",
		live_seconds(a->last_failed_backup_wall_us));
}

static void
cnpg_queries(struct live *l)
{
	const struct collector_facts *f = &l->in->v->collector;
	const struct metrics_head *h = l->in->head;

	live_put(l, "cnpg_last_error",
		f->state == COLLECTOR_PARTIAL || f->state == COLLECTOR_FAILING);
	for (uint32_t i = 0; h && i < h->groups; i++)
		if (h->group[i].errors_total)
			live_put1(l, "cnpg_errors_total", h->group[i].name,
				(double)h->group[i].errors_total);
	live_put(l, "cnpg_last_update_timestamp", live_seconds(f->pass_wall_us));
	live_put(l, "cnpg_cache_hits", (double)f->cache_hits);
	live_put(l, "cnpg_cache_miss", (double)f->cache_misses);
}

static void
cnpg_others_names(struct live *l)
{
	const struct archive_facts *a = &l->in->v->archive;
	const struct pg_facts *pg = &l->in->v->pg;

	live_put(l, "barman_cloud_cloudnative_pg_io_first_recoverability_point",
		live_seconds(a->first_point_wall_us));
	live_put(l, "barman_cloud_cloudnative_pg_io_last_available_backup_timestamp",
		live_seconds(a->last_backup_wall_us));
	live_put(l, "barman_cloud_cloudnative_pg_io_last_failed_backup_timestamp",
		live_seconds(a->last_failed_backup_wall_us));
	live_put(l, "cnpg_collector_last_backup_timestamp", live_seconds(a->last_backup_wall_us));
	live_put1(l, "cnpg_pg_wal_archive_status", "ready", known(pg->ready_wal_files));
	live_put1(l, "cnpg_pg_wal_archive_status", "done", known(pg->done_wal_files));
}

void
live_cnpg(struct live *l)
{
	const struct api_view *v = l->in->v;
	const char *cluster = l->in->opt->cluster_name;
	double answered = api_view_age(v, v->pg.query_ok_ns);
	bool up = v->sup.pg_phase == PG_PHASE_ACCEPTING && api_view_seen(v) &&
		  v->pg.accept == PG_ACCEPT_YES && answered >= 0 && answered < UP_SILENT_S;

	live_put1(l, "cnpg_collector_up", cluster, up);
	if (v->sup.plan.version[0])
		live_put2(l, "cnpg_collector_postgres_version", v->sup.plan.version, cluster,
			version_number(v->sup.plan.version));
	cnpg_collections(l);
	cnpg_sync(l);
	cnpg_wal(l);
	cnpg_backups(l);
	live_put(l, "cnpg_collector_fencing_on", v->sup.fenced);
	live_put(l, "cnpg_collector_nodes_used", -1);
	cnpg_queries(l);
	cnpg_others_names(l);
}
