/*
 * httpd_tls - certificate, key and client CA of a server, read again when the files change.
 *
 * Process: api.  "Another file" is another inode, size or time behind the path, which sees the
 * symlink swap of a Kubernetes volume as well as a rewrite in place.
 */
#include "net/httpd_tls.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/buf.h"
#include "base/clock.h"
#include "sys/dynlib.h"

#define TLS_FILE_MAX ((size_t)1 << 20)
#define TLS_RETRY_MS 10000

enum tls_file { TLS_CERT, TLS_KEY, TLS_CA, TLS_FILES };

static const char *const file_names[TLS_FILES] = {
	[TLS_CERT] = "certificate",
	[TLS_KEY] = "key",
	[TLS_CA] = "client CA",
};

struct gnutls_api {
#define DYN(name) __typeof__(&name) name;
#include "tbl/dyn_gnutls.h"
#undef DYN
};

static const struct dynlib_symbol gnutls_symbols[] = {
#define DYN(name) {#name, offsetof(struct gnutls_api, name)},
#include "tbl/dyn_gnutls.h"
#undef DYN
};
static const struct dynlib library = {
	"libgnutls.so.30", "libgnutls30", gnutls_symbols, ARRAY_LEN(gnutls_symbols)};

struct tls_stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime, ctime;
};

struct httpd_tls {
	struct gnutls_api lib;
	char *path[TLS_FILES]; /* NULL: none */
	char *text[TLS_FILES]; /* the good set in use; NULL: none */
	struct tls_stamp tried[TLS_FILES];
	int64_t failed_ns; /* boot time of the last failure; 0: the last try was good */
	int64_t expires_us;
	bool ready;
};

/* Key material is wiped before its memory is reused. */
static void
tls_wipe(char **texts)
{
	for (int i = 0; i < TLS_FILES; i++) {
		if (texts[i])
			explicit_bzero(texts[i], strlen(texts[i]));
		free(texts[i]);
		texts[i] = NULL;
	}
}

static int
tls_set_path(struct httpd_tls *t, enum tls_file which, const char *path, struct err *e)
{
	if (!path || !*path)
		return 0;
	t->path[which] = strdup(path);
	return t->path[which] ? 0 : err_sys(e, "remember %s", path);
}

int
httpd_tls_new(
	struct httpd_tls **out, const char *cert, const char *key, const char *ca, struct err *e)
{
	AUTO(httpd_tls_free) struct httpd_tls *t = calloc(1, sizeof(*t));

	if (!t)
		return err_sys(e, "make a TLS configuration");
	if (!cert || !*cert || !key || !*key)
		return err_set(e, ERR_CONFIG, "TLS needs a certificate and a key");
	if (tls_set_path(t, TLS_CERT, cert, e) < 0 || tls_set_path(t, TLS_KEY, key, e) < 0 ||
		tls_set_path(t, TLS_CA, ca, e) < 0)
		return -1;
	if (dynlib_load(&library, &t->lib, e) < 0)
		return -1;
	*out = take(t);
	return 0;
}

struct httpd_tls *
httpd_tls_free(struct httpd_tls *t)
{
	if (!t)
		return NULL;
	tls_wipe(t->text);
	for (int i = 0; i < TLS_FILES; i++)
		free(t->path[i]);
	free(t);
	return NULL;
}

/* ---- the files ---- */

static void
tls_stamp_of(const char *path, struct tls_stamp *out)
{
	struct stat st;

	memset(out, 0, sizeof(*out));
	if (!path || stat(path, &st) < 0)
		return;
	out->dev = st.st_dev;
	out->ino = st.st_ino;
	out->size = st.st_size;
	out->mtime = st.st_mtim;
	out->ctime = st.st_ctim;
}

static int
tls_read_file(const char *path, char **out, struct err *e)
{
	AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	AUTO(free) char *text = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "open %s", path);
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || (size_t)st.st_size > TLS_FILE_MAX)
		return err_set(e, ERR_CONFIG, "%s is empty, too large or no file", path);
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return err_sys(e, "read %s", path);
	n = pread(fd, text, (size_t)st.st_size, 0);
	if (n != st.st_size)
		return n < 0 ? err_sys(e, "read %s", path)
			     : err_set(e, ERR_CONFIG, "%s is being written", path);
	text[n] = '\0';
	*out = take(text);
	return 0;
}

static gnutls_datum_t
tls_datum(char *text)
{
	return (gnutls_datum_t){(unsigned char *)text, text ? (unsigned)strlen(text) : 0};
}

/* Also the first look at the certificate: GnuTLS 3.7 loses memory if it meets a broken one while it
 * fills in credentials. */
static int
tls_expiry(struct httpd_tls *t, char *cert, int64_t *out_us, struct err *e)
{
	gnutls_datum_t pem = tls_datum(cert);
	gnutls_x509_crt_t crt;
	int rc = t->lib.gnutls_x509_crt_init(&crt);
	time_t at;

	if (rc < 0)
		return err_set(e, ERR_SYS, "read a certificate: %s", t->lib.gnutls_strerror(rc));
	rc = t->lib.gnutls_x509_crt_import(crt, &pem, GNUTLS_X509_FMT_PEM);
	at = rc < 0 ? (time_t)-1 : t->lib.gnutls_x509_crt_get_expiration_time(crt);
	t->lib.gnutls_x509_crt_deinit(crt);
	*out_us = at == (time_t)-1 ? 0 : (int64_t)at * SEC_US;
	if (rc < 0)
		return err_set(e, ERR_CONFIG, "certificate %s: %s", t->path[TLS_CERT],
			t->lib.gnutls_strerror(rc));
	return 0;
}

/* Certificate, key and CA parse, and the key is the certificate's. */
static int
tls_try(struct httpd_tls *t, char **text, struct err *e)
{
	gnutls_certificate_credentials_t cred;
	gnutls_datum_t cert = tls_datum(text[TLS_CERT]), key = tls_datum(text[TLS_KEY]);
	int rc = t->lib.gnutls_certificate_allocate_credentials(&cred);

	if (rc < 0)
		return err_set(e, ERR_SYS, "try the certificate: %s", t->lib.gnutls_strerror(rc));
	rc = t->lib.gnutls_certificate_set_x509_key_mem2(
		cred, &cert, &key, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (rc < 0) {
		err_set(e, ERR_CONFIG, "certificate %s with key %s: %s", t->path[TLS_CERT],
			t->path[TLS_KEY], t->lib.gnutls_strerror(rc));
	} else if (text[TLS_CA]) {
		gnutls_datum_t ca = tls_datum(text[TLS_CA]);

		rc = t->lib.gnutls_certificate_set_x509_trust_mem(cred, &ca, GNUTLS_X509_FMT_PEM);
		if (rc == 0)
			rc = GNUTLS_E_NO_CERTIFICATE_FOUND;
		if (rc < 0)
			err_set(e, ERR_CONFIG, "client CA %s: %s", t->path[TLS_CA],
				t->lib.gnutls_strerror(rc));
	}
	t->lib.gnutls_certificate_free_credentials(cred);
	return rc < 0 ? -1 : 0;
}

static int
tls_load(struct httpd_tls *t, struct err *e)
{
	char *text[TLS_FILES] = {NULL};
	int64_t expires_us = 0;
	int rc = 0;

	for (int i = 0; rc == 0 && i < TLS_FILES; i++) {
		if (!t->path[i])
			continue;
		rc = tls_read_file(t->path[i], &text[i], e);
		if (rc < 0)
			err_add(e, "read the TLS %s", file_names[i]);
	}
	if (rc == 0)
		rc = tls_expiry(t, text[TLS_CERT], &expires_us, e);
	if (rc == 0)
		rc = tls_try(t, text, e);
	if (rc < 0) {
		tls_wipe(text);
		return -1;
	}
	tls_wipe(t->text);
	memcpy(t->text, text, sizeof(text));
	t->expires_us = expires_us;
	t->ready = true;
	return 0;
}

int
httpd_tls_refresh(struct httpd_tls *t, struct err *e)
{
	struct tls_stamp now[TLS_FILES];
	int64_t now_ns = clock_boot_ns();

	for (int i = 0; i < TLS_FILES; i++)
		tls_stamp_of(t->path[i], &now[i]);
	if (memcmp(now, t->tried, sizeof(now)) == 0) {
		if (t->ready && t->failed_ns == 0)
			return 0;
		if (t->failed_ns != 0 && now_ns - t->failed_ns < TLS_RETRY_MS * MS_NS)
			return 0;
	}
	memcpy(t->tried, now, sizeof(now));
	if (tls_load(t, e) < 0) {
		t->failed_ns = now_ns;
		return -1;
	}
	t->failed_ns = 0;
	return 1;
}

/* ---- what was read ---- */

bool
httpd_tls_ready(const struct httpd_tls *t)
{
	return t->ready;
}

int64_t
httpd_tls_expires_us(const struct httpd_tls *t)
{
	return t->expires_us;
}

const char *
httpd_tls_cert(const struct httpd_tls *t)
{
	return t->text[TLS_CERT];
}

const char *
httpd_tls_key(const struct httpd_tls *t)
{
	return t->text[TLS_KEY];
}

const char *
httpd_tls_ca(const struct httpd_tls *t)
{
	return t->text[TLS_CA];
}

/* ---- the client ---- */

static bool
tls_common_name(const struct gnutls_api *lib, const gnutls_datum_t *der, char *cn, size_t size)
{
	gnutls_x509_crt_t crt;
	int rc;

	if (lib->gnutls_x509_crt_init(&crt) < 0)
		return false;
	rc = lib->gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER);
	if (rc >= 0)
		rc = lib->gnutls_x509_crt_get_dn_by_oid(
			crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, cn, &size);
	lib->gnutls_x509_crt_deinit(crt);
	return rc >= 0;
}

bool
httpd_tls_peer(const struct httpd_tls *t, void *session, char *cn, size_t size)
{
	gnutls_typed_vdata_st want = {.type = GNUTLS_DT_KEY_PURPOSE_OID};
	char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
	const gnutls_datum_t *peer;
	unsigned n = 0, status = ~0U;

	if (!t->text[TLS_CA] || !session)
		return false;
	want.data = (unsigned char *)purpose;
	peer = t->lib.gnutls_certificate_get_peers(session, &n);
	if (!peer || n == 0)
		return false;
	if (t->lib.gnutls_certificate_verify_peers(session, &want, 1, &status) < 0 || status != 0)
		return false;
	if (!tls_common_name(&t->lib, &peer[0], cn, size))
		snprintf(cn, size, "%s", "?");
	return true;
}
