/* The TLS side of QUIC on GnuTLS: one handshake, its keys, what it tells. */
#include "net/quic_tls_gnutls.h"

#include "base/error.h"
#include "net/quic_crypt.h"
#include "net/tls_int.h"
#include "trust/key.h"

#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#define ALPN_LEN 16

static ngtcp2_conn *
conn_of(const struct quic_tls *t)
{
	return t->ref->get_conn(t->ref);
}

/* ---- what the library gives ---- */

/*
 * A secret of one direction.  A second one for the same keys can only come of
 * a message that does not belong there, and ngtcp2 would end the process.
 */
static int
install(struct quic_tls *t, ngtcp2_encryption_level level, bool rx,
    const void *secret, size_t len)
{
	unsigned bit = 1u << (2 * (unsigned)level + (rx ? 1 : 0));

	/* Only clients send early data. */
	if (level == NGTCP2_ENCRYPTION_LEVEL_0RTT && rx != t->ctx->base.server)
		return 0;
	if ((t->installed & bit) != 0)
		return GNUTLS_E_UNEXPECTED_PACKET;
	t->installed |= bit;
	switch ((int)quic_crypt_install(conn_of(t), level, rx, secret, len)) {
	case RK_OK:
		return 0;
	case RK_ENOMEM:
		return GNUTLS_E_MEMORY_ERROR;
	default:
		return GNUTLS_E_INTERNAL_ERROR;
	}
}

static int
on_secret(gnutls_session_t session, gnutls_record_encryption_level_t l,
    const void *rx, const void *tx, size_t len)
{
	struct quic_tls *t = gnutls_db_get_ptr(session);
	ngtcp2_encryption_level level =
	    ngtcp2_crypto_gnutls_from_gnutls_record_encryption_level(l);
	int rv = 0;

	if (rx != NULL)
		rv = install(t, level, true, rx, len);
	if (tx != NULL && rv == 0)
		rv = install(t, level, false, tx, len);
	return rv;
}

static int
on_alert(gnutls_session_t session, gnutls_record_encryption_level_t level,
    gnutls_alert_level_t severity, gnutls_alert_description_t alert)
{
	struct quic_tls *t = gnutls_db_get_ptr(session);

	(void)level;
	(void)severity;
	ngtcp2_conn_set_tls_alert(
	    conn_of(t), t->alert != 0 ? t->alert : (uint8_t)alert);
	return 0;
}

/* ---- why it failed ---- */

static const struct {
	int code;
	const char *text;
} own_reasons[] = {
	{ GNUTLS_E_UNSUPPORTED_VERSION_PACKET, TLS_OLD_PEER },
	{ GNUTLS_E_NO_CIPHER_SUITES, TLS_NO_CIPHER },
	{ GNUTLS_E_UNKNOWN_CIPHER_SUITE, TLS_NO_CIPHER },
	{ GNUTLS_E_NO_COMMON_KEY_SHARE, TLS_NO_GROUP },
	{ GNUTLS_E_ECC_NO_SUPPORTED_CURVES, TLS_NO_GROUP },
	{ GNUTLS_E_UNSUPPORTED_SIGNATURE_ALGORITHM, TLS_NO_SIGNATURE },
	{ GNUTLS_E_NO_CERTIFICATE_FOUND, TLS_NO_CERT },
	{ GNUTLS_E_CERTIFICATE_REQUIRED, TLS_NO_CERT },
	{ GNUTLS_E_PK_SIG_VERIFY_FAILED, TLS_BAD_PROOF },
	{ GNUTLS_E_HANDSHAKE_TOO_LARGE, TLS_TOO_LARGE },
};

static const char *
own_text(int code)
{
	for (size_t i = 0; i < sizeof(own_reasons) / sizeof(*own_reasons); i++)
		if (own_reasons[i].code == code)
			return own_reasons[i].text;
	return gnutls_strerror(code);
}

/* ---- what ngtcp2 gives ---- */

static int
break_off(struct quic_tls *t, ngtcp2_conn *conn, int code)
{
	int rv;

	if (code != GNUTLS_E_PK_SIGN_FAILED || t->ctx->remote == NULL ||
	    !key_failure(t->ctx->remote, &t->base.own))
		(void)err_set(&t->base.own, RK_ETLS, "%s", own_text(code));
	(void)gnutls_alert_send_appropriate(t->session, code);
	rv = ngtcp2_conn_get_tls_error(conn);
	return rv != 0 ? rv : NGTCP2_ERR_CRYPTO;
}

static int
on_crypto_data(ngtcp2_conn *conn, ngtcp2_encryption_level level,
    uint64_t offset, const uint8_t *data, size_t len, void *arg)
{
	gnutls_session_t session = ngtcp2_conn_get_tls_native_handle(conn);
	struct quic_tls *t;
	int rv;

	(void)offset;
	(void)arg;
	if (session == NULL) {
		/* Settled: a client has nothing more to say. */
		ngtcp2_conn_set_tls_alert(conn, GNUTLS_A_UNEXPECTED_MESSAGE);
		return NGTCP2_ERR_CRYPTO;
	}
	t = gnutls_db_get_ptr(session);
	rv = gnutls_handshake_write(t->session,
	    ngtcp2_crypto_gnutls_from_ngtcp2_encryption_level(level), data,
	    len);
	if (rv < 0 && gnutls_error_is_fatal(rv) != 0)
		return break_off(t, conn, rv);
	if (rv < 0 || ngtcp2_conn_get_handshake_completed(conn) != 0)
		return 0;
	rv = gnutls_handshake(t->session);
	if (rv < 0 && gnutls_error_is_fatal(rv) != 0)
		return break_off(t, conn, rv);
	if (rv == 0)
		ngtcp2_conn_tls_handshake_completed(conn);
	return 0;
}

void
quic_tls_callbacks(bool server, ngtcp2_callbacks *cb)
{
	quic_tls_base_callbacks(server, cb);
	cb->recv_crypto_data = on_crypto_data;
	quic_crypt_callbacks(cb);
}

/* ---- the life of a handshake ---- */

static bool
resume(struct quic_tls *t)
{
	const struct buf *session = &t->base.used.session;

	return buf_len(session) == 0 ||
	       gnutls_session_set_data(
	           t->session, buf_peek(session), buf_len(session)) >= 0;
}

static enum rk_err
set_session(struct quic_tls *t)
{
	gnutls_session_t s;
	bool early =
	    t->ctx->base.server ? t->ctx->base.early : t->base.offers_early;
	enum rk_err r;
	int rv;

	if ((r = quic_tls_session_new(t->ctx, early, &s)) != RK_OK)
		return r;
	t->session = s;
	gnutls_session_set_ptr(s, t->ref); /* the helper's */
	gnutls_db_set_ptr(s, t);           /* ours: nothing else uses it */
	rv = t->ctx->base.server
	         ? ngtcp2_crypto_gnutls_configure_server_session(s)
	         : ngtcp2_crypto_gnutls_configure_client_session(s);
	if (rv != 0)
		return RK_ENOMEM;
	gnutls_handshake_set_secret_function(s, on_secret);
	gnutls_alert_set_read_function(s, on_alert);
	return RK_OK;
}

enum rk_err
quic_tls_new(struct quic_tls_ctx *ctx, ngtcp2_crypto_conn_ref *ref,
    struct quic_tls **out)
{
	struct quic_tls *t = calloc(1, sizeof(*t));
	enum rk_err r;

	*out = NULL;
	if (t == NULL)
		return RK_ENOMEM;
	t->ctx = ctx;
	t->ref = ref;
	quic_tls_base_init(&t->base, &ctx->base);
	buf_init(&t->ticket_leaf, QUIC_LEAF_LEN_MAX);
	r = set_session(t);
	if (r == RK_OK && !resume(t)) {
		/* Once more, with nothing left to resume. */
		gnutls_deinit(t->session);
		t->session = NULL;
		quic_tls_base_give_up(&t->base);
		r = set_session(t);
	}
	if (r == RK_OK)
		*out = t;
	else
		quic_tls_free(t);
	return r;
}

void
quic_tls_free(struct quic_tls *t)
{
	if (t == NULL)
		return;
	if (t->session != NULL)
		gnutls_deinit(t->session);
	buf_fini(&t->ticket_leaf);
	quic_tls_base_fini(&t->base);
	quic_tls_ctx_free(t->ctx);
	free(t);
}

void *
quic_tls_native(struct quic_tls *t)
{
	return t->session;
}

enum rk_err
quic_tls_send_ticket(struct quic_tls *t)
{
	int rv;

	if (t->session == NULL)
		return RK_ETLS; /* settled */
	rv = gnutls_session_ticket_send(t->session, 1, 0);
	if (rv == GNUTLS_E_MEMORY_ERROR)
		return RK_ENOMEM;
	return rv < 0 ? RK_ETLS : RK_OK;
}

void
quic_tls_settle(struct quic_tls *t)
{
	if (!t->base.ctx->server || t->session == NULL)
		return;
	t->was_resumed = quic_tls_resumed(t);
	t->was_early = quic_tls_early_accepted(t);
	quic_tls_alpn(t, t->had_alpn);
	t->had_cipher = quic_tls_cipher(t);
	t->has_exported = quic_tls_export(t, t->exported);
	ngtcp2_conn_set_tls_native_handle(conn_of(t), NULL);
	gnutls_deinit(t->session);
	t->session = NULL;
	buf_fini(&t->ticket_leaf);
}

/* ---- what a handshake tells ---- */

bool
quic_tls_resumed(const struct quic_tls *t)
{
	if (t->session == NULL)
		return t->was_resumed;
	return gnutls_session_is_resumed(t->session) != 0;
}

bool
quic_tls_early_accepted(const struct quic_tls *t)
{
	if (t->session == NULL)
		return t->was_early;
	return (gnutls_session_get_flags(t->session) &
	           GNUTLS_SFLAGS_EARLY_DATA) != 0;
}

void
quic_tls_alpn(const struct quic_tls *t, char out[ALPN_LEN])
{
	gnutls_datum_t name = { NULL, 0 };

	if (t->session == NULL) {
		memcpy(out, t->had_alpn, ALPN_LEN);
		return;
	}
	memset(out, 0, ALPN_LEN);
	/* The only name we offer and take is shorter. */
	if (gnutls_alpn_get_selected_protocol(t->session, &name) == 0 &&
	    name.size < ALPN_LEN)
		memcpy(out, name.data, name.size);
}

const char *
quic_tls_cipher(const struct quic_tls *t)
{
	if (t->session == NULL)
		return t->had_cipher;
	return gnutls_cipher_get(t->session) == GNUTLS_CIPHER_CHACHA20_POLY1305
	           ? TLS_CIPHER
	           : "";
}

bool
quic_tls_export(const struct quic_tls *t, uint8_t out[QUIC_TLS_EXPORT_LEN])
{
	static const char label[] = QUIC_TLS_EXPORT_LABEL;

	if (t->session == NULL) {
		memcpy(out, t->exported, QUIC_TLS_EXPORT_LEN);
		return t->has_exported;
	}
	return gnutls_prf_rfc5705(t->session, sizeof(label) - 1, label, 0, NULL,
	           QUIC_TLS_EXPORT_LEN, (char *)out) == 0;
}

void
quic_tls_versions(char out[QUIC_TLS_VERSIONS_LEN])
{
	(void)snprintf(out, QUIC_TLS_VERSIONS_LEN, "gnutls %s, openssl %s",
	    gnutls_check_version(NULL),
	    OpenSSL_version(OPENSSL_VERSION_STRING));
}
