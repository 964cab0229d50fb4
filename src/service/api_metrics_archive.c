/*
 * api_metrics_archive - archive, backups, recovery.
 *
 * Process: api.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "service/api_metrics.h"

static double
since(const struct live *l, int64_t wall_us)
{
	int64_t now = l->in->v->now_wall_us;

	return wall_us <= 0 || now < wall_us ? 0 : (double)(now - wall_us) / 1e6;
}

static void
archive_state(struct live *l, const struct archive_facts *a)
{
	static const char *const states[] = {
		"none", "starting", "ok", "failing", "foreign", "conflict"};
	bool asked = a->state != ARCHIVE_STATE_NONE && a->state != ARCHIVE_STATE_STARTING;
	char code[16];

	for (uint32_t i = 0; i < ARRAY_LEN(states); i++)
		live_put1(l, "podgres_archive_state", states[i], a->state == i);
	live_put(l, "podgres_archive_exposure_seconds", asked ? since(l, a->exposed_wall_us) : NAN);
	live_put(l, "podgres_archive_queue_files", a->queue < 0 ? NAN : (double)a->queue);
	live_put(l, "podgres_archive_oldest_ready_seconds", since(l, a->oldest_ready_wall_us));
	live_put(l, "podgres_archive_failing_seconds", since(l, a->failing_wall_us));
	if (a->problem[0]) {
		snprintf(code, sizeof(code), "%d", a->err_code);
		live_put2(l, "podgres_archive_last_error", err_name((enum err_kind)a->err_kind),
			code, 1);
	}
}

static void
archive_counts(struct live *l, const struct archive_facts *a)
{
	const char *files = "podgres_archive_files_total";
	const char *last = "podgres_archive_last_timestamp_seconds";
	const char *back = "podgres_restore_files_total";

	live_put1(l, files, "archived", (double)a->archived);
	live_put1(l, files, "failed", (double)a->failed);
	live_put1(l, files, "conflict", (double)a->conflicts);
	live_put1(l, files, "gap", (double)a->gaps);
	live_put1(l, "podgres_archive_bytes_total", "plain", (double)a->bytes_read);
	live_put1(l, "podgres_archive_bytes_total", "stored", (double)a->bytes_stored);
	live_put1(l, last, "archived", live_seconds(a->last_archived_wall_us));
	live_put1(l, last, "failed", live_seconds(a->last_failed_wall_us));
	live_put(l, "podgres_archive_conflict", a->conflict[0] != '\0');
	live_put(l, "podgres_archive_drain_left_files", (double)a->left);
	live_put1(l, back, "hit", (double)a->restore_hits);
	live_put1(l, back, "fetched", (double)(a->restored - a->restore_hits));
	live_put1(l, back, "absent", (double)a->restore_absent);
	live_put1(l, back, "failed", (double)a->restore_failed);
}

static void
archive_backups(struct live *l, const struct archive_facts *a)
{
	const char *last = "podgres_backup_last_timestamp_seconds";

	live_put(l, "podgres_recovery_window_broken", a->broken_window);
	live_put(l, "podgres_recovery_window_start_timestamp_seconds",
		live_seconds(a->first_point_wall_us));
	live_put(l, "podgres_recovery_window_end_timestamp_seconds",
		live_seconds(a->last_point_wall_us));
	live_put(l, "podgres_backups", a->catalog_wall_us ? a->backups : NAN);
	live_put1(l, last, "done", live_seconds(a->last_backup_wall_us));
	live_put1(l, last, "failed", live_seconds(a->last_failed_backup_wall_us));
	live_put(l, "podgres_backup_last_age_seconds",
		a->last_backup_wall_us ? since(l, a->last_backup_wall_us) : INFINITY);
	live_put1(l, "podgres_backup_last_size_bytes", "plain", (double)a->last_backup_bytes);
	live_put1(l, "podgres_backup_last_size_bytes", "stored", (double)a->last_backup_stored);
	live_put(l, "podgres_backup_last_duration_seconds", (double)a->last_backup_ms / 1e3);
	live_put(l, "podgres_backup_next_timestamp_seconds", live_seconds(a->next_backup_wall_us));
	live_put(l, "podgres_restore_drill_timestamp_seconds", live_seconds(a->drill_wall_us));
	live_put(l, "podgres_restore_drill_duration_seconds", (double)a->drill_ms / 1e3);
	live_put(l, "podgres_restore_drill_failed", a->drill_failed);
}

void
live_archive(struct live *l)
{
	const struct archive_facts *a = &l->in->v->archive;

	archive_state(l, a);
	archive_counts(l, a);
	archive_backups(l, a);
}
