/* export and pub: keys for other programs. */
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"
#include "keyvault.h"

static enum rk_err
write_public(struct kv *kv, const char *name, const char *to)
{
	const char *form = args_text(kv->args, "form", "openssh");
	struct record rec;
	struct buf b;
	enum rk_err r;

	if (strcmp(form, "pem") != 0 && strcmp(form, "openssh") != 0)
		return kv_fail(kv, RK_EINVAL, "--form",
		    "a public half is written as pem or openssh");
	buf_init(&b, 4096);
	if ((r = kv_look(kv)) == RK_OK &&
	    (r = kv_find(kv, name, &rec)) == RK_OK &&
	    (r = form_write_public(kv, &rec, form, &b)) == RK_OK)
		r = kv_write(kv, to, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
	return r;
}

enum rk_err
verb_pub(struct kv *kv)
{
	return write_public(kv, kv_operand(kv, 0), NULL);
}

/* A person is asked; a script has said --plain-key. */
static enum rk_err
ask_plain(struct kv *kv, const char *name)
{
	char prompt[RECORD_NAME_MAX + 64];

	(void)snprintf(prompt, sizeof(prompt),
	    "Write the secret of %s unencrypted? [y/N] ", name);
	return kv_confirm(kv, prompt, name, "not written");
}

/* *pass stays NULL where it is to be plain. */
static enum rk_err
protect(struct kv *kv, const struct record *rec, struct rk_secret **pass)
{
	if (args_flag(kv->args, "plain-key"))
		return ask_plain(kv, rec->name);
	if (rec->kind != RECORD_ED25519) {
		kv_retry(kv, "--plain-key");
		return kv_fail(kv, RK_EINVAL, rec->name,
		    "there is no encrypted form of what is no Ed25519 key");
	}
	return kv_new_pass(kv, "file-pass", "the copy of", rec->name, pass);
}

/* Who had the secret given out is on the disk before it is. */
static enum rk_err
note_export(struct kv *kv, const char *name, const char *form, bool plain)
{
	char more[64];
	enum rk_err r;

	(void)snprintf(
	    more, sizeof(more), "%s, %s", form, plain ? "plain" : "encrypted");
	if ((r = vault_begin(kv->vault, &kv->err)) == RK_OK &&
	    (r = vault_log(
	         kv->vault, VAULT_ACT_EXPORT, name, more, &kv->err)) == RK_OK)
		r = vault_commit(kv->vault, &kv->err);
	vault_cancel(kv->vault);
	return r;
}

enum rk_err
verb_export(struct kv *kv)
{
	const char *name = kv_operand(kv, 0);
	const char *to = args_text(kv->args, "output", NULL);
	const char *form = args_text(kv->args, "form", "pkcs8");
	struct rk_secret *secret = NULL;
	struct rk_secret *pass = NULL;
	struct rk_secret *text = NULL;
	struct record rec;
	enum rk_err r;

	if (args_flag(kv->args, "public"))
		return write_public(kv, name, to);
	if (strcmp(form, "pem") == 0)
		form = "pkcs8";
	if ((r = kv_unlock(kv)) != RK_OK ||
	    (r = vault_secret(kv->vault, name, &rec, &secret, &kv->err)) !=
	        RK_OK ||
	    (r = protect(kv, &rec, &pass)) != RK_OK ||
	    (r = form_write(kv, &rec, secret, form, pass, &text)) != RK_OK)
		goto out;
	if (rec.kind != RECORD_ED25519)
		form = "raw";
	if ((r = note_export(kv, name, form, pass == NULL)) != RK_OK)
		goto out;
	if (pass == NULL && (to == NULL || strcmp(to, "-") == 0) &&
	    isatty(STDOUT_FILENO) == 1)
		out_warn(
		    &kv->out, "the secret of %s is on the terminal", rec.name);
	r = kv_write(kv, to, rk_secret_peek(text), rk_secret_len(text));
out:
	rk_secret_free(text);
	rk_secret_free(pass);
	rk_secret_free(secret);
	return r;
}
