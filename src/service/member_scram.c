/*
 * member_scram - a password as PostgreSQL keeps it: SCRAM-SHA-256 (RFC 5802, 5803).
 *
 * So the password itself is in no statement, and it can be seen without changing anything whether
 * the role has it already.
 */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "service/member.h"

#define SCRAM "SCRAM-SHA-256"
#define ITERATIONS 4096
#define SALT_MAX 64
#define BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1)

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void
base64(struct buf *out, const unsigned char *p, size_t n)
{
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16;

		v |= i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0;
		v |= i + 2 < n ? p[i + 2] : 0;
		buf_putc(out, digits[v >> 18]);
		buf_putc(out, digits[v >> 12 & 63]);
		buf_putc(out, i + 1 < n ? digits[v >> 6 & 63] : '=');
		buf_putc(out, i + 2 < n ? digits[v & 63] : '=');
	}
}

/* Bytes written, -1 when it is none or too long. */
static int
unbase64(unsigned char *out, size_t size, const char *text, size_t n)
{
	uint32_t v = 0;
	size_t bits = 0, at = 0;

	for (; n > 0 && text[n - 1] == '='; n--)
		;
	for (size_t i = 0; i < n; i++) {
		const char *d = text[i] ? strchr(digits, text[i]) : NULL;

		if (!d)
			return -1;
		v = v << 6 | (uint32_t)(d - digits);
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		if (at == size)
			return -1;
		out[at++] = (unsigned char)(v >> bits);
	}
	return (int)at;
}

struct scram_keys {
	unsigned char stored[SHA256_SIZE], server[SHA256_SIZE];
};

struct scram_salt {
	unsigned char byte[SALT_MAX];
	size_t n;
	long iterations;
};

/* Hi() of RFC 5802, then StoredKey and ServerKey. */
static void
scram_keys(struct scram_keys *out, const char *password, const struct scram_salt *salt)
{
	unsigned char u[SHA256_SIZE], sum[SHA256_SIZE], first[SALT_MAX + 4];
	struct hash_span key = {password, strlen(password)}, text = {first, salt->n + 4};
	struct hash_span salted = {sum, sizeof(sum)};
	static const struct hash_span client = {"Client Key", 10}, server = {"Server Key", 10};
	struct sha256 s;

	memcpy(first, salt->byte, salt->n);
	memcpy(first + salt->n, "\0\0\0\1", 4);
	hmac_sha256(&key, &text, u);
	memcpy(sum, u, sizeof(sum));
	text = (struct hash_span){u, sizeof(u)};
	for (long i = 1; i < salt->iterations; i++) {
		hmac_sha256(&key, &text, u);
		for (size_t k = 0; k < sizeof(sum); k++)
			sum[k] ^= u[k];
	}
	hmac_sha256(&salted, &server, out->server);
	hmac_sha256(&salted, &client, u);
	sha256_init(&s);
	sha256_put(&s, u, sizeof(u));
	sha256_end(&s, out->stored);
	explicit_bzero(sum, sizeof(sum));
	explicit_bzero(u, sizeof(u));
}

static void
scram_put(struct buf *out, const char *password, const struct scram_salt *salt)
{
	struct scram_keys k;

	scram_keys(&k, password, salt);
	buf_printf(out, SCRAM "$%ld:", salt->iterations);
	base64(out, salt->byte, salt->n);
	buf_putc(out, '$');
	base64(out, k.stored, sizeof(k.stored));
	buf_putc(out, ':');
	base64(out, k.server, sizeof(k.server));
}

int
member_scram(struct buf *out, const char *password, const unsigned char salt[16], struct err *e)
{
	struct scram_salt s = {.n = 16, .iterations = ITERATIONS};

	memcpy(s.byte, salt, 16);
	scram_put(out, password, &s);
	return buf_check(out, e);
}

bool
member_scram_is(const char *verifier, const char *password)
{
	AUTO(buf_deinit) struct buf made = {0};
	struct scram_salt salt;
	const char *at;
	char *end;
	int n;

	if (strncmp(verifier, SCRAM "$", strlen(SCRAM "$")) != 0)
		return false;
	salt.iterations = strtol(verifier + strlen(SCRAM "$"), &end, 10);
	if (*end != ':' || salt.iterations < 1 || salt.iterations > 1000000)
		return false;
	at = end + 1;
	n = unbase64(salt.byte, sizeof(salt.byte), at, strcspn(at, "$"));
	if (n <= 0)
		return false;
	salt.n = (size_t)n;
	scram_put(&made, password, &salt);
	return strcmp(buf_str(&made), verifier) == 0;
}
