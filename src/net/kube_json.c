/*
 * kube_json - objects of the Kubernetes API as text.
 */
#include "net/kube_json.h"

#include <string.h>

#include "base/json.h"

struct jsonscan_span
kube_json_span(const char *p, size_t n)
{
	return (struct jsonscan_span){.at = p, .len = n};
}

struct jsonscan_span
kube_json_raw(const struct jsonscan_span *value)
{
	if (!value->string)
		return *value;
	return kube_json_span(value->at - 1, value->len + 2);
}

static int
broken(struct err *e)
{
	return err_set(e, ERR_CORRUPT, "not the JSON that was expected");
}

static int
each(struct jsonscan_span text, bool object, kube_json_fn *fn, void *arg, struct err *e)
{
	struct jsonscan s = {.at = text.at, .end = text.at + text.len};
	struct jsonscan_span key, value;
	char close = object ? '}' : ']';

	if (text.string || !jsonscan_take(&s, object ? '{' : '['))
		return broken(e);
	if (jsonscan_take(&s, close))
		return jsonscan_end(&s) ? 0 : broken(e);
	do {
		if (object && (!jsonscan_string(&s, &key) || !jsonscan_take(&s, ':')))
			return broken(e);
		if (!jsonscan_value(&s, &value))
			return broken(e);
		if (fn(arg, object ? &key : NULL, &value, e) < 0)
			return -1;
	} while (jsonscan_take(&s, ','));
	return jsonscan_take(&s, close) && jsonscan_end(&s) ? 0 : broken(e);
}

int
kube_json_members(struct jsonscan_span text, kube_json_fn *fn, void *arg, struct err *e)
{
	return each(text, true, fn, arg, e);
}

int
kube_json_elements(struct jsonscan_span text, kube_json_fn *fn, void *arg, struct err *e)
{
	return each(text, false, fn, arg, e);
}

/* UTF-8 without a NUL byte. */
static bool
plain_text(const char *s, size_t n)
{
	for (size_t used; n > 0; s += used, n -= used) {
		used = *s ? json_utf8_len(s, n) : 0;
		if (used == 0)
			return false;
	}
	return true;
}

bool
kube_json_text(const struct jsonscan_span *value, char *out, size_t size)
{
	size_t n = value->len;

	if (!value->string)
		return false;
	if (!value->escaped && n >= size)
		return false;
	if (value->escaped) {
		AUTO(free) char *copy = malloc(n + 1);

		if (!copy)
			return false;
		memcpy(copy, value->at, n);
		n = jsonscan_unescape(copy, n);
		if (n >= size)
			return false;
		memcpy(out, copy, n);
	} else {
		memcpy(out, value->at, n);
	}
	out[n] = '\0';
	return plain_text(out, n);
}

bool
kube_json_is(const struct jsonscan_span *value, const char *text)
{
	char plain[128];
	size_t len = strlen(text);

	if (!value->string)
		return false;
	if (!value->escaped)
		return value->len == len && memcmp(value->at, text, len) == 0;
	return len < sizeof(plain) && kube_json_text(value, plain, sizeof(plain)) &&
	       strcmp(plain, text) == 0;
}

/* ---- one value ---- */

struct search {
	char name[64];
	struct jsonscan_span *out;
	bool found;
};

static int
look(void *arg, const struct jsonscan_span *key, const struct jsonscan_span *value, struct err *e)
{
	struct search *s = arg;

	(void)e;
	if (kube_json_is(key, s->name)) {
		*s->out = *value;
		s->found = true;
	}
	return 0;
}

bool
kube_json_find(struct jsonscan_span text, const char *path, struct jsonscan_span *out)
{
	struct err e;

	*out = text;
	while (*path) {
		struct search s = {.out = out};
		struct jsonscan_span within = *out;
		size_t n = strcspn(path, ".");

		must(n < sizeof(s.name));
		memcpy(s.name, path, n);
		if (kube_json_members(within, look, &s, &e) < 0 || !s.found)
			return false;
		path += n + (path[n] == '.');
	}
	return true;
}
