/* A daemon's admin socket: found and dialed; what it refuses, and why. */
#include "cli/admin.h"

#include "base/error.h"
#include "base/str.h"
#include "cli/context.h"

#include <rpckit/value.h>

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * The socket to dial.  RK_EINVAL: both options are given; RK_ENOENT without a
 * text: none is there; errors of path_admin() without a text, and of
 * context_admin().
 */
static enum rk_err
find(const struct args *a, char out[PATH_LEN], struct rk_error *err)
{
	err_clear(err);
	if (args_given(a, "socket") && args_given(a, "context"))
		return err_set(err, RK_EINVAL, "either --socket or -c");
	if (args_given(a, "context"))
		return context_admin(args_text(a, "context", ""), out, err);
	return path_admin(args_text(a, "socket", NULL), out);
}

/* Was it named, or found by itself? */
static bool
is_given(const struct args *a)
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

const char *
admin_refusal_advice(const char *text)
{
	static const struct {
		const char *text;
		const char *advice;
	} known[] = {
		{ "not allowed for this caller",
		    "this socket only shows; --socket PATH names another" },
		{ "no such connection", "rpcd ctl conns" },
		{ "no such call", "rpcd ctl calls" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(text, known[i].text) == 0)
			return known[i].advice;
	}
	return NULL;
}

/* ---- whose it is ---- */

#define NAME_MAX_LEN 64
#define GROUPS_MAX 1024
#define TAME_MAX 500 /* of a command, which must not be cut */

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
	return strlen(s) <= TAME_MAX &&
	       s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWX"
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

/* Ours, and shut all the same. */
static void
explain_own(const char *bar, const struct stat *st, struct admin_trouble *out)
{
	const bool folder = S_ISDIR(st->st_mode);
	const mode_t need = folder ? S_IXUSR : S_IWUSR;

	if ((st->st_mode & need) == 0 && is_tame(bar))
		(void)snprintf(out->advice, ADMIN_TEXT, "chmod u+%s %.*s",
		    folder ? "x" : "rw", TAME_MAX, bar);
}

/* "sudo -u rpcd rpcd ctl --socket /run/rpcd/admin.sock" */
static void
advise_owner(const struct admin_at *at, const char *owner, char *dst)
{
	const char *quote = owner[0] == '#' ? "'" : "";

	if (is_tame(at->path))
		(void)snprintf(dst, ADMIN_TEXT, "sudo -u %s%s%s %s%s%.*s",
		    quote, owner, quote, at->program,
		    at->given ? " --socket " : "", TAME_MAX,
		    at->given ? at->path : "");
}

static void
explain_denied(
    const struct admin_at *at, const char *shown, struct admin_trouble *out)
{
	char bar[PATH_LEN], owner[NAME_MAX_LEN], us[NAME_MAX_LEN];
	char group[NAME_MAX_LEN];
	struct stat st;

	(void)snprintf(out->text, ADMIN_TEXT, "%s: not allowed", shown);
	(void)str_copy(out->advice, ADMIN_TEXT,
	    "run it as root or as the user of this rpcd");
	if (!find_bar(at->path, bar, &st))
		return;
	if (st.st_uid == geteuid()) {
		explain_own(bar, &st, out);
		return;
	}
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
	advise_owner(at, owner, out->advice);
}

/* ---- why it cannot be reached ---- */

/* By the system, or by a daemon that hangs up on who is neither of its user
 * nor of a group that it lets in.  It does so to nobody else. */
static bool
is_denied(const struct admin_at *at, const struct rk_error *err)
{
	struct stat st;

	if (err->sys == EACCES || err->sys == EPERM)
		return true;
	return !at->answered && err->code == RK_ECLOSED && geteuid() != 0 &&
	       stat(at->path, &st) == 0 && S_ISSOCK(st.st_mode) &&
	       st.st_uid != geteuid();
}

static const char *
advice_of(const struct admin_at *at, enum rk_err code)
{
	if (code == RK_ETIMEOUT || (code == RK_ECLOSED && !at->answered))
		return "is that the daemon's socket? its log may say what it "
		       "does";
	if (code == RK_ECLOSED)
		return "has rpcd ended? its log says so";
	return code == RK_ECONNECT
	           ? "is rpcd running? --socket PATH names another"
	           : "";
}

void
admin_explain(const struct admin_at *at, const struct rk_error *err,
    struct admin_trouble *out)
{
	char shown[400];

	*out = (struct admin_trouble){ .code = err->code };
	if (at->path[0] == '\0') {
		out->code = RK_ECONNECT;
		(void)str_copy(out->text, ADMIN_TEXT,
		    "no admin socket: neither $XDG_RUNTIME_DIR/rpckit/"
		    "admin.sock nor " PATH_ADMIN_SYSTEM " is there");
		(void)str_copy(
		    out->advice, ADMIN_TEXT, advice_of(at, RK_ECONNECT));
		return;
	}
	(void)str_escape(shown, sizeof(shown), at->path);
	if (is_denied(at, err)) {
		explain_denied(at, shown, out);
	} else if (err->code == RK_ECONNECT && err->sys == EAGAIN) {
		(void)snprintf(out->text, ADMIN_TEXT,
		    "%s: busy: too many are connected", shown);
		(void)str_copy(out->advice, ADMIN_TEXT,
		    "again in ten seconds, when those that ask nothing are "
		    "put out");
	} else if (err->code == RK_ENOMETHOD && !at->answered) {
		(void)snprintf(out->text, ADMIN_TEXT,
		    "%s: this is no admin socket", shown);
		(void)str_copy(
		    out->advice, ADMIN_TEXT, "--socket PATH names another");
	} else if (err->code == RK_ECLOSED && !at->answered) {
		(void)snprintf(out->text, ADMIN_TEXT,
		    "%s: the connection was closed without an answer", shown);
		(void)str_copy(
		    out->advice, ADMIN_TEXT, advice_of(at, err->code));
	} else {
		(void)str_copy(out->text, ADMIN_TEXT,
		    err->text[0] != '\0' ? err->text : rk_err_text(err->code));
		(void)str_copy(
		    out->advice, ADMIN_TEXT, advice_of(at, err->code));
	}
}

int
admin_fail(const struct admin_at *at, const struct rk_error *err,
    const struct out *out)
{
	struct admin_trouble t;

	admin_explain(at, err, &t);
	return out_fail(
	    out, t.code, t.text, t.advice[0] != '\0' ? t.advice : NULL);
}

/* ---- who answers there ---- */

#define OTHERS (S_IWGRP | S_IWOTH)

/* Is it root's or ours? */
static bool
is_ours(const struct stat *st)
{
	return st->st_uid == 0 || st->st_uid == geteuid();
}

/* This folder, a link, or one above them: may nobody put another in its place,
 * nor in that of what we came from, but root, us and this user?  In a sticky
 * one everybody makes his own: what is in there must be root's or ours. */
static bool
is_held(const struct stat *st, uid_t uid, bool from_ours)
{
	if (S_ISLNK(st->st_mode))
		return is_ours(st);
	if (!is_ours(st) && st->st_uid != uid)
		return false;
	return (st->st_mode & OTHERS) == 0 ||
	       ((st->st_mode & S_ISVTX) != 0 && from_ours);
}

/* The same of the whole way to it, as it is written. */
static bool
is_way_held(const char *dir, uid_t uid)
{
	char path[PATH_LEN];
	bool ours = false;
	struct stat st;
	char *slash;

	(void)str_copy(path, sizeof(path), dir);
	for (;;) {
		if (lstat(path, &st) != 0 || !is_held(&st, uid, ours))
			return false;
		ours = is_ours(&st);
		slash = strrchr(path, '/');
		if (slash == NULL || strcmp(path, "/") == 0)
			return true;
		slash[slash == path ? 1 : 0] = '\0';
	}
}

/* Is it the user whose folder it is, if nobody else may put another one, or
 * another socket, there?  Not by a link, either. */
static bool
owns_place(const char *path, uid_t uid)
{
	char dir[PATH_LEN];
	char *slash, *real;
	struct stat st;
	bool held;

	(void)str_copy(dir, sizeof(dir), path);
	slash = strrchr(dir, '/');
	if (slash == NULL)
		(void)str_copy(dir, sizeof(dir), ".");
	else
		slash[slash == dir ? 1 : 0] = '\0';
	if (stat(dir, &st) != 0 || st.st_uid != uid ||
	    (st.st_mode & OTHERS) != 0 || (real = realpath(dir, NULL)) == NULL)
		return false;
	held = is_way_held(dir, uid) && is_way_held(real, uid);
	free(real);
	return held;
}

/*
 * What is asked there, a daemon must hear and nobody else: in a folder where
 * others write, one of them may have put his own socket in its place.  So it is
 * root's, ours, or of the user whose folder it is, as /run/rpcd is rpcd's.
 */
bool
admin_may_answer(
    const struct admin_at *at, const struct rk_client *c, struct rk_error *err)
{
	char shown[400], name[NAME_MAX_LEN];
	uint32_t uid;

	(void)str_escape(shown, sizeof(shown), at->path);
	if (!rk_client_server_uid(c, &uid)) {
		(void)err_set(err, RK_EDENIED,
		    "%s: the system does not say who answers there", shown);
		return false;
	}
	if (uid == 0 || uid == geteuid() || owns_place(at->path, uid))
		return true;
	user_name(uid, name);
	(void)err_set(err, RK_EDENIED,
	    "%s: %s answers there, who is neither root, nor you, nor the owner "
	    "of a folder where, and above which, nobody else writes",
	    shown, name);
	return false;
}

/* ---- reaching it ---- */

int
admin_look(struct admin_at *at, const struct args *a, const char *program,
    const struct out *out)
{
	struct rk_error err;
	enum rk_err r = find(a, at->path, &err);

	at->program = program;
	at->given = is_given(a);
	at->answered = false;
	if (r == RK_OK)
		return 0;
	if (err.text[0] != '\0')
		return out_error(out, &err, NULL);
	if (r != RK_ENOENT)
		return out_fail(out, r, "--socket: the path is too long", NULL);
	at->path[0] = '\0';
	return admin_fail(at, &err, out);
}

int
admin_dial(const struct admin_at *at, const struct rk_client_conf *conf,
    const struct out *out, struct rk_client **client)
{
	struct rk_client_conf own = *conf;
	char url[PATH_LEN + 8];
	struct rk_error err;
	enum rk_err r;

	*client = NULL;
	if ((r = path_unix_url(at->path, url, sizeof(url))) != RK_OK)
		return out_fail(out, r, "--socket: the path is too long", NULL);
	own.url = url;
	if (rk_client_new(&own, client, &err) != RK_OK)
		return out_error(out, &err, NULL);
	if (rk_client_connect(*client, &err) == RK_OK &&
	    admin_may_answer(at, *client, &err))
		return 0;
	rk_client_free(*client);
	*client = NULL;
	return admin_fail(at, &err, out);
}
