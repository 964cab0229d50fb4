/*
 * s3_list - ListObjectsV2, page by page; each page is read whole before its objects are handed on,
 * so that whoever gets them may use the store meanwhile.
 */
#include <stdio.h>
#include <string.h>

#include "store/s3.h"

#define PAGE_TRIES 3
#define ROOT "ListBucketResult"

struct entry {
	size_t key;    /* offset in names */
	int64_t bytes; /* -1: a folder */
	int64_t modified_us;
	char etag[72];
};

struct page {
	struct buf names;
	struct entry *entry; /* owned */
	size_t n, room;
	struct entry now; /* being read */
	bool have_key, truncated, ours;
	struct buf token;
	const char *prefix; /* of the destination */
};

/* ---- a page ---- */

static int
add_entry(struct page *p, struct err *e)
{
	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : 64;
		struct entry *grown = realloc(p->entry, room * sizeof(*grown));

		if (!grown)
			return err_sys(e, "list");
		p->entry = grown;
		p->room = room;
	}
	p->entry[p->n++] = p->now;
	return 0;
}

/* Keys come encoded and with the destination's path in front. */
static int
take_key(struct page *p, char *text, struct err *e)
{
	size_t n = strlen(p->prefix);

	if (s3_xml_url_decode(text))
		return err_set(e, ERR_CORRUPT, "a key is not encoded as it should be");
	if (strncmp(text, p->prefix, n) != 0)
		return err_set(e, ERR_CORRUPT, "a key lies outside of what was asked for");
	p->now.key = p->names.len;
	p->have_key = true;
	buf_put(&p->names, text + n, strlen(text + n) + 1);
	return buf_check(&p->names, e);
}

static int
end_object(struct page *p, bool folder, struct err *e)
{
	if (!p->have_key)
		return err_set(e, ERR_CORRUPT, "an object without a key");
	if (folder)
		p->now.bytes = -1;
	if (add_entry(p, e))
		return -1;
	memset(&p->now, 0, sizeof(p->now));
	p->have_key = false;
	return 0;
}

static int
take_element(void *arg, const char *path, char *text, struct err *e)
{
	struct page *p = arg;

	p->ours |= strcmp(path, ROOT) == 0;
	if (strcmp(path, ROOT "/Contents/Key") == 0 ||
		strcmp(path, ROOT "/CommonPrefixes/Prefix") == 0)
		return take_key(p, text, e);
	if (strcmp(path, ROOT "/Contents/Size") == 0)
		p->now.bytes = strtoll(text, NULL, 10);
	else if (strcmp(path, ROOT "/Contents/LastModified") == 0)
		p->now.modified_us = http_iso_date(text);
	else if (strcmp(path, ROOT "/Contents/ETag") == 0)
		s3_etag(p->now.etag, text);
	else if (strcmp(path, ROOT "/Contents") == 0)
		return end_object(p, false, e);
	else if (strcmp(path, ROOT "/CommonPrefixes") == 0)
		return end_object(p, true, e);
	else if (strcmp(path, ROOT "/IsTruncated") == 0)
		p->truncated = strcmp(text, "true") == 0;
	else if (strcmp(path, ROOT "/NextContinuationToken") == 0)
		buf_puts(&p->token, text);
	return buf_check(&p->token, e);
}

static void
page_reset(struct page *p)
{
	buf_reset(&p->names);
	buf_reset(&p->token);
	p->n = 0;
	p->truncated = p->ours = p->have_key = false;
	memset(&p->now, 0, sizeof(p->now));
}

static int
parse(struct page *p, const struct buf *xml, struct err *e)
{
	page_reset(p);
	if (s3_xml_read(buf_str(xml), xml->len, take_element, p, e))
		return -1;
	if (!p->ours)
		return err_set(e, ERR_CORRUPT, "the answer is no list of objects");
	if (p->truncated && p->token.len == 0)
		return err_set(e, ERR_CORRUPT, "the list goes on, but does not say where");
	return 0;
}

/* ---- asking ---- */

struct ask {
	const struct store_list *list;
	char prefix[2 * STORE_KEY_SIZE], after[2 * STORE_KEY_SIZE];
	struct buf token; /* of this page; empty: the first */
};

static int
ask_once(struct s3 *s, const struct ask *a, struct page *p, struct err *e)
{
	AUTO(s3_call_deinit) struct s3_call c;

	s3_call_init(&c, "list", "GET", NULL);
	s3_query(&c, "list-type", "2");
	s3_query(&c, "encoding-type", "url");
	s3_query(&c, "max-keys", "1000");
	s3_query(&c, "prefix", a->prefix);
	if (a->list->folders)
		s3_query(&c, "delimiter", "/");
	if (a->token.len > 0)
		s3_query(&c, "continuation-token", buf_str(&a->token));
	else if (a->list->after[0])
		s3_query(&c, "start-after", a->after);
	if (s3_run(s, &c, e))
		return e->kind == ERR_NOTFOUND ? (e->kind = ERR_REMOTE, -1) : -1;
	if (parse(p, &c.text, e))
		return err_add(e, "list %s", s->store->where);
	return 0;
}

static int
ask(struct s3 *s, const struct ask *a, struct page *p, struct err *e)
{
	for (int i = 1;; i++) {
		if (ask_once(s, a, p, e) == 0)
			return 0;
		if (e->kind != ERR_CORRUPT || i == PAGE_TRIES || store_cancelled(s->store))
			return -1;
		s->store->stats.retries++;
	}
}

/* ---- handing on ---- */

static int
by_key(const void *a, const void *b, void *names)
{
	const struct entry *x = a, *y = b;

	return strcmp((const char *)names + x->key, (const char *)names + y->key);
}

static int
hand_on(const struct store_list *list, struct page *p, struct err *e)
{
	struct store_object o;

	if (p->n > 1)
		qsort_r(p->entry, p->n, sizeof(p->entry[0]), by_key, p->names.data);
	for (size_t i = 0; i < p->n; i++) {
		const struct entry *x = &p->entry[i];
		const char *key = p->names.data + x->key;

		if (!key[0] || (list->after[0] && strcmp(key, list->after) <= 0))
			continue;
		memset(&o, 0, sizeof(o));
		snprintf(o.key, sizeof(o.key), "%s", key);
		o.bytes = x->bytes;
		o.modified_us = x->modified_us;
		memcpy(o.etag, x->etag, sizeof(o.etag));
		if (list->each(list->arg, &o, e))
			return -1;
	}
	return 0;
}

static int
pages(struct s3 *s, struct ask *a, struct page *p, struct err *e)
{
	do {
		if (ask(s, a, p, e) || hand_on(a->list, p, e))
			return -1;
		if (p->truncated && a->token.len == p->token.len &&
			memcmp(a->token.data, p->token.data, p->token.len) == 0)
			return err_set(e, ERR_CORRUPT, "list %s: the list does not get on",
				s->store->where);
		buf_reset(&a->token);
		buf_puts(&a->token, buf_str(&p->token));
		if (buf_check(&a->token, e))
			return -1;
	} while (p->truncated);
	return 0;
}

int
s3_list(struct store *st, const struct store_list *list, struct err *e)
{
	struct s3 *s = st->state;
	struct ask a = {.list = list};
	struct page p = {.prefix = s->prefix};
	int rc;

	snprintf(a.prefix, sizeof(a.prefix), "%s%s", s->prefix, list->prefix);
	snprintf(a.after, sizeof(a.after), "%s%s", s->prefix, list->after);
	rc = pages(s, &a, &p, e);
	buf_deinit(&a.token);
	buf_deinit(&p.token);
	buf_deinit(&p.names);
	free(p.entry);
	return rc;
}
