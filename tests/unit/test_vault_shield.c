/* Secrets that are sealed between uses of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keyvault/shield.h"

static void
test_shield(void **state)
{
	const struct rk_secret *lent;
	struct rk_secret *secret = NULL;
	struct shield *s = NULL;

	(void)state;
	assert_int_equal(rk_secret_copy("0123456789", 10, &secret), RK_OK);
	assert_int_equal(shield_new(&secret, &s), RK_OK);
	assert_null(secret);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(shield_open(s, &lent), RK_OK);
		assert_int_equal(rk_secret_len(lent), 10);
		assert_memory_equal(rk_secret_peek(lent), "0123456789", 10);
		shield_close(s);
		assert_int_equal(rk_secret_peek(lent)[0], 0);
	}
	shield_free(s);
	assert_int_equal(rk_secret_new(65, &secret), RK_OK);
	assert_int_equal(shield_new(&secret, &s), RK_ETOOBIG);
	assert_null(secret);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shield),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
