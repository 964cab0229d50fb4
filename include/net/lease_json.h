/*
 * lease_json - a Lease of Kubernetes (coordination.k8s.io/v1) as text, and what podgres reads in
 * it.
 *
 * An update keeps every byte of the object that is not ours: labels, owners, annotations of others,
 * fields that this version does not know.  Ours are five fields of the spec and the annotations of
 * include/tbl/lease_annotations.h; others that begin with podgres.dev/ are a newer version's and
 * are kept too.  Times are wall time for people; nobody decides by them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define LEASE_ANNOTATION "podgres.dev/"
#define LEASE_NAME_SIZE 254
#define LEASE_OWNER_SIZE 320
#define LEASE_VERSION_SIZE 64
#define LEASE_TIME_SIZE 40

#define LEASE_JSON_SIZE 8192 /* of an annotation that is JSON */

struct lease_object {
	char ns[LEASE_NAME_SIZE], name[LEASE_NAME_SIZE];
	char uid[64], version[LEASE_VERSION_SIZE]; /* metadata.uid, .resourceVersion */
	char holder[LEASE_OWNER_SIZE];             /* holderIdentity; "": nobody's */
	int64_t acquire_us, renew_us;              /* 0: not set */
	char renewed[LEASE_TIME_SIZE];             /* renewTime as it stands, to compare */
	int32_t duration_s, transitions;           /* 0: not set */
#define LEASE_FIELD_U64(field) uint64_t field
#define LEASE_FIELD_U32(field) uint32_t field
#define LEASE_FIELD_LSN(field) uint64_t field
#define LEASE_FIELD_BOOL(field) bool field
#define LEASE_FIELD_JSON(field) char field[LEASE_JSON_SIZE]
#define ANNOTATION(field, name, kind) LEASE_FIELD_##kind(field);
#include "tbl/lease_annotations.h"
#undef ANNOTATION
};

/* -1: some field cannot be understood, and the error (ERR_CORRUPT) names the first of them; the
 * others are filled in all the same. */
int lease_json_read(struct lease_object *out, const char *text, size_t n, struct err *e) MUSTCHECK;
/* A new Lease: appended to out, as is the next; after a failure out is of no use. */
int lease_json_new(struct buf *out, const struct lease_object *l, struct err *e) MUSTCHECK;
/* The object of text with what is ours as l has it, for a PUT.  Its resourceVersion stays, so that
 * the write succeeds only if nobody wrote since; ERR_INVALID when it has none. */
int lease_json_update(struct buf *out, const struct lease_object *l, const char *text, size_t n,
	struct err *e) MUSTCHECK;
