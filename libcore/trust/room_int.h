/* The inside of the table of keys that wait. */
#ifndef RPCKIT_TRUST_ROOM_INT_H
#define RPCKIT_TRUST_ROOM_INT_H

#include "trust/room.h"

#include "trust/crowd.h"

#include <pthread.h>

#define ROOM_BUCKETS 512
#define ROOM_RECALLED 64

struct room_entry {
	LIST_ENTRY(room_entry) link;
	struct rk_ask_entry pub;
	uint8_t source[CROWD_SOURCE_LEN];
	uint64_t seen; /* or undecided again; ms that never go back */
	/* The store has it with this status: what it says later counts. */
	bool kept;
};
LIST_HEAD(room_entry_list, room_entry);

struct rk_ask_watch {
	LIST_ENTRY(rk_ask_watch) link;
	struct room *room;
	rk_ask_fn *fn;
	void *arg;
};

/* What was decided last about a key that has no entry since. */
struct room_dropped {
	char fp[RK_FP_LEN];
	uint64_t version;
};

/* What was ordered last about a key. */
struct room_ordered {
	char fp[RK_FP_LEN];
	char who[128]; /* escaped */
	enum rk_ask_verb verb;
	int64_t at;  /* seconds since 1970 */
	uint64_t us; /* of the clock that nobody sets */
};

struct room {
	pthread_mutex_t mutex; /* over all that follows */
	unsigned users;
	unsigned n_waiting; /* entries of either kind */
	unsigned n_decided;
	unsigned n_seats;
	uint64_t n_turned; /* newcomers for whom there was no room, */
	uint64_t turned;   /* and when the last one came */
	uint64_t version;
	struct ask_store store; /* zeros: none */
	/* Keys whose approval was taken back, so that open connections of
	 * theirs end; the oldest is overwritten. */
	char recalled[ROOM_RECALLED][RK_FP_LEN];
	size_t n_recalled;                          /* ever */
	struct room_dropped dropped[ROOM_RECALLED]; /* the same */
	size_t n_dropped;
	struct room_ordered ordered[ROOM_RECALLED]; /* the same */
	size_t n_ordered;
	uint64_t (*now)(void); /* ms, as in an entry */
	LIST_HEAD(, rk_ask_watch) watches;
	TAILQ_HEAD(, room_seat) seats;
	struct room_entry_list buckets[ROOM_BUCKETS];
};

/* Of enum rk_ask_status: no need to wait any more. */
bool room_is_decided(enum rk_ask_status s);
/* room_last.c, with the mutex held.  RK_ESTATE with what was decided about this
 * key, and by whom, as far as that is known. */
RK_MUST enum rk_err room_refuse_late(
    struct room *r, const char *fp, struct rk_error *err);
/* The same where something else was ordered after o->begun; RK_OK. */
RK_MUST enum rk_err room_check_begun(struct room *r,
    const struct rk_ask_order *o, const char *fp, struct rk_error *err);
void room_note_order(
    struct room *r, const struct rk_ask_order *o, const char *fp);
/* The rest holds the mutex. */
struct room_entry *room_look(struct room *r, const char *fp);
void room_insert(struct room *r, struct room_entry *e);
void room_remove(struct room *r, struct room_entry *e);
void room_set_status(
    struct room *r, struct room_entry *e, enum rk_ask_status s);
void room_tell(
    struct room *r, enum rk_ask_event event, const struct rk_ask_entry *e);
/* An approval for a time that is over is one that was. */
void room_expire(struct room *r, struct room_entry *e);
bool room_is_full(struct room *r, enum rk_ask_status s);
/* room_place.c: those that were not seen for RK_ASK_DAYS go; and a place for
 * one more, for which another may have to go.  RK_ELIMIT, the store's error. */
void room_drop_old(struct room *r, uint64_t now);
RK_MUST enum rk_err room_make_place(struct room *r, const struct rk_peer *peer,
    uint64_t now, struct rk_error *err);
/* The same for one of the store's. */
RK_MUST enum rk_err room_keep_place(
    struct room *r, const struct rk_ask_entry *kept, struct rk_error *err);
/* room_kept.c: the entry as table and store have it; NULL: there is none.
 * waits: also one of the store's that nobody has decided about, which says
 * nothing otherwise: the file may have the key by now; where the table is
 * full another's may have to go for it.  RK_ELIMIT, RK_ENOMEM, the store's
 * error. */
RK_MUST enum rk_err room_get(struct room *r, const char *fp, bool waits,
    struct room_entry **out, struct rk_error *err);
/* room_kept.c: something was decided about this key.  Its entry becomes what
 * the store has now; where that has nothing, *after is the key as it was given,
 * and where it cannot be asked, the entry stays. */
void room_reload(
    struct room *r, const struct rk_ask_entry *key, struct rk_ask_entry *after);
void room_recall(struct room *r, const char *fp, bool recalled);

/* Of a session's key that nobody vouches for: everybody can make one. */
bool room_is_bare(const struct rk_peer *peer);
/* What shares bounds: an IPv4 address, or the first 64 bits of one of IPv6. */
void room_source(const char *url, uint8_t source[CROWD_SOURCE_LEN]);

#endif
