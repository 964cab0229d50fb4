/*
 * job_prepare - makes PGDATA fit to start: checks, initdb, configuration.
 *
 * Process: the job `prepare`, before each start of postgres.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "service/configure.h"
#include "service/prepare_member.h"
#include "service/space.h"
#include "service/spec_file.h"
#include "sys/file.h"
#include "sys/mount.h"

void
prepare_hint(struct prepare *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->j->report.hint, sizeof(p->j->report.hint), fmt, ap);
	va_end(ap);
}

void
prepare_warn(struct prepare *p, const char *fmt, ...)
{
	struct plan *plan = &p->plan;
	char text[sizeof(plan->warning[0])];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_warning("found while preparing", F_STR("warning", &text[0]));
	if (plan->warnings < PLAN_WARNINGS)
		memcpy(plan->warning[plan->warnings++], text, sizeof(text));
}

/* ---- the durable state ---- */

static int
prepare_state(struct prepare *p, struct err *e)
{
	char path[FILE_PATH_MAX];

	if (file_make_dirs(p->opt->state_dir, 0700, e) < 0 ||
		file_join(path, sizeof(path), p->opt->state_dir, STATE_FILE_NAME, e) < 0)
		return -1;
	if (state_file_read(&p->state, path, e) < 0) {
		prepare_hint(p, "whether a fence was wanted is unknown: `podgres fence on` or "
				"`podgres fence off` writes the file anew");
		return -1;
	}
	/* So that a fence can be written when the volume is full; it may be full already. */
	if (state_file_create(path, e) < 0 && e->kind != ERR_SPACE)
		return -1;
	p->plan.fenced = p->state.fenced;
	p->plan.fence_wall_us = p->state.fence_wall_us;
	snprintf(p->plan.fence_reason, sizeof(p->plan.fence_reason), "%s", p->state.fence_reason);
	return 0;
}

/* ---- the manifest ---- */

static void
prepare_plan_keep(struct plan *plan, const struct plan *old, const char *why)
{
	plan->start_delay_ms = old->start_delay_ms;
	plan->stop_delay_ms = old->stop_delay_ms;
	plan->smart_ms = old->smart_ms;
	plan->switchover_ms = old->switchover_ms;
	plan->max_lag_bytes = old->max_lag_bytes;
	plan->ready_needs_streaming = old->ready_needs_streaming;
	plan->fenced_by_manifest = old->fenced_by_manifest;
	snprintf(plan->config_error, sizeof(plan->config_error), "%s", why);
}

static void
prepare_notes(struct prepare *p, const struct spec_notes *notes)
{
	for (size_t i = 0; i < notes->n; i++)
		if (!notes->item[i].error && !notes->item[i].info)
			prepare_warn(p, "%s:%d:%d: %s", p->opt->config, notes->item[i].at.line,
				notes->item[i].at.col, notes->item[i].text);
}

/* A manifest that became bad after a good one keeps the good one's effect: what was rendered from
 * it stands in PGDATA. */
static int
prepare_spec(struct prepare *p, const struct plan *old, struct err *e)
{
	struct spec_notes notes = {0};
	int rc = spec_file_load(&p->spec, p->opt, &notes, e);

	p->has_manifest = p->opt->config[0] != '\0';
	prepare_notes(p, &notes);
	spec_notes_deinit(&notes);
	if (rc == 0) {
		configure_plan(&p->plan, p->spec, p->opt->pod_name);
		return 0;
	}
	if (old->generation == 0)
		return -1;
	log_error("the manifest is broken, the former configuration stays", F_STR("error", e->msg));
	prepare_plan_keep(&p->plan, old, e->msg);
	p->spec = spec_new(e);
	return p->spec ? 0 : -1;
}

/* ---- room ---- */

static int
prepare_space(struct prepare *p, struct err *e)
{
	struct mount_room room;
	bool released;

	if (mount_room(p->plan.waldir, &room, e) < 0)
		return -1;
	p->plan.min_free_bytes =
		space_need(room.total_bytes, p->plan.wal_segment_bytes).start_bytes;
	if (space_check_data(p->data.path, p->plan.waldir, e) < 0 ||
		space_prepare(p->plan.waldir, p->plan.wal_segment_bytes, &released, e) < 0) {
		if (e->kind != ERR_SPACE)
			return -1;
		prepare_hint(p,
			"grow the volume of %s or free %lld MB on it: postgres then "
			"starts by itself",
			p->plan.waldir, (long long)(p->plan.min_free_bytes >> 20));
		return err_add(e, "no room for a start");
	}
	if (released)
		prepare_warn(p, "the volume of %s is full: the reserve was released for recovery",
			p->plan.waldir);
	return 0;
}

static void
prepare_database(struct prepare *p, const struct plan *old)
{
	const char *name = p->spec && *p->spec->initdb.database ? p->spec->initdb.database : NULL;

	if (!name && p->spec && p->spec->recovery.database && *p->spec->recovery.database)
		name = p->spec->recovery.database;
	if (!name)
		name = getenv("POSTGRES_DB"); // NOLINT(concurrency-mt-unsafe): one thread
	if (!name || !*name)
		name = getenv("POSTGRES_USER"); // NOLINT(concurrency-mt-unsafe): one thread
	if (!name || !*name)
		name = *old->database ? old->database : "postgres";
	snprintf(p->plan.database, sizeof(p->plan.database), "%s", name);
}

/* ---- all of it ---- */

static int
prepare_cluster(struct prepare *p, struct err *e)
{
	bool make;

	job_phase(p->j, "looking at the data directory", -1);
	p->restores = p->spec->bootstrap == SPEC_BOOT_RECOVERY;
	if (member_begin(p, e) < 0 || prepare_init_resume(p, e) < 0)
		return -1;
	if (prepare_data(p, &make, e) < 0)
		return member_mend(p, e);
	if (make) {
		if (member_make(p, e) < 0 || prepare_data(p, &make, e) < 0)
			return -1;
		must(!make);
	}
	return prepare_adopt(p, e) < 0 ? member_mend(p, e) : prepare_member(p, e);
}

/* What was known stays known. */
static void
prepare_plan_fenced(struct prepare *p, const struct plan *old)
{
	struct plan now = p->plan;

	if (old->generation == 0)
		return;
	p->plan = *old;
	p->plan.generation = now.generation;
	p->plan.initialised = false;
	p->plan.fenced = now.fenced;
	p->plan.fenced_by_manifest = now.fenced_by_manifest;
	p->plan.fence_wall_us = now.fence_wall_us;
	memcpy(p->plan.fence_reason, now.fence_reason, sizeof(now.fence_reason));
}

static int
prepare_all(struct prepare *p, const struct plan *old, struct err *e)
{
	if (prepare_state(p, e) < 0 || prepare_spec(p, old, e) < 0)
		return -1;
	prepare_database(p, old);
	/* Fenced: nothing is made and nothing is changed until somebody unfences. */
	if (p->plan.fenced || p->plan.fenced_by_manifest) {
		prepare_plan_fenced(p, old);
		return 0;
	}
	if (prepare_cluster(p, e) < 0 || prepare_checks(p, e) < 0)
		return -1;
	job_phase(p->j, "looking for room on the volume", -1);
	if (prepare_space(p, e) < 0)
		return -1;
	job_phase(p->j, "writing the configuration", -1);
	if (p->plan.config_error[0]) {
		p->plan.port = old->port;
		snprintf(p->plan.socket_dir, sizeof(p->plan.socket_dir), "%s", old->socket_dir);
		snprintf(p->plan.config_hash, sizeof(p->plan.config_hash), "%s", old->config_hash);
		snprintf(p->plan.archive, sizeof(p->plan.archive), "%s", old->archive);
		return 0;
	}
	return configure_render(p->j, p->spec, &p->plan, e);
}

int
job_prepare_main(struct job *j, struct err *e)
{
	AUTO(free) struct prepare *p = calloc(1, sizeof(*p));
	AUTO(free) struct plan *old = calloc(1, sizeof(*old));
	int rc;

	if (!p || !old)
		return err_sys(e, "prepare");
	shared_read(j->board, SEC_PLAN, old);
	p->j = j;
	p->opt = j->opt;
	p->reinit = j->argc > 0 && strcmp(j->argv[0], "reinit") == 0;
	if (j->argc > 1 && strcmp(j->argv[0], PREPARE_GONE) == 0)
		(void)!lineage_lsn_parse(j->argv[1], &p->gone_lsn);
	p->plan.generation = old->generation + 1;
	rc = prepare_all(p, old, e);
	if (rc == 0)
		shared_write(j->board, SEC_PLAN, &p->plan);
	p->spec = spec_free(p->spec);
	member_end(p);
	return rc;
}
