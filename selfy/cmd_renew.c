/* -renew: a new certificate for a name, the old one kept beside it. */
#include <stdio.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "selfy.h"

#define KEY_MAX 65536

struct job {
	const char *name;
	bool new_key;
	char key_path[PATH_LEN];
	char cert_path[PATH_LEN];
	struct cert *old;
	struct buf old_text;
	struct cert_view view; /* of the old one */
	struct batch batch;
	struct rk_key *key;
	struct cert *cert;
};

static enum rk_err
read_old(struct selfy *s, struct job *j)
{
	char shown[SHOWN_LEN];
	enum rk_err r;

	if (s->to_stdout)
		return err_set(&s->err, RK_EINVAL,
		    "-renew writes beside the old certificate, not to -o -");
	if ((r = selfy_pair(s, j->name, j->key_path, j->cert_path, ".crt")) !=
	    RK_OK)
		return r;
	r = selfy_read_cert(s, j->cert_path, &j->old, &j->old_text);
	if (r == RK_ENOENT)
		selfy_retry(s, "selfy -k %s",
		    str_escape(shown, sizeof(shown), j->name));
	if (r == RK_OK)
		cert_describe(j->old, &j->view);
	return r;
}

static enum rk_err
check_revoked(struct selfy *s, const struct job *j)
{
	char shown[SHOWN_LEN];
	struct crl *crl = NULL;
	struct serial serial;
	bool revoked = false;
	enum rk_err r;

	if ((r = ca_read_crl(s, &crl)) != RK_OK)
		return r;
	if (crl != NULL && cert_serial(j->old, &serial) == RK_OK)
		revoked = crl_has(crl, &serial);
	crl_free(crl);
	if (!revoked || j->new_key)
		return RK_OK;
	selfy_retry(s, "selfy -renew %s -newkey",
	    str_escape(shown, sizeof(shown), j->name));
	return selfy_fail(s, RK_EREVOKED, j->cert_path,
	    "is revoked, and a new one with the same key would undo that");
}

/* Names are copied from the old certificate, so it must be the CA's word. */
static enum rk_err
check_old(struct selfy *s, const struct job *j)
{
	char shown[SHOWN_LEN];
	enum rk_err r;

	if ((r = ca_open_cert(s)) != RK_OK)
		return r;
	if (!cert_is_signed_by(j->old, s->ca.cert)) {
		selfy_retry(s, "selfy -k %s -force   (a new key)",
		    str_escape(shown, sizeof(shown), j->name));
		return selfy_fail(
		    s, RK_ECERT, j->cert_path, "was not signed by this CA");
	}
	if (!j->view.is_ed25519 || j->view.is_ca)
		return selfy_fail(s, RK_ECERT, j->cert_path,
		    "is not the certificate of an Ed25519 client or server");
	return check_revoked(s, j);
}

/* Is it there already, from a run that a crash ended behind it? */
static bool
is_kept(const char *path, const void *data, size_t len)
{
	struct rk_error ignored;
	struct rk_secret *there = NULL;
	bool same = fs_read_secret(path, FS_NO_FOLLOW, len, &there, &ignored) ==
	                RK_OK &&
	            rk_secret_len(there) == len &&
	            rk_secret_eq(rk_secret_peek(there), data, len);

	rk_secret_free(there);
	return same;
}

/* "NAME.crt.SERIAL" with the old bytes; more is put behind it. */
static enum rk_err
keep(struct selfy *s, struct job *j, struct batch_item item, const char *more)
{
	const char *path = item.path;
	char kept[PATH_LEN];
	int n =
	    snprintf(kept, sizeof(kept), "%s.%s%s", path, j->view.serial, more);
	enum rk_err r;

	if (n < 0 || (size_t)n >= sizeof(kept))
		return selfy_fail(s, RK_ETOOBIG, path, "the path is too long");
	if (is_kept(kept, item.data, item.len))
		return RK_OK;
	if ((r = batch_absent(kept, &s->err)) != RK_OK)
		return r;
	item.path = kept;
	return batch_add(&j->batch, &item, &s->err);
}

/* The key that is there.  Between its last two files a crash leaves a new key
 * with the old certificate: that one goes beside the one that was kept. */
static enum rk_err
keep_key(struct selfy *s, struct job *j)
{
	struct batch_item item = { .path = j->key_path, .mode = KEY_MODE };
	struct rk_secret *old = NULL;
	enum rk_err r;

	r = fs_read_secret(j->key_path, FS_ANY, KEY_MAX, &old, &s->err);
	if (r == RK_ENOENT) {
		err_clear(&s->err);
		return RK_OK;
	}
	if (r != RK_OK)
		return r;
	item.data = rk_secret_peek(old);
	item.len = rk_secret_len(old);
	if ((r = keep(s, j, item, "")) == RK_EEXIST)
		r = keep(s, j, item, ".2");
	rk_secret_free(old);
	return r;
}

static enum rk_err
renew_key(struct selfy *s, struct job *j)
{
	struct key_source from = {
		.path = j->key_path,
		.what = "new key",
		.flag = "-pass",
		.spec = args_text(s->args, "pass", NULL),
	};
	enum rk_err r;

	if ((r = keep_key(s, j)) != RK_OK)
		return r;
	return key_make(s, &from, &j->batch, true, &j->key);
}

static enum rk_err
renew(struct selfy *s, struct job *j)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct leaf leaf = { .pub = j->view.pub, .like = j->old };
	struct batch_item old = {
		.path = j->cert_path,
		.data = buf_peek(&j->old_text),
		.len = buf_len(&j->old_text),
		.mode = CERT_MODE,
	};
	enum rk_err r;

	if ((r = selfy_validity(s, LEAF_DAYS, "cert-validfor", &leaf.when)) !=
	    RK_OK)
		return r;
	if ((r = ca_share(s, &j->batch)) != RK_OK)
		return r;
	if ((r = ca_open(s, !j->new_key)) != RK_OK)
		return r;
	if ((r = keep(s, j, old, "")) != RK_OK)
		return r;
	if (j->new_key) {
		if ((r = renew_key(s, j)) != RK_OK)
			return r;
		rk_key_public(j->key, pub);
		leaf.pub = pub;
	}
	if ((r = leaf_add(s, &leaf, &j->batch, j->cert_path, &j->cert)) !=
	    RK_OK)
		return r;
	if ((r = batch_expect(&j->batch, old.data, old.len, &s->err)) != RK_OK)
		return r;
	return ca_commit(s, &j->batch, false);
}

enum rk_err
cmd_renew(struct selfy *s)
{
	struct job j = {
		.name = args_text(s->args, "renew", ""),
		.new_key = args_flag(s->args, "newkey"),
	};
	enum rk_err r;

	buf_init(&j.old_text, PEM_MAX_BYTES);
	if ((r = read_old(s, &j)) != RK_OK)
		goto out;
	if ((r = check_old(s, &j)) != RK_OK)
		goto out;
	if ((r = renew(s, &j)) != RK_OK)
		goto out;
	batch_tell(&j.batch, &s->out);
	r = show_made(s, j.name, j.cert, j.cert_path);
out:
	cert_free(j.cert);
	rk_key_free(j.key);
	batch_fini(&j.batch);
	buf_fini(&j.old_text);
	cert_free(j.old);
	return r;
}
