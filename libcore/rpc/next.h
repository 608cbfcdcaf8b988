/* Keys that will follow a server's, as they go over the wire. */
#ifndef RPCKIT_RPC_NEXT_H
#define RPCKIT_RPC_NEXT_H

#include <rpckit/key.h>

#include "base/buf.h"

#define NEXT_LEN_MAX 512 /* of RK_NEXT_KEYS_MAX keys */

/* The payload of an answer to _.next_keys; RK_ENOMEM, RK_ETOOBIG. */
RK_MUST enum rk_err next_encode(
    struct buf *b, const struct rk_next_key *keys, size_t n);
/* And back.  RK_EFORMAT: it is none; RK_ETAMPERED: one of them has not proven
 * that it follows the present key; *n is 0 then. */
RK_MUST enum rk_err next_decode(struct rk_bytes payload,
    const uint8_t present[RK_KEY_PUBLIC_LEN],
    struct rk_next_key keys[RK_NEXT_KEYS_MAX], size_t *n);

#endif
