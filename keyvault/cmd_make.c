/* init and new: a vault, and keys made in it. */
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"
#include "keyvault.h"

#define WORD_BYTES 32 /* of a secret that is made */

/* ---- init ---- */

enum rk_err
verb_init(struct kv *kv)
{
	struct vault_setup setup = { .hide =
		                         args_flag(kv->args, "hide-names") };
	char shown[SHOWN_LEN];
	struct rk_secret *pass = NULL;
	uint64_t takes = 0;
	enum rk_err r;

	/* Nobody is to think of a passphrase for nothing. */
	if (access(kv->path, F_OK) == 0)
		return kv_fail(kv, RK_EEXIST, kv->path, "is there already");
	if ((r = kv_new_pass(kv, "pass", "new vault", kv->path, &pass)) !=
	        RK_OK ||
	    (r = kv_calibrate(kv, &setup.kdf, &takes)) != RK_OK ||
	    (r = vault_make(kv->path, &setup, pass, &kv->err)) != RK_OK)
		goto out;
	out_note(&kv->out, "made %s (0600)",
	    str_escape(shown, sizeof(shown), kv->path));
	kv_tell_cost(kv, &setup.kdf, takes);
out:
	rk_secret_free(pass);
	return r;
}

/* ---- new ---- */

/* "2035-11-02", its last second. */
static enum rk_err
parse_date(struct kv *kv, const char *text, int64_t *out)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%d", &tm);
	int day = tm.tm_mday;

	*out = 0;
	tm.tm_hour = 23;
	tm.tm_min = 59;
	tm.tm_sec = 59;
	if (end != NULL && *end == '\0' && strlen(text) == 10)
		*out = (int64_t)timegm(&tm);
	if (*out <= 0 || tm.tm_mday != day)
		return kv_fail(
		    kv, RK_EINVAL, text, "is no day of the form 2035-11-02");
	return RK_OK;
}

static enum rk_err
read_template(struct kv *kv, struct record *rec)
{
	const char *note = args_text(kv->args, "note", "");
	const char *expires = args_text(kv->args, "expires", NULL);
	enum rk_err r;

	r = record_kind_parse(
	    args_text(kv->args, "type", "ed25519"), &rec->kind);
	if (r != RK_OK)
		return kv_fail(kv, r, "--type", rk_err_text(r));
	if (str_copy(rec->note, sizeof(rec->note), note) >= sizeof(rec->note))
		return kv_fail(
		    kv, RK_EINVAL, "--note", record_note_fault(note));
	return expires == NULL ? RK_OK : parse_date(kv, expires, &rec->expires);
}

/* Random: a seed, a key, or a word of 43 characters that can be typed. */
static enum rk_err
make_secret(struct kv *kv, enum record_kind kind, struct rk_secret **out)
{
	uint8_t bytes[WORD_BYTES];
	char word[64];
	enum rk_err r;

	rk_random(bytes, sizeof(bytes));
	if (kind == RECORD_SECRET) {
		str_base64(word, bytes, sizeof(bytes), STR_BASE64URL_NOPAD);
		r = rk_secret_copy(word, strlen(word), out);
		rk_wipe(word, sizeof(word));
	} else {
		r = rk_secret_copy(bytes, sizeof(bytes), out);
	}
	rk_wipe(bytes, sizeof(bytes));
	return r == RK_OK ? r : kv_fail(kv, r, "new key", rk_err_text(r));
}

static enum rk_err
make_one(struct kv *kv, const struct record *like, const char *name,
    struct record *rec)
{
	struct rk_secret *secret = NULL;
	enum rk_err r;

	*rec = *like;
	if (str_copy(rec->name, sizeof(rec->name), name) >= sizeof(rec->name))
		return kv_fail(
		    kv, RK_EINVAL, name, "the name is longer than 128 bytes");
	if ((r = make_secret(kv, rec->kind, &secret)) == RK_OK &&
	    (r = form_public(kv, rec, secret)) == RK_OK &&
	    (r = vault_begin(kv->vault, &kv->err)) == RK_OK &&
	    (r = vault_add(kv->vault, rec, secret, VAULT_ACT_NEW, &kv->err)) ==
	        RK_OK)
		r = vault_commit(kv->vault, &kv->err);
	vault_cancel(kv->vault);
	rk_secret_free(secret);
	return r;
}

/* A line of standard input, which is a name; *more: there was one. */
static enum rk_err
next_name(struct kv *kv, char name[RECORD_NAME_MAX + 1], bool *more)
{
	size_t len = 0;
	int c;

	while ((c = getc(stdin)) != EOF && c != '\n') {
		if (len == RECORD_NAME_MAX)
			return kv_fail(kv, RK_EINVAL, "-",
			    "a name is longer than 128 bytes");
		/* What is told to be safe is what was asked for. */
		if (c == '\0')
			return kv_fail(
			    kv, RK_EINVAL, "-", "a name has a NUL byte");
		name[len++] = (char)c;
	}
	if (ferror(stdin) != 0)
		return err_sys(&kv->err, RK_EIO, errno, "-");
	name[len] = '\0';
	*more = c != EOF || len > 0;
	return RK_OK;
}

/* Each is safe on the disk when its name is told, and not before. */
static enum rk_err
make_many(struct kv *kv, const struct record *like)
{
	char name[RECORD_NAME_MAX + 1];
	struct record rec;
	bool more;
	enum rk_err r;

	while ((r = next_name(kv, name, &more)) == RK_OK && more) {
		if ((r = make_one(kv, like, name, &rec)) != RK_OK)
			break;
		out_text(&kv->out, "ok %s\n", rec.name);
		r = out_flush(&kv->out);
		if (r != RK_OK)
			return kv_fail(kv, r, "-", rk_err_text(r));
	}
	return r;
}

enum rk_err
verb_new(struct kv *kv)
{
	const char *name = kv_operand(kv, 0);
	bool ack = args_flag(kv->args, "ack");
	struct record like = { 0 };
	struct record rec;
	char id[SHOWN_ID_LEN];
	enum rk_err r;

	if (ack != (strcmp(name, "-") == 0))
		return kv_fail(kv, RK_EINVAL, "new",
		    "--ack goes with -, for names on standard input");
	if ((r = read_template(kv, &like)) != RK_OK ||
	    (r = kv_unlock(kv)) != RK_OK)
		return r;
	if (ack)
		return make_many(kv, &like);
	if ((r = make_one(kv, &like, name, &rec)) != RK_OK)
		return r;
	form_id(kv, &rec, id);
	out_note(&kv->out, "%s: made, %s", rec.name, id);
	return RK_OK;
}
