/* bcrypt as a key derivation function, as OpenBSD defines it. */
#include "trust/bcrypt.h"

#include <stdlib.h>
#include <string.h>

#include <rpckit/secret.h>

#include "base/crypt.h"
#include "trust/blowfish.h"

#define WORDS 8
#define HASH_LEN 32

static const char magic[] = "OxychromaticBlowfishSwatDynamite";

static void
sha512(uint8_t out[CRYPT_HASH512_LEN], const void *data, size_t len,
    const uint8_t *more, size_t more_len)
{
	struct crypt_sha512 h;

	crypt_sha512_init(&h);
	crypt_sha512_update(&h, data, len);
	crypt_sha512_update(&h, more, more_len);
	crypt_sha512_final(&h, out);
}

static void
hash(struct blowfish *b, const uint8_t pass[CRYPT_HASH512_LEN],
    const uint8_t salt[CRYPT_HASH512_LEN], uint8_t out[HASH_LEN])
{
	uint32_t words[WORDS] = { 0 };

	*b = blowfish_pi;
	blowfish_expand(b, salt, CRYPT_HASH512_LEN, pass, CRYPT_HASH512_LEN);
	for (unsigned i = 0; i < 64; i++) {
		blowfish_expand(b, NULL, 0, salt, CRYPT_HASH512_LEN);
		blowfish_expand(b, NULL, 0, pass, CRYPT_HASH512_LEN);
	}
	for (unsigned i = 0; i < HASH_LEN; i++)
		words[i / 4] = words[i / 4] << 8 | (uint8_t)magic[i];
	for (unsigned i = 0; i < 64; i++) {
		for (unsigned j = 0; j < WORDS; j += 2)
			blowfish_encrypt(b, words + j);
	}
	for (unsigned i = 0; i < HASH_LEN; i++)
		out[i] = (uint8_t)(words[i / 4] >> 8 * (i % 4));
	rk_wipe(words, sizeof(words));
}

/* One block of the result: all rounds with the salt and this number. */
static void
block(struct blowfish *b, const uint8_t pass[CRYPT_HASH512_LEN],
    const uint8_t *salt, size_t salt_len, uint32_t number, uint32_t rounds,
    uint8_t out[HASH_LEN])
{
	const uint8_t count[4] = { (uint8_t)(number >> 24),
		(uint8_t)(number >> 16), (uint8_t)(number >> 8),
		(uint8_t)number };
	uint8_t salted[CRYPT_HASH512_LEN];
	uint8_t one[HASH_LEN];

	sha512(salted, salt, salt_len, count, sizeof(count));
	hash(b, pass, salted, one);
	memcpy(out, one, HASH_LEN);
	for (uint32_t i = 1; i < rounds; i++) {
		sha512(salted, one, HASH_LEN, NULL, 0);
		hash(b, pass, salted, one);
		for (unsigned j = 0; j < HASH_LEN; j++)
			out[j] ^= one[j];
	}
	rk_wipe(one, sizeof(one));
	rk_wipe(salted, sizeof(salted));
}

enum rk_err
bcrypt_pbkdf(const void *pass, size_t pass_len, const uint8_t *salt,
    size_t salt_len, uint32_t rounds, uint8_t *key, size_t key_len)
{
	const size_t stride = (key_len + HASH_LEN - 1) / HASH_LEN;
	uint8_t passed[CRYPT_HASH512_LEN];
	uint8_t out[HASH_LEN];
	struct blowfish *b;

	if (pass_len == 0 || salt_len == 0 || salt_len > BCRYPT_SALT_MAX ||
	    rounds == 0 || key_len == 0 || key_len > BCRYPT_KEY_MAX)
		return RK_EINVAL;
	if ((b = malloc(sizeof(*b))) == NULL)
		return RK_ENOMEM;
	sha512(passed, pass, pass_len, NULL, 0);
	/* Each block gives every stride-th byte. */
	for (size_t n = 0; n < stride; n++) {
		block(b, passed, salt, salt_len, (uint32_t)n + 1, rounds, out);
		for (size_t i = 0; i < HASH_LEN && i * stride + n < key_len;
		     i++)
			key[i * stride + n] = out[i];
	}
	rk_wipe(out, sizeof(out));
	rk_wipe(passed, sizeof(passed));
	rk_wipe(b, sizeof(*b));
	free(b);
	return RK_OK;
}
