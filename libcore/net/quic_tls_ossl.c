/* The TLS side of QUIC on OpenSSL alone: one handshake, what it tells. */
#include "net/quic_tls_ossl.h"

#include "net/tls_int.h"

#include <ngtcp2/ngtcp2_crypto_ossl.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>

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
		(void)tls_explain(RK_ETLS, &t->base.own);
	ERR_clear_error();
	return rv;
}

void
quic_tls_callbacks(bool server, ngtcp2_callbacks *cb)
{
	quic_tls_base_callbacks(server, cb);
	cb->recv_crypto_data = on_crypto_data;
	cb->encrypt = ngtcp2_crypto_encrypt_cb;
	cb->decrypt = ngtcp2_crypto_decrypt_cb;
	cb->hp_mask = ngtcp2_crypto_hp_mask_cb;
	cb->update_key = ngtcp2_crypto_update_key_cb;
	cb->delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb;
	cb->delete_crypto_cipher_ctx =
	    ngtcp2_crypto_delete_crypto_cipher_ctx_cb;
}

/* ---- the life of a handshake ---- */

/* What cannot be resumed is begun from the start. */
static void
resume(struct quic_tls *t)
{
	const struct buf *kept = &t->base.used.session;
	const uint8_t *p = buf_peek(kept);
	SSL_SESSION *session;

	if (buf_len(kept) == 0)
		return;
	session = d2i_SSL_SESSION(NULL, &p, (long)buf_len(kept));
	if (session == NULL || SSL_set_session(t->ssl, session) != 1)
		quic_tls_base_give_up(&t->base);
	SSL_SESSION_free(session);
}

static bool
set_role(struct quic_tls *t)
{
	char name[] = TLS_SERVER_NAME;

	if (t->ctx->base.server) {
		SSL_set_accept_state(t->ssl);
		SSL_set_quic_tls_early_data_enabled(t->ssl, t->ctx->base.early);
		return true;
	}
	SSL_set_connect_state(t->ssl);
	resume(t);
	SSL_set_quic_tls_early_data_enabled(t->ssl, t->base.offers_early);
	return SSL_set_tlsext_host_name(t->ssl, name) == 1;
}

static bool
set_session(struct quic_tls *t)
{
	t->ssl = SSL_new(t->ctx->ssl_ctx);
	if (t->ssl == NULL || SSL_set_app_data(t->ssl, &t->own_ref) != 1 ||
	    ngtcp2_crypto_ossl_ctx_new(&t->native, t->ssl) != 0)
		return false;
	if ((t->ctx->base.server
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
	t->ctx = ctx;
	t->ref = ref;
	t->own_ref.get_conn = get_conn;
	t->own_ref.user_data = t;
	quic_tls_base_init(&t->base, &ctx->base);
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
	quic_tls_base_fini(&t->base);
	quic_tls_ctx_free(t->ctx);
	free(t);
}

void *
quic_tls_native(struct quic_tls *t)
{
	return t->native;
}

enum rk_err
quic_tls_send_ticket(struct quic_tls *t)
{
	bool ok = SSL_new_session_ticket(t->ssl) == 1 &&
	          SSL_do_handshake(t->ssl) == 1;

	ERR_clear_error();
	return ok ? RK_OK : RK_ETLS;
}

/* The library's session has the keys of packets to come. */
void
quic_tls_settle(struct quic_tls *t)
{
	(void)t;
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

bool
quic_tls_export(const struct quic_tls *t, uint8_t out[QUIC_TLS_EXPORT_LEN])
{
	static const char label[] = QUIC_TLS_EXPORT_LABEL;

	return SSL_export_keying_material(t->ssl, out, QUIC_TLS_EXPORT_LEN,
	           label, sizeof(label) - 1, NULL, 0, 0) == 1;
}

void
quic_tls_versions(char out[QUIC_TLS_VERSIONS_LEN])
{
	(void)snprintf(out, QUIC_TLS_VERSIONS_LEN, "openssl %s",
	    OpenSSL_version(OPENSSL_VERSION_STRING));
}
