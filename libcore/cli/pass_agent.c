/* Passphrases that keyvault's agent has: small secrets that are open there. */
#include "base/agent_fetch.h"
#include "base/error.h"
#include "base/str.h"
#include "cli/pass.h"
#include "cli/pass_src.h"
#include "cli/spell.h"

#define SHOWN 160

/* Whoever looks at a program that stands still is to know why. */
static void
tell(uint32_t id, const char *way, void *arg)
{
	(void)spell_print(stderr,
	    "%s: waiting for your yes (%s%sor: keyvault allow %u)\n",
	    (const char *)arg, way, way[0] != '\0' ? "; " : "", (unsigned)id);
}

enum rk_err
pass_src_agent(const char *name, bool no_input, struct rk_secret **out,
    struct rk_error *err)
{
	char shown[SHOWN];
	struct agent_fetch how = { .asked = tell, .arg = shown };
	enum rk_err r;

	str_escape(shown, sizeof(shown), name);
	if (no_input)
		how.asked = NULL;
	r = agent_fetch(&how, name, AGENT_GIFT_WORD, out, err);
	if (r != RK_OK)
		return r;
	r = pass_src_trim(*out, rk_secret_len(*out), err);
	if (r != RK_OK) {
		rk_secret_free(*out);
		*out = NULL;
	}
	return r;
}
