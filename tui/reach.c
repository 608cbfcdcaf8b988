/* Reaching the daemon once, and saying what helps where that fails. */
#include "tui.h"

#include "base/error.h"
#include "base/str.h"
#include "cli/admin.h"

#include <stdio.h>

int
tui_find(struct tui *t)
{
	struct rk_error err;
	enum rk_err r = admin_find(t->a, t->path, &err);

	t->given = admin_is_given(t->a);
	if (r != RK_OK && err.text[0] != '\0')
		return out_error(&t->out, &err, NULL);
	if (r == RK_ENOENT)
		return out_fail(&t->out, RK_ECONNECT,
		    "no admin socket: neither $XDG_RUNTIME_DIR/rpckit/"
		    "admin.sock nor " PATH_ADMIN_SYSTEM " is there",
		    "is rpcd running? --socket PATH names another");
	if (r != RK_OK)
		return out_fail(
		    &t->out, r, "--socket: the path is too long", NULL);
	return 0;
}

static int
unreachable(const struct tui *t, const struct rk_error *err)
{
	struct admin_denied why;

	if (!admin_is_denied(err))
		return out_error(&t->out, err,
		    "is rpcd running? --socket PATH names another");
	admin_explain(t->path, "rpctui", t->given, &why);
	return out_fail(&t->out, err->code, why.text, why.advice);
}

int
tui_dial(struct tui *t, struct rk_client **out)
{
	struct rk_client_conf conf = { .size = sizeof(conf) };
	char url[PATH_LEN + 8];
	struct rk_error err;
	enum rk_err r;

	*out = NULL;
	if ((r = path_unix_url(t->path, url, sizeof(url))) != RK_OK)
		return out_fail(
		    &t->out, r, "--socket: the path is too long", NULL);
	conf.url = url;
	if (rk_client_new(&conf, out, &err) != RK_OK)
		return out_error(&t->out, &err, NULL);
	if (rk_client_connect(*out, &err) == RK_OK)
		return 0;
	rk_client_free(*out);
	*out = NULL;
	return unreachable(t, &err);
}

/* ---- asking ---- */

static int
refused(const struct tui *t, const char *method, const struct rk_reply *reply)
{
	char said[300], text[400];
	enum rk_err code = reply->code;

	if (code == RK_ENOMETHOD) {
		(void)str_copy(said, sizeof(said), "this is no admin socket");
	} else {
		code = admin_refusal(reply, said, sizeof(said));
	}
	(void)snprintf(text, sizeof(text), "%s: %s", method, said);
	return out_fail(&t->out, code, text, NULL);
}

int
tui_ask(struct tui *t, struct rk_client *c, const char *method, bool lacking,
    struct rk_value_doc **out)
{
	struct rk_request req = { .method = method, .timeout = TUI_ANSWER_MS };
	struct rk_reply reply;
	struct rk_error err;
	enum rk_err r;
	int status = 0;

	*out = NULL;
	r = rk_client_call(c, &req, &reply, &err);
	if (r == RK_OK) {
		r = rk_value_decode(reply.payload.ptr, reply.payload.len, out);
		if (r != RK_OK)
			status = out_fail(&t->out, RK_EPROTO,
			    "the daemon's answer is malformed", NULL);
	} else if (r != RK_EREMOTE && r != RK_ENOMETHOD) {
		status = unreachable(t, &err);
	} else if (!lacking) {
		status = refused(t, method, &reply);
	}
	rk_reply_free(&reply);
	return status;
}
