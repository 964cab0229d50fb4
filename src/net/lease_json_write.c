/*
 * lease_json_write - a Lease of Kubernetes: a new one, or a given text with what is ours changed.
 */
#include "net/lease_json_impl.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "net/kube_json.h"

static const char *const spec_fields[] = {
	"holderIdentity", "acquireTime", "renewTime", "leaseDurationSeconds", "leaseTransitions"};

struct writing {
	struct buf *out;
	const struct lease_object *l;
	bool more;   /* a member stands before: a comma is due */
	bool inner;  /* annotations (of metadata) or spec (of the top) came */
	bool outer;  /* metadata came */
	bool locked; /* a resourceVersion that is not empty came */
};

static void
quoted(struct buf *out, const char *s)
{
	buf_putc(out, '"');
	json_escape(out, s, strlen(s));
	buf_putc(out, '"');
}

static void
member(struct writing *w, const char *key)
{
	if (w->more)
		buf_putc(w->out, ',');
	w->more = true;
	quoted(w->out, key);
	buf_putc(w->out, ':');
}

/* As it stands in the original. */
static void
keep(struct writing *w, const struct jsonscan_span *key, const struct jsonscan_span *value)
{
	struct jsonscan_span raw = kube_json_raw(value);

	if (w->more)
		buf_putc(w->out, ',');
	w->more = true;
	buf_printf(w->out, "\"%.*s\":", (int)key->len, key->at);
	buf_put(w->out, raw.at, raw.len);
}

/* ---- what is ours ---- */

static void
put_annotation(struct writing *w, const struct lease_field *f)
{
	const char *at = (const char *)w->l + f->offset;
	uint64_t v = 0;
	uint32_t v32;

	if (f->kind == LEASE_JSON) {
		if (at[0]) {
			member(w, f->name);
			quoted(w->out, at);
		}
		return;
	}
	if (f->kind == LEASE_BOOL) {
		v = *(const bool *)at;
	} else if (f->kind == LEASE_U32) {
		memcpy(&v32, at, sizeof(v32));
		v = v32;
	} else {
		memcpy(&v, at, sizeof(v));
	}
	if (v == 0)
		return;
	member(w, f->name);
	if (f->kind == LEASE_BOOL)
		buf_puts(w->out, "\"true\"");
	else if (f->kind == LEASE_LSN)
		buf_printf(w->out, "\"%X/%X\"", (unsigned)(v >> 32), (unsigned)v);
	else
		buf_printf(w->out, "\"%" PRIu64 "\"", v);
}

static void
put_annotations(struct writing *w)
{
	for (size_t i = 0; i < lease_fields_n; i++)
		put_annotation(w, &lease_fields[i]);
}

static void
put_time(struct writing *w, const char *key, int64_t us)
{
	char text[CLOCK_RFC3339_SIZE];

	if (us == 0)
		return;
	member(w, key);
	quoted(w->out, clock_rfc3339(us, text));
}

static void
put_spec(struct writing *w)
{
	const struct lease_object *l = w->l;

	member(w, "holderIdentity");
	quoted(w->out, l->holder);
	put_time(w, "acquireTime", l->acquire_us);
	put_time(w, "renewTime", l->renew_us);
	if (l->duration_s > 0) {
		member(w, "leaseDurationSeconds");
		buf_printf(w->out, "%d", (int)l->duration_s);
	}
	member(w, "leaseTransitions");
	buf_printf(w->out, "%d", (int)l->transitions);
}

/* ---- a new one ---- */

int
lease_json_new(struct buf *out, const struct lease_object *l, struct err *e)
{
	struct writing w = {.out = out, .l = l};

	buf_puts(out,
		"{\"apiVersion\":\"coordination.k8s.io/v1\",\"kind\":\"Lease\",\"metadata\":{");
	member(&w, "name");
	quoted(out, l->name);
	member(&w, "namespace");
	quoted(out, l->ns);
	member(&w, "annotations");
	buf_putc(out, '{');
	w.more = false;
	put_annotations(&w);
	buf_puts(out, "}},\"spec\":{");
	w.more = false;
	put_spec(&w);
	buf_puts(out, "}}");
	return buf_check(out, e);
}

/* ---- a changed one ---- */

static bool
our_annotation(const struct jsonscan_span *key)
{
	for (size_t i = 0; i < lease_fields_n; i++)
		if (kube_json_is(key, lease_fields[i].name))
			return true;
	return false;
}

static int
copy_annotation(void *arg, const struct jsonscan_span *key, const struct jsonscan_span *value,
	struct err *e)
{
	(void)e;
	if (!our_annotation(key))
		keep(arg, key, value);
	return 0;
}

static int
copy_spec(void *arg, const struct jsonscan_span *key, const struct jsonscan_span *value,
	struct err *e)
{
	(void)e;
	for (size_t i = 0; i < ARRAY_LEN(spec_fields); i++)
		if (kube_json_is(key, spec_fields[i]))
			return 0;
	keep(arg, key, value);
	return 0;
}

/* One object with its foreign members, then ours. */
static int
merge(struct writing *w, const struct jsonscan_span *value, kube_json_fn *foreign,
	void (*ours)(struct writing *w), struct err *e)
{
	struct writing inner = {.out = w->out, .l = w->l};
	bool null = !value || (value->len == 4 && !value->string && value->at[0] == 'n');

	buf_putc(w->out, '{');
	if (!null && kube_json_members(*value, foreign, &inner, e) < 0)
		return -1;
	ours(&inner);
	buf_putc(w->out, '}');
	return 0;
}

static int
copy_metadata(void *arg, const struct jsonscan_span *key, const struct jsonscan_span *value,
	struct err *e)
{
	struct writing *w = arg;

	if (!kube_json_is(key, "annotations")) {
		if (kube_json_is(key, "resourceVersion"))
			w->locked = value->string && value->len > 0;
		keep(w, key, value);
		return 0;
	}
	w->inner = true;
	member(w, "annotations");
	return merge(w, value, copy_annotation, put_annotations, e);
}

static int
put_metadata(struct writing *w, const struct jsonscan_span *value, struct err *e)
{
	struct writing inner = {.out = w->out, .l = w->l};

	w->outer = true;
	member(w, "metadata");
	buf_putc(w->out, '{');
	if (kube_json_members(*value, copy_metadata, &inner, e) < 0)
		return -1;
	if (!inner.inner) {
		member(&inner, "annotations");
		if (merge(&inner, NULL, NULL, put_annotations, e) < 0)
			return -1;
	}
	buf_putc(w->out, '}');
	w->locked = inner.locked;
	return 0;
}

static int
copy_top(void *arg, const struct jsonscan_span *key, const struct jsonscan_span *value,
	struct err *e)
{
	struct writing *w = arg;

	if (kube_json_is(key, "metadata"))
		return put_metadata(w, value, e);
	if (!kube_json_is(key, "spec")) {
		keep(w, key, value);
		return 0;
	}
	w->inner = true;
	member(w, "spec");
	return merge(w, value, copy_spec, put_spec, e);
}

int
lease_json_update(
	struct buf *out, const struct lease_object *l, const char *text, size_t n, struct err *e)
{
	struct writing w = {.out = out, .l = l};

	buf_putc(out, '{');
	if (kube_json_members(kube_json_span(text, n), copy_top, &w, e) < 0)
		return err_add(e, "Lease %s", l->name);
	if (!w.inner) {
		member(&w, "spec");
		if (merge(&w, NULL, NULL, put_spec, e) < 0)
			return -1;
	}
	buf_putc(out, '}');
	if (!w.locked)
		return err_set(e, ERR_INVALID,
			"Lease %.80s: metadata.resourceVersion is missing: the write would "
			"overwrite whatever stands there",
			l->name);
	return buf_check(out, e);
}
