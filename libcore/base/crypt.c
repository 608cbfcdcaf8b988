/* Sealing, agreement, derivation and MACs over libsodium's primitives. */
#include "base/crypt.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/sha256.h"

#define CHACHA_BLOCK_LEN 64

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool own_sha256; /* asking the processor takes long in a guest */

/* Fails only where the system has no randomness to give: nothing here may go
 * on then, and no caller could help it. */
static void
setup(void)
{
	int r = sodium_init();

	assert(r >= 0);
	(void)r;
	own_sha256 = sha256_ready();
}

void
crypt_setup(void)
{
	(void)pthread_once(&once, setup); /* cannot fail on a valid control */
}

void
crypt_sha256(uint8_t out[CRYPT_HASH_LEN], const void *data, size_t len)
{
	crypt_sha256_join(out, data, len, NULL, 0);
}

_Static_assert(
    sizeof(crypto_hash_sha512_state) <= sizeof(struct crypt_sha512) &&
        _Alignof(crypto_hash_sha512_state) <= _Alignof(struct crypt_sha512),
    "libsodium's state of SHA-512");

void
crypt_sha512_init(struct crypt_sha512 *s)
{
	crypt_setup();
	(void)crypto_hash_sha512_init((void *)s);
}

void
crypt_sha512_update(struct crypt_sha512 *s, const void *data, size_t len)
{
	(void)crypto_hash_sha512_update((void *)s, data, len);
}

void
crypt_sha512_final(struct crypt_sha512 *s, uint8_t out[CRYPT_HASH512_LEN])
{
	(void)crypto_hash_sha512_final((void *)s, out);
}

void
crypt_sha256_join(uint8_t out[CRYPT_HASH_LEN], const void *a, size_t a_len,
    const void *b, size_t b_len)
{
	crypt_setup();
	if (own_sha256)
		sha256_join(out, a, a_len, b, b_len);
	else
		crypt_sha256_anywhere(out, a, a_len, b, b_len);
}

void
crypt_sha256_anywhere(uint8_t out[CRYPT_HASH_LEN], const void *a, size_t a_len,
    const void *b, size_t b_len)
{
	crypto_hash_sha256_state st;

	crypto_hash_sha256_init(&st);
	if (a_len > 0)
		crypto_hash_sha256_update(&st, a, a_len);
	if (b_len > 0)
		crypto_hash_sha256_update(&st, b, b_len);
	crypto_hash_sha256_final(&st, out);
	sodium_memzero(&st, sizeof(st));
}

/* libsodium wants its state aligned as no allocator aligns: it is worked on in
 * a copy, which costs nothing beside the hashing of a piece. */
static void
load_state(const struct crypt_sum *s, crypto_generichash_state *st)
{
	_Static_assert(sizeof(*st) <= sizeof(s->opaque),
	    "libsodium's state needs more room");
	memcpy(st, s->opaque, sizeof(*st));
}

void
crypt_sum_init(struct crypt_sum *s)
{
	crypto_generichash_state st;

	crypt_setup();
	memset(s, 0, sizeof(*s));
	(void)crypto_generichash_init(&st, NULL, 0, CRYPT_SUM_LEN);
	memcpy(s->opaque, &st, sizeof(st));
}

void
crypt_sum_update(struct crypt_sum *s, const void *data, size_t len)
{
	crypto_generichash_state st;

	load_state(s, &st);
	(void)crypto_generichash_update(&st, data, len);
	memcpy(s->opaque, &st, sizeof(st));
}

void
crypt_sum_final(const struct crypt_sum *s, uint8_t out[CRYPT_SUM_LEN])
{
	crypto_generichash_state st;

	load_state(s, &st);
	(void)crypto_generichash_final(&st, out, CRYPT_SUM_LEN);
}

static void
mac_init(crypto_auth_hmacsha256_state *st, const void *key, size_t len)
{
	crypt_setup();
	crypto_auth_hmacsha256_init(st, key == NULL ? "" : key, len);
}

void
crypt_hmac(uint8_t out[CRYPT_HASH_LEN], const void *key, size_t key_len,
    const void *data, size_t len)
{
	crypto_auth_hmacsha256_state st;

	mac_init(&st, key, key_len);
	crypto_auth_hmacsha256_update(&st, data, len);
	crypto_auth_hmacsha256_final(&st, out);
	sodium_memzero(&st, sizeof(st));
}

uint64_t
crypt_short_hash(
    const uint8_t key[CRYPT_SHORT_KEY_LEN], const void *data, size_t len)
{
	uint8_t out[crypto_shorthash_BYTES];
	uint64_t h = 0;

	static_assert(sizeof(out) == sizeof(h) &&
	                  CRYPT_SHORT_KEY_LEN == crypto_shorthash_KEYBYTES,
	    "SipHash-2-4");
	crypt_setup();
	(void)crypto_shorthash(out, data, len, key);
	for (size_t i = sizeof(out); i > 0; i--)
		h = h << 8 | out[i - 1];
	return h;
}

/* T(i) = HMAC(prk, T(i - 1) | info | i), RFC 5869 section 2.3. */
static void
expand(uint8_t *out, size_t len, const uint8_t prk[CRYPT_HASH_LEN],
    const void *info, size_t info_len)
{
	crypto_auth_hmacsha256_state st;
	uint8_t block[CRYPT_HASH_LEN];
	uint8_t i = 1;
	size_t n;

	for (size_t done = 0; done < len; done += n, i++) {
		mac_init(&st, prk, CRYPT_HASH_LEN);
		if (done > 0)
			crypto_auth_hmacsha256_update(
			    &st, block, sizeof(block));
		crypto_auth_hmacsha256_update(&st, info, info_len);
		crypto_auth_hmacsha256_update(&st, &i, 1);
		crypto_auth_hmacsha256_final(&st, block);
		n = len - done < sizeof(block) ? len - done : sizeof(block);
		memcpy(out + done, block, n);
	}
	sodium_memzero(&st, sizeof(st));
	sodium_memzero(block, sizeof(block));
}

enum rk_err
crypt_hkdf(uint8_t *out, size_t len, const void *ikm, size_t ikm_len,
    const void *salt, size_t salt_len, const void *info, size_t info_len)
{
	uint8_t prk[CRYPT_HASH_LEN];

	if (len > 255 * (size_t)CRYPT_HASH_LEN)
		return RK_ETOOBIG;
	/* HMAC pads its key with zeros: an empty salt is the RFC's default. */
	crypt_hmac(prk, salt, salt_len, ikm, ikm_len);
	expand(out, len, prk, info, info_len);
	sodium_memzero(prk, sizeof(prk));
	return RK_OK;
}

void
crypt_seal(uint8_t *out, const void *msg, size_t len, const void *ad,
    size_t ad_len, const uint8_t nonce[CRYPT_CHACHA_NONCE_LEN],
    const uint8_t key[CRYPT_KEY_LEN])
{
	crypt_setup();
	(void)crypto_aead_chacha20poly1305_ietf_encrypt(
	    out, NULL, msg, len, ad, ad_len, NULL, nonce, key);
}

enum rk_err
crypt_open(uint8_t *out, const void *sealed, size_t len, const void *ad,
    size_t ad_len, const uint8_t nonce[CRYPT_CHACHA_NONCE_LEN],
    const uint8_t key[CRYPT_KEY_LEN])
{
	crypt_setup();
	if (len < CRYPT_TAG_LEN ||
	    crypto_aead_chacha20poly1305_ietf_decrypt(
	        out, NULL, NULL, sealed, len, ad, ad_len, nonce, key) != 0)
		return RK_EDAMAGED;
	return RK_OK;
}

void
crypt_chacha_mask(uint8_t *out, size_t len, uint32_t block,
    const uint8_t nonce[CRYPT_CHACHA_NONCE_LEN],
    const uint8_t key[CRYPT_KEY_LEN])
{
	static const uint8_t zeros[CHACHA_BLOCK_LEN];

	assert(len <= sizeof(zeros));
	crypt_setup();
	(void)crypto_stream_chacha20_ietf_xor_ic(
	    out, zeros, len, nonce, block, key);
}

void
crypt_xseal(uint8_t *out, const void *msg, size_t len, const void *ad,
    size_t ad_len, const uint8_t nonce[CRYPT_XCHACHA_NONCE_LEN],
    const uint8_t key[CRYPT_KEY_LEN])
{
	crypt_setup();
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(
	    out, NULL, msg, len, ad, ad_len, NULL, nonce, key);
}

enum rk_err
crypt_xopen(uint8_t *out, const void *sealed, size_t len, const void *ad,
    size_t ad_len, const uint8_t nonce[CRYPT_XCHACHA_NONCE_LEN],
    const uint8_t key[CRYPT_KEY_LEN])
{
	crypt_setup();
	if (len < CRYPT_TAG_LEN ||
	    crypto_aead_xchacha20poly1305_ietf_decrypt(
	        out, NULL, NULL, sealed, len, ad, ad_len, nonce, key) != 0)
		return RK_EDAMAGED;
	return RK_OK;
}

enum rk_err
crypt_ssh_open(uint8_t *data, size_t len, const uint8_t tag[CRYPT_TAG_LEN],
    const uint8_t key[CRYPT_SSH_KEY_LEN])
{
	/* The number of the packet. */
	static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
	uint8_t one_time[crypto_onetimeauth_poly1305_KEYBYTES];
	enum rk_err r = RK_EDAMAGED;

	crypt_setup();
	(void)crypto_stream_chacha20(one_time, sizeof(one_time), nonce, key);
	if (crypto_onetimeauth_poly1305_verify(tag, data, len, one_time) == 0) {
		(void)crypto_stream_chacha20_xor_ic(
		    data, data, len, nonce, 1, key);
		r = RK_OK;
	}
	sodium_memzero(one_time, sizeof(one_time));
	return r;
}

enum rk_err
crypt_x25519(uint8_t out[32], const uint8_t secret[32], const uint8_t peer[32])
{
	crypt_setup();
	if (crypto_scalarmult_curve25519(out, secret, peer) != 0) {
		sodium_memzero(out, crypto_scalarmult_curve25519_BYTES);
		return RK_EPROTO;
	}
	return RK_OK;
}

void
crypt_x25519_public(uint8_t out[32], const uint8_t secret[32])
{
	crypt_setup();
	(void)crypto_scalarmult_curve25519_base(out, secret); /* always 0 */
}

bool
crypt_ed25519_key_ok(const uint8_t pub[32])
{
	crypt_setup();
	return crypto_core_ed25519_is_valid_point(pub) == 1;
}
