/*
 * store - the scheme of the URL chooses a driver; keys and specs are checked here for all of them.
 */
#include "store/store.h"

#include <string.h>

#include "base/buf.h"
#include "store/driver.h"

#define CONNECT_MS 10000
#define STALL_MS 20000
#define TOTAL_MS 300000

static const struct store_driver *const drivers[] = {&store_driver_s3, &store_driver_file};

/* ---- checks ---- */

static bool
is_dots(const char *p, size_t n)
{
	return (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.');
}

static const char *
key_fault(const char *key)
{
	if (key[0] == '/')
		return "begins with a slash";
	if (strlen(key) >= STORE_KEY_SIZE)
		return "is longer than 1024 bytes";
	for (const unsigned char *p = (const unsigned char *)key; *p; p++)
		if (*p < 0x20 || *p == 0x7f)
			return "holds a control character";
	for (const char *p = key;;) {
		size_t n = strcspn(p, "/");

		if (is_dots(p, n))
			return "has \".\" or \"..\" as a component";
		if (!p[n])
			return NULL;
		p += n + 1;
	}
}

static int
key_check(const char *key, struct err *e)
{
	const char *fault = !key || !key[0] ? "is empty" : key_fault(key);

	if (fault)
		return err_set(e, ERR_INVALID, "the key \"%.100s\" %s", key ? key : "", fault);
	return 0;
}

static int
prefix_check(const char *prefix, struct err *e)
{
	return prefix && prefix[0] ? key_check(prefix, e) : 0;
}

/* ---- open and close ---- */

static void
fill_spec(struct store_spec *s, const struct store_spec *from)
{
	const char **const text[] = {&s->url, &s->endpoint, &s->ca_file, &s->region,
		&s->access_key_file, &s->secret_key_file, &s->session_token_file, &s->region_file,
		&s->encryption, &s->kms_key_id};

	*s = *from;
	for (size_t i = 0; i < ARRAY_LEN(text); i++)
		if (!*text[i])
			*text[i] = "";
	if (s->connect_ms <= 0)
		s->connect_ms = CONNECT_MS;
	if (s->stall_ms <= 0)
		s->stall_ms = STALL_MS;
	if (s->total_ms <= 0)
		s->total_ms = TOTAL_MS;
}

static const struct store_driver *
driver_of(const char *url, size_t *scheme_len)
{
	for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
		size_t n = strlen(drivers[i]->scheme);

		if (strncmp(url, drivers[i]->scheme, n) == 0 && strncmp(url + n, "://", 3) == 0) {
			*scheme_len = n;
			return drivers[i];
		}
	}
	return NULL;
}

static int
split_url(struct store *s, struct err *e)
{
	size_t scheme = 0, n;
	const char *root;

	s->driver = driver_of(s->spec.url, &scheme);
	if (!s->driver)
		return err_set(e, ERR_CONFIG,
			"\"%.200s\" is no destination: it must begin with "
			"s3:// or file:///",
			s->spec.url);
	root = s->spec.url + scheme + 3;
	n = strlen(root);
	while (n > 1 && root[n - 1] == '/')
		n--;
	s->root = strndup(root, n);
	s->where = strndup(s->spec.url, (size_t)(root - s->spec.url) + n);
	if (!s->root || !s->where)
		return err_sys(e, "open %.200s", s->spec.url);
	return 0;
}

int
store_open(struct store **out, const struct store_spec *spec, struct err *e)
{
	AUTO(store_close) struct store *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (!s)
		return err_sys(e, "open the store");
	fill_spec(&s->spec, spec);
	if (split_url(s, e) || s->driver->open(s, e))
		return -1;
	*out = take(s);
	return 0;
}

struct store *
store_close(struct store *s)
{
	if (!s)
		return NULL;
	if (s->driver)
		s->driver->close(s);
	free(s->root);
	free(s->where);
	free(s);
	return NULL;
}

const char *
store_where(const struct store *s)
{
	return s->where;
}

const struct store_stats *
store_stats(const struct store *s)
{
	return &s->stats;
}

uint32_t
store_learnt(const struct store *s)
{
	return s->driver->learnt ? s->driver->learnt(s) : 0;
}

void
store_teach(struct store *s, uint32_t learnt)
{
	if (s->driver->teach)
		s->driver->teach(s, learnt);
}

/* ---- objects ---- */

int
store_put(struct store *s, const struct store_put *put, enum store_outcome *outcome, struct err *e)
{
	enum store_outcome here;

	if (key_check(put->key, e))
		return -1;
	return s->driver->put(s, put, outcome ? outcome : &here, e);
}

int
store_get(struct store *s, const struct store_get *get, struct store_object *object, struct err *e)
{
	struct store_object here;

	if (key_check(get->key, e))
		return -1;
	if (get->from < 0 || get->len < 0)
		return err_set(e, ERR_INVALID, "get %s: the range is negative", get->key);
	if (!object)
		object = &here;
	memset(object, 0, sizeof(*object));
	return s->driver->get(s, get, object, e);
}

int
store_head(struct store *s, const char *key, struct store_object *object, struct err *e)
{
	memset(object, 0, sizeof(*object));
	if (key_check(key, e))
		return -1;
	return s->driver->head(s, key, object, e);
}

int
store_list(struct store *s, const struct store_list *list, struct err *e)
{
	struct store_list l = *list;

	l.prefix = l.prefix ? l.prefix : "";
	l.after = l.after ? l.after : "";
	if (prefix_check(l.prefix, e))
		return -1;
	return s->driver->list(s, &l, e);
}

int
store_delete(struct store *s, const char *const *keys, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (key_check(keys[i], e))
			return -1;
	return n ? s->driver->remove(s, keys, n, e) : 0;
}

/* ---- uploads ---- */

int
store_upload_open(struct store *s, const struct store_upload_spec *spec, struct store_upload **out,
	struct err *e)
{
	AUTO(store_upload_close) struct store_upload *u = NULL;

	*out = NULL;
	if (key_check(spec->key, e))
		return -1;
	u = calloc(1, sizeof(*u));
	if (!u)
		return err_sys(e, "upload %s", spec->key);
	u->spec = *spec;
	u->key = strdup(spec->key);
	u->spec.key = u->key;
	if (!u->key)
		return err_sys(e, "upload %s", spec->key);
	u->store = s;
	if (s->driver->upload_open(u, e))
		return -1;
	*out = take(u);
	return 0;
}

static int
upload_check(const struct store_upload *u, struct err *e)
{
	if (u->failed || u->finished)
		return err_set(e, ERR_STATE, "upload %s: it has already %s", u->spec.key,
			u->failed ? "failed" : "been finished");
	return 0;
}

int
store_upload_write(struct store_upload *u, const void *p, size_t n, struct err *e)
{
	if (upload_check(u, e))
		return -1;
	if (n == 0)
		return 0;
	u->failed = u->store->driver->upload_write(u, p, n, e) != 0;
	return u->failed ? -1 : 0;
}

int
store_upload_finish(struct store_upload *u, struct store_upload_result *r, struct err *e)
{
	struct store_upload_result here;

	if (upload_check(u, e))
		return -1;
	r = r ? r : &here;
	memset(r, 0, sizeof(*r));
	u->failed = u->store->driver->upload_finish(u, r, e) != 0;
	u->finished = !u->failed;
	return u->failed ? -1 : 0;
}

struct store_upload *
store_upload_close(struct store_upload *u)
{
	if (!u)
		return NULL;
	if (u->store)
		u->store->driver->upload_close(u);
	free(take(u->key));
	free(u);
	return NULL;
}

int
store_upload_sweep(
	struct store *s, const char *prefix, int64_t before_us, int *count, struct err *e)
{
	int here;

	count = count ? count : &here;
	*count = 0;
	prefix = prefix ? prefix : "";
	if (prefix_check(prefix, e))
		return -1;
	return s->driver->upload_sweep(s, prefix, before_us, count, e);
}
