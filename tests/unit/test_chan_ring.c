/* Channels that wait in one another at two ends of a link, and ends that are
 * sent on again and again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "chanrig.h"

/* The end of a pair of a's, at the place of b. */
static struct chanuser *
give(struct chanrig *r, struct chanuser *keep)
{
	struct chanuser gone;

	chanrig_pair(r, RK_CHAN_MESSAGES, "ring", keep, &gone);
	chanrig_send(&r->first[0], "here", &gone);
	chanrig_settle(r);
	return r->first[1].took[r->first[1].n_took - 1];
}

/* Each end is sent over the other channel, at the same time. */
static void
make_ring(struct chanuser *a, struct chanuser *b, struct chanuser *x,
    struct chanuser *y)
{
	chanrig_send(a, "b is in a", b);
	chanrig_send(y, "x is in y", x);
}

static void
ends_a_ring(void **state)
{
	struct chanuser a, b, *x, *y;
	struct chanrig r;

	(void)state;
	chanrig_init(&r, NULL, NULL);
	x = give(&r, &a);
	y = give(&r, &b);
	make_ring(&a, &b, x, y);
	chanrig_settle(&r); /* does not go on for ever */
	/* a and y still have theirs, and are told. */
	assert_int_equal(a.ends, 1);
	assert_int_equal(y->ends, 1);
	assert_true(a.code == RK_ELIMIT || y->code == RK_ELIMIT);
	assert_int_equal(r.link[0].ids.count, 1);
	assert_int_equal(r.link[1].ids.count, 1);
	assert_int_equal(chanrig_try(&r.first[0], "goes on", NULL, 0), RK_OK);
	chanrig_settle(&r);
	assert_string_equal(r.first[1].text, "goes on");
	chanrig_fini(&r);
}

/* Nobody is there any more who could end it. */
static void
ends_a_ring_of_nobody(void **state)
{
	struct chanuser a, b, *x, *y;
	struct chanrig r;

	(void)state;
	chanrig_init(&r, NULL, NULL);
	x = give(&r, &a);
	y = give(&r, &b);
	make_ring(&a, &b, x, y);
	rk_chan_close(&a.c);
	rk_chan_finish(y->c);
	rk_chan_close(&y->c);
	rk_chan_close(&r.first[0].c);
	rk_chan_close(&r.first[1].c);
	chanrig_settle(&r);
	assert_true(chan_is_over(&r.link[0]));
	assert_true(chan_is_over(&r.link[1]));
	chanrig_fini(&r);
}

/* Who gets it sends it on over the same link, to and fro: it works as often as
 * is promised, and then both who have an end know why not. */
static void
bounds_how_often_an_end_is_sent_on(void **state)
{
	struct chanuser kept, end;
	struct chanuser *at = &end;
	struct chanrig r;
	unsigned n = 0;

	(void)state;
	chanrig_init(&r, NULL, NULL);
	chanrig_pair(&r, RK_CHAN_MESSAGES, "ball", &kept, &end);
	for (;; n++) {
		struct chanuser *from = &r.first[n % 2];
		struct chanuser *to = &r.first[!(n % 2)];

		chanrig_send(from, "catch", at);
		chanrig_settle(&r);
		at = to->took[to->n_took - 1];
		if (at->ends > 0)
			break;
		chanrig_send(at, "got it", NULL);
		chanrig_settle(&r);
		assert_int_equal(kept.messages, n + 1);
	}
	assert_int_equal(n, RK_CHAN_HOPS_MAX + 1);
	assert_int_equal(at->code, RK_ELIMIT);
	assert_string_equal(at->why, "an end was sent on too often");
	assert_int_equal(kept.ends, 1);
	assert_int_equal(kept.code, RK_ELIMIT);
	assert_string_equal(kept.why, "an end was sent on too often");
	/* With it all that was in between. */
	assert_int_equal(r.link[0].ids.count, 1);
	assert_int_equal(r.link[1].ids.count, 1);
	chanrig_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ends_a_ring),
		cmocka_unit_test(ends_a_ring_of_nobody),
		cmocka_unit_test(bounds_how_often_an_end_is_sent_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
