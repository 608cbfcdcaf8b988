/* Every allocation of the library fails in turn: an error, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failmalloc.h"
#include "rpc/frame.h"
#include "rpc/msg.h"
#include "rpc/s2.h"
#include "rpcrig.h"
#include "scratch.h"
#include "typedfill.h"

#include <rpckit/channel.h>
#include <rpckit/store.h>
#include <rpckit/value.h>

#include <unistd.h>

/* Something that allocates, and gives all of it back. */
typedef enum rk_err scene_fn(void *arg);

/* One that is open and was not closed changes it. */
static int
lowest_descriptor(void)
{
	int fd = dup(STDIN_FILENO);

	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	return fd;
}

/*
 * Until no allocation of it is left to fail.  Strictly: each ends it with
 * RK_ENOMEM; else some may be done without, or fail it as something else that
 * is gone.
 */
static void
play(scene_fn *scene, bool strict, void *arg)
{
	int descriptor = lowest_descriptor();
	unsigned refused = 0;
	enum rk_err r;
	bool hit;
	size_t n = 0;

	do {
		failmalloc_arm(++n);
		r = scene(arg);
		hit = failmalloc_disarm();
		if (hit && strict && r != RK_ENOMEM)
			fail_msg("allocation %zu: %s", n, rk_err_text(r));
		refused += r == RK_ENOMEM;
	} while (hit);
	assert_int_equal(r, RK_OK);
	print_message("%zu allocations, %u refused\n", n - 1, refused);
	assert_true(refused > 0);
	assert_int_equal(lowest_descriptor(), descriptor);
}

/* ---- bytes ---- */

/* [{"a":[1,"two",3.0,nil],"b":"long enough to be no short string"}] */
static const uint8_t tree[] = "\x91\x82\xa1\x61\x94\x01\xa3two\xcb\x40\x08\0\0"
                              "\0\0\0\0\xc0\xa1\x62\xd9\x21"
                              "long enough to be no short string";

static enum rk_err
value_scene(void *arg)
{
	struct rk_value_doc *doc = NULL;
	uint8_t *bytes = NULL;
	size_t len;
	enum rk_err r;

	(void)arg;
	r = rk_value_decode(tree, sizeof(tree) - 1, &doc);
	if (r == RK_OK)
		r = rk_value_encode(rk_value_root(doc), &bytes, &len);
	free(bytes);
	rk_value_free(doc);
	return r;
}

static enum rk_err
message_scene(void *arg)
{
	static const struct rk_arg args[] = { { { "k", 1 }, { "v", 1 } } };
	const struct msg m = {
		.hdr = { .type = RK_TYPE_CALL, .to_service = { "a.b", 3 } },
		.payload = { rpcrig_bytes, 10000 },
	};
	struct msg got, kept;
	void *memory = NULL;
	struct frame f;
	struct buf b;
	enum rk_err r;

	(void)arg;
	buf_init(&b, SIZE_MAX);
	r = msg_encode(&b, &m, args, 1);
	if (r == RK_OK)
		r = frame_split(buf_peek(&b), buf_len(&b), &f, NULL, NULL);
	if (r == RK_OK)
		r = msg_decode(f.body.ptr, f.body.len, &got, NULL);
	if (r == RK_OK)
		r = msg_keep(&got, &kept, &memory);
	free(memory);
	buf_fini(&b);
	return r;
}

static enum rk_err
typed_scene(void *arg)
{
	struct rk_bytes *in = arg;
	uint8_t *bytes = NULL;
	struct every e;
	size_t len;
	enum rk_err r;

	r = rk_typed_decode(&every_record, in->ptr, in->len, &e, NULL);
	if (r != RK_OK)
		return r;
	r = rk_typed_encode(&every_record, &e, &bytes, &len, NULL);
	free(bytes);
	rk_typed_free(&every_record, &e);
	return r;
}

static void
test_bytes(void **state)
{
	uint64_t seed = 5;
	struct rk_bytes in;
	struct every e;
	uint8_t *bytes;
	size_t len;

	(void)state;
	play(value_scene, true, NULL);
	play(message_scene, true, NULL);
	typedfill_every(&e, &seed);
	assert_int_equal(
	    rk_typed_encode(&every_record, &e, &bytes, &len, NULL), RK_OK);
	in = (struct rk_bytes){ bytes, len };
	play(typed_scene, true, &in);
	free(bytes);
	rk_typed_free(&every_record, &e);
}

/* ---- a store ---- */

static enum rk_err
store_scene(void *arg)
{
	struct rk_store *s = NULL;
	enum rk_err r;

	(void)arg;
	(void)unlink("known");
	(void)unlink("known.db");
	if ((r = rk_store_open("known", true, &s, NULL)) != RK_OK)
		return r;
	rk_store_close(s);
	r = rk_store_open("known", false, &s, NULL);
	rk_store_close(s);
	return r;
}

static void
test_store(void **state)
{
	(void)state;
	play(store_scene, true, NULL);
}

/* ---- a server and a client on one loop ---- */

struct world {
	enum rpc_kind kind;
	struct rk_loop *loop;
	struct rk_server *server;
	char url[128];
	bool chan; /* what the client does: a channel, or a call */
	unsigned closed, stopped, done;
	enum rk_err code; /* of what was done */
};

static void
answer_message(struct rk_chan *c, struct rk_chan_msg *msg, void *arg)
{
	const struct rk_chan_msg same = { .payload = msg->payload };

	(void)arg;
	if (rk_chan_send(c, &same) != RK_OK)
		rk_chan_close(&c);
}

static void
ignore_end(struct rk_chan *c, const struct rk_error *why, void *arg)
{
	(void)c;
	(void)why;
	(void)arg;
}

static void
accept_chan(struct rk_chan *c, const struct rk_peer *peer, void *arg)
{
	static const struct rk_chan_events events = {
		.message = answer_message,
		.ended = ignore_end,
	};

	(void)peer;
	(void)arg;
	if (rk_chan_listen(c, &events, NULL) != RK_OK)
		rk_chan_close(&c);
}

static void
echo(struct rk_call *call, void *arg)
{
	struct rk_bytes p = rk_call_payload(call);

	(void)arg;
	(void)rk_call_reply(call, p.ptr, p.len); /* or the caller is told */
}

static void
on_stopped(void *arg)
{
	((struct world *)arg)->stopped++;
}

static void
turn(struct world *w, const unsigned *what)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	while (*what == 0) {
		if (rpcrig_now() >= until)
			fail_msg("waits in vain");
		assert_int_equal(rk_loop_step(w->loop, 10), RK_OK);
	}
}

static enum rk_err
serve(struct world *w)
{
	static const struct rk_chan_conf chan = {
		.size = sizeof(chan), .type = "test", .accept = accept_chan
	};
	struct rk_method list[2] = { { .name = "echo", .fn = echo } };
	char url[32];
	struct rk_server_conf conf = { .size = sizeof(conf) };
	enum rk_err r;

	w->server = NULL;
	if ((r = rk_loop_new(&w->loop)) != RK_OK)
		return r;
	conf.loop = w->loop;
	if (rpc_is_secure(w->kind))
		conf.ident = rpcworld.node;
	(void)snprintf(
	    url, sizeof(url), "%s://127.0.0.1:0", rpc_kind_name(w->kind));
	if ((r = rk_chan_method("chan", &chan, &list[1])) != RK_OK ||
	    (r = rk_server_new(&conf, &w->server, NULL)) != RK_OK ||
	    (r = rk_server_methods(w->server, list, 2, NULL, NULL, NULL)) !=
	        RK_OK ||
	    (r = rk_server_listen(w->server, url, w->url, NULL)) != RK_OK)
		return r;
	return rk_server_start(w->server, NULL);
}

static void
leave(struct world *w, bool started)
{
	if (started) {
		w->stopped = 0;
		rk_server_stop(w->server, 1000, on_stopped, w);
		turn(w, &w->stopped);
	}
	rk_server_free(w->server);
	rk_loop_free(w->loop);
}

static enum rk_err
serve_scene(void *arg)
{
	struct world *w = arg;
	enum rk_err r = serve(w);

	(void)failmalloc_disarm();
	leave(w, r == RK_OK);
	return r;
}

/* ---- the client ---- */

static void
on_closed(struct rk_client *c, const struct rk_error *why, void *arg)
{
	struct world *w = arg;

	(void)c;
	w->closed++;
	if (w->done++ == 0)
		w->code = why->code;
}

static void
on_reply(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct world *w = arg;

	(void)c;
	if (w->done++ == 0)
		w->code = reply->code;
}

static void
on_message(struct rk_chan *c, struct rk_chan_msg *msg, void *arg)
{
	struct world *w = arg;

	(void)c;
	(void)msg;
	if (w->done++ == 0)
		w->code = RK_OK;
}

static void
on_chan_end(struct rk_chan *c, const struct rk_error *why, void *arg)
{
	struct world *w = arg;

	(void)c;
	if (w->done++ == 0)
		w->code = why->code == RK_OK ? RK_ECLOSED : why->code;
}

static enum rk_err
begin_chan(struct world *w, struct rk_client *c)
{
	static const struct rk_chan_events events = {
		.message = on_message,
		.ended = on_chan_end,
	};
	const struct rk_chan_msg msg = { .payload = { rpcrig_bytes, 1000 } };
	static const struct rk_chan_conf conf = { .size = sizeof(conf),
		.type = "test" };
	struct rk_chan *chan;
	enum rk_err r;

	r = rk_chan_open(c, "chan", &conf, &events, w, &chan);
	return r == RK_OK ? rk_chan_send(chan, &msg) : r;
}

static enum rk_err
begin(struct world *w, struct rk_client *c)
{
	const struct rk_request req = { .method = "echo",
		.payload = rpcrig_bytes,
		.payload_len = 1000,
		.idempotent = true };
	enum rk_err r;

	if ((r = rk_client_start(c, NULL)) != RK_OK)
		return r;
	return w->chan ? begin_chan(w, c)
	               : rk_client_submit(c, &req, on_reply, w, NULL);
}

/* Come, do it, go; the server has nobody then. */
static enum rk_err
talk(void *arg)
{
	struct world *w = arg;
	struct rk_client_conf conf = { .size = sizeof(conf),
		.url = w->url,
		.loop = w->loop,
		.ident = rpc_is_secure(w->kind) ? rpcworld.client : NULL,
		.closed = on_closed,
		.arg = w };
	struct rk_client *c;
	enum rk_err r;

	w->closed = w->done = 0;
	if ((r = rk_client_new(&conf, &c, NULL)) != RK_OK)
		return r;
	if ((r = begin(w, c)) == RK_OK) {
		turn(w, &w->done);
		r = w->code;
	}
	rk_client_free(c);
	return r;
}

/* Whatever it costs one client, the next is served. */
static enum rk_err
talk_scene(void *arg)
{
	enum rk_err r = talk(arg);
	bool hit = failmalloc_disarm();

	assert_int_equal(talk(arg), RK_OK);
	assert_true(r == RK_OK || hit);
	return r;
}

/* Not over QUIC, where what one server could not take comes again after a
 * second, so that all of it would last half a minute. */
static void
check_rpc(enum rpc_kind kind)
{
	struct world w = { .kind = kind };

	play(serve_scene, false, &w);
	assert_int_equal(serve(&w), RK_OK);
	for (int i = 0; i < 2; i++) {
		w.chan = i == 1;
		play(talk_scene, false, &w);
	}
	leave(&w, true);
}

static void
test_tcp(void **state)
{
	(void)state;
	check_rpc(RPC_TCP);
}

static void
test_tls(void **state)
{
	(void)state;
	check_rpc(RPC_TLS);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test_setup_teardown(
		    test_store, scratch_enter, scratch_leave),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_tls),
	};

	return cmocka_run_group_tests(tests, rpcworld_setup, rpcworld_teardown);
}
