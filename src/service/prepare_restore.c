/*
 * prepare_restore - bootstrap.recovery: PGDATA from an archive, all or nothing.
 *
 * Process: the job `prepare`.  Everything happens in WRAP (prepare_init.h); PGDATA appears when
 * recovery has reached its target, the result was checked and stopped in an orderly way.  The
 * source's prefix is only read, and the own prefix must be empty or ours before anything begins.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "service/restore.h"

/* ---- from where ---- */

/* Without a source: the own store, of whose backups one is named. */
static int
recovery_source(struct restore *r, const struct prepare *p, struct err *e)
{
	const struct spec_recovery *s = &p->spec->recovery;
	const char *source = s->source && *s->source ? s->source : NULL;

	r->backup_name = s->backup_name;
	r->external = source;
	if (source && !spec_external_of(p->spec, source))
		return err_set(e, ERR_CONFIG, "%s:%d:%d: externalClusters has no \"%s\"",
			p->opt->config, s->at.line, s->at.col, source);
	return restore_target_of_spec(&r->target, s, e) < 0
		       ? err_add(e, "%s:%d:%d", p->opt->config, s->target_at.line, s->target_at.col)
		       : 0;
}

/* The new cluster's archive must not be somebody's: found out before the download. */
static int
recovery_own_archive(const struct restore *r, struct err *e)
{
	const struct prepare *p = r->in->p;
	const struct spec_store *own = &p->spec->backup.store;
	AUTO(archive_close) struct archive *a = NULL;
	const struct archive_self self = {.system_id = r->path.backup->system_id,
		.cluster = *p->opt->cluster_name ? p->opt->cluster_name : p->spec->name,
		.name_space = p->opt->pod_namespace};

	if (!own->set || !r->external)
		return 0;
	if (archive_open(&a, p->spec, NULL, p->opt, NULL, e) < 0)
		return err_add(e, "own archive");
	if (strcmp(store_where(a->store), store_where(r->archive->store)) == 0 &&
		strcmp(a->server, r->archive->server) == 0)
		return err_set(e, ERR_CONFIG,
			"the new cluster would archive into %s/%s, which it is restored from: give "
			"it "
			"a serverName of its own",
			store_where(a->store), a->server);
	if (archive_owner_check(a, &self, false, e) < 0)
		return err_add(e, "own archive");
	return 0;
}

/* ---- the steps ---- */

static void
recovery_superuser(struct init *in)
{
	char name[64];
	struct err e;

	if (pgdata_superuser(name, in->place.data, &e) < 0)
		return;
	free(in->wish.superuser);
	in->wish.superuser = strdup(name);
}

static int
recovery_replay(struct restore *r, struct err *e)
{
	recovery_superuser(r->in);
	if (restore_replay(r, e) < 0)
		return -1;
	job_phase(r->in->p->j, "database and owner", -1);
	if (bootstrap_adopt(r->in, e) < 0)
		return -1;
	return restore_end(r, e);
}

static int
recovery_build(struct restore *r, struct err *e)
{
	if (restore_plan(r, e) < 0 || recovery_own_archive(r, e) < 0)
		return -1;
	if (journal_open(r, e) < 0 || restore_base(r, e) < 0)
		return -1;
	/* A replica stays in recovery: the supervised postgres follows the source from here on. */
	if (!r->in->p->spec->replica_enabled && recovery_replay(r, e) < 0)
		return -1;
	job_phase(r->in->p->j, "writing the restored cluster to disk", -1);
	return place_complete(r->in, e);
}

static int
recovery_all(struct restore *r, char *map_dir, size_t size, struct err *e)
{
	struct init *in = r->in;
	struct prepare *p = in->p;

	if (file_join(map_dir, size, p->opt->state_dir, "tablespaces", e) < 0)
		return -1;
	r->map_dir = map_dir;
	if (recovery_source(r, p, e) < 0 || place_find(p, &in->place, e) < 0 ||
		wish_of_recovery(in, e) < 0 || init_env(in, e) < 0 || init_name_for_uid(in, e) < 0)
		return -1;
	if (place_restore(in, e) < 0)
		return init_place_failed(in, e);
	if (recovery_build(r, e) < 0) {
		server_kill(in);
		/* What was downloaded serves the next attempt. */
		if (!file_exists(in->place.data))
			place_discard(in);
		return -1;
	}
	return place_move(&in->place, e);
}

int
prepare_restore(struct prepare *p, struct err *e)
{
	AUTO(free) struct init *in = calloc(1, sizeof(*in));
	AUTO(free) struct restore *r = calloc(1, sizeof(*r));
	char map_dir[FILE_PATH_MAX];
	int rc;

	if (!in || !r)
		return err_sys(e, "restore");
	in->p = p;
	in->shim.fd = -1;
	r->in = in;
	rc = recovery_all(r, map_dir, sizeof(map_dir), e);
	restore_deinit(r);
	wish_deinit(&in->wish);
	envlist_deinit(&in->env);
	spawn_deinit(&in->server);
	passwd_shim_close(&in->shim);
	return rc < 0 ? err_add(e, "restore") : 0;
}
