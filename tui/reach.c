/* Reaching the daemon once, and saying what helps where that fails. */
#include "tui.h"

#include "base/error.h"
#include "base/str.h"
#include "cli/admin.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int
tui_find(struct tui *t)
{
	const char *given = args_text(t->a, "socket", NULL);
	enum rk_err r = path_admin(given, t->path);

	t->given = given != NULL;
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

/* ---- who may ---- */

/* Whose socket it is, or whose folder, if we may not look into that. */
static bool
owner_of(const char *path, uid_t *uid)
{
	char folder[PATH_LEN];
	struct stat st;
	char *slash;

	(void)str_copy(folder, sizeof(folder), path);
	while (stat(folder, &st) != 0) {
		slash = strrchr(folder, '/');
		if (slash == NULL || slash == folder)
			return false;
		*slash = '\0';
	}
	*uid = st.st_uid;
	return true;
}

/* May it stand in a command as it is? */
static bool
is_tame(const char *s)
{
	return s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWX"
	                   "YZ0123456789_./:@%+,-")] == '\0';
}

/* "sudo -u rpcd rpctui --socket PATH" */
static const char *
as_owner(const struct tui *t, char *dst, size_t len)
{
	const struct passwd *p;
	char who[64];
	uid_t uid;

	if (!owner_of(t->path, &uid) || uid == geteuid() || !is_tame(t->path))
		return "run it as root or as the user of this rpcd";
	p = getpwuid(uid);
	if (p != NULL && is_tame(p->pw_name) && strlen(p->pw_name) < 60)
		(void)snprintf(who, sizeof(who), "%s", p->pw_name);
	else
		(void)snprintf(who, sizeof(who), "'#%lu'", (unsigned long)uid);
	(void)snprintf(dst, len, "sudo -u %s rpctui%s%s", who,
	    t->given ? " --socket " : "", t->given ? t->path : "");
	return dst;
}

static int
unreachable(const struct tui *t, const struct rk_error *err)
{
	const char *advice = "is rpcd running? --socket PATH names another";
	char command[PATH_LEN + 128];

	if (err->sys == EACCES || err->sys == EPERM || err->code == RK_ECLOSED)
		advice = as_owner(t, command, sizeof(command));
	return out_error(&t->out, err, advice);
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
