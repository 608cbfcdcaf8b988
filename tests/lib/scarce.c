/* Scenes that are played until no allocation of theirs is left to fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include <rpckit/again.h>
#include <rpckit/channel.h>
#include <rpckit/stream.h>

#include "rpc/alive.h"
#include "rpcrig.h"
#include "scarce.h"
#include "vtime.h"

/* Who has not said a word is given up last. */
#define PATIENCE_MS (ALIVE_FIRST_MS + RPCRIG_PATIENCE_MS)

/* ---- one fails ---- */

static _Thread_local size_t left; /* 0: not armed, or it was */
static _Thread_local bool hit;

void
scarce_arm(size_t n)
{
	left = n;
	hit = false;
}

bool
scarce_disarm(void)
{
	left = 0;
	return hit;
}

bool
scarce_fails(void)
{
	if (left == 0 || --left != 0)
		return false;
	hit = true;
	errno = ENOMEM;
	return true;
}

/* ---- each in turn ---- */

/* One that is open and was not closed changes it. */
static int
lowest_descriptor(void)
{
	int fd = dup(STDIN_FILENO);

	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	return fd;
}

void
scarce_play(scene_fn *scene, bool strict, void *arg)
{
	int descriptor = lowest_descriptor();
	unsigned refused = 0;
	enum rk_err r;
	bool one;
	size_t n = 0;

	do {
		scarce_arm(++n);
		r = scene(arg);
		one = scarce_disarm();
		if (one && strict && r != RK_ENOMEM)
			fail_msg("allocation %zu: %s", n, rk_err_text(r));
		refused += r == RK_ENOMEM;
	} while (one);
	assert_int_equal(r, RK_OK);
	print_message("%zu allocations, %u refused\n", n - 1, refused);
	assert_true(refused > 0);
	assert_int_equal(lowest_descriptor(), descriptor);
}

/* ---- a server and a client on one loop, whose time passes by itself ---- */

struct world {
	enum rpc_kind kind;
	struct rk_psks *psks; /* of both ends; NULL: none */
	struct rk_loop *loop;
	struct vtime time;
	struct rk_server *server;
	char url[128];
	enum scarce_deed deed;
	unsigned closed, stopped, done;
	enum rk_err code; /* of what was done */
	/* ends that are paused; NULL: gone */
	struct rk_stream *served;
	struct rk_stream *stream;
	unsigned parts;        /* sent by the client */
	unsigned pushes, told; /* begun, reported */
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

/* A stream: its parts wait, then go back. */
static void
part_back(struct rk_stream *s, const struct rk_part *part, void *arg)
{
	struct world *w = arg;
	const struct rk_part same = { .payload = part->payload,
		.last = part->last };
	enum rk_err r = rk_stream_send(s, &same);

	if (r == RK_OK && !part->last)
		return;
	w->served = NULL;
	if (r == RK_OK)
		(void)rk_stream_reply(s, NULL, 0); /* or it is told */
	else
		(void)rk_stream_fail(s, rk_err_text(r), NULL, 0);
}

static void
on_served_end(struct rk_stream *s, const struct rk_reply *reply, void *arg)
{
	(void)s;
	(void)reply;
	((struct world *)arg)->served = NULL;
}

static void
accept_stream(struct rk_stream *s, void *arg)
{
	static const struct rk_stream_events events = {
		.part = part_back,
		.ended = on_served_end,
	};
	struct world *w = arg;

	w->served = s;
	rk_stream_listen(s, &events, w);
	rk_stream_pause(s, true);
}

static void
on_stopped(void *arg)
{
	((struct world *)arg)->stopped++;
}

static void
turn(struct world *w, const unsigned *what)
{
	w->time.until = w->time.now + PATIENCE_MS;
	while (*what == 0)
		vtime_turn(&w->time);
}

static enum rk_err
serve(struct world *w)
{
	static const struct rk_chan_conf chan = {
		.size = sizeof(chan), .type = "test", .accept = accept_chan
	};
	struct rk_method list[4] = {
		{ .name = "echo", .fn = echo },
		{ .name = "Svc.Echo", .fn = echo },
		{ .name = "back",
		    .stream = accept_stream,
		    .streams = RK_STREAM_BOTH,
		    .arg = w },
	};
	char url[32];
	struct rk_server_conf conf = { .size = sizeof(conf) };
	enum rk_err r;

	w->server = NULL;
	if ((r = rk_loop_new(&w->loop)) != RK_OK)
		return r;
	vtime_start(&w->time, w->loop, 0);
	conf.loop = w->loop;
	if (rpc_is_secure(w->kind) || w->psks != NULL)
		conf.ident = rpcworld.node;
	conf.psks = w->psks;
	if (rpc_is_session(w->kind)) {
		conf.session_key = rpcworld.keys[0];
		conf.session_peers = rpcworld.peers[0];
	}
	(void)snprintf(
	    url, sizeof(url), "%s://127.0.0.1:0", rpc_kind_name(w->kind));
	if ((r = rk_chan_method("chan", &chan, &list[3])) != RK_OK ||
	    (r = rk_server_new(&conf, &w->server, NULL)) != RK_OK ||
	    (r = rk_server_methods(w->server, list, 4, NULL, NULL, NULL)) !=
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

	(void)scarce_disarm();
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

static void
on_part(struct rk_stream *s, const struct rk_part *part, void *arg)
{
	(void)s;
	(void)arg;
	assert_int_equal(part->payload.len, part->last ? 0 : 1000);
}

static void
on_stream_end(struct rk_stream *s, const struct rk_reply *reply, void *arg)
{
	struct world *w = arg;

	w->stream = NULL;
	(void)s;
	if (w->done++ == 0)
		w->code = reply->code;
}

static void
send_rest(struct rk_stream *s, void *arg)
{
	static const struct rk_part last = { .last = true };
	const struct rk_part more = { .payload = { rpcrig_bytes, 1000 } };
	struct world *w = arg;
	enum rk_err r = RK_OK;

	while (r == RK_OK && w->parts < 3) {
		r = rk_stream_send(s, w->parts < 2 ? &more : &last);
		w->parts += r == RK_OK;
	}
	if (r != RK_OK && r != RK_EAGAIN)
		rk_stream_cancel(s);
}

static enum rk_err
begin_stream(struct world *w, struct rk_client *c)
{
	static const struct rk_stream_events events = {
		.part = on_part,
		.writable = send_rest,
		.ended = on_stream_end,
	};
	const struct rk_request req = { .method = "back" };
	enum rk_err r;

	w->parts = 0;
	r = rk_client_stream(c, RK_STREAM_BOTH, &req, &events, w, &w->stream);
	if (r != RK_OK)
		return r;
	rk_stream_pause(w->stream, true);
	send_rest(w->stream, w);
	return RK_OK;
}

/* Parts are kept at both ends for a while. */
static void
let_go(struct world *w)
{
	for (unsigned ms = 0; w->done == 0; ms += 10) {
		if (ms >= PATIENCE_MS)
			fail_msg("the stream waits in vain");
		vtime_pass(&w->time, 10);
		if (w->served != NULL)
			rk_stream_pause(w->served, false);
		if (w->stream != NULL)
			rk_stream_pause(w->stream, false);
	}
}

static void
on_told(const struct rk_push_report *report, void *arg)
{
	struct world *w = arg;

	w->told++;
	if (report->sent == 0 && w->done++ == 0)
		w->code = report->closed > 0 ? RK_ECLOSED : RK_ENOMEM;
}

/* The server knows the subscriber, or cannot. */
static void
on_announced(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	static const struct rk_push_target to = { .to = RK_PUSH_SUBSCRIBERS };
	const struct rk_push push = {
		.subject = "news", .payload = rpcrig_bytes, .payload_len = 1000
	};
	struct world *w = arg;
	enum rk_err r = reply->code;

	(void)c;
	if (r == RK_OK)
		r = rk_server_push(w->server, &to, &push, on_told, w);
	if (r == RK_OK)
		w->pushes++;
	else if (w->done++ == 0)
		w->code = r;
}

static void
on_pushed(struct rk_client *c, const struct rk_header *hdr,
    struct rk_bytes payload, void *arg)
{
	struct world *w = arg;

	(void)c;
	(void)hdr;
	assert_int_equal(payload.len, 1000);
	if (w->done++ == 0)
		w->code = RK_OK;
}

static enum rk_err
begin_push(struct world *w, struct rk_client *c)
{
	const struct rk_subscription s = { .subject = "news",
		.announce = true,
		.fn = on_pushed,
		.announced = on_announced,
		.arg = w };

	return rk_client_subscribe(c, &s, NULL);
}

static enum rk_err
begin(struct world *w, struct rk_client *c)
{
	struct rk_request req = { .method = "echo",
		.payload = rpcrig_bytes,
		.payload_len = 1000,
		.idempotent = true };

	switch (w->deed) {
	case SCARCE_CHAN:
		return begin_chan(w, c);
	case SCARCE_STREAM:
		return begin_stream(w, c);
	case SCARCE_PUSH:
		return begin_push(w, c);
	case SCARCE_NETRPC:
		req.method = "Svc.Echo";
		req.netrpc = true;
		break;
	case SCARCE_CALL:
	case SCARCE_AGAIN:
	case SCARCE_DEEDS:
		break;
	}
	return rk_client_submit(c, &req, on_reply, w, NULL);
}

static enum rk_err
talk_about(struct world *w, struct rk_client *c)
{
	enum rk_err r = begin(w, c);

	if (r != RK_OK)
		return r;
	if (w->deed == SCARCE_STREAM)
		let_go(w);
	turn(w, &w->done);
	return w->code;
}

/* Come, do it, go; the server has nobody then. */
static enum rk_err
talk(void *arg)
{
	struct world *w = arg;
	const char *const urls[] = { w->url };
	const struct rk_again again = {
		.size = sizeof(again), .attempts = 5, .urls = urls, .n_urls = 1
	};
	struct rk_client_conf conf = { .size = sizeof(conf),
		.url = w->url,
		.loop = w->loop,
		.ident = rpc_is_secure(w->kind) || w->psks != NULL
		             ? rpcworld.client
		             : NULL,
		.psks = w->psks,
		.closed = on_closed,
		.arg = w };
	struct rk_client *c;
	enum rk_err r;

	if (rpc_is_session(w->kind)) {
		conf.session_key = rpcworld.keys[1];
		conf.session_peers = rpcworld.peers[1];
	}
	if (w->deed == SCARCE_AGAIN) {
		conf.url = "unix:///nowhere/at/all";
		conf.again = &again;
	}
	w->closed = w->done = 0;
	if ((r = rk_client_new(&conf, &c, NULL)) != RK_OK)
		return r;
	if ((r = rk_client_start(c, NULL)) == RK_OK) {
		r = talk_about(w, c);
		rk_client_shutdown(c);
		turn(
		    w, &w->closed); /* rk_client_free() waits, not this clock */
	}
	rk_client_free(c);
	while (w->told < w->pushes)
		vtime_turn(&w->time);
	return r;
}

/* Whatever it costs one client, the next is served. */
static enum rk_err
talk_scene(void *arg)
{
	enum rk_err r = talk(arg);
	bool one = scarce_disarm();

	assert_int_equal(talk(arg), RK_OK);
	assert_true(r == RK_OK || one);
	return r;
}

void
scarce_check_server(enum rpc_kind kind)
{
	struct world w = { .kind = kind };

	scarce_play(serve_scene, false, &w);
}

void
scarce_check_clients(enum rpc_kind kind, enum scarce_deed deed)
{
	struct world w = { .kind = kind, .deed = deed };

	assert_int_equal(serve(&w), RK_OK);
	scarce_play(talk_scene, false, &w);
	leave(&w, true);
}

void
scarce_check_psk(enum rpc_kind kind)
{
	static const uint8_t key[RK_PSK_LEN] = { 1 };
	struct world w = { .kind = kind, .deed = SCARCE_CALL };

	assert_int_equal(rk_psks_new(&w.psks), RK_OK);
	assert_int_equal(rk_psks_add(w.psks, key, "lab", NULL), RK_OK);
	scarce_play(serve_scene, false, &w);
	assert_int_equal(serve(&w), RK_OK);
	scarce_play(talk_scene, false, &w);
	leave(&w, true);
	rk_psks_free(w.psks);
}
