/* -k: a key and its certificate, and a CA when there is none. */
#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "selfy.h"

struct job {
	const char *name;
	char key_path[PATH_LEN];
	char cert_path[PATH_LEN];
	struct sans sans;
	bool force;
	bool new_ca;
	struct batch batch;
	struct rk_key *key;
	struct cert *cert;
};

/* Everything that can be wrong is looked at before anybody is asked for a
 * passphrase. */
static enum rk_err
check_free(struct selfy *s, const struct job *j)
{
	char shown[SHOWN_LEN];
	enum rk_err r;

	if (j->force || s->to_stdout)
		return RK_OK;
	if ((r = batch_absent(j->key_path, &s->err)) == RK_OK)
		r = batch_absent(j->cert_path, &s->err);
	if (r == RK_EEXIST)
		selfy_retry(s,
		    "selfy -renew %s   (or -force to replace the key)",
		    str_escape(shown, sizeof(shown), j->name));
	return r;
}

static enum rk_err
prepare(struct selfy *s, struct job *j)
{
	enum rk_err r;

	if ((r = selfy_pair(s, j->name, j->key_path, j->cert_path, ".crt")) !=
	    RK_OK)
		return r;
	if ((r = check_free(s, j)) != RK_OK)
		return r;
	return leaf_subject(s, j->name, &j->sans);
}

static enum rk_err
get_ca(struct selfy *s, struct job *j)
{
	char path[PATH_LEN];
	char shown[SHOWN_LEN];
	enum rk_err r;

	j->new_ca = s->ca.cert == NULL && ca_is_absent(s);
	if (!j->new_ca) {
		if ((r = ca_open_cert(s)) != RK_OK)
			return r;
		if ((r = ca_share(s, &j->batch)) != RK_OK)
			return r;
		return ca_open(s, false);
	}
	out_note(&s->out, "no CA in %s, making one",
	    str_escape(shown, sizeof(shown), s->priv));
	if ((r = selfy_path(s, path, s->certs, "ca", ".crt")) != RK_OK)
		return r;
	if (!s->to_stdout && !j->force && !ca_is_at_home(s) &&
	    (r = batch_absent(path, &s->err)) != RK_OK) {
		selfy_retry(s, "-p with the directory of its key, or -o with "
		               "another one");
		return r;
	}
	if ((r = ca_make(s, &j->batch, false)) != RK_OK)
		return r;
	return ca_share(s, &j->batch);
}

static enum rk_err
make_dirs(struct selfy *s, const struct job *j)
{
	enum rk_err r = RK_OK;

	if (j->new_ca)
		r = fs_make_dir(s->priv, DIR_MODE, &s->err);
	if (r == RK_OK && !s->to_stdout)
		r = fs_make_dir(s->certs, DIR_MODE, &s->err);
	return r;
}

static enum rk_err
make(struct selfy *s, struct job *j)
{
	struct key_source from = {
		.path = j->key_path,
		.what = "new key",
		.flag = "-pass",
		.spec = args_text(s->args, "pass", NULL),
		.to_stdout = s->to_stdout,
	};
	const char *in_agent = args_text(s->args, "key", NULL);
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct leaf leaf = {
		.pub = pub,
		.cn = args_text(s->args, "cn", j->name),
		.sans = &j->sans,
	};
	enum rk_err r;

	if ((r = selfy_validity(s, LEAF_DAYS, "cert-validfor", &leaf.when)) !=
	    RK_OK)
		return r;
	if ((r = get_ca(s, j)) != RK_OK)
		return r;
	r = in_agent != NULL ? key_in_agent(s, in_agent, &j->key)
	                     : key_make(s, &from, &j->batch, j->force, &j->key);
	if (r != RK_OK)
		return r;
	rk_key_public(j->key, pub);
	if ((r = leaf_add(s, &leaf, &j->batch, j->cert_path, &j->cert)) !=
	    RK_OK)
		return r;
	if ((r = make_dirs(s, j)) != RK_OK)
		return r;
	return ca_commit(s, &j->batch, j->new_ca);
}

static enum rk_err
run_job(struct selfy *s)
{
	struct job j = {
		.name = args_text(s->args, "k", ""),
		.force = args_flag(s->args, "force"),
	};
	enum rk_err r;

	if ((r = prepare(s, &j)) != RK_OK)
		goto out;
	if ((r = make(s, &j)) != RK_OK)
		goto out;
	batch_tell(&j.batch, &s->out);
	r = show_made(s, j.name, j.cert, j.cert_path);
out:
	cert_free(j.cert);
	rk_key_free(j.key);
	batch_fini(&j.batch);
	return r;
}

enum rk_err
cmd_key(struct selfy *s)
{
	bool absent;
	enum rk_err r;

	ca_settle(s);
	absent = ca_is_absent(s);
	r = run_job(s);
	if (r == RK_OK || !absent || ca_is_absent(s))
		return r;
	/* Another first run was faster: its CA is ours too. */
	ca_fini(&s->ca);
	err_clear(&s->err);
	s->retry[0] = '\0';
	ca_settle(s);
	return run_job(s);
}
