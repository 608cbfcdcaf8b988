/* Do I believe this peer: the rule of the known-keys file, decided. */
#include "trust/policy_int.h"

#include <rpckit/servers.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "trust/sshkey.h"

#define DECIDE_WAIT_MS 1000 /* for another program's lock */
#define NAP_NS 20000000

/* As it is or, where another program keeps it just now, as it was. */
static enum rk_err
glance(struct rk_trust *t, unsigned wait_ms, struct rk_error *err)
{
	enum rk_err r = policy_refresh_within(t, wait_ms, err);

	if (r != RK_EBUSY || t->known.stamp.st.st_ino == 0)
		return r;
	err_clear(err);
	return RK_OK;
}

enum rk_trust_state
policy_state(const struct rk_trust *t, enum rk_trust_mode mode)
{
	return mode == RK_TRUST_LOCK ? RK_TRUST_LOCKED : t->known.state;
}

static enum rk_trust_state
state_of(const struct rk_trust *t)
{
	return policy_state(t, t->mode);
}

enum rk_err
policy_check_mode(
    const struct rk_trust *t, enum rk_trust_mode mode, struct rk_error *err)
{
	if (policy_state(t, mode) == RK_TRUST_LOCKED && t->known.n == 0)
		return err_set(err, RK_ESTATE,
		    "%s: locked and without a key: everybody would be refused",
		    t->name);
	if (mode == RK_TRUST_ASK && t->known.state == RK_TRUST_ABSENT)
		return err_set(err, RK_ESTATE,
		    "%s: is not there, and who is approved is written to it",
		    t->name);
	return RK_OK;
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
	t->now = mono_ms;
	t->mode = path != NULL ? mode : RK_TRUST_OFF;
	if (room_new(&t->room) != RK_OK ||
	    pace_init(&t->pace, RK_TRUST_NEW_KEYS) != RK_OK ||
	    (path != NULL && (t->path = strdup(path)) == NULL)) {
		r = err_set(err, RK_ENOMEM, "out of memory");
		goto out;
	}
	if (path != NULL)
		str_escape(t->name, sizeof(t->name), path);
	if (t->mode == RK_TRUST_OFF)
		goto done;
	if ((r = policy_refresh(t, err)) != RK_OK ||
	    (r = policy_check_mode(t, t->mode, err)) != RK_OK)
		goto out;
done:
	*out = t;
	t = NULL;
out:
	rk_trust_free(t);
	return r;
}

enum rk_err
rk_trust_new_own(rk_trust_fn *fn, void *arg, struct rk_trust **out)
{
	enum rk_err r = rk_trust_new(NULL, RK_TRUST_OFF, out, NULL);

	if (r != RK_OK)
		return r;
	(*out)->own = fn;
	(*out)->own_arg = arg;
	return RK_OK;
}

void
rk_trust_free(struct rk_trust *t)
{
	if (t == NULL)
		return;
	known_fini(&t->known);
	known_fini(&t->peeked);
	pace_fini(&t->pace);
	room_release(t->room);
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
	trust->now = now != NULL ? now : mono_ms;
	room_set_clock(trust->room, trust->now);
}

/* What is to become of a key that is not on the list. */
enum fate {
	FATE_ACCEPT, /* nothing is recorded */
	FATE_RECORD,
	FATE_WAIT
};

static enum rk_err
find_changed(const struct rk_trust *t, const struct rk_cert_info *cert,
    bool *changed, struct rk_error *err)
{
	const struct mails_for whom = { .pub = cert->pub };

	return policy_is_taken(t, &whom, mails_of(cert->email), changed, err);
}

/* A session's key that nobody vouches for: no certificate, and none of
 * rk_sshkeys. */
static bool
is_bare(const struct rk_cert_info *cert)
{
	return cert->issuer_cn[0] == '\0' && cert->not_after == 0;
}

/* Everybody can make such a key, so what lets in those of a CA by themselves is
 * not for them: only a person, or a line of the list. */
static enum rk_err
judge_bare(const struct rk_trust *t, const struct rk_cert_info *cert,
    enum fate *fate, struct rk_error *err)
{
	char fps[SSHKEY_FPS_LEN];

	*fate = FATE_WAIT;
	if (state_of(t) != RK_TRUST_ABSENT &&
	    (t->mode == RK_TRUST_ASK || t->mode == RK_TRUST_ACCEPT_NEW))
		return RK_OK;
	sshkey_fps(cert->pub, fps);
	if (t->path == NULL || t->mode == RK_TRUST_OFF)
		return err_set(err, RK_EUNKNOWNKEY,
		    "key %s: nobody vouches for it, and no list has it", fps);
	return err_set(err, RK_EUNKNOWNKEY,
	    "key %s is not in %s, and nobody vouches for it", fps, t->name);
}

/* RK_EUNKNOWNKEY: it is refused, as by errors of the store.  Holds the mutex.
 */
static enum rk_err
judge_unknown(const struct rk_trust *t, const struct rk_cert_info *cert,
    enum room_word word, enum fate *fate, struct rk_error *err)
{
	bool waits = t->mode == RK_TRUST_ASK;
	enum rk_err r;

	*fate = FATE_RECORD;
	if (state_of(t) == RK_TRUST_LOCKED)
		return err_set(err, RK_EUNKNOWNKEY,
		    "key %s is not in %s, which is locked", cert->fp, t->name);
	if (is_bare(cert))
		return judge_bare(t, cert, fate, err);
	if (t->mode == RK_TRUST_ACCEPT_NEW) {
		if ((r = find_changed(t, cert, &waits, err)) != RK_OK)
			return r;
		waits = waits || word == ROOM_EXPIRED;
	}
	if (waits) {
		*fate = FATE_WAIT;
		return RK_OK;
	}
	if (state_of(t) == RK_TRUST_ABSENT) {
		*fate = FATE_ACCEPT;
		return RK_OK;
	}
	if (pace_may(&t->pace, t->now()))
		return RK_OK;
	return err_set(err, RK_EUNKNOWNKEY,
	    "key %s is not in %s, which takes no more than %u new keys a "
	    "minute",
	    cert->fp, t->name, t->pace.max);
}

static bool
is_out(enum room_word word)
{
	return word == ROOM_REJECTED || word == ROOM_REVOKED;
}

/* Was it decided that this key stays out? */
static enum rk_err
check_out(struct rk_trust *t, const char *fp, enum room_word *word,
    struct rk_error *err)
{
	enum rk_err r;

	if ((r = room_ask(t->room, fp, word, err)) != RK_OK)
		return r;
	if (*word == ROOM_REVOKED)
		return err_set(err, RK_EREVOKED, "key %s was revoked here", fp);
	if (*word == ROOM_REJECTED)
		return err_set(err, RK_EDENIED, "key %s was rejected here", fp);
	return RK_OK;
}

/* The file is open: record the key.  Holds the mutex. */
static enum rk_err
enrol(struct rk_trust *t, const struct rk_peer *peer, bool *added,
    struct rk_error *err)
{
	const struct mails_for whom = { .pub = peer->cert.pub };
	char host[sizeof(peer->remote)];
	struct known_entry entry = {
		.pub = peer->cert.pub,
		.host = host,
		.emails = peer->cert.email,
		.wait_ms = 0,
		.whom = t->mode == RK_TRUST_ACCEPT_NEW ? &whom : NULL,
	};
	struct known now;
	enum rk_err r;

	room_host(peer->remote, host, sizeof(host));
	r = known_add(t->path, &entry, &now, added, err);
	if (r == RK_EDENIED) /* asked again it is a changed one */
		r = err_set(err, RK_EBUSY, "%s: was changed", t->name);
	if (r == RK_EBUSY)
		return r;
	known_fini(&t->known);
	t->known = now;
	if (!*added)
		return r;
	pace_note(&t->pace, t->now());
	log_event(RK_LOG_INFO, "trust", "%s: recorded key %s of %s (%s)",
	    t->name, peer->cert.fp, host,
	    peer->cert.email[0] != '\0' ? peer->cert.email : peer->cert.cn);
	return r;
}

/* Was it approved for one connection, or a time?  Not above a lock. */
static bool
is_lent(const struct rk_trust *t, enum room_word word, enum room_word how)
{
	return word == how && state_of(t) != RK_TRUST_LOCKED;
}

static enum rk_err
let_wait(struct rk_trust *t, const struct rk_peer *peer, bool first,
    struct rk_error *err)
{
	bool changed;
	enum rk_err r;

	if ((r = find_changed(t, &peer->cert, &changed, err)) != RK_OK)
		return r;
	r = room_enter(t->room, peer, changed, first, t->now(), err);
	if (r != RK_OK)
		return r;
	return err_set(
	    err, RK_EAGAIN, "key %s waits for a decision", peer->cert.fp);
}

static void
note_met(struct rk_trust *t, const struct rk_peer *peer, bool comes)
{
	const struct ask_store store = room_store(t->room);

	if (store.met != NULL)
		store.met(store.arg, peer, comes);
}

static enum rk_err
decide(struct rk_trust *t, const struct rk_peer *peer, bool first, bool *added,
    struct rk_error *err)
{
	enum room_word word;
	enum fate fate;
	enum rk_err r;

	r = check_out(t, peer->cert.fp, &word, err);
	if (first && is_out(word))
		room_tried(t->room, &peer->cert, peer);
	if (r == RK_OK && t->mode == RK_TRUST_OFF && is_bare(&peer->cert))
		r = judge_bare(t, &peer->cert, &fate, err);
	if (r != RK_OK || t->mode == RK_TRUST_OFF)
		return r;
	if (t->retired)
		return err_set(err, RK_EUNKNOWNKEY,
		    "key %s: another list of keys is in force", peer->cert.fp);
	if ((r = policy_refresh_for(t, peer->cert.pub, err)) != RK_OK)
		return r;
	if (known_has(&t->known, peer->cert.pub)) {
		room_forget_known(t->room, peer->cert.fp);
		note_met(t, peer, first);
		return RK_OK;
	}
	if (is_lent(t, word, ROOM_UNTIL))
		return RK_OK;
	if (is_lent(t, word, ROOM_ONCE)) {
		r = room_use(t->room, peer->cert.fp, err);
		if (r != RK_EAGAIN)
			return r;
		word = ROOM_EXPIRED; /* another was faster */
	}
	r = judge_unknown(t, &peer->cert, word, &fate, err);
	if (r != RK_OK)
		return r;
	if (fate == FATE_WAIT)
		return let_wait(t, peer, first, err);
	return fate == FATE_RECORD ? enrol(t, peer, added, err) : RK_OK;
}

static enum rk_err
ask(struct rk_trust *t, const struct rk_peer *peer, bool first, bool *added,
    struct rk_error *err)
{
	bool written = false;
	enum rk_err r;

	err_clear(err);
	if (!peer->proven) {
		r = err_set(err, RK_ECERT, "the peer has not proven any key");
	} else if (t->own != NULL) {
		r = t->own(peer, t->own_arg, err);
	} else {
		(void)pthread_mutex_lock(&t->mutex);
		r = decide(t, peer, first, &written, err);
		(void)pthread_mutex_unlock(&t->mutex);
	}
	if (added != NULL)
		*added = written;
	if (r != RK_OK && err != NULL)
		err->step = "trust";
	return r;
}

enum rk_err
policy_decide(struct rk_trust *t, const struct rk_peer *peer, bool *added,
    struct rk_error *err)
{
	return ask(t, peer, true, added, err);
}

/* Others are judged meanwhile. */
enum rk_err
rk_trust_decide(struct rk_trust *t, const struct rk_peer *peer, bool *added,
    struct rk_error *err)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };
	const uint64_t begun = mono_ms();
	enum rk_err r;

	while ((r = ask(t, peer, true, added, err)) == RK_EBUSY &&
	       t->own == NULL && mono_ms() - begun < DECIDE_WAIT_MS)
		(void)nanosleep(&nap, NULL); /* a shorter nap does no harm */
	return r;
}

enum rk_err
policy_ask_again(struct rk_trust *t, const struct rk_peer *peer, bool *added,
    struct rk_error *err)
{
	return ask(t, peer, false, added, err);
}

static enum rk_err
foresee(
    struct rk_trust *t, const struct rk_cert_info *cert, struct rk_error *err)
{
	enum room_word word;
	enum fate fate;
	enum rk_err r;

	r = check_out(t, cert->fp, &word, err);
	if (is_out(word))
		room_tried(t->room, cert, NULL);
	if (r == RK_OK && t->mode == RK_TRUST_OFF && t->own == NULL &&
	    is_bare(cert))
		r = judge_bare(t, cert, &fate, err);
	if (r != RK_OK || t->mode == RK_TRUST_OFF)
		return r;
	if ((r = policy_refresh_for(t, cert->pub, err)) != RK_OK ||
	    known_has(&t->known, cert->pub) || is_lent(t, word, ROOM_ONCE) ||
	    is_lent(t, word, ROOM_UNTIL))
		return r;
	/* Who waits is listed when the key is proven, seat or not. */
	return judge_unknown(t, cert, word, &fate, err);
}

enum rk_err
policy_foresee(
    struct rk_trust *t, const struct rk_cert_info *cert, struct rk_error *err)
{
	enum rk_err r;

	(void)pthread_mutex_lock(&t->mutex);
	r = foresee(t, cert, err);
	(void)pthread_mutex_unlock(&t->mutex);
	if (r != RK_EBUSY)
		return r;
	err_clear(err); /* then it is asked, and can be made to wait */
	return RK_OK;
}

static enum rk_err
recall(
    struct rk_trust *t, const struct rk_cert_info *cert, struct rk_error *err)
{
	enum room_word word;
	enum rk_err r;

	r = check_out(t, cert->fp, &word, err);
	if (r != RK_OK || t->mode == RK_TRUST_OFF)
		return r;
	if ((r = policy_refresh_for(t, cert->pub, err)) != RK_OK)
		return r;
	if (state_of(t) != RK_TRUST_ABSENT &&
	    !known_has(&t->known, cert->pub) && !is_lent(t, word, ROOM_UNTIL))
		r = err_set(err, RK_EUNKNOWNKEY, "key %s is not in %s",
		    cert->fp, t->name);
	return r;
}

enum rk_err
policy_recall(
    struct rk_trust *t, const struct rk_cert_info *cert, struct rk_error *err)
{
	enum rk_err r;

	if (t->own != NULL)
		return err_set(err, RK_EUNKNOWNKEY,
		    "key %s is asked about each time", cert->fp);
	(void)pthread_mutex_lock(&t->mutex);
	r = recall(t, cert, err);
	(void)pthread_mutex_unlock(&t->mutex);
	return r;
}

/* A peer whose approval counts no more, or was one for a time. */
static enum rk_err
check_lent(struct rk_trust *t, const struct rk_cert_info *cert,
    enum room_word word, struct rk_error *err)
{
	bool recalled = room_is_recalled(t->room, cert->fp);
	enum rk_err r = RK_OK;

	if (word == ROOM_UNTIL && !recalled)
		return RK_OK;
	(void)pthread_mutex_lock(&t->mutex);
	if (t->mode != RK_TRUST_OFF && (r = glance(t, 0, err)) == RK_OK &&
	    t->known.state != RK_TRUST_ABSENT &&
	    !known_has(&t->known, cert->pub))
		r = err_set(err, RK_EDENIED,
		    recalled ? "key %s: its approval was taken back"
		             : "key %s: the time is over for which it was "
		               "approved",
		    cert->fp);
	(void)pthread_mutex_unlock(&t->mutex);
	return r;
}

bool
policy_is_timed(struct rk_trust *t, const struct rk_cert_info *cert)
{
	return t->own == NULL && room_is_timed(t->room, cert->fp);
}

enum rk_err
policy_may_stay(struct rk_trust *t, const struct rk_cert_info *cert, bool timed,
    struct rk_error *err)
{
	enum room_word word;
	enum rk_err r;

	r = check_out(t, cert->fp, &word, err);
	if (r == RK_OK && (timed || room_is_recalled(t->room, cert->fp)))
		r = check_lent(t, cert, word, err);
	if (r != RK_OK && err != NULL)
		err->step = "trust";
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
	(void)pthread_mutex_lock(&t->mutex);
	if (t->mode != RK_TRUST_OFF)
		r = glance(t, KNOWN_WAIT_SHOW_MS, err);
	if (r == RK_OK && t->mode != RK_TRUST_OFF) {
		*state = state_of(t);
		*keys = t->known.n;
	}
	(void)pthread_mutex_unlock(&t->mutex);
	return r;
}
