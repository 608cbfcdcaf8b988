/* Hostile answers of a vault's agent to rpctui: what does not fit leaves things
 * as they are, and what does is within its bounds. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "tui/vault.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct model_agent *a)
{
	if (a->n_asked > MODEL_ASKED || a->n_held > MODEL_HELD)
		abort();
	for (size_t i = 0; i < a->n_asked; i++)
		if (a->asked[i].id == 0 || a->asked[i].name[0] == '\0' ||
		    memchr(a->asked[i].who, '\0', sizeof(a->asked[i].who)) ==
		        NULL)
			abort();
	for (size_t i = 0; i < a->n_held; i++)
		if (a->held[i].name[0] == '\0' || a->held[i].until_ms < 0)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct model_agent a = { 0 };
	struct model_agent before;
	struct rk_error err;
	struct bytes body;
	bool changed;
	uint8_t type;
	size_t used;
	enum rk_err r;

	while (agent_frame(data, size, AGENT_REPLY_MAX, &type, &body, &used) ==
	       RK_OK) {
		before = a;
		if (type == AGENT_KEYS)
			r = vault_take_keys(&a, body, 5, &changed);
		else if (type == AGENT_WAITING)
			r = vault_take_waiting(&a, body, 5, &changed);
		else
			r = agent_get_fail(&body, &err);
		if (r != RK_OK && memcmp(&a, &before, sizeof(a)) != 0)
			abort();
		check(&a);
		data += used;
		size -= used;
	}
	return 0;
}
