/*
 * yaml - YAML 1.1 text as a small tree that remembers where everything stood.
 *
 * For configuration files of strangers: size, depth, number of nodes and anchors are limited, so
 * that no input makes more than about YAML_MAX_NODES nodes.  An alias becomes a copy of what it
 * names (counted), a merge key `<<` adds the fields that are not there.  Duplicate keys are kept:
 * the caller says whether and where they are errors (yaml_twin).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define YAML_MAX_BYTES (4u << 20)
#define YAML_MAX_DEPTH 64
#define YAML_MAX_NODES 100000
#define YAML_MAX_ANCHORS 1000
#define YAML_MAX_KEYS 2000 /* of one map */

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP };

/* What a scalar means.  Anything in quotes is a string. */
enum yaml_type { YAML_IS_NULL, YAML_IS_BOOL, YAML_IS_INT, YAML_IS_FLOAT, YAML_IS_STRING };

struct yaml {
	enum yaml_kind kind;
	bool plain;         /* YAML_TEXT without quotes or tag: may mean a number, a bool, null */
	int line, col;      /* from 1 */
	const char *text;   /* YAML_TEXT: NUL-terminated, no NUL inside; else "" */
	struct yaml *key;   /* of a map's value: its key, a YAML_TEXT; else NULL */
	struct yaml *first; /* of a list or map; NULL when empty */
	struct yaml *next;  /* the next of the same list or map; of a document: the next document */
};

struct yaml_mark {
	int line, col; /* from 1; 0: not known */
};

struct yaml_tree; /* owns all nodes */

/* Reads all documents of the text.  On failure (ERR_CONFIG: not YAML or beyond the limits) *at is
 * where; at may be NULL. */
int yaml_parse(struct yaml_tree **out, const char *text, size_t len, struct yaml_mark *at,
	struct err *e) MUSTCHECK;
struct yaml *yaml_docs(const struct yaml_tree *t); /* the first; empty ones are left out */
struct yaml_tree *yaml_tree_free(struct yaml_tree *t);
DEFINE_AUTO(struct yaml_tree *, yaml_tree_free)

/* All of these take n == NULL, or a node of another kind, for "not there". */
struct yaml *yaml_get(const struct yaml *n, const char *key);   /* NULL: not there */
struct yaml *yaml_path(const struct yaml *n, const char *path); /* "spec.replica.source" */
struct yaml *yaml_twin(const struct yaml *value); /* a later value of the same map and key */
size_t yaml_count(const struct yaml *n);
bool yaml_is_null(const struct yaml *n);               /* not there counts as null */
bool yaml_given(const struct yaml *n);                 /* is there and not null */
const char *yaml_text(const struct yaml *n);           /* "" for null and what is no scalar */
bool yaml_true(const struct yaml *n, const char *key); /* a map's field is there and true */

enum yaml_type yaml_type(const struct yaml *n); /* n is YAML_TEXT */
const char *yaml_what(const struct yaml *n);    /* "a list", "a number", ... for messages */
/* Decimal, 0x, 0o and signs, as Kubernetes reads them.  -1: no such thing or out of range. */
int yaml_int(const struct yaml *n, int64_t *out) MUSTCHECK;
int yaml_bool(const struct yaml *n, bool *out) MUSTCHECK;
