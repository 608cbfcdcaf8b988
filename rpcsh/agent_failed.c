/* keyvault's agent, where our key is, when it is not there for us. */
#include "agent_failed.h"

#include "base/error.h"
#include "base/str.h"

#include <rpckit/signer.h>

#include <stdio.h>

#define KEYS_LEN 160

static const char *
advice(enum rk_err code)
{
	switch (rk_err_exit(code)) {
	case 4:
		return "eval \"$(keyvault agent)\"; keyvault unlock";
	case 5:
		return "keyvault status tells whether the agent answers";
	case 7:
		return "keyvault unlock";
	default:
		return NULL;
	}
}

static void
add_key(const struct target *t, enum setting_id id, char keys[KEYS_LEN])
{
	const char *value = t->settings.v[id].value;
	size_t used = strlen(keys);
	char name[64];

	if (strncmp(value, RK_KEY_IN_AGENT, strlen(RK_KEY_IN_AGENT)) != 0)
		return;
	(void)snprintf(keys + used, KEYS_LEN - used, "%s%s",
	    used == 0 ? "" : " and ", str_escape(name, sizeof(name), value));
}

bool
agent_failed(const struct target *t, const struct out *o, const char *url,
    const struct rk_error *err, int *status)
{
	/* So begins or ends what is said of an agent, and nothing else is. */
	const char *gone = strstr(err->text, "no agent at ");
	const char *text = gone != NULL ? gone : err->text;
	char keys[KEYS_LEN] = "";
	struct rk_error named;

	if (target_is_session(t))
		add_key(t, SET_SSH_KEY, keys);
	else if (target_is_proving(t))
		add_key(t, SET_KEY, keys);
	add_key(t, SET_PSK, keys);
	if (keys[0] == '\0' || err->code == RK_EREMOTE ||
	    (gone == NULL && strstr(err->text, " (at ") == NULL &&
	        (err->step == NULL || strcmp(err->step, "agent") != 0)))
		return false;
	/* The name stands before all else that the agent says of a key. */
	if (url != NULL && strncmp(text, url, strlen(url)) == 0)
		url = NULL;
	(void)err_set(&named, err->code, "%s%s%s%s%s", url == NULL ? "" : url,
	    url == NULL ? "" : ": ", gone == NULL ? "" : keys,
	    gone == NULL ? "" : ": ", text);
	named.step = err->step;
	*status = out_error(o, &named, advice(err->code));
	return true;
}
