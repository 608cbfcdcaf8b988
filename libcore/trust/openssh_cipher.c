/* The ciphers of OpenSSH's key files; for AES the door to OpenSSL. */
#include "trust/openssh_cipher.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <string.h>

#include "base/crypt.h"

#define BLOCK 16 /* of AES */

static const struct cipher {
	const char *name;
	size_t key_len;
	size_t iv_len;
	size_t tag_len; /* behind what is encrypted */
	size_t block;
	const EVP_CIPHER *(*get)(void); /* NULL: libsodium has it */
} ciphers[] = {
	{ "aes128-cbc", 16, 16, 0, BLOCK, EVP_aes_128_cbc },
	{ "aes128-ctr", 16, 16, 0, BLOCK, EVP_aes_128_ctr },
	{ "aes192-cbc", 24, 16, 0, BLOCK, EVP_aes_192_cbc },
	{ "aes192-ctr", 24, 16, 0, BLOCK, EVP_aes_192_ctr },
	{ "aes256-cbc", 32, 16, 0, BLOCK, EVP_aes_256_cbc },
	{ "aes256-ctr", 32, 16, 0, BLOCK, EVP_aes_256_ctr },
	{ "aes128-gcm@openssh.com", 16, 12, OPENSSH_TAG, BLOCK,
	    EVP_aes_128_gcm },
	{ "aes256-gcm@openssh.com", 32, 12, OPENSSH_TAG, BLOCK,
	    EVP_aes_256_gcm },
	{ "chacha20-poly1305@openssh.com", CRYPT_SSH_KEY_LEN, 0, OPENSSH_TAG, 8,
	    NULL },
};

static const struct cipher *
find(const struct bytes *name)
{
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
		if (bytes_are(name, ciphers[i].name))
			return &ciphers[i];
	}
	return NULL;
}

size_t
openssh_cipher_key_len(const struct bytes *name)
{
	const struct cipher *c = find(name);

	return c != NULL ? c->key_len + c->iv_len : 0;
}

size_t
openssh_cipher_tag_len(const struct bytes *name)
{
	const struct cipher *c = find(name);

	return c != NULL ? c->tag_len : 0;
}

size_t
openssh_cipher_block(const struct bytes *name)
{
	const struct cipher *c = find(name);

	return c != NULL ? c->block : 1;
}

static enum rk_err
run_aes(const struct cipher *c, bool encrypt, const uint8_t *key, uint8_t *data,
    size_t len, const uint8_t *tag)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	enum rk_err r = RK_ENOMEM;
	uint8_t want[OPENSSH_TAG];
	int n = 0;

	if (ctx != NULL && len <= INT32_MAX &&
	    EVP_CipherInit_ex(
	        ctx, c->get(), NULL, key, key + c->key_len, encrypt) == 1 &&
	    EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 &&
	    EVP_CipherUpdate(ctx, data, &n, data, (int)len) == 1 &&
	    (size_t)n == len)
		r = RK_OK;
	if (r == RK_OK && c->tag_len > 0) {
		memcpy(want, tag, sizeof(want));
		if (EVP_CIPHER_CTX_ctrl(
		        ctx, EVP_CTRL_AEAD_SET_TAG, OPENSSH_TAG, want) != 1 ||
		    EVP_CipherFinal_ex(ctx, data + len, &n) != 1)
			r = RK_EPASS;
	}
	EVP_CIPHER_CTX_free(ctx); /* wipes */
	ERR_clear_error();
	return r;
}

enum rk_err
openssh_cipher_run(const struct bytes *name, bool encrypt, const uint8_t *key,
    uint8_t *data, size_t len, const uint8_t *tag)
{
	const struct cipher *c = find(name);

	/* Files of a cipher with a tag are read only. */
	if (c == NULL || (c->tag_len > 0 && (tag == NULL || encrypt)))
		return RK_EUNSUPPORTED;
	if (c->get != NULL)
		return run_aes(c, encrypt, key, data, len, tag);
	return crypt_ssh_open(data, len, tag, key) == RK_OK ? RK_OK : RK_EPASS;
}
