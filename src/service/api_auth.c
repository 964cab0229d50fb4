/*
 * api_auth - who may give orders.
 *
 * Process: api.  Whoever is root or our own user at the other end of the unix socket, whoever shows
 * a certificate of the configured CA, and whoever knows the token of the mounted file.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/log.h"
#include "service/api.h"

/* ---- the token file ---- */

static int
token_read(struct api *a, const char *path, struct err *e)
{
	AUTO(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	char text[sizeof(a->token) + 64];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	explicit_bzero(a->token, sizeof(a->token));
	if (n < 0)
		return err_sys(e, "read the token file %s", path);
	text[n] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	if (strlen(text) >= sizeof(a->token))
		err_set(e, ERR_CONFIG, "the token in %s is longer than %zu bytes", path,
			sizeof(a->token) - 1);
	else if (!*text)
		err_set(e, ERR_CONFIG, "the token file %s is empty", path);
	else
		memcpy(a->token, text, strlen(text) + 1);
	explicit_bzero(text, sizeof(text));
	return *a->token ? 0 : -1;
}

void
api_token_refresh(struct api *a)
{
	const char *path = a->opt->token_file;
	struct stat st = {0};
	struct err e;

	if (!*path)
		return;
	if (stat(path, &st) < 0)
		memset(&st, 0, sizeof(st));
	const int64_t stamp[4] = {(int64_t)st.st_ino, st.st_size, st.st_mtim.tv_sec,
		st.st_mtim.tv_nsec + 1}; /* + 1: never all zero */

	if (memcmp(stamp, a->token_stamp, sizeof(stamp)) == 0)
		return;
	memcpy(a->token_stamp, stamp, sizeof(stamp));
	if (token_read(a, path, &e) < 0)
		log_warning("no orders by token", F_STR("error", e.msg));
}

/* In time that does not depend on where they differ. */
static bool
token_equal(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);
	unsigned char diff = na != nb;

	for (size_t i = 0; i < nb; i++)
		diff |= (unsigned char)((i < na ? a[i] : 0) ^ b[i]);
	return diff == 0;
}

/* ---- who asks ---- */

static bool
may_by_socket(struct api_call *c, char *why, size_t size)
{
	uid_t uid;

	if (!httpd_peer_uid(c->req, &uid))
		return false;
	if (uid == 0 || uid == geteuid() || uid == c->a->opt->uid) {
		snprintf(c->by, sizeof(c->by), "unix:uid=%u", (unsigned)uid);
		return true;
	}
	snprintf(why, size, "user %u may not give orders: only root and user %u", (unsigned)uid,
		(unsigned)c->a->opt->uid);
	return false;
}

static bool
may_by_token(struct api_call *c, char *why, size_t size)
{
	const char *header = httpd_header(c->req, "Authorization");

	if (!header || strncasecmp(header, "Bearer ", 7) != 0)
		return false;
	if (!*c->a->token)
		snprintf(why, size, "no token file is configured");
	else if (!token_equal(header + 7, c->a->token))
		snprintf(why, size, "the token is wrong");
	else
		snprintf(c->by, sizeof(c->by), "token");
	return *c->by != '\0';
}

static bool
may_by_certificate(struct api_call *c)
{
	char cn[56];

	if (!httpd_peer_cert(c->req, cn, sizeof(cn)))
		return false;
	snprintf(c->by, sizeof(c->by), "cert:%s", cn);
	return true;
}

bool
api_may_order(struct api_call *c, char *why, size_t size)
{
	const struct run_options *opt = c->a->opt;
	bool ca = c->a->tls && *opt->tls_client_ca;

	*why = '\0';
	if (may_by_socket(c, why, size) || may_by_token(c, why, size) || may_by_certificate(c))
		return true;
	if (*why)
		return false;
	if (!ca && !*opt->token_file)
		snprintf(why, size,
			"orders come over the unix socket: for TCP neither a client CA nor a token "
			"file is configured");
	else
		snprintf(why, size, "orders over TCP need %s",
			ca && *opt->token_file ? "a client certificate or the token"
			: ca                   ? "a client certificate"
					       : "the token");
	return false;
}
