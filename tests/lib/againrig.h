/* A client that has one connection after another, and what it was told. */
#ifndef TESTS_LIB_AGAINRIG_H
#define TESTS_LIB_AGAINRIG_H

#include <rpckit/again.h>

#include "rpcrig.h"

/* Everything here fails the running test when it cannot do its job. */

#define AGAIN_LOSSES 64

struct again_loss {
	enum rk_err code;
	uint64_t at; /* loop milliseconds */
	uint64_t next_ms;
	unsigned rounds;
	bool was_open;
	char url[128];
};

struct againrig {
	struct rk_client_conf conf; /* of the next again_new() */
	struct rk_again again;
	const char *urls[RK_AGAIN_URLS_MAX];
	struct rk_client *client;
	/* What callbacks do. */
	bool shut_when_lost;
	bool free_when_lost;
	bool submit_when_lost;
	struct rpcanswer submitted;
	/* What they were told. */
	unsigned connected;
	unsigned lost;
	unsigned closed;
	struct again_loss losses[AGAIN_LOSSES];
	struct rk_error why; /* of closed */
	struct rpcanswer *calls;
	size_t n_calls; /* all must have completed when it was closed */
};

/* A client of these URLs (NULL at the end), not made yet: quick pauses. */
void again_init(struct againrig *r, bool secure, const char *const *urls);
/* The same, of these servers. */
void again_init_rigs(
    struct againrig *r, const struct rpcrig *a, const struct rpcrig *b);
/* Made, and started. */
void again_start(struct againrig *r);
/* Freed; `closed` has come once. */
void again_end(struct againrig *r);

/* Submit a call; more of it than rpcrig_submit() asks. */
uint64_t again_submit(struct againrig *r, const char *method, bool idempotent,
    const void *payload, size_t len, struct rpcanswer *a);
void again_send(struct againrig *r, const char *method, size_t len);
void again_turn(struct againrig *r, const unsigned *n, unsigned want);
/* The same about a member of a rig. */
void again_turn_rig(
    struct againrig *r, struct rpcrig *rig, const unsigned *n, unsigned want);

/* The URL of an address where nobody is; it stays so until fd is closed, which
 * may be -1. */
int again_dead(enum rpc_kind kind, char url[128]);

#endif
