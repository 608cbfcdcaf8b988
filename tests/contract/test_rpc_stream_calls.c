/* Calls beside a bulk stream of the same connection: they do not wait for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "streamrig.h"

#define CALLS 10
/* What may come, or go, before a call's answer does: what both kernels hold on
 * a connection, and what is sent ahead.  The stream has much more.
 */
#define BEFORE ((uint64_t)8 << 20)

struct bulk {
	uint64_t bytes; /* that came, or were given to the stream */
	unsigned warm;  /* it is under way */
	unsigned ended;
};

static void
count(struct bulk *b, size_t n)
{
	b->bytes += n;
	b->warm = b->bytes >= 2 * BEFORE;
}

static void
on_part(struct rk_stream *s, const struct rk_part *p, void *arg)
{
	struct bulk *b = arg;

	(void)s;
	count(b, p->payload.len);
}

static void
fill(struct rk_stream *s, void *arg)
{
	const struct rk_part part = { .payload = { rpcrig_bytes, 50000 } };
	struct bulk *b = arg;

	while (rk_stream_send(s, &part) == RK_OK)
		count(b, 50000);
}

static void
on_ended(struct rk_stream *s, const struct rk_reply *reply, void *arg)
{
	struct bulk *b = arg;

	(void)s;
	(void)reply;
	b->ended++;
}

static const struct rk_stream_events events = { on_part, fill, on_ended };

/* The stream is under way before the first, and still is after the last. */
static void
calls_pass(struct rk_client *c, struct bulk *b)
{
	uint64_t most = 0;

	rpcrig_turn(c, &b->warm, 1);
	for (int i = 0; i < CALLS; i++) {
		struct rpcanswer a = { 0 };
		uint64_t before = b->bytes;

		(void)rpcrig_submit(c, "echo", "x", 1, &a);
		rpcrig_turn(c, &a.n, 1);
		assert_int_equal(a.code, RK_OK);
		if (b->bytes - before > most)
			most = b->bytes - before;
	}
	assert_int_equal(b->ended, 0);
	assert_true(most < BEFORE);
}

static void
run(void **state, enum rk_stream_kind kind)
{
	struct rk_request req = { .method = "up", .timeout = RK_NEVER };
	struct bulk b = { 0 };
	struct rk_stream *s;
	struct rpcrig rig;
	struct rk_client *c;

	if (kind == RK_STREAM_DOWN) {
		req.method = "down";
		req.payload = "20000000000";
		req.payload_len = 11;
	}
	streamrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	assert_int_equal(
	    rk_client_stream(c, kind, &req, &events, &b, &s), RK_OK);
	if (kind == RK_STREAM_UP)
		fill(s, &b);
	calls_pass(c, &b);
	rk_stream_cancel(s);
	rpcrig_turn(c, &b.ended, 1);
	rk_client_free(c);
	rpcrig_end(&rig);
}

static void
pass_what_comes(void **state)
{
	run(state, RK_STREAM_DOWN);
}

static void
pass_what_goes(void **state)
{
	run(state, RK_STREAM_UP);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "down", pass_what_comes, RPC_ALL },
		{ "up", pass_what_goes, RPC_ALL },
	};

	return rpcrig_run_cases(
	    "rpc stream calls", cases, sizeof(cases) / sizeof(cases[0]));
}
