/* What a vault's agent has, asked once and waited for. */
#include "vault.h"

#include "base/agent_client.h"
#include "base/agent_dial.h"
#include "base/error.h"

#define DIAL_MS 1000
#define CALL_MS 5000 /* the vault may be busy */

static enum rk_err
ask(struct agent_conn *c, struct model_agent *a, enum agent_type type,
    int64_t now, struct rk_error *err)
{
	struct bytes body;
	struct buf none;
	bool changed;
	enum rk_err r;

	/* All keys: from the first. */
	buf_init(&none, sizeof(uint32_t));
	r = type == AGENT_KEYS ? buf_put(&none, "\0\0\0\0", 4) : RK_OK;
	if (r == RK_OK)
		r = agent_call(c, type, &none, NULL, NULL, &body, err);
	if (r == RK_OK)
		r = type == AGENT_KEYS
		        ? vault_take_keys(a, body, now, &changed)
		        : vault_take_waiting(a, body, now, &changed);
	buf_fini(&none);
	return r;
}

enum rk_err
vault_look(struct model *m, int64_t now)
{
	char path[AGENT_PATH_MAX];
	struct agent_conn *c = NULL;
	struct rk_error err;
	bool named;
	enum rk_err r;

	if (agent_path(path, &named, &err) != RK_OK ||
	    agent_dial(path, DIAL_MS, &c, &err) != RK_OK)
		return RK_ENOENT;
	agent_hurry(c, CALL_MS, false);
	r = ask(c, &m->agent, AGENT_WAITING, now, &err);
	if (r == RK_OK)
		r = ask(c, &m->agent, AGENT_KEYS, now, &err);
	agent_hang_up(c);
	if (r == RK_OK)
		m->agent.there = true;
	else
		m->agent = (struct model_agent){ .there = false };
	return r;
}
