/*
 * prepare_wish - what a new cluster is to hold: the manifest's bootstrap.initdb, else the
 * environment of Docker's official image.
 *
 * Process: the job `prepare`.  Passwords live in this struct and in psql's stdin, nowhere else.
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "service/prepare_init.h"

#define SECRET_MAX 65536

/* ---- sources ---- */

static int
wish_keep(char **out, const char *text, struct err *e)
{
	free(*out);
	*out = strdup(text);
	return *out ? 0 : err_sys(e, "remember a setting");
}

/* NAME or the file that NAME_FILE names, as Docker's image does it; both is a mistake. */
static int
wish_env(char **out, const char *name, const char *fallback, struct err *e)
{
	AUTO(buf_deinit) struct buf b = {0};
	char file_name[64];
	const char *value, *file;

	snprintf(file_name, sizeof(file_name), "%s_FILE", name);
	value = getenv(name);     // NOLINT(concurrency-mt-unsafe): one thread
	file = getenv(file_name); // NOLINT(concurrency-mt-unsafe): one thread
	if (value && *value && file && *file)
		return err_set(e, ERR_CONFIG, "both %s and %s are set: set one", name, file_name);
	if (value && *value)
		return wish_keep(out, value, e);
	if (!file || !*file)
		return wish_keep(out, fallback, e);
	if (file_read(&b, file, SECRET_MAX, e) < 0) {
		e->kind = ERR_CONFIG;
		return err_add(e, "%s", file_name);
	}
	while (b.len > 0 && (b.data[b.len - 1] == '\n' || b.data[b.len - 1] == '\r'))
		b.data[--b.len] = '\0';
	return wish_keep(out, buf_str(&b), e);
}

int
wish_secret(
	const struct prepare *p, const char *name, const char *key, struct buf *out, struct err *e)
{
	char path[FILE_PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s/%s", p->opt->secrets_dir, name, key);

	if (n < 0 || (size_t)n >= sizeof(path) || strchr(name, '/') || strchr(key, '/'))
		return err_set(e, ERR_CONFIG, "secret %.100s, key %.100s: not a name", name, key);
	if (file_read(out, path, 4U << 20, e) < 0) {
		e->kind = ERR_CONFIG;
		return err_add(e, "secret %s, key %s", name, key);
	}
	return 0;
}

static int
wish_secret_text(
	const struct prepare *p, const char *name, const char *key, char **out, struct err *e)
{
	AUTO(buf_deinit) struct buf b = {0};

	if (wish_secret(p, name, key, &b, e) < 0)
		return -1;
	while (b.len > 0 && (b.data[b.len - 1] == '\n' || b.data[b.len - 1] == '\r'))
		b.data[--b.len] = '\0';
	if (strlen(buf_str(&b)) != b.len)
		return err_set(e, ERR_CONFIG, "secret %s, key %s holds a NUL byte", name, key);
	return wish_keep(out, buf_str(&b), e);
}

/* ---- the manifest ---- */

static int
wish_owner_secret(struct init *in, struct err *e)
{
	const struct spec_initdb *i = &in->p->spec->initdb;
	AUTO(free) char *username = NULL;

	if (!*i->secret)
		return 0;
	if (wish_secret_text(in->p, i->secret, "username", &username, e) < 0 ||
		wish_secret_text(in->p, i->secret, "password", &in->wish.owner_password, e) < 0)
		return -1;
	if (strcmp(username, in->wish.owner) != 0)
		return err_set(e, ERR_CONFIG,
			"secret %s is for user \"%s\", but bootstrap.initdb.owner is \"%s\"",
			i->secret, username, in->wish.owner);
	return 0;
}

static int
wish_superuser_secret(struct init *in, struct err *e)
{
	const struct spec *s = in->p->spec;

	if (!s->superuser_access || !*s->superuser_secret)
		return 0;
	return wish_secret_text(
		in->p, s->superuser_secret, "password", &in->wish.superuser_password, e);
}

int
wish_of_recovery(struct init *in, struct err *e)
{
	const struct spec_recovery *s = &in->p->spec->recovery;
	struct init_wish *w = &in->wish;
	AUTO(free) char *username = NULL;

	w->by_manifest = true;
	if (wish_keep(&w->superuser, "postgres", e) < 0 ||
		wish_keep(&w->superuser_password, "", e) < 0 ||
		wish_keep(&w->database, log_text(s->database), e) < 0 ||
		wish_keep(&w->owner, *log_text(s->owner) ? s->owner : w->database, e) < 0 ||
		wish_keep(&w->owner_password, "", e) < 0)
		return -1;
	if (!*log_text(s->secret))
		return wish_superuser_secret(in, e);
	if (wish_secret_text(in->p, s->secret, "username", &username, e) < 0 ||
		wish_secret_text(in->p, s->secret, "password", &w->owner_password, e) < 0)
		return -1;
	if (!*w->owner && wish_keep(&w->owner, username, e) < 0)
		return -1;
	if (strcmp(username, w->owner) != 0)
		return err_set(e, ERR_CONFIG,
			"secret %s is for user \"%s\", but the owner is \"%s\"", s->secret,
			username, w->owner);
	return wish_superuser_secret(in, e);
}

static int
wish_by_manifest(struct init *in, struct err *e)
{
	const struct spec_initdb *i = &in->p->spec->initdb;
	struct init_wish *w = &in->wish;
	static const char *const unused[] = {"POSTGRES_USER", "POSTGRES_DB"};

	w->by_manifest = true;
	for (size_t n = 0; n < ARRAY_LEN(unused); n++)
		if (getenv(unused[n])) // NOLINT(concurrency-mt-unsafe): one thread
			prepare_warn(in->p, "%s is set, but the manifest's bootstrap.initdb counts",
				unused[n]);
	if (wish_keep(&w->superuser, "postgres", e) < 0 ||
		wish_keep(&w->database, i->database, e) < 0 ||
		wish_keep(&w->owner, *i->owner ? i->owner : i->database, e) < 0)
		return -1;
	return wish_owner_secret(in, e) < 0 || wish_superuser_secret(in, e) < 0 ? -1 : 0;
}

/* ---- the environment ---- */

static int
wish_by_environment(struct init *in, struct err *e)
{
	struct init_wish *w = &in->wish;

	if (wish_env(&w->superuser, "POSTGRES_USER", "postgres", e) < 0 ||
		wish_env(&w->database, "POSTGRES_DB", w->superuser, e) < 0)
		return -1;
	return wish_superuser_secret(in, e);
}

static int
wish_check_name(const char *what, const char *name, struct err *e)
{
	if (strlen(name) < 64)
		return 0;
	return err_set(e, ERR_CONFIG, "%s \"%.80s\" is longer than 63 bytes", what, name);
}

static int
wish_common(struct init *in, struct err *e)
{
	struct init_wish *w = &in->wish;

	if (wish_env(&w->superuser_password, "POSTGRES_PASSWORD", "", e) < 0 ||
		wish_env(&w->initdb_args, "POSTGRES_INITDB_ARGS", "", e) < 0 ||
		wish_env(&w->host_auth, "POSTGRES_HOST_AUTH_METHOD", "", e) < 0)
		return -1;
	if (wish_keep(&w->database, "", e) < 0 || wish_keep(&w->owner, "", e) < 0 ||
		wish_keep(&w->owner_password, "", e) < 0)
		return -1;
	return 0;
}

int
wish_read(struct init *in, struct err *e)
{
	struct init_wish *w = &in->wish;
	int rc = wish_common(in, e);

	if (rc == 0)
		rc = in->p->spec->has_initdb ? wish_by_manifest(in, e) : wish_by_environment(in, e);
	if (rc == 0 && !*w->superuser_password && !w->by_manifest && !*w->host_auth)
		log_info("no password was given: nobody can log in over the network yet",
			F_STR("hint", "set POSTGRES_PASSWORD or use ALTER ROLE"));
	if (rc < 0 || wish_check_name("superuser", w->superuser, e) < 0 ||
		wish_check_name("database", w->database, e) < 0)
		return -1;
	return wish_check_name("owner", w->owner, e);
}

static void
wish_wipe(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

void
wish_deinit(struct init_wish *w)
{
	wish_wipe(&w->superuser_password);
	wish_wipe(&w->owner_password);
	free(w->superuser);
	free(w->database);
	free(w->owner);
	free(w->initdb_args);
	free(w->host_auth);
	*w = (struct init_wish){0};
}
