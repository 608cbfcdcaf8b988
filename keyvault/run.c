/* What every verb does first: the vault opened, passphrases, files. */
#include "keyvault.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/agent_client.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "cli/pass.h"

const char *
kv_operand(const struct kv *kv, size_t i)
{
	size_t n;
	const char *const *list = args_operands(kv->args, &n);

	return i < n ? list[i] : NULL;
}

enum rk_err
kv_fail(struct kv *kv, enum rk_err code, const char *name, const char *text)
{
	char shown[SHOWN_LEN];

	return err_set(&kv->err, code, "%s: %s",
	    str_escape(shown, sizeof(shown), name), text);
}

void
kv_retry(struct kv *kv, const char *text)
{
	(void)str_copy(kv->retry, sizeof(kv->retry), text);
}

void
kv_tell_wait(const struct kv *kv, const char *path)
{
	char shown[SHOWN_LEN];

	if (isatty(STDERR_FILENO) == 1)
		out_note(&kv->out, "working on the passphrase of %s",
		    str_escape(shown, sizeof(shown), path));
}

bool
kv_has_person(const struct kv *kv)
{
	return !args_flag(kv->args, "no-input") && isatty(STDIN_FILENO) == 1;
}

enum rk_err
kv_confirm(struct kv *kv, const char *prompt, const char *name, const char *no)
{
	char answer[16];
	enum rk_err r;

	if (!kv_has_person(kv))
		return RK_OK;
	r = pass_ask(prompt, true, answer, sizeof(answer), &kv->err);
	if (r == RK_ENOPASS)
		return RK_OK;
	if (r == RK_OK && strcmp(answer, "y") != 0 &&
	    strcmp(answer, "yes") != 0)
		return kv_fail(kv, RK_ECANCELED, name, no);
	return r;
}

/* Whatever was written, and whatever then failed. */
static void
remember(struct kv *kv)
{
	if (kv->verified && kv->vault != NULL)
		seen_keep(kv->vault, kv->restored);
}

enum rk_err
kv_settle(struct kv *kv, enum rk_err r)
{
	struct rk_error err;
	enum rk_err settled = vault_settle(kv->vault, &err);

	if (settled == RK_EBUSY)
		out_warn(&kv->out, "%s", err.text);
	if (settled == RK_OK || settled == RK_EBUSY || r != RK_OK)
		return r;
	kv->err = err;
	return settled;
}

void
kv_let_go(struct kv *kv)
{
	remember(kv);
	rk_secret_free(kv->pass);
	pass_forget();
	agent_hang_up(kv->agent);
	vault_close(kv->vault);
	kv->agent = NULL;
	kv->pass = NULL;
	kv->vault = NULL;
}

enum rk_err
kv_set_path(struct kv *kv)
{
	const char *given = args_text(kv->args, "vault", NULL);

	if (given != NULL) {
		if (given[0] != '\0' && str_copy(kv->path, sizeof(kv->path),
		                            given) < sizeof(kv->path))
			return RK_OK;
		return err_set(&kv->err, RK_EINVAL,
		    "--vault: the path is empty or too long");
	}
	if (path_user(PATH_DATA, "vault.db", kv->path) == RK_OK)
		return RK_OK;
	kv_retry(kv, "--vault FILE");
	return err_set(&kv->err, RK_ENOENT,
	    "no vault named, and neither HOME nor XDG_DATA_HOME is set");
}

enum rk_err
kv_open(struct kv *kv)
{
	enum rk_err r = vault_open(kv->path, &kv->vault, &kv->err);

	/* Whoever makes room, or asks why, may want to look first. */
	if (r != RK_OK && vault_is_shut_in(kv->path, &kv->err))
		r = vault_open_full(kv->path, &kv->vault, &kv->err);
	if (r == RK_ENOENT)
		kv_retry(kv, "keyvault init");
	return r;
}

/* Whoever tries passphrases waits. */
static void
pause_after_wrong(void)
{
	const struct timespec second = { .tv_sec = 1 };

	(void)nanosleep(&second, NULL);
}

enum rk_err
kv_unlock_with(struct kv *kv, struct vault *v, const struct rk_secret *pass)
{
	struct seen seen;
	enum rk_err r;

	seen_read(v, &seen);
	r = vault_unlock(v, pass, &kv->err);
	/* A copy that is to be restored may be older. */
	if (r != RK_OK || v != kv->vault)
		return r;
	kv->verified = true;
	(void)seen_look(kv, &seen);
	return RK_OK;
}

enum rk_err
kv_with_pass(struct kv *kv, struct vault *v, const char *path, const char *flag,
    with_pass_fn *fn, struct rk_secret **keep)
{
	struct pass_source src = {
		.spec = args_text(kv->args, flag, NULL),
		.flag = strcmp(flag, "pass") == 0 ? "--pass" : "--file-pass",
		.what = "vault",
		.key = strcmp(flag, "pass") == 0 ? kv->key : NULL,
		.no_input = args_flag(kv->args, "no-input"),
	};
	struct rk_secret *word = NULL;
	enum rk_err r;

	for (unsigned i = 0;; i++) {
		r = pass_get(&src, path, i, &word);
		if (r == RK_EPASS)
			return r; /* and err is the vault's */
		if (r != RK_OK) {
			kv->err = src.err;
			return r;
		}
		kv_tell_wait(kv, path);
		r = fn(kv, v, word);
		if (r == RK_OK && keep != NULL)
			*keep = word;
		else
			rk_secret_free(word);
		if (r != RK_EPASS)
			return r;
		pause_after_wrong();
	}
}

enum rk_err
kv_unlock(struct kv *kv)
{
	enum rk_err r;

	if (kv->vault == NULL && (r = kv_open(kv)) != RK_OK)
		return r;
	return kv_with_pass(
	    kv, kv->vault, kv->path, "pass", kv_unlock_with, &kv->pass);
}

enum rk_err
kv_open_names(struct kv *kv)
{
	struct vault_info info;
	enum rk_err r;

	if ((r = kv_open(kv)) != RK_OK ||
	    (r = vault_inspect(kv->vault, &info, &kv->err)) != RK_OK)
		return r;
	return info.hidden ? kv_unlock(kv) : RK_OK;
}

enum rk_err
kv_new_pass(struct kv *kv, const char *flag, const char *what, const char *path,
    struct rk_secret **out)
{
	char dashed[32];
	struct pass_source src = {
		.spec = args_text(kv->args, flag, NULL),
		.flag = dashed,
		.what = what,
		.no_input = args_flag(kv->args, "no-input"),
		.twice = true,
	};
	enum rk_err r;

	(void)snprintf(dashed, sizeof(dashed), "--%s", flag);
	if ((r = pass_get(&src, path, 0, out)) != RK_OK)
		kv->err = src.err;
	else
		kv_tell_wait(kv, path);
	return r;
}

enum rk_err
kv_calibrate(struct kv *kv, struct kdf_params *kdf, uint64_t *takes)
{
	uint64_t target = args_number(kv->args, "kdf-time", KDF_MS);
	enum rk_err r;

	if (isatty(STDERR_FILENO) == 1)
		out_note(&kv->out, "measuring how long a passphrase takes");
	if ((r = kdf_calibrate(target, kdf, takes)) != RK_OK)
		return kv_fail(kv, r, kv->path, rk_err_text(r));
	return RK_OK;
}

void
kv_tell_cost(const struct kv *kv, const struct kdf_params *kdf, uint64_t takes)
{
	uint64_t target = args_number(kv->args, "kdf-time", KDF_MS);
	bool most = kdf->passes == KDF_PASSES_MAX && takes < target;

	out_note(&kv->out,
	    "unlocking takes about %.1f s and %u MiB: Argon2id, %u passes%s",
	    (double)takes / 1000, kdf->kib / 1024, kdf->passes,
	    most ? ", which is the most there is" : "");
}

enum rk_err
kv_row(struct kv *kv, const struct field *fields, size_t n,
    const union cell *cells)
{
	struct table *t;
	enum rk_err r;

	if ((r = table_new(&kv->out, fields, n, &t)) == RK_OK) {
		r = table_row(t, cells);
		table_end(t);
	}
	return r == RK_OK ? r : kv_fail(kv, r, kv->path, rk_err_text(r));
}

/* ---- files ---- */

static enum rk_err
read_input(struct kv *kv, size_t max, struct rk_secret **out)
{
	struct buf b;
	enum rk_err r;

	buf_init(&b, max);
	if ((r = buf_guard(&b, 0)) != RK_OK)
		return kv_fail(kv, r, "-", rk_err_text(r));
	r = fs_read_fd(STDIN_FILENO, max, &b, &kv->err);
	if (r == RK_OK &&
	    (r = rk_secret_copy(buf_peek(&b), buf_len(&b), out)) != RK_OK)
		r = kv_fail(kv, r, "-", rk_err_text(r));
	buf_wipe(&b);
	return r;
}

enum rk_err
kv_read(struct kv *kv, const char *path, size_t max, struct rk_secret **out)
{
	*out = NULL;
	if (strcmp(path, "-") == 0)
		return read_input(kv, max, out);
	return fs_read_secret(path, FS_ANY, max, out, &kv->err);
}

enum rk_err
kv_write(struct kv *kv, const char *path, const void *data, size_t len)
{
	char shown[SHOWN_LEN];
	enum rk_err r;

	/* It may be secret: past the stream, whose buffer is not wiped. */
	if (path == NULL || strcmp(path, "-") == 0)
		return out_direct(&kv->out, data, len, &kv->err);
	r = fs_write_file(path, data, len, 0600, false, &kv->err);
	if (r == RK_OK)
		out_note(&kv->out, "wrote %s (0600)",
		    str_escape(shown, sizeof(shown), path));
	return r;
}
