#include "s3_rig.h"

#define ETAG "ETag: \"" ABC_MD5 "\"\r\n"
#define META "x-amz-meta-podgres-sha256: " ABC_SHA256 "\r\n"

static void
a_put_is_one_request_on_a_kept_connection(void **state)
{
	enum store_outcome o;
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_checks(&r);
	for (int i = 0; i < 3; i++)
		rig_answer(&r, "200 OK", ETAG, "");
	rig_start(&r);
	for (int i = 0; i < 3; i++) {
		assert_good(&r, rig_put(&r, true, &o));
		assert_int_equal(o, STORE_STORED);
	}
	assert_int_equal(r.asked->n, 4);
	assert_int_equal(r.asked->connections, 1);
	assert_asked(&r, 0, "PUT /bucket/path/podgres/probe HTTP/1.1");
	assert_asked(&r, 1, "PUT /bucket/path/k HTTP/1.1");
	assert_asked(&r, 1, "if-none-match: *");
	assert_asked(&r, 1, "x-amz-content-sha256: " ABC_SHA256);
	assert_asked(&r, 1, META "authorization: ");
	assert_asked(&r, 1, "Content-Length: 3");
	assert_null(strstr(r.asked->head[1], "Expect"));
	assert_int_equal(store_stats(r.store)->requests, 4);
	assert_int_equal(store_stats(r.store)->connections, 1);
	rig_deinit(&r);
}

static void
the_same_bytes_under_the_name_are_success(void **state)
{
	enum store_outcome o;
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_checks(&r);
	rig_error(&r, "412 Precondition Failed", "PreconditionFailed");
	rig_raw(&r, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n" META "ETag: \"other\"\r\n\r\n",
		RIG_KEEP);
	/* Without our digest: MD5. */
	rig_error(&r, "409 Conflict", "ConditionalRequestConflict");
	rig_raw(&r, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n" ETAG "\r\n", RIG_KEEP);
	/* Without either: all of it is read. */
	rig_error(&r, "412 Precondition Failed", "PreconditionFailed");
	rig_raw(&r, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: \"x-1\"\r\n\r\n", RIG_KEEP);
	rig_answer(&r, "200 OK", "ETag: \"x-1\"\r\n", "abc");
	rig_start(&r);
	for (int i = 0; i < 3; i++) {
		assert_good(&r, rig_put(&r, true, &o));
		assert_int_equal(o, STORE_SAME);
	}
	assert_int_equal(r.asked->n, 8);
	rig_deinit(&r);
}

static void
an_answer_in_the_stores_place_is_found_out(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_checks(&r);
	/* Never stored. */
	rig_answer(&r, "200 OK", "ETag: \"0123456789abcdef0123456789abcdef\"\r\n", "");
	rig_raw(&r, "HTTP/1.1 404 Not Found\r\nx-amz-request-id: 1\r\nContent-Length: 0\r\n\r\n",
		RIG_KEEP);
	/* Something else is there. */
	rig_answer(&r, "200 OK", "ETag: \"0123456789abcdef0123456789abcdef\"\r\n", "");
	rig_raw(&r, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n" META "\r\n", RIG_KEEP);
	rig_start(&r);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rig_put(&r, true, NULL), -1);
		assert_int_equal(r.e.kind, ERR_REMOTE);
	}
	rig_deinit(&r);
}

static void
what_one_has_learnt_the_next_is_taught(void **state)
{
	enum store_outcome o;
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_answer(&r, "200 OK", ETAG, "");
	rig_error(&r, "412 Precondition Failed", "PreconditionFailed");
	rig_raw(&r, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n" META "\r\n", RIG_KEEP);
	rig_start_new(&r, (struct store_spec){.region = "us-east-1"});
	assert_int_equal(store_learnt(r.store), 0);
	store_teach(r.store, 0x3f); /* nonsense */
	assert_int_equal(store_learnt(r.store), 0);
	store_teach(r.store, S3_CAN | S3_CAN << 2);
	store_teach(r.store, S3_CANNOT); /* what it knows itself stays */
	assert_int_equal(store_learnt(r.store), S3_CAN | S3_CAN << 2);
	for (int i = 0; i < 2; i++)
		assert_good(&r, rig_put(&r, true, &o));
	assert_int_equal(o, STORE_SAME);
	assert_int_equal(r.asked->n, 3);
	rig_deinit(&r);
}

static void
etags_that_are_no_md5_are_confirmed_each_time(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_checks(&r);
	rig_answer(&r, "200 OK", "ETag: \"kms\"\r\n", "");
	rig_raw(&r, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n" META "ETag: \"kms\"\r\n\r\n",
		RIG_KEEP);
	rig_answer(&r, "200 OK", "ETag: \"kms2\"\r\n", "");
	rig_raw(&r, "HTTP/1.1 404 Not Found\r\nx-amz-request-id: 1\r\nContent-Length: 0\r\n\r\n",
		RIG_KEEP);
	rig_start(&r);
	assert_good(&r, rig_put(&r, true, NULL));
	assert_int_equal(rig_put(&r, true, NULL), -1); /* that one was a lie */
	assert_int_equal(r.e.kind, ERR_REMOTE);
	assert_int_equal(r.asked->n, 5);
	rig_deinit(&r);
}

/* Nor is its absence that of the file that was to be stored. */
static void
a_store_that_does_not_check_is_not_believed_either(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_answer(&r, "200 OK", "ETag: \"x\"\r\n", ""); /* the probe was taken */
	rig_answer(&r, "204 No Content", "", "");
	rig_answer(&r, "200 OK", "ETag: \"x\"\r\n", "");
	rig_error(&r, "404 Not Found", "NoSuchKey");
	rig_start(&r);
	assert_int_equal(rig_put(&r, true, NULL), -1);
	assert_int_equal(r.e.kind, ERR_REMOTE);
	assert_non_null(strstr(r.e.msg, "answered as stored"));
	rig_deinit(&r);
}

static void
other_bytes_under_the_name_are_a_conflict(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_checks(&r);
	rig_error(&r, "412 Precondition Failed", "PreconditionFailed");
	rig_raw(&r, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n" META "\r\n", RIG_KEEP);
	rig_error(&r, "412 Precondition Failed", "PreconditionFailed");
	rig_raw(&r, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: \"x\"\r\n\r\n", RIG_KEEP);
	rig_answer(&r, "200 OK", "ETag: \"x\"\r\n", "abd");
	rig_start(&r);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(rig_put(&r, true, NULL), -1);
		assert_int_equal(r.e.kind, ERR_CONFLICT);
		assert_non_null(strstr(r.e.msg, "put k: "));
	}
	rig_deinit(&r);
}

#define GONE "HTTP/1.1 404 Not Found\r\nx-amz-request-id: t\r\n\r\n"

static void
look_first(struct rig *r)
{
	rig_checks(r);
	rig_raw(r, GONE, RIG_CLOSE);
	rig_error(r, "404 Not Found", "NoSuchKey"); /* in words: it is not the bucket */
}

static void
without_conditional_writes_it_looks_first_and_remembers_that(void **state)
{
	enum store_outcome o;
	struct rig r;

	(void)state;
	rig_init(&r);
	look_first(&r);
	rig_error(&r, "501 Not Implemented", "NotImplemented");
	rig_answer(&r, "200 OK", ETAG, "");
	rig_raw(&r, GONE, RIG_CLOSE);
	rig_answer(&r, "200 OK", ETAG, "");
	rig_start_new(&r, (struct store_spec){.region = ""});
	for (int i = 0; i < 2; i++) {
		assert_good(&r, rig_put(&r, true, &o));
		assert_int_equal(o, STORE_STORED);
	}
	assert_int_equal(r.asked->n, 7);
	assert_asked(&r, 1, "HEAD /bucket/path/k");
	assert_asked(&r, 3, "if-none-match");
	assert_asked(&r, 4, "PUT /bucket/path/k");
	assert_null(strstr(r.asked->head[4], "if-none-match"));
	assert_asked(&r, 5, "HEAD /bucket/path/k");
	assert_asked(&r, 6, "PUT /bucket/path/k");
	assert_null(strstr(r.asked->head[6], "if-none-match"));
	rig_deinit(&r);
}

static void
a_store_that_ignores_conditions_is_found_out_before_it_does_harm(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	look_first(&r);
	rig_answer(&r, "200 OK", ETAG, "");
	rig_answer(&r, "200 OK", ETAG, ""); /* must have been refused */
	rig_raw(&r, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n" META "\r\n", RIG_KEEP);
	rig_start_new(&r, (struct store_spec){.region = ""});
	assert_good(&r, rig_put(&r, true, NULL));
	assert_int_equal(rig_put(&r, true, NULL), -1);
	assert_int_equal(r.e.kind, ERR_CONFLICT);
	assert_int_equal(r.asked->n, 6);
	rig_deinit(&r);
}

static void
a_store_with_conditions_is_believed_after_it_refused_once(void **state)
{
	enum store_outcome o;
	struct rig r;

	(void)state;
	rig_init(&r);
	look_first(&r);
	rig_answer(&r, "200 OK", ETAG, "");
	rig_error(&r, "412 Precondition Failed", "PreconditionFailed");
	rig_answer(&r, "200 OK", ETAG, "");
	rig_start_new(&r, (struct store_spec){.region = ""});
	for (int i = 0; i < 2; i++) {
		assert_good(&r, rig_put(&r, true, &o));
		assert_int_equal(o, STORE_STORED);
	}
	assert_int_equal(r.asked->n, 6);
	assert_asked(&r, 5, "if-none-match: *");
	rig_deinit(&r);
}

static void
a_store_that_does_not_check_is_checked_by_etag_and_damage_is_taken_away(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_answer(&r, "200 OK", "ETag: \"q\"\r\n", ""); /* takes the wrong digest */
	rig_answer(&r, "204 No Content", "", "");
	rig_answer(&r, "200 OK", ETAG, "");
	rig_answer(&r, "200 OK", "ETag: \"00000000000000000000000000000000\"\r\n", "");
	rig_answer(&r, "200 OK", "ETag: \"x\"\r\n", "abX");
	rig_answer(&r, "204 No Content", "", "");
	rig_start(&r);
	assert_good(&r, rig_put(&r, true, NULL));
	assert_int_equal(rig_put(&r, true, NULL), -1);
	assert_int_equal(r.e.kind, ERR_CORRUPT);
	assert_int_equal(r.asked->n, 6);
	assert_asked(&r, 1, "DELETE /bucket/path/podgres/probe");
	assert_asked(&r, 5, "DELETE /bucket/path/k");
	rig_deinit(&r);
}

static void
what_can_be_tried_again_is(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_checks(&r);
	rig_error(&r, "503 Service Unavailable", "SlowDown");
	rig_error(&r, "500 Internal Server Error", "InternalError");
	rig_error(&r, "200 OK", "InternalError"); /* success that is none */
	rig_raw(&r, "HTTP/1.1 200 OK\r\nContent-Le", RIG_CLOSE);
	rig_raw(&r, "", RIG_CLOSE);
	rig_answer(&r, "200 OK", ETAG, "");
	rig_start(&r);
	assert_good(&r, rig_put(&r, true, NULL));
	assert_int_equal(store_stats(r.store)->throttled, 1);
	assert_true(store_stats(r.store)->retries >= 4);
	rig_deinit(&r);
}

static void
retry_after_is_honoured(void **state)
{
	int64_t begun = clock_boot_ms();
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_checks(&r);
	rig_answer(&r, "429 Too Many", "Retry-After: 1\r\n", "");
	rig_answer(&r, "200 OK", ETAG, "");
	rig_start(&r);
	assert_good(&r, rig_put(&r, true, NULL));
	assert_true(clock_boot_ms() - begun >= 1000);
	assert_int_equal(store_stats(r.store)->throttled, 1);
	rig_deinit(&r);
}

static void
a_stalled_attempt_is_given_up_and_the_deadline_ends_all(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_checks(&r);
	rig_raw(&r, "", RIG_STALL);
	rig_answer(&r, "200 OK", ETAG, "");
	rig_raw(&r, "HTTP/1.1 200 OK\r\n", RIG_STALL);
	rig_start_with(&r, (struct store_spec){.stall_ms = 300, .total_ms = 2000});
	assert_good(&r, rig_put(&r, true, NULL));
	assert_int_equal(store_stats(r.store)->retries, 1);
	r.store = store_close(r.store);
	rig_deinit(&r);
	rig_init(&r);
	rig_checks(&r);
	rig_raw(&r, "", RIG_STALL);
	rig_start_with(&r, (struct store_spec){.total_ms = 400});
	assert_int_equal(rig_put(&r, true, NULL), -1);
	assert_int_equal(r.e.kind, ERR_TIMEOUT);
	rig_deinit(&r);
}

static bool
at_once(void *arg)
{
	return ++*(int *)arg > 3;
}

static void
whoever_waits_can_cancel(void **state)
{
	int64_t begun;
	int asked = 0;
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_checks(&r);
	rig_raw(&r, "", RIG_STALL);
	rig_start_with(&r, (struct store_spec){.cancelled = at_once, .cancelled_arg = &asked});
	begun = clock_boot_ms();
	assert_int_equal(rig_put(&r, true, NULL), -1);
	assert_int_equal(r.e.kind, ERR_TIMEOUT);
	assert_true(clock_boot_ms() - begun < 2000);
	rig_deinit(&r);
}

static void
each_answer_has_its_kind(void **state)
{
	static const struct {
		const char *status, *code;
		enum err_kind kind;
	} row[] = {
		{"403 Forbidden", "AccessDenied", ERR_DENIED},
		{"403 Forbidden", "RequestTimeTooSkewed", ERR_DENIED},
		{"403 Forbidden", "QuotaExceeded", ERR_SPACE},
		{"404 Not Found", "NoSuchBucket", ERR_CONFIG},
		{"400 Bad Request", "AuthorizationHeaderMalformed", ERR_CONFIG},
		{"400 Bad Request", "KeyTooLongError", ERR_INVALID},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		struct rig r;

		rig_init(&r);
		rig_checks(&r);
		rig_error(&r, row[i].status, row[i].code);
		rig_start(&r);
		assert_int_equal(rig_put(&r, true, NULL), -1);
		if (r.e.kind != row[i].kind)
			fail_msg("%s: %s: %s", row[i].code, err_name(r.e.kind), r.e.msg);
		assert_non_null(strstr(r.e.msg, row[i].code));
		assert_null(strstr(r.e.msg, "SECRET-VALUE"));
		assert_int_equal(r.asked->n, 2);
		rig_deinit(&r);
	}
}

static void
a_redirect_is_an_error_that_names_the_region(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_checks(&r);
	rig_answer(
		&r, "301 Moved", "x-amz-bucket-region: eu-west-3\r\nLocation: http://x/\r\n", "");
	rig_start(&r);
	assert_int_equal(rig_put(&r, true, NULL), -1);
	assert_int_equal(r.e.kind, ERR_CONFIG);
	assert_non_null(strstr(r.e.msg, "eu-west-3"));
	rig_deinit(&r);
}

static void
tags_that_the_store_cannot_do_are_named(void **state)
{
	const struct store_tag tag = {"a b", "c&d"};
	struct rig r;

	(void)state;
	rig_init(&r);
	look_first(&r);
	rig_error(&r, "501 Not Implemented", "NotImplemented"); /* condition or tags? */
	rig_error(&r, "501 Not Implemented", "NotImplemented");
	rig_start_new(&r, (struct store_spec){.tag = &tag, .tags = 1});
	assert_int_equal(rig_put(&r, true, NULL), -1);
	assert_int_equal(r.e.kind, ERR_CONFIG);
	assert_non_null(strstr(r.e.msg, "tags"));
	assert_asked(&r, 3, "x-amz-tagging: a%20b=c%26d");
	rig_deinit(&r);
}

static void
virtual_hosts_have_the_bucket_in_their_name(void **state)
{
	struct store_spec spec = {.url = "s3://buck/a/b/", .region = "eu-central-1"};
	struct err e;
	struct rig r;

	(void)state;
	rig_init(&r);
	assert_int_equal(store_open(&r.store, &spec, &e), 0);
	assert_string_equal(
		((struct s3 *)r.store->state)->base, "https://buck.s3.eu-central-1.amazonaws.com");
	assert_string_equal(((struct s3 *)r.store->state)->prefix, "a/b/");
	r.store = store_close(r.store);
	spec.endpoint = "https://minio.local:443/";
	assert_int_equal(store_open(&r.store, &spec, &e), 0);
	assert_string_equal(((struct s3 *)r.store->state)->base, "https://minio.local");
	r.store = store_close(r.store);
	spec.endpoint = "https://minio.local/path";
	assert_int_equal(store_open(&r.store, &spec, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	rig_deinit(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_put_is_one_request_on_a_kept_connection),
		cmocka_unit_test(the_same_bytes_under_the_name_are_success),
		cmocka_unit_test(an_answer_in_the_stores_place_is_found_out),
		cmocka_unit_test(what_one_has_learnt_the_next_is_taught),
		cmocka_unit_test(etags_that_are_no_md5_are_confirmed_each_time),
		cmocka_unit_test(a_store_that_does_not_check_is_not_believed_either),
		cmocka_unit_test(other_bytes_under_the_name_are_a_conflict),
		cmocka_unit_test(without_conditional_writes_it_looks_first_and_remembers_that),
		cmocka_unit_test(a_store_that_ignores_conditions_is_found_out_before_it_does_harm),
		cmocka_unit_test(a_store_with_conditions_is_believed_after_it_refused_once),
		cmocka_unit_test(
			a_store_that_does_not_check_is_checked_by_etag_and_damage_is_taken_away),
		cmocka_unit_test(what_can_be_tried_again_is),
		cmocka_unit_test(retry_after_is_honoured),
		cmocka_unit_test(a_stalled_attempt_is_given_up_and_the_deadline_ends_all),
		cmocka_unit_test(whoever_waits_can_cancel),
		cmocka_unit_test(each_answer_has_its_kind),
		cmocka_unit_test(a_redirect_is_an_error_that_names_the_region),
		cmocka_unit_test(tags_that_the_store_cannot_do_are_named),
		cmocka_unit_test(virtual_hosts_have_the_bucket_in_their_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
