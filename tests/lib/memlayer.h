/* A layer for tests: bytes through a socket pair, with faults on demand. */
#ifndef TESTS_LIB_MEMLAYER_H
#define TESTS_LIB_MEMLAYER_H

#include "net/layer.h"

/* Fail with err at the at-th call, counted from 1, and ever after; 0: never. */
struct mem_fail {
	enum rk_err err;
	unsigned at;
};

/*
 * The test's side of one layer; outlives it.  The faults may be changed at any
 * time; {0} is a layer that does what it should.  Readiness is the socket's,
 * so that a real loop works with it.
 */
struct mem {
	/* faults */
	unsigned handshake_again; /* RK_EAGAIN so many times first */
	unsigned handshake_want;  /* what want() says meanwhile [RK_WRITE] */
	size_t recv_max;          /* bytes of one call; 0: no limit */
	size_t send_max;
	unsigned recv_again; /* every n-th call is RK_EAGAIN */
	unsigned send_again;
	bool read_ahead;  /* take all there is; rest is pending() */
	size_t send_hold; /* send() keeps up to this, flush() pushes */
	struct mem_fail handshake_fail;
	struct mem_fail recv_fail;
	struct mem_fail send_fail;
	struct mem_fail flush_fail;
	const char *fail_text; /* the handshake's, NULL: none */
	bool torn;             /* LAYER_Q_ORDERLY: the peer's end was not */
	struct rk_bytes cert;  /* LAYER_Q_PEER_CERT */

	/* what happened */
	unsigned handshakes;
	unsigned recvs;
	unsigned sends;
	unsigned flushes;
	unsigned half_closes;
	unsigned closes;
	enum rk_err told; /* close()'s reason */
	unsigned frees;
	size_t bytes_in;  /* through recv() */
	size_t bytes_out; /* to the socket */
};

/* A layer and the descriptor of its other end (non-blocking, the caller's). */
void mem_layer(struct mem *m, struct layer **out, int *peer);
/* Two layers, end to end. */
void mem_pair(
    struct mem *a, struct layer **la, struct mem *b, struct layer **lb);

#endif
