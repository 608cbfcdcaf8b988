/* What a handshake of QUIC keeps, whichever library does it. */
#ifndef RPCKIT_NET_QUIC_TLS_BASE_H
#define RPCKIT_NET_QUIC_TLS_BASE_H

#include "net/quic_kept.h"
#include "net/quic_tls.h"

/* The first member of every struct quic_tls. */
struct quic_tls_base {
	struct quic_slot *slot;  /* the context's */
	struct rk_error refused; /* by the verify function */
	struct rk_error own;     /* why this end broke off, if it is known */
	struct buf peer; /* the leaf; a client's may be still to prove */
	/* client */
	bool offers_early;
	struct quic_kept used; /* what is remembered of the server */
	struct quic_kept next; /* what goes along with its next ticket */
};

void quic_tls_base_init(struct quic_tls_base *b, struct quic_slot *slot);
void quic_tls_base_fini(struct quic_tls_base *b);
/*
 * Client: what the context remembers goes to b->used.  Without a session there
 * when its time is over or the judge (NULL: nobody) no longer trusts the
 * server: a whole handshake tells why.  Otherwise b->peer is the server's leaf.
 */
void quic_tls_base_recall(
    struct quic_tls_base *b, tls_verify_fn *verify, void *arg, bool early);
/* Resuming is impossible after all. */
void quic_tls_base_give_up(struct quic_tls_base *b);
/* A ticket has come: the library's session, how long it lives and whether it
 * allows early data.  Lost silently when memory is. */
void quic_tls_base_remember(struct quic_tls_base *b, const void *session,
    size_t len, uint32_t seconds, bool early);

#endif
