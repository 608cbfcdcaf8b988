/* sign and verify: files, in a context, in the form of ssh-keygen -Y. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "agent_proto.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "keyvault.h"
#include "sshsig.h"

#define PIECE 16384
#define DEFAULT_CONTEXT "file"

/* ---- hashes of what may be large ---- */

static enum rk_err
hash_fd(struct kv *kv, int fd, const char *path, uint8_t out[CRYPT_HASH512_LEN])
{
	struct crypt_sha512 h;
	uint8_t piece[PIECE];
	ssize_t n;

	crypt_sha512_init(&h);
	for (;;) {
		n = read(fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fs_fail(&kv->err, errno, path);
		if (n == 0)
			break;
		crypt_sha512_update(&h, piece, (size_t)n);
	}
	crypt_sha512_final(&h, out);
	return RK_OK;
}

static enum rk_err
hash_file(struct kv *kv, const char *path, uint8_t out[CRYPT_HASH512_LEN])
{
	struct stat st;
	enum rk_err r;
	int fd;

	if (strcmp(path, "-") == 0)
		return hash_fd(kv, STDIN_FILENO, path, out);
	if ((r = fs_open(path, FS_ANY, &fd, &st, &kv->err)) != RK_OK)
		return r;
	r = hash_fd(kv, fd, path, out);
	(void)close(fd);
	return r;
}

/* ---- sign ---- */

static void
warn_if_over(struct kv *kv, const struct record *rec)
{
	char when[32];

	if (rec->expires == 0 || rec->expires > (int64_t)time(NULL))
		return;
	str_time(when, rec->expires);
	out_warn(&kv->out, "%s: its time was over at %s", rec->name, when);
}

/* FILE.sig, or what -o says; "-": standard output. */
static enum rk_err
output_of(struct kv *kv, const char *path, char out[PATH_LEN])
{
	const char *to = args_text(kv->args, "output", NULL);
	int n;

	if (to == NULL && strcmp(path, "-") == 0)
		to = path;
	n = to != NULL ? snprintf(out, PATH_LEN, "%s", to)
	               : snprintf(out, PATH_LEN, "%s.sig", path);
	return n < PATH_LEN
	           ? RK_OK
	           : kv_fail(kv, RK_ETOOBIG, path, "the path is too long");
}

/* Nothing is there, and something can be made there. */
static enum rk_err
check_output(struct kv *kv, const char *path)
{
	char folder[PATH_LEN];
	char *slash;
	struct stat st;

	if (lstat(path, &st) == 0)
		return fs_fail(&kv->err, EEXIST, path);
	(void)str_copy(folder, sizeof(folder), path);
	slash = strrchr(folder, '/');
	if (slash == NULL)
		(void)str_copy(folder, sizeof(folder), ".");
	else
		slash[slash == folder ? 1 : 0] = '\0';
	return access(folder, W_OK | X_OK) == 0
	           ? RK_OK
	           : fs_fail(&kv->err, errno, folder);
}

/* Before a use is spent, and the log says that it was: what is there is not
 * written over. */
static enum rk_err
check_outputs(struct kv *kv, const char *const *words, size_t n)
{
	char path[PATH_LEN];
	enum rk_err r;

	for (size_t i = 1; i < n; i++) {
		if ((r = output_of(kv, words[i], path)) != RK_OK)
			return r;
		if (strcmp(path, "-") == 0)
			continue;
		if ((r = check_output(kv, path)) != RK_OK)
			return r;
		for (size_t j = 1; j < i; j++)
			if (strcmp(words[i], words[j]) == 0)
				return kv_fail(
				    kv, RK_EINVAL, words[i], "is named twice");
	}
	return RK_OK;
}

static enum rk_err
write_signature(struct kv *kv, const char *path, const struct rk_secret *text)
{
	char to[PATH_LEN];
	enum rk_err r = output_of(kv, path, to);

	return r != RK_OK ? r
	                  : kv_write(kv, to, rk_secret_peek(text),
	                        rk_secret_len(text));
}

/* The log is on the disk before the signature leaves. */
static enum rk_err
sign_file(struct kv *kv, const struct rk_key *key, const struct record *rec,
    const char *context, const char *path)
{
	uint8_t hash[CRYPT_HASH512_LEN];
	char hex[17];
	char more[SHOWN_LEN + 128];
	char shown[SHOWN_LEN];
	struct rk_secret *text = NULL;
	enum rk_err r;

	if ((r = hash_file(kv, path, hash)) != RK_OK)
		return r;
	str_hex(hex, hash, 8);
	(void)snprintf(more, sizeof(more), "%s sha512 %s %s", context, hex,
	    str_escape(shown, sizeof(shown), path));
	if ((r = sshsig_make(key, context, hash, &text)) != RK_OK)
		return kv_fail(kv, r, rec->name, rk_err_text(r));
	if ((r = vault_begin(kv->vault, &kv->err)) == RK_OK &&
	    (r = vault_log(kv->vault, VAULT_ACT_SIGN, rec->name, more,
	         &kv->err)) == RK_OK &&
	    (r = vault_commit(kv->vault, &kv->err)) == RK_OK)
		r = write_signature(kv, path, text);
	vault_cancel(kv->vault);
	rk_secret_free(text);
	return r;
}

/* Every file with the key that the passphrase opens. */
static enum rk_err
sign_here(
    struct kv *kv, const char *context, const char *const *words, size_t n)
{
	struct rk_secret *secret = NULL;
	struct rk_key *key = NULL;
	struct record rec;
	enum rk_err r;

	if ((r = kv_unlock(kv)) != RK_OK ||
	    (r = vault_secret(kv->vault, words[0], &rec, &secret, &kv->err)) !=
	        RK_OK)
		return r;
	if (rec.kind != RECORD_ED25519) {
		r = kv_fail(kv, RK_EINVAL, rec.name,
		    "is no Ed25519 key, and cannot sign");
		goto out;
	}
	if ((agent_uses(&rec) & USE_FILE) == 0) {
		r = kv_fail(kv, RK_EDENIED, rec.name,
		    "is not for this use, which takes the tag use:file");
		goto out;
	}
	warn_if_over(kv, &rec);
	r = rk_key_from_seed(rk_secret_peek(secret), &key);
	if (r != RK_OK)
		r = kv_fail(kv, r, rec.name, rk_err_text(r));
	for (size_t i = 1; i < n && r == RK_OK; i++)
		r = sign_file(kv, key, &rec, context, words[i]);
out:
	rk_key_free(key);
	rk_secret_free(secret);
	return r;
}

/* A key that is open. */
struct wanted {
	const char *name;
	bool open;
	uint64_t uses_left;
};

static void
look_for(const struct agent_key *key, void *arg)
{
	struct wanted *w = arg;

	if (strcmp(key->name, w->name) != 0)
		return;
	w->open = true;
	w->uses_left = key->uses_left;
}

/* Or the next one who signs wonders where it is. */
static void
tell_if_closed(struct kv *kv, const struct wanted *w, uint64_t used)
{
	char shown[SHOWN_LEN];

	if (w->uses_left != AGENT_FOREVER && used >= w->uses_left)
		out_note(&kv->out,
		    "%s: that was the last use: the agent has closed it",
		    str_escape(shown, sizeof(shown), w->name));
}

/* The agent's log has the line before the signature leaves it. */
static enum rk_err
sign_by_agent(struct kv *kv, const char *context, const char *const *words,
    size_t n, const struct wanted *w)
{
	uint64_t used = 0;
	uint8_t hash[CRYPT_HASH512_LEN];
	struct rk_secret *text = NULL;
	enum rk_err r = RK_OK;

	for (size_t i = 1; i < n && r == RK_OK; i++) {
		if ((r = hash_file(kv, words[i], hash)) == RK_OK &&
		    (r = kv_agent_sign(kv, words[0], context, hash, &text)) ==
		        RK_OK) {
			used++;
			r = write_signature(kv, words[i], text);
		}
		rk_secret_free(text);
		text = NULL;
	}
	tell_if_closed(kv, w, used);
	return r;
}

enum rk_err
verb_sign(struct kv *kv)
{
	const char *context = args_text(kv->args, "ns", DEFAULT_CONTEXT);
	const char *why = sshsig_context_fault(context);
	size_t n;
	const char *const *words = args_operands(kv->args, &n);
	struct wanted w = { .name = words[0] };
	enum rk_err r;

	if (why != NULL)
		return kv_fail(kv, RK_EINVAL, "--ns", why);
	if (args_given(kv->args, "output") && n > 2)
		return kv_fail(
		    kv, RK_EINVAL, "--output", "is for one file only");
	if ((r = check_outputs(kv, words, n)) != RK_OK ||
	    (r = kv_open(kv)) != RK_OK)
		return r;
	kv_try_agent(kv);
	if (kv->agent != NULL && (r = kv_agent_keys(kv, look_for, &w)) != RK_OK)
		return r;
	return w.open ? sign_by_agent(kv, context, words, n, &w)
	              : sign_here(kv, context, words, n);
}

/* ---- verify ---- */

static enum rk_err
signer(struct kv *kv, uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	const char *name = args_text(kv->args, "key", NULL);
	const char *path = args_text(kv->args, "pub", NULL);
	struct rk_secret *bytes = NULL;
	struct record rec;
	enum rk_err r;

	if ((name == NULL) == (path == NULL))
		return kv_fail(kv, RK_EINVAL, "verify",
		    "whose signature? give --key NAME or --pub FILE");
	if (path != NULL) {
		r = kv_read(kv, path, SSHSIG_FILE_MAX, &bytes);
		if (r == RK_OK)
			r = form_read_public(kv, path, bytes, pub);
		rk_secret_free(bytes);
		return r;
	}
	if ((r = kv_look(kv)) != RK_OK ||
	    (r = kv_find(kv, name, &rec)) != RK_OK)
		return r;
	if (rec.kind != RECORD_ED25519)
		return kv_fail(kv, RK_EINVAL, name, "is no Ed25519 key");
	memcpy(pub, rec.pub, RK_KEY_PUBLIC_LEN);
	return RK_OK;
}

/* why NULL: yes. */
static enum rk_err
answer(struct kv *kv, const char *path, const uint8_t *pub, const char *why)
{
	static const struct field fields[] = {
		{ .name = "file" },
		{ .name = "ok", .kind = FIELD_BOOL },
		{ .name = "fp" },
		{ .name = "why" },
	};
	char shown[SHOWN_LEN];
	char fp[RK_FP_LEN];
	struct table *t;
	enum rk_err r;

	kv->status = why == NULL ? 0 : 1;
	rk_fp_of_key(pub, fp);
	if (kv->out.form == OUT_TEXT) {
		out_text(&kv->out, "%s  %s  %s\n", why == NULL ? "ok" : "bad",
		    str_escape(shown, sizeof(shown), path),
		    why == NULL ? fp : why);
		return RK_OK;
	}
	if ((r = table_new(&kv->out, fields, 4, &t)) != RK_OK)
		return kv_fail(kv, r, path, rk_err_text(r));
	r = table_row(
	    t, (const union cell[]){ { .text = path }, { .yes = why == NULL },
	           { .text = fp }, { .text = why } });
	table_end(t);
	return r == RK_OK ? r : kv_fail(kv, r, path, rk_err_text(r));
}

enum rk_err
verb_verify(struct kv *kv)
{
	const char *context = args_text(kv->args, "ns", DEFAULT_CONTEXT);
	const char *path = kv_operand(kv, 0);
	const char *sig_path = kv_operand(kv, 1);
	uint8_t hash[CRYPT_HASH512_LEN];
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct rk_secret *text = NULL;
	struct sshsig sig;
	enum rk_err r;

	if ((r = signer(kv, pub)) != RK_OK ||
	    (r = kv_read(kv, sig_path, SSHSIG_FILE_MAX, &text)) != RK_OK)
		return r;
	r = sshsig_parse(
	    (const char *)rk_secret_peek(text), rk_secret_len(text), &sig);
	rk_secret_free(text);
	if (r != RK_OK)
		return kv_fail(kv, r, sig_path,
		    r == RK_EUNSUPPORTED
		        ? "is a signature of a kind that is not known here"
		        : "is no signature");
	if ((r = hash_file(kv, path, hash)) != RK_OK)
		return r;
	if (memcmp(sig.pub, pub, sizeof(pub)) != 0)
		return answer(kv, path, pub, "another key has signed");
	if (strcmp(sig.context, context) != 0)
		return answer(
		    kv, path, pub, "signed for another purpose (--ns)");
	if (!sshsig_fits(&sig, hash))
		return answer(kv, path, pub, "this is not what was signed");
	return answer(kv, path, pub, NULL);
}
