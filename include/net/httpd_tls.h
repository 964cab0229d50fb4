/*
 * httpd_tls - certificate, key and client CA of a server, read again when the files change.
 *
 * New files are tried before they replace the old ones, so that a broken or half-written set
 * changes nothing but the error.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct httpd_tls;

/* Loads the library, not the files; paths are copied.  ca "" or NULL: clients show none. */
int httpd_tls_new(struct httpd_tls **out, const char *cert, const char *key, const char *ca,
	struct err *e) MUSTCHECK;
struct httpd_tls *httpd_tls_free(struct httpd_tls *t);
DEFINE_AUTO(struct httpd_tls *, httpd_tls_free)
/* Looks whether the files are other ones and reads them then.  Returns 1 when there are new ones to
 * use, 0 when nothing changed, -1 when they are of no use (said once per change of the files, and
 * every 10 s while it lasts). */
int httpd_tls_refresh(struct httpd_tls *t, struct err *e) MUSTCHECK;
bool httpd_tls_ready(const struct httpd_tls *t);         /* a good set was read at least once */
int64_t httpd_tls_expires_us(const struct httpd_tls *t); /* wall time; 0: unknown */

/* For httpd: PEM text, NUL-terminated; ca NULL for none. */
const char *httpd_tls_cert(const struct httpd_tls *t);
const char *httpd_tls_key(const struct httpd_tls *t);
const char *httpd_tls_ca(const struct httpd_tls *t);
/* session: gnutls_session_t.  See httpd_peer_cert(). */
bool httpd_tls_peer(const struct httpd_tls *t, void *session, char *cn, size_t size);
