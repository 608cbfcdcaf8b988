/* A stream's outgoing bytes: they stay where they are until confirmed. */
#ifndef RPCKIT_NET_QUIC_OUT_H
#define RPCKIT_NET_QUIC_OUT_H

#include <rpckit/err.h>

#include <sys/uio.h>

/* ngtcp2 keeps pointers to what it may have to send again, so bytes are in
 * blocks that never move.  Blocks are the loop's and go back to it. */
#define QUIC_BLOCK_LEN 16384
#define QUIC_BLOCKS_KEPT 64

struct quic_block {
	struct quic_block *next;
	size_t len;
	uint8_t data[QUIC_BLOCK_LEN];
};

struct quic_blocks {
	struct quic_block *free;
	size_t n;
};
void quic_blocks_fini(struct quic_blocks *p);

/* Offsets count from the stream's beginning: confirmed <= sent <= queued. */
struct quic_out {
	struct quic_blocks *pool;
	struct quic_block *head; /* holds the first byte not confirmed */
	struct quic_block *tail;
	struct quic_block *next; /* holds the first byte not sent */
	uint64_t head_at;        /* offset of head's first byte */
	uint64_t next_at;        /* of next's */
	uint64_t confirmed;
	uint64_t sent;
	uint64_t queued;
};

void quic_out_init(struct quic_out *o, struct quic_blocks *pool);
void quic_out_fini(struct quic_out *o);
/* All of it or nothing.  RK_ENOMEM. */
RK_MUST enum rk_err quic_out_put(
    struct quic_out *o, const uint8_t *src, size_t len);
/* Where the bytes not sent are: up to cap pieces; returns their number. */
size_t quic_out_peek(const struct quic_out *o, struct iovec *v, size_t cap);
/* The next n bytes were sent. */
void quic_out_sent(struct quic_out *o, size_t n);
/* Everything below this offset has arrived. */
void quic_out_confirm(struct quic_out *o, uint64_t upto);
/* Nothing was sent after all (and none of it confirmed). */
void quic_out_rewind(struct quic_out *o);

static inline uint64_t
quic_out_unsent(const struct quic_out *o)
{
	return o->queued - o->sent;
}

static inline uint64_t
quic_out_held(const struct quic_out *o)
{
	return o->queued - o->confirmed;
}

#endif
