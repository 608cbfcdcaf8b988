/* -csr and -sign: requests, so that the CA's key can live elsewhere. */
#include <stdio.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/fs.h"
#include "base/str.h"
#include "selfy.h"

struct job {
	char name[SHOWN_LEN];
	char key_path[PATH_LEN];
	char out_path[PATH_LEN]; /* of the request or the certificate */
	struct sans sans;
	struct batch batch;
	struct rk_key *key;
	struct csr *csr;
	struct cert *cert;
	uint8_t pub[RK_KEY_PUBLIC_LEN]; /* of the request */
};

static void
end_job(struct job *j)
{
	cert_free(j->cert);
	csr_free(j->csr);
	rk_key_free(j->key);
	batch_fini(&j->batch);
}

static enum rk_err
check_free(struct selfy *s, const char *path)
{
	enum rk_err r;

	if (s->to_stdout || args_flag(s->args, "force"))
		return RK_OK;
	r = batch_absent(path, &s->err);
	if (r == RK_EEXIST)
		selfy_retry(s, "-force to replace it");
	return r;
}

/* The key that is there, else a new one; one that is there stays. */
static enum rk_err
get_key(struct selfy *s, struct job *j)
{
	struct key_source from = {
		.path = j->key_path,
		.what = "key",
		.flag = "-pass",
		.spec = args_text(s->args, "pass", NULL),
		.to_stdout = s->to_stdout,
	};
	const char *in_agent = args_text(s->args, "key", NULL);
	char shown[SHOWN_LEN];
	struct stat st;

	if (in_agent != NULL)
		return key_in_agent(s, in_agent, &j->key);
	if (lstat(j->key_path, &st) == 0) {
		out_note(&s->out, "using %s",
		    str_escape(shown, sizeof(shown), j->key_path));
		return key_open(s, &from, &j->key);
	}
	from.what = "new key";
	return key_make(s, &from, &j->batch, false, &j->key);
}

static enum rk_err
add_csr(struct selfy *s, struct job *j)
{
	struct batch_item item = {
		.path = s->to_stdout ? NULL : j->out_path,
		.mode = CERT_MODE,
		.replace = args_flag(s->args, "force"),
	};
	struct buf pem;
	enum rk_err r;

	buf_init(&pem, PEM_MAX_BYTES);
	if ((r = csr_put_pem(j->csr, &pem)) != RK_OK) {
		err_set(&s->err, r, "%s", rk_err_text(r));
		goto out;
	}
	item.data = buf_peek(&pem);
	item.len = buf_len(&pem);
	r = batch_add(&j->batch, &item, &s->err);
out:
	buf_fini(&pem);
	return r;
}

static enum rk_err
prepare_csr(struct selfy *s, struct job *j)
{
	const char *cn = args_text(s->args, "cn", j->name);
	enum rk_err r;

	if ((r = selfy_pair(s, j->name, j->key_path, j->out_path, ".csr")) !=
	    RK_OK)
		return r;
	if ((r = check_free(s, j->out_path)) != RK_OK)
		return r;
	if ((r = leaf_subject(s, j->name, &j->sans)) != RK_OK)
		return r;
	if ((r = get_key(s, j)) != RK_OK)
		return r;
	if ((r = csr_new(j->key, cn, &j->sans, &j->csr, &s->err)) != RK_OK)
		return r;
	return add_csr(s, j);
}

enum rk_err
cmd_csr(struct selfy *s)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct job j = { 0 };
	enum rk_err r = RK_OK;

	/* Cut names are refused for their length. */
	(void)str_copy(j.name, sizeof(j.name), args_text(s->args, "csr", ""));
	if ((r = prepare_csr(s, &j)) != RK_OK)
		goto out;
	if (!s->to_stdout &&
	    (r = fs_make_dir(s->certs, DIR_MODE, &s->err)) != RK_OK)
		goto out;
	if ((r = batch_write(&j.batch, &s->err)) != RK_OK)
		goto out;
	batch_tell(&j.batch, &s->out);
	rk_key_public(j.key, pub);
	r = show_key(s, j.name, pub, j.out_path);
out:
	end_job(&j);
	return r;
}

/* NAME of "dir/NAME.csr". */
static enum rk_err
name_of(struct selfy *s, const char *path, char *dst, size_t dst_len)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash == NULL ? path : slash + 1;
	size_t len = strlen(base);

	if (len > 4 && strcmp(base + len - 4, ".csr") == 0)
		len -= 4;
	if (strcmp(path, "-") == 0 || len >= dst_len) {
		if (s->to_stdout) {
			(void)str_copy(dst, dst_len, "request");
			return RK_OK;
		}
		return selfy_fail(s, RK_EINVAL, path,
		    "does not tell a name; give a file NAME.csr, or -o -");
	}
	memcpy(dst, base, len);
	dst[len] = '\0';
	return selfy_name(s, dst);
}

static enum rk_err
read_csr(struct selfy *s, const char *path, struct csr **out)
{
	struct pem_list list;
	enum rk_err r = selfy_read_one(
	    s, path, PEM_CSR, "is not a file with one signing request", &list);

	if (r == RK_OK)
		r = csr_decode(
		    path, list.items[0].der, list.items[0].len, out, &s->err);
	pem_list_fini(&list);
	return r;
}

/* Ours first; then what the request asks for.  With -e only that mail. */
static enum rk_err
grant(struct selfy *s, const struct csr_wish *w, struct sans *out)
{
	const char *mail = args_text(s->args, "e", NULL);
	enum rk_err r;

	if (mail != NULL && (r = mail_check(mail, &s->err)) != RK_OK)
		return r;
	if ((r = leaf_names(s, mail, out)) != RK_OK)
		return r;
	for (size_t i = 0; i < w->sans.n; i++) {
		const struct san *san = &w->sans.items[i];

		if (san->kind == SAN_MAIL && mail != NULL)
			continue;
		r = sans_add(out, san->kind, san->text, &s->err);
		if (r != RK_OK)
			return r;
	}
	return RK_OK;
}

static enum rk_err
sign(struct selfy *s, struct job *j, const char *path)
{
	struct csr_wish wish;
	struct leaf leaf = { .pub = wish.pub, .sans = &j->sans };
	enum rk_err r;

	if ((r = read_csr(s, path, &j->csr)) != RK_OK)
		return r;
	if ((r = csr_read(j->csr, &wish, &s->err)) != RK_OK)
		return r;
	if (wish.ignored > 0)
		out_warn(&s->out,
		    "not granted: %u names or extensions that the request "
		    "asks for",
		    wish.ignored);
	if ((r = grant(s, &wish, &j->sans)) != RK_OK)
		return r;
	leaf.cn = wish.cn[0] != '\0' ? wish.cn : j->name;
	leaf.cn = args_text(s->args, "cn", leaf.cn);
	if ((r = cn_check(leaf.cn, &s->err)) != RK_OK)
		return r;
	if ((r = selfy_validity(s, LEAF_DAYS, "cert-validfor", &leaf.when)) !=
	    RK_OK)
		return r;
	if ((r = ca_open_cert(s)) != RK_OK)
		return r;
	memcpy(j->pub, wish.pub, sizeof(j->pub));
	/* Before somebody gives a passphrase for nothing. */
	if (!args_flag(s->args, "revoked") &&
	    (r = revoked_check(s, path, j->pub)) != RK_OK)
		return r;
	if ((r = ca_share(s, &j->batch)) != RK_OK)
		return r;
	if ((r = ca_open(s, true)) != RK_OK)
		return r;
	return leaf_add(s, &leaf, &j->batch, j->out_path, &j->cert);
}

/* The list is asked while the CA is held: -revoke may have come between. */
static enum rk_err
write_signed(struct selfy *s, struct job *j, const char *path)
{
	int lock = -1;
	enum rk_err r;

	if ((r = ca_hold(s, false, &lock)) != RK_OK)
		return r;
	if ((r = revoked_check(s, path, j->pub)) == RK_OK)
		r = batch_write(&j->batch, &s->err);
	ca_unlock(lock);
	return r;
}

/* What the CA now stands behind, for the person who runs it. */
static void
tell_names(struct selfy *s, const struct cert *c)
{
	struct cert_view v;

	cert_describe(c, &v);
	out_note(&s->out, "signed \"%s\" for %s", v.cn, v.names);
}

enum rk_err
cmd_sign(struct selfy *s)
{
	const char *path = args_text(s->args, "sign", "");
	struct job j = { 0 };
	enum rk_err r;

	if ((r = name_of(s, path, j.name, sizeof(j.name))) != RK_OK)
		goto out;
	if ((r = selfy_path(s, j.out_path, s->certs, j.name, ".crt")) != RK_OK)
		goto out;
	if ((r = check_free(s, j.out_path)) != RK_OK)
		goto out;
	if ((r = sign(s, &j, path)) != RK_OK)
		goto out;
	if (!s->to_stdout &&
	    (r = fs_make_dir(s->certs, DIR_MODE, &s->err)) != RK_OK)
		goto out;
	if ((r = write_signed(s, &j, path)) != RK_OK)
		goto out;
	batch_tell(&j.batch, &s->out);
	tell_names(s, j.cert);
	r = show_made(s, j.name, j.cert, j.out_path);
out:
	end_job(&j);
	return r;
}
