/* What a server's stateless resets grow from where it keeps no seed. */
#ifndef RPCKIT_NET_QUIC_PLACE_H
#define RPCKIT_NET_QUIC_PLACE_H

#include "net/addr.h"

#include <rpckit/key.h>

#define QUIC_PLACE_LEN 32

/*
 * A secret that is the same for as long as this key is used at this address of
 * this machine, also after the process has died.  Others with the key, on
 * another machine, in another network namespace or at another port, have
 * another: nobody may learn from them how to end connections of this one (RFC
 * 9000, 21.11).  False: the key is not here, or nothing tells which machine
 * this is.
 */
RK_MUST bool quic_place_secret(const struct rk_key *key,
    const struct addr *bound, uint8_t out[QUIC_PLACE_LEN]);

#endif
