/* SHA-256 (FIPS 180-4) by the SHA extensions of x86-64. */
#include "base/sha256.h"

#include <assert.h>
#include <string.h>

#define BLOCK_LEN 64
#define LENGTH_LEN 8 /* of the count of bits behind the padding */

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define NEEDS __attribute__((target("sha,sse4.1,ssse3")))

struct hashing {
	uint32_t h[8];
	uint8_t block[BLOCK_LEN]; /* what does not fill one yet */
	uint64_t len;
};

static const uint32_t first[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372,
	0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

static const uint32_t constants[64] = { 0x428a2f98, 0x71374491, 0xb5c0fbcf,
	0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
	0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7,
	0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
	0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
	0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e,
	0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
	0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c,
	0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee,
	0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2 };

bool
sha256_ready(void)
{
	unsigned a, b, c, d;
	unsigned basic;

	if (__get_cpuid(1, &a, &b, &basic, &d) == 0 ||
	    __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0)
		return false;
	return (basic & bit_SSSE3) != 0 && (basic & bit_SSE4_1) != 0 &&
	       (b & bit_SHA) != 0;
}

/* The state as the instructions take it: a, b, e, f and c, d, g, h. */
struct halves {
	__m128i abef;
	__m128i cdgh;
};

NEEDS static void
four_rounds(struct halves *s, __m128i words, int at)
{
	const __m128i k = _mm_loadu_si128((const __m128i *)&constants[at]);
	const __m128i sum = _mm_add_epi32(words, k);

	s->cdgh = _mm_sha256rnds2_epu32(s->cdgh, s->abef, sum);
	s->abef = _mm_sha256rnds2_epu32(
	    s->abef, s->cdgh, _mm_shuffle_epi32(sum, 0x0e));
}

/* The four words behind these sixteen. */
NEEDS static __m128i
next_words(__m128i w0, __m128i w1, __m128i w2, __m128i w3)
{
	const __m128i part = _mm_add_epi32(
	    _mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4));

	return _mm_sha256msg2_epu32(part, w3);
}

NEEDS static void
one_block(struct halves *s, const uint8_t *p)
{
	const __m128i swap =
	    _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
	const struct halves before = *s;
	__m128i w[4];

	for (int i = 0; i < 4; i++) {
		w[i] = _mm_shuffle_epi8(
		    _mm_loadu_si128((const __m128i *)(const void *)p + i),
		    swap);
		four_rounds(s, w[i], 4 * i);
	}
	for (int at = 16; at < 64; at += 16) {
		w[0] = next_words(w[0], w[1], w[2], w[3]);
		four_rounds(s, w[0], at);
		w[1] = next_words(w[1], w[2], w[3], w[0]);
		four_rounds(s, w[1], at + 4);
		w[2] = next_words(w[2], w[3], w[0], w[1]);
		four_rounds(s, w[2], at + 8);
		w[3] = next_words(w[3], w[0], w[1], w[2]);
		four_rounds(s, w[3], at + 12);
	}
	s->abef = _mm_add_epi32(s->abef, before.abef);
	s->cdgh = _mm_add_epi32(s->cdgh, before.cdgh);
}

NEEDS static void
take_blocks(uint32_t h[8], const uint8_t *p, size_t n)
{
	__m128i *const low = (__m128i *)(void *)h;
	__m128i *const high = low + 1;
	__m128i badc = _mm_shuffle_epi32(_mm_loadu_si128(low), 0xb1);
	__m128i hgfe = _mm_shuffle_epi32(_mm_loadu_si128(high), 0x1b);
	struct halves s = {
		.abef = _mm_alignr_epi8(badc, hgfe, 8),
		.cdgh = _mm_blend_epi16(hgfe, badc, 0xf0),
	};

	for (; n > 0; n--, p += BLOCK_LEN)
		one_block(&s, p);
	badc = _mm_shuffle_epi32(s.abef, 0x1b);
	hgfe = _mm_shuffle_epi32(s.cdgh, 0xb1);
	_mm_storeu_si128(low, _mm_blend_epi16(badc, hgfe, 0xf0));
	_mm_storeu_si128(high, _mm_alignr_epi8(hgfe, badc, 8));
}

static void
take(struct hashing *s, const void *data, size_t len)
{
	const size_t had = (size_t)(s->len % BLOCK_LEN);
	const uint8_t *p = data;
	size_t n;

	if (len == 0)
		return;
	s->len += len;
	if (had > 0) {
		n = len < BLOCK_LEN - had ? len : BLOCK_LEN - had;
		memcpy(s->block + had, p, n);
		p += n;
		len -= n;
		if (had + n < BLOCK_LEN)
			return;
		take_blocks(s->h, s->block, 1);
	}
	take_blocks(s->h, p, len / BLOCK_LEN);
	if (len % BLOCK_LEN > 0)
		memcpy(
		    s->block, p + len / BLOCK_LEN * BLOCK_LEN, len % BLOCK_LEN);
}

/* A bit, zeros, and the count of bits. */
static void
pad(struct hashing *s)
{
	const uint64_t bits = s->len * 8;
	size_t had = (size_t)(s->len % BLOCK_LEN);

	s->block[had++] = 0x80;
	if (had > BLOCK_LEN - LENGTH_LEN) {
		memset(s->block + had, 0, BLOCK_LEN - had);
		take_blocks(s->h, s->block, 1);
		had = 0;
	}
	memset(s->block + had, 0, BLOCK_LEN - LENGTH_LEN - had);
	for (size_t i = 0; i < LENGTH_LEN; i++)
		s->block[BLOCK_LEN - 1 - i] = (uint8_t)(bits >> (8 * i));
	take_blocks(s->h, s->block, 1);
}

void
sha256_join(
    uint8_t out[32], const void *a, size_t a_len, const void *b, size_t b_len)
{
	struct hashing s;

	memcpy(s.h, first, sizeof(s.h));
	s.len = 0;
	take(&s, a, a_len);
	take(&s, b, b_len);
	pad(&s);
	for (size_t i = 0; i < 32; i++)
		out[i] = (uint8_t)(s.h[i / 4] >> (24 - 8 * (i % 4)));
	explicit_bzero(&s, sizeof(s));
}

#else

bool
sha256_ready(void)
{
	return false;
}

void
sha256_join(
    uint8_t out[32], const void *a, size_t a_len, const void *b, size_t b_len)
{
	(void)out;
	(void)a;
	(void)a_len;
	(void)b;
	(void)b_len;
	assert(!"this processor has no instructions for it");
}

#endif
