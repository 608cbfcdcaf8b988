/* Certificates made: the profile of our CAs and of those they sign. */
#include "x509.h"

#include <limits.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "base/crypt.h"
#include "base/error.h"
#include "base/str.h"
#include "x509_priv.h"

#define NEW_SERIAL_LEN 16
#define KEY_ID_LEN 20

enum rk_err
x509_fail(struct rk_error *err, const char *what)
{
	char why[160] = "out of memory";
	unsigned long code = ERR_peek_last_error();

	if (code != 0)
		ERR_error_string_n(code, why, sizeof(why));
	ERR_clear_error();
	return err_set(
	    err, code != 0 ? RK_EFAIL : RK_ENOMEM, "%s: %s", what, why);
}

EVP_PKEY *
x509_pkey(const struct rk_key *key)
{
	const uint8_t *seed = rk_key_seed(key);

	return seed == NULL ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
	                    : EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519,
	                          NULL, seed, RK_KEY_SEED_LEN);
}

/*
 * In a whole certificate, request or list that a key elsewhere was to sign,
 * DER: put the signature in.  What is signed is the first element within the
 * outermost, and the signature is the end of that.  Of a key that is here,
 * nothing is done.
 */
static enum rk_err
sign_there(const struct rk_key *key, enum rk_sign_use use, uint8_t *der,
    size_t len, struct rk_error *err)
{
	const uint8_t *tbs = der;
	const uint8_t *p;
	long n;
	int tag;
	int class;

	if (rk_key_seed(key) != NULL)
		return RK_OK;
	if (len < RK_KEY_SIG_LEN || len > LONG_MAX ||
	    (ASN1_get_object(&tbs, &n, &tag, &class, (long)len) & 0x80) != 0)
		return x509_fail(err, "what is to be signed");
	p = tbs;
	if ((ASN1_get_object(&p, &n, &tag, &class, n) & 0x80) != 0)
		return x509_fail(err, "what is to be signed");
	return rk_key_sign_for(key, use, tbs, (size_t)(p - tbs) + (size_t)n,
	    der + len - RK_KEY_SIG_LEN, err);
}

enum rk_err
x509_sign_item(const struct rk_key *key, enum rk_sign_use use,
    const ASN1_ITEM *it, void **value, const char *what, struct rk_error *err)
{
	uint8_t *der = NULL;
	const uint8_t *p;
	int len;
	enum rk_err r;

	if (rk_key_seed(key) != NULL)
		return RK_OK;
	if ((len = ASN1_item_i2d(*value, &der, it)) <= 0)
		return x509_fail(err, what);
	r = sign_there(key, use, der, (size_t)len, err);
	if (r == RK_OK) {
		p = der;
		ASN1_item_free(*value, it);
		*value = ASN1_item_d2i(NULL, &p, len, it);
		if (*value == NULL)
			r = x509_fail(err, what);
	}
	OPENSSL_free(der);
	return r;
}

bool
x509_set_cn(X509_NAME *name, const char *cn)
{
	return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
	           (const uint8_t *)cn, -1, -1, 0) == 1;
}

/* The key identifier: RFC 7093 method 1. */
static bool
key_id(const uint8_t pub[RK_KEY_PUBLIC_LEN], ASN1_OCTET_STRING *id)
{
	uint8_t hash[CRYPT_HASH_LEN];

	crypt_sha256(hash, pub, RK_KEY_PUBLIC_LEN);
	return ASN1_OCTET_STRING_set(id, hash, KEY_ID_LEN) == 1;
}

/* The CA's key identifier; a CA without one gives an empty structure, which
 * the caller leaves out. */
AUTHORITY_KEYID *
x509_authority(const X509 *ca)
{
	const ASN1_OCTET_STRING *id =
	    X509_get0_subject_key_id((X509 *)(uintptr_t)ca);
	AUTHORITY_KEYID *akid = AUTHORITY_KEYID_new();

	if (akid == NULL || id == NULL)
		return akid;
	akid->keyid = ASN1_OCTET_STRING_dup(id);
	if (akid->keyid == NULL) {
		AUTHORITY_KEYID_free(akid);
		return NULL;
	}
	return akid;
}

static GENERAL_NAME *
new_name(const struct san *san)
{
	GENERAL_NAME *gn = GENERAL_NAME_new();
	ASN1_STRING *s = ASN1_STRING_type_new(
	    san->kind == SAN_IP ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
	const void *data = san->text;
	size_t len = strlen(san->text);
	int type = san->kind == SAN_DNS ? GEN_DNS : GEN_EMAIL;

	if (san->kind == SAN_IP) {
		data = san->ip;
		len = san->ip_len;
		type = GEN_IPADD;
	}
	if (gn == NULL || s == NULL ||
	    ASN1_STRING_set(s, data, (int)len) != 1) {
		GENERAL_NAME_free(gn);
		ASN1_STRING_free(s);
		return NULL;
	}
	GENERAL_NAME_set0_value(gn, type, s);
	return gn;
}

GENERAL_NAMES *
x509_names(const struct sans *sans)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();

	if (names == NULL)
		return NULL;
	for (size_t i = 0; i < sans->n; i++) {
		GENERAL_NAME *gn = new_name(&sans->items[i]);

		if (gn == NULL || sk_GENERAL_NAME_push(names, gn) <= 0) {
			GENERAL_NAME_free(gn);
			GENERAL_NAMES_free(names);
			return NULL;
		}
	}
	return names;
}

static bool
set_serial(X509 *x)
{
	uint8_t serial[NEW_SERIAL_LEN];

	/* Positive, and always of the same length. */
	rk_random(serial, sizeof(serial));
	serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40);
	return ASN1_STRING_set(
	           X509_get_serialNumber(x), serial, NEW_SERIAL_LEN) == 1;
}

static bool
set_times(X509 *x, const struct validity *when)
{
	return ASN1_TIME_adj(X509_getm_notBefore(x), when->from, 0, 0) !=
	           NULL &&
	       ASN1_TIME_adj(X509_getm_notAfter(x), when->to, 0, 0) != NULL;
}

static bool
add_text_ext(X509 *x, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext = NULL;
	bool ok = false;

	X509V3_set_ctx(&ctx, NULL, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ok = ext != NULL && X509_add_ext(x, ext, -1) == 1;
	X509_EXTENSION_free(ext);
	return ok;
}

static bool
set_key(X509 *x, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(
	    EVP_PKEY_ED25519, NULL, pub, RK_KEY_PUBLIC_LEN);
	bool ok = key != NULL && X509_set_pubkey(x, key) == 1;

	EVP_PKEY_free(key);
	return ok;
}

static bool
add_subject_id(X509 *x, const uint8_t pub[RK_KEY_PUBLIC_LEN])
{
	ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
	bool ok =
	    id != NULL && key_id(pub, id) &&
	    X509_add1_ext_i2d(x, NID_subject_key_identifier, id, 0, 0) == 1;

	ASN1_OCTET_STRING_free(id);
	return ok;
}

static bool
add_authority(X509 *x, const X509 *ca)
{
	AUTHORITY_KEYID *akid = x509_authority(ca);
	bool ok = akid != NULL;

	if (ok && akid->keyid != NULL)
		ok = X509_add1_ext_i2d(
		         x, NID_authority_key_identifier, akid, 0, 0) == 1;
	AUTHORITY_KEYID_free(akid);
	return ok;
}

static bool
sign(X509 *x, const struct rk_key *key)
{
	EVP_PKEY *pkey = x509_pkey(key);
	bool ok = pkey != NULL && X509_sign(x, pkey, NULL) > 0;

	EVP_PKEY_free(pkey);
	return ok;
}

static bool
fill_common(
    X509 *x, const uint8_t pub[RK_KEY_PUBLIC_LEN], const struct validity *when)
{
	return X509_set_version(x, X509_VERSION_3) == 1 && set_serial(x) &&
	       set_times(x, when) && set_key(x, pub);
}

static bool
fill_ca(X509 *x, const struct rk_key *key, const char *cn,
    const struct validity *when)
{
	X509_NAME *name = X509_get_subject_name(x);
	uint8_t pub[RK_KEY_PUBLIC_LEN];

	rk_key_public(key, pub);
	return fill_common(x, pub, when) && x509_set_cn(name, cn) &&
	       X509_set_issuer_name(x, name) == 1 &&
	       add_text_ext(x, NID_basic_constraints, "critical,CA:TRUE") &&
	       add_text_ext(x, NID_key_usage, "critical,keyCertSign,cRLSign") &&
	       add_subject_id(x, pub) && sign(x, key);
}

static bool
add_sans(X509 *x, const struct sans *sans)
{
	GENERAL_NAMES *names = x509_names(sans);
	bool ok = names != NULL &&
	          X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0) == 1;

	GENERAL_NAMES_free(names);
	return ok;
}

/* Subject and alternative names of an older certificate. */
static bool
copy_names(X509 *x, const X509 *like)
{
	int at = X509_get_ext_by_NID(like, NID_subject_alt_name, -1);

	if (X509_set_subject_name(x, X509_get_subject_name(like)) != 1)
		return false;
	return at < 0 || X509_add_ext(x, X509_get_ext(like, at), -1) == 1;
}

static bool
fill_names(X509 *x, const struct leaf *leaf)
{
	if (leaf->like != NULL)
		return copy_names(x, leaf->like->x509);
	return x509_set_cn(X509_get_subject_name(x), leaf->cn) &&
	       add_sans(x, leaf->sans);
}

static bool
fill_leaf(X509 *x, const struct signer *ca, const struct leaf *leaf)
{
	const X509 *by = ca->cert->x509;

	return fill_common(x, leaf->pub, &leaf->when) &&
	       X509_set_issuer_name(x, X509_get_subject_name(by)) == 1 &&
	       add_text_ext(x, NID_basic_constraints, "critical,CA:FALSE") &&
	       add_text_ext(x, NID_key_usage, "critical,digitalSignature") &&
	       add_text_ext(x, NID_ext_key_usage, "clientAuth,serverAuth") &&
	       fill_names(x, leaf) && add_subject_id(x, leaf->pub) &&
	       add_authority(x, by) && sign(x, ca->key);
}

static enum rk_err
new_cert(struct cert **out, struct rk_error *err)
{
	struct cert *c = calloc(1, sizeof(*c));

	*out = c;
	if (c == NULL)
		return err_set(err, RK_ENOMEM, "%s", rk_err_text(RK_ENOMEM));
	c->x509 = X509_new();
	if (c->x509 != NULL)
		return RK_OK;
	return x509_fail(err, "new certificate");
}

/* What was just made is read back, so that nothing is used but what others
 * will see. */
static enum rk_err
read_back(const struct cert *c, const struct rk_key *by, struct cert **out,
    struct rk_error *err)
{
	uint8_t *der = NULL;
	int len = i2d_X509(c->x509, &der);
	enum rk_err r;

	if (len <= 0)
		return x509_fail(err, "new certificate");
	r = sign_there(by, RK_SIGN_CERT, der, (size_t)len, err);
	if (r == RK_OK)
		r = cert_decode("new certificate", der, (size_t)len, out, err);
	OPENSSL_free(der);
	return r;
}

enum rk_err
cert_new_ca(const struct rk_key *key, const char *cn,
    const struct validity *when, struct cert **out, struct rk_error *err)
{
	struct cert *c = NULL;
	enum rk_err r;

	*out = NULL;
	if ((r = new_cert(&c, err)) != RK_OK)
		goto out;
	if (!fill_ca(c->x509, key, cn, when)) {
		r = x509_fail(err, "new CA certificate");
		goto out;
	}
	r = read_back(c, key, out, err);
out:
	cert_free(c);
	return r;
}

enum rk_err
cert_new_leaf(const struct signer *ca, const struct leaf *leaf,
    struct cert **out, struct rk_error *err)
{
	struct cert *c = NULL;
	enum rk_err r;

	*out = NULL;
	if ((r = new_cert(&c, err)) != RK_OK)
		goto out;
	if (!fill_leaf(c->x509, ca, leaf)) {
		r = x509_fail(err, "new certificate");
		goto out;
	}
	r = read_back(c, ca->key, out, err);
out:
	cert_free(c);
	return r;
}
