/* Is the peer there?  Keepalives, pings, and a sign of life while not reading.
 */
#ifndef RPCKIT_RPC_ALIVE_H
#define RPCKIT_RPC_ALIVE_H

#include "rpc/msg.h"

#include <rpckit/loop.h>

struct session;

/*
 * Three things of a session, on its loop and on one timer (rpckit-protocol(7),
 * "Signs of life"):
 *
 * keepalive   a message of type 102 after so long without one of ours
 *
 * patience    while something is expected of a peer that is rpckit (busy), its
 *             silence is counted in quarters of this.  After two of them it is
 *             asked (type 201), and after two more the session ends with
 *             RK_ETIMEOUT.  A quarter in which bytes came sets the count back;
 *             one in which the question, or what was queued before it, was
 *             still on its way and got on does not count, and neither does any
 *             while this end does not read.  Each quarter is seen in a turn of
 *             its own, so that a loop which was held up blames nobody.  Before
 *             its first message a peer may have to ask its operator about our
 *             key: until then it is ALIVE_FIRST_MS, if that is more.
 *
 * sign        an end that does not read cannot answer: once a second it says
 *             unasked that it is there (type 202), if it has nothing else to
 *             say, and as long as its process turns its loop.  To who is not
 *             rpckit this is a keepalive: the system of one that has gone
 *             answers it with a reset, though its last bytes are not read.
 */
struct alive {
	struct session *session;
	struct rk_loop *loop;
	struct rk_timer *timer; /* NULL: not needed so far */
	uint64_t keepalive;     /* ms; RK_NEVER: off */
	uint64_t patience;      /* the same */
	uint64_t armed;         /* when the timer fires; or RK_NEVER */
	uint64_t keep_at;       /* when to look at each; or RK_NEVER */
	uint64_t quarter_at;
	uint64_t sign_at;
	bool open;
	bool busy;
	bool heard;        /* a message of the peer */
	bool deaf;         /* this end does not read */
	unsigned silent;   /* quarters */
	uint64_t received; /* by the end of the last one */
	uint64_t taken;
	uint64_t asked_at; /* the offset behind the question */
	uint64_t asked;    /* questions so far */
	char id[45];       /* of our keepalives; "": none yet */
};

/* The least patience there is (RK_DEAD_PEER_MIN) is four of these. */
#define ALIVE_SIGN_MS 1000
/* Longer than an rpcd waits for a decision, unless it is told to. */
#define ALIVE_FIRST_MS 90000

/* Milliseconds, or RK_NEVER. */
void alive_init(struct alive *a, struct session *s, struct rk_loop *loop,
    uint64_t keepalive, uint64_t patience);
void alive_fini(struct alive *a);
/* Messages flow from now on. */
void alive_open(struct alive *a);
/* Say something, so that what the session's first message tells is told. */
void alive_greet(struct alive *a);
/* Is an answer, or anything else, due from the peer? */
void alive_set_busy(struct alive *a, bool busy);
/* Has this end stopped reading? */
void alive_set_deaf(struct alive *a, bool deaf);
/* True: this message is ours, and dealt with. */
bool alive_message(struct alive *a, const struct msg *m);

#endif
