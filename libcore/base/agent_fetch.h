/* Secrets that an agent of keyvault(1) gives out. */
#ifndef RPCKIT_BASE_AGENT_FETCH_H
#define RPCKIT_BASE_AGENT_FETCH_H

#include <rpckit/secret.h>

#include "base/agent_client.h"

#define AGENT_FETCH_MS 2000

/* Whom to ask, and for how long. */
struct agent_fetch {
	const char *path;     /* of its socket; NULL: where it usually is */
	uint32_t ms;          /* 0: AGENT_FETCH_MS */
	agent_wait_fn *asked; /* NULL: nobody waits for a yes (RK_EDENIED) */
	void *arg;
};

/* The secret of that name, which is open there.  RK_ECONNECT, RK_ETIMEOUT,
 * RK_EMODE, RK_EPROTO, RK_ENOPASS (it is not open), RK_EDENIED and what else
 * the agent answers. */
RK_MUST enum rk_err agent_fetch(const struct agent_fetch *how, const char *name,
    enum agent_gift as, struct rk_secret **out, struct rk_error *err);

#endif
