/*
 * field - the table of every field a manifest may have.
 *
 * The tables are included three times: as the layout of one constant pool of text, as its content,
 * and as rows of offsets into it.  Pointers would cost a relocation and a private page each.
 */
#include "core/field.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)
#define HERE(letter) CAT(letter, __LINE__)

/* Each table is a struct of its own within the pool, so that line numbers may repeat. */
#define FIELD(depth, name, type, class, arg, text) \
	char HERE(n)[sizeof(name)];                \
	char HERE(a)[sizeof(arg)];                 \
	char HERE(t)[sizeof(text)];
struct pool {
	struct {
#include "tbl/manifest_cluster.h"
	} cluster;
	struct {
#include "tbl/manifest_backup.h"
	} backup;
	struct {
#include "tbl/manifest_pooler.h"
	} pooler;
	struct {
#include "tbl/manifest_shared.h"
	} shared;
};
#undef FIELD

#define FIELD(depth, name, type, class, arg, text) .HERE(n) = name, .HERE(a) = arg, .HERE(t) = text,
static const struct pool pool = {
	.cluster =
		{
#include "tbl/manifest_cluster.h"
		},
	.backup =
		{
#include "tbl/manifest_backup.h"
		},
	.pooler =
		{
#include "tbl/manifest_pooler.h"
		},
	.shared =
		{
#include "tbl/manifest_shared.h"
		},
};
#undef FIELD
_Static_assert(sizeof(struct pool) < UINT16_MAX, "rows hold 16 bit offsets");

struct row {
	uint16_t name, arg, text;
	uint8_t depth;
	uint8_t type : 5, class : 3;
};

#define AT(letter) offsetof(struct pool, GROUP.HERE(letter))
#define FIELD(depth, name, type, class, arg, text) \
	{AT(n), AT(a), AT(t), depth, FIELD_##type, FIELD_##class},
static const struct row rows[] = {
#define GROUP cluster
#include "tbl/manifest_cluster.h"
#undef GROUP
#define GROUP backup
#include "tbl/manifest_backup.h"
#undef GROUP
#define GROUP pooler
#include "tbl/manifest_pooler.h"
#undef GROUP
#define GROUP shared
#include "tbl/manifest_shared.h"
#undef GROUP
};
#undef FIELD

static const char *
text_at(uint16_t offset)
{
	return (const char *)&pool + offset;
}

/* [*][@ROOT | MIN..MAX | WORD|WORD...]; the star means required. */
static const char *
arg_of(int field)
{
	const char *arg = text_at(rows[field].arg);

	return arg + (*arg == '*');
}

int
field_count(void)
{
	return (int)ARRAY_LEN(rows);
}

int
field_root(const char *kind)
{
	for (int i = 0; i < field_count(); i++)
		if (rows[i].depth == 0 && strcmp(field_name(i), kind) == 0)
			return i;
	return FIELD_NONE;
}

bool
field_implied(int field)
{
	enum field_type type = field_type(field);

	return type == FIELD_REF || type == FIELD_REFS || type == FIELD_LOCAL ||
	       type == FIELD_LOCALS;
}

/* The row whose children these are. */
static int
owner_of_children(int field)
{
	enum field_type type = field_type(field);
	int root;

	if (field_implied(field))
		root = field_root(type == FIELD_REF || type == FIELD_REFS ? "@key" : "@name");
	else if (*arg_of(field) == '@')
		root = field_root(arg_of(field));
	else
		return field;
	must(root != FIELD_NONE);
	return root;
}

int
field_first(int parent)
{
	int owner = owner_of_children(parent), child = owner + 1;

	if (child < field_count() && rows[child].depth == rows[owner].depth + 1)
		return child;
	return FIELD_NONE;
}

int
field_next(int field)
{
	must(rows[field].depth > 0);
	for (int i = field + 1; i < field_count() && rows[i].depth >= rows[field].depth; i++)
		if (rows[i].depth == rows[field].depth)
			return i;
	return FIELD_NONE;
}

int
field_child(int parent, const char *name)
{
	int f;

	for (f = field_first(parent); f != FIELD_NONE; f = field_next(f))
		if (strcmp(field_name(f), name) == 0)
			return f;
	return FIELD_NONE;
}

void
field_offer(int parent, struct suggest *s)
{
	int f;

	for (f = field_first(parent); f != FIELD_NONE; f = field_next(f))
		suggest_offer(s, field_name(f));
}

const char *
field_name(int field)
{
	return text_at(rows[field].name);
}

const char *
field_text(int field)
{
	return text_at(rows[field].text);
}

enum field_type
field_type(int field)
{
	return (enum field_type)rows[field].type;
}

enum field_class
field_class(int field)
{
	return (enum field_class)rows[field].class;
}

const char *
field_expected(enum field_type type)
{
	switch (type) {
#define TYPE(name, text)   \
	case FIELD_##name: \
		return text;
#include "tbl/manifest_types.h"
#undef TYPE
	default:
		return "";
	}
}

const char *field_class_text(enum field_class class)
{
	switch (class) {
#define CLASS(name, text, meaning) \
	case FIELD_##name:         \
		return text;
#include "tbl/manifest_classes.h"
#undef CLASS
	default:
		return "";
	}
}

const char *field_class_meaning(enum field_class class)
{
	switch (class) {
#define CLASS(name, text, meaning) \
	case FIELD_##name:         \
		return meaning;
#include "tbl/manifest_classes.h"
#undef CLASS
	default:
		return "";
	}
}

bool
field_required(int field)
{
	return *text_at(rows[field].arg) == '*';
}

void
field_range(int field, int64_t *min, int64_t *max)
{
	const char *arg = arg_of(field), *dots = strstr(arg, "..");

	*min = INT64_MIN;
	*max = INT64_MAX;
	if (!dots)
		return;
	if (dots != arg)
		*min = strtoll(arg, NULL, 10);
	if (dots[2])
		*max = strtoll(dots + 2, NULL, 10);
}

const char *
field_words(int field)
{
	const char *arg = arg_of(field);

	return strchr(arg, '|') ? arg : NULL;
}

/* ---- for people ---- */

static bool
is_list(enum field_type type)
{
	return type == FIELD_OBJS || type == FIELD_REFS || type == FIELD_LOCALS;
}

/* One field: its path, class and type, then what it does. */
static void
print_one(struct buf *out, int field, const char *path, enum field_class class)
{
	const char *words = field_words(field);

	buf_printf(out, "%s%s  (%s; %s%s)\n    %s.\n", path, is_list(field_type(field)) ? "[]" : "",
		field_class_text(class), field_required(field) ? "required; " : "",
		words ? words : field_expected(field_type(field)), field_text(field));
}

static void
print_below(struct buf *out, int parent, const char *path, const struct field_filter *filter)
{
	struct field_filter below = *filter;
	char mine[256];
	int f;

	for (f = field_first(parent); f != FIELD_NONE; f = field_next(f)) {
		snprintf(mine, sizeof(mine), "%s%s%s", path, *path ? "." : "", field_name(f));
		below.inherited =
			filter->inherited == FIELD_IMPL ? field_class(f) : filter->inherited;
		if (filter->only < 0 || filter->only == (int)below.inherited)
			print_one(out, f, mine, below.inherited);
		if (is_list(field_type(f)))
			snprintf(mine + strlen(mine), sizeof(mine) - strlen(mine), "[]");
		if (!field_implied(f))
			print_below(out, f, mine, &below);
	}
}

void
field_print(struct buf *out, const char *kind, int only)
{
	struct field_filter filter = {.only = only, .inherited = FIELD_IMPL};
	int root = field_root(kind);

	if (root == FIELD_NONE)
		return;
	buf_printf(out, "kind: %s\n    %s.\n", kind, field_text(root));
	print_below(out, root, "", &filter);
}
