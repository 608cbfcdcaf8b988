/* The door to libsodium's primitives: sealing, agreement, derivation, MACs. */
#ifndef RPCKIT_BASE_CRYPT_H
#define RPCKIT_BASE_CRYPT_H

#include <rpckit/err.h>

/*
 * libsodium is set up on first use of anything here or in rpckit/secret.h.
 * Lengths are bytes.  Any thread.
 */
#define CRYPT_KEY_LEN 32
#define CRYPT_TAG_LEN 16
#define CRYPT_CHACHA_NONCE_LEN 12 /* RFC 8439 */
#define CRYPT_XCHACHA_NONCE_LEN 24
#define CRYPT_HASH_LEN 32 /* SHA-256 */

void crypt_setup(void);
void crypt_sha256(uint8_t out[CRYPT_HASH_LEN], const void *data, size_t len);
/* SHA-512 of what comes in pieces; wipe it where the pieces are secret. */
#define CRYPT_HASH512_LEN 64
struct crypt_sha512 {
	uint64_t opaque[26];
};
void crypt_sha512_init(struct crypt_sha512 *s);
void crypt_sha512_update(struct crypt_sha512 *s, const void *data, size_t len);
/* s is used up. */
void crypt_sha512_final(struct crypt_sha512 *s, uint8_t out[CRYPT_HASH512_LEN]);
/* Of a and then b; out may be a. */
void crypt_sha256_join(uint8_t out[CRYPT_HASH_LEN], const void *a, size_t a_len,
    const void *b, size_t b_len);
/* The same on a processor that has no instructions for it; for tests. */
void crypt_sha256_anywhere(uint8_t out[CRYPT_HASH_LEN], const void *a,
    size_t a_len, const void *b, size_t b_len);
/* BLAKE2b (RFC 7693) of what comes in pieces; may be copied while under way. */
#define CRYPT_SUM_LEN 32
struct crypt_sum {
	uint8_t opaque[384];
};
void crypt_sum_init(struct crypt_sum *s);
void crypt_sum_update(struct crypt_sum *s, const void *data, size_t len);
/* s stays as it was: more may follow. */
void crypt_sum_final(const struct crypt_sum *s, uint8_t out[CRYPT_SUM_LEN]);
/* HMAC-SHA256 (RFC 2104); keys of any length. */
void crypt_hmac(uint8_t out[CRYPT_HASH_LEN], const void *key, size_t key_len,
    const void *data, size_t len);
/* A keyed hash for tables (SipHash-2-4): who does not know the key cannot
 * choose data that collide.  Too short to authenticate anything. */
#define CRYPT_SHORT_KEY_LEN 16
uint64_t crypt_short_hash(
    const uint8_t key[CRYPT_SHORT_KEY_LEN], const void *data, size_t len);
/* HKDF-SHA256 (RFC 5869).  RK_ETOOBIG when len > 255 * 32. */
RK_MUST enum rk_err crypt_hkdf(uint8_t *out, size_t len, const void *ikm,
    size_t ikm_len, const void *salt, size_t salt_len, const void *info,
    size_t info_len);
/* ChaCha20-Poly1305 (RFC 8439) and XChaCha20-Poly1305: out has len + 16. */
void crypt_seal(uint8_t *out, const void *msg, size_t len, const void *ad,
    size_t ad_len, const uint8_t nonce[CRYPT_CHACHA_NONCE_LEN],
    const uint8_t key[CRYPT_KEY_LEN]);
/* out has len - 16.  RK_EDAMAGED when the tag does not fit. */
RK_MUST enum rk_err crypt_open(uint8_t *out, const void *sealed, size_t len,
    const void *ad, size_t ad_len, const uint8_t nonce[CRYPT_CHACHA_NONCE_LEN],
    const uint8_t key[CRYPT_KEY_LEN]);
void crypt_xseal(uint8_t *out, const void *msg, size_t len, const void *ad,
    size_t ad_len, const uint8_t nonce[CRYPT_XCHACHA_NONCE_LEN],
    const uint8_t key[CRYPT_KEY_LEN]);
RK_MUST enum rk_err crypt_xopen(uint8_t *out, const void *sealed, size_t len,
    const void *ad, size_t ad_len, const uint8_t nonce[CRYPT_XCHACHA_NONCE_LEN],
    const uint8_t key[CRYPT_KEY_LEN]);
/* The first len bytes, at most 64, of ChaCha20's block of that number. */
void crypt_chacha_mask(uint8_t *out, size_t len, uint32_t block,
    const uint8_t nonce[CRYPT_CHACHA_NONCE_LEN],
    const uint8_t key[CRYPT_KEY_LEN]);
/* In place, what OpenSSH sealed as its first packet: ChaCha20 of the first half
 * of the key, and Poly1305; the second is for lengths, which are none here.
 * RK_EDAMAGED when the tag does not fit. */
#define CRYPT_SSH_KEY_LEN 64
RK_MUST enum rk_err crypt_ssh_open(uint8_t *data, size_t len,
    const uint8_t tag[CRYPT_TAG_LEN], const uint8_t key[CRYPT_SSH_KEY_LEN]);
/* X25519 (RFC 7748).  RK_EPROTO when the shared secret is all zero. */
RK_MUST enum rk_err crypt_x25519(
    uint8_t out[32], const uint8_t secret[32], const uint8_t peer[32]);
/* The public key of any secret bytes. */
void crypt_x25519_public(uint8_t out[32], const uint8_t secret[32]);
/* Is this a valid Ed25519 public key: canonical, on the curve, in the main
 * subgroup, not of small order? */
bool crypt_ed25519_key_ok(const uint8_t pub[32]);

#endif
