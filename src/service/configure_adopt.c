/*
 * configure_adopt - settings of an adopted data directory that would keep postgres from starting.
 *
 * Another manager's configuration names certificates and programs of its own image.  What is not
 * here is overridden with a warning, rather than found out by a postgres that ends at once.
 */
#include "service/configure_files.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/quantity.h"
#include "sys/file.h"

#define MAX_PEM_BYTES (1 << 20)

static const char *
setting(const struct configure *c, const char *name, const char *fallback)
{
	const char *v = conf_wanted(&c->in, name);

	return v ? v : fallback;
}

/* ---- TLS ---- */

static int
absolute(char *out, size_t size, const struct configure *c, const char *path)
{
	struct err ignored = {0};

	if (path[0] != '/')
		return file_join(out, size, c->in.pgdata, path, &ignored);
	return snprintf(out, size, "%s", path) < (int)size ? 0 : -1;
}

static bool
readable(const struct configure *c, const char *path)
{
	char full[FILE_PATH_MAX];

	return absolute(full, sizeof(full), c, path) == 0 && access(full, R_OK) == 0;
}

/* The demands of check_ssl_key_file_permissions() in PostgreSQL's be-secure-common.c. */
static bool
key_fits(const struct configure *c, const char *path)
{
	char full[FILE_PATH_MAX];
	struct stat st;

	if (!readable(c, path) || absolute(full, sizeof(full), c, path) || stat(full, &st) ||
		!S_ISREG(st.st_mode))
		return false;
	if (st.st_uid == geteuid())
		return (st.st_mode & (S_IRWXG | S_IRWXO)) == 0;
	return st.st_uid == 0 && (st.st_mode & (S_IWGRP | S_IXGRP | S_IRWXO)) == 0;
}

/* Mounted Secrets are often readable by all, which postgres refuses in a key: give it a copy. */
static int
copy_key(struct configure *c, struct err *e)
{
	AUTO(buf_deinit) struct buf key = {0};
	int rc;

	if (file_join(c->tls_key, sizeof(c->tls_key), c->job->opt->run_dir, "postgres.key", e) ||
		file_read(&key, c->job->opt->tls_key, MAX_PEM_BYTES, e))
		return -1;
	rc = file_write(c->tls_key, buf_str(&key), key.len, 0600, e);
	if (key.data)
		explicit_bzero(key.data, key.len);
	return rc;
}

static int
mounted_tls(struct configure *c, struct err *e)
{
	const struct run_options *opt = c->job->opt;

	if (!*opt->tls_cert || !*opt->tls_key)
		return 0;
	if (!readable(c, opt->tls_cert) || !readable(c, opt->tls_key)) {
		configure_warn(c->plan,
			"the certificate %.100s or its key cannot be read: postgres "
			"runs without TLS",
			opt->tls_cert);
		c->in.ssl_off = true;
		return 0;
	}
	snprintf(c->tls_key, sizeof(c->tls_key), "%s", opt->tls_key);
	if (!key_fits(c, opt->tls_key) && copy_key(c, e))
		return err_add(e, "copy the key for postgres");
	c->in.ssl_cert = opt->tls_cert;
	c->in.ssl_key = c->tls_key;
	c->in.ssl_ca = opt->tls_client_ca;
	return 0;
}

static bool
is_on(const char *v)
{
	return strcasecmp(v, "on") == 0 || strcasecmp(v, "true") == 0 ||
	       strcasecmp(v, "yes") == 0 || strcmp(v, "1") == 0;
}

static void
found_tls(struct configure *c)
{
	const char *cert = setting(c, "ssl_cert_file", "server.crt");
	const char *key = setting(c, "ssl_key_file", "server.key");
	const char *ca = setting(c, "ssl_ca_file", "");

	if (!is_on(setting(c, "ssl", "off")))
		return;
	if (readable(c, cert) && key_fits(c, key) && (!*ca || readable(c, ca)))
		return;
	c->in.ssl_off = true;
	configure_warn(c->plan,
		"ssl is on in the data directory's configuration, but %.80s, %.80s or %.80s cannot "
		"be "
		"used here: postgres runs without TLS",
		cert, key, *ca ? ca : "the CA");
}

/* ---- programs ---- */

/* The command's program is an absolute path and not there. */
static bool
program_gone(const char *command)
{
	char path[PATH_LEN];
	size_t n = strcspn(command, " \t");

	if (command[0] != '/' || n >= sizeof(path))
		return false;
	memcpy(path, command, n);
	path[n] = '\0';
	return access(path, X_OK) != 0;
}

static void
found_commands(struct configure *c)
{
	const char *restore = setting(c, "restore_command", "");
	const char *mode = setting(c, "archive_mode", "off");

	if (c->in.recovery && !c->restore_command.len && program_gone(restore)) {
		c->in.restore_command_gone = true;
		configure_warn(c->plan,
			"restore_command names %.*s, a program that is not here: "
			"it is left out",
			(int)strcspn(restore, " \t"), restore);
	}
	if (!c->archive_command.len && (is_on(mode) || strcasecmp(mode, "always") == 0))
		configure_warn(c->plan,
			"archive_mode was %s in the data directory's configuration: "
			"the manifest names no archive, so it is off now",
			mode);
}

/* ---- libraries ---- */

static bool
library_in(const char *dir, const char *name, size_t n)
{
	char path[FILE_PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s/%.*s.so", dir, (int)n, name);

	return len > 0 && len < (int)sizeof(path) && access(path, R_OK) == 0;
}

/* Where this postgres keeps its libraries: next to the one every build has.  -1: not found. */
static int
library_dir(char *out, size_t size, const struct configure *c)
{
	static const char *const places[] = {"../lib", "../lib/postgresql", "../lib64/postgresql",
		"../lib64", "../lib/pgsql", "../lib64/pgsql"};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		snprintf(out, size, "%s/%s", c->plan->bindir, places[i]);
		if (library_in(out, "plpgsql", strlen("plpgsql")))
			return 0;
	}
	return -1;
}

/* From version 15 on postgres itself loads them in the trial; before, it says so only at the start.
 */
static int
libraries_there(struct configure *c, struct err *e)
{
	AUTO(buf_deinit) struct buf list = {0};
	char dir[PATH_LEN + 32];
	const char *p;

	if (conf_preload(&list, &c->in) == 0 || c->in.major >= 15 ||
		conf_wanted(&c->in, "dynamic_library_path") || library_dir(dir, sizeof(dir), c))
		return buf_check(&list, e);
	for (p = buf_str(&list); *p; p += strspn(p, ", ")) {
		size_t n = strcspn(p, ",");

		if (!memchr(p, '/', n) && !library_in(dir, p, n))
			return err_set(e, ERR_CONFIG,
				"shared_preload_libraries: there is no library "
				"\"%.*s\" in %s",
				(int)n, p, dir);
		p += n;
	}
	return 0;
}

/* ---- settings against each other ---- */

static int64_t
number(const struct configure *c, const char *name, int64_t fallback)
{
	struct err ignored = {0};
	const char *text = conf_wanted(&c->in, name);
	int64_t n;

	return text && quantity_pg_int(text, &n, &ignored) == 0 ? n : fallback;
}

/* From version 15 on the trial finds these, too. */
static int
settings_agree(const struct configure *c, struct err *e)
{
	int64_t reserved = number(c, "superuser_reserved_connections", 3);
	int64_t all = number(c, "max_connections", 100);
	const char *level = setting(c, "wal_level", "logical");

	if (c->in.major >= 15)
		return 0;
	if (reserved >= all)
		return err_set(e, ERR_CONFIG,
			"superuser_reserved_connections (%lld) must be less than "
			"max_connections (%lld)",
			(long long)reserved, (long long)all);
	if (strcasecmp(level, "minimal") == 0 && number(c, "max_wal_senders", 10) > 0)
		return err_set(e, ERR_CONFIG,
			"wal_level minimal needs max_wal_senders 0: nobody could follow");
	return 0;
}

int
configure_adopt(struct configure *c, struct err *e)
{
	if (mounted_tls(c, e))
		return -1;
	if (!c->in.ssl_cert)
		found_tls(c);
	found_commands(c);
	return settings_agree(c, e) || libraries_there(c, e) ? -1 : 0;
}
