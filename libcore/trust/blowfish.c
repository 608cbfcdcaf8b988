/* Blowfish (Schneier 1993) with the key schedule of bcrypt (Provos 1999). */
#include "trust/blowfish.h"

static uint32_t
mix(const struct blowfish *b, uint32_t x)
{
	return ((b->s[0][x >> 24] + b->s[1][x >> 16 & 0xff]) ^
	           b->s[2][x >> 8 & 0xff]) +
	       b->s[3][x & 0xff];
}

void
blowfish_encrypt(const struct blowfish *b, uint32_t block[2])
{
	uint32_t left = block[0];
	uint32_t right = block[1];
	uint32_t other;

	for (unsigned i = 0; i < 16; i++) {
		left ^= b->p[i];
		other = right ^ mix(b, left);
		right = left;
		left = other;
	}
	block[0] = right ^ b->p[17];
	block[1] = left ^ b->p[16];
}

/* Four bytes of a string that begins anew at its end. */
static uint32_t
next_word(const uint8_t *data, size_t len, size_t *at)
{
	uint32_t word = 0;

	for (unsigned i = 0; i < 4; i++) {
		word = word << 8 | data[*at];
		*at = *at + 1 < len ? *at + 1 : 0;
	}
	return word;
}

static void
next_block(const struct blowfish *b, const uint8_t *salt, size_t salt_len,
    size_t *at, uint32_t block[2])
{
	if (salt != NULL) {
		block[0] ^= next_word(salt, salt_len, at);
		block[1] ^= next_word(salt, salt_len, at);
	}
	blowfish_encrypt(b, block);
}

void
blowfish_expand(struct blowfish *b, const uint8_t *salt, size_t salt_len,
    const uint8_t *key, size_t key_len)
{
	uint32_t block[2] = { 0 };
	size_t at = 0;

	for (unsigned i = 0; i < 18; i++)
		b->p[i] ^= next_word(key, key_len, &at);
	at = 0;
	for (unsigned i = 0; i < 18; i += 2) {
		next_block(b, salt, salt_len, &at, block);
		b->p[i] = block[0];
		b->p[i + 1] = block[1];
	}
	for (unsigned box = 0; box < 4; box++) {
		for (unsigned i = 0; i < 256; i += 2) {
			next_block(b, salt, salt_len, &at, block);
			b->s[box][i] = block[0];
			b->s[box][i + 1] = block[1];
		}
	}
}
