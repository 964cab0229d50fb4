#include "s3_rig.h"

#define SHA_0_9 "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882"
#define HEADS "x-amz-request-id: t\r\nETag: \"e\"\r\nx-amz-meta-podgres-sha256: " SHA_0_9 "\r\n"
#define WHOLE "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n" HEADS
#define PART "HTTP/1.1 206 Partial Content\r\n" HEADS

static int
to_buf(void *arg, const void *p, size_t n, struct err *e)
{
	buf_put(arg, p, n);
	return buf_check(arg, e);
}

static int
get(struct rig *r, struct buf *out, int64_t from, int64_t len)
{
	struct store_get g = {.key = "k", .from = from, .len = len, .sink = to_buf, .arg = out};

	buf_reset(out);
	return store_get(r->store, &g, NULL, &r->e);
}

static void
a_broken_transfer_goes_on_where_it_broke(void **state)
{
	struct buf out = {0};
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_raw(&r, WHOLE "\r\n0123", RIG_CLOSE);
	rig_raw(&r, PART "Content-Length: 6\r\nContent-Range: bytes 4-9/10\r\n\r\n45", RIG_CLOSE);
	rig_raw(&r, WHOLE "\r\n0123456789", RIG_KEEP); /* takes no ranges */
	rig_start(&r);
	assert_good(&r, get(&r, &out, 0, 0));
	assert_string_equal(buf_str(&out), "0123456789");
	assert_null(strstr(r.asked->head[0], "range:"));
	assert_asked(&r, 1, "range: bytes=4-");
	assert_asked(&r, 1, "if-match: \"e\"");
	assert_asked(&r, 2, "range: bytes=6-");
	assert_int_equal(r.asked->connections, 3);
	buf_deinit(&out);
	rig_deinit(&r);
}

static void
an_object_that_was_replaced_meanwhile_is_not_mixed_with_the_old_one(void **state)
{
	struct buf out = {0};
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_raw(&r, WHOLE "\r\n0123", RIG_CLOSE);
	rig_raw(&r,
		"HTTP/1.1 206 P\r\nContent-Length: 6\r\nETag: \"f\"\r\nContent-Range: bytes 4-9/10"
		"\r\n\r\n456789",
		RIG_KEEP);
	rig_raw(&r, WHOLE "\r\n0123", RIG_CLOSE);
	rig_error(&r, "412 Precondition Failed", "PreconditionFailed");
	rig_start(&r);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(get(&r, &out, 0, 0), -1);
		assert_int_equal(r.e.kind, ERR_CORRUPT);
	}
	assert_int_equal(r.asked->n, 4);
	buf_deinit(&out);
	rig_deinit(&r);
}

static void
wrong_bytes_are_found_by_their_digest(void **state)
{
	struct buf out = {0};
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_raw(&r, WHOLE "\r\n0123X56789", RIG_KEEP);
	rig_start(&r);
	assert_int_equal(get(&r, &out, 0, 0), -1);
	assert_int_equal(r.e.kind, ERR_CORRUPT);
	assert_non_null(strstr(r.e.msg, "get k: "));
	buf_deinit(&out);
	rig_deinit(&r);
}

static void
a_range_is_what_was_asked_for_even_from_a_server_without_ranges(void **state)
{
	struct buf out = {0};
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_raw(&r, PART "Content-Length: 3\r\nContent-Range: bytes 2-4/10\r\n\r\n234", RIG_KEEP);
	rig_raw(&r, WHOLE "\r\n0123456789", RIG_KEEP);
	rig_raw(&r, PART "Content-Length: 2\r\nContent-Range: bytes 8-9/10\r\n\r\n89", RIG_KEEP);
	rig_error(&r, "416 Range", "InvalidRange");
	rig_start(&r);
	assert_good(&r, get(&r, &out, 2, 3));
	assert_string_equal(buf_str(&out), "234");
	assert_asked(&r, 0, "range: bytes=2-4");
	assert_good(&r, get(&r, &out, 2, 3));
	assert_string_equal(buf_str(&out), "234");
	assert_good(&r, get(&r, &out, 8, 100)); /* to the end */
	assert_string_equal(buf_str(&out), "89");
	assert_int_equal(get(&r, &out, 10, 0), -1);
	assert_int_equal(r.e.kind, ERR_INVALID);
	buf_deinit(&out);
	rig_deinit(&r);
}

static void
an_empty_object_is_read_whole(void **state)
{
	struct buf out = {0};
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_answer(&r, "200 OK", "ETag: \"e\"\r\n", "");
	rig_start(&r);
	assert_good(&r, get(&r, &out, 0, 0));
	assert_int_equal(out.len, 0);
	buf_deinit(&out);
	rig_deinit(&r);
}

static void
only_the_store_itself_can_say_that_something_is_missing(void **state)
{
	struct buf out = {0};
	struct store_object o;
	struct rig r;

	(void)state;
	rig_init(&r);
	for (int i = 0; i < 3; i++)
		rig_raw(&r, "HTTP/1.1 404 Not Found\r\nContent-Length: 12\r\n\r\n<html></html",
			RIG_KEEP);
	rig_error(&r, "404 Not Found", "NoSuchBucket");
	rig_raw(&r, "HTTP/1.1 404 Not Found\r\nx-amz-request-id: t\r\n\r\n", RIG_CLOSE);
	rig_error(&r, "404 Not Found", "NoSuchBucket"); /* what HEAD cannot say */
	for (int i = 0; i < 3; i++)
		rig_raw(&r, "HTTP/1.1 404 Not Found\r\n\r\n", RIG_CLOSE);
	rig_error(&r, "404 Not Found", "NoSuchKey");
	rig_raw(&r, "HTTP/1.1 404 Not Found\r\nx-amz-request-id: t\r\n\r\n", RIG_CLOSE);
	rig_start(&r);
	assert_int_equal(get(&r, &out, 0, 0), -1);
	assert_int_equal(r.e.kind, ERR_REMOTE);
	assert_int_equal(get(&r, &out, 0, 0), -1);
	assert_int_equal(r.e.kind, ERR_CONFIG);
	assert_int_equal(store_head(r.store, "k", &o, &r.e), -1);
	assert_int_equal(r.e.kind, ERR_CONFIG);
	assert_int_equal(store_head(r.store, "k", &o, &r.e), -1);
	assert_int_equal(r.e.kind, ERR_REMOTE);
	assert_int_equal(get(&r, &out, 0, 0), -1);
	assert_int_equal(r.e.kind, ERR_NOTFOUND);
	assert_int_equal(store_head(r.store, "k", &o, &r.e), -1);
	assert_int_equal(r.e.kind, ERR_NOTFOUND);
	assert_int_equal(r.asked->n, 11);
	buf_deinit(&out);
	rig_deinit(&r);
}

static void
what_a_head_cannot_say_a_get_is_asked_for(void **state)
{
	struct store_object o;
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_raw(&r, "HTTP/1.1 400 Bad Request\r\nx-amz-request-id: t\r\n\r\n", RIG_CLOSE);
	rig_answer(&r, "400 Bad Request", "",
		"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region></"
		"Error>");
	rig_start(&r);
	assert_int_equal(store_head(r.store, "k", &o, &r.e), -1);
	assert_int_equal(r.e.kind, ERR_CONFIG);
	assert_non_null(strstr(r.e.msg, "head k: "));
	assert_non_null(strstr(r.e.msg, "eu-west-3"));
	rig_deinit(&r);
}

static int
refuse(void *arg, const void *p, size_t n, struct err *e)
{
	(void)arg, (void)p, (void)n;
	return err_set(e, ERR_SPACE, "no room");
}

static void
a_sink_that_fails_ends_the_call_with_its_error(void **state)
{
	struct store_get g = {.key = "k", .sink = refuse};
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_raw(&r, WHOLE "\r\n0123456789", RIG_KEEP);
	rig_start(&r);
	assert_int_equal(store_get(r.store, &g, NULL, &r.e), -1);
	assert_int_equal(r.e.kind, ERR_SPACE);
	assert_int_equal(r.asked->n, 1);
	rig_deinit(&r);
}

static void
a_kept_connection_that_died_costs_no_attempt(void **state)
{
	struct store_object o;
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_raw(&r, WHOLE "\r\n", RIG_KEEP);
	rig_raw(&r, "", RIG_CLOSE);
	rig_raw(&r, WHOLE "\r\n", RIG_KEEP);
	rig_start_with(&r, (struct store_spec){.attempts = 1});
	assert_good(&r, store_head(r.store, "k", &o, &r.e));
	assert_int_equal(o.bytes, 10);
	assert_string_equal(o.etag, "e");
	assert_string_equal(o.sha256, SHA_0_9);
	assert_good(&r, store_head(r.store, "k", &o, &r.e));
	assert_int_equal(r.asked->connections, 2);
	rig_deinit(&r);
}

/* ---- lists and deletion ---- */

#define LIST "<?xml version=\"1.0\"?><ListBucketResult>"

static int
note(void *arg, const struct store_object *o, struct err *e)
{
	buf_printf(arg, "%s:%lld ", o->key, (long long)o->bytes);
	return buf_check(arg, e);
}

static int
list(struct rig *r, struct buf *out, bool folders)
{
	struct store_list l = {
		.prefix = "srv/", .after = "srv/a", .folders = folders, .each = note, .arg = out};

	buf_reset(out);
	return store_list(r->store, &l, &r->e);
}

static void
lists_are_read_page_by_page_in_order(void **state)
{
	struct buf out = {0};
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_answer(&r, "200 OK", "",
		LIST
		"<IsTruncated>true</IsTruncated><NextContinuationToken>t/1=</NextContinuationToken>"
		"<Contents><Key>path%2Fsrv%2Fb%20%C3%A9</Key><Size>5</Size></Contents>"
		"<Contents><Key>path/srv/d</Key><Size>7000000000</Size></Contents>"
		"<CommonPrefixes><Prefix>path/srv/c%2F</Prefix></CommonPrefixes></"
		"ListBucketResult>");
	rig_answer(&r, "200 OK", "", LIST "<IsTruncated>false</IsTruncated></ListBucketResult>");
	rig_start(&r);
	assert_good(&r, list(&r, &out, true));
	assert_string_equal(buf_str(&out), "srv/b \303\251:5 srv/c/:-1 srv/d:7000000000 ");
	assert_asked(&r, 0,
		"GET /bucket?delimiter=%2F&encoding-type=url&list-type=2&max-keys=1000&"
		"prefix=path%2Fsrv%2F&start-after=path%2Fsrv%2Fa HTTP/1.1");
	assert_asked(&r, 1, "continuation-token=t%2F1%3D&");
	buf_deinit(&out);
	rig_deinit(&r);
}

static void
what_is_no_list_is_never_an_empty_one(void **state)
{
	static const char *const page[] = {"<html/>", LIST "</ListBucketResult", "",
		LIST "<IsTruncated>true</IsTruncated></ListBucketResult>",
		LIST "<Contents><Key>elsewhere/x</Key></Contents></ListBucketResult>"};

	(void)state;
	for (size_t i = 0; i < sizeof(page) / sizeof(page[0]); i++) {
		struct buf out = {0};
		struct rig r;

		rig_init(&r);
		for (int j = 0; j < 3; j++)
			rig_answer(&r, "200 OK", "", page[i]);
		rig_start(&r);
		assert_int_equal(list(&r, &out, false), -1);
		assert_int_equal(r.e.kind, ERR_CORRUPT);
		assert_int_equal(r.asked->n, 3);
		buf_deinit(&out);
		rig_deinit(&r);
	}
}

static void
many_are_deleted_at_once_and_each_refusal_shows(void **state)
{
	static const char *const keys[] = {"a", "b&<", "c"};
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_answer(&r, "200 OK", "",
		"<DeleteResult><Error><Key>path/a</Key><Code>NoSuchKey</Code></Error></"
		"DeleteResult>");
	rig_answer(&r, "200 OK", "",
		"<DeleteResult><Error><Key>path/c</Key><Code>AccessDenied</Code></Error>"
		"</DeleteResult>");
	rig_answer(&r, "204 No Content", "", "");
	rig_start(&r);
	assert_good(&r, store_delete(r.store, keys, 3, &r.e));
	assert_asked(&r, 0, "POST /bucket?delete= HTTP/1.1");
	assert_asked(&r, 0, "content-md5: ");
	assert_int_equal(store_delete(r.store, keys, 3, &r.e), -1);
	assert_int_equal(r.e.kind, ERR_DENIED);
	assert_non_null(strstr(r.e.msg, "path/c"));
	assert_good(&r, store_delete(r.store, keys, 1, &r.e));
	assert_asked(&r, 2, "DELETE /bucket/path/a HTTP/1.1");
	rig_deinit(&r);
}

static void
a_store_without_batches_deletes_one_by_one(void **state)
{
	static const char *const keys[] = {"a", "b"};
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_error(&r, "501 Not Implemented", "NotImplemented");
	for (int i = 0; i < 4; i++)
		rig_answer(&r, "204 No Content", "", "");
	rig_start(&r);
	for (int i = 0; i < 2; i++)
		assert_good(&r, store_delete(r.store, keys, 2, &r.e));
	assert_int_equal(r.asked->n, 5);
	rig_deinit(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_broken_transfer_goes_on_where_it_broke),
		cmocka_unit_test(
			an_object_that_was_replaced_meanwhile_is_not_mixed_with_the_old_one),
		cmocka_unit_test(wrong_bytes_are_found_by_their_digest),
		cmocka_unit_test(a_range_is_what_was_asked_for_even_from_a_server_without_ranges),
		cmocka_unit_test(an_empty_object_is_read_whole),
		cmocka_unit_test(only_the_store_itself_can_say_that_something_is_missing),
		cmocka_unit_test(what_a_head_cannot_say_a_get_is_asked_for),
		cmocka_unit_test(a_sink_that_fails_ends_the_call_with_its_error),
		cmocka_unit_test(a_kept_connection_that_died_costs_no_attempt),
		cmocka_unit_test(lists_are_read_page_by_page_in_order),
		cmocka_unit_test(what_is_no_list_is_never_an_empty_one),
		cmocka_unit_test(many_are_deleted_at_once_and_each_refusal_shows),
		cmocka_unit_test(a_store_without_batches_deletes_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
