/* Pushes inside the server: what its structs hold of them, and their hooks. */
#ifndef RPCKIT_RPC_PUSH_H
#define RPCKIT_RPC_PUSH_H

#include "rpc/mail.h"

#include <rpckit/push.h>

#include <pthread.h>
#include <stdatomic.h>

/*
 * A push is one job.  Any thread makes it, whole, with the frame that all its
 * targets get; loop 0 owns it.  It sends a leg of it to each worker that may
 * have targets, which queues the frame and keeps a wait for each connection
 * until that is decided; then the leg comes back.  When all are back, loop 0
 * tells the pusher and frees the job.  Legs are letters and part of the job, so
 * that telling needs no memory.
 */
struct push_wait;
TAILQ_HEAD(push_waits, push_wait);

/* The server's. */
struct push_hub {
	pthread_mutex_t lock; /* guards the next two */
	bool open;
	size_t n;            /* jobs under way */
	atomic_size_t bytes; /* of jobs and waits */
	size_t max_bytes;
};

struct rk_server;
struct server_conn;

/* push.c: loop 0 */
void push_hub_init(struct push_hub *h, size_t max_bytes);
void push_hub_fini(struct push_hub *h);
/* From now on jobs are taken. */
void push_hub_open(struct push_hub *h);
/* No more are; is none under way?  If not, server_check_stopped() comes when
 * the last is done. */
bool push_hub_close(struct push_hub *h);
/*
 * Something is under way that keeps `cost` bytes and the workers' threads.
 * RK_ESTATE: not open; RK_ELIMIT.  Any thread.  And it is over: loop 0, which
 * then calls server_check_stopped().
 */
RK_MUST enum rk_err push_hub_enter(struct push_hub *h, size_t cost);
void push_hub_leave(struct push_hub *h, size_t cost);

/* push_conn.c: the worker's thread */
/* It waits for a decision: gets its id, under which nothing is sent to it. */
void push_conn_wait(struct server_conn *c);
/* It is open now: the same, unless it has waited.  RK_ENOMEM. */
RK_MUST enum rk_err push_conn_open(struct server_conn *c);
/* Some of its bytes have gone; all of it has ended. */
void push_conn_gone(struct server_conn *c);
void push_conn_closed(struct server_conn *c);

#endif
