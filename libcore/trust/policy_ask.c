/* A decider's part of decisions by people: orders, the file, the mode. */
#include "trust/policy_int.h"

#include <rpckit/store.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"
#include "trust/ask_disk.h"
#include "trust/store.h"

#define NAP_NS 20000000

/* ---- orders ---- */

/* Who is listed as changed is approved as such or not at all, even if nobody
 * has its e-mail any more.  old: whose place it takes, or NULL; that this one
 * has it is the point. */
static enum rk_err
check_unchanged(const struct rk_trust *t, const struct rk_ask_entry *e,
    const struct rk_ask_entry *old, struct rk_error *err)
{
	const struct mails_for whom = { e->pub, old != NULL ? old->pub : NULL };
	const struct mails mails = mails_of(e->email);
	bool taken;
	enum rk_err r;

	if (!mails_are_all(&mails))
		return err_set(err, RK_EDENIED,
		    "key %s: it has more e-mail addresses than can be compared",
		    e->fp);
	if ((r = policy_is_taken(t, &whom, mails, &taken, err)) != RK_OK)
		return r;
	if (taken)
		return err_set(err, RK_EDENIED,
		    "key %s: %s key is known for %s", e->fp,
		    old != NULL ? "a third" : "another", e->email);
	if (old == NULL && e->status == RK_ASK_CHANGED)
		return err_set(err, RK_EDENIED,
		    "key %s: another key was known for %s when it came", e->fp,
		    e->email);
	return RK_OK;
}

/* May this key be let in by a person, and take the place of old? */
static enum rk_err
check_admission(const struct rk_trust *t, const struct rk_ask_entry *e,
    const struct rk_ask_entry *old, bool changed, struct rk_error *err)
{
	if (e->status == RK_ASK_REVOKED)
		return err_set(err, RK_ESTATE,
		    "key %s was revoked: forget that first", e->fp);
	if (e->status == RK_ASK_KNOWN)
		return err_set(
		    err, RK_ESTATE, "key %s is known already", e->fp);
	if (t->mode == RK_TRUST_OFF || t->known.state == RK_TRUST_ABSENT)
		return err_set(
		    err, RK_ESTATE, "there is no list of known keys");
	if (policy_state(t, t->mode) == RK_TRUST_LOCKED)
		return err_set(err, RK_ESTATE, "%s is locked", t->name);
	if (!e->has_cert)
		return err_set(err, RK_ESTATE,
		    "key %s has not been met since the start", e->fp);
	/* Its own line may still be there. */
	if (changed || known_has(&t->known, e->pub))
		return RK_OK;
	return check_unchanged(t, e, old, err);
}

/* Is this a thing to be decided about it? */
static enum rk_err
check_order(struct rk_trust *t, const struct rk_ask_order *o,
    const struct rk_ask_entry *e, const struct rk_ask_entry *by,
    struct rk_error *err)
{
	if (o->version != 0 && o->version != e->version)
		return room_say_late(t->room, e->fp, err);
	/* What is rejected may be approved: that would be less. */
	if (e->status == RK_ASK_REVOKED && o->verb == RK_ASK_REJECT)
		return err_set(err, RK_ESTATE,
		    "key %s was revoked: forget that first", e->fp);
	if (by != NULL && strcmp(by->fp, e->fp) == 0)
		return err_set(err, RK_EINVAL, "a key cannot replace itself");
	if (by != NULL && o->by_version != 0 && o->by_version != by->version)
		return room_say_late(t->room, by->fp, err);
	if (by != NULL)
		return check_admission(t, by, e, o->changed, err);
	if (o->verb == RK_ASK_APPROVE || o->verb == RK_ASK_APPROVE_ONCE ||
	    o->verb == RK_ASK_APPROVE_UNTIL)
		return check_admission(t, e, NULL, o->changed, err);
	return RK_OK;
}

struct writing {
	struct rk_trust *trust;
	const uint8_t *old; /* whose place it takes; NULL: nobody's */
	bool changed;
};

/* known_counts_fn: without a store the lines of keys that are out stay. */
static bool
is_in(const uint8_t *pub, const void *arg)
{
	const struct rk_trust *t = arg;
	char fp[RK_FP_LEN];

	rk_fp_of_key(pub, fp);
	return !room_has_out(t->room, fp);
}

/* Locked or full meanwhile is no more than a wrong moment. */
static enum rk_err
write_line(const struct rk_ask_entry *e, void *arg, struct rk_error *err)
{
	const struct writing *w = arg;
	struct rk_trust *t = w->trust;
	const struct mails_for whom = { e->pub, w->old };
	char host[sizeof(e->remote)];
	struct known_entry entry = {
		.pub = e->pub,
		.host = host,
		.emails = e->email,
		.wait_ms = KNOWN_WAIT_PROBE_MS,
		.whom = w->changed ? NULL : &whom,
		.counts = w->old != NULL ? is_in : NULL,
		.arg = t,
	};
	struct known now;
	bool added;
	enum rk_err r;

	room_host(e->remote, host, sizeof(host));
	r = known_add(t->path, &entry, &now, &added, err);
	if (r == RK_EBUSY || r == RK_EDENIED)
		return r;
	known_fini(&t->known);
	t->known = now;
	if (r == RK_EUNKNOWNKEY) {
		r = RK_ESTATE;
		if (err != NULL)
			err->code = r;
	}
	return r;
}

static bool
puts_out(const struct rk_ask_order *o)
{
	return o->verb == RK_ASK_REJECT || o->verb == RK_ASK_REVOKE;
}

/* Who can read the list can hold it, and must not keep anybody in by that: to
 * put a key out the list as it was will do. */
static enum rk_err
look_at_list(
    struct rk_trust *t, const struct rk_ask_order *o, struct rk_error *err)
{
	enum rk_err r =
	    t->mode != RK_TRUST_OFF ? policy_refresh(t, err) : RK_OK;

	if (r != RK_EBUSY || !puts_out(o))
		return r;
	err_clear(err);
	return RK_OK;
}

static enum rk_err
carry_out(struct rk_trust *t, const struct rk_ask_order *o,
    const struct rk_peer *met, struct policy_done *done, struct rk_error *err)
{
	struct rk_ask_entry *e = &done->after;
	const bool replaces = o->verb == RK_ASK_REPLACE;
	const bool writes = replaces || o->verb == RK_ASK_APPROVE;
	struct writing writing = { .trust = t,
		.old = replaces ? e->pub : NULL,
		.changed = o->changed };
	struct rk_ask_entry by;
	enum rk_err r;

	room_prune(t->room, t->now());
	if ((r = look_at_list(t, o, err)) != RK_OK)
		return r;
	if (o->verb == RK_ASK_UNDO)
		return room_undo(t->room, o, e, err);
	if ((r = policy_find_old(t, o, met, e, err)) != RK_OK ||
	    (replaces && (r = policy_find_key(
	                      t, o->by, POLICY_LINES, &by, err)) != RK_OK))
		return r;
	r = check_order(t, o, e, replaces ? &by : NULL, err);
	if (r != RK_OK)
		return r;
	done->before = *e;
	/* An entry that is left from when it waited says nothing any more. */
	if ((e->status == RK_ASK_NEW || e->status == RK_ASK_CHANGED) &&
	    known_has(&t->known, e->pub))
		done->before.status = RK_ASK_KNOWN;
	if (o->verb != RK_ASK_NOTE)
		room_find_decider(t->room, &done->before);
	r = room_decide(t->room, o, e, replaces ? &by : NULL,
	    writes ? write_line : NULL, &writing, err);
	/* A store wrote the line.  Where it cannot be read, it is done. */
	if (r == RK_OK && writes &&
	    !known_has(&t->known, replaces ? by.pub : e->pub) &&
	    policy_refresh(t, err) != RK_OK)
		err_clear(err);
	if (r == RK_OK && o->verb == RK_ASK_FORGET &&
	    t->known.state != RK_TRUST_ABSENT && known_has(&t->known, e->pub)) {
		if (policy_refresh(t, err) != RK_OK)
			err_clear(err);
		done->known = known_has(&t->known, e->pub);
	}
	return r;
}

/* What is wrong about the words themselves; NULL: nothing. */
static const char *
find_fault(const struct rk_ask_order *o)
{
	if (o->key == NULL || (unsigned)o->verb > RK_ASK_UNDO)
		return "not an order about a key";
	if (o->verb == RK_ASK_REPLACE && o->by == NULL)
		return "by which key?";
	if (o->verb == RK_ASK_NOTE && o->note == NULL)
		return "no note is given";
	if (o->verb == RK_ASK_APPROVE_UNTIL && o->until <= time(NULL))
		return "that time is over";
	if (o->note != NULL && strlen(o->note) >= RK_STORE_TEXT_LEN)
		return "the note is longer than 255 bytes";
	if (strlen(o->who) >= RK_STORE_TEXT_LEN)
		return "the name is longer than 255 bytes";
	return NULL;
}

enum rk_err
policy_order(struct rk_trust *t, const struct rk_ask_order *order,
    const struct rk_peer *met, struct policy_done *done, struct rk_error *err)
{
	struct rk_ask_order o = { 0 };
	struct policy_done own = { 0 };
	const char *fault;
	enum rk_err r;

	err_clear(err);
	memcpy(&o, order, order->size < sizeof(o) ? order->size : sizeof(o));
	if (o.who == NULL || o.who[0] == '\0')
		o.who = "order";
	if ((fault = find_fault(&o)) != NULL)
		return err_set(err, RK_EINVAL, "%s", fault);
	(void)pthread_mutex_lock(&t->mutex);
	r = carry_out(t, &o, met, &own, err);
	(void)pthread_mutex_unlock(&t->mutex);
	if (r == RK_OK && done != NULL)
		*done = own;
	return r;
}

/* Others are judged meanwhile; a shorter one does no harm. */
static void
take_nap(void)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };

	(void)nanosleep(&nap, NULL);
}

enum rk_err
rk_trust_order(struct rk_trust *t, const struct rk_ask_order *order,
    struct rk_ask_entry *after, struct rk_error *err)
{
	const uint64_t begun = mono_ms();
	struct policy_done done;
	enum rk_err r;

	while ((r = policy_order(t, order, NULL, &done, err)) == RK_EBUSY &&
	       mono_ms() - begun < RK_STORE_WAIT_MS)
		take_nap();
	if (r == RK_OK && after != NULL)
		*after = done.after;
	return r;
}

/* ---- the rest is the table's ---- */

enum rk_err
rk_trust_entries(struct rk_trust *t, struct rk_ask_entry **out, size_t *n)
{
	room_prune(t->room, t->now());
	return room_list(t->room, out, n);
}

enum rk_err
rk_ask_watch_new(
    struct rk_trust *t, rk_ask_fn *fn, void *arg, struct rk_ask_watch **out)
{
	return room_watch(t->room, fn, arg, out);
}

void
rk_trust_follow(struct rk_trust *t, struct rk_trust *before)
{
	struct room *own = t->room;

	t->room = room_hold(before->room);
	(void)pthread_mutex_lock(&before->mutex);
	if (t->path != NULL && before->path != NULL &&
	    strcmp(t->path, before->path) == 0) {
		t->ordered = before->ordered;
		t->locked = before->locked;
	}
	(void)pthread_mutex_unlock(&before->mutex);
	t->follows = true;
	room_release(own);
}

enum rk_err
policy_sit(struct rk_trust *t, struct room_seat *seat,
    const struct rk_peer *peer, struct rk_error *err)
{
	return room_sit(t->room, seat, peer, err);
}

void
policy_stand(struct room_seat *seat)
{
	room_stand(seat);
}

void
policy_set_store(struct rk_trust *t, const struct ask_store *store)
{
	room_set_store(t->room, store);
}

/* ---- the store ---- */

/* The store of the list, as far as this mode needs one.  Not where that has
 * to come to be first: its absence means something. */
static enum rk_err
attach(struct rk_trust *t, enum rk_trust_mode mode, bool at_once,
    struct rk_error *err)
{
	const bool asks = mode == RK_TRUST_ASK || mode == RK_TRUST_ACCEPT_NEW;
	const struct ask_disk_from from = { .known = t->path,
		.make =
		    asks && t->keeps_anew && t->known.state != RK_TRUST_ABSENT,
		.at_once = at_once,
		.now = t->now() };

	if (!t->keeps || t->path == NULL || mode == RK_TRUST_OFF)
		return RK_OK;
	return ask_disk_attach(t->room, &from, err);
}

enum rk_err
rk_trust_keep(struct rk_trust *t, bool make, struct rk_error *err)
{
	enum rk_err r;

	err_clear(err);
	(void)pthread_mutex_lock(&t->mutex);
	t->keeps = true;
	t->keeps_anew = make;
	r = attach(t, t->mode, false, err);
	(void)pthread_mutex_unlock(&t->mutex);
	return r;
}

bool
policy_is_shared(const struct rk_trust *t)
{
	return t->path != NULL && t->own == NULL;
}

enum rk_err
policy_catch_up(struct rk_trust *t, struct rk_error *err)
{
	err_clear(err);
	return room_catch_up(t->room, err);
}

enum rk_err
policy_each_cert(struct rk_trust *t,
    void (*fn)(const struct rk_cert_info *cert, void *arg), void *arg,
    struct rk_error *err)
{
	const struct ask_store store = room_store(t->room);

	err_clear(err);
	return store.certs != NULL ? store.certs(store.arg, fn, arg, err)
	                           : RK_OK;
}

/* ---- the mode ---- */

const char *
policy_mode_name(enum rk_trust_mode mode)
{
	static const char *const names[] = {
		[RK_TRUST_FILE] = "file",
		[RK_TRUST_LOCK] = "lock",
		[RK_TRUST_OFF] = "off",
		[RK_TRUST_ASK] = "ask",
		[RK_TRUST_ACCEPT_NEW] = "open",
	};

	return names[mode];
}

/* A lock does not fail because nobody can write down whose it is. */
static enum rk_err
note_mode(const struct rk_trust *t, enum rk_trust_mode before,
    enum rk_trust_mode mode, const char *who, struct rk_error *err)
{
	struct rk_store *s = ask_disk_store(t->room);
	char note[32];
	enum rk_err r;

	if (s == NULL || mode == before)
		return RK_OK;
	(void)snprintf(note, sizeof(note), "%s to %s", policy_mode_name(before),
	    policy_mode_name(mode));
	r = store_note_mode(s, note, who, err);
	if (r == RK_OK || mode != RK_TRUST_LOCK)
		return r;
	log_event(RK_LOG_WARN, "trust",
	    "the mode is lock now, and the audit does not say by whom yet: %s",
	    err != NULL ? err->text : rk_err_text(r));
	err_clear(err);
	store_mode_is(s, policy_mode_name(mode), who);
	return RK_OK;
}

static enum rk_err
set_mode(struct rk_trust *t, enum rk_trust_mode mode, const char *who,
    struct rk_error *err)
{
	enum rk_err r;

	if (mode != RK_TRUST_OFF) {
		if (t->path == NULL)
			return err_set(
			    err, RK_ESTATE, "there is no list of known keys");
		if ((r = policy_refresh(t, err)) != RK_OK ||
		    (r = policy_check_mode(t, mode, err)) != RK_OK ||
		    (r = attach(t, mode, true, err)) != RK_OK)
			return r;
	}
	if ((r = note_mode(t, t->mode, mode, who, err)) == RK_OK)
		t->mode = mode;
	return r;
}

enum rk_err
rk_trust_set_mode(
    struct rk_trust *t, enum rk_trust_mode mode, struct rk_error *err)
{
	const uint64_t begun = mono_ms();
	enum rk_err r;

	while ((r = policy_set_mode(t, mode, "order", err)) == RK_EBUSY &&
	       mono_ms() - begun < RK_STORE_WAIT_MS)
		take_nap();
	return r;
}

enum rk_err
policy_set_mode(struct rk_trust *t, enum rk_trust_mode mode, const char *who,
    struct rk_error *err)
{
	enum rk_err r;

	err_clear(err);
	if ((unsigned)mode > RK_TRUST_ACCEPT_NEW)
		return err_set(err, RK_EINVAL, "no such mode");
	(void)pthread_mutex_lock(&t->mutex);
	r = set_mode(t, mode, who, err);
	(void)pthread_mutex_unlock(&t->mutex);
	if (r == RK_OK)
		room_tell_mode(t->room);
	return r;
}

enum rk_trust_mode
rk_trust_mode(struct rk_trust *t)
{
	enum rk_trust_mode mode;

	(void)pthread_mutex_lock(&t->mutex);
	mode = t->mode;
	(void)pthread_mutex_unlock(&t->mutex);
	return mode;
}

void
policy_begin(struct rk_trust *t)
{
	const char *mode;
	struct rk_store *s;
	struct rk_error err;
	enum rk_err r;

	(void)pthread_mutex_lock(&t->mutex);
	mode = policy_mode_name(t->mode);
	if (!t->keeps || t->follows)
		goto out;
	if ((s = ask_disk_store(t->room)) != NULL) {
		store_mode_is(s, mode, "start");
		goto out;
	}
	/* None is used, and none is made for this. */
	if (t->path == NULL || t->mode != RK_TRUST_OFF)
		goto out;
	r = rk_store_open(t->path, false, &s, &err);
	if (r == RK_OK) {
		store_mode_is(s, mode, "start");
		rk_store_close(s);
	} else if (r != RK_ENOENT) {
		log_event(RK_LOG_WARN, "trust",
		    "that the mode is %s now is not in the audit: %s", mode,
		    err.text);
	}
out:
	(void)pthread_mutex_unlock(&t->mutex);
}

bool
policy_note_successor(struct rk_trust *before, struct rk_trust *now)
{
	enum rk_trust_mode was, mode;
	struct rk_store *s;

	if (before == NULL || now == NULL || before == now ||
	    before->own != NULL || now->own != NULL)
		return false;
	was = rk_trust_mode(before);
	mode = rk_trust_mode(now);
	if (mode == RK_TRUST_OFF || before->path == NULL || now->path == NULL ||
	    strcmp(before->path, now->path) == 0) {
		s = ask_disk_store(now->room);
		if (s != NULL && was != mode)
			store_mode_is(s, policy_mode_name(mode), "settings");
	} /* else another list, and another audit */
	return was != mode;
}

void
policy_tell_mode(struct rk_trust *t)
{
	room_tell_mode(t->room);
}

void
policy_succeed(struct rk_trust *t, struct rk_trust *now)
{
	enum rk_trust_mode mode =
	    now != NULL ? rk_trust_mode(now) : RK_TRUST_OFF;
	bool follows = mode == RK_TRUST_OFF || now->path == NULL ||
	               (t->path != NULL && strcmp(t->path, now->path) == 0);
	bool changes;

	/* One of its own making has no mode, and nobody waits for it. */
	if (t == now || t->own != NULL)
		return;
	follows = follows && (now == NULL || now->own == NULL);
	(void)pthread_mutex_lock(&t->mutex);
	changes = t->retired == follows || (follows && t->mode != mode);
	t->retired = !follows;
	if (follows)
		t->mode = mode;
	(void)pthread_mutex_unlock(&t->mutex);
	if (changes)
		room_tell_mode(t->room);
}
