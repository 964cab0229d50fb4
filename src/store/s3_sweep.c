/*
 * s3_sweep - aborts multipart uploads that killed processes left behind: they cost space, and
 * nothing shows them.
 */
#include <string.h>

#include "store/s3.h"

#define ROOT "ListMultipartUploadsResult"
#define PAGE_MAX 1000

struct left {
	char *key, *id;
};

struct page {
	const char *prefix; /* of the destination */
	int64_t before_us;
	struct left left[PAGE_MAX];
	size_t n;
	char *key, *id; /* being read */
	int64_t begun_us;
	bool ours, truncated;
	char *next_key, *next_id;
};

static int
keep(char **out, const char *text, struct err *e)
{
	free(*out);
	*out = strdup(text);
	return *out ? 0 : err_sys(e, "list uploads");
}

/* Only those below the destination and old enough. */
static void
end_upload(struct page *p)
{
	size_t n = strlen(p->prefix);

	if (p->key && p->id && p->n < PAGE_MAX && p->begun_us > 0 && p->begun_us < p->before_us &&
		strncmp(p->key, p->prefix, n) == 0 && p->key[n]) {
		memmove(p->key, p->key + n, strlen(p->key + n) + 1);
		p->left[p->n].key = take(p->key);
		p->left[p->n++].id = take(p->id);
	}
	free(take(p->key));
	free(take(p->id));
	p->begun_us = 0;
}

static int
take_element(void *arg, const char *path, char *text, struct err *e)
{
	struct page *p = arg;

	p->ours |= strcmp(path, ROOT) == 0;
	if (strcmp(path, ROOT "/Upload/Key") == 0)
		return s3_xml_url_decode(text) ? err_set(e, ERR_CORRUPT,
							 "a key is not encoded as "
							 "it should be")
					       : keep(&p->key, text, e);
	if (strcmp(path, ROOT "/Upload/UploadId") == 0)
		return keep(&p->id, text, e);
	if (strcmp(path, ROOT "/NextKeyMarker") == 0)
		return s3_xml_url_decode(text) ? err_set(e, ERR_CORRUPT, "a bad marker")
					       : keep(&p->next_key, text, e);
	if (strcmp(path, ROOT "/NextUploadIdMarker") == 0)
		return keep(&p->next_id, text, e);
	if (strcmp(path, ROOT "/Upload/Initiated") == 0)
		p->begun_us = http_iso_date(text);
	else if (strcmp(path, ROOT "/IsTruncated") == 0)
		p->truncated = strcmp(text, "true") == 0;
	else if (strcmp(path, ROOT "/Upload") == 0)
		end_upload(p);
	return 0;
}

static int
ask(struct s3 *s, const char *prefix, struct page *p, struct err *e)
{
	AUTO(buf_deinit) struct buf whole = {0};
	AUTO(s3_call_deinit) struct s3_call c;

	s3_call_init(&c, "list uploads", "GET", NULL);
	buf_printf(&whole, "%s%s", s->prefix, prefix);
	if (buf_check(&whole, e))
		return -1;
	s3_query(&c, "uploads", "");
	s3_query(&c, "encoding-type", "url");
	s3_query(&c, "max-uploads", "1000");
	s3_query(&c, "prefix", buf_str(&whole));
	if (p->next_key && p->next_key[0]) {
		s3_query(&c, "key-marker", p->next_key);
		s3_query(&c, "upload-id-marker", p->next_id ? p->next_id : "");
	}
	if (s3_run(s, &c, e))
		return -1;
	p->ours = p->truncated = false;
	if (s3_xml_read(buf_str(&c.text), c.text.len, take_element, p, e))
		return err_add(e, "list uploads");
	return p->ours ? 0 : err_set(e, ERR_CORRUPT, "list uploads: the answer is no such list");
}

static int
abort_all(struct s3 *s, struct page *p, int *count, struct err *e)
{
	for (size_t i = 0; i < p->n; i++) {
		if (s3_abort(s, p->left[i].key, p->left[i].id, e))
			return -1;
		++*count;
	}
	return 0;
}

static void
page_clear(struct page *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->left[i].key);
		free(p->left[i].id);
	}
	p->n = 0;
}

int
s3_upload_sweep(struct store *st, const char *prefix, int64_t before_us, int *count, struct err *e)
{
	struct s3 *s = st->state;
	struct page *p = calloc(1, sizeof(*p));
	int rc;

	if (!p)
		return err_sys(e, "list uploads");
	p->prefix = s->prefix;
	p->before_us = before_us;
	do {
		page_clear(p);
		rc = ask(s, prefix, p, e) || abort_all(s, p, count, e) ? -1 : 0;
	} while (rc == 0 && p->truncated && p->next_key && p->next_key[0]);
	page_clear(p);
	free(p->key);
	free(p->id);
	free(p->next_key);
	free(p->next_id);
	free(p);
	return rc;
}
