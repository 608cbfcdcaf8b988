/* What a client remembers of its server between two connections. */
#ifndef RPCKIT_NET_QUIC_KEPT_H
#define RPCKIT_NET_QUIC_KEPT_H

#include "base/buf.h"

#include <pthread.h>

#define QUIC_LEAF_LEN_MAX 16384

/* Any part may be empty.  `session` is in the TLS library's own form and holds
 * secrets; `leaf` is the certificate the server proved when it began. */
struct quic_kept {
	struct buf session;
	struct buf params; /* transport parameters for early data */
	struct buf token;  /* address token */
	struct buf leaf;
	int64_t made; /* the session, in milliseconds since 1970 */
	int64_t until;
};
void quic_kept_init(struct quic_kept *k);
void quic_kept_fini(struct quic_kept *k); /* wipes; may be used again */
/* Replace one part.  RK_ETOOBIG, RK_ENOMEM: it is empty then. */
RK_MUST enum rk_err quic_kept_set(struct buf *part, const void *p, size_t len);

/* The session is from now on, and good for so long. */
void quic_kept_stamp(struct quic_kept *k, uint32_t seconds);
/*
 * Is there a session, and is its time neither over (nor nearly) nor, for a
 * clock that was set back, still to come?  Libraries offer early data for
 * sessions they find out too late to be of no use, and fail.
 */
bool quic_kept_usable(const struct quic_kept *k);

/* A place for one, shared by threads. */
struct quic_slot {
	pthread_mutex_t lock;
	struct quic_kept kept;
};
RK_MUST enum rk_err quic_slot_init(struct quic_slot *s); /* RK_ENOMEM */
void quic_slot_fini(struct quic_slot *s);
/* Everything that is there goes to out, which is empty. */
void quic_slot_take(struct quic_slot *s, struct quic_kept *out);
/* k, emptied, becomes what is remembered; an old token stays if k has none. */
void quic_slot_give(struct quic_slot *s, struct quic_kept *k);
void quic_slot_give_token(struct quic_slot *s, const uint8_t *p, size_t len);
void quic_slot_forget(struct quic_slot *s);

#endif
