/* The rules a certificate is held to, each with its own answer: those of the
 * library, which peers go by, so that a yes here is a yes there. */
#include <stdio.h>

#include <openssl/err.h>

#include "base/crypt.h"
#include "base/error.h"
#include "base/str.h"
#include "x509_priv.h"

#define NAME_LEN 160
#define CERT_PEER_MAX 16384 /* bytes that the library takes */

/* What is signed: the first element of the outer SEQUENCE. */
static bool
find_signed(const uint8_t *der, long len, const uint8_t **start, size_t *size)
{
	const uint8_t *p = der;
	long inner = 0;
	int tag = 0;
	int class = 0;

	if ((ASN1_get_object(&p, &inner, &tag, &class, len) & 0x80) != 0)
		return false;
	*start = p;
	if ((ASN1_get_object(&p, &inner, &tag, &class, inner) & 0x80) != 0)
		return false;
	*size = (size_t)(p - *start) + (size_t)inner;
	return true;
}

bool
x509_is_signed(uint8_t *der, int len, const ASN1_BIT_STRING *sig, EVP_PKEY *key)
{
	uint8_t pub[RK_KEY_PUBLIC_LEN];
	char kind[64];
	const uint8_t *start = NULL;
	size_t size = 0;
	bool ok = len > 0 && x509_key_text(key, kind, pub) &&
	          ASN1_STRING_length(sig) == RK_KEY_SIG_LEN &&
	          find_signed(der, len, &start, &size) &&
	          rk_key_verify(pub, start, size, ASN1_STRING_get0_data(sig));

	OPENSSL_free(der);
	return ok;
}

bool
cert_is_signed_by(const struct cert *c, const struct cert *ca)
{
	EVP_PKEY *key = X509_get0_pubkey(ca->x509);
	const ASN1_BIT_STRING *sig = NULL;
	uint8_t *der = NULL;
	int len;
	bool ok;

	/* Other keys are never a CA of ours, and can be slow to check. */
	ok = key != NULL && EVP_PKEY_get_id(key) == EVP_PKEY_ED25519 &&
	     X509_check_issued(ca->x509, c->x509) == X509_V_OK &&
	     X509_verify(c->x509, key) == 1;
	if (ok) {
		X509_get0_signature(&sig, NULL, c->x509);
		len = i2d_X509(c->x509, &der);
		ok = x509_is_signed(der, len, sig, key);
	}
	ERR_clear_error();
	return ok;
}

/* The first critical extension that peers do not look at, and so refuse. */
static bool
find_unknown(const X509 *x, char *name, size_t name_len)
{
	for (int i = 0; i < X509_get_ext_count(x); i++) {
		X509_EXTENSION *ext = X509_get_ext(x, i);
		const ASN1_OBJECT *obj = X509_EXTENSION_get_object(ext);
		int nid = OBJ_obj2nid(obj);

		if (X509_EXTENSION_get_critical(ext) == 0 ||
		    nid == NID_basic_constraints || nid == NID_key_usage ||
		    nid == NID_ext_key_usage || nid == NID_subject_alt_name)
			continue;
		(void)OBJ_obj2txt(name, (int)name_len, obj, 0);
		return true;
	}
	return false;
}

/* Why peers refuse the extensions, or NULL. */
static const char *
extensions_fault(X509 *x, char *text, size_t text_len)
{
	char name[80] = "";

	if (X509_check_purpose(x, -1, 0) != 1 ||
	    (X509_get_extension_flags(x) & EXFLAG_INVALID) != 0)
		return "its extensions are malformed";
	if (!find_unknown(x, name, sizeof(name)))
		return NULL;
	(void)snprintf(text, text_len,
	    "has a critical extension that peers do not know: %s", name);
	return text;
}

static const char *
ca_fault(const struct cert *ca, const struct cert_view *v, char *text,
    size_t text_len)
{
	X509 *x = ca->x509;
	const char *why = extensions_fault(x, text, text_len);

	if (!v->is_ed25519)
		why = "its key is not Ed25519";
	else if (!crypt_ed25519_key_ok(v->pub))
		why = "its key is a weak one";
	else if (X509_check_ca(x) != 1 ||
	         (X509_get_key_usage(x) & KU_KEY_CERT_SIGN) == 0)
		why = "is not the certificate of a CA";
	else if (why == NULL &&
	         X509_NAME_cmp(
	             X509_get_subject_name(x), X509_get_issuer_name(x)) == 0 &&
	         !cert_is_signed_by(ca, ca))
		why = "its signature is not its own";
	return why;
}

enum rk_err
cert_check_ca(
    const char *name, const struct cert *ca, int64_t now, struct rk_error *err)
{
	struct cert_view v;
	char shown[NAME_LEN];
	char text[160];
	char begin[32];
	char clock[32];
	const char *why = NULL;

	cert_describe(ca, &v);
	why = ca_fault(ca, &v, text, sizeof(text));
	str_escape(shown, sizeof(shown), name);
	if (why == NULL && v.not_after < now)
		why = "has ended";
	if (why == NULL && v.not_before > now) {
		str_time(begin, v.not_before);
		str_time(clock, now);
		(void)snprintf(text, sizeof(text),
		    "is valid from %s on, and the clock says %s", begin, clock);
		why = text;
	}
	ERR_clear_error();
	if (why == NULL)
		return RK_OK;
	return err_set(err, RK_ECERT, "%s: %s", shown, why);
}

RK_PRINTF(4, 5)
static void
put(struct findings *f, const char *check, enum finding_state state,
    const char *fmt, ...)
{
	struct finding *item = &f->items[f->n];
	va_list ap;

	if (f->n == FINDINGS_MAX)
		return;
	item->check = check;
	item->state = state;
	va_start(ap, fmt);
	if (vsnprintf(item->text, sizeof(item->text), fmt, ap) < 0)
		item->text[0] = '\0';
	va_end(ap);
	f->n++;
}

static void
check_signature(const struct cert *c, const struct cert *ca,
    const struct cert_view *v, struct findings *f)
{
	struct cert_view by;

	cert_describe(ca, &by);
	if (cert_is_signed_by(c, ca))
		put(f, "signature", FINDING_OK, "signed by CA \"%.100s\"",
		    by.cn);
	else if (X509_NAME_cmp(X509_get_issuer_name(c->x509),
	             X509_get_subject_name(ca->x509)) != 0)
		put(f, "signature", FINDING_BAD,
		    "signed by \"%.50s\", not by CA \"%.50s\"", v->issuer_cn,
		    by.cn);
	else
		put(f, "signature", FINDING_BAD,
		    "not signed by the key of CA \"%.100s\"", by.cn);
}

static void
check_dates(const struct cert_view *v, int64_t now, struct findings *f)
{
	char text[64];
	char when[32];

	date_ends(text, sizeof(text), v->not_after, now);
	str_time(when, v->not_before);
	if (v->not_before > now)
		put(f, "dates", FINDING_BAD, "not valid before %s", when);
	else
		put(f, "dates", v->not_after < now ? FINDING_BAD : FINDING_OK,
		    "%s", text);
}

static void
check_key(const struct cert_view *v, struct findings *f)
{
	if (!v->is_ed25519)
		put(f, "key", FINDING_BAD, "%s, not Ed25519", v->key_kind);
	else if (!crypt_ed25519_key_ok(v->pub))
		put(f, "key", FINDING_BAD, "a weak Ed25519 key");
	else
		put(f, "key", FINDING_OK, "%s", v->fp);
}

/* For which of both uses; without the extension for every one. */
static enum cert_use
use_of(const struct cert *c)
{
	uint32_t ext = X509_get_extended_key_usage(c->x509);
	bool client = (ext & (XKU_SSL_CLIENT | XKU_ANYEKU)) != 0;
	bool server = (ext & (XKU_SSL_SERVER | XKU_ANYEKU)) != 0;

	if (client && server)
		return USE_BOTH;
	if (client)
		return USE_CLIENT;
	return server ? USE_SERVER : USE_NONE;
}

static void
check_use(const struct cert *c, struct findings *f)
{
	static const char *const words[] = {
		[USE_NONE] = "neither for clients nor for servers",
		[USE_CLIENT] = "client only",
		[USE_SERVER] = "server only",
		[USE_BOTH] = "client, server",
	};

	if (X509_check_ca(c->x509) != 0)
		put(f, "kind", FINDING_BAD,
		    "the certificate of a CA, not of a client or server");
	else
		put(f, "kind", FINDING_OK, "not a CA");
	/* Without the extension the function answers with every bit. */
	if ((X509_get_key_usage(c->x509) & KU_DIGITAL_SIGNATURE) == 0)
		put(f, "usage", FINDING_BAD, "may not sign handshakes");
	else
		put(f, "usage", f->use == USE_NONE ? FINDING_BAD : FINDING_OK,
		    "%s", words[f->use]);
}

static void
check_extensions(const struct cert *c, struct findings *f)
{
	char text[160];
	const char *why = extensions_fault(c->x509, text, sizeof(text));

	if (why == NULL && i2d_X509(c->x509, NULL) > CERT_PEER_MAX)
		why = "is larger than peers take";
	put(f, "extensions", why == NULL ? FINDING_OK : FINDING_BAD, "%s",
	    why == NULL ? "peers know the critical ones" : why);
}

static void
check_name(const struct cert *c, struct findings *f)
{
	if (X509_check_host(c->x509, "localhost", 0,
	        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1)
		put(f, "name", FINDING_OK, "has DNS:localhost");
	else if (f->use == USE_CLIENT)
		put(f, "name", FINDING_OK, "a client needs none");
	else
		put(f, "name", FINDING_BAD,
		    "lacks DNS:localhost, by which clients know a server");
}

static void
check_text(const struct cert *c, struct findings *f)
{
	if (!x509_cn_is_clean(X509_get_subject_name(c->x509)) ||
	    !x509_cn_is_clean(X509_get_issuer_name(c->x509)))
		put(f, "text", FINDING_BAD,
		    "a name in it has bytes that it must not have");
	else if (!x509_mails_are_clean(c->x509))
		put(f, "text", FINDING_BAD,
		    "a mail in it has bytes that it must not have");
	else
		put(f, "text", FINDING_OK, "names can be shown");
}

static void
check_list(const struct cert *c, const struct cert *ca, const struct crl *crl,
    int64_t now, struct findings *f)
{
	struct crl_view v;
	struct serial serial;
	char day[32];

	if (crl == NULL) {
		put(f, "revocation", FINDING_SKIPPED, "there is no ca.crl");
		return;
	}
	crl_describe(crl, &v);
	date_day(day, sizeof(day), v.next_update);
	if (!crl_is_signed_by(crl, ca))
		put(f, "revocation", FINDING_BAD, "ca.crl is not of this CA");
	else if (!crl_is_plain(crl, ca))
		put(f, "revocation", FINDING_BAD,
		    "ca.crl is of a kind that peers refuse");
	else if (cert_serial(c, &serial) != RK_OK)
		put(f, "revocation", FINDING_BAD, "has no usable serial");
	else if (crl_has(crl, &serial))
		put(f, "revocation", FINDING_BAD, "is revoked");
	else if (v.next_update != 0 && v.next_update < now)
		put(f, "revocation", FINDING_SKIPPED,
		    "not among %zu revoked, but the list ended %s", v.entries,
		    day);
	else
		put(f, "revocation", FINDING_OK, "not among %zu revoked",
		    v.entries);
}

/* OpenSSL's own walk finds what nobody thought of, such as a critical
 * extension that is not understood. */
static void
check_path(const struct cert *c, const struct cert *ca, int64_t now,
    struct findings *f)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param = NULL;
	int why = X509_V_ERR_OUT_OF_MEM;

	if (store == NULL || ctx == NULL ||
	    X509_STORE_add_cert(store, ca->x509) != 1 ||
	    X509_STORE_CTX_init(ctx, store, c->x509, NULL) != 1)
		goto out;
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_time(param, (time_t)now);
	/* A CA made elsewhere may carry an extended key usage. */
	if (X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_ANY) != 1)
		goto out;
	why = X509_verify_cert(ctx) == 1 ? X509_V_OK
	                                 : X509_STORE_CTX_get_error(ctx);
out:
	if (why == X509_V_OK)
		put(f, "path", FINDING_OK, "OpenSSL agrees");
	else
		put(f, "path", FINDING_BAD, "OpenSSL: %.140s",
		    X509_verify_cert_error_string(why));
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	ERR_clear_error();
}

void
cert_check(const struct cert *c, const struct cert *ca, const struct crl *crl,
    int64_t now, struct findings *out)
{
	struct cert_view v;

	*out = (struct findings){ .use = use_of(c) };
	cert_describe(c, &v);
	check_signature(c, ca, &v, out);
	check_dates(&v, now, out);
	check_key(&v, out);
	check_extensions(c, out);
	check_use(c, out);
	check_name(c, out);
	check_text(c, out);
	check_list(c, ca, crl, now, out);
	check_path(c, ca, now, out);
}
