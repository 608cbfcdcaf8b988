/* Contexts for QUIC's TLS on OpenSSL: judging, tickets, early data. */
#include "net/quic_tls_ossl.h"

#include "base/error.h"
#include "net/tls_cert.h"
#include "net/tls_int.h"

#include <rpckit/secret.h>

#include <ngtcp2/ngtcp2_crypto_ossl.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define TICKET_ID_LEN 16
#define TICKET_CIPHER "AES-256-CBC"
#define TICKET_DIGEST "SHA256"

/* ---- judging ---- */

static bool
keep_leaf(struct quic_tls *t, const X509 *leaf)
{
	uint8_t *der = NULL;
	int len = i2d_X509(leaf, &der);
	bool ok =
	    len > 0 && quic_kept_set(&t->base.peer, der, (size_t)len) == RK_OK;

	OPENSSL_free(der);
	return ok;
}

static int
on_verify(X509_STORE_CTX *store, void *arg)
{
	const struct quic_tls_ctx *ctx = arg;
	struct quic_tls *t = quic_tls_of(X509_STORE_CTX_get_ex_data(
	    store, SSL_get_ex_data_X509_STORE_CTX_idx()));
	enum rk_err r;

	X509_STORE_CTX_set_error(store, X509_V_OK);
	if (ctx->base.verify == NULL)
		return 1; /* a client that asks nobody is called, too */
	r = tls_judge_x509(ctx->base.verify, ctx->base.arg,
	    X509_STORE_CTX_get0_untrusted(store), &t->base.refused);
	if (r == RK_OK && keep_leaf(t, X509_STORE_CTX_get0_cert(store)))
		return 1;
	/* The library chooses the alert by this. */
	X509_STORE_CTX_set_error(store, r == RK_EREVOKED
	                                    ? X509_V_ERR_CERT_REVOKED
	                                    : X509_V_ERR_CERT_REJECTED);
	return 0;
}

/* ---- the keys of tickets ---- */

struct ticket_keys {
	uint8_t name[16];
	uint8_t cipher[32];
	uint8_t mac[32];
};

static void
derive(const struct quic_tls_ctx *ctx, uint64_t epoch, struct ticket_keys *keys)
{
	_Static_assert(sizeof(*keys) == 80, "no holes");
	quic_tls_ticket_key(
	    ctx->seed, epoch, ctx->ticket_info, (uint8_t *)keys, sizeof(*keys));
}

static bool
begin(struct ticket_keys *k, const uint8_t *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, int seal)
{
	char digest[] = TICKET_DIGEST;
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(
		    OSSL_MAC_PARAM_KEY, k->mac, sizeof(k->mac)),
		OSSL_PARAM_construct_utf8_string(
		    OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_CIPHER *aes = EVP_CIPHER_fetch(NULL, TICKET_CIPHER, NULL);
	bool ok =
	    aes != NULL &&
	    EVP_CipherInit_ex2(cipher, aes, k->cipher, iv, seal, NULL) == 1 &&
	    EVP_MAC_CTX_set_params(mac, params) == 1;

	EVP_CIPHER_free(aes); /* the context keeps it */
	return ok;
}

/* 1: begun; 0: not a key of ours; -1: failed. */
static int
on_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
	const struct quic_tls_ctx *ctx = quic_tls_of(ssl)->ctx;
	uint64_t epoch = seed_epoch((int64_t)time(NULL));
	struct ticket_keys k;
	int rv = 0;

	derive(ctx, epoch, &k);
	if (seal) {
		memcpy(name, k.name, sizeof(k.name));
		rk_random(iv, EVP_MAX_IV_LENGTH);
	} else if (memcmp(name, k.name, sizeof(k.name)) != 0 && epoch > 0) {
		derive(ctx, epoch - 1, &k);
	}
	if (memcmp(name, k.name, sizeof(k.name)) == 0)
		rv = begin(&k, iv, cipher, mac, seal) ? 1 : -1;
	rk_wipe(&k, sizeof(k));
	return rv;
}

/* ---- tickets ---- */

/* An id that nobody can choose or see, so that it is known again. */
static int
on_ticket_made(SSL *ssl, void *arg)
{
	struct quic_tls_ctx *ctx = arg;
	uint8_t id[TICKET_ID_LEN];

	if (ctx->base.tickets == NULL)
		return 1;
	rk_random(id, sizeof(id));
	quic_tickets_add(
	    ctx->base.tickets, (struct rk_bytes){ id, sizeof(id) }, NULL, 0);
	return SSL_SESSION_set1_ticket_appdata(
	    SSL_get_session(ssl), id, sizeof(id));
}

/* One whose owner is no longer trusted is as none: the owner may show a
 * certificate, and is told. */
static SSL_TICKET_RETURN
on_ticket_read(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
    size_t name_len, SSL_TICKET_STATUS status, void *arg)
{
	const struct quic_tls_ctx *ctx = arg;
	struct quic_tls *t = quic_tls_of(ssl);
	struct rk_error ignored = { 0 };
	struct rk_bytes leaf;
	const X509 *x;

	(void)name;
	(void)name_len;
	if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	if (ctx->base.verify == NULL)
		return SSL_TICKET_RETURN_USE;
	x = SSL_SESSION_get0_peer(session);
	if (x == NULL || !keep_leaf(t, x))
		return SSL_TICKET_RETURN_IGNORE;
	leaf = (struct rk_bytes){ buf_peek(&t->base.peer),
		buf_len(&t->base.peer) };
	if (tls_judge(ctx->base.verify, ctx->base.arg, &leaf, 1, &ignored) ==
	    RK_OK)
		return SSL_TICKET_RETURN_USE;
	buf_fini(&t->base.peer);
	return SSL_TICKET_RETURN_IGNORE;
}

/* Early data come once with a ticket, of somebody who may be heard before it
 * has proven anything, and only with one of ours: of another server's tickets
 * nobody knows here whether they were used. */
static int
on_early(SSL *ssl, void *arg)
{
	struct quic_tls_ctx *ctx = arg;
	const struct buf *leaf = &quic_tls_of(ssl)->base.peer;
	void *id = NULL;
	size_t len = 0;
	struct buf none;

	buf_init(&none, 1);
	return SSL_SESSION_get0_ticket_appdata(
	           SSL_get0_session(ssl), &id, &len) == 1 &&
	       len == TICKET_ID_LEN &&
	       quic_tickets_find(ctx->base.tickets,
	           (struct rk_bytes){ id, len }, true,
	           &none) == QUIC_TICKET_FRESH &&
	       quic_tls_ctx_recalls(&ctx->base, leaf);
}

/* Client: a ticket has come.  0: the reference stays the library's. */
static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	struct quic_tls *t = quic_tls_of(ssl);
	unsigned long life = SSL_SESSION_get_ticket_lifetime_hint(session);
	unsigned char *der = NULL;
	int len = i2d_SSL_SESSION(session, &der);

	if (len <= 0)
		return 0;
	/* QUIC knows one size only (RFC 9001, 4.6.1). */
	quic_tls_base_remember(&t->base, der, (size_t)len,
	    life > UINT32_MAX ? UINT32_MAX : (uint32_t)life,
	    SSL_SESSION_get_max_early_data(session) == UINT32_MAX);
	OPENSSL_clear_free(der, (size_t)len);
	return 0;
}

/* ---- the context ---- */

static bool
set_server(struct quic_tls_ctx *ctx)
{
	SSL_CTX *c = ctx->ssl_ctx;

	/* Tickets go when they are asked for. */
	if (SSL_CTX_set_num_tickets(c, 0) != 1 ||
	    SSL_CTX_set_tlsext_ticket_key_evp_cb(c, on_ticket_key) != 1 ||
	    SSL_CTX_set_session_ticket_cb(
	        c, on_ticket_made, on_ticket_read, ctx) != 1)
		return false;
	if (!ctx->base.early)
		return true;
	/* What the library would do needs sessions kept in memory. */
	(void)SSL_CTX_set_options(c, SSL_OP_NO_ANTI_REPLAY);
	SSL_CTX_set_allow_early_data_cb(c, on_early, ctx);
	return SSL_CTX_set_max_early_data(c, UINT32_MAX) == 1;
}

static enum rk_err
derive_info(struct quic_tls_ctx *ctx, const struct quic_tls_conf *conf)
{
	const X509 *cert = SSL_CTX_get0_certificate(ctx->ssl_ctx);
	uint8_t *der = NULL;
	int len = i2d_X509(cert, &der);

	if (len <= 0)
		return RK_ENOMEM;
	ctx->seed = seed_ref(conf->seed);
	quic_tls_ticket_info(
	    conf->tls.mode, der, (size_t)len, ctx->ticket_info);
	OPENSSL_free(der);
	return RK_OK;
}

static enum rk_err
set_up(struct quic_tls_ctx *ctx, const struct quic_tls_conf *conf,
    struct rk_error *err)
{
	SSL_CTX *c = ctx->ssl_ctx;
	enum rk_err r;

	if ((r = tls_pin(c, &conf->tls, err)) != RK_OK)
		return r;
	/* QUIC forbids what makes TLS 1.3 look like older ones; and whatever
	 * SSLKEYLOGFILE says, secrets are written nowhere. */
	(void)SSL_CTX_clear_options(c, SSL_OP_ENABLE_MIDDLEBOX_COMPAT);
	SSL_CTX_set_keylog_callback(c, NULL);
	SSL_CTX_set_cert_verify_callback(c, on_verify, ctx);
	if (!ctx->base.server) {
		SSL_CTX_sess_set_new_cb(c, on_session);
		return RK_OK;
	}
	if (derive_info(ctx, conf) != RK_OK || !set_server(ctx))
		return tls_explain(RK_ENOMEM, err);
	return RK_OK;
}

static void
prepare(void)
{
	/* Without it every packet looks the ciphers up again. */
	(void)ngtcp2_crypto_ossl_init();
}

enum rk_err
quic_tls_ctx_new(const struct quic_tls_conf *conf, struct quic_tls_ctx **out,
    struct rk_error *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct quic_tls_ctx *ctx;
	enum rk_err r;

	*out = NULL;
	(void)pthread_once(&once, prepare);
	ctx = calloc(1, sizeof(*ctx));
	if (ctx == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	if ((r = quic_tls_ctx_base_init(&ctx->base, conf, err)) != RK_OK) {
		free(ctx);
		return r;
	}
	ERR_clear_error();
	ctx->ssl_ctx = tls_new(&conf->tls);
	r = ctx->ssl_ctx != NULL ? set_up(ctx, conf, err)
	                         : tls_explain(RK_ENOMEM, err);
	ERR_clear_error();
	if (r == RK_OK)
		*out = ctx;
	else
		quic_tls_ctx_free(ctx);
	return r;
}

void
quic_tls_ctx_free(struct quic_tls_ctx *ctx)
{
	if (ctx == NULL || !quic_tls_ctx_base_unref(&ctx->base))
		return;
	SSL_CTX_free(ctx->ssl_ctx);
	seed_free(ctx->seed);
	quic_tls_ctx_base_fini(&ctx->base);
	free(ctx);
}
