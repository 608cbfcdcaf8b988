/* Do I believe this peer: the rule of the known-keys file, decided. */
#include <rpckit/trust.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/str.h"
#include "trust/known.h"
#include "trust/pace.h"
#include "trust/policy.h"

#define NAME_TEXT 160 /* a path in a message */

struct rk_trust {
	char *path; /* NULL: RK_TRUST_OFF */
	char name[NAME_TEXT];
	enum rk_trust_mode mode;
	pthread_mutex_t mutex; /* over what follows */
	struct known known;
	bool seen; /* the file was there once */
	struct pace pace;
	uint64_t (*now)(void); /* ms */
};

static uint64_t
monotonic(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/*
 * Bring known up to date.  A file that was there and is not any more is an
 * error, not "absent": an editor that replaces it, or whoever deletes it, must
 * not open the door.
 */
static enum rk_err
refresh(struct rk_trust *t, struct rk_error *err)
{
	enum rk_err r;

	if (known_is_current(&t->known, t->path))
		return RK_OK;
	known_fini(&t->known);
	if ((r = known_read(t->path, &t->known, err)) != RK_OK)
		return r;
	if (t->known.state != RK_TRUST_ABSENT)
		t->seen = true;
	else if (t->seen)
		return err_set(err, RK_EIO,
		    "%s: was there and is gone; restart to go on without it",
		    t->name);
	return RK_OK;
}

/* The file's state and our mode, the stricter of both. */
static enum rk_trust_state
state_of(const struct rk_trust *t)
{
	return t->mode == RK_TRUST_LOCK ? RK_TRUST_LOCKED : t->known.state;
}

enum rk_err
rk_trust_new(const char *path, enum rk_trust_mode mode, struct rk_trust **out,
    struct rk_error *err)
{
	struct rk_trust *t = NULL;
	enum rk_err r = RK_OK;

	*out = NULL;
	err_clear(err);
	if (path != NULL && path[0] == '\0')
		return err_set(
		    err, RK_EINVAL, "the path of the known-keys file is empty");
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	/* Cannot fail with default attributes. */
	(void)pthread_mutex_init(&t->mutex, NULL);
	t->now = monotonic;
	t->mode = path != NULL ? mode : RK_TRUST_OFF;
	if (t->mode == RK_TRUST_OFF)
		goto done;
	str_escape(t->name, sizeof(t->name), path);
	t->path = strdup(path);
	if (t->path == NULL ||
	    pace_init(&t->pace, RK_TRUST_NEW_KEYS) != RK_OK) {
		r = err_set(err, RK_ENOMEM, "out of memory");
		goto out;
	}
	if ((r = refresh(t, err)) != RK_OK)
		goto out;
	if (state_of(t) == RK_TRUST_LOCKED && t->known.n == 0) {
		r = err_set(err, RK_ESTATE,
		    "%s: locked and without a key: everybody would be refused",
		    t->name);
		goto out;
	}
done:
	*out = t;
	t = NULL;
out:
	rk_trust_free(t);
	return r;
}

void
rk_trust_free(struct rk_trust *t)
{
	if (t == NULL)
		return;
	known_fini(&t->known);
	pace_fini(&t->pace);
	(void)pthread_mutex_destroy(&t->mutex);
	free(t->path);
	free(t);
}

enum rk_err
rk_trust_limit(struct rk_trust *trust, unsigned new_keys_per_minute,
    struct rk_trust *before)
{
	struct pace pace;
	enum rk_err r;

	if ((r = pace_init(&pace, new_keys_per_minute)) != RK_OK)
		return r;
	if (before != NULL) {
		(void)pthread_mutex_lock(&before->mutex);
		pace_follow(&pace, &before->pace);
		(void)pthread_mutex_unlock(&before->mutex);
	}
	pace_fini(&trust->pace);
	trust->pace = pace;
	return RK_OK;
}

void
policy_set_clock(struct rk_trust *trust, uint64_t (*now)(void))
{
	trust->now = now != NULL ? now : monotonic;
}

/* The host of "tls://127.0.0.1:8443" or "tls://[::1]:8443"; "" for others. */
static void
host_of(const char *url, char *host, size_t host_len)
{
	const char *start = strstr(url, "://");
	const char *end = NULL;

	start = start != NULL ? start + 3 : url;
	if (start[0] == '[') {
		start++;
		end = strchr(start, ']');
	} else {
		end = strrchr(start, ':');
	}
	if (end == NULL || (size_t)(end - start) >= host_len)
		end = start;
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
}

/* A key that is not on the list: may it come to be?  Holds the mutex. */
static enum rk_err
judge_unknown(const struct rk_trust *t, const struct rk_cert_info *cert,
    struct rk_error *err)
{
	switch (state_of(t)) {
	case RK_TRUST_ABSENT:
		return RK_OK;
	case RK_TRUST_LOCKED:
		return err_set(err, RK_EUNKNOWNKEY,
		    "key %s is not in %s, which is locked", cert->fp, t->name);
	case RK_TRUST_OPEN:
		break;
	}
	if (pace_may(&t->pace, t->now()))
		return RK_OK;
	return err_set(err, RK_EUNKNOWNKEY,
	    "key %s is not in %s, which takes no more than %u new keys a "
	    "minute",
	    cert->fp, t->name, t->pace.max);
}

/* The file is open: record the key.  Holds the mutex. */
static enum rk_err
enrol(struct rk_trust *t, const struct rk_peer *peer, bool *added,
    struct rk_error *err)
{
	char host[sizeof(peer->remote)];
	struct known_entry entry = {
		.pub = peer->cert.pub,
		.host = host,
		.emails = peer->cert.email,
	};
	struct known now;
	enum rk_err r;

	host_of(peer->remote, host, sizeof(host));
	r = known_add(t->path, &entry, &now, added, err);
	known_fini(&t->known);
	t->known = now;
	if (!*added)
		return r;
	pace_note(&t->pace, t->now());
	log_event(RK_LOG_INFO, "trust", "%s: recorded key %s of %s (%s)",
	    t->name, peer->cert.fp, host, peer->cert.email);
	return r;
}

static enum rk_err
decide(struct rk_trust *t, const struct rk_peer *peer, bool *added,
    struct rk_error *err)
{
	enum rk_err r;

	if ((r = refresh(t, err)) != RK_OK)
		return r;
	if (known_has(&t->known, peer->cert.pub))
		return RK_OK;
	if ((r = judge_unknown(t, &peer->cert, err)) != RK_OK)
		return r;
	return state_of(t) == RK_TRUST_OPEN ? enrol(t, peer, added, err)
	                                    : RK_OK;
}

enum rk_err
rk_trust_decide(struct rk_trust *t, const struct rk_peer *peer, bool *added,
    struct rk_error *err)
{
	bool written = false;
	enum rk_err r = RK_OK;

	err_clear(err);
	if (!peer->proven) {
		r = err_set(err, RK_ECERT, "the peer has not proven any key");
	} else if (t->mode != RK_TRUST_OFF) {
		(void)pthread_mutex_lock(&t->mutex);
		r = decide(t, peer, &written, err);
		(void)pthread_mutex_unlock(&t->mutex);
	}
	if (added != NULL)
		*added = written;
	if (r != RK_OK && err != NULL)
		err->step = "trust";
	return r;
}

enum rk_err
policy_foresee(
    struct rk_trust *t, const struct rk_cert_info *cert, struct rk_error *err)
{
	enum rk_err r;

	if (t->mode == RK_TRUST_OFF)
		return RK_OK;
	(void)pthread_mutex_lock(&t->mutex);
	r = refresh(t, err);
	if (r == RK_OK && !known_has(&t->known, cert->pub))
		r = judge_unknown(t, cert, err);
	(void)pthread_mutex_unlock(&t->mutex);
	return r;
}

enum rk_err
policy_recall(
    struct rk_trust *t, const struct rk_cert_info *cert, struct rk_error *err)
{
	enum rk_err r;

	if (t->mode == RK_TRUST_OFF)
		return RK_OK;
	(void)pthread_mutex_lock(&t->mutex);
	r = refresh(t, err);
	if (r == RK_OK && state_of(t) != RK_TRUST_ABSENT &&
	    !known_has(&t->known, cert->pub))
		r = err_set(err, RK_EUNKNOWNKEY, "key %s is not in %s",
		    cert->fp, t->name);
	(void)pthread_mutex_unlock(&t->mutex);
	return r;
}

enum rk_err
rk_trust_inspect(struct rk_trust *t, enum rk_trust_state *state, size_t *keys,
    struct rk_error *err)
{
	enum rk_err r = RK_OK;

	*state = RK_TRUST_ABSENT;
	*keys = 0;
	err_clear(err);
	if (t->mode == RK_TRUST_OFF)
		return RK_OK;
	(void)pthread_mutex_lock(&t->mutex);
	r = refresh(t, err);
	if (r == RK_OK) {
		*state = state_of(t);
		*keys = t->known.n;
	}
	(void)pthread_mutex_unlock(&t->mutex);
	return r;
}
