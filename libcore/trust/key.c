/* A private key in guarded memory: make, sign, verify, let go. */
#include <rpckit/key.h>

#include <stdlib.h>
#include <string.h>

#include "base/sign.h"

struct rk_key {
	struct rk_secret *secret; /* the seed, then the public key */
	uint8_t pub[RK_KEY_PUBLIC_LEN];
};

/* A key whose secret is all zero, to be filled. */
static enum rk_err
new_key(struct rk_key **out)
{
	struct rk_key *key = calloc(1, sizeof(*key));
	enum rk_err r;

	if (key == NULL)
		return RK_ENOMEM;
	r = rk_secret_new(SIGN_SECRET_LEN, &key->secret);
	if (r != RK_OK) {
		free(key);
		return r;
	}
	*out = key;
	return RK_OK;
}

enum rk_err
rk_key_generate(struct rk_key **out)
{
	struct rk_secret *seed = NULL;
	enum rk_err r;

	*out = NULL;
	if ((r = rk_secret_new(RK_KEY_SEED_LEN, &seed)) != RK_OK)
		return r;
	rk_random(rk_secret_data(seed), RK_KEY_SEED_LEN);
	r = rk_key_from_seed(rk_secret_peek(seed), out);
	rk_secret_free(seed);
	return r;
}

enum rk_err
rk_key_from_seed(const uint8_t seed[RK_KEY_SEED_LEN], struct rk_key **out)
{
	struct rk_key *key = NULL;
	enum rk_err r;

	*out = NULL;
	if ((r = new_key(&key)) != RK_OK)
		return r;
	sign_keypair(key->pub, rk_secret_data(key->secret), seed);
	*out = key;
	return RK_OK;
}

void
rk_key_public(const struct rk_key *key, uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	memcpy(pub, key->pub, RK_KEY_PUBLIC_LEN);
}

const uint8_t *
rk_key_seed(const struct rk_key *key)
{
	return rk_secret_peek(key->secret);
}

void
rk_key_sign(const struct rk_key *key, const void *msg, size_t len,
    uint8_t sig[RK_KEY_SIG_LEN])
{
	sign_make(sig, msg, len, rk_secret_peek(key->secret));
}

bool
rk_key_verify(const uint8_t pub[RK_KEY_PUBLIC_LEN], const void *msg, size_t len,
    const uint8_t sig[RK_KEY_SIG_LEN])
{
	return sign_check(sig, msg, len, pub);
}

void
rk_key_free(struct rk_key *key)
{
	if (key == NULL)
		return;
	rk_secret_free(key->secret);
	free(key);
}
