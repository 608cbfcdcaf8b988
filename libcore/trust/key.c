/* A private key, here in guarded memory or elsewhere: make, sign, verify. */
#include "trust/key.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/sign.h"
#include "base/str.h"

#define NAME_LEN 160

/* What a key needs whose private half is elsewhere. */
struct remote {
	struct rk_signer signer; /* its name is the one below */
	char name[NAME_LEN];     /* escaped */
	pthread_mutex_t lock;    /* of what follows */
	struct rk_error failure; /* of the last signature */
};

struct rk_key {
	atomic_uint refs;
	struct rk_secret *secret; /* the seed, then the public key; or NULL */
	struct remote *remote;    /* and this instead */
	uint8_t pub[RK_KEY_PUBLIC_LEN];
};

static struct rk_key *
new_key(void)
{
	struct rk_key *key = calloc(1, sizeof(*key));

	if (key != NULL)
		atomic_init(&key->refs, 1);
	return key;
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
	struct rk_key *key = new_key();
	enum rk_err r;

	*out = NULL;
	if (key == NULL)
		return RK_ENOMEM;
	if ((r = rk_secret_new(SIGN_SECRET_LEN, &key->secret)) != RK_OK) {
		free(key);
		return r;
	}
	sign_keypair(key->pub, rk_secret_data(key->secret), seed);
	*out = key;
	return RK_OK;
}

enum rk_err
rk_key_of_signer(const struct rk_signer *signer, struct rk_key **out)
{
	struct remote *remote = NULL;
	struct rk_key *key = NULL;

	*out = NULL;
	if (signer->size != sizeof(*signer) || signer->name == NULL ||
	    signer->sign == NULL)
		return RK_EINVAL;
	key = new_key();
	remote = calloc(1, sizeof(*remote));
	if (key == NULL || remote == NULL ||
	    pthread_mutex_init(&remote->lock, NULL) != 0) {
		free(remote);
		free(key);
		return RK_ENOMEM;
	}
	remote->signer = *signer;
	remote->signer.name =
	    str_escape(remote->name, sizeof(remote->name), signer->name);
	memcpy(key->pub, signer->pub, sizeof(key->pub));
	key->remote = remote;
	*out = key;
	return RK_OK;
}

struct rk_key *
key_ref(struct rk_key *key)
{
	if (key != NULL)
		(void)atomic_fetch_add(&key->refs, 1);
	return key;
}

static void
free_remote(struct remote *remote)
{
	if (remote == NULL)
		return;
	if (remote->signer.release != NULL)
		remote->signer.release(remote->signer.arg);
	(void)pthread_mutex_destroy(&remote->lock); /* nobody holds it */
	free(remote);
}

void
rk_key_free(struct rk_key *key)
{
	if (key == NULL || atomic_fetch_sub(&key->refs, 1) != 1)
		return;
	rk_secret_free(key->secret);
	free_remote(key->remote);
	free(key);
}

void
rk_key_public(const struct rk_key *key, uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	memcpy(pub, key->pub, RK_KEY_PUBLIC_LEN);
}

const uint8_t *
rk_key_seed(const struct rk_key *key)
{
	return key->secret == NULL ? NULL : rk_secret_peek(key->secret);
}

/* ---- signing ---- */

static void
note(struct remote *remote, const struct rk_error *failure)
{
	(void)pthread_mutex_lock(&remote->lock); /* a plain mutex: no failure */
	remote->failure = *failure;
	(void)pthread_mutex_unlock(&remote->lock);
}

bool
key_failure(const struct rk_key *key, struct rk_error *err)
{
	struct remote *remote = key->remote;

	if (remote == NULL)
		return false;
	(void)pthread_mutex_lock(&remote->lock);
	*err = remote->failure;
	(void)pthread_mutex_unlock(&remote->lock);
	return err->code != RK_OK;
}

/* RK_EAGAIN would have a handshake wait for what never comes. */
static bool
is_failure(enum rk_err r)
{
	return (int)r > RK_OK && r < RK_ERR_COUNT && r != RK_EAGAIN;
}

/* The signer is believed nothing: neither its signature nor that a failure
 * comes with a text and a code of one. */
static enum rk_err
sign_there(const struct rk_key *key, enum rk_sign_use use, const void *msg,
    size_t len, uint8_t sig[RK_KEY_SIG_LEN], struct rk_error *err)
{
	const struct rk_signer *s = &key->remote->signer;
	struct rk_error why = { 0 };
	enum rk_err r;

	r = s->sign(use, msg, len, sig, &why, s->arg);
	if (r != RK_OK && !is_failure(r))
		r = RK_EFAIL;
	if (r == RK_OK && !sign_check(sig, msg, len, key->pub))
		r = err_set(&why, RK_EPROTO,
		    "%s: a signature came that is not this key's", s->name);
	else if (r != RK_OK && (why.code == RK_OK || why.text[0] == '\0'))
		(void)err_set(&why, r, "%s: %s", s->name, rk_err_text(r));
	why.code = r;
	note(key->remote, &why);
	if (r == RK_OK)
		return RK_OK;
	memset(sig, 0, RK_KEY_SIG_LEN);
	if (err != NULL)
		*err = why;
	return r;
}

enum rk_err
rk_key_sign_for(const struct rk_key *key, enum rk_sign_use use, const void *msg,
    size_t len, uint8_t sig[RK_KEY_SIG_LEN], struct rk_error *err)
{
	err_clear(err);
	if (key->remote != NULL)
		return sign_there(key, use, msg, len, sig, err);
	sign_make(sig, msg, len, rk_secret_peek(key->secret));
	return RK_OK;
}

void
rk_key_sign(const struct rk_key *key, const void *msg, size_t len,
    uint8_t sig[RK_KEY_SIG_LEN])
{
	if (rk_key_sign_for(key, RK_SIGN_OTHER, msg, len, sig, NULL) != RK_OK)
		memset(sig, 0, RK_KEY_SIG_LEN); /* nobody's signature */
}

bool
rk_key_verify(const uint8_t pub[RK_KEY_PUBLIC_LEN], const void *msg, size_t len,
    const uint8_t sig[RK_KEY_SIG_LEN])
{
	return sign_check(sig, msg, len, pub);
}
