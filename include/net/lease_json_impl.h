/*
 * lease_json_impl - what reading and writing a Lease share: where its fields are.
 */
#pragma once

#include "net/lease_json.h"

enum lease_kind { LEASE_U64, LEASE_U32, LEASE_LSN, LEASE_BOOL, LEASE_JSON };

struct lease_field {
	const char *name; /* with podgres.dev/ */
	enum lease_kind kind;
	size_t offset;
};

#define LEASE_FIELDS_MAX 16
extern const struct lease_field lease_fields[];
extern const size_t lease_fields_n;
