/* The inside of QUIC's TLS on GnuTLS: for the files that begin so. */
#ifndef RPCKIT_NET_QUIC_TLS_GNUTLS_H
#define RPCKIT_NET_QUIC_TLS_GNUTLS_H

#include "base/buf.h"
#include "net/quic_kept.h"
#include "net/quic_tls.h"

#include <gnutls/gnutls.h>
#include <stdatomic.h>

#define QUIC_TICKET_KEY_LEN 64 /* what GnuTLS wants */
#define QUIC_LEAF_LEN_MAX 16384

struct quic_tickets;

struct quic_tls_ctx {
	atomic_uint refs;
	bool server;
	bool early;
	tls_verify_fn *verify; /* NULL: nobody is asked */
	void *arg;
	bool shows_cert;
	gnutls_certificate_credentials_t cred;
	gnutls_priority_t priority;
	/* server */
	uint8_t ticket_key[QUIC_TICKET_KEY_LEN];
	gnutls_anti_replay_t anti_replay;
	struct quic_tickets *tickets; /* with early data only */
	/* client */
	struct quic_slot slot;
};

struct quic_tls {
	struct quic_tls_ctx *ctx;
	gnutls_session_t session;
	ngtcp2_crypto_conn_ref *ref;
	unsigned installed;      /* keys: a bit for each level and direction */
	int failed;              /* the library's error, 0: none */
	uint8_t alert;           /* to send instead of the library's; 0: its */
	struct rk_error refused; /* by the verify function */
	bool judged;
	struct buf peer; /* the leaf, judged or (client) to be judged */
	/* server: the leaf that the client's ticket was given to */
	bool ticket_known;
	struct buf ticket_leaf;
	/* client */
	bool offers_early;
	bool ticket_early; /* the ticket just received allows early data */
	uint32_t ticket_seconds; /* and lives so long */
	struct quic_kept used;   /* what is remembered of the server */
	struct quic_kept next;   /* what goes along with its next ticket */
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
/* Ask about the leaf of a session that began earlier: 0, or the error to end
 * the handshake with. */
int quic_tls_judge_leaf(struct quic_tls *t, const struct buf *leaf);

/* ---- quic_tls_gnutls_tickets.c ---- */

/*
 * Which client got which ticket: the library tells whose session is resumed
 * only after the early data.  It also makes early data safe from replay: a
 * ticket of ours brings them once.  Bounded; what was used longest ago is
 * forgotten.  Any thread.
 */
struct quic_tickets *quic_tickets_new(void); /* NULL: no memory */
void quic_tickets_free(struct quic_tickets *s);
/* leaf may be empty.  Lost silently when memory is. */
void quic_tickets_add(struct quic_tickets *s, struct rk_bytes ticket,
    const uint8_t *leaf, size_t leaf_len);

enum quic_ticket {
	QUIC_TICKET_UNKNOWN, /* made by others, or forgotten */
	QUIC_TICKET_FRESH,
	QUIC_TICKET_SPENT /* it has brought early data before */
};
/* What is known of a ticket, its leaf if it is known; spend: it is used for
 * early data now.  RK_ENOMEM makes it unknown. */
enum quic_ticket quic_tickets_find(struct quic_tickets *s,
    struct rk_bytes ticket, bool spend, struct buf *leaf);

#endif
