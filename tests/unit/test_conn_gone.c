/* What a connection says of its bytes: how many are queued, and gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "connrig.h"

static uint8_t bytes[1 << 20];

static void
test_counts_what_leaves(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	assert_int_equal(conn_queued(r.conn), 0);
	assert_int_equal(conn_gone(r.conn), 0);
	assert_int_equal(conn_room(r.conn), r.conf.max_queue);
	rig_send(&r, bytes, 100);
	assert_int_equal(conn_queued(r.conn), 100);
	assert_int_equal(conn_gone(r.conn), 0);
	assert_int_equal(conn_room(r.conn), r.conf.max_queue - 100);
	rig_turns(&r, 1);
	assert_int_equal(conn_gone(r.conn), 100);
	assert_int_equal(r.gones, 0); /* nobody asked */
	assert_int_equal(conn_room(r.conn), r.conf.max_queue);
	conn_tell_gone(r.conn, true);
	assert_int_equal(r.gones, 0); /* not from inside */
	rig_turns(&r, 3);
	assert_int_equal(r.gones, 1);
	assert_int_equal(r.gone, 100);
	rig_send(&r, bytes, 7);
	rig_turns(&r, 3);
	assert_int_equal(r.gones, 2);
	assert_int_equal(r.gone, 107);
	conn_tell_gone(r.conn, false);
	rig_send(&r, bytes, 1);
	rig_turns(&r, 3);
	assert_int_equal(r.gones, 2);
	assert_int_equal(conn_gone(r.conn), 108);
	rig_check_sleeps(&r);
	rig_fini(&r);
}

/* The peer reads in pieces: what is told grows with them, to all of it. */
static void
test_tells_bit_by_bit(void **state)
{
	static uint8_t sink[sizeof(bytes)];
	struct rig r;
	size_t taken = 0;
	unsigned before;

	(void)state;
	rig_init(&r);
	r.conf.max_queue = sizeof(bytes);
	rig_start(&r);
	conn_tell_gone(r.conn, true);
	rig_send(&r, bytes, sizeof(bytes));
	rig_turns(&r, 2);
	assert_true(r.gone < sizeof(bytes));
	assert_true(conn_room(r.conn) < sizeof(bytes));
	rig_check_sleeps(&r);
	before = r.gones;
	while (taken < sizeof(bytes)) {
		taken += rig_peer_take(&r, sink, 10000);
		rig_turns(&r, 1);
		assert_true(taken <= conn_queued(r.conn));
	}
	assert_int_equal(r.gone, sizeof(bytes));
	assert_true(r.gones > before);
	rig_fini(&r);
}

/* What a layer keeps has not gone, though it was taken, and fills the queue. */
static void
test_counts_what_a_layer_holds(void **state)
{
	static uint8_t sink[sizeof(bytes)];
	struct rig r;
	uint64_t gone;
	size_t room;

	(void)state;
	rig_init(&r);
	r.mem.send_hold = 20000;
	r.conf.max_queue = sizeof(bytes);
	rig_start(&r);
	conn_tell_gone(r.conn, true);
	rig_send(&r, bytes, sizeof(bytes));
	rig_turns(&r, 2);
	gone = conn_gone(r.conn);
	room = conn_room(r.conn);
	assert_int_equal(gone, r.mem.bytes_out);
	assert_int_equal(room, gone);
	assert_true(conn_queued(r.conn) - conn_unsent(r.conn) > gone);
	while (r.gone < sizeof(bytes)) {
		(void)rig_peer_take(&r, sink, sizeof(sink));
		rig_turns(&r, 1);
		assert_int_equal(conn_gone(r.conn), r.mem.bytes_out);
	}
	rig_fini(&r);
}

/* The last news comes before the end, and none after it. */
static void
test_tells_before_the_end(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	conn_tell_gone(r.conn, true);
	rig_send(&r, bytes, 50);
	conn_drain(r.conn);
	rig_turns(&r, 3);
	assert_int_equal(r.closes, 1);
	assert_int_equal(r.gone, 50);
	assert_int_equal(r.gones, 1);
	rig_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts_what_leaves),
		cmocka_unit_test(test_tells_bit_by_bit),
		cmocka_unit_test(test_counts_what_a_layer_holds),
		cmocka_unit_test(test_tells_before_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
