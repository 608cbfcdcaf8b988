/* The event loop: one turn after another, each a fixed order of phases. */
#include "net/loop_int.h"

#include "base/container.h"

#include <sys/eventfd.h>

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#define POSTS_MIN 64
#define POSTS_KEPT 4096

/*
 * A turn: wait; read the clock; serve descriptors; posted functions; what the
 * turn before left for this one; timers; hooks; bury what was freed.
 * Allocates nothing by itself.
 */

/* ---- watches ---- */

enum rk_err
rk_watch_new(struct rk_loop *loop, int fd, unsigned want, rk_watch_fn *fn,
    void *arg, struct rk_watch **out)
{
	struct rk_watch *w;
	enum rk_err r;

	*out = NULL;
	w = malloc(sizeof(*w));
	if (w == NULL)
		return RK_ENOMEM;
	*w = (struct rk_watch){ .loop = loop, .fn = fn, .arg = arg, .fd = fd };
	if ((r = loop_poll_set(w, want)) != RK_OK) {
		free(w);
		return r;
	}
	loop->n_watches++;
	*out = w;
	return RK_OK;
}

enum rk_err
rk_watch_set(struct rk_watch *w, unsigned want)
{
	return loop_poll_set(w, want);
}

void
rk_watch_free(struct rk_watch *w)
{
	if (w == NULL)
		return;
	loop_poll_forget(w);
	w->loop->n_watches--;
	if (w->loop->turning)
		TAILQ_INSERT_TAIL(&w->loop->dead, w, link);
	else
		free(w);
}

/* Callbacks change what later events of the batch are about. */
static void
dispatch(struct rk_loop *loop, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct rk_watch *w = loop->events[i].w;
		unsigned ready = loop->events[i].ready & w->want;

		if (ready != 0)
			w->fn(w, w->fd, ready, w->arg);
	}
}

static void
bury(struct rk_loop *loop)
{
	struct rk_watch *w;

	while ((w = TAILQ_FIRST(&loop->dead)) != NULL) {
		TAILQ_REMOVE(&loop->dead, w, link);
		free(w);
	}
}

/* ---- hooks ---- */

static void
queue(struct loop_hooks *list, struct loop_hook *h)
{
	h->list = list;
	TAILQ_INSERT_TAIL(list, h, link);
}

void
loop_hook_queue(struct rk_loop *loop, struct loop_hook *h)
{
	if (h->list == &loop->next)
		loop_hook_remove(loop, h);
	if (h->list == NULL)
		queue(&loop->hooks, h);
}

void
loop_hook_queue_next(struct rk_loop *loop, struct loop_hook *h)
{
	if (h->list == NULL)
		queue(&loop->next, h);
}

void
loop_hook_remove(struct rk_loop *loop, struct loop_hook *h)
{
	(void)loop; /* the list knows */
	if (h->list == NULL)
		return;
	TAILQ_REMOVE(h->list, h, link);
	h->list = NULL;
}

static void
run_hooks(struct rk_loop *loop, struct loop_hooks *list)
{
	struct loop_hook *h;

	while ((h = TAILQ_FIRST(list)) != NULL) {
		loop_hook_remove(loop, h);
		h->fn(h);
	}
}

void
loop_hook_queue_last(struct rk_loop *loop, struct loop_hook *h)
{
	if (h->list == NULL)
		queue(&loop->last, h);
}

/* Those that come last may cause others, and are then not the last yet. */
static void
end_turn(struct rk_loop *loop)
{
	struct loop_hook *h;

	run_hooks(loop, &loop->hooks);
	while ((h = TAILQ_FIRST(&loop->last)) != NULL) {
		loop_hook_remove(loop, h);
		h->fn(h);
		run_hooks(loop, &loop->hooks);
	}
}

static bool
has_hooks(const struct rk_loop *loop)
{
	return !TAILQ_EMPTY(&loop->hooks) || !TAILQ_EMPTY(&loop->last);
}

/* ---- readiness without a descriptor ---- */

static void
on_ready_hook(struct loop_hook *h)
{
	struct loop_ready *r = container_of(h, struct loop_ready, hook);
	unsigned ready = r->ready & r->want;

	if (ready == 0)
		return;
	/* Before the call, in which r may go. */
	loop_hook_queue_next(r->loop, h);
	r->fn(ready, r->arg);
}

void
loop_ready_init(
    struct loop_ready *r, struct rk_loop *loop, loop_ready_fn *fn, void *arg)
{
	*r = (struct loop_ready){
		.loop = loop,
		.fn = fn,
		.arg = arg,
		.hook = { .fn = on_ready_hook },
	};
}

void
loop_ready_fini(struct loop_ready *r)
{
	if (r->loop != NULL)
		loop_hook_remove(r->loop, &r->hook);
}

/* What is not (wanted) any more is found out when the hook runs. */
void
loop_ready_want(struct loop_ready *r, unsigned want)
{
	r->want = want;
	if ((r->ready & want) == 0)
		loop_hook_remove(r->loop, &r->hook);
	else
		loop_hook_queue_next(r->loop, &r->hook);
}

void
loop_ready_raise(struct loop_ready *r, unsigned what)
{
	bool news = (what & ~r->ready & r->want) != 0;

	r->ready |= what;
	if (news)
		loop_hook_queue(r->loop, &r->hook);
}

void
loop_ready_lower(struct loop_ready *r, unsigned what)
{
	r->ready &= ~what;
	if ((r->ready & r->want) == 0)
		loop_hook_remove(r->loop, &r->hook);
}

/* What was left for this turn; what is left from now on is for the next. */
static void
take_ready(struct rk_loop *loop)
{
	struct loop_hook *h;

	while ((h = TAILQ_FIRST(&loop->next)) != NULL) {
		loop_hook_remove(loop, h);
		queue(&loop->ready, h);
	}
}

/* ---- posts and stopping: the part other threads see ---- */

/*
 * Written under the lock, so that the loop may be freed by what was posted
 * while the posting thread is still on its way out: the free waits for it.
 */
static void
wake(struct rk_loop *loop)
{
	uint64_t one = 1;

	/* A full counter is readable too, which is all that is needed. */
	if (write(loop->wake_fd, &one, sizeof(one)) < 0)
		return;
}

static void
on_wake(struct rk_watch *w, int fd, unsigned ready, void *arg)
{
	struct rk_loop *loop = arg;
	uint64_t count;

	(void)w;
	(void)ready;
	if (read(fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
		loop->woken = true;
}

static enum rk_err
append(struct loop_posts *q, struct loop_post post)
{
	size_t cap = q->cap == 0 ? POSTS_MIN : q->cap * 2;
	struct loop_post *v;

	if (q->n == q->cap) {
		v = reallocarray(q->v, cap, sizeof(*v));
		if (v == NULL)
			return RK_ENOMEM;
		q->v = v;
		q->cap = cap;
	}
	q->v[q->n++] = post;
	return RK_OK;
}

enum rk_err
rk_loop_post(struct rk_loop *loop, rk_post_fn *fn, void *arg)
{
	struct loop_post post = { .fn = fn, .arg = arg };
	enum rk_err r;

	(void)pthread_mutex_lock(&loop->lock);
	r = append(&loop->posts, post);
	if (r == RK_OK && loop->posts.n == 1) {
		atomic_store(&loop->posted, true);
		wake(loop);
	}
	(void)pthread_mutex_unlock(&loop->lock);
	return r;
}

void
rk_loop_stop(struct rk_loop *loop)
{
	(void)pthread_mutex_lock(&loop->lock);
	atomic_store(&loop->stop, true);
	wake(loop);
	(void)pthread_mutex_unlock(&loop->lock);
}

static void
run_posts(struct rk_loop *loop)
{
	struct loop_posts taken;

	loop->woken = false;
	(void)pthread_mutex_lock(&loop->lock);
	taken = loop->posts;
	loop->posts = loop->running;
	atomic_store(&loop->posted, false);
	(void)pthread_mutex_unlock(&loop->lock);
	for (size_t i = 0; i < taken.n; i++)
		taken.v[i].fn(taken.v[i].arg);
	taken.n = 0;
	if (taken.cap > POSTS_KEPT) {
		free(taken.v);
		taken = (struct loop_posts){ 0 };
	}
	loop->running = taken;
}

/* ---- the loop ---- */

static uint64_t
wait_ns(const struct rk_loop *loop, int timeout_ms)
{
	uint64_t limit = LOOP_FOREVER;
	uint64_t ns;

	if (timeout_ms == 0 || has_hooks(loop) || !TAILQ_EMPTY(&loop->next) ||
	    atomic_load(&loop->stop))
		return 0;
	if (timeout_ms > 0)
		limit = (uint64_t)timeout_ms * 1000000;
	ns = loop_timer_wait_ns(loop);
	return ns < limit ? ns : limit;
}

int
rk_loop_wait_ms(const struct rk_loop *loop)
{
	uint64_t ns = atomic_load(&loop->posted) ? 0 : wait_ns(loop, -1);

	if (ns == LOOP_FOREVER)
		return -1;
	ns = ns / 1000000 + (ns % 1000000 != 0);
	return ns < INT_MAX ? (int)ns : INT_MAX;
}

/*
 * What was queued between turns, by a blocking call for instance, need not wait
 * for the kernel to be asked whether anything is ready: it is a turn by itself.
 * But not twice in a row, or who queues something before every turn would never
 * get any further.
 */
static bool
begin_with_hooks(struct rk_loop *loop, int timeout_ms)
{
	loop->brief = timeout_ms != 0 && !loop->brief && has_hooks(loop);
	if (!loop->brief)
		return false;
	loop->turning = true;
	loop_clock_read(loop);
	end_turn(loop);
	bury(loop);
	loop->turning = false;
	return true;
}

/* The one place a thread waits in.  A turn inside a turn is refused. */
enum rk_err
rk_loop_step(struct rk_loop *loop, int timeout_ms)
{
	size_t n;
	enum rk_err r;

	if (loop->turning)
		return RK_ESTATE;
	if (begin_with_hooks(loop, timeout_ms))
		return RK_OK;
	loop->turning = true;
	r = loop_poll_wait(loop, wait_ns(loop, timeout_ms), &n);
	loop_clock_read(loop);
	take_ready(loop);
	dispatch(loop, n);
	if (loop->woken)
		run_posts(loop);
	run_hooks(loop, &loop->ready);
	loop_timer_fire(loop);
	end_turn(loop);
	bury(loop);
	loop->turning = false;
	return r;
}

enum rk_err
rk_loop_run(struct rk_loop *loop)
{
	enum rk_err r = RK_OK;

	if (loop->turning)
		return RK_ESTATE;
	while (r == RK_OK && !atomic_load(&loop->stop))
		r = rk_loop_step(loop, -1);
	atomic_store(&loop->stop, false);
	return r;
}

void
loop_set_keen(struct rk_loop *loop, bool keen)
{
	loop->keen = keen;
}

int
rk_loop_fd(const struct rk_loop *loop)
{
	return loop->poll_fd;
}

uint64_t
rk_loop_now(const struct rk_loop *loop)
{
	return loop->now;
}

static enum rk_err
open_wake(struct rk_loop *loop)
{
	loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->wake_fd < 0)
		return RK_EIO;
	return rk_watch_new(
	    loop, loop->wake_fd, RK_READ, on_wake, loop, &loop->wake);
}

/* Everything but what was posted: also of a loop that is half made. */
static void
release(struct rk_loop *loop)
{
	loop_signal_fini(loop);
	rk_watch_free(loop->wake);
	if (loop->wake_fd >= 0)
		(void)close(loop->wake_fd); /* nothing can be lost */
	loop_poll_close(loop);
	assert(loop->n_watches == 0 && loop->n_timers == 0);
	loop_mem_fini(loop);
	free(loop->heap);
	free(loop->posts.v);
	free(loop->running.v);
	(void)pthread_mutex_destroy(&loop->lock);
	free(loop);
}

enum rk_err
rk_loop_new(struct rk_loop **out)
{
	struct rk_loop *loop;
	enum rk_err r;

	*out = NULL;
	loop = calloc(1, sizeof(*loop));
	if (loop == NULL)
		return RK_ENOMEM;
	loop->poll_fd = loop->wake_fd = loop->signal_fd = -1;
	TAILQ_INIT(&loop->dead);
	TAILQ_INIT(&loop->due);
	TAILQ_INIT(&loop->hooks);
	TAILQ_INIT(&loop->last);
	TAILQ_INIT(&loop->ready);
	TAILQ_INIT(&loop->next);
	(void)sigemptyset(&loop->signal_mask);
	(void)sigemptyset(&loop->signal_added);
	(void)pthread_mutex_init(&loop->lock, NULL); /* plain: cannot fail */
	loop_set_clock(loop, NULL, NULL);
	if ((r = loop_mem_init(loop)) != RK_OK ||
	    (r = loop_poll_open(loop)) != RK_OK ||
	    (r = open_wake(loop)) != RK_OK) {
		release(loop);
		return r;
	}
	*out = loop;
	return RK_OK;
}

/* What was posted or queued may post and queue more: until there is none. */
void
rk_loop_free(struct rk_loop *loop)
{
	if (loop == NULL)
		return;
	assert(!loop->turning);
	loop->turning = true;
	do {
		run_posts(loop);
		end_turn(loop);
	} while (atomic_load(&loop->posted) || has_hooks(loop));
	bury(loop);
	loop->turning = false;
	release(loop);
}
