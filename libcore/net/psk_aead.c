/* The PSK layer's door to OpenSSL: ChaCha20-Poly1305, one context for many
 * records. */
#include "net/psk_aead.h"

#include "base/crypt.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <limits.h>
#include <string.h>

#define LEAST 1400 /* where both take as long */

/* The key and the nonce of this record, and what is authenticated beside it. */
static bool
begin(struct psk_aead *a, const struct noise_record *r, int encrypt)
{
	int n;

	return r->len <= INT_MAX && r->ad_len <= INT_MAX &&
	       EVP_CipherInit_ex(
	           a->ctx, NULL, NULL, r->key, r->nonce, encrypt) == 1 &&
	       (r->ad_len == 0 || EVP_CipherUpdate(a->ctx, NULL, &n, r->ad,
	                              (int)r->ad_len) == 1);
}

static enum rk_err
seal(void *arg, const struct noise_record *r, uint8_t *out)
{
	struct psk_aead *a = arg;
	uint8_t none[1];
	int n = 0;

	if (r->len < a->least) {
		crypt_seal(
		    out, r->in, r->len, r->ad, r->ad_len, r->nonce, r->key);
		return RK_OK;
	}
	if (begin(a, r, 1) &&
	    (r->len == 0 ||
	        EVP_CipherUpdate(a->ctx, out, &n, r->in, (int)r->len) == 1) &&
	    EVP_CipherFinal_ex(a->ctx, none, &n) == 1 &&
	    EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_GET_TAG, NOISE_TAG_LEN,
	        out + r->len) == 1)
		return RK_OK;
	ERR_clear_error();
	return RK_EFAIL;
}

static enum rk_err
open_sealed(void *arg, const struct noise_record *r, uint8_t *out)
{
	struct psk_aead *a = arg;
	struct noise_record text = *r;
	uint8_t tag[NOISE_TAG_LEN];
	uint8_t none[1];
	int n = 0;

	if (r->len < NOISE_TAG_LEN)
		return RK_EDAMAGED;
	text.len -= NOISE_TAG_LEN;
	if (text.len < a->least)
		return crypt_open(
		    out, r->in, r->len, r->ad, r->ad_len, r->nonce, r->key);
	memcpy(tag, text.in + text.len, sizeof(tag));
	if (begin(a, &text, 0) &&
	    EVP_CIPHER_CTX_ctrl(
	        a->ctx, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) == 1 &&
	    (text.len == 0 || EVP_CipherUpdate(a->ctx, out, &n, text.in,
	                          (int)text.len) == 1) &&
	    EVP_CipherFinal_ex(a->ctx, none, &n) == 1)
		return RK_OK;
	ERR_clear_error();
	return RK_EDAMAGED;
}

enum rk_err
psk_aead_init(struct psk_aead *a)
{
	a->least = LEAST;
	a->ctx = EVP_CIPHER_CTX_new();
	if (a->ctx != NULL && EVP_CipherInit_ex(a->ctx, EVP_chacha20_poly1305(),
	                          NULL, NULL, NULL, 1) == 1)
		return RK_OK;
	ERR_clear_error();
	psk_aead_fini(a);
	return RK_ENOMEM;
}

void
psk_aead_fini(struct psk_aead *a)
{
	EVP_CIPHER_CTX_free(a->ctx);
	a->ctx = NULL;
}

void
psk_aead_give(struct psk_aead *a, struct noise_cipher *c)
{
	static const struct noise_aead aead = {
		.seal = seal,
		.open = open_sealed,
	};

	c->aead = &aead;
	c->aead_arg = a;
}
