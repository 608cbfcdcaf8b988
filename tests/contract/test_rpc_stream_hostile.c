/* Peers that say anything about streams, both ways: nobody believes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rawpeer.h"
#include "streamrig.h"

static uint64_t seed;

static unsigned
roll(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static void
add(struct buf *b, int64_t type, uint64_t seqno, int64_t part, size_t len)
{
	struct msg m = {
		.hdr = { .type = type, .seqno = seqno, .stream_part = part },
		.payload = { rpcrig_bytes, len },
	};

	assert_int_equal(msg_encode(b, &m, NULL, 0), RK_OK);
}

/* A server of ours, a client by hand, or the other way round: connected. */
static struct rk_client *
meet(int *fd)
{
	struct rk_client_conf conf = { .size = sizeof(conf) };
	struct rk_client *c;
	struct rk_error err;
	char url[128];
	int l = raw_listen(url);

	conf.url = url;
	c = rpcrig_client_with(&conf);
	if (rk_client_connect(c, &err) != RK_OK)
		fail_msg("%s", err.text);
	*fd = raw_accept(l);
	raw_close(l);
	return c;
}

/* ---- a server that does not stop ---- */

static void
nothing_follows_an_answer(void **state)
{
	struct rk_client *c;
	struct rk_stream *s;
	struct rk_part p;
	struct rk_error err;
	struct msg m = { 0 };
	struct buf b;
	int fd;

	(void)state;
	buf_init(&b, SIZE_MAX);
	c = meet(&fd);
	s = streamrig_open(c, RK_STREAM_DOWN, "any", "", 0);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	raw_get(fd, &m);
	add(&b, RK_TYPE_DOWNLOAD_BEGIN, m.hdr.seqno, 0, 10);
	add(&b, RK_TYPE_REPLY, m.hdr.seqno, 0, 3);
	add(&b, RK_TYPE_DOWNLOAD_MORE, m.hdr.seqno, 1, 10);
	add(&b, RK_TYPE_DOWNLOAD_MORE, m.hdr.seqno, 7, 10);
	raw_put(fd, buf_peek(&b), buf_len(&b));
	assert_int_equal(rk_stream_next(s, &p, &err), RK_OK);
	assert_int_equal(p.payload.len, 10);
	assert_int_equal(rk_client_process(c), RK_OK);
	assert_int_equal(rk_stream_next(s, &p, &err), RK_ENOENT);
	streamrig_finish(s, RK_OK, NULL);
	rk_client_free(c);
	raw_close(fd);
	buf_fini(&b);
}

/* ---- a server that says anything ---- */

#define STREAMS 6

struct seen {
	struct rk_stream *s; /* NULL: it has ended */
	int64_t next;
	unsigned ended;
	bool paused;
};

static void
on_part(struct rk_stream *s, const struct rk_part *p, void *arg)
{
	struct seen *e = arg;

	assert_ptr_equal(e->s, s);
	assert_false(e->paused);
	assert_int_equal(p->hdr->stream_part, e->next);
	e->next = p->last ? -1 : e->next + 1;
	if (roll(9) == 0) {
		e->paused = true;
		rk_stream_pause(s, true);
	}
	if (roll(50) == 0)
		rk_stream_cancel(s);
}

static void
on_ended(struct rk_stream *s, const struct rk_reply *r, void *arg)
{
	struct seen *e = arg;

	(void)r;
	assert_ptr_equal(e->s, s);
	assert_int_equal(e->ended, 0);
	e->ended = 1;
	e->s = NULL;
}

static void
talk(int fd, const uint64_t seqnos[STREAMS], int64_t due[STREAMS])
{
	static const int64_t types[] = { 106, 107, 109, 109, 110, 110, 110, 110,
		111, 101, 104, 200, 200, 105, 3 };
	struct buf b;

	buf_init(&b, SIZE_MAX);
	for (unsigned n = 1 + roll(8); n > 0; n--) {
		unsigned i = roll(STREAMS);
		int64_t type = types[roll(roll(4) == 0 ? 15 : 8)];
		int64_t part = roll(20) == 0 ? (int64_t)roll(4) - 2 : due[i]++;

		if (type == RK_TYPE_CREDIT)
			part = (int64_t)((uint64_t)roll(1 << 20) << roll(44));
		add(&b, type, roll(30) == 0 ? 999 : seqnos[i], part,
		    roll(5) == 0 ? roll(100000) : roll(20));
	}
	raw_put(fd, buf_peek(&b), buf_len(&b));
	buf_fini(&b);
}

static void
stir(struct rk_client *c, struct seen *e)
{
	struct rk_part p = { .payload = { rpcrig_bytes, 1 + roll(60000) },
		.last = roll(50) == 0 };

	if (e->s != NULL && e->paused && roll(3) == 0) {
		e->paused = false;
		rk_stream_pause(e->s, false);
	}
	if (e->s != NULL)
		(void)(rk_stream_send(e->s, &p) == RK_OK);
	assert_int_equal(rk_client_process(c), RK_OK);
}

static void
hear_out(uint64_t number)
{
	static const struct rk_stream_events events = { .part = on_part,
		.ended = on_ended };
	static const enum rk_stream_kind kinds[] = { RK_STREAM_DOWN,
		RK_STREAM_BOTH, RK_STREAM_UP };
	struct rk_request req = { .method = "any" };
	struct seen seen[STREAMS] = { 0 };
	uint64_t seqnos[STREAMS];
	int64_t due[STREAMS] = { 0 };
	struct rk_client *c;
	struct msg m = { 0 };
	int fd;

	seed = number;
	c = meet(&fd);
	for (unsigned i = 0; i < STREAMS; i++) {
		assert_int_equal(rk_client_stream(c, kinds[i % 3], &req,
		                     &events, &seen[i], &seen[i].s),
		    RK_OK);
		assert_int_equal(rk_client_flush(c, NULL), RK_OK);
		raw_get(fd, &m);
		seqnos[i] = m.hdr.seqno;
	}
	for (int i = 0; i < 60; i++) {
		talk(fd, seqnos, due);
		stir(c, &seen[roll(STREAMS)]);
	}
	rk_client_free(c);
	for (unsigned i = 0; i < STREAMS; i++)
		assert_int_equal(seen[i].ended, 1);
	raw_close(fd);
}

static void
servers_say_anything(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 40; i++)
		hear_out(i);
}

/* ---- a client that says anything ---- */

static void
pester(struct rpcrig *rig, uint64_t number)
{
	static const char *const methods[] = { "up", "down", "both", "stall",
		"early", "deaf", "atonce", "never", "echo", "nosuch" };
	static const int64_t types[] = { 105, 108, 3, 106, 106, 106, 106, 107,
		200, 103, 109, 111, 1, 100, 102 };
	int fd = raw_dial(rig);
	struct buf b;

	seed = number;
	buf_init(&b, SIZE_MAX);
	for (int i = 0; i < 300; i++) {
		const char *method = methods[roll(10)];
		uint64_t seqno = roll(8);
		char id = (char)('a' + seqno);
		struct msg m = {
			.hdr = {
			    .type = types[roll(15)],
			    .seqno = seqno,
			    .stream_part = roll(6),
			    .to_service = { method, strlen(method) },
			    .call_id = { &id, roll(3) != 0 },
			},
			.payload = { (const uint8_t *)"31234567",
			    roll(9) },
		};

		assert_int_equal(msg_encode(&b, &m, NULL, 0), RK_OK);
	}
	(void)raw_put_some(fd, buf_peek(&b), buf_len(&b), 0);
	raw_close(fd);
	buf_fini(&b);
}

static void
clients_say_anything(void **state)
{
	struct rpcrig rig;

	streamrig_begin(&rig, *state);
	for (uint64_t i = 1; i <= 40; i++)
		pester(&rig, i);
	rpcrig_check_alive(&rig);
	rpcrig_await_running(&rig, 0);
	rpcrig_end(&rig);
}

/* ---- a server that stops ---- */

static void
hold(struct rk_call *call, void *arg)
{
	uint64_t *id = arg;

	*id = rk_call_defer(call);
}

static void
install(struct rpcrig *rig, void *arg)
{
	const struct rk_method list[] = {
		{ .name = "hold", .fn = hold, .arg = arg },
		{ .name = "up",
		    .stream = streamrig_up,
		    .streams = RK_STREAM_UP },
	};
	struct rk_error err;

	assert_int_equal(
	    rk_server_methods(rig->server, list, 2, NULL, NULL, &err), RK_OK);
}

/* Nothing new, not even when the streams that kept it reading are over. */
static void
takes_nothing_new_at_the_end(void **state)
{
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	struct rk_client *c;
	struct rk_stream *s;
	struct rpcanswer held = { 0 }, late = { 0 };
	uint64_t id = 0;

	if (run->threads > 0)
		return; /* when a thread hears of the end is its own matter */
	streamrig_begin(&rig, run);
	rpcrig_do(&rig, install, &id);
	c = rpcrig_client(&rig);
	(void)rpcrig_submit(c, "hold", "x", 1, &held);
	s = streamrig_open(c, RK_STREAM_UP, "up", "one", 0);
	assert_int_equal(rk_client_flush(c, NULL), RK_OK);
	streamrig_await(&streamworld.parts, 1);
	rpcrig_stop(&rig, 10000);
	do { /* until it knows, while it still reads */
		late = (struct rpcanswer){ 0 };
		(void)rpcrig_submit(c, "nosuch", "x", 1, &late);
		rpcrig_turn(c, &late.n, 1);
	} while (late.code == RK_ENOMETHOD);
	assert_string_equal(late.text, "the server is stopping");
	late = (struct rpcanswer){ 0 };
	streamrig_put(s, 10, true);
	streamrig_finish(s, RK_OK, NULL);
	(void)rpcrig_submit(c, "hold", "x", 1, &late);
	rpcrig_turn(c, &late.n, 1);
	assert_int_equal(late.code, RK_EREMOTE);
	assert_string_equal(late.text, "the server is stopping");
	assert_int_equal(rk_server_reply(rig.server, id, NULL, "y", 1), RK_OK);
	rpcrig_turn(c, &held.n, 1);
	assert_int_equal(held.code, RK_OK);
	rpcrig_await_stopped(&rig);
	rk_client_free(c);
	rpcrig_fini(&rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "answered", nothing_follows_an_answer, RPC_ONLY(RPC_TCP) },
		{ "server", servers_say_anything, RPC_ONLY(RPC_TCP) },
		{ "client", clients_say_anything, RPC_ONLY(RPC_TCP) },
		{ "stopping", takes_nothing_new_at_the_end, RPC_ALL },
	};

	return rpcrig_run_cases(
	    "rpc stream hostile", cases, sizeof(cases) / sizeof(cases[0]));
}
