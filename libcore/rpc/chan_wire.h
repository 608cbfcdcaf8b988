/* The frames of channels: what stands in the parts of their stream. */
#ifndef RPCKIT_RPC_CHAN_WIRE_H
#define RPCKIT_RPC_CHAN_WIRE_H

#include <rpckit/channel.h>

/* Pure: bytes and views, no state.  A part holds whole frames and nothing else
 * (rpckit-channels(7)). */
#define CHAN_MAGIC "rkchan/1" /* 8 bytes */
#define CHAN_HEAD_LEN 9
#define CHAN_PIECE 16384 /* bytes of content of one DATA frame */
#define CHAN_END_LEN 10  /* of an end, without its type */
#define CHAN_FRAME_MAX                    \
	(CHAN_HEAD_LEN + 7 + CHAN_PIECE + \
	    RK_CHAN_ENDS_MAX * (CHAN_END_LEN + RK_CHAN_TYPE_MAX))

enum chan_frame_type {
	CHAN_HELLO = 1,
	CHAN_DATA = 2,
	CHAN_CREDIT = 3,
	CHAN_FIN = 4,
	CHAN_STOP = 5,
	CHAN_RESET = 6
};

#define CHAN_FIRST 1u /* of a message */
#define CHAN_LAST 2u
#define CHAN_END_BYTES 1u  /* of kind RK_CHAN_BYTES */
#define CHAN_END_SILENT 2u /* it has finished already */
#define CHAN_END_FLAGS 2   /* bits; those above count the hops */

struct chan_end {
	uint64_t id;
	unsigned flags;
	unsigned hops; /* how often it had been sent on; RK_CHAN_HOPS_MAX */
	struct rk_str type;
};

struct chan_frame {
	enum chan_frame_type type;
	uint64_t id;
	unsigned flags; /* DATA */
	size_t n_ends;  /* DATA */
	struct chan_end ends[RK_CHAN_ENDS_MAX];
	struct rk_bytes data; /* DATA */
	uint32_t credit;      /* CREDIT */
	uint8_t code;         /* RESET; */
	struct rk_str text;   /* and of HELLO, the type */
	bool server;          /* HELLO: who sent it; */
	uint32_t window;
	uint32_t max_channels;
};

/* Write f to p, which has room for CHAN_FRAME_MAX bytes; the first byte after
 * it. */
uint8_t *chan_encode(uint8_t *p, const struct chan_frame *f);

/*
 * The frame at *p, which moves behind it; views into the bytes before end.
 * RK_EPROTO: what is wrong, in *why.  Every length and number of it is within
 * its limits; what it means is the mux's affair.
 */
RK_MUST enum rk_err chan_decode(const uint8_t **p, const uint8_t *end,
    struct chan_frame *f, const char **why);

/* Reasons as they travel. */
uint8_t chan_code_of(enum rk_err code);
enum rk_err chan_code_to(uint8_t code);

#endif
