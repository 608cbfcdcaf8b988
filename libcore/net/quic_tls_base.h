/* What a handshake of QUIC keeps, whichever library does it. */
#ifndef RPCKIT_NET_QUIC_TLS_BASE_H
#define RPCKIT_NET_QUIC_TLS_BASE_H

#include "base/crypt.h"
#include "net/quic_kept.h"
#include "net/quic_tickets.h"
#include "net/quic_tls.h"

#include <stdatomic.h>

/* ---- quic_tls_ctx.c ---- */

/* The first member of every struct quic_tls_ctx. */
struct quic_tls_ctx_base {
	atomic_uint refs;
	bool server;
	bool early;
	tls_verify_fn *verify; /* NULL: nobody is asked */
	tls_verify_fn *resume; /* about sessions; the same */
	void *arg;
	struct quic_tickets *tickets; /* server, with early data only */
	struct quic_slot slot;        /* client */
};

/* b is zero; it stays so that it need not be freed when this fails.
 * RK_EINVAL, RK_ENOMEM. */
RK_MUST enum rk_err quic_tls_ctx_base_init(struct quic_tls_ctx_base *b,
    const struct quic_tls_conf *conf, struct rk_error *err);
void quic_tls_ctx_base_fini(struct quic_tls_ctx_base *b);
/* True: that was the last one. */
bool quic_tls_ctx_base_unref(struct quic_tls_ctx_base *b);
/* May this leaf's owner go on with an earlier session, and be heard or written
 * to before it has proven anything? */
bool quic_tls_ctx_recalls(
    const struct quic_tls_ctx_base *b, const struct buf *leaf);

/*
 * Tickets are read where they were made for the same certificate and mode:
 * else a session would speak for somebody that the other end has not seen.
 * info is that, and part of the keys, which change with the epoch.
 */
#define QUIC_TICKET_INFO_LEN (1 + CRYPT_HASH_LEN)
void quic_tls_ticket_info(
    enum rk_tls_mode mode, const uint8_t *cert, size_t len, uint8_t *info);
void quic_tls_ticket_key(const struct seed *seed, uint64_t epoch,
    const uint8_t *info, uint8_t *out, size_t len);

/* ---- quic_tls.c ---- */

/* The first member of every struct quic_tls. */
struct quic_tls_base {
	struct quic_tls_ctx_base *ctx;
	struct rk_error refused; /* by the verify function */
	struct rk_error own;     /* why this end broke off, if it is known */
	struct buf peer; /* the leaf; a client's may be still to prove */
	/* client */
	bool offers_early;
	struct quic_kept used; /* what is remembered of the server */
	struct quic_kept next; /* what goes along with its next ticket */
};

/* Takes a reference of ctx; a client's recalls what is remembered. */
void quic_tls_base_init(struct quic_tls_base *b, struct quic_tls_ctx_base *ctx);
/* Lets go of all but the reference. */
void quic_tls_base_fini(struct quic_tls_base *b);
/* Resuming is impossible after all. */
void quic_tls_base_give_up(struct quic_tls_base *b);
/* A ticket has come: the library's session, how long it lives and whether it
 * allows early data.  Lost silently when memory is. */
void quic_tls_base_remember(struct quic_tls_base *b, const void *session,
    size_t len, uint32_t seconds, bool early);
/* The callbacks that are ngtcp2's own whichever library it uses. */
void quic_tls_base_callbacks(bool server, ngtcp2_callbacks *cb);
/* Each library's: "gnutls 3.7.9, openssl 3.0.19". */
#define QUIC_TLS_VERSIONS_LEN 64
void quic_tls_versions(char out[QUIC_TLS_VERSIONS_LEN]);

#endif
