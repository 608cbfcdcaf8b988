/* What a connection receives: kept bytes, pauses, fairness, memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "connrig.h"
#include "net/conn_int.h"

/* ---- messages: two bytes of length, then as many ---- */

static size_t
message_len(const uint8_t *data, size_t len)
{
	size_t n;

	if (len < 2)
		return 0;
	n = 2 + ((size_t)data[0] << 8 | data[1]);
	return n <= len ? n : 0;
}

static size_t
use_messages(struct rig *r, const uint8_t *data, size_t len)
{
	size_t used = 0;
	size_t n;

	(void)r;
	while ((n = message_len(data + used, len - used)) > 0)
		used += n;
	return used;
}

static size_t
use_one_message(struct rig *r, const uint8_t *data, size_t len)
{
	(void)r;
	return message_len(data, len);
}

static size_t
put_message(uint8_t *dst, size_t body)
{
	dst[0] = (uint8_t)(body >> 8);
	dst[1] = (uint8_t)body;
	rig_fill(dst + 2, body, body);
	return 2 + body;
}

static size_t
put_messages(uint8_t *dst)
{
	static const size_t bodies[] = { 0, 1, 2, 30, 5, 0, 11 };
	size_t n = 0;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++)
		n += put_message(dst + n, bodies[i]);
	return n;
}

static void
check_got(struct rig *r, const uint8_t *sent, size_t n)
{
	assert_int_equal(r->closes, 0);
	assert_int_equal(buf_len(&r->got), n);
	assert_memory_equal(buf_peek(&r->got), sent, n);
	assert_int_equal(buf_len(&r->conn->in), 0);
	assert_null(r->conn->in.data); /* the memory went home */
}

static void
test_split_at_every_byte(void **state)
{
	uint8_t sent[128];
	size_t n = put_messages(sent);
	struct rig r;

	(void)state;
	for (size_t cut = 1; cut < n; cut++) {
		rig_init(&r);
		r.use = use_messages;
		rig_start(&r);
		rig_peer_send(&r, sent, cut);
		rig_turns(&r, 1);
		rig_peer_send(&r, sent + cut, n - cut);
		rig_turns(&r, 1);
		check_got(&r, sent, n);
		rig_fini(&r);
	}
}

static void
test_every_read_size(void **state)
{
	uint8_t sent[128];
	size_t n = put_messages(sent);
	struct rig r;

	(void)state;
	for (size_t max = 1; max <= n; max++) {
		for (unsigned i = 0; i < 8; i++) {
			rig_init(&r);
			r.use = use_messages;
			r.mem.recv_max = max;
			r.mem.read_ahead = i % 2 != 0;
			r.mem.recv_again = i / 2 == 0 ? 0 : i / 2 + 1;
			rig_start(&r);
			rig_peer_send(&r, sent, n);
			rig_turns(&r, 200);
			check_got(&r, sent, n);
			rig_fini(&r);
		}
	}
}

/* A message of many reads, with others before and behind it. */
static void
test_long_messages(void **state)
{
	static const size_t sizes[] = { 4093, 4094, 4095, 4096, 4097, 30000,
		65535 };
	static uint8_t sent[1 << 18];
	size_t n;
	struct rig r;

	(void)state;
	for (size_t i = 0; i < 4 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		n = put_message(sent, 100);
		n += put_message(sent + n, sizes[i / 4]);
		n += put_message(sent + n, 300);
		rig_init(&r);
		r.use = use_messages;
		r.mem.recv_max = i % 2 != 0 ? 1000 : 0;
		r.mem.read_ahead = i % 4 >= 2;
		rig_start(&r);
		for (size_t at = 0; at < n;) {
			size_t part = n - at < 777 ? n - at : 777;

			rig_peer_send(&r, sent + at, part);
			rig_turns(&r, 1);
			at += part;
		}
		check_got(&r, sent, n);
		rig_fini(&r);
	}
}

static size_t
use_none(struct rig *r, const uint8_t *data, size_t len)
{
	(void)r;
	(void)data;
	(void)len;
	return 0;
}

static void
test_kept_bytes_have_an_exact_maximum(void **state)
{
	static uint8_t sent[100001];
	struct rig r;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		rig_init(&r);
		r.conf.max_unused = i < 2 ? 10 : sizeof(sent) - 1;
		r.use = use_none;
		r.mem.read_ahead = i % 2 != 0;
		rig_start(&r);
		rig_peer_send(&r, sent, r.conf.max_unused);
		rig_turns(&r, 5);
		assert_int_equal(r.closes, 0);
		assert_int_equal(buf_len(&r.conn->in), r.conf.max_unused);
		rig_peer_send(&r, sent, 1);
		rig_turns(&r, 2);
		rig_check_closed(&r, RK_ETOOBIG);
		rig_fini(&r);
	}
}

/* ---- pausing ---- */

static void
test_pause_and_resume(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	conn_pause(r.conn, true);
	rig_peer_send(&r, "abc", 3);
	rig_turns(&r, 5);
	assert_int_equal(r.datas, 0);
	rig_check_sleeps(&r);
	rig_send(&r, "out", 3); /* sending goes on */
	rig_turns(&r, 1);
	assert_int_equal(r.mem.bytes_out, 3);
	conn_pause(r.conn, false);
	conn_pause(r.conn, true);
	rig_turns(&r, 2);
	assert_int_equal(r.datas, 0);
	conn_pause(r.conn, false);
	assert_int_equal(r.datas, 0);
	rig_turns(&r, 1);
	assert_int_equal(r.used, 3);
	rig_fini(&r);
}

/* Nobody reads, so only the peer's reading may wake us. */
static void
test_paused_and_stalled_sleeps(void **state)
{
	static uint8_t block[1 << 20];
	struct rig r;

	(void)state;
	rig_init(&r);
	r.conf.max_queue = sizeof(block);
	rig_start(&r);
	conn_pause(r.conn, true);
	rig_send(&r, block, sizeof(block));
	rig_turns(&r, 1);
	assert_true(conn_unsent(r.conn) > 0);
	rig_peer_send(&r, "unread", 6);
	rig_check_sleeps(&r);
	rig_fini(&r);
}

/* One message a call, then a pause, as a session does when it is full. */
static size_t
use_one_and_pause(struct rig *r, const uint8_t *data, size_t len)
{
	size_t used = message_len(data, len);

	if (used > 0)
		conn_pause(r->conn, true);
	return used;
}

static void
test_pause_inside_data_keeps_the_rest(void **state)
{
	uint8_t sent[128];
	size_t n = put_messages(sent);
	struct rig r;

	(void)state;
	for (size_t max = 1; max <= n; max++) {
		rig_init(&r);
		r.conf.max_unused = 40; /* a pause may keep more than that */
		r.use = use_one_and_pause;
		r.mem.recv_max = max;
		r.mem.read_ahead = max % 2 == 0;
		rig_start(&r);
		rig_peer_send(&r, sent, n);
		for (unsigned i = 0; i < 300 && r.used < n; i++) {
			rig_turns(&r, 1);
			conn_pause(r.conn, false);
		}
		rig_turns(&r, 1);
		check_got(&r, sent, n);
		rig_fini(&r);
	}
}

static void
blink(struct rig *r)
{
	conn_pause(r->conn, true);
	conn_pause(r->conn, false);
}

static size_t
use_one_and_blink(struct rig *r, const uint8_t *data, size_t len)
{
	blink(r);
	return use_one_message(r, data, len);
}

static void
test_pause_and_resume_inside_data(void **state)
{
	uint8_t sent[128];
	size_t n = put_messages(sent);
	struct rig r;

	(void)state;
	rig_init(&r);
	r.conf.max_unused = 40;
	r.use = use_one_and_blink;
	rig_start(&r);
	rig_peer_send(&r, sent, n);
	rig_turns(&r, 20);
	check_got(&r, sent, n);
	rig_fini(&r);
}

static void
test_end_of_input_waits_for_resume(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.use = use_one_and_pause;
	rig_start(&r);
	rig_peer_send(&r, "\0\1a\0\1b", 6);
	rig_peer_close(&r);
	rig_turns(&r, 5);
	assert_int_equal(r.used, 3);
	assert_int_equal(r.closes, 0);
	conn_pause(r.conn, false);
	rig_turns(&r, 1);
	assert_int_equal(r.used, 6);
	conn_pause(r.conn, false);
	rig_turns(&r, 2);
	rig_check_closed(&r, RK_ECLOSED);
	assert_null(strstr(r.why.text, "within"));
	rig_fini(&r);
}

/* ---- fairness, memory ---- */

static void
test_one_turn_takes_a_bounded_share(void **state)
{
	static uint8_t block[100000];
	size_t last = 0;
	struct rig r;

	(void)state;
	rig_init(&r);
	r.mem.recv_max = 1000;
	r.mem.read_ahead = true;
	rig_start(&r);
	rig_peer_send(&r, block, sizeof(block));
	for (unsigned i = 0; i < 20 && r.used < sizeof(block); i++) {
		rig_turns(&r, 1);
		assert_true(r.used > last);
		assert_true(r.used - last <= 2 * 16 * 1000);
		last = r.used;
	}
	assert_int_equal(r.used, sizeof(block));
	assert_int_not_equal(rk_loop_wait_ms(r.loop), 0);
	rig_fini(&r);
}

static void
test_idle_connection_holds_no_buffers(void **state)
{
	static uint8_t sent[70000];
	static uint8_t block[70000];
	size_t n = put_message(sent, 65535);
	struct rig r;

	(void)state;
	rig_init(&r);
	r.use = use_messages;
	rig_start(&r);
	for (int i = 0; i < 3; i++) {
		rig_peer_send(&r, sent, n / 2);
		rig_turns(&r, 1);
		assert_non_null(r.conn->in.data);
		rig_peer_send(&r, sent + n / 2, n - n / 2);
		rig_send(&r, block, sizeof(block));
		assert_non_null(r.conn->out.data);
		rig_turns(&r, 2);
		(void)rig_peer_take(&r, block, sizeof(block));
		assert_null(r.conn->in.data);
		assert_null(r.conn->out.data);
	}
	rig_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split_at_every_byte),
		cmocka_unit_test(test_every_read_size),
		cmocka_unit_test(test_long_messages),
		cmocka_unit_test(test_kept_bytes_have_an_exact_maximum),
		cmocka_unit_test(test_pause_and_resume),
		cmocka_unit_test(test_paused_and_stalled_sleeps),
		cmocka_unit_test(test_pause_inside_data_keeps_the_rest),
		cmocka_unit_test(test_pause_and_resume_inside_data),
		cmocka_unit_test(test_end_of_input_waits_for_resume),
		cmocka_unit_test(test_one_turn_takes_a_bounded_share),
		cmocka_unit_test(test_idle_connection_holds_no_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
