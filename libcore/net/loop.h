/* The inside of a loop: flushing once a turn, shared memory, a fake clock. */
#ifndef RPCKIT_NET_LOOP_H
#define RPCKIT_NET_LOOP_H

#include "base/buf.h"

#include <rpckit/loop.h>

#include <sys/queue.h>

/*
 * Something to be done once at the end of the present turn, before the loop
 * sleeps.  Embedded in its owner, zero but for fn; queueing it twice is once.
 * A hook may queue others (they run in the same turn) and itself.
 */
TAILQ_HEAD(loop_hooks, loop_hook);
struct loop_hook {
	TAILQ_ENTRY(loop_hook) link;
	struct loop_hooks *list; /* it waits there; NULL: not queued */
	void (*fn)(struct loop_hook *h);
};
void loop_hook_queue(struct rk_loop *loop, struct loop_hook *h);
/* The same, in the next turn, which does not wait for anything. */
void loop_hook_queue_next(struct rk_loop *loop, struct loop_hook *h);
/* The same, in this turn, when no other hook is left but of this kind: for what
 * gathers the work of others. */
void loop_hook_queue_last(struct rk_loop *loop, struct loop_hook *h);
void loop_hook_remove(struct rk_loop *loop, struct loop_hook *h);

/*
 * Readiness that no descriptor tells: several connections behind one socket.
 * Like a watch, fn is called from the loop as long as what is raised is also
 * wanted: in the turn that raised it, then once a turn.
 */
typedef void loop_ready_fn(unsigned ready, void *arg);
struct loop_ready {
	struct rk_loop *loop;
	loop_ready_fn *fn;
	void *arg;
	unsigned ready; /* RK_READ, RK_WRITE */
	unsigned want;
	struct loop_hook hook;
};
void loop_ready_init(
    struct loop_ready *r, struct rk_loop *loop, loop_ready_fn *fn, void *arg);
void loop_ready_fini(struct loop_ready *r);
void loop_ready_want(struct loop_ready *r, unsigned want);
void loop_ready_raise(struct loop_ready *r, unsigned what);
void loop_ready_lower(struct loop_ready *r, unsigned what);

/*
 * Besides RK_READ and RK_WRITE a watch, and what is raised, may be about a peer
 * that has gone, for who does not read: it sends no more (a FIN), or the whole
 * connection is over.  Both stay so.
 */
#define LOOP_FINISHED 8u
#define LOOP_BROKEN 16u

/* Memory every object on the loop may use within one call from the loop:
 * contents do not survive it. */
#define LOOP_SCRATCH_LEN 65536
enum loop_scratch {
	LOOP_SCRATCH_PLAIN,  /* what conn reads to */
	LOOP_SCRATCH_RAW,    /* what a layer reads from its descriptor to */
	LOOP_SCRATCH_SEALED, /* what the layer of pre-shared keys reads to */
	LOOP_SCRATCHES
};
uint8_t *loop_scratch(struct rk_loop *loop, enum loop_scratch which);

/* A place for what objects of one kind on the loop share: NULL at first, and
 * again when the last of them has freed it. */
void **loop_shared(struct rk_loop *loop);

/*
 * Lend a block to b, which has no memory: of those given back, the smallest
 * that holds more than `need` bytes, else the largest, else a new small one.
 * Where that does not do, or memory is out, b grows by itself.  Give the
 * memory of b, whose content is dropped, back for others; what the loop does
 * not want to keep is freed.
 */
void loop_buf_take(struct rk_loop *loop, size_t need, struct buf *b);
void loop_buf_give(struct rk_loop *loop, struct buf *b);

/* Is the loop within a turn, a callback on the stack? */
bool loop_is_turning(const struct rk_loop *loop);
/*
 * The thread has nothing to do but to wait for what is about to come: a wait
 * looks for it for up to 100 us before it sleeps, as long as that helps.
 */
void loop_set_keen(struct rk_loop *loop, bool keen);
/* Read the clock now, unless a turn has: for calls from outside of turns, when
 * the last one may be long ago. */
void loop_refresh(struct rk_loop *loop);
/* The clock at this moment, which may be past rk_loop_now() within a turn. */
uint64_t loop_clock(const struct rk_loop *loop);
uint64_t loop_clock_us(const struct rk_loop *loop); /* in microseconds */

/* The moment of rk_loop_now() in nanoseconds, and a timer for such a moment. */
uint64_t loop_now_ns(const struct rk_loop *loop);
void loop_timer_set_ns(struct rk_timer *t, uint64_t at_ns);

/* A clock of the test's own; NULL: the system's monotonic one. */
void loop_set_clock(
    struct rk_loop *loop, uint64_t (*now_ms)(void *arg), void *arg);

#endif
