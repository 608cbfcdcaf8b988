/* Places in the table of keys that wait: who has to give up his. */
#include "trust/room_int.h"

#include "base/error.h"

#define DAY_MS (UINT64_C(24) * 3600 * 1000)

/* Another thread may have seen it later than now. */
static bool
is_old(const struct room_entry *e, uint64_t now)
{
	const uint64_t age = now - e->seen;

	return age >= RK_ASK_DAYS * DAY_MS && age <= INT64_MAX;
}

void
room_drop_old(struct room *r, uint64_t now)
{
	struct room_entry *e, *next;

	for (size_t i = 0; i < ROOM_BUCKETS; i++) {
		for (e = LIST_FIRST(&r->buckets[i]); e != NULL; e = next) {
			next = LIST_NEXT(e, link);
			if (room_is_decided(e->pub.status) ||
			    e->pub.conns > 0 || !is_old(e, now))
				continue;
			room_tell(r, RK_ASK_GONE, &e->pub);
			room_remove(r, e);
		}
	}
}

void
room_prune(struct room *r, uint64_t now)
{
	(void)pthread_mutex_lock(&r->mutex);
	room_drop_old(r, now);
	(void)pthread_mutex_unlock(&r->mutex);
}

/* All that are undecided.  Who waits now, was approved once, or has a note,
 * is displaced by nobody. */
static size_t
gather(struct room *r, struct crowd_one all[RK_ASK_ENTRIES])
{
	struct room_entry *e;
	size_t n = 0;

	for (size_t i = 0; i < ROOM_BUCKETS; i++) {
		LIST_FOREACH(e, &r->buckets[i], link)
		{
			if (room_is_decided(e->pub.status) ||
			    n == RK_ASK_ENTRIES)
				continue;
			all[n++] = (struct crowd_one){ .source = e->source,
				.seen = e->seen,
				.bare = e->pub.ca[0] == '\0' &&
				        e->pub.cert_until == 0,
				.again = e->pub.tries > 1,
				.stays = e->pub.conns > 0 ||
				         e->pub.note[0] != '\0' ||
				         e->pub.status == RK_ASK_EXPIRED,
				.who = e };
		}
	}
	return n;
}

static enum rk_err
displace(struct room *r, struct room_entry *e, struct rk_error *err)
{
	enum rk_err rv = RK_OK;

	if (r->store.drop != NULL)
		rv = r->store.drop(r->store.arg, e->pub.fp, err);
	if (rv != RK_OK)
		return rv;
	room_tell(r, RK_ASK_GONE, &e->pub);
	room_remove(r, e);
	return RK_OK;
}

static enum rk_err
admit(struct room *r, const char *fp, const struct crowd_one *comes,
    struct rk_error *err)
{
	struct crowd_one all[RK_ASK_ENTRIES];
	const struct crowd_one *victim;

	switch (crowd_admit(all, gather(r, all), comes, &victim)) {
	case CROWD_SOURCE:
		return err_set(err, RK_ELIMIT,
		    "key %s: %d keys from its network wait for a decision "
		    "already",
		    fp, RK_ASK_ENTRIES_SOURCE);
	case CROWD_FULL:
		return err_set(err, RK_ELIMIT,
		    "key %s: too many keys wait for a decision already", fp);
	case CROWD_ROOM:
		break;
	}
	return victim != NULL ? displace(r, victim->who, err) : RK_OK;
}

enum rk_err
room_make_place(struct room *r, const struct rk_peer *peer, uint64_t now,
    struct rk_error *err)
{
	uint8_t source[CROWD_SOURCE_LEN];
	const struct crowd_one comes = {
		.source = source, .seen = now, .bare = room_is_bare(peer)
	};

	room_source(peer->remote, source);
	return admit(r, peer->cert.fp, &comes, err);
}

enum rk_err
room_keep_place(
    struct room *r, const struct rk_ask_entry *kept, struct rk_error *err)
{
	uint8_t source[CROWD_SOURCE_LEN];
	const struct crowd_one comes = { .source = source,
		.seen = r->now(),
		.bare = kept->ca[0] == '\0' && kept->cert_until == 0 };

	crowd_source(kept->remote, source);
	return admit(r, kept->fp, &comes, err);
}
