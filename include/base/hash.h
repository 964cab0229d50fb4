/*
 * hash - SHA-256 (FIPS 180-4) and CRC-32C (RFC 3720, appendix B.4; what PostgreSQL puts into
 * pg_control and WAL records).
 *
 * Own code, because linking a cryptographic library would cost every process of the pod more
 * memory than the rest of it.  Not for secrets: it makes no effort to run in constant time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32
#define SHA256_HEX_SIZE 65 /* with the terminating NUL */

struct sha256 {
	uint32_t state[8];
	uint64_t bytes;
	unsigned char block[64];
};

void sha256_init(struct sha256 *s);
void sha256_put(struct sha256 *s, const void *p, size_t n);
void sha256_end(struct sha256 *s, unsigned char out[SHA256_SIZE]);
void sha256_end_hex(struct sha256 *s, char out[SHA256_HEX_SIZE]); /* lower case */

/* CRC-32C of n bytes; crc: 0 to begin, or the result so far to go on. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);
