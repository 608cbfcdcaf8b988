/* A request of keyvault itself on its way to an answer, which is put into its
 * reply.  What is returned is the agent's own trouble. */
#ifndef KEYVAULT_AGENT_TURN_H
#define KEYVAULT_AGENT_TURN_H

#include "agent_int.h"

struct turn {
	struct agent *a;
	const struct agent_asker *asker;
	uint64_t now;
	struct bytes body; /* what is not read of it yet */
	struct buf *reply;
	uint32_t *wait;
};

/* ---- agent_own.c ---- */

enum rk_err turn_fail(struct turn *t, enum rk_err code, const char *text);
enum rk_err turn_fail_named(
    struct turn *t, enum rk_err code, const char *name, const char *text);
/* What no keyvault sends. */
enum rk_err turn_malformed(struct turn *t);
RK_MUST enum rk_err turn_number(struct turn *t, uint32_t n);

/* ---- agent_own_open.c ---- */

RK_MUST enum rk_err turn_open(struct turn *t);
RK_MUST enum rk_err turn_close(struct turn *t);

#endif
