/* Revocation lists (CRL version 2): made, carried on, asked. */
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/error.h"
#include "base/str.h"
#include "x509_priv.h"

#define NAME_LEN 160

void
crl_free(struct crl *c)
{
	if (c == NULL)
		return;
	X509_CRL_free(c->crl);
	x509_drop(&c->der);
	free(c);
}

enum rk_err
crl_decode(const char *name, const uint8_t *der, size_t len, struct crl **out,
    struct rk_error *err)
{
	const uint8_t *p = der;
	struct crl *c = calloc(1, sizeof(*c));
	char shown[NAME_LEN];

	*out = NULL;
	str_escape(shown, sizeof(shown), name);
	if (c == NULL)
		return err_set(
		    err, RK_ENOMEM, "%s: %s", shown, rk_err_text(RK_ENOMEM));
	if (len <= PEM_MAX_BYTES)
		c->crl = d2i_X509_CRL(NULL, &p, (long)len);
	ERR_clear_error();
	if (c->crl == NULL || p != der + len) {
		crl_free(c);
		return err_set(
		    err, RK_EFORMAT, "%s: is no valid revocation list", shown);
	}
	c->der = x509_keep(der, len);
	if (c->der.ptr == NULL) {
		crl_free(c);
		return err_set(
		    err, RK_ENOMEM, "%s: %s", shown, rk_err_text(RK_ENOMEM));
	}
	*out = c;
	return RK_OK;
}

enum rk_err
crl_put_pem(const struct crl *c, struct buf *b)
{
	BIO *bio = BIO_new(BIO_s_mem());

	return x509_take_bio(
	    bio, bio != NULL && PEM_write_bio_X509_CRL(bio, c->crl) == 1, b);
}

static ASN1_INTEGER *
new_serial(const struct serial *serial)
{
	ASN1_INTEGER *n = ASN1_INTEGER_new();

	if (n != NULL &&
	    ASN1_STRING_set(n, serial->bytes, (int)serial->len) == 1)
		return n;
	ASN1_INTEGER_free(n);
	return NULL;
}

bool
crl_has(const struct crl *c, const struct serial *serial)
{
	ASN1_INTEGER *n = new_serial(serial);
	X509_REVOKED *found = NULL;
	bool has = n != NULL && X509_CRL_get0_by_serial(c->crl, &found, n) == 1;

	ASN1_INTEGER_free(n);
	ERR_clear_error();
	return has;
}

bool
crl_entry(const struct crl *c, size_t i, char serial[132], int64_t *when)
{
	STACK_OF(X509_REVOKED) *all = X509_CRL_get_REVOKED(c->crl);
	const X509_REVOKED *rev = NULL;

	*when = 0;
	serial[0] = '\0';
	if (i > INT32_MAX || (int)i >= sk_X509_REVOKED_num(all))
		return false;
	rev = sk_X509_REVOKED_value(all, (int)i);
	x509_serial_text(X509_REVOKED_get0_serialNumber(rev), serial, 132);
	*when = x509_time(X509_REVOKED_get0_revocationDate(rev));
	return true;
}

void
crl_describe(const struct crl *c, struct crl_view *v)
{
	ASN1_INTEGER *number =
	    X509_CRL_get_ext_d2i(c->crl, NID_crl_number, NULL, NULL);
	int n = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(c->crl));
	char *text = NULL;

	*v = (struct crl_view){ 0 };
	x509_name_text(
	    X509_CRL_get_issuer(c->crl), v->issuer, sizeof(v->issuer));
	v->this_update = x509_time(X509_CRL_get0_lastUpdate(c->crl));
	v->next_update = x509_time(X509_CRL_get0_nextUpdate(c->crl));
	v->entries = n > 0 ? (size_t)n : 0;
	/* Numbers that long would take long to turn into decimal. */
	if (number != NULL && ASN1_STRING_length(number) <= 32)
		text = i2s_ASN1_INTEGER(NULL, number);
	if (text != NULL)
		(void)str_copy(v->number, sizeof(v->number), text);
	OPENSSL_free(text);
	ASN1_INTEGER_free(number);
	ERR_clear_error();
}

/* One more than the old list's; a list without a number counts as 0. */
static bool
add_number(X509_CRL *crl, const struct crl *old)
{
	ASN1_INTEGER *n = NULL;
	BIGNUM *bn = NULL;
	bool ok = false;

	if (old != NULL)
		n = X509_CRL_get_ext_d2i(old->crl, NID_crl_number, NULL, NULL);
	if (n != NULL)
		bn = ASN1_INTEGER_to_BN(n, NULL);
	else
		bn = BN_new(); /* which is 0 */
	ASN1_INTEGER_free(n);
	n = NULL;
	if (bn != NULL && BN_add_word(bn, 1) == 1)
		n = BN_to_ASN1_INTEGER(bn, NULL);
	ok = n != NULL &&
	     X509_CRL_add1_ext_i2d(crl, NID_crl_number, n, 0, 0) == 1;
	ASN1_INTEGER_free(n);
	BN_free(bn);
	return ok;
}

static bool
add_authority(X509_CRL *crl, const X509 *ca)
{
	AUTHORITY_KEYID *akid = x509_authority(ca);
	bool ok = akid != NULL;

	if (ok && akid->keyid != NULL)
		ok = X509_CRL_add1_ext_i2d(
		         crl, NID_authority_key_identifier, akid, 0, 0) == 1;
	AUTHORITY_KEYID_free(akid);
	return ok;
}

static bool
copy_entries(X509_CRL *crl, const struct crl *old)
{
	STACK_OF(X509_REVOKED) *all = X509_CRL_get_REVOKED(old->crl);
	int n = sk_X509_REVOKED_num(all);

	for (int i = 0; i < n; i++) {
		X509_REVOKED *rev =
		    X509_REVOKED_dup(sk_X509_REVOKED_value(all, i));

		if (rev == NULL || X509_CRL_add0_revoked(crl, rev) != 1) {
			X509_REVOKED_free(rev);
			return false;
		}
	}
	return true;
}

static bool
add_entry(X509_CRL *crl, const struct serial *serial, int64_t when)
{
	X509_REVOKED *rev = X509_REVOKED_new();
	ASN1_INTEGER *n = new_serial(serial);
	ASN1_TIME *date = ASN1_TIME_adj(NULL, when, 0, 0);
	bool ok = rev != NULL && n != NULL && date != NULL &&
	          X509_REVOKED_set_serialNumber(rev, n) == 1 &&
	          X509_REVOKED_set_revocationDate(rev, date) == 1 &&
	          X509_CRL_add0_revoked(crl, rev) == 1;

	if (!ok)
		X509_REVOKED_free(rev);
	ASN1_INTEGER_free(n);
	ASN1_TIME_free(date);
	return ok;
}

static bool
set_times(X509_CRL *crl, const struct validity *when)
{
	ASN1_TIME *from = ASN1_TIME_adj(NULL, when->from, 0, 0);
	ASN1_TIME *to = ASN1_TIME_adj(NULL, when->to, 0, 0);
	bool ok = from != NULL && to != NULL &&
	          X509_CRL_set1_lastUpdate(crl, from) == 1 &&
	          X509_CRL_set1_nextUpdate(crl, to) == 1;

	ASN1_TIME_free(from);
	ASN1_TIME_free(to);
	return ok;
}

static bool
fill(X509_CRL *crl, const struct signer *ca, const struct crl_change *change)
{
	const X509 *by = ca->cert->x509;
	EVP_PKEY *key = NULL;
	bool ok =
	    X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
	    X509_CRL_set_issuer_name(crl, X509_get_subject_name(by)) == 1 &&
	    set_times(crl, &change->when);

	if (ok && change->old != NULL)
		ok = copy_entries(crl, change->old);
	if (ok && change->add != NULL &&
	    (change->old == NULL || !crl_has(change->old, change->add)))
		ok = add_entry(crl, change->add, change->when.from);
	ok = ok && add_authority(crl, by) && add_number(crl, change->old) &&
	     X509_CRL_sort(crl) == 1;
	if (!ok)
		return false;
	key = x509_pkey(ca->key);
	ok = key != NULL && X509_CRL_sign(crl, key, NULL) > 0;
	EVP_PKEY_free(key);
	return ok;
}

enum rk_err
crl_new(const struct signer *ca, const struct crl_change *change,
    struct crl **out, struct rk_error *err)
{
	struct crl *c = calloc(1, sizeof(*c));
	void *made;
	enum rk_err r;

	*out = NULL;
	if (c == NULL)
		return err_set(err, RK_ENOMEM, "%s", rk_err_text(RK_ENOMEM));
	c->crl = X509_CRL_new();
	if (c->crl == NULL || !fill(c->crl, ca, change))
		r = x509_fail(err, "new revocation list");
	else {
		made = c->crl;
		r = x509_sign_item(ca->key, RK_SIGN_CRL,
		    ASN1_ITEM_rptr(X509_CRL), &made, "new revocation list",
		    err);
		c->crl = made;
	}
	if (r == RK_OK)
		*out = c;
	else
		crl_free(c);
	return r;
}
