/*
 * configure_gather - what has to be known before the configuration can be rendered.
 */
#include "service/collector.h"
#include "service/configure_files.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "pg/control.h"
#include "sys/file.h"
#include "sys/mount.h"

#define MAX_CONF_BYTES (4 << 20)

static const char minimal[] = "# postgresql.conf - made by podgres, because PGDATA had none.\n"
			      "# Settings may be added above the lines at the end.\n";

static int
in_pgdata(char *out, size_t size, const struct configure *c, const char *name, struct err *e)
{
	return file_join(out, size, c->in.pgdata, name, e);
}

/* A file of PGDATA; not there is empty, and false in *there. */
static int
read_maybe(struct buf *out, bool *there, const char *path, struct err *e)
{
	*there = true;
	if (file_read(out, path, MAX_CONF_BYTES, e) == 0)
		return 0;
	*there = false;
	return e->kind == ERR_NOTFOUND ? 0 : -1;
}

static int
gather_main(struct configure *c, struct err *e)
{
	bool there;

	if (in_pgdata(c->main_file, sizeof(c->main_file), c, "postgresql.conf", e) ||
		read_maybe(&c->old_main, &there, c->main_file, e))
		return -1;
	if (!there) {
		buf_puts(&c->old_main, minimal);
		return buf_check(&c->old_main, e);
	}
	return conf_load(&c->base, c->main_file, e);
}

static int
gather_auto(struct configure *c, struct err *e)
{
	char path[FILE_PATH_MAX];
	struct conf_text t = {.file = path};
	bool there;

	if (in_pgdata(path, sizeof(path), c, "postgresql.auto.conf", e) ||
		read_maybe(&c->old_auto, &there, path, e))
		return -1;
	t.text = buf_str(&c->old_auto);
	t.len = c->old_auto.len;
	return conf_parse(&c->auto_conf, &t, NULL, NULL, e);
}

/* Without a manifest the data directory's own rules count, if somebody made any. */
static int
gather_hba(struct configure *c, struct err *e)
{
	static const char *const source[2] = {"pg_hba.conf", "pg_ident.conf"};
	struct buf *text[2] = {&c->own_hba, &c->own_ident};
	struct conf_text *out[2] = {&c->own_hba_text, &c->own_ident_text};
	bool there[2];

	for (int i = 0; i < 2 && !c->in.manifest; i++) {
		char path[FILE_PATH_MAX];

		if (in_pgdata(path, sizeof(path), c, source[i], e) ||
			read_maybe(text[i], &there[i], path, e))
			return -1;
		*out[i] = (struct conf_text){buf_str(text[i]), text[i]->len, source[i]};
	}
	if (c->in.manifest || !there[0] || !hba_is_own(&c->own_hba_text))
		return 0;
	c->hba.own_hba = &c->own_hba_text;
	c->hba.own_ident = there[1] ? &c->own_ident_text : NULL;
	return 0;
}

static bool
has(const struct configure *c, const char *name)
{
	char path[FILE_PATH_MAX];
	struct err ignored = {0};

	return in_pgdata(path, sizeof(path), c, name, &ignored) == 0 && file_exists(path);
}

static int
gather_control(struct configure *c, struct err *e)
{
	struct control control;

	if (control_read(&control, c->in.pgdata, e))
		return -1;
	c->in.standby = has(c, "standby.signal");
	c->in.recovery = c->in.standby || has(c, "recovery.signal");
	c->in.wal_segment_bytes = control.wal_segment_bytes;
	c->in.demand = (struct conf_control_limits){
		.max_connections = control.max_connections,
		.max_worker_processes = control.max_worker_processes,
		.max_wal_senders = control.max_wal_senders,
		.max_prepared_transactions = control.max_prepared_xacts,
		.max_locks_per_transaction = control.max_locks_per_xact,
	};
	return 0;
}

/* PostgreSQL's manual: before Linux 5.8 syncfs() kept silent of files that could not be written. */
static bool
syncfs_tells(void)
{
	struct utsname u;
	char *dot;
	long major;

	if (uname(&u) < 0)
		return false;
	major = strtol(u.release, &dot, 10);
	return major > 5 || (major == 5 && *dot == '.' && strtol(dot + 1, NULL, 10) >= 8);
}

static void
gather_volume(struct configure *c)
{
	struct mount_room room;
	struct err ignored = {0};
	char inside[FILE_PATH_MAX];
	const char *path = c->plan->waldir;

	if (!*path && in_pgdata(inside, sizeof(inside), c, "pg_wal", &ignored) == 0)
		path = inside;
	if (mount_room(path, &room, &ignored) == 0)
		c->in.wal_volume_bytes = room.total_bytes;
	c->in.syncfs = syncfs_tells();
}

static int
wanted_port(const struct spec *spec, const struct run_options *opt)
{
	return conf_port(spec, opt->port > 0 && opt->port <= 65535 ? (int)opt->port : 5432);
}

/* Peer authentication needs a name for the uid; an arbitrary uid may have none. */
static void
gather_names(struct configure *c)
{
	const struct passwd *pw = getpwuid(geteuid());
	const char *method = getenv("POSTGRES_HOST_AUTH_METHOD");

	snprintf(c->os_user, sizeof(c->os_user), "%s", pw ? pw->pw_name : "");
	c->hba.os_user = c->os_user;
	c->hba.host_method = method ? method : "";
	c->hba.roles[0] = c->plan->superuser;
	c->hba.roles[1] = COLLECTOR_ROLE;
	c->hba.roles[2] = c->spec->initdb.owner;
	if (strcmp(c->plan->superuser, c->spec->initdb.owner) == 0)
		c->hba.roles[2] = NULL;
}

static int
gather_paths(struct configure *c, struct err *e)
{
	const struct run_options *opt = c->job->opt;

	c->in.pgdata = opt->pgdata;
	c->in.socket_dir = opt->run_dir;
	c->in.log_dir = c->log_dir;
	c->in.hba_file = c->hba_file;
	c->in.ident_file = c->ident_file;
	return file_join(c->log_dir, sizeof(c->log_dir), opt->run_dir, "log", e) ||
			       in_pgdata(c->hba_file, sizeof(c->hba_file), c,
				       configure_file_name(CONFIGURE_HBA), e) ||
			       in_pgdata(c->ident_file, sizeof(c->ident_file), c,
				       configure_file_name(CONFIGURE_IDENT), e)
		       ? -1
		       : 0;
}

int
configure_gather(struct configure *c, struct err *e)
{
	const struct run_options *opt = c->job->opt;

	if (gather_paths(c, e))
		return -1;
	c->in.major = c->hba.major = c->plan->major;
	c->in.spec = c->hba.spec = c->spec;
	c->in.manifest = opt->config[0] != '\0';
	c->in.file = c->hba.file = opt->config;
	c->in.cluster_name = c->in.member = opt->pod_name;
	c->in.port = c->plan->port = wanted_port(c->spec, c->job->opt);
	c->in.huge_pages_off = c->plan->huge_pages_off;
	c->in.base = &c->base;
	c->in.auto_conf = &c->auto_conf;
	if (gather_main(c, e) || gather_auto(c, e) || gather_hba(c, e) || gather_control(c, e))
		return -1;
	gather_volume(c);
	gather_names(c);
	return 0;
}
