/* A push under way, shared by its two files. */
#ifndef RPCKIT_RPC_PUSH_INT_H
#define RPCKIT_RPC_PUSH_INT_H

#include "rpc/server_int.h"

struct push_job;

/* One connection's share: the worker's, until its leg goes back. */
struct push_wait {
	TAILQ_ENTRY(push_wait) conn_link; /* of the connection, in order */
	TAILQ_ENTRY(push_wait) leg_link;  /* in waits or ends of its leg */
	struct push_leg *leg;
	struct server_conn *conn; /* while it waits */
	uint64_t conn_id;
	uint64_t mark; /* decided when so many bytes are gone */
	enum rk_err code;
};

/* One worker's share; between taking it and giving it back the worker's. */
struct push_leg {
	struct mail mail; /* to the worker, and then to loop 0 */
	struct push_job *job;
	struct worker *worker;
	struct rk_timer *timer;
	bool begun;              /* the frame was queued wherever it can be */
	struct push_waits waits; /* not decided */
	struct push_waits ends;  /* decided, and to be told one by one */
	struct rk_push_report report;
};

/* Fixed once it is made, but for what is said to be loop 0's. */
struct push_job {
	struct mail mail; /* to loop 0 */
	struct rk_server *server;
	struct buf frame;
	enum rk_push_to to;
	uint64_t conn;
	size_t who_len;
	char who[RK_TOPIC_MAX + 1]; /* or the subject of subscribers */
	uint64_t timeout;
	rk_push_each_fn *each;
	rk_push_fn *done;
	void *arg;
	size_t cost;
	unsigned due; /* legs not back: loop 0's */
	unsigned n_legs;
	struct push_leg legs[];
};

/* push.c: may the hub keep so many bytes more?  And they are kept no more.
 * Any thread. */
bool push_hub_charge(struct push_hub *h, size_t n);
void push_hub_release(struct push_hub *h, size_t n);
/* The letter of a leg that comes back. */
void push_leg_back(struct mail *m);

/* push_conn.c: the letter of a leg that comes to its worker. */
void push_leg_take(struct mail *m);

#endif
