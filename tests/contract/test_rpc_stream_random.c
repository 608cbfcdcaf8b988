/* Streams at random: whatever callbacks do, parts come once and in order, and
 * every stream ends once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "streamrig.h"

#define ENDS_MAX 64 /* at a time, both sides */
#define STEPS 300
#define ROUNDS 12

/* One end of a stream. */
struct end {
	struct rk_stream *s; /* NULL: free */
	bool client;
	uint64_t sent;
	uint64_t got;
	bool paused;
	bool last_sent;
	bool last_got;
};

static struct world {
	struct rk_client *client;
	struct end ends[ENDS_MAX];
	uint64_t seed;
	unsigned opened, ended;   /* by clients */
	unsigned served, settled; /* by the server */
	bool closing;
} w;

static unsigned
roll(unsigned n)
{
	w.seed = w.seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(w.seed >> 33) % n;
}

static struct end *
take_end(bool client)
{
	for (size_t i = 0; i < ENDS_MAX; i++) {
		if (w.ends[i].s == NULL) {
			w.ends[i] = (struct end){ .client = client };
			return &w.ends[i];
		}
	}
	return NULL;
}

static bool
sends(const struct end *e)
{
	return rk_stream_kind(e->s) !=
	       (e->client ? RK_STREAM_DOWN : RK_STREAM_UP);
}

/* Each part says how many came before it. */
static void
send_some(struct end *e)
{
	uint8_t payload[70000];
	struct rk_part p = { .payload = { payload, 0 } };
	enum rk_err r = RK_OK;

	memset(payload, 7, sizeof(payload));
	for (unsigned n = roll(6); n > 0 && r == RK_OK && !e->last_sent; n--) {
		p.payload.len = roll(3) == 0 ? 8 + roll(60000) : 8 + roll(50);
		p.last = roll(60) == 0;
		memcpy(payload, &e->sent, 8);
		r = rk_stream_send(e->s, &p);
		if (!sends(e)) {
			assert_int_equal(r, RK_ESTATE);
			return;
		}
		if (r == RK_OK) {
			e->sent++;
			e->last_sent = p.last;
		}
	}
	assert_true(
	    r == RK_OK || r == RK_EAGAIN || r == RK_ESTATE || r == RK_ECLOSED);
}

static void open_one(void);

static void
reply(struct end *e)
{
	struct rk_stream *s = e->s;

	e->s = NULL;
	w.settled++;
	if (roll(2) == 0)
		(void)rk_stream_reply(s, "bye", 3);
	else
		(void)rk_stream_fail(s, "no more", NULL, 0);
}

/* False: it is gone. */
static bool
do_something(struct end *e)
{
	switch (roll(12)) {
	case 0:
	case 1:
		e->paused = roll(2) == 0;
		rk_stream_pause(e->s, e->paused);
		break;
	case 2:
		if (roll(8) != 0)
			break;
		if (!e->client) {
			reply(e);
			return false;
		}
		rk_stream_cancel(e->s);
		break;
	case 3:
		open_one();
		break;
	case 4:
		(void)rk_stream_room(e->s);
		(void)rk_stream_time_left(e->s);
		break;
	default:
		send_some(e);
		break;
	}
	return true;
}

static void
on_part(struct rk_stream *s, const struct rk_part *p, void *arg)
{
	struct end *e = arg;
	uint64_t n;

	assert_ptr_equal(e->s, s);
	assert_false(e->paused);
	assert_false(e->last_got);
	assert_true(p->payload.len >= 8 || p->last);
	if (p->payload.len >= 8) {
		memcpy(&n, p->payload.ptr, 8);
		assert_int_equal(n, e->got);
		e->got++;
	}
	e->last_got = p->last;
	if (!w.closing || !e->client)
		(void)do_something(e);
}

static void
on_writable(struct rk_stream *s, void *arg)
{
	struct end *e = arg;

	assert_ptr_equal(e->s, s);
	send_some(e);
	(void)do_something(e);
}

static void
on_ended(struct rk_stream *s, const struct rk_reply *r, void *arg)
{
	struct end *e = arg;

	assert_ptr_equal(e->s, s);
	if (e->client) {
		w.ended++;
		rk_stream_cancel(s);
	} else {
		w.settled++;
		assert_non_null(rk_stream_peer(s));
		assert_int_not_equal(r->code, RK_EPROTO);
	}
	rk_stream_pause(s, roll(2) == 0);
	e->s = NULL;
	if (roll(3) == 0)
		open_one();
}

static const struct rk_stream_events events = { on_part, on_writable,
	on_ended };

static void
open_one(void)
{
	static const enum rk_stream_kind kinds[] = { RK_STREAM_UP,
		RK_STREAM_DOWN, RK_STREAM_BOTH };
	struct rk_request req = { .method = "random", .timeout = RK_NEVER };
	struct end *e;

	if (w.closing || w.opened - w.ended >= ENDS_MAX / 3)
		return;
	e = take_end(true);
	if (e == NULL)
		return;
	if (roll(10) == 0)
		req.timeout = 1 + roll(20);
	if (rk_client_stream(
	        w.client, kinds[roll(3)], &req, &events, e, &e->s) == RK_OK)
		w.opened++;
	else
		e->s = NULL;
}

static void
serve(struct rk_stream *s, void *arg)
{
	struct end *e = take_end(false);

	(void)arg;
	if (e == NULL || roll(20) == 0) {
		(void)rk_stream_fail(s, "not now", NULL, 0);
		return;
	}
	e->s = s;
	w.served++;
	rk_stream_listen(s, &events, e);
	(void)do_something(e);
}

/* Whatever an end waits for comes: it is not paused for ever. */
static void
stir(void)
{
	struct end *e = &w.ends[roll(ENDS_MAX)];

	if (e->s == NULL)
		return;
	if (e->paused && roll(2) == 0) {
		e->paused = false;
		rk_stream_pause(e->s, false);
		return;
	}
	(void)do_something(e);
}

static void
settle(struct rpcrig *rig)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	w.closing = true;
	while ((w.ended < w.opened || w.settled < w.served) &&
	       rpcrig_now() < until) {
		for (size_t i = 0; i < ENDS_MAX; i++) {
			struct end *e = &w.ends[i];

			if (e->s == NULL)
				continue;
			e->paused = false;
			rk_stream_pause(e->s, false);
			if (!e->client && roll(3) == 0)
				reply(e);
			else if (e->client && roll(9) == 0)
				rk_stream_cancel(e->s);
		}
		assert_int_equal(rk_loop_step(rig->loop, 1), RK_OK);
	}
	assert_int_equal(w.ended, w.opened);
	assert_int_equal(w.settled, w.served);
}

static void
go_round(struct rpcrig *rig, uint64_t seed)
{
	struct rk_client_conf conf;

	w = (struct world){ .seed = seed };
	rpcrig_client_conf(rig, &conf);
	conf.loop = rig->loop;
	w.client = rpcrig_client_with(&conf);
	assert_int_equal(rk_client_start(w.client, NULL), RK_OK);
	for (int i = 0; i < STEPS; i++) {
		open_one();
		stir();
		assert_int_equal(rk_loop_step(rig->loop, 0), RK_OK);
	}
	assert_true(w.opened > 0);
	if (seed % 3 == 0)
		rk_client_shutdown(w.client); /* with all that runs */
	settle(rig);
	rk_client_free(w.client);
}

static void
anything_goes(void **state)
{
	static const struct rk_method method = { .name = "random",
		.stream = serve,
		.streams = RK_STREAM_UP | RK_STREAM_DOWN | RK_STREAM_BOTH };
	const struct rpcrun *run = *state;
	struct rk_error err;
	struct rpcrig rig;

	if (run->threads > 0)
		return; /* both ends are on one loop */
	rpcrig_init(&rig, run->kind, 0);
	rig.stepped = true;
	rpcrig_start(&rig);
	assert_int_equal(
	    rk_server_methods(rig.server, &method, 1, NULL, NULL, &err), RK_OK);
	for (uint64_t seed = 1; seed <= ROUNDS; seed++)
		go_round(&rig, seed);
	rpcrig_end(&rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "anything", anything_goes, RPC_ALL },
	};

	return rpcrig_run_cases(
	    "rpc stream random", cases, sizeof(cases) / sizeof(cases[0]));
}
