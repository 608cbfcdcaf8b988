/* import and import-dir: keys that were in files until now. */
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "keyvault.h"

static enum rk_err
set_name(struct kv *kv, struct record *rec, const char *name)
{
	if (str_copy(rec->name, sizeof(rec->name), name) < sizeof(rec->name))
		return RK_OK;
	return kv_fail(
	    kv, RK_EINVAL, name, "the name is longer than 128 bytes");
}

static enum rk_err
add(struct kv *kv, struct record *rec, const struct rk_secret *secret)
{
	enum rk_err r;

	if ((r = vault_begin(kv->vault, &kv->err)) == RK_OK &&
	    (r = vault_add(
	         kv->vault, rec, secret, VAULT_ACT_IMPORT, &kv->err)) == RK_OK)
		r = vault_commit(kv->vault, &kv->err);
	vault_cancel(kv->vault);
	return r;
}

enum rk_err
verb_import(struct kv *kv)
{
	const char *path = kv_operand(kv, 1);
	struct rk_secret *bytes = NULL;
	struct rk_secret *secret = NULL;
	struct record rec = { 0 };
	char id[SHOWN_ID_LEN];
	enum rk_err r;

	if ((r = set_name(kv, &rec, kv_operand(kv, 0))) != RK_OK)
		return r;
	/* The file first: what is no key costs nobody a passphrase. */
	if ((r = kv_read(kv, path, INPUT_MAX, &bytes)) != RK_OK ||
	    (r = form_read(kv, path, bytes, args_text(kv->args, "type", NULL),
	         &rec, &secret)) != RK_OK ||
	    (r = kv_unlock(kv)) != RK_OK ||
	    (r = add(kv, &rec, secret)) != RK_OK)
		goto out;
	form_id(kv, &rec, id);
	out_note(&kv->out, "%s: imported, %s", rec.name, id);
	if (strcmp(path, "-") != 0)
		out_note(&kv->out, "the file is still there");
out:
	rk_secret_free(bytes);
	rk_secret_free(secret);
	return r;
}

/* ---- a folder ---- */

/* NAME.key of its path. */
static enum rk_err
name_of(struct kv *kv, const char *path, struct record *rec)
{
	const char *base = strrchr(path, '/');
	size_t len;
	enum rk_err r;

	base = base != NULL ? base + 1 : path;
	if ((r = set_name(kv, rec, base)) != RK_OK)
		return r;
	len = strlen(rec->name);
	rec->name[len - strlen(".key")] = '\0';
	return RK_OK;
}

static enum rk_err
take_file(struct kv *kv, const char *path, bool dry, struct record *rec)
{
	struct rk_secret *bytes = NULL;
	struct rk_secret *secret = NULL;
	struct record other;
	const char *why;
	char text[128];
	enum rk_err r;

	if ((r = name_of(kv, path, rec)) != RK_OK ||
	    (r = kv_read(kv, path, INPUT_MAX, &bytes)) != RK_OK ||
	    (r = form_read(kv, path, bytes, "ed25519", rec, &secret)) != RK_OK)
		goto out;
	if (!dry) {
		r = add(kv, rec, secret);
		goto out;
	}
	if ((why = record_name_fault(rec->name)) != NULL) {
		(void)snprintf(text, sizeof(text), "the name %s", why);
		r = kv_fail(kv, RK_EINVAL, rec->name, text);
		goto out;
	}
	r = vault_find(kv->vault, rec->name, &other, &kv->err);
	if (r == RK_OK)
		r = kv_fail(kv, RK_EEXIST, rec->name, "is there already");
	else if (r == RK_ENOENT)
		r = RK_OK;
out:
	rk_secret_free(bytes);
	rk_secret_free(secret);
	return r;
}

/* One line each, with the reason; the first failure is the status. */
static enum rk_err
take_files(struct kv *kv, const glob_t *g, bool dry, struct table *t)
{
	char id[SHOWN_ID_LEN];
	struct record rec;
	enum rk_err r;
	enum rk_err told = RK_OK;

	kv_progress(kv, NULL, "taking files in");
	for (size_t i = 0; i < g->gl_pathc && told == RK_OK; i++) {
		memset(&rec, 0, sizeof(rec));
		r = take_file(kv, g->gl_pathv[i], dry, &rec);
		if (r == RK_OK)
			form_id(kv, &rec, id);
		if (r != RK_OK && kv->status == 0)
			kv->status = rk_err_exit(r);
		told = table_row(
		    t, (const union cell[]){ { .text = g->gl_pathv[i] },
		           { .text = rec.name },
		           { .text = r == RK_OK ? id : NULL },
		           { .text = r != RK_OK ? kv->err.text
		                     : dry      ? "can be imported"
		                                : "imported" } });
		kv_progress_at(i + 1, g->gl_pathc, kv);
	}
	kv_progress(kv, NULL, NULL);
	return told;
}

/* Itself, and what selfy(1) makes in the folder where it runs. */
static const char *const places[] = { "", "/certs", "/my-keep-private-dir" };

static enum rk_err
find_files(struct kv *kv, const char *dir, glob_t *g)
{
	char pattern[PATH_LEN];
	struct stat st;
	int made;

	memset(g, 0, sizeof(*g));
	if (stat(dir, &st) != 0)
		return fs_fail(&kv->err, errno, dir);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (strpbrk(dir, "*?[\\") != NULL ||
		    snprintf(pattern, sizeof(pattern), "%s%s/*.key", dir,
		        places[i]) >= (int)sizeof(pattern))
			return kv_fail(kv, RK_EINVAL, dir,
			    "is too long, or has one of *?[\\ in it");
		made = glob(pattern, i > 0 ? GLOB_APPEND : 0, NULL, g);
		if (made != 0 && made != GLOB_NOMATCH)
			return kv_fail(kv, RK_EIO, dir, "cannot be read");
	}
	if (g->gl_pathc > 0)
		return RK_OK;
	return kv_fail(kv, RK_ENOENT, dir, "has no NAME.key in it");
}

enum rk_err
verb_import_dir(struct kv *kv)
{
	static const struct field fields[] = {
		{ .name = "file", .title = "FILE" },
		{ .name = "name", .title = "NAME" },
		{ .name = "id", .title = "FINGERPRINT" },
		{ .name = "result", .title = "RESULT", .kind = FIELD_SHOWN },
	};
	bool dry = args_flag(kv->args, "dry-run");
	const char *dir = kv_operand(kv, 0);
	struct table *t;
	glob_t g;
	enum rk_err r;

	if ((r = find_files(kv, dir, &g)) != RK_OK)
		goto out;
	r = dry ? kv_open_names(kv) : kv_unlock(kv);
	if (r != RK_OK)
		goto out;
	if ((r = table_new(&kv->out, fields, 4, &t)) == RK_OK) {
		r = take_files(kv, &g, dry, t);
		table_end(t);
	}
	if (r != RK_OK)
		r = kv_fail(kv, r, dir, rk_err_text(r));
	else if (dry)
		out_note(&kv->out, "nothing was imported (--dry-run)");
out:
	globfree(&g);
	return r;
}
