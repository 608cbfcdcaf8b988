/* Frames: 8 bytes magic and compression, 8 bytes length, body. */
#ifndef RPCKIT_RPC_FRAME_H
#define RPCKIT_RPC_FRAME_H

#include "base/buf.h"

#include <rpckit/message.h>

#define FRAME_HEAD_LEN 16

enum frame_code {
	FRAME_PLAIN = 0,
	FRAME_S2 = 1,
	FRAME_PLAIN_NO_PREF = 7 /* plain; says nothing about preference */
};

struct frame {
	enum frame_code code;
	struct rk_bytes body; /* as on the wire; borrowed from the input */
	size_t total;         /* head and body: what to consume */
};

void frame_put_head(
    uint8_t head[FRAME_HEAD_LEN], enum frame_code code, size_t body_len);
/*
 * Find the first frame of len bytes.  RK_OK: whole; RK_EAGAIN: more bytes are
 * needed (*missing, may be NULL, says how many at least); RK_EPROTO: wrong
 * magic, unknown compression code, length zero or above RK_BODY_MAX; text in
 * err.  The head is judged as soon as its bytes are there.
 */
RK_MUST enum rk_err frame_split(const uint8_t *data, size_t len,
    struct frame *f, size_t *missing, struct rk_error *err);

#endif
