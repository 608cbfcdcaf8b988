/* Decisions about keys, the list of these, and who is told. */
#include "trust/room_int.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

const char *
rk_ask_status_name(enum rk_ask_status status)
{
	static const char *const names[] = {
		[RK_ASK_NEW] = "new",
		[RK_ASK_CHANGED] = "changed",
		[RK_ASK_EXPIRED] = "expired",
		[RK_ASK_ONCE] = "once",
		[RK_ASK_REJECTED] = "rejected",
		[RK_ASK_REVOKED] = "revoked",
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
	const struct room_entry *found = NULL;
	const struct room_entry *e;
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
	if (found != NULL)
		*out = found->pub;
	else
		rv = RK_ENOENT;
	(void)pthread_mutex_unlock(&r->mutex);
	return rv;
}

static enum rk_ask_status
status_after(enum rk_ask_verb verb)
{
	switch (verb) {
	case RK_ASK_REJECT:
		return RK_ASK_REJECTED;
	case RK_ASK_REVOKE:
		return RK_ASK_REVOKED;
	case RK_ASK_APPROVE_ONCE:
	case RK_ASK_APPROVE:
	case RK_ASK_FORGET:
		break;
	}
	return RK_ASK_ONCE;
}

/* What is left of the entry, which may be a new one. */
static void
carry_out(struct room *r, enum rk_ask_verb verb, struct room_entry *e,
    bool fresh, struct rk_ask_entry *after)
{
	bool stays = verb != RK_ASK_APPROVE && verb != RK_ASK_FORGET;

	if (fresh)
		room_insert(r, e);
	if (stays)
		room_set_status(r, e, status_after(verb));
	e->pub.version = ++r->version;
	*after = e->pub;
	if (!stays)
		room_remove(r, e);
	room_tell(r, RK_ASK_DECIDED, after);
}

static enum rk_err
check_order(const struct room *r, const struct room_entry *cur,
    enum rk_ask_verb verb, const struct rk_ask_entry *e, struct rk_error *err)
{
	bool adds = verb != RK_ASK_APPROVE && verb != RK_ASK_FORGET &&
	            (cur == NULL || !room_is_decided(cur->pub.status));

	if ((cur != NULL ? cur->pub.version : 0) != e->version)
		return err_set(err, RK_ESTATE,
		    "key %s: something else was decided meanwhile", e->fp);
	if (adds && r->n_decided >= RK_ASK_DECIDED_MAX)
		return err_set(err, RK_ELIMIT,
		    "%d keys are rejected, revoked or approved once already",
		    RK_ASK_DECIDED_MAX);
	return RK_OK;
}

enum rk_err
room_decide(struct room *r, enum rk_ask_verb verb, struct rk_ask_entry *e,
    room_write_fn *write, void *arg, struct rk_error *err)
{
	struct room_entry *spare = calloc(1, sizeof(*spare));
	struct room_entry *cur;
	enum rk_err rv;

	if (spare == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	spare->pub = *e;
	(void)pthread_mutex_lock(&r->mutex);
	cur = room_look(r, e->fp);
	rv = check_order(r, cur, verb, e, err);
	if (rv == RK_OK && r->store.decide != NULL)
		rv = r->store.decide(r->store.arg, verb, e, err);
	if (rv == RK_OK && write != NULL)
		rv = write(e, arg, err);
	if (rv == RK_OK) {
		carry_out(r, verb, cur != NULL ? cur : spare, cur == NULL, e);
		if (cur == NULL)
			spare = NULL;
	}
	(void)pthread_mutex_unlock(&r->mutex);
	free(spare);
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
	const struct room_entry *e;
	struct rk_ask_entry *list;
	size_t m = 0;

	*out = NULL;
	*n = 0;
	(void)pthread_mutex_lock(&r->mutex);
	/* Room for one more, so that none is no special case. */
	list = calloc(r->n_waiting + r->n_decided + 1, sizeof(*list));
	for (size_t i = 0; i < ROOM_BUCKETS && list != NULL; i++) {
		LIST_FOREACH(e, &r->buckets[i], link)
		list[m++] = e->pub;
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
