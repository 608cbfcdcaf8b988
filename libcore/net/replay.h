/* What came with early data, so that it does not come again. */
#ifndef RPCKIT_NET_REPLAY_H
#define RPCKIT_NET_REPLAY_H

#include <rpckit/err.h>

/*
 * A recording of a client's first flight is as good as the flight itself, for
 * as long as its ticket's age still fits (RFC 8446, 8).  So each is taken once:
 * the store remembers a while longer than a flight is fresh.  What it cannot
 * remember comes without early data: it is full, or the clock went back, or the
 * ticket is from elsewhere.  Elsewhere is another server of the same seed, and
 * this one before it was restarted: who made the ticket has its home in it.
 */
struct replay;

#define REPLAY_HOME_LEN 16
/* Seconds a flight is remembered: OpenSSL takes one up to 10 s older than its
 * ticket says, and counts whole seconds. */
#define REPLAY_KEEP_S 15
#define REPLAY_MAX 65536 /* flights remembered at a time */

/* RK_ENOMEM. */
RK_MUST enum rk_err replay_new(struct replay **out);
struct replay *replay_ref(struct replay *r); /* any thread */
void replay_free(struct replay *r);          /* NULL is allowed; any thread */

/* What a ticket carries that may bring early data here. */
const uint8_t *replay_home(const struct replay *r);
/*
 * Is this the first time?  id: what no two flights of honest clients share.
 * now: seconds, of the clock that tells the age of tickets.  Any thread.
 */
RK_MUST bool replay_is_first(
    struct replay *r, const void *id, size_t len, int64_t now);

#endif
