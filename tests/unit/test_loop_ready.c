/* What the loop does for those without a descriptor: readiness, last hooks,
 * timers finer than a millisecond. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "net/loop.h"

#define MS UINT64_C(1000000)

/* ---- readiness ---- */

struct watched {
	struct rk_loop *loop;
	struct loop_ready r;
	unsigned calls;
	unsigned ready;  /* of the last call */
	unsigned lowers; /* by the callback */
	bool ends;       /* the callback ends it */
};

static void
on_ready(unsigned ready, void *arg)
{
	struct watched *w = arg;

	w->calls++;
	w->ready = ready;
	loop_ready_lower(&w->r, w->lowers);
	if (w->ends)
		loop_ready_fini(&w->r);
}

static void
open_watched(struct watched *w)
{
	*w = (struct watched){ 0 };
	assert_int_equal(rk_loop_new(&w->loop), RK_OK);
	loop_ready_init(&w->r, w->loop, on_ready, w);
}

static void
close_watched(struct watched *w)
{
	loop_ready_fini(&w->r);
	rk_loop_free(w->loop);
}

/* Turns that do not wait; how often it was called in them. */
static unsigned
turns(struct watched *w, unsigned n)
{
	unsigned before = w->calls;

	for (unsigned i = 0; i < n; i++)
		assert_int_equal(rk_loop_step(w->loop, 0), RK_OK);
	return w->calls - before;
}

static bool
sleeps(const struct watched *w)
{
	return rk_loop_wait_ms(w->loop) == -1;
}

static void
calls_as_long_as_it_is_so(void **state)
{
	struct watched w;

	(void)state;
	open_watched(&w);
	assert_int_equal(turns(&w, 3), 0);
	assert_true(sleeps(&w));
	/* Raised, not wanted; wanted, not raised. */
	loop_ready_raise(&w.r, RK_READ);
	assert_int_equal(turns(&w, 3), 0);
	assert_true(sleeps(&w));
	loop_ready_want(&w.r, RK_WRITE);
	assert_int_equal(turns(&w, 3), 0);
	/* Both: once a turn, with what is both. */
	loop_ready_want(&w.r, RK_READ | RK_WRITE);
	assert_int_equal(rk_loop_wait_ms(w.loop), 0);
	assert_int_equal(turns(&w, 1), 1);
	assert_int_equal(w.ready, RK_READ);
	assert_int_equal(turns(&w, 5), 5);
	loop_ready_raise(&w.r, RK_WRITE);
	assert_int_equal(turns(&w, 1), 1);
	assert_int_equal(w.ready, RK_READ | RK_WRITE);
	loop_ready_lower(&w.r, RK_READ);
	assert_int_equal(turns(&w, 1), 1);
	assert_int_equal(w.ready, RK_WRITE);
	loop_ready_lower(&w.r, RK_WRITE);
	assert_int_equal(turns(&w, 3), 0);
	assert_true(sleeps(&w));
	close_watched(&w);
}

/* Not wanting it for a while loses nothing. */
static void
remembers_what_was_raised(void **state)
{
	struct watched w;

	(void)state;
	open_watched(&w);
	loop_ready_want(&w.r, RK_READ);
	loop_ready_raise(&w.r, RK_READ);
	loop_ready_want(&w.r, 0);
	assert_int_equal(turns(&w, 3), 0);
	assert_true(sleeps(&w));
	loop_ready_want(&w.r, RK_READ);
	assert_int_equal(turns(&w, 2), 2);
	close_watched(&w);
}

/* The callback may find that there is nothing more, or end it all. */
static void
callback_lowers_and_ends(void **state)
{
	struct watched w;

	(void)state;
	open_watched(&w);
	loop_ready_want(&w.r, RK_READ);
	loop_ready_raise(&w.r, RK_READ);
	w.lowers = RK_READ;
	assert_int_equal(turns(&w, 5), 1);
	assert_true(sleeps(&w));
	w.lowers = 0;
	w.ends = true;
	loop_ready_raise(&w.r, RK_READ);
	assert_int_equal(turns(&w, 5), 1);
	assert_true(sleeps(&w));
	close_watched(&w);
}

/* From within a turn it is not put off to the next. */
struct raiser {
	struct loop_hook hook; /* first */
	struct watched w;
};

static void
raise_in_hook(struct loop_hook *h)
{
	loop_ready_raise(&((struct raiser *)(void *)h)->w.r, RK_READ);
}

static void
calls_in_the_turn_that_raised(void **state)
{
	struct raiser x = { 0 };

	(void)state;
	x.hook.fn = raise_in_hook;
	open_watched(&x.w);
	loop_ready_want(&x.w.r, RK_READ);
	x.w.lowers = RK_READ;
	loop_hook_queue(x.w.loop, &x.hook);
	assert_int_equal(turns(&x.w, 1), 1);
	/* The same from a hook that runs last. */
	loop_hook_queue_last(x.w.loop, &x.hook);
	assert_int_equal(turns(&x.w, 1), 1);
	assert_true(sleeps(&x.w));
	close_watched(&x.w);
}

/* Raising what is raised does not make it two calls a turn. */
static void
calls_once_a_turn(void **state)
{
	struct raiser x = { 0 };

	(void)state;
	x.hook.fn = raise_in_hook;
	open_watched(&x.w);
	loop_ready_want(&x.w.r, RK_READ);
	loop_ready_raise(&x.w.r, RK_READ);
	for (unsigned i = 0; i < 10; i++) {
		loop_hook_queue(x.w.loop, &x.hook);
		assert_int_equal(turns(&x.w, 1), 1);
	}
	close_watched(&x.w);
}

/* ---- hooks that come last ---- */

#define LOG_MAX 32

struct hooked {
	struct loop_hook hook; /* first */
	struct order *order;
	char name;
	struct hooked *causes[2]; /* queued by this one, as hook or as last */
	bool last[2];
};

struct order {
	struct rk_loop *loop;
	char log[LOG_MAX];
	size_t n;
};

static void
queue(struct hooked *h, bool last)
{
	if (last)
		loop_hook_queue_last(h->order->loop, &h->hook);
	else
		loop_hook_queue(h->order->loop, &h->hook);
}

static void
note(struct loop_hook *hook)
{
	struct hooked *h = (struct hooked *)(void *)hook;

	assert_true(h->order->n < LOG_MAX - 1);
	h->order->log[h->order->n++] = h->name;
	for (size_t i = 0; i < 2; i++) {
		if (h->causes[i] != NULL)
			queue(h->causes[i], h->last[i]);
		h->causes[i] = NULL;
	}
}

static void
last_hooks_are_last(void **state)
{
	struct order o = { 0 };
	struct hooked h[6];

	(void)state;
	assert_int_equal(rk_loop_new(&o.loop), RK_OK);
	for (size_t i = 0; i < 6; i++)
		h[i] = (struct hooked){ .hook = { .fn = note },
			.order = &o,
			.name = (char)('a' + i) };
	/* Two gatherers, and what they and others cause. */
	h[0].causes[0] = &h[4]; /* a last one causes a plain one, which */
	h[4].causes[0] = &h[0]; /* causes the last one again */
	h[4].last[0] = true;
	h[2].causes[0] = &h[3];
	queue(&h[0], true);
	queue(&h[1], true);
	queue(&h[1], true); /* once */
	queue(&h[2], false);
	assert_int_equal(rk_loop_wait_ms(o.loop), 0);
	assert_int_equal(rk_loop_step(o.loop, 0), RK_OK);
	assert_string_equal(o.log, "cdaeba");
	assert_int_equal(rk_loop_wait_ms(o.loop), -1);
	/* A plain hook stays one, a last one that is asked for as plain too. */
	queue(&h[5], false);
	queue(&h[5], true);
	queue(&h[2], true);
	loop_hook_remove(o.loop, &h[2].hook);
	assert_int_equal(rk_loop_step(o.loop, 0), RK_OK);
	assert_string_equal(o.log, "cdaebaf");
	rk_loop_free(o.loop);
}

/* ---- fine timers ---- */

struct fine {
	struct rk_loop *loop;
	uint64_t fired_at;
	unsigned fired;
};

static void
on_fine(struct rk_timer *t, void *arg)
{
	struct fine *f = arg;

	(void)t;
	f->fired++;
	f->fired_at = loop_now_ns(f->loop);
}

static void
fires_between_milliseconds(void **state)
{
	struct fine f = { 0 };
	struct rk_timer *t;
	uint64_t begun;

	(void)state;
	assert_int_equal(rk_loop_new(&f.loop), RK_OK);
	assert_int_equal(rk_timer_new(f.loop, on_fine, &f, &t), RK_OK);
	loop_refresh(f.loop);
	begun = loop_now_ns(f.loop);
	assert_int_equal(rk_loop_now(f.loop), begun / MS);
	loop_timer_set_ns(t, begun + 300000);
	/* Whoever sleeps by whole milliseconds sleeps long enough. */
	assert_in_range(rk_loop_wait_ms(f.loop), 0, 1);
	while (f.fired == 0)
		assert_int_equal(rk_loop_step(f.loop, 1000), RK_OK);
	assert_true(f.fired_at >= begun + 300000);
	/* A past moment is now, the end of time is never. */
	loop_timer_set_ns(t, begun);
	assert_int_equal(rk_loop_step(f.loop, 1000), RK_OK);
	assert_int_equal(f.fired, 2);
	loop_timer_set_ns(t, UINT64_MAX);
	assert_int_equal(rk_loop_step(f.loop, 0), RK_OK);
	assert_int_equal(f.fired, 2);
	rk_timer_free(t);
	rk_loop_free(f.loop);
}

static uint64_t
fake_now(void *arg)
{
	return *(const uint64_t *)arg;
}

/* Fine and coarse ones in one order. */
static void
orders_fine_and_coarse(void **state)
{
	struct fine f[3] = { { 0 } };
	struct rk_timer *t[3];
	struct rk_loop *loop;
	uint64_t now = 1000;

	(void)state;
	assert_int_equal(rk_loop_new(&loop), RK_OK);
	loop_set_clock(loop, fake_now, &now);
	for (size_t i = 0; i < 3; i++) {
		f[i].loop = loop;
		assert_int_equal(
		    rk_timer_new(loop, on_fine, &f[i], &t[i]), RK_OK);
	}
	loop_timer_set_ns(t[0], 1001 * MS + 1);
	assert_int_equal(rk_timer_set(t[1], 1001), RK_OK);
	loop_timer_set_ns(t[2], 1001 * MS - 1);
	assert_int_equal(rk_loop_wait_ms(loop), 1);
	now = 1001;
	assert_int_equal(rk_loop_step(loop, 0), RK_OK);
	assert_int_equal(f[0].fired, 0);
	assert_int_equal(f[1].fired, 1);
	assert_int_equal(f[2].fired, 1);
	assert_int_equal(rk_loop_wait_ms(loop), 1);
	now = 1002;
	assert_int_equal(rk_loop_step(loop, 0), RK_OK);
	assert_int_equal(f[0].fired, 1);
	assert_int_equal(f[0].fired_at, 1002 * MS);
	for (size_t i = 0; i < 3; i++)
		rk_timer_free(t[i]);
	rk_loop_free(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_as_long_as_it_is_so),
		cmocka_unit_test(remembers_what_was_raised),
		cmocka_unit_test(callback_lowers_and_ends),
		cmocka_unit_test(calls_in_the_turn_that_raised),
		cmocka_unit_test(calls_once_a_turn),
		cmocka_unit_test(last_hooks_are_last),
		cmocka_unit_test(fires_between_milliseconds),
		cmocka_unit_test(orders_fine_and_coarse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
