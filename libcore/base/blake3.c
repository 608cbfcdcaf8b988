/* BLAKE3 in plain C: chunks of 1 KiB below a binary tree. */
#include "base/blake3.h"

#include <string.h>

#include "base/str.h"

#define CHUNK_BLOCKS 16
#define OUT_LEN 33

enum flag {
	CHUNK_START = 1,
	CHUNK_END = 2,
	PARENT = 4,
	ROOT = 8
};

static const uint32_t iv[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
	0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };
static const uint8_t permutation[16] = { 2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5,
	9, 14, 15, 8 };

/* What one compression is about to take; its output may be asked for twice. */
struct node {
	uint32_t cv[8];
	uint32_t words[16];
	uint64_t counter;
	uint32_t len;
	uint32_t flags;
};

static uint32_t
rotate(uint32_t x, unsigned by)
{
	return x >> by | x << (32 - by);
}

static void
mix(uint32_t s[16], const uint8_t at[4], uint32_t x, uint32_t y)
{
	uint32_t *a = &s[at[0]], *b = &s[at[1]], *c = &s[at[2]], *d = &s[at[3]];

	*a += *b + x;
	*d = rotate(*d ^ *a, 16);
	*c += *d;
	*b = rotate(*b ^ *c, 12);
	*a += *b + y;
	*d = rotate(*d ^ *a, 8);
	*c += *d;
	*b = rotate(*b ^ *c, 7);
}

static void
rounds(uint32_t s[16], uint32_t m[16])
{
	static const uint8_t places[8][4] = { { 0, 4, 8, 12 }, { 1, 5, 9, 13 },
		{ 2, 6, 10, 14 }, { 3, 7, 11, 15 }, { 0, 5, 10, 15 },
		{ 1, 6, 11, 12 }, { 2, 7, 8, 13 }, { 3, 4, 9, 14 } };
	uint32_t next[16];

	for (unsigned round = 0;; round++) {
		for (unsigned i = 0; i < 8; i++)
			mix(s, places[i], m[2 * i], m[2 * i + 1]);
		if (round == 6)
			return;
		for (unsigned i = 0; i < 16; i++)
			next[i] = m[permutation[i]];
		memcpy(m, next, sizeof(next));
	}
}

static void
compress(const struct node *n, uint32_t out[16])
{
	uint32_t m[16];
	uint32_t s[16] = { n->cv[0], n->cv[1], n->cv[2], n->cv[3], n->cv[4],
		n->cv[5], n->cv[6], n->cv[7], iv[0], iv[1], iv[2], iv[3],
		(uint32_t)n->counter, (uint32_t)(n->counter >> 32), n->len,
		n->flags };

	memcpy(m, n->words, sizeof(m));
	rounds(s, m);
	for (unsigned i = 0; i < 8; i++) {
		out[i] = s[i] ^ s[i + 8];
		out[i + 8] = s[i + 8] ^ n->cv[i];
	}
}

static void
chain(const struct node *n, uint32_t cv[8])
{
	uint32_t out[16];

	compress(n, out);
	memcpy(cv, out, 8 * sizeof(*cv));
}

static uint32_t
load(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

/* The present block as a node; a chunk's last one ends it. */
static void
block_node(const struct blake3 *h, bool last, struct node *n)
{
	*n = (struct node){ .counter = h->chunk, .len = h->block_len };
	memcpy(n->cv, h->cv, sizeof(n->cv));
	for (unsigned i = 0; i < 16; i++)
		n->words[i] = load(h->block + 4 * i);
	n->flags =
	    (h->blocks == 0 ? CHUNK_START : 0u) | (last ? CHUNK_END : 0u);
}

static void
parent_node(const uint32_t left[8], const uint32_t right[8], struct node *n)
{
	*n = (struct node){ .len = 64, .flags = PARENT };
	memcpy(n->cv, iv, sizeof(iv));
	memcpy(n->words, left, 32);
	memcpy(n->words + 8, right, 32);
}

static void
begin_chunk(struct blake3 *h, uint64_t number)
{
	memcpy(h->cv, iv, sizeof(iv));
	memset(h->block, 0, sizeof(h->block));
	h->block_len = 0;
	h->blocks = 0;
	h->chunk = number;
}

void
blake3_init(struct blake3 *h)
{
	h->depth = 0;
	begin_chunk(h, 0);
}

/* A chunk is whole and others follow: join what has a sibling now. */
static void
end_chunk(struct blake3 *h)
{
	uint64_t chunks = h->chunk + 1;
	uint32_t cv[8];
	struct node n;

	block_node(h, true, &n);
	chain(&n, cv);
	for (; (chunks & 1) == 0; chunks >>= 1) {
		parent_node(h->stack[--h->depth], cv, &n);
		chain(&n, cv);
	}
	memcpy(h->stack[h->depth++], cv, sizeof(cv));
	begin_chunk(h, h->chunk + 1);
}

/* The block is full and more comes. */
static void
end_block(struct blake3 *h)
{
	struct node n;

	if (h->blocks == CHUNK_BLOCKS - 1) {
		end_chunk(h);
		return;
	}
	block_node(h, false, &n);
	chain(&n, h->cv);
	h->blocks++;
	memset(h->block, 0, sizeof(h->block));
	h->block_len = 0;
}

void
blake3_update(struct blake3 *h, const void *data, size_t len)
{
	const uint8_t *p = data;
	size_t n;

	while (len > 0) {
		if (h->block_len == sizeof(h->block))
			end_block(h);
		n = sizeof(h->block) - h->block_len;
		n = n < len ? n : len;
		memcpy(h->block + h->block_len, p, n);
		h->block_len += (unsigned)n;
		p += n;
		len -= n;
	}
}

void
blake3_final(const struct blake3 *h, uint8_t *out, size_t len)
{
	uint32_t cv[8], words[16];
	struct node n;

	block_node(h, true, &n);
	for (unsigned i = h->depth; i > 0; i--) {
		chain(&n, cv);
		parent_node(h->stack[i - 1], cv, &n);
	}
	n.flags |= ROOT;
	n.counter = 0;
	for (size_t i = 0; i < len; i++) {
		if (i % 64 == 0) {
			compress(&n, words);
			n.counter++;
		}
		out[i] = (uint8_t)(words[i % 64 / 4] >> 8 * (i % 4));
	}
}

void
blake3_text(const struct blake3 *h, char dst[BLAKE3_TEXT_LEN])
{
	static const char head[] = "blake3.33B-";
	uint8_t out[OUT_LEN];

	blake3_final(h, out, sizeof(out));
	memcpy(dst, head, sizeof(head) - 1);
	str_base64(
	    dst + sizeof(head) - 1, out, sizeof(out), STR_BASE64URL_NOPAD);
}

void
blake3_text_of(const void *data, size_t len, char dst[BLAKE3_TEXT_LEN])
{
	struct blake3 h;

	blake3_init(&h);
	blake3_update(&h, data, len);
	blake3_text(&h, dst);
}
