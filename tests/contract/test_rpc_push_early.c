/* Pushes to connections that may be a recording: none that was not asked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "earlyrig.h"
#include "pushrig.h"

static void
count(uint64_t conn, const struct rk_peer *peer, void *arg)
{
	unsigned *n = arg;

	assert_true(conn != 0);
	assert_string_equal(peer->cert.email, "client@example.org");
	(*n)++;
}

static void
count_all(struct rpcrig *r, void *arg)
{
	*(unsigned *)arg = 0;
	rk_server_conns(r->server, count, arg);
}

static void
must_reach(struct early_rig *r, size_t n)
{
	struct rk_push_target to = { .to = RK_PUSH_EMAIL,
		.who = "client@example.org" };
	struct rk_push push = { .subject = "s" };
	struct told t = { 0 };
	unsigned listed;

	rpcrig_do(r->server, count_all, &listed);
	assert_int_equal(listed, n);
	push_start(r->server, &to, &push, &t);
	push_await(r->server, &t, 1);
	assert_int_equal(t.sum.targets, n);
	to.to = RK_PUSH_ALL;
	push_start(r->server, &to, &push, &t);
	push_await(r->server, &t, 2);
	assert_int_equal(t.sum.targets, 2 * n);
}

static void
waits_for_certainty(void **state)
{
	struct rpcanswer a, b;
	struct early_rig r;

	early_begin(&r, *state);
	early_visit(&r);
	r.tap.hold = true;
	early_start(&r);
	early_submit_text(&r, "marked", "first", &a);
	early_await_answers(&r, &a, 1);
	assert_true(early_went_early(&r));
	rpcrig_await_conns(r.server, 1); /* the visitor is gone */
	/* It is there, and answered, and nobody knows since when. */
	must_reach(&r, 0);
	r.tap.hold = false;
	early_submit_text(&r, "plain", "second", &b);
	early_await_answers(&r, &b, 1);
	must_reach(&r, 1);
	early_end_client(&r);
	early_end(&r);
}

/* What was subscribed to counts from the end of the handshake. */
static void
subscribes_when_certain(void **state)
{
	struct rpcanswer a, b;
	struct early_rig r;
	struct rk_push_target to = { .to = RK_PUSH_SUBSCRIBERS };
	struct rk_push push = { .subject = "s" };
	struct told t = { 0 };

	early_begin(&r, *state);
	early_visit(&r);
	r.tap.hold = true;
	early_start(&r);
	early_submit_text(&r, "marked", "first", &a);
	early_submit_text(&r, "_.subscribe", "s", &b);
	early_await_answers(&r, &a, 1);
	push_start(r.server, &to, &push, &t);
	push_await(r.server, &t, 1);
	assert_int_equal(t.sum.targets, 0);
	assert_int_equal(b.n, 0);
	r.tap.hold = false;
	early_await_answers(&r, &b, 1);
	assert_int_equal(b.code, RK_OK);
	push_start(r.server, &to, &push, &t);
	push_await(r.server, &t, 2);
	assert_int_equal(t.sum.targets, 1);
	early_end_client(&r);
	early_end(&r);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "certain", waits_for_certainty, TAPPED },
		{ "subscribed", subscribes_when_certain, TAPPED },
	};

	return rpcrig_run_cases(
	    "rpc push early", cases, sizeof(cases) / sizeof(cases[0]));
}
