/* The rule about certificates: one function for each thing that is asked. */
#include "trust/chain_rule.h"

#include <openssl/x509v3.h>

#include "base/crypt.h"
#include "base/error.h"
#include "base/str.h"

#define TIME_TEXT 32

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
ask_extensions(const struct chain_case *c, struct rk_error *err)
{
	char name[80] = "";

	if (X509_check_purpose(c->x, -1, 0) != 1 ||
	    (X509_get_extension_flags(c->x) & EXFLAG_INVALID) != 0)
		return err_set(err, RK_ECERT, "its extensions are malformed");
	for (int i = 0; i < X509_get_ext_count(c->x); i++) {
		X509_EXTENSION *ext = X509_get_ext(c->x, i);

		if (is_understood(ext))
			continue;
		(void)OBJ_obj2txt(
		    name, sizeof(name), X509_EXTENSION_get_object(ext), 0);
		return err_set(err, RK_ECERT,
		    "has a critical extension that is not understood: %s",
		    name);
	}
	return RK_OK;
}

static enum rk_err
ask_key(const struct chain_case *c, struct rk_error *err)
{
	if (!c->read.ed25519)
		return err_set(err, RK_ECERT, "its key is not Ed25519");
	if (!crypt_ed25519_key_ok(c->read.info.pub))
		return err_set(err, RK_ECERT,
		    "its key is a weak point anybody can sign for");
	return RK_OK;
}

static enum rk_err
ask_kind(const struct chain_case *c, struct rk_error *err)
{
	if (X509_check_ca(c->x) == 0)
		return RK_OK;
	return err_set(
	    err, RK_ECERT, "is the certificate of a CA, not of a peer");
}

static enum rk_err
ask_text(const struct chain_case *c, struct rk_error *err)
{
	if (!c->read.hostile)
		return RK_OK;
	return err_set(
	    err, RK_ECERT, "a name or email in it has bytes it must not have");
}

/* Without the extension OpenSSL answers with every bit, here and below. */
static enum rk_err
ask_signs(const struct chain_case *c, struct rk_error *err)
{
	if ((X509_get_key_usage(c->x) & KU_DIGITAL_SIGNATURE) != 0)
		return RK_OK;
	return err_set(
	    err, RK_ECERT, "its key usage does not allow signatures");
}

static enum rk_err
ask_issuer(const struct chain_case *c, struct rk_error *err)
{
	if (X509_check_issued(c->ca, c->x) == X509_V_OK &&
	    chain_info_signed(c->der, c->of_ca->pub))
		return RK_OK;
	return err_set(
	    err, RK_ECERT, "not signed by our CA \"%s\"", c->of_ca->cn);
}

static enum rk_err
ask_revoked(const struct chain_case *c, struct rk_error *err)
{
	if (!c->revoked)
		return RK_OK;
	return err_set(
	    err, RK_EREVOKED, "revoked (serial %s)", c->read.info.serial);
}

enum rk_err
chain_rule_ask_begun(int64_t not_before, int64_t now, struct rk_error *err)
{
	char begin[TIME_TEXT];
	char clock[TIME_TEXT];

	if (now >= not_before)
		return RK_OK;
	str_time(begin, not_before);
	str_time(clock, now);
	return err_set(err, RK_ECERT,
	    "is valid from %s on, and the clock says %s", begin, clock);
}

enum rk_err
chain_rule_ask_ended(int64_t not_after, int64_t now, struct rk_error *err)
{
	char end[TIME_TEXT];

	if (now <= not_after)
		return RK_OK;
	str_time(end, not_after);
	return err_set(err, RK_ECERT, "ended at %s", end);
}

static enum rk_err
ask_begun(const struct chain_case *c, struct rk_error *err)
{
	return chain_rule_ask_begun(c->read.info.not_before, c->now, err);
}

static enum rk_err
ask_not_ended(const struct chain_case *c, struct rk_error *err)
{
	return chain_rule_ask_ended(c->read.info.not_after, c->now, err);
}

static enum rk_err
ask_ca_dates(const struct chain_case *c, struct rk_error *err)
{
	enum rk_err r = chain_rule_ask_begun(c->of_ca->not_before, c->now, err);

	return r != RK_OK
	           ? r
	           : chain_rule_ask_ended(c->of_ca->not_after, c->now, err);
}

static enum rk_err
ask_server(const struct chain_case *c, struct rk_error *err)
{
	if ((X509_get_extended_key_usage(c->x) &
	        (XKU_SSL_SERVER | XKU_ANYEKU)) != 0)
		return RK_OK;
	return err_set(err, RK_ECERT, "not made for a server");
}

static enum rk_err
ask_client(const struct chain_case *c, struct rk_error *err)
{
	if ((X509_get_extended_key_usage(c->x) &
	        (XKU_SSL_CLIENT | XKU_ANYEKU)) != 0)
		return RK_OK;
	return err_set(err, RK_ECERT, "not made for a client");
}

typedef enum rk_err ask_fn(const struct chain_case *c, struct rk_error *err);

static ask_fn *const rules[RK_CERT_RULES] = {
	[RK_CERT_EXTENSIONS] = ask_extensions,
	[RK_CERT_KEY] = ask_key,
	[RK_CERT_KIND] = ask_kind,
	[RK_CERT_TEXT] = ask_text,
	[RK_CERT_SIGNS] = ask_signs,
	[RK_CERT_ISSUER] = ask_issuer,
	[RK_CERT_REVOKED] = ask_revoked,
	[RK_CERT_BEGUN] = ask_begun,
	[RK_CERT_NOT_ENDED] = ask_not_ended,
	[RK_CERT_CA_DATES] = ask_ca_dates,
	[RK_CERT_SERVER] = ask_server,
	[RK_CERT_CLIENT] = ask_client,
};

enum rk_err
chain_rule_ask(
    const struct chain_case *c, enum rk_cert_rule rule, struct rk_error *err)
{
	return rules[rule](c, err);
}

bool
chain_rule_may_change(enum rk_cert_rule rule)
{
	return rule == RK_CERT_REVOKED || rule == RK_CERT_BEGUN ||
	       rule == RK_CERT_NOT_ENDED || rule == RK_CERT_CA_DATES;
}

enum rk_err
chain_rule_ask_ca(const struct chain_case *c, struct rk_error *err)
{
	enum rk_err r;

	if ((r = ask_extensions(c, err)) != RK_OK)
		return r;
	if (X509_check_ca(c->x) != 1 ||
	    (X509_get_key_usage(c->x) & KU_KEY_CERT_SIGN) == 0)
		return err_set(err, RK_ECERT, "is not the certificate of a CA");
	if ((r = ask_key(c, err)) != RK_OK)
		return r;
	if (X509_NAME_cmp(
	        X509_get_subject_name(c->x), X509_get_issuer_name(c->x)) == 0 &&
	    !chain_info_signed(c->der, c->read.info.pub))
		return err_set(err, RK_ECERT, "its signature is not its own");
	return RK_OK;
}
