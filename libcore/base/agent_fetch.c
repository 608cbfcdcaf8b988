/* Secrets fetched from an agent of keyvault(1), one call each. */
#include "base/agent_fetch.h"

#include "base/agent_dial.h"
#include "base/error.h"
#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN 160

static enum rk_err
call(struct agent_conn *c, const struct agent_fetch *how, const char *name,
    enum agent_gift as, struct rk_secret **out, struct rk_error *err)
{
	struct bytes answer;
	struct bytes secret;
	struct buf args;
	enum rk_err r;

	buf_init(&args, AGENT_REQUEST_MAX);
	if ((r = agent_put_text(&args, name)) == RK_OK)
		r = bytes_put_u8(&args, (uint8_t)as);
	if (r != RK_OK) {
		buf_fini(&args);
		return err_set(err, r, "agent: %s", rk_err_text(r));
	}
	r = agent_call(
	    c, AGENT_GIVE, &args, how->asked, how->arg, &answer, err);
	if (r != RK_OK)
		return r;
	if (!agent_get_gift(&answer, &secret))
		return err_set(
		    err, RK_EPROTO, "agent: an answer that cannot be read");
	if ((r = rk_secret_copy(secret.at, secret.left, out)) != RK_OK)
		return err_set(err, r, "agent: %s", rk_err_text(r));
	return RK_OK;
}

/* What failed, with where. */
static enum rk_err
fail(const char *path, struct rk_error *err)
{
	char shown[SHOWN];
	char text[RK_ERROR_TEXT_LEN];

	(void)str_copy(text, sizeof(text), err->text);
	str_escape(shown, sizeof(shown), path);
	if (strstr(text, shown) != NULL)
		return err->code;
	return err_set(err, err->code, "%s (at %s)", text, shown);
}

enum rk_err
agent_fetch(const struct agent_fetch *how, const char *name, enum agent_gift as,
    struct rk_secret **out, struct rk_error *err)
{
	uint32_t ms = how->ms == 0 ? AGENT_FETCH_MS : how->ms;
	struct agent_conn *c = NULL;
	struct rk_error own;
	char path[AGENT_PATH_MAX];
	bool named;
	enum rk_err r;

	*out = NULL;
	err = err != NULL ? err : &own;
	if (how->path == NULL) {
		if ((r = agent_path(path, &named, err)) != RK_OK)
			return r;
	} else if (str_copy(path, sizeof(path), how->path) >= sizeof(path)) {
		return agent_path_too_long(how->path, err);
	}
	if ((r = agent_dial(path, ms, &c, err)) == RK_OK) {
		agent_hurry(c, ms, how->asked == NULL);
		r = call(c, how, name, as, out, err);
	}
	agent_hang_up(c); /* and what it has read is wiped */
	return r == RK_OK ? r : fail(path, err);
}
