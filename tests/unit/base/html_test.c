#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/html.h"
#include "base/json.h"

#define GONE "\xef\xbf\xbd"

static void
expect(const char *in, size_t n, const char *out)
{
	AUTO(buf_deinit) struct buf b = {0};

	html_putn(&b, in, n);
	assert_string_equal(buf_str(&b), out);
	assert_int_equal(b.len, strlen(out));
}

#define EXPECT(in, out) expect(in, sizeof(in) - 1, out)

static void
what_means_something_to_html_becomes_text(void **state)
{
	(void)state;
	EXPECT("", "");
	EXPECT("plain", "plain");
	EXPECT("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;");
	EXPECT("\" onload='x' &amp;", "&quot; onload=&#39;x&#39; &amp;amp;");
	EXPECT("a\tb\nc", "a\tb\nc");
	EXPECT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x98", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x98");
}

static void
what_is_no_text_is_replaced_byte_by_byte(void **state)
{
	(void)state;
	EXPECT("a\0b", "a" GONE "b");
	EXPECT("\x1b[31m\r\x7f", GONE "[31m" GONE GONE);
	EXPECT("\xff\xfe<", GONE GONE "&lt;");
	EXPECT("\xe2\x82", GONE GONE);
	EXPECT("\xe2<", GONE "&lt;");
	EXPECT("\xc0\xbc", GONE GONE);          /* an overlong "<" */
	EXPECT("\xed\xa0\x80", GONE GONE GONE); /* a surrogate */
	EXPECT("\xc2\x85", GONE);               /* a control character of Latin-1 */
	EXPECT("\xef\xbf\xbe\xef\xb7\x90", GONE GONE);
	EXPECT("\xe2\x80\xae"
	       "gpj.exe",
		GONE "gpj.exe"); /* right to left */
	EXPECT("\xe2\x81\xa7", GONE);
}

/* Each byte, and each pair of bytes. */
static void
whatever_goes_in_comes_out_as_utf8_without_markup(void **state)
{
	AUTO(buf_deinit) struct buf b = {0};

	(void)state;
	for (int i = 0; i < 65536; i++) {
		char in[2] = {(char)(i >> 8), (char)(i & 255)};

		buf_reset(&b);
		html_putn(&b, in, 2);
		assert_null(strpbrk(buf_str(&b), "<>\"'\r\x1b"));
		assert_int_equal(strlen(buf_str(&b)), b.len);
		for (size_t at = 0, n; at < b.len; at += n) {
			n = json_utf8_len(b.data + at, b.len - at);
			assert_true(n > 0);
		}
	}
}

static void
base64_pads_every_length(void **state)
{
	static const char *const is[] = {
		"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"}; /* RFC 4648 */
	char out[HASH_BASE64_SIZE(6)];

	(void)state;
	for (size_t n = 0; n <= 6; n++)
		assert_string_equal(hash_base64(out, (const unsigned char *)"foobar", n), is[n]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_means_something_to_html_becomes_text),
		cmocka_unit_test(what_is_no_text_is_replaced_byte_by_byte),
		cmocka_unit_test(whatever_goes_in_comes_out_as_utf8_without_markup),
		cmocka_unit_test(base64_pads_every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
