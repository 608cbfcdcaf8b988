/* Answers that come later: from other threads, after cancels, too late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpcrig.h"

/* Submit and send. */
static uint64_t
start_hold(struct rpcrig *r, struct rk_client *c, struct rpcanswer *a)
{
	unsigned n = rpcrig_get(r, &r->n_held);
	uint64_t id = rpcrig_submit(c, "hold", NULL, 0, a);

	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	rpcrig_await(r, &r->n_held, n + 1);
	return id;
}

static void
answers_on_a_later_turn(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a[5] = { 0 };
	struct rpcanswer done;
	char want[8];

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	for (size_t i = 0; i < 5; i++)
		(void)rpcrig_submit(c, "park", NULL, 0, &a[i]);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	rpcrig_await(&rig, &rig.parked, 5);
	rpcrig_call(c, "release", NULL, 0, &done);
	/* Answered in reverse, all before the reply to `release`. */
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(a[i].n, 1);
		(void)snprintf(want, sizeof(want), "%zu", 4 - i);
		assert_string_equal(a[i].text, want);
		assert_true(i == 0 || a[i].order < a[i - 1].order);
	}
	rpcrig_await_running(&rig, 0);
	rk_client_free(c);
	rpcrig_end(&rig);
	assert_int_equal(rig.park_canceled, 0);
}

/* In reverse, twice, and ids that nobody has. */
static void
answers_from_another_thread(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a[8] = { 0 };
	struct rpcanswer x;
	uint64_t id[8];
	char text[32];

	rpcrig_begin(&rig, run);
	c = rpcrig_client(&rig);
	for (size_t i = 0; i < 8; i++)
		id[i] = start_hold(&rig, c, &a[i]);
	for (unsigned i = 8; i-- > 0;) {
		(void)snprintf(text, sizeof(text), "answer %u", i);
		rpcrig_answer(&rig, i, NULL, text, strlen(text));
		rpcrig_answer(&rig, i, "twice", NULL, 0);
		rpcrig_turn(c, &a[i].n, 1);
		assert_string_equal(a[i].text, text);
		assert_int_equal(a[i].seqno, id[i]);
		assert_int_equal(a[i].code, RK_OK);
	}
	for (uint64_t w = 0; w < 5; w++)
		assert_int_equal(
		    rk_server_reply(rig.server, w << 48 | 99999, NULL, "x", 1),
		    RK_OK);
	assert_int_equal(
	    rk_server_reply(rig.server, UINT64_MAX, NULL, "x", 1), RK_OK);
	assert_int_equal(rk_server_reply(rig.server, 0, NULL, "x", 1), RK_OK);
	rpcrig_await_running(&rig, 0);
	rpcrig_call(c, "echo", "x", 1, &x);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(a[i].n, 1);
	rk_client_free(c);
	rpcrig_end(&rig);
	assert_int_equal(rig.n_canceled, 0);
}

static void
answers_errors_from_another_thread(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a = { 0 };

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	(void)start_hold(&rig, c, &a);
	rpcrig_answer(&rig, 0, "no luck", "pay", 3);
	rpcrig_turn(c, &a.n, 1);
	assert_int_equal(a.code, RK_EREMOTE);
	assert_string_equal(a.text, "no luck");
	assert_int_equal(a.len, 3);
	(void)start_hold(&rig, c, &a);
	rpcrig_answer(&rig, 1, "", NULL, 0);
	rpcrig_turn(c, &a.n, 2);
	assert_string_equal(a.text, "failed");
	(void)start_hold(&rig, c, &a);
	rpcrig_answer(&rig, 2, NULL, rpcrig_bytes, RK_PAYLOAD_MAX + 1);
	rpcrig_turn(c, &a.n, 3);
	assert_int_equal(a.code, RK_EREMOTE);
	assert_string_equal(a.text, "the answer is too large");
	(void)start_hold(&rig, c, &a);
	rpcrig_answer(&rig, 3, NULL, rpcrig_bytes, RK_PAYLOAD_MAX);
	rpcrig_turn(c, &a.n, 4);
	assert_int_equal(a.len, RK_PAYLOAD_MAX);
	assert_true(a.same);
	rk_client_free(c);
	rpcrig_end(&rig);
}

static void
tells_of_a_cancel(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a = { 0 };
	struct rpcanswer b = { 0 };
	struct rpcanswer x;
	uint64_t id;

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	id = start_hold(&rig, c, &a);
	(void)start_hold(&rig, c, &b);
	assert_int_equal(rk_client_cancel(c, id), RK_OK);
	assert_int_equal(a.n, 0);
	assert_int_equal(rk_client_cancel(c, id), RK_ENOENT);
	assert_int_equal(rk_client_cancel(c, 0), RK_ENOENT);
	assert_int_equal(rk_client_cancel(c, 77), RK_ENOENT);
	rpcrig_turn(c, &a.n, 1);
	assert_int_equal(a.code, RK_ECANCELED);
	assert_true(a.maybe_executed);
	/* Over QUIC what is lost is sent again by this loop, which has to turn
	 * for that. */
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	rpcrig_await(&rig, &rig.n_canceled, 1);
	assert_true(rpcrig_held(&rig, 0).canceled);
	assert_int_equal(rpcrig_held(&rig, 0).why, RK_CANCEL_CALLER);
	assert_false(rpcrig_held(&rig, 1).canceled);
	/* Still running until it is answered; the answer comes too late. */
	rpcrig_await_running(&rig, 2);
	rpcrig_answer(&rig, 0, NULL, "late", 4);
	rpcrig_await_running(&rig, 1);
	rpcrig_call(c, "echo", "x", 1, &x);
	assert_int_equal(a.n, 1);
	rpcrig_answer(&rig, 1, NULL, "fine", 4);
	rpcrig_turn(c, &b.n, 1);
	assert_string_equal(b.text, "fine");
	rk_client_free(c);
	rpcrig_end(&rig);
	assert_int_equal(rig.n_canceled, 1);
}

/* The cancel callback answers, which frees the call under its feet. */
static void
answers_in_the_cancel_callback(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a[4] = { 0 };
	uint64_t id[4];

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	for (size_t i = 0; i < 4; i++)
		id[i] = rpcrig_submit(c, "park", NULL, 0, &a[i]);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	rpcrig_await(&rig, &rig.parked, 4);
	assert_int_equal(rk_client_cancel(c, id[1]), RK_OK);
	rpcrig_turn(c, &a[1].n, 1);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	rpcrig_await(&rig, &rig.park_canceled, 1);
	rpcrig_await_running(&rig, 3);
	/* And so at the end of the connection, for all that are left. */
	rk_client_free(c);
	rpcrig_await(&rig, &rig.park_canceled, 4);
	rpcrig_await_running(&rig, 0);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(a[i].n, 1);
		assert_int_equal(a[i].code, RK_ECANCELED);
	}
	rpcrig_end(&rig);
}

/*
 * Deadlines that are short, and longer each time they were too short for calls
 * to get there on a busy machine, where nothing can be said about them.
 */
#define SHORT 100
#define LONG 20000

/* All that was sent before has come there. */
static bool
has_come(struct rpcrig *rig, struct rk_client *c, unsigned held)
{
	struct rpcanswer x;

	rpcrig_call(c, "echo", "x", 1, &x);
	return rpcrig_get(rig, &rig->n_held) == held;
}

static bool
try_deadlines(const struct rpcrun *run, uint64_t ms)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a = { 0 };
	struct rpcanswer b = { 0 };
	struct rpcanswer p = { 0 };
	struct rpcanswer x;
	bool came;

	rpcrig_begin(&rig, run);
	c = rpcrig_client(&rig);
	(void)rpcrig_submit_for(c, "hold", 60000, &b);
	(void)rpcrig_submit_for(c, "hold", ms, &a);
	(void)rpcrig_submit_for(c, "park", ms - 10, &p);
	rpcrig_turn(c, &a.n, 1);
	rpcrig_turn(c, &p.n, 1);
	assert_int_equal(a.code, RK_ETIMEOUT);
	came = has_come(&rig, c, 2) && rpcrig_get(&rig, &rig.parked) == 1;
	if (came) {
		assert_true(a.maybe_executed);
		rpcrig_await(&rig, &rig.n_canceled, 1);
		rpcrig_await(&rig, &rig.park_canceled, 1);
		assert_int_equal(b.n, 0);
		rpcrig_answer(&rig, 0, NULL, "b", 1);
		rpcrig_answer(&rig, 1, NULL, "late", 4);
		rpcrig_turn(c, &b.n, 1);
		rpcrig_await_running(&rig, 0);
		rpcrig_call(c, "echo", "x", 1, &x);
		assert_int_equal(a.n, 1);
	}
	rk_client_free(c);
	for (unsigned i = 0; !came && i < rpcrig_get(&rig, &rig.n_held); i++)
		rpcrig_answer(&rig, i, NULL, NULL, 0);
	rpcrig_end(&rig);
	if (came)
		assert_int_equal(rig.n_canceled, 1);
	return came;
}

static void
keeps_deadlines(void **state)
{
	uint64_t ms = SHORT;

	while (!try_deadlines(*state, ms) && ms < LONG)
		ms *= 2;
	assert_true(ms < LONG);
}

static bool
try_deadlines_alone(const struct rpcrun *run, uint64_t ms)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a = { 0 };
	uint64_t t;
	bool came;

	rpcrig_begin(&rig, run);
	c = rpcrig_client(&rig);
	t = rpcrig_now();
	(void)rpcrig_submit_for(c, "hold", ms, &a);
	came = has_come(&rig, c, 1) && a.n == 0;
	if (came) {
		rpcrig_await(&rig, &rig.n_canceled, 1);
		assert_true(rpcrig_now() - t >= ms * 2 / 5);
		assert_int_equal(rpcrig_held(&rig, 0).why, RK_CANCEL_DEADLINE);
		rpcrig_answer(&rig, 0, "too late", NULL, 0);
		rpcrig_turn(c, &a.n, 1);
	}
	rk_client_free(c);
	for (unsigned i = 0; !came && i < rpcrig_get(&rig, &rig.n_held); i++)
		rpcrig_answer(&rig, i, NULL, NULL, 0);
	rpcrig_end(&rig);
	if (came)
		assert_int_equal(rig.n_canceled, 1);
	return came;
}

/* The client is not there to tell: the server's own clock ends the call. */
static void
keeps_deadlines_alone(void **state)
{
	uint64_t ms = SHORT;

	while (!try_deadlines_alone(*state, ms) && ms < LONG)
		ms *= 2;
	assert_true(ms < LONG);
}

enum {
	EXACT = 20
};

static bool
try_deadlines_exactly(const struct rpcrun *run, uint64_t ms)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a[EXACT] = { 0 };
	uint64_t begun[EXACT];
	unsigned n = 0;

	rpcrig_begin(&rig, run);
	c = rpcrig_client(&rig);
	do {
		begun[n] = rpcrig_wall_us();
		(void)rpcrig_submit_for(c, "hold", ms, &a[n]);
	} while (has_come(&rig, c, n + 1) && ++n < EXACT);
	rpcrig_await(&rig, &rig.n_canceled, n);
	for (unsigned i = 0; i < n; i++) {
		assert_true(
		    rpcrig_held(&rig, i).canceled_us >= begun[i] + ms * 1000);
		rpcrig_answer(&rig, i, "too late", NULL, 0);
		rpcrig_turn(c, &a[i].n, 1);
	}
	rk_client_free(c);
	rpcrig_end(&rig);
	return n == EXACT;
}

/* Whatever part of a millisecond a deadline falls in. */
static void
keeps_deadlines_exactly(void **state)
{
	uint64_t ms = SHORT;

	while (!try_deadlines_exactly(*state, ms) && ms < LONG)
		ms *= 2;
	assert_true(ms < LONG);
}

static void
tells_of_a_lost_connection(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a[3] = { 0 };

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	for (size_t i = 0; i < 3; i++)
		(void)start_hold(&rig, c, &a[i]);
	rk_client_free(c);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(a[i].n, 1);
		assert_int_equal(a[i].code, RK_ECANCELED);
	}
	rpcrig_await(&rig, &rig.n_canceled, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(rpcrig_held(&rig, i).why, RK_CANCEL_CLOSED);
		rpcrig_answer(&rig, i, NULL, "nobody listens", 14);
	}
	rpcrig_await_running(&rig, 0);
	rpcrig_await_conns(&rig, 0);
	rpcrig_check_alive(&rig);
	rpcrig_end(&rig);
	assert_int_equal(rig.n_canceled, 3);
}

/* Calls that nobody ever answers end with the server. */
static void
frees_what_nobody_answered(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a = { 0 };

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	(void)start_hold(&rig, c, &a);
	(void)start_hold(&rig, c, &a);
	rk_client_free(c);
	rpcrig_await(&rig, &rig.n_canceled, 2);
	rpcrig_stop(&rig, 0);
	rpcrig_await_stopped(&rig);
	/* Too late, and not too late to be posted. */
	rpcrig_answer(&rig, 0, NULL, "late", 4);
	rpcrig_fini(&rig);
}

/* The same numbers and ids on two connections are two calls. */
static void
keeps_clients_apart(void **state)
{
	struct rpcrig rig;
	struct rk_client *c[2];
	struct rpcanswer a[2] = { 0 };
	struct rpcanswer x;
	uint64_t id[2];

	rpcrig_begin(&rig, *state);
	for (size_t i = 0; i < 2; i++) {
		c[i] = rpcrig_client(&rig);
		id[i] = start_hold(&rig, c[i], &a[i]);
	}
	assert_int_equal(id[0], id[1]);
	assert_int_equal(rk_client_cancel(c[1], id[1]), RK_OK);
	rpcrig_turn(c[1], &a[1].n, 1);
	assert_int_equal(rk_client_flush(c[1], NULL), RK_OK);
	rpcrig_await(&rig, &rig.n_canceled, 1);
	rpcrig_call(c[0], "echo", "x", 1, &x);
	assert_false(rpcrig_held(&rig, 0).canceled);
	rpcrig_answer(&rig, 0, NULL, "mine", 4);
	rpcrig_answer(&rig, 1, NULL, NULL, 0);
	rpcrig_turn(c[0], &a[0].n, 1);
	assert_string_equal(a[0].text, "mine");
	for (size_t i = 0; i < 2; i++)
		rk_client_free(c[i]);
	rpcrig_end(&rig);
}

/* Cancel what ran, in the callback of another. */
struct chain {
	uint64_t id[3];
	struct rpcanswer a[3];
	unsigned submitted;
};

static void
on_first(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct chain *ch = arg;
	struct rk_request req = { .method = "echo" };

	rpcrig_on_reply(c, reply, &ch->a[0]);
	assert_int_equal(rk_client_cancel(c, ch->id[0]), RK_ENOENT);
	assert_int_equal(rk_client_cancel(c, ch->id[1]), RK_OK);
	assert_int_equal(rk_client_cancel(c, ch->id[1]), RK_ENOENT);
	assert_int_equal(ch->a[1].n, 0);
	assert_int_equal(
	    rk_client_submit(c, &req, rpcrig_on_reply, &ch->a[2], &ch->id[2]),
	    RK_OK);
}

static void
cancels_in_a_callback(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct chain ch = { 0 };
	struct rk_request req = { .method = "hold" };

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	assert_int_equal(
	    rk_client_submit(c, &req, on_first, &ch, &ch.id[0]), RK_OK);
	ch.id[1] = rpcrig_submit(c, "hold", NULL, 0, &ch.a[1]);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	rpcrig_await(&rig, &rig.n_held, 2);
	rpcrig_answer(&rig, 0, NULL, NULL, 0);
	rpcrig_turn(c, &ch.a[2].n, 1);
	assert_int_equal(ch.a[0].code, RK_OK);
	assert_int_equal(ch.a[1].n, 1);
	assert_int_equal(ch.a[1].code, RK_ECANCELED);
	assert_true(ch.a[0].order < ch.a[1].order);
	assert_int_equal(ch.a[2].code, RK_OK);
	rpcrig_await(&rig, &rig.n_canceled, 1);
	rpcrig_answer(&rig, 1, NULL, NULL, 0);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* At the end of a connection calls complete in the order they were made. */
static void
completes_in_order(void **state)
{
	enum {
		N = 200
	};
	struct rpcrig rig;
	struct rk_client *c;
	static struct rpcanswer a[N];

	memset(a, 0, sizeof(a));
	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	for (size_t i = 0; i < N; i++)
		(void)rpcrig_submit(c, "hold", NULL, 0, &a[i]);
	rk_client_free(c);
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(a[i].n, 1);
		assert_true(i == 0 || a[i - 1].order < a[i].order);
	}
	rpcrig_end(&rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "on a later turn", answers_on_a_later_turn, RPC_ALL },
		{ "from another thread", answers_from_another_thread, RPC_ALL },
		{ "errors from another thread",
		    answers_errors_from_another_thread, RPC_ALL },
		{ "cancel", tells_of_a_cancel, RPC_ALL },
		{ "answered in the cancel callback",
		    answers_in_the_cancel_callback, RPC_ALL },
		{ "deadlines", keeps_deadlines, RPC_ALL },
		{ "deadlines, server alone", keeps_deadlines_alone, RPC_ALL },
		{ "deadlines, exactly", keeps_deadlines_exactly, RPC_ALL },
		{ "lost connection", tells_of_a_lost_connection, RPC_ALL },
		{ "never answered", frees_what_nobody_answered, RPC_ALL },
		{ "two clients", keeps_clients_apart, RPC_ALL },
		{ "cancel in a callback", cancels_in_a_callback, RPC_ALL },
		{ "order of completion", completes_in_order, RPC_ALL },
	};

	return rpcrig_run_cases(
	    "rpc defer", cases, sizeof(cases) / sizeof(cases[0]));
}
