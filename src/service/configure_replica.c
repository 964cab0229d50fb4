/*
 * configure_replica - what a standby proves itself with to the cluster it follows.
 *
 * The password of an external cluster goes to a password file in the run folder, never into a
 * configuration file, a log or a list of processes; libpq reads it at each connection.  A mounted
 * key is copied beside it, because libpq refuses keys that others may read.
 */
#include "service/configure_files.h"

#include <stdio.h>
#include <string.h>

#include "sys/file.h"

#define MAX_SECRET_BYTES (1 << 20)

static bool
given(const struct spec_ref *r)
{
	return r->name && *r->name;
}

static int
secret_path(char out[PATH_LEN], const struct configure *c, const struct spec_ref *r, struct err *e)
{
	int n = snprintf(out, PATH_LEN, "%s/%s/%s", c->job->opt->secrets_dir, r->name, r->key);

	if (n < 0 || n >= PATH_LEN)
		return err_set(e, ERR_CONFIG, "%s:%d:%d: the path of secret %s is too long",
			c->in.file, r->at.line, r->at.col, r->name);
	return 0;
}

static int
secret_read(struct buf *out, const struct configure *c, const struct spec_ref *r, struct err *e)
{
	char path[PATH_LEN];

	if (secret_path(path, c, r, e))
		return -1;
	if (file_read(out, path, MAX_SECRET_BYTES, e) == 0)
		return 0;
	e->kind = ERR_CONFIG;
	return err_add(e, "%s:%d:%d: secret %s, key %s", c->in.file, r->at.line, r->at.col, r->name,
		r->key);
}

static void
wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->len);
	buf_deinit(b);
}

/* Text of libpq's password file: a colon or a backslash inside of a field has one before it. */
static void
put_password(struct buf *out, const struct buf *secret)
{
	size_t n = secret->len;

	while (n > 0 && (secret->data[n - 1] == '\n' || secret->data[n - 1] == '\r'))
		n--;
	buf_puts(out, "*:*:*:*:");
	for (size_t i = 0; i < n; i++) {
		if (secret->data[i] == ':' || secret->data[i] == '\\')
			buf_putc(out, '\\');
		buf_putc(out, secret->data[i]);
	}
	buf_putc(out, '\n');
}

static int
run_file(char out[PATH_LEN], const struct configure *c, const char *name, struct err *e)
{
	return file_join(out, PATH_LEN, c->job->opt->run_dir, name, e);
}

static int
password_file(struct configure *c, const struct spec_ref *r, struct err *e)
{
	struct buf secret = {0}, text = {0};
	char path[PATH_LEN];
	int rc = -1;

	if (run_file(path, c, "replica.pgpass", e) == 0 && secret_read(&secret, c, r, e) == 0) {
		put_password(&text, &secret);
		rc = buf_check(&text, e) || file_write(path, buf_str(&text), text.len, 0600, e) ? -1
												: 0;
	}
	if (rc == 0)
		conf_conninfo_put(&c->conninfo, "passfile", path);
	wipe(&secret);
	wipe(&text);
	return rc;
}

static int
key_file(struct configure *c, const struct spec_ref *r, struct err *e)
{
	struct buf key = {0};
	char path[PATH_LEN];
	int rc = -1;

	if (run_file(path, c, "replica.key", e) == 0 && secret_read(&key, c, r, e) == 0)
		rc = file_write(path, buf_str(&key), key.len, 0600, e);
	if (rc == 0)
		conf_conninfo_put(&c->conninfo, "sslkey", path);
	wipe(&key);
	return rc;
}

static int
mounted_file(struct configure *c, const struct spec_ref *r, const char *option, struct err *e)
{
	char path[PATH_LEN];

	if (secret_path(path, c, r, e))
		return -1;
	if (access(path, R_OK))
		return err_set(e, ERR_CONFIG, "%s:%d:%d: secret %s, key %s: %s cannot be read",
			c->in.file, r->at.line, r->at.col, r->name, r->key, path);
	conf_conninfo_put(&c->conninfo, option, path);
	return 0;
}

int
configure_external(struct configure *c, const struct spec_external *x, struct err *e)
{
	if (given(&x->password) && password_file(c, &x->password, e))
		return -1;
	if (given(&x->ssl_key) && key_file(c, &x->ssl_key, e))
		return -1;
	if (given(&x->ssl_cert) && mounted_file(c, &x->ssl_cert, "sslcert", e))
		return -1;
	if (given(&x->ssl_root_cert) && mounted_file(c, &x->ssl_root_cert, "sslrootcert", e))
		return -1;
	return buf_check(&c->conninfo, e);
}

int
configure_replica(struct configure *c, struct err *e)
{
	const struct spec_external *x = NULL;

	if (c->in.standby && !c->primary.len && *c->spec->replica_conninfo)
		x = spec_external_of(c->spec, c->spec->replica_source);
	if (!x)
		return 0;
	if (configure_external(c, x, e))
		return -1;
	c->in.conninfo_files = buf_str(&c->conninfo);
	return 0;
}
