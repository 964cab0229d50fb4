/*
 * prepare_init - makes a cluster, all or nothing.
 *
 * Process: the job `prepare`.  The model stands in the header.
 */
#include "service/prepare_init.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

void
init_line(const char *name, const char *line, void *arg)
{
	/* initdb speaks to somebody at a terminal; what matters of it is in the error. */
	enum log_level level = strcmp(name, "initdb") == 0 ? LOG_DEBUG : LOG_INFO;

	(void)arg;
	log_at(level, "output while initialising", F_STR("program", name), F_STR("line", line));
}

/* The supervisor lets a job live for as long as it says something. */
void
init_tick(void *arg)
{
	const struct init *in = arg;
	char phase[sizeof(in->p->j->report.phase)];

	memcpy(phase, in->p->j->report.phase, sizeof(phase));
	job_phase(in->p->j, phase, in->p->j->report.progress);
}

/* ---- what cannot be made ---- */

static int
init_check_bootstrap(const struct prepare *p, struct err *e)
{
	if (p->spec->replica_enabled)
		return err_set(e, ERR_CONFIG,
			"replica.enabled needs the data of its source, but PGDATA is empty and "
			"bootstrap.initdb would make another cluster");
	return 0;
}

static int
init_programs(struct init *in, struct err *e)
{
	char initdb[FILE_PATH_MAX];

	if (bindir_find(&in->bin, 0, in->p->opt->bindir, e) < 0) {
		prepare_hint(in->p, "install PostgreSQL or set --bindir");
		return -1;
	}
	return bindir_program(&in->bin, "initdb", initdb, e);
}

/* Of ours, what would lead initdb, postgres or psql astray, and what is a secret. */
int
init_env(struct init *in, struct err *e)
{
	static const char *const drop[] = {"PGHOST", "PGHOSTADDR", "PGPORT", "PGUSER", "PGDATABASE",
		"PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGSERVICEFILE", "PGOPTIONS", "PGSSLMODE",
		"PGTARGETSESSIONATTRS", "PGCLIENTENCODING", "POSTGRES_PASSWORD",
		"PG_OOM_ADJUST_FILE", "PG_OOM_ADJUST_VALUE", "PG_GRANDPARENT_PID",
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN"};

	if (envlist_init(&in->env, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(drop); i++)
		envlist_drop(&in->env, drop[i]);
	return envlist_set(&in->env, "PGDATA", in->place.data, e);
}

int
init_name_for_uid(struct init *in, struct err *e)
{
	const char *old = envlist_get(&in->env, "LD_PRELOAD");
	AUTO(buf_deinit) struct buf value = {0};

	if (!passwd_shim_needed())
		return 0;
	if (passwd_shim_open(&in->shim, "postgres", e) < 0)
		return -1;
	buf_printf(&value, "%s%s%s", in->shim.path, old && *old ? ":" : "", old ? old : "");
	if (buf_check(&value, e) < 0)
		return -1;
	return envlist_set(&in->env, "LD_PRELOAD", buf_str(&value), e);
}

/* Docker's image adds the line for the network to pg_hba.conf; so does this, for whoever runs the
 * data directory without podgres one day. */
static int
init_host_auth(struct init *in, struct err *e)
{
	char path[FILE_PATH_MAX];
	AUTO(close) int fd = -1;
	AUTO(buf_deinit) struct buf line = {0};

	if (!*in->wish.host_auth)
		return 0;
	if (strpbrk(in->wish.host_auth, "\r\n"))
		return err_set(e, ERR_CONFIG, "POSTGRES_HOST_AUTH_METHOD has more than one line");
	if (strcmp(in->wish.host_auth, "trust") == 0)
		prepare_warn(in->p, "POSTGRES_HOST_AUTH_METHOD is trust: whoever reaches the port "
				    "is let in as anybody");
	buf_printf(&line, "\nhost all all all %s\n", in->wish.host_auth);
	if (buf_check(&line, e) < 0 ||
		file_join(path, sizeof(path), in->place.data, "pg_hba.conf", e) < 0)
		return -1;
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return file_err(e, "open %s", path);
	return file_write_fd(fd, line.data, line.len, e) < 0 ? err_add(e, "%s", path) : 0;
}

/* ---- the steps ---- */

/* What is in the way is a matter of whoever mounted the volume. */
int
init_place_failed(struct init *in, struct err *e)
{
	struct stat st;

	if (e->code != EACCES && e->code != EPERM && e->code != EROFS)
		return -1;
	e->kind = ERR_CONFIG;
	if (stat(in->place.target, &st) == 0)
		prepare_hint(in->p,
			"%s belongs to uid %u, mode %04o, and we are uid %u: set "
			"securityContext.fsGroup, --user, or the owner of the volume",
			in->place.target, (unsigned)st.st_uid, (unsigned)(st.st_mode & 07777),
			(unsigned)geteuid());
	else
		prepare_hint(in->p, "make %s for uid %u, or start podgres as root",
			in->place.target, (unsigned)geteuid());
	return -1;
}

static int
init_build(struct init *in, struct err *e)
{
	if (initdb_run(in, e) < 0 || init_host_auth(in, e) < 0 || bootstrap_run(in, e) < 0)
		return -1;
	job_phase(in->p->j, "writing the new cluster to disk", -1);
	return place_complete(in, e);
}

static int
init_all(struct init *in, struct err *e)
{
	if (place_find(in->p, &in->place, e) < 0 || init_programs(in, e) < 0 ||
		wish_read(in, e) < 0 || init_env(in, e) < 0 || init_name_for_uid(in, e) < 0)
		return -1;
	log_info("making a new cluster", F_STR("pgdata", in->place.target + 0),
		F_STR("version", in->bin.version + 0));
	if (place_make(in, e) < 0)
		return init_place_failed(in, e);
	if (init_build(in, e) < 0) {
		server_kill(in);
		place_discard(in);
		return -1;
	}
	return place_move(&in->place, e);
}

int
prepare_init(struct prepare *p, struct err *e)
{
	AUTO(free) struct init *in = calloc(1, sizeof(*in));
	int rc;

	if (!in)
		return err_sys(e, "initialise");
	if (p->spec->bootstrap == SPEC_BOOT_RECOVERY)
		return prepare_restore(p, e);
	if (p->spec->bootstrap == SPEC_BOOT_PG_BASEBACKUP)
		return prepare_clone(p, e);
	in->p = p;
	in->shim.fd = -1;
	if (init_check_bootstrap(p, e) < 0)
		return -1;
	rc = init_all(in, e);
	wish_deinit(&in->wish);
	envlist_deinit(&in->env);
	spawn_deinit(&in->server);
	passwd_shim_close(&in->shim);
	return rc < 0 ? err_add(e, "initialise %s", p->opt->pgdata) : 0;
}
