/* The connection's timeouts, each to the millisecond, on a fake clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "connrig.h"
#include "net/conn_int.h"

#define HANDSHAKE 100
#define READ 200
#define WRITE 300
#define IDLE 1000

static uint8_t block[4 << 20];

static void
check_alive_then_timeout(struct rig *r, uint64_t ms, const char *text)
{
	rig_pass(r, ms - 1);
	assert_int_equal(r->closes, 0);
	rig_pass(r, 1);
	rig_check_closed(r, RK_ETIMEOUT);
	assert_non_null(strstr(r->why.text, text));
}

static size_t
use_none(struct rig *r, const uint8_t *data, size_t len)
{
	(void)r;
	(void)data;
	(void)len;
	return 0;
}

/* ---- handshake ---- */

static void
test_handshake(void **state)
{
	struct rig r;

	(void)state;
	for (int begun = 0; begun < 2; begun++) {
		rig_init(&r);
		r.mem.handshake_again = 1000;
		rig_open(&r);
		if (begun)
			rig_turns(&r, 3);
		check_alive_then_timeout(&r, HANDSHAKE, "100 ms");
		assert_string_equal(r.why.step, "connect");
		assert_int_equal(r.proven, 0);
		rig_fini(&r);
	}
}

static void
test_verify_shares_the_time_of_the_handshake(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.mem.handshake_again = 2;
	r.on_proven = RIG_NOTHING;
	rig_open(&r);
	rig_pass(&r, 20);
	rig_pass(&r, 20);
	rig_pass(&r, 20);
	assert_int_equal(r.proven, 1);
	check_alive_then_timeout(&r, HANDSHAKE - 60, "100 ms");
	assert_string_equal(r.why.step, "trust");
	rig_fini(&r);
}

static void
test_accept_at_the_last_moment(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.on_proven = RIG_NOTHING;
	rig_open(&r);
	rig_pass(&r, HANDSHAKE - 1);
	conn_accept(r.conn);
	check_alive_then_timeout(&r, IDLE, "idle for 1 s");
	rig_fini(&r);
}

/* ---- read ---- */

static void
test_read_of_a_begun_message(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.use = use_none;
	rig_start(&r);
	rig_pass(&r, 500); /* silence before it does not count */
	rig_peer_send(&r, "a", 1);
	rig_turns(&r, 1);
	for (int i = 0; i < 4; i++) { /* further bytes hardly help */
		rig_peer_send(&r, "b", 1);
		rig_pass(&r, 40);
	}
	check_alive_then_timeout(&r, READ - 160 + 5, "200 ms");
	assert_int_equal(r.datas, 5);
	rig_fini(&r);
}

/* A large message over a slow link: a millisecond more for each byte. */
static void
test_read_at_the_slowest_pace(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.use = use_none;
	rig_start(&r);
	rig_peer_send(&r, block, 100);
	rig_turns(&r, 1);
	for (int i = 0; i < 30; i++) {
		rig_pass(&r, 90);
		assert_int_equal(r.closes, 0);
		rig_peer_send(&r, block, 100);
		rig_turns(&r, 1);
	}
	check_alive_then_timeout(&r, READ + 31 * (100 - 90) + 90, "200 ms");
	rig_fini(&r);
}

static size_t
use_one(struct rig *r, const uint8_t *data, size_t len)
{
	(void)r;
	(void)data;
	(void)len;
	return 1;
}

static void
test_read_restarts_when_bytes_are_used(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.use = use_one;
	rig_start(&r);
	rig_peer_send(&r, "abcdefgh", 8);
	rig_turns(&r, 1);
	for (int i = 0; i < 4; i++) {
		rig_pass(&r, READ - 1);
		assert_int_equal(r.closes, 0);
		rig_peer_send(&r, "x", 1);
		rig_turns(&r, 1);
	}
	check_alive_then_timeout(&r, READ + 7, "200 ms");
	rig_fini(&r);
}

static void
test_read_stops_when_nothing_is_kept(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.use = use_none;
	rig_start(&r);
	rig_peer_send(&r, "ab", 2);
	rig_turns(&r, 1);
	r.use = NULL;
	rig_pass(&r, 100);
	rig_peer_send(&r, "c", 1);
	rig_turns(&r, 1);
	assert_int_equal(r.used, 3);
	check_alive_then_timeout(&r, IDLE, "idle");
	rig_fini(&r);
}

static void
test_read_does_not_run_while_paused(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.use = use_none;
	rig_start(&r);
	conn_set_busy(r.conn, true);
	rig_peer_send(&r, "ab", 2);
	rig_turns(&r, 1);
	rig_pass(&r, READ / 2);
	conn_pause(r.conn, true);
	for (int i = 0; i < 10; i++)
		rig_pass(&r, READ);
	assert_int_equal(r.closes, 0);
	conn_pause(r.conn, false);
	rig_turns(&r, 1);
	check_alive_then_timeout(&r, READ + 2, "200 ms");
	rig_fini(&r);
}

/* ---- write ---- */

static void
start_stalled(struct rig *r, size_t hold)
{
	rig_init(r);
	r->conf.max_queue = sizeof(block);
	r->mem.send_hold = hold;
	rig_start(r);
	conn_set_busy(r->conn, true);
	rig_send(r, block, sizeof(block));
	rig_turns(r, 1);
	assert_true(conn_unsent(r->conn) > 0);
}

static void
test_write_stall(void **state)
{
	struct rig r;

	(void)state;
	start_stalled(&r, 0);
	rig_pass(&r, WRITE / 2);
	rig_send(&r, "x", 1); /* more to wait is no progress */
	check_alive_then_timeout(&r, WRITE - WRITE / 2, "300 ms");
	rig_fini(&r);
}

/* A descriptor that is ready is no progress either. */
static void
test_write_stall_of_a_layer_that_takes_nothing(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.mem.send_again = 1;
	rig_start(&r);
	rig_send(&r, "x", 1);
	rig_turns(&r, 1);
	for (int i = 0; i < 9; i++)
		rig_pass(&r, WRITE / 10);
	check_alive_then_timeout(&r, WRITE / 10, "300 ms");
	rig_fini(&r);
}

static void
test_write_stall_while_draining(void **state)
{
	struct rig r;

	(void)state;
	start_stalled(&r, 0);
	conn_drain(r.conn);
	rig_turns(&r, 2);
	assert_int_equal(conn_state(r.conn), CONN_DRAINING);
	check_alive_then_timeout(&r, WRITE, "300 ms");
	rig_fini(&r);
}

/* Bytes that only a layer still holds are waiting too. */
static void
test_write_stall_inside_a_layer(void **state)
{
	struct rig r;

	(void)state;
	start_stalled(&r, sizeof(block) / 2);
	r.mem.send_hold = 2 * sizeof(block);
	(void)rig_peer_take(&r, block, 200000);
	rig_turns(&r, 2);
	assert_int_equal(conn_unsent(r.conn), 0);
	check_alive_then_timeout(&r, WRITE, "300 ms");
	rig_fini(&r);
}

static void
test_slow_reader_is_not_stalled(void **state)
{
	struct rig r;

	(void)state;
	start_stalled(&r, 0);
	for (int i = 0; i < 5; i++) {
		rig_pass(&r, WRITE - 1);
		assert_int_equal(r.closes, 0);
		assert_true(rig_peer_take(&r, block, 200000) > 0);
		rig_turns(&r, 1);
	}
	check_alive_then_timeout(&r, WRITE, "300 ms");
	rig_fini(&r);
}

static void
test_write_timeout_ends_with_the_queue(void **state)
{
	struct rig r;

	(void)state;
	start_stalled(&r, 0);
	while (conn_unsent(r.conn) > 0) {
		(void)rig_peer_take(&r, block, sizeof(block));
		rig_turns(&r, 1);
	}
	for (int i = 0; i < 10; i++)
		rig_pass(&r, WRITE);
	assert_int_equal(r.closes, 0); /* it is busy */
	rig_fini(&r);
}

/* ---- idle ---- */

static void
test_idle_counts_from_the_last_byte_either_way(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	rig_pass(&r, IDLE - 1);
	rig_peer_send(&r, "x", 1);
	rig_turns(&r, 1);
	rig_pass(&r, IDLE - 1);
	rig_send(&r, "y", 1);
	rig_turns(&r, 1);
	check_alive_then_timeout(&r, IDLE, "idle for 1 s");
	rig_fini(&r);
}

static void
test_busy_is_not_idle(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	conn_set_busy(r.conn, true);
	for (int i = 0; i < 10; i++)
		rig_pass(&r, IDLE);
	rig_pass(&r, IDLE / 2);
	assert_int_equal(r.closes, 0);
	conn_set_busy(r.conn, false);
	check_alive_then_timeout(&r, IDLE, "idle for 1 s");
	rig_fini(&r);
}

static void
test_idle_while_paused(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	conn_pause(r.conn, true);
	rig_turns(&r, 1);
	check_alive_then_timeout(&r, IDLE, "idle for 1 s");
	rig_fini(&r);
}

/* ---- all ---- */

static void
test_never_switches_off(void **state)
{
	const struct rk_timeouts never = {
		.connect = RK_NEVER,
		.handshake = RK_NEVER,
		.read = RK_NEVER,
		.write = RK_NEVER,
		.idle = RK_NEVER,
	};
	struct rig r;

	(void)state;
	rig_init(&r);
	r.conf.timeouts = never;
	r.conf.max_queue = sizeof(block);
	r.on_proven = RIG_NOTHING;
	r.use = use_none;
	r.mem.handshake_again = 1;
	rig_open(&r);
	rig_pass(&r, 1u << 30);
	rig_pass(&r, 1u << 30);
	assert_int_equal(rk_loop_wait_ms(r.loop), -1);
	rig_pass(&r, 1u << 30);
	conn_accept(r.conn);
	rig_peer_send(&r, "x", 1);
	rig_send(&r, block, sizeof(block));
	rig_turns(&r, 2);
	assert_int_equal(rk_loop_wait_ms(r.loop), -1);
	rig_pass(&r, 1u << 30);
	assert_int_equal(r.closes, 0);
	rig_fini(&r);
}

static void
test_defaults_fill_only_zeros(void **state)
{
	struct rk_timeouts t = { .read = RK_NEVER, .idle = 7 };

	(void)state;
	conn_default_timeouts(&t);
	assert_int_equal(t.connect, 10000);
	assert_int_equal(t.handshake, 10000);
	assert_true(t.read == RK_NEVER);
	assert_int_equal(t.write, 30000);
	assert_int_equal(t.idle, 7);
}

/* Traffic does not touch the timer, which would be work for every call. */
static void
test_timer_is_moved_once_a_timeout(void **state)
{
	uint64_t armed;
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	rig_pass(&r, HANDSHAKE);
	armed = r.conn->armed;
	assert_int_equal(armed, r.now + IDLE - HANDSHAKE);
	for (int i = 0; i < 5; i++) {
		rig_pass(&r, 100);
		rig_peer_send(&r, "x", 1);
		rig_send(&r, "y", 1);
		rig_turns(&r, 1);
		assert_int_equal(r.conn->armed, armed);
	}
	rig_pass(&r, armed - r.now);
	assert_int_equal(r.closes, 0);
	assert_true(r.conn->armed > armed);
	rig_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshake),
		cmocka_unit_test(test_verify_shares_the_time_of_the_handshake),
		cmocka_unit_test(test_accept_at_the_last_moment),
		cmocka_unit_test(test_read_of_a_begun_message),
		cmocka_unit_test(test_read_at_the_slowest_pace),
		cmocka_unit_test(test_read_restarts_when_bytes_are_used),
		cmocka_unit_test(test_read_stops_when_nothing_is_kept),
		cmocka_unit_test(test_read_does_not_run_while_paused),
		cmocka_unit_test(test_write_stall),
		cmocka_unit_test(
		    test_write_stall_of_a_layer_that_takes_nothing),
		cmocka_unit_test(test_write_stall_while_draining),
		cmocka_unit_test(test_write_stall_inside_a_layer),
		cmocka_unit_test(test_slow_reader_is_not_stalled),
		cmocka_unit_test(test_write_timeout_ends_with_the_queue),
		cmocka_unit_test(
		    test_idle_counts_from_the_last_byte_either_way),
		cmocka_unit_test(test_busy_is_not_idle),
		cmocka_unit_test(test_idle_while_paused),
		cmocka_unit_test(test_never_switches_off),
		cmocka_unit_test(test_defaults_fill_only_zeros),
		cmocka_unit_test(test_timer_is_moved_once_a_timeout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
