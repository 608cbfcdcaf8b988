/* Who may begin a handshake: limits by number, by source and by failures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "rpc/gate.h"

static struct gate g;
static const uint64_t t0 = 1000000;

static enum gate_verdict
enter(uint64_t prefix, unsigned number)
{
	return gate_enter(&g, prefix, false, t0, number);
}

static void
limits_a_source(void **state)
{
	(void)state;
	gate_init(&g, 512, 16);
	for (int i = 0; i < 16; i++)
		assert_int_equal(enter(7, 99), GATE_ADMIT);
	assert_int_equal(enter(7, 99), GATE_SOURCE);
	assert_int_equal(enter(8, 99), GATE_ADMIT);
	gate_leave(&g, 7, false, false, t0);
	assert_int_equal(enter(7, 99), GATE_ADMIT);
	assert_int_equal(enter(7, 99), GATE_SOURCE);
	assert_int_equal(g.unproven, 17);
}

/* Before GATE_START nobody is refused, then GATE_RATE percent, at last all. */
static void
limits_all(void **state)
{
	uint64_t p = 1;

	(void)state;
	gate_init(&g, 512, 16);
	while (g.unproven < GATE_START)
		assert_int_equal(enter(p++, 0), GATE_ADMIT);
	assert_int_equal(enter(p, GATE_RATE - 1), GATE_FULL);
	assert_int_equal(enter(p++, GATE_RATE), GATE_ADMIT);
	while (g.unproven < (GATE_START + 512) / 2)
		assert_int_equal(enter(p++, 99), GATE_ADMIT);
	/* Half of the way: half of what is left. */
	assert_int_equal(enter(p, 64), GATE_FULL);
	assert_int_equal(enter(p++, 65), GATE_ADMIT);
	while (g.unproven < 512)
		assert_int_equal(enter(p++, 99), GATE_ADMIT);
	assert_int_equal(enter(p, 99), GATE_FULL);
	gate_leave(&g, 1, false, false, t0);
	assert_int_equal(enter(p, 99), GATE_ADMIT);
	assert_int_equal(g.unproven, 512);
}

static void
limits_small_numbers(void **state)
{
	(void)state;
	gate_init(&g, 1, 16);
	assert_int_equal(enter(1, 0), GATE_ADMIT);
	assert_int_equal(enter(2, 99), GATE_FULL);
	gate_init(&g, GATE_START, 100);
	for (unsigned i = 0; i < GATE_START; i++)
		assert_int_equal(enter(1, 0), GATE_ADMIT);
	assert_int_equal(enter(1, 99), GATE_FULL);
	gate_init(&g, 0, 16);
	assert_int_equal(enter(1, 99), GATE_FULL);
}

static void
lets_the_exempt_in(void **state)
{
	(void)state;
	gate_init(&g, 1, 1);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(gate_enter(&g, 0, true, t0, 0), GATE_ADMIT);
	assert_int_equal(g.unproven, 0);
	for (int i = 0; i < 1000; i++)
		gate_leave(&g, 0, true, true, t0);
	assert_int_equal(gate_enter(&g, 0, true, t0, 0), GATE_ADMIT);
	assert_int_equal(enter(0, 0), GATE_ADMIT);
}

static void
fail_once(uint64_t prefix, uint64_t now)
{
	assert_int_equal(gate_enter(&g, prefix, false, now, 99), GATE_ADMIT);
	gate_leave(&g, prefix, false, true, now);
}

static void
punishes_failures(void **state)
{
	uint64_t now = t0;

	(void)state;
	gate_init(&g, 512, 16);
	/* 5, 10, 15 s: not yet; 20 s: for as long as it is above 15. */
	for (int i = 0; i < 4; i++)
		fail_once(3, now);
	assert_int_equal(gate_enter(&g, 3, false, now, 99), GATE_PENALTY);
	assert_int_equal(gate_enter(&g, 4, false, now, 99), GATE_ADMIT);
	gate_leave(&g, 4, false, false, now);
	now += 4999;
	assert_int_equal(gate_enter(&g, 3, false, now, 99), GATE_PENALTY);
	now += 1;
	fail_once(3, now);
	assert_int_equal(gate_enter(&g, 3, false, now, 99), GATE_PENALTY);
	/* All is forgiven after a while. */
	now += GATE_PENALTY_MAX_MS;
	for (int i = 0; i < 4; i++)
		fail_once(3, now);
	assert_int_equal(gate_enter(&g, 3, false, now, 99), GATE_PENALTY);
}

/* Never longer than GATE_PENALTY_MAX_MS. */
static void
ends_punishment(void **state)
{
	(void)state;
	gate_init(&g, 512, 1000);
	for (int i = 0; i < 500; i++)
		assert_int_equal(gate_enter(&g, 3, false, t0, 99), GATE_ADMIT);
	for (int i = 0; i < 500; i++)
		gate_leave(&g, 3, false, true, t0);
	assert_int_equal(gate_enter(&g, 3, false, t0, 99), GATE_PENALTY);
	assert_int_equal(
	    gate_enter(&g, 3, false,
	        t0 + GATE_PENALTY_MAX_MS - GATE_PENALTY_MIN_MS - 1, 99),
	    GATE_PENALTY);
	assert_int_equal(
	    gate_enter(&g, 3, false,
	        t0 + GATE_PENALTY_MAX_MS - GATE_PENALTY_MIN_MS, 99),
	    GATE_ADMIT);
}

/* More sources than are remembered: counts stay right, memory bounded. */
static void
forgets_the_mild(void **state)
{
	enum {
		N = 20000
	};
	unsigned admitted = 0;
	uint8_t *in = calloc(N, 1);

	(void)state;
	assert_non_null(in);
	gate_init(&g, N, 16);
	for (uint64_t p = 0; p < N; p++) {
		in[p] = enter(p * 256, 99) == GATE_ADMIT;
		admitted += in[p];
	}
	/* Every place may be taken, and no more than there are. */
	assert_true(admitted > GATE_SOURCES / 2);
	assert_true(admitted <= GATE_SOURCES);
	assert_int_equal(g.unproven, admitted);
	for (uint64_t p = 0; p < N; p++) {
		if (in[p])
			gate_leave(&g, p * 256, false, true, t0);
	}
	assert_int_equal(g.unproven, 0);
	for (size_t i = 0; i < GATE_SOURCES; i++)
		assert_int_equal(g.sources[i].unproven, 0);
	/* The worst is remembered while milder ones come and go. */
	gate_init(&g, N, 16);
	for (int i = 0; i < 10; i++)
		assert_int_equal(enter(5, 99), GATE_ADMIT);
	for (int i = 0; i < 10; i++)
		gate_leave(&g, 5, false, true, t0);
	for (uint64_t p = 100; p < N; p++) {
		assert_int_equal(enter(p, 99), GATE_ADMIT);
		gate_leave(&g, p, false, false, t0);
	}
	assert_int_equal(enter(5, 99), GATE_PENALTY);
	free(in);
}

/* Leaving what never entered breaks nothing. */
static void
survives_strangers(void **state)
{
	(void)state;
	gate_init(&g, 512, 16);
	gate_leave(&g, 9, false, true, t0);
	assert_int_equal(g.unproven, 0);
	assert_int_equal(enter(9, 99), GATE_ADMIT);
	gate_leave(&g, 9, false, false, t0);
	gate_leave(&g, 9, false, false, t0);
	assert_int_equal(g.unproven, 0);
}

static void
names_verdicts(void **state)
{
	(void)state;
	for (int v = GATE_ADMIT; v <= GATE_PENALTY; v++)
		assert_true(gate_text((enum gate_verdict)v)[0] != '\0');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_a_source),
		cmocka_unit_test(limits_all),
		cmocka_unit_test(limits_small_numbers),
		cmocka_unit_test(lets_the_exempt_in),
		cmocka_unit_test(punishes_failures),
		cmocka_unit_test(ends_punishment),
		cmocka_unit_test(forgets_the_mild),
		cmocka_unit_test(survives_strangers),
		cmocka_unit_test(names_verdicts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
