/* What a store has of the table's entries: looked up, and followed. */
#include "trust/room_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* An entry of the store's; NULL: out of memory. */
static struct room_entry *
insert(struct room *r, const struct rk_ask_entry *kept)
{
	struct room_entry *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->pub = *kept;
	e->pub.conns = 0;
	e->kept = true;
	crowd_source(kept->remote, e->source);
	room_insert(r, e);
	return e;
}

/* May what the store says replace what the table says?  Who is out by the
 * table alone stays out. */
static bool
follows(const struct room_entry *e, enum rk_ask_status now)
{
	const enum rk_ask_status was = e->pub.status;

	if (room_is_decided(now))
		return now != was;
	return was == RK_ASK_ONCE || was == RK_ASK_UNTIL ||
	       (room_is_decided(was) && e->kept);
}

/* Another process has decided, or used up what was. */
static void
catch_up(struct room *r, struct room_entry *e, const struct rk_ask_entry *kept)
{
	e->pub.until = kept->until;
	e->pub.decided = kept->decided;
	memcpy(e->pub.who, kept->who, sizeof(e->pub.who));
	memcpy(e->pub.note, kept->note, sizeof(e->pub.note));
	if (kept->status == e->pub.status)
		e->kept = true;
	if (!follows(e, kept->status))
		return;
	e->kept = true;
	room_set_status(r, e, kept->status);
	e->pub.version = ++r->version;
	room_tell(r, RK_ASK_DECIDED, &e->pub);
}

/* The store has nothing of it: another process took it back, let it in for
 * good, or forgot it. */
static bool
is_over(const struct room_entry *e)
{
	return e->pub.status == RK_ASK_UNTIL ||
	       (e->kept && e->pub.status >= RK_ASK_EXPIRED);
}

/* Others make place for whom the store lets wait, and who is here to do so. */
static enum rk_err
find_place(struct room *r, const struct rk_ask_entry *kept, bool waits,
    struct rk_error *err)
{
	if (!room_is_full(r, kept->status))
		return RK_OK;
	if (waits && !room_is_decided(kept->status))
		return room_keep_place(r, kept, err);
	return err_set(err, RK_ELIMIT, "too many keys are undecided");
}

enum rk_err
room_get(struct room *r, const char *fp, bool waits, struct room_entry **out,
    struct rk_error *err)
{
	struct room_entry *e = room_look(r, fp);
	struct rk_ask_entry kept = { 0 };
	enum rk_err rv;

	*out = e;
	if (e != NULL)
		room_expire(r, e);
	if (r->store.load == NULL)
		return RK_OK;
	rv = r->store.load(r->store.arg, fp, &kept, err);
	if (rv == RK_ENOENT && e != NULL && is_over(e)) {
		room_tell(r, RK_ASK_GONE, &e->pub);
		room_remove(r, e);
		*out = e = NULL;
	}
	if (rv == RK_ENOENT ||
	    (rv != RK_OK && e != NULL && e->pub.status > RK_ASK_ONCE)) {
		err_clear(err);
		return RK_OK;
	}
	if (rv != RK_OK)
		return rv;
	if (e != NULL) {
		catch_up(r, e, &kept);
		return RK_OK;
	}
	if (!waits && kept.status <= RK_ASK_CHANGED)
		return RK_OK;
	if ((rv = find_place(r, &kept, waits, err)) != RK_OK)
		return rv;
	if ((*out = insert(r, &kept)) == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	return RK_OK;
}

/* Approved for a connection or a time, and the store, if there is one that can
 * be asked, does not know. */
static bool
is_lent(const struct room *r, const struct room_entry *e)
{
	return (e->pub.status == RK_ASK_ONCE ||
	           e->pub.status == RK_ASK_UNTIL) &&
	       !(e->kept && r->store.taken != NULL);
}

enum rk_err
room_is_taken(struct room *r, const struct mails_for *whom, struct mails mails,
    bool *taken, struct rk_error *err)
{
	uint8_t sums[MAILS_MAX][MAILS_SUM_LEN];
	const size_t n = mails_sums(mails, sums);
	struct room_entry *e;
	enum rk_err rv = RK_OK;

	*taken = false;
	(void)pthread_mutex_lock(&r->mutex);
	for (size_t i = 0; i < ROOM_BUCKETS && !*taken; i++) {
		LIST_FOREACH(e, &r->buckets[i], link)
		{
			room_expire(r, e);
			if (is_lent(r, e) && !mails_are_ours(whom, e->pub.pub))
				*taken =
				    *taken ||
				    mails_have(mails_of(e->pub.email),
				        (const uint8_t(*)[MAILS_SUM_LEN])sums,
				        n);
		}
	}
	if (!*taken && r->store.taken != NULL)
		rv = r->store.taken(r->store.arg, whom, mails, taken, err);
	*taken = *taken || rv != RK_OK;
	(void)pthread_mutex_unlock(&r->mutex);
	return rv;
}

enum rk_err
room_restore(struct room *r, const struct rk_ask_entry *kept, uint64_t seen)
{
	struct room_entry *e;
	enum rk_err rv = RK_OK;

	(void)pthread_mutex_lock(&r->mutex);
	if (room_look(r, kept->fp) != NULL || room_is_full(r, kept->status))
		goto out;
	e = insert(r, kept);
	if (e != NULL)
		e->seen = seen;
	else
		rv = RK_ENOMEM;
out:
	(void)pthread_mutex_unlock(&r->mutex);
	return rv;
}

/* ---- decided elsewhere, or taken back ---- */

void
room_reload(
    struct room *r, const struct rk_ask_entry *key, struct rk_ask_entry *after)
{
	struct room_entry *e = room_look(r, key->fp);
	struct rk_ask_entry kept;
	unsigned conns = 0;
	enum rk_err rv;

	rv = r->store.load(r->store.arg, key->fp, &kept, NULL);
	*after = rv == RK_OK ? kept : *key;
	if (rv != RK_OK && rv != RK_ENOENT) {
		if (e != NULL)
			*after = e->pub;
	} else if (e != NULL) {
		conns = e->pub.conns;
		room_remove(r, e);
	}
	if (rv == RK_OK && (e = insert(r, &kept)) != NULL) {
		e->pub.conns = conns;
		*after = e->pub;
	}
	room_tell(r, RK_ASK_DECIDED, after);
}

static void
take_news(const struct ask_news *n, void *arg)
{
	struct room *r = arg;
	struct rk_ask_entry after;

	room_recall(r, n->key.fp, n->ended);
	/* Many may have been let in at once, of whom nobody waits here. */
	if (n->key.status != RK_ASK_KNOWN || room_look(r, n->key.fp) != NULL)
		room_reload(r, &n->key, &after);
}

enum rk_err
room_catch_up(struct room *r, struct rk_error *err)
{
	enum rk_err rv = RK_OK;

	(void)pthread_mutex_lock(&r->mutex);
	if (r->store.news != NULL)
		rv = r->store.news(r->store.arg, take_news, r, err);
	(void)pthread_mutex_unlock(&r->mutex);
	return rv;
}
