/* A connection that ends its half and waits for the peer to end the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>

#include "connrig.h"

/* Everything has left and the peer sees the end; ours is still open. */
static void
finish(struct rig *r)
{
	char back[16];

	rig_send(r, "bye", 3);
	conn_finish(r->conn);
	assert_int_equal(conn_state(r->conn), CONN_DRAINING);
	rig_turns(r, 3);
	assert_int_equal(r->closes, 0);
	assert_int_equal(r->mem.half_closes, 1);
	assert_int_equal(recv(r->peer, back, sizeof(back), 0), 3);
	assert_int_equal(recv(r->peer, back, sizeof(back), 0), 0);
}

static void
test_waits_for_the_peer(void **state)
{
	struct rig r;

	(void)state;
	for (int i = 0; i < 2; i++) {
		rig_init(&r);
		r.mem.send_hold = i == 0 ? 0 : 100;
		rig_start(&r);
		finish(&r);
		/* Nothing of the connection's own ends this. */
		rig_pass(&r, 100000);
		assert_int_equal(r.closes, 0);
		rig_check_sleeps(&r);
		rig_peer_send(&r, "not delivered", 13);
		rig_turns(&r, 2);
		assert_int_equal(r.closes, 0);
		rig_peer_close(&r);
		rig_turns(&r, 2);
		rig_check_closed(&r, RK_ECANCELED);
		assert_int_equal(r.datas, 0);
		assert_int_equal(r.mem.half_closes, 1);
		rig_fini(&r);
	}
}

/* The peer's end is its own idea when it comes before ours. */
static void
test_peer_first(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	conn_finish(r.conn);
	rig_peer_close(&r);
	rig_turns(&r, 3);
	rig_check_closed(&r, RK_ECLOSED);
	assert_int_equal(r.mem.half_closes, 0);
	rig_fini(&r);

	rig_init(&r);
	rig_start(&r);
	r.mem.sends = 1;
	r.mem.send_again = 2; /* the first try fails */
	rig_send(&r, "x", 1);
	conn_finish(r.conn);
	rig_peer_close(&r);
	rig_turns(&r, 3);
	assert_int_equal(r.closes, 1);
	assert_int_not_equal(r.why.code, RK_ECANCELED);
	rig_fini(&r);
}

static void
test_torn_end(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	finish(&r);
	r.mem.torn = true;
	rig_peer_close(&r);
	rig_turns(&r, 2);
	rig_check_closed(&r, RK_ECLOSED);
	rig_fini(&r);
}

/* A peer that refuses does so by an error of the layer: an alert. */
static void
test_refused(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	finish(&r);
	r.mem.recv_fail =
	    (struct mem_fail){ .err = RK_ECERT, .at = r.mem.recvs + 1 };
	rig_peer_send(&r, "alert", 5);
	rig_turns(&r, 2);
	rig_check_closed(&r, RK_ECERT);
	rig_fini(&r);
}

static void
test_other_states(void **state)
{
	static const struct rk_error why = { .code = RK_ETIMEOUT,
		.text = "too late" };
	struct rig r;

	(void)state;
	/* Before it is open there is nothing to finish. */
	rig_init(&r);
	rig_open(&r);
	conn_finish(r.conn);
	rig_turns(&r, 1);
	rig_check_closed(&r, RK_ECANCELED);
	assert_int_equal(r.mem.half_closes, 0);
	rig_fini(&r);
	/* Twice is once, and a drain may become it. */
	rig_init(&r);
	rig_start(&r);
	conn_drain(r.conn);
	conn_finish(r.conn);
	conn_finish(r.conn);
	rig_turns(&r, 3);
	assert_int_equal(r.closes, 0);
	assert_int_equal(r.mem.half_closes, 1);
	/* Its owner's patience may end. */
	conn_abort(r.conn, &why);
	rig_turns(&r, 1);
	rig_check_closed(&r, RK_ETIMEOUT);
	rig_fini(&r);
	/* Bytes that cannot leave still have their timeout. */
	rig_init(&r);
	rig_start(&r);
	r.mem.send_again = 1;
	rig_send(&r, "x", 1);
	conn_finish(r.conn);
	rig_turns(&r, 1);
	rig_pass(&r, r.conf.timeouts.write + 1);
	rig_check_closed(&r, RK_ETIMEOUT);
	assert_int_equal(r.mem.half_closes, 0);
	rig_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits_for_the_peer),
		cmocka_unit_test(test_peer_first),
		cmocka_unit_test(test_torn_end),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_other_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
