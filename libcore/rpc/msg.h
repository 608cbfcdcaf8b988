/* A message in memory and its encoding; what we send and what we accept. */
#ifndef RPCKIT_RPC_MSG_H
#define RPCKIT_RPC_MSG_H

#include "base/buf.h"

#include <rpckit/message.h>

/* A decoded message: views into the body it was decoded from. */
struct msg {
	struct rk_header hdr;
	struct rk_bytes payload; /* JobSerz */
	struct rk_str error;     /* JobErrs */
	bool in_order; /* out: whatever its size, behind what was sent before */
};

/* Beyond this many bytes besides payload and error a message is refused. */
#define MSG_HEADER_MAX 65536

/*
 * Decode one body.  Fields in any order, unknown ones skipped, absent and nil
 * ones zero, bytes after the map ignored (as Go does); a known field twice, a
 * wrong type, a cut or a limit passed is RK_EPROTO with the reason, and *m is
 * all zero.  Allocates nothing.
 */
RK_MUST enum rk_err msg_decode(
    const uint8_t *body, size_t len, struct msg *m, struct rk_error *err);

/*
 * Append a whole plain frame (16 bytes head, compression 0, body) for m: every
 * field of m->hdr that is not zero or empty, in id order, then payload and
 * error.  args (n_args) is used instead of hdr.args.raw when not NULL.
 * What m and args point to must not lie in b.  RK_ETOOBIG: body over
 * RK_BODY_MAX, header over MSG_HEADER_MAX, more than RK_ARGS_MAX arguments, or
 * b full; RK_ENOMEM.  b is unchanged on error.
 */
RK_MUST enum rk_err msg_encode(struct buf *b, const struct msg *m,
    const struct rk_arg *args, size_t n_args);

/*
 * A copy that needs nothing of what m points to: *out's views lie in *owned,
 * which the caller frees with free().  m's views must all lie in one buffer, as
 * those of a decoded message do.  RK_ENOMEM.
 */
RK_MUST enum rk_err msg_keep(
    const struct msg *m, struct msg *out, void **owned);
/* The same in memory of the caller's, of so many bytes. */
size_t msg_keep_len(const struct msg *m);
void msg_keep_at(const struct msg *m, struct msg *out, void *memory);

#endif
