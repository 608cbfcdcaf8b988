/* A peer is here: what is it, who may wait for a decision, and what is noted.
 */
#include <string.h>

#include <rpckit/ask.h>

#include "base/clock.h"
#include "base/crypt.h"
#include "base/error.h"
#include "base/str.h"
#include "trust/store.h"

/* Where a peer comes from. */
struct from {
	char address[RK_STORE_ADDRESS_LEN];
	uint8_t source[CROWD_SOURCE_LEN];
};

/* The host of "tls://127.0.0.1:8443" or "quic://[::1]:8443"; the transport
 * where there is none. */
static void
find_address(const struct rk_peer *peer, char out[RK_STORE_ADDRESS_LEN])
{
	const char *start = strstr(peer->remote, "://");
	const char *end;
	size_t len = 0;
	size_t i;

	start = start != NULL ? start + 3 : peer->remote;
	end = strrchr(start, ':');
	if (start[0] == '[') {
		start++;
		end = strchr(start, ']');
	}
	if (end != NULL)
		len = (size_t)(end - start);
	if (len >= RK_STORE_ADDRESS_LEN)
		len = RK_STORE_ADDRESS_LEN - 1;
	for (i = 0; i < len; i++)
		out[i] = (uint8_t)start[i] < 0x20 ? '?' : start[i];
	out[len] = '\0';
	if (len == 0)
		(void)str_copy(out, RK_STORE_ADDRESS_LEN,
		    peer->transport != NULL ? peer->transport : "");
}

/* ---- who may wait ---- */

static size_t
gather(struct rk_store *s, struct crowd_one all[RK_STORE_WAITING])
{
	const int64_t now = store_now(s);
	struct store_key *k;
	size_t n = 0;

	for (k = s->keys; k < s->keys + s->n && n < RK_STORE_WAITING; k++) {
		if (k->state != RK_STORE_WAIT || k->in_file ||
		    store_is_overdue(k, now))
			continue;
		all[n++] = (struct crowd_one){ .source = k->source,
			.seen = (uint64_t)k->touched * 1000,
			.bare = k->bare,
			.again = k->again || k->tries > 0,
			.stays = k->noted,
			.who = k };
	}
	return n;
}

/* Room for one more. */
static enum rk_err
admit(struct rk_store *s, const struct rk_cert_info *cert,
    const struct from *from, const struct store_key **victim,
    struct rk_error *err)
{
	const struct crowd_one comes = { .source = from->source,
		.seen = (uint64_t)store_now(s) * 1000,
		.bare = cert->issuer_cn[0] == '\0' && cert->not_after == 0 };
	struct crowd_one all[RK_STORE_WAITING];
	const struct crowd_one *one;

	_Static_assert(RK_STORE_WAITING == RK_ASK_ENTRIES &&
	                   RK_STORE_WAITING_SOURCE == RK_ASK_ENTRIES_SOURCE,
	    "the table's bounds are the store's");
	*victim = NULL;
	switch (crowd_admit(all, gather(s, all), &comes, &one)) {
	case CROWD_SOURCE:
		return err_set(err, RK_ELIMIT,
		    "%d keys from this address wait for a decision",
		    RK_STORE_WAITING_SOURCE);
	case CROWD_FULL:
		return err_set(
		    err, RK_ELIMIT, "too many keys wait for a decision");
	case CROWD_ROOM:
		break;
	}
	if (one != NULL)
		*victim = one->who;
	else if (s->rows >= RK_STORE_KEYS)
		return err_set(err, RK_ELIMIT, "%s: is full: it holds %zu keys",
		    s->name, s->rows);
	return RK_OK;
}

/* ---- what is noted ---- */

static void
fill_row(struct rk_store *s, const struct rk_cert_info *cert,
    const struct from *from, struct store_row *row)
{
	struct rk_store_entry *e = &row->e;

	memcpy(e->pub, cert->pub, sizeof(e->pub));
	rk_fp_of_key(e->pub, e->fp);
	(void)str_copy(e->email, sizeof(e->email), cert->email);
	(void)str_copy(e->ca, sizeof(e->ca), cert->issuer_cn);
	e->last_seen = store_now(s);
	if (e->first_seen == 0)
		e->first_seen = e->last_seen;
	e->tries++;
	store_row_address(row, from->address);
	memcpy(row->source, from->source, sizeof(row->source));
}

/* Within a transaction: the key waits from now on. */
static enum rk_err
put_waiting(struct rk_store *s, const struct rk_peer *peer,
    const struct from *from, struct rk_error *err)
{
	struct store_act act = { .who = "store", .what = "wait" };
	const struct store_key *victim = NULL;
	struct store_row before;
	struct store_row row;
	char fp[RK_FP_LEN];
	enum rk_err r;

	if ((r = admit(s, &peer->cert, from, &victim, err)) != RK_OK)
		return r;
	if (victim != NULL) {
		rk_fp_of_key(victim->pub, fp);
		if ((r = store_row_remove(s, fp, err)) != RK_OK)
			return r;
	}
	rk_fp_of_key(peer->cert.pub, fp);
	r = store_row_get(s, fp, &before, err);
	if (r != RK_OK && r != RK_ENOENT)
		return r;
	row = before;
	fill_row(s, &peer->cert, from, &row);
	row.e.state = RK_STORE_WAIT;
	row.e.until = 0;
	/* An approval that does not count any more ends here. */
	if (before.e.state != RK_STORE_NONE &&
	    (r = store_audit_put(s, &act, &before, &row, err)) != RK_OK)
		return r;
	r = store_row_put(s, &row, err);
	if (r == RK_OK && peer->cert.not_after > 0)
		r = store_cert_put(s, &peer->cert, err);
	return r;
}

/* Within a transaction: new, and the list is open. */
static enum rk_err
put_known(struct rk_store *s, const struct rk_peer *peer,
    const struct from *from, struct rk_error *err)
{
	const struct mails_for whom = { .pub = peer->cert.pub };
	struct store_act act = {
		.who = "open", .what = "approve", .whom = &whom
	};
	struct store_row before;
	struct store_row row;
	char fp[RK_FP_LEN];
	enum rk_err r;

	rk_fp_of_key(peer->cert.pub, fp);
	r = store_row_get(s, fp, &before, err);
	if (r != RK_OK && r != RK_ENOENT)
		return r;
	row = before;
	fill_row(s, &peer->cert, from, &row);
	row.e.state = RK_STORE_KNOWN;
	row.e.decided = store_now(s);
	(void)str_copy(row.e.who, sizeof(row.e.who), act.who);
	return store_apply(s, &act, &before, &row, err);
}

/* Within a transaction: an approval for one connection is used up. */
static enum rk_err
use_up(struct rk_store *s, const struct rk_peer *peer, const struct from *from,
    struct rk_error *err)
{
	struct store_act act = { .who = "store", .what = "used" };
	struct store_row before;
	struct store_row row;
	char fp[RK_FP_LEN];
	enum rk_err r;

	rk_fp_of_key(peer->cert.pub, fp);
	if ((r = store_row_get(s, fp, &before, err)) != RK_OK)
		return r;
	row = before;
	fill_row(s, &peer->cert, from, &row);
	row.e.state = RK_STORE_UNTIL;
	row.e.until = 0; /* over */
	if ((r = store_audit_put(s, &act, &before, &row, err)) != RK_OK)
		return r;
	return store_row_put(s, &row, err);
}

void
store_met(struct rk_store *s, const struct rk_peer *peer, bool comes)
{
	char address[RK_STORE_ADDRESS_LEN];
	struct store_key *key;

	(void)pthread_mutex_lock(&s->mutex);
	key = comes ? store_key_find(s, peer->cert.pub) : NULL;
	if (key != NULL) {
		find_address(peer, address);
		store_count_known(s, key, address);
	}
	store_flush_due(s);
	(void)pthread_mutex_unlock(&s->mutex);
	store_cert_note(s, &peer->cert);
}

void
store_tried(struct rk_store *s, const struct rk_peer *peer)
{
	char address[RK_STORE_ADDRESS_LEN];
	struct store_key *key = NULL;
	struct rk_error err;

	(void)pthread_mutex_lock(&s->mutex);
	s->lenient = true;
	store_hurry(s, STORE_AT_ONCE);
	/* What cannot be read now is not counted; it is refused all the same.
	 */
	if (store_refresh(s, &err) == RK_OK)
		key = store_key_find(s, peer->cert.pub);
	store_hurry(s, STORE_PATIENT);
	s->lenient = false;
	if (key != NULL && (key->state == RK_STORE_REJECTED ||
	                       key->state == RK_STORE_REVOKED)) {
		find_address(peer, address);
		store_count(s, key, address);
	}
	store_flush_due(s);
	(void)pthread_mutex_unlock(&s->mutex);
}

static void
judge(struct rk_store *s, enum rk_store_mode mode,
    const struct rk_cert_info *cert, struct store_key **key,
    struct rk_store_seen *out)
{
	*key = store_key_find(s, cert->pub);
	out->status = store_status_of(s, *key, cert->pub, cert->email);
	out->verdict = rk_store_verdict(out->status, mode, store_is_locked(s));
	out->version = *key != NULL ? (*key)->version : 0;
}

/* What has to be on the disk before the verdict counts. */
typedef enum rk_err note_fn(struct rk_store *s, const struct rk_peer *peer,
    const struct from *from, struct rk_error *err);

static note_fn *
find_note(const struct store_key *key, enum rk_store_mode mode,
    const struct rk_store_seen *seen)
{
	switch (seen->verdict) {
	case RK_VERDICT_RECORD:
		return put_known;
	case RK_VERDICT_WAIT:
		return key == NULL || key->state != RK_STORE_WAIT ? put_waiting
		                                                  : NULL;
	case RK_VERDICT_ACCEPT:
		return mode != RK_MODE_OFF && key != NULL && !key->in_file &&
		               key->state == RK_STORE_ONCE
		           ? use_up
		           : NULL;
	case RK_VERDICT_REFUSE:
		break;
	}
	return NULL;
}

static enum rk_err
see(struct rk_store *s, enum rk_store_mode mode, const struct rk_peer *peer,
    struct rk_store_seen *out, struct rk_error *err)
{
	const uint64_t now = mono_ms();
	const struct store_key *victim;
	struct store_key *key;
	struct from from;
	note_fn *note;
	enum rk_err r;

	if ((r = store_refresh(s, err)) != RK_OK ||
	    (r = store_mend(s, err)) != RK_OK)
		return r;
	find_address(peer, from.address);
	crowd_source(from.address, from.source);
	judge(s, mode, &peer->cert, &key, out);
	note = find_note(key, mode, out);
	if (note == NULL) {
		if (key != NULL)
			store_count(s, key, from.address);
		store_flush_due(s);
		return RK_OK;
	}
	if (!crypt_ed25519_key_ok(peer->cert.pub))
		return err_set(err, RK_ECERT, "a weak key is not recorded");
	/* Most of a flood ends here, before any lock or write. */
	if (note == put_waiting &&
	    (r = admit(s, &peer->cert, &from, &victim, err)) != RK_OK)
		return r;
	if (note == put_known && !pace_may(&s->pace, now))
		return err_set(err, RK_ELIMIT,
		    "%s: takes no more than %u new keys a minute",
		    s->known_name, s->pace.max);
	if ((r = store_begin(s, err)) != RK_OK)
		return r;
	/* Another process may have decided meanwhile. */
	judge(s, mode, &peer->cert, &key, out);
	note = find_note(key, mode, out);
	r = store_settle(s, err);
	if (r == RK_OK && note != NULL)
		r = note(s, peer, &from, err);
	r = store_end(s, r, err);
	if (r == RK_OK && note == put_known)
		pace_note(&s->pace, now);
	out->recorded = r == RK_OK && note != NULL && note != use_up;
	return r;
}

/* Fails closed: no verdict but to refuse goes with an error. */
static enum rk_err
answer(enum rk_err r, struct rk_store_seen *out, struct rk_error *err)
{
	if (r == RK_OK)
		return r;
	out->verdict = RK_VERDICT_REFUSE;
	out->recorded = false;
	if (err != NULL)
		err->step = "trust";
	return r;
}

/* A peer who can wait by himself is asked about again. */
static void
hurry(struct rk_store *s)
{
	store_hurry(s, s->on_loop ? STORE_AT_ONCE : STORE_PATIENT);
}

enum rk_err
rk_store_see(struct rk_store *s, enum rk_store_mode mode,
    const struct rk_peer *peer, struct rk_store_seen *out, struct rk_error *err)
{
	enum rk_err r;

	*out = (struct rk_store_seen){ .verdict = RK_VERDICT_REFUSE };
	err_clear(err);
	if (!peer->proven) {
		r = err_set(err, RK_ECERT, "the peer has not proven any key");
	} else {
		(void)pthread_mutex_lock(&s->mutex);
		hurry(s);
		r = see(s, mode, peer, out, err);
		store_hurry(s, STORE_PATIENT);
		(void)pthread_mutex_unlock(&s->mutex);
	}
	return answer(r, out, err);
}

enum rk_err
store_drop(struct rk_store *s, const char *fp, struct rk_error *err)
{
	struct store_row row;
	enum rk_err r;

	(void)pthread_mutex_lock(&s->mutex);
	hurry(s);
	if ((r = store_begin(s, err)) != RK_OK)
		goto out;
	r = store_row_get(s, fp, &row, err);
	if (r == RK_OK && row.e.state == RK_STORE_WAIT)
		r = store_row_remove(s, fp, err);
	else if (r == RK_ENOENT)
		r = RK_OK;
	r = store_end(s, r, err);
out:
	store_hurry(s, STORE_PATIENT);
	(void)pthread_mutex_unlock(&s->mutex);
	return r;
}

enum rk_err
store_keep(struct rk_store *s, const struct rk_peer *peer, struct rk_error *err)
{
	struct rk_store_seen seen;
	enum rk_err r;

	(void)pthread_mutex_lock(&s->mutex);
	s->lenient = true;
	hurry(s);
	r = see(s, RK_MODE_ASK, peer, &seen, err);
	store_hurry(s, STORE_PATIENT);
	s->lenient = false;
	(void)pthread_mutex_unlock(&s->mutex);
	return r;
}

enum rk_err
rk_store_look(struct rk_store *s, enum rk_store_mode mode,
    const struct rk_cert_info *cert, struct rk_store_seen *out,
    struct rk_error *err)
{
	struct store_key *key;
	enum rk_err r;

	*out = (struct rk_store_seen){ .verdict = RK_VERDICT_REFUSE };
	err_clear(err);
	(void)pthread_mutex_lock(&s->mutex);
	hurry(s);
	if ((r = store_refresh(s, err)) == RK_OK)
		r = store_mend(s, err);
	store_hurry(s, STORE_PATIENT);
	if (r == RK_OK)
		judge(s, mode, cert, &key, out);
	(void)pthread_mutex_unlock(&s->mutex);
	return answer(r, out, err);
}
