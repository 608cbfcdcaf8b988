/* A loop whose time passes only when it has nothing else to do, for tests. */
#ifndef TESTS_LIB_VTIME_H
#define TESTS_LIB_VTIME_H

#include <rpckit/loop.h>

/*
 * Sockets between ends on one loop deliver at once, so whatever is waited for
 * is a timer's: hours pass in no time, and every run is the same.
 */
struct vtime {
	struct rk_loop *loop;
	uint64_t now;   /* ms */
	uint64_t until; /* later than that nothing may happen */
};

/* From now on this is the loop's clock; at most `patience` ms will pass. */
void vtime_start(struct vtime *v, struct rk_loop *loop, uint64_t patience);
/* One turn; when nothing is to be done, the next timer's time comes first. */
void vtime_turn(struct vtime *v);
/* Turns until nothing is to be done for so many ms. */
void vtime_pass(struct vtime *v, uint64_t ms);

#endif
