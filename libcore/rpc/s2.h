/* S2 stream bodies: decoding with limits, and storing without compressing. */
#ifndef RPCKIT_RPC_S2_H
#define RPCKIT_RPC_S2_H

#include "base/buf.h"

/*
 * Decode a whole S2 (or Snappy) framed stream; appended to out, of which at
 * most max bytes are written.  Memory grows with bytes produced, never with a
 * length announced.  RK_EPROTO (with the reason), RK_ETOOBIG, RK_ENOMEM: out
 * holds what it held before.
 */
RK_MUST enum rk_err s2_decode(const uint8_t *src, size_t len, size_t max,
    struct buf *out, struct rk_error *err);
/* Append src as a stream of stored chunks.  RK_ENOMEM, RK_ETOOBIG: out is
 * unchanged. */
RK_MUST enum rk_err s2_store(struct buf *out, const uint8_t *src, size_t len);
/* CRC-32C (Castagnoli), not masked; start with 0. */
uint32_t s2_crc32c(uint32_t crc, const void *data, size_t len);

#endif
