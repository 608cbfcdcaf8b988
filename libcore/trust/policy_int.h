/* The inside of a decider, for the files of it. */
#ifndef RPCKIT_TRUST_POLICY_INT_H
#define RPCKIT_TRUST_POLICY_INT_H

#include "trust/known.h"
#include "trust/pace.h"
#include "trust/policy.h"

#include <pthread.h>

#include <rpckit/ask.h>
#include <rpckit/servers.h>

#define POLICY_NAME_LEN 160 /* a path in a message */

struct rk_trust {
	char *path; /* NULL: RK_TRUST_OFF for ever */
	char name[POLICY_NAME_LEN];
	struct room *room;
	rk_trust_fn *own; /* decides in place of the file, or NULL */
	void *own_arg;
	pthread_mutex_t mutex; /* over what follows */
	enum rk_trust_mode mode;
	bool retired;    /* another list is in force: nobody is let in */
	bool keeps;      /* rk_trust_keep() */
	bool keeps_anew; /* and makes the store */
	bool follows;    /* rk_trust_follow() */
	struct known known;
	struct known peeked; /* known_peek(), where others have its lock */
	bool seen;           /* the file was there once */
	struct known_stamp locked; /* known_is_replaced() */
	bool ordered;              /* it was locked by order, which it stays */
	struct pace pace;
	uint64_t (*now)(void); /* ms */
};

/* With the mutex held.  Bring known up to date.  RK_EBUSY: another program has
 * the file, and known is what it was; to be tried again. */
RK_MUST enum rk_err policy_refresh(struct rk_trust *t, struct rk_error *err);
/* The same, waiting so long for its lock. */
RK_MUST enum rk_err policy_refresh_within(
    struct rk_trust *t, unsigned wait_ms, struct rk_error *err);
/* On behalf of this peer nobody waits.  RK_OK also where another program has
 * the file, and the key had its line, and has it still: then that is so, and
 * nothing else of known need be. */
RK_MUST enum rk_err policy_refresh_for(struct rk_trust *t,
    const uint8_t pub[RK_KEY_PUBLIC_LEN], struct rk_error *err);
/* The same when something is done, which being busy does not undo. */
RK_MUST enum rk_err policy_refresh_after(
    struct rk_trust *t, struct rk_error *err);
/* The file's state and this mode, the stricter of both. */
enum rk_trust_state policy_state(
    const struct rk_trust *t, enum rk_trust_mode mode);
/* Is this mode, with the file as it is, of any use?  RK_ESTATE. */
RK_MUST enum rk_err policy_check_mode(
    const struct rk_trust *t, enum rk_trust_mode mode, struct rk_error *err);
/*
 * policy_taken.c: is one of these another key's, which is let in, by a line of
 * the file, or by an approval for a connection or a time, in the table or in
 * the store?  Also where not all are there to be compared.  The file as it was
 * read last.  The store's error: *taken is true.
 */
RK_MUST enum rk_err policy_is_taken(const struct rk_trust *t,
    const struct mails_for *whom, struct mails mails, bool *taken,
    struct rk_error *err);
/*
 * policy_find.c: the entry that is meant, or one to be made (version 0).  A
 * start that fits an entry and a line of another key is ambiguous.  RK_ENOENT,
 * RK_EINVAL, errors of known_read().
 */
enum policy_look {
	POLICY_NO_LINES, /* it is no line's */
	POLICY_LINES,
	POLICY_KEYS /* the same; where the file is held, without its text */
};
RK_MUST enum rk_err policy_find_key(const struct rk_trust *t, const char *key,
    enum policy_look lines, struct rk_ask_entry *e, struct rk_error *err);
/* The same of the first key of an order, by all that this verb needs: also a
 * row of the store; and, of orders that keep out, a peer that is here (may be
 * NULL), or a whole fingerprint of nobody. */
RK_MUST enum rk_err policy_find_old(const struct rk_trust *t,
    const struct rk_ask_order *o, const struct rk_peer *met,
    struct rk_ask_entry *e, struct rk_error *err);
/* policy_file.c: what the line of the key out->pub says; errors of
 * known_read().  Nothing, where it is gone by now. */
RK_MUST enum rk_err policy_read_line(
    const struct rk_trust *t, struct rk_ask_entry *out, struct rk_error *err);

#endif
