#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/md5.h"

/* RFC 1321, A.5. */
static void
md5_gives_the_published_digests(void **state)
{
	static const struct {
		const char *text, *want;
	} row[] = {
		{"", "d41d8cd98f00b204e9800998ecf8427e"},
		{"a", "0cc175b9c0f1b6a831c399e269772661"},
		{"abc", "900150983cd24fb0d6963f7d28e17f72"},
		{"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
		{"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
			"57edf4a22be3c955ac49da2e2107b67a"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		char hex[MD5_HEX_SIZE];

		md5_hex(row[i].text, strlen(row[i].text), hex);
		assert_string_equal(hex, row[i].want);
	}
}

static void
md5_does_not_depend_on_where_the_input_is_cut(void **state)
{
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)i;
	for (size_t n = 50; n < sizeof(text); n++) {
		char one[MD5_HEX_SIZE], two[MD5_HEX_SIZE];
		unsigned char raw[MD5_SIZE];
		struct md5 m;

		md5_hex(text, n, one);
		md5_init(&m);
		md5_put(&m, text, n / 3);
		md5_put(&m, text + n / 3, n - n / 3);
		md5_end(&m, raw);
		assert_string_equal(one, hash_hex(two, raw, sizeof(raw)));
	}
}

/* RFC 1864 has the header's form; the value is openssl's. */
static void
content_md5_is_the_digest_in_base64(void **state)
{
	char out[MD5_BASE64_SIZE];

	(void)state;
	md5_base64("abc", 3, out);
	assert_string_equal(out, "kAFQmDzST7DWlj99KOF/cg==");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(md5_gives_the_published_digests),
		cmocka_unit_test(md5_does_not_depend_on_where_the_input_is_cut),
		cmocka_unit_test(content_md5_is_the_digest_in_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
