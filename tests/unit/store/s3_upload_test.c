#include "s3_rig.h"

#define MIB ((size_t)1 << 20)
#define BEGUN \
	"<InitiateMultipartUploadResult><UploadId>2~id</UploadId></InitiateMultipartUploadResult>"
#define DONE "<CompleteMultipartUploadResult><ETag/></CompleteMultipartUploadResult>"
#define GONE "HTTP/1.1 404 Not Found\r\nx-amz-request-id: t\r\n\r\n"
#define ETAG(n) "ETag: \"" n "\"\r\n"

static struct store_upload *
open_upload(struct rig *r, bool create)
{
	struct store_upload_spec spec = {.key = "base/data.tar", .create = create};
	struct store_upload *u;

	assert_good(r, store_upload_open(r->store, &spec, &u, &r->e));
	return u;
}

/* Pieces that do not divide a part. */
static int
write_mib(struct rig *r, struct store_upload *u, size_t mib)
{
	static char piece[300000];

	for (size_t left = mib * MIB; left > 0;) {
		size_t n = left < sizeof(piece) ? left : sizeof(piece);

		if (store_upload_write(u, piece, n, &r->e))
			return -1;
		left -= n;
	}
	return 0;
}

static void
three_parts(struct rig *r)
{
	rig_checks(r);
	rig_answer(r, "200 OK", "", BEGUN);
	rig_answer(r, "200 OK", ETAG("p1"), "");
	rig_answer(r, "200 OK", ETAG("p2"), "");
	rig_answer(r, "200 OK", ETAG("p3"), "");
}

static void
size_answer(struct rig *r, size_t bytes, const char *etag)
{
	char text[256];

	snprintf(text, sizeof(text),
		"HTTP/1.1 200 OK\r\nx-amz-request-id: t\r\nContent-Length: %zu\r\nETag: "
		"\"%s\"\r\n\r\n",
		bytes, etag);
	rig_raw(r, text, RIG_KEEP);
}

static void
an_upload_is_sent_in_parts_and_looked_at_afterwards(void **state)
{
	struct store_upload_result res;
	struct store_upload *u;
	struct rig r;

	(void)state;
	rig_init(&r);
	three_parts(&r);
	rig_raw(&r, GONE, RIG_CLOSE); /* nothing stands there */
	rig_answer(&r, "200 OK", "", DONE);
	size_answer(&r, 20 * MIB, "x-3");
	rig_start(&r);
	u = open_upload(&r, true);
	assert_good(&r, write_mib(&r, u, 20));
	assert_good(&r, store_upload_finish(u, &res, &r.e));
	assert_int_equal(res.bytes, 20 * MIB);
	assert_int_equal(res.parts, 3);
	assert_string_equal(
		res.sha256, "cd52d81e25f372e6fa4db2c0dfceb59862c1969cab17096da352b34950c973cc");
	store_upload_close(u);
	assert_asked(&r, 1, "POST /bucket/path/base/data.tar?uploads= HTTP/1.1");
	assert_asked(&r, 2, "PUT /bucket/path/base/data.tar?partNumber=1&uploadId=2~id HTTP/1.1");
	assert_int_equal(r.asked->body[2], 8 * MIB);
	assert_int_equal(r.asked->body[3], 8 * MIB);
	assert_int_equal(r.asked->body[4], 4 * MIB);
	assert_asked(&r, 6, "POST /bucket/path/base/data.tar?uploadId=2~id HTTP/1.1");
	assert_asked(&r, 6, "if-none-match: *");
	assert_int_equal(r.asked->n, 8);
	rig_deinit(&r);
}

static void
one_part_is_a_plain_put(void **state)
{
	struct store_upload_result res;
	struct store_upload *u;
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_checks(&r);
	rig_answer(&r, "200 OK", ETAG("96995b58d4cbf6aaa9041b4f00c7f6ae"), "");
	rig_start(&r);
	u = open_upload(&r, true);
	assert_good(&r, write_mib(&r, u, 8));
	assert_good(&r, store_upload_finish(u, &res, &r.e));
	assert_int_equal(res.parts, 1);
	store_upload_close(u);
	assert_asked(&r, 1, "PUT /bucket/path/base/data.tar HTTP/1.1");
	assert_asked(&r, 1, "if-none-match: *");
	assert_int_equal(r.asked->n, 2);
	rig_deinit(&r);
}

static void
one_that_is_given_up_is_aborted(void **state)
{
	struct store_upload *u;
	struct rig r;

	(void)state;
	rig_init(&r);
	three_parts(&r);
	free(r.step[--r.steps].answer); /* two parts are asked for, one of them is under way */
	rig_answer(&r, "204 No Content", "", "");
	rig_start(&r);
	u = open_upload(&r, false);
	assert_good(&r, write_mib(&r, u, 20));
	store_upload_close(u);
	assert_asked(&r, r.asked->n - 1, "DELETE /bucket/path/base/data.tar?uploadId=2~id");
	rig_deinit(&r);
}

static void
a_part_is_sent_again_and_one_that_fails_for_good_ends_it(void **state)
{
	struct store_upload *u;
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_checks(&r);
	rig_answer(&r, "200 OK", "", BEGUN);
	rig_error(&r, "503 Slow", "SlowDown");
	rig_answer(&r, "200 OK", ETAG("p1"), "");
	rig_error(&r, "403 Forbidden", "QuotaExceeded");
	rig_answer(&r, "204 No Content", "", "");
	rig_start(&r);
	u = open_upload(&r, false);
	assert_int_equal(write_mib(&r, u, 40), -1);
	assert_int_equal(r.e.kind, ERR_SPACE);
	assert_int_equal(write_mib(&r, u, 1), -1);
	assert_int_equal(r.e.kind, ERR_STATE);
	store_upload_close(u);
	assert_asked(&r, 5, "DELETE ");
	rig_deinit(&r);
}

static void
an_error_in_a_200_to_the_end_is_looked_into(void **state)
{
	struct store_upload *u;
	struct rig r;

	(void)state;
	rig_init(&r);
	three_parts(&r);
	rig_error(&r, "200 OK", "InternalError"); /* not done: asked again */
	rig_raw(&r, GONE, RIG_CLOSE);
	rig_error(&r, "200 OK", "InternalError"); /* done after all */
	size_answer(&r, 20 * MIB, "x-3");
	size_answer(&r, 20 * MIB, "x-3");
	rig_start(&r);
	u = open_upload(&r, false);
	assert_good(&r, write_mib(&r, u, 20));
	assert_good(&r, store_upload_finish(u, NULL, &r.e));
	store_upload_close(u);
	assert_int_equal(r.asked->n, 10);
	rig_deinit(&r);
}

static void
something_else_under_the_name_is_not_replaced(void **state)
{
	struct store_upload *u;
	struct rig r;

	(void)state;
	rig_init(&r);
	three_parts(&r);
	rig_raw(&r, GONE, RIG_CLOSE);
	rig_error(&r, "412 Precondition Failed", "PreconditionFailed"); /* it came meanwhile */
	size_answer(&r, 5, "x");
	rig_answer(&r, "204 No Content", "", "");
	rig_start(&r);
	u = open_upload(&r, true);
	assert_good(&r, write_mib(&r, u, 20));
	assert_int_equal(store_upload_finish(u, NULL, &r.e), -1);
	assert_int_equal(r.e.kind, ERR_CONFLICT);
	store_upload_close(u);
	assert_asked(&r, 8, "DELETE ");
	rig_deinit(&r);
}

static void
somebody_elses_object_of_our_size_is_not_ours(void **state)
{
	struct store_upload *u;
	struct rig r;

	(void)state;
	rig_init(&r);
	three_parts(&r);
	rig_raw(&r, GONE, RIG_CLOSE);
	rig_error(&r, "412 Precondition Failed", "PreconditionFailed"); /* it came meanwhile */
	size_answer(&r, 20 * MIB, "x-3");
	rig_answer(&r, "200 OK", ETAG("x-3"), "theirs");
	rig_answer(&r, "204 No Content", "", "");
	rig_start(&r);
	u = open_upload(&r, true);
	assert_good(&r, write_mib(&r, u, 20));
	assert_int_equal(store_upload_finish(u, NULL, &r.e), -1);
	assert_int_equal(r.e.kind, ERR_CONFLICT);
	store_upload_close(u);
	assert_asked(&r, 9, "DELETE ");
	rig_deinit(&r);
}

static void
a_size_that_is_wrong_afterwards_is_corrupt(void **state)
{
	struct store_upload *u;
	struct rig r;

	(void)state;
	rig_init(&r);
	three_parts(&r);
	rig_answer(&r, "200 OK", "", DONE);
	size_answer(&r, 20 * MIB - 1, "x-3");
	rig_start(&r);
	u = open_upload(&r, false);
	assert_good(&r, write_mib(&r, u, 20));
	assert_int_equal(store_upload_finish(u, NULL, &r.e), -1);
	assert_int_equal(r.e.kind, ERR_CORRUPT);
	store_upload_close(u);
	rig_deinit(&r);
}

static void
what_does_not_fit_is_refused_before_it_begins(void **state)
{
	struct store_upload_spec spec = {
		.key = "k", .expected_bytes = (int64_t)1 << 50, .max_bytes = 16 << 20};
	struct store_upload *u;
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_checks(&r);
	rig_checks(&r);
	rig_start(&r);
	assert_int_equal(store_upload_open(r.store, &spec, &u, &r.e), -1);
	assert_int_equal(r.e.kind, ERR_CONFIG);
	spec.max_bytes = 1 << 20;
	assert_int_equal(store_upload_open(r.store, &spec, &u, &r.e), -1);
	assert_int_equal(r.e.kind, ERR_INVALID);
	rig_deinit(&r);
}

static void
uploads_that_were_left_behind_are_aborted_when_they_are_old(void **state)
{
	int count;
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_answer(&r, "200 OK", "",
		"<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>"
		"<Upload><Key>path/base/a%20b</Key><UploadId>one</UploadId>"
		"<Initiated>2026-11-20T08:15:30.000Z</Initiated></Upload>"
		"<Upload><Key>path/base/c</Key><UploadId>two</UploadId>"
		"<Initiated>2026-11-20T09:00:00.000Z</Initiated></Upload>"
		"<Upload><Key>other/base/c</Key><UploadId>three</UploadId>"
		"<Initiated>2020-11-20T09:00:00.000Z</Initiated></Upload>"
		"</ListMultipartUploadsResult>");
	rig_answer(&r, "204 No Content", "", "");
	rig_start(&r);
	assert_good(
		&r, store_upload_sweep(r.store, "base/", INT64_C(1795162531000000), &count, &r.e));
	assert_int_equal(count, 1);
	assert_asked(&r, 0,
		"GET /bucket?encoding-type=url&max-uploads=1000&prefix=path%2Fbase%2F&uploads= ");
	assert_asked(&r, 1, "DELETE /bucket/path/base/a%20b?uploadId=one ");
	rig_deinit(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_upload_is_sent_in_parts_and_looked_at_afterwards),
		cmocka_unit_test(one_part_is_a_plain_put),
		cmocka_unit_test(one_that_is_given_up_is_aborted),
		cmocka_unit_test(a_part_is_sent_again_and_one_that_fails_for_good_ends_it),
		cmocka_unit_test(an_error_in_a_200_to_the_end_is_looked_into),
		cmocka_unit_test(something_else_under_the_name_is_not_replaced),
		cmocka_unit_test(somebody_elses_object_of_our_size_is_not_ours),
		cmocka_unit_test(a_size_that_is_wrong_afterwards_is_corrupt),
		cmocka_unit_test(what_does_not_fit_is_refused_before_it_begins),
		cmocka_unit_test(uploads_that_were_left_behind_are_aborted_when_they_are_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
