/* Signing requests (PKCS #10): made, checked, and what they wish for. */
#include <arpa/inet.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/crypt.h"
#include "base/error.h"
#include "base/str.h"
#include "x509_priv.h"

#define NAME_LEN 160

typedef STACK_OF(X509_EXTENSION) ext_stack;

void
csr_free(struct csr *c)
{
	if (c == NULL)
		return;
	X509_REQ_free(c->req);
	free(c);
}

static bool
add_sans(X509_REQ *req, const struct sans *sans)
{
	GENERAL_NAMES *names = x509_names(sans);
	ext_stack *exts = NULL;
	bool ok =
	    names != NULL &&
	    X509V3_add1_i2d(&exts, NID_subject_alt_name, names, 0, 0) == 1 &&
	    X509_REQ_add_extensions(req, exts) == 1;

	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
	GENERAL_NAMES_free(names);
	return ok;
}

static bool
fill(X509_REQ *req, const struct rk_key *key, const char *cn,
    const struct sans *sans)
{
	EVP_PKEY *pkey = x509_pkey(key);
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	EVP_PKEY *own = NULL;
	bool ok;

	rk_key_public(key, pub);
	own = EVP_PKEY_new_raw_public_key(
	    EVP_PKEY_ED25519, NULL, pub, sizeof(pub));
	ok = pkey != NULL && own != NULL &&
	     X509_REQ_set_version(req, X509_REQ_VERSION_1) == 1 &&
	     x509_set_cn(X509_REQ_get_subject_name(req), cn) &&
	     X509_REQ_set_pubkey(req, own) == 1 && add_sans(req, sans) &&
	     X509_REQ_sign(req, pkey, NULL) > 0;
	EVP_PKEY_free(own);
	EVP_PKEY_free(pkey);
	return ok;
}

enum rk_err
csr_new(const struct rk_key *key, const char *cn, const struct sans *sans,
    struct csr **out, struct rk_error *err)
{
	struct csr *c = calloc(1, sizeof(*c));
	void *made;
	enum rk_err r;

	*out = NULL;
	if (c == NULL)
		return err_set(err, RK_ENOMEM, "%s", rk_err_text(RK_ENOMEM));
	c->req = X509_REQ_new();
	if (c->req == NULL || !fill(c->req, key, cn, sans))
		r = x509_fail(err, "new request");
	else {
		made = c->req;
		r = x509_sign_item(key, RK_SIGN_REQUEST,
		    ASN1_ITEM_rptr(X509_REQ), &made, "new request", err);
		c->req = made;
	}
	if (r == RK_OK)
		*out = c;
	else
		csr_free(c);
	return r;
}

enum rk_err
csr_put_pem(const struct csr *c, struct buf *b)
{
	BIO *bio = BIO_new(BIO_s_mem());

	return x509_take_bio(
	    bio, bio != NULL && PEM_write_bio_X509_REQ(bio, c->req) == 1, b);
}

static enum rk_err
decode(const char *name, const uint8_t *der, size_t len, struct csr **out,
    struct rk_error *err)
{
	const uint8_t *p = der;
	struct csr *c = calloc(1, sizeof(*c));
	char shown[NAME_LEN];

	*out = NULL;
	str_escape(shown, sizeof(shown), name);
	if (c == NULL)
		return err_set(
		    err, RK_ENOMEM, "%s: %s", shown, rk_err_text(RK_ENOMEM));
	if (len <= PEM_MAX_BYTES)
		c->req = d2i_X509_REQ(NULL, &p, (long)len);
	ERR_clear_error();
	if (c->req == NULL || p != der + len) {
		csr_free(c);
		return err_set(
		    err, RK_EFORMAT, "%s: is no valid signing request", shown);
	}
	*out = c;
	return RK_OK;
}

enum rk_err
csr_decode(const char *name, const uint8_t *der, size_t len, struct csr **out,
    struct rk_error *err)
{
	struct csr *c = NULL;
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char kind[64];
	char shown[NAME_LEN];
	EVP_PKEY *key = NULL;
	enum rk_err r;

	*out = NULL;
	str_escape(shown, sizeof(shown), name);
	if ((r = decode(name, der, len, &c, err)) != RK_OK)
		goto out;
	key = X509_REQ_get0_pubkey(c->req);
	/* Looked at first: checking other keys' signatures can take long. */
	if (!x509_key_text(key, kind, pub)) {
		r = err_set(err, RK_EUNSUPPORTED,
		    "%s: the key is %s, not Ed25519", shown, kind);
		goto out;
	}
	if (!crypt_ed25519_key_ok(pub)) {
		r = err_set(err, RK_ECERT, "%s: the key is a weak one", shown);
		goto out;
	}
	if (X509_REQ_verify(c->req, key) != 1) {
		r = err_set(err, RK_ECERT,
		    "%s: the signature is bad: whoever asks does not hold "
		    "the key",
		    shown);
		goto out;
	}
	*out = c;
	c = NULL;
out:
	ERR_clear_error();
	csr_free(c);
	return r;
}

/* A name is taken only when it reads as it is: no NUL inside, IA5 only. */
static bool
take_name(struct csr_wish *w, const GENERAL_NAME *gn)
{
	char text[SAN_TEXT_LEN] = "";
	int type = 0;
	const ASN1_STRING *s = GENERAL_NAME_get0_value(gn, &type);
	const uint8_t *p = NULL;
	size_t len;

	if (type != GEN_DNS && type != GEN_EMAIL && type != GEN_IPADD)
		return false;
	p = ASN1_STRING_get0_data(s);
	len = (size_t)ASN1_STRING_length(s);
	if (type == GEN_IPADD) {
		if ((len != 4 && len != 16) ||
		    inet_ntop(len == 4 ? AF_INET : AF_INET6, p, text,
		        sizeof(text)) == NULL)
			return false;
		return sans_add(&w->sans, SAN_IP, text, NULL) == RK_OK;
	}
	if (len == 0 || len >= sizeof(text) || memchr(p, '\0', len) != NULL)
		return false;
	memcpy(text, p, len);
	return sans_add(&w->sans, type == GEN_DNS ? SAN_DNS : SAN_MAIL, text,
	           NULL) == RK_OK;
}

static void
read_names(const ext_stack *exts, struct csr_wish *w)
{
	GENERAL_NAMES *names =
	    X509V3_get_d2i(exts, NID_subject_alt_name, NULL, NULL);
	int n = sk_GENERAL_NAME_num(names);

	for (int i = 0; i < n; i++) {
		if (!take_name(w, sk_GENERAL_NAME_value(names, i)))
			w->ignored++;
	}
	/* There, but empty or not readable: not granted either. */
	if (names == NULL &&
	    X509v3_get_ext_by_NID(exts, NID_subject_alt_name, -1) >= 0)
		w->ignored++;
	GENERAL_NAMES_free(names);
}

static void
read_cn(X509_REQ *req, struct csr_wish *w)
{
	const X509_NAME *name = X509_REQ_get_subject_name(req);
	int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	uint8_t *text = NULL;
	int len = -1;

	if (at >= 0)
		len = ASN1_STRING_to_UTF8(&text,
		    X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
	if (len > 0 && (size_t)len < sizeof(w->cn) &&
	    memchr(text, '\0', (size_t)len) == NULL) {
		memcpy(w->cn, text, (size_t)len);
		w->cn[len] = '\0';
	}
	OPENSSL_free(text);
	if (cn_check(w->cn, NULL) != RK_OK)
		w->cn[0] = '\0';
}

enum rk_err
csr_read(const struct csr *c, struct csr_wish *w, struct rk_error *err)
{
	ext_stack *exts = X509_REQ_get_extensions(c->req);
	char kind[64];
	int n = sk_X509_EXTENSION_num(exts);
	bool names;

	*w = (struct csr_wish){ 0 };
	if (!x509_key_text(X509_REQ_get0_pubkey(c->req), kind, w->pub)) {
		sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
		return err_set(
		    err, RK_EUNSUPPORTED, "the key is %s, not Ed25519", kind);
	}
	read_cn(c->req, w);
	read_names(exts, w);
	names = X509v3_get_ext_by_NID(exts, NID_subject_alt_name, -1) >= 0;
	if (n > 0)
		w->ignored += (unsigned)n - (names ? 1 : 0);
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
	ERR_clear_error();
	return RK_OK;
}

enum rk_err
csr_describe(const char *name, const uint8_t *der, size_t len,
    struct csr_view *v, struct rk_error *err)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	struct csr *c = NULL;
	ext_stack *exts = NULL;
	GENERAL_NAMES *names = NULL;
	EVP_PKEY *key = NULL;
	enum rk_err r;

	*v = (struct csr_view){ 0 };
	if ((r = decode(name, der, len, &c, err)) != RK_OK)
		return r;
	x509_name_text(
	    X509_REQ_get_subject_name(c->req), v->subject, sizeof(v->subject));
	exts = X509_REQ_get_extensions(c->req);
	names = X509V3_get_d2i(exts, NID_subject_alt_name, NULL, NULL);
	if (names != NULL)
		x509_names_text(names, v->names, sizeof(v->names));
	key = X509_REQ_get0_pubkey(c->req);
	if (x509_key_text(key, v->key_kind, pub))
		v->is_signed = X509_REQ_verify(c->req, key) == 1;
	x509_key_fp(X509_REQ_get_X509_PUBKEY(c->req), v->fp);
	GENERAL_NAMES_free(names);
	sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
	csr_free(c);
	ERR_clear_error();
	return RK_OK;
}
