/* A key that is elsewhere: a function of the test's signs, fails or lies. */
#ifndef TESTS_LIB_ELSEWHERE_H
#define TESTS_LIB_ELSEWHERE_H

#include <rpckit/signer.h>

#include <stdatomic.h>

enum elsewhere_mode {
	ELSEWHERE_GOOD,
	ELSEWHERE_OUT, /* RK_ETIMEOUT, "the card is out" */
	ELSEWHERE_LIES /* a signature of something else */
};

struct elsewhere {
	struct rk_key *key; /* what signs; its owner's */
	void (*then)(void); /* if not NULL: called after that */
	atomic_int mode;
	atomic_uint asked;
	atomic_int use; /* the last one's */
};

/* The key that asks e.  Fails the test when it cannot. */
struct rk_key *elsewhere_key(struct elsewhere *e, struct rk_key *key);

#endif
