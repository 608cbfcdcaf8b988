/* One end of a UDP way for tests: a quic_io and what it has received. */
#ifndef RPCKIT_TESTS_UDPEND_H
#define RPCKIT_TESTS_UDPEND_H

#include "net/quic_io.h"

#define UDPEND_MAX 256

/* Its socket, its address, and what it has received. */
struct udpend {
	struct quic_io *io;
	struct addr at;
	size_t n;
	size_t bytes;
	size_t lens[UDPEND_MAX];
	uint8_t first[UDPEND_MAX];
	uint8_t ecn;
	struct addr local; /* of the last one */
	struct addr remote;
};

/* All of these fail the running test when they cannot do their job. */
void udpend_resolve(const char *url, struct addr *a);
/* The host with the port of another address. */
void udpend_resolve_port(
    const char *host, const struct addr *port_of, struct addr *a);
bool udpend_has_ipv6(void);
bool udpend_same(const struct addr *a, const struct addr *b);

void udpend_start(struct udpend *e, const char *host);
void udpend_connect(struct udpend *e, const struct addr *remote);
struct quic_io_stats udpend_stats(const struct udpend *e);

/* A quic_io_fn that notes a datagram, whose bytes must be the same. */
void udpend_take(const struct quic_datagram *d, void *arg);
void udpend_wait(struct quic_io *io);
/* Until there have been n datagrams; there are no more. */
void udpend_receive(struct udpend *e, size_t n);
/* Packets filled with a number each, counting from `first`. */
void udpend_put(struct udpend *e, const struct addr *local,
    const struct addr *to, uint8_t ecn, size_t len, size_t segment,
    uint8_t first);
/* The same from 1, and sent. */
void udpend_say(
    struct udpend *e, const struct addr *to, size_t len, size_t segment);

#endif
