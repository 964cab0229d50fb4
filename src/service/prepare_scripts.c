/*
 * prepare_scripts - /docker-entrypoint-initdb.d, as Docker's official image runs it.
 *
 * Process: the job `prepare`.  Files in the order of their names: *.sh is run when it is executable
 * and sourced by bash otherwise, *.sql goes to psql, *.sql.gz, .xz and .zst are unpacked into it,
 * all else is passed over and said.  Any failure is the failure of the whole initialisation.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "service/prepare_init.h"

/* What sourced scripts of Docker's image may call. */
#define SCRIPT_HELPERS                                                        \
	"psql=(psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc); "          \
	"docker_process_sql() { local q=(psql -v ON_ERROR_STOP=1 --username " \
	"\"$POSTGRES_USER\" --no-password --no-psqlrc); "                     \
	"[ -z \"$POSTGRES_DB\" ] || q+=(--dbname \"$POSTGRES_DB\"); \"${q[@]}\" \"$@\"; }; "

#define SCRIPT_SOURCE "set -Eeo pipefail; " SCRIPT_HELPERS "export -f docker_process_sql; . \"$1\""
#define SCRIPT_UNPACK "set -eo pipefail; " SCRIPT_HELPERS "\"$2\" -dc \"$1\" | docker_process_sql"

struct script_kind {
	const char *suffix, *unpack; /* unpack: program, NULL for a kind of its own */
};

static const struct script_kind unpackers[] = {
	{".sql.gz", "gzip"}, {".sql.xz", "xz"}, {".sql.zst", "zstd"}};

/* ---- names ---- */

static int
script_add(const char *name, void *arg, struct err *e)
{
	return name[0] == '.' ? 0 : words_add(arg, name, e);
}

static int
script_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
script_names(const struct init *in, struct words *out, struct err *e)
{
	if (!file_is_dir(in->p->opt->initdb_dir))
		return 0;
	if (file_each(in->p->opt->initdb_dir, script_add, out, e) < 0)
		return -1;
	if (out->n)
		qsort(out->item, out->n, sizeof(*out->item), script_compare);
	return 0;
}

bool
scripts_any(const struct init *in)
{
	AUTO(words_deinit) struct words names = {0};
	struct err e;

	return script_names(in, &names, &e) < 0 || names.n > 0;
}

static bool
script_ends(const char *name, const char *suffix)
{
	size_t n = strlen(name), m = strlen(suffix);

	return n > m && strcmp(name + n - m, suffix) == 0;
}

/* ---- environment ---- */

static int
script_env_path(struct init *in, struct envlist *env, struct err *e)
{
	const char *path = envlist_get(env, "PATH");
	AUTO(buf_deinit) struct buf b = {0};

	buf_printf(&b, "%s:%s", in->bin.dir, path && *path ? path : "/usr/bin:/bin");
	if (buf_check(&b, e) < 0)
		return -1;
	return envlist_set(env, "PATH", buf_str(&b), e);
}

/* What the image's scripts rely on; passwords go through the environment there, too. */
static int
script_env(struct init *in, struct envlist *env, struct err *e)
{
	const struct init_wish *w = &in->wish;
	const char *db = *w->database ? w->database : "postgres";

	if (envlist_copy(env, &in->env, e) < 0 || script_env_path(in, env, e) < 0)
		return -1;
	if (envlist_set(env, "PGHOST", in->socket_dir, e) < 0 ||
		envlist_set(env, "PGPORT", INIT_PORT, e) < 0 ||
		envlist_set(env, "PGUSER", w->superuser, e) < 0 ||
		envlist_set(env, "POSTGRES_USER", w->superuser, e) < 0 ||
		envlist_set(env, "POSTGRES_DB", db, e) < 0)
		return -1;
	if (*w->superuser_password &&
		(envlist_set(env, "POSTGRES_PASSWORD", w->superuser_password, e) < 0 ||
			envlist_set(env, "PGPASSWORD", w->superuser_password, e) < 0))
		return -1;
	return 0;
}

/* ---- run ---- */

static const char *
script_bash(void)
{
	return access("/bin/bash", X_OK) == 0 ? "/bin/bash" : "/usr/bin/bash";
}

struct script {
	struct init *in;
	const struct envlist *env;
	const char *name;
	char path[FILE_PATH_MAX];
};

static int
script_spawn(const struct script *s, const char *const *argv, struct err *e)
{
	struct spawn_spec spec = {.name = s->name,
		.argv = argv,
		.envp = (const char *const *)s->env->item,
		.on_line = init_line,
		.on_tick = init_tick,
		.arg = s->in};

	return spawn_run(&spec, &s->in->server, e);
}

static int
script_shell(const struct script *s, struct err *e)
{
	const char *run[] = {s->path, NULL};
	const char *source[] = {script_bash(), "-c", SCRIPT_SOURCE, "podgres", s->path, NULL};

	return script_spawn(s, access(s->path, X_OK) == 0 ? run : source, e);
}

static int
script_sql(const struct script *s, struct err *e)
{
	char psql[FILE_PATH_MAX];
	const char *db = envlist_get(s->env, "POSTGRES_DB");
	const char *argv[] = {psql, "-X", "-w", "-v", "ON_ERROR_STOP=1", "-U",
		s->in->wish.superuser, "-d", db, "-f", s->path, NULL};

	if (bindir_client(&s->in->bin, "psql", psql, e) < 0)
		return -1;
	return script_spawn(s, argv, e);
}

static int
script_unpack(const struct script *s, const char *program, struct err *e)
{
	const char *argv[] = {
		script_bash(), "-c", SCRIPT_UNPACK, "podgres", s->path, program, NULL};

	return script_spawn(s, argv, e);
}

static int
script_run(const struct script *s, struct err *e)
{
	log_info("running a script of the first start", F_STR("file", s->path));
	if (script_ends(s->name, ".sh"))
		return script_shell(s, e);
	if (script_ends(s->name, ".sql"))
		return script_sql(s, e);
	for (size_t i = 0; i < ARRAY_LEN(unpackers); i++)
		if (script_ends(s->name, unpackers[i].suffix))
			return script_unpack(s, unpackers[i].unpack, e);
	log_info("a file among the scripts is passed over", F_STR("file", s->path));
	return 0;
}

int
scripts_run(struct init *in, struct err *e)
{
	AUTO(words_deinit) struct words names = {0};
	AUTO(envlist_deinit) struct envlist env = {0};

	if (script_names(in, &names, e) < 0)
		return -1;
	if (names.n == 0)
		return 0;
	if (script_env(in, &env, e) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		struct script s = {.in = in, .env = &env, .name = names.item[i]};

		job_phase(in->p->j, "scripts of the first start", (float)i / (float)names.n);
		if (file_join(s.path, sizeof(s.path), in->p->opt->initdb_dir, s.name, e) < 0)
			return -1;
		if (script_run(&s, e) < 0)
			return err_add(e, "%s", in->p->opt->initdb_dir);
	}
	return 0;
}
