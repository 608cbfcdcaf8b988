/* The one rule about certificates, for TLS of every kind (rpckit-trust(7)). */
#include "trust/chain.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/crypt.h"
#include "base/error.h"
#include "base/str.h"
#include "trust/chain_crl.h"
#include "trust/chain_info.h"
#include "trust/ident.h"

#define TIME_TEXT 32
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
	    chain_info_signed(der, a->info.pub))
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

static bool
is_revoked(const struct chain_anchor *a, const X509 *x)
{
	bool yes;

	(void)pthread_mutex_lock(&a->revoked->mutex);
	yes = a->revoked->list != NULL &&
	      chain_crl_has(a->revoked->list, X509_get0_serialNumber(x));
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
	if ((r = ident_refresh(id, now, err)) != RK_OK)
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
	    !chain_info_signed(der, read->info.pub))
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
	if (a == NULL ||
	    (a->revoked = calloc(1, sizeof(*a->revoked))) == NULL) {
		free(a);
		return err_set(err, RK_ENOMEM, "out of memory");
	}
	/* Cannot fail with default attributes. */
	(void)pthread_mutex_init(&a->revoked->mutex, NULL);
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

enum rk_err
chain_anchor_set_crl(struct chain_anchor *a, struct rk_bytes crl,
    const char *name, int64_t now, struct rk_error *err)
{
	struct chain_crl *list = NULL;
	struct chain_crl *old;
	enum rk_err r;

	r = chain_crl_new(a->ca, &a->info, crl, name, &list, err);
	if (r != RK_OK)
		return r;
	chain_crl_warn_if_old(list, name, now);
	(void)pthread_mutex_lock(&a->revoked->mutex);
	old = a->revoked->list;
	a->revoked->list = list;
	(void)pthread_mutex_unlock(&a->revoked->mutex);
	chain_crl_free(old);
	return RK_OK;
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
	if (a->revoked != NULL) {
		chain_crl_free(a->revoked->list);
		(void)pthread_mutex_destroy(&a->revoked->mutex);
		free(a->revoked);
	}
	X509_free(a->ca);
	free(a);
}
