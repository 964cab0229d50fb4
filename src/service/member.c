/*
 * member - the shared secret of a cluster's members, and how they reach each other with it.
 *
 * Process: the jobs prepare, configure and members.
 */
#include "service/member.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "pg/conf.h"
#include "sys/file.h"

#define SECRET_BYTES (1 << 20)
#define PASSWORD_BYTES 1000
#define POD_CHARS 63 /* as struct elector_member keeps them */

bool
member_on(const struct run_options *opt)
{
	return opt->coordination == COORDINATION_KUBERNETES;
}

bool
member_is(const struct run_options *opt, const struct elector_status *el)
{
	return member_on(opt) || el->driven;
}

const char *
member_slot_name(const char *pod, char out[MEMBER_SLOT_SIZE])
{
	size_t n = strnlen(pod, POD_CHARS), at = strlen(MEMBER_SLOT_PREFIX);
	size_t room = MEMBER_SLOT_SIZE - 1 - at, kept = n <= room ? n : room - 9;

	memcpy(out, MEMBER_SLOT_PREFIX, at);
	for (size_t i = 0; i < kept; i++) {
		char c = pod[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		out[at++] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_';
	}
	out[at] = '\0';
	if (kept < n)
		snprintf(out + at, MEMBER_SLOT_SIZE - at, "_%08x", crc32c(0, pod, n));
	return out;
}

/* ---- the secret ---- */

static bool
has_key(const struct member_access *a, const char *key, char out[PATH_LEN])
{
	struct err ignored;

	if (file_join(out, PATH_LEN, a->secret, key, &ignored) == 0 && access(out, R_OK) == 0)
		return true;
	out[0] = '\0';
	return false;
}

static int
no_secret(const struct member_access *a, const char *key, struct err *e)
{
	return err_set(e, ERR_CONFIG,
		"the members of a cluster need a secret to follow each other, but %.300s/%s cannot "
		"be read: mount a secret there with the key \"password\", or with \"tls.crt\" and "
		"\"tls.key\"",
		a->secret, key);
}

static void
wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->len);
	buf_deinit(b);
}

int
member_password(const struct member_access *a, struct buf *out, struct err *e)
{
	char path[PATH_LEN];

	if (!has_key(a, "password", path))
		return no_secret(a, "password", e);
	if (file_read(out, path, PASSWORD_BYTES + 2, e) < 0) {
		e->kind = ERR_CONFIG;
		return err_add(e, "password of the replication role");
	}
	while (out->len > 0 && strchr("\r\n", out->data[out->len - 1]))
		out->data[--out->len] = '\0';
	for (size_t i = 0; i < out->len; i++)
		if (out->data[i] < 0x20 || out->data[i] > 0x7e)
			return err_set(e, ERR_CONFIG,
				"%s: only printable ASCII characters can be used", path);
	return out->len ? 0 : err_set(e, ERR_CONFIG, "%s is empty", path);
}

/* Every run looks, few have something to write. */
static int
lay_file(const char *path, const struct buf *text, struct err *e)
{
	struct buf old = {0};
	struct err ignored;
	bool same;

	if (buf_check(text, e) < 0)
		return -1;
	same = file_read(&old, path, SECRET_BYTES, &ignored) == 0 && old.len == text->len &&
	       memcmp(buf_str(&old), buf_str(text), old.len) == 0;
	wipe(&old);
	return same ? 0 : file_write(path, buf_str(text), text->len, 0600, e);
}

/* Text of libpq's password file: a colon or a backslash inside of a field has one before it. */
static int
lay_passfile(struct member_access *a, struct err *e)
{
	struct buf password = {0}, text = {0};
	int rc = member_password(a, &password, e);

	if (rc == 0) {
		buf_puts(&text, "*:*:*:" MEMBER_ROLE ":");
		for (size_t i = 0; i < password.len; i++) {
			if (password.data[i] == ':' || password.data[i] == '\\')
				buf_putc(&text, '\\');
			buf_putc(&text, password.data[i]);
		}
		buf_putc(&text, '\n');
		rc = lay_file(a->passfile, &text, e);
	}
	wipe(&password);
	wipe(&text);
	return rc;
}

/* libpq refuses a key that others may read, as mounted secrets are. */
static int
lay_key(struct member_access *a, const struct run_options *opt, struct err *e)
{
	struct buf key = {0};
	char path[PATH_LEN];
	int rc;

	snprintf(path, sizeof(path), "%s", a->key_file);
	if (file_join(a->key_file, sizeof(a->key_file), opt->run_dir, "replica.key", e) < 0)
		return -1;
	rc = file_read(&key, path, SECRET_BYTES, e);
	if (rc == 0)
		rc = lay_file(a->key_file, &key, e);
	wipe(&key);
	return rc;
}

int
member_access(struct member_access *out, const struct run_options *opt, const char *cluster,
	struct err *e)
{
	char path[PATH_LEN];
	int n;

	*out = (struct member_access){0};
	if (*opt->cluster_name)
		cluster = opt->cluster_name;
	if (!cluster || !*cluster)
		return err_set(e, ERR_CONFIG,
			"the name of the cluster is not known: metadata.name of the manifest");
	n = snprintf(
		out->secret, sizeof(out->secret), "%s/%s-replication", opt->secrets_dir, cluster);
	if (n < 0 || n >= PATH_LEN)
		return err_set(e, ERR_CONFIG, "path too long: %.200s", opt->secrets_dir);
	out->cert =
		has_key(out, "tls.crt", out->cert_file) && has_key(out, "tls.key", out->key_file);
	if (out->cert) {
		(void)!has_key(out, "ca.crt", out->ca_file);
		return lay_key(out, opt, e);
	}
	if (!has_key(out, "password", path))
		return no_secret(out, "password", e);
	if (file_join(out->passfile, sizeof(out->passfile), opt->run_dir, MEMBER_PASSFILE, e) < 0)
		return -1;
	return lay_passfile(out, e);
}

/* ---- connections ---- */

static void
put(struct member_params *p, const char *key, const char *value)
{
	must(p->n < MEMBER_PARAMS);
	p->key[p->n] = key;
	p->value[p->n++] = value;
	p->key[p->n] = p->value[p->n] = NULL;
}

/* A dead host is noticed after five seconds, whether it is being connected to or written to. */
void
member_params(struct member_params *out, const struct member_target *t)
{
	const struct member_access *a = t->access;

	out->n = 0;
	snprintf(out->port, sizeof(out->port), "%d", t->port);
	put(out, "host", t->host);
	put(out, "port", out->port);
	put(out, "user", MEMBER_ROLE);
	put(out, "dbname", "postgres");
	put(out, "application_name", t->application);
	put(out, "connect_timeout", "5");
	put(out, "tcp_user_timeout", "5000");
	put(out, "keepalives_idle", "5");
	put(out, "keepalives_interval", "2");
	put(out, "keepalives_count", "3");
	put(out, "gssencmode", "disable");
	if (!a->cert) {
		put(out, "sslmode", "prefer");
		put(out, "passfile", a->passfile);
		return;
	}
	put(out, "sslmode", *a->ca_file ? "verify-ca" : "require");
	put(out, "sslcert", a->cert_file);
	put(out, "sslkey", a->key_file);
	if (*a->ca_file)
		put(out, "sslrootcert", a->ca_file);
}

void
member_conninfo(struct buf *out, const struct member_target *t)
{
	struct member_params p;
	size_t from = out->len;

	member_params(&p, t);
	for (size_t i = 0; i < p.n; i++)
		conf_conninfo_put(out, p.key[i], p.value[i]);
	/* Each begins with a blank. */
	if (from == 0)
		buf_consume(out, 1);
}
