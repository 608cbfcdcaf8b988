/* Callers that go while they are not read from: what runs for them is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>

#include "rpc/client_int.h"
#include "rpc/stream.h"

#include "rawpeer.h"
#include "streamrig.h"

#define PART 65536

static void
add(struct buf *b, int64_t type, int64_t part, size_t len)
{
	struct msg m = {
		.hdr = {
		    .type = type,
		    .to_service = { "stall", 5 },
		    .seqno = 3,
		    .stream_part = part,
		},
		.payload = { rpcrig_bytes, len },
	};

	assert_int_equal(msg_encode(b, &m, NULL, 0), RK_OK);
}

/* An upload of so many bytes that nobody takes, as Go peers send one; how many
 * the kernels took. */
static size_t
upload(int fd, size_t len, size_t least)
{
	struct buf b;
	size_t n;

	buf_init(&b, SIZE_MAX);
	add(&b, RK_TYPE_UPLOAD_BEGIN, 0, PART);
	for (int64_t part = 1; (size_t)part * PART < len; part++)
		add(&b, RK_TYPE_UPLOAD_MORE, part, PART);
	n = raw_put_some(fd, buf_peek(&b), buf_len(&b), least);
	buf_fini(&b);
	return n;
}

static void
reset(int fd)
{
	const struct linger now = { .l_onoff = 1 };

	assert_int_equal(
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	raw_close(fd);
}

enum way {
	RESETS, /* is seen whatever lies before it */
	ENDS,   /* with what has arrived */
	FULL    /* the end waits behind what its system still has */
};

static void
missed_behind_parts(void **state, enum way way)
{
	const size_t len = way == ENDS ? (size_t)9 << 20 : (size_t)24 << 20;
	struct rpcrig rig;
	unsigned ended;
	size_t n;
	int fd;

	streamrig_begin(&rig, *state);
	ended = atomic_load(&streamworld.ended);
	fd = way == ENDS ? raw_dial(&rig) : raw_dial_narrow(&rig);
	n = upload(fd, len, way == ENDS ? len : STREAMS_QUEUE_MAX);
	if (way != ENDS)
		assert_true(n < len);
	assert_int_equal(atomic_load(&streamworld.ended), ended);
	if (way == RESETS)
		reset(fd);
	else
		raw_close(fd);
	streamrig_await(&streamworld.ended, ended + 1);
	assert_int_equal(atomic_load(&streamworld.ended_code), RK_ECLOSED);
	rpcrig_await_conns(&rig, 0);
	rpcrig_end(&rig);
}

static void
missed_by_reset(void **state)
{
	missed_behind_parts(state, RESETS);
}

static void
missed_by_end(void **state)
{
	missed_behind_parts(state, ENDS);
}

static void
missed_by_signs(void **state)
{
	missed_behind_parts(state, FULL);
}

/* Who has only said all, and waits for answers, is not gone. */
static void
finished_is_not_gone(void **state)
{
	struct rpcrig rig;
	struct msg m = { 0 };
	struct buf b;
	int fd, other;

	rpcrig_init(&rig, ((const struct rpcrun *)*state)->kind, 0);
	rig.conf.max_calls = 2;
	rpcrig_start(&rig);
	buf_init(&b, SIZE_MAX);
	fd = raw_dial(&rig);
	for (uint64_t i = 0; i < 3; i++)
		raw_call(&b, "hold", i + 1, "x", 1);
	raw_put(fd, buf_peek(&b), buf_len(&b));
	rpcrig_await(&rig, &rig.n_held, 2);
	raw_finish(fd);
	/* The same of another, who then does go: the end came before. */
	other = raw_dial(&rig);
	raw_put(other, buf_peek(&b), buf_len(&b));
	rpcrig_await(&rig, &rig.n_held, 4);
	reset(other);
	rpcrig_await(&rig, &rig.n_canceled, 2);
	assert_false(rpcrig_held(&rig, 0).canceled);
	assert_false(rpcrig_held(&rig, 1).canceled);
	assert_int_equal(rpcrig_held(&rig, 2).why, RK_CANCEL_CLOSED);
	rpcrig_answer(&rig, 0, NULL, "y", 1);
	do
		raw_get(fd, &m);
	while (m.hdr.type == RK_TYPE_KEEPALIVE);
	assert_int_equal(m.hdr.type, RK_TYPE_REPLY);
	assert_int_equal(m.hdr.seqno, 1);
	raw_close(fd);
	buf_fini(&b);
	for (unsigned i = 1; i < rpcrig_get(&rig, &rig.n_held); i++)
		rpcrig_answer(&rig, i, NULL, NULL, 0);
	rpcrig_end(&rig);
}

/* A client of ours, that goes with a call which waits for others. */
static void
missed_behind_calls(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcanswer a[3] = { { 0 } };
	struct rk_client *c;
	struct rpcrig rig;

	rpcrig_init(&rig, run->kind, run->threads);
	rig.conf.max_calls = 2;
	rpcrig_start(&rig);
	c = rpcrig_client(&rig);
	for (size_t i = 0; i < 3; i++)
		(void)rpcrig_submit(c, "hold", NULL, 0, &a[i]);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	rpcrig_await(&rig, &rig.n_held, 2);
	assert_int_equal(rpcrig_get(&rig, &rig.n_canceled), 0);
	rk_client_free(c);
	rpcrig_await(&rig, &rig.n_canceled, 2);
	for (unsigned i = 0; i < 2; i++)
		assert_true(rpcrig_held(&rig, i).canceled);
	for (unsigned i = 0; i < 2; i++)
		rpcrig_answer(&rig, i, NULL, NULL, 0);
	rpcrig_await_conns(&rig, 0);
	rpcrig_end(&rig);
}

/* ---- what the log says ---- */

#define MANY 48
#define LINES_MAX 10 /* a second */

/* Who says that it does not believe us any more chooses when, and how often:
 * that is no decision of ours, and fills no log. */
static void
refused_by_peers(void **state)
{
	static const char refuses[] = ": closed: the peer ";
	const struct rk_error why = { .code = RK_EDENIED, .text = "no more" };
	struct rk_client *clients[MANY];
	struct rpcrig rig;
	uint64_t begun;
	unsigned lines;

	rpcrig_begin(&rig, *state);
	for (size_t i = 0; i < MANY; i++)
		clients[i] = rpcrig_client(&rig);
	rpcrig_await_conns(&rig, MANY);
	rpclog_start();
	begun = rpcrig_now();
	for (size_t i = 0; i < MANY; i++) {
		session_abort(clients[i]->session, &why);
		assert_int_equal(rk_loop_step(clients[i]->loop, 0), RK_OK);
	}
	rpcrig_await_conns(&rig, 0);
	lines = rpclog_count(RK_LOG_INFO, refuses);
	assert_in_range(lines, 1, MANY);
	assert_true(lines <= LINES_MAX * (2 + (rpcrig_now() - begun) / 1000));
	rpclog_stop();
	for (size_t i = 0; i < MANY; i++)
		rk_client_free(clients[i]);
	rpcrig_end(&rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "gone behind parts, by a reset", missed_by_reset,
		    RPC_ONLY(RPC_TCP) },
		{ "gone behind parts, by its end", missed_by_end,
		    RPC_ONLY(RPC_TCP) },
		{ "gone behind parts, by signs", missed_by_signs,
		    RPC_ONLY(RPC_TCP) },
		{ "finished is not gone", finished_is_not_gone,
		    RPC_ONLY(RPC_TCP) },
		{ "gone behind calls", missed_behind_calls, RPC_ALL },
		{ "refused by peers", refused_by_peers,
		    RPC_ONLY(RPC_QUIC) | RPC_ONLY(RPC_SSH) },
	};

	return rpcrig_run_cases(
	    "gone", cases, sizeof(cases) / sizeof(cases[0]));
}
