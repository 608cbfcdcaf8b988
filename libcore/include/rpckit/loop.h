/* The event loop: one thread's world of descriptors, timers and signals. */
#ifndef RPCKIT_LOOP_H
#define RPCKIT_LOOP_H

#include <rpckit/err.h>

RK_BEGIN

/*
 * A loop belongs to the thread that runs it.  Unless it says otherwise, every
 * function here, and every function of an object that lives on the loop, may
 * be called only by that thread (or before the loop first runs).  Callbacks
 * are entered from rk_loop_run() and rk_loop_step() only, never from inside
 * the call that asked for the work.
 */
struct rk_loop;
struct rk_watch;
struct rk_timer;

enum rk_io {
	RK_READ = 1,
	RK_WRITE = 2
};

/* ready: RK_READ | RK_WRITE; errors and hang-ups set what was watched for. */
typedef void rk_watch_fn(struct rk_watch *w, int fd, unsigned ready, void *arg);
typedef void rk_timer_fn(struct rk_timer *t, void *arg);
typedef void rk_signal_fn(int signo, void *arg);
typedef void rk_post_fn(void *arg);

/* RK_ENOMEM, RK_EIO. */
RK_API RK_MUST enum rk_err rk_loop_new(struct rk_loop **out);
/* Everything created on the loop must be freed first.  Posted functions that
 * have not run yet are run.  NULL is allowed. */
RK_API void rk_loop_free(struct rk_loop *loop);

/* Run until rk_loop_stop().  RK_EIO when the kernel refuses to wait. */
RK_API enum rk_err rk_loop_run(struct rk_loop *loop);
/* End rk_loop_run() after the present turn.  Any thread. */
RK_API void rk_loop_stop(struct rk_loop *loop);
/*
 * One turn: wait at most timeout_ms (0: not at all, -1: without limit) and
 * serve what is ready.  For callers with a loop of their own: poll
 * rk_loop_fd() for reading, at most rk_loop_wait_ms() long, then step with 0.
 */
RK_API enum rk_err rk_loop_step(struct rk_loop *loop, int timeout_ms);
RK_API int rk_loop_fd(const struct rk_loop *loop);
/* Milliseconds to the next timer, 0 when work waits, -1 when there is none. */
RK_API int rk_loop_wait_ms(const struct rk_loop *loop);

/* Monotonic milliseconds, read once a turn. */
RK_API uint64_t rk_loop_now(const struct rk_loop *loop);

/*
 * Have fn(arg) called on the loop's thread.  Beside rk_loop_stop() the only
 * call of this header that any thread may make at any time.  Functions run in
 * the order posted.  RK_ENOMEM: fn will not be called.
 */
RK_API RK_MUST enum rk_err rk_loop_post(
    struct rk_loop *loop, rk_post_fn *fn, void *arg);

/* Watch fd (which stays the caller's) for `want`.  RK_ENOMEM, RK_EIO. */
RK_API RK_MUST enum rk_err rk_watch_new(struct rk_loop *loop, int fd,
    unsigned want, rk_watch_fn *fn, void *arg, struct rk_watch **out);
RK_API RK_MUST enum rk_err rk_watch_set(struct rk_watch *w, unsigned want);
/* Free before closing the descriptor; legal inside its own callback. */
RK_API void rk_watch_free(struct rk_watch *w);

/* A timer, not armed.  One shot; arm again in its callback to repeat. */
RK_API RK_MUST enum rk_err rk_timer_new(
    struct rk_loop *loop, rk_timer_fn *fn, void *arg, struct rk_timer **out);
/* Fire at `at` (rk_loop_now() milliseconds); moves it when armed already. */
RK_API RK_MUST enum rk_err rk_timer_set(struct rk_timer *t, uint64_t at);
RK_API void rk_timer_clear(struct rk_timer *t);
RK_API bool rk_timer_armed(const struct rk_timer *t);
RK_API void rk_timer_free(struct rk_timer *t);

/*
 * Call fn on the loop when the process receives signo.  Blocks the signal in
 * the calling thread: call it before other threads start, on one loop a
 * process.  Lasts until the loop is freed.  RK_ENOMEM, RK_EIO.
 */
RK_API RK_MUST enum rk_err rk_loop_signal(
    struct rk_loop *loop, int signo, rk_signal_fn *fn, void *arg);

RK_END

#endif
