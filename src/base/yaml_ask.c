/*
 * yaml_ask - questions to a tree of YAML: what is where, and what does a scalar mean.
 *
 * Scalars mean what they mean to Kubernetes, which reads YAML 1.1: yes and on are true.
 */
#include "base/yaml.h"

#include <stdlib.h>
#include <string.h>

struct yaml *
yaml_get(const struct yaml *n, const char *key)
{
	struct yaml *c;

	if (!n || n->kind != YAML_MAP)
		return NULL;
	for (c = n->first; c; c = c->next)
		if (strcmp(c->key->text, key) == 0)
			return c;
	return NULL;
}

struct yaml *
yaml_path(const struct yaml *n, const char *path)
{
	char key[64];
	size_t len;
	struct yaml *c = NULL;

	for (; *path; path += len + (path[len] == '.')) {
		len = strcspn(path, ".");
		must(len < sizeof(key));
		memcpy(key, path, len);
		key[len] = '\0';
		c = yaml_get(n, key);
		if (!c)
			return NULL;
		n = c;
	}
	return c;
}

struct yaml *
yaml_twin(const struct yaml *value)
{
	struct yaml *c;

	for (c = value->key ? value->next : NULL; c; c = c->next)
		if (strcmp(c->key->text, value->key->text) == 0)
			return c;
	return NULL;
}

size_t
yaml_count(const struct yaml *n)
{
	const struct yaml *c;
	size_t count = 0;

	for (c = n ? n->first : NULL; c; c = c->next)
		count++;
	return count;
}

static bool
one_of(const char *s, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(s, *list) == 0)
			return true;
	return false;
}

static int
bool_of(const char *s)
{
	static const char *const yes[] = {
		"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y", NULL};
	static const char *const no[] = {
		"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N", NULL};

	return one_of(s, yes) ? 1 : one_of(s, no) ? 0 : -1;
}

static int
int_of(const char *s, int64_t *out)
{
	const char *p = s + (*s == '-' || *s == '+');
	int base = 10;
	char *end;

	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'o'))
		base = p[1] == 'x' ? 16 : 8;
	else if (p[0] == '0' && p[1])
		base = 8;
	if (p[0] == '0' && p[1] == 'o')
		p += 2;
	if (!strchr("0123456789", *p) || !*p)
		return -1;
	errno = 0;
	*out = strtoll(p, &end, base);
	if (*end || errno)
		return -1;
	if (*s == '-')
		*out = -*out;
	return 0;
}

static bool
is_float(const char *s)
{
	const char *p = s + (*s == '-' || *s == '+');
	size_t whole = strspn(p, "0123456789"), part = 0;

	p += whole;
	if (*p == '.') {
		part = strspn(++p, "0123456789");
		p += part;
	}
	if (whole + part == 0)
		return false;
	if (*p == 'e' || *p == 'E') {
		p++;
		p += *p == '-' || *p == '+';
		part = strspn(p, "0123456789");
		p += part;
		return part > 0 && !*p;
	}
	return !*p;
}

bool
yaml_is_null(const struct yaml *n)
{
	if (!n)
		return true;
	if (n->kind != YAML_TEXT || !n->plain)
		return false;
	return !*n->text || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0 ||
	       strcmp(n->text, "Null") == 0 || strcmp(n->text, "NULL") == 0;
}

bool
yaml_given(const struct yaml *n)
{
	return !yaml_is_null(n);
}

const char *
yaml_text(const struct yaml *n)
{
	return n && n->kind == YAML_TEXT && !yaml_is_null(n) ? n->text : "";
}

bool
yaml_true(const struct yaml *n, const char *key)
{
	bool b;

	return yaml_bool(yaml_get(n, key), &b) == 0 && b;
}

enum yaml_type
yaml_type(const struct yaml *n)
{
	int64_t i;

	must(n && n->kind == YAML_TEXT);
	if (!n->plain)
		return YAML_IS_STRING;
	if (yaml_is_null(n))
		return YAML_IS_NULL;
	if (bool_of(n->text) >= 0)
		return YAML_IS_BOOL;
	if (int_of(n->text, &i) == 0)
		return YAML_IS_INT;
	return is_float(n->text) ? YAML_IS_FLOAT : YAML_IS_STRING;
}

const char *
yaml_what(const struct yaml *n)
{
	static const char *const scalar[] = {
		[YAML_IS_NULL] = "nothing",
		[YAML_IS_BOOL] = "true or false",
		[YAML_IS_INT] = "a whole number",
		[YAML_IS_FLOAT] = "a number",
		[YAML_IS_STRING] = "text",
	};

	if (!n)
		return "nothing";
	if (n->kind == YAML_TEXT)
		return scalar[yaml_type(n)];
	return n->kind == YAML_LIST ? "a list" : "a map";
}

int
yaml_int(const struct yaml *n, int64_t *out)
{
	if (!n || n->kind != YAML_TEXT || !n->plain)
		return -1;
	return int_of(n->text, out);
}

int
yaml_bool(const struct yaml *n, bool *out)
{
	int b = n && n->kind == YAML_TEXT && n->plain ? bool_of(n->text) : -1;

	if (b < 0)
		return -1;
	*out = b;
	return 0;
}
