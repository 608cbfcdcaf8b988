/* A secret sealed in memory under the hash of a long random key. */
#include "shield.h"

#include <stdlib.h>

#include "base/crypt.h"

#define LONG_KEY_LEN 16384
#define BLOCK_LEN 64
#define SECRET_MAX 64

/* All of it is there from the beginning, so that no use can lack memory, and
 * none spends its time on getting some that is guarded. */
struct shield {
	struct rk_secret *long_key;
	struct rk_secret *key; /* zeros, but during a call */
	struct rk_secret *out; /* zeros, but while it is open */
	uint8_t nonce[CRYPT_XCHACHA_NONCE_LEN];
	uint8_t sealed[SECRET_MAX + CRYPT_TAG_LEN];
};

static void
wipe(struct rk_secret *s)
{
	rk_wipe(rk_secret_data(s), rk_secret_len(s));
}

static void
hash_long_key(struct shield *s)
{
	struct crypt_sum sum;

	crypt_sum_init(&sum);
	crypt_sum_update(&sum, rk_secret_peek(s->long_key), LONG_KEY_LEN);
	crypt_sum_final(&sum, rk_secret_data(s->key));
	rk_wipe(&sum, sizeof(sum));
}

/* From a new seed, which is wiped: the kernel gives so much only in pieces. */
static void
new_long_key(struct shield *s)
{
	static const uint8_t nonce[CRYPT_CHACHA_NONCE_LEN];
	uint8_t *p = rk_secret_data(s->long_key);

	rk_random(rk_secret_data(s->key), CRYPT_KEY_LEN);
	for (uint32_t i = 0; i < LONG_KEY_LEN / BLOCK_LEN; i++)
		crypt_chacha_mask(p + (size_t)i * BLOCK_LEN, BLOCK_LEN, i,
		    nonce, rk_secret_peek(s->key));
}

/* Under a new key each time; the nonce need not be new as well, but is. */
static void
seal(struct shield *s, const struct rk_secret *secret)
{
	new_long_key(s);
	rk_random(s->nonce, sizeof(s->nonce));
	hash_long_key(s);
	crypt_xseal(s->sealed, rk_secret_peek(secret), rk_secret_len(secret),
	    NULL, 0, s->nonce, rk_secret_peek(s->key));
	wipe(s->key);
}

enum rk_err
shield_new(struct rk_secret **secret, struct shield **out)
{
	size_t len = rk_secret_len(*secret);
	struct shield *s = NULL;
	enum rk_err r = RK_ENOMEM;

	*out = NULL;
	if (len > SECRET_MAX)
		r = RK_ETOOBIG;
	else if ((s = calloc(1, sizeof(*s))) != NULL &&
	         (r = rk_secret_new(LONG_KEY_LEN, &s->long_key)) == RK_OK &&
	         (r = rk_secret_new(CRYPT_SUM_LEN, &s->key)) == RK_OK &&
	         (r = rk_secret_new(len, &s->out)) == RK_OK)
		seal(s, *secret);
	rk_secret_free(*secret);
	*secret = NULL;
	if (r == RK_OK)
		*out = s;
	else
		shield_free(s);
	return r;
}

enum rk_err
shield_open(struct shield *s, const struct rk_secret **out)
{
	enum rk_err r;

	*out = NULL;
	hash_long_key(s);
	r = crypt_xopen(rk_secret_data(s->out), s->sealed,
	    rk_secret_len(s->out) + CRYPT_TAG_LEN, NULL, 0, s->nonce,
	    rk_secret_peek(s->key));
	wipe(s->key);
	if (r == RK_OK)
		*out = s->out;
	else
		wipe(s->out);
	return r;
}

void
shield_close(struct shield *s)
{
	seal(s, s->out);
	wipe(s->out);
}

void
shield_free(struct shield *s)
{
	if (s == NULL)
		return;
	rk_secret_free(s->long_key);
	rk_secret_free(s->key);
	rk_secret_free(s->out);
	rk_wipe(s, sizeof(*s));
	free(s);
}
