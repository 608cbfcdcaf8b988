/* The TLS side of QUIC on OpenSSL alone: one handshake, what it tells. */
#include "net/quic_tls_ossl.h"

#include "base/error.h"
#include "net/tls_cert.h"
#include "net/tls_int.h"

#include <ngtcp2/ngtcp2_crypto_ossl.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define LIBRARY_TEXT 64
#define ALPN_LEN 16

static ngtcp2_conn *
get_conn(ngtcp2_crypto_conn_ref *own)
{
	struct quic_tls *t = own->user_data;

	return t->ref->get_conn(t->ref);
}

struct quic_tls *
quic_tls_of(const SSL *ssl)
{
	ngtcp2_crypto_conn_ref *own = SSL_get_app_data(ssl);

	return own->user_data;
}

/* ---- what ngtcp2 gives ---- */

/* The helper leaves the reason of a failure in the thread's queue. */
static int
on_crypto_data(ngtcp2_conn *conn, ngtcp2_encryption_level level,
    uint64_t offset, const uint8_t *data, size_t len, void *arg)
{
	ngtcp2_crypto_ossl_ctx *native =
	    ngtcp2_conn_get_tls_native_handle(conn);
	struct quic_tls *t =
	    quic_tls_of(ngtcp2_crypto_ossl_ctx_get_ssl(native));
	int rv;

	ERR_clear_error();
	rv = ngtcp2_crypto_recv_crypto_data_cb(
	    conn, level, offset, data, len, arg);
	if (rv != 0 && ERR_peek_error() != 0)
		(void)tls_explain(RK_ETLS, &t->own);
	ERR_clear_error();
	return rv;
}

void
quic_tls_callbacks(bool server, ngtcp2_callbacks *cb)
{
	if (server) {
		cb->recv_client_initial = ngtcp2_crypto_recv_client_initial_cb;
	} else {
		cb->client_initial = ngtcp2_crypto_client_initial_cb;
		cb->recv_retry = ngtcp2_crypto_recv_retry_cb;
	}
	cb->recv_crypto_data = on_crypto_data;
	cb->encrypt = ngtcp2_crypto_encrypt_cb;
	cb->decrypt = ngtcp2_crypto_decrypt_cb;
	cb->hp_mask = ngtcp2_crypto_hp_mask_cb;
	cb->update_key = ngtcp2_crypto_update_key_cb;
	cb->delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb;
	cb->delete_crypto_cipher_ctx =
	    ngtcp2_crypto_delete_crypto_cipher_ctx_cb;
	cb->get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb;
	cb->version_negotiation = ngtcp2_crypto_version_negotiation_cb;
}

/* ---- the life of a handshake ---- */

/*
 * What is remembered, as far as it may be used.  A server that is no longer
 * trusted is not met again as an old friend: a whole handshake tells why.
 */
static void
recall(struct quic_tls *t)
{
	struct quic_tls_ctx *ctx = t->ctx;
	const struct quic_kept *k = &t->used;
	struct rk_error ignored = { 0 };
	struct rk_bytes leaf;

	quic_slot_take(&ctx->slot, &t->used);
	leaf = (struct rk_bytes){ buf_peek(&k->leaf), buf_len(&k->leaf) };
	if (!quic_kept_usable(k) ||
	    (ctx->verify != NULL && tls_judge(ctx->verify, ctx->arg, &leaf, 1,
	                                &ignored) != RK_OK)) {
		buf_wipe(&t->used.session);
		return;
	}
	t->offers_early = ctx->early && buf_len(&k->params) > 0 &&
	                  quic_kept_set(&t->peer, leaf.ptr, leaf.len) == RK_OK;
}

static bool
resume(struct quic_tls *t)
{
	const uint8_t *p = buf_peek(&t->used.session);
	SSL_SESSION *session;
	bool ok = true;

	if (p == NULL)
		return true;
	session = d2i_SSL_SESSION(NULL, &p, (long)buf_len(&t->used.session));
	ok = session != NULL && SSL_set_session(t->ssl, session) == 1;
	SSL_SESSION_free(session);
	return ok;
}

static bool
set_role(struct quic_tls *t)
{
	char name[] = TLS_SERVER_NAME;
	bool early = t->ctx->server ? t->ctx->early : t->offers_early;

	if (t->ctx->server)
		SSL_set_accept_state(t->ssl);
	else
		SSL_set_connect_state(t->ssl);
	if (!t->ctx->server &&
	    (SSL_set_tlsext_host_name(t->ssl, name) != 1 || !resume(t)))
		return false;
	SSL_set_quic_tls_early_data_enabled(t->ssl, early);
	return true;
}

static bool
set_session(struct quic_tls *t)
{
	t->ssl = SSL_new(t->ctx->ssl_ctx);
	if (t->ssl == NULL || SSL_set_app_data(t->ssl, &t->own_ref) != 1 ||
	    ngtcp2_crypto_ossl_ctx_new(&t->native, t->ssl) != 0)
		return false;
	if ((t->ctx->server
	            ? ngtcp2_crypto_ossl_configure_server_session(t->ssl)
	            : ngtcp2_crypto_ossl_configure_client_session(t->ssl)) != 0)
		return false;
	return set_role(t);
}

enum rk_err
quic_tls_new(struct quic_tls_ctx *ctx, ngtcp2_crypto_conn_ref *ref,
    struct quic_tls **out)
{
	struct quic_tls *t = calloc(1, sizeof(*t));

	*out = NULL;
	if (t == NULL)
		return RK_ENOMEM;
	(void)atomic_fetch_add(&ctx->refs, 1);
	t->ctx = ctx;
	t->ref = ref;
	t->own_ref.get_conn = get_conn;
	t->own_ref.user_data = t;
	buf_init(&t->peer, QUIC_LEAF_LEN_MAX);
	quic_kept_init(&t->used);
	quic_kept_init(&t->next);
	if (!ctx->server)
		recall(t);
	if (set_session(t)) {
		*out = t;
		t = NULL;
	}
	ERR_clear_error();
	quic_tls_free(t);
	return *out != NULL ? RK_OK : RK_ENOMEM;
}

void
quic_tls_free(struct quic_tls *t)
{
	if (t == NULL)
		return;
	if (t->ssl != NULL)
		(void)SSL_set_app_data(t->ssl, NULL); /* the helper's wish */
	ngtcp2_crypto_ossl_ctx_del(t->native);
	SSL_free(t->ssl);
	buf_fini(&t->peer);
	quic_kept_fini(&t->used);
	quic_kept_fini(&t->next);
	quic_tls_ctx_free(t->ctx);
	free(t);
}

void *
quic_tls_native(struct quic_tls *t)
{
	return t->native;
}

/* ---- what is remembered ---- */

void
quic_tls_remembered(
    const struct quic_tls *t, struct rk_bytes *params, struct rk_bytes *token)
{
	const struct buf *p = &t->used.params;
	const struct buf *k = &t->used.token;

	*params = (struct rk_bytes){ NULL, 0 };
	*token = (struct rk_bytes){ buf_peek(k), buf_len(k) };
	if (t->offers_early)
		*params = (struct rk_bytes){ buf_peek(p), buf_len(p) };
}

void
quic_tls_keep_params(struct quic_tls *t, const uint8_t *p, size_t len)
{
	if (quic_kept_set(&t->next.params, p, len) != RK_OK)
		buf_wipe(&t->next.params); /* none: no early data */
}

void
quic_tls_keep_token(struct quic_tls *t, const uint8_t *p, size_t len)
{
	if (quic_kept_set(&t->next.token, p, len) != RK_OK)
		buf_wipe(&t->next.token); /* none: the server asks again */
	quic_slot_give_token(&t->ctx->slot, p, len);
}

enum rk_err
quic_tls_send_ticket(struct quic_tls *t)
{
	bool ok = SSL_new_session_ticket(t->ssl) == 1 &&
	          SSL_do_handshake(t->ssl) == 1;

	ERR_clear_error();
	return ok ? RK_OK : RK_ETLS;
}

/* ---- what a handshake tells ---- */

bool
quic_tls_resumed(const struct quic_tls *t)
{
	return SSL_session_reused(t->ssl) == 1;
}

bool
quic_tls_early_accepted(const struct quic_tls *t)
{
	return SSL_get_early_data_status(t->ssl) == SSL_EARLY_DATA_ACCEPTED;
}

bool
quic_tls_peer_cert(struct quic_tls *t, struct rk_bytes *out)
{
	*out = (struct rk_bytes){ buf_peek(&t->peer), buf_len(&t->peer) };
	return out->len > 0;
}

void
quic_tls_alpn(const struct quic_tls *t, char out[ALPN_LEN])
{
	const unsigned char *name = NULL;
	unsigned len = 0;

	memset(out, 0, ALPN_LEN);
	SSL_get0_alpn_selected(t->ssl, &name, &len);
	/* The only name we offer and take is shorter. */
	if (len > 0 && len < ALPN_LEN)
		memcpy(out, name, len);
}

const char *
quic_tls_cipher(const struct quic_tls *t)
{
	return SSL_get_current_cipher(t->ssl) != NULL
	           ? SSL_get_cipher_name(t->ssl)
	           : "";
}

enum rk_err
quic_tls_explain(
    const struct quic_tls *t, uint64_t code, bool by_peer, struct rk_error *err)
{
	return quic_tls_tell(&t->refused, &t->own, code, by_peer, err);
}

static char library[LIBRARY_TEXT];

static void
write_library(void)
{
	(void)snprintf(library, sizeof(library), "openssl %s",
	    OpenSSL_version(OPENSSL_VERSION_STRING));
}

const char *
quic_tls_library(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, write_library);
	return library;
}
