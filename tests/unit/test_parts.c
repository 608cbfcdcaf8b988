/* Long lists in parts: all of one, and an end of one that has none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/json.h"
#include "cli/parts.h"

#define ASKED_MAX 10000 /* far more than is asked for of any list */

/* The next answer, with so many rows; more: another one is asked for. */
static enum rk_err
add(struct pages *p, uint64_t left_out, unsigned rows, bool *more)
{
	struct rk_value_doc *doc;
	struct rk_error err;
	char text[200];
	int n = snprintf(text, sizeof(text),
	    "{\"from\":%" PRIu64 ",\"left_out\":%" PRIu64 ",\"keys\":[",
	    p->parts.rows, left_out);

	for (unsigned i = 0; i < rows; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s%u",
		    i > 0 ? "," : "", i);
	n += snprintf(text + n, sizeof(text) - (size_t)n, "]}");
	assert_in_range(n, 1, sizeof(text) - 1);
	if (json_parse("test", text, (size_t)n, &doc, &err) != RK_OK)
		fail_msg("%s", err.text);
	return pages_add(p, doc, "keys", more);
}

static void
test_whole(void **state)
{
	struct pages p = { .n = 0 };
	bool more;

	(void)state;
	assert_int_equal(add(&p, 3, 2, &more), RK_OK);
	assert_true(more);
	assert_int_equal(add(&p, 1, 2, &more), RK_OK);
	assert_true(more);
	assert_int_equal(add(&p, 0, 1, &more), RK_OK);
	assert_false(more);
	assert_int_equal(p.list.u.list.count, 5);
	assert_int_equal(p.parts.left, 0);
	pages_fini(&p);
}

/* One row each time, and always as many behind it as there were. */
static void
test_moves(void **state)
{
	struct pages p = { .n = 0 };
	enum rk_err r = RK_OK;
	unsigned asked = 0;
	bool more = true;

	(void)state;
	for (; more && asked < ASKED_MAX; asked++)
		r = add(&p, 7, 1, &more);
	assert_false(more);
	assert_int_equal(r, RK_EAGAIN);
	pages_fini(&p);
}

/* One row each time, of more than anybody could have. */
static void
test_endless(void **state)
{
	struct pages p = { .n = 0 };
	uint64_t left = UINT64_MAX;
	unsigned asked = 0;
	bool more = true;

	(void)state;
	for (; more && asked < ASKED_MAX; asked++)
		assert_int_equal(add(&p, left--, 1, &more), RK_OK);
	assert_false(more);
	assert_int_equal(p.list.u.list.count, asked);
	/* That it is not all of it is not forgotten. */
	assert_true(p.parts.left == left + 1);
	pages_fini(&p);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_endless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
