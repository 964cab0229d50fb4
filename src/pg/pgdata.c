/*
 * pgdata - what a data directory is, without touching it.
 */
#include "pg/pgdata.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sys/mount.h"

_Static_assert(FILE_PATH_MAX >= PATH_MAX, "realpath fits");

/* ---- names in the folder ---- */

struct names {
	bool lost_found, other, cluster;
	char first[256]; /* of the others */
};

static int
names_add(const char *name, void *arg, struct err *e)
{
	static const char *const parts[] = {
		"PG_VERSION", "global", "base", "pg_wal", "pg_xact", "pg_multixact", "pg_tblspc"};
	struct names *n = arg;

	(void)e;
	if (strcmp(name, PGDATA_OURS) == 0)
		return 0;
	if (strcmp(name, "lost+found") == 0) {
		n->lost_found = true;
		return 0;
	}
	if (!n->other)
		snprintf(n->first, sizeof(n->first), "%s", name);
	n->other = true;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		n->cluster = n->cluster || strcmp(name, parts[i]) == 0;
	return 0;
}

int
pgdata_is_empty(const char *path, bool *empty, char first[256], struct err *e)
{
	struct names n = {0};

	if (file_each(path, names_add, &n, e) < 0)
		return -1;
	*empty = !n.other;
	memcpy(first, n.first, sizeof(n.first));
	return 0;
}

/* ---- the parts of a cluster ---- */

static int
count_databases(const char *name, void *arg, struct err *e)
{
	(void)e;
	if (name[strspn(name, "0123456789")] == '\0')
		++*(int *)arg;
	return 0;
}

static bool
pgdata_has(const struct pgdata *d, const char *name)
{
	char path[FILE_PATH_MAX];
	struct err e;

	return file_join(path, sizeof(path), d->path, name, &e) == 0 && access(path, F_OK) == 0;
}

static void
pgdata_half(struct pgdata *d, const char *what)
{
	d->kind = PGDATA_HALF;
	snprintf(d->what, sizeof(d->what), "%s", what);
}

static bool
pgdata_read_version(struct pgdata *d)
{
	char path[FILE_PATH_MAX], *end;
	struct err e;
	long major;

	if (file_join(path, sizeof(path), d->path, "PG_VERSION", &e) < 0 ||
		file_read_line(path, d->version, sizeof(d->version), &e) < 0) {
		pgdata_half(d, "PG_VERSION is missing");
		return false;
	}
	major = strtol(d->version, &end, 10);
	if (end == d->version || (*end && *end != '.') || major < 1 || major > 999) {
		pgdata_half(d, "PG_VERSION holds no version");
		return false;
	}
	d->major = (int)major;
	return true;
}

static bool
pgdata_read_wal(struct pgdata *d)
{
	char path[FILE_PATH_MAX];
	struct err e;

	if (file_join(path, sizeof(path), d->path, "pg_wal", &e) == 0 && realpath(path, d->wal))
		return true;
	d->wal[0] = '\0';
	if (file_exists(path))
		pgdata_half(d, "pg_wal is a link to a folder that is not there: is its volume "
			       "mounted?");
	else
		pgdata_half(d, "pg_wal is missing");
	return false;
}

/* initdb that was killed leaves a cluster with one database, template1. */
static bool
pgdata_read_base(struct pgdata *d)
{
	char path[FILE_PATH_MAX];
	int databases = 0;
	struct err e;

	if (file_join(path, sizeof(path), d->path, "base", &e) < 0 ||
		file_each(path, count_databases, &databases, &e) < 0) {
		pgdata_half(d, "base is missing");
		return false;
	}
	if (databases >= 2)
		return true;
	pgdata_half(d, "base holds fewer than two databases: an initdb was interrupted");
	return false;
}

static void
pgdata_read_cluster(struct pgdata *d)
{
	struct err e;

	d->kind = PGDATA_CLUSTER;
	if (!pgdata_read_version(d))
		return;
	d->standby_signal = pgdata_has(d, "standby.signal");
	d->recovery_signal = pgdata_has(d, "recovery.signal");
	d->backup_label = pgdata_has(d, "backup_label");
	d->postmaster_pid = pgdata_has(d, "postmaster.pid");
	if (!pgdata_read_wal(d))
		return;
	d->control_ok = control_read(&d->control, d->path, &e) == 0;
	if (!d->control_ok && e.kind == ERR_NOTFOUND)
		pgdata_half(d, "global/pg_control is missing");
	else if (!d->control_ok)
		snprintf(d->what, sizeof(d->what), "%s", e.msg);
	if (d->kind == PGDATA_CLUSTER && !pgdata_has(d, "pg_xact"))
		pgdata_half(d, "pg_xact is missing");
	if (d->kind == PGDATA_CLUSTER)
		(void)pgdata_read_base(d);
}

/* ---- the whole ---- */

static int
pgdata_stat(struct pgdata *d, const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		d->kind = PGDATA_MISSING;
		if (file_exists(path))
			return err_set(e, ERR_CONFIG, "%s is a link that leads nowhere", path);
		return 1;
	}
	if (stat(path, &st) < 0) {
		d->kind = PGDATA_CLOSED;
		snprintf(d->what, sizeof(d->what), "%s", strerrordesc_np(errno));
		return 1;
	}
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_CONFIG, "%s is not a folder", path);
	d->uid = st.st_uid;
	d->gid = st.st_gid;
	d->mode = st.st_mode & 07777;
	if (!realpath(path, d->path))
		return file_err(e, "resolve %s", path);
	return mount_is_point(d->path, &d->mount_point, e);
}

int
pgdata_inspect(struct pgdata *out, const char *path, struct err *e)
{
	struct names n = {0};
	int rc;

	*out = (struct pgdata){0};
	if (strlen(path) >= sizeof(out->path))
		return err_set(e, ERR_CONFIG, "path too long: %.200s", path);
	memcpy(out->path, path, strlen(path) + 1);
	rc = pgdata_stat(out, path, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (file_each(out->path, names_add, &n, e) < 0) {
		out->kind = PGDATA_CLOSED;
		snprintf(out->what, sizeof(out->what), "%s", e->msg);
		return 0;
	}
	if (n.cluster) {
		pgdata_read_cluster(out);
	} else if (n.other) {
		out->kind = PGDATA_STRANGE;
		snprintf(out->what, sizeof(out->what), "%s", n.first);
	} else {
		out->kind = n.lost_found ? PGDATA_MOUNT_TOP : PGDATA_EMPTY;
	}
	return 0;
}

/* ---- tablespaces ---- */

struct tablespaces {
	const char *dir;
};

static int
tablespace_check(const char *name, void *arg, struct err *e)
{
	const struct tablespaces *t = arg;
	char path[FILE_PATH_MAX], to[FILE_PATH_MAX];
	ssize_t n;

	if (file_join(path, sizeof(path), t->dir, name, e) < 0)
		return -1;
	if (file_is_dir(path))
		return 0;
	n = readlink(path, to, sizeof(to) - 1);
	if (n < 0)
		return 0; /* postgres itself does not mind other files there */
	to[n] = '\0';
	return err_set(e, ERR_CONFIG, "tablespace %s lies in %s, which is not there", name, to);
}

int
pgdata_check_tablespaces(const char *path, struct err *e)
{
	char dir[FILE_PATH_MAX];
	struct tablespaces t = {.dir = dir};

	if (file_join(dir, sizeof(dir), path, "pg_tblspc", e) < 0)
		return -1;
	if (!file_is_dir(dir))
		return 0;
	return file_each(dir, tablespace_check, &t, e);
}

/* ---- who works here ---- */

struct seeker {
	struct stat folder;
	pid_t found;
};

static int
process_check(const char *name, void *arg, struct err *e)
{
	struct seeker *s = arg;
	char path[64];
	struct stat st;
	long pid;

	(void)e;
	if (s->found || name[strspn(name, "0123456789")] != '\0')
		return 0;
	pid = strtol(name, NULL, 10);
	snprintf(path, sizeof(path), "/proc/%ld/cwd", pid);
	if (pid != getpid() && stat(path, &st) == 0 && st.st_dev == s->folder.st_dev &&
		st.st_ino == s->folder.st_ino)
		s->found = (pid_t)pid;
	return 0;
}

int
pgdata_find_process(const char *path, pid_t *pid, struct err *e)
{
	struct seeker s = {0};

	*pid = 0;
	if (stat(path, &s.folder) < 0)
		return file_err(e, "look at %s", path);
	if (file_each("/proc", process_check, &s, e) < 0)
		return -1;
	*pid = s.found;
	return 0;
}

int
pgdata_refuse_mount_top(const char *path, struct err *e)
{
	return err_set(e, ERR_CONFIG,
		"%s is the top of a mounted file system (it holds lost+found): set PGDATA to a "
		"folder below it, for example %s/pgdata",
		path, path);
}
