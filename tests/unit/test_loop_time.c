/* The loop's timers on a fake clock, and the blocks it lends to buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "net/loop.h"

#define TIMERS 500

struct world {
	struct rk_loop *loop;
	uint64_t now;
	unsigned fired[2 * TIMERS];
	size_t n_fired;
};

struct one {
	struct world *w;
	struct rk_timer *t;
	unsigned id;
	uint64_t at;
	unsigned again;     /* arm itself so many times more */
	uint64_t period;    /* after so long */
	struct one *victim; /* cleared or freed by this one's callback */
	bool kill;
};

static uint64_t
fake_now(void *arg)
{
	return ((struct world *)arg)->now;
}

static void
open_world(struct world *w)
{
	*w = (struct world){ .now = 1000 };
	assert_int_equal(rk_loop_new(&w->loop), RK_OK);
	loop_set_clock(w->loop, fake_now, w);
}

static void
step_at(struct world *w, uint64_t now)
{
	w->now = now;
	assert_int_equal(rk_loop_step(w->loop, 0), RK_OK);
	assert_int_equal(rk_loop_now(w->loop), now);
}

static void
on_one(struct rk_timer *t, void *arg)
{
	struct one *o = arg;

	assert_ptr_equal(t, o->t);
	assert_false(rk_timer_armed(t));
	o->w->fired[o->w->n_fired++] = o->id;
	if (o->again > 0) {
		o->again--;
		assert_int_equal(
		    rk_timer_set(t, rk_loop_now(o->w->loop) + o->period),
		    RK_OK);
	}
	if (o->victim == NULL)
		return;
	if (o->kill) {
		rk_timer_free(o->victim->t);
		o->victim->t = NULL;
	} else {
		rk_timer_clear(o->victim->t);
	}
}

static void
make(struct world *w, struct one *o, unsigned id)
{
	*o = (struct one){ .w = w, .id = id };
	assert_int_equal(rk_timer_new(w->loop, on_one, o, &o->t), RK_OK);
	assert_false(rk_timer_armed(o->t));
}

static void
set(struct one *o, uint64_t at)
{
	o->at = at;
	assert_int_equal(rk_timer_set(o->t, at), RK_OK);
	assert_true(rk_timer_armed(o->t));
}

static void
test_order_and_waiting_time(void **state)
{
	struct one o[4];
	struct world w;

	(void)state;
	open_world(&w);
	for (unsigned i = 0; i < 4; i++)
		make(&w, &o[i], i);
	assert_int_equal(rk_loop_wait_ms(w.loop), -1);
	set(&o[0], 1030);
	set(&o[1], 1010);
	set(&o[2], 1010); /* the same moment: in the order set */
	set(&o[3], 1010);
	assert_int_equal(rk_loop_wait_ms(w.loop), 10);
	step_at(&w, 1009);
	assert_int_equal(w.n_fired, 0);
	w.now = 1010;
	assert_int_equal(rk_loop_wait_ms(w.loop), 0);
	step_at(&w, 1010);
	assert_int_equal(w.n_fired, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(w.fired[i], i + 1);
	assert_int_equal(rk_loop_wait_ms(w.loop), 20);
	set(&o[0], UINT64_MAX); /* far off: no overflow */
	assert_true(rk_loop_wait_ms(w.loop) > 0);
	rk_timer_clear(o[0].t);
	rk_timer_clear(o[0].t);
	assert_false(rk_timer_armed(o[0].t));
	step_at(&w, 5000);
	assert_int_equal(w.n_fired, 3);
	for (unsigned i = 0; i < 4; i++)
		rk_timer_free(o[i].t);
	rk_timer_free(NULL);
	rk_loop_free(w.loop);
}

static void
test_set_again_moves(void **state)
{
	struct one o[2];
	struct world w;

	(void)state;
	open_world(&w);
	make(&w, &o[0], 0);
	make(&w, &o[1], 1);
	set(&o[0], 1010);
	set(&o[1], 1020);
	set(&o[0], 1030);
	step_at(&w, 1025);
	assert_int_equal(w.n_fired, 1);
	assert_int_equal(w.fired[0], 1);
	set(&o[0], 1026);
	step_at(&w, 1026);
	assert_int_equal(w.n_fired, 2);
	rk_timer_free(o[0].t);
	rk_timer_free(o[1].t);
	rk_loop_free(w.loop);
}

/* A timer armed for the past by its own callback holds up nothing. */
static void
test_rearmed_fires_in_a_later_turn(void **state)
{
	struct one o[2];
	struct world w;

	(void)state;
	open_world(&w);
	make(&w, &o[0], 0);
	make(&w, &o[1], 1);
	o[0].again = 2;
	set(&o[0], 900);
	set(&o[1], 1000);
	step_at(&w, 1000);
	assert_int_equal(w.n_fired, 2);
	assert_int_equal(rk_loop_wait_ms(w.loop), 0);
	step_at(&w, 1000);
	assert_int_equal(w.n_fired, 3);
	step_at(&w, 1000);
	assert_int_equal(w.n_fired, 4);
	step_at(&w, 1000);
	assert_int_equal(w.n_fired, 4);
	o[1].again = 1;
	o[1].period = 50;
	set(&o[1], 1000);
	step_at(&w, 1000);
	assert_int_equal(rk_loop_wait_ms(w.loop), 50);
	rk_timer_free(o[0].t);
	rk_timer_free(o[1].t);
	rk_loop_free(w.loop);
}

/* Of two that are due together the first clears, or frees, the second. */
static void
test_clear_and_free_of_others_that_are_due(void **state)
{
	struct one o[2];
	struct world w;

	(void)state;
	for (int kill = 0; kill < 2; kill++) {
		open_world(&w);
		make(&w, &o[0], 0);
		make(&w, &o[1], 1);
		o[0].victim = &o[1];
		o[0].kill = kill != 0;
		set(&o[0], 1001);
		set(&o[1], 1001);
		step_at(&w, 2000);
		assert_int_equal(w.n_fired, 1);
		if (o[1].t != NULL)
			assert_false(rk_timer_armed(o[1].t));
		rk_timer_free(o[0].t);
		rk_timer_free(o[1].t);
		rk_loop_free(w.loop);
	}
}

static void
on_move_other(struct rk_timer *t, void *arg)
{
	struct one *o = arg;

	(void)t;
	o->w->fired[o->w->n_fired++] = o->id;
	assert_true(rk_timer_armed(o->victim->t));
	set(o->victim, 3000);
}

static void
test_due_timer_moved_by_another(void **state)
{
	struct one o[2];
	struct world w;

	(void)state;
	open_world(&w);
	make(&w, &o[1], 1);
	o[0] = (struct one){ .w = &w, .victim = &o[1] };
	assert_int_equal(
	    rk_timer_new(w.loop, on_move_other, &o[0], &o[0].t), RK_OK);
	set(&o[0], 1001);
	set(&o[1], 1001);
	step_at(&w, 2000);
	assert_int_equal(w.n_fired, 1);
	step_at(&w, 3000);
	assert_int_equal(w.n_fired, 2);
	rk_timer_free(o[0].t);
	rk_timer_free(o[1].t);
	rk_loop_free(w.loop);
}

static void
on_free_self(struct rk_timer *t, void *arg)
{
	unsigned *calls = arg;

	++*calls;
	rk_timer_free(t);
}

static void
test_free_in_own_callback(void **state)
{
	struct rk_timer *t;
	unsigned calls = 0;
	struct world w;

	(void)state;
	open_world(&w);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(
		    rk_timer_new(w.loop, on_free_self, &calls, &t), RK_OK);
		assert_int_equal(rk_timer_set(t, 1001), RK_OK);
	}
	step_at(&w, 1001);
	assert_int_equal(calls, 3);
	rk_loop_free(w.loop);
}

static uint32_t
next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Many, moved and cleared at random: they fire sorted, each once. */
static void
test_heap_against_sorting(void **state)
{
	static struct one o[TIMERS];
	struct world w;
	uint32_t seed = 1;
	size_t armed = 0;
	uint64_t last = 0;

	(void)state;
	open_world(&w);
	for (unsigned i = 0; i < TIMERS; i++)
		make(&w, &o[i], i);
	for (unsigned i = 0; i < 10 * TIMERS; i++) {
		struct one *x = &o[next_random(&seed) % TIMERS];

		if (next_random(&seed) % 4 == 0)
			rk_timer_clear(x->t);
		else
			set(x, 1001 + next_random(&seed) % 300);
	}
	for (unsigned i = 0; i < TIMERS; i++)
		armed += rk_timer_armed(o[i].t);
	for (uint64_t now = 1000; now <= 1301; now++)
		step_at(&w, now);
	assert_int_equal(w.n_fired, armed);
	for (size_t i = 0; i < w.n_fired; i++) {
		assert_true(o[w.fired[i]].at >= last);
		last = o[w.fired[i]].at;
	}
	for (unsigned i = 0; i < TIMERS; i++)
		rk_timer_free(o[i].t);
	rk_loop_free(w.loop);
}

static void
test_system_clock_wakes_a_waiting_loop(void **state)
{
	struct rk_loop *loop;
	struct rk_timer *t;
	unsigned calls = 0;
	uint64_t at;

	(void)state;
	assert_int_equal(rk_loop_new(&loop), RK_OK);
	assert_int_equal(rk_timer_new(loop, on_free_self, &calls, &t), RK_OK);
	at = rk_loop_now(loop) + 20;
	assert_int_equal(rk_timer_set(t, at), RK_OK);
	while (calls == 0)
		assert_int_equal(rk_loop_step(loop, -1), RK_OK);
	assert_true(rk_loop_now(loop) >= at);
	rk_loop_free(loop);
}

/* ---- blocks for buffers ---- */

static void
fill(struct buf *b, size_t n)
{
	uint8_t *p;

	assert_int_equal(buf_reserve(b, n, &p), RK_OK);
	buf_commit(b, n);
}

static void
test_blocks_are_lent_and_given_back(void **state)
{
	struct world w;
	struct buf a;
	struct buf b;
	uint8_t *small;
	uint8_t *large;

	(void)state;
	open_world(&w);
	buf_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	loop_buf_take(w.loop, 10, &a); /* a new one */
	assert_true(a.cap > 10);
	fill(&a, 5000);
	fill(&b, 100000);
	small = a.data;
	large = b.data;
	loop_buf_give(w.loop, &b);
	loop_buf_give(w.loop, &a);
	assert_null(a.data);
	assert_int_equal(buf_len(&a), 0);
	assert_int_equal(a.max, 1 << 20);
	loop_buf_take(w.loop, 4000, &a);
	assert_ptr_equal(a.data, small);
	loop_buf_take(w.loop, SIZE_MAX, &b); /* the largest there is */
	assert_ptr_equal(b.data, large);
	loop_buf_give(w.loop, &a);
	loop_buf_give(w.loop, &b);
	loop_buf_take(w.loop, 9000, &a);
	assert_ptr_equal(a.data, large);
	fill(&a, 7);
	loop_buf_take(w.loop, 1, &a); /* it has one: nothing happens */
	assert_ptr_equal(a.data, large);
	assert_int_equal(buf_len(&a), 7);
	loop_buf_give(w.loop, &a);
	rk_loop_free(w.loop);
}

static void
test_block_hoard_is_bounded(void **state)
{
	static struct buf b[100];
	size_t kept = 0;
	size_t bytes = 0;
	struct world w;

	(void)state;
	open_world(&w);
	for (size_t i = 0; i < 100; i++) {
		buf_init(&b[i], 8 << 20);
		fill(&b[i], i < 50 ? 20000 : 600000);
	}
	for (size_t i = 0; i < 100; i++)
		loop_buf_give(w.loop, &b[i]);
	for (size_t i = 0; i < 100; i++) {
		loop_buf_take(w.loop, SIZE_MAX, &b[i]); /* largest first */
		kept += b[i].cap > 10000;
		bytes += b[i].cap > 10000 ? b[i].cap : 0;
		buf_fini(&b[i]);
	}
	assert_true(kept > 0 && kept <= 16);
	assert_true(bytes <= 4 << 20);
	fill(&b[0], 5 << 20); /* too large to be kept */
	loop_buf_give(w.loop, &b[0]);
	loop_buf_take(w.loop, SIZE_MAX, &b[0]);
	assert_true(b[0].cap < 10000);
	buf_fini(&b[0]);
	rk_loop_free(w.loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_waiting_time),
		cmocka_unit_test(test_set_again_moves),
		cmocka_unit_test(test_rearmed_fires_in_a_later_turn),
		cmocka_unit_test(test_clear_and_free_of_others_that_are_due),
		cmocka_unit_test(test_due_timer_moved_by_another),
		cmocka_unit_test(test_free_in_own_callback),
		cmocka_unit_test(test_heap_against_sorting),
		cmocka_unit_test(test_system_clock_wakes_a_waiting_loop),
		cmocka_unit_test(test_blocks_are_lent_and_given_back),
		cmocka_unit_test(test_block_hoard_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
