/* A secret sealed in memory under the hash of a long random key. */
#include "shield.h"

#include <stdlib.h>

#include "base/crypt.h"

#define LONG_KEY_LEN 16384
#define SECRET_MAX 64

struct shield {
	struct rk_secret *long_key;
	size_t len; /* of the secret */
	uint8_t nonce[CRYPT_XCHACHA_NONCE_LEN];
	uint8_t sealed[SECRET_MAX + CRYPT_TAG_LEN];
};

/* Under a new key each time; the nonce need not be new as well, but is. */
static enum rk_err
seal(struct shield *s, const struct rk_secret *secret)
{
	struct rk_secret *key = NULL;
	enum rk_err r;

	if ((r = rk_secret_new(CRYPT_KEY_LEN, &key)) != RK_OK)
		return r;
	rk_random(rk_secret_data(s->long_key), LONG_KEY_LEN);
	rk_random(s->nonce, sizeof(s->nonce));
	crypt_sha256(
	    rk_secret_data(key), rk_secret_peek(s->long_key), LONG_KEY_LEN);
	crypt_xseal(s->sealed, rk_secret_peek(secret), s->len, NULL, 0,
	    s->nonce, rk_secret_peek(key));
	rk_secret_free(key);
	return RK_OK;
}

enum rk_err
shield_new(struct rk_secret **secret, struct shield **out)
{
	struct shield *s = NULL;
	enum rk_err r = RK_ENOMEM;

	*out = NULL;
	if (rk_secret_len(*secret) > SECRET_MAX)
		r = RK_ETOOBIG;
	else if ((s = calloc(1, sizeof(*s))) != NULL &&
	         (r = rk_secret_new(LONG_KEY_LEN, &s->long_key)) == RK_OK) {
		s->len = rk_secret_len(*secret);
		r = seal(s, *secret);
	}
	rk_secret_free(*secret);
	*secret = NULL;
	if (r == RK_OK)
		*out = s;
	else
		shield_free(s);
	return r;
}

enum rk_err
shield_open(struct shield *s, struct rk_secret **out)
{
	struct rk_secret *secret = NULL;
	struct rk_secret *key = NULL;
	enum rk_err r;

	*out = NULL;
	if ((r = rk_secret_new(CRYPT_KEY_LEN, &key)) != RK_OK ||
	    (r = rk_secret_new(s->len, &secret)) != RK_OK)
		goto out;
	crypt_sha256(
	    rk_secret_data(key), rk_secret_peek(s->long_key), LONG_KEY_LEN);
	r = crypt_xopen(rk_secret_data(secret), s->sealed,
	    s->len + CRYPT_TAG_LEN, NULL, 0, s->nonce, rk_secret_peek(key));
	if (r == RK_OK && (r = seal(s, secret)) == RK_OK) {
		*out = secret;
		secret = NULL;
	}
out:
	rk_secret_free(key);
	rk_secret_free(secret);
	return r;
}

void
shield_free(struct shield *s)
{
	if (s == NULL)
		return;
	rk_secret_free(s->long_key);
	rk_wipe(s, sizeof(*s));
	free(s);
}
