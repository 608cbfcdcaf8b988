/* The agent's way to its vault, which stays open while a key is. */
#ifndef KEYVAULT_AGENT_VAULT_H
#define KEYVAULT_AGENT_VAULT_H

#include "agent.h"

struct agent_vault;

/* The vault at path, which is absolute, with what is in it now. */
RK_MUST enum rk_err agent_vault_new(
    const char *path, struct agent_vault **out, struct rk_error *err);
void agent_vault_free(struct agent_vault *v);
const uint8_t *agent_vault_id(const struct agent_vault *v);
/* Valid as long as v is. */
void agent_vault_back(struct agent_vault *v, struct agent_back *out);

#endif
