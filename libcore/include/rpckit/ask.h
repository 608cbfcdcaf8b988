/* Keys that wait for a person's decision, and the decisions. */
#ifndef RPCKIT_ASK_H
#define RPCKIT_ASK_H

#include <rpckit/trust.h>

RK_BEGIN

/*
 * Where a list's mode makes a key wait (rpckit-trust(7)), a server keeps its
 * connections as they are after the handshake, unread, until somebody decides
 * or the time is over (conf.trust_wait).  All connections of a key share one
 * entry.  What is rejected or revoked here stays out whatever file and mode
 * say: for as long as this process runs, or for good (rk_trust_keep()).
 *
 * Every function of this header may be called on any thread.
 */
#define RK_ASK_ENTRIES 256       /* keys that wait, or waited, undecided */
#define RK_ASK_ENTRIES_SOURCE 32 /* of them from one address (IPv6: /64) */
#define RK_ASK_CONNS 64          /* connections that wait */
#define RK_ASK_CONNS_SOURCE 32   /* of them from one address (IPv6: /64) */
#define RK_ASK_CONNS_KEY 4       /* and of one key */
#define RK_ASK_BARE_PART 4 /* one in so many is of a key nobody vouches for */
#define RK_ASK_DAYS 7      /* an entry unseen for so long goes */
#define RK_ASK_DECIDED_MAX                                             \
	4096               /* keys rejected, revoked, approved once or \
	                    * for a time */
#define RK_ASK_ADDRESSES 4 /* the last ones that are remembered */

enum rk_ask_status {
	RK_ASK_NEW,      /* waits */
	RK_ASK_CHANGED,  /* waits; its e-mail is that of another known key */
	RK_ASK_EXPIRED,  /* waits; it was approved once, and that is used up, or
	                    for a time that is over */
	RK_ASK_UNTIL,    /* approved until a time */
	RK_ASK_ONCE,     /* approved for its next connection */
	RK_ASK_REJECTED, /* may be approved again */
	RK_ASK_REVOKED,  /* for good: forget it first */
	RK_ASK_KNOWN     /* no entry: it stands in the file */
};
/* "new" "changed" ...: static. */
RK_API const char *rk_ask_status_name(enum rk_ask_status status);

/* All text escaped; times in seconds since 1970. */
struct rk_ask_entry {
	char fp[RK_FP_LEN];
	bool has_cert; /* the key itself was seen: the next three are filled */
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char email[256];  /* comma-joined */
	char ca[128];     /* the issuer's common name */
	char remote[128]; /* where it came from last; "" */
	enum rk_ask_status status;
	int64_t first_seen; /* 0: never, as the next */
	int64_t last_seen;
	uint64_t tries;   /* connections that it made in vain, or waits with */
	unsigned conns;   /* that wait now */
	uint64_t version; /* changes with every decision about this key */
	int64_t until;    /* RK_ASK_UNTIL, and what is over; 0: none */
	int64_t decided;  /* when; 0: never, as far as is known */
	char who[128];    /* decided */
	char note[256];
	/* Hosts, the last one first; "" behind the end. */
	char addresses[RK_ASK_ADDRESSES][64];
	/* Of its certificate, the last one that was shown; 0: not noted. */
	int64_t cert_from;
	int64_t cert_until;
	/* Its common name: what there is of a key without e-mail; "" where the
	 * key was not here since the start. */
	char cn[128];
};

/* Those there are, by first_seen; *out is for free().  RK_ENOMEM. */
RK_API RK_MUST enum rk_err rk_trust_entries(
    struct rk_trust *trust, struct rk_ask_entry **out, size_t *n);

enum rk_ask_verb {
	RK_ASK_APPROVE,      /* its line is written to the file */
	RK_ASK_APPROVE_ONCE, /* its next connection, and no other, is let in */
	RK_ASK_REJECT,
	RK_ASK_REVOKE,
	RK_ASK_FORGET, /* the entry, whatever it says; with a store a line, too
	                */
	RK_ASK_APPROVE_UNTIL, /* let in until a time, and not longer */
	RK_ASK_REPLACE, /* `key` is revoked and `by` approved, in one step */
	RK_ASK_NOTE,    /* only the note */
	RK_ASK_UNDO     /* what was decided about it last */
};

struct rk_ask_order {
	size_t size; /* sizeof(struct rk_ask_order) */
	enum rk_ask_verb verb;
	/* A fingerprint, or the start of one, 8 characters or more of it, of
	 * which there is one entry, or line; blanks do not matter. */
	const char *key;
	/* Of the entry as its decider saw it, or, of RK_ASK_UNDO (with a whole
	 * fingerprint), as the decision that is meant left it; 0: any. */
	uint64_t version;
	bool changed;     /* also approve what is RK_ASK_CHANGED; REPLACE: also
	                     where a third key has the e-mail */
	const char *by;   /* RK_ASK_REPLACE: the new key, which waits */
	int64_t until;    /* RK_ASK_APPROVE_UNTIL: seconds since 1970 */
	const char *who;  /* for the audit; NULL: "order" */
	const char *note; /* fewer than 256 bytes; NULL: as it was */
	uint64_t
	    by_version; /* RK_ASK_REPLACE: of the new key's entry; 0: any */
	uint64_t line; /* RK_ASK_UNDO: the newest one of the store's audit about
	                  this key as its decider saw it, but for later notes,
	                  which stay; 0: any */
	/* When its decider began, microseconds of CLOCK_MONOTONIC: what was
	 * decided otherwise about the key after that, here, is not overturned
	 * by one who cannot have seen it; 0: it may be. */
	uint64_t begun;
};

/*
 * Decide, for all connections at once: who waits is let in or dropped before
 * long, and open connections of a key that is rejected or revoked, whose time
 * is over, whose approval is undone, or whose line is forgotten are closed
 * (RK_EDENIED, RK_EREVOKED), by the loops that have them, within a second or
 * two.  *after (may be NULL) is the entry as it is now, or as it was last where
 * it is gone.  RK_ENOENT: no such key; without a store, rejecting and revoking
 * by a whole fingerprint always finds one; for those with a store see
 * rk_trust_keep().
 * RK_EINVAL: bad arguments, too short, several have that start, a time that is
 * over, a key that replaces itself.  RK_ESTATE: decided otherwise since
 * `version` or `begun`; approving or rejecting one that is revoked; approving
 * while there is no list, or it is locked, or full; undoing, or a note about a
 * key that has no entry, without a store; nothing to undo.  RK_EDENIED:
 * changed, and order->changed was not said.  RK_ELIMIT: more than
 * RK_ASK_DECIDED_MAX. RK_EIO, RK_EMODE, RK_EFORMAT: the file.  RK_EBUSY:
 * another program held a lock for five seconds, which this waits: that of the
 * store, or that of the file, which rejecting and revoking do not need.  What
 * fails has changed nothing.
 */
RK_API RK_MUST enum rk_err rk_trust_order(struct rk_trust *trust,
    const struct rk_ask_order *order, struct rk_ask_entry *after,
    struct rk_error *err);

/*
 * From now on; the file's mode can make it stricter.  RK_EINVAL; RK_ESTATE: it
 * would refuse everybody, or there is no file; errors of rk_trust_new().
 * Nothing is changed then.
 */
RK_API RK_MUST enum rk_err rk_trust_set_mode(
    struct rk_trust *trust, enum rk_trust_mode mode, struct rk_error *err);
RK_API enum rk_trust_mode rk_trust_mode(struct rk_trust *trust);

/*
 * Keep entries and decisions in the store beside the list (rpckit/store.h),
 * from now on or as soon as a mode is set that makes keys wait; without this
 * call they are this process's.  What was kept before is there again.  A store
 * is used in every mode that has a list, but made only if `make` says so, where
 * keys are to wait.  What cannot be written is a refusal, of the peer or of the
 * order; rejecting, revoking and forgetting then take the key's line out of the
 * file, too, and only what was met, or has a line, can be rejected or revoked:
 * RK_ESTATE.  Decisions of other processes in the same store count here.
 * After rk_trust_follow(); RK_ESTATE: the decider followed has the store of
 * another list; errors of rk_store_open().  Any thread.
 */
RK_API RK_MUST enum rk_err rk_trust_keep(
    struct rk_trust *trust, bool make, struct rk_error *err);

/*
 * Take over the entries of `before`, a decider of the same peers that this one
 * replaces: from now on they are of both.  Before others use `trust`; `before`
 * may be in use.
 */
RK_API void rk_trust_follow(struct rk_trust *trust, struct rk_trust *before);

enum rk_ask_event {
	RK_ASK_ARRIVED, /* an entry came to be */
	RK_ASK_AGAIN,   /* its key came once more */
	RK_ASK_DECIDED, /* an order; the entry as after it */
	RK_ASK_GONE, /* the entry: its key stands in the file, or it is old */
	RK_ASK_MODE  /* rk_trust_set_mode(); no entry: NULL */
};
/* On the thread that did it, with locks held: it must not call anything of
 * rpckit/ask.h and rpckit/trust.h, nor wait; rk_loop_post() may be called. */
typedef void rk_ask_fn(
    enum rk_ask_event event, const struct rk_ask_entry *entry, void *arg);
struct rk_ask_watch;
/* Be told of what happens to entries from now on.  RK_ENOMEM. */
RK_API RK_MUST enum rk_err rk_ask_watch_new(struct rk_trust *trust,
    rk_ask_fn *fn, void *arg, struct rk_ask_watch **out);
/* fn is not entered any more when it returns; not inside fn.  NULL. */
RK_API void rk_ask_watch_free(struct rk_ask_watch *watch);

RK_END

#endif
