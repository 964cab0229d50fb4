/*
 * guc - what podgres knows of PostgreSQL's parameters.
 *
 * Names are compared without letter case, as PostgreSQL does.  Rows are code instead of an array of
 * pointers: nothing to relocate in any process, and nobody is in a hurry here.
 */
#include "core/guc.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/quantity.h"

enum value_type { VALUE_BOOL, VALUE_INT, VALUE_SIZE, VALUE_TIME, VALUE_REAL };

struct value_row {
	char name[36];
	uint8_t type; /* enum value_type */
	int32_t unit, min, max;
};

static const struct value_row values[] = {
#define VALUE(name, type, unit, min, max) {name, VALUE_##type, unit, min, max},
#include "tbl/guc.h"
};

bool
guc_owned(size_t i, const char **name, const char **reason)
{
	size_t at = 0;

#define OWNED(its_name, its_reason)   \
	if (at++ == i) {              \
		*name = its_name;     \
		*reason = its_reason; \
		return true;          \
	}
#include "tbl/guc.h"
	return false;
}

const char *
guc_refused(const char *name)
{
	const char *owned, *reason;

	for (size_t i = 0; guc_owned(i, &owned, &reason); i++)
		if (strcasecmp(name, owned) == 0)
			return reason;
	return NULL;
}

bool
guc_harmless(const char *name, const char *value)
{
#define HARMLESS(its_name, its_value)                                         \
	if (strcasecmp(name, its_name) == 0 && strcmp(value, its_value) == 0) \
		return true;
#include "tbl/guc.h"
	return false;
}

static const struct value_row *
find_value(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		if (strcasecmp(values[i].name, name) == 0)
			return &values[i];
	return NULL;
}

bool
guc_known(const char *name)
{
	return find_value(name) || guc_refused(name);
}

void
guc_offer(struct suggest *s)
{
	const char *owned, *reason;

	for (size_t i = 0; guc_owned(i, &owned, &reason); i++)
		suggest_offer(s, owned);
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		suggest_offer(s, values[i].name);
}

static bool
word_ok(const char *p, size_t n)
{
	if (n == 0 || isdigit((unsigned char)*p) || *p == '$')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)p[i]) && p[i] != '_' && p[i] != '$' &&
			(unsigned char)p[i] < 0x80)
			return false;
	return true;
}

bool
guc_name_ok(const char *name)
{
	size_t n;

	if (strlen(name) > 200)
		return false;
	for (;; name += n + 1) {
		n = strcspn(name, ".");
		if (!word_ok(name, n))
			return false;
		if (!name[n])
			return true;
	}
}

static int
read_value(const struct value_row *v, const char *text, int64_t *out, struct err *e)
{
	int b;

	switch (v->type) {
	case VALUE_BOOL:
		*out = 0;
		return quantity_pg_bool(text, &b, e);
	case VALUE_SIZE:
		return quantity_pg_bytes(text, v->unit, out, e);
	case VALUE_TIME:
		return quantity_pg_us(text, v->unit, out, e);
	default:
		return quantity_pg_int(text, out, e);
	}
}

/* 16Mi is 16 megabytes to Kubernetes and an error to PostgreSQL, found only when it starts. */
static bool
looks_kubernetes(const char *value)
{
	size_t n = strspn(value, "0123456789.");

	return n && value[n] && strchr("KMGTP", value[n]) && value[n + 1] == 'i' && !value[n + 2];
}

int
guc_check(const char *name, const char *value, struct err *e)
{
	const struct value_row *v = find_value(name);
	int64_t n;

	if (looks_kubernetes(value))
		return err_set(e, ERR_CONFIG,
			"\"%.60s\" is a unit of Kubernetes, expected one of PostgreSQL: kB MB GB "
			"TB",
			value);
	if (!v)
		return 0;
	if (read_value(v, value, &n, e))
		return -1;
	if (v->type == VALUE_BOOL)
		return 0;
	if (v->type != VALUE_REAL)
		n /= v->unit;
	if (n < v->min || n > v->max)
		return err_set(e, ERR_CONFIG, "\"%.60s\" is out of range, expected %lld to %lld%s",
			value, (long long)v->min, (long long)v->max,
			v->type == VALUE_SIZE || v->type == VALUE_TIME ? " of its unit" : "");
	return 0;
}
