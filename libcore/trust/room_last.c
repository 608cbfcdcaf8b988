/* Who decided last about a key, for those who come after that. */
#include "trust/room_int.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/str.h"

static const struct room_ordered *
find_last(const struct room *r, const char *key)
{
	size_t n = r->n_ordered < ROOM_RECALLED ? r->n_ordered : ROOM_RECALLED;

	for (size_t i = 1; i <= n; i++) {
		const struct room_ordered *o =
		    &r->ordered[(r->n_ordered - i) % ROOM_RECALLED];

		if (rk_fp_match(o->fp, key, true))
			return o;
	}
	return NULL;
}

void
room_note_order(struct room *r, const struct rk_ask_order *o, const char *fp)
{
	struct room_ordered *last = &r->ordered[r->n_ordered++ % ROOM_RECALLED];

	*last = (struct room_ordered){
		.verb = o->verb, .at = time(NULL), .us = mono_us()
	};
	(void)str_copy(last->fp, sizeof(last->fp), fp);
	(void)str_escape(last->who, sizeof(last->who), o->who);
}

static const char *
say_verb(enum rk_ask_verb verb)
{
	static const char *const said[] = {
		[RK_ASK_APPROVE] = "approved",
		[RK_ASK_APPROVE_ONCE] = "approved once",
		[RK_ASK_REJECT] = "rejected",
		[RK_ASK_REVOKE] = "revoked",
		[RK_ASK_FORGET] = "forgotten",
		[RK_ASK_APPROVE_UNTIL] = "approved for a time",
		[RK_ASK_REPLACE] = "replaced",
		[RK_ASK_NOTE] = "noted",
		[RK_ASK_UNDO] = "taken back",
	};

	return said[verb];
}

enum rk_err
room_refuse_late(struct room *r, const char *fp, struct rk_error *err)
{
	const struct room_ordered *last = find_last(r, fp);
	const struct room_entry *e = room_look(r, fp);

	if (last != NULL)
		return err_set(err, RK_ESTATE,
		    "key %s: something else was decided meanwhile: %s by %s",
		    fp, say_verb(last->verb), last->who);
	if (e != NULL && room_is_decided(e->pub.status) &&
	    e->pub.who[0] != '\0')
		return err_set(err, RK_ESTATE,
		    "key %s: something else was decided meanwhile: %s by %s",
		    fp, rk_ask_status_name(e->pub.status), e->pub.who);
	return err_set(
	    err, RK_ESTATE, "key %s: something else was decided meanwhile", fp);
}

enum rk_err
room_say_late(struct room *r, const char *fp, struct rk_error *err)
{
	enum rk_err rv;

	(void)pthread_mutex_lock(&r->mutex);
	rv = room_refuse_late(r, fp, err);
	(void)pthread_mutex_unlock(&r->mutex);
	return rv;
}

/* Who orders the same overturns nothing.  One time may be another, though, and
 * so may who takes a key's place. */
static bool
is_same(enum rk_ask_verb last, enum rk_ask_verb now)
{
	return last == now && now != RK_ASK_APPROVE_UNTIL &&
	       now != RK_ASK_REPLACE;
}

enum rk_err
room_check_begun(struct room *r, const struct rk_ask_order *o, const char *fp,
    struct rk_error *err)
{
	const struct room_ordered *last =
	    o->begun != 0 && o->verb != RK_ASK_NOTE ? find_last(r, fp) : NULL;

	if (last == NULL || last->us <= o->begun ||
	    is_same(last->verb, o->verb))
		return RK_OK;
	return room_refuse_late(r, fp, err);
}

void
room_find_decider(struct room *r, struct rk_ask_entry *e)
{
	const struct room_ordered *last;
	struct rk_ask_entry kept;

	if (e->who[0] != '\0')
		return;
	(void)pthread_mutex_lock(&r->mutex);
	if ((last = find_last(r, e->fp)) != NULL) {
		(void)str_copy(e->who, sizeof(e->who), last->who);
		e->decided = last->at;
	} else if (r->store.load != NULL &&
	           r->store.load(r->store.arg, e->fp, &kept, NULL) == RK_OK) {
		memcpy(e->who, kept.who, sizeof(e->who));
		e->decided = kept.decided;
	}
	(void)pthread_mutex_unlock(&r->mutex);
}
