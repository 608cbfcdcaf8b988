/* Certificates read and put into words that are safe to show. */
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/error.h"
#include "base/str.h"
#include "x509_priv.h"

#define NAME_LEN 160

struct rk_bytes
x509_keep(const uint8_t *der, size_t len)
{
	uint8_t *copy = malloc(len);

	if (copy == NULL)
		return (struct rk_bytes){ 0 };
	memcpy(copy, der, len);
	return (struct rk_bytes){ copy, len };
}

void
x509_drop(struct rk_bytes *der)
{
	union {
		const uint8_t *in;
		uint8_t *out;
	} u = { .in = der->ptr }; /* made by x509_keep() */

	free(u.out);
	*der = (struct rk_bytes){ 0 };
}

enum rk_err
cert_decode(const char *name, const uint8_t *der, size_t len, struct cert **out,
    struct rk_error *err)
{
	const uint8_t *p = der;
	struct cert *c = NULL;
	char shown[NAME_LEN];
	enum rk_err r = RK_ENOMEM;

	*out = NULL;
	str_escape(shown, sizeof(shown), name);
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		r = err_set(err, RK_ENOMEM, "%s: %s", shown, rk_err_text(r));
		goto out;
	}
	if (len <= PEM_MAX_BYTES)
		c->x509 = d2i_X509(NULL, &p, (long)len);
	if (c->x509 == NULL || p != der + len) {
		r = err_set(
		    err, RK_EFORMAT, "%s: is no valid certificate", shown);
		goto out;
	}
	c->der = x509_keep(der, len);
	if (c->der.ptr == NULL) {
		r = err_set(err, RK_ENOMEM, "%s: %s", shown, rk_err_text(r));
		goto out;
	}
	*out = c;
	c = NULL;
	r = RK_OK;
out:
	ERR_clear_error();
	cert_free(c);
	return r;
}

void
cert_free(struct cert *c)
{
	if (c == NULL)
		return;
	X509_free(c->x509);
	x509_drop(&c->der);
	free(c);
}

enum rk_err
x509_take_bio(BIO *bio, bool written, struct buf *b)
{
	char *data = NULL;
	enum rk_err r = RK_ENOMEM;
	long len;

	if (written && (len = BIO_get_mem_data(bio, &data)) > 0)
		r = buf_put(b, data, (size_t)len);
	BIO_free(bio);
	return r;
}

enum rk_err
cert_put_pem(const struct cert *c, struct buf *b)
{
	BIO *bio = BIO_new(BIO_s_mem());

	return x509_take_bio(
	    bio, bio != NULL && PEM_write_bio_X509(bio, c->x509) == 1, b);
}

bool
cert_is_same(const struct cert *a, const struct cert *b)
{
	return X509_cmp(a->x509, b->x509) == 0;
}

/* The n-th word for every bit that is set. */
static void
put_bits(char *dst, size_t dst_len, uint32_t bits, const char *const *words,
    size_t n)
{
	dst[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		if ((bits >> i & 1) != 0 && words[i] != NULL)
			x509_put_text(
			    dst, dst_len, ", ", "", words[i], strlen(words[i]));
	}
}

static void
describe_usage(X509 *x, struct cert_view *v)
{
	/* By the bits of KU_* and XKU_*. */
	static const char *const usage[] = { "encipher only", "CRL sign",
		"certificate sign", "key agreement", "data encipherment",
		"key encipherment", "non repudiation", "digital signature" };
	static const char *const ext[] = { "server", "client", "mail",
		"code sign", NULL, "OCSP", "time stamp", "DVCS", "any" };
	uint32_t flags = X509_get_extension_flags(x);

	if ((flags & EXFLAG_KUSAGE) != 0)
		put_bits(v->usage, sizeof(v->usage), X509_get_key_usage(x),
		    usage, sizeof(usage) / sizeof(usage[0]));
	if ((flags & EXFLAG_XKUSAGE) != 0)
		put_bits(v->ext_usage, sizeof(v->ext_usage),
		    X509_get_extended_key_usage(x), ext,
		    sizeof(ext) / sizeof(ext[0]));
	v->is_ca = (flags & EXFLAG_BCONS) != 0 && (flags & EXFLAG_CA) != 0;
}

static void
describe_names(X509 *x, struct cert_view *v)
{
	GENERAL_NAMES *names = NULL;
	int n;

	names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
	if (names == NULL)
		return;
	x509_names_text(names, v->names, sizeof(v->names));
	n = sk_GENERAL_NAME_num(names);
	for (int i = 0; i < n; i++) {
		const GENERAL_NAME *gn = sk_GENERAL_NAME_value(names, i);
		int type = 0;
		const ASN1_STRING *s = GENERAL_NAME_get0_value(gn, &type);

		if (type == GEN_EMAIL)
			x509_put_text(v->mail, sizeof(v->mail), ",", "",
			    (const char *)ASN1_STRING_get0_data(s),
			    (size_t)ASN1_STRING_length(s));
	}
	GENERAL_NAMES_free(names);
}

void
cert_describe(const struct cert *c, struct cert_view *v)
{
	X509 *x = c->x509;
	int sig = X509_get_signature_nid(x);

	*v = (struct cert_view){ 0 };
	x509_cn_text(X509_get_subject_name(x), v->cn, sizeof(v->cn));
	x509_cn_text(
	    X509_get_issuer_name(x), v->issuer_cn, sizeof(v->issuer_cn));
	x509_name_text(
	    X509_get_subject_name(x), v->subject, sizeof(v->subject));
	x509_name_text(X509_get_issuer_name(x), v->issuer, sizeof(v->issuer));
	x509_serial_text(
	    X509_get0_serialNumber(x), v->serial, sizeof(v->serial));
	v->not_before = x509_time(X509_get0_notBefore(x));
	v->not_after = x509_time(X509_get0_notAfter(x));
	v->is_ed25519 = x509_key_text(X509_get0_pubkey(x), v->key_kind, v->pub);
	x509_key_fp(X509_get_X509_PUBKEY(x), v->fp);
	(void)str_copy(v->signature, sizeof(v->signature),
	    sig == NID_undef ? "unknown" : OBJ_nid2ln(sig));
	describe_usage(x, v);
	describe_names(x, v);
	ERR_clear_error();
}

enum rk_err
cert_serial(const struct cert *c, struct serial *out)
{
	const ASN1_INTEGER *n = X509_get0_serialNumber(c->x509);
	int len = ASN1_STRING_length(n);
	const uint8_t *p = ASN1_STRING_get0_data(n);

	*out = (struct serial){ 0 };
	if (ASN1_STRING_type(n) != V_ASN1_INTEGER || len <= 0 ||
	    len > SERIAL_MAX || (len == 1 && p[0] == 0))
		return RK_EFORMAT;
	memcpy(out->bytes, p, (size_t)len);
	out->len = (size_t)len;
	return RK_OK;
}
