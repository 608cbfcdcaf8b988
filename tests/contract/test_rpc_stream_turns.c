/* Streams that share a connection: turns, windows, and who comes late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "rawpeer.h"
#include "streamrig.h"

static void
add(struct buf *b, int64_t type, const char *method, uint64_t seqno,
    int64_t part, const char *payload)
{
	struct msg m = {
		.hdr = {
		    .type = type,
		    .to_service = { method, strlen(method) },
		    .seqno = seqno,
		    .stream_part = part,
		},
		.payload = { (const uint8_t *)payload, strlen(payload) },
	};

	assert_int_equal(msg_encode(b, &m, NULL, 0), RK_OK);
}

/* Nobody's window ends before the connection's does: each gets its share of
 * what a slow reader takes. */
static void
all_take_turns(void **state)
{
	size_t got[3] = { 0 };
	size_t total = 0;
	struct rpcrig rig;
	struct buf b;
	int fd;

	streamrig_begin(&rig, *state);
	buf_init(&b, SIZE_MAX);
	fd = raw_dial(&rig);
	for (uint64_t i = 0; i < 3; i++)
		add(&b, RK_TYPE_DOWNLOAD, "down", 10 + i, 0, "900000000");
	raw_put(fd, buf_peek(&b), buf_len(&b));
	while (total < 60000000) {
		struct msg m = { 0 };

		raw_get(fd, &m);
		assert_in_range(m.hdr.seqno, 10, 12);
		got[m.hdr.seqno - 10] += m.payload.len;
		total += m.payload.len;
	}
	for (size_t i = 0; i < 3; i++) {
		if (got[i] < total / 6)
			fail_msg(
			    "stream %zu: %zu of %zu bytes", i, got[i], total);
	}
	raw_close(fd);
	buf_fini(&b);
	streamrig_await(&streamworld.ended, 3);
	rpcrig_end(&rig);
}

/* As many as fill more than all parts of strangers may: calls pass. */
#define CROWD 12

static void
a_crowd_that_waits(void **state)
{
	const struct rpcrun *run = *state;
	struct rk_stream *s[CROWD];
	struct rk_part p = { .payload = { rpcrig_bytes, 60000 } };
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a;
	unsigned sent = 0;

	streamrig_begin(&rig, run);
	c = rpcrig_client(&rig);
	for (unsigned i = 0; i < CROWD; i++)
		s[i] = streamrig_open(c, RK_STREAM_UP, "stall", "", 0);
	for (int turn = 0; turn < 400; turn++) {
		for (unsigned i = 0; i < CROWD; i++)
			sent += rk_stream_send(s[i], &p) == RK_OK;
		rpcrig_call(c, "echo", "x", 1, &a);
	}
	assert_in_range(sent, CROWD * 17, CROWD * 18);
	for (unsigned i = 0; i < CROWD; i++) {
		assert_int_equal(rk_stream_send(s[i], &p), RK_EAGAIN);
		rk_stream_cancel(s[i]);
		streamrig_finish(s[i], RK_ECANCELED, NULL);
	}
	streamrig_await(&streamworld.ended, CROWD);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* The part that ends a stream may be one that had to wait. */
static void
the_last_part_waited(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_stream *s;

	if (run->threads > 0)
		return; /* the test touches the stream on loop 0 */
	streamrig_begin(&rig, run);
	c = rpcrig_client(&rig);
	s = streamrig_open(c, RK_STREAM_UP, "stall", "", 0);
	for (int i = 0; i < 3; i++)
		streamrig_put(s, 60000, i == 2);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	rpcrig_check_alive(&rig);
	streamrig_await(&streamworld.opened, 1);
	streamrig_resume(&rig);
	streamrig_finish(s, RK_OK, NULL);
	rk_client_free(c);
	rpcrig_end(&rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "turns", all_take_turns, RPC_ONLY(RPC_TCP) },
		{ "crowd", a_crowd_that_waits, RPC_SECURE },
		{ "last waited", the_last_part_waited, RPC_ALL },
	};

	return rpcrig_run_cases(
	    "rpc stream turns", cases, sizeof(cases) / sizeof(cases[0]));
}
