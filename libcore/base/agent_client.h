/* A talk with an agent of keyvault(1): calls, one at a time. */
#ifndef RPCKIT_BASE_AGENT_CLIENT_H
#define RPCKIT_BASE_AGENT_CLIENT_H

#include "base/agent_frame.h"

#define AGENT_CALL_MS 15000 /* longer than the vault may be busy */
#define AGENT_DIAL_MS 5000

struct agent_conn;

/* RK_ECONNECT: no agent is there; RK_EMODE: another user's is; RK_ETIMEOUT: ms
 * have passed.  Answers are waited for AGENT_CALL_MS. */
RK_MUST enum rk_err agent_dial(const char *path, uint32_t ms,
    struct agent_conn **out, struct rk_error *err);
void agent_hang_up(struct agent_conn *c);
/* Wait so long for answers, instead of AGENT_CALL_MS; and is it no answer that
 * somebody is asked first?  That is RK_EDENIED then, and the end. */
void agent_hurry(struct agent_conn *c, uint32_t call_ms, bool now);

/* Somebody is asked whether it may be done: the number of the question, and how
 * it is asked, escaped ("": nobody is by itself). */
typedef void agent_wait_fn(uint32_t id, const char *how, void *arg);
/*
 * Send the request and wait for its answer, whose body *answer shows until the
 * next call.  args (NULL: none) is wiped; where it is guarded so is what is
 * made of it, and the answer to AGENT_GIVE always is.  asked may be NULL.  The
 * codes that the agent answers; RK_ETIMEOUT, RK_ECLOSED, RK_EPROTO: the
 * connection is of no more use.
 */
RK_MUST enum rk_err agent_call(struct agent_conn *c, enum agent_type type,
    struct buf *args, agent_wait_fn *asked, void *arg, struct bytes *answer,
    struct rk_error *err);

#endif
