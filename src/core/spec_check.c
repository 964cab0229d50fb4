/*
 * spec_check - every field of a document against the table of fields.
 *
 * Finds unknown fields, wrong types, units and words, missing and doubled fields, and says what
 * podgres does not act on.  Of a subtree that it does not act on only the top is named, but what is
 * wrong inside is still found: Kubernetes would refuse it as well.
 */
#include "core/spec_reader.h"

#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/quantity.h"

static void check_fields(struct spec_reader *r, const struct yaml *map, int parent, bool silent);
static void check_value(struct spec_reader *r, const struct yaml *n, int field, bool silent);

/* ---- scalars ---- */

static void
wrong_type(struct spec_reader *r, const struct yaml *n, const char *expected)
{
	if (n->kind == YAML_TEXT)
		spec_error(r, n, "%s%.60s%s is %s, expected %s", n->plain ? "" : "\"", n->text,
			n->plain ? "" : "\"", yaml_what(n), expected);
	else
		spec_error(r, n, "this is %s, expected %s", yaml_what(n), expected);
}

static bool
is_one_of(const char *text, const char *words)
{
	size_t len = strlen(text), n;

	for (; *words; words += n + (words[n] == '|')) {
		n = strcspn(words, "|");
		if (n == len && strncmp(text, words, n) == 0)
			return true;
	}
	return false;
}

static void
check_words(struct spec_reader *r, const struct yaml *n, const char *words)
{
	if (words && *n->text && !is_one_of(n->text, words))
		spec_error(r, n, "\"%.60s\" is not known, expected %s", n->text, words);
}

static void
check_text(struct spec_reader *r, const struct yaml *n, int field)
{
	if (n->kind != YAML_TEXT)
		wrong_type(r, n, "text");
	else if (yaml_type(n) != YAML_IS_STRING)
		spec_error(r, n, "%.60s is %s, expected text: write \"%.60s\" in quotes", n->text,
			yaml_what(n), n->text);
	else if (field_required(field) && !*n->text)
		spec_error(r, n, "empty, expected text");
	else
		check_words(r, n, field_words(field));
}

static void
check_int(struct spec_reader *r, const struct yaml *n, int field)
{
	const char *expected = field_expected(field_type(field));
	int64_t v, min, max;

	field_range(field, &min, &max);
	if (yaml_int(n, &v)) {
		wrong_type(r, n, expected);
		return;
	}
	if (min == INT64_MIN)
		min = INT32_MIN;
	if (max == INT64_MAX)
		max = INT32_MAX;
	if (v < min)
		spec_error(r, n, "%.60s is too small, expected %s from %lld", n->text, expected,
			(long long)min);
	else if (v > max)
		spec_error(r, n, "%.60s is too large, expected %s up to %lld", n->text, expected,
			(long long)max);
}

static void
check_amount(struct spec_reader *r, const struct yaml *n, int field)
{
	struct err e = {0};
	struct quantity q;
	int64_t ms;
	int rc;

	if (n->kind != YAML_TEXT) {
		wrong_type(r, n, field_expected(field_type(field)));
		return;
	}
	if (field_type(field) == FIELD_QTY)
		rc = quantity_parse(n->text, &q, &e);
	else
		rc = duration_parse(n->text, &ms, &e);
	if (rc)
		spec_error(r, n, "%s", e.msg);
}

/* RFC 3339, as Kubernetes has it: the shape, not the calendar. */
static bool
is_time(const char *s)
{
	static const char shape[] = "0000-00-00T00:00:00";
	size_t i;

	for (i = 0; shape[i]; i++)
		if (shape[i] == '0' ? s[i] < '0' || s[i] > '9' : s[i] != shape[i])
			return false;
	s += i;
	if (*s == '.')
		s += 1 + strspn(s + 1, "0123456789");
	return strcmp(s, "Z") == 0 || ((*s == '+' || *s == '-') && strlen(s) == 6 && s[3] == ':');
}

static void
check_scalar(struct spec_reader *r, const struct yaml *n, int field)
{
	enum field_type type = field_type(field);
	bool b;

	switch (type) {
	case FIELD_STR:
		check_text(r, n, field);
		break;
	case FIELD_INT:
	case FIELD_SECS:
		check_int(r, n, field);
		break;
	case FIELD_QTY:
	case FIELD_DUR:
		check_amount(r, n, field);
		break;
	case FIELD_BOOL:
		if (yaml_bool(n, &b))
			wrong_type(r, n, field_expected(type));
		break;
	case FIELD_TIME:
		if (n->kind != YAML_TEXT || !is_time(n->text))
			wrong_type(r, n, field_expected(type));
		break;
	default: /* FIELD_INTSTR */
		if (n->kind != YAML_TEXT)
			wrong_type(r, n, field_expected(type));
	}
}

/* ---- lists and maps ---- */

static void
check_text_map(struct spec_reader *r, const struct yaml *map)
{
	const struct yaml *n;
	size_t was;

	for (n = map->first; n; n = n->next) {
		was = spec_push(r, n->key->text);
		if (n->kind != YAML_TEXT)
			wrong_type(r, n, "text");
		else if (yaml_is_null(n))
			spec_error(r, n->key, "no value, expected text");
		else if (yaml_type(n) != YAML_IS_STRING)
			spec_warn(r, n,
				"%.60s is %s; Kubernetes takes only text here: write \"%.60s\"",
				n->text, yaml_what(n), n->text);
		spec_pop(r, was);
	}
}

static void
check_list(struct spec_reader *r, const struct yaml *list, int field, bool silent)
{
	const struct yaml *n;
	size_t was, i = 0;

	for (n = list->first; n; n = n->next, i++) {
		was = spec_push_index(r, i);
		if (field_type(field) == FIELD_STRS)
			check_text(r, n, field);
		else if (n->kind != YAML_MAP)
			wrong_type(r, n, "a map of fields");
		else
			check_fields(r, n, field, silent);
		spec_pop(r, was);
	}
}

static bool
takes_list(enum field_type type)
{
	return type == FIELD_STRS || type == FIELD_OBJS || type == FIELD_REFS ||
	       type == FIELD_LOCALS;
}

static bool
takes_map(enum field_type type)
{
	return type == FIELD_MAP || type == FIELD_OBJ || type == FIELD_REF || type == FIELD_LOCAL;
}

static void
check_value(struct spec_reader *r, const struct yaml *n, int field, bool silent)
{
	enum field_type type = field_type(field);

	if (type == FIELD_ANY)
		return;
	if ((takes_list(type) && n->kind != YAML_LIST) || (takes_map(type) && n->kind != YAML_MAP))
		wrong_type(r, n, field_expected(type));
	else if (takes_list(type))
		check_list(r, n, field, silent);
	else if (type == FIELD_MAP)
		check_text_map(r, n);
	else if (takes_map(type))
		check_fields(r, n, field, silent);
	else
		check_scalar(r, n, field);
}

static void
say_class(struct spec_reader *r, const struct yaml *key, int field)
{
	switch (field_class(field)) {
	case FIELD_KUBE:
		spec_info(r, key, "for Kubernetes objects only: %s", field_text(field));
		break;
	case FIELD_LATER:
		spec_warn(r, key, "known, but not in this version: %s", field_text(field));
		break;
	case FIELD_NA:
		spec_warn(r, key, "has no effect: %s", field_text(field));
		break;
	default:
		break;
	}
}

static void
say_unknown(struct spec_reader *r, const struct yaml *key, int parent)
{
	struct suggest s;

	suggest_init(&s, key->text);
	if (r->notes->n < SPEC_MAX_NOTES) /* nobody would read it, and it costs */
		field_offer(parent, &s);
	if (s.best)
		spec_warn(r, key, "unknown field, did you mean %s?", s.best);
	else
		spec_warn(r, key, "unknown field");
}

static void
check_field(struct spec_reader *r, const struct yaml *n, int parent, bool silent)
{
	int field = field_child(parent, n->key->text);

	if (field == FIELD_NONE) {
		say_unknown(r, n->key, parent);
		return;
	}
	if (yaml_is_null(n)) {
		if (field_required(field))
			spec_error(r, n->key, "no value, expected %s",
				field_expected(field_type(field)));
		return;
	}
	if (!silent)
		say_class(r, n->key, field);
	check_value(r, n, field, silent || field_class(field) != FIELD_IMPL);
}

static void
check_fields(struct spec_reader *r, const struct yaml *map, int parent, bool silent)
{
	const struct yaml *n;
	size_t was;
	int f;

	for (n = map->first; n; n = n->next) {
		was = spec_push(r, n->key->text);
		check_field(r, n, parent, silent);
		spec_pop(r, was);
	}
	for (f = field_first(parent); f != FIELD_NONE; f = field_next(f)) {
		if (!field_required(f) || yaml_get(map, field_name(f)))
			continue;
		was = spec_push(r, field_name(f));
		spec_error(r, map->key ? map->key : map, "missing, expected %s",
			field_expected(field_type(f)));
		spec_pop(r, was);
	}
}

/* Two values for one key: nobody can know which was meant. */
static void
check_twins(struct spec_reader *r, const struct yaml *n)
{
	const struct yaml *c, *twin;
	size_t was, i = 0;

	for (c = n->first; c; c = c->next, i++) {
		was = c->key ? spec_push(r, c->key->text) : spec_push_index(r, i);
		twin = c->key ? yaml_twin(c) : NULL;
		if (twin)
			spec_error(r, twin->key, "given twice, first in line %d", c->key->line);
		check_twins(r, c);
		spec_pop(r, was);
	}
}

void
spec_check_doc(struct spec_reader *r, const struct yaml *doc, int root)
{
	check_twins(r, doc);
	check_fields(r, doc, root, field_class(root) != FIELD_IMPL);
}
