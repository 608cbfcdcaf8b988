/* Long messages over QUIC, beside short ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rpckit/rpckit.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rpcrig.h"

#define LONG_LEN 1200000
#define LONGS 20 /* more than may be under way */
#define APARTS 2 /* as many as surely go apart at a time */
#define SHORTS 100
#define PATIENCE_MS 60000

struct trial {
	struct rk_loop *loop;
	struct rk_server *server;
	struct rk_client *client;
	char url[128];
	unsigned longs;
	unsigned shorts;
	unsigned longs_at_last_short;
	unsigned handled;
	unsigned canceled;
	bool stopped;
};

static void
echo(struct rk_call *call, void *arg)
{
	struct rk_bytes p = rk_call_payload(call);
	struct trial *t = arg;

	t->handled++;
	(void)rk_call_reply(call, p.ptr, p.len); /* the caller may be gone */
}

static void
begin(struct trial *t, unsigned max_calls)
{
	const struct rk_method methods[] = {
		{ .name = "echo", .fn = echo, .arg = t },
	};
	struct rk_server_conf conf = {
		.size = sizeof(conf),
		.ident = rpcworld.node,
		.max_calls = max_calls,
	};
	struct rk_client_conf cc = {
		.size = sizeof(cc),
		.ident = rpcworld.client,
		.call_timeout = PATIENCE_MS,
		.max_queue = (size_t)64 << 20,
	};

	*t = (struct trial){ 0 };
	assert_int_equal(rk_loop_new(&t->loop), RK_OK);
	cc.loop = conf.loop = t->loop;
	assert_int_equal(rk_server_new(&conf, &t->server, NULL), RK_OK);
	assert_int_equal(
	    rk_server_methods(t->server, methods, 1, NULL, NULL, NULL), RK_OK);
	assert_int_equal(
	    rk_server_listen(t->server, "quic://127.0.0.1:0", t->url, NULL),
	    RK_OK);
	assert_int_equal(rk_server_start(t->server, NULL), RK_OK);
	cc.url = t->url;
	assert_int_equal(rk_client_new(&cc, &t->client, NULL), RK_OK);
	assert_int_equal(rk_client_start(t->client, NULL), RK_OK);
	while (rk_client_peer(t->client) == NULL)
		assert_int_equal(rk_loop_step(t->loop, 100), RK_OK);
}

static void
on_stopped(void *arg)
{
	((struct trial *)arg)->stopped = true;
}

static void
end(struct trial *t)
{
	rk_client_free(t->client);
	rk_server_stop(t->server, 1000, on_stopped, t);
	while (!t->stopped)
		assert_int_equal(rk_loop_step(t->loop, 100), RK_OK);
	rk_server_free(t->server);
	rk_loop_free(t->loop);
}

/* Every byte tells where it is and in which message. */
static uint8_t
byte_at(uint32_t n, size_t i)
{
	return (uint8_t)(n * 131 + i * 7 + (i >> 8));
}

static void
on_long(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct trial *t = arg;
	uint32_t n;

	(void)c;
	if (reply->code == RK_ECANCELED) {
		t->canceled++;
		return;
	}
	assert_int_equal(reply->code, RK_OK);
	assert_int_equal(reply->payload.len, LONG_LEN);
	memcpy(&n, reply->payload.ptr, sizeof(n));
	for (size_t i = sizeof(n); i < LONG_LEN; i++)
		assert_int_equal(reply->payload.ptr[i], byte_at(n, i));
	t->longs++;
}

static void
on_short(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct trial *t = arg;

	(void)c;
	assert_int_equal(reply->code, RK_OK);
	assert_int_equal(reply->payload.len, 5);
	t->shorts++;
	t->longs_at_last_short = t->longs;
}

static uint64_t
submit_long(struct trial *t, uint32_t n)
{
	uint64_t id;
	uint8_t *p = malloc(LONG_LEN);
	struct rk_request r = {
		.method = "echo",
		.payload = p,
		.payload_len = LONG_LEN,
	};

	assert_non_null(p);
	for (size_t i = 0; i < LONG_LEN; i++)
		p[i] = byte_at(n, i);
	memcpy(p, &n, sizeof(n));
	assert_int_equal(
	    rk_client_submit(t->client, &r, on_long, t, &id), RK_OK);
	free(p);
	return id;
}

static void
submit_short(struct trial *t)
{
	struct rk_request r = {
		.method = "echo",
		.payload = "hello",
		.payload_len = 5,
	};

	assert_int_equal(
	    rk_client_submit(t->client, &r, on_short, t, NULL), RK_OK);
}

static void
run_until(struct trial *t, unsigned longs, unsigned shorts)
{
	uint64_t limit = rk_loop_now(t->loop) + PATIENCE_MS;

	while (t->longs < longs || t->shorts < shorts) {
		assert_int_equal(rk_loop_step(t->loop, 100), RK_OK);
		assert_true(rk_loop_now(t->loop) < limit);
	}
}

/* More at a time than the peer grants, and than may run: those go in the queue
 * of all, or wait. */
static void
brings_all_of_many(void **state)
{
	struct trial t;

	(void)state;
	begin(&t, 3);
	for (uint32_t i = 0; i < LONGS; i++)
		(void)submit_long(&t, i);
	for (int i = 0; i < SHORTS; i++)
		submit_short(&t);
	run_until(&t, LONGS, SHORTS);
	end(&t);
}

static void
lets_short_ones_pass(void **state)
{
	struct trial t;

	(void)state;
	begin(&t, 0);
	/* Two that are under way when the short ones are sent. */
	(void)submit_long(&t, 1);
	(void)submit_long(&t, 2);
	assert_int_equal(rk_loop_step(t.loop, 100), RK_OK);
	for (int i = 0; i < SHORTS; i++)
		submit_short(&t);
	run_until(&t, 2, SHORTS);
	assert_true(t.longs_at_last_short < 2);
	end(&t);
}

/* An orderly end waits for what goes apart as for the rest. */
static void
delivers_before_the_end(void **state)
{
	struct trial t;

	(void)state;
	begin(&t, 0);
	(void)submit_long(&t, 3);
	run_until(&t, 1, 0);
	(void)submit_long(&t, 4);
	end(&t);
	assert_int_equal(t.longs, 1);
	assert_int_equal(t.canceled, 1);
	assert_int_equal(t.handled, 2);
}

/* A cancel is short, and there before its call: that is never begun. */
static void
hears_the_cancel_first(void **state)
{
	struct trial t;
	uint64_t id;

	(void)state;
	begin(&t, 0);
	for (unsigned i = 1; i <= APARTS; i++) {
		id = submit_long(&t, i);
		assert_int_equal(rk_client_cancel(t.client, id), RK_OK);
		submit_short(&t);
		run_until(&t, 0, i); /* the cancel came, too */
		assert_int_equal(t.handled, i);
		assert_int_equal(t.canceled, i);
	}
	/* By now the last of them has come. */
	(void)submit_long(&t, 100);
	run_until(&t, 1, APARTS);
	assert_int_equal(t.handled, APARTS + 1);
	end(&t);
	assert_int_equal(t.handled, APARTS + 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(brings_all_of_many),
		cmocka_unit_test(lets_short_ones_pass),
		cmocka_unit_test(delivers_before_the_end),
		cmocka_unit_test(hears_the_cancel_first),
	};

	return cmocka_run_group_tests(tests, rpcworld_setup, rpcworld_teardown);
}
