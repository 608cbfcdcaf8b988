/* Letters to a loop: posting without memory, and an end to it. */
#ifndef RPCKIT_RPC_MAIL_H
#define RPCKIT_RPC_MAIL_H

#include <rpckit/loop.h>

#include <sys/queue.h>

/*
 * What rk_loop_post() does, with two differences.  A letter lies in its
 * sender's memory, so that what must be told can be told when there is none
 * left.  And the box may go before its loop does, which then calls nothing of
 * it any more: a server is freed, its user's loop lives on.
 */
struct mailbox;

/* Zero but for fn; belongs to the box until fn is called.  Putting it again
 * before that is once. */
struct mail {
	TAILQ_ENTRY(mail) link;
	void (*fn)(struct mail *m);
	bool waits;
};

/* RK_ENOMEM. */
RK_MUST enum rk_err mailbox_new(struct rk_loop *loop, struct mailbox **out);
/*
 * Have m->fn called on the loop's thread, in the order put.  Any thread.
 * Where even the loop has no memory it comes with the next letter, or at
 * mailbox_free().
 */
void mailbox_put(struct mailbox *b, struct mail *m);
/* Calls what waits.  The loop's thread or, when it does not run, any; not in a
 * letter's fn.  NULL is allowed. */
void mailbox_free(struct mailbox *b);

#endif
