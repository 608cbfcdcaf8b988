/* What the files of the loop share: its struct, and the kernel's side of it. */
#ifndef RPCKIT_NET_LOOP_INT_H
#define RPCKIT_NET_LOOP_INT_H

#include "net/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#define LOOP_BATCH 256     /* events of one turn */
#define LOOK_SKIP_MAX 1000 /* waits, to one that looks in vain */
#define LOOP_BLOCKS 16     /* blocks kept for loop_buf_take() */

/* Freed in a turn: nothing is wanted of it any more, and the memory lasts to
 * the end of the turn, because events of the batch may still point to it. */
struct rk_watch {
	TAILQ_ENTRY(rk_watch) link; /* in loop->dead */
	struct rk_loop *loop;
	rk_watch_fn *fn;
	void *arg;
	int fd;
	unsigned want; /* as the kernel knows it; 0: it knows nothing */
};
TAILQ_HEAD(loop_watches, rk_watch);
TAILQ_HEAD(loop_timers, rk_timer);

struct loop_event {
	struct rk_watch *w;
	unsigned ready;
};

struct loop_post {
	rk_post_fn *fn;
	void *arg;
};

struct loop_posts {
	struct loop_post *v;
	size_t n;
	size_t cap;
};

struct loop_signal {
	int signo;
	rk_signal_fn *fn;
	void *arg;
};

struct loop_block {
	uint8_t *data;
	size_t cap;
};

struct rk_loop {
	/* the turn */
	bool turning;
	bool brief; /* the last turn was of hooks only */
	int poll_fd;
	bool keen;          /* loop_set_keen() */
	unsigned look_skip; /* so many waits before looking pays again */
	unsigned look_back; /* how many it was the last time */
	uint64_t now;       /* ms */
	uint64_t now_ns;    /* the same moment */
	uint64_t (*clock)(void *arg); /* ms; NULL: the system's */
	void *clock_arg;
	struct loop_event events[LOOP_BATCH];
	struct loop_watches dead;
	size_t n_watches;

	/* timers: a heap by (at, seq); `due` are taken out and about to fire */
	struct rk_timer **heap;
	size_t n_heap;
	size_t cap_heap;
	size_t n_timers; /* armed or not; cap_heap is never less */
	uint64_t seq;
	struct loop_timers due;

	/* hooks: of the end of this turn; after those; of this turn since the
	 * last; of the next turn */
	struct loop_hooks hooks;
	struct loop_hooks last;
	struct loop_hooks ready;
	struct loop_hooks next;

	/* from other threads, under lock; the atomics may be read without */
	pthread_mutex_t lock;
	struct loop_posts posts;
	atomic_bool posted;
	atomic_bool stop;
	int wake_fd;
	struct rk_watch *wake;
	bool woken;
	struct loop_posts running; /* the loop's own: swapped with posts */

	/* signals */
	int signal_fd;
	struct rk_watch *signal_watch;
	struct loop_signal *signals;
	size_t n_signals;
	sigset_t signal_mask;  /* delivered through signal_fd */
	sigset_t signal_added; /* of these, blocked by us */

	/* memory */
	uint8_t *scratch[LOOP_SCRATCHES];
	void *shared;
	struct loop_block blocks[LOOP_BLOCKS]; /* by rising cap */
	size_t n_blocks;
	size_t block_bytes;
};

/* The kernel's side: epoll here, another file elsewhere. */
RK_MUST enum rk_err loop_poll_open(struct rk_loop *loop);
void loop_poll_close(struct rk_loop *loop);
/* Tell the kernel what is wanted of w now, and store it. */
RK_MUST enum rk_err loop_poll_set(struct rk_watch *w, unsigned want);
void loop_poll_forget(struct rk_watch *w);
/* Wait at most ns (LOOP_FOREVER: without limit); fill the first *n of
 * loop->events. */
#define LOOP_FOREVER UINT64_MAX
RK_MUST enum rk_err loop_poll_wait(
    struct rk_loop *loop, uint64_t ns, size_t *n);

/* Nanoseconds to the next timer by the clock of this moment; LOOP_FOREVER:
 * none. */
uint64_t loop_timer_wait_ns(const struct rk_loop *loop);
/* Call what is due at loop->now; timers set meanwhile fire in a later turn. */
void loop_timer_fire(struct rk_loop *loop);
/* Read the clock. */
void loop_clock_read(struct rk_loop *loop);

void loop_signal_fini(struct rk_loop *loop);
RK_MUST enum rk_err loop_mem_init(struct rk_loop *loop);
void loop_mem_fini(struct rk_loop *loop);

#endif
