/* Connecting and calling, for who waits on a terminal. */
#ifndef RPCSH_REACH_H
#define RPCSH_REACH_H

#include "target.h"

/* rk_client_connect() and rk_client_call() for t->client; where SIGINT is heard
 * (held_hear_interrupt()) they end with RK_ECANCELED then, a call as soon as
 * the server has been told.  What takes long is said (rpcsh/patience). */
RK_MUST enum rk_err reach_connect(struct target *t, struct rk_error *err);
RK_MUST enum rk_err reach_call(struct target *t, const struct rk_request *req,
    struct rk_reply *reply, struct rk_error *err);
/* The first in two steps. */
RK_MUST enum rk_err reach_begin(struct target *t, struct rk_error *err);
RK_MUST enum rk_err reach_wait(struct target *t, struct rk_error *err);
/* Wait for the network, at most limit_ms (-1: no limit) or up to SIGINT, and
 * let it do its work. */
void reach_turn(struct target *t, int limit_ms);

#endif
