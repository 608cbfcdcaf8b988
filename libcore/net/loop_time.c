/* Timers: a binary heap in which each timer knows its place; the clock. */
#include "net/loop_int.h"

#include "base/clock.h"

#include <assert.h>
#include <stdlib.h>

#define NOT_ARMED SIZE_MAX
#define IS_DUE (SIZE_MAX - 1)
#define HEAP_MIN 16

struct rk_timer {
	TAILQ_ENTRY(rk_timer) link; /* in loop->due */
	struct rk_loop *loop;
	rk_timer_fn *fn;
	void *arg;
	uint64_t at;  /* ns */
	uint64_t seq; /* timers for the same moment fire in the order set */
	size_t index; /* in the heap, or one of the above */
};

#define MS_NS UINT64_C(1000000)

static uint64_t
clock_ns(const struct rk_loop *loop)
{
	if (loop->clock != NULL)
		return loop->clock(loop->clock_arg) * MS_NS;
	return mono_ns();
}

uint64_t
loop_clock(const struct rk_loop *loop)
{
	return clock_ns(loop) / MS_NS;
}

uint64_t
loop_clock_us(const struct rk_loop *loop)
{
	return clock_ns(loop) / 1000;
}

void
loop_clock_read(struct rk_loop *loop)
{
	loop->now_ns = clock_ns(loop);
	loop->now = loop->now_ns / MS_NS;
}

uint64_t
loop_now_ns(const struct rk_loop *loop)
{
	return loop->now_ns;
}

bool
loop_is_turning(const struct rk_loop *loop)
{
	return loop->turning;
}

void
loop_refresh(struct rk_loop *loop)
{
	if (!loop->turning)
		loop_clock_read(loop);
}

void
loop_set_clock(struct rk_loop *loop, uint64_t (*now_ms)(void *arg), void *arg)
{
	loop->clock = now_ms;
	loop->clock_arg = arg;
	loop_clock_read(loop);
}

static bool
before(const struct rk_timer *a, const struct rk_timer *b)
{
	return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void
place(struct rk_loop *loop, size_t i, struct rk_timer *t)
{
	loop->heap[i] = t;
	t->index = i;
}

static void
move_up(struct rk_loop *loop, size_t i, struct rk_timer *t)
{
	size_t up;

	for (; i > 0; i = up) {
		up = (i - 1) / 2;
		if (!before(t, loop->heap[up]))
			break;
		place(loop, i, loop->heap[up]);
	}
	place(loop, i, t);
}

static void
move_down(struct rk_loop *loop, size_t i, struct rk_timer *t)
{
	size_t child;

	while ((child = 2 * i + 1) < loop->n_heap) {
		if (child + 1 < loop->n_heap &&
		    before(loop->heap[child + 1], loop->heap[child]))
			child++;
		if (!before(loop->heap[child], t))
			break;
		place(loop, i, loop->heap[child]);
		i = child;
	}
	place(loop, i, t);
}

/* Find t, which stands at i, its place. */
static void
settle(struct rk_loop *loop, size_t i, struct rk_timer *t)
{
	if (i > 0 && before(t, loop->heap[(i - 1) / 2]))
		move_up(loop, i, t);
	else
		move_down(loop, i, t);
}

static void
heap_remove(struct rk_loop *loop, struct rk_timer *t)
{
	size_t i = t->index;
	struct rk_timer *last = loop->heap[--loop->n_heap];

	if (last != t)
		settle(loop, i, last);
	t->index = NOT_ARMED;
}

/* Room for every timer there is, so that arming one cannot fail. */
static enum rk_err
reserve(struct rk_loop *loop)
{
	size_t cap = loop->cap_heap == 0 ? HEAP_MIN : loop->cap_heap * 2;
	struct rk_timer **heap;

	if (loop->n_timers < loop->cap_heap)
		return RK_OK;
	heap = reallocarray(loop->heap, cap, sizeof(struct rk_timer *));
	if (heap == NULL)
		return RK_ENOMEM;
	loop->heap = heap;
	loop->cap_heap = cap;
	return RK_OK;
}

enum rk_err
rk_timer_new(
    struct rk_loop *loop, rk_timer_fn *fn, void *arg, struct rk_timer **out)
{
	struct rk_timer *t;
	enum rk_err r;

	*out = NULL;
	if ((r = reserve(loop)) != RK_OK)
		return r;
	t = malloc(sizeof(*t));
	if (t == NULL)
		return RK_ENOMEM;
	*t = (struct rk_timer){
		.loop = loop,
		.fn = fn,
		.arg = arg,
		.index = NOT_ARMED,
	};
	loop->n_timers++;
	*out = t;
	return RK_OK;
}

void
loop_timer_set_ns(struct rk_timer *t, uint64_t at_ns)
{
	struct rk_loop *loop = t->loop;

	if (t->index == IS_DUE)
		rk_timer_clear(t);
	t->at = at_ns;
	t->seq = loop->seq++;
	if (t->index != NOT_ARMED) {
		settle(loop, t->index, t);
		return;
	}
	assert(loop->n_heap < loop->cap_heap);
	move_up(loop, loop->n_heap++, t);
}

enum rk_err
rk_timer_set(struct rk_timer *t, uint64_t at)
{
	uint64_t ns;

	if (__builtin_mul_overflow(at, MS_NS, &ns))
		ns = UINT64_MAX;
	loop_timer_set_ns(t, ns);
	return RK_OK;
}

void
rk_timer_clear(struct rk_timer *t)
{
	if (t->index == IS_DUE)
		TAILQ_REMOVE(&t->loop->due, t, link);
	else if (t->index != NOT_ARMED)
		heap_remove(t->loop, t);
	t->index = NOT_ARMED;
}

bool
rk_timer_armed(const struct rk_timer *t)
{
	return t->index != NOT_ARMED;
}

void
rk_timer_free(struct rk_timer *t)
{
	if (t == NULL)
		return;
	rk_timer_clear(t);
	t->loop->n_timers--;
	free(t);
}

uint64_t
loop_timer_wait_ns(const struct rk_loop *loop)
{
	uint64_t at;
	uint64_t now;

	if (loop->n_heap == 0)
		return LOOP_FOREVER;
	at = loop->heap[0]->at;
	now = clock_ns(loop);
	return at <= now ? 0 : at - now;
}

/*
 * What is due is taken out of the heap before anything is called: a timer that
 * its callback arms for a moment already past then waits for the next turn,
 * however often it does so, and holds up no other.
 */
void
loop_timer_fire(struct rk_loop *loop)
{
	struct rk_timer *t;

	while (loop->n_heap > 0 && loop->heap[0]->at <= loop->now_ns) {
		t = loop->heap[0];
		heap_remove(loop, t);
		t->index = IS_DUE;
		TAILQ_INSERT_TAIL(&loop->due, t, link);
	}
	while ((t = TAILQ_FIRST(&loop->due)) != NULL) {
		rk_timer_clear(t);
		t->fn(t, t->arg);
	}
}
