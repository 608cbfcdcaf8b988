/* Which client got which ticket, and whether it has brought early data. */
#ifndef RPCKIT_NET_QUIC_TICKETS_H
#define RPCKIT_NET_QUIC_TICKETS_H

#include "base/buf.h"

/*
 * A library may tell whose session is resumed only after the early data; this
 * tells before.  It also makes early data safe from replay: a ticket of ours
 * brings them once.  A ticket is known by bytes that no peer can choose.
 * Bounded; what was given out longest ago is forgotten.  Any thread.
 */
struct quic_tickets;
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
