/* Pushes in tests: making them, what the pusher is told, what clients get. */
#ifndef TESTS_LIB_PUSHRIG_H
#define TESTS_LIB_PUSHRIG_H

#include "rpcrig.h"

#define PUSH_EACH_MAX 256

/* What the pusher was told, in all; the rig's lock guards it.  Zero at first,
 * but for wants_each. */
struct told {
	bool wants_each;
	struct rpcrig *rig;
	unsigned n; /* calls of done */
	struct rk_push_report sum;
	unsigned n_each;
	uint64_t conn[PUSH_EACH_MAX];
	enum rk_err code[PUSH_EACH_MAX];
};

/* What a client was given. */
struct pushed {
	unsigned n;
	bool in_order; /* all began with 0, 1, 2, ... as uint32_t */
	uint64_t bytes;
	struct rk_header hdr; /* of the last; its views are gone */
	char subject[64];     /* the starts of these */
	char text[64];
};

/* Everything must be taken; from this thread. */
void push_start(struct rpcrig *r, const struct rk_push_target *to,
    const struct rk_push *push, struct told *t);
void push_to_conn(struct rpcrig *r, uint64_t conn, const struct rk_push *push,
    struct told *t);
enum rk_err push_to(struct rpcrig *r, const struct rk_push_target *to,
    const struct rk_push *push, struct told *t);
/* Without anybody to be told. */
enum rk_err push_try(struct rpcrig *r, const struct rk_push_target *to,
    const struct rk_push *push);
/* done was called so often, and not once more. */
void push_await(struct rpcrig *r, struct told *t, unsigned n);
/* The same, while these clients live: QUIC's must say what has arrived. */
void push_await_with(struct rpcrig *r, struct told *t, unsigned n,
    struct rk_client *const *c, size_t n_clients);
struct rk_push_report push_sum(struct told *t);
/* Everything that was pushed before is queued, or was refused. */
void push_settle(struct rpcrig *r);
enum rk_err push_fate(const struct told *t, uint64_t conn);
/* A payload of that length that begins with a number; of rpcrig_bytes. */
void push_number(struct rk_push *push, uint32_t number, size_t len);

/* A connected client; id NULL: the usual one. */
struct rk_client *push_client(
    struct rpcrig *r, struct pushed *p, const struct rk_ident *id);
/* rk_pushed_fn; arg: struct pushed. */
rk_pushed_fn push_on_pushed;
uint64_t push_conn_id(struct rk_client *c);
/* Go there and back: what was pushed before has come. */
void push_sync(struct rk_client *c);

#endif
