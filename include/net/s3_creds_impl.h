/*
 * s3_creds_impl - what the sources of credentials share; for net/s3_creds*.c.
 */
#pragma once

#include <stdint.h>

#include "net/s3_creds.h"

#define S3_CREDS_MAX 16384 /* bytes of one file or value */

struct s3_keys {
	char *part[3];      /* access, secret, token; owned, wiped when freed; NULL: none */
	int64_t expires_us; /* wall time; 0: never */
};

enum s3_keys_part { S3_ACCESS, S3_SECRET, S3_TOKEN, S3_PARTS };

void s3_keys_wipe(struct s3_keys *k);
/* Without white space at both ends; -1 when there is no memory. */
int s3_keys_set(struct s3_keys *k, enum s3_keys_part part, const char *text, size_t n);
/* A file with a secret, without its end of line; the caller wipes it. */
int s3_creds_file(struct buf *out, const char *path, const char *what, struct err *e) MUSTCHECK;
void s3_creds_wipe(struct buf *b); /* and frees it */
static inline void
s3_creds_wipe_auto(struct buf *b)
{
	s3_creds_wipe(b);
}

/* Each asks for new keys; the environment says where. */
int s3_creds_web_identity(
	const struct s3_creds_config *config, struct s3_keys *out, struct err *e) MUSTCHECK;
int s3_creds_container(
	const struct s3_creds_config *config, struct s3_keys *out, struct err *e) MUSTCHECK;
int s3_creds_machine(
	const struct s3_creds_config *config, struct s3_keys *out, struct err *e) MUSTCHECK;
/* The answers of STS, and of both others. */
int s3_creds_of_xml(const struct buf *xml, struct s3_keys *out, struct err *e) MUSTCHECK;
int s3_creds_of_json(const struct buf *json, struct s3_keys *out, struct err *e) MUSTCHECK;
