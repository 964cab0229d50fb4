/*
 * s3_remove - DeleteObjects in batches of a thousand; one by one where a store cannot do that.
 */
#include <stdio.h>
#include <string.h>

#include "base/md5.h"
#include "store/s3.h"

#define BATCH 1000
/* Swift deletes a thousand in half a minute, and says nothing meanwhile. */
#define BATCH_STALL_MS 120000

static int
remove_one(struct s3 *s, const char *key, struct err *e)
{
	AUTO(s3_call_deinit) struct s3_call c;

	s3_call_init(&c, "delete", "DELETE", key);
	if (s3_run(s, &c, e) == 0 || e->kind == ERR_NOTFOUND)
		return 0;
	return -1;
}

static void
put_escaped(struct buf *b, const char *text)
{
	for (; *text; text++) {
		if (*text == '&')
			buf_puts(b, "&amp;");
		else if (*text == '<')
			buf_puts(b, "&lt;");
		else if (*text == '>')
			buf_puts(b, "&gt;");
		else
			buf_putc(b, *text);
	}
}

static int
make_body(const struct s3 *s, const char *const *keys, size_t n, struct buf *out, struct err *e)
{
	buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
		      "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
		      "<Quiet>true</Quiet>");
	for (size_t i = 0; i < n; i++) {
		buf_puts(out, "<Object><Key>");
		put_escaped(out, s->prefix);
		put_escaped(out, keys[i]);
		buf_puts(out, "</Key></Object>");
	}
	buf_puts(out, "</Delete>");
	return buf_check(out, e);
}

struct answer {
	bool ours;
	char code[64], key[STORE_KEY_SIZE];
	size_t failed; /* keys that could not be deleted; code and key of the first */
	char now_code[64], now_key[STORE_KEY_SIZE];
};

static int
take_element(void *arg, const char *path, char *text, struct err *e)
{
	struct answer *a = arg;

	(void)e;
	a->ours |= strcmp(path, "DeleteResult") == 0;
	if (strcmp(path, "DeleteResult/Error/Code") == 0)
		snprintf(a->now_code, sizeof(a->now_code), "%s", text);
	else if (strcmp(path, "DeleteResult/Error/Key") == 0)
		snprintf(a->now_key, sizeof(a->now_key), "%s", text);
	else if (strcmp(path, "DeleteResult/Error") == 0) {
		if (strcmp(a->now_code, "NoSuchKey") == 0)
			return 0;
		if (a->failed++ == 0) {
			memcpy(a->code, a->now_code, sizeof(a->code));
			memcpy(a->key, a->now_key, sizeof(a->key));
		}
	}
	return 0;
}

static int
judge(const struct s3_call *c, struct err *e)
{
	struct answer a = {.ours = false};

	if (s3_xml_read(buf_str(&c->text), c->text.len, take_element, &a, e))
		return err_add(e, "delete");
	if (!a.ours)
		return err_set(e, ERR_CORRUPT, "delete: the answer is none to that");
	if (a.failed == 0)
		return 0;
	return err_set(e, strcmp(a.code, "AccessDenied") == 0 ? ERR_DENIED : ERR_REMOTE,
		"delete %.200s: %s%s", a.key, a.code, a.failed > 1 ? ", and others" : "");
}

static int
remove_batch(struct s3 *s, const char *const *keys, size_t n, struct err *e)
{
	AUTO(buf_deinit) struct buf body = {0};
	AUTO(s3_call_deinit) struct s3_call c;
	char md5[MD5_BASE64_SIZE];

	s3_call_init(&c, "delete", "POST", NULL);
	if (make_body(s, keys, n, &body, e))
		return -1;
	md5_base64(body.data, body.len, md5);
	s3_body(&c, body.data, body.len);
	c.stall_ms = BATCH_STALL_MS;
	s3_query(&c, "delete", "");
	s3_header(&c, "content-md5", md5);
	s3_header(&c, "content-type", "application/xml");
	if (s3_run(s, &c, e))
		return -1;
	s->batch = S3_CAN;
	return judge(&c, e);
}

int
s3_remove(struct store *st, const char *const *keys, size_t n, struct err *e)
{
	struct s3 *s = st->state;

	while (n > 0) {
		size_t some = n == 1 || s->batch == S3_CANNOT ? 1 : n < BATCH ? n : BATCH;

		if (some == 1 ? remove_one(s, keys[0], e) : remove_batch(s, keys, some, e)) {
			if (some == 1 || e->kind != ERR_NOTIMPL || s->batch == S3_CAN)
				return -1;
			s->batch = S3_CANNOT;
			continue;
		}
		keys += some;
		n -= some;
	}
	return 0;
}
