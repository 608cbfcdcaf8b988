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

/* Out of one file.  RK_ENOENT without a text: it is not there, or says nothing
 * of it (*there tells which). */
static enum rk_err
find(const char *path, const char *key, struct context_setting *out,
    bool *there, struct rk_error *err)
{
	const struct conf_key keys[] = { { .name = key }, { 0 } };
	const struct conf_section sections[] = { { .name = "", .keys = keys },
		{ 0 } };
	const struct conf_item *item = NULL;
	struct conf *c = NULL;
	enum rk_err r;

	r = conf_read_some(path, sections, &c, on_problem, NULL, err);
	*there = r != RK_ENOENT;
	if (r != RK_OK && r != RK_EFORMAT && r != RK_ENOENT)
		return r;
	err_clear(err);
	if (c != NULL)
		item = conf_find(c, "", "", key);
	r = item != NULL ? RK_OK : RK_ENOENT;
	if (item != NULL &&
	    str_copy(out->value, PATH_LEN, item->value) >= PATH_LEN)
		r = err_set(err, RK_ETOOBIG, "%s:%u: %s is too long",
		    item->file, item->line, key);
	if (item != NULL)
		(void)snprintf(out->where, sizeof(out->where), "%.*s:%u",
		    PATH_LEN, item->file, item->line);
	conf_free(c);
	return r;
}

static enum rk_err
find_in_context(const char *name, const char *key, struct context_setting *out,
    struct rk_error *err)
{
	char path[PATH_LEN];
	bool there;
	enum rk_err r;

	if ((r = context_path(name, path, err)) != RK_OK)
		return r;
	r = find(path, key, out, &there, err);
	if (r == RK_ENOENT && !there)
		return err_set(err, r, "context %s: no such context", name);
	return r;
}

enum rk_err
context_admin(const char *name, char out[PATH_LEN], struct rk_error *err)
{
	struct context_setting found;
	enum rk_err r = find_in_context(name, "admin", &found, err);

	out[0] = '\0';
	if (r == RK_ENOENT && err->text[0] == '\0')
		return err_set(
		    err, r, "context %s: names no admin socket", name);
	if (r == RK_OK)
		(void)str_copy(out, PATH_LEN, found.value);
	return r;
}

enum rk_err
context_setting(const char *name, const char *key, struct context_setting *out,
    struct rk_error *err)
{
	char path[PATH_LEN];
	enum rk_err r = RK_ENOENT;
	bool there;

	*out = (struct context_setting){ .value = "" };
	err_clear(err);
	if (name != NULL)
		r = find_in_context(name, key, out, err);
	if (r == RK_ENOENT && err->text[0] == '\0' &&
	    path_user(PATH_CONFIG, "config", path) == RK_OK)
		r = find(path, key, out, &there, err);
	if (r == RK_ENOENT && err->text[0] == '\0')
		r = find(PATH_CONFIG_SYSTEM, key, out, &there, err);
	return r;
}
