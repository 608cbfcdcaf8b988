/* A connection under test: over a memlayer, on a real loop and a fake clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "connrig.h"
#include "net/loop.h"

static uint64_t
fake_now(void *arg)
{
	return ((struct rig *)arg)->now;
}

static void
act(struct rig *r, enum rig_act what)
{
	struct rk_error why = { 0 };

	switch (what) {
	case RIG_NOTHING:
		break;
	case RIG_ACCEPT:
		conn_accept(r->conn);
		break;
	case RIG_ABORT:
		(void)err_set(&why, RK_EDENIED, "by the test");
		conn_abort(r->conn, &why);
		break;
	case RIG_DRAIN:
		conn_drain(r->conn);
		break;
	}
	assert_int_equal(r->closes, 0); /* never from inside */
}

static void
on_proven(struct conn *c, void *arg)
{
	struct rig *r = arg;

	assert_ptr_equal(c, r->conn);
	assert_int_equal(conn_state(c), CONN_VERIFY);
	assert_int_equal(r->proven++, 0);
	act(r, r->on_proven);
}

static size_t
on_data(struct conn *c, const uint8_t *data, size_t len, void *arg)
{
	struct rig *r = arg;
	size_t used;

	assert_ptr_equal(c, r->conn);
	assert_int_equal(conn_state(c), CONN_OPEN);
	assert_true(len > 0);
	assert_int_equal(r->closes, 0);
	r->datas++;
	used = r->use == NULL ? len : r->use(r, data, len);
	assert_true(used <= len);
	r->used += used;
	assert_int_equal(buf_put(&r->got, data, used), RK_OK);
	act(r, r->on_data);
	return used;
}

static void
on_room(struct conn *c, void *arg)
{
	struct rig *r = arg;

	assert_ptr_equal(c, r->conn);
	assert_int_equal(conn_state(c), CONN_OPEN);
	assert_int_equal(r->closes, 0);
	r->rooms++;
	if (r->more != NULL)
		r->more(r);
	act(r, r->on_room);
}

static void
on_gone(struct conn *c, void *arg)
{
	struct rig *r = arg;

	assert_ptr_equal(c, r->conn);
	assert_int_equal(r->closes, 0);
	assert_true(conn_gone(c) > r->gone);
	assert_true(conn_gone(c) <= conn_queued(c));
	r->gone = conn_gone(c);
	r->gones++;
}

/* Everything but the free is still legal here, and has no effect. */
static void
on_closed(struct conn *c, const struct rk_error *why, void *arg)
{
	struct rig *r = arg;
	const char *name = NULL;
	struct rk_error other = { .code = RK_EFAIL };

	assert_ptr_equal(c, r->conn);
	assert_int_equal(conn_state(c), CONN_CLOSED);
	assert_int_equal(r->closes++, 0);
	assert_true(why->text[0] != '\0');
	assert_true(conn_query(c, LAYER_Q_NAME, &name));
	assert_string_equal(name, "mem");
	r->why = *why;
	conn_accept(c);
	conn_flush(c);
	conn_pause(c, true);
	conn_pause(c, false);
	conn_set_busy(c, true);
	conn_drain(c);
	conn_abort(c, &other);
	assert_false(conn_has_room(c));
	assert_int_not_equal(buf_put(conn_out(c), "x", 1), RK_OK);
	assert_int_equal(why->code, r->why.code);
	r->conn = NULL;
}

static const struct conn_events events = {
	.proven = on_proven,
	.data = on_data,
	.room = on_room,
	.gone = on_gone,
	.closed = on_closed,
};

static void
init(struct rig *r, struct rk_loop *loop)
{
	r->loop = loop;
	r->peer = -1;
	r->on_proven = RIG_ACCEPT;
	buf_init(&r->got, SIZE_MAX / 2);
	r->conf = (struct conn_conf){
		.loop = loop,
		.events = &events,
		.arg = r,
		.timeouts = {
			.handshake = 100,
			.read = 200,
			.write = 300,
			.idle = 1000,
		},
		.max_queue = 65536,
		.max_unused = 100000,
	};
	conn_default_timeouts(&r->conf.timeouts);
}

void
rig_init(struct rig *r)
{
	struct rk_loop *loop;

	*r = (struct rig){ .now = 5000 };
	assert_int_equal(rk_loop_new(&loop), RK_OK);
	loop_set_clock(loop, fake_now, r);
	init(r, loop);
}

void
rig_init_with(struct rig *r, const struct rig *other)
{
	*r = (struct rig){ .borrowed = true };
	init(r, other->loop);
}

void
rig_open_with(struct rig *r, struct layer **top)
{
	assert_int_equal(conn_open(&r->conf, top, &r->conn), RK_OK);
	assert_null(*top);
	assert_int_equal(conn_state(r->conn), CONN_NEW);
}

void
rig_open(struct rig *r)
{
	struct layer *top;

	mem_layer(&r->mem, &top, &r->peer);
	rig_open_with(r, &top);
}

void
rig_start(struct rig *r)
{
	rig_open(r);
	rig_turns(r, 2);
	assert_int_equal(r->proven, 1);
	assert_int_equal(conn_state(r->conn), CONN_OPEN);
}

void
rig_fini(struct rig *r)
{
	struct rk_error why = { 0 };

	if (r->conn != NULL) {
		(void)err_set(&why, RK_ECANCELED, "end of the test");
		conn_abort(r->conn, &why);
		rig_turns(r, 1);
		assert_null(r->conn);
	}
	assert_int_equal(r->closes, 1);
	assert_int_equal(r->mem.closes, 1);
	assert_int_equal(r->mem.frees, 1);
	rig_peer_close(r);
	buf_fini(&r->got);
	if (!r->borrowed)
		rk_loop_free(r->loop);
}

void
rig_turns(struct rig *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(rk_loop_step(r->loop, 0), RK_OK);
}

void
rig_pass(struct rig *r, uint64_t ms)
{
	r->now += ms;
	rig_turns(r, 1);
}

void
rig_check_sleeps(const struct rig *r)
{
	struct pollfd p = { .fd = rk_loop_fd(r->loop), .events = POLLIN };

	assert_int_equal(poll(&p, 1, 0), 0);
	assert_int_not_equal(rk_loop_wait_ms(r->loop), 0);
}

void
rig_peer_send(struct rig *r, const void *data, size_t len)
{
	assert_int_equal(send(r->peer, data, len, MSG_NOSIGNAL), len);
}

size_t
rig_peer_take(struct rig *r, void *dst, size_t cap)
{
	uint8_t *p = dst;
	size_t n = 0;
	ssize_t got = 1;

	while (n < cap && got > 0) {
		got = recv(r->peer, p + n, cap - n, 0);
		if (got > 0)
			n += (size_t)got;
	}
	return n;
}

void
rig_peer_close(struct rig *r)
{
	if (r->peer >= 0)
		(void)close(r->peer); /* nothing can be lost */
	r->peer = -1;
}

uint8_t
rig_pattern(size_t i)
{
	return (uint8_t)(i * 31 + i / 255 + (i >> 16));
}

void
rig_fill(uint8_t *dst, size_t len, size_t from)
{
	for (size_t i = 0; i < len; i++)
		dst[i] = rig_pattern(from + i);
}

void
rig_send(struct rig *r, const void *data, size_t len)
{
	assert_int_equal(buf_put(conn_out(r->conn), data, len), RK_OK);
	conn_flush(r->conn);
}

void
rig_check_closed(const struct rig *r, enum rk_err code)
{
	assert_null(r->conn);
	assert_int_equal(r->closes, 1);
	assert_int_equal(r->why.code, code);
	assert_int_equal(r->mem.closes, 1);
	assert_int_equal(r->mem.frees, 1);
}
