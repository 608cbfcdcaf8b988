/* What a store of decisions that outlives the process has to do. */
#ifndef RPCKIT_TRUST_ASK_STORE_H
#define RPCKIT_TRUST_ASK_STORE_H

#include <rpckit/ask.h>

#include "trust/mails.h"

/*
 * The table of entries (trust/room.h) is this process's memory and bounds who
 * may wait; a store behind it is asked about keys and told of what happens.  An
 * error of any of these refuses: nobody is let in, nothing is decided.
 *
 * Called with locks held, on the threads that ask about peers: it must be quick
 * and call nothing of rpckit/trust.h or rpckit/ask.h with the same rk_trust.
 */
#define ASK_UNDONE_MAX 4

/* The keys that an order was about which is taken back. */
struct ask_undone {
	size_t n;
	struct {
		struct rk_ask_entry key; /* its text; no status */
		bool was_in; /* that order had let it in, and nothing before */
	} keys[ASK_UNDONE_MAX];
};

/* What another process has decided about a key. */
struct ask_news {
	struct rk_ask_entry key; /* its text; status: RK_ASK_KNOWN if it was
	                            let in for good, else none */
	bool ended;              /* it was let in before, and is not any more */
};
typedef void ask_news_fn(const struct ask_news *n, void *arg);

/* Is an approval for a time over?  By the rule of stores: nor does it count
 * before it was given. */
bool ask_is_over(int64_t decided, int64_t until, int64_t now);

struct ask_store {
	/* The entry of this fingerprint (status, text, times, tries).
	 * RK_ENOENT: nothing is known of it.  Asked in each handshake, and
	 * about those who wait: others may decide in the same store.  Where it
	 * fails, what the table rejects or revokes stays out. */
	enum rk_err (*load)(void *arg, const char *fp, struct rk_ask_entry *out,
	    struct rk_error *err);
	/* A waiting key is here; counts and times may be written later. */
	enum rk_err (*seen)(
	    void *arg, const struct rk_ask_entry *e, struct rk_error *err);
	/* A key that waited is not listed any more: its place was needed.
	 * NULL: as seen(), which forgets it in time. */
	enum rk_err (*drop)(void *arg, const char *fp, struct rk_error *err);
	/* An approval for one connection is used; e is the entry after it.
	 * RK_EAGAIN: it was used before.  NULL: seen() is called. */
	enum rk_err (*use)(
	    void *arg, const struct rk_ask_entry *e, struct rk_error *err);
	/* An order, before it counts; e is the entry before it, and by that of
	 * the new key of RK_ASK_REPLACE.  Its part of the file is the store's,
	 * too: what it has done is done. */
	enum rk_err (*decide)(void *arg, const struct rk_ask_order *o,
	    const struct rk_ask_entry *e, const struct rk_ask_entry *by,
	    struct rk_error *err);
	/* Take back what was decided last about o->key.  RK_ENOENT, RK_ESTATE.
	 * NULL: it cannot. */
	enum rk_err (*undo)(void *arg, const struct rk_ask_order *o,
	    struct ask_undone *out, struct rk_error *err);
	/* Is one of these another key's, which the store lets in?  NULL: it
	 * lets in nobody whom the table has not. */
	enum rk_err (*taken)(void *arg, const struct mails_for *whom,
	    struct mails mails, bool *out, struct rk_error *err);
	/* What others have decided since this was called last, the oldest
	 * first; cheap where there is nothing.  What is too much for once comes
	 * the next time.  NULL: nobody else writes to it. */
	enum rk_err (*news)(
	    void *arg, ask_news_fn *fn, void *fn_arg, struct rk_error *err);
	/* A known key is here, with this certificate, and came just now if so
	 * said; whether it may come in does not depend on it.  NULL: nobody
	 * notes it. */
	void (*met)(void *arg, const struct rk_peer *peer, bool comes);
	/* A key that is rejected or revoked is here and proven, so this is one
	 * more try.  Written later.  NULL: nobody counts. */
	void (*tried)(void *arg, const struct rk_peer *peer);
	/* Each key's, as it was met last.  NULL: as there are none. */
	enum rk_err (*certs)(void *arg,
	    void (*fn)(const struct rk_cert_info *cert, void *fn_arg),
	    void *fn_arg, struct rk_error *err);
	/* With the table; NULL is allowed. */
	void (*close)(void *arg);
	void *arg;
};

#endif
