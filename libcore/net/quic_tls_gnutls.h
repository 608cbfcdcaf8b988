/* The inside of QUIC's TLS on GnuTLS: for the files that begin so. */
#ifndef RPCKIT_NET_QUIC_TLS_GNUTLS_H
#define RPCKIT_NET_QUIC_TLS_GNUTLS_H

#include "base/buf.h"
#include "net/quic_tls_base.h"

#include <gnutls/gnutls.h>

#define QUIC_TICKET_KEY_LEN 64 /* what GnuTLS wants */

struct quic_tls_ctx {
	struct quic_tls_ctx_base base;
	bool shows_cert;
	gnutls_certificate_credentials_t cred;
	struct rk_key *remote; /* the key, if it is elsewhere */
	/* server */
	uint8_t ticket_key[QUIC_TICKET_KEY_LEN];
	gnutls_anti_replay_t anti_replay; /* with early data only */
};

struct quic_tls {
	struct quic_tls_base base;
	struct quic_tls_ctx *ctx;
	gnutls_session_t session;
	ngtcp2_crypto_conn_ref *ref;
	/* server, settled: what the session, which is gone, would say */
	bool was_resumed;
	bool was_early;
	char had_alpn[16];
	const char *had_cipher;
	bool has_exported;
	uint8_t exported[QUIC_TLS_EXPORT_LEN];
	unsigned installed; /* keys: a bit for each level and direction */
	uint8_t alert;      /* to send instead of the library's; 0: its */
	bool judged;
	/* server: the leaf that the client's ticket was given to */
	bool ticket_known;
	struct buf ticket_leaf;
	/* client: the ticket just received allows early data, lives so long */
	bool ticket_early;
	uint32_t ticket_seconds;
};

/* ---- quic_tls_gnutls_ctx.c ---- */

/* A session of the library, complete but for callbacks and role's data. */
RK_MUST enum rk_err quic_tls_session_new(
    struct quic_tls_ctx *ctx, bool early, gnutls_session_t *out);

/* ---- quic_tls_gnutls_hook.c ---- */

/* What is done between the messages of a handshake: judging, tickets, what is
 * forbidden.  A negative value ends the handshake. */
int quic_tls_hook(gnutls_session_t session, unsigned type, unsigned when,
    unsigned incoming, const gnutls_datum_t *msg);
/* The peer has shown a chain and proved that it holds the key. */
int quic_tls_on_verify(gnutls_session_t session);

#endif
