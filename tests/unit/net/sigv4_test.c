#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/sigv4.h"

#define NOW_US INT64_C(1795162530000000) /* 2026-11-20T08:15:30Z */

struct vector {
	const char *method, *host, *path;
	struct sigv4_pair query[8];
	size_t queries;
	struct sigv4_pair header[4];
	size_t headers;
	const char *payload, *token, *authorization;
};

#include "sigv4_vectors.h"

static const char *
line_of(const struct buf *lines, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < lines->len; i += strlen(lines->data + i) + 1)
		if (strncmp(lines->data + i, name, n) == 0 && lines->data[i + n] == ':')
			return lines->data + i + n + 2;
	return "";
}

static struct sigv4_request
request_of(const struct vector *v, struct sigv4_key *key)
{
	*key = (struct sigv4_key){"AKIDEXAMPLE", "secret/with+signs", v->token};
	return (struct sigv4_request){
		.method = v->method,
		.host = v->host,
		.path = v->path,
		.query = v->query,
		.queries = v->queries,
		.header = v->header,
		.headers = v->headers,
		.payload_sha256 = v->payload,
		.region = "eu-central-1",
		.service = "s3",
		.key = key,
		.now_us = NOW_US,
	};
}

static void
signatures_are_those_of_botocore(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct sigv4_key key;
		struct sigv4_request r = request_of(&vectors[i], &key);
		struct buf lines = {0};
		struct err e;

		assert_int_equal(sigv4_sign(&lines, &r, &e), 0);
		assert_string_equal(line_of(&lines, "authorization"), vectors[i].authorization);
		assert_string_equal(line_of(&lines, "x-amz-date"), "20261120T081530Z");
		assert_string_equal(line_of(&lines, "host"), vectors[i].host);
		assert_string_equal(line_of(&lines, "x-amz-security-token"), vectors[i].token);
		buf_deinit(&lines);
	}
}

static void
a_line_break_in_a_header_is_refused_not_sent(void **state)
{
	struct sigv4_pair bad = {"x-amz-tagging", "a=b\r\nx: y"};
	struct vector v = vectors[0];
	struct sigv4_key key;
	struct sigv4_request r = request_of(&v, &key);
	struct buf lines = {0};
	struct err e;

	(void)state;
	r.header = &bad;
	r.headers = 1;
	assert_int_equal(sigv4_sign(&lines, &r, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	buf_deinit(&lines);
}

static void
a_query_is_sorted_as_it_is_signed(void **state)
{
	const struct sigv4_pair q[] = {{"b", ""}, {"a", "2"}, {"a", "1 /~"}, {"a+", "3"}};
	struct buf b = {0};

	(void)state;
	sigv4_query(&b, q, 4);
	assert_string_equal(buf_str(&b), "a=1%20%2F~&a=2&a%2B=3&b=");
	buf_deinit(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signatures_are_those_of_botocore),
		cmocka_unit_test(a_line_break_in_a_header_is_refused_not_sent),
		cmocka_unit_test(a_query_is_sorted_as_it_is_signed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
