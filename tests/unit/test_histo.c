/* Counts by magnitude, and what is drawn of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/graph.h"
#include "cli/histo.h"

static struct histo *
empty(void)
{
	struct histo *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	return h;
}

/* got is `want`, or at most 1 % more. */
static void
assert_near(uint64_t got, uint64_t want)
{
	assert_true(got >= want);
	assert_true(got <= want + want / 100);
}

static void
has_nothing(void **state)
{
	struct histo *h = empty();

	(void)state;
	assert_int_equal(histo_at(h, 50000), 0);
	assert_int_equal(histo_upto(h, 7), 0);
	assert_true(histo_mean(h) < 0.5);
	free(h);
}

static void
tells_shares(void **state)
{
	struct histo *h = empty();

	(void)state;
	for (uint64_t i = 1; i <= 100000; i++)
		histo_add(h, i * 1000);
	assert_int_equal(histo_at(h, 0), 1000);
	assert_near(histo_at(h, 50000), 50000000);
	assert_near(histo_at(h, 90000), 90000000);
	assert_near(histo_at(h, 99900), 99900000);
	assert_int_equal(histo_at(h, 100000), 100000000);
	assert_true((uint64_t)histo_mean(h) == 50000500);
	assert_int_equal(histo_upto(h, 100000000), 100000);
	assert_true(histo_upto(h, 50000000) <= 50000);
	assert_true(histo_upto(h, 50000000) >= 49000);
	free(h);
}

/* Every value is in a cell whose top is at most 1 % above it. */
static void
is_exact_enough(void **state)
{
	(void)state;
	for (uint64_t v = 0; v < (uint64_t)1 << 41; v = v * 9 / 8 + 1) {
		struct histo *h = empty();

		histo_add(h, 0);
		histo_add(h, v);
		histo_add(h, (uint64_t)1 << 41);
		assert_near(histo_at(h, 66666), v);
		free(h);
	}
}

static void
keeps_the_largest(void **state)
{
	struct histo *h = empty();

	(void)state;
	histo_add(h, 5);
	histo_add(h, UINT64_MAX);
	assert_int_equal(histo_at(h, 50000), 5);
	assert_true(histo_at(h, 99999) == UINT64_MAX);
	assert_true(h->max == UINT64_MAX);
	assert_int_equal(histo_upto(h, UINT64_MAX - 1), 1);
	free(h);
}

static void
has_bounds(void **state)
{
	(void)state;
	assert_int_equal(histo_bound(0, 0), 1);
	assert_int_equal(histo_bound(1, 0), 2); /* 1.5 is no whole number */
	assert_int_equal(histo_bound(7, 0), 10);
	assert_int_equal(histo_bound(10, 0), 15);
	assert_int_equal(histo_bound(99, 0), 100);
	assert_int_equal(histo_bound(100, 1), 200);
	assert_true(histo_bound(UINT64_MAX - 1, 0) == UINT64_MAX);
}

static void
draws(const char *want, enum graph_signs signs, uint64_t value, uint64_t most)
{
	struct buf b;

	buf_init(&b, 4096);
	assert_int_equal(graph_bar(&b, signs, 4, value, most), RK_OK);
	assert_int_equal(buf_len(&b), strlen(want));
	if (*want != '\0')
		assert_memory_equal(buf_peek(&b), want, strlen(want));
	buf_fini(&b);
}

static void
draws_bars(void **state)
{
	(void)state;
	draws("", GRAPH_ASCII, 0, 10);
	draws("####", GRAPH_ASCII, 10, 10);
	draws("##", GRAPH_ASCII, 5, 10);
	draws("#", GRAPH_ASCII, 1, 1000000);
	draws("\u2588\u2588\u258c", GRAPH_BLOCKS, 5, 8);
	draws("\u258f", GRAPH_BLOCKS, 1, 1000000);
	draws("", GRAPH_BLOCKS, 5, 0);
}

static void
sparks(const char *want, enum graph_signs signs, unsigned columns,
    const uint64_t *values, size_t n)
{
	struct buf b;

	buf_init(&b, 4096);
	assert_int_equal(graph_spark(&b, signs, columns, values, n), RK_OK);
	assert_int_equal(buf_len(&b), strlen(want));
	if (*want != '\0')
		assert_memory_equal(buf_peek(&b), want, strlen(want));
	buf_fini(&b);
}

static void
draws_sparks(void **state)
{
	const uint64_t up[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8 };
	const uint64_t ends[] = { 1, 1000 };

	(void)state;
	sparks("", GRAPH_ASCII, 10, up, 0);
	sparks("__.:-=+*#", GRAPH_ASCII, 9, up, 9);
	sparks("\u2581\u2588", GRAPH_BLOCKS, 2, ends, 2);
	sparks(".=#", GRAPH_ASCII, 3, up, 9);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_nothing),
		cmocka_unit_test(tells_shares),
		cmocka_unit_test(is_exact_enough),
		cmocka_unit_test(keeps_the_largest),
		cmocka_unit_test(has_bounds),
		cmocka_unit_test(draws_bars),
		cmocka_unit_test(draws_sparks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
