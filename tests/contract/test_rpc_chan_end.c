/* Channels, with and without threads, whose client goes inside of what they
 * call, and what a peer that fills memory gets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <string.h>

#include "rawpeer.h"
#include "rpc/chan_wire.h"
#include "rpcrig.h"
#include <rpckit/channel.h>

/* ---- the server: every message back, with its ends ---- */

static atomic_uint ended_there; /* first channels */
static atomic_int code_there;   /* of the last one */

static void
send_back(struct rk_chan *c, struct rk_chan_msg *msg, void *arg)
{
	(void)arg;
	if (rk_chan_send(c, msg) != RK_OK)
		rk_chan_close(&c);
}

static void
count_end(struct rk_chan *c, const struct rk_error *why, void *arg)
{
	(void)c;
	(void)arg;
	atomic_store(&code_there, (int)why->code);
	atomic_fetch_add(&ended_there, 1);
}

static const struct rk_chan_events back_events = {
	.message = send_back,
	.ended = count_end,
};

static void
accept_back(struct rk_chan *c, const struct rk_peer *peer, void *arg)
{
	(void)peer;
	if (rk_chan_listen(c, &back_events, NULL) != RK_OK)
		rk_chan_close(&c);
	else if (arg != NULL)
		rk_chan_pause(c, true);
}

static const struct rk_chan_conf back_conf = {
	.size = sizeof(back_conf),
	.type = "jobs",
	.accept = accept_back,
};

#define WAITING 300000
static const struct rk_chan_conf busy_conf = {
	.size = sizeof(busy_conf),
	.type = "jobs",
	.window = RK_CHAN_WINDOW_MIN,
	.max_channels = RK_CHAN_ENDS_MAX,
	.max_waiting = WAITING,
	.accept = accept_back,
	.arg = &ended_there,
};

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
	struct rk_method list[3] = { { .name = "echo", .fn = echo_call } };

	(void)arg;
	assert_int_equal(rk_chan_method("back", &back_conf, &list[1]), RK_OK);
	assert_int_equal(rk_chan_method("busy", &busy_conf, &list[2]), RK_OK);
	assert_int_equal(
	    rk_server_methods(r->server, list, 3, NULL, NULL, NULL), RK_OK);
}

/* ---- the client: frees itself when told so ---- */

enum moment {
	AT_MESSAGE,
	AT_EOF,
	AT_ENDED,
	MOMENTS
};

struct desk {
	struct rpcrig rig;
	struct rk_loop *loop;
	struct rk_client *client;
	enum moment moment;
	bool freed;
	unsigned messages;
	unsigned ended; /* of all ends */
	struct rk_chan *first, *mine, *got;
};

static void
reach(struct desk *d, enum moment moment)
{
	if (d->freed || moment != d->moment)
		return;
	d->freed = true;
	rk_client_free(d->client);
}

static const struct rk_chan_events events;

static void
on_message(struct rk_chan *c, struct rk_chan_msg *msg, void *arg)
{
	struct desk *d = arg;

	assert_ptr_equal(c, d->first);
	d->messages++;
	if (msg->n_ends == 1)
		assert_int_equal(rk_chan_take(&msg->ends[0], RK_CHAN_MESSAGES,
		                     "x", &events, d, &d->got, NULL),
		    RK_OK);
	reach(d, AT_MESSAGE);
	if (d->freed)
		return;
	/* Ends ours, and with it its other end. */
	if (d->moment == AT_ENDED)
		rk_chan_reset(&d->mine, RK_ECANCELED, "enough");
	else
		rk_chan_finish(d->mine);
}

static void
on_eof(struct rk_chan *c, void *arg)
{
	(void)c;
	reach(arg, AT_EOF);
}

static void
on_ended(struct rk_chan *c, const struct rk_error *why, void *arg)
{
	struct desk *d = arg;
	struct rk_chan **all[] = { &d->first, &d->mine, &d->got };

	(void)why;
	for (unsigned i = 0; i < 3; i++) {
		if (*all[i] != c)
			continue;
		*all[i] = NULL;
		d->ended++;
		reach(d, AT_ENDED);
		return;
	}
	fail_msg("%s", "an end that nobody has has ended");
}

static const struct rk_chan_events events = {
	.message = on_message,
	.eof = on_eof,
	.ended = on_ended,
};

static void
open_all(struct desk *d)
{
	const struct rk_chan_conf chan = { .size = sizeof(chan),
		.type = "jobs" };
	struct rk_client_conf conf;
	struct rk_chan *theirs;
	const struct rk_chan_msg msg = { .ends = &theirs, .n_ends = 1 };

	rpcrig_client_conf(&d->rig, &conf);
	conf.loop = d->loop;
	assert_int_equal(rk_client_new(&conf, &d->client, NULL), RK_OK);
	assert_int_equal(rk_client_start(d->client, NULL), RK_OK);
	assert_int_equal(
	    rk_chan_open(d->client, "back", &chan, &events, d, &d->first),
	    RK_OK);
	assert_int_equal(
	    rk_chan_pair(d->first, RK_CHAN_MESSAGES, "x", &d->mine, &theirs),
	    RK_OK);
	assert_int_equal(rk_chan_listen(d->mine, &events, d), RK_OK);
	assert_int_equal(rk_chan_send(d->first, &msg), RK_OK);
}

static void
turn(struct desk *d, unsigned ends)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	while (d->ended < ends || atomic_load(&ended_there) == 0) {
		assert_true(rpcrig_now() < until);
		assert_int_equal(rk_loop_step(d->loop, 1), RK_OK);
	}
}

static void
frees_its_client(void **state)
{
	for (unsigned i = 0; i < MOMENTS; i++) {
		struct desk d = { .moment = (enum moment)i };

		atomic_store(&ended_there, 0);
		rpcrig_begin(&d.rig, *state);
		rpcrig_do(&d.rig, install, NULL);
		assert_int_equal(rk_loop_new(&d.loop), RK_OK);
		open_all(&d);
		/* The one that was reset is not told. */
		turn(&d, i == AT_ENDED ? 2 : 3);
		assert_true(d.freed);
		assert_int_equal(d.messages, 1);
		rpcrig_await_conns(&d.rig, 0);
		assert_int_equal(atomic_load(&ended_there), 1);
		rk_loop_free(d.loop);
		rpcrig_end(&d.rig);
	}
}

/* ---- a peer by hand, over plain TCP ---- */

struct caller {
	int fd;
	int64_t part;
	struct buf out;
};

static void
put(struct caller *c, const struct chan_frame *f)
{
	uint8_t frame[CHAN_FRAME_MAX];
	size_t len = (size_t)(chan_encode(frame, f) - frame);
	const struct msg m = {
		.hdr = {
		    .type = c->part == 0 ? RK_TYPE_BISTREAM
		                         : RK_TYPE_UPLOAD_MORE,
		    .to_service = { "busy", 4 },
		    .seqno = 7,
		    .call_id = { "an id", 5 },
		    .stream_part = c->part++,
		},
		.payload = { frame, len },
	};

	assert_int_equal(msg_encode(&c->out, &m, NULL, 0), RK_OK);
}

static void
refuses_who_fills_memory(void **state)
{
	static const char text[] =
	    "channels: more than 300000 bytes wait to be read";
	static const uint8_t zeros[CHAN_PIECE];
	const struct chan_frame hello = { .type = CHAN_HELLO,
		.window = RK_CHAN_WINDOW_MIN,
		.max_channels = RK_CHAN_ENDS_MAX,
		.text = { "jobs", 4 } };
	struct chan_frame ends = { .type = CHAN_DATA,
		.flags = CHAN_FIRST | CHAN_LAST,
		.n_ends = RK_CHAN_ENDS_MAX };
	struct chan_frame fill = { .type = CHAN_DATA,
		.data = { zeros, CHAN_PIECE } };
	struct caller c = { .part = 0 };
	struct rpcrig rig;
	struct msg m;

	atomic_store(&ended_there, 0);
	rpcrig_begin(&rig, *state);
	rpcrig_do(&rig, install, NULL);
	buf_init(&c.out, SIZE_MAX);
	c.fd = raw_dial(&rig);
	put(&c, &hello);
	for (size_t i = 0; i < RK_CHAN_ENDS_MAX; i++)
		ends.ends[i] = (struct chan_end){ .id = 1 + 2 * i,
			.flags = CHAN_END_SILENT,
			.type = { "x", 1 } };
	put(&c, &ends);
	for (fill.id = 1; fill.id < 2 * RK_CHAN_ENDS_MAX; fill.id += 2) {
		fill.flags = CHAN_FIRST;
		put(&c, &fill);
		fill.flags = CHAN_LAST;
		put(&c, &fill);
	}
	raw_put(c.fd, buf_peek(&c.out), buf_len(&c.out));
	buf_fini(&c.out);
	do
		raw_get(c.fd, &m);
	while (m.hdr.type != RK_TYPE_REPLY);
	assert_int_equal(m.error.len, strlen(text));
	assert_memory_equal(m.error.ptr, text, strlen(text));
	/* That stream alone; and here they know why. */
	raw_check_echo(c.fd, 8);
	assert_int_equal(atomic_load(&ended_there), 1);
	assert_int_equal(atomic_load(&code_there), RK_ELIMIT);
	raw_close(c.fd);
	rpcrig_end(&rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "frees its client", frees_its_client, RPC_ALL },
		{ "fills memory", refuses_who_fills_memory, RPC_ONLY(RPC_TCP) },
	};

	return rpcrig_run_cases(
	    "channels' ends", cases, sizeof(cases) / sizeof(cases[0]));
}
