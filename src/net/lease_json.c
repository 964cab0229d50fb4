/*
 * lease_json - a Lease of Kubernetes: its text into a struct.
 */
#include "net/lease_json_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "net/http.h"
#include "net/kube_json.h"

const struct lease_field lease_fields[] = {
#define ANNOTATION(field, name, kind) \
	{LEASE_ANNOTATION name, LEASE_##kind, offsetof(struct lease_object, field)},
#include "tbl/lease_annotations.h"
#undef ANNOTATION
};
const size_t lease_fields_n = ARRAY_LEN(lease_fields);

struct reading {
	struct lease_object *l;
	struct err *e;
	bool failed; /* e holds the first failure */
};

static void
bad(struct reading *r, const char *field, const struct jsonscan_span *v, const char *what)
{
	struct jsonscan_span raw = kube_json_raw(v);
	char shown[48];
	size_t n = 0;

	if (r->failed)
		return;
	r->failed = true;
	for (; n < raw.len && n < sizeof(shown) - 1; n++)
		shown[n] = raw.at[n] >= ' ' && raw.at[n] <= '~' ? raw.at[n] : '?';
	shown[n] = '\0';
	err_set(r->e, ERR_CORRUPT, "Lease %.80s: %s: %s%s is no %s", r->l->name, field, shown,
		n < raw.len ? "..." : "", what);
}

static bool
is_null(const struct jsonscan_span *v)
{
	return !v->string && v->len == 4 && memcmp(v->at, "null", 4) == 0;
}

/* Decimal digits alone, no sign, no blank. */
static bool
number(const char *s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		uint64_t d = (uint64_t)(*s - '0');

		if (*s < '0' || *s > '9' || v > (max - d) / 10)
			return false; /* *out is as it was */
		v = v * 10 + d;
	}
	*out = v;
	return true;
}

static bool
lsn(const char *s, uint64_t *out)
{
	static const char hex[] = "0123456789ABCDEFabcdef";
	size_t high = strspn(s, hex), low;

	if (high == 0 || high > 8 || s[high] != '/')
		return false;
	low = strspn(s + high + 1, hex);
	if (low == 0 || low > 8 || s[high + 1 + low] != '\0')
		return false;
	*out = strtoull(s, NULL, 16) << 32 | strtoull(s + high + 1, NULL, 16);
	return true;
}

/* ---- metadata ---- */

static void
read_text(struct reading *r, const char *path, struct jsonscan_span all, char *out, size_t size)
{
	struct jsonscan_span v;

	if (!kube_json_find(all, path, &v) || is_null(&v))
		return;
	if (!kube_json_text(&v, out, size)) {
		out[0] = '\0';
		bad(r, path, &v, "text of fitting length");
	}
}

static bool
read_annotation(char *at, const struct lease_field *f, const char *text)
{
	bool truth = strcmp(text, "true") == 0, ok = false;
	uint64_t v = 0;
	uint32_t v32;

	switch (f->kind) {
	case LEASE_U64:
		ok = number(text, UINT64_MAX, &v);
		break;
	case LEASE_LSN:
		ok = lsn(text, &v);
		break;
	case LEASE_U32:
		ok = number(text, UINT32_MAX, &v);
		v32 = (uint32_t)v;
		memcpy(at, &v32, sizeof(v32));
		return ok;
	case LEASE_BOOL:
		memcpy(at, &truth, sizeof(truth));
		return truth || strcmp(text, "false") == 0;
	case LEASE_JSON:
		ok = jsonscan_valid(text, strlen(text));
		snprintf(at, LEASE_JSON_SIZE, "%s", ok ? text : "");
		return ok;
	}
	memcpy(at, &v, sizeof(v));
	return ok;
}

static int
on_annotation(void *arg, const struct jsonscan_span *key, const struct jsonscan_span *value,
	struct err *e)
{
	static const char *const what[] = {[LEASE_U64] = "number",
		[LEASE_U32] = "number",
		[LEASE_LSN] = "LSN",
		[LEASE_BOOL] = "true or false",
		[LEASE_JSON] = "JSON of fitting length"};
	struct reading *r = arg;
	char text[LEASE_JSON_SIZE];

	(void)e;
	for (size_t i = 0; i < lease_fields_n; i++) {
		const struct lease_field *f = &lease_fields[i];

		if (!kube_json_is(key, f->name))
			continue;
		if (!kube_json_text(value, text, sizeof(text)) ||
			!read_annotation((char *)r->l + f->offset, f, text))
			bad(r, f->name, value, what[f->kind]);
	}
	return 0;
}

static void
read_annotations(struct reading *r, struct jsonscan_span all)
{
	struct jsonscan_span v;
	struct err e;

	if (!kube_json_find(all, "metadata.annotations", &v) || is_null(&v))
		return;
	if (kube_json_members(v, on_annotation, r, &e) < 0)
		bad(r, "metadata.annotations", &v, "object");
}

/* ---- spec ---- */

static void
read_time(struct reading *r, const char *path, struct jsonscan_span all, int64_t *out)
{
	struct jsonscan_span v;
	char text[LEASE_TIME_SIZE];

	if (!kube_json_find(all, path, &v) || is_null(&v))
		return;
	*out = kube_json_text(&v, text, sizeof(text)) ? http_iso_date(text) : 0;
	if (*out == 0)
		bad(r, path, &v, "time");
}

static void
read_count(struct reading *r, const char *path, struct jsonscan_span all, int32_t *out)
{
	struct jsonscan_span v;
	char text[12];
	uint64_t n;

	if (!kube_json_find(all, path, &v) || is_null(&v))
		return;
	if (!v.string && v.len < sizeof(text)) {
		memcpy(text, v.at, v.len);
		text[v.len] = '\0';
		if (number(text, INT32_MAX, &n)) {
			*out = (int32_t)n;
			return;
		}
	}
	bad(r, path, &v, "whole number from 0 to 2147483647");
}

int
lease_json_read(struct lease_object *out, const char *text, size_t n, struct err *e)
{
	struct jsonscan_span all = kube_json_span(text, n), v;
	struct reading r = {.l = out, .e = e};

	memset(out, 0, sizeof(*out));
	if (!jsonscan_valid(text, n) || !kube_json_find(all, "metadata", &v))
		return err_set(e, ERR_CORRUPT, "this is no Lease");
	if (kube_json_find(all, "kind", &v) && !kube_json_is(&v, "Lease"))
		return err_set(e, ERR_CORRUPT, "this is no Lease, but of another kind");
	read_text(&r, "metadata.name", all, out->name, sizeof(out->name));
	read_text(&r, "metadata.namespace", all, out->ns, sizeof(out->ns));
	read_text(&r, "metadata.uid", all, out->uid, sizeof(out->uid));
	read_text(&r, "metadata.resourceVersion", all, out->version, sizeof(out->version));
	read_text(&r, "spec.holderIdentity", all, out->holder, sizeof(out->holder));
	read_text(&r, "spec.renewTime", all, out->renewed, sizeof(out->renewed));
	read_time(&r, "spec.acquireTime", all, &out->acquire_us);
	read_time(&r, "spec.renewTime", all, &out->renew_us);
	read_count(&r, "spec.leaseDurationSeconds", all, &out->duration_s);
	read_count(&r, "spec.leaseTransitions", all, &out->transitions);
	read_annotations(&r, all);
	return r.failed ? -1 : 0;
}
