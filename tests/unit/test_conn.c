/* The connection's life: the gate, every way to end, abort anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/socket.h>

#include "base/error.h"
#include "connrig.h"
#include "net/conn_int.h"

static void
abort_with(struct rig *r, enum rk_err code)
{
	struct rk_error why = { 0 };

	(void)err_set(&why, code, "by the test");
	conn_abort(r->conn, &why);
	conn_abort(r->conn, &why);
	assert_int_equal(conn_state(r->conn), CONN_CLOSED);
	assert_int_equal(r->closes, 0);
}

/* ---- the gate ---- */

static void
test_nothing_moves_before_accept(void **state)
{
	struct rig r;
	char tmp[16];

	(void)state;
	rig_init(&r);
	r.on_proven = RIG_NOTHING;
	r.mem.read_ahead = true;
	rig_open(&r);
	rig_peer_send(&r, "early", 5);
	rig_turns(&r, 5);
	assert_int_equal(conn_state(r.conn), CONN_VERIFY);
	assert_int_not_equal(buf_put(conn_out(r.conn), "x", 1), RK_OK);
	assert_false(conn_has_room(r.conn));
	conn_flush(r.conn);
	conn_pause(r.conn, true);
	conn_pause(r.conn, false);
	rig_turns(&r, 5);
	assert_int_equal(r.datas, 0);
	assert_int_equal(r.mem.recvs, 0);
	assert_int_equal(r.mem.sends, 0);
	assert_true(r.mem.flushes > 0); /* the handshake's end */
	rig_check_sleeps(&r);
	assert_int_equal(rig_peer_take(&r, tmp, sizeof(tmp)), 0);
	conn_accept(r.conn);
	assert_int_equal(conn_state(r.conn), CONN_OPEN);
	assert_int_equal(r.datas, 0); /* not from inside */
	rig_send(&r, "late", 4);
	rig_turns(&r, 1);
	assert_int_equal(buf_len(&r.got), 5);
	assert_memory_equal(buf_peek(&r.got), "early", 5);
	assert_int_equal(rig_peer_take(&r, tmp, sizeof(tmp)), 4);
	conn_accept(r.conn); /* once more: nothing */
	rig_turns(&r, 2);
	rig_fini(&r);
}

static void
test_handshake_takes_turns(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.mem.handshake_again = 3;
	rig_open(&r);
	assert_int_equal(r.mem.handshakes, 0); /* not before the next turn */
	rig_turns(&r, 1);
	assert_int_equal(r.mem.handshakes, 1);
	assert_int_equal(conn_state(r.conn), CONN_HANDSHAKE);
	conn_accept(r.conn); /* too early: nothing */
	assert_int_equal(conn_state(r.conn), CONN_HANDSHAKE);
	rig_turns(&r, 2);
	assert_int_equal(r.proven, 0);
	rig_turns(&r, 1);
	assert_int_equal(r.proven, 1);
	assert_int_equal(r.mem.handshakes, 4);
	rig_fini(&r);
}

static void
test_data_waits_for_the_turn_after_proven(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.mem.handshake_again = 1;
	r.mem.handshake_want = RK_READ;
	rig_open(&r);
	rig_turns(&r, 3);
	assert_int_equal(r.mem.handshakes, 1); /* it waits for a byte */
	rig_peer_send(&r, "x", 1);
	rig_turns(&r, 1);
	assert_int_equal(r.proven, 1);
	assert_int_equal(r.datas, 0);
	rig_turns(&r, 1);
	assert_int_equal(r.datas, 1);
	rig_fini(&r);
}

static void
test_failed_handshake_keeps_the_words_of_the_layer(void **state)
{
	struct rig r;

	(void)state;
	for (unsigned at = 1; at < 4; at++) {
		rig_init(&r);
		r.mem.handshake_again = 10;
		r.mem.handshake_fail =
		    (struct mem_fail){ .err = RK_EREVOKED, .at = at };
		r.mem.fail_text = "certificate revoked";
		rig_open(&r);
		rig_turns(&r, at);
		rig_check_closed(&r, RK_EREVOKED);
		assert_string_equal(r.why.text, "certificate revoked");
		assert_string_equal(r.why.step, "connect");
		assert_int_equal(r.proven, 0);
		rig_fini(&r);
	}
	rig_init(&r);
	r.mem.handshake_fail = (struct mem_fail){ .err = RK_EIO, .at = 1 };
	rig_open(&r);
	rig_turns(&r, 1);
	rig_check_closed(&r, RK_EIO);
	assert_non_null(r.why.step);
	rig_fini(&r);
}

/* ---- opening that fails ---- */

static bool
query_nothing(struct layer *l, enum layer_query what, void *out)
{
	(void)l;
	(void)what;
	(void)out;
	return false;
}

static unsigned frees;

static void
count_free(struct layer *l)
{
	(void)l;
	frees++;
}

static void
test_open_of_a_stack_without_descriptor(void **state)
{
	static const struct layer_ops ops = {
		.name = "none", .query = query_nothing, .free = count_free
	};
	struct layer layer = { .ops = &ops };
	struct layer *top = &layer;
	struct rig r;

	(void)state;
	rig_init(&r);
	frees = 0;
	assert_int_equal(conn_open(&r.conf, &top, &r.conn), RK_EIO);
	assert_null(top);
	assert_null(r.conn);
	assert_int_equal(frees, 1);
	assert_int_equal(r.closes, 0);
	rig_open(&r);
	rig_fini(&r);
}

static bool
query_name(struct layer *l, enum layer_query what, void *out)
{
	if (what != LAYER_Q_NAME)
		return false;
	*(const char **)out = l->ops->name;
	return true;
}

static void
test_query_goes_down_the_stack(void **state)
{
	static const struct layer_ops mute = { .query = query_nothing };
	static const struct layer_ops low = { .name = "low",
		.query = query_name };
	struct layer bottom = { .ops = &low };
	struct layer top = { .ops = &mute, .below = &bottom };
	const char *name = NULL;
	int fd;

	(void)state;
	assert_true(layer_query(&top, LAYER_Q_NAME, &name));
	assert_string_equal(name, "low");
	assert_false(layer_query(&top, LAYER_Q_FD, &fd));
	assert_false(layer_query(NULL, LAYER_Q_FD, &fd));
	layer_free(NULL);
}

/* ---- ending ---- */

/* state is an enum conn_state as far as DRAINING. */
static void
bring_to(struct rig *r, enum conn_state state)
{
	static uint8_t block[4 << 20];

	rig_init(r);
	r->mem.handshake_again = state == CONN_HANDSHAKE ? 100 : 0;
	r->on_proven = state == CONN_VERIFY ? RIG_NOTHING : RIG_ACCEPT;
	r->conf.max_queue = sizeof(block);
	rig_open(r);
	if (state == CONN_NEW)
		return;
	rig_turns(r, 3);
	if (state == CONN_DRAINING) {
		rig_send(r, block, sizeof(block)); /* more than fits */
		conn_drain(r->conn);
		rig_turns(r, 1);
	}
	assert_int_equal(conn_state(r->conn), state);
}

static void
test_abort_in_every_state(void **state)
{
	struct rig r;

	(void)state;
	for (int s = CONN_NEW; s <= CONN_DRAINING; s++) {
		bring_to(&r, (enum conn_state)s);
		rig_peer_send(&r, "unread", 6);
		abort_with(&r, RK_EDENIED);
		assert_int_equal(rk_loop_wait_ms(r.loop), 0);
		rig_turns(&r, 1);
		rig_check_closed(&r, RK_EDENIED);
		assert_string_equal(r.why.text, "by the test");
		assert_int_equal(r.datas, 0);
		rig_turns(&r, 2);
		rig_fini(&r);
	}
}

/* What has been aborted is told even when the loop never turns again. */
static void
test_abort_then_free_of_the_loop(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	abort_with(&r, RK_EDENIED);
	rk_loop_free(r.loop);
	rig_check_closed(&r, RK_EDENIED);
	r.borrowed = true; /* the loop is gone */
	rig_fini(&r);
}

static void
test_drain_in_every_state(void **state)
{
	struct rig r;

	(void)state;
	for (int s = CONN_NEW; s < CONN_DRAINING; s++) {
		bring_to(&r, (enum conn_state)s);
		conn_drain(r.conn);
		conn_drain(r.conn);
		assert_int_equal(r.closes, 0);
		rig_turns(&r, 1);
		rig_check_closed(&r, RK_ECANCELED);
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
test_end_inside_proven_and_data(void **state)
{
	static const enum rig_act acts[] = { RIG_ABORT, RIG_DRAIN };
	static const enum rk_err codes[] = { RK_EDENIED, RK_ECANCELED };
	struct rig r;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		rig_init(&r);
		r.on_proven = acts[i % 2];
		rig_open(&r);
		rig_peer_send(&r, "x", 1);
		rig_turns(&r, 1);
		rig_check_closed(&r, codes[i % 2]);
		rig_turns(&r, 1);
		assert_int_equal(r.datas, 0);
		rig_fini(&r);

		rig_init(&r);
		r.mem.recv_max = 1; /* many deliveries, but for that */
		r.mem.read_ahead = true;
		r.on_data = acts[i % 2];
		r.use = i < 2 ? NULL : use_none;
		r.conf.max_unused = 0; /* no matter any more */
		rig_open(&r);
		rig_peer_send(&r, "many bytes", 10);
		rig_turns(&r, 2);
		rig_check_closed(&r, codes[i % 2]);
		assert_int_equal(r.datas, 1);
		rig_fini(&r);
	}
}

static void
test_drain_sends_everything_first(void **state)
{
	static uint8_t block[1 << 20];
	static uint8_t back[1 << 20];
	size_t n = 0;
	struct rig r;

	(void)state;
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i * 7 + i / 251);
	for (int held = 0; held < 2; held++) {
		rig_init(&r);
		r.conf.max_queue = sizeof(block);
		r.mem.send_hold = held != 0 ? 50000 : 0;
		rig_start(&r);
		rig_send(&r, block, sizeof(block));
		conn_drain(r.conn);
		assert_int_not_equal(buf_put(conn_out(r.conn), "x", 1), RK_OK);
		conn_flush(r.conn);
		rig_peer_send(&r, "not delivered", 13);
		rig_turns(&r, 1);
		assert_int_equal(r.closes, 0);
		for (n = 0; n < sizeof(back); rig_turns(&r, 1)) {
			n += rig_peer_take(&r, back + n, sizeof(back) - n);
			assert_int_equal(r.datas, 0);
		}
		rig_turns(&r, 1);
		rig_check_closed(&r, RK_ECANCELED);
		assert_memory_equal(back, block, sizeof(back));
		assert_int_equal(rig_peer_take(&r, back, 1), 0);
		rig_fini(&r);
	}
}

/* What has come meanwhile is read, or closing would reset the peer's end. */
static void
test_drain_ends_in_order_for_the_peer(void **state)
{
	struct rig r;
	char back[16];

	(void)state;
	rig_init(&r);
	rig_start(&r);
	rig_send(&r, "bye", 3);
	conn_pause(r.conn, true);
	rig_turns(&r, 1);
	rig_peer_send(&r, "too late", 8);
	conn_drain(r.conn);
	rig_turns(&r, 1);
	rig_check_closed(&r, RK_ECANCELED);
	assert_int_equal(recv(r.peer, back, sizeof(back), 0), 3);
	assert_int_equal(recv(r.peer, back, sizeof(back), 0), 0);
	rig_fini(&r);
}

/* ---- the peer ends ---- */

static size_t
use_and_answer(struct rig *r, const uint8_t *data, size_t len)
{
	rig_send(r, data, len);
	return len;
}

static void
test_end_of_input_delivers_and_answers_first(void **state)
{
	static const size_t limits[] = { 0, 1, 3 };
	struct rig r;
	char back[16];

	(void)state;
	for (size_t i = 0; i < 12; i++) {
		rig_init(&r);
		r.mem.recv_max = limits[i % 3];
		r.mem.read_ahead = i / 3 % 2 != 0;
		r.use = use_and_answer;
		rig_start(&r);
		/* The first try to send fails, so that the end comes before. */
		r.mem.sends = 1;
		r.mem.send_again = i < 6 ? 0 : 2;
		rig_peer_send(&r, "last words", 10);
		assert_int_equal(shutdown(r.peer, SHUT_WR), 0);
		rig_turns(&r, 20);
		rig_check_closed(&r, RK_ECLOSED);
		assert_int_equal(r.used, 10);
		assert_int_equal(rig_peer_take(&r, back, sizeof(back)), 10);
		assert_memory_equal(back, "last words", 10);
		rig_fini(&r);
	}
}

static void
test_end_within_a_message_says_so(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	r.use = use_none;
	rig_start(&r);
	rig_peer_send(&r, "half", 4);
	rig_peer_close(&r);
	rig_turns(&r, 3);
	rig_check_closed(&r, RK_ECLOSED);
	assert_non_null(strstr(r.why.text, "within a message"));
	rig_fini(&r);
}

static void
test_peer_gone_in_every_state(void **state)
{
	struct rig r;

	(void)state;
	for (int s = CONN_NEW; s <= CONN_DRAINING; s++) {
		bring_to(&r, (enum conn_state)s);
		rig_peer_close(&r);
		for (unsigned i = 0; i < 20 && r.closes == 0; i++)
			rig_pass(&r, 60);
		assert_int_equal(r.closes, 1);
		assert_int_not_equal(r.why.code, RK_OK);
		rig_fini(&r);
	}
}

static void
test_layer_errors_end_the_connection(void **state)
{
	struct mem_fail fail = { .err = RK_EPROTO, .at = 1 };
	struct rig r;

	(void)state;
	for (int i = 0; i < 3; i++) {
		rig_init(&r);
		rig_start(&r);
		r.mem.recvs = r.mem.sends = r.mem.flushes = 0;
		if (i == 0)
			r.mem.recv_fail = fail;
		else if (i == 1)
			r.mem.send_fail = fail;
		else
			r.mem.flush_fail = fail;
		if (i == 0)
			rig_peer_send(&r, "x", 1);
		else
			rig_send(&r, "x", 1);
		rig_turns(&r, 1);
		rig_check_closed(&r, RK_EPROTO);
		rig_fini(&r);
	}
}

/* The peer said why before it went: that is delivered, not lost to EPIPE. */
static void
test_send_error_after_last_words(void **state)
{
	struct rig r;

	(void)state;
	rig_init(&r);
	rig_start(&r);
	r.mem.sends = 0;
	r.mem.send_fail = (struct mem_fail){ .err = RK_EIO, .at = 1 };
	r.mem.recv_again = 2; /* the turn's own read comes too early */
	r.mem.recvs = 1;
	rig_peer_send(&r, "because", 7);
	rig_send(&r, "x", 1);
	rig_turns(&r, 1);
	rig_check_closed(&r, RK_EIO);
	assert_int_equal(r.used, 7);
	rig_fini(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_moves_before_accept),
		cmocka_unit_test(test_handshake_takes_turns),
		cmocka_unit_test(test_data_waits_for_the_turn_after_proven),
		cmocka_unit_test(
		    test_failed_handshake_keeps_the_words_of_the_layer),
		cmocka_unit_test(test_open_of_a_stack_without_descriptor),
		cmocka_unit_test(test_query_goes_down_the_stack),
		cmocka_unit_test(test_abort_in_every_state),
		cmocka_unit_test(test_abort_then_free_of_the_loop),
		cmocka_unit_test(test_drain_in_every_state),
		cmocka_unit_test(test_end_inside_proven_and_data),
		cmocka_unit_test(test_drain_sends_everything_first),
		cmocka_unit_test(test_drain_ends_in_order_for_the_peer),
		cmocka_unit_test(test_end_of_input_delivers_and_answers_first),
		cmocka_unit_test(test_end_within_a_message_says_so),
		cmocka_unit_test(test_peer_gone_in_every_state),
		cmocka_unit_test(test_layer_errors_end_the_connection),
		cmocka_unit_test(test_send_error_after_last_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
