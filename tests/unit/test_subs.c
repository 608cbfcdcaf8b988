/* The table of subscriptions: who is found, how many there may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "rpc/subs.h"

#define WHO 200

struct found {
	const struct subs_of *base;
	unsigned n;
	bool has[WHO];
};

static void
on_each(struct subs_of *of, void *arg)
{
	struct found *f = arg;
	ptrdiff_t i = of - f->base;

	assert_true(i >= 0 && i < WHO);
	assert_false(f->has[i]);
	f->has[i] = true;
	f->n++;
}

static struct rk_str
str(const char *s)
{
	return (struct rk_str){ s, strlen(s) };
}

static struct found
find(const struct subs *t, const struct subs_of *base, struct rk_str s)
{
	struct found f = { .base = base };

	subs_each(t, s, on_each, &f);
	return f;
}

static void
test_finds_subscribers(void **state)
{
	static struct subs_of who[WHO];
	struct subs t;
	char text[16];

	(void)state;
	memset(who, 0, sizeof(who));
	subs_init(&t);
	assert_int_equal(find(&t, who, str("0")).n, 0);
	/* Each has so many of the 64 subjects as its number allows. */
	for (unsigned i = 0; i < WHO; i++) {
		for (unsigned k = 1; k <= 64; k++) {
			(void)snprintf(text, sizeof(text), "%u", k);
			if (i % k == 0)
				assert_int_equal(
				    subs_add(&t, &who[i], str(text)), RK_OK);
		}
	}
	for (unsigned k = 1; k <= 64; k++) {
		struct found f;

		(void)snprintf(text, sizeof(text), "%u", k);
		f = find(&t, who, str(text));
		assert_int_equal(f.n, (WHO + k - 1) / k);
		for (unsigned i = 0; i < WHO; i++)
			assert_int_equal(f.has[i], i % k == 0);
	}
	for (unsigned i = 0; i < WHO; i += 2)
		subs_drop(&t, &who[i]);
	assert_int_equal(find(&t, who, str("2")).n, 0);
	assert_int_equal(find(&t, who, str("1")).n, WHO / 2);
	for (unsigned i = 1; i < WHO; i += 2)
		subs_remove(&t, &who[i], str("1"));
	assert_int_equal(find(&t, who, str("1")).n, 0);
	assert_int_equal(find(&t, who, str("3")).n, 33);
	for (unsigned i = 0; i < WHO; i++) {
		subs_drop(&t, &who[i]);
		assert_int_equal(who[i].n, 0);
	}
	assert_int_equal(t.n, 0);
	subs_fini(&t);
}

static void
test_keeps_its_limits(void **state)
{
	static char long_one[RK_TOPIC_MAX + 1];
	struct subs_of of = { 0 };
	struct subs t;
	char text[16];

	(void)state;
	memset(long_one, 'x', sizeof(long_one));
	subs_init(&t);
	assert_int_equal(
	    subs_add(&t, &of, (struct rk_str){ NULL, 0 }), RK_EINVAL);
	assert_int_equal(
	    subs_add(&t, &of, (struct rk_str){ long_one, RK_TOPIC_MAX + 1 }),
	    RK_EINVAL);
	assert_int_equal(
	    subs_add(&t, &of, (struct rk_str){ long_one, RK_TOPIC_MAX }),
	    RK_OK);
	for (unsigned i = 1; i < RK_SUBSCRIPTIONS_MAX; i++) {
		(void)snprintf(text, sizeof(text), "%u", i);
		assert_int_equal(subs_add(&t, &of, str(text)), RK_OK);
	}
	assert_int_equal(subs_add(&t, &of, str("more")), RK_ELIMIT);
	assert_int_equal(subs_add(&t, &of, str("1")), RK_OK); /* is there */
	assert_int_equal(of.n, RK_SUBSCRIPTIONS_MAX);
	subs_remove(&t, &of, str("more"));
	subs_remove(&t, &of, str("1"));
	assert_int_equal(subs_add(&t, &of, str("more")), RK_OK);
	subs_drop(&t, &of);
	subs_fini(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds_subscribers),
		cmocka_unit_test(test_keeps_its_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
