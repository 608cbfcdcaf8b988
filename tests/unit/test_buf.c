/* The byte queue: order, maxima, shifting, handing over, size sums. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/buf.h"

static void
test_put_and_consume(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_int_equal(buf_len(&b), 0);
	assert_null(buf_peek(&b));
	assert_int_equal(buf_put(&b, "hello ", 6), RK_OK);
	assert_int_equal(buf_put_str(&b, "world"), RK_OK);
	assert_int_equal(buf_put(&b, NULL, 0), RK_OK);
	assert_int_equal(buf_len(&b), 11);
	assert_memory_equal(buf_peek(&b), "hello world", 11);
	buf_consume(&b, 6);
	assert_int_equal(buf_len(&b), 5);
	assert_memory_equal(buf_peek(&b), "world", 5);
	buf_consume(&b, 6);
	assert_int_equal(buf_len(&b), 0);
	buf_fini(&b);
}

static void
test_maximum_is_exact(void **state)
{
	uint8_t block[200] = { 0 };
	struct buf b;
	uint8_t *p;

	(void)state;
	for (size_t max = 0; max < sizeof(block); max++) {
		buf_init(&b, max);
		assert_int_equal(buf_put(&b, block, max), RK_OK);
		assert_int_equal(buf_put(&b, block, 1), RK_ETOOBIG);
		assert_int_equal(buf_len(&b), max);
		assert_int_equal(buf_reserve(&b, 0, &p), RK_OK);
		assert_int_equal(buf_reserve(&b, 1, &p), RK_ETOOBIG);
		assert_null(p);
		assert_true(b.cap <= max + 1);
		buf_fini(&b);
		assert_int_equal(buf_put(&b, block, max + 1), RK_ETOOBIG);
		assert_int_equal(b.cap, 0);
	}
}

static void
test_memory_stays_below_the_maximum(void **state)
{
	uint8_t block[777] = { 1 };
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	while (buf_put(&b, block, sizeof(block)) == RK_OK)
		assert_true(b.cap <= 10001);
	assert_int_equal(buf_len(&b), 10000 / 777 * 777);
	/* A queue that is almost full goes on without growing. */
	for (int i = 0; i < 1000; i++) {
		buf_consume(&b, 400);
		assert_int_equal(buf_put(&b, block, 400), RK_OK);
		assert_true(b.cap <= 10001);
	}
	buf_fini(&b);
}

static void
test_sums_that_overflow(void **state)
{
	struct buf b;
	uint8_t *p;

	(void)state;
	buf_init(&b, SIZE_MAX);
	assert_int_equal(buf_put(&b, "x", 1), RK_OK);
	assert_int_equal(buf_reserve(&b, SIZE_MAX, &p), RK_ETOOBIG);
	assert_int_equal(buf_reserve(&b, SIZE_MAX - 1, &p), RK_ETOOBIG);
	assert_null(p);
	assert_memory_equal(buf_peek(&b), "x", 1);
	assert_int_equal(buf_len(&b), 1);
	buf_fini(&b);
}

/* A queue against a model: what comes out is what went in, in order. */
static void
test_order_under_shifts(void **state)
{
	struct buf b;
	uint8_t in = 0;
	uint8_t out = 0;
	uint32_t seed = 12345;

	(void)state;
	buf_init(&b, 300);
	for (int i = 0; i < 20000; i++) {
		uint8_t *p;
		size_t n;

		seed = seed * 1664525 + 1013904223;
		n = seed >> 24;
		if (buf_reserve(&b, n, &p) == RK_OK) {
			for (size_t k = 0; k < n; k++)
				p[k] = in++;
			buf_commit(&b, n);
		} else {
			assert_true(buf_len(&b) + n > 300);
		}
		n = seed >> 8 & 0xff;
		if (n > buf_len(&b))
			n = buf_len(&b);
		for (size_t k = 0; k < n; k++)
			assert_int_equal(buf_peek(&b)[k], out++);
		buf_consume(&b, n);
		assert_int_equal((uint8_t)(out + buf_len(&b)), in);
	}
	buf_fini(&b);
}

static void
test_uncommit(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10);
	assert_int_equal(buf_put_str(&b, "0123456789"), RK_OK);
	buf_uncommit(&b, 4);
	assert_int_equal(buf_put_str(&b, "abcd"), RK_OK);
	assert_memory_equal(buf_peek(&b), "012345abcd", 10);
	buf_uncommit(&b, 10);
	assert_int_equal(buf_len(&b), 0);
	buf_fini(&b);
}

static void
test_printf(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 12);
	assert_int_equal(buf_printf(&b, "%s=%d", "n", 42), RK_OK);
	assert_int_equal(buf_len(&b), 4);
	assert_memory_equal(buf_peek(&b), "n=42", 4);
	assert_int_equal(buf_printf(&b, "%s", "123456789"), RK_ETOOBIG);
	assert_int_equal(buf_len(&b), 4);
	assert_int_equal(buf_printf(&b, "%s", "12345678"), RK_OK);
	assert_memory_equal(buf_peek(&b), "n=4212345678", 12);
	assert_int_equal(buf_printf(&b, "%s", ""), RK_OK);
	buf_fini(&b);
}

static void
test_take(void **state)
{
	struct buf b;
	uint8_t *out;
	size_t len;

	(void)state;
	buf_init(&b, 8);
	assert_int_equal(buf_take(&b, &out, &len), RK_OK);
	assert_int_equal(len, 0);
	assert_int_equal(out[0], 0);
	free(out);
	assert_int_equal(buf_put_str(&b, "12345678"), RK_OK);
	buf_consume(&b, 3);
	assert_int_equal(buf_take(&b, &out, &len), RK_OK);
	assert_int_equal(len, 5);
	assert_string_equal((char *)out, "45678");
	free(out);
	assert_int_equal(buf_len(&b), 0);
	assert_int_equal(buf_put_str(&b, "again"), RK_OK);
	assert_memory_equal(buf_peek(&b), "again", 5);
	buf_wipe(&b);
	assert_null(b.data);
}

/* What is there is moved, and the rest comes where it is. */
static void
test_guard(void **state)
{
	uint8_t *taken;
	size_t len;
	struct buf b;

	(void)state;
	buf_init(&b, 5000);
	assert_int_equal(buf_put_str(&b, "xa secret"), RK_OK);
	buf_consume(&b, 1);
	assert_int_equal(buf_guard(&b, 4993), RK_ETOOBIG);
	assert_null(b.guard);
	assert_int_equal(buf_guard(&b, 2), RK_OK);
	assert_int_equal(buf_guard(&b, 4000), RK_OK);
	for (int i = 0; i < 499; i++)
		assert_int_equal(buf_put_str(&b, "0123456789"), RK_OK);
	assert_int_equal(buf_put_str(&b, "xx"), RK_OK);
	assert_int_equal(buf_put_str(&b, "y"), RK_ETOOBIG);
	assert_int_equal(buf_len(&b), 5000);
	assert_memory_equal(buf_peek(&b), "a secret0123456789012", 21);
	assert_memory_equal(buf_peek(&b) + 4990, "23456789xx", 10);
	assert_ptr_equal(b.data, rk_secret_peek(b.guard));
	assert_int_equal(buf_take(&b, &taken, &len), RK_EINVAL);
	buf_wipe(&b);
	assert_null(b.guard);
	assert_int_equal(buf_put_str(&b, "open"), RK_OK);
	assert_null(b.guard);
	buf_fini(&b);
}

static void
test_size_sums(void **state)
{
	size_t n = 7;

	(void)state;
	assert_int_equal(size_add(SIZE_MAX - 1, 1, &n), RK_OK);
	assert_true(n == SIZE_MAX);
	assert_int_equal(size_add(SIZE_MAX, 1, &n), RK_ETOOBIG);
	assert_int_equal(n, 0);
	assert_int_equal(size_mul(SIZE_MAX / 2, 2, &n), RK_OK);
	assert_true(n == SIZE_MAX - 1);
	assert_int_equal(size_mul(SIZE_MAX / 2 + 1, 2, &n), RK_ETOOBIG);
	assert_int_equal(n, 0);
	assert_int_equal(size_mul(SIZE_MAX, 0, &n), RK_OK);
	assert_int_equal(n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_and_consume),
		cmocka_unit_test(test_maximum_is_exact),
		cmocka_unit_test(test_memory_stays_below_the_maximum),
		cmocka_unit_test(test_sums_that_overflow),
		cmocka_unit_test(test_order_under_shifts),
		cmocka_unit_test(test_uncommit),
		cmocka_unit_test(test_printf),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_size_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
