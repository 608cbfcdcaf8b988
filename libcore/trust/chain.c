/* The rule about certificates put to peers, the CA and ourselves. */
#include "trust/chain.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/error.h"
#include "base/str.h"
#include "trust/chain_crl.h"
#include "trust/chain_memo.h"
#include "trust/chain_rule.h"
#include "trust/ident.h"

#define WHO_TEXT 140 /* "certificate of "..." in a message */

/* What may change while others look. */
struct revoked {
	pthread_mutex_t mutex;
	struct chain_crl *list; /* NULL: nobody */
};

struct chain_anchor {
	X509 *ca;
	struct rk_cert_info info; /* of the CA */
	struct revoked *revoked;
	struct chain_memo *memo; /* whom the rule let through */
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

static bool
is_revoked(const struct chain_anchor *a, const ASN1_INTEGER *serial)
{
	bool yes;

	(void)pthread_mutex_lock(&a->revoked->mutex);
	yes =
	    a->revoked->list != NULL && chain_crl_has(a->revoked->list, serial);
	(void)pthread_mutex_unlock(&a->revoked->mutex);
	return yes;
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

/* The certificate as a case for the rules.  RK_EFORMAT: it cannot be read.
 * c->x is the caller's, also then. */
static enum rk_err
open_case(const struct chain_anchor *a, struct rk_bytes der, int64_t now,
    struct chain_case *c)
{
	enum rk_err r;

	*c = (struct chain_case){
		.der = der, .ca = a->ca, .of_ca = &a->info, .now = now
	};
	if ((r = parse_cert(der, &c->x)) != RK_OK ||
	    (r = chain_info_read(c->x, &c->read)) != RK_OK)
		return r;
	c->revoked = is_revoked(a, X509_get0_serialNumber(c->x));
	return RK_OK;
}

/* The same for a leaf that was let through for this use before: what cannot
 * change about it need not be asked again.  False: it is not known. */
static bool
recall_case(const struct chain_anchor *a, const struct chain_memo_key *key,
    int64_t now, struct chain_case *c)
{
	struct chain_memory m;
	ASN1_INTEGER *serial = NULL;

	if (!chain_memo_find(a->memo, key, &m) ||
	    (serial = chain_memory_serial(&m)) == NULL)
		return false;
	*c =
	    (struct chain_case){ .of_ca = &a->info, .now = now, .known = true };
	c->read.info = m.info;
	c->revoked = is_revoked(a, serial);
	ASN1_INTEGER_free(serial);
	return true;
}

/* Ask one, and put in front of the reason who it is about. */
static enum rk_err
ask(const struct chain_case *c, enum rk_cert_rule rule, const char *who,
    struct rk_error *err)
{
	struct rk_error why = { 0 };
	enum rk_err r = chain_rule_ask(c, rule, &why);

	if (r == RK_OK)
		return RK_OK;
	if (rule == RK_CERT_CA_DATES)
		who = "our CA";
	return err_set(err, r, "%s: %s", who, why.text);
}

static bool
concerns(enum rk_cert_rule rule, enum chain_usage usage)
{
	return rule !=
	       (usage == CHAIN_SERVER ? RK_CERT_CLIENT : RK_CERT_SERVER);
}

static bool
is_open(const struct chain_case *c, enum rk_cert_rule rule)
{
	return !c->known || chain_rule_may_change(rule);
}

static enum rk_err
ask_all(
    const struct chain_case *c, enum chain_usage usage, struct rk_error *err)
{
	char who[WHO_TEXT];
	enum rk_err r = RK_OK;

	name_cert(&c->read.info, who);
	for (int i = RK_CERT_READABLE + 1; i < RK_CERT_RULES && r == RK_OK;
	     i++) {
		enum rk_cert_rule rule = (enum rk_cert_rule)i;

		if (concerns(rule, usage) && is_open(c, rule))
			r = ask(c, rule, who, err);
	}
	return r;
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

static enum rk_err
check_leaf(const struct chain_anchor *a, struct rk_bytes leaf,
    enum chain_usage usage, struct chain_case *c, struct rk_error *err)
{
	if (open_case(a, leaf, c->now, c) != RK_OK)
		return err_set(
		    err, RK_ECERT, "peer's certificate is malformed");
	return ask_all(c, usage, err);
}

/* Only a leaf that came alone is looked up and remembered. */
static enum rk_err
check_alone(const struct chain_anchor *a, struct rk_bytes leaf,
    enum chain_usage usage, struct chain_case *c, struct rk_error *err)
{
	struct chain_memo_key key;
	struct chain_memory m;
	enum rk_err r;

	chain_memo_key(leaf, usage, &key);
	if (recall_case(a, &key, c->now, c))
		return ask_all(c, usage, err);
	if ((r = check_leaf(a, leaf, usage, c, err)) == RK_OK &&
	    chain_memory_make(c->x, &c->read.info, &m))
		chain_memo_put(a->memo, &key, &m);
	return r;
}

enum rk_err
chain_check(const struct rk_ident *id, const struct rk_bytes *certs, size_t n,
    enum chain_usage usage, int64_t now, struct rk_cert_info *info,
    struct rk_error *err)
{
	const struct chain_anchor *a = ident_anchor(id);
	struct chain_case c = { .now = now };
	enum rk_err r;

	*info = (struct rk_cert_info){ 0 };
	err_clear(err);
	if ((r = check_sizes(certs, n, err)) != RK_OK)
		goto out;
	if ((r = ident_refresh(id, now, err)) != RK_OK)
		goto out;
	if (n == 1)
		r = check_alone(a, certs[0], usage, &c, err);
	else
		r = check_leaf(a, certs[0], usage, &c, err);
out:
	*info = c.read.info;
	X509_free(c.x);
	ERR_clear_error();
	return r;
}

bool
chain_recall(const struct rk_ident *id, struct rk_bytes leaf,
    enum chain_usage usage, struct rk_cert_info *info)
{
	struct chain_memo_key key;
	struct chain_memory m;

	chain_memo_key(leaf, usage, &key);
	if (!chain_memo_find(ident_anchor(id)->memo, &key, &m))
		return false;
	*info = m.info;
	return true;
}

bool
chain_is_listed(
    const struct rk_ident *id, struct rk_bytes leaf, enum chain_usage usage)
{
	const struct chain_anchor *a = ident_anchor(id);
	struct chain_case c = { 0 };
	struct chain_memo_key key;
	bool listed;

	chain_memo_key(leaf, usage, &key);
	listed = (!recall_case(a, &key, 0, &c) &&
	             open_case(a, leaf, 0, &c) != RK_OK) ||
	         c.revoked;
	X509_free(c.x);
	ERR_clear_error();
	return listed;
}

/* Without memory for the question the answer is yes, as elsewhere. */
static bool
is_listed(const struct chain_anchor *a, const struct chain_memory *m)
{
	ASN1_INTEGER *serial = chain_memory_serial(m);
	bool yes = serial == NULL || is_revoked(a, serial);

	ASN1_INTEGER_free(serial);
	return yes;
}

bool
chain_lists_serial(
    const struct rk_ident *id, const char *issuer_cn, const char *serial)
{
	const struct chain_anchor *a = ident_anchor(id);
	ASN1_INTEGER *number = NULL;
	BIGNUM *bn = NULL;
	bool yes = false;

	if (strcmp(a->info.cn, issuer_cn) == 0 && BN_hex2bn(&bn, serial) > 0 &&
	    (number = BN_to_ASN1_INTEGER(bn, NULL)) != NULL)
		yes = is_revoked(a, number);
	ASN1_INTEGER_free(number);
	BN_free(bn);
	return yes;
}

/* Has the key of this one a certificate that still counts? */
static bool
has_another(const struct chain_anchor *a, const struct chain_memory *all,
    size_t n, const struct chain_memory *m)
{
	for (size_t i = 0; i < n; i++) {
		if (memcmp(all[i].info.pub, m->info.pub, sizeof(m->info.pub)) ==
		        0 &&
		    !is_listed(a, &all[i]))
			return true;
	}
	return false;
}

void
chain_each_listed(const struct rk_ident *id, enum chain_usage usage,
    chain_listed_fn *fn, void *arg)
{
	const struct chain_anchor *a = ident_anchor(id);
	struct chain_memory *all = calloc(CHAIN_MEMO_MAX, sizeof(*all));
	size_t n = all != NULL ? chain_memo_copy(a->memo, usage, all) : 0;

	for (size_t i = 0; i < n; i++) {
		if (is_listed(a, &all[i]) && !has_another(a, all, n, &all[i]))
			fn(&all[i].info, arg);
	}
	free(all);
}

void
chain_anchor_report(const struct chain_anchor *a, struct rk_bytes cert,
    int64_t now, struct rk_cert_report *out)
{
	static const struct rk_error unasked = { .code = RK_ESTATE,
		.text = "was not asked" };
	struct chain_case c;
	bool readable = open_case(a, cert, now, &c) == RK_OK;

	*out = (struct rk_cert_report){ .info = c.read.info };
	if (!readable)
		(void)err_set(&out->rules[RK_CERT_READABLE], RK_ECERT,
		    "is no certificate, damaged, or larger than %d bytes",
		    CHAIN_CERT_LEN_MAX);
	for (int i = RK_CERT_READABLE + 1; i < RK_CERT_RULES; i++) {
		if (!readable)
			out->rules[i] = unasked;
		else if (chain_rule_ask(
		             &c, (enum rk_cert_rule)i, &out->rules[i]) == RK_OK)
			err_clear(&out->rules[i]);
	}
	X509_free(c.x);
	ERR_clear_error();
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

enum rk_err
chain_anchor_new(struct rk_bytes ca, const char *name,
    struct chain_anchor **out, struct rk_error *err)
{
	struct chain_anchor *a = calloc(1, sizeof(*a));
	struct chain_case c = { .der = ca };
	struct rk_error why = { 0 };
	enum rk_err r;

	*out = NULL;
	if (a == NULL ||
	    (a->revoked = calloc(1, sizeof(*a->revoked))) == NULL) {
		free(a);
		return err_set(err, RK_ENOMEM, "out of memory");
	}
	/* Cannot fail with default attributes. */
	(void)pthread_mutex_init(&a->revoked->mutex, NULL);
	if ((a->memo = chain_memo_new()) == NULL) {
		r = err_set(err, RK_ENOMEM, "out of memory");
		goto out;
	}
	if (parse_cert(ca, &a->ca) != RK_OK ||
	    chain_info_read(a->ca, &c.read) != RK_OK) {
		r = err_set(err, RK_ECERT, "%s: damaged certificate", name);
		goto out;
	}
	c.x = a->ca;
	if ((r = chain_rule_ask_ca(&c, &why)) != RK_OK) {
		(void)err_set(err, r, "%s: %s", name, why.text);
		goto out;
	}
	a->info = c.read.info;
	*out = a;
	a = NULL;
out:
	chain_anchor_free(a);
	ERR_clear_error();
	return r;
}

enum rk_err
chain_anchor_check_end(const struct chain_anchor *a, const char *name,
    int64_t now, struct rk_error *err)
{
	struct rk_error why = { 0 };
	enum rk_err r = chain_rule_ask_ended(a->info.not_after, now, &why);

	return r == RK_OK ? r : err_set(err, r, "%s: %s", name, why.text);
}

enum rk_err
chain_anchor_check_begin(const struct chain_anchor *a, const char *name,
    int64_t now, struct rk_error *err)
{
	struct rk_error why = { 0 };
	enum rk_err r = chain_rule_ask_begun(a->info.not_before, now, &why);

	return r == RK_OK ? r : err_set(err, r, "%s: %s", name, why.text);
}

static void
put_crl(struct chain_anchor *a, struct chain_crl *list)
{
	struct chain_crl *old;

	(void)pthread_mutex_lock(&a->revoked->mutex);
	old = a->revoked->list;
	a->revoked->list = list;
	(void)pthread_mutex_unlock(&a->revoked->mutex);
	chain_crl_free(old);
}

enum rk_err
chain_anchor_use_crl(struct chain_anchor *a, struct rk_bytes crl,
    const char *name, struct rk_error *err)
{
	struct chain_crl *list = NULL;
	enum rk_err r;

	r = chain_crl_new(a->ca, &a->info, crl, name, &list, err);
	if (r == RK_OK)
		put_crl(a, list);
	return r;
}

enum rk_err
chain_anchor_set_crl(struct chain_anchor *a, struct rk_bytes crl,
    const char *name, int64_t now, struct rk_error *err)
{
	struct chain_crl *list = NULL;
	enum rk_err r;

	r = chain_crl_new(a->ca, &a->info, crl, name, &list, err);
	if (r != RK_OK)
		return r;
	chain_crl_warn_if_old(list, name, now);
	put_crl(a, list);
	return RK_OK;
}

/* What our own must be whatever we are used for; the rest is a warning. */
static const enum rk_cert_rule own[] = { RK_CERT_EXTENSIONS, RK_CERT_KEY,
	RK_CERT_KIND, RK_CERT_TEXT, RK_CERT_SIGNS, RK_CERT_ISSUER,
	RK_CERT_NOT_ENDED };

enum rk_err
chain_anchor_check_own(const struct chain_anchor *a, struct rk_bytes cert,
    const char *name, int64_t now, struct rk_cert_info *info,
    struct rk_error *err)
{
	struct chain_case c;
	enum rk_err r = RK_OK;

	*info = (struct rk_cert_info){ 0 };
	if (open_case(a, cert, now, &c) != RK_OK) {
		r = err_set(err, RK_ECERT, "%s: damaged certificate", name);
		goto out;
	}
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]) && r == RK_OK; i++)
		r = ask(&c, own[i], name, err);
	if (r != RK_OK)
		goto out;
	if (now < c.read.info.not_before)
		log_event(RK_LOG_WARN, "trust", "%s: not valid yet", name);
	if (c.revoked)
		log_event(RK_LOG_WARN, "trust",
		    "%s: on the CA's revocation list, peers will refuse it",
		    name);
	*info = c.read.info;
out:
	X509_free(c.x);
	ERR_clear_error();
	return r;
}

void
chain_anchor_free(struct chain_anchor *a)
{
	if (a == NULL)
		return;
	if (a->revoked != NULL) {
		chain_crl_free(a->revoked->list);
		(void)pthread_mutex_destroy(&a->revoked->mutex);
		free(a->revoked);
	}
	chain_memo_free(a->memo);
	X509_free(a->ca);
	free(a);
}
