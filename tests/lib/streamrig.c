/* A test server's streams, and a client's blocking form of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rpckit/stream.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "streamrig.h"

/* ---- methods ---- */

struct streamworld streamworld;

uint32_t
streamrig_mix(uint32_t h, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 16777619u;
	return h;
}

struct sum {
	uint64_t bytes;
	unsigned parts;
	uint32_t hash;
	char subject[32];
};

static void
on_ended(struct rk_stream *s, const struct rk_reply *reply, void *arg)
{
	(void)arg;
	free(rk_stream_data(s));
	atomic_store(&streamworld.ended_code, (int)reply->code);
	atomic_fetch_add(&streamworld.ended, 1);
}

static struct sum *
new_sum(struct rk_stream *s)
{
	struct sum *sum = calloc(1, sizeof(*sum));

	if (sum == NULL)
		abort();
	rk_stream_set_data(s, sum);
	atomic_fetch_add(&streamworld.opened, 1);
	return sum;
}

static void
add_part(struct rk_stream *s, const struct rk_part *p, void *arg)
{
	struct sum *sum = rk_stream_data(s);
	struct rk_str value = { "", 0 };
	char text[160];
	int n;

	(void)arg;
	(void)rk_args_get(&p->hdr->args, "k", &value);
	sum->bytes += p->payload.len;
	sum->parts++;
	sum->hash = streamrig_mix(sum->hash, p->payload.ptr, p->payload.len);
	atomic_fetch_add(&streamworld.bytes, p->payload.len);
	atomic_fetch_add(&streamworld.parts, 1);
	if (!p->last)
		return;
	n = snprintf(text, sizeof(text), "%u %llu %08x %.*s %.*s", sum->parts,
	    (unsigned long long)sum->bytes, sum->hash, (int)p->subject.len,
	    p->subject.ptr, (int)value.len, value.ptr);
	free(sum);
	(void)rk_stream_reply(s, text, (size_t)n);
}

void
streamrig_up(struct rk_stream *s, void *arg)
{
	static const struct rk_stream_events events = { .part = add_part,
		.ended = on_ended };

	(void)new_sum(s);
	rk_stream_listen(s, &events, arg);
}

/* As many bytes as the request says, as fast as they are taken. */
static void
push_down(struct rk_stream *s, void *arg)
{
	struct sum *left = rk_stream_data(s);
	enum rk_err r = RK_OK;

	(void)arg;
	while (r == RK_OK && left->bytes > 0) {
		size_t n = left->bytes < 50000 ? (size_t)left->bytes : 50000;
		struct rk_part p = { .payload = { rpcrig_bytes, n } };

		p.last = n == left->bytes;
		r = rk_stream_send(s, &p);
		if (r == RK_OK) {
			left->bytes -= n;
			left->parts++;
			atomic_fetch_add(&streamworld.bytes, n);
		}
	}
	if (r == RK_EAGAIN)
		return;
	free(left);
	(void)rk_stream_reply(s, "done", 4);
}

static void
open_down(struct rk_stream *s, void *arg)
{
	static const struct rk_stream_events events = { .writable = push_down,
		.ended = on_ended };
	struct rk_bytes req = rk_stream_request(s);
	char text[32] = "";

	if (req.len > 0)
		memcpy(text, req.ptr, req.len < 31 ? req.len : 31);
	new_sum(s)->bytes = strtoull(text, NULL, 10);
	rk_stream_listen(s, &events, arg);
	push_down(s, arg);
}

/* Echo: what cannot be sent back now is not taken either. */
struct echo {
	uint8_t *kept;
	size_t len;
	bool last;
};

static void
echo_free(struct rk_stream *s, const struct rk_reply *reply, void *arg)
{
	struct echo *e = rk_stream_data(s);

	free(e->kept);
	on_ended(s, reply, arg);
}

static void
echo_flush(struct rk_stream *s, void *arg)
{
	struct echo *e = rk_stream_data(s);
	struct rk_part p = { .payload = { e->kept, e->len }, .last = e->last };
	enum rk_err r = rk_stream_send(s, &p);

	(void)arg;
	if (r == RK_EAGAIN) {
		rk_stream_pause(s, true);
		return;
	}
	free(e->kept);
	e->kept = NULL;
	rk_stream_pause(s, false);
	if (e->last) {
		free(e);
		(void)rk_stream_reply(s, "bye", 3);
	}
}

static void
echo_part(struct rk_stream *s, const struct rk_part *p, void *arg)
{
	struct echo *e = rk_stream_data(s);

	if (e->kept != NULL)
		abort(); /* it is paused */
	e->kept = malloc(p->payload.len + 1);
	if (e->kept == NULL)
		abort();
	if (p->payload.len > 0)
		memcpy(e->kept, p->payload.ptr, p->payload.len);
	e->len = p->payload.len;
	e->last = p->last;
	echo_flush(s, arg);
}

static void
open_echo(struct rk_stream *s, void *arg)
{
	static const struct rk_stream_events events = {
		.part = echo_part, .writable = echo_flush, .ended = echo_free
	};
	struct echo *e = calloc(1, sizeof(*e));

	if (e == NULL)
		abort();
	rk_stream_set_data(s, e);
	atomic_fetch_add(&streamworld.opened, 1);
	rk_stream_listen(s, &events, arg);
}

/* Takes nothing until the test says so. */
static void
open_stall(struct rk_stream *s, void *arg)
{
	streamrig_up(s, arg);
	rk_stream_pause(s, true);
	atomic_store(&streamworld.stalled, s);
}

static void
refuse_third(struct rk_stream *s, const struct rk_part *p, void *arg)
{
	struct sum *sum = rk_stream_data(s);

	(void)p;
	(void)arg;
	if (++sum->parts < 3)
		return;
	free(sum);
	(void)rk_stream_fail(s, "that is enough", "why", 3);
}

static void
open_early(struct rk_stream *s, void *arg)
{
	static const struct rk_stream_events events = { .part = refuse_third,
		.ended = on_ended };

	(void)new_sum(s);
	rk_stream_listen(s, &events, arg);
}

/* Takes everything and never answers. */
static void
open_deaf(struct rk_stream *s, void *arg)
{
	static const struct rk_stream_events events = { .ended = on_ended };

	(void)new_sum(s);
	rk_stream_listen(s, &events, arg);
}

static void
open_never(struct rk_stream *s, void *arg)
{
	(void)s;
	(void)arg;
}

static void
open_at_once(struct rk_stream *s, void *arg)
{
	struct rk_bytes p = rk_stream_request(s);

	(void)arg;
	(void)rk_stream_reply(s, p.ptr, p.len);
}

static void
plain_echo(struct rk_call *call, void *arg)
{
	struct rk_bytes p = rk_call_payload(call);

	(void)arg;
	(void)rk_call_reply(call, p.ptr, p.len);
}

static void
install(struct rpcrig *r, void *arg)
{
	static const struct rk_method list[] = {
		{ .name = "up",
		    .stream = streamrig_up,
		    .streams = RK_STREAM_UP },
		{ .name = "down",
		    .stream = open_down,
		    .streams = RK_STREAM_DOWN },
		{ .name = "both",
		    .stream = open_echo,
		    .streams = RK_STREAM_BOTH },
		{ .name = "stall",
		    .stream = open_stall,
		    .streams = RK_STREAM_UP },
		{ .name = "early",
		    .stream = open_early,
		    .streams = RK_STREAM_UP | RK_STREAM_BOTH },
		{ .name = "deaf",
		    .stream = open_deaf,
		    .streams = RK_STREAM_UP },
		{ .name = "shy",
		    .stream = open_deaf,
		    .streams = RK_STREAM_UP,
		    .secret = "pass, file" },
		{ .name = "never",
		    .stream = open_never,
		    .streams = RK_STREAM_UP },
		{ .name = "atonce",
		    .stream = open_at_once,
		    .streams = RK_STREAM_UP | RK_STREAM_DOWN },
		{ .name = "echo", .fn = plain_echo },
	};
	struct rk_error err;

	(void)arg;
	if (rk_server_methods(r->server, list, sizeof(list) / sizeof(list[0]),
	        NULL, NULL, &err) != RK_OK)
		fail_msg("%s", err.text);
}

void
streamrig_begin(struct rpcrig *rig, const struct rpcrun *run)
{
	atomic_store(&streamworld.opened, 0);
	atomic_store(&streamworld.ended, 0);
	atomic_store(&streamworld.parts, 0);
	atomic_store(&streamworld.bytes, 0);
	atomic_store(&streamworld.stalled, NULL);
	rpcrig_begin(rig, run);
	rpcrig_do(rig, install, NULL);
}

void
streamrig_await(const atomic_uint *what, unsigned n)
{
	uint64_t until = rpcrig_now() + RPCRIG_PATIENCE_MS;

	while (atomic_load(what) < n && rpcrig_now() < until)
		(void)usleep(1000);
	assert_true(atomic_load(what) >= n);
}

/* ---- clients ---- */

struct rk_stream *
streamrig_open(struct rk_client *c, enum rk_stream_kind kind,
    const char *method, const char *payload, uint64_t timeout)
{
	struct rk_request req = {
		.method = method,
		.payload = payload,
		.payload_len = strlen(payload),
		.timeout = timeout,
	};
	struct rk_stream *s;

	assert_int_equal(
	    rk_client_stream(c, kind, &req, NULL, NULL, &s), RK_OK);
	return s;
}

void
streamrig_put(struct rk_stream *s, size_t len, bool last)
{
	struct rk_part p = { .payload = { rpcrig_bytes, len }, .last = last };
	struct rk_error err;

	if (rk_stream_put(s, &p, &err) != RK_OK)
		fail_msg("%s", err.text);
}

void
streamrig_finish(struct rk_stream *s, enum rk_err want, const char *text)
{
	struct rk_reply reply;
	struct rk_error err;
	struct rk_bytes got;

	assert_int_equal(rk_stream_finish(s, &reply, &err), want);
	got = want == RK_EREMOTE
	          ? (struct rk_bytes){ (const uint8_t *)reply.remote_error.ptr,
		            reply.remote_error.len }
	          : reply.payload;
	if (text != NULL) {
		assert_int_equal(got.len, strlen(text));
		assert_memory_equal(got.ptr, text, got.len);
	}
	rk_reply_free(&reply);
}

void
streamrig_take(struct rk_stream *s, uint64_t want)
{
	struct rk_part p;
	struct rk_error err;
	uint64_t got = 0;
	bool last = false;
	enum rk_err r;

	while ((r = rk_stream_next(s, &p, &err)) == RK_OK) {
		assert_false(last);
		last = p.last;
		assert_memory_equal(p.payload.ptr, rpcrig_bytes, p.payload.len);
		got += p.payload.len;
	}
	assert_int_equal(r, RK_ENOENT);
	assert_int_equal(got, want);
	assert_true(last || want == 0);
}

static void
let_go_on(struct rpcrig *r, void *arg)
{
	(void)r;
	(void)arg;
	rk_stream_pause(atomic_load(&streamworld.stalled), false);
}

void
streamrig_resume(struct rpcrig *rig)
{
	rpcrig_do(rig, let_go_on, NULL);
}
