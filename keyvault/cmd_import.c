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

/* A file, which is read once: who is asked in between gave its passphrase. */
struct found {
	const char *path;
	struct record rec;
	struct rk_secret
	    *secret; /* NULL: it cannot be taken, and err says why */
	struct rk_error err;
};

static enum rk_err
may_add(struct kv *kv, const struct record *rec)
{
	const char *why = record_name_fault(rec->name);
	struct record other;
	char text[128];
	enum rk_err r;

	if (why != NULL) {
		(void)snprintf(text, sizeof(text), "the name %s", why);
		return kv_fail(kv, RK_EINVAL, rec->name, text);
	}
	r = vault_find(kv->vault, rec->name, &other, &kv->err);
	if (r == RK_OK)
		return kv_fail(kv, RK_EEXIST, rec->name, "is there already");
	return r == RK_ENOENT ? RK_OK : r;
}

static enum rk_err
read_file(struct kv *kv, struct found *f)
{
	struct rk_secret *bytes = NULL;
	enum rk_err r;

	if ((r = name_of(kv, f->path, &f->rec)) == RK_OK &&
	    (r = kv_read(kv, f->path, INPUT_MAX, &bytes)) == RK_OK)
		r = form_read(
		    kv, f->path, bytes, "ed25519", &f->rec, &f->secret);
	rk_secret_free(bytes);
	return r;
}

/* What is to be done with each file. */
enum step {
	STEP_DRY = 1, /* look whether it can be taken */
	STEP_TAKE,    /* take it */
};

static enum rk_err
take_file(struct kv *kv, struct found *f, enum step step)
{
	enum rk_err r = RK_OK;

	if (f->err.code != RK_OK) {
		kv->err = f->err;
		return f->err.code;
	}
	if (f->secret == NULL)
		r = read_file(kv, f);
	if (r == RK_OK)
		r = step == STEP_DRY ? may_add(kv, &f->rec)
		                     : add(kv, &f->rec, f->secret);
	if (r != RK_OK)
		f->err = kv->err;
	if (step == STEP_TAKE) {
		rk_secret_free(f->secret);
		f->secret = NULL;
	}
	return r;
}

static enum rk_err
tell_file(struct kv *kv, struct table *t, const struct found *f, enum step step)
{
	char id[SHOWN_ID_LEN];
	bool well = f->err.code == RK_OK;

	if (well)
		form_id(kv, &f->rec, id);
	return table_row(
	    t, (const union cell[]){ { .text = f->path },
	           { .text = f->rec.name }, { .text = well ? id : NULL },
	           { .text = !well              ? f->err.text
	                     : step == STEP_DRY ? "can be imported"
	                                        : "imported" } });
}

/* One line each, with the reason; the first failure is the status.  *taken:
 * how many went well. */
static enum rk_err
take_files(
    struct kv *kv, struct found *list, size_t n, enum step step, size_t *taken)
{
	static const struct field fields[] = {
		{ .name = "file", .title = "FILE" },
		{ .name = "name", .title = "NAME" },
		{ .name = "id", .title = "FINGERPRINT" },
		{ .name = "result", .title = "RESULT", .kind = FIELD_SHOWN },
	};
	struct table *t;
	enum rk_err r;
	enum rk_err told;

	*taken = 0;
	if ((told = table_new(&kv->out, fields, 4, &t)) != RK_OK)
		return told;
	kv_progress(kv, NULL, "taking files in");
	for (size_t i = 0; i < n && told == RK_OK; i++) {
		r = take_file(kv, &list[i], step);
		*taken += r == RK_OK;
		if (r != RK_OK && kv->status == 0)
			kv->status = rk_err_exit(r);
		told = tell_file(kv, t, &list[i], step);
		kv_progress_at(i + 1, n, kv);
	}
	kv_progress(kv, NULL, NULL);
	table_end(t);
	return told;
}

/* A person sees what would be taken before it is; *go: and wants it. */
static enum rk_err
show_first(
    struct kv *kv, const char *dir, struct found *list, size_t n, bool *go)
{
	char prompt[64];
	size_t good;
	enum rk_err r;

	if ((r = take_files(kv, list, n, STEP_DRY, &good)) != RK_OK)
		return kv_fail(kv, r, dir, rk_err_text(r));
	*go = good > 0;
	if (good == 0)
		return RK_OK;
	if ((r = out_flush(&kv->out)) != RK_OK)
		return kv_fail(kv, r, dir, rk_err_text(r));
	(void)snprintf(prompt, sizeof(prompt), "Import %zu key%s? [y/N] ", good,
	    good == 1 ? "" : "s");
	return kv_confirm(kv, prompt, dir, "nothing was imported");
}

static enum rk_err
take_dir(struct kv *kv, const char *dir, struct found *list, size_t n)
{
	bool dry = args_flag(kv->args, "dry-run");
	bool go = true;
	size_t good;
	enum rk_err r;

	if (!dry && !args_flag(kv->args, "yes") && kv_has_person(kv) &&
	    ((r = show_first(kv, dir, list, n, &go)) != RK_OK || !go))
		return r;
	r = take_files(kv, list, n, dry ? STEP_DRY : STEP_TAKE, &good);
	if (r != RK_OK)
		return kv_fail(kv, r, dir, rk_err_text(r));
	if (dry)
		out_note(&kv->out, "nothing was imported (--dry-run)");
	return RK_OK;
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
	const char *dir = kv_operand(kv, 0);
	struct found *list = NULL;
	glob_t g;
	enum rk_err r;

	if ((r = find_files(kv, dir, &g)) != RK_OK)
		goto out;
	r = args_flag(kv->args, "dry-run") ? kv_open_names(kv) : kv_unlock(kv);
	if (r != RK_OK)
		goto out;
	if ((list = calloc(g.gl_pathc, sizeof(*list))) == NULL) {
		r = kv_fail(kv, RK_ENOMEM, dir, rk_err_text(RK_ENOMEM));
		goto out;
	}
	for (size_t i = 0; i < g.gl_pathc; i++)
		list[i].path = g.gl_pathv[i];
	r = take_dir(kv, dir, list, g.gl_pathc);
	for (size_t i = 0; i < g.gl_pathc; i++)
		rk_secret_free(list[i].secret);
	free(list);
out:
	globfree(&g);
	return r;
}
