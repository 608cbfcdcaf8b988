/* Everything at once for a while: calls, streams, cancels, lost connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "streamrig.h"

#define CLIENTS 3
#define OPS 48 /* at a time, of a client */
/* Of all transports together; RPCKIT_SOAK_SECONDS in the environment says
 * otherwise. */
#define SECONDS 30
#define TAKE_MAX 3000 /* bytes of a random part, usually */

enum kind {
	CALL,
	ONEWAY,
	UP,
	DOWN,
	BOTH,
	EARLY,
	DEAF,
	KINDS
};

struct op {
	struct soaker *of;
	enum kind kind;
	bool busy;
	bool timed;
	bool paused;    /* its answer may wait for us */
	unsigned begun; /* in all that this struct was used for */
	unsigned ended;
	uint64_t id;         /* of a call */
	struct rk_stream *s; /* of a stream, until it ended */
	unsigned left;       /* parts to send */
	uint64_t want;       /* bytes that should come, or came back */
	uint64_t got;
	uint64_t sent;
};

/* One client, on its own thread. */
struct soaker {
	struct rpcrig *rig;
	pthread_t thread;
	uint64_t until;
	uint32_t seed;
	struct rk_loop *loop;
	struct rk_client *client;
	bool open;
	unsigned closed;
	unsigned connects;
	struct op ops[OPS];
	uint64_t done[KINDS]; /* ended well */
	uint64_t cut;         /* ended otherwise, as they may */
	const char *wrong;    /* what must not be */
};

static uint32_t
rnd(struct soaker *k, uint32_t n)
{
	k->seed ^= k->seed << 13;
	k->seed ^= k->seed >> 17;
	k->seed ^= k->seed << 5;
	return k->seed % n;
}

static void
wrong(struct soaker *k, const char *what)
{
	if (k->wrong == NULL)
		k->wrong = what;
}

/* ---- ends ---- */

static bool
is_known_end(const struct op *op, enum rk_err code)
{
	const enum kind kind = op->kind;

	if (code == RK_OK)
		return kind != EARLY && kind != DEAF;
	if (code == RK_EREMOTE)
		return kind == EARLY || op->timed; /* which end was first */
	/* By us, or with the connection. */
	return code == RK_ECANCELED || code == RK_ECLOSED ||
	       code == RK_ETIMEOUT;
}

static void
end(struct op *op, enum rk_err code)
{
	struct soaker *k = op->of;

	op->ended++;
	op->s = NULL;
	if (!op->busy || op->ended != op->begun)
		wrong(k, "an operation ended twice");
	if (!is_known_end(op, code))
		wrong(k, rk_err_text(code));
	if (code == RK_OK && op->got != op->want)
		wrong(k, "bytes are missing");
	if (code == RK_OK || (code == RK_EREMOTE && op->kind == EARLY))
		k->done[op->kind]++;
	else
		k->cut++;
	op->busy = false;
}

static void
on_reply(struct rk_client *c, const struct rk_reply *reply, void *arg)
{
	struct op *op = arg;

	(void)c;
	op->got = reply->payload.len;
	if (reply->code == RK_OK && op->got == op->want && op->got > 0 &&
	    memcmp(reply->payload.ptr, rpcrig_bytes, op->got) != 0)
		wrong(op->of, "another answer");
	end(op, reply->code);
}

/* ---- streams ---- */

static void
send_some(struct rk_stream *s, void *arg)
{
	struct op *op = arg;
	struct soaker *k = op->of;
	enum rk_err r = RK_OK;

	while (r == RK_OK && op->left > 0) {
		size_t n = rnd(k, 20) == 0 ? rnd(k, 200000) : rnd(k, TAKE_MAX);
		struct rk_part p = { .payload = { rpcrig_bytes, n },
			.last = op->left == 1 };

		r = rk_stream_send(s, &p);
		if (r != RK_OK)
			continue;
		op->left--;
		op->sent += n;
		if (op->kind == BOTH)
			op->want += n;
	}
	/* Answered early, or the connection is going. */
	if (r != RK_OK && r != RK_EAGAIN && r != RK_ESTATE && r != RK_ECLOSED)
		wrong(k, rk_err_text(r));
}

static void
on_part(struct rk_stream *s, const struct rk_part *part, void *arg)
{
	struct op *op = arg;

	if (part->payload.len > 0 &&
	    memcmp(part->payload.ptr, rpcrig_bytes, part->payload.len) != 0)
		wrong(op->of, "other bytes");
	op->got += part->payload.len;
	op->paused = rnd(op->of, 30) == 0;
	if (op->paused)
		rk_stream_pause(s, true);
}

static void
on_ended(struct rk_stream *s, const struct rk_reply *reply, void *arg)
{
	struct op *op = arg;

	(void)s;
	if (op->kind == UP) {
		char text[64] = "";
		char *at;
		size_t n = reply->payload.len < 63 ? reply->payload.len : 63;

		if (n > 0)
			memcpy(text, reply->payload.ptr, n);
		(void)strtoul(text, &at, 10); /* parts */
		op->got = strtoull(at, NULL, 10);
		op->want = op->sent;
	}
	end(op, reply->code);
}

static void
open_stream(struct op *op)
{
	static const struct rk_stream_events events = {
		.part = on_part, .writable = send_some, .ended = on_ended
	};
	static const char *const names[KINDS] = { [UP] = "up",
		[DOWN] = "down",
		[BOTH] = "both",
		[EARLY] = "early",
		[DEAF] = "deaf" };
	static const enum rk_stream_kind kinds[KINDS] = { [UP] = RK_STREAM_UP,
		[DOWN] = RK_STREAM_DOWN,
		[BOTH] = RK_STREAM_BOTH,
		[EARLY] = RK_STREAM_UP,
		[DEAF] = RK_STREAM_UP };
	struct soaker *k = op->of;
	struct rk_request req = { .method = names[op->kind] };
	char text[16];

	op->left = 1 + rnd(k, 60);
	if (op->kind == EARLY)
		op->left += 4; /* which are enough to be refused */
	if (op->kind == DEAF || rnd(k, 50) == 0)
		req.timeout = 1 + rnd(k, 100);
	op->timed = req.timeout != 0;
	if (op->kind == DOWN) {
		op->left = 0;
		op->want = rnd(k, 10) == 0 ? rnd(k, 3000000) : rnd(k, 20000);
		req.payload = text;
		req.payload_len =
		    (size_t)snprintf(text, sizeof(text), "%" PRIu64, op->want);
	}
	if (rk_client_stream(k->client, kinds[op->kind], &req, &events, op,
	        &op->s) != RK_OK) {
		op->busy = false;
		op->begun--;
		return;
	}
	send_some(op->s, op);
}

/* ---- what a client does ---- */

static void
begin(struct op *op)
{
	struct soaker *k = op->of;
	struct rk_request req = { .method = "echo", .payload = rpcrig_bytes };
	enum rk_err r;

	op->kind = (enum kind)rnd(k, KINDS);
	op->want = op->got = op->sent = 0;
	op->id = 0;
	op->timed = op->paused = false;
	if (op->kind == ONEWAY) {
		req.payload_len = rnd(k, TAKE_MAX);
		r = rk_client_send(k->client, &req);
		k->done[ONEWAY] += r == RK_OK;
		return;
	}
	op->busy = true;
	op->begun++;
	if (op->kind != CALL) {
		open_stream(op);
		return;
	}
	op->want = rnd(k, 10) == 0 ? rnd(k, 300000) : rnd(k, TAKE_MAX);
	req.payload_len = op->want;
	if (rnd(k, 50) == 0)
		req.timeout = 1 + rnd(k, 20);
	op->timed = req.timeout != 0;
	r = rk_client_submit(k->client, &req, on_reply, op, &op->id);
	if (r != RK_OK) {
		op->busy = false;
		op->begun--;
	}
}

static void
go_on(struct op *op)
{
	op->paused = false;
	rk_stream_pause(op->s, false);
}

/* Something happens to it on the way, or nothing. */
static void
meddle(struct op *op)
{
	struct soaker *k = op->of;
	uint32_t what = rnd(k, 200);

	if (op->kind == CALL) {
		if (what == 0)
			(void)rk_client_cancel(k->client, op->id);
		return;
	}
	if (op->s == NULL)
		return;
	if (what == 0)
		rk_stream_cancel(op->s);
	else if (what < 40)
		go_on(op);
}

static void
on_connected(struct rk_client *c, void *arg)
{
	struct soaker *k = arg;

	(void)c;
	k->open = true;
}

static void
on_closed(struct rk_client *c, const struct rk_error *why, void *arg)
{
	struct soaker *k = arg;

	(void)c;
	(void)why;
	k->open = false;
	k->closed++;
	for (size_t i = 0; i < OPS; i++) {
		if (k->ops[i].busy && !k->ops[i].paused)
			wrong(k, "an operation outlived its connection");
	}
}

static void
turn(struct soaker *k)
{
	if (k->closed == k->connects) {
		if (rk_client_start(k->client, NULL) != RK_OK)
			wrong(k, "cannot connect again");
		k->connects++;
	}
	for (size_t i = 0; i < OPS; i++) {
		if (k->ops[i].busy)
			meddle(&k->ops[i]);
		else if (rnd(k, 4) == 0)
			begin(&k->ops[i]);
	}
	if (k->open && rnd(k, 3000) == 0)
		rk_client_shutdown(k->client);
	if (rk_loop_step(k->loop, (int)rnd(k, 3)) != RK_OK)
		wrong(k, "the loop failed");
}

static bool
is_idle(const struct soaker *k)
{
	for (size_t i = 0; i < OPS; i++) {
		if (k->ops[i].busy)
			return false;
	}
	return true;
}

static void *
soak(void *arg)
{
	struct soaker *k = arg;
	uint64_t patience;

	while (rpcrig_now() < k->until && k->wrong == NULL)
		turn(k);
	patience = rpcrig_now() + RPCRIG_PATIENCE_MS;
	while (!is_idle(k) && k->wrong == NULL) {
		for (size_t i = 0; i < OPS; i++) {
			if (k->ops[i].busy && k->ops[i].s != NULL)
				go_on(&k->ops[i]);
		}
		if (rk_loop_step(k->loop, 10) != RK_OK ||
		    rpcrig_now() > patience)
			wrong(k, "an operation never ended");
	}
	/* What is begun now ends with the client, once, too. */
	for (size_t i = 0; i < OPS && k->open; i++)
		begin(&k->ops[i]);
	rk_client_free(k->client);
	for (size_t i = 0; i < OPS; i++) {
		if (k->ops[i].begun != k->ops[i].ended)
			wrong(k, "an operation did not end once");
	}
	rk_loop_free(k->loop);
	return NULL;
}

static void
start(struct soaker *k, struct rpcrig *rig, uint64_t until, uint32_t seed)
{
	struct rk_client_conf conf;
	struct rk_error err;

	*k = (struct soaker){ .rig = rig, .until = until, .seed = seed };
	for (size_t i = 0; i < OPS; i++)
		k->ops[i].of = k;
	assert_int_equal(rk_loop_new(&k->loop), RK_OK);
	rpcrig_client_conf(rig, &conf);
	conf.loop = k->loop;
	conf.connected = on_connected;
	conf.closed = on_closed;
	conf.arg = k;
	if (rk_client_new(&conf, &k->client, &err) != RK_OK)
		fail_msg("%s", err.text);
	assert_int_equal(pthread_create(&k->thread, NULL, soak, k), 0);
}

static uint64_t
soak_ms(void)
{
	const char *text = getenv("RPCKIT_SOAK_SECONDS");
	uint64_t s = text == NULL ? SECONDS : strtoull(text, NULL, 10);

	return s * 1000 / RPC_KINDS;
}

static void
everything_ends_once(void **state)
{
	static struct soaker soakers[CLIENTS];
	const struct rpcrun *run = *state;
	struct rpcrig rig;
	uint64_t until;
	uint64_t sum[KINDS] = { 0 };
	const char *why = NULL;

	if (run->threads == 0)
		return; /* more than one loop is the harder case */
	streamrig_begin(&rig, run);
	until = rpcrig_now() + soak_ms();
	for (uint32_t i = 0; i < CLIENTS; i++)
		start(&soakers[i], &rig, until, 77 + i);
	for (size_t i = 0; i < CLIENTS; i++) {
		assert_int_equal(pthread_join(soakers[i].thread, NULL), 0);
		if (soakers[i].wrong != NULL)
			why = soakers[i].wrong;
		for (size_t j = 0; j < KINDS; j++)
			sum[j] += soakers[i].done[j];
	}
	if (why != NULL)
		fail_msg("%s", why);
	for (size_t j = 0; j < KINDS; j++) {
		if (j != DEAF)
			assert_true(sum[j] > 0);
	}
	rpcrig_await_running(&rig, 0);
	rpcrig_end(&rig);
}

int
main(void)
{
	static const struct rpccase cases[] = {
		{ "soak", everything_ends_once, RPC_ALL },
	};

	return rpcrig_run_cases(
	    "soak", cases, sizeof(cases) / sizeof(cases[0]));
}
