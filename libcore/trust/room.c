/* Who waits for a decision, and what was decided: a table of keys. */
#include "trust/room_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "trust/sshkey.h"

bool
room_is_decided(enum rk_ask_status s)
{
	return s >= RK_ASK_UNTIL;
}

/* ---- entries ---- */

static struct room_entry_list *
bucket(struct room *r, const char *fp)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *fp != '\0'; fp++)
		h = (h ^ (uint8_t)*fp) * UINT64_C(0x100000001b3);
	return &r->buckets[(h >> 32) % ROOM_BUCKETS];
}

struct room_entry *
room_look(struct room *r, const char *fp)
{
	struct room_entry *e;

	LIST_FOREACH(e, bucket(r, fp), link)
	{
		if (strcmp(e->pub.fp, fp) == 0)
			return e;
	}
	return NULL;
}

static unsigned *
counter(struct room *r, enum rk_ask_status s)
{
	return room_is_decided(s) ? &r->n_decided : &r->n_waiting;
}

bool
room_is_full(struct room *r, enum rk_ask_status s)
{
	return *counter(r, s) >=
	       (room_is_decided(s) ? RK_ASK_DECIDED_MAX : RK_ASK_ENTRIES);
}

void
room_set_status(struct room *r, struct room_entry *e, enum rk_ask_status s)
{
	/* Nobody had to come meanwhile. */
	if (room_is_decided(e->pub.status) && !room_is_decided(s))
		e->seen = r->now();
	--*counter(r, e->pub.status);
	++*counter(r, s);
	e->pub.status = s;
}

/* It is the table's now. */
void
room_insert(struct room *r, struct room_entry *e)
{
	++*counter(r, e->pub.status);
	e->pub.version = ++r->version;
	e->seen = r->now();
	LIST_INSERT_HEAD(bucket(r, e->pub.fp), e, link);
}

void
room_remove(struct room *r, struct room_entry *e)
{
	--*counter(r, e->pub.status);
	LIST_REMOVE(e, link);
	free(e);
}

void
room_expire(struct room *r, struct room_entry *e)
{
	if (e->pub.status == RK_ASK_UNTIL &&
	    ask_is_over(e->pub.decided, e->pub.until, time(NULL)))
		room_set_status(r, e, RK_ASK_EXPIRED);
}

void
room_recall(struct room *r, const char *fp, bool recalled)
{
	if (recalled) {
		(void)str_copy(r->recalled[r->n_recalled++ % ROOM_RECALLED],
		    RK_FP_LEN, fp);
		return;
	}
	for (size_t i = 0; i < ROOM_RECALLED; i++) {
		if (strcmp(r->recalled[i], fp) == 0)
			r->recalled[i][0] = '\0';
	}
}

void
room_tell(struct room *r, enum rk_ask_event event, const struct rk_ask_entry *e)
{
	struct rk_ask_watch *w;

	LIST_FOREACH(w, &r->watches, link)
	w->fn(event, e, w->arg);
}

/* ---- what is known about a key ---- */

static enum room_word
word_of(const struct room_entry *e)
{
	if (e == NULL)
		return ROOM_NOTHING;
	switch (e->pub.status) {
	case RK_ASK_EXPIRED:
		return ROOM_EXPIRED;
	case RK_ASK_UNTIL:
		return ROOM_UNTIL;
	case RK_ASK_ONCE:
		return ROOM_ONCE;
	case RK_ASK_REJECTED:
		return ROOM_REJECTED;
	case RK_ASK_REVOKED:
		return ROOM_REVOKED;
	case RK_ASK_NEW:
	case RK_ASK_CHANGED:
	case RK_ASK_KNOWN: /* no entry's */
		break;
	}
	return ROOM_NOTHING;
}

enum rk_err
room_ask(
    struct room *r, const char *fp, enum room_word *out, struct rk_error *err)
{
	struct room_entry *e;
	enum rk_err rv;

	*out = ROOM_NOTHING;
	(void)pthread_mutex_lock(&r->mutex);
	rv = room_get(r, fp, false, &e, err);
	if (rv == RK_OK)
		*out = word_of(e);
	(void)pthread_mutex_unlock(&r->mutex);
	return rv;
}

enum rk_err
room_use(struct room *r, const char *fp, struct rk_error *err)
{
	struct room_entry *e;
	struct rk_ask_entry used;
	enum rk_err rv = RK_OK;

	(void)pthread_mutex_lock(&r->mutex);
	e = room_look(r, fp);
	if (e == NULL || e->pub.status != RK_ASK_ONCE) {
		/* Another connection was faster. */
		rv = RK_EAGAIN;
		goto out;
	}
	used = e->pub;
	used.status = RK_ASK_EXPIRED;
	if (r->store.use != NULL)
		rv = r->store.use(r->store.arg, &used, err);
	else if (r->store.seen != NULL)
		rv = r->store.seen(r->store.arg, &used, err);
	if (rv != RK_OK)
		goto out;
	room_set_status(r, e, RK_ASK_EXPIRED);
	e->pub.version = ++r->version;
out:
	(void)pthread_mutex_unlock(&r->mutex);
	return rv;
}

void
room_forget_known(struct room *r, const char *fp)
{
	struct room_entry *e;

	(void)pthread_mutex_lock(&r->mutex);
	e = room_look(r, fp);
	if (e != NULL && e->pub.status <= RK_ASK_ONCE) {
		room_recall(r, fp, false);
		room_tell(r, RK_ASK_GONE, &e->pub);
		room_remove(r, e);
	}
	(void)pthread_mutex_unlock(&r->mutex);
}

/* Holds the mutex.  RK_ASK_KNOWN: it has no entry. */
static enum rk_ask_status
look_status(struct room *r, const char *fp)
{
	const struct room_entry *e = room_look(r, fp);

	return e != NULL ? e->pub.status : RK_ASK_KNOWN;
}

static enum rk_ask_status
status_of(struct room *r, const char *fp)
{
	enum rk_ask_status status;

	(void)pthread_mutex_lock(&r->mutex);
	status = look_status(r, fp);
	(void)pthread_mutex_unlock(&r->mutex);
	return status;
}

void
room_mails(struct room *r, const char *fp, char *dst, size_t len)
{
	const struct room_entry *e;

	(void)pthread_mutex_lock(&r->mutex);
	e = room_look(r, fp);
	(void)str_copy(dst, len, e != NULL ? e->pub.email : "");
	(void)pthread_mutex_unlock(&r->mutex);
}

static bool
is_out(enum rk_ask_status status)
{
	return status == RK_ASK_REJECTED || status == RK_ASK_REVOKED;
}

bool
room_is_out(struct room *r, const char *fp)
{
	return is_out(status_of(r, fp));
}

bool
room_has_out(struct room *r, const char *fp)
{
	return is_out(look_status(r, fp));
}

bool
room_is_timed(struct room *r, const char *fp)
{
	return status_of(r, fp) == RK_ASK_UNTIL;
}

bool
room_is_recalled(struct room *r, const char *fp)
{
	bool found = false;

	(void)pthread_mutex_lock(&r->mutex);
	for (size_t i = 0; i < ROOM_RECALLED && i < r->n_recalled; i++)
		found = found || strcmp(r->recalled[i], fp) == 0;
	(void)pthread_mutex_unlock(&r->mutex);
	return found;
}

/* ---- those who wait ---- */

static enum rk_err
make_entry(struct room *r, const struct rk_peer *peer, uint64_t now,
    struct room_entry **out, struct rk_error *err)
{
	struct room_entry *e;
	enum rk_err rv;

	room_drop_old(r, now);
	if ((rv = room_make_place(r, peer, now, err)) != RK_OK)
		return rv;
	if ((e = calloc(1, sizeof(*e))) == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	(void)str_copy(e->pub.fp, sizeof(e->pub.fp), peer->cert.fp);
	e->pub.first_seen = time(NULL);
	room_insert(r, e);
	*out = e;
	return RK_OK;
}

/* The host to the front, as a store has it. */
static void
note_address(struct rk_ask_entry *e, const char *url)
{
	char host[sizeof(e->remote)];
	size_t i = 0;

	room_host(url, host, sizeof(host));
	if (host[0] == '\0')
		return;
	host[sizeof(e->addresses[0]) - 1] = '\0';
	while (i < RK_ASK_ADDRESSES - 1 && e->addresses[i][0] != '\0' &&
	       strcmp(e->addresses[i], host) != 0)
		i++;
	memmove(e->addresses[1], e->addresses[0], i * sizeof(e->addresses[0]));
	(void)str_copy(e->addresses[0], sizeof(e->addresses[0]), host);
}

void
room_tried(
    struct room *r, const struct rk_cert_info *cert, const struct rk_peer *peer)
{
	struct room_entry *e;

	(void)pthread_mutex_lock(&r->mutex);
	e = room_look(r, cert->fp);
	if (e == NULL || e->pub.status <= RK_ASK_ONCE)
		goto out;
	e->pub.tries++;
	e->pub.last_seen = time(NULL);
	if (peer != NULL) {
		(void)str_copy(
		    e->pub.remote, sizeof(e->pub.remote), peer->remote);
		note_address(&e->pub, peer->remote);
	}
	/* Anybody has the certificate: what is not proven costs no write. */
	if (peer != NULL && r->store.tried != NULL)
		r->store.tried(r->store.arg, peer);
	room_tell(r, RK_ASK_AGAIN, &e->pub);
out:
	(void)pthread_mutex_unlock(&r->mutex);
}

static void
note_peer(struct room_entry *e, const struct rk_peer *peer, uint64_t now)
{
	e->pub.has_cert = true;
	memcpy(e->pub.pub, peer->cert.pub, sizeof(e->pub.pub));
	(void)str_copy(e->pub.email, sizeof(e->pub.email), peer->cert.email);
	(void)str_copy(e->pub.cn, sizeof(e->pub.cn), peer->cert.cn);
	(void)str_copy(e->pub.ca, sizeof(e->pub.ca), peer->cert.issuer_cn);
	e->pub.cert_from = peer->cert.not_before;
	e->pub.cert_until = peer->cert.not_after;
	(void)str_copy(e->pub.remote, sizeof(e->pub.remote), peer->remote);
	room_source(peer->remote, e->source);
	note_address(&e->pub, peer->remote);
	e->pub.tries++;
	e->pub.last_seen = time(NULL);
	e->seen = now;
}

static void
note_status(struct room *r, struct room_entry *e, bool changed)
{
	if (room_is_decided(e->pub.status))
		return; /* just now; whoever waits is asked again */
	if (changed)
		room_set_status(r, e, RK_ASK_CHANGED);
	else if (e->pub.status == RK_ASK_CHANGED)
		room_set_status(r, e, RK_ASK_NEW);
}

/* A session's key has no e-mail address, but is known to SSH. */
static void
log_arrival(const struct rk_ask_entry *k)
{
	const bool named = k->email[0] != '\0' || k->cn[0] == '\0';
	char fp[RK_FP_LEN];

	sshkey_fp(k->pub, fp);
	if (k->ca[0] == '\0' && k->cert_until == 0)
		log_event(RK_LOG_INFO, "trust",
		    "%s: key %s (ssh-keygen -l: %s) waits for a decision: %s",
		    k->remote, k->fp, fp, rk_ask_status_name(k->status));
	else
		log_event(RK_LOG_INFO, "trust",
		    "%s: key %s (%s%s) waits for a decision: %s", k->remote,
		    k->fp, named ? "" : "CN=", named ? k->email : k->cn,
		    rk_ask_status_name(k->status));
}

static enum rk_err
enter(struct room *r, const struct rk_peer *peer, bool changed, bool count,
    uint64_t now, struct rk_error *err)
{
	struct room_entry *e;
	bool fresh;
	enum rk_err rv;

	if ((rv = room_get(r, peer->cert.fp, true, &e, err)) != RK_OK)
		return rv;
	fresh = e == NULL;
	if (fresh && !count)
		return err_set(
		    err, RK_EDENIED, "key %s: was turned away", peer->cert.fp);
	if (fresh && (rv = make_entry(r, peer, now, &e, err)) != RK_OK)
		return rv;
	note_status(r, e, changed);
	if (!count)
		return RK_OK;
	note_peer(e, peer, now);
	if (r->store.seen != NULL)
		rv = r->store.seen(r->store.arg, &e->pub, err);
	if (rv != RK_OK) {
		e->pub.tries--; /* or it comes again, and is counted twice */
		if (fresh)
			room_remove(r, e);
		return rv;
	}
	room_tell(r, fresh ? RK_ASK_ARRIVED : RK_ASK_AGAIN, &e->pub);
	if (fresh)
		log_arrival(&e->pub);
	return RK_OK;
}

enum rk_err
room_enter(struct room *r, const struct rk_peer *peer, bool changed, bool count,
    uint64_t now, struct rk_error *err)
{
	enum rk_err rv;

	(void)pthread_mutex_lock(&r->mutex);
	rv = enter(r, peer, changed, count, now, err);
	if (rv == RK_ELIMIT && count) {
		r->n_turned++;
		r->turned = now;
	}
	(void)pthread_mutex_unlock(&r->mutex);
	return rv;
}

uint64_t
room_turned(struct room *r, uint64_t now, uint64_t *ago)
{
	uint64_t n;

	(void)pthread_mutex_lock(&r->mutex);
	n = r->n_turned;
	*ago = now - r->turned <= INT64_MAX ? now - r->turned : 0;
	(void)pthread_mutex_unlock(&r->mutex);
	return n;
}

/* ---- the table itself ---- */

enum rk_err
room_new(struct room **out)
{
	struct room *r = calloc(1, sizeof(*r));

	*out = r;
	if (r == NULL)
		return RK_ENOMEM;
	/* Cannot fail with default attributes. */
	(void)pthread_mutex_init(&r->mutex, NULL);
	r->users = 1;
	r->now = mono_ms;
	LIST_INIT(&r->watches);
	TAILQ_INIT(&r->seats);
	for (size_t i = 0; i < ROOM_BUCKETS; i++)
		LIST_INIT(&r->buckets[i]);
	return RK_OK;
}

void
room_set_clock(struct room *r, uint64_t (*now)(void))
{
	(void)pthread_mutex_lock(&r->mutex);
	r->now = now;
	(void)pthread_mutex_unlock(&r->mutex);
}

struct room *
room_hold(struct room *r)
{
	(void)pthread_mutex_lock(&r->mutex);
	r->users++;
	(void)pthread_mutex_unlock(&r->mutex);
	return r;
}

void
room_release(struct room *r)
{
	struct room_entry *e;
	unsigned left;

	if (r == NULL)
		return;
	(void)pthread_mutex_lock(&r->mutex);
	left = --r->users;
	(void)pthread_mutex_unlock(&r->mutex);
	if (left > 0)
		return;
	for (size_t i = 0; i < ROOM_BUCKETS; i++) {
		while ((e = LIST_FIRST(&r->buckets[i])) != NULL)
			room_remove(r, e);
	}
	if (r->store.close != NULL)
		r->store.close(r->store.arg);
	(void)pthread_mutex_destroy(&r->mutex);
	free(r);
}

void
room_set_store(struct room *r, const struct ask_store *store)
{
	static const struct ask_store none;

	(void)pthread_mutex_lock(&r->mutex);
	r->store = store != NULL ? *store : none;
	(void)pthread_mutex_unlock(&r->mutex);
}

bool
room_offer_store(struct room *r, const struct ask_store *store)
{
	bool taken;

	(void)pthread_mutex_lock(&r->mutex);
	taken = r->store.load == NULL;
	if (taken)
		r->store = *store;
	(void)pthread_mutex_unlock(&r->mutex);
	return taken;
}

struct ask_store
room_store(struct room *r)
{
	struct ask_store store;

	(void)pthread_mutex_lock(&r->mutex);
	store = r->store;
	(void)pthread_mutex_unlock(&r->mutex);
	return store;
}
