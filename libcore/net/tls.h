/* TLS 1.3 as a layer: contexts made from an identity, layers made from them. */
#ifndef RPCKIT_NET_TLS_H
#define RPCKIT_NET_TLS_H

#include "net/layer.h"
#include "net/replay.h"
#include "net/seed.h"

#include <rpckit/key.h>
#include <rpckit/server.h>

/*
 * Judge the chain (DER, leaf first) that the peer has just presented.  Not
 * RK_OK: the handshake ends with an alert (revoked: certificate_revoked,
 * otherwise bad_certificate) and err's text becomes the handshake's.  Nothing
 * is proven yet when this is called: decide nothing lasting.  Any loop thread.
 */
typedef enum rk_err tls_verify_fn(
    const struct rk_bytes *chain, size_t n, struct rk_error *err, void *arg);

struct tls_conf {
	bool server;
	enum rk_tls_mode mode;
	/* RK_TLS_MUTUAL: required; a client of RK_TLS_SERVER_ONLY carries none.
	 * Borrowed for the life of the context. */
	const struct rk_ident *ident;
	tls_verify_fn *verify; /* asked unless the mode asks for no peer cert */
	/* The same about who resumes a session, with the certificate it holds:
	 * not RK_OK is a full handshake instead.  NULL: verify. */
	tls_verify_fn *resume;
	void *arg;
	/* Server: what keys of tickets grow from, with use "tls-ticket" and an
	 * epoch.  NULL: random ones of the context's own, which stay. */
	struct seed *seed;
	/* Server: takes early data, and each only once; NULL: takes none.
	 * Client: may send them.  Never with RK_TLS_SKIP_VERIFY. */
	struct replay *replay;
	bool early;
};

/* What we offer and select: the peer is rpckit, not just any rpc25519. */
#define TLS_ALPN "rpckit/1"

/* What early() takes in all: one record. */
#define TLS_EARLY_MAX 16384

/*
 * Everything pinned: TLS 1.3, TLS_CHACHA20_POLY1305_SHA256, X25519, Ed25519 in
 * both signature lists; only the leaf is sent; TLS_ALPN offered, and
 * selected if offered; client SNI "localhost"; server tickets on.  The ticket
 * holds the peer's certificate, which `resume` judges before the session is
 * resumed, and before any early byte; the owner judges LAYER_Q_PEER_CERT once
 * more, as on every connection.  It counts where it was made for: with the same
 * seed, the same certificate of the server and the same mode.  A client context
 * keeps the newest session for the next layer, which takes it.  Where nobody is
 * asked there is no certificate, though one was shown (RK_TLS_SKIP_VERIFY).
 * Contexts may be shared by threads; layers made from one keep it alive, as it
 * does seed and replay.
 */
struct tls_ctx;
RK_MUST enum rk_err tls_ctx_new(
    const struct tls_conf *conf, struct tls_ctx **out, struct rk_error *err);
void tls_ctx_free(struct tls_ctx *ctx);
/* Forget a client's session (after a refusal). */
void tls_ctx_forget(struct tls_ctx *ctx);
/* A clock of the test's own for the keys of tickets, in seconds since 1970. */
void tls_ctx_set_clock(
    struct tls_ctx *ctx, int64_t (*now)(void *arg), void *arg);

/*
 * A layer over `below`, which it owns from now on (also on failure: freed).
 * Received records pass through the loop's LOOP_SCRATCH_RAW; what a turn
 * leaves over is kept by the layer.  RK_ENOMEM.
 */
RK_MUST enum rk_err tls_layer_new(struct tls_ctx *ctx, struct rk_loop *loop,
    struct layer *below, struct layer **out);

#endif
