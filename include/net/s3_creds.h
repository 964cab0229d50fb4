/*
 * s3_creds - where access key, secret key and session token come from, kept fresh.
 *
 * Process: workers of the archiver, jobs, commands.  In this order: files; with none given, the
 * environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN), a web identity
 * (AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME: STS
 * AssumeRoleWithWebIdentity at AWS_ENDPOINT_URL_STS or the region's), the container's agent
 * (AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI); and, when inherited from the machine's
 * role, its metadata service (IMDSv2).
 *
 * Files are read again when another one stands behind the path (symlink swaps of a Kubernetes
 * volume, rewrites in place); what expires is asked for again five minutes before.  Secrets are in
 * no message, and wiped when they are replaced or freed.
 */
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "net/http.h"
#include "net/sigv4.h"

struct s3_creds;

struct s3_creds_config { /* all borrowed until s3_creds_free() */
	const char *access_key_file, *secret_key_file, *session_token_file; /* ""; not NULL */
	bool inherit; /* no files; the metadata service too */
	const char *region;
	struct http *http;
};

/* Reads files and environment; asks no other machine yet.  ERR_CONFIG: there are none, or a file
 * cannot be read. */
int s3_creds_open(
	struct s3_creds **out, const struct s3_creds_config *config, struct err *e) MUSTCHECK;
struct s3_creds *s3_creds_free(struct s3_creds *c);
DEFINE_AUTO(struct s3_creds *, s3_creds_free)
/* Valid until the next call.  A source that fails while the old ones still hold is no error. */
int s3_creds_get(struct s3_creds *c, struct sigv4_key *out, struct err *e) MUSTCHECK;
/* They were refused: reads them anew; *changed when they are other ones. */
int s3_creds_again(struct s3_creds *c, bool *changed, struct err *e) MUSTCHECK;
const char *s3_creds_source(
	const struct s3_creds *c); /* "files", "environment" ..., for messages */
