/* Streams over every transport: parts, their order, and who may send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "streamrig.h"

static void
goes_up(void **state)
{
	static const size_t sizes[] = { 0, 1, 255, 65536, 300000, 7,
		RK_PAYLOAD_MAX };
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_stream *s;
	struct rk_arg arg = { { "k", 1 }, { "v", 1 } };
	struct rk_part p = {
		.subject = { "sub", 3 }, .args = &arg, .n_args = 1, .last = true
	};
	struct rk_error err;
	uint64_t total = 3;
	uint32_t h = streamrig_mix(0, "one", 3);
	char want[128];

	streamrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	s = streamrig_open(c, RK_STREAM_UP, "up", "one", 0);
	for (size_t i = 0; i < 70; i++) {
		size_t n = sizes[i % 7];

		streamrig_put(s, n, false);
		total += n;
		h = streamrig_mix(h, rpcrig_bytes, n);
	}
	assert_int_equal(rk_stream_put(s, &p, &err), RK_OK);
	assert_int_equal(rk_stream_put(s, &p, &err), RK_ESTATE);
	(void)snprintf(want, sizeof(want), "72 %llu %08x sub v",
	    (unsigned long long)total, h);
	streamrig_finish(s, RK_OK, want);
	rk_client_free(c);
	rpcrig_end(&rig);
	assert_int_equal(atomic_load(&streamworld.ended), 0);
}

static void
comes_down(void **state)
{
	static const char *const sizes[] = { "0", "1", "50000", "50001",
		"9000000" };
	struct rpcrig rig;
	struct rk_client *c;

	streamrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	for (size_t i = 0; i < 5; i++) {
		struct rk_stream *s =
		    streamrig_open(c, RK_STREAM_DOWN, "down", sizes[i], 0);

		streamrig_take(s, strtoull(sizes[i], NULL, 10));
		streamrig_finish(s, RK_OK, "done");
	}
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* More than either window at once: both ends must move. */
static void
goes_both_ways(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_stream *s;
	struct rk_part p;
	struct rk_error err;
	size_t got = 0;

	streamrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	s = streamrig_open(c, RK_STREAM_BOTH, "both", "", 0);
	for (int i = 0; i < 200; i++) {
		streamrig_put(s, 30000, i == 199);
		assert_int_equal(rk_stream_next(s, &p, &err), RK_OK);
		got += p.payload.len;
		assert_int_equal(p.last, i == 199);
	}
	assert_int_equal(got, 200 * 30000);
	assert_int_equal(rk_stream_next(s, &p, &err), RK_ENOENT);
	streamrig_finish(s, RK_OK, "bye");
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* ---- the callback form ---- */

struct many {
	struct rk_client *client;
	unsigned done;
	unsigned failed;
	unsigned next;
};

static void
many_part(struct rk_stream *s, const struct rk_part *p, void *arg)
{
	struct many *m = arg;
	uint64_t got = (uint64_t)(uintptr_t)rk_stream_data(s);

	m->failed += memcmp(p->payload.ptr, rpcrig_bytes, p->payload.len) != 0;
	rk_stream_set_data(s, (void *)(uintptr_t)(got + p->payload.len));
}

static void
many_ended(struct rk_stream *s, const struct rk_reply *reply, void *arg)
{
	struct many *m = arg;

	m->failed +=
	    reply->code != RK_OK || (uintptr_t)rk_stream_data(s) != 777777;
	m->done++;
}

static void
many_at_a_time(void **state)
{
	static const struct rk_stream_events events = { .part = many_part,
		.ended = many_ended };
	struct rk_request req = {
		.method = "down", .payload = "777777", .payload_len = 6
	};
	struct many m = { 0 };
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_stream *s;

	streamrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	for (int i = 0; i < 40; i++)
		assert_int_equal(
		    rk_client_stream(c, RK_STREAM_DOWN, &req, &events, &m, &s),
		    RK_OK);
	rpcrig_turn(c, &m.done, 40);
	assert_int_equal(m.failed, 0);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* ---- what a stream is joined to ---- */

static void
on_tick(struct rk_timer *t, void *arg)
{
	unsigned *ticks = arg;

	(void)t;
	(*ticks)++;
}

static void
has_a_loop(void **state)
{
	static const struct rk_stream_events events = { .ended = many_ended };
	struct rk_request req = { .method = "both" };
	struct many m = { 0 };
	struct rk_timer *t;
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_stream *s;
	unsigned ticks = 0;

	streamrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	assert_int_equal(
	    rk_client_stream(c, RK_STREAM_BOTH, &req, &events, &m, &s), RK_OK);
	assert_int_equal(
	    rk_timer_new(rk_stream_loop(s), on_tick, &ticks, &t), RK_OK);
	assert_int_equal(
	    rk_timer_set(t, rk_loop_now(rk_stream_loop(s)) + 1), RK_OK);
	rpcrig_turn(c, &ticks, 1);
	rk_timer_free(t);
	rk_client_free(c);
	assert_int_equal(m.done, 1);
	rpcrig_end(&rig);
}

/* Who asks about a method is told how it streams; of a call, nothing. */
static void
is_described(void **state)
{
	static const struct {
		const char *name, *streams;
	} all[] = {
		{ "up", "\xa7streams\xa2up" },
		{ "down", "\xa7streams\xa4"
		          "down" },
		{ "both", "\xa7streams\xa4"
		          "both" },
		{ "atonce", "\xa7streams\xa7up down" },
		{ "echo", NULL },
	};
	struct rpcrig rig;
	struct rk_client *c;
	struct rpcanswer a;

	streamrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		const char *want = all[i].streams;

		rpcrig_call(
		    c, "_.describe", all[i].name, strlen(all[i].name), &a);
		if (want == NULL)
			assert_null(memmem(a.text, a.len, "streams", 7));
		else
			assert_non_null(
			    memmem(a.text, a.len, want, strlen(want)));
	}
	rk_client_free(c);
	rpcrig_end(&rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "up", goes_up, RPC_ALL },
		{ "down", comes_down, RPC_ALL },
		{ "both ways", goes_both_ways, RPC_ALL },
		{ "many", many_at_a_time, RPC_ALL },
		{ "loop", has_a_loop, RPC_ALL },
		{ "described", is_described, RPC_ALL },
	};

	return rpcrig_run_cases(
	    "rpc stream", cases, sizeof(cases) / sizeof(cases[0]));
}
