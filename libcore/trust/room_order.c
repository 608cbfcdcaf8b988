/* Decisions about keys, the list of these, and who is told. */
#include "trust/room_int.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/str.h"

const char *
rk_ask_status_name(enum rk_ask_status status)
{
	static const char *const names[] = {
		[RK_ASK_NEW] = "new",
		[RK_ASK_CHANGED] = "changed",
		[RK_ASK_EXPIRED] = "expired",
		[RK_ASK_UNTIL] = "until",
		[RK_ASK_ONCE] = "once",
		[RK_ASK_REJECTED] = "rejected",
		[RK_ASK_REVOKED] = "revoked",
		[RK_ASK_KNOWN] = "known",
	};

	if ((size_t)status >= sizeof(names) / sizeof(names[0]))
		return "unknown";
	return names[status];
}

/* ---- orders ---- */

enum rk_err
room_find(struct room *r, const char *key, struct rk_ask_entry *out,
    struct rk_error *err)
{
	struct room_entry *found = NULL;
	struct room_entry *e;
	enum rk_err rv = RK_OK;

	(void)pthread_mutex_lock(&r->mutex);
	for (size_t i = 0; i < ROOM_BUCKETS && rv == RK_OK; i++) {
		LIST_FOREACH(e, &r->buckets[i], link)
		{
			if (!rk_fp_match(e->pub.fp, key, true))
				continue;
			if (found != NULL)
				rv = err_set(err, RK_EINVAL,
				    "%s and %s both begin so", found->pub.fp,
				    e->pub.fp);
			found = e;
		}
	}
	if (found != NULL) {
		room_expire(r, found);
		*out = found->pub;
	} else {
		rv = RK_ENOENT;
	}
	(void)pthread_mutex_unlock(&r->mutex);
	return rv;
}

/* Does the entry stay, and as what? */
static bool
find_status(enum rk_ask_verb verb, enum rk_ask_status *status)
{
	switch (verb) {
	case RK_ASK_REJECT:
		*status = RK_ASK_REJECTED;
		return true;
	case RK_ASK_REVOKE:
	case RK_ASK_REPLACE:
		*status = RK_ASK_REVOKED;
		return true;
	case RK_ASK_APPROVE_ONCE:
		*status = RK_ASK_ONCE;
		return true;
	case RK_ASK_APPROVE_UNTIL:
		*status = RK_ASK_UNTIL;
		return true;
	case RK_ASK_NOTE:
		return true;
	case RK_ASK_APPROVE:
	case RK_ASK_FORGET:
	case RK_ASK_UNDO:
		break;
	}
	return false;
}

static void
write_memo(struct rk_ask_entry *e, const struct rk_ask_order *o)
{
	if (o->note != NULL)
		(void)str_escape(e->note, sizeof(e->note), o->note);
	if (o->verb == RK_ASK_NOTE)
		return;
	(void)str_escape(e->who, sizeof(e->who), o->who);
	e->decided = time(NULL);
	e->until = o->verb == RK_ASK_APPROVE_UNTIL ? o->until : 0;
}

static void
remember(struct room *r, const char *fp, uint64_t version)
{
	struct room_dropped *d = &r->dropped[r->n_dropped++ % ROOM_RECALLED];

	(void)str_copy(d->fp, sizeof(d->fp), fp);
	d->version = version;
}

/* Of what was decided last about a key; 0: that is not known any more. */
static uint64_t
last_version(struct room *r, const char *fp)
{
	const struct room_entry *e = room_look(r, fp);
	uint64_t version = e != NULL ? e->pub.version : 0;

	for (size_t i = 0; i < ROOM_RECALLED && e == NULL; i++) {
		if (strcmp(r->dropped[i].fp, fp) == 0 &&
		    r->dropped[i].version > version)
			version = r->dropped[i].version;
	}
	return version;
}

/* It is known now, or nothing is known of it. */
static void
drop(struct room *r, struct room_entry *e, const struct rk_ask_order *o,
    struct rk_ask_entry *after)
{
	write_memo(&e->pub, o);
	e->pub.version = ++r->version;
	*after = e->pub;
	remember(r, after->fp, after->version);
	room_remove(r, e);
	room_tell(r, RK_ASK_DECIDED, after);
}

/* What is left of the entry, which may be a new one. */
static void
carry_out(struct room *r, const struct rk_ask_order *o, struct room_entry *e,
    bool fresh, struct rk_ask_entry *after)
{
	enum rk_ask_status status = e->pub.status;

	if (fresh)
		room_insert(r, e);
	if (o->verb != RK_ASK_NOTE)
		room_recall(r, e->pub.fp,
		    o->verb == RK_ASK_FORGET && status == RK_ASK_KNOWN);
	if (!find_status(o->verb, &status)) {
		drop(r, e, o, after);
		return;
	}
	room_set_status(r, e, status);
	e->kept = r->store.decide != NULL;
	write_memo(&e->pub, o);
	e->pub.version = ++r->version;
	*after = e->pub;
	room_tell(r, RK_ASK_DECIDED, after);
}

static enum rk_err
check_order(struct room *r, const struct room_entry *cur,
    const struct rk_ask_order *o, const struct rk_ask_entry *e,
    struct rk_error *err)
{
	enum rk_ask_status status = e->status;
	bool adds = find_status(o->verb, &status) && o->verb != RK_ASK_NOTE &&
	            (cur == NULL || !room_is_decided(cur->pub.status));

	if ((cur != NULL ? cur->pub.version : 0) != e->version)
		return room_refuse_late(r, e->fp, err);
	if (room_check_begun(r, o, e->fp, err) != RK_OK)
		return RK_ESTATE;
	if (adds && r->n_decided >= RK_ASK_DECIDED_MAX)
		return err_set(err, RK_ELIMIT,
		    "%d keys are rejected, revoked or approved for a while "
		    "already",
		    RK_ASK_DECIDED_MAX);
	if (o->verb == RK_ASK_NOTE && cur == NULL && r->store.decide == NULL)
		return err_set(err, RK_ESTATE,
		    "key %s: without a store only keys that wait, or were "
		    "decided about, have notes",
		    e->fp);
	return RK_OK;
}

static void
let_in_new(
    struct room *r, const struct rk_ask_order *o, const struct rk_ask_entry *by)
{
	struct room_entry *e = by != NULL ? room_look(r, by->fp) : NULL;
	struct rk_ask_entry after;

	if (e == NULL)
		return;
	room_recall(r, by->fp, false);
	drop(r, e, o, &after);
}

/* Of a key that had no entry its line is all that is known here, or not even
 * that: the store has what was seen of it. */
static void
take_kept(struct room *r, struct rk_ask_entry *e)
{
	struct rk_ask_entry kept;

	if (r->store.load == NULL ||
	    r->store.load(r->store.arg, e->fp, &kept, NULL) != RK_OK)
		return;
	kept.status = e->status; /* as it was; the order makes another of it */
	if (e->email[0] != '\0')
		memcpy(kept.email, e->email, sizeof(kept.email));
	if (kept.remote[0] == '\0')
		memcpy(kept.remote, e->remote, sizeof(kept.remote));
	*e = kept;
}

enum rk_err
room_decide(struct room *r, const struct rk_ask_order *o,
    struct rk_ask_entry *e, const struct rk_ask_entry *by, room_write_fn *write,
    void *arg, struct rk_error *err)
{
	struct room_entry *spare = calloc(1, sizeof(*spare));
	struct room_entry *cur;
	enum rk_err rv;

	if (spare == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	spare->pub = *e;
	(void)pthread_mutex_lock(&r->mutex);
	cur = room_look(r, e->fp);
	rv = check_order(r, cur, o, e, err);
	if (rv == RK_OK && by != NULL)
		rv = room_check_begun(r, o, by->fp, err);
	if (rv == RK_OK && r->store.decide != NULL)
		rv = r->store.decide(r->store.arg, o, e, by, err);
	else if (rv == RK_OK && write != NULL)
		rv = write(by != NULL ? by : e, arg, err);
	if (rv == RK_OK && cur == NULL && o->verb == RK_ASK_NOTE) {
		write_memo(e, o); /* the rest is the store's alone */
		remember(r, e->fp, ++r->version);
	} else if (rv == RK_OK) {
		if (cur == NULL)
			take_kept(r, &spare->pub);
		carry_out(r, o, cur != NULL ? cur : spare, cur == NULL, e);
		let_in_new(r, o, by);
		if (cur == NULL)
			spare = NULL;
		room_note_order(r, o, e->fp);
		if (by != NULL)
			room_note_order(r, o, by->fp);
	}
	(void)pthread_mutex_unlock(&r->mutex);
	free(spare);
	return rv;
}

/* ---- undo ---- */

enum rk_err
room_undo(struct room *r, const struct rk_ask_order *o, struct rk_ask_entry *e,
    struct rk_error *err)
{
	struct ask_undone undone = { .n = 0 };
	struct rk_ask_entry after;
	enum rk_err rv;

	(void)pthread_mutex_lock(&r->mutex);
	if (o->version != 0 && last_version(r, o->key) != o->version)
		rv = room_refuse_late(r, o->key, err);
	else if ((rv = room_check_begun(r, o, o->key, err)) != RK_OK)
		; /* it says why */
	else if (r->store.undo == NULL)
		rv = err_set(err, RK_ESTATE,
		    "without a store nothing that was decided can be undone");
	else
		rv = r->store.undo(r->store.arg, o, &undone, err);
	for (size_t i = 0; i < undone.n && rv == RK_OK; i++) {
		room_recall(r, undone.keys[i].key.fp, undone.keys[i].was_in);
		room_reload(r, &undone.keys[i].key, &after);
		room_note_order(r, o, after.fp);
		if (rk_fp_match(after.fp, o->key, true))
			*e = after;
	}
	(void)pthread_mutex_unlock(&r->mutex);
	return rv;
}

/* ---- the list ---- */

static int
by_age(const void *a, const void *b)
{
	const struct rk_ask_entry *x = a;
	const struct rk_ask_entry *y = b;

	if (x->first_seen != y->first_seen)
		return x->first_seen < y->first_seen ? -1 : 1;
	return strcmp(x->fp, y->fp);
}

enum rk_err
room_list(struct room *r, struct rk_ask_entry **out, size_t *n)
{
	struct room_entry *e;
	struct rk_ask_entry *list;
	size_t m = 0;

	*out = NULL;
	*n = 0;
	(void)pthread_mutex_lock(&r->mutex);
	/* Room for one more, so that none is no special case. */
	list = calloc(r->n_waiting + r->n_decided + 1, sizeof(*list));
	for (size_t i = 0; i < ROOM_BUCKETS && list != NULL; i++) {
		LIST_FOREACH(e, &r->buckets[i], link)
		{
			room_expire(r, e);
			list[m++] = e->pub;
		}
	}
	(void)pthread_mutex_unlock(&r->mutex);
	if (list == NULL)
		return RK_ENOMEM;
	qsort(list, m, sizeof(*list), by_age);
	*out = list;
	*n = m;
	return RK_OK;
}

/* ---- who is told ---- */

enum rk_err
room_watch(struct room *r, rk_ask_fn *fn, void *arg, struct rk_ask_watch **out)
{
	struct rk_ask_watch *w = malloc(sizeof(*w));

	*out = w;
	if (w == NULL)
		return RK_ENOMEM;
	*w =
	    (struct rk_ask_watch){ .room = room_hold(r), .fn = fn, .arg = arg };
	(void)pthread_mutex_lock(&r->mutex);
	LIST_INSERT_HEAD(&r->watches, w, link);
	(void)pthread_mutex_unlock(&r->mutex);
	return RK_OK;
}

void
rk_ask_watch_free(struct rk_ask_watch *w)
{
	struct room *r;

	if (w == NULL)
		return;
	r = w->room;
	(void)pthread_mutex_lock(&r->mutex);
	LIST_REMOVE(w, link);
	(void)pthread_mutex_unlock(&r->mutex);
	room_release(r);
	free(w);
}

void
room_tell_mode(struct room *r)
{
	(void)pthread_mutex_lock(&r->mutex);
	room_tell(r, RK_ASK_MODE, NULL);
	(void)pthread_mutex_unlock(&r->mutex);
}
