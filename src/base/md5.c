/*
 * md5 - MD5 (RFC 1321).
 */
#include "base/md5.h"

#include <string.h>

#include "base/hash.h"

static inline uint32_t
rol(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static inline uint32_t
word(const unsigned char *p, int i)
{
	return (uint32_t)p[4 * i] | (uint32_t)p[4 * i + 1] << 8 | (uint32_t)p[4 * i + 2] << 16 |
	       (uint32_t)p[4 * i + 3] << 24;
}

/* The four functions of section 3.4, F as two xors and an and.  Of G the part without x is ready
 * before the step that x comes from, so that a sum takes one operation less of the chain. */
#define F(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define G(x, y, z) (((x) & (z)) + ((y) & ~(z)))
#define H(x, y, z) ((x) ^ (y) ^ (z))
#define I(x, y, z) ((y) ^ ((x) | ~(z)))

#define STEP(f, a, b, c, d, k, s, t) (a) = (b) + rol((a) + f(b, c, d) + x[(k)&15] + (t), s)

static void
round_1(uint32_t v[4], const uint32_t x[16])
{
	uint32_t a = v[0], b = v[1], c = v[2], d = v[3];

	STEP(F, a, b, c, d, 0, 7, 0xd76aa478);
	STEP(F, d, a, b, c, 1, 12, 0xe8c7b756);
	STEP(F, c, d, a, b, 2, 17, 0x242070db);
	STEP(F, b, c, d, a, 3, 22, 0xc1bdceee);
	STEP(F, a, b, c, d, 4, 7, 0xf57c0faf);
	STEP(F, d, a, b, c, 5, 12, 0x4787c62a);
	STEP(F, c, d, a, b, 6, 17, 0xa8304613);
	STEP(F, b, c, d, a, 7, 22, 0xfd469501);
	STEP(F, a, b, c, d, 8, 7, 0x698098d8);
	STEP(F, d, a, b, c, 9, 12, 0x8b44f7af);
	STEP(F, c, d, a, b, 10, 17, 0xffff5bb1);
	STEP(F, b, c, d, a, 11, 22, 0x895cd7be);
	STEP(F, a, b, c, d, 12, 7, 0x6b901122);
	STEP(F, d, a, b, c, 13, 12, 0xfd987193);
	STEP(F, c, d, a, b, 14, 17, 0xa679438e);
	STEP(F, b, c, d, a, 15, 22, 0x49b40821);
	v[0] = a, v[1] = b, v[2] = c, v[3] = d;
}

static void
round_2(uint32_t v[4], const uint32_t x[16])
{
	uint32_t a = v[0], b = v[1], c = v[2], d = v[3];

	STEP(G, a, b, c, d, 1, 5, 0xf61e2562);
	STEP(G, d, a, b, c, 6, 9, 0xc040b340);
	STEP(G, c, d, a, b, 11, 14, 0x265e5a51);
	STEP(G, b, c, d, a, 0, 20, 0xe9b6c7aa);
	STEP(G, a, b, c, d, 5, 5, 0xd62f105d);
	STEP(G, d, a, b, c, 10, 9, 0x02441453);
	STEP(G, c, d, a, b, 15, 14, 0xd8a1e681);
	STEP(G, b, c, d, a, 4, 20, 0xe7d3fbc8);
	STEP(G, a, b, c, d, 9, 5, 0x21e1cde6);
	STEP(G, d, a, b, c, 14, 9, 0xc33707d6);
	STEP(G, c, d, a, b, 3, 14, 0xf4d50d87);
	STEP(G, b, c, d, a, 8, 20, 0x455a14ed);
	STEP(G, a, b, c, d, 13, 5, 0xa9e3e905);
	STEP(G, d, a, b, c, 2, 9, 0xfcefa3f8);
	STEP(G, c, d, a, b, 7, 14, 0x676f02d9);
	STEP(G, b, c, d, a, 12, 20, 0x8d2a4c8a);
	v[0] = a, v[1] = b, v[2] = c, v[3] = d;
}

static void
round_3(uint32_t v[4], const uint32_t x[16])
{
	uint32_t a = v[0], b = v[1], c = v[2], d = v[3];

	STEP(H, a, b, c, d, 5, 4, 0xfffa3942);
	STEP(H, d, a, b, c, 8, 11, 0x8771f681);
	STEP(H, c, d, a, b, 11, 16, 0x6d9d6122);
	STEP(H, b, c, d, a, 14, 23, 0xfde5380c);
	STEP(H, a, b, c, d, 1, 4, 0xa4beea44);
	STEP(H, d, a, b, c, 4, 11, 0x4bdecfa9);
	STEP(H, c, d, a, b, 7, 16, 0xf6bb4b60);
	STEP(H, b, c, d, a, 10, 23, 0xbebfbc70);
	STEP(H, a, b, c, d, 13, 4, 0x289b7ec6);
	STEP(H, d, a, b, c, 0, 11, 0xeaa127fa);
	STEP(H, c, d, a, b, 3, 16, 0xd4ef3085);
	STEP(H, b, c, d, a, 6, 23, 0x04881d05);
	STEP(H, a, b, c, d, 9, 4, 0xd9d4d039);
	STEP(H, d, a, b, c, 12, 11, 0xe6db99e5);
	STEP(H, c, d, a, b, 15, 16, 0x1fa27cf8);
	STEP(H, b, c, d, a, 2, 23, 0xc4ac5665);
	v[0] = a, v[1] = b, v[2] = c, v[3] = d;
}

static void
round_4(uint32_t v[4], const uint32_t x[16])
{
	uint32_t a = v[0], b = v[1], c = v[2], d = v[3];

	STEP(I, a, b, c, d, 0, 6, 0xf4292244);
	STEP(I, d, a, b, c, 7, 10, 0x432aff97);
	STEP(I, c, d, a, b, 14, 15, 0xab9423a7);
	STEP(I, b, c, d, a, 5, 21, 0xfc93a039);
	STEP(I, a, b, c, d, 12, 6, 0x655b59c3);
	STEP(I, d, a, b, c, 3, 10, 0x8f0ccc92);
	STEP(I, c, d, a, b, 10, 15, 0xffeff47d);
	STEP(I, b, c, d, a, 1, 21, 0x85845dd1);
	STEP(I, a, b, c, d, 8, 6, 0x6fa87e4f);
	STEP(I, d, a, b, c, 15, 10, 0xfe2ce6e0);
	STEP(I, c, d, a, b, 6, 15, 0xa3014314);
	STEP(I, b, c, d, a, 13, 21, 0x4e0811a1);
	STEP(I, a, b, c, d, 4, 6, 0xf7537e82);
	STEP(I, d, a, b, c, 11, 10, 0xbd3af235);
	STEP(I, c, d, a, b, 2, 15, 0x2ad7d2bb);
	STEP(I, b, c, d, a, 9, 21, 0xeb86d391);
	v[0] = a, v[1] = b, v[2] = c, v[3] = d;
}

static void
blocks(uint32_t state[4], const unsigned char *p, size_t n)
{
	for (; n > 0; n--, p += 64) {
		uint32_t x[16], v[4];

		for (int i = 0; i < 16; i++)
			x[i] = word(p, i);
		memcpy(v, state, sizeof(v));
		round_1(v, x);
		round_2(v, x);
		round_3(v, x);
		round_4(v, x);
		for (int i = 0; i < 4; i++)
			state[i] += v[i];
	}
}

void
md5_init(struct md5 *m)
{
	static const uint32_t start[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};

	memcpy(m->state, start, sizeof(start));
	m->bytes = 0;
}

void
md5_put(struct md5 *m, const void *p, size_t n)
{
	const unsigned char *in = p;
	size_t used = m->bytes % sizeof(m->block);

	m->bytes += n;
	if (used > 0) {
		size_t room = sizeof(m->block) - used;

		memcpy(m->block + used, in, n < room ? n : room);
		if (n < room)
			return;
		blocks(m->state, m->block, 1);
		in += room;
		n -= room;
	}
	if (n >= sizeof(m->block))
		blocks(m->state, in, n / sizeof(m->block));
	if (n % sizeof(m->block))
		memcpy(m->block, in + n - n % sizeof(m->block), n % sizeof(m->block));
}

void
md5_end(struct md5 *m, unsigned char out[MD5_SIZE])
{
	static const unsigned char pad[64] = {0x80};
	uint64_t bits = m->bytes * 8;
	size_t used = m->bytes % 64;
	unsigned char length[8];

	for (int i = 0; i < 8; i++)
		length[i] = (unsigned char)(bits >> (8 * i));
	md5_put(m, pad, used < 56 ? 56 - used : 120 - used);
	md5_put(m, length, sizeof(length));
	for (int i = 0; i < MD5_SIZE; i++)
		out[i] = (unsigned char)(m->state[i / 4] >> (8 * (i % 4)));
}

static void
whole(const void *p, size_t n, unsigned char out[MD5_SIZE])
{
	struct md5 m;

	md5_init(&m);
	md5_put(&m, p, n);
	md5_end(&m, out);
}

void
md5_hex(const void *p, size_t n, char out[MD5_HEX_SIZE])
{
	unsigned char raw[MD5_SIZE];

	whole(p, n, raw);
	hash_hex(out, raw, sizeof(raw));
}

void
md5_base64(const void *p, size_t n, char out[MD5_BASE64_SIZE])
{
	unsigned char raw[MD5_SIZE];

	whole(p, n, raw);
	hash_base64(out, raw, sizeof(raw));
}
