/* The rule about certificates for tools, from bytes alone. */
#include "base/error.h"
#include "base/str.h"
#include "trust/chain.h"

#define NAME_LEN 160

enum rk_err
rk_cert_check(const struct rk_cert_question *q, struct rk_cert_report *out,
    struct rk_error *err)
{
	struct chain_anchor *a = NULL;
	struct rk_error why = { 0 };
	enum rk_err r;

	*out = (struct rk_cert_report){ 0 };
	err_clear(err);
	if (q->size != sizeof(*q))
		return err_set(err, RK_EINVAL, "the size is another version's");
	if ((r = chain_anchor_new(q->ca, "CA", &a, err)) != RK_OK)
		return r;
	if (q->crl.len != 0)
		r = chain_anchor_use_crl(a, q->crl, "its list", &why);
	if (r == RK_ENOMEM) {
		(void)err_set(err, r, "out of memory");
		goto out;
	}
	chain_anchor_report(a, q->cert, q->now, out);
	/* A list that does not count leaves nobody who is not revoked. */
	if (r != RK_OK)
		out->rules[RK_CERT_REVOKED] = why;
	r = RK_OK;
out:
	chain_anchor_free(a);
	return r;
}

enum rk_err
rk_cert_check_ca(
    struct rk_bytes ca, const char *name, int64_t now, struct rk_error *err)
{
	struct chain_anchor *a = NULL;
	char shown[NAME_LEN];
	enum rk_err r;

	err_clear(err);
	str_escape(shown, sizeof(shown), name);
	if ((r = chain_anchor_new(ca, shown, &a, err)) == RK_OK &&
	    (r = chain_anchor_check_end(a, shown, now, err)) == RK_OK)
		r = chain_anchor_check_begin(a, shown, now, err);
	chain_anchor_free(a);
	return r;
}

enum rk_err
rk_cert_check_crl(struct rk_bytes ca, struct rk_bytes crl, const char *name,
    struct rk_error *err)
{
	struct chain_anchor *a = NULL;
	char shown[NAME_LEN];
	enum rk_err r;

	err_clear(err);
	str_escape(shown, sizeof(shown), name);
	if ((r = chain_anchor_new(ca, shown, &a, err)) == RK_OK)
		r = chain_anchor_use_crl(a, crl, shown, err);
	chain_anchor_free(a);
	return r;
}
