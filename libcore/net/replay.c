/* What came with early data, so that it does not come again. */
#include "net/replay.h"

#include "base/crypt.h"

#include <rpckit/secret.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* A flight may lie in one of these places.  Where it lies is secret, so that
 * nobody fills the places of others on purpose. */
#define RUN 16
#define DIGEST_LEN 16

struct flight {
	uint8_t digest[DIGEST_LEN];
	int64_t until; /* 0: never used */
};

struct replay {
	atomic_uint refs;
	uint8_t home[REPLAY_HOME_LEN];
	uint8_t key[CRYPT_KEY_LEN];
	pthread_mutex_t lock; /* of what follows */
	int64_t latest;       /* the clock's */
	/* Not touched before it is used, so that it costs nothing till then. */
	struct flight *flights;
};

enum rk_err
replay_new(struct replay **out)
{
	struct replay *r = calloc(1, sizeof(*r));

	*out = NULL;
	if (r == NULL)
		return RK_ENOMEM;
	r->flights = calloc(REPLAY_MAX, sizeof(*r->flights));
	if (r->flights == NULL || pthread_mutex_init(&r->lock, NULL) != 0) {
		free(r->flights);
		free(r);
		return RK_ENOMEM;
	}
	atomic_init(&r->refs, 1);
	r->latest = INT64_MIN;
	rk_random(r->home, sizeof(r->home));
	rk_random(r->key, sizeof(r->key));
	*out = r;
	return RK_OK;
}

struct replay *
replay_ref(struct replay *r)
{
	(void)atomic_fetch_add(&r->refs, 1);
	return r;
}

void
replay_free(struct replay *r)
{
	if (r == NULL || atomic_fetch_sub(&r->refs, 1) != 1)
		return;
	(void)pthread_mutex_destroy(&r->lock); /* nobody holds it */
	rk_wipe(r->key, sizeof(r->key));
	free(r->flights);
	free(r);
}

const uint8_t *
replay_home(const struct replay *r)
{
	return r->home;
}

static size_t
place_of(const uint8_t hash[CRYPT_HASH_LEN])
{
	uint32_t n;

	memcpy(&n, hash + DIGEST_LEN, sizeof(n));
	return n % (REPLAY_MAX / RUN) * RUN;
}

static bool
note(struct replay *r, const uint8_t hash[CRYPT_HASH_LEN], int64_t now)
{
	struct flight *run = &r->flights[place_of(hash)];
	struct flight *spare = NULL;

	/* Threads look at the clock before they come here. */
	if (r->latest != INT64_MIN && now < r->latest - 1)
		return false;
	if (now > r->latest)
		r->latest = now;
	for (size_t i = 0; i < RUN; i++) {
		if (run[i].until == 0 || run[i].until < now)
			spare = &run[i];
		else if (memcmp(run[i].digest, hash, DIGEST_LEN) == 0)
			return false;
	}
	if (spare == NULL)
		return false;
	memcpy(spare->digest, hash, DIGEST_LEN);
	spare->until = now + REPLAY_KEEP_S;
	return true;
}

bool
replay_is_first(struct replay *r, const void *id, size_t len, int64_t now)
{
	uint8_t hash[CRYPT_HASH_LEN];
	bool first;

	if (now <= 0 || now > INT64_MAX - REPLAY_KEEP_S)
		return false;
	crypt_hmac(hash, r->key, sizeof(r->key), id, len);
	(void)pthread_mutex_lock(&r->lock); /* a plain mutex: cannot fail */
	first = note(r, hash, now);
	(void)pthread_mutex_unlock(&r->lock);
	return first;
}
