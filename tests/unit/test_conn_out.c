/* What a connection sends: one flush a turn, room, faults, bulk both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "connrig.h"

#define BULK (10u << 20)

static void
test_frames_of_a_turn_leave_together(void **state)
{
	char back[400];
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	for (int i = 0; i < 100; i++)
		rig_send(&r, "four", 4);
	assert_int_equal(r.mem.sends, 0);
	assert_int_equal(conn_unsent(r.conn), 400);
	rig_turns(&r, 1);
	assert_int_equal(r.mem.sends, 1);
	assert_int_equal(conn_unsent(r.conn), 0);
	assert_int_equal(rig_peer_take(&r, back, sizeof(back)), 400);
	rig_fini(&r);
}

/* What a layer has sealed and holds has not left yet. */
static void
test_flushed_is_below_all_layers(void **state)
{
	enum {
		LEN = 1000000
	};
	uint8_t *block = calloc(1, LEN);
	size_t got = 0;
	bool held = false;
	struct rig r;

	(void)state;
	assert_non_null(block);
	rig_init(&r);
	r.conf.max_queue = LEN;
	r.mem.send_hold = 2 * LEN;
	rig_start(&r);
	assert_true(conn_is_flushed(r.conn));
	rig_send(&r, block, LEN);
	assert_false(conn_is_flushed(r.conn));
	rig_turns(&r, 1);
	while (got < LEN) {
		got += rig_peer_take(&r, block, 50000);
		rig_turns(&r, 1);
		if (conn_unsent(r.conn) == 0 && !conn_is_flushed(r.conn))
			held = true;
	}
	assert_true(held);
	assert_true(conn_is_flushed(r.conn));
	rig_fini(&r);
	free(block);
}

/* Full TLS records: the peer need not wait for the turn's end. */
static void
test_much_leaves_at_once(void **state)
{
	static uint8_t block[20000];
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	rig_send(&r, block, sizeof(block));
	assert_int_equal(r.mem.bytes_out, 16384);
	rig_send(&r, block, sizeof(block));
	assert_int_equal(r.mem.bytes_out, 16384); /* two, the second time */
	rig_send(&r, block, sizeof(block));
	assert_int_equal(r.mem.bytes_out, 3 * 16384);
	assert_int_equal(conn_unsent(r.conn), 3 * sizeof(block) - 3 * 16384);
	rig_turns(&r, 1);
	assert_int_equal(r.mem.bytes_out, 3 * sizeof(block));
	r.mem.sends = 0;
	r.mem.send_fail = (struct mem_fail){ .err = RK_EPROTO, .at = 1 };
	rig_send(&r, block, sizeof(block));
	rig_send(&r, block, sizeof(block));
	assert_int_equal(r.mem.sends, 1); /* once is enough */
	assert_int_equal(r.closes, 0);    /* never from inside */
	rig_turns(&r, 1);
	rig_check_closed(&r, RK_EPROTO);
	rig_fini(&r);
}

static void
test_send_faults_lose_nothing(void **state)
{
	static uint8_t sent[5000];
	static uint8_t back[5000];
	size_t n;
	struct rig r;

	(void)state;
	rig_fill(sent, sizeof(sent), 0);
	for (unsigned i = 0; i < 12; i++) {
		rig_init(&r);
		r.mem.send_max = i % 3 == 0 ? 0 : 97 * (i % 3);
		r.mem.send_again = i / 3 % 2 == 0 ? 0 : 3;
		r.mem.send_hold = i / 6 == 0 ? 0 : 333;
		rig_start(&r);
		rig_send(&r, sent, sizeof(sent));
		rig_turns(&r, 100);
		n = rig_peer_take(&r, back, sizeof(back));
		assert_int_equal(n, sizeof(back));
		assert_memory_equal(back, sent, n);
		rig_fini(&r);
	}
}

static void
test_room(void **state)
{
	static uint8_t block[1 << 20];
	struct rig r;

	(void)state;
	rig_init(&r);
	r.conf.max_queue = sizeof(block);
	rig_start(&r);
	rig_send(&r, block, sizeof(block) / 2 - 1);
	rig_turns(&r, 1);
	(void)rig_peer_take(&r, block, sizeof(block));
	rig_turns(&r, 2);
	assert_int_equal(r.rooms, 0); /* never reached the half */
	(void)rig_peer_take(&r, block, sizeof(block));
	rig_turns(&r, 2);
	assert_true(conn_has_room(r.conn));
	rig_send(&r, block, sizeof(block));
	assert_true(conn_unsent(r.conn) > sizeof(block) / 2);
	rig_turns(&r, 2);
	assert_int_equal(r.rooms, 0);
	while (r.rooms == 0) {
		assert_true(rig_peer_take(&r, block, 65536) > 0);
		rig_turns(&r, 1);
	}
	assert_true(conn_unsent(r.conn) < sizeof(block) / 2);
	for (int i = 0; i < 20; i++) {
		(void)rig_peer_take(&r, block, 65536);
		rig_turns(&r, 1);
	}
	assert_int_equal(r.rooms, 1);
	rig_fini(&r);
}

static void
test_queue_has_a_maximum(void **state)
{
	static uint8_t block[65536];
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	assert_true(conn_has_room(r.conn));
	assert_int_equal(buf_put(conn_out(r.conn), block, 65535), RK_OK);
	assert_true(conn_has_room(r.conn));
	assert_int_equal(buf_put(conn_out(r.conn), block, 1), RK_OK);
	assert_false(conn_has_room(r.conn));
	/* There is space for the message that is being encoded now. */
	assert_int_equal(buf_put(conn_out(r.conn), block, 65536), RK_OK);
	rig_fini(&r);
}

static void
test_end_inside_room(void **state)
{
	static uint8_t block[65536];
	static const enum rig_act acts[] = { RIG_ABORT, RIG_DRAIN };
	static const enum rk_err codes[] = { RK_EDENIED, RK_ECANCELED };
	struct rig r;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		rig_init(&r);
		r.on_room = acts[i];
		rig_start(&r);
		rig_send(&r, block, sizeof(block));
		rig_turns(&r, 2);
		assert_int_equal(r.rooms, 1);
		rig_check_closed(&r, codes[i]);
		rig_fini(&r);
	}
}

/* ---- bulk ---- */

static void
blink(struct rig *r)
{
	conn_pause(r->conn, true);
	conn_pause(r->conn, false);
}

struct bulk {
	size_t sent;
	size_t received;
};

static uint8_t bulk[BULK];

static void
send_bulk(struct rig *r)
{
	struct bulk *b = r->arg;
	size_t n;

	while (b->sent < BULK && conn_has_room(r->conn)) {
		n = BULK - b->sent < 50000 ? BULK - b->sent : 50000;
		rig_send(r, bulk + b->sent, n);
		b->sent += n;
	}
}

/* Checks and uses at most 30,000 bytes a call: something is always kept. */
static size_t
use_bulk(struct rig *r, const uint8_t *data, size_t len)
{
	struct bulk *b = r->arg;
	size_t n = len < 30000 ? len : 30000;

	assert_true(b->received + n <= BULK);
	assert_memory_equal(data, bulk + b->received, n);
	b->received += n;
	buf_consume(&r->got, SIZE_MAX);
	return n;
}

static void
run_bulk(const struct mem *faults)
{
	struct bulk ba = { 0 };
	struct bulk bb = { 0 };
	struct layer *la;
	struct layer *lb;
	struct rig a;
	struct rig b;

	rig_init(&a);
	rig_init_with(&b, &a);
	a.mem = b.mem = *faults;
	a.arg = &ba;
	b.arg = &bb;
	a.use = b.use = use_bulk;
	a.more = b.more = send_bulk;
	a.conf.max_unused = b.conf.max_unused = BULK;
	mem_pair(&a.mem, &la, &b.mem, &lb);
	rig_open_with(&a, &la);
	rig_open_with(&b, &lb);
	rig_turns(&a, 2);
	send_bulk(&a);
	send_bulk(&b);
	while (ba.received < BULK || bb.received < BULK) {
		size_t before = ba.received + bb.received;

		for (int i = 0; i < 50; i++)
			rig_turns(&a, 1);
		assert_int_equal(a.closes + b.closes, 0);
		if (ba.received + bb.received == before)
			break; /* the last bytes are kept: see below */
	}
	conn_pause(a.conn, true);
	conn_pause(b.conn, true);
	while (ba.received < BULK || bb.received < BULK) {
		blink(&a);
		blink(&b);
		conn_pause(a.conn, false);
		conn_pause(b.conn, false);
		rig_turns(&a, 1);
	}
	assert_true(a.rooms > 0);
	rig_fini(&b);
	rig_fini(&a);
}

static void
test_bulk_both_ways(void **state)
{
	static const struct mem faults[] = {
		{ .recv_max = 0 },
		{ .read_ahead = true, .send_hold = 100000 },
		{ .recv_max = 7001,
		    .send_max = 9001,
		    .recv_again = 3,
		    .send_again = 5 },
		{ .recv_max = 16384,
		    .read_ahead = true,
		    .send_hold = 16384,
		    .send_again = 2 },
	};

	(void)state;
	rig_fill(bulk, sizeof(bulk), 0);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		run_bulk(&faults[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames_of_a_turn_leave_together),
		cmocka_unit_test(test_flushed_is_below_all_layers),
		cmocka_unit_test(test_much_leaves_at_once),
		cmocka_unit_test(test_send_faults_lose_nothing),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_queue_has_a_maximum),
		cmocka_unit_test(test_end_inside_room),
		cmocka_unit_test(test_bulk_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
