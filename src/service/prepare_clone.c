/*
 * prepare_clone - bootstrap.pg_basebackup: PGDATA from a running server, all or nothing.
 *
 * Process: the job `prepare`.  pg_basebackup copies the data directory and streams the WAL beside;
 * a private postgres then replays that WAL and promotes, so that the clone begins a timeline of its
 * own and no standby of either can take the other's WAL for its own.  A replica cluster
 * (replica.enabled) stays in recovery instead.  What a killed run began is thrown away.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "pg/conf.h"
#include "service/configure_files.h"
#include "service/restore.h"

#define CLONE_QUERY_MS (30 * INT64_C(1000))

struct clone {
	struct init *in;
	const struct spec_external *source;
	struct buf conninfo;
};

/* ---- the connection ---- */

/* The password goes into a file, or, when it stands in the manifest itself, the environment: the
 * arguments of a program are everybody's to read. */
static int
clone_conninfo(struct clone *c, struct err *e)
{
	struct prepare *p = c->in->p;
	struct configure conf = {.job = p->j, .spec = p->spec};
	int rc;

	conf.in.file = p->opt->config;
	rc = configure_external(&conf, c->source, e);
	for (size_t i = 0; rc == 0 && i < c->source->params; i++) {
		const struct spec_param *param = &c->source->param[i];

		if (strcmp(param->name, "password") == 0)
			rc = envlist_set(&c->in->env, "PGPASSWORD", param->value, e);
		else if (strcmp(param->name, "replication") != 0)
			conf_conninfo_put(&c->conninfo, param->name, param->value);
	}
	buf_puts(&c->conninfo, buf_str(&conf.conninfo));
	configure_deinit(&conf);
	return rc < 0 ? -1 : buf_check(&c->conninfo, e);
}

/* ---- tablespaces ---- */

/* Only a role that may also log in to a database can tell where they are; one that may not gets
 * them at their own places, which pg_basebackup checks. */
static const char clone_spaces[] = "SELECT oid, spcname, pg_catalog.pg_tablespace_location(oid) "
				   "FROM pg_catalog.pg_tablespace WHERE oid NOT IN (1663, 1664)";

static int
clone_tablespaces(struct clone *c, struct restore *r, struct buf *out, struct err *e)
{
	char psql[FILE_PATH_MAX];
	const char *argv[] = {
		psql, "-X", "-A", "-t", "-w", "-F", "\t", "-d", NULL, "-c", clone_spaces, NULL};
	struct spawn_spec spec = {.name = "psql",
		.argv = argv,
		.envp = (const char *const *)c->in->env.item,
		.deadline_ms = CLONE_QUERY_MS,
		.out = out,
		.on_tick = init_tick,
		.arg = c->in};
	struct err why;
	AUTO(buf_deinit) struct buf conninfo = {0};

	(void)r;
	buf_puts(&conninfo, buf_str(&c->conninfo));
	buf_puts(&conninfo, " connect_timeout='10'");
	if (!strstr(buf_str(&conninfo), "dbname="))
		buf_puts(&conninfo, " dbname='postgres'");
	if (buf_check(&conninfo, e) < 0)
		return -1;
	argv[8] = buf_str(&conninfo);
	if (bindir_client(&c->in->bin, "psql", psql, &why) == 0 &&
		spawn_run(&spec, NULL, &why) == 0)
		return 0;
	log_info("tablespaces of the source are not known", F_STR("error", why.msg));
	buf_reset(out);
	return 0;
}

static int
clone_map(struct words *w, const struct restore *r, char *line, struct err *e)
{
	struct backup_tablespace t = {0};
	struct restore_place to;
	char *name = strchr(line, '\t'), *location = name ? strchr(name + 1, '\t') : NULL;

	if (!location)
		return 0;
	*name++ = *location++ = '\0';
	t.oid = (uint32_t)strtoul(line, NULL, 10);
	snprintf(t.name, sizeof(t.name), "%s", name);
	snprintf(t.location, sizeof(t.location), "%s", location);
	if (tblspc_place(r, &t, &to, e) < 0)
		return -1;
	if (strcmp(to.path, t.location) == 0)
		return 0;
	/* A killed run may have left something where nobody but us puts anything. */
	if (file_remove_tree(to.path, e) < 0)
		return -1;
	return words_addf(w, e, "--tablespace-mapping=%s=%s", t.location, to.path);
}

static int
clone_maps(struct words *w, struct clone *c, struct restore *r, struct err *e)
{
	AUTO(buf_deinit) struct buf out = {0};
	char *line, *next;

	if (clone_tablespaces(c, r, &out, e) < 0)
		return -1;
	for (line = out.data; line && *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		if (clone_map(w, r, line, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- pg_basebackup ---- */

/* " 12345/67890 kB (18%), 0/1 tablespace", under the phase that was said before. */
void
copy_line(const char *name, const char *line, void *arg)
{
	struct job *j = ((struct init *)arg)->p->j;
	long long done, total;

	if (sscanf(line, " %lld/%lld kB (", &done, &total) != 2) {
		log_info("output while cloning", F_STR("program", name), F_STR("line", line));
		return;
	}
	if (done * 1024 == j->report.done_bytes)
		return;
	j->report.done_bytes = done * 1024;
	j->report.total_bytes = total * 1024;
	j->report.progress = total > 0 ? (float)((double)done / (double)total) : -1;
	job_publish(j);
}

int
copy_argv(struct words *w, const struct init *in, struct err *e)
{
	static const char *const fixed[] = {"--wal-method=stream", "--checkpoint=fast",
		"--progress", "--no-password", "--no-sync", "--manifest-checksums=SHA256"};
	const char *wal = in->p->opt->waldir;
	char program[FILE_PATH_MAX];

	if (bindir_program(&in->bin, "pg_basebackup", program, e) < 0 ||
		words_add(w, program, e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		if (words_add(w, fixed[i], e) < 0)
			return -1;
	if (words_addf(w, e, "--pgdata=%s", in->place.data) < 0)
		return -1;
	return *wal ? words_addf(w, e, "--waldir=%s/" PGDATA_OURS, wal) : 0;
}

static int
clone_argv(struct clone *c, struct restore *r, struct words *w, struct err *e)
{
	if (copy_argv(w, c->in, e) < 0 || words_addf(w, e, "--dbname=%s application_name='podgres'",
						  buf_str(&c->conninfo)) < 0)
		return -1;
	return clone_maps(w, c, r, e);
}

static int
clone_copy(struct clone *c, struct restore *r, struct err *e)
{
	AUTO(words_deinit) struct words w = {0};
	struct spawn_spec spec = {.name = "pg_basebackup",
		.envp = (const char *const *)c->in->env.item,
		.on_line = copy_line,
		.arg = c->in};

	if (bindir_find(&c->in->bin, 0, c->in->p->opt->bindir, e) < 0 || clone_conninfo(c, e) < 0 ||
		clone_argv(c, r, &w, e) < 0)
		return -1;
	spec.argv = (const char *const *)w.item;
	job_phase(c->in->p->j, "copying from the source", -1);
	if (spawn_run(&spec, NULL, e) < 0) {
		e->kind = ERR_REMOTE;
		return err_add(e, "source \"%s\"", c->source->name);
	}
	envlist_drop(&c->in->env, "PGPASSWORD");
	return 0;
}

/* ---- all of it ---- */

/* Programs of the source's version, which only its data tell. */
static int
clone_programs(struct clone *c, struct err *e)
{
	struct pgdata d;

	if (pgdata_inspect(&d, c->in->place.data, e) < 0)
		return -1;
	if (d.kind != PGDATA_CLUSTER)
		return err_set(e, ERR_CORRUPT, "what was copied is no cluster: %s", d.what);
	if (bindir_find(&c->in->bin, d.major, c->in->p->opt->bindir, e) == 0)
		return 0;
	prepare_hint(c->in->p, "use an image with PostgreSQL %d, or set --bindir", d.major);
	return -1;
}

static int
clone_promote(struct clone *c, struct restore *r, struct err *e)
{
	char name[64];
	struct err ignored;

	if (pgdata_superuser(name, c->in->place.data, &ignored) == 0) {
		free(c->in->wish.superuser);
		c->in->wish.superuser = strdup(name);
	}
	job_phase(c->in->p->j, "beginning a timeline of its own", -1);
	if (restore_replay(r, e) < 0)
		return -1;
	job_phase(c->in->p->j, "database and owner", -1);
	return bootstrap_adopt(c->in, e) < 0 || restore_end(r, e) < 0 ? -1 : 0;
}

static int
clone_build(struct clone *c, struct restore *r, struct err *e)
{
	if (clone_copy(c, r, e) < 0 || clone_programs(c, e) < 0 ||
		restore_files_clean(c->in->place.data, e) < 0)
		return -1;
	if (!c->in->p->spec->replica_enabled && clone_promote(c, r, e) < 0)
		return -1;
	job_phase(c->in->p->j, "writing the clone to disk", -1);
	return place_complete(c->in, e);
}

static int
clone_all(struct clone *c, struct restore *r, struct err *e)
{
	struct init *in = c->in;
	struct prepare *p = in->p;
	char map_dir[FILE_PATH_MAX];

	if (file_join(map_dir, sizeof(map_dir), p->opt->state_dir, "tablespaces", e) < 0)
		return -1;
	r->map_dir = map_dir;
	c->source = spec_external_of(p->spec, p->spec->bootstrap_source);
	if (!c->source)
		return err_set(e, ERR_CONFIG, "%s:%d:%d: externalClusters has no \"%s\"",
			p->opt->config, p->spec->bootstrap_at.line, p->spec->bootstrap_at.col,
			p->spec->bootstrap_source);
	if (place_find(p, &in->place, e) < 0 || wish_of_recovery(in, e) < 0 ||
		init_env(in, e) < 0 || init_name_for_uid(in, e) < 0)
		return -1;
	if (place_make(in, e) < 0)
		return init_place_failed(in, e);
	if (clone_build(c, r, e) < 0) {
		server_kill(in);
		place_discard(in);
		return -1;
	}
	return place_move(&in->place, e);
}

int
prepare_clone(struct prepare *p, struct err *e)
{
	AUTO(free) struct init *in = calloc(1, sizeof(*in));
	AUTO(free) struct restore *r = calloc(1, sizeof(*r));
	struct clone c = {.in = in};
	int rc;

	if (!in || !r)
		return err_sys(e, "clone");
	in->p = p;
	in->shim.fd = -1;
	r->in = in;
	r->local = true;
	rc = clone_all(&c, r, e);
	restore_deinit(r);
	buf_deinit(&c.conninfo);
	wish_deinit(&in->wish);
	envlist_deinit(&in->env);
	spawn_deinit(&in->server);
	passwd_shim_close(&in->shim);
	return rc < 0 ? err_add(e, "clone %s", p->spec->bootstrap_source) : 0;
}
