/* Keys as files have them: told apart, read and written. */
#include "keyvault.h"

#include <stdio.h>
#include <string.h>

#include <rpckit/psk.h>

#include "base/error.h"
#include "base/ssh.h"
#include "base/str.h"
#include "cli/pass.h"
#include "late.h"

/* SubjectPublicKeyInfo of an Ed25519 key, up to its bytes (RFC 8410). */
static const uint8_t spki[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65,
	0x70, 0x03, 0x21, 0x00 };
#define PUBLIC_LABEL "PUBLIC KEY"

#define PSK_ID_HALF 4 /* digits of each of its two groups; and its bytes */

struct asking {
	struct kv *kv;
	struct pass_source src;
};

static enum rk_err
ask(const char *path, unsigned attempt, struct rk_secret **out, void *arg)
{
	struct asking *a = arg;
	enum rk_err r;

	/* Whether it can be read is known before the passphrase is. */
	if ((r = late_load(&a->src.err)) != RK_OK)
		return r;
	kv_progress_hide(a->kv);
	r = pass_callback(path, attempt, out, &a->src);
	if (r == RK_OK)
		kv_tell_wait(a->kv, path);
	return r;
}

static enum rk_err
read_key(struct kv *kv, const char *name, const struct rk_secret *bytes,
    struct rk_key **out)
{
	struct asking a = {
		.kv = kv,
		.src = {
			.spec = args_text(kv->args, "file-pass", NULL),
			.flag = "--file-pass",
			.what = "key file",
			.no_input = args_flag(kv->args, "no-input"),
		},
	};
	const char *text = (const char *)rk_secret_peek(bytes);
	size_t len = rk_secret_len(bytes);
	enum rk_err r;

	r = rk_key_parse(name, text, len, ask, &a, out, &kv->err);
	if (r != RK_OK && r != RK_EPASS && a.src.err.code == r)
		kv->err = a.src.err;
	return r;
}

/* What is kept of the id that both ends of a connection compare. */
static enum rk_err
put_psk_id(struct kv *kv, struct record *rec, const struct rk_secret *secret)
{
	static const uint8_t zeros[RK_PSK_LEN];
	char id[RK_PSK_ID_LEN];

	if (rk_secret_eq(rk_secret_peek(secret), zeros, sizeof(zeros)))
		return kv_fail(kv, RK_EFORMAT, rec->name,
		    "a pre-shared key of zeros, which everybody knows");
	rk_psk_id(rk_secret_peek(secret), id);
	memmove(id + PSK_ID_HALF, id + PSK_ID_HALF + 1, PSK_ID_HALF);
	return str_unhex(id, (size_t)PSK_ID_HALF * 2, rec->pub,
	    sizeof(rec->pub), &rec->pub_len);
}

enum rk_err
form_public(struct kv *kv, struct record *rec, const struct rk_secret *secret)
{
	struct rk_key *key = NULL;
	enum rk_err r;

	rec->pub_len = 0;
	if (rec->kind == RECORD_PSK)
		return put_psk_id(kv, rec, secret);
	if (rec->kind != RECORD_ED25519)
		return RK_OK;
	if ((r = rk_key_from_seed(rk_secret_peek(secret), &key)) != RK_OK)
		return kv_fail(kv, r, rec->name, rk_err_text(r));
	rk_key_public(key, rec->pub);
	rec->pub_len = RK_KEY_PUBLIC_LEN;
	rk_key_free(key);
	return RK_OK;
}

static enum rk_err
copy(struct kv *kv, const char *name, const void *data, size_t len,
    struct rk_secret **out)
{
	enum rk_err r = rk_secret_copy(data, len, out);

	return r == RK_OK ? r : kv_fail(kv, r, name, rk_err_text(r));
}

/* By what it looks like; a private key is text, and never of 32 bytes. */
static enum record_kind
kind_of(const struct rk_secret *bytes)
{
	static const char begin[] = "-----BEGIN ";

	if (memmem(rk_secret_peek(bytes), rk_secret_len(bytes), begin,
	        sizeof(begin) - 1) != NULL)
		return RECORD_ED25519;
	return rk_secret_len(bytes) == RK_PSK_LEN ? RECORD_PSK : RECORD_SECRET;
}

enum rk_err
form_read(struct kv *kv, const char *name, const struct rk_secret *bytes,
    const char *type, struct record *rec, struct rk_secret **secret)
{
	enum record_kind kind = kind_of(bytes);
	struct rk_key *key = NULL;
	const char *why;
	enum rk_err r;

	*secret = NULL;
	if (type == NULL && kind == RECORD_SECRET) {
		kv_retry(kv, "--type secret, to keep any bytes");
		return kv_fail(kv, RK_EFORMAT, name,
		    "is neither PEM, nor of OpenSSH, nor 32 bytes");
	}
	if (type != NULL && record_kind_parse(type, &rec->kind) != RK_OK)
		return kv_fail(kv, RK_EINVAL, type, "is no type");
	if (type == NULL)
		rec->kind = kind;
	if (rec->kind == RECORD_ED25519) {
		if ((r = read_key(kv, name, bytes, &key)) != RK_OK)
			return r;
		r = copy(kv, name, rk_key_seed(key), RK_KEY_SEED_LEN, secret);
		rk_key_free(key);
	} else {
		why = record_secret_fault(rec->kind, rk_secret_len(bytes));
		if (why != NULL)
			return kv_fail(kv, RK_EFORMAT, name, why);
		r = copy(kv, name, rk_secret_peek(bytes), rk_secret_len(bytes),
		    secret);
	}
	return r == RK_OK ? form_public(kv, rec, *secret) : r;
}

void
form_id(const struct kv *kv, const struct record *rec, char out[SHOWN_ID_LEN])
{
	char fp[RK_FP_LEN];
	char id[(size_t)PSK_ID_HALF * 2 + 1];

	if (rec->kind == RECORD_ED25519) {
		rk_fp_of_key(rec->pub, fp);
		if (kv->out.form == OUT_TEXT)
			rk_fp_group(fp, out);
		else
			(void)str_copy(out, SHOWN_ID_LEN, fp);
	} else if (rec->kind == RECORD_PSK) {
		str_hex(id, rec->pub, PSK_ID_HALF);
		(void)snprintf(out, SHOWN_ID_LEN, "id %.*s %s", PSK_ID_HALF, id,
		    id + PSK_ID_HALF);
	} else {
		(void)str_copy(out, SHOWN_ID_LEN, "-");
	}
}

/* ---- written ---- */

static enum rk_err
write_key(struct kv *kv, const struct record *rec, const struct rk_key *key,
    const char *form, const struct rk_secret *pass, struct rk_secret **out)
{
	enum rk_key_form as = RK_KEY_PKCS8;
	enum rk_err r;

	if (pass != NULL) {
		if ((r = late_load(&kv->err)) != RK_OK)
			return r;
		as = strcmp(form, "rpc25519") == 0 ? RK_KEY_RPC25519
		                                   : RK_KEY_PKCS8_PBES2;
	}
	r = strcmp(form, "openssh") == 0
	        ? rk_key_format_openssh(key, rec->name, pass, out)
	        : rk_key_format(key, as, pass, out);
	return r == RK_OK ? r : kv_fail(kv, r, rec->name, rk_err_text(r));
}

enum rk_err
form_write(struct kv *kv, const struct record *rec,
    const struct rk_secret *secret, const char *form,
    const struct rk_secret *pass, struct rk_secret **out)
{
	struct rk_key *key = NULL;
	enum rk_err r;

	*out = NULL;
	if (rec->kind != RECORD_ED25519)
		return copy(kv, rec->name, rk_secret_peek(secret),
		    rk_secret_len(secret), out);
	if ((r = rk_key_from_seed(rk_secret_peek(secret), &key)) != RK_OK)
		return kv_fail(kv, r, rec->name, rk_err_text(r));
	r = write_key(kv, rec, key, form, pass, out);
	rk_key_free(key);
	return r;
}

enum rk_err
form_write_public(
    struct kv *kv, const struct record *rec, const char *form, struct buf *b)
{
	uint8_t der[sizeof(spki) + RK_KEY_PUBLIC_LEN];
	char text[128];
	enum rk_err r;

	if (rec->kind != RECORD_ED25519)
		return kv_fail(kv, RK_EINVAL, rec->name,
		    "is no Ed25519 key: only these have a public half");
	if (strcmp(form, "pem") == 0) {
		memcpy(der, spki, sizeof(spki));
		memcpy(der + sizeof(spki), rec->pub, RK_KEY_PUBLIC_LEN);
		str_base64(text, der, sizeof(der), STR_BASE64);
		r = buf_printf(b,
		    "-----BEGIN " PUBLIC_LABEL
		    "-----\n%s\n-----END " PUBLIC_LABEL "-----\n",
		    text);
	} else if ((r = ssh_put_line(b, rec->pub, rec->name)) == RK_OK) {
		r = buf_put_str(b, "\n");
	}
	return r == RK_OK ? r : kv_fail(kv, r, rec->name, rk_err_text(r));
}

enum rk_err
form_read_public(struct kv *kv, const char *name, const struct rk_secret *bytes,
    uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	const char *text = (const char *)rk_secret_peek(bytes);
	size_t len = rk_secret_len(bytes);
	struct rk_secret *der = NULL;
	enum rk_err r = RK_EFORMAT;

	if (ssh_unarmor(text, len, PUBLIC_LABEL, &der) == RK_OK) {
		if (rk_secret_len(der) == sizeof(spki) + RK_KEY_PUBLIC_LEN &&
		    memcmp(rk_secret_peek(der), spki, sizeof(spki)) == 0) {
			memcpy(pub, rk_secret_peek(der) + sizeof(spki),
			    RK_KEY_PUBLIC_LEN);
			r = RK_OK;
		}
		rk_secret_free(der);
	} else {
		r = ssh_get_line(text, len, pub);
	}
	return r == RK_OK
	           ? r
	           : kv_fail(kv, r, name, "has no Ed25519 public key in it");
}
