/*
 * restore_run - a restore outside of a pod's life.
 *
 * Process: the commands restore and backup verify.  There is no board and no supervisor: the job
 * that the steps report to is a struct of this process.
 */
#include "service/restore_run.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/frame.h"
#include "sys/lock.h"

#define SOCKET_DIR_LONGEST 60
#define LOCK_WAIT_MS 5000 /* processes of a killed run end by and by */

struct runner {
	const struct restore_run *run;
	struct run_options opt;
	struct job job;
	struct prepare p;
	struct init in;
	struct restore r;
	char map_dir[FILE_PATH_MAX];
	char temp[64]; /* our own run folder in /tmp; "": none */
	int lock;
};

/* ---- where ---- */

static int
run_give(struct runner *x, const char *folder, struct err *e)
{
	if (file_make_dirs(folder, 0700, e) < 0)
		return -1;
	return chown(folder, x->opt.uid, x->opt.gid) < 0
		       ? file_err(e, "give %s to user %s", folder, x->opt.user)
		       : 0;
}

/* Only the folders themselves are made as root; everything in them belongs to the user of postgres.
 */
static int
run_folder(struct runner *x, struct err *e)
{
	char parent[FILE_PATH_MAX];
	struct pgdata d;

	if (pgdata_inspect(&d, x->opt.pgdata, e) < 0)
		return -1;
	if (d.kind != PGDATA_MISSING && d.kind != PGDATA_EMPTY)
		return err_set(e, ERR_STATE, "%s is not empty%s%s", x->opt.pgdata,
			*d.what ? ": it holds " : "", d.what);
	if (file_parent(parent, sizeof(parent), x->opt.pgdata, e) < 0 ||
		file_make_dirs(parent, 0755, e) < 0)
		return -1;
	if (geteuid() != 0)
		return 0;
	if (d.kind == PGDATA_MISSING && run_give(x, x->opt.pgdata, e) < 0)
		return -1;
	for (size_t i = 0; i < x->run->maps; i++)
		if (!file_exists(x->run->map[i].to) && run_give(x, x->run->map[i].to, e) < 0)
			return -1;
	return x->run->drill || file_exists(x->opt.state_dir) ? 0
							      : run_give(x, x->opt.state_dir, e);
}

static int
run_become(struct runner *x, struct err *e)
{
	if (frame_give_up_root(&x->opt, e) < 0)
		return -1;
	/* A command outlives whoever started it. */
	prctl(PR_SET_PDEATHSIG, 0);
	umask(077);
	return 0;
}

/* Sockets need a short path. */
static int
run_sockets(struct runner *x, struct err *e)
{
	int n = snprintf(x->opt.run_dir, sizeof(x->opt.run_dir), "%s/run", x->in.place.wrap);

	if (n > 0 && n <= SOCKET_DIR_LONGEST)
		return file_make_dirs(x->opt.run_dir, 0700, e);
	snprintf(x->temp, sizeof(x->temp), "/tmp/podgres-restore-XXXXXX");
	if (!mkdtemp(x->temp)) {
		x->temp[0] = '\0';
		return err_sys(e, "make a folder in /tmp");
	}
	snprintf(x->opt.run_dir, sizeof(x->opt.run_dir), "%s", x->temp);
	return 0;
}

static int
run_lock(struct runner *x, struct err *e)
{
	char path[FILE_PATH_MAX];

	if (file_join(path, sizeof(path), x->in.place.wrap, "lock", e) < 0)
		return -1;
	return lock_take(&x->lock, path, LOCK_WAIT_MS, e);
}

static int
run_place(struct runner *x, struct err *e)
{
	struct init *in = &x->in;

	x->p.restores = true;
	if (prepare_init_resume(&x->p, e) < 0 || run_folder(x, e) < 0)
		return -1;
	if (run_become(x, e) < 0 || place_find(&x->p, &in->place, e) < 0 ||
		place_restore(in, e) < 0 || run_lock(x, e) < 0)
		return -1;
	if (run_sockets(x, e) < 0 || init_env(in, e) < 0 || init_name_for_uid(in, e) < 0)
		return -1;
	if (x->run->drill ? file_join(x->map_dir, sizeof(x->map_dir), in->place.wrap, "tablespaces",
				    e) < 0
			  : file_join(x->map_dir, sizeof(x->map_dir), x->opt.state_dir,
				    "tablespaces", e) < 0)
		return -1;
	in->wish.superuser = strdup("postgres");
	return in->wish.superuser ? 0 : err_sys(e, "restore");
}

/* ---- the steps ---- */

static int
run_replay(struct runner *x, struct err *e)
{
	const struct restore_run *run = x->run;
	char name[64];
	struct err ignored;

	if (pgdata_superuser(name, x->in.place.data, &ignored) == 0) {
		free(x->in.wish.superuser);
		x->in.wish.superuser = strdup(name);
	}
	if (restore_replay(&x->r, e) < 0)
		return -1;
	if (run->while_up && run->while_up(&x->r, run->arg, e) < 0)
		return -1;
	if (restore_end(&x->r, e) < 0)
		return -1;
	return run->when_down ? run->when_down(&x->r, run->arg, e) : 0;
}

static int
run_unreplayed(struct runner *x, struct err *e)
{
	char path[FILE_PATH_MAX], kept[FILE_PATH_MAX];

	if (file_join(path, sizeof(path), x->in.place.data, "recovery.signal", e) < 0 ||
		file_join(kept, sizeof(kept), x->in.place.data, "podgres.restored", e) < 0)
		return -1;
	return file_write(path, "", 0, 0600, e) < 0 || file_remove(kept, e) < 0 ? -1 : 0;
}

static int
run_build(struct runner *x, struct err *e)
{
	struct restore *r = &x->r;

	if (restore_plan(r, e) < 0)
		return -1;
	if (x->run->plan_only)
		return 0;
	if (journal_open(r, e) < 0 || restore_base(r, e) < 0)
		return -1;
	if (x->run->no_replay ? run_unreplayed(x, e) < 0 : run_replay(x, e) < 0)
		return -1;
	if (x->run->drill)
		return 0;
	job_phase(&x->job, "writing the restored cluster to disk", -1);
	return place_complete(&x->in, e) < 0 ? -1 : place_move(&x->in.place, e);
}

static void
run_result(const struct runner *x, struct restore_run_result *out)
{
	const struct restore *r = &x->r;

	out->r = r->result;
	out->end_lsn = r->path.end_lsn;
	snprintf(out->hint, sizeof(out->hint), "%s", x->job.report.hint);
	if (r->path.backup)
		snprintf(out->backup_id, sizeof(out->backup_id), "%s", r->path.backup->id);
	if (r->archive)
		snprintf(out->from, sizeof(out->from), "%s/%s", store_where(r->archive->store),
			r->archive->server);
}

static void
run_init(struct runner *x, const struct restore_run *run)
{
	x->run = run;
	x->opt = *run->opt;
	x->job.opt = &x->opt;
	x->job.said = run->said;
	x->job.said_arg = run->said_arg;
	x->job.report.progress = -1;
	x->p.j = &x->job;
	x->p.opt = &x->opt;
	/* Read only: the steps take the manifest from here as the job prepare has it. */
	memcpy(&x->p.spec, &run->spec, sizeof(void *));
	x->p.has_manifest = true;
	x->in.p = &x->p;
	x->in.shim.fd = -1;
	x->lock = -1;
	x->r.in = &x->in;
	x->r.external = run->external;
	x->r.backup_name = run->backup_name;
	x->r.map = run->map;
	x->r.maps = run->maps;
	x->r.map_dir = x->map_dir;
	x->r.check_only = run->drill;
}

static void
run_deinit(struct runner *x)
{
	struct err ignored;

	restore_deinit(&x->r);
	wish_deinit(&x->in.wish);
	envlist_deinit(&x->in.env);
	spawn_deinit(&x->in.server);
	passwd_shim_close(&x->in.shim);
	if (x->lock >= 0)
		close(x->lock);
	if (*x->temp && file_remove_tree(x->temp, &ignored) < 0)
		log_debug("folder not removed", F_STR("error", ignored.msg));
}

int
restore_run(const struct restore_run *run, struct restore_run_result *out, struct err *e)
{
	AUTO(free) struct runner *x = calloc(1, sizeof(*x));
	int64_t began = clock_boot_ms();
	int rc;

	*out = (struct restore_run_result){0};
	if (!x)
		return err_sys(e, "restore");
	run_init(x, run);
	rc = restore_target_of_spec(&x->r.target, run->target, e);
	if (rc == 0)
		rc = run_place(x, e);
	if (rc == 0)
		rc = run_build(x, e);
	if (rc < 0)
		server_kill(&x->in);
	run_result(x, out);
	out->ms = clock_boot_ms() - began;
	/* What was downloaded serves the next attempt, but for a drill's. */
	if (x->lock >= 0 &&
		(run->drill || run->plan_only || (rc < 0 && !file_exists(x->in.place.data))))
		place_discard(&x->in);
	run_deinit(x);
	return rc;
}
