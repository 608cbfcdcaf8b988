/* The map from numbers to pointers, against a table that cannot be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "rpc/idmap.h"

static char things[4096];

static void
is_empty_at_first(void **state)
{
	struct idmap m;

	(void)state;
	idmap_init(&m);
	assert_null(idmap_find(&m, 1));
	assert_null(idmap_find(&m, 0));
	assert_null(idmap_remove(&m, 1));
	idmap_fini(&m);
	idmap_fini(&m);
}

static void
finds_and_removes(void **state)
{
	struct idmap m;

	(void)state;
	idmap_init(&m);
	for (uint64_t k = 1; k <= 4096; k++)
		assert_int_equal(
		    idmap_add(&m, k << 48 | k, &things[k - 1]), RK_OK);
	assert_int_equal(m.count, 4096);
	assert_true(m.cap >= 2 * m.count);
	for (uint64_t k = 1; k <= 4096; k++) {
		assert_ptr_equal(idmap_find(&m, k << 48 | k), &things[k - 1]);
		assert_null(idmap_find(&m, k));
	}
	assert_null(idmap_remove(&m, 5));
	assert_null(idmap_remove(&m, 0));
	for (uint64_t k = 1; k <= 4096; k += 2)
		assert_ptr_equal(idmap_remove(&m, k << 48 | k), &things[k - 1]);
	for (uint64_t k = 1; k <= 4096; k++)
		assert_ptr_equal(idmap_find(&m, k << 48 | k),
		    k % 2 == 1 ? NULL : &things[k - 1]);
	assert_int_equal(m.count, 2048);
	idmap_fini(&m);
	assert_null(idmap_find(&m, 2));
}

/* Keys that all begin at the same place, and wrap around the end. */
static size_t
crowd(uint64_t *keys, size_t n, size_t home)
{
	size_t have = 0;

	for (uint64_t k = 1; have < n; k++) {
		if (((k * UINT64_C(0x9e3779b97f4a7c15)) >> 32 & 15) == home)
			keys[have++] = k;
	}
	return have;
}

static void
closes_holes(void **state)
{
	uint64_t keys[7];
	struct idmap m;
	size_t n = 7;

	(void)state;
	for (size_t home = 0; home < 16; home++) {
		for (size_t gone = 0; gone < n; gone++) {
			idmap_init(&m);
			assert_int_equal(crowd(keys, 4, home), 4);
			assert_int_equal(
			    crowd(keys + 4, 3, (home + 2) % 16), 3);
			for (size_t i = 0; i < n; i++)
				assert_int_equal(
				    idmap_add(&m, keys[i], &things[i]), RK_OK);
			assert_int_equal(m.cap, 16);
			assert_ptr_equal(
			    idmap_remove(&m, keys[gone]), &things[gone]);
			for (size_t i = 0; i < n; i++)
				assert_ptr_equal(idmap_find(&m, keys[i]),
				    i == gone ? NULL : &things[i]);
			idmap_fini(&m);
		}
	}
}

static void
matches_a_table(void **state)
{
	enum {
		KEYS = 500
	};
	static bool in[KEYS + 1];
	struct idmap m;
	uint64_t seed = 42;
	size_t count = 0;

	(void)state;
	idmap_init(&m);
	for (int i = 0; i < 100000; i++) {
		uint64_t k;
		void *want;

		seed = seed * UINT64_C(6364136223846793005) + 1;
		k = 1 + (seed >> 33) % KEYS;
		want = in[k] ? &things[k] : NULL;
		assert_ptr_equal(idmap_find(&m, k), want);
		if ((seed >> 60) % 2 == 0) {
			assert_ptr_equal(idmap_remove(&m, k), want);
			count -= in[k];
			in[k] = false;
		} else if (!in[k]) {
			assert_int_equal(idmap_add(&m, k, &things[k]), RK_OK);
			in[k] = true;
			count++;
		}
		assert_int_equal(m.count, count);
	}
	idmap_fini(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_empty_at_first),
		cmocka_unit_test(finds_and_removes),
		cmocka_unit_test(closes_holes),
		cmocka_unit_test(matches_a_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
