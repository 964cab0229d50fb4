/*
 * sigv4 - AWS Signature Version 4, put into headers ("Authenticating Requests: Using the
 * Authorization Header", Amazon S3 API Reference).
 *
 * The digest of the payload is always signed.  The path is encoded once and not normalised, as S3
 * has it.  libcurl's own CURLOPT_AWS_SIGV4 is not used: that of 7.88 neither sends the digest nor
 * sorts the query.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define SIGV4_MAX_PAIRS 16
#define SIGV4_EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct sigv4_pair {
	const char *key, *value;
};

struct sigv4_key {
	const char *access, *secret;
	const char *token; /* of the session; "": none */
};

/* All borrowed for the call. */
struct sigv4_request {
	const char *method;
	const char *host; /* as the Host header has it: with the port unless it is the scheme's */
	const char *path; /* raw, from the slash on */
	const struct sigv4_pair *query;
	size_t queries;                  /* at most SIGV4_MAX_PAIRS */
	const struct sigv4_pair *header; /* further ones, names in lower case */
	size_t headers;                  /* at most SIGV4_MAX_PAIRS - 4 */
	const char *payload_sha256;
	const char *region, *service;
	const struct sigv4_key *key;
	int64_t now_us; /* wall time */
};

/* Appends all headers of the request, each "name: value" with a NUL behind, the signature last. */
int sigv4_sign(struct buf *lines, const struct sigv4_request *r, struct err *e) MUSTCHECK;

/* Percent-encodes all but A-Z a-z 0-9 - . _ ~ (RFC 3986, 2.3), and the slash if told so. */
void sigv4_encode(struct buf *out, const char *s, bool keep_slash);
/* "a=1&b=": encoded and in the order that is signed. */
void sigv4_query(struct buf *out, const struct sigv4_pair *query, size_t n);
