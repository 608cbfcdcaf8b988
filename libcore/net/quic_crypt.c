/* QUIC packets protected by OpenSSL, whichever library does the handshake. */
#include "net/quic_crypt.h"

#include "base/crypt.h"

#include <rpckit/secret.h>

#include <ngtcp2/ngtcp2_crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_LEN 32
#define IV_LEN 12
#define TAG_LEN 16
#define SAMPLE_LEN 16
#define MASK_LEN 5
#define INFO_LEN_MAX 64
/* RFC 9001, 6.6 and B: no limit for encrypting but the packet numbers'. */
#define ENCRYPTIONS_MAX (UINT64_C(1) << 62)
#define FORGERIES_MAX (UINT64_C(1) << 36)

/* ---- telling our keys from the helper's ---- */

/*
 * ngtcp2 shows a callback the algorithm a key is for, by a handle that means
 * nothing to it: the address of this.  Only when a key is deleted it does not;
 * our keys are therefore known by a bit that no pointer has.
 */
static const char ours = 'q';

static void *
handle(void)
{
	return (void *)(uintptr_t)&ours;
}

static void *
to_native(void *key)
{
	return (void *)((uintptr_t)key | 1);
}

static bool
is_ours(const void *native)
{
	return ((uintptr_t)native & 1) != 0;
}

static void *
from_native(const void *native)
{
	return (void *)((uintptr_t)native & ~(uintptr_t)1);
}

/* ---- deriving ---- */

/* HKDF-Expand-Label (RFC 8446, 7.1) of at most one block: one HMAC. */
static void
expand(uint8_t *out, size_t len, const uint8_t *secret, uint32_t version,
    const char *label)
{
	const char *prefix =
	    version == NGTCP2_PROTO_VER_V2 ? "tls13 quicv2" : "tls13 quic";
	uint8_t info[INFO_LEN_MAX];
	uint8_t block[CRYPT_HASH_LEN];
	char text[INFO_LEN_MAX / 2];
	int n = snprintf(text, sizeof(text), "%s %s", prefix, label);
	size_t at = 0;

	info[at++] = 0;
	info[at++] = (uint8_t)len;
	info[at++] = (uint8_t)n;
	memcpy(info + at, text, (size_t)n);
	at += (size_t)n;
	info[at++] = 0; /* no context */
	info[at++] = 1; /* the number of the block (RFC 5869, 2.3) */
	crypt_hmac(block, secret, QUIC_CRYPT_SECRET_LEN, info, at);
	memcpy(out, block, len);
	rk_wipe(block, sizeof(block));
}

/* ---- keys ---- */

static EVP_CIPHER_CTX *
new_context(const EVP_CIPHER *cipher, const uint8_t *key, bool seal)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();

	if (c == NULL)
		return NULL;
	if (EVP_CipherInit_ex(c, cipher, NULL, key, NULL, seal) == 1)
		return c;
	EVP_CIPHER_CTX_free(c);
	return NULL;
}

/* A header's key is its bytes: what is made of five bytes at a time costs less
 * than to ask OpenSSL for it. */
static uint8_t *
new_header_key(const uint8_t key[KEY_LEN])
{
	uint8_t *copy = malloc(KEY_LEN);

	if (copy != NULL)
		memcpy(copy, key, KEY_LEN);
	return copy;
}

static void
free_header_key(uint8_t *key)
{
	if (key != NULL)
		rk_wipe(key, KEY_LEN);
	free(key);
}

/* Keys of one direction; hp is NULL where the header's key stays. */
static enum rk_err
make_keys(ngtcp2_crypto_aead_ctx *aead, uint8_t iv[IV_LEN],
    ngtcp2_crypto_cipher_ctx *hp, const uint8_t *secret, uint32_t version,
    bool rx)
{
	uint8_t key[KEY_LEN];
	EVP_CIPHER_CTX *packet;
	uint8_t *header = NULL;

	expand(key, sizeof(key), secret, version, "key");
	expand(iv, IV_LEN, secret, version, "iv");
	packet = new_context(EVP_chacha20_poly1305(), key, !rx);
	if (hp != NULL) {
		expand(key, sizeof(key), secret, version, "hp");
		header = new_header_key(key);
	}
	rk_wipe(key, sizeof(key));
	if (packet == NULL || (hp != NULL && header == NULL)) {
		EVP_CIPHER_CTX_free(packet);
		free_header_key(header);
		return RK_ENOMEM;
	}
	aead->native_handle = to_native(packet);
	if (hp != NULL)
		hp->native_handle = to_native(header);
	return RK_OK;
}

static void
set_algorithms(ngtcp2_conn *conn, bool early)
{
	const ngtcp2_crypto_ctx c = {
		.aead = { .native_handle = handle(), .max_overhead = TAG_LEN },
		.md = { .native_handle = handle() },
		.hp = { .native_handle = handle() },
		.max_encryption = ENCRYPTIONS_MAX,
		.max_decryption_failure = FORGERIES_MAX,
	};

	if (early)
		ngtcp2_conn_set_0rtt_crypto_ctx(conn, &c);
	else
		ngtcp2_conn_set_crypto_ctx(conn, &c);
}

static int
hand_over(ngtcp2_conn *conn, ngtcp2_encryption_level level, bool rx,
    const uint8_t *secret, const ngtcp2_crypto_aead_ctx *aead,
    const uint8_t *iv, const ngtcp2_crypto_cipher_ctx *hp)
{
	if (level == NGTCP2_ENCRYPTION_LEVEL_0RTT)
		return ngtcp2_conn_install_0rtt_key(conn, aead, iv, IV_LEN, hp);
	if (level == NGTCP2_ENCRYPTION_LEVEL_HANDSHAKE)
		return rx ? ngtcp2_conn_install_rx_handshake_key(
		                conn, aead, iv, IV_LEN, hp)
		          : ngtcp2_conn_install_tx_handshake_key(
		                conn, aead, iv, IV_LEN, hp);
	return rx ? ngtcp2_conn_install_rx_key(conn, secret,
	                QUIC_CRYPT_SECRET_LEN, aead, iv, IV_LEN, hp)
	          : ngtcp2_conn_install_tx_key(conn, secret,
	                QUIC_CRYPT_SECRET_LEN, aead, iv, IV_LEN, hp);
}

enum rk_err
quic_crypt_install(ngtcp2_conn *conn, ngtcp2_encryption_level level, bool rx,
    const uint8_t *secret, size_t len)
{
	bool early = level == NGTCP2_ENCRYPTION_LEVEL_0RTT;
	uint32_t version = early ? ngtcp2_conn_get_client_chosen_version(conn)
	                         : ngtcp2_conn_get_negotiated_version(conn);
	ngtcp2_crypto_aead_ctx aead = { NULL };
	ngtcp2_crypto_cipher_ctx hp = { NULL };
	uint8_t iv[IV_LEN];
	enum rk_err r;

	if (len != QUIC_CRYPT_SECRET_LEN ||
	    level == NGTCP2_ENCRYPTION_LEVEL_INITIAL)
		return RK_EPROTO;
	if ((r = make_keys(&aead, iv, &hp, secret, version, rx)) != RK_OK)
		return r;
	set_algorithms(conn, early);
	if (hand_over(conn, level, rx, secret, &aead, iv, &hp) != 0) {
		EVP_CIPHER_CTX_free(from_native(aead.native_handle));
		free_header_key(from_native(hp.native_handle));
		r = RK_ENOMEM; /* its only reason to refuse */
	}
	rk_wipe(iv, sizeof(iv));
	return r;
}

/* ---- packets ---- */

static int
on_encrypt(uint8_t *dest, const ngtcp2_crypto_aead *aead,
    const ngtcp2_crypto_aead_ctx *key, const uint8_t *plain, size_t plain_len,
    const uint8_t *nonce, size_t nonce_len, const uint8_t *ad, size_t ad_len)
{
	EVP_CIPHER_CTX *c = from_native(key->native_handle);
	int n;

	if (aead->native_handle != handle())
		return ngtcp2_crypto_encrypt_cb(dest, aead, key, plain,
		    plain_len, nonce, nonce_len, ad, ad_len);
	if (EVP_EncryptInit_ex(c, NULL, NULL, NULL, nonce) != 1 ||
	    EVP_EncryptUpdate(c, NULL, &n, ad, (int)ad_len) != 1 ||
	    EVP_EncryptUpdate(c, dest, &n, plain, (int)plain_len) != 1 ||
	    EVP_EncryptFinal_ex(c, dest + plain_len, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(
	        c, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, dest + plain_len) != 1)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	return 0;
}

static int
on_decrypt(uint8_t *dest, const ngtcp2_crypto_aead *aead,
    const ngtcp2_crypto_aead_ctx *key, const uint8_t *sealed, size_t sealed_len,
    const uint8_t *nonce, size_t nonce_len, const uint8_t *ad, size_t ad_len)
{
	EVP_CIPHER_CTX *c = from_native(key->native_handle);
	size_t len = sealed_len - TAG_LEN;
	int n;

	if (aead->native_handle != handle())
		return ngtcp2_crypto_decrypt_cb(dest, aead, key, sealed,
		    sealed_len, nonce, nonce_len, ad, ad_len);
	if (sealed_len < TAG_LEN ||
	    EVP_DecryptInit_ex(c, NULL, NULL, NULL, nonce) != 1 ||
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG_LEN,
	        (void *)(uintptr_t)(sealed + len)) != 1 ||
	    EVP_DecryptUpdate(c, NULL, &n, ad, (int)ad_len) != 1 ||
	    EVP_DecryptUpdate(c, dest, &n, sealed, (int)len) != 1 ||
	    EVP_DecryptFinal_ex(c, dest + len, &n) != 1)
		return NGTCP2_ERR_DECRYPT;
	return 0;
}

/* The sample is a block's number, little-endian, and nonce (RFC 9001, 5.4.4).
 */
static int
on_hp_mask(uint8_t *dest, const ngtcp2_crypto_cipher *hp,
    const ngtcp2_crypto_cipher_ctx *key, const uint8_t *sample)
{
	uint32_t block = 0;

	if (hp->native_handle != handle())
		return ngtcp2_crypto_hp_mask_cb(dest, hp, key, sample);
	for (size_t i = SAMPLE_LEN - IV_LEN; i > 0; i--)
		block = block << 8 | sample[i - 1];
	crypt_chacha_mask(dest, MASK_LEN, block, sample + SAMPLE_LEN - IV_LEN,
	    from_native(key->native_handle));
	return 0;
}

/* ---- the life of keys ---- */

static int
on_update_key(ngtcp2_conn *conn, uint8_t *rx_secret, uint8_t *tx_secret,
    ngtcp2_crypto_aead_ctx *rx_key, uint8_t *rx_iv,
    ngtcp2_crypto_aead_ctx *tx_key, uint8_t *tx_iv, const uint8_t *rx_last,
    const uint8_t *tx_last, size_t len, void *arg)
{
	uint32_t version = ngtcp2_conn_get_negotiated_version(conn);

	(void)arg;
	if (len != QUIC_CRYPT_SECRET_LEN)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	expand(rx_secret, len, rx_last, version, "ku");
	expand(tx_secret, len, tx_last, version, "ku");
	if (make_keys(rx_key, rx_iv, NULL, rx_secret, version, true) != RK_OK)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	if (make_keys(tx_key, tx_iv, NULL, tx_secret, version, false) == RK_OK)
		return 0;
	EVP_CIPHER_CTX_free(from_native(rx_key->native_handle));
	rx_key->native_handle = NULL;
	return NGTCP2_ERR_CALLBACK_FAILURE;
}

static void
on_delete_aead(ngtcp2_conn *conn, ngtcp2_crypto_aead_ctx *key, void *arg)
{
	if (is_ours(key->native_handle))
		EVP_CIPHER_CTX_free(from_native(key->native_handle));
	else
		ngtcp2_crypto_delete_crypto_aead_ctx_cb(conn, key, arg);
}

static void
on_delete_cipher(ngtcp2_conn *conn, ngtcp2_crypto_cipher_ctx *key, void *arg)
{
	if (is_ours(key->native_handle))
		free_header_key(from_native(key->native_handle));
	else
		ngtcp2_crypto_delete_crypto_cipher_ctx_cb(conn, key, arg);
}

void
quic_crypt_callbacks(ngtcp2_callbacks *cb)
{
	cb->encrypt = on_encrypt;
	cb->decrypt = on_decrypt;
	cb->hp_mask = on_hp_mask;
	cb->update_key = on_update_key;
	cb->delete_crypto_aead_ctx = on_delete_aead;
	cb->delete_crypto_cipher_ctx = on_delete_cipher;
}
