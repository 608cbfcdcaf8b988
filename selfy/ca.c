/* The CA of this run: opened or made, its list, its copies for peers. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "selfy.h"

#define CA_DAYS 7300 /* twenty years */

void
ca_fini(struct ca *ca)
{
	buf_fini(&ca->fresh_crl);
	rk_key_free(ca->key);
	cert_free(ca->cert);
	*ca = (struct ca){ 0 };
}

struct signer
ca_signer(const struct selfy *s)
{
	return (struct signer){ .cert = s->ca.cert, .key = s->ca.key };
}

/* What cannot be looked at counts as there. */
static bool
is_there(struct selfy *s, const char *suffix)
{
	char path[PATH_LEN];
	struct stat st;

	return selfy_path(s, path, s->priv, "ca", suffix) != RK_OK ||
	       lstat(path, &st) == 0 || errno != ENOENT;
}

bool
ca_is_at_home(const struct selfy *s)
{
	struct stat priv;
	struct stat certs;

	if (strcmp(s->priv, s->certs) == 0)
		return true;
	return stat(s->priv, &priv) == 0 && stat(s->certs, &certs) == 0 &&
	       priv.st_dev == certs.st_dev && priv.st_ino == certs.st_ino;
}

bool
ca_is_absent(struct selfy *s)
{
	return !is_there(s, ".crt") && !is_there(s, ".key");
}

static void
note_ca(struct selfy *s)
{
	struct cert_view v;

	cert_describe(s->ca.cert, &v);
	s->ca.ends = v.not_after;
	(void)str_copy(s->ca.cn, sizeof(s->ca.cn), v.cn);
	if (s->out.verbose)
		out_note(&s->out, "CA \"%s\" %s", v.cn, v.fp);
}

enum rk_err
ca_open_cert(struct selfy *s)
{
	return ca_open_cert_in(s, s->priv);
}

enum rk_err
ca_open_cert_in(struct selfy *s, const char *dir)
{
	char path[PATH_LEN];
	struct cert *c = NULL;
	struct buf text;
	enum rk_err r;

	if (s->ca.cert != NULL)
		return RK_OK;
	buf_init(&text, PEM_MAX_BYTES);
	if ((r = selfy_path(s, path, dir, "ca", ".crt")) != RK_OK)
		goto out;
	if ((r = selfy_read_cert(s, path, &c, &text)) != RK_OK) {
		if (r == RK_ENOENT && dir == s->priv && is_there(s, ".key"))
			selfy_retry(s, "copy it back from the peers, or selfy "
			               "-ca -force if there never was one");
		else if (r == RK_ENOENT)
			selfy_retry(s, "selfy -ca   (or -p DIR)");
		goto out;
	}
	if ((r = cert_check_ca(path, c, s->now, &s->err)) != RK_OK)
		goto out;
	s->ca.cert = c;
	c = NULL;
	note_ca(s);
out:
	cert_free(c);
	buf_fini(&text);
	return r;
}

static enum rk_err
check_pair(struct selfy *s, const char *path)
{
	struct cert_view v;
	uint8_t pub[RK_KEY_PUBLIC_LEN];

	cert_describe(s->ca.cert, &v);
	rk_key_public(s->ca.key, pub);
	if (memcmp(pub, v.pub, sizeof(pub)) == 0)
		return RK_OK;
	return selfy_fail(
	    s, RK_ECERT, path, "is not the key of the ca.crt beside it");
}

enum rk_err
ca_open(struct selfy *s, bool alone)
{
	const char *in_agent = args_text(s->args, "ca-key", NULL);
	char path[PATH_LEN];
	struct key_source from = {
		.path = path,
		.what = "CA key",
		.flag = "-ca-pass",
		.spec = args_text(s->args, "ca-pass", NULL),
	};
	enum rk_err r;

	if (s->ca.key != NULL)
		return RK_OK;
	if (alone && from.spec == NULL)
		from.spec = args_text(s->args, "pass", NULL);
	if ((r = ca_open_cert(s)) != RK_OK)
		return r;
	if (in_agent != NULL) {
		r = key_in_agent(s, in_agent, &s->ca.key);
		return r == RK_OK ? check_pair(s, in_agent) : r;
	}
	if ((r = selfy_path(s, path, s->priv, "ca", ".key")) != RK_OK)
		return r;
	if ((r = key_open(s, &from, &s->ca.key)) != RK_OK) {
		if (r == RK_ENOENT && access(path, F_OK) != 0)
			selfy_retry(s, "selfy -csr NAME, and selfy -sign "
			               "NAME.csr where the CA's key is");
		return r;
	}
	return check_pair(s, path);
}

static enum rk_err
common_name(struct selfy *s, bool asked, char *cn, size_t cn_len)
{
	const char *given = args_text(s->args, "cn", NULL);
	char host[SAN_TEXT_LEN];

	/* With -k it is the name of that certificate. */
	if (asked && given != NULL && !args_given(s->args, "k") &&
	    !args_given(s->args, "csr")) {
		(void)str_copy(cn, cn_len, given);
		return cn_check(given, &s->err);
	}
	selfy_host(host, sizeof(host));
	if (snprintf(cn, cn_len, "rpckit CA %.54s", host) < 0)
		return err_set(&s->err, RK_EFAIL, "cannot name the CA");
	return RK_OK;
}

/* -days and -until are for what was asked for by name. */
static enum rk_err
ca_validity(struct selfy *s, bool asked, struct validity *when)
{
	uint64_t ms = (uint64_t)CA_DAYS * DAY_SECONDS * 1000;

	if (asked)
		return selfy_validity(s, CA_DAYS, "ca-validfor", when);
	ms = args_number(s->args, "ca-validfor", ms);
	*when = (struct validity){
		.from = s->now - CLOCK_SLACK,
		.to = s->now + (int64_t)(ms / 1000),
	};
	if (when->to > TIME_END)
		when->to = TIME_END;
	return RK_OK;
}

/* A list of the CA that was there before would be refused by peers together
 * with the new one. */
static enum rk_err
replace_crl(struct selfy *s, struct batch *b)
{
	struct crl_change fresh = { .when = { .from = s->now - CLOCK_SLACK,
		                        .to =
		                            s->now + CRL_DAYS * DAY_SECONDS } };
	struct signer by = ca_signer(s);
	struct batch_item item = { .mode = CERT_MODE, .replace = true };
	char path[PATH_LEN];
	struct crl *crl = NULL;
	enum rk_err r;

	buf_init(&s->ca.fresh_crl, PEM_MAX_BYTES);
	if (!is_there(s, ".crl"))
		return RK_OK;
	if ((r = selfy_path(s, path, s->priv, "ca", ".crl")) != RK_OK)
		return r;
	if ((r = crl_new(&by, &fresh, &crl, &s->err)) != RK_OK)
		return r;
	r = crl_put_pem(crl, &s->ca.fresh_crl);
	crl_free(crl);
	if (r != RK_OK)
		return err_set(&s->err, r, "%s", rk_err_text(r));
	item.path = path;
	item.data = buf_peek(&s->ca.fresh_crl);
	item.len = buf_len(&s->ca.fresh_crl);
	return batch_add(b, &item, &s->err);
}

static enum rk_err
check_free(
    struct selfy *s, const char *key_path, const char *cert_path, bool force)
{
	enum rk_err r;

	if (force)
		return RK_OK;
	if ((r = batch_absent(key_path, &s->err)) == RK_OK)
		r = batch_absent(cert_path, &s->err);
	if (r == RK_EEXIST)
		selfy_retry(s, "-p with another directory   (or -force: every "
		               "certificate of the old CA is lost)");
	return r;
}

enum rk_err
ca_make(struct selfy *s, struct batch *b, bool asked)
{
	const char *in_agent = args_text(s->args, "ca-key", NULL);
	bool force = asked && args_flag(s->args, "force");
	char key_path[PATH_LEN];
	char cert_path[PATH_LEN];
	char cn[CN_MAX * 4 + 1];
	struct validity when;
	struct key_source from = {
		.path = key_path,
		.what = "new CA key",
		.flag = "-ca-pass",
		.spec = args_text(s->args, "ca-pass", NULL),
	};
	enum rk_err r;

	ca_fini(&s->ca);
	if (asked && from.spec == NULL) {
		from.flag = "-pass";
		from.spec = args_text(s->args, "pass", NULL);
	}
	if ((r = selfy_path(s, key_path, s->priv, "ca", ".key")) != RK_OK ||
	    (r = selfy_path(s, cert_path, s->priv, "ca", ".crt")) != RK_OK)
		return r;
	if ((r = check_free(s, key_path, cert_path, force)) != RK_OK)
		return r;
	if ((r = common_name(s, asked, cn, sizeof(cn))) != RK_OK)
		return r;
	if ((r = ca_validity(s, asked, &when)) != RK_OK)
		return r;
	r = in_agent != NULL ? key_in_agent(s, in_agent, &s->ca.key)
	                     : key_make(s, &from, b, force, &s->ca.key);
	if (r != RK_OK)
		return r;
	if ((r = cert_new_ca(s->ca.key, cn, &when, &s->ca.cert, &s->err)) !=
	    RK_OK)
		return r;
	note_ca(s);
	if ((r = selfy_add_cert(s, b, cert_path, s->ca.cert, force)) != RK_OK)
		return r;
	return replace_crl(s, b);
}

static enum rk_err
read_crl(struct selfy *s, const char *path, struct crl **out)
{
	static const char why[] = "is not a revocation list of this CA";
	struct pem_list list;
	struct crl *crl = NULL;
	enum rk_err r = selfy_read_one(s, path, PEM_CRL, why, &list);

	if (r == RK_OK)
		r = crl_decode(
		    path, list.items[0].der, list.items[0].len, &crl, &s->err);
	if (r == RK_EFORMAT)
		r = selfy_fail(s, RK_EDAMAGED, path, why);
	if (r == RK_OK)
		r = crl_check(path, crl, s->ca.cert, &s->err);
	if (r == RK_ECERT) /* of no use to anybody, as a damaged one */
		r = s->err.code = RK_EDAMAGED;
	if (r == RK_OK) {
		*out = crl;
		crl = NULL;
	}
	crl_free(crl);
	pem_list_fini(&list);
	return r;
}

enum rk_err
ca_read_crl_in(struct selfy *s, const char *dir, struct crl **out)
{
	char path[PATH_LEN];
	enum rk_err r;

	*out = NULL;
	if ((r = selfy_path(s, path, dir, "ca", ".crl")) != RK_OK)
		return r;
	r = read_crl(s, path, out);
	if (r != RK_ENOENT)
		return r;
	err_clear(&s->err);
	return RK_OK;
}

enum rk_err
ca_read_crl(struct selfy *s, struct crl **out)
{
	enum rk_err r = ca_read_crl_in(s, s->priv, out);

	/* The copy for peers stands in for a master that got lost. */
	if (r == RK_OK && *out == NULL && !s->to_stdout)
		r = ca_read_crl_in(s, s->certs, out);
	return r;
}

/* ca.crt of the certificate directory: absent, ours, or another CA's. */
static enum rk_err
share_cert(struct selfy *s, struct batch *b)
{
	bool force = args_flag(s->args, "force");
	char path[PATH_LEN];
	struct cert *old = NULL;
	struct buf text;
	enum rk_err r;

	buf_init(&text, PEM_MAX_BYTES);
	if ((r = selfy_path(s, path, s->certs, "ca", ".crt")) != RK_OK)
		goto out;
	r = selfy_read_cert(s, path, &old, &text);
	if (r == RK_OK && cert_is_same(old, s->ca.cert))
		goto out;
	if (r != RK_ENOENT && !force) {
		r = selfy_fail(
		    s, RK_EEXIST, path, "exists already, of another CA");
		selfy_retry(s, "-o with another directory   (or -force to "
		               "replace it)");
		goto out;
	}
	err_clear(&s->err);
	r = selfy_add_cert(s, b, path, s->ca.cert, force);
out:
	cert_free(old);
	buf_fini(&text);
	return r;
}

/* The list goes along as it is; the CA's directory has the master. */
static enum rk_err
share_crl(struct selfy *s, struct batch *b)
{
	char from[PATH_LEN];
	char to[PATH_LEN];
	struct batch_item item = {
		.path = to,
		.mode = CERT_MODE,
		.replace = true,
	};
	struct buf text;
	struct buf old;
	enum rk_err r;

	buf_init(&text, PEM_MAX_BYTES);
	buf_init(&old, PEM_MAX_BYTES);
	if ((r = selfy_path(s, from, s->priv, "ca", ".crl")) != RK_OK ||
	    (r = selfy_path(s, to, s->certs, "ca", ".crl")) != RK_OK)
		goto out;
	if (buf_len(&s->ca.fresh_crl) > 0)
		r = buf_put(&text, buf_peek(&s->ca.fresh_crl),
		    buf_len(&s->ca.fresh_crl));
	else
		r = selfy_read(s, from, &text);
	if (r != RK_OK) {
		if (r == RK_ENOENT) {
			err_clear(&s->err);
			r = RK_OK;
		}
		goto out;
	}
	if (selfy_read(s, to, &old) == RK_OK &&
	    buf_len(&old) == buf_len(&text) &&
	    memcmp(buf_peek(&old), buf_peek(&text), buf_len(&text)) == 0)
		goto out;
	err_clear(&s->err);
	item.data = buf_peek(&text);
	item.len = buf_len(&text);
	r = batch_add(b, &item, &s->err);
out:
	buf_fini(&old);
	buf_fini(&text);
	return r;
}

enum rk_err
ca_share(struct selfy *s, struct batch *b)
{
	enum rk_err r;

	if (s->to_stdout || ca_is_at_home(s))
		return RK_OK;
	if ((r = share_cert(s, b)) != RK_OK)
		return r;
	return share_crl(s, b);
}
