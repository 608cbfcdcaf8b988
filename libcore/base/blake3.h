/* BLAKE3, plain hashing only, as rpc25519's file services name contents. */
#ifndef RPCKIT_BASE_BLAKE3_H
#define RPCKIT_BASE_BLAKE3_H

#include <rpckit/base.h>

#define BLAKE3_DEPTH 54    /* chunks of 1 KiB: 2^64 bytes */
#define BLAKE3_TEXT_LEN 56 /* "blake3.33B-" and 44 characters, with NUL */

/* A hash under way; embedded in its owner, may be copied. */
struct blake3 {
	uint32_t stack[BLAKE3_DEPTH][8]; /* subtrees that wait for a sibling */
	unsigned depth;
	uint32_t cv[8]; /* of the present chunk */
	uint64_t chunk; /* its number */
	uint8_t block[64];
	unsigned block_len;
	unsigned blocks; /* of the chunk, compressed already */
};

void blake3_init(struct blake3 *h);
void blake3_update(struct blake3 *h, const void *data, size_t len);
/* The first len bytes of the extended output.  h stays as it was: more may
 * follow. */
void blake3_final(const struct blake3 *h, uint8_t *out, size_t len);
/* "blake3.33B-" and the first 33 bytes in base64url. */
void blake3_text(const struct blake3 *h, char dst[BLAKE3_TEXT_LEN]);
/* The same of one piece. */
void blake3_text_of(const void *data, size_t len, char dst[BLAKE3_TEXT_LEN]);

#endif
