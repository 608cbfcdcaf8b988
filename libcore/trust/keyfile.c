/* Key files: find the key in the text, ask for the passphrase, read, write. */
#include "trust/keyfile.h"

#include <rpckit/sshkeys.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "trust/openssh.h"
#include "trust/pkcs8.h"

#include <rpckit/signer.h>

#define FILE_MAX 65536
#define NAME_TEXT 160 /* a path in a message */
/* What a new file of the rpc25519 form asks for; its programs do the same. */
#define NEW_PASSES 12
#define NEW_KIB 262144
#define NEW_LANES 1
#define NEW_SALT_LEN 16

/* One key being read. */
struct job {
	const char *path;     /* as the caller named it */
	char name[NAME_TEXT]; /* the same for messages */
	rk_pass_fn *pass;
	void *arg;
	struct rk_error *err;
	struct pem_block block;
	struct rk_secret *data; /* the block's bytes */
	bool go;                /* else PBES2, when encrypted */
	struct keyfile_argon argon;
	struct keyfile_pbes2 pbes2;
};

/* Blocks that hold something else, and what to say when no key is there. */
static const struct stranger {
	const char *label;
	enum rk_err code;
	const char *what;
} strangers[] = {
	{ "CERTIFICATE", RK_EFORMAT, "a certificate, not a private key" },
	{ "X509 CRL", RK_EFORMAT, "a revocation list, not a private key" },
	{ "CERTIFICATE REQUEST", RK_EFORMAT,
	    "a certificate request, not a private key" },
	{ "PUBLIC KEY", RK_EFORMAT, "a public key, not a private key" },
	{ "RSA PRIVATE KEY", RK_EUNSUPPORTED, "an RSA key, not Ed25519" },
	{ "EC PRIVATE KEY", RK_EUNSUPPORTED, "an EC key, not Ed25519" },
	{ "DSA PRIVATE KEY", RK_EUNSUPPORTED, "a DSA key, not Ed25519" },
};

static bool
is_key(const struct pem_block *block)
{
	return pem_is(block, KEYFILE_LABEL_PLAIN) ||
	       pem_is(block, KEYFILE_LABEL_ENCRYPTED);
}

static const struct stranger *
find_stranger(const struct pem_block *block)
{
	size_t i;

	for (i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++) {
		if (pem_is(block, strangers[i].label))
			return &strangers[i];
	}
	return NULL;
}

/* The first private key in the text. */
static enum rk_err
find_key(struct job *job, const char *pem, size_t len)
{
	const struct stranger *seen = NULL;
	size_t at = 0;
	enum rk_err r;

	while ((r = pem_next(pem, len, &at, &job->block)) == RK_OK) {
		if (is_key(&job->block))
			return RK_OK;
		if (seen == NULL || seen->code == RK_EFORMAT)
			seen = find_stranger(&job->block);
	}
	if (r == RK_EFORMAT)
		return err_set(job->err, r,
		    "%s: damaged PEM: a block is not closed", job->name);
	if (seen != NULL)
		return err_set(job->err, seen->code, "%s: holds %s", job->name,
		    seen->what);
	return err_set(
	    job->err, RK_EFORMAT, "%s: holds no private key in PEM", job->name);
}

static enum rk_err
decode_block(struct job *job)
{
	enum rk_err r = pem_decode(&job->block, &job->data);

	if (r == RK_OK)
		return RK_OK;
	if (r != RK_EFORMAT)
		return err_set(
		    job->err, r, "%s: %s", job->name, rk_err_text(r));
	return err_set(
	    job->err, r, "%s: damaged base64, or cut off", job->name);
}

static enum rk_err
decode_key(
    const struct job *job, const struct rk_secret *plain, struct rk_key **out)
{
	struct rk_bytes der = { rk_secret_peek(plain), rk_secret_len(plain) };
	const char *other = NULL;
	enum rk_err r = pkcs8_decode(der, out, &other);

	if (r == RK_EUNSUPPORTED)
		return err_set(job->err, r, "%s: holds %s key, not Ed25519",
		    job->name, other);
	if (r == RK_EFORMAT)
		return err_set(
		    job->err, r, "%s: damaged private key", job->name);
	if (r != RK_OK)
		return err_set(
		    job->err, r, "%s: %s", job->name, rk_err_text(r));
	return RK_OK;
}

static enum rk_err
read_params(struct job *job)
{
	struct rk_bytes der = { rk_secret_peek(job->data),
		rk_secret_len(job->data) };

	job->go = keyfile_go_is(&job->block);
	if (job->go)
		return keyfile_go_params(
		    &job->block, &job->argon, job->name, job->err);
	return keyfile_pbes2_params(der, &job->pbes2, job->name, job->err);
}

static enum rk_err
try_pass(
    const struct job *job, const struct rk_secret *pass, struct rk_key **out)
{
	struct rk_secret *plain = NULL;
	enum rk_err r;

	if (job->go)
		r = keyfile_go_open(&job->argon, job->data, pass, &plain);
	else
		r = keyfile_pbes2_open(&job->pbes2, pass, &plain);
	if (r == RK_EFORMAT)
		return err_set(
		    job->err, r, "%s: too short to hold a key", job->name);
	if (r == RK_EPASS)
		return err_set(job->err, r,
		    "%s: wrong passphrase, or the file is damaged", job->name);
	if (r != RK_OK)
		return err_set(
		    job->err, r, "%s: %s", job->name, rk_err_text(r));
	r = decode_key(job, plain, out);
	/* Without a tag, chance may have made good padding. */
	if (r == RK_EFORMAT && !job->go)
		r = err_set(job->err, RK_EPASS,
		    "%s: wrong passphrase, or the file is damaged", job->name);
	rk_secret_free(plain);
	return r;
}

static enum rk_err
ask(const struct job *job, struct rk_key **out)
{
	struct rk_secret *pass = NULL;
	unsigned attempt = 0;
	enum rk_err r = RK_EPASS;
	enum rk_err asked;

	if (job->pass == NULL)
		return err_set(job->err, RK_ENOPASS,
		    "%s: encrypted, and there is no passphrase", job->name);
	for (; r == RK_EPASS; attempt++) {
		pass = NULL;
		asked = job->pass(job->path, attempt, &pass, job->arg);
		if (asked == RK_OK && pass == NULL)
			asked = RK_ENOPASS;
		/* After a wrong one, its refusal leaves that result. */
		if ((asked == RK_ENOPASS || asked == RK_EPASS) && attempt > 0)
			return r;
		if (asked != RK_OK) {
			rk_secret_free(pass);
			return err_set(job->err, asked,
			    "%s: encrypted, and no passphrase was given: %s",
			    job->name, rk_err_text(asked));
		}
		r = try_pass(job, pass, out);
		rk_secret_free(pass);
	}
	return r;
}

enum rk_err
rk_key_parse(const char *name, const char *pem, size_t len, rk_pass_fn *pass,
    void *arg, struct rk_key **out, struct rk_error *err)
{
	struct job job = { .path = name, .pass = pass, .arg = arg, .err = err };
	enum rk_err r;

	*out = NULL;
	err_clear(err);
	str_escape(job.name, sizeof(job.name), name);
	if (openssh_is(pem, len))
		return openssh_parse(name, pem, len, pass, arg, out, err);
	if ((r = find_key(&job, pem, len)) != RK_OK)
		goto out;
	if ((r = decode_block(&job)) != RK_OK)
		goto out;
	if (pem_is(&job.block, KEYFILE_LABEL_PLAIN)) {
		r = decode_key(&job, job.data, out);
		goto out;
	}
	if ((r = read_params(&job)) != RK_OK)
		goto out;
	r = ask(&job, out);
out:
	if (r == RK_OK)
		err_clear(err);
	rk_secret_free(job.data);
	return r;
}

enum rk_err
rk_key_load(const char *path, rk_pass_fn *pass, void *arg, struct rk_key **out,
    struct rk_error *err)
{
	struct rk_secret *text = NULL;
	enum rk_err r;

	*out = NULL;
	err_clear(err);
	if (strncmp(path, RK_KEY_IN_AGENT, sizeof(RK_KEY_IN_AGENT) - 1) == 0)
		return rk_key_of_agent(
		    path + sizeof(RK_KEY_IN_AGENT) - 1, NULL, out, err);
	if (strncmp(path, RK_KEY_IN_SSH_AGENT,
	        sizeof(RK_KEY_IN_SSH_AGENT) - 1) == 0) {
		path += sizeof(RK_KEY_IN_SSH_AGENT) - 1;
		return rk_key_of_ssh_agent(
		    NULL, *path == '\0' ? NULL : path, out, err);
	}
	r = fs_read_secret(path, FS_NO_FOLLOW | FS_PRIVATE | FS_NOT_SHARED,
	    FILE_MAX, &text, err);
	if (r != RK_OK)
		return r;
	r = rk_key_parse(path, (const char *)rk_secret_peek(text),
	    rk_secret_len(text), pass, arg, out, err);
	rk_secret_free(text);
	return r;
}

static enum rk_err
seal_go(const struct rk_secret *plain, const struct rk_secret *pass,
    struct rk_secret **out)
{
	struct keyfile_argon params = {
		.passes = NEW_PASSES,
		.kib = NEW_KIB,
		.lanes = NEW_LANES,
		.salt_len = NEW_SALT_LEN,
	};

	rk_random(params.salt, NEW_SALT_LEN);
	return keyfile_go_seal(&params, plain, pass, out);
}

enum rk_err
rk_key_format(const struct rk_key *key, enum rk_key_form form,
    const struct rk_secret *pass, struct rk_secret **out)
{
	struct rk_secret *plain = NULL;
	enum rk_err r;

	*out = NULL;
	if (form != RK_KEY_PKCS8 && (pass == NULL || rk_secret_len(pass) == 0))
		return RK_EINVAL;
	if ((r = pkcs8_encode(key, &plain)) != RK_OK)
		return r;
	r = RK_EINVAL;
	switch (form) {
	case RK_KEY_PKCS8:
		r = pem_encode(KEYFILE_LABEL_PLAIN, "", rk_secret_peek(plain),
		    rk_secret_len(plain), out);
		break;
	case RK_KEY_RPC25519:
		r = seal_go(plain, pass, out);
		break;
	case RK_KEY_PKCS8_PBES2:
		r = keyfile_pbes2_seal(plain, pass, out);
		break;
	}
	rk_secret_free(plain);
	return r;
}

bool
rk_key_is_encrypted(const char *pem, size_t len)
{
	struct pem_block block;
	size_t at = 0;

	if (openssh_is(pem, len))
		return openssh_is_encrypted(pem, len);
	while (pem_next(pem, len, &at, &block) == RK_OK) {
		if (is_key(&block))
			return pem_is(&block, KEYFILE_LABEL_ENCRYPTED);
	}
	return false;
}
