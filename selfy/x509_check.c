/* The library's answers about a certificate, which peers go by, as findings
 * for people; and two that only we ask. */
#include <stdio.h>

#include <openssl/err.h>

#include <rpckit/cert.h>

#include "base/error.h"
#include "base/str.h"
#include "x509_priv.h"

bool
cert_is_signed_by(const struct cert *c, const struct cert *ca)
{
	struct rk_cert_question q = {
		.size = sizeof(q), .cert = c->der, .ca = ca->der
	};
	struct rk_cert_report report;
	struct rk_error err;

	return rk_cert_check(&q, &report, &err) == RK_OK &&
	       report.rules[RK_CERT_ISSUER].code == RK_OK;
}

enum rk_err
cert_check_ca(
    const char *name, const struct cert *ca, int64_t now, struct rk_error *err)
{
	return rk_cert_check_ca(ca->der, name, now, err);
}

enum rk_err
crl_check(const char *name, const struct crl *crl, const struct cert *ca,
    struct rk_error *err)
{
	return rk_cert_check_crl(ca->der, crl->der, name, err);
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

/* One finding of some rules that belong together: the first that fails, or
 * what is good about it. */
static void
put_rules(struct findings *f, const char *check,
    const struct rk_cert_report *report, enum rk_cert_rule first,
    enum rk_cert_rule last, const char *good)
{
	for (int i = (int)first; i <= (int)last; i++) {
		if (report->rules[i].code != RK_OK) {
			put(f, check, FINDING_BAD, "%.150s",
			    report->rules[i].text);
			return;
		}
	}
	put(f, check, FINDING_OK, "%s", good);
}

/* Who else signed it helps a person more than that it was not the CA. */
static void
put_signature(struct findings *f, const struct rk_cert_report *report,
    const struct cert *c, const struct cert *ca)
{
	const X509_NAME *issuer = X509_get_issuer_name(c->x509);
	struct cert_view v;
	struct cert_view by;

	cert_describe(c, &v);
	cert_describe(ca, &by);
	if (report->rules[RK_CERT_ISSUER].code == RK_OK)
		put(f, "signature", FINDING_OK, "signed by CA \"%.100s\"",
		    by.cn);
	else if (X509_NAME_cmp(issuer, X509_get_subject_name(ca->x509)) != 0)
		put(f, "signature", FINDING_BAD,
		    "signed by \"%.50s\", not by CA \"%.50s\"", v.issuer_cn,
		    by.cn);
	else
		put(f, "signature", FINDING_BAD,
		    "not signed by the key of CA \"%.100s\"", by.cn);
}

static enum cert_use
use_of(const struct rk_cert_report *report)
{
	bool client = report->rules[RK_CERT_CLIENT].code == RK_OK;
	bool server = report->rules[RK_CERT_SERVER].code == RK_OK;

	if (client && server)
		return USE_BOTH;
	if (client)
		return USE_CLIENT;
	return server ? USE_SERVER : USE_NONE;
}

static void
put_usage(struct findings *f, const struct rk_cert_report *report)
{
	static const char *const words[] = {
		[USE_NONE] = "neither for clients nor for servers",
		[USE_CLIENT] = "client only",
		[USE_SERVER] = "server only",
		[USE_BOTH] = "client, server",
	};

	if (report->rules[RK_CERT_SIGNS].code == RK_OK && f->use == USE_NONE)
		put(f, "usage", FINDING_BAD, "%s", words[f->use]);
	else
		put_rules(f, "usage", report, RK_CERT_SIGNS, RK_CERT_SIGNS,
		    words[f->use]);
}

static void
put_list(struct findings *f, const struct rk_cert_report *report,
    const struct crl *crl, int64_t now)
{
	const struct rk_error *why = &report->rules[RK_CERT_REVOKED];
	struct crl_view v;
	char good[100];
	char day[32];

	if (crl == NULL) {
		put(f, "revocation", FINDING_SKIPPED, "there is no ca.crl");
		return;
	}
	crl_describe(crl, &v);
	date_day(day, sizeof(day), v.next_update);
	(void)snprintf(good, sizeof(good), "not among %zu revoked", v.entries);
	if (why->code == RK_EREVOKED)
		put(f, "revocation", FINDING_BAD, "is %.100s", why->text);
	else if (why->code == RK_OK && v.next_update != 0 &&
	         v.next_update < now)
		put(f, "revocation", FINDING_SKIPPED,
		    "%s, but the list ended %s", good, day);
	else
		put_rules(f, "revocation", report, RK_CERT_REVOKED,
		    RK_CERT_REVOKED, good);
}

/* The name by which Go's clients know a server. */
static void
check_name(struct findings *f, const struct cert *c)
{
	if (X509_check_host(c->x509, "localhost", 0,
	        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1)
		put(f, "name", FINDING_OK, "has DNS:localhost");
	else if (f->use == USE_CLIENT)
		put(f, "name", FINDING_OK, "a client needs none");
	else
		put(f, "name", FINDING_BAD,
		    "lacks DNS:localhost, by which rpc25519 knows a server");
}

/* OpenSSL's own walk finds what nobody thought of, such as a critical
 * extension that is not understood. */
static void
check_path(struct findings *f, const struct cert *c, const struct cert *ca,
    int64_t now)
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

static void
put_all(struct findings *f, const struct rk_cert_report *report,
    const struct cert *c, const struct cert *ca, const struct crl *crl,
    int64_t now)
{
	char ends[64];

	date_ends(ends, sizeof(ends), report->info.not_after, now);
	put_signature(f, report, c, ca);
	if (report->rules[RK_CERT_NOT_ENDED].code != RK_OK)
		put(f, "dates", FINDING_BAD, "%s", ends);
	else
		put_rules(
		    f, "dates", report, RK_CERT_BEGUN, RK_CERT_CA_DATES, ends);
	put_rules(f, "key", report, RK_CERT_KEY, RK_CERT_KEY, report->info.fp);
	put_rules(f, "extensions", report, RK_CERT_EXTENSIONS,
	    RK_CERT_EXTENSIONS, "peers know the critical ones");
	put_rules(f, "kind", report, RK_CERT_KIND, RK_CERT_KIND, "not a CA");
	put_usage(f, report);
	check_name(f, c);
	put_rules(f, "text", report, RK_CERT_TEXT, RK_CERT_TEXT,
	    "names can be shown");
	put_list(f, report, crl, now);
	check_path(f, c, ca, now);
}

void
cert_check(const struct cert *c, const struct cert *ca, const struct crl *crl,
    int64_t now, struct findings *out)
{
	struct rk_cert_question q = {
		.size = sizeof(q), .cert = c->der, .ca = ca->der, .now = now
	};
	struct rk_cert_report report;
	struct rk_error err;

	*out = (struct findings){ .use = USE_NONE };
	if (crl != NULL)
		q.crl = crl->der;
	if (rk_cert_check(&q, &report, &err) != RK_OK) {
		put(out, "ca", FINDING_BAD, "%.150s", err.text);
		return;
	}
	if (report.rules[RK_CERT_READABLE].code != RK_OK) {
		put_rules(out, "form", &report, RK_CERT_READABLE,
		    RK_CERT_READABLE, "");
		return;
	}
	out->use = use_of(&report);
	put_all(out, &report, c, ca, crl, now);
}
