/* What a server's stateless resets grow from. */
#ifndef RPCKIT_NET_QUIC_PLACE_H
#define RPCKIT_NET_QUIC_PLACE_H

#include "net/addr.h"

#include <stdbool.h>
#include <stdint.h>

#define QUIC_PLACE_LEN 32

/*
 * A secret that is the same for as long as this base is used at this address,
 * in this network namespace, since this machine was started; also after the
 * process has died.  Others with the base, on another machine, in another
 * network namespace or at another port, have another: nobody may learn from
 * them how to end connections of this one (RFC 9000, 21.11).  False: nothing
 * tells where this is.
 */
RK_MUST bool quic_place_secret(const uint8_t base[QUIC_PLACE_LEN],
    const struct addr *bound, uint8_t out[QUIC_PLACE_LEN]);

#endif
