/* Secrets that the agent gives out: pre-shared keys, passphrases, tokens. */
#include "agent_int.h"

#include <stdio.h>

#include "base/error.h"

unsigned
agent_uses(const struct record *rec)
{
	switch (rec->kind) {
	case RECORD_ED25519:
		return purpose_uses(rec->tags);
	case RECORD_PSK:
		return USE_PSK;
	case RECORD_SECRET:
		return USE_WORD;
	}
	return 0;
}

/* Whatever waits to be written goes with it. */
enum rk_err
agent_give(struct agent *a, const struct order *o, const struct open_key *k,
    struct rk_secret **out, struct rk_error *err)
{
	char text[VAULT_LOG_TEXT_MAX];
	enum rk_err r;

	*out = NULL;
	if ((r = agent_log_room(a, err)) != RK_OK)
		return r;
	(void)snprintf(text, sizeof(text), "agent: %s, for %s%s%.160s",
	    o->view.text, o->asker.who, o->by[0] != '\0' ? ", allowed by " : "",
	    o->by);
	agent_log_add(a, VAULT_ACT_EXPORT, o->name, text);
	r = a->back.give(a->back.arg, k->name, k->pub, o->use, a->lines,
	    a->n_lines, out, err);
	if (r == RK_OK)
		agent_log_written(a);
	else
		agent_log_take_back(a);
	if (r == RK_OK && rk_secret_len(*out) > AGENT_GIFT_MAX) {
		rk_secret_free(*out);
		*out = NULL;
		r = err_set(err, RK_ETOOBIG,
		    "is longer than the 32 KiB that the agent gives");
	}
	return r;
}
