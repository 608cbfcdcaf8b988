/* A daemon's admin socket: what it says when it refuses, and whose it is. */
#include "cli/admin.h"

#include "base/error.h"
#include "base/str.h"
#include "cli/context.h"

#include <rpckit/value.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum rk_err
admin_find(const struct args *a, char out[PATH_LEN], struct rk_error *err)
{
	err_clear(err);
	if (args_given(a, "socket") && args_given(a, "context"))
		return err_set(err, RK_EINVAL, "either --socket or -c");
	if (args_given(a, "context"))
		return context_admin(args_text(a, "context", ""), out, err);
	return path_admin(args_text(a, "socket", NULL), out);
}

bool
admin_is_given(const struct args *a)
{
	return args_given(a, "socket") || args_given(a, "context");
}

/* The code that came along, if one did. */
static enum rk_err
said_code(struct rk_bytes payload)
{
	const struct rk_value *name;
	struct rk_value_doc *doc;
	enum rk_err code = RK_EREMOTE;

	if (payload.len == 0 ||
	    rk_value_decode(payload.ptr, payload.len, &doc) != RK_OK)
		return code;
	name = rk_value_get(rk_value_root(doc), "error");
	for (int i = 1; name != NULL && i < RK_ERR_COUNT; i++) {
		const char *word = rk_err_name((enum rk_err)i);

		if (name->kind == RK_STR && name->u.bytes.len == strlen(word) &&
		    memcmp(name->u.bytes.ptr, word, strlen(word)) == 0)
			code = (enum rk_err)i;
	}
	rk_value_free(doc);
	return code;
}

enum rk_err
admin_refusal(const struct rk_reply *reply, char *text, size_t len)
{
	static const struct {
		const char *text;
		enum rk_err code;
	} known[] = {
		{ "not allowed for this caller", RK_EDENIED },
		{ "no such connection", RK_ENOENT },
	};

	(void)rk_escape(
	    text, len, reply->remote_error.ptr, reply->remote_error.len);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(text, known[i].text) == 0)
			return known[i].code;
	}
	return said_code(reply->payload);
}

/* ---- whose it is ---- */

#define NAME_MAX_LEN 64
#define GROUPS_MAX 1024

bool
admin_is_denied(const struct rk_error *err)
{
	return err->sys == EACCES || err->sys == EPERM ||
	       err->code == RK_ECLOSED;
}

/* The socket or, if we may not look into that, the folder that is in the way.
 */
static bool
find_bar(const char *path, char bar[PATH_LEN], struct stat *st)
{
	char *slash;

	(void)str_copy(bar, PATH_LEN, path);
	while (stat(bar, st) != 0) {
		slash = strrchr(bar, '/');
		if (slash == NULL || slash == bar)
			return false;
		*slash = '\0';
	}
	return true;
}

/* May it stand in a command as it is? */
static bool
is_tame(const char *s)
{
	return s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWX"
	                   "YZ0123456789_./:@%+,-")] == '\0';
}

/* "rpcd", or "#107" where it has no name that can be said. */
static void
name_of(const char *name, unsigned long id, char dst[NAME_MAX_LEN])
{
	if (name != NULL && name[0] != '\0' && is_tame(name) &&
	    strlen(name) < NAME_MAX_LEN)
		(void)str_copy(dst, NAME_MAX_LEN, name);
	else
		(void)snprintf(dst, NAME_MAX_LEN, "#%lu", id);
}

static void
user_name(uid_t uid, char dst[NAME_MAX_LEN])
{
	const struct passwd *p = getpwuid(uid);

	name_of(p != NULL ? p->pw_name : NULL, uid, dst);
}

/* Is it open to a group, which is not one of ours? */
static bool
wants_group(const struct stat *st, char dst[NAME_MAX_LEN])
{
	const mode_t bit = S_ISDIR(st->st_mode) ? S_IXGRP : S_IWGRP;
	gid_t groups[GROUPS_MAX];
	const struct group *g;
	int n = getgroups(GROUPS_MAX, groups);

	/* Nobody is sent to root's; nor does one help where all may enter. */
	if ((st->st_mode & bit) == 0 || st->st_gid == getegid() ||
	    st->st_gid == 0 || (st->st_mode & (bit >> 3)) != 0)
		return false;
	for (int i = 0; i < n; i++) {
		if (groups[i] == st->st_gid)
			return false;
	}
	g = getgrgid(st->st_gid);
	name_of(g != NULL ? g->gr_name : NULL, st->st_gid, dst);
	return true;
}

void
admin_explain(
    const char *path, const char *program, bool given, struct admin_denied *out)
{
	char bar[PATH_LEN], shown[400], owner[NAME_MAX_LEN], us[NAME_MAX_LEN];
	char group[NAME_MAX_LEN];
	struct stat st;

	(void)str_escape(shown, sizeof(shown), path);
	(void)snprintf(out->text, ADMIN_TEXT, "%s: not allowed", shown);
	(void)str_copy(out->advice, ADMIN_TEXT,
	    "run it as root or as the user of this rpcd");
	if (!find_bar(path, bar, &st) || st.st_uid == geteuid())
		return;
	user_name(st.st_uid, owner);
	if (wants_group(&st, group)) {
		user_name(geteuid(), us);
		(void)snprintf(out->text, ADMIN_TEXT,
		    "%s: not allowed: it is for %s and the group %s, which %s "
		    "is not in",
		    shown, owner, group, us);
		if (group[0] != '#' && us[0] != '#')
			(void)snprintf(out->advice, ADMIN_TEXT,
			    "sudo usermod -aG '%s' '%s', and log in again",
			    group, us);
		return;
	}
	(void)snprintf(out->text, ADMIN_TEXT, "%s: not allowed: it is for %s",
	    shown, owner);
	if (is_tame(path))
		(void)snprintf(out->advice, ADMIN_TEXT, "sudo -u %s%s%s %s%s%s",
		    owner[0] == '#' ? "'" : "", owner,
		    owner[0] == '#' ? "'" : "", program,
		    given ? " --socket " : "", given ? path : "");
}
