/* Threads for methods that may wait: a bounded queue, answers posted back. */
#ifndef RPCKIT_RPC_POOL_H
#define RPCKIT_RPC_POOL_H

#include "rpc/mail.h"
#include "rpc/methods.h"

struct pool;
struct mailbox;

/*
 * No thread yet.  `ended` is put into `box` when the last thread, told to by
 * pool_end(), has ended.  RK_ENOMEM.
 */
RK_MUST enum rk_err pool_new(unsigned threads, unsigned max_queued,
    struct mailbox *box, struct mail *ended, struct pool **out);
/* Start the threads, all or none.  0, or the errno. */
RK_MUST int pool_start(struct pool *p);
/* Begin nothing more: what waits is answered with an error as threads become
 * free.  NULL is allowed. */
void pool_close(struct pool *p);
/* The same, and let the threads end: what waits is answered with an error.
 * Once, and only after pool_start(). */
void pool_end(struct pool *p);
/* After `ended`: they are gone. */
void pool_join(struct pool *p);
/* Not started, or joined; NULL is allowed. */
void pool_free(struct pool *p);

/* Inside the handler of a call: have m->work answer it, or answer it now. */
void pool_take(struct pool *p, struct rk_call *call, const struct rk_method *m);

#endif
