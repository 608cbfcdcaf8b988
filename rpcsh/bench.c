/* A load: calls of one method over some connections, and what came of them. */
#include "bench.h"

#include "base/clock.h"
#include "base/error.h"
#include "held.h"
#include "target_make.h"

#include <rpckit/loop.h>

#include <stdlib.h>
#include <time.h>

#define SECOND 1000000000u
#define TICK_NS 200000000u
#define DIALS_MAX 32 /* at once */

struct conn;

/* A call that is under way, or may be. */
struct slot {
	struct conn *c;
	uint64_t since; /* what is measured begins */
	uint64_t sent;
	size_t len; /* of its payload */
	struct slot *next;
};

struct conn {
	struct load *l;
	struct rk_client *client;
	bool up;
	struct slot *free; /* calls it may make */
};

struct load {
	struct bench *b;
	struct rk_loop *loop;
	struct conn *conns;
	struct slot *slots;
	unsigned made; /* of conns: have a client */
	unsigned dials;
	unsigned up;
	unsigned turn;       /* whose call is the next */
	uint64_t pending;    /* calls */
	bool over;           /* what ends now counts no more */
	struct rk_error why; /* a connection ended */
	uint64_t began;
	uint64_t ticked;
};

/* ---- connections ---- */

static void
on_connected(struct rk_client *client, void *arg)
{
	struct conn *c = arg;

	(void)client;
	c->up = true;
	c->l->up++;
	c->l->dials--;
}

static void
on_closed(struct rk_client *client, const struct rk_error *why, void *arg)
{
	struct conn *c = arg;
	struct load *l = c->l;

	(void)client;
	if (l->over)
		return;
	if (l->why.code == RK_OK)
		l->why = *why;
	if (c->up) {
		l->up--;
		l->b->lost++;
	} else {
		l->dials--;
	}
	c->up = false;
}

static enum rk_err
dial_one(struct load *l, struct rk_error *err)
{
	struct conn *c = &l->conns[l->made];
	struct rk_client_conf conf;
	enum rk_err r;

	target_conf(l->b->t, &conf);
	conf.loop = l->loop;
	conf.connected = on_connected;
	conf.closed = on_closed;
	conf.arg = c;
	conf.max_pending = l->b->outstanding;
	c->l = l;
	if ((r = rk_client_new(&conf, &c->client, err)) != RK_OK)
		return r;
	l->made++;
	l->dials++;
	return rk_client_start(c->client, err);
}

/* Serve what is ready; wait for that so long at most (ns). */
static void
turn(struct load *l, uint64_t ns)
{
	int ms = rk_loop_wait_ms(l->loop);
	struct timespec ts;

	if (ms >= 0 && (uint64_t)ms * 1000000 < ns)
		ns = (uint64_t)ms * 1000000;
	ts = (struct timespec){ .tv_sec = (time_t)(ns / SECOND),
		.tv_nsec = (long)(ns % SECOND) };
	held_wait_fd(rk_loop_fd(l->loop), &ts);
	(void)rk_loop_step(l->loop, 0);
}

/* All of them, before the first call. */
static enum rk_err
connect_all(struct load *l, struct rk_error *err)
{
	enum rk_err r = RK_OK;

	while (r == RK_OK && l->up < l->b->conns) {
		while (
		    r == RK_OK && l->made < l->b->conns && l->dials < DIALS_MAX)
			r = dial_one(l, err);
		if (r == RK_OK)
			turn(l, SECOND);
		if (r == RK_OK && l->why.code != RK_OK) {
			*err = l->why;
			r = err->code;
		}
		if (r == RK_OK && held_interrupted())
			r = err_set(err, RK_ECANCELED, "canceled");
	}
	return r;
}

/* ---- calls ---- */

/* The server's word that the time is over is as good as our own: who of the two
 * is first is chance. */
static enum rk_err
code_of(const struct bench *b, const struct rk_reply *reply, uint64_t sent)
{
	uint64_t timeout = b->t->timeout;

	if (reply->code == RK_EREMOTE &&
	    target_is_late(timeout, (mono_ns() - sent) / 1000))
		return RK_ETIMEOUT;
	return reply->code;
}

static void
note_failure(struct bench *b, const struct rk_reply *reply, uint64_t sent)
{
	enum rk_err code = code_of(b, reply, sent);
	const char *text = rk_err_text(code);
	char remote[RK_ERROR_TEXT_LEN / 2], name[RK_NAME_MAX + 1];

	b->failed++;
	b->errors[code]++;
	if (b->first.code != RK_OK)
		return;
	if (code == RK_EREMOTE)
		text = rk_escape(remote, sizeof(remote),
		    reply->remote_error.ptr, reply->remote_error.len);
	(void)err_set(&b->first, code, "%s: %s",
	    rk_escape(
	        name, sizeof(name), b->req->method, strlen(b->req->method)),
	    text);
}

static void
trace(const struct bench *b, const struct slot *s, const struct rk_reply *reply)
{
	const struct traced what = { .url = b->t->url,
		.method = b->req->method,
		.sent = s->len,
		.got = reply->payload.len,
		.us = (mono_ns() - s->since) / 1000,
		.code = code_of(b, reply, s->sent),
		.hdr = trace_header(reply) };

	if (trace_wants(b->trace))
		trace_add(b->trace, &what);
}

static void
on_reply(struct rk_client *client, const struct rk_reply *reply, void *arg)
{
	struct slot *s = arg;
	struct load *l = s->c->l;
	struct bench *b = l->b;

	(void)client;
	s->next = s->c->free;
	s->c->free = s;
	l->pending--;
	trace(b, s, reply);
	if (l->over)
		b->unanswered++;
	else if (reply->code == RK_OK)
		histo_add(&b->latency, mono_ns() - s->since);
	else
		note_failure(b, reply, s->sent);
}

/* The next in turn that may call; NULL: none. */
static struct conn *
conn_free(struct load *l)
{
	for (unsigned i = 0; i < l->b->conns; i++) {
		struct conn *c = &l->conns[l->turn];

		l->turn = (l->turn + 1) % l->b->conns;
		if (c->up && c->free != NULL)
			return c;
	}
	return NULL;
}

static void
call_one(struct load *l, struct conn *c, uint64_t since)
{
	struct bench *b = l->b;
	const struct rk_bytes *p = &b->payloads[b->sent % b->n_payloads];
	struct rk_request req = *b->req;
	struct slot *s = c->free;
	struct rk_reply failed = { 0 };

	req.payload = p->ptr;
	req.payload_len = p->len;
	s->since = since;
	s->len = p->len;
	s->sent = mono_ns();
	c->free = s->next;
	b->sent++;
	l->pending++;
	failed.code = rk_client_submit(c->client, &req, on_reply, s, NULL);
	if (failed.code != RK_OK)
		on_reply(c->client, &failed, s);
}

/* When the n-th call, from 0, is due at the rate. */
static uint64_t
due_at(const struct load *l, uint64_t n)
{
	uint64_t rate = l->b->rate;

	return l->began + n / rate * SECOND + n % rate * SECOND / rate;
}

/* May there be another one? */
static bool
wants_more(const struct load *l, uint64_t now)
{
	const struct bench *b = l->b;

	return (b->count == 0 || b->sent < b->count) &&
	       (b->limit_ns == 0 || now - l->began < b->limit_ns) &&
	       l->up > 0 && !held_interrupted();
}

/* Make the calls that are due and have a place; how long until the next one is
 * due, ns. */
static uint64_t
call_due(struct load *l, uint64_t now)
{
	struct bench *b = l->b;
	struct conn *c;
	/* What fails at once must not keep us here. */
	uint64_t most = (uint64_t)b->conns * b->outstanding;

	while (most-- > 0 && wants_more(l, now)) {
		uint64_t due = b->rate == 0 ? now : due_at(l, b->sent);

		if (due > now)
			return due - now;
		if ((c = conn_free(l)) == NULL)
			return TICK_NS;
		call_one(l, c, due);
		if (b->rate == 0)
			now = mono_ns();
	}
	return l->pending == 0 ? 0 : TICK_NS;
}

/* At the rate, those that were due while there was time and were not sent. */
static void
count_unsent(struct load *l, uint64_t now)
{
	struct bench *b = l->b;
	uint64_t passed = now - l->began, due;

	if (b->rate == 0)
		return;
	if (b->limit_ns != 0 && passed > b->limit_ns)
		passed = b->limit_ns;
	due = passed / SECOND * b->rate + passed % SECOND * b->rate / SECOND;
	if (b->count != 0 && due > b->count)
		due = b->count;
	b->unsent = due > b->sent ? due - b->sent : 0;
}

static void
tick(struct load *l, uint64_t now)
{
	struct bench *b = l->b;

	if (b->tick == NULL || now - l->ticked < TICK_NS)
		return;
	l->ticked = now;
	b->tick(b, now - l->began, b->arg);
}

static void
call_all(struct load *l)
{
	struct bench *b = l->b;
	uint64_t now, wait, left;
	bool counted = false;

	l->began = l->ticked = mono_ns();
	for (;;) {
		now = mono_ns();
		tick(l, now);
		wait = call_due(l, now);
		if (!wants_more(l, now) && !counted) {
			counted = true;
			count_unsent(l, now);
		}
		if (held_interrupted() || (counted && l->pending == 0))
			break;
		left = b->limit_ns - (now - l->began);
		if (!counted && b->limit_ns != 0 && left < wait)
			wait = left;
		turn(l, wait < TICK_NS ? wait : TICK_NS);
	}
	b->took_ns = mono_ns() - l->began;
	b->interrupted = held_interrupted();
}

/* ---- all of it ---- */

static enum rk_err
make(struct load *l, struct rk_error *err)
{
	const struct bench *b = l->b;
	size_t n = (size_t)b->conns * b->outstanding;
	enum rk_err r;

	l->conns = calloc(b->conns, sizeof(*l->conns));
	l->slots = calloc(n, sizeof(*l->slots));
	if (l->conns == NULL || l->slots == NULL)
		return err_set(err, RK_ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		struct slot *s = &l->slots[i];

		s->c = &l->conns[i % b->conns];
		s->next = s->c->free;
		s->c->free = s;
	}
	if ((r = rk_loop_new(&l->loop)) != RK_OK)
		return err_set(err, r, "%s", rk_err_text(r));
	return RK_OK;
}

enum rk_err
bench_run(struct bench *b, struct rk_error *err)
{
	struct load l = { .b = b };
	enum rk_err r;

	if ((r = make(&l, err)) != RK_OK || (r = connect_all(&l, err)) != RK_OK)
		goto out;
	call_all(&l);
	/* Why there were no more: the last connection went. */
	if (b->first.code == RK_OK && l.up == 0 &&
	    (b->count == 0 || b->sent < b->count))
		b->first = l.why;
out:
	l.over = true;
	for (unsigned i = 0; i < l.made; i++)
		rk_client_free(l.conns[i].client);
	rk_loop_free(l.loop);
	free(l.slots);
	free(l.conns);
	return r;
}
