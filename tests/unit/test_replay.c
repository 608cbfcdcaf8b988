/* The store of what came early: once, for a while, as many as fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "net/replay.h"

#define NOW 1000000

static bool
first(struct replay *r, uint64_t id, int64_t now)
{
	return replay_is_first(r, &id, sizeof(id), now);
}

static struct replay *
make(void)
{
	struct replay *r;

	assert_int_equal(replay_new(&r), RK_OK);
	return r;
}

static void
takes_each_once(void **state)
{
	struct replay *r = make();

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		assert_true(first(r, i, NOW));
	for (uint64_t i = 0; i < 1000; i++)
		assert_false(first(r, i, NOW + (int64_t)i % REPLAY_KEEP_S));
	assert_true(first(r, 1000, NOW + REPLAY_KEEP_S));
	replay_free(r);
}

static void
forgets_what_is_stale(void **state)
{
	struct replay *r = make();

	(void)state;
	assert_true(first(r, 1, NOW));
	assert_false(first(r, 1, NOW + REPLAY_KEEP_S));
	assert_true(first(r, 1, NOW + REPLAY_KEEP_S + 1));
	assert_false(first(r, 1, NOW + REPLAY_KEEP_S + 2));
	replay_free(r);
}

/* What was fresh then would be so again. */
static void
takes_nothing_when_the_clock_goes_back(void **state)
{
	struct replay *r = make();

	(void)state;
	assert_false(first(r, 1, 0));
	assert_false(first(r, 1, -1));
	assert_false(first(r, 1, INT64_MAX));
	assert_true(first(r, 1, NOW));
	assert_true(first(r, 2, NOW - 1)); /* another thread's moment */
	assert_false(first(r, 3, NOW - 2));
	assert_false(first(r, 3, 1));
	assert_true(first(r, 3, NOW));
	replay_free(r);
}

/* Far more than fit: none of those that were taken is taken twice. */
static void
refuses_when_full(void **state)
{
	static bool taken[3 * REPLAY_MAX];
	struct replay *r = make();
	size_t n = 0;

	(void)state;
	for (uint64_t i = 0; i < 3 * REPLAY_MAX; i++) {
		taken[i] = first(r, i, NOW);
		n += taken[i];
	}
	assert_true(n <= REPLAY_MAX);
	assert_true(n > REPLAY_MAX * 3 / 4);
	for (uint64_t i = 0; i < 3 * REPLAY_MAX; i++)
		if (taken[i])
			assert_false(first(r, i, NOW + 1));
	/* Later there is room again. */
	assert_true(first(r, UINT64_MAX, NOW + REPLAY_KEEP_S + 1));
	replay_free(r);
}

/* A quarter full, hardly anybody is refused for want of a place: once in two
 * hundred keys one is, which costs him a round trip. */
static void
has_room_for_many(void **state)
{
	struct replay *r = make();
	unsigned refused = 0;

	(void)state;
	for (uint64_t i = 0; i < REPLAY_MAX / 4; i++)
		refused += !first(r, i, NOW);
	assert_in_range(refused, 0, 8);
	replay_free(r);
}

static void
has_a_home(void **state)
{
	struct replay *a = make();
	struct replay *b = make();
	struct replay *c = replay_ref(a);

	(void)state;
	assert_memory_not_equal(
	    replay_home(a), replay_home(b), REPLAY_HOME_LEN);
	replay_free(a);
	assert_true(first(c, 1, NOW));
	replay_free(c);
	replay_free(b);
	replay_free(NULL);
}

#define THREADS 4
#define IDS 5000

struct race {
	struct replay *replay;
	atomic_uint taken[IDS];
};

static void *
run(void *arg)
{
	struct race *race = arg;

	for (uint64_t i = 0; i < IDS; i++)
		if (first(race->replay, i, NOW))
			atomic_fetch_add(&race->taken[i], 1);
	return NULL;
}

static void
serves_threads(void **state)
{
	static struct race race;
	pthread_t threads[THREADS];

	(void)state;
	race.replay = make();
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, run, &race), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (int i = 0; i < IDS; i++)
		assert_int_equal(atomic_load(&race.taken[i]), 1);
	replay_free(race.replay);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_each_once),
		cmocka_unit_test(forgets_what_is_stale),
		cmocka_unit_test(takes_nothing_when_the_clock_goes_back),
		cmocka_unit_test(refuses_when_full),
		cmocka_unit_test(has_room_for_many),
		cmocka_unit_test(has_a_home),
		cmocka_unit_test(serves_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
