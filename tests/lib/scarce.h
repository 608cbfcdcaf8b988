/* Scenes that are played until no allocation of theirs is left to fail. */
#ifndef TESTS_LIB_SCARCE_H
#define TESTS_LIB_SCARCE_H

#include "rpcrig.h"

/*
 * Whose allocations: failmalloc.c is for tests that are linked with
 * FAILMALLOC_LDFLAGS (Makefile), what our own objects ask malloc() and its like
 * for, and not what other libraries do.  Others ask here before they allocate:
 * number n of this thread from scarce_arm(n) on fails, once.
 */
bool scarce_fails(void);
void scarce_arm(size_t n);
/* From now on none does; has one? */
bool scarce_disarm(void);

/* Something that allocates, and gives all of it back. */
typedef enum rk_err scene_fn(void *arg);

/*
 * Until no allocation of it is left to fail.  Strictly: each ends it with
 * RK_ENOMEM; else some may be done without, or fail it as something else that
 * is gone.
 */
void scarce_play(scene_fn *scene, bool strict, void *arg);

/* A server begins and ends. */
void scarce_check_server(enum rpc_kind kind);

/* What a client comes for. */
enum scarce_deed {
	SCARCE_CALL,
	SCARCE_NETRPC, /* the same in Go's net/rpc */
	SCARCE_CHAN,   /* a message there and back, over a channel */
	SCARCE_STREAM, /* parts there and back, which wait at both ends */
	SCARCE_PUSH,   /* to a subscriber */
	SCARCE_AGAIN,  /* a call, with another address where nobody listens */
	SCARCE_DEEDS
};

/* Clients come, do that, and go: whatever it costs one of them, the next is
 * served. */
void scarce_check_clients(enum rpc_kind kind, enum scarce_deed deed);
/* The same of a call, with a pre-shared key at both ends. */
void scarce_check_psk(enum rpc_kind kind);

#endif
