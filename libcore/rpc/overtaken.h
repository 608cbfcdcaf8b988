/* Cancels that came before the call they are about. */
#ifndef RPCKIT_RPC_OVERTAKEN_H
#define RPCKIT_RPC_OVERTAKEN_H

#include <rpckit/base.h>

/*
 * A long call that travels apart may come after its own cancel.  The last
 * OVERTAKEN_MAX ids that were canceled and not running are kept, so that such a
 * call is dropped when it comes; the older ones, and all with the connection,
 * are forgotten.  Most are of calls whose answer was on its way, and never
 * match.  A peer has a quarter of so many messages apart at a time.
 */
#define OVERTAKEN_MAX 32
#define OVERTAKEN_ID_MAX                                    \
	44 /* of our clients' ids; longer ones are not kept \
	    */

struct overtaken {
	struct overtaken_id {
		uint8_t len; /* 0: none */
		char text[OVERTAKEN_ID_MAX];
	} ids[OVERTAKEN_MAX];
	unsigned next;
};

/* *o is made when it is needed; without memory for it nothing is kept. */
void overtaken_add(struct overtaken **o, struct rk_str id);
/* Was it there?  Then it is no more.  o may be NULL. */
bool overtaken_take(struct overtaken *o, struct rk_str id);

#endif
