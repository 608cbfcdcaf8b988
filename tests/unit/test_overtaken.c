/* Cancels that came before the call they are about. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/overtaken.h"

static struct rk_str
id_of(unsigned n)
{
	static char text[16];
	int len = snprintf(text, sizeof(text), "%x", n);

	return (struct rk_str){ text, (size_t)len };
}

static void
test_comes_once(void **state)
{
	struct overtaken *o = NULL;

	(void)state;
	assert_false(overtaken_take(NULL, id_of(1)));
	overtaken_add(&o, id_of(1));
	overtaken_add(&o, id_of(1)); /* as is a cancel that comes twice */
	assert_false(overtaken_take(o, id_of(2)));
	assert_false(overtaken_take(o, id_of(0x11)));
	assert_true(overtaken_take(o, id_of(1)));
	assert_false(overtaken_take(o, id_of(1)));
	free(o);
}

static void
test_forgets_the_oldest(void **state)
{
	struct overtaken *o = NULL;

	(void)state;
	for (unsigned i = 0; i < 3 * OVERTAKEN_MAX; i++)
		overtaken_add(&o, id_of(i));
	for (unsigned i = 0; i < 3 * OVERTAKEN_MAX; i++)
		assert_int_equal(
		    overtaken_take(o, id_of(i)), i >= 2 * OVERTAKEN_MAX);
	free(o);
}

static void
test_knows_its_limits(void **state)
{
	char text[OVERTAKEN_ID_MAX + 1];
	struct rk_str longest = { text, OVERTAKEN_ID_MAX };
	struct rk_str longer = { text, OVERTAKEN_ID_MAX + 1 };
	struct rk_str none = { NULL, 0 };
	struct overtaken *o = NULL;

	(void)state;
	memset(text, 'x', sizeof(text));
	overtaken_add(&o, none);
	overtaken_add(&o, longer);
	assert_null(o);
	overtaken_add(&o, longest);
	assert_false(overtaken_take(o, none));
	assert_false(overtaken_take(o, longer));
	assert_true(overtaken_take(o, longest));
	free(o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comes_once),
		cmocka_unit_test(test_forgets_the_oldest),
		cmocka_unit_test(test_knows_its_limits),
	};

	return cmocka_run_group_tests_name("overtaken", tests, NULL, NULL);
}
