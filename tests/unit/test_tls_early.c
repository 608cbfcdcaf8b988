/* TLS: early data taken, whole, in pieces, and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tlswire.h"

/* ---- taken ---- */

static void
takes(struct wire *w)
{
	wire_init(w);
	assert_false(wire_meet(w));
	wire_open(w);
	assert_int_equal(wire_early_max(&w->end[CLIENT]), TLS_EARLY_MAX);
	wire_check_cert(w, CLIENT);
	assert_int_equal(wire_early(w, "ea"), RK_OK);
	assert_int_equal(wire_early(w, "rly"), RK_OK);
	w->end[SERVER].judged = 0;
	wire_fly(w);
	/* The server knows who it is, and has heard nothing but that. */
	assert_int_equal(w->end[SERVER].r, RK_OK);
	assert_int_equal(w->end[SERVER].judged, 1);
	assert_true(wire_ask(&w->end[SERVER], LAYER_Q_EARLY));
	assert_true(wire_ask(&w->end[SERVER], LAYER_Q_RESUMED));
	wire_check_cert(w, SERVER);
	wire_expect(w, SERVER, "early");
	assert_true(wire_ask(&w->end[SERVER], LAYER_Q_EARLY));
	/* The answer goes before the client's handshake is over. */
	wire_say(&w->end[SERVER], "answer");
	wire_carry(w, SERVER);
	wire_run_end(w, CLIENT);
	assert_int_equal(w->end[CLIENT].r, RK_OK);
	wire_expect(w, CLIENT, "answer");
	assert_true(wire_ask(&w->end[CLIENT], LAYER_Q_EARLY_USED));
	assert_true(wire_ask(&w->end[CLIENT], LAYER_Q_RESUMED));
	wire_check_cert(w, CLIENT);
	wire_expect_nothing(w, SERVER);
	assert_false(wire_ask(&w->end[SERVER], LAYER_Q_EARLY));
	assert_true(wire_ask(&w->end[SERVER], LAYER_Q_EARLY_USED));
	wire_say(&w->end[CLIENT], "later");
	wire_expect(w, SERVER, "later");
	wire_expect_nothing(w, CLIENT); /* but a ticket */
	wire_close(w);
	/* It brought the next session. */
	assert_true(wire_meet(w));
	wire_fini(w);
}

static void
takes_early_data(void **state)
{
	struct wire w = { .way = STACK_CLEAN };

	(void)state;
	takes(&w);
}

/* As the socket gives it. */
static void
takes_it_in_pieces(void **state)
{
	static struct wire w;
	static const enum stack_way ways[] = { STACK_SPLIT, STACK_SLOW };

	(void)state;
	for (int i = 0; i < 2; i++) {
		wire_init(&w);
		assert_false(wire_meet(&w));
		w.way = ways[i];
		wire_open(&w);
		assert_int_equal(wire_early(&w, "early"), RK_OK);
		wire_must_shake(&w);
		assert_true(wire_ask(&w.end[CLIENT], LAYER_Q_EARLY_USED));
		wire_expect(&w, SERVER, "early");
		wire_say(&w.end[CLIENT], "later");
		wire_expect(&w, SERVER, "later");
		assert_false(wire_ask(&w.end[SERVER], LAYER_Q_EARLY));
		wire_close(&w);
		wire_fini(&w);
	}
}

static void
takes_a_record_and_no_more(void **state)
{
	static uint8_t src[TLS_EARLY_MAX + 1];
	static uint8_t dst[TLS_EARLY_MAX + 1];
	struct wire w;
	struct layer *l;

	(void)state;
	for (size_t i = 0; i < sizeof(src); i++)
		src[i] = (uint8_t)(i * 31 + i / 251);
	wire_init(&w);
	assert_false(wire_meet(&w));
	wire_open(&w);
	l = w.end[CLIENT].l;
	assert_int_equal(l->ops->early(l, src, sizeof(src)), RK_EAGAIN);
	assert_int_equal(l->ops->early(l, src, 1000), RK_OK);
	assert_int_equal(
	    l->ops->early(l, src + 1000, TLS_EARLY_MAX - 999), RK_EAGAIN);
	assert_int_equal(
	    l->ops->early(l, src + 1000, TLS_EARLY_MAX - 1000), RK_OK);
	assert_int_equal(l->ops->early(l, src, 1), RK_EAGAIN);
	wire_must_shake(&w);
	assert_int_equal(
	    wire_take(&w, SERVER, dst, TLS_EARLY_MAX), TLS_EARLY_MAX);
	assert_memory_equal(src, dst, TLS_EARLY_MAX);
	wire_expect_nothing(&w, SERVER);
	assert_false(wire_ask(&w.end[SERVER], LAYER_Q_EARLY));
	wire_close(&w);
	wire_fini(&w);
}

/* Small reads leave the rest where pending() tells of it. */
static void
tells_of_what_is_left(void **state)
{
	struct wire w;
	struct layer *l;
	uint8_t byte;
	size_t n;

	(void)state;
	wire_init(&w);
	assert_false(wire_meet(&w));
	wire_open(&w);
	assert_int_equal(wire_early(&w, "early"), RK_OK);
	wire_fly(&w);
	l = w.end[SERVER].l;
	for (int i = 0; i < 5; i++) {
		assert_true(l->ops->pending(l));
		assert_int_equal(l->ops->recv(l, &byte, 1, &n), RK_OK);
		assert_int_equal(byte, "early"[i]);
	}
	assert_int_equal(l->ops->recv(l, &byte, 1, &n), RK_EAGAIN);
	assert_false(l->ops->pending(l));
	wire_close(&w);
	wire_fini(&w);
}

static void
offers_nothing_without_a_session(void **state)
{
	struct wire w;

	(void)state;
	wire_init(&w);
	wire_open(&w);
	assert_int_equal(wire_early_max(&w.end[CLIENT]), 0);
	assert_int_equal(wire_early(&w, "early"), RK_EAGAIN);
	wire_close(&w);
	assert_false(wire_meet(&w));
	/* Once the handshake has begun it is too late. */
	wire_open(&w);
	assert_int_equal(wire_early_max(&w.end[CLIENT]), TLS_EARLY_MAX);
	wire_run_end(&w, CLIENT);
	assert_int_equal(wire_early_max(&w.end[CLIENT]), 0);
	assert_int_equal(wire_early(&w, "early"), RK_EAGAIN);
	/* A server never sends any. */
	assert_int_equal(w.end[SERVER].l->ops->early(
	                     w.end[SERVER].l, (const uint8_t *)"x", 1),
	    RK_EAGAIN);
	wire_close(&w);
	/* Nor a client that was not told to. */
	assert_false(wire_meet(&w));
	wire_make_ctx(&w.end[CLIENT], CLIENT, false);
	assert_false(wire_meet(&w));
	wire_open(&w);
	assert_int_equal(wire_early_max(&w.end[CLIENT]), 0);
	wire_must_shake(&w);
	assert_true(wire_ask(&w.end[CLIENT], LAYER_Q_RESUMED));
	wire_close(&w);
	wire_fini(&w);
}

/* ---- damage ---- */

/* Whoever has only a recording cannot end the handshake. */
static void
notices_a_wrong_end(void **state)
{
	struct wire w;
	uint8_t tmp[4096];
	uint8_t byte;
	struct rk_error err;
	enum rk_err r;
	ssize_t got;
	size_t n;

	(void)state;
	wire_init(&w);
	assert_false(wire_meet(&w));
	wire_open(&w);
	assert_int_equal(wire_early(&w, "early"), RK_OK);
	wire_fly(&w);
	wire_expect(&w, SERVER, "early");
	wire_carry(&w, SERVER);
	wire_run_end(&w, CLIENT);
	assert_int_equal(w.end[CLIENT].r, RK_OK);
	got = read(w.end[CLIENT].peer, tmp, sizeof(tmp));
	assert_true(got > 0);
	tmp[got - 1] ^= 1;
	assert_int_equal(write(w.end[SERVER].peer, tmp, (size_t)got), got);
	r = w.end[SERVER].l->ops->recv(w.end[SERVER].l, &byte, 1, &n);
	assert_int_equal(r, RK_ETLS);
	assert_true(layer_query(w.end[SERVER].l, LAYER_Q_ERROR, &err));
	assert_false(wire_ask(&w.end[SERVER], LAYER_Q_EARLY));
	wire_close(&w);
	wire_fini(&w);
}

static void
notices_vanishing(void **state)
{
	struct wire w;
	uint8_t byte;
	size_t n;

	(void)state;
	wire_init(&w);
	assert_false(wire_meet(&w));
	wire_open(&w);
	assert_int_equal(wire_early(&w, "early"), RK_OK);
	wire_fly(&w);
	wire_carry(&w, SERVER);
	assert_int_equal(close(w.end[SERVER].peer), 0);
	assert_int_equal(wire_take(&w, SERVER, &byte, 1), 1);
	while (
	    w.end[SERVER].l->ops->recv(w.end[SERVER].l, &byte, 1, &n) == RK_OK)
		continue;
	assert_int_equal(
	    w.end[SERVER].l->ops->recv(w.end[SERVER].l, &byte, 1, &n), RK_ETLS);
	layer_free(w.end[SERVER].l);
	wire_close_end(&w.end[CLIENT]);
	wire_fini(&w);
}

/* Closing in the middle, from either side. */
static void
closes_in_between(void **state)
{
	struct wire w;
	uint8_t byte;
	size_t n;

	(void)state;
	wire_init(&w);
	assert_false(wire_meet(&w));
	wire_open(&w);
	assert_int_equal(wire_early(&w, "early"), RK_OK);
	wire_fly(&w);
	w.end[SERVER].l->ops->close(w.end[SERVER].l, NULL);
	wire_carry(&w, SERVER);
	wire_run_end(&w, CLIENT);
	assert_int_equal(w.end[CLIENT].r, RK_OK);
	assert_int_equal(
	    w.end[CLIENT].l->ops->recv(w.end[CLIENT].l, &byte, 1, &n),
	    RK_ECLOSED);
	wire_close(&w);
	wire_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_early_data),
		cmocka_unit_test(takes_it_in_pieces),
		cmocka_unit_test(takes_a_record_and_no_more),
		cmocka_unit_test(tells_of_what_is_left),
		cmocka_unit_test(offers_nothing_without_a_session),
		cmocka_unit_test(notices_a_wrong_end),
		cmocka_unit_test(notices_vanishing),
		cmocka_unit_test(closes_in_between),
	};

	return cmocka_run_group_tests(tests, wire_setup, wire_teardown);
}
