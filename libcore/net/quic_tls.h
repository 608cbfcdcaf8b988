/* The TLS side of QUIC: one header, one file a library behind it. */
#ifndef RPCKIT_NET_QUIC_TLS_H
#define RPCKIT_NET_QUIC_TLS_H

#include "net/seed.h"
#include "net/tls.h"

#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>

/*
 * Pinned as on TCP (net/tls.h): TLS 1.3, TLS_CHACHA20_POLY1305_SHA256, X25519,
 * Ed25519, only the leaf is sent, ALPN "rpckit/1" offered, and selected if
 * offered, never required; client SNI "localhost".  Packets of the handshake
 * and after are protected by OpenSSL whoever does the handshake.
 *
 * The verify function is asked inside the handshake, before any byte of the
 * peer's is delivered, and again whenever a session is resumed, with the
 * certificate the peer proved when the session began: by a server inside the
 * handshake, by a client before it, which begins from the start if it is told
 * no.
 */
struct quic_tls_ctx;
struct quic_tls_conf {
	struct tls_conf tls; /* the same meaning as for tls_ctx_new() */
	/* Server: keys of tickets, derived with use "quic-ticket"; the context
	 * takes a reference. NULL for a client. */
	struct seed *seed;
	/* Take early data (server), offer it (client); never with
	 * RK_TLS_SKIP_VERIFY. */
	bool early;
};

/* RK_EINVAL, RK_ENOMEM, RK_ETLS.  May be shared by threads. */
RK_MUST enum rk_err quic_tls_ctx_new(const struct quic_tls_conf *conf,
    struct quic_tls_ctx **out, struct rk_error *err);
/* Handshakes made from one keep it alive. */
void quic_tls_ctx_free(struct quic_tls_ctx *ctx);
/* Forget a client's session and address token (after a refusal). */
void quic_tls_ctx_forget(struct quic_tls_ctx *ctx);

/*
 * One handshake.  ref->get_conn and user_data are the caller's and stay where
 * they are; a client's takes the kept session along, which nobody else gets
 * then.  RK_ENOMEM.
 */
struct quic_tls;
RK_MUST enum rk_err quic_tls_new(struct quic_tls_ctx *ctx,
    ngtcp2_crypto_conn_ref *ref, struct quic_tls **out);
/* Before ngtcp2_conn_del() of its connection. */
void quic_tls_free(struct quic_tls *t);
/* For ngtcp2_conn_set_tls_native_handle(). */
void *quic_tls_native(struct quic_tls *t);
/* Fill the callbacks that are the TLS side's: client_initial,
 * recv_client_initial, recv_crypto_data, encrypt, decrypt, hp_mask, recv_retry,
 * update_key, delete_crypto_aead_ctx, delete_crypto_cipher_ctx,
 * get_path_challenge_data, version_negotiation, by role. */
void quic_tls_callbacks(bool server, ngtcp2_callbacks *cb);

/*
 * Client, before the handshake: what is remembered of the server, and forgotten
 * by the context now.  params is
 * for ngtcp2_conn_decode_and_set_0rtt_transport_params() and empty where early
 * data cannot be offered; token is for settings.token.  Borrowed from t.
 */
void quic_tls_remembered(
    const struct quic_tls *t, struct rk_bytes *params, struct rk_bytes *token);
/* Client, when the handshake has completed: remember these (encoded 0-RTT
 * transport parameters) with every ticket of this connection; and, whenever one
 * comes, an address token.  Lost silently when memory is. */
void quic_tls_keep_params(struct quic_tls *t, const uint8_t *p, size_t len);
void quic_tls_keep_token(struct quic_tls *t, const uint8_t *p, size_t len);
/* Server, when the handshake has completed: send a ticket. RK_ENOMEM, RK_ETLS:
 * none goes, nothing else happens. */
enum rk_err quic_tls_send_ticket(struct quic_tls *t);

/*
 * Server, completed, and nothing more is to be sent, from outside of ngtcp2's
 * callbacks: what only a handshake needs is given back, where the library can
 * do without.  Again is fine; for a client it does nothing.
 */
void quic_tls_settle(struct quic_tls *t);

bool quic_tls_resumed(const struct quic_tls *t);
/* Client: completed, and the server took the early data.  Server: it takes
 * them. */
bool quic_tls_early_accepted(const struct quic_tls *t);
/*
 * The peer's leaf as DER.  Server: as soon as it is known, on a resumed session
 * possibly before any early byte, else when the handshake has completed.
 * Client: from the beginning when a session is being resumed, though judged and
 * proven only with the handshake.  False: unknown, or nobody was asked for one.
 * Borrowed from t until the next call that lets the handshake go on.
 *
 * Where a server asks, early bytes that come while this is false may be those
 * of a copy: they must wait for the handshake to complete, which only their
 * sender can bring about.  All others were sent to this server once.
 */
bool quic_tls_peer_cert(struct quic_tls *t, struct rk_bytes *out);
/* The selected name, "" for none. */
void quic_tls_alpn(const struct quic_tls *t, char out[16]);
const char *quic_tls_cipher(const struct quic_tls *t);
/* Completed: what binds other layers to this session (RFC 9266); false: the
 * library does not tell. */
#define QUIC_TLS_EXPORT_LABEL "EXPORTER-Channel-Binding"
#define QUIC_TLS_EXPORT_LEN 32
bool quic_tls_export(
    const struct quic_tls *t, uint8_t out[QUIC_TLS_EXPORT_LEN]);

/*
 * Why the handshake failed, in the words of net/tls.h: `code` is the QUIC error
 * (RFC 9000, 20: CRYPTO_ERROR 0x100 + alert).  by_peer: the peer closed with
 * it.  The verify function's own refusal comes first.  Returns err->code, with
 * alerts about our certificate RK_ECERT or RK_EREVOKED as on TCP.
 */
enum rk_err quic_tls_explain(const struct quic_tls *t, uint64_t code,
    bool by_peer, struct rk_error *err);
/* "ngtcp2 1.11.0, gnutls 3.7.9, openssl 3.0.19": for version texts. */
const char *quic_tls_library(void);

#endif
