/* Rows that an answer has room for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <rpckit/message.h>

#include "rpc/kv.h"

#define HALF (KV_ROWS_MAX / 2)

static void
put(struct kv_rows *s, const char *all, size_t len)
{
	const size_t before = buf_len(&s->b);

	kv_str(&s->k, (struct rk_str){ all, len });
	kv_rows_end(s, before);
}

/* Whoever asks for what was left out says how many rows came before. */
static void
test_the_first_rows(void **state)
{
	char *all = calloc(1, HALF + 1);
	struct kv_rows s;
	size_t len;

	(void)state;
	assert_non_null(all);
	kv_rows_begin(&s);
	put(&s, all, 3);
	put(&s, all, HALF);
	assert_int_equal(s.n, 2);
	len = buf_len(&s.b);
	put(&s, all, HALF);
	put(&s, all, 3); /* there would be room for it */
	assert_int_equal(s.k.r, RK_OK);
	assert_int_equal(s.n, 2);
	assert_int_equal(s.left_out, 2);
	assert_int_equal(buf_len(&s.b), len);
	buf_fini(&s.b);
	free(all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
