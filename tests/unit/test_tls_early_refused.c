/* TLS: early data refused: seeds, recordings, verdicts, keys of tickets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "tlswire.h"

/* Sent early, refused, and then there once, before what follows. */
static void
check_resent(struct wire *w)
{
	wire_must_shake(w);
	assert_false(wire_ask(&w->end[SERVER], LAYER_Q_EARLY));
	assert_false(wire_ask(&w->end[CLIENT], LAYER_Q_EARLY_USED));
	assert_false(wire_ask(&w->end[SERVER], LAYER_Q_EARLY_USED));
	wire_expect_nothing(w, SERVER); /* the client has not looked yet */
	wire_say(&w->end[CLIENT], "later");
	wire_carry(w, CLIENT);
	wire_expect(w, SERVER, "earlylater");
	wire_expect_nothing(w, SERVER);
}

/* ---- refused ---- */

static void
resends_after_a_new_seed(void **state)
{
	struct wire w;

	(void)state;
	wire_init(&w);
	assert_false(wire_meet(&w));
	seed_free(w.end[SERVER].seed);
	assert_int_equal(seed_new(NULL, &w.end[SERVER].seed, NULL), RK_OK);
	wire_make_ctx(&w.end[SERVER], SERVER, true);
	wire_open(&w);
	assert_int_equal(wire_early(&w, "early"), RK_OK);
	check_resent(&w);
	assert_false(wire_ask(&w.end[CLIENT], LAYER_Q_RESUMED));
	wire_check_cert(&w, CLIENT);
	wire_close(&w);
	wire_fini(&w);
}

/* The tickets of before say that early data may come. */
static void
resends_where_they_are_off(void **state)
{
	struct wire w;

	(void)state;
	wire_init(&w);
	assert_false(wire_meet(&w));
	wire_make_ctx(&w.end[SERVER], SERVER, false);
	wire_open(&w);
	assert_int_equal(wire_early(&w, "early"), RK_OK);
	check_resent(&w);
	assert_true(wire_ask(&w.end[CLIENT], LAYER_Q_RESUMED));
	wire_close(&w);
	/* The next ones do not. */
	assert_false(wire_meet(&w));
	wire_open(&w);
	assert_int_equal(wire_early_max(&w.end[CLIENT]), 0);
	wire_close(&w);
	wire_fini(&w);
}

/* Resent also when the client only listens. */
static void
resends_unasked(void **state)
{
	struct wire w;
	uint8_t byte;
	size_t n;

	(void)state;
	wire_init(&w);
	assert_false(wire_meet(&w));
	wire_make_ctx(&w.end[SERVER], SERVER, false);
	wire_open(&w);
	assert_int_equal(wire_early(&w, "early"), RK_OK);
	wire_must_shake(&w);
	(void)w.end[CLIENT].l->ops->recv(w.end[CLIENT].l, &byte, 1, &n);
	wire_carry(&w, CLIENT);
	wire_expect(&w, SERVER, "early");
	wire_expect_nothing(&w, SERVER);
	wire_close(&w);
	wire_fini(&w);
}

/* Of a group of servers, or the same one started again: the session counts,
 * but what came early may have been heard there. */
static void
takes_tickets_of_the_same_seed(void **state)
{
	struct wire w;
	struct end first;
	char path[300];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/seed", wire_world.dir);
	wire_init(&w);
	wire_free_end(&w.end[SERVER]);
	memset(&w.end[SERVER], 0, sizeof(w.end[SERVER]));
	wire_make_server(&w.end[SERVER], path, true);
	assert_false(wire_meet(&w));
	first = w.end[SERVER];
	memset(&w.end[SERVER], 0, sizeof(w.end[SERVER]));
	wire_make_server(&w.end[SERVER], path, true);
	wire_open(&w);
	assert_int_equal(wire_early(&w, "early"), RK_OK);
	check_resent(&w);
	assert_true(wire_ask(&w.end[CLIENT], LAYER_Q_RESUMED));
	wire_close(&w);
	/* Now it has one from here. */
	assert_false(wire_meet(&w));
	wire_open(&w);
	assert_int_equal(wire_early(&w, "early"), RK_OK);
	wire_must_shake(&w);
	assert_true(wire_ask(&w.end[CLIENT], LAYER_Q_EARLY_USED));
	wire_close(&w);
	wire_free_end(&first);
	wire_fini(&w);
}

static void
takes_a_recording_once(void **state)
{
	static struct wire w;
	static struct wire recorded;
	uint8_t byte;
	size_t n;

	(void)state;
	wire_init(&w);
	assert_false(wire_meet(&w));
	wire_open(&w);
	assert_int_equal(wire_early(&w, "early"), RK_OK);
	wire_fly(&w);
	recorded = w; /* its first flight, and nothing after */
	wire_must_shake(&w);
	wire_expect(&w, SERVER, "early");
	wire_close(&w);
	for (int i = 0; i < 3; i++) {
		wire_replay(&w, &recorded);
		assert_int_equal(w.end[SERVER].r, RK_EAGAIN);
		assert_false(wire_ask(&w.end[SERVER], LAYER_Q_EARLY));
		assert_int_equal(
		    w.end[SERVER].l->ops->recv(w.end[SERVER].l, &byte, 1, &n),
		    RK_ESTATE);
		wire_close(&w);
	}
	/* Of a first flight that never arrived, somebody may deliver a copy:
	 * it is heard, once, and never becomes certain. */
	assert_false(wire_meet(&w));
	wire_open(&w);
	assert_int_equal(wire_early(&w, "early"), RK_OK);
	wire_run_end(&w, CLIENT);
	n = (size_t)read(
	    w.end[CLIENT].peer, recorded.flight, sizeof(recorded.flight));
	recorded.len = n;
	wire_close(&w);
	wire_replay(&w, &recorded);
	wire_expect(&w, SERVER, "early");
	wire_expect_nothing(&w, SERVER);
	assert_true(wire_ask(&w.end[SERVER], LAYER_Q_EARLY));
	wire_close(&w);
	wire_replay(&w, &recorded);
	assert_int_equal(w.end[SERVER].r, RK_EAGAIN);
	wire_close(&w);
	wire_fini(&w);
}

/* ---- trust ---- */

static void
judges_clients_again(void **state)
{
	static const struct {
		enum rk_err verdict;
		enum rk_err told; /* to the client */
		int alert;
	} cases[] = {
		{ RK_EREVOKED, RK_EREVOKED, SSL_AD_CERTIFICATE_REVOKED },
		{ RK_EUNKNOWNKEY, RK_ECERT, SSL_AD_BAD_CERTIFICATE },
	};
	struct wire w;
	uint8_t byte;
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		wire_init(&w);
		assert_false(wire_meet(&w));
		w.end[SERVER].verdict = cases[i].verdict;
		w.end[SERVER].judged = 0;
		wire_open(&w);
		assert_int_equal(wire_early(&w, "early"), RK_OK);
		wire_shake(&w);
		/* Not resumed, and refused where the peer is told why. */
		assert_int_equal(w.end[SERVER].r, cases[i].verdict);
		assert_int_equal(w.end[SERVER].judged, 2);
		assert_false(wire_ask(&w.end[SERVER], LAYER_Q_EARLY_USED));
		assert_int_equal(
		    w.end[SERVER].l->ops->recv(w.end[SERVER].l, &byte, 1, &n),
		    cases[i].verdict);
		wire_carry(&w, SERVER);
		assert_int_equal(
		    w.end[CLIENT].l->ops->recv(w.end[CLIENT].l, &byte, 1, &n),
		    cases[i].told);
		wire_close(&w);
		wire_fini(&w);
	}
}

static void
judges_servers_again(void **state)
{
	struct wire w;

	(void)state;
	wire_init(&w);
	assert_false(wire_meet(&w));
	w.end[CLIENT].verdict = RK_EREVOKED;
	w.end[CLIENT].judged = 0;
	wire_open(&w);
	assert_int_equal(w.end[CLIENT].judged, 1);
	assert_int_equal(wire_early_max(&w.end[CLIENT]), 0);
	assert_int_equal(wire_early(&w, "early"), RK_EAGAIN);
	wire_shake(&w);
	assert_int_equal(w.end[CLIENT].r, RK_EREVOKED);
	assert_int_equal(w.end[CLIENT].judged, 2);
	wire_expect_nothing(&w, SERVER);
	wire_close(&w);
	wire_fini(&w);
}

/* A second server with another certificate, though of the same seed. */
static void
does_not_speak_for_others(void **state)
{
	struct rk_ident *node = wire_world.ident[SERVER];
	struct wire w;

	(void)state;
	wire_init(&w);
	assert_false(wire_meet(&w));
	wire_world.ident[SERVER] = wire_world.ident[CLIENT];
	wire_make_ctx(&w.end[SERVER], SERVER, true);
	wire_world.ident[SERVER] = node;
	wire_open(&w);
	assert_int_equal(wire_early(&w, "early"), RK_OK);
	wire_must_shake(&w);
	assert_false(wire_ask(&w.end[CLIENT], LAYER_Q_RESUMED));
	assert_false(wire_ask(&w.end[CLIENT], LAYER_Q_EARLY_USED));
	wire_expect_nothing(&w, CLIENT);
	wire_expect(&w, SERVER, "early");
	wire_close(&w);
	wire_fini(&w);
}

/* ---- keys ---- */

static void
rotates_keys(void **state)
{
	const int64_t start = (int64_t)5000 * SEED_EPOCH_S + 17;
	struct wire w;

	(void)state;
	wire_init(&w);
	w.end[SERVER].now = start;
	assert_false(wire_meet(&w));
	assert_true(wire_meet(&w));
	/* The last epoch's counts, and brings one of this. */
	w.end[SERVER].now = start + SEED_EPOCH_S;
	assert_true(wire_meet(&w));
	w.end[SERVER].now = start + 2 * SEED_EPOCH_S;
	wire_open(&w);
	assert_int_equal(wire_early(&w, "early"), RK_OK);
	wire_must_shake(&w);
	assert_true(wire_ask(&w.end[CLIENT], LAYER_Q_EARLY_USED));
	wire_expect(&w, SERVER, "early");
	wire_expect_nothing(&w, CLIENT); /* but a ticket */
	wire_close(&w);
	/* One of before that does not. */
	w.end[SERVER].now = start + 4 * SEED_EPOCH_S;
	assert_false(wire_meet(&w));
	/* Nor one from the future: the clock went back. */
	w.end[SERVER].now = start;
	assert_false(wire_meet(&w));
	wire_fini(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resends_after_a_new_seed),
		cmocka_unit_test(resends_where_they_are_off),
		cmocka_unit_test(resends_unasked),
		cmocka_unit_test(takes_tickets_of_the_same_seed),
		cmocka_unit_test(takes_a_recording_once),
		cmocka_unit_test(judges_clients_again),
		cmocka_unit_test(judges_servers_again),
		cmocka_unit_test(does_not_speak_for_others),
		cmocka_unit_test(rotates_keys),
	};

	return cmocka_run_group_tests(tests, wire_setup, wire_teardown);
}
