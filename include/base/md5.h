/*
 * md5 - MD5 (RFC 1321): the Content-MD5 and the ETag of S3, which ask for it.
 *
 * It keeps out accidents only; whoever wants to forge a digest can.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define MD5_SIZE 16
#define MD5_HEX_SIZE 33    /* with the terminating NUL */
#define MD5_BASE64_SIZE 25 /* with the terminating NUL */

struct md5 {
	uint32_t state[4];
	uint64_t bytes;
	unsigned char block[64];
};

void md5_init(struct md5 *m);
void md5_put(struct md5 *m, const void *p, size_t n);
void md5_end(struct md5 *m, unsigned char out[MD5_SIZE]);
void md5_hex(const void *p, size_t n, char out[MD5_HEX_SIZE]);
void md5_base64(const void *p, size_t n, char out[MD5_BASE64_SIZE]); /* as Content-MD5 has it */
