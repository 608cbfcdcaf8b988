/* The CA's revocation list: checked once, asked often, never changed. */
#include "trust/chain_crl.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/error.h"
#include "base/str.h"
#include "trust/chain.h"
#include "trust/chain_info.h"

#define TIME_TEXT 32

struct chain_crl {
	X509_CRL *crl;
	const ASN1_INTEGER **serials; /* sorted; they belong to crl */
	size_t n;
};

static int
compare_serials(const void *a, const void *b)
{
	return ASN1_INTEGER_cmp(
	    *(const ASN1_INTEGER *const *)a, *(const ASN1_INTEGER *const *)b);
}

bool
chain_crl_has(const struct chain_crl *list, const ASN1_INTEGER *serial)
{
	return list->n > 0 && bsearch(&serial, list->serials, list->n,
	                          sizeof(serial), compare_serials) != NULL;
}

/* A critical extension narrows what a list covers (one of several parts, only
 * the changes, another issuer's entries): not lists we can rely on. */
static bool
has_critical(const STACK_OF(X509_EXTENSION) * exts)
{
	int i;

	for (i = 0; i < sk_X509_EXTENSION_num(exts); i++) {
		if (X509_EXTENSION_get_critical(
		        sk_X509_EXTENSION_value(exts, i)) != 0)
			return true;
	}
	return false;
}

static enum rk_err
refuse_kind(const char *name, struct rk_error *err)
{
	return err_set(err, RK_ECERT,
	    "%s: a revocation list of a kind that is not supported", name);
}

static enum rk_err
parse(struct chain_crl *list, struct rk_bytes der, const char *name,
    struct rk_error *err)
{
	const uint8_t *p = der.ptr;

	if (der.len > 0 && der.len <= CHAIN_CRL_LEN_MAX)
		list->crl = d2i_X509_CRL(NULL, &p, (long)der.len);
	if (list->crl == NULL || p != der.ptr + der.len)
		return err_set(
		    err, RK_ECERT, "%s: damaged revocation list", name);
	return RK_OK;
}

static enum rk_err
check(X509_CRL *crl, X509 *ca, const char *cn, const char *name,
    struct rk_error *err)
{
	if ((X509_get_key_usage(ca) & KU_CRL_SIGN) == 0)
		return err_set(err, RK_ECERT,
		    "%s: our CA \"%s\" may not sign revocation lists", name,
		    cn);
	if (has_critical(X509_CRL_get0_extensions(crl)))
		return refuse_kind(name, err);
	return RK_OK;
}

static bool
is_issued_by(X509_CRL *crl, X509 *ca, struct rk_bytes der,
    const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	return X509_NAME_cmp(
	           X509_CRL_get_issuer(crl), X509_get_subject_name(ca)) == 0 &&
	       chain_info_signed(der, pub);
}

static enum rk_err
collect(struct chain_crl *list, const char *name, struct rk_error *err)
{
	STACK_OF(X509_REVOKED) *revoked = X509_CRL_get_REVOKED(list->crl);
	int n = sk_X509_REVOKED_num(revoked);
	int i;

	if (n <= 0)
		return RK_OK;
	list->serials = calloc((size_t)n, sizeof(const ASN1_INTEGER *));
	if (list->serials == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	for (i = 0; i < n; i++) {
		const X509_REVOKED *one = sk_X509_REVOKED_value(revoked, i);

		if (has_critical(X509_REVOKED_get0_extensions(one)))
			return refuse_kind(name, err);
		list->serials[i] = X509_REVOKED_get0_serialNumber(one);
	}
	qsort(list->serials, (size_t)n, sizeof(const ASN1_INTEGER *),
	    compare_serials);
	list->n = (size_t)n;
	return RK_OK;
}

enum rk_err
chain_crl_new(X509 *ca, const struct rk_cert_info *of_ca, struct rk_bytes der,
    const char *name, struct chain_crl **out, struct rk_error *err)
{
	struct chain_crl *list = calloc(1, sizeof(*list));
	enum rk_err r;

	*out = NULL;
	if (list == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	if ((r = parse(list, der, name, err)) != RK_OK)
		goto out;
	if (!is_issued_by(list->crl, ca, der, of_ca->pub)) {
		r = err_set(err, RK_ECERT,
		    "%s: not the revocation list of our CA \"%s\"", name,
		    of_ca->cn);
		goto out;
	}
	if ((r = check(list->crl, ca, of_ca->cn, name, err)) != RK_OK)
		goto out;
	if ((r = collect(list, name, err)) != RK_OK)
		goto out;
	*out = list;
	list = NULL;
out:
	chain_crl_free(list);
	ERR_clear_error();
	return r;
}

void
chain_crl_free(struct chain_crl *list)
{
	if (list == NULL)
		return;
	free(list->serials);
	X509_CRL_free(list->crl);
	free(list);
}

void
chain_crl_warn_if_old(
    const struct chain_crl *list, const char *name, int64_t now)
{
	const ASN1_TIME *next = X509_CRL_get0_nextUpdate(list->crl);
	char text[TIME_TEXT];
	int64_t end;

	if (next == NULL || chain_info_time(next, &end) != RK_OK || now <= end)
		return;
	str_time(text, end);
	log_event(RK_LOG_WARN, "trust",
	    "%s: a newer revocation list was due at %s; what this one lists "
	    "still counts",
	    name, text);
}
