/* What a vault's agent says, on its way into rpctui's model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tui/vault.h"

static const uint8_t asked[] = { 0, 0, 0, 7, 0, 0, 0, 1, 'k', 0, 0, 0, 2, 'f',
	'o', 0, 0, 0, 1, 'w', 0, 0, 0, 0, 0, 0, 0x3a, 0x98 };
static const uint8_t held[] = { 0, 0, 0, 1, 'k', 0xff, 0xff, 0xff, 0xff, 0xff,
	0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 5, 1, 0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 'w', 0, 0, 0, 2, 't', 'l' };

static struct bytes
view(const uint8_t *data, size_t len)
{
	return (struct bytes){ .at = data, .left = len };
}

static void
test_asked(void **state)
{
	uint8_t many[9 * sizeof(asked)];
	struct model_agent a = { 0 };
	struct model_agent before;
	bool changed;

	(void)state;
	assert_int_equal(
	    vault_take_waiting(&a, view(asked, sizeof(asked)), 1000, &changed),
	    RK_OK);
	assert_true(changed);
	assert_int_equal(a.n_asked, 1);
	assert_int_equal(a.asked[0].id, 7);
	assert_string_equal(a.asked[0].what, "fo");
	assert_int_equal(a.asked[0].until_ms, 16000);
	/* A little later, the same. */
	assert_int_equal(
	    vault_take_waiting(&a, view(asked, sizeof(asked)), 1900, &changed),
	    RK_OK);
	assert_false(changed);
	before = a;
	for (size_t i = 1; i < sizeof(asked); i++)
		assert_int_equal(
		    vault_take_waiting(&a, view(asked, i), 1000, &changed),
		    RK_EPROTO);
	for (size_t i = 0; i < 9; i++)
		memcpy(many + i * sizeof(asked), asked, sizeof(asked));
	assert_int_equal(
	    vault_take_waiting(&a, view(many, sizeof(many)), 1000, &changed),
	    RK_EPROTO);
	assert_memory_equal(&a, &before, sizeof(a));
	assert_int_equal(
	    vault_take_waiting(&a, view(asked, 0), 1000, &changed), RK_OK);
	assert_true(changed);
	assert_int_equal(a.n_asked, 0);
}

static void
test_held(void **state)
{
	uint8_t many[70 * sizeof(held)];
	struct model_agent a = { 0 };
	bool changed;

	(void)state;
	for (size_t i = 1; i < sizeof(held); i++)
		assert_int_equal(
		    vault_take_keys(&a, view(held, i), 1000, &changed),
		    RK_EPROTO);
	assert_int_equal(
	    vault_take_keys(&a, view(held, sizeof(held)), 1000, &changed),
	    RK_OK);
	assert_true(changed && a.n_held == 1 && a.held[0].confirm);
	assert_int_equal(a.held[0].until_ms, INT64_MAX);
	assert_int_equal(a.held[0].used, 3);
	assert_int_equal(a.held[0].left, 5);
	assert_string_equal(a.held[0].only, "tl");
	for (size_t i = 0; i < 70; i++)
		memcpy(many + i * sizeof(held), held, sizeof(held));
	assert_int_equal(
	    vault_take_keys(&a, view(many, sizeof(many)), 1000, &changed),
	    RK_OK);
	assert_int_equal(a.n_held, MODEL_HELD);
	assert_int_equal(a.held_more, 6);
}

static void
test_requests(void **state)
{
	uint8_t out[VAULT_REQUEST_MAX];
	struct bytes body;
	uint8_t type;
	size_t used;
	size_t n = vault_put(out, AGENT_ANSWER, 7, true, 120000);

	(void)state;
	assert_int_equal(
	    agent_frame(out, n, sizeof(out), &type, &body, &used), RK_OK);
	assert_int_equal(used, n);
	assert_int_equal(type, AGENT_ANSWER);
	assert_int_equal(body.left, 13);
	assert_int_equal(body.at[3], 7);
	assert_int_equal(body.at[4], 1);
	assert_int_equal(vault_put(out, AGENT_WAITING, 0, false, 0), 5);
	assert_int_equal(vault_put(out, AGENT_KEYS, 0, false, 0), 9);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_asked),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
