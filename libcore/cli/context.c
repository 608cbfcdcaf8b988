/* Contexts: where they are, and which admin socket one names. */
#include "cli/context.h"

#include "base/error.h"
#include "base/str.h"
#include "cli/conf.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum rk_err
context_path(const char *name, char out[PATH_LEN], struct rk_error *err)
{
	char file[CONTEXT_NAME_LEN + 32], shown[128];
	bool ok = name[0] != '\0' && name[0] != '.' &&
	          strlen(name) < CONTEXT_NAME_LEN - 1;

	for (const char *p = name; ok && *p != '\0'; p++)
		ok = isalnum((unsigned char)*p) || strchr("-_.@", *p) != NULL;
	if (!ok)
		return err_set(err, RK_EINVAL,
		    "context \"%s\": letters, digits and -_.@ make a name",
		    str_escape(shown, sizeof(shown), name));
	(void)snprintf(file, sizeof(file), "contexts/%s.conf", name);
	if (path_user(PATH_CONFIG, file, out) != RK_OK)
		return err_set(err, RK_ENOENT,
		    "contexts: neither XDG_CONFIG_HOME nor HOME is set");
	return RK_OK;
}

/* Its other settings are rpcsh's, which judges them. */
static void
on_problem(const char *text, void *arg)
{
	(void)text;
	(void)arg;
}

enum rk_err
context_admin(const char *name, char out[PATH_LEN], struct rk_error *err)
{
	static const struct conf_key keys[] = { { .name = "admin" }, { 0 } };
	static const struct conf_section sections[] = {
		{ .name = "", .keys = keys }, { 0 }
	};
	const struct conf_item *item = NULL;
	struct conf *c = NULL;
	char path[PATH_LEN];
	enum rk_err r;

	out[0] = '\0';
	if ((r = context_path(name, path, err)) != RK_OK)
		return r;
	r = conf_read_some(path, sections, &c, on_problem, NULL, err);
	if (r == RK_ENOENT)
		return err_set(err, r, "context %s: no such context", name);
	if (r != RK_OK && r != RK_EFORMAT)
		return r;
	err_clear(err);
	if (c != NULL)
		item = conf_find(c, "", "", "admin");
	if (item == NULL)
		r = err_set(
		    err, RK_ENOENT, "context %s: names no admin socket", name);
	else if (str_copy(out, PATH_LEN, item->value) >= PATH_LEN)
		r = err_set(err, RK_ETOOBIG,
		    "context %s: the admin socket's path is too long", name);
	else
		r = RK_OK;
	conf_free(c);
	return r;
}
