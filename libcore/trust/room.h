/* Who waits for a decision, and what was decided: a table of keys. */
#ifndef RPCKIT_TRUST_ROOM_H
#define RPCKIT_TRUST_ROOM_H

#include "trust/ask_store.h"
#include "trust/crowd.h"

#include <sys/queue.h>

/*
 * Shared by the deciders that follow one another (rk_trust_follow()); any
 * thread.  Its lock is taken inside that of a decider, never the other way
 * round, and those who watch are called inside it.
 */
struct room;

RK_MUST enum rk_err room_new(struct room **out);
struct room *room_hold(struct room *r);
void room_release(struct room *r); /* NULL is allowed */
/* ms that never go back, as room_enter()'s; the system's until then. */
void room_set_clock(struct room *r, uint64_t (*now)(void));
/* Behind the table from now on, in place of another, which is not closed; NULL:
 * none.  Copied. */
void room_set_store(struct room *r, const struct ask_store *store);
/* The same if there is none: false. */
bool room_offer_store(struct room *r, const struct ask_store *store);
struct ask_store room_store(struct room *r); /* zeros: none */
/* An entry of a store's, unless the table has the key, or is full: the store is
 * asked about it when it comes.  seen: ms as room_enter()'s.  RK_ENOMEM. */
RK_MUST enum rk_err room_restore(
    struct room *r, const struct rk_ask_entry *kept, uint64_t seen);

/* What was decided about a key. */
enum room_word {
	ROOM_NOTHING, /* or it is undecided */
	ROOM_EXPIRED, /* undecided again */
	ROOM_UNTIL,   /* it is not over */
	ROOM_ONCE,
	ROOM_REJECTED,
	ROOM_REVOKED
};
/* RK_OK, or the store's error. */
RK_MUST enum rk_err room_ask(
    struct room *r, const char *fp, enum room_word *out, struct rk_error *err);
/* A key that is rejected or revoked is here: note it, and from where it comes;
 * peer: NULL: that is not known, nor is the key proven, and no store is told.
 */
void room_tried(struct room *r, const struct rk_cert_info *cert,
    const struct rk_peer *peer);

/* A peer has to wait: make its entry, for which another's may have to go
 * (crowd_admit()), or find it.  count: it came just now; else it waits since.
 * now: ms that never go back.  RK_ELIMIT, RK_ENOMEM, the store's error. */
RK_MUST enum rk_err room_enter(struct room *r, const struct rk_peer *peer,
    bool changed, bool count, uint64_t now, struct rk_error *err);
/* How many could not enter so far, and how many ms ago the last one. */
uint64_t room_turned(struct room *r, uint64_t now, uint64_t *ago);
/* An approval for one connection is used up.  RK_EAGAIN: it was already; the
 * store's error. */
RK_MUST enum rk_err room_use(
    struct room *r, const char *fp, struct rk_error *err);
/* The key stands in the file: it is no matter of ours any more, unless it is
 * out. */
void room_forget_known(struct room *r, const char *fp);
/* Is one of these addresses that of another key, which is approved for a
 * connection or a time, in the table or in its store?  The store's error:
 * *taken is true. */
RK_MUST enum rk_err room_is_taken(struct room *r, const struct mails_for *whom,
    struct mails mails, bool *taken, struct rk_error *err);
/* The addresses of its certificate; "": it is not in the table. */
void room_mails(struct room *r, const char *fp, char *dst, size_t len);
/* Is it in the table as one that was rejected or revoked? */
bool room_is_out(struct room *r, const char *fp);
/* The same, asked by a room_write_fn. */
bool room_has_out(struct room *r, const char *fp);
/* Is it in the table as one that is approved until a time? */
bool room_is_timed(struct room *r, const char *fp);
/* Was its approval taken back, and nothing decided since? */
bool room_is_recalled(struct room *r, const char *fp);

/* A connection that waits: its owner's memory, zero while it does not. */
struct room_seat {
	TAILQ_ENTRY(room_seat) link;
	struct room *room;
	char fp[RK_FP_LEN];
	uint8_t source[CROWD_SOURCE_LEN];
	bool bare; /* nobody vouches for its key */
};
/* After room_enter().  RK_ELIMIT. */
RK_MUST enum rk_err room_sit(struct room *r, struct room_seat *seat,
    const struct rk_peer *peer, struct rk_error *err);
void room_stand(struct room_seat *seat);

/* The entry of a fingerprint or its start.  RK_ENOENT, RK_EINVAL (several). */
RK_MUST enum rk_err room_find(struct room *r, const char *key,
    struct rk_ask_entry *out, struct rk_error *err);
/* Carries out the part of an order that is the file's, for the key that is let
 * in; may be NULL. */
typedef enum rk_err room_write_fn(
    const struct rk_ask_entry *e, void *arg, struct rk_error *err);
/*
 * If the entry is still of e->version (0: there is none yet): the store is told
 * or, where there is none, `write` called; the order is carried out.  *e is the
 * entry afterwards; by is the one that waits, of RK_ASK_REPLACE.
 * RK_ESTATE, RK_ELIMIT, RK_ENOMEM, errors of the store and of `write`.
 */
RK_MUST enum rk_err room_decide(struct room *r, const struct rk_ask_order *o,
    struct rk_ask_entry *e, const struct rk_ask_entry *by, room_write_fn *write,
    void *arg, struct rk_error *err);
/* room_last.c.  Who decided, and when, where the entry does not say it: a key
 * that is known has no entry here. */
void room_find_decider(struct room *r, struct rk_ask_entry *e);
/* room_refuse_late() for who does not hold the mutex. */
RK_MUST enum rk_err room_say_late(
    struct room *r, const char *fp, struct rk_error *err);
/* The store takes back what was decided last about o->key; *e is the entry of
 * that key afterwards.  RK_ESTATE: there is no store; errors of the store. */
RK_MUST enum rk_err room_undo(struct room *r, const struct rk_ask_order *o,
    struct rk_ask_entry *e, struct rk_error *err);
/* Follow what other processes have decided in the store since.  Its error. */
RK_MUST enum rk_err room_catch_up(struct room *r, struct rk_error *err);
/* Entries that were not seen for RK_ASK_DAYS go; now: ms as room_enter()'s.
 * Before anybody looks at them. */
void room_prune(struct room *r, uint64_t now);
RK_MUST enum rk_err room_list(
    struct room *r, struct rk_ask_entry **out, size_t *n);

RK_MUST enum rk_err room_watch(
    struct room *r, rk_ask_fn *fn, void *arg, struct rk_ask_watch **out);
void room_tell_mode(struct room *r);

/* The host of "tls://127.0.0.1:8443" or "tls://[::1]:8443"; "" for others. */
void room_host(const char *url, char *host, size_t host_len);

#endif
