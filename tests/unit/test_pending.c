/* Calls that wait: numbers, ids, matching, deadlines, ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "rpc/pending.h"

static struct pending *
add(struct pending_table *t, uint64_t deadline)
{
	struct pending *p;

	assert_int_equal(pending_add(t, deadline, NULL, NULL, &p), RK_OK);
	return p;
}

static unsigned
release_all(struct pending_table *t, struct pending_list *list)
{
	struct pending *p;
	uint64_t last = 0;
	unsigned n = 0;

	while ((p = TAILQ_FIRST(list)) != NULL) {
		assert_true(p->seqno > last); /* in the order they came */
		last = p->seqno;
		TAILQ_REMOVE(list, p, link);
		pending_release(t, p);
		n++;
	}
	return n;
}

static void
end_all(struct pending_table *t, enum rk_err code, unsigned n)
{
	struct pending_list to = TAILQ_HEAD_INITIALIZER(to);
	const struct pending *p;

	pending_end_all(t, code, &to);
	assert_int_equal(pending_count(t), 0);
	TAILQ_FOREACH (p, &to, link)
		assert_int_equal(p->code, code);
	assert_int_equal(release_all(t, &to), n);
}

static void
gives_ids(void **state)
{
	static const char alphabet[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789-_";
	static char ids[300][CALL_ID_LEN];
	struct pending_table t;

	(void)state;
	pending_init(&t);
	for (size_t i = 0; i < 300; i++) {
		assert_int_equal(pending_call_id(&t, i, ids[i]), CALL_ID_LEN);
		for (size_t k = 0; k < CALL_ID_LEN; k++)
			assert_non_null(strchr(alphabet, ids[i][k]));
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(ids[i], ids[k], CALL_ID_LEN);
	}
	pending_fini(&t);
}

static void
expect_number(struct pending_table *t, uint64_t seqno, const char *want)
{
	char id[CALL_ID_LEN];

	assert_int_equal(pending_call_id(t, seqno, id), strlen(want));
	assert_memory_equal(id, want, strlen(want));
}

static void
numbers_ids(void **state)
{
	struct pending_table t;
	struct pending *a, *b;

	(void)state;
	pending_init(&t);
	a = add(&t, RK_NEVER);
	t.numbered = true;
	b = add(&t, RK_NEVER);
	assert_int_equal(pending_id(a).len, CALL_ID_LEN);
	assert_int_equal(pending_id(b).len, 1);
	assert_int_equal(b->call_id[0], '3');
	expect_number(&t, 0, "0");
	expect_number(&t, 15, "f");
	expect_number(&t, 16, "10");
	expect_number(&t, 0xabc, "abc");
	expect_number(&t, UINT64_C(0x123456789abcdef), "123456789abcdef");
	expect_number(&t, UINT64_MAX, "ffffffffffffffff");
	assert_null(pending_match(&t, 3, (struct rk_str){ "4", 1 }));
	assert_null(pending_match(&t, 3, (struct rk_str){ "33", 2 }));
	assert_null(pending_match(&t, 2, pending_id(b)));
	assert_ptr_equal(pending_match(&t, 3, pending_id(b)), b);
	pending_release(&t, b);
	/* The one from before keeps its own. */
	assert_ptr_equal(pending_match(&t, 2, pending_id(a)), a);
	pending_release(&t, a);
	pending_fini(&t);
}

static void
matches_answers(void **state)
{
	struct pending_table t;
	struct pending *a, *b;
	struct rk_str id;

	(void)state;
	pending_init(&t);
	a = add(&t, RK_NEVER);
	b = add(&t, RK_NEVER);
	assert_int_equal(a->seqno, 2); /* as Go's clients begin */
	assert_int_equal(b->seqno, 3);
	assert_true(pending_has(&t, 2));
	assert_false(pending_has(&t, 4));
	id = pending_id(b);
	assert_null(pending_match(&t, 2, id)); /* another's id */
	assert_null(pending_match(
	    &t, 3, (struct rk_str){ b->call_id, CALL_ID_LEN - 1 }));
	assert_null(pending_match(&t, 9, id));
	assert_null(pending_match(&t, 0, (struct rk_str){ 0 }));
	assert_int_equal(pending_count(&t), 2);
	assert_ptr_equal(pending_match(&t, 3, id), b);
	assert_null(pending_match(&t, 3, id)); /* once */
	pending_release(&t, b);
	/* Without an id the number is enough. */
	assert_ptr_equal(pending_match(&t, 2, (struct rk_str){ 0 }), a);
	pending_release(&t, a);
	assert_null(pending_remove(&t, 2));
	assert_int_equal(pending_count(&t), 0);
	/* Memory is used again, numbers are not. */
	b = add(&t, RK_NEVER);
	assert_int_equal(b->seqno, 4);
	assert_int_equal(b->code, RK_OK);
	end_all(&t, RK_ECLOSED, 1);
	pending_fini(&t);
}

static void
expires(void **state)
{
	struct pending_list to = TAILQ_HEAD_INITIALIZER(to);
	struct pending_table t;
	struct pending *p;

	(void)state;
	pending_init(&t);
	assert_int_equal(t.next_deadline, RK_NEVER);
	(void)add(&t, RK_NEVER);
	assert_int_equal(t.next_deadline, RK_NEVER);
	for (uint64_t d = 100; d > 0; d -= 10)
		(void)add(&t, d);
	assert_int_equal(t.next_deadline, 10);
	pending_expire(&t, 9, &to);
	assert_true(TAILQ_EMPTY(&to));
	assert_int_equal(t.next_deadline, 10);
	pending_expire(&t, 50, &to);
	assert_int_equal(t.next_deadline, 60);
	TAILQ_FOREACH (p, &to, link) {
		assert_int_equal(p->code, RK_ETIMEOUT);
		assert_true(p->deadline <= 50);
		assert_false(pending_has(&t, p->seqno));
	}
	assert_int_equal(release_all(&t, &to), 5);
	assert_int_equal(pending_count(&t), 6);
	pending_expire(&t, 1000, &to);
	assert_int_equal(t.next_deadline, RK_NEVER);
	assert_int_equal(release_all(&t, &to), 5);
	end_all(&t, RK_ECANCELED, 1);
	pending_fini(&t);
}

static void
ends_many_in_order(void **state)
{
	struct pending_table t;
	struct pending *p;

	(void)state;
	pending_init(&t);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 10000; i++)
			(void)add(&t, RK_NEVER);
		for (uint64_t k = 0; k < 5000; k++) {
			p = pending_remove(&t, t.next_seqno - 1 - 2 * k);
			assert_non_null(p);
			pending_release(&t, p);
		}
		end_all(&t, RK_ECLOSED, 5000);
	}
	pending_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_ids),
		cmocka_unit_test(numbers_ids),
		cmocka_unit_test(matches_answers),
		cmocka_unit_test(expires),
		cmocka_unit_test(ends_many_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
