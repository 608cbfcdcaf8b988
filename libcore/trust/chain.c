/* The one rule about certificates, for TLS of every kind (rpckit-trust(7)). */
#include "trust/chain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/crypt.h"
#include "base/error.h"
#include "base/str.h"
#include "trust/chain_info.h"
#include "trust/der.h"
#include "trust/ident.h"

#define TIME_TEXT 32
#define WHO_TEXT 140 /* "certificate of "..." in a message */

struct chain_anchor {
	X509 *ca;
	struct rk_cert_info info; /* of the CA */
	X509_CRL *crl;
	const ASN1_INTEGER **revoked; /* sorted; they belong to crl */
	size_t n_revoked;
};

static enum rk_err
parse_cert(struct rk_bytes der, X509 **out)
{
	const uint8_t *p = der.ptr;

	*out = NULL;
	if (der.len == 0 || der.len > CHAIN_CERT_LEN_MAX)
		return RK_EFORMAT;
	*out = d2i_X509(NULL, &p, (long)der.len);
	if (*out == NULL)
		return RK_EFORMAT;
	if (p == der.ptr + der.len)
		return RK_OK;
	X509_free(*out);
	*out = NULL;
	return RK_EFORMAT;
}

/* The signature algorithm named inside what is signed: in a certificate behind
 * version and serial number, in a CRL behind the version. */
static enum rk_err
inner_algorithm(struct rk_bytes tbs, struct rk_bytes *algo)
{
	struct rk_bytes in;
	struct rk_bytes skipped;

	*algo = (struct rk_bytes){ 0 };
	if (der_take(&tbs, DER_SEQUENCE, &in) != RK_OK)
		return RK_EFORMAT;
	if (der_is(&in, 0xa0) && der_take(&in, 0xa0, &skipped) != RK_OK)
		return RK_EFORMAT;
	if (der_is(&in, DER_INTEGER) &&
	    der_take(&in, DER_INTEGER, &skipped) != RK_OK)
		return RK_EFORMAT;
	return der_take(&in, DER_SEQUENCE, algo);
}

static bool
is_ed25519(struct rk_bytes algo)
{
	static const uint8_t oid[] = { 0x06, 0x03, 0x2b, 0x65, 0x70 };

	return algo.len == sizeof(oid) && !memcmp(algo.ptr, oid, sizeof(oid));
}

/*
 * Is this certificate or CRL signed with Ed25519 by the key?  Taken apart here
 * rather than by OpenSSL, because its verifier accepts signatures that
 * rk_key_verify() does not, and there must be one answer.
 */
static bool
is_signed_by(struct rk_bytes der, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	struct rk_bytes in;
	struct rk_bytes tbs;
	struct rk_bytes outer;
	struct rk_bytes inner;
	struct rk_bytes sig;

	if (der_take(&der, DER_SEQUENCE, &in) != RK_OK || der.len != 0 ||
	    der_take_whole(&in, DER_SEQUENCE, &tbs) != RK_OK ||
	    der_take(&in, DER_SEQUENCE, &outer) != RK_OK ||
	    der_take(&in, DER_BIT_STRING, &sig) != RK_OK || in.len != 0 ||
	    inner_algorithm(tbs, &inner) != RK_OK)
		return false;
	if (!is_ed25519(outer) || !is_ed25519(inner) ||
	    sig.len != 1 + RK_KEY_SIG_LEN || sig.ptr[0] != 0)
		return false;
	return rk_key_verify(pub, tbs.ptr, tbs.len, sig.ptr + 1);
}

/* Extensions that may be critical: those that are looked at here. */
static bool
is_understood(const X509_EXTENSION *ext)
{
	int nid = 0;

	if (X509_EXTENSION_get_critical(ext) == 0)
		return true;
	nid = OBJ_obj2nid(
	    X509_EXTENSION_get_object((X509_EXTENSION *)(uintptr_t)ext));
	return nid == NID_basic_constraints || nid == NID_key_usage ||
	       nid == NID_ext_key_usage || nid == NID_subject_alt_name;
}

static enum rk_err
check_extensions(X509 *x, const char *who, struct rk_error *err)
{
	int i;

	if (X509_check_purpose(x, -1, 0) != 1 ||
	    (X509_get_extension_flags(x) & EXFLAG_INVALID) != 0)
		return err_set(
		    err, RK_ECERT, "%s: its extensions are malformed", who);
	for (i = 0; i < X509_get_ext_count(x); i++) {
		if (!is_understood(X509_get_ext(x, i)))
			return err_set(err, RK_ECERT,
			    "%s: has a critical extension that is not "
			    "understood",
			    who);
	}
	return RK_OK;
}

static enum rk_err
check_key(
    const struct chain_reading *read, const char *who, struct rk_error *err)
{
	if (!read->ed25519)
		return err_set(
		    err, RK_ECERT, "%s: its key is not Ed25519", who);
	if (!crypt_ed25519_key_ok(read->info.pub))
		return err_set(err, RK_ECERT,
		    "%s: its key is a weak point anybody can sign for", who);
	return RK_OK;
}

static enum rk_err
check_end(int64_t not_after, int64_t now, const char *who, struct rk_error *err)
{
	char end[TIME_TEXT];

	if (now <= not_after)
		return RK_OK;
	str_time(end, not_after);
	return err_set(err, RK_ECERT, "%s: ended at %s", who, end);
}

static enum rk_err
check_begin(
    int64_t not_before, int64_t now, const char *who, struct rk_error *err)
{
	char begin[TIME_TEXT];
	char clock[TIME_TEXT];

	if (now >= not_before)
		return RK_OK;
	str_time(begin, not_before);
	str_time(clock, now);
	return err_set(err, RK_ECERT,
	    "%s: is valid from %s on, and the clock says %s", who, begin,
	    clock);
}

static enum rk_err
check_issuer(const struct chain_anchor *a, X509 *x, struct rk_bytes der,
    const char *who, struct rk_error *err)
{
	if (X509_check_issued(a->ca, x) == X509_V_OK &&
	    is_signed_by(der, a->info.pub))
		return RK_OK;
	return err_set(
	    err, RK_ECERT, "%s: not signed by our CA \"%s\"", who, a->info.cn);
}

/* What a leaf must be, for whatever use. */
static enum rk_err
check_leaf(X509 *x, const struct chain_reading *read, const char *who,
    struct rk_error *err)
{
	enum rk_err r;

	if ((r = check_extensions(x, who, err)) != RK_OK)
		return r;
	if ((r = check_key(read, who, err)) != RK_OK)
		return r;
	if (X509_check_ca(x) != 0)
		return err_set(err, RK_ECERT,
		    "%s: is the certificate of a CA, not of a peer", who);
	if (read->hostile)
		return err_set(err, RK_ECERT,
		    "%s: a name or email in it has bytes it must not have",
		    who);
	if ((X509_get_key_usage(x) & KU_DIGITAL_SIGNATURE) == 0)
		return err_set(err, RK_ECERT,
		    "%s: its key usage does not allow signatures", who);
	return RK_OK;
}

/* OpenSSL gives all bits when there is no extended key usage: any use. */
static enum rk_err
check_usage(
    X509 *x, enum chain_usage usage, const char *who, struct rk_error *err)
{
	uint32_t want = XKU_ANYEKU;
	const char *what = "";

	switch (usage) {
	case CHAIN_SERVER:
		want |= XKU_SSL_SERVER;
		what = "server";
		break;
	case CHAIN_CLIENT:
		want |= XKU_SSL_CLIENT;
		what = "client";
		break;
	}
	if ((X509_get_extended_key_usage(x) & want) != 0)
		return RK_OK;
	return err_set(err, RK_ECERT, "%s: not made for a %s", who, what);
}

static int
compare_serials(const void *a, const void *b)
{
	return ASN1_INTEGER_cmp(
	    *(const ASN1_INTEGER *const *)a, *(const ASN1_INTEGER *const *)b);
}

static bool
is_revoked(const struct chain_anchor *a, const X509 *x)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(x);

	return a->n_revoked > 0 && bsearch(&serial, a->revoked, a->n_revoked,
	                               sizeof(serial), compare_serials) != NULL;
}

/* The subject for messages: escaped already, so it is only cut. */
static void
name_cert(const struct rk_cert_info *info, char out[WHO_TEXT])
{
	char cn[WHO_TEXT - 32];
	size_t n;

	if (str_copy(cn, sizeof(cn), info->cn) >= sizeof(cn)) {
		/* Not in the middle of a character. */
		n = sizeof(cn) - 2;
		while (n > 0 && ((uint8_t)cn[n] & 0xc0) == 0x80)
			n--;
		cn[n] = '~';
		cn[n + 1] = '\0';
	}
	(void)snprintf(out, WHO_TEXT, "certificate of \"%s\"",
	    cn[0] != '\0' ? cn : "nobody");
}

/* Everything about a peer's leaf that follows from its bytes and the CA. */
static enum rk_err
check_peer(const struct chain_anchor *a, X509 *x, struct rk_bytes der,
    const struct chain_reading *read, struct rk_error *err)
{
	char who[WHO_TEXT];
	enum rk_err r;

	name_cert(&read->info, who);
	if ((r = check_leaf(x, read, who, err)) != RK_OK)
		return r;
	if ((r = check_issuer(a, x, der, who, err)) != RK_OK)
		return r;
	if (is_revoked(a, x))
		return err_set(err, RK_EREVOKED, "%s: revoked (serial %s)", who,
		    read->info.serial);
	return RK_OK;
}

static enum rk_err
check_dates(const struct chain_anchor *a, const struct rk_cert_info *info,
    int64_t now, struct rk_error *err)
{
	char who[WHO_TEXT];
	enum rk_err r;

	name_cert(info, who);
	if ((r = check_begin(info->not_before, now, who, err)) != RK_OK)
		return r;
	if ((r = check_end(info->not_after, now, who, err)) != RK_OK)
		return r;
	if ((r = check_begin(a->info.not_before, now, "our CA", err)) != RK_OK)
		return r;
	return check_end(a->info.not_after, now, "our CA", err);
}

static enum rk_err
check_sizes(const struct rk_bytes *certs, size_t n, struct rk_error *err)
{
	size_t i;

	if (n == 0)
		return err_set(err, RK_ECERT, "peer showed no certificate");
	if (n > CHAIN_CERTS_MAX)
		return err_set(err, RK_ECERT,
		    "peer showed %zu certificates, more than %d", n,
		    CHAIN_CERTS_MAX);
	for (i = 0; i < n; i++) {
		if (certs[i].len == 0 || certs[i].len > CHAIN_CERT_LEN_MAX)
			return err_set(err, RK_ECERT,
			    "peer showed a certificate of %zu bytes",
			    certs[i].len);
	}
	return RK_OK;
}

enum rk_err
chain_check(const struct rk_ident *id, const struct rk_bytes *certs, size_t n,
    enum chain_usage usage, int64_t now, struct rk_cert_info *info,
    struct rk_error *err)
{
	const struct chain_anchor *a = ident_anchor(id);
	struct chain_reading read = { 0 };
	char who[WHO_TEXT];
	X509 *x = NULL;
	enum rk_err r;

	*info = (struct rk_cert_info){ 0 };
	err_clear(err);
	if ((r = check_sizes(certs, n, err)) != RK_OK)
		goto out;
	if (parse_cert(certs[0], &x) != RK_OK ||
	    chain_info_read(x, &read) != RK_OK) {
		r = err_set(err, RK_ECERT, "peer's certificate is malformed");
		goto out;
	}
	if ((r = check_peer(a, x, certs[0], &read, err)) != RK_OK)
		goto out;
	if ((r = check_dates(a, &read.info, now, err)) != RK_OK)
		goto out;
	name_cert(&read.info, who);
	r = check_usage(x, usage, who, err);
out:
	*info = read.info;
	X509_free(x);
	ERR_clear_error();
	return r;
}

enum rk_err
chain_describe(
    struct rk_bytes cert, struct rk_cert_info *info, struct rk_error *err)
{
	struct chain_reading read = { 0 };
	X509 *x = NULL;
	enum rk_err r;

	err_clear(err);
	if ((r = parse_cert(cert, &x)) == RK_OK)
		r = chain_info_read(x, &read);
	if (r != RK_OK)
		r = err_set(err, r, "not a certificate, or damaged");
	else if (!read.ed25519)
		r = err_set(
		    err, RK_EUNSUPPORTED, "the key is not an Ed25519 key");
	*info = read.info;
	X509_free(x);
	ERR_clear_error();
	return r;
}

static enum rk_err
check_ca(X509 *x, struct rk_bytes der, const struct chain_reading *read,
    const char *name, struct rk_error *err)
{
	enum rk_err r;

	if ((r = check_extensions(x, name, err)) != RK_OK)
		return r;
	if (X509_check_ca(x) != 1 ||
	    (X509_get_key_usage(x) & KU_KEY_CERT_SIGN) == 0)
		return err_set(
		    err, RK_ECERT, "%s: is not the certificate of a CA", name);
	if ((r = check_key(read, name, err)) != RK_OK)
		return r;
	if (X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) ==
	        0 &&
	    !is_signed_by(der, read->info.pub))
		return err_set(
		    err, RK_ECERT, "%s: its signature is not its own", name);
	return RK_OK;
}

enum rk_err
chain_anchor_new(struct rk_bytes ca, const char *name, int64_t now,
    struct chain_anchor **out, struct rk_error *err)
{
	struct chain_anchor *a = calloc(1, sizeof(*a));
	struct chain_reading read;
	enum rk_err r;

	*out = NULL;
	if (a == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	if (parse_cert(ca, &a->ca) != RK_OK ||
	    chain_info_read(a->ca, &read) != RK_OK) {
		r = err_set(err, RK_ECERT, "%s: damaged certificate", name);
		goto out;
	}
	if ((r = check_ca(a->ca, ca, &read, name, err)) != RK_OK)
		goto out;
	if ((r = check_end(read.info.not_after, now, name, err)) != RK_OK)
		goto out;
	a->info = read.info;
	*out = a;
	a = NULL;
out:
	chain_anchor_free(a);
	ERR_clear_error();
	return r;
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
check_crl(const struct chain_anchor *a, X509_CRL *crl, struct rk_bytes der,
    const char *name, struct rk_error *err)
{
	if (X509_NAME_cmp(
	        X509_CRL_get_issuer(crl), X509_get_subject_name(a->ca)) != 0 ||
	    !is_signed_by(der, a->info.pub))
		return err_set(err, RK_ECERT,
		    "%s: not the revocation list of our CA \"%s\"", name,
		    a->info.cn);
	if ((X509_get_key_usage(a->ca) & KU_CRL_SIGN) == 0)
		return err_set(err, RK_ECERT,
		    "%s: our CA \"%s\" may not sign revocation lists", name,
		    a->info.cn);
	if (has_critical(X509_CRL_get0_extensions(crl)))
		return err_set(err, RK_ECERT,
		    "%s: a revocation list of a kind that is not supported",
		    name);
	return RK_OK;
}

static void
warn_if_old(const X509_CRL *crl, const char *name, int64_t now)
{
	const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
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

static enum rk_err
index_crl(struct chain_anchor *a, X509_CRL *crl, const char *name,
    struct rk_error *err)
{
	STACK_OF(X509_REVOKED) *list = X509_CRL_get_REVOKED(crl);
	int n = sk_X509_REVOKED_num(list);
	const ASN1_INTEGER **serials = NULL;
	int i;

	if (n <= 0)
		return RK_OK;
	serials = calloc((size_t)n, sizeof(const ASN1_INTEGER *));
	if (serials == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	for (i = 0; i < n; i++) {
		const X509_REVOKED *rev = sk_X509_REVOKED_value(list, i);

		if (has_critical(X509_REVOKED_get0_extensions(rev))) {
			free(serials);
			return err_set(err, RK_ECERT,
			    "%s: a revocation list of a kind that is not "
			    "supported",
			    name);
		}
		serials[i] = X509_REVOKED_get0_serialNumber(rev);
	}
	qsort(
	    serials, (size_t)n, sizeof(const ASN1_INTEGER *), compare_serials);
	a->revoked = serials;
	a->n_revoked = (size_t)n;
	return RK_OK;
}

enum rk_err
chain_anchor_set_crl(struct chain_anchor *a, struct rk_bytes crl,
    const char *name, int64_t now, struct rk_error *err)
{
	const uint8_t *p = crl.ptr;
	X509_CRL *list = NULL;
	enum rk_err r;

	if (crl.len > 0 && crl.len <= CHAIN_CRL_LEN_MAX)
		list = d2i_X509_CRL(NULL, &p, (long)crl.len);
	if (list == NULL || p != crl.ptr + crl.len) {
		r = err_set(err, RK_ECERT, "%s: damaged revocation list", name);
		goto out;
	}
	if ((r = check_crl(a, list, crl, name, err)) != RK_OK)
		goto out;
	if ((r = index_crl(a, list, name, err)) != RK_OK)
		goto out;
	warn_if_old(list, name, now);
	a->crl = list;
	list = NULL;
out:
	X509_CRL_free(list);
	ERR_clear_error();
	return r;
}

enum rk_err
chain_anchor_check_own(const struct chain_anchor *a, struct rk_bytes cert,
    const char *name, int64_t now, struct rk_cert_info *info,
    struct rk_error *err)
{
	struct chain_reading read = { 0 };
	X509 *x = NULL;
	enum rk_err r;

	*info = (struct rk_cert_info){ 0 };
	if (parse_cert(cert, &x) != RK_OK ||
	    chain_info_read(x, &read) != RK_OK) {
		r = err_set(err, RK_ECERT, "%s: damaged certificate", name);
		goto out;
	}
	if ((r = check_leaf(x, &read, name, err)) != RK_OK)
		goto out;
	if ((r = check_issuer(a, x, cert, name, err)) != RK_OK)
		goto out;
	if ((r = check_end(read.info.not_after, now, name, err)) != RK_OK)
		goto out;
	if (now < read.info.not_before)
		log_event(RK_LOG_WARN, "trust", "%s: not valid yet", name);
	if (is_revoked(a, x))
		log_event(RK_LOG_WARN, "trust",
		    "%s: on the CA's revocation list, peers will refuse it",
		    name);
	*info = read.info;
out:
	X509_free(x);
	ERR_clear_error();
	return r;
}

void
chain_anchor_free(struct chain_anchor *a)
{
	if (a == NULL)
		return;
	free(a->revoked);
	X509_CRL_free(a->crl);
	X509_free(a->ca);
	free(a);
}
