/* keyvault's agent, where our key is, when it is not there for us. */
#ifndef RPCSH_AGENT_FAILED_H
#define RPCSH_AGENT_FAILED_H

#include "target.h"

/*
 * Is that what the error is of?  Says it in one line, with the key and the
 * agent, and what can be done; *status is the exit status.  url: whom it was
 * for, or NULL.
 */
bool agent_failed(const struct target *t, const struct out *o, const char *url,
    const struct rk_error *err, int *status);

#endif
