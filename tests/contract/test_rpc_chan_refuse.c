/* Channels that cannot be, with and without threads: who is refused, by whom,
 * and in what words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "certs.h"
#include "rawpeer.h"
#include "rawtls.h"
#include "rpc/chan_wire.h"
#include "rpc/frame.h"
#include "rpcrig.h"
#include <rpckit/channel.h>

/* ---- the server ---- */

static void
on_ended(struct rk_chan *c, const struct rk_error *why, void *arg)
{
	unsigned *ended = arg;

	(void)c;
	(void)why;
	if (ended != NULL)
		(*ended)++;
}

static const struct rk_chan_events quiet = { .ended = on_ended };

static void
accept_any(struct rk_chan *c, const struct rk_peer *peer, void *arg)
{
	(void)peer;
	(void)arg;
	if (rk_chan_listen(c, &quiet, NULL) != RK_OK)
		rk_chan_close(&c);
}

static const struct rk_chan_conf work_conf = {
	.size = sizeof(work_conf),
	.type = "jobs",
	.accept = accept_any,
};

static void
accept_nobody(struct rk_chan *c, const struct rk_peer *peer, void *arg)
{
	(void)c;
	(void)peer;
	(void)arg;
}

static const struct rk_chan_conf silent_conf = {
	.size = sizeof(silent_conf),
	.type = "jobs",
	.accept = accept_nobody,
};

static bool
nobody(const struct rk_peer *peer, void *arg)
{
	(void)peer;
	(void)arg;
	return false;
}

static void
send_back(struct rk_stream *s, const struct rk_part *part, void *arg)
{
	const struct rk_part back = { .payload = part->payload };

	(void)arg;
	if (rk_stream_send(s, &back) != RK_OK)
		(void)rk_stream_fail(s, "cannot", NULL, 0);
}

static const struct rk_stream_events back_events = { .part = send_back };

static void
open_back(struct rk_stream *s, void *arg)
{
	rk_stream_listen(s, &back_events, arg);
}

static const struct rk_stream_events no_events = { .part = NULL };

static void
answer_at_once(struct rk_stream *s, void *arg)
{
	rk_stream_listen(s, &no_events, arg);
	(void)rk_stream_reply(s, NULL, 0);
}

static void
echo_call(struct rk_call *call, void *arg)
{
	struct rk_bytes p = rk_call_payload(call);

	(void)arg;
	(void)rk_call_reply(call, p.ptr, p.len);
}

static void
install(struct rpcrig *r, void *arg)
{
	struct rk_method list[] = {
		{ .name = "echo", .fn = echo_call },
		{ .name = "back",
		    .stream = open_back,
		    .streams = RK_STREAM_BOTH },
		{ .name = "atonce",
		    .stream = answer_at_once,
		    .streams = RK_STREAM_BOTH },
		{ .name = NULL },
		{ .name = NULL },
		{ .name = NULL },
	};

	(void)arg;
	assert_int_equal(rk_chan_method("work", &work_conf, &list[3]), RK_OK);
	assert_int_equal(rk_chan_method("closed", &work_conf, &list[4]), RK_OK);
	list[4].allow = nobody;
	assert_int_equal(
	    rk_chan_method("silent", &silent_conf, &list[5]), RK_OK);
	assert_int_equal(
	    rk_server_methods(r->server, list, 6, NULL, NULL, NULL), RK_OK);
}

/* ---- the client ---- */

struct told {
	unsigned ended;
	enum rk_err code;
	char text[RK_ERROR_TEXT_LEN];
};

static void
keep_end(struct rk_chan *c, const struct rk_error *why, void *arg)
{
	struct told *t = arg;

	(void)c;
	t->ended++;
	t->code = why->code;
	memcpy(t->text, why->text, sizeof(t->text));
}

static const struct rk_chan_events told_events = { .ended = keep_end };

static struct rk_client *
client_on(struct rpcrig *rig, struct rk_loop *loop, const char *url)
{
	struct rk_client_conf conf;
	struct rk_client *c;

	rpcrig_client_conf(rig, &conf);
	conf.loop = loop;
	if (url != NULL)
		conf.url = url;
	assert_int_equal(rk_client_new(&conf, &c, NULL), RK_OK);
	assert_int_equal(rk_client_start(c, NULL), RK_OK);
	return c;
}

static void
turn(struct rk_loop *loop, const unsigned *what)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	while (*what == 0) {
		assert_true(rpcrig_now() < until);
		assert_int_equal(rk_loop_step(loop, 10), RK_OK);
	}
}

static void
open_on(
    struct rk_client *c, const char *method, const char *type, struct told *t)
{
	const struct rk_chan_conf conf = { .size = sizeof(conf), .type = type };
	struct rk_chan *first;

	memset(t, 0, sizeof(*t));
	assert_int_equal(
	    rk_chan_open(c, method, &conf, &told_events, t, &first), RK_OK);
}

static void
says_why(void **state)
{
	static const struct {
		const char *method, *type;
		enum rk_err code;
		const char *text;
	} all[] = {
		{ "nobody", "jobs", RK_ENOMETHOD, NULL },
		{ "echo", "jobs", RK_EREMOTE,
		    "this method is no stream: call it" },
		{ "work", "jokes", RK_EINVAL,
		    "a channel of \"jokes\" was asked for, of \"jobs\" is "
		    "here" },
		{ "back", "jobs", RK_EUNSUPPORTED,
		    "the peer does not speak channels" },
		{ "atonce", "jobs", RK_EUNSUPPORTED,
		    "the peer does not speak channels" },
		{ "closed", "jobs", RK_EREMOTE, NULL },
		{ "silent", "jobs", RK_ECLOSED, "the other end was closed" },
	};
	struct rpcrig rig;
	struct rk_loop *loop;
	struct rk_client *c;
	struct told t;

	rpcrig_begin(&rig, *state);
	rpcrig_do(&rig, install, NULL);
	assert_int_equal(rk_loop_new(&loop), RK_OK);
	c = client_on(&rig, loop, NULL);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		open_on(c, all[i].method, all[i].type, &t);
		turn(loop, &t.ended);
		assert_int_equal(t.code, all[i].code);
		assert_true(t.text[0] != '\0');
		if (all[i].text != NULL)
			assert_string_equal(t.text, all[i].text);
	}
	rpcrig_await_running(&rig, 0);
	rk_client_free(c);
	assert_int_equal(t.ended, 1);
	rk_loop_free(loop);
	rpcrig_end(&rig);
}

static void
refuses_a_wrong_conf(void **state)
{
	char longest[RK_CHAN_TYPE_MAX + 2];
	struct rk_chan_conf conf = work_conf;
	struct rpcrig rig;
	struct rk_method m;
	struct rk_client *c;
	struct rk_chan *first;

	rpcrig_begin(&rig, *state);
	c = rpcrig_client(&rig);
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	for (unsigned i = 0; i < 9; i++) {
		conf = work_conf;
		if (i == 0)
			conf.size = 0;
		else if (i == 1)
			conf.type = NULL;
		else if (i == 2)
			conf.type = "";
		else if (i == 3)
			conf.type = longest;
		else if (i == 4)
			conf.window = RK_CHAN_WINDOW_MIN - 1;
		else if (i == 5)
			conf.window = RK_CHAN_WINDOW_MAX + 1;
		else if (i == 6)
			conf.max_channels = RK_CHAN_ENDS_MAX - 1;
		else if (i == 7)
			conf.max_channels = RK_CHAN_CHANNELS_MAX + 1;
		else
			conf.max_waiting = RK_CHAN_WINDOW + RK_CHAN_MESSAGE_MAX;
		assert_int_equal(rk_chan_method("m", &conf, &m), RK_EINVAL);
		assert_int_equal(
		    rk_chan_open(c, "m", &conf, &quiet, NULL, &first),
		    RK_EINVAL);
		assert_null(first);
	}
	conf = work_conf;
	conf.accept = NULL;
	assert_int_equal(rk_chan_method("m", &conf, &m), RK_EINVAL);
	assert_int_equal(
	    rk_chan_open(c, "m", &conf, NULL, NULL, &first), RK_EINVAL);
	assert_int_equal(
	    rk_chan_open(c, "", &conf, &quiet, NULL, &first), RK_EINVAL);
	rk_client_free(c);
	rpcrig_end(&rig);
}

/* ---- peers by hand, over plain TCP ---- */

static void
put_stream(
    struct buf *b, int64_t type, int64_t part, const void *payload, size_t len)
{
	const struct msg m = {
		.hdr = {
		    .type = type,
		    .to_service = { "work", 4 },
		    .seqno = 7,
		    .call_id = { "an id", 5 },
		    .stream_part = part,
		},
		.payload = { payload, len },
	};

	assert_int_equal(msg_encode(b, &m, NULL, 0), RK_OK);
}

/* Skip what is not the answer. */
static void
expect_failure(int fd, const char *text)
{
	struct msg m;

	do
		raw_get(fd, &m);
	while (m.hdr.type != RK_TYPE_REPLY);
	assert_int_equal(m.hdr.seqno, 7);
	assert_int_equal(m.error.len, strlen(text));
	assert_memory_equal(m.error.ptr, text, strlen(text));
}

static size_t
make_hello(uint8_t *p)
{
	const struct chan_frame f = { .type = CHAN_HELLO,
		.window = RK_CHAN_WINDOW,
		.max_channels = RK_CHAN_CHANNELS,
		.text = { "jobs", 4 } };

	return (size_t)(chan_encode(p, &f) - p);
}

static void
refuses_clients_without_channels(void **state)
{
	uint8_t hello[CHAN_FRAME_MAX];
	size_t len = make_hello(hello);
	struct rpcrig rig;
	struct buf b;
	int fd;

	rpcrig_begin(&rig, *state);
	rpcrig_do(&rig, install, NULL);
	buf_init(&b, SIZE_MAX);
	for (unsigned i = 0; i < 4; i++) {
		static const char *const texts[] = {
			"the peer does not speak channels",
			"the peer does not speak channels",
			"channels: a frame of an unknown kind",
			"channels: the stream ended",
		};

		fd = raw_dial(&rig);
		put_stream(&b, RK_TYPE_BISTREAM, 0,
		    i == 0 ? "" : (i == 1 ? (const void *)"hello" : hello),
		    i == 0   ? 0
		    : i == 1 ? 5
		             : len);
		if (i == 0)
			put_stream(&b, RK_TYPE_UPLOAD_MORE, 1, "hi", 2);
		if (i == 2)
			put_stream(&b, RK_TYPE_UPLOAD_MORE, 1,
			    "\0\0\0\0\0\0\0\0\0", 9);
		if (i == 3)
			put_stream(&b, RK_TYPE_UPLOAD_END, 1, "", 0);
		raw_put(fd, buf_peek(&b), buf_len(&b));
		buf_consume(&b, SIZE_MAX);
		expect_failure(fd, texts[i]);
		/* That stream alone. */
		raw_check_echo(fd, 8);
		raw_close(fd);
	}
	buf_fini(&b);
	rpcrig_end(&rig);
}

static void
refuses_servers_without_channels(void **state)
{
	struct rpcrig rig;
	struct rk_loop *loop;
	struct rk_client *c;
	struct told t;
	char url[128];
	struct buf b;
	struct msg m;
	int fd, listener;

	(void)state;
	rpcrig_init(&rig, RPC_TCP, 0);
	assert_int_equal(rk_loop_new(&loop), RK_OK);
	listener = raw_listen(url);
	c = client_on(&rig, loop, url);
	open_on(c, "work", "jobs", &t);
	/* It connects, and says what it wants. */
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(rk_loop_step(loop, 1), RK_OK);
	fd = raw_accept(listener);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(rk_loop_step(loop, 1), RK_OK);
	raw_get(fd, &m);
	assert_int_equal(m.hdr.type, RK_TYPE_BISTREAM);
	buf_init(&b, SIZE_MAX);
	m.hdr.type = RK_TYPE_DOWNLOAD_BEGIN;
	m.payload = (struct rk_bytes){ (const uint8_t *)"good day", 8 };
	assert_int_equal(msg_encode(&b, &m, NULL, 0), RK_OK);
	raw_put(fd, buf_peek(&b), buf_len(&b));
	turn(loop, &t.ended);
	assert_int_equal(t.code, RK_EUNSUPPORTED);
	assert_string_equal(t.text, "the peer does not speak channels");
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(rk_loop_step(loop, 1), RK_OK);
	raw_get(fd, &m);
	assert_int_equal(m.hdr.type, RK_TYPE_CANCEL);
	buf_fini(&b);
	rk_client_free(c);
	raw_close(fd);
	raw_close(listener);
	rk_loop_free(loop);
	rk_loop_free(rig.loop);
}

/* ---- peers of TLS that are not rpckit ---- */

static void
set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	assert_true(flags >= 0);
	assert_int_equal(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
}

static void
refuses_strange_clients(void **state)
{
	struct certs_cert *leaf =
	    certs_new_leaf(rpcworld.ca, "go", "go@example.org");
	const struct raw_conf conf = { .cert = leaf };
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;
	uint8_t hello[CHAN_FRAME_MAX];
	size_t len = make_hello(hello);
	uint8_t got[4096];
	struct rk_error err;
	struct rpcrig rig;
	struct frame f;
	struct msg m;
	struct raw p;
	struct buf b;
	size_t n = 0;
	int fd;

	rpcrig_begin(&rig, *state);
	rpcrig_do(&rig, install, NULL);
	fd = raw_dial(&rig);
	set_nonblocking(fd);
	raw_init(&p, &conf, fd);
	while (!p.done) {
		assert_true(!p.failed && rpcrig_now() < until);
		raw_step(&p);
	}
	buf_init(&b, SIZE_MAX);
	put_stream(&b, RK_TYPE_BISTREAM, 0, hello, len);
	raw_send(&p, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
	while (frame_split(got, n, &f, NULL, &err) == RK_EAGAIN) {
		int more = raw_recv(&p, got + n, sizeof(got) - n);

		assert_true(more != 0 && rpcrig_now() < until);
		n += more > 0 ? (size_t)more : 0;
	}
	assert_int_equal(msg_decode(f.body.ptr, f.body.len, &m, &err), RK_OK);
	assert_int_equal(m.hdr.type, RK_TYPE_REPLY);
	assert_int_equal(m.error.len, 42);
	assert_memory_equal(
	    m.error.ptr, "channels are for peers that speak rpckit/1", 42);
	raw_fini(&p);
	certs_free(leaf);
	rpcrig_end(&rig);
}

static void
on_connected(struct rk_client *c, void *arg)
{
	unsigned *connected = arg;

	(void)c;
	(*connected)++;
}

static void
refuses_strange_servers(void **state)
{
	const struct raw_conf raw = { .server = true,
		.cert = certs_new_leaf(rpcworld.ca, "go", "go@example.org") };
	const struct rk_chan_conf chan = { .size = sizeof(chan),
		.type = "jobs" };
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;
	struct rk_client_conf conf;
	struct rk_client *c;
	struct rk_loop *loop;
	struct rk_chan *first;
	struct rpcrig rig;
	struct raw p;
	char url[128];
	unsigned connected = 0;
	int fd, listener;

	(void)state;
	rpcrig_init(&rig, RPC_TLS, 0);
	assert_int_equal(rk_loop_new(&loop), RK_OK);
	listener = raw_listen(url);
	rpcrig_client_conf(&rig, &conf);
	memcpy(url, "tls", 3);
	conf.url = url;
	conf.loop = loop;
	conf.connected = on_connected;
	conf.arg = &connected;
	assert_int_equal(rk_client_new(&conf, &c, NULL), RK_OK);
	assert_int_equal(rk_client_start(c, NULL), RK_OK);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(rk_loop_step(loop, 1), RK_OK);
	fd = raw_accept(listener);
	set_nonblocking(fd);
	raw_init(&p, &raw, fd);
	while (connected == 0) {
		assert_true(!p.failed && rpcrig_now() < until);
		raw_step(&p);
		assert_int_equal(rk_loop_step(loop, 1), RK_OK);
	}
	assert_int_equal(rk_chan_open(c, "work", &chan, &quiet, NULL, &first),
	    RK_EUNSUPPORTED);
	assert_null(first);
	rk_client_free(c);
	raw_fini(&p);
	raw_close(listener);
	rk_loop_free(loop);
	rk_loop_free(rig.loop);
	certs_free((struct certs_cert *)(uintptr_t)raw.cert);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "says why", says_why, RPC_ALL },
		{ "wrong conf", refuses_a_wrong_conf, RPC_ONLY(RPC_UNIX) },
		{ "clients without channels", refuses_clients_without_channels,
		    RPC_ONLY(RPC_TCP) },
		{ "servers without channels", refuses_servers_without_channels,
		    RPC_ONLY(RPC_TCP) },
		{ "strange clients", refuses_strange_clients,
		    RPC_ONLY(RPC_TLS) },
		{ "strange servers", refuses_strange_servers,
		    RPC_ONLY(RPC_TLS) },
	};

	return rpcrig_run_cases(
	    "channels refused", cases, sizeof(cases) / sizeof(cases[0]));
}
