/* Streams over every transport: who waits for whom, and every way to end. */
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
ends_early(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_stream *s;
	struct rk_part p = { .payload = { rpcrig_bytes, 100000 } };
	struct rk_error err;
	enum rk_err r;

	streamrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	s = streamrig_open(c, RK_STREAM_UP, "early", "x", 0);
	for (int i = 0; (r = rk_stream_put(s, &p, &err)) == RK_OK; i++)
		assert_in_range(i, 0, 100000);
	assert_int_equal(r, RK_ESTATE);
	streamrig_finish(s, RK_EREMOTE, "that is enough");
	s = streamrig_open(c, RK_STREAM_UP, "never", "x", 0);
	streamrig_finish(s, RK_EREMOTE, "nobody took the stream");
	s = streamrig_open(c, RK_STREAM_DOWN, "atonce", "here", 0);
	streamrig_finish(s, RK_OK, "here");
	s = streamrig_open(c, RK_STREAM_UP, "down", "", 0);
	streamrig_finish(s, RK_EREMOTE, "this method is not for an upload");
	s = streamrig_open(c, RK_STREAM_BOTH, "echo", "", 0);
	streamrig_finish(s, RK_EREMOTE, "this method is no stream: call it");
	s = streamrig_open(c, RK_STREAM_UP, "nosuch", "", 0);
	streamrig_finish(s, RK_ENOMETHOD, NULL);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* A handler that takes nothing stops its sender, and no call. */
static void
holds_back(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_stream *s;
	struct rk_part p = { .payload = { rpcrig_bytes, 50000 } };
	struct rpcanswer a;
	unsigned n = 0;

	if (run->threads > 0)
		return; /* the test touches the stream on loop 0 */
	streamrig_begin(&rig, run);
	c = rpcrig_client(&rig);
	s = streamrig_open(c, RK_STREAM_UP, "stall", "", 0);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	streamrig_await(&streamworld.opened, 1);
	for (int turn = 0; turn < 300; turn++) {
		while (rk_stream_send(s, &p) == RK_OK)
			n++;
		assert_int_equal(rk_stream_room(s), 0);
		rpcrig_call(c, "echo", "x", 1, &a);
	}
	assert_int_equal(atomic_load(&streamworld.parts), 0);
	assert_in_range(
	    n, RK_STREAM_WINDOW / 60000, RK_STREAM_WINDOW / 50000 + 1);
	streamrig_resume(&rig);
	for (int i = 0; i < 100; i++)
		streamrig_put(s, 50000, i == 99);
	streamrig_finish(s, RK_OK, NULL);
	assert_int_equal(atomic_load(&streamworld.parts), n + 100);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* The same the other way: nobody fetches. */
static void
is_held_back(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_stream *s;
	struct rpcanswer a;

	streamrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	s = streamrig_open(c, RK_STREAM_DOWN, "down", "20000000", 0);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	streamrig_await(&streamworld.opened, 1);
	for (int turn = 0; turn < 100; turn++)
		rpcrig_call(c, "echo", "x", 1, &a);
	assert_in_range(atomic_load(&streamworld.bytes), RK_STREAM_WINDOW / 2,
	    RK_STREAM_WINDOW + 50000);
	streamrig_take(s, 20000000);
	streamrig_finish(s, RK_OK, "done");
	rk_client_free(c);
	rpcrig_end(&rig);
}

static void
is_canceled(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_stream *s;
	struct rk_part p = { .payload = { rpcrig_bytes, 10 } };

	streamrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	s = streamrig_open(c, RK_STREAM_UP, "up", "one", 0);
	streamrig_put(s, 10, false);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	streamrig_await(&streamworld.parts, 2);
	rk_stream_cancel(s);
	assert_int_equal(rk_stream_send(s, &p), RK_ESTATE);
	streamrig_finish(s, RK_ECANCELED, NULL);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	streamrig_await(&streamworld.ended, 1);
	assert_int_equal(atomic_load(&streamworld.ended_code), RK_ECANCELED);
	s = streamrig_open(c, RK_STREAM_DOWN, "down", "90000000", 0);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	streamrig_await(&streamworld.opened, 2);
	rk_stream_cancel(s);
	streamrig_finish(s, RK_ECANCELED, NULL);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	streamrig_await(&streamworld.ended, 2);
	rpcrig_check_alive(&rig);
	rk_client_free(c);
	rpcrig_end(&rig);
}

static void
runs_out_of_time(void **state)
{
	struct rk_reply reply;
	enum rk_err r;
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_stream *s;

	streamrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	s = streamrig_open(c, RK_STREAM_UP, "up", "one", 50);
	/* Each end has a clock: the server's word may come first. */
	r = rk_stream_finish(s, &reply, NULL);
	assert_true(r == RK_ETIMEOUT || r == RK_EREMOTE);
	if (r == RK_EREMOTE)
		assert_memory_equal(reply.remote_error.ptr,
		    "the deadline has passed", reply.remote_error.len);
	rk_reply_free(&reply);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	streamrig_await(&streamworld.ended, 1);
	assert_true(atomic_load(&streamworld.ended_code) == RK_ETIMEOUT ||
	            atomic_load(&streamworld.ended_code) == RK_ECANCELED);
	rk_client_free(c);
	rpcrig_end(&rig);
}

static void
dies_with_its_connection(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_stream *s, *left;
	struct rk_error err;
	struct rk_part p;

	streamrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	s = streamrig_open(c, RK_STREAM_UP, "up", "one", 0);
	left = streamrig_open(c, RK_STREAM_BOTH, "both", "", 0);
	assert_non_null(left); /* and goes with the client */
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	streamrig_await(&streamworld.opened, 2);
	rk_client_shutdown(c);
	streamrig_finish(s, RK_ECANCELED, NULL);
	assert_int_equal(rk_stream_next(left, &p, &err), RK_ENOENT);
	streamrig_await(&streamworld.ended, 2);
	assert_int_equal(atomic_load(&streamworld.ended_code), RK_ECLOSED);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* What runs goes on until it is answered, when a server stops. */
static void
outlives_a_stop(void **state)
{
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_stream *s;

	streamrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	s = streamrig_open(c, RK_STREAM_UP, "up", "one", 0);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	streamrig_await(&streamworld.opened, 1);
	rpcrig_stop(&rig, 10000);
	for (int i = 0; i < 50; i++)
		streamrig_put(s, 40000, i == 49);
	streamrig_finish(s, RK_OK, NULL);
	rk_client_free(c); /* which says so: nobody turns its loop any more */
	rpcrig_await_stopped(&rig);
	rpcrig_fini(&rig);
}

/* Before there is a connection the first message waits, parts do not. */
static void
begins_before_the_connection(void **state)
{
	struct rk_client_conf conf;
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_stream *s;
	struct rk_part p = { .payload = { rpcrig_bytes, 10 } };

	streamrig_begin(&rig, *state);
	rpcrig_client_conf(&rig, &conf);
	c = rpcrig_client_with(&conf);
	assert_int_equal(rk_client_start(c, NULL), RK_OK);
	s = streamrig_open(c, RK_STREAM_UP, "up", "one", 0);
	assert_int_equal(rk_stream_send(s, &p), RK_EAGAIN);
	streamrig_put(s, 10, false);
	streamrig_put(s, 0, true);
	streamrig_finish(s, RK_OK, NULL);
	assert_int_equal(atomic_load(&streamworld.bytes), 13);
	rk_client_free(c);
	rpcrig_end(&rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "early end", ends_early, RPC_ALL },
		{ "holds back", holds_back, RPC_SECURE },
		{ "is held back", is_held_back, RPC_SECURE },
		{ "cancel", is_canceled, RPC_ALL },
		{ "deadline", runs_out_of_time, RPC_ALL },
		{ "connection lost", dies_with_its_connection, RPC_ALL },
		{ "before open", begins_before_the_connection, RPC_ALL },
		{ "stop", outlives_a_stop, RPC_ALL },
	};

	return rpcrig_run_cases(
	    "rpc stream end", cases, sizeof(cases) / sizeof(cases[0]));
}
