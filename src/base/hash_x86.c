/*
 * hash_x86 - SHA-256 by the SHA extensions of x86-64 (Intel SDM volume 2, SHA256RNDS2).
 *
 * On other machines this file says that there is no fast way.
 */
#include "base/hash_impl.h"

#ifdef __x86_64__

#include <cpuid.h>
#include <immintrin.h>

#define LEAF1_SSSE3 (1u << 9)
#define LEAF1_SSE41 (1u << 19)
#define LEAF1_OSXSAVE (1u << 27)
#define LEAF1_AVX (1u << 28)
#define LEAF7_SHA (1u << 29)

enum cpu { CPU_UNKNOWN, CPU_SLOW, CPU_SHA, CPU_SHA_AVX };

static enum cpu
ask_cpu(void)
{
	unsigned a, b, c, d, one;

	if (!__get_cpuid(1, &a, &b, &one, &d) || !(one & LEAF1_SSSE3) || !(one & LEAF1_SSE41))
		return CPU_SLOW;
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & LEAF7_SHA))
		return CPU_SLOW;
	return (one & LEAF1_AVX) && (one & LEAF1_OSXSAVE) ? CPU_SHA_AVX : CPU_SHA;
}

/* CPUID is trapped by virtual machines and then costs microseconds: asked once a process. */
static enum cpu
cpu_kind(void)
{
	static enum cpu known;

	if (known == CPU_UNKNOWN)
		known = ask_cpu();
	return known;
}

bool
sha256_fast_works(void)
{
	return cpu_kind() >= CPU_SHA;
}

#define SHA __attribute__((target("sha,sse4.1,ssse3")))

struct lanes {
	__m128i abef, cdgh;
};

/* Four rounds with the words of m. */
SHA static inline void
four(struct lanes *l, __m128i m, int t)
{
	__m128i kw = _mm_add_epi32(
		m, _mm_loadu_si128((const __m128i *)(const void *)&sha256_round_constant[t]));

	l->cdgh = _mm_sha256rnds2_epu32(l->cdgh, l->abef, kw);
	l->abef = _mm_sha256rnds2_epu32(l->abef, l->cdgh, _mm_shuffle_epi32(kw, 0x0e));
}

/* The next four words of the schedule, from the last sixteen: a oldest, d youngest. */
SHA static inline __m128i
expand(__m128i a, __m128i b, __m128i c, __m128i d)
{
	__m128i x = _mm_add_epi32(_mm_sha256msg1_epu32(a, b), _mm_alignr_epi8(d, c, 4));

	return _mm_sha256msg2_epu32(x, d);
}

SHA static inline void
block(struct lanes *l, const unsigned char *p)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
	struct lanes was = *l;
	__m128i m[4];

	for (int i = 0; i < 4; i++) {
		m[i] = _mm_shuffle_epi8(
			_mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i)), swap);
		four(l, m[i], 4 * i);
	}
#pragma GCC unroll 3
	for (int t = 16; t < 64; t += 16) {
		m[0] = expand(m[0], m[1], m[2], m[3]);
		four(l, m[0], t);
		m[1] = expand(m[1], m[2], m[3], m[0]);
		four(l, m[1], t + 4);
		m[2] = expand(m[2], m[3], m[0], m[1]);
		four(l, m[2], t + 8);
		m[3] = expand(m[3], m[0], m[1], m[2]);
		four(l, m[3], t + 12);
	}
	l->abef = _mm_add_epi32(l->abef, was.abef);
	l->cdgh = _mm_add_epi32(l->cdgh, was.cdgh);
}

SHA void
sha256_blocks_fast(uint32_t state[8], const unsigned char *p, size_t blocks)
{
	__m128i abcd = _mm_loadu_si128((const __m128i *)(const void *)state);
	__m128i efgh = _mm_loadu_si128((const __m128i *)(const void *)(state + 4));
	struct lanes l;

	/* ISA-L leaves the upper halves of its AVX registers in use, which makes the SHA
	 * instructions wait for them: 0.5 s a GB, as much again. */
	if (cpu_kind() == CPU_SHA_AVX)
		__asm__ volatile("vzeroupper");
	abcd = _mm_shuffle_epi32(abcd, 0xb1);
	efgh = _mm_shuffle_epi32(efgh, 0x1b);
	l.abef = _mm_alignr_epi8(abcd, efgh, 8);
	l.cdgh = _mm_blend_epi16(efgh, abcd, 0xf0);
	for (; blocks > 0; blocks--, p += 64)
		block(&l, p);
	abcd = _mm_shuffle_epi32(l.abef, 0x1b);
	efgh = _mm_shuffle_epi32(l.cdgh, 0xb1);
	_mm_storeu_si128((__m128i *)(void *)state, _mm_blend_epi16(abcd, efgh, 0xf0));
	_mm_storeu_si128((__m128i *)(void *)(state + 4), _mm_alignr_epi8(efgh, abcd, 8));
}

#else

bool
sha256_fast_works(void)
{
	return false;
}

void
sha256_blocks_fast(uint32_t state[8], const unsigned char *p, size_t blocks)
{
	sha256_blocks_portable(state, p, blocks);
}

#endif
