/* A client's streams and a server that says anything: parts come once and in
 * order, to those who take them, and each stream ends once. */
#include "base/error.h"
#include "net/conn_int.h"
#include "rpc/client_int.h"

#include "must.h"

#include <rpckit/stream.h>

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define STREAMS 4
#define BIG 60000

/* ---- a session without a connection, in place of the library's ---- */

struct session {
	const struct session_events *events;
	void *arg;
	struct rk_peer *peer;
	bool open;
	bool kin;
	unsigned paused;
	size_t unsent;
	size_t low; /* 0: nobody waits for it */
};

static struct session fake;

enum rk_err
session_open(
    const struct session_conf *conf, struct layer **top, struct session **out)
{
	fake.events = conf->events;
	fake.arg = conf->arg;
	fake.peer = conf->peer;
	*top = NULL;
	*out = &fake;
	return RK_OK;
}

enum rk_err
session_send(struct session *s, const struct msg *m, const struct rk_arg *args,
    size_t n_args)
{
	(void)args;
	(void)n_args;
	if (!s->open)
		return RK_ESTATE;
	s->unsent += 100 + m->payload.len;
	return RK_OK;
}

void
session_pause(struct session *s, enum session_pause why, bool pause)
{
	s->paused = pause ? s->paused | why : s->paused & ~(unsigned)why;
}

void
session_tell_low(struct session *s, size_t bytes)
{
	s->low = bytes;
}

void
session_drain(struct session *s)
{
	s->open = false;
}

void
session_finish(struct session *s)
{
	s->open = false;
}

void
session_abort(struct session *s, const struct rk_error *why)
{
	(void)why;
	s->open = false;
}

size_t
session_unsent(const struct session *s)
{
	return s->unsent;
}

const struct rk_peer *
session_peer(const struct session *s)
{
	return s->peer;
}

bool
session_is_kin(const struct session *s)
{
	return s->kin;
}

bool
session_has_room(const struct session *s)
{
	return s->open;
}

bool
session_is_flushed(const struct session *s)
{
	return s->unsent == 0;
}

void
session_set_busy(struct session *s, bool busy)
{
	(void)s;
	(void)busy;
}

bool
session_is_open(const struct session *s)
{
	return s->open;
}

bool
session_has_apart(const struct session *s)
{
	(void)s;
	return false;
}

void
session_count(struct session *s, struct conn_count *out)
{
	(void)s;
	*out = (struct conn_count){ 0 };
}

struct conn *
session_conn(struct session *s)
{
	static struct conn nothing; /* was ever queued here */

	(void)s;
	return &nothing;
}

size_t
session_early_max(struct session *s)
{
	(void)s;
	return 0;
}

enum rk_err
session_early(struct session *s, const uint8_t *src, size_t len)
{
	(void)s;
	(void)src;
	(void)len;
	return RK_EAGAIN;
}

bool
session_early_used(struct session *s)
{
	(void)s;
	return false;
}

bool
session_is_early(const struct session *s)
{
	(void)s;
	return false;
}

bool
session_trust_added(const struct session *s)
{
	(void)s;
	return false;
}

void
session_timing(const struct session *s, struct rk_timing *out)
{
	(void)s;
	(void)out;
}

bool
session_waits(const struct session *s)
{
	(void)s;
	return false;
}

void
session_ask_again(struct session *s)
{
	(void)s;
}

void
session_turn_away(struct session *s)
{
	(void)s;
}

void
session_check_stay(struct session *s)
{
	(void)s;
}

bool
session_was_put_out(const struct session *s)
{
	(void)s;
	return false;
}

bool
session_is_timed(const struct session *s)
{
	(void)s;
	return false;
}

void
session_check_list(struct session *s)
{
	(void)s;
}

enum rk_err
session_check_own(const struct session_trust *t, struct rk_error *err)
{
	(void)t;
	(void)err;
	return RK_OK;
}

enum rk_err
session_verify(
    const struct rk_bytes *chain, size_t n, struct rk_error *err, void *arg)
{
	(void)chain;
	(void)n;
	(void)err;
	(void)arg;
	return RK_OK;
}

enum rk_err
session_resume(
    const struct rk_bytes *chain, size_t n, struct rk_error *err, void *arg)
{
	return session_verify(chain, n, err, arg);
}

/* ---- the program at this end ---- */

struct side {
	struct rk_stream *s; /* NULL: it has ended, or was never opened */
	uint64_t seqno;
	int64_t next; /* the part that is due; -1: none any more */
	bool paused;
	bool canceled;
	bool starved;
	uint8_t habit; /* what it does inside of callbacks */
};

static struct side sides[STREAMS];
static uint8_t bytes[BIG];

static void
misbehave(struct side *e)
{
	const struct rk_part p = { .payload = { bytes, 1000 } };

	if ((e->habit & 1) != 0) {
		e->paused = !e->paused;
		rk_stream_pause(e->s, e->paused);
	}
	if ((e->habit & 2) != 0 && rk_stream_send(e->s, &p) == RK_EAGAIN)
		e->starved = true;
	if ((e->habit & 12) == 12) {
		e->canceled = true;
		rk_stream_cancel(e->s);
	}
	e->habit = (uint8_t)(e->habit << 1 | e->habit >> 7);
}

static void
on_part(struct rk_stream *s, const struct rk_part *p, void *arg)
{
	struct side *e = arg;

	must(e->s == s && !e->paused && !e->canceled);
	must(e->next >= 0 && p->hdr->stream_part == e->next);
	e->next = p->last ? -1 : e->next + 1;
	misbehave(e);
}

static void
on_writable(struct rk_stream *s, void *arg)
{
	struct side *e = arg;

	must(e->s == s && e->starved && !e->canceled);
	must(rk_stream_room(s) > 0);
	e->starved = false;
	misbehave(e);
}

static void
on_ended(struct rk_stream *s, const struct rk_reply *reply, void *arg)
{
	struct side *e = arg;

	must(e->s == s);
	/* Its end may have been due already, for a reason of this end's. */
	must(!e->canceled ||
	     (reply->code != RK_OK && reply->code != RK_EREMOTE &&
	         reply->code != RK_ENOMETHOD));
	e->s = NULL;
}

static const struct rk_stream_events events = { on_part, on_writable,
	on_ended };

static void
open_one(struct rk_client *c, struct side *e, uint8_t habit)
{
	static const enum rk_stream_kind kinds[] = { RK_STREAM_UP,
		RK_STREAM_DOWN, RK_STREAM_BOTH, RK_STREAM_BOTH };
	const struct rk_request req = { .method = "m", .timeout = RK_NEVER };
	uint64_t seqno = c->pending.next_seqno;

	*e = (struct side){ .seqno = seqno, .habit = habit };
	if (rk_client_stream(c, kinds[habit & 3], &req, &events, e, &e->s) !=
	    RK_OK)
		e->s = NULL;
}

/* ---- what happens ---- */

static void
say(const struct side *e, uint8_t what, uint8_t number)
{
	static const int64_t types[] = { RK_TYPE_DOWNLOAD_MORE,
		RK_TYPE_DOWNLOAD_MORE, RK_TYPE_DOWNLOAD_BEGIN,
		RK_TYPE_DOWNLOAD_END, RK_TYPE_REPLY, RK_TYPE_ERROR,
		RK_TYPE_UPLOAD_MORE, RK_TYPE_CREDIT };
	struct msg m = {
		.hdr = { .type = types[what & 7], .seqno = e->seqno },
		.payload = { bytes, (what & 16) != 0 ? BIG : number },
	};

	/* The part that is due, mostly, and any credit. */
	m.hdr.stream_part = e->s == NULL ? number : e->s->in_part;
	if ((what & 24) == 8)
		m.hdr.stream_part = (int8_t)number;
	if (m.hdr.type == RK_TYPE_CREDIT)
		m.hdr.stream_part = (int64_t)((uint64_t)number << (what >> 3));
	if (fake.open && fake.paused == 0)
		must(fake.events->message(&fake, &m, fake.arg));
}

static void
send_one(struct side *e, uint8_t len)
{
	const struct rk_part p = { .payload = { bytes, (size_t)len * 200 },
		.last = len == 255 };
	bool room;

	if (e->s == NULL)
		return;
	room = rk_stream_room(e->s) > 0;
	switch ((int)rk_stream_send(e->s, &p)) {
	case RK_OK:
		must(room);
		break;
	case RK_EAGAIN:
		must(!room);
		e->starved = true;
		break;
	default:
		must(!room);
		break;
	}
}

static void
act(struct rk_client *c, uint8_t op, uint8_t a)
{
	struct side *e = &sides[op >> 6];

	switch (op & 7) {
	case 0:
		if (e->s == NULL)
			open_one(c, e, a);
		break;
	case 1:
		send_one(e, a);
		break;
	case 2:
		fake.unsent =
		    fake.unsent > a * 1024u ? fake.unsent - a * 1024u : 0;
		break;
	case 3:
		e->paused = (a & 1) != 0;
		if (e->s != NULL)
			rk_stream_pause(e->s, e->paused);
		break;
	case 4:
		if (e->s != NULL && a < 32) {
			e->canceled = true;
			rk_stream_cancel(e->s);
		}
		break;
	default:
		say(e, (uint8_t)(op >> 1 & 24) | (a & 7), a);
		break;
	}
}

/* What was promised comes, and is bounded. */
static void
turn(struct rk_client *c)
{
	if (fake.low != 0 && fake.unsent < fake.low && fake.open) {
		fake.low = 0;
		fake.events->low(&fake, fake.arg);
	}
	must(rk_loop_step(c->loop, 0) == RK_OK);
	must(c->streams.queued <=
	     (fake.kin ? STREAMS_KIN_QUEUE_MAX : STREAMS_QUEUE_MAX) +
	         2 * RK_BODY_MAX);
}

static bool
no_answer(struct layer *l, enum layer_query what, void *out)
{
	(void)l;
	(void)what;
	(void)out;
	return false;
}

static void
part(struct rk_client *c)
{
	static const struct rk_error gone = { .code = RK_ECLOSED };

	fake.open = false;
	fake.events->closed(&fake, &gone, fake.arg);
	turn(c);
	/* Who is paused has its answer yet to come. */
	rk_client_free(c);
	for (size_t i = 0; i < STREAMS; i++)
		must(sides[i].s == NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct layer_ops ops = { .name = "none",
		.query = no_answer };
	struct layer none = { .ops = &ops };
	struct rk_client_conf conf = { .size = sizeof(conf),
		.url = "unix:///nowhere" };
	struct rk_client *c;

	if (size < 1)
		return 0;
	memset(sides, 0, sizeof(sides));
	fake = (struct session){ .open = true, .kin = (data[0] & 1) != 0 };
	must(rk_client_new(&conf, &c, NULL) == RK_OK);
	must(client_open_session(c, &none) == RK_OK);
	if (fake.kin)
		memcpy(fake.peer->alpn, "rpckit/1", sizeof("rpckit/1"));
	for (size_t i = 0; i < STREAMS; i++) /* before it is open, too */
		if ((data[0] >> (i + 1) & 1) != 0)
			open_one(c, &sides[i], (uint8_t)(data[0] + i));
	fake.events->open(&fake, fake.arg);
	for (size_t i = 1; i + 1 < size; i += 2) {
		act(c, data[i], data[i + 1]);
		if ((data[i] & 8) != 0)
			turn(c);
	}
	turn(c);
	part(c);
	return 0;
}
