/* keyvault's side of a talk with its agent. */
#ifndef KEYVAULT_AGENT_CLIENT_H
#define KEYVAULT_AGENT_CLIENT_H

#include "agent_proto.h"

#define AGENT_CALL_MS 15000 /* longer than the vault may be busy */

struct agent_conn;

/* RK_ECONNECT: no agent is there; RK_EMODE: another user's is. */
RK_MUST enum rk_err agent_dial(
    const char *path, struct agent_conn **out, struct rk_error *err);
void agent_hang_up(struct agent_conn *c);

/* Somebody is asked whether it may be done: the number of the question. */
typedef void agent_wait_fn(uint32_t id, void *arg);
/*
 * Send the request and wait for its answer, whose body *answer shows until the
 * next call.  args (NULL: none) is wiped.  asked may be NULL.  The codes that
 * the agent answers; RK_ETIMEOUT, RK_ECLOSED, RK_EPROTO: the connection is of
 * no more use.
 */
RK_MUST enum rk_err agent_call(struct agent_conn *c, enum agent_type type,
    struct buf *args, agent_wait_fn *asked, void *arg, struct bytes *answer,
    struct rk_error *err);

#endif
