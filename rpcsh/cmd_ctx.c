/* rpcsh ctx: named sets of server, key and the rest. */
#include "advice.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "dry.h"
#include "rpcsh.h"
#include "settings.h"
#include "verbs.h"

#include <rpckit/signer.h>
#include <rpckit/sshkeys.h>

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct opt ctx_opts[] = {
	{ .name = "why", .about = "with show: where each value comes from" },
	{ .name = "force", .about = "with add: replace a context that exists" },
	DRY_WOULD_OPT,
	{ 0 },
};

/* ---- ls ---- */

static int
is_context(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return len > 5 && e->d_name[0] != '.' &&
	       strcmp(e->d_name + len - 5, ".conf") == 0;
}

static enum rk_err
list_row(struct table *t, const char *file, const char *current)
{
	char name[NAME_MAX + 1];
	size_t len = str_copy(name, sizeof(name), file);

	name[len - 5] = '\0';
	return table_row(t, (const union cell[]){ { .text = name },
	                        { .yes = strcmp(name, current) == 0 } });
}

static enum rk_err
list(struct job *j, struct rk_error *err)
{
	static const struct field fields[] = {
		{ "name", "CONTEXT", FIELD_TEXT },
		{ "current", "IN USE", FIELD_BOOL },
	};
	char current[SETTINGS_NAME_LEN], dir[PATH_LEN];
	struct dirent **all = NULL;
	struct table *t = NULL;
	enum rk_err r;
	int n;

	if ((r = settings_context(j->args, current, err)) != RK_OK)
		return r;
	/* No home, no contexts. */
	n = path_user(PATH_CONFIG, "contexts", dir) != RK_OK
	        ? 0
	        : scandir(dir, &all, is_context, alphasort);
	if (n < 0 && errno != ENOENT)
		return fs_fail(err, errno, dir);
	r = table_new(j->out, fields, 2, &t);
	for (int i = 0; i < n; i++) {
		if (r == RK_OK)
			r = list_row(t, all[i]->d_name, current);
		free(all[i]);
	}
	free(all);
	if (r == RK_OK)
		table_end_list(t);
	else
		table_end(t);
	return r;
}

/* ---- show ---- */

static enum rk_err
show(struct job *j, struct rk_error *err)
{
	static const struct field fields[] = {
		{ "name", "SETTING", FIELD_TEXT },
		{ "value", "VALUE", FIELD_TEXT },
		{ "source", "FROM", FIELD_TEXT },
	};
	size_t n_fields = args_flag(j->args, "why") ? 3 : 2;
	struct settings s;
	struct table *t;
	enum rk_err r;

	if ((r = settings_load(j->args, &s, err)) != RK_OK) {
		if (r == RK_EFORMAT)
			j->retry = ADVICE_NO_CONTEXT;
		else if (r == RK_ENOENT)
			j->retry = "rpcsh ctx ls";
		return r;
	}
	if ((r = table_new(j->out, fields, n_fields, &t)) != RK_OK)
		return r;
	r = table_row(
	    t, (const union cell[]){ { .text = "context" },
	           { .text = s.context[0] == '\0' ? NULL : s.context },
	           { .text = NULL } });
	for (unsigned i = 0; r == RK_OK && i < SET_COUNT; i++)
		r = table_row(t,
		    (const union cell[]){
		        { .text = setting_name((enum setting_id)i) },
		        { .text = s.v[i].value }, { .text = s.v[i].source } });
	table_end(t);
	return r;
}

/* ---- add ---- */

static void
say_written(const struct job *j, const char *path)
{
	char shown[256];

	out_note(j->out, "wrote %s", str_escape(shown, sizeof(shown), path));
}

/* What would be in the way of a new context. */
static enum rk_err
would_write(struct job *j, const char *path, bool replace, struct rk_error *err)
{
	if (!replace && access(path, F_OK) == 0)
		return fs_fail(err, EEXIST, path);
	return verbs_would(j, "write", path);
}

static enum rk_err
write_in_contexts(const char *path, const char *text, size_t len, bool replace,
    struct rk_error *err)
{
	char dir[PATH_LEN];
	enum rk_err r;

	if (path_user(PATH_CONFIG, "contexts", dir) != RK_OK)
		return err_set(err, RK_ENOENT, "contexts: no home");
	if ((r = fs_make_dir(dir, 0700, err)) != RK_OK)
		return r;
	return fs_write_file(path, text, len, 0600, replace, err);
}

static enum rk_err
unknown_setting(const char *key, struct rk_error *err)
{
	const char *names[SET_COUNT + 1] = { NULL };
	char shown[128];
	const char *near;

	for (unsigned i = 0; i < SET_COUNT; i++)
		names[i] = setting_name((enum setting_id)i);
	near = str_nearest(key, names);
	(void)str_escape(shown, sizeof(shown), key);
	if (near != NULL)
		return err_set(err, RK_EINVAL,
		    "no setting \"%s\" (did you mean \"%s\"?)", shown, near);
	return err_set(err, RK_EINVAL, "no setting \"%s\"", shown);
}

static bool
is_elsewhere(const char *value, const char *scheme)
{
	return strncmp(value, scheme, strlen(scheme)) == 0;
}

/* A path, which is to mean the same wherever the context is used. */
static bool
is_relative(enum setting_id id, const char *value)
{
	if (value[0] == '/' || is_elsewhere(value, RK_KEY_IN_AGENT) ||
	    is_elsewhere(value, RK_KEY_IN_SSH_AGENT))
		return false;
	return id == SET_CERTS || id == SET_KNOWN || id == SET_PSK ||
	       id == SET_SSH_KEY || id == SET_SSH_PEERS || id == SET_ADMIN;
}

/* Files are found from everywhere: their paths are made absolute. */
static enum rk_err
add_line(
    struct buf *b, enum setting_id id, const char *value, struct rk_error *err)
{
	bool relative = is_relative(id, value);
	char cwd[PATH_LEN], shown[128];
	size_t len = strlen(value);
	enum rk_err r;

	if ((r = settings_check(id, value, err)) != RK_OK)
		return r;
	if (strpbrk(value, "#\"'\\") != NULL || strchr(" \t", value[0]) ||
	    strchr(" \t", value[len - 1]))
		return err_set(err, RK_EINVAL,
		    "%s: \"%s\" has characters a file of settings cannot hold",
		    setting_name(id), str_escape(shown, sizeof(shown), value));
	if (!relative)
		return buf_printf(b, "%s = %s\n", setting_name(id), value);
	if (getcwd(cwd, sizeof(cwd)) == NULL)
		return fs_fail(err, errno, ".");
	return buf_printf(b, "%s = %s/%s\n", setting_name(id), cwd, value);
}

static enum rk_err
add_lines(const struct job *j, struct buf *b, struct rk_error *err)
{
	bool seen[SET_COUNT] = { false };
	char key[64], shown[128];
	enum rk_err r = RK_OK;

	for (size_t i = 1; r == RK_OK && i < j->n; i++) {
		const char *word = j->words[i];
		const char *eq = strchr(word, '=');
		enum setting_id id;

		if (eq == NULL || (size_t)(eq - word) >= sizeof(key))
			return err_set(err, RK_EINVAL,
			    "\"%s\": not of the form SETTING=VALUE",
			    str_escape(shown, sizeof(shown), word));
		memcpy(key, word, (size_t)(eq - word));
		key[eq - word] = '\0';
		if ((id = setting_find(key)) == SET_COUNT)
			return unknown_setting(key, err);
		if (seen[id])
			return err_set(err, RK_EINVAL, "%s: given twice", key);
		seen[id] = true;
		r = add_line(b, id, eq + 1, err);
	}
	return r;
}

static enum rk_err
add(struct job *j, struct rk_error *err)
{
	bool replace = args_flag(j->args, "force");
	char path[PATH_LEN];
	struct buf b;
	enum rk_err r;

	buf_init(&b, 65536);
	if ((r = context_path(j->words[0], path, err)) == RK_OK &&
	    (r = add_lines(j, &b, err)) == RK_OK)
		r = j->dry ? would_write(j, path, replace, err)
		           : write_in_contexts(path, (const char *)buf_peek(&b),
		                 buf_len(&b), replace, err);
	buf_fini(&b);
	if (r == RK_OK && !j->dry) {
		say_written(j, path);
		return r;
	}
	j->retry = r == RK_EINVAL ? "rpcsh ctx -h" : NULL;
	if (r != RK_EEXIST)
		return r;
	j->retry = "rpcsh ctx add --force ... to replace it";
	return err_set(err, r, "context %s: exists already", j->words[0]);
}

/* ---- use, rm ---- */

/* Nobody is chosen any more. */
static enum rk_err
use_none(struct rk_error *err)
{
	char current[PATH_LEN];
	enum rk_err r;

	if ((r = settings_current_path(current, err)) != RK_OK)
		return r;
	if (unlink(current) != 0 && errno != ENOENT)
		return fs_fail(err, errno, current);
	return RK_OK;
}

static enum rk_err
use(struct job *j, struct rk_error *err)
{
	const char *name = j->words[0];
	char path[PATH_LEN], current[PATH_LEN];
	char line[SETTINGS_NAME_LEN + 2];
	enum rk_err r;

	if (strcmp(name, "-") == 0)
		return j->dry ? verbs_would(j, "use", "no context")
		              : use_none(err);
	j->retry = "rpcsh ctx ls";
	if ((r = context_path(name, path, err)) != RK_OK ||
	    (r = settings_current_path(current, err)) != RK_OK)
		return r;
	if (access(path, F_OK) != 0)
		return err_set(
		    err, RK_ENOENT, "context %s: no such context", name);
	if (j->dry)
		return verbs_would(j, "use", path);
	(void)snprintf(line, sizeof(line), "%s\n", name);
	return write_in_contexts(current, line, strlen(line), true, err);
}

static enum rk_err
drop(struct job *j, struct rk_error *err)
{
	const char *name = j->words[0];
	char path[PATH_LEN], current[SETTINGS_NAME_LEN];
	enum rk_err r;

	j->retry = "rpcsh ctx ls";
	if ((r = context_path(name, path, err)) != RK_OK)
		return r;
	if (j->dry && access(path, F_OK) == 0)
		return verbs_would(j, "remove", path);
	if (j->dry || unlink(path) != 0) {
		if (errno != ENOENT)
			return fs_fail(err, errno, path);
		return err_set(
		    err, RK_ENOENT, "context %s: no such context", name);
	}
	/* The one in use is used no more. */
	if ((r = settings_chosen(current, err)) != RK_OK)
		return r;
	return strcmp(current, name) == 0 ? use_none(err) : RK_OK;
}

/* ---- which ---- */

static const struct verb verbs[] = {
	{ "ls", 0, 0, "ls", list, true },
	{ "show", 0, 0, "show [--why]", show, true },
	{ "use", 1, 1, "use NAME, or - for none", use, false },
	{ "add", 2, SIZE_MAX, "add NAME SETTING=VALUE...", add, false },
	{ "rm", 1, 1, "rm NAME", drop, false },
	{ .name = NULL },
};

/* Options that go with one verb only. */
static enum rk_err
check_flags(const struct verb *v, const struct job *j, struct rk_error *err)
{
	if (args_flag(j->args, "why") && v->run != show)
		return err_set(err, RK_EINVAL, "--why goes with ctx show only");
	if (args_flag(j->args, "force") && v->run != add)
		return err_set(
		    err, RK_EINVAL, "--force goes with ctx add only");
	return RK_OK;
}

int
cmd_ctx(struct args *a, void *ctx)
{
	const struct verb *v;
	struct rk_error err = { 0 };
	struct out o;
	struct job j = { .args = a, .out = &o, .dry = args_flag(a, "dry-run") };
	enum rk_err r;

	(void)ctx;
	out_init(&o, a);
	if ((v = verbs_take("ctx", verbs, &j, &err)) == NULL ||
	    check_flags(v, &j, &err) != RK_OK)
		return out_error(&o, &err, "rpcsh ctx -h");
	r = v->run(&j, &err);
	if (r != RK_OK && err.code == RK_OK)
		(void)err_set(&err, r, "ctx: %s", rk_err_text(r));
	if (r != RK_OK)
		return out_error(&o, &err, j.retry);
	if (!v->prints && !j.dry && o.form == OUT_JSON)
		out_text(&o, "{\"schema\":1,\"ok\":true,\"context\":\"%s\"}\n",
		    j.words[0]);
	return j.status;
}
