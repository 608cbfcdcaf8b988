/* A bad network in a box: a UDP relay that loses, repeats, delays, damages. */
#ifndef RPCKIT_TESTS_RELAY_H
#define RPCKIT_TESTS_RELAY_H

#include "net/addr.h"

#include <rpckit/loop.h>

/*
 * Clients send to relay_addr(); each gets a port of its own towards the
 * server, as behind a NAT.  What happens to the n-th datagram of a way depends
 * on the seed and n alone.  Everything fails the running test when it cannot
 * do its job.
 */
struct relay;

enum relay_way {
	RELAY_UP,    /* client to server */
	RELAY_DOWN,  /* server to client */
	RELAY_STRAY, /* server to ports of relay_replay(): goes nowhere */
	RELAY_WAYS
};

/* In percent of the datagrams, where nothing else is said. */
struct relay_faults {
	unsigned drop;
	unsigned duplicate;
	unsigned reorder;  /* RELAY_REORDER_MS late, others overtake it */
	unsigned flip;     /* one bit is wrong */
	unsigned truncate; /* the end is missing */
	unsigned delay_ms;
	unsigned jitter_ms; /* up to so much more */
};
#define RELAY_REORDER_MS 10

struct relay_count {
	uint64_t in, in_bytes;   /* what has arrived here */
	uint64_t out, out_bytes; /* what was passed on, repeats too */
};

/*
 * On the loop, whose thread alone may then use the relay, or, with NULL, on a
 * thread of its own: then the functions here, all of one other thread, wait
 * until that has done what they ask.
 */
struct relay *relay_start(
    struct rk_loop *loop, const struct addr *server, uint64_t seed);
void relay_stop(struct relay *r); /* NULL is allowed */

const struct addr *relay_addr(const struct relay *r);
/* "127.0.0.1:port" */
void relay_text(const struct relay *r, char out[ADDR_TEXT_LEN]);

/* From now on; of RELAY_UP and RELAY_DOWN. */
void relay_set(
    struct relay *r, enum relay_way way, const struct relay_faults *faults);
/* Nothing passes, in either direction. */
void relay_blackhole(struct relay *r, bool on);
/* All clients have other ports towards the server; the old ones are gone. */
void relay_rebind(struct relay *r);
void relay_count(struct relay *r, enum relay_way way, struct relay_count *out);

/* Keep copies of what clients send, before any fault. */
void relay_record(struct relay *r, bool on);
size_t relay_recorded(struct relay *r);
/* A recorded datagram; valid until the relay is stopped. */
const uint8_t *relay_peek(struct relay *r, size_t i, size_t *len);
/* Send n recorded datagrams from the i-th on to the server, all from one new
 * port, without faults. */
void relay_replay(struct relay *r, size_t i, size_t n);

#endif
