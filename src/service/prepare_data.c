/*
 * prepare_data - is the folder fit, and who made it?
 *
 * Process: the job `prepare`.  The supervisor holds the lock of the volume, and none of its
 * processes of postgres is alive.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "service/prepare.h"
#include "sys/file.h"

/* ---- what kind of folder ---- */

static int
data_mount_top(struct prepare *p, struct err *e)
{
	prepare_hint(
		p, "set PGDATA to a folder below it, for example PGDATA=%s/pgdata", p->data.path);
	return pgdata_refuse_mount_top(p->data.path, e);
}

static int
data_half(struct prepare *p, struct err *e)
{
	prepare_hint(p, "%s",
		strncmp(p->data.what, "pg_wal is a link", 16) == 0
			? "mount the volume of pg_wal"
			: "restore the data directory, or empty it to have a new cluster made; "
			  "podgres deletes no data");
	return err_set(
		e, ERR_CONFIG, "%s holds part of a cluster only: %s", p->data.path, p->data.what);
}

static int
data_strange(struct prepare *p, struct err *e)
{
	prepare_hint(p, "set PGDATA to an empty folder or to a data directory");
	return err_set(e, ERR_CONFIG, "%s is neither empty nor a data directory: it holds \"%s\"",
		p->data.path, p->data.what);
}

static int
data_closed(struct prepare *p, struct err *e)
{
	prepare_hint(p,
		"run podgres as the owner (--user, securityContext.runAsUser), or give "
		"the folder to uid %u",
		(unsigned)geteuid());
	return err_set(e, ERR_CONFIG,
		"%s cannot be read as uid %u: it belongs to uid %u, mode %04o (%s)", p->data.path,
		(unsigned)geteuid(), p->data.uid, p->data.mode, p->data.what);
}

static int
data_version(struct prepare *p, struct err *e)
{
	if (p->data.major >= PG_MAJOR_MIN && p->data.major <= PG_MAJOR_MAX)
		return 0;
	prepare_hint(p, "upgrade with pg_upgrade, or run a podgres that knows this version");
	return err_set(e, ERR_CONFIG, "%s is of PostgreSQL %s; podgres runs %d to %d", p->data.path,
		p->data.version, PG_MAJOR_MIN, PG_MAJOR_MAX);
}

static int
data_foreign_owner(struct prepare *p, struct err *e)
{
	if (p->data.uid == geteuid())
		return 0;
	prepare_hint(p,
		"run podgres as uid %u (--user %u, securityContext.runAsUser), or change the "
		"owner of %s and all below to uid %u",
		p->data.uid, p->data.uid, p->data.path, (unsigned)geteuid());
	return err_set(e, ERR_CONFIG,
		"%s belongs to uid %u and postgres would run as uid %u: set --user or "
		"securityContext.runAsUser to %u",
		p->data.path, p->data.uid, (unsigned)geteuid(), p->data.uid);
}

static int
data_cluster(struct prepare *p, struct err *e)
{
	/* A stranger's folder looks half made when its files cannot be read; of another version
	 * nothing else can be judged. */
	if (data_foreign_owner(p, e) < 0 || (p->data.major && data_version(p, e) < 0))
		return -1;
	return p->data.kind == PGDATA_HALF ? data_half(p, e) : 0;
}

int
prepare_data(struct prepare *p, bool *make, struct err *e)
{
	*make = false;
	if (pgdata_inspect(&p->data, p->opt->pgdata, e) < 0)
		return -1;
	switch (p->data.kind) {
	case PGDATA_MISSING:
	case PGDATA_EMPTY:
		*make = true;
		return 0;
	case PGDATA_MOUNT_TOP:
		return data_mount_top(p, e);
	case PGDATA_STRANGE:
		return data_strange(p, e);
	case PGDATA_CLOSED:
		return data_closed(p, e);
	case PGDATA_HALF:
	case PGDATA_CLUSTER:
		break;
	}
	return data_cluster(p, e);
}

/* ---- adopt ---- */

/* A postgres that is not of ours (the supervisor has none now) must not get a second one beside it,
 * and its postmaster.pid must not go. */
static int
adopt_nobody_there(struct prepare *p, struct err *e)
{
	pid_t pid;

	if (pgdata_find_process(p->data.path, &pid, e) < 0)
		return -1;
	if (pid == 0)
		return 0;
	prepare_hint(p, "stop process %ld first", (long)pid);
	return err_set(e, ERR_STATE, "process %ld works in %s: another postgres is running",
		(long)pid, p->data.path);
}

static int
adopt_mode(struct prepare *p, struct err *e)
{
	uint32_t mode = p->data.mode;

	if (mode == 0700 || mode == 0750)
		return 0;
	/* What everybody could enter, everybody could have changed: a person has to look. */
	if (mode & 0007) {
		prepare_hint(p, "after a look at what is in it: chmod 0700 %s", p->data.path);
		return err_set(e, ERR_CONFIG,
			"%s has permissions %04o: others than its owner may enter", p->data.path,
			mode);
	}
	/* Bits for the group come from Kubernetes' fsGroup and return with every mount. */
	if (chmod(p->data.path, 0700) < 0)
		return file_err(e, "set the mode of %s", p->data.path);
	prepare_warn(
		p, "%s had mode %04o, which postgres refuses: set to 0700", p->data.path, mode);
	return 0;
}

/* Nobody lives here, so what these say is stale; a pid in them may be anybody's by now. */
static int
adopt_clear_pid(struct prepare *p, struct err *e)
{
	char path[FILE_PATH_MAX];

	if (file_join(path, sizeof(path), p->data.path, "postmaster.pid", e) < 0)
		return -1;
	if (p->data.postmaster_pid)
		log_info("stale postmaster.pid removed", F_STR("file", path + 0));
	return file_remove(path, e);
}

static int
adopt_clear_socket(const char *name, void *arg, struct err *e)
{
	const struct run_options *opt = arg;
	char path[FILE_PATH_MAX];

	if (strncmp(name, ".s.PGSQL.", 9) != 0)
		return 0;
	if (file_join(path, sizeof(path), opt->run_dir, name, e) < 0)
		return -1;
	return file_remove(path, e);
}

static int
adopt_clear_sockets(struct prepare *p, struct err *e)
{
	struct run_options opt = *p->opt;

	if (!file_is_dir(opt.run_dir))
		return 0;
	return file_each(opt.run_dir, adopt_clear_socket, &opt, e);
}

static int
adopt_programs(struct prepare *p, struct err *e)
{
	if (bindir_find(&p->bin, p->data.major, p->opt->bindir, e) == 0)
		return 0;
	prepare_hint(p,
		"use an image with PostgreSQL %d, set --bindir, or upgrade the data with "
		"pg_upgrade",
		p->data.major);
	return -1;
}

static int
adopt_control(struct prepare *p, struct err *e)
{
	if (p->data.control_ok)
		return 0;
	prepare_hint(p, "restore from a backup; pg_resetwal is the last resort and loses data");
	return err_set(e, ERR_CORRUPT, "%s/global/pg_control: %s", p->data.path, p->data.what);
}

/* The manifest makes it a replica, unless somebody promoted it by order since. */
static int
adopt_replica(struct prepare *p, struct err *e)
{
	char path[FILE_PATH_MAX];

	if (!p->spec->replica_enabled || p->data.standby_signal)
		return 0;
	if (p->state.promoted_wall_us) {
		prepare_warn(p, "the manifest says replica.enabled, but this instance was "
				"promoted by order: it stays primary");
		return 0;
	}
	if (file_join(path, sizeof(path), p->data.path, "standby.signal", e) < 0 ||
		file_write(path, "", 0, 0600, e) < 0)
		return -1;
	p->data.standby_signal = true;
	return 0;
}

static void
adopt_superuser(struct prepare *p)
{
	struct err e;

	if (pgdata_superuser(p->plan.superuser, p->data.path, &e) == 0)
		return;
	snprintf(p->plan.superuser, sizeof(p->plan.superuser), "postgres");
	log_warning("the superuser's name was not found, assuming postgres", F_STR("error", e.msg));
}

static int
adopt_path(char out[PATH_LEN], const char *path, struct err *e)
{
	size_t n = strlen(path);

	if (n >= PATH_LEN)
		return err_set(e, ERR_CONFIG, "path too long: %.200s", path);
	memcpy(out, path, n + 1);
	return 0;
}

static int
adopt_plan(struct prepare *p, struct err *e)
{
	const struct control *c = &p->data.control;
	struct plan *plan = &p->plan;

	if (adopt_path(plan->postgres, p->bin.postgres, e) < 0 ||
		adopt_path(plan->bindir, p->bin.dir, e) < 0 ||
		adopt_path(plan->waldir, p->data.wal, e) < 0)
		return -1;
	snprintf(plan->version, sizeof(plan->version), "%s", p->bin.version);
	plan->major = p->bin.major;
	plan->system_id = c->system_id;
	plan->timeline = control_timeline(c);
	plan->crashed = !control_clean(c);
	plan->standby = p->data.standby_signal;
	plan->wal_segment_bytes = c->wal_segment_bytes;
	return 0;
}

int
prepare_adopt(struct prepare *p, struct err *e)
{
	if (adopt_programs(p, e) < 0 || adopt_control(p, e) < 0)
		return -1;
	if (pgdata_check_tablespaces(p->data.path, e) < 0) {
		prepare_hint(p, "mount the volume of the tablespace");
		return -1;
	}
	if (adopt_nobody_there(p, e) < 0 || adopt_mode(p, e) < 0)
		return -1;
	if (adopt_clear_pid(p, e) < 0 || adopt_clear_sockets(p, e) < 0)
		return -1;
	if (adopt_replica(p, e) < 0)
		return -1;
	adopt_superuser(p);
	return adopt_plan(p, e);
}
