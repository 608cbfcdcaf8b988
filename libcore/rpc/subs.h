/* Who subscribed to which subject, on one loop. */
#ifndef RPCKIT_RPC_SUBS_H
#define RPCKIT_RPC_SUBS_H

#include "base/crypt.h"

#include <rpckit/push.h>

#include <sys/queue.h>

/*
 * A table of chains under a keyed hash: subjects are chosen by peers, who
 * cannot know what collides.  Bounded by what each subscriber may have.
 */
struct sub;
LIST_HEAD(sub_list, sub);

struct subs {
	uint8_t key[CRYPT_SHORT_KEY_LEN];
	struct sub_list *chains; /* NULL: none yet */
	size_t n_chains;         /* a power of two */
	size_t n;
};

/* Embedded in a subscriber; zero at first. */
struct subs_of {
	struct sub_list list;
	unsigned n;
};

void subs_init(struct subs *t);
/* Every subscriber was dropped before. */
void subs_fini(struct subs *t);
/* Twice is once.  RK_EINVAL: not 1 to RK_TOPIC_MAX bytes; RK_ELIMIT: it has
 * RK_SUBSCRIPTIONS_MAX already; RK_ENOMEM. */
RK_MUST enum rk_err subs_add(
    struct subs *t, struct subs_of *of, struct rk_str subject);
void subs_remove(struct subs *t, struct subs_of *of, struct rk_str subject);
/* All of its subjects. */
void subs_drop(struct subs *t, struct subs_of *of);
/* Call fn for each subscriber of this subject; the table must not change. */
void subs_each(const struct subs *t, struct rk_str subject,
    void (*fn)(struct subs_of *of, void *arg), void *arg);

#endif
