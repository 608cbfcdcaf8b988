/* The rules a certificate is held to, each with its own answer. */
#include <stdio.h>

#include <openssl/err.h>

#include "base/crypt.h"
#include "base/error.h"
#include "base/str.h"
#include "x509_priv.h"

#define NAME_LEN 160

bool
cert_is_signed_by(const struct cert *c, const struct cert *ca)
{
	EVP_PKEY *key = X509_get0_pubkey(ca->x509);
	bool ok;

	/* Other keys are never a CA of ours, and can be slow to check. */
	ok = key != NULL && EVP_PKEY_get_id(key) == EVP_PKEY_ED25519 &&
	     X509_check_issued(ca->x509, c->x509) == X509_V_OK &&
	     X509_verify(c->x509, key) == 1;
	ERR_clear_error();
	return ok;
}

enum rk_err
cert_check_ca(
    const char *name, const struct cert *ca, int64_t now, struct rk_error *err)
{
	struct cert_view v;
	char shown[NAME_LEN];
	const char *why = NULL;
	uint32_t usage = X509_get_key_usage(ca->x509);

	cert_describe(ca, &v);
	str_escape(shown, sizeof(shown), name);
	if (!v.is_ed25519)
		why = "its key is not Ed25519";
	else if (!crypt_ed25519_key_ok(v.pub))
		why = "its key is a weak one";
	else if (!v.is_ca || (usage & KU_KEY_CERT_SIGN) == 0)
		why = "is not the certificate of a CA";
	else if (v.not_after < now)
		why = "has ended";
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

static void
check_use(const struct cert *c, const struct cert_view *v, struct findings *f)
{
	/* Without the extension the functions answer with every bit. */
	uint32_t usage = X509_get_key_usage(c->x509);
	uint32_t ext = X509_get_extended_key_usage(c->x509);
	bool client = (ext & (XKU_SSL_CLIENT | XKU_ANYEKU)) != 0;
	bool server = (ext & (XKU_SSL_SERVER | XKU_ANYEKU)) != 0;

	if (v->is_ca)
		put(f, "kind", FINDING_BAD,
		    "the certificate of a CA, not of a client or server");
	else
		put(f, "kind", FINDING_OK, "not a CA");
	if ((usage & KU_DIGITAL_SIGNATURE) == 0)
		put(f, "usage", FINDING_BAD, "may not sign handshakes");
	else if (!client && !server)
		put(f, "usage", FINDING_BAD,
		    "neither for clients nor for servers");
	else
		put(f, "usage", FINDING_OK, "%s%s%s", client ? "client" : "",
		    client && server ? ", " : "", server ? "server" : "");
}

static void
check_name(const struct cert *c, struct findings *f)
{
	if (X509_check_host(c->x509, "localhost", 0,
	        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1)
		put(f, "name", FINDING_OK, "has DNS:localhost");
	else
		put(f, "name", FINDING_BAD,
		    "lacks DNS:localhost, by which clients know a server");
}

/* Was anything escaped that is not a backslash? */
static bool
is_hostile(const char *text)
{
	while ((text = strchr(text, '\\')) != NULL) {
		if (text[1] != '\\')
			return true;
		text += 2;
	}
	return false;
}

static void
check_text(const struct cert_view *v, struct findings *f)
{
	if (is_hostile(v->cn) || is_hostile(v->mail))
		put(f, "text", FINDING_BAD,
		    "a name or mail in it has control bytes");
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

	*out = (struct findings){ 0 };
	cert_describe(c, &v);
	check_signature(c, ca, &v, out);
	check_dates(&v, now, out);
	check_key(&v, out);
	check_use(c, &v, out);
	check_name(c, out);
	check_text(&v, out);
	check_list(c, ca, crl, now, out);
	check_path(c, ca, now, out);
}
