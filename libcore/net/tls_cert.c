/* What an end of TLS shows and wants to see, whichever library does TLS. */
#include "net/tls_cert.h"

#include "base/error.h"
#include "net/tls_int.h"
#include "trust/chain.h"
#include "trust/ident.h"
#include "trust/key.h"

#include <rpckit/secret.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#define SERIAL_BITS 127
#define SECONDS_A_DAY 86400

bool
tls_asks_peer(const struct tls_conf *conf)
{
	switch (conf->mode) {
	case RK_TLS_MUTUAL:
		return true;
	case RK_TLS_SERVER_ONLY:
		return !conf->server;
	case RK_TLS_SKIP_VERIFY:
		return false;
	}
	return true;
}

bool
tls_shows_cert(const struct tls_conf *conf)
{
	return conf->server || conf->mode == RK_TLS_MUTUAL;
}

tls_verify_fn *
tls_resume_fn(const struct tls_conf *conf)
{
	if (!tls_asks_peer(conf))
		return NULL;
	return conf->resume != NULL ? conf->resume : conf->verify;
}

/* ---- the certificate ---- */

/* Ephemeral, for a server that has none and whose peers check none. */
static bool
fill_cert(X509 *cert, EVP_PKEY *key)
{
	ASN1_INTEGER *serial = X509_get_serialNumber(cert);
	X509_NAME *name = X509_get_subject_name(cert);
	const unsigned char cn[] = TLS_SERVER_NAME;
	BIGNUM *bn = BN_new();
	bool ok;

	ok = bn != NULL &&
	     BN_rand(bn, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) &&
	     BN_to_ASN1_INTEGER(bn, serial) != NULL &&
	     X509_set_version(cert, X509_VERSION_3) &&
	     X509_gmtime_adj(X509_getm_notBefore(cert), -SECONDS_A_DAY) &&
	     X509_time_adj_ex(X509_getm_notAfter(cert), 365, 0, NULL) &&
	     X509_NAME_add_entry_by_txt(
	         name, "CN", MBSTRING_ASC, cn, -1, -1, 0) &&
	     X509_set_issuer_name(cert, name) && X509_set_pubkey(cert, key) &&
	     X509_sign(cert, key, NULL) > 0;
	BN_free(bn);
	return ok;
}

static bool
copy_der(struct tls_cert *c, const uint8_t *der, size_t len)
{
	c->der = malloc(len);
	if (c->der == NULL)
		return false;
	memcpy(c->der, der, len);
	c->len = len;
	return true;
}

static bool
make_ephemeral(struct tls_cert *c)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	X509 *cert = X509_new();
	size_t seed_len = sizeof(c->seed);
	unsigned char *der = NULL;
	int len = 0;
	bool ok;

	ok = key != NULL && cert != NULL && fill_cert(cert, key) &&
	     (len = i2d_X509(cert, &der)) > 0 &&
	     copy_der(c, der, (size_t)len) &&
	     EVP_PKEY_get_raw_private_key(key, c->seed, &seed_len) == 1;
	OPENSSL_free(der);
	X509_free(cert);
	EVP_PKEY_free(key);
	return ok;
}

struct rk_key *
tls_cert_remote(const struct tls_conf *conf)
{
	struct rk_key *key =
	    conf->ident == NULL ? NULL : ident_key(conf->ident);

	return tls_shows_cert(conf) && key != NULL && rk_key_seed(key) == NULL
	           ? key
	           : NULL;
}

static bool
copy_ident(struct tls_cert *c, const struct rk_ident *ident)
{
	struct rk_bytes der = ident_cert_der(ident);
	const uint8_t *seed = rk_key_seed(ident_key(ident));

	if (seed != NULL)
		memcpy(c->seed, seed, sizeof(c->seed));
	else
		c->remote = key_ref(ident_key(ident));
	return copy_der(c, der.ptr, der.len);
}

enum rk_err
tls_cert_init(
    struct tls_cert *c, const struct tls_conf *conf, struct rk_error *err)
{
	bool have = conf->ident != NULL && ident_key(conf->ident) != NULL;
	enum rk_err r = RK_OK;

	memset(c, 0, sizeof(*c));
	if (!tls_shows_cert(conf))
		return RK_OK;
	if (!have && conf->mode != RK_TLS_SKIP_VERIFY)
		return err_set(
		    err, RK_EINVAL, "TLS needs a certificate and its key here");
	if (!(have ? copy_ident(c, conf->ident) : make_ephemeral(c))) {
		tls_cert_fini(c);
		r = err_set(err, RK_ENOMEM, "out of memory");
	}
	ERR_clear_error();
	return r;
}

void
tls_cert_fini(struct tls_cert *c)
{
	free(c->der);
	rk_key_free(c->remote);
	rk_wipe(c, sizeof(*c));
}

/* ---- the verdict ---- */

enum rk_err
tls_judge(tls_verify_fn *verify, void *arg, const struct rk_bytes *certs,
    size_t n, struct rk_error *refused)
{
	enum rk_err r;

	if (n < 1 || n > CHAIN_CERTS_MAX)
		return err_set(refused, RK_ECERT,
		    "the peer sent %zu certificates (at most %d)", n,
		    CHAIN_CERTS_MAX);
	for (size_t i = 0; i < n; i++)
		if (certs[i].len == 0 || certs[i].len > CHAIN_CERT_LEN_MAX)
			return err_set(refused, RK_ECERT,
			    "the peer sent an unusable certificate");
	r = verify(certs, n, refused, arg);
	if (r != RK_OK && refused->code == RK_OK) /* a code without a text */
		(void)err_set(refused, r, "%s", rk_err_text(r));
	return r;
}

enum rk_err
tls_judge_x509(tls_verify_fn *verify, void *arg, STACK_OF(X509) * chain,
    struct rk_error *refused)
{
	struct rk_bytes certs[CHAIN_CERTS_MAX + 1] = { 0 };
	uint8_t *der[CHAIN_CERTS_MAX + 1] = { NULL };
	size_t n = sk_X509_num(chain) < 0 ? 0 : (size_t)sk_X509_num(chain);
	enum rk_err r;
	int len;

	for (size_t i = 0; i < n && i <= CHAIN_CERTS_MAX; i++) {
		len = i2d_X509(sk_X509_value(chain, (int)i), &der[i]);
		certs[i].ptr = der[i];
		certs[i].len = len > 0 ? (size_t)len : 0;
	}
	r = tls_judge(verify, arg, certs, n, refused);
	for (size_t i = 0; i <= CHAIN_CERTS_MAX; i++)
		OPENSSL_free(der[i]);
	return r;
}
