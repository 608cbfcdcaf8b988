/* Figures of methods: steps, percentiles, loops added up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>

#include "rpc/figures.h"

static void
keeps_methods_by_name(void **state)
{
	struct figures_list l;
	struct figures *a, *b;
	char name[16];

	(void)state;
	figures_init(&l);
	a = figures_get(&l, "a", 2);
	b = figures_get(&l, "b", 2);
	assert_non_null(a);
	assert_ptr_not_equal(a, b);
	assert_ptr_equal(figures_get(&l, "a", 2), a);
	for (int i = 2; i < FIGURES_MAX; i++) {
		(void)snprintf(name, sizeof(name), "m%d", i);
		assert_non_null(figures_get(&l, name, 1));
	}
	/* No more than that, whatever comes. */
	assert_null(figures_get(&l, "one more", 1));
	assert_ptr_equal(figures_get(&l, "b", 2), b);
	figures_fini(&l);
}

static void
adds_up_loops(void **state)
{
	struct figures_list l;
	struct figures_sum s;
	struct figures *f;

	(void)state;
	figures_init(&l);
	f = figures_get(&l, "x", 3);
	assert_non_null(f);
	figures_sum(f, &s);
	assert_int_equal(s.begun, 0);
	assert_int_equal(figures_percentile(&s, 99), 0);
	for (unsigned i = 0; i < 3; i++) {
		figures_begin(f, i);
		figures_begin(f, i);
		figures_end(f, i, 10 * (i + 1), i == 2);
	}
	figures_sum(f, &s);
	assert_int_equal(s.begun, 6);
	assert_int_equal(s.ended, 3);
	assert_int_equal(s.running, 3);
	assert_int_equal(s.failed, 1);
	assert_int_equal(s.total, 60);
	assert_int_equal(s.longest, 30);
	figures_fini(&l);
}

/* Every length is told as itself or as up to a quarter more, and shorter ones
 * never as longer. */
static void
tells_lengths_to_a_quarter(void **state)
{
	struct figures_list l;
	struct figures_sum s;
	struct figures *f;
	uint64_t told, before = 0;

	(void)state;
	figures_init(&l);
	f = figures_get(&l, "x", 1);
	assert_non_null(f);
	/* So that the longest does not cut what is told of the one. */
	figures_end(f, 0, UINT64_C(1) << 40, false);
	for (uint64_t us = 0; us < UINT64_C(1) << 30; us += 1 + us / 37) {
		struct figures_sum one = { 0 };

		figures_end(f, 0, us, false);
		figures_sum(f, &s);
		for (unsigned i = 0; i < FIGURES_STEPS; i++)
			one.steps[i] = s.steps[i];
		one.longest = s.longest;
		told = figures_percentile(&one, 50);
		assert_true(told <= us + us / 4);
		assert_true(told >= before);
		before = told;
	}
	figures_fini(&l);
}

static void
finds_percentiles(void **state)
{
	struct figures_list l;
	struct figures_sum s;
	struct figures *f;
	uint64_t p;

	(void)state;
	figures_init(&l);
	f = figures_get(&l, "x", 1);
	assert_non_null(f);
	for (uint64_t us = 1; us <= 1000; us++)
		figures_end(f, 0, us, false);
	figures_sum(f, &s);
	p = figures_percentile(&s, 50);
	assert_true(p >= 500 && p <= 625);
	p = figures_percentile(&s, 90);
	assert_true(p >= 900 && p <= 1000);
	assert_int_equal(figures_percentile(&s, 99), 1000);
	/* What is beyond all steps is as long as the longest. */
	for (int i = 0; i < 9000; i++)
		figures_end(f, 0, UINT64_C(1) << 50, false);
	figures_sum(f, &s);
	assert_true(figures_percentile(&s, 50) == UINT64_C(1) << 50);
	figures_fini(&l);
}

#define THREADS 4
#define ROUNDS 20000

struct part {
	struct figures *f;
	unsigned loop;
};

static void *
count(void *arg)
{
	const struct part *p = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		figures_begin(p->f, p->loop);
		figures_end(p->f, p->loop, i, i % 2 == 0);
	}
	return NULL;
}

static void
counts_while_others_look(void **state)
{
	struct part parts[THREADS];
	pthread_t threads[THREADS];
	struct figures_list l;
	struct figures_sum s;
	struct figures *f;

	(void)state;
	figures_init(&l);
	f = figures_get(&l, "x", THREADS);
	assert_non_null(f);
	for (unsigned i = 0; i < THREADS; i++) {
		parts[i] = (struct part){ f, i };
		assert_int_equal(
		    pthread_create(&threads[i], NULL, count, &parts[i]), 0);
	}
	do
		figures_sum(f, &s);
	while (s.ended < ROUNDS);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	figures_sum(f, &s);
	assert_int_equal(s.ended, THREADS * ROUNDS);
	assert_int_equal(s.failed, THREADS * ROUNDS / 2);
	assert_int_equal(s.running, 0);
	assert_int_equal(s.longest, ROUNDS - 1);
	figures_fini(&l);
}

/* And goes on when a step is full. */
static void
keeps_those_of_a_connection(void **state)
{
	struct figures_brief b = { 0 };

	(void)state;
	assert_int_equal(figures_brief_percentile(&b, 50), 0);
	for (uint64_t i = 1; i <= 100; i++)
		figures_brief_add(&b, i < 99 ? 3 : 1000000);
	assert_int_equal(figures_brief_percentile(&b, 50), 3);
	assert_int_equal(figures_brief_percentile(&b, 98), 3);
	assert_int_equal(figures_brief_percentile(&b, 99), 1000000);
	b.steps[3] = UINT32_MAX;
	figures_brief_add(&b, 3);
	assert_int_equal(b.steps[3], UINT32_MAX / 2 + 2);
	assert_int_equal(figures_brief_percentile(&b, 50), 3);
	assert_int_equal(figures_brief_percentile(&b, 100), 1000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_methods_by_name),
		cmocka_unit_test(adds_up_loops),
		cmocka_unit_test(tells_lengths_to_a_quarter),
		cmocka_unit_test(finds_percentiles),
		cmocka_unit_test(counts_while_others_look),
		cmocka_unit_test(keeps_those_of_a_connection),
	};

	return cmocka_run_group_tests_name("figures", tests, NULL, NULL);
}
