/* A server of sessions over UDP, and what its endpoint counts. */
#ifndef TESTS_LIB_UDPRIG_H
#define TESTS_LIB_UDPRIG_H

#include "net/udp_int.h"

#include "rpcrig.h"

void udprig_begin(struct rpcrig *r, unsigned threads);
/* Where it is. */
void udprig_at(const struct rpcrig *r, struct addr *a);
/* Of the first loop. */
struct udp_end_stats udprig_stats(struct rpcrig *r);
/* Of all loops, when the server has stopped. */
uint64_t udprig_moves(struct rpcrig *r);

#endif
