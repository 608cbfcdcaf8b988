/* TLS contexts: everything pinned, made from an identity, sessions kept. */
#include "net/tls_int.h"

#include "base/error.h"
#include "net/tls_cert.h"
#include "net/tls_signer.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CERT_LIST_MAX 16384 /* bytes of the peer's certificate message */
#define SECURITY_LEVEL 2
#define TICKETS 1

struct tls_ctx {
	atomic_uint refs;
	SSL_CTX *ssl_ctx;
	BIO_METHOD *method;
	bool server;
	tls_verify_fn *verify;
	void *arg;
	struct tls_tickets tickets;
	bool early;           /* a client may send early data */
	pthread_mutex_t lock; /* of session */
	SSL_SESSION *session; /* a client's newest, or NULL */
};

/* ---- the callbacks of the library ---- */

static int
on_verify(X509_STORE_CTX *store, void *arg)
{
	const struct tls_ctx *ctx = arg;
	SSL *ssl = X509_STORE_CTX_get_ex_data(
	    store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct rk_error *refused = SSL_get_app_data(ssl);
	enum rk_err r;

	X509_STORE_CTX_set_error(store, X509_V_OK);
	if (ctx->verify == NULL)
		return 1; /* a client that asks nobody is called, too */
	r = tls_judge_x509(ctx->verify, ctx->arg,
	    X509_STORE_CTX_get0_untrusted(store), refused);
	if (r == RK_OK)
		return 1;
	/* The library chooses the alert by this. */
	X509_STORE_CTX_set_error(store, r == RK_EREVOKED
	                                    ? X509_V_ERR_CERT_REVOKED
	                                    : X509_V_ERR_CERT_REJECTED);
	return 0;
}

/* Ours if offered, else none: never a reason to refuse. */
static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *in, unsigned in_len, void *arg)
{
	const size_t len = strlen(TLS_ALPN);

	(void)ssl;
	(void)arg;
	for (size_t i = 0; i < in_len; i += 1 + (size_t)in[i]) {
		if (in[i] == len && in_len - i > len &&
		    memcmp(in + i + 1, TLS_ALPN, len) == 0) {
			*out = in + i + 1;
			*out_len = in[i];
			return SSL_TLSEXT_ERR_OK;
		}
	}
	return SSL_TLSEXT_ERR_NOACK;
}

static void
keep_session(struct tls_ctx *ctx, SSL_SESSION *session)
{
	SSL_SESSION *old;

	(void)pthread_mutex_lock(&ctx->lock); /* a plain mutex: cannot fail */
	old = ctx->session;
	ctx->session = session;
	(void)pthread_mutex_unlock(&ctx->lock);
	SSL_SESSION_free(old);
}

static SSL_SESSION *
take_session(struct tls_ctx *ctx)
{
	SSL_SESSION *session;

	(void)pthread_mutex_lock(&ctx->lock);
	session = ctx->session;
	ctx->session = NULL;
	(void)pthread_mutex_unlock(&ctx->lock);
	return session;
}

/* A ticket has come.  1: the reference is ours now. */
static int
on_session(SSL *ssl, SSL_SESSION *session)
{
	keep_session(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)), session);
	return 1;
}

/* ---- the certificate ---- */

static bool
use_cert(SSL_CTX *c, const struct tls_cert *own)
{
	const unsigned char *p = own->der;
	X509 *cert = d2i_X509(NULL, &p, (long)own->len);
	EVP_PKEY *key = own->remote != NULL
	                    ? tls_signer_key(own->remote)
	                    : EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519,
	                          NULL, own->seed, sizeof(own->seed));
	bool ok = cert != NULL && key != NULL &&
	          SSL_CTX_use_certificate(c, cert) == 1 &&
	          SSL_CTX_use_PrivateKey(c, key) == 1;

	X509_free(cert);
	EVP_PKEY_free(key);
	return ok;
}

static enum rk_err
set_cert(SSL_CTX *c, const struct tls_conf *conf, struct rk_error *err)
{
	struct tls_cert own;
	enum rk_err r;

	if ((r = tls_cert_init(&own, conf, err)) != RK_OK)
		return r;
	if (own.len > 0 && !use_cert(c, &own))
		r = tls_explain(RK_EFAIL, err);
	tls_cert_fini(&own);
	return r;
}

/* ---- the context ---- */

/* A system-wide configuration file may have set other things. */
static bool
pin(SSL_CTX *c)
{
	/* The macros want arrays that can be written to. */
	char groups[] = TLS_GROUP;
	char signatures[] = TLS_SIGNATURE;

	(void)SSL_CTX_clear_options(c, SSL_OP_NO_TLSv1_3 | SSL_OP_NO_TICKET |
	                                   SSL_OP_ALLOW_NO_DHE_KEX |
	                                   SSL_OP_IGNORE_UNEXPECTED_EOF);
	(void)SSL_CTX_set_options(
	    c, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	(void)SSL_CTX_clear_mode(c, SSL_MODE_AUTO_RETRY);
	(void)SSL_CTX_set_mode(c, SSL_MODE_NO_AUTO_CHAIN |
	                              SSL_MODE_RELEASE_BUFFERS |
	                              SSL_MODE_ENABLE_PARTIAL_WRITE |
	                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_security_level(c, SECURITY_LEVEL);
	(void)SSL_CTX_set_max_cert_list(c, CERT_LIST_MAX);
	(void)SSL_CTX_set_read_ahead(c, 0);
	return SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_ciphersuites(c, TLS_CIPHER) == 1 &&
	       SSL_CTX_set1_groups_list(c, groups) == 1 &&
	       SSL_CTX_set1_sigalgs_list(c, signatures) == 1 &&
	       SSL_CTX_set1_client_sigalgs_list(c, signatures) == 1 &&
	       SSL_CTX_set_max_early_data(c, 0) == 1;
}

SSL_CTX *
tls_new(const struct tls_conf *conf)
{
	return tls_cert_remote(conf) != NULL ? tls_signer_ctx()
	                                     : SSL_CTX_new(TLS_method());
}

/* The name of the mode in tickets: those of another are of no use. */
static bool
pin_server(SSL_CTX *c, enum rk_tls_mode mode)
{
	const unsigned char id[] = { 'r', 'p', 'c', 'k', 'i', 't', '0',
		(unsigned char)mode };

	SSL_CTX_set_alpn_select_cb(c, on_alpn, NULL);
	(void)SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	return SSL_CTX_set_session_id_context(c, id, sizeof(id)) == 1;
}

static bool
pin_client(SSL_CTX *c)
{
	unsigned char alpn[1 + sizeof(TLS_ALPN) - 1];

	alpn[0] = sizeof(TLS_ALPN) - 1;
	memcpy(alpn + 1, TLS_ALPN, sizeof(TLS_ALPN) - 1);
	(void)SSL_CTX_set_session_cache_mode(
	    c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	/* 0 is success here. */
	return SSL_CTX_set_alpn_protos(c, alpn, sizeof(alpn)) == 0;
}

enum rk_err
tls_pin(SSL_CTX *c, const struct tls_conf *conf, struct rk_error *err)
{
	int verify = SSL_VERIFY_NONE;

	if (tls_asks_peer(conf))
		verify = SSL_VERIFY_PEER |
		         (conf->server ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
	SSL_CTX_set_verify(c, verify, NULL);
	(void)SSL_CTX_set_timeout(c, TLS_SESSION_SECONDS);
	if (!pin(c) ||
	    !(conf->server ? pin_server(c, conf->mode) : pin_client(c)))
		return tls_explain(RK_EFAIL, err);
	return set_cert(c, conf, err);
}

static enum rk_err
set_up(struct tls_ctx *ctx, const struct tls_conf *conf, struct rk_error *err)
{
	SSL_CTX *c = ctx->ssl_ctx;
	enum rk_err r;

	SSL_CTX_set_app_data(c, ctx);
	SSL_CTX_set_cert_verify_callback(c, on_verify, ctx);
	if (!conf->server)
		SSL_CTX_sess_set_new_cb(c, on_session);
	else if (SSL_CTX_set_num_tickets(c, TICKETS) != 1)
		return tls_explain(RK_EFAIL, err);
	if ((r = tls_pin(c, conf, err)) != RK_OK)
		return r;
	if (conf->server && !tls_tickets_serve(&ctx->tickets, c, conf->mode))
		return tls_explain(RK_EFAIL, err);
	return RK_OK;
}

enum rk_err
tls_ctx_new(
    const struct tls_conf *conf, struct tls_ctx **out, struct rk_error *err)
{
	struct tls_ctx *ctx = NULL;
	enum rk_err r;

	*out = NULL;
	if (tls_asks_peer(conf) && conf->verify == NULL)
		return err_set(
		    err, RK_EINVAL, "TLS without a judge of certificates");
	ERR_clear_error();
	ctx = calloc(1, sizeof(*ctx));
	if (ctx == NULL || pthread_mutex_init(&ctx->lock, NULL) != 0) {
		free(ctx);
		return err_set(err, RK_ENOMEM, "out of memory");
	}
	atomic_init(&ctx->refs, 1);
	ctx->server = conf->server;
	ctx->verify = tls_asks_peer(conf) ? conf->verify : NULL;
	ctx->arg = conf->arg;
	ctx->early = conf->early && conf->mode != RK_TLS_SKIP_VERIFY;
	tls_tickets_init(&ctx->tickets, conf);
	ctx->ssl_ctx = tls_new(conf);
	ctx->method = tls_io_method_new();
	r = ctx->ssl_ctx != NULL && ctx->method != NULL
	        ? set_up(ctx, conf, err)
	        : tls_explain(RK_ENOMEM, err);
	ERR_clear_error();
	if (r == RK_OK)
		*out = ctx;
	else
		tls_ctx_free(ctx);
	return r;
}

void
tls_ctx_free(struct tls_ctx *ctx)
{
	if (ctx == NULL || atomic_fetch_sub(&ctx->refs, 1) != 1)
		return;
	SSL_SESSION_free(ctx->session);
	SSL_CTX_free(ctx->ssl_ctx);
	tls_tickets_fini(&ctx->tickets);
	BIO_meth_free(ctx->method);
	(void)pthread_mutex_destroy(&ctx->lock); /* nobody holds it */
	free(ctx);
}

bool
tls_ctx_asks_peer(const struct tls_ctx *ctx)
{
	return ctx->verify != NULL;
}

bool
tls_ctx_early(const struct tls_ctx *ctx)
{
	return ctx->server ? ctx->tickets.replay != NULL : ctx->early;
}

struct tls_tickets *
tls_ctx_tickets(struct tls_ctx *ctx)
{
	return &ctx->tickets;
}

void
tls_ctx_set_clock(struct tls_ctx *ctx, int64_t (*now)(void *arg), void *arg)
{
	ctx->tickets.now = now;
	ctx->tickets.now_arg = arg;
}

const struct bio_method_st *
tls_ctx_method(const struct tls_ctx *ctx)
{
	return ctx->method;
}

void
tls_ctx_forget(struct tls_ctx *ctx)
{
	keep_session(ctx, NULL);
}

/*
 * A session is used once, so that connections cannot be linked by it; and not
 * at all, when the server that it remembers is not believed any more: in a
 * full handshake it may show another certificate.
 */
static bool
begin_client(struct tls_ctx *ctx, SSL *ssl)
{
	SSL_SESSION *session = take_session(ctx);
	char name[] = TLS_SERVER_NAME;
	bool ok = SSL_set_tlsext_host_name(ssl, name) == 1;

	SSL_set_connect_state(ssl);
	if (ok && session != NULL && SSL_SESSION_is_resumable(session) &&
	    tls_tickets_judge(&ctx->tickets, session))
		ok = SSL_set_session(ssl, session) == 1;
	SSL_SESSION_free(session);
	return ok;
}

enum rk_err
tls_ctx_take(struct tls_ctx *ctx, struct rk_error *refused, struct ssl_st **out)
{
	SSL *ssl = SSL_new(ctx->ssl_ctx);
	bool ok = ssl != NULL;

	*out = NULL;
	if (ok && ctx->server)
		SSL_set_accept_state(ssl);
	else if (ok)
		ok = begin_client(ctx, ssl);
	if (ok)
		ok = SSL_set_app_data(ssl, refused) == 1;
	if (!ok) {
		SSL_free(ssl);
		ERR_clear_error();
		return RK_ENOMEM;
	}
	(void)atomic_fetch_add(&ctx->refs, 1);
	*out = ssl;
	return RK_OK;
}
