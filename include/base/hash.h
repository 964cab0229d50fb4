/*
 * hash - SHA-256 (FIPS 180-4), HMAC-SHA256 (RFC 2104) and CRC-32C (RFC 3720, appendix B.4; what
 * PostgreSQL puts into pg_control and WAL records).
 *
 * Own code, because linking a cryptographic library would cost every process of the pod more
 * memory than the rest of it.  x86-64's SHA instructions are used where the processor has them.
 *
 * Nothing here compares secrets.  SHA-256 and HMAC branch on lengths only and look no data up, so
 * that signing with a secret key tells nothing by its time; a digest that someone else sent is
 * compared by the caller, and must be compared in constant time if it is a secret.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32
#define SHA256_HEX_SIZE 65 /* with the terminating NUL */

struct sha256 {
	uint32_t state[8];
	uint64_t bytes;
	unsigned char block[64];
	bool fast; /* the processor has instructions for it */
};

struct hash_span {
	const void *at;
	size_t len;
};

void sha256_init(struct sha256 *s);
void sha256_put(struct sha256 *s, const void *p, size_t n);
void sha256_end(struct sha256 *s, unsigned char out[SHA256_SIZE]);
void sha256_end_hex(struct sha256 *s, char out[SHA256_HEX_SIZE]);    /* lower case */
void sha256_hex(const void *p, size_t n, char out[SHA256_HEX_SIZE]); /* all at once */

void hmac_sha256(
	const struct hash_span *key, const struct hash_span *text, unsigned char out[SHA256_SIZE]);

/* 2 n lower-case digits and a NUL.  Returns out. */
char *hash_hex(char *out, const unsigned char *raw, size_t n);
#define HASH_BASE64_SIZE(n) (((n) + 2) / 3 * 4 + 1) /* with the terminating NUL */
/* Base64 with padding (RFC 4648, section 4) and a NUL.  Returns out. */
char *hash_base64(char *out, const unsigned char *raw, size_t n);

/* CRC-32C of n bytes; crc: 0 to begin, or the result so far to go on. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);
