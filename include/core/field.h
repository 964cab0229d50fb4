/*
 * field - the table of every field a manifest may have (include/tbl/manifest_*.h).
 *
 * A field is a number, its row.  Rows stand depth first: the children of a row follow it one level
 * deeper.  A row whose argument is "@NAME" has the children of the root "@NAME", so that what
 * occurs in several places is written once.  The table is constant text and small numbers: no
 * relocations.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/suggest.h"

enum field_type {
#define TYPE(name, expected) FIELD_##name,
#include "tbl/manifest_types.h"
#undef TYPE
	FIELD_TYPES
};

enum field_class {
#define CLASS(name, text, meaning) FIELD_##name,
#include "tbl/manifest_classes.h"
#undef CLASS
	FIELD_CLASSES
};

#define FIELD_NONE (-1)

int field_root(const char *kind); /* "Cluster", "@metadata"; FIELD_NONE: no such kind */
int field_first(int parent);      /* its first child, FIELD_NONE when it has none */
int field_next(int field);        /* the next child of the same parent */
int field_child(int parent, const char *name);
void field_offer(int parent, struct suggest *s); /* every child's name */

const char *field_name(int field);
const char *field_text(int field); /* one sentence, without a full stop */
enum field_type field_type(int field);
enum field_class field_class(int field);
const char *field_expected(enum field_type type); /* "a whole number" */
const char *field_class_text(enum field_class class);
const char *field_class_meaning(enum field_class class);

bool field_implied(int field); /* its type says which fields it has: name, or name and key */
bool field_required(int field);
/* Of a number: its range; INT64_MIN and INT64_MAX when open. */
void field_range(int field, int64_t *min, int64_t *max);
/* Of a text or list of texts: the allowed words "a|b|c", or NULL when any will do. */
const char *field_words(int field);

int field_count(void);
/* A field below one that is not implemented is not implemented either. */
struct field_filter {
	int only; /* an enum field_class, or -1 for all */
	enum field_class inherited;
};
/* The table of one kind for people.  only: an enum field_class, or -1 for all. */
void field_print(struct buf *out, const char *kind, int only);
