/*
 * hash - SHA-256 and HMAC.
 */
#include "base/hash.h"
#include "base/hash_impl.h"

#include <string.h>

const uint32_t sha256_round_constant[64] = {0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5,
	0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
	0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
	0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152,
	0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e,
	0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624,
	0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3,
	0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
	0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static inline uint32_t
ror(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static void
schedule(uint32_t w[64], const unsigned char *p)
{
	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
		       (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
	for (int i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + (ror(a, 7) ^ ror(a, 18) ^ a >> 3) + w[i - 7] +
		       (ror(b, 17) ^ ror(b, 19) ^ b >> 10);
	}
}

/* One round; the caller turns the letters instead of moving them.  kw is K[t] + W[t]. */
#define ROUND(a, b, c, d, e, f, g, h, kw)                                   \
	do {                                                                \
		uint32_t t1 = (h) + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + \
			      (((e) & (f)) ^ (~(e) & (g))) + (kw);          \
		(d) += t1;                                                  \
		(h) = t1 + (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) +          \
		      (((a) & (b)) ^ ((a) & (c)) ^ ((b) & (c)));            \
	} while (0)

static void
compress(uint32_t state[8], const unsigned char *p)
{
	uint32_t w[64], v[8];

	schedule(w, p);
	memcpy(v, state, sizeof(v));
	for (int i = 0; i < 64; i += 8) {
		const uint32_t *k = sha256_round_constant + i, *x = w + i;

		ROUND(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], k[0] + x[0]);
		ROUND(v[7], v[0], v[1], v[2], v[3], v[4], v[5], v[6], k[1] + x[1]);
		ROUND(v[6], v[7], v[0], v[1], v[2], v[3], v[4], v[5], k[2] + x[2]);
		ROUND(v[5], v[6], v[7], v[0], v[1], v[2], v[3], v[4], k[3] + x[3]);
		ROUND(v[4], v[5], v[6], v[7], v[0], v[1], v[2], v[3], k[4] + x[4]);
		ROUND(v[3], v[4], v[5], v[6], v[7], v[0], v[1], v[2], k[5] + x[5]);
		ROUND(v[2], v[3], v[4], v[5], v[6], v[7], v[0], v[1], k[6] + x[6]);
		ROUND(v[1], v[2], v[3], v[4], v[5], v[6], v[7], v[0], k[7] + x[7]);
	}
	for (int i = 0; i < 8; i++)
		state[i] += v[i];
}

void
sha256_blocks_portable(uint32_t state[8], const unsigned char *p, size_t blocks)
{
	for (; blocks > 0; blocks--, p += 64)
		compress(state, p);
}

void
sha256_init(struct sha256 *s)
{
	static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

	memcpy(s->state, start, sizeof(start));
	s->bytes = 0;
	s->fast = sha256_fast_works();
}

static void
blocks(struct sha256 *s, const unsigned char *p, size_t n)
{
	(s->fast ? sha256_blocks_fast : sha256_blocks_portable)(s->state, p, n);
}

void
sha256_put(struct sha256 *s, const void *p, size_t n)
{
	const unsigned char *in = p;
	size_t used = s->bytes % sizeof(s->block);

	s->bytes += n;
	if (used > 0) {
		size_t room = sizeof(s->block) - used;

		memcpy(s->block + used, in, n < room ? n : room);
		if (n < room)
			return;
		blocks(s, s->block, 1);
		in += room;
		n -= room;
	}
	if (n >= sizeof(s->block))
		blocks(s, in, n / sizeof(s->block));
	if (n % sizeof(s->block))
		memcpy(s->block, in + n - n % sizeof(s->block), n % sizeof(s->block));
}

void
sha256_end(struct sha256 *s, unsigned char out[SHA256_SIZE])
{
	static const unsigned char pad[64] = {0x80};
	uint64_t bits = s->bytes * 8;
	size_t used = s->bytes % 64;
	unsigned char length[8];

	for (int i = 0; i < 8; i++)
		length[i] = (unsigned char)(bits >> (56 - 8 * i));
	sha256_put(s, pad, used < 56 ? 56 - used : 120 - used);
	sha256_put(s, length, sizeof(length));
	for (int i = 0; i < SHA256_SIZE; i++)
		out[i] = (unsigned char)(s->state[i / 4] >> (24 - 8 * (i % 4)));
}

char *
hash_hex(char *out, const unsigned char *raw, size_t n)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digit[raw[i] >> 4];
		out[2 * i + 1] = digit[raw[i] & 15];
	}
	out[2 * n] = '\0';
	return out;
}

char *
hash_base64(char *out, const unsigned char *raw, size_t n)
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *to = out;

	for (size_t i = 0; i < n; i += 3, to += 4) {
		unsigned v = (unsigned)raw[i] << 16 | (i + 1 < n ? (unsigned)raw[i + 1] << 8 : 0) |
			     (i + 2 < n ? raw[i + 2] : 0);

		to[0] = digit[v >> 18];
		to[1] = digit[v >> 12 & 63];
		to[2] = i + 1 < n ? digit[v >> 6 & 63] : '=';
		to[3] = i + 2 < n ? digit[v & 63] : '=';
	}
	*to = '\0';
	return out;
}

void
sha256_end_hex(struct sha256 *s, char out[SHA256_HEX_SIZE])
{
	unsigned char raw[SHA256_SIZE];

	sha256_end(s, raw);
	hash_hex(out, raw, sizeof(raw));
}

void
sha256_hex(const void *p, size_t n, char out[SHA256_HEX_SIZE])
{
	struct sha256 s;

	sha256_init(&s);
	sha256_put(&s, p, n);
	sha256_end_hex(&s, out);
}

static void
hmac_pad(struct sha256 *s, const unsigned char key[64], unsigned char with)
{
	unsigned char pad[64];

	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] = key[i] ^ with;
	sha256_init(s);
	sha256_put(s, pad, sizeof(pad));
	explicit_bzero(pad, sizeof(pad));
}

void
hmac_sha256(
	const struct hash_span *key, const struct hash_span *text, unsigned char out[SHA256_SIZE])
{
	unsigned char block[64] = {0};
	struct sha256 s;

	if (key->len > sizeof(block)) {
		sha256_init(&s);
		sha256_put(&s, key->at, key->len);
		sha256_end(&s, block);
	} else if (key->len > 0) {
		memcpy(block, key->at, key->len);
	}
	hmac_pad(&s, block, 0x36);
	sha256_put(&s, text->at, text->len);
	sha256_end(&s, out);
	hmac_pad(&s, block, 0x5c);
	sha256_put(&s, out, SHA256_SIZE);
	sha256_end(&s, out);
	explicit_bzero(block, sizeof(block));
	explicit_bzero(&s, sizeof(s));
}
