/* The inside of the relay: its state, for those who ask it something. */
#ifndef RPCKIT_TESTS_RELAY_INT_H
#define RPCKIT_TESTS_RELAY_INT_H

#include "relay.h"

#include <pthread.h>
#include <sys/queue.h>

#define DATAGRAM_MAX 65536

/* One client's way to the server; no client: a replay's. */
TAILQ_HEAD(flows, flow);
struct flow {
	TAILQ_ENTRY(flow) link;
	struct relay *relay;
	struct addr client;
	bool replay;
	int fd; /* connected to the server */
	struct rk_watch *watch;
};

TAILQ_HEAD(packets, packet);
struct packet {
	TAILQ_ENTRY(packet) link;
	struct flow *flow;
	enum relay_way way;
	uint64_t due;
	size_t len;
	uint8_t data[];
};

struct relay {
	struct rk_loop *loop;
	struct addr server;
	struct addr at;
	int fd; /* where clients send to */
	struct rk_watch *watch;
	struct rk_timer *timer;
	struct flows flows;
	struct packets queue; /* by time due */
	struct packets record;
	size_t queued;
	size_t recorded;
	bool recording;
	bool hole;
	struct relay_faults faults[RELAY_WAYS];
	struct relay_count counts[RELAY_WAYS];
	uint64_t random[RELAY_WAYS];
	uint8_t buf[DATAGRAM_MAX];
	/* With a thread of its own: */
	bool threaded;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t answered;
};

/* A socket of its own port towards the server, instead of what it had. */
void relay_open_flow(struct flow *f);
/* client NULL: a replay's. */
struct flow *relay_new_flow(struct relay *r, const struct addr *client);

#endif
