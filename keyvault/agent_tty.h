/* Questions to a person at a terminal, one at a time, while the agent goes on.
 */
#ifndef KEYVAULT_AGENT_TTY_H
#define KEYVAULT_AGENT_TTY_H

#include "agent.h"
#include "agent_term.h"

#include <rpckit/loop.h>

struct agent_tty;

/* Somebody answered, or cannot any more. */
typedef void agent_tty_fn(void *arg);

/* RK_ENOMEM. */
RK_MUST enum rk_err agent_tty_new(struct rk_loop *loop, struct agent *a,
    const struct agent_term *term, agent_tty_fn *changed, void *arg,
    struct agent_tty **out);
/* NULL is allowed, here and below: nobody can be asked so. */
void agent_tty_free(struct agent_tty *t);
/* Can somebody be asked there now?  Then where that is. */
bool agent_tty_where(const struct agent_tty *t, char out[AGENT_ASKS_MAX]);
/* Have one question there while any waits; false: that cannot be now. */
bool agent_tty_update(struct agent_tty *t, uint64_t now);
/* When to look whether it can be by now, or AGENT_FOREVER. */
uint64_t agent_tty_next(const struct agent_tty *t, uint64_t now);
/* Ask anew: it may have been scrolled away while we were stopped. */
void agent_tty_again(struct agent_tty *t);

#endif
