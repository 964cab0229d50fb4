#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/hash_impl.h"

static void
expect_sha256(const void *p, size_t n, const char *want)
{
	struct sha256 s;
	char hex[SHA256_HEX_SIZE];

	sha256_init(&s);
	sha256_put(&s, p, n);
	sha256_end_hex(&s, hex);
	assert_string_equal(hex, want);
}

/* FIPS 180-4 examples and NIST's short message vectors. */
static void
sha256_gives_the_published_digests(void **state)
{
	(void)state;
	expect_sha256("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	expect_sha256("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	expect_sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
		"248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
	expect_sha256(
		"\xd3", 1, "28969cdfa74a12c82f3bad960b0b000aca2ac329deea5c2328ebc6f2ba9802c1");
}

static void
sha256_of_a_million_letters_fed_in_odd_pieces_is_the_published_one(void **state)
{
	struct sha256 s;
	char hex[SHA256_HEX_SIZE], piece[997];
	size_t left = 1000000;

	(void)state;
	memset(piece, 'a', sizeof(piece));
	sha256_init(&s);
	while (left > 0) {
		size_t n = left < sizeof(piece) ? left : sizeof(piece);

		sha256_put(&s, piece, n);
		left -= n;
	}
	sha256_end_hex(&s, hex);
	assert_string_equal(
		hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void
sha256_does_not_depend_on_where_the_input_is_cut(void **state)
{
	char text[200], one[SHA256_HEX_SIZE], two[SHA256_HEX_SIZE];
	struct sha256 s;

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t n = 50; n < 130; n++) {
		sha256_init(&s);
		sha256_put(&s, text, n);
		sha256_end_hex(&s, one);
		sha256_init(&s);
		sha256_put(&s, text, n / 3);
		sha256_put(&s, text + n / 3, n - n / 3);
		sha256_end_hex(&s, two);
		assert_string_equal(one, two);
	}
}

static void
sha256_instructions_and_portable_code_give_the_same(void **state)
{
	uint32_t one[8] = {1, 2, 3, 4, 5, 6, 7, 8}, two[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	unsigned char text[64 * 7];

	(void)state;
	if (!sha256_fast_works())
		skip();
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (unsigned char)(i * 131 + 7);
	for (size_t n = 0; n <= 7; n++) {
		sha256_blocks_fast(one, text, n);
		sha256_blocks_portable(two, text, n);
		assert_memory_equal(one, two, sizeof(one));
	}
}

static void
expect_hmac(const void *key, size_t key_len, const char *text, const char *want)
{
	struct hash_span k = {key, key_len}, t = {text, strlen(text)};
	unsigned char raw[SHA256_SIZE];
	char hex[SHA256_HEX_SIZE];

	hmac_sha256(&k, &t, raw);
	assert_string_equal(hash_hex(hex, raw, sizeof(raw)), want);
}

/* RFC 4231, cases 1, 2 and 6 (a key longer than a block). */
static void
hmac_sha256_gives_the_published_values(void **state)
{
	unsigned char key[131];

	(void)state;
	memset(key, 0x0b, 20);
	expect_hmac(key, 20, "Hi There",
		"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	expect_hmac("Jefe", 4, "what do ya want for nothing?",
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	expect_hmac(key, sizeof(key), "Test Using Larger Than Block-Size Key - Hash Key First",
		"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

/* RFC 3720, B.4, and the check value of the CRC catalogue. */
static void
crc32c_gives_the_published_values(void **state)
{
	unsigned char b[32];

	(void)state;
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	memset(b, 0, sizeof(b));
	assert_int_equal(crc32c(0, b, sizeof(b)), 0x8a9136aa);
	memset(b, 0xff, sizeof(b));
	assert_int_equal(crc32c(0, b, sizeof(b)), 0x62a8ab43);
	for (unsigned i = 0; i < sizeof(b); i++)
		b[i] = (unsigned char)i;
	assert_int_equal(crc32c(0, b, sizeof(b)), 0x46dd794e);
}

static void
crc32c_can_be_continued(void **state)
{
	(void)state;
	assert_int_equal(crc32c(crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_gives_the_published_digests),
		cmocka_unit_test(
			sha256_of_a_million_letters_fed_in_odd_pieces_is_the_published_one),
		cmocka_unit_test(sha256_does_not_depend_on_where_the_input_is_cut),
		cmocka_unit_test(sha256_instructions_and_portable_code_give_the_same),
		cmocka_unit_test(hmac_sha256_gives_the_published_values),
		cmocka_unit_test(crc32c_gives_the_published_values),
		cmocka_unit_test(crc32c_can_be_continued),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
