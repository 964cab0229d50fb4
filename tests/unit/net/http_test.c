#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/http.h"

static void
line(struct http_answer *a, const char *text)
{
	http_answer_line(a, text, strlen(text));
}

static void
the_head_of_an_answer_is_read(void **state)
{
	struct http_answer a = {.content_length = -1};

	(void)state;
	line(&a, "HTTP/1.1 100 Continue\r\n");
	line(&a, "ETag: \"of another answer\"\r\n");
	line(&a, "HTTP/1.1 206 Partial Content\r\n");
	line(&a, "content-LENGTH:  12 \r\n");
	line(&a, "Content-Range: bytes 1-12/99\r\n");
	line(&a, "X-Amz-Request-Id: tx\r\n");
	line(&a, "no colon\r\n");
	line(&a, "\r\n");
	assert_int_equal(a.status, 206);
	assert_int_equal(a.content_length, 12);
	assert_string_equal(a.content_range, "bytes 1-12/99");
	assert_string_equal(a.amz_request_id, "tx");
	assert_string_equal(a.etag, "");
}

static void
what_is_no_value_is_as_if_it_had_not_come(void **state)
{
	struct http_answer a = {.content_length = -1};
	char big[400] = "ETag: ";

	(void)state;
	memset(big + 6, 'x', sizeof(big) - 7);
	line(&a, "HTTP/1.1 200 OK");
	line(&a, "Content-Length: 12a");
	line(&a, big);
	line(&a, "Retry-After: 1\x01");
	assert_int_equal(a.content_length, -1);
	assert_string_equal(a.etag, "");
	assert_string_equal(a.retry_after, "");
}

static void
dates_are_counted_in_microseconds(void **state)
{
	(void)state;
	assert_int_equal(http_date("Fri, 20 Nov 2026 08:15:30 GMT"), INT64_C(1795162530000000));
	assert_int_equal(http_date("Thu, 29 Feb 2024 23:59:59 GMT"), INT64_C(1709251199000000));
	assert_int_equal(http_date("120"), 0);
	assert_int_equal(http_date("Fri, 20 Xxx 2026 08:15:30 GMT"), 0);
	assert_int_equal(http_iso_date("2026-11-20T08:15:30.25Z"), INT64_C(1795162530250000));
	assert_int_equal(http_iso_date("2026-11-20T08:15:30Z"), INT64_C(1795162530000000));
	assert_int_equal(http_iso_date("yesterday"), 0);
}

static void
nobody_listening_is_the_other_side_s_failure(void **state)
{
	struct http_config config = {.ca_file = "", .connect_ms = 2000, .stall_ms = 2000};
	struct http_request r = {.method = "GET", .url = "http://127.0.0.1:1/"};
	struct http_call *c;
	struct http *h;
	struct err e;

	(void)state;
	assert_int_equal(http_open(&h, &config, &e), 0);
	assert_int_equal(http_begin(h, &r, &c, &e), 0);
	assert_int_equal(http_wait(c, clock_boot_ms() + 5000, &e), -1);
	assert_int_equal(e.kind, ERR_REMOTE);
	assert_int_equal(http_answer(c)->status, 0);
	http_end(c);
	http_close(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_head_of_an_answer_is_read),
		cmocka_unit_test(what_is_no_value_is_as_if_it_had_not_come),
		cmocka_unit_test(dates_are_counted_in_microseconds),
		cmocka_unit_test(nobody_listening_is_the_other_side_s_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
