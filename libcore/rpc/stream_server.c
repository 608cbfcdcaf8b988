/* Streams: the server's end, from the opening message to the answer. */
#include "rpc/server_int.h"
#include "rpc/stream.h"

#include "base/error.h"

#include <stdio.h>

unsigned
stream_kind_opened(int64_t type)
{
	switch (type) {
	case RK_TYPE_BISTREAM:
		return RK_STREAM_BOTH;
	case RK_TYPE_UPLOAD_BEGIN:
		return RK_STREAM_UP;
	case RK_TYPE_DOWNLOAD:
		return RK_STREAM_DOWN;
	default:
		return 0;
	}
}

/* ---- the end ---- */

/* The call goes with its answer; nothing of the stream is used after.  NULL:
 * what ended the stream answers. */
static struct rk_call *
let_go(struct rk_stream *s)
{
	struct rk_call *call = s->over ? NULL : s->call;

	if (call != NULL) {
		s->call = NULL;
		call->stream = NULL;
		rk_call_on_cancel(call, NULL, NULL);
	}
	return call;
}

/* Nobody needs the answer any more: one callback, which may still ask who the
 * caller was, then it is gone. */
static void
give_up(struct rk_stream *s, enum rk_err code, const char *text)
{
	const struct rk_reply reply = { .code = code };
	struct rk_call *call = s->call;

	rk_call_on_cancel(call, NULL, NULL);
	stream_silence(s);
	s->entered++;
	if (s->events != NULL && s->events->ended != NULL)
		s->events->ended(s, &reply, s->arg);
	stream_free(s);
	s->call = NULL;
	call->stream = NULL;
	s->entered--;
	stream_release(s);
	(void)rk_call_fail(call, text, NULL, 0);
}

static void
on_cancel(uint64_t id, enum rk_cancel_why why, void *arg)
{
	struct rk_stream *s = arg;

	(void)id;
	switch (why) {
	case RK_CANCEL_CALLER:
		give_up(s, RK_ECANCELED, "canceled by the caller");
		break;
	case RK_CANCEL_DEADLINE:
		give_up(s, RK_ETIMEOUT, "the deadline has passed");
		break;
	case RK_CANCEL_CLOSED:
		give_up(s, RK_ECLOSED, "the connection is gone");
		break;
	case RK_CANCEL_OPERATOR:
		give_up(s, RK_ECANCELED, "canceled by an operator");
		break;
	}
}

void
stream_server_broken(struct rk_stream *s, const char *why)
{
	char text[160];

	(void)snprintf(text, sizeof(text), "stream: protocol error: %s", why);
	give_up(s, RK_EPROTO, text);
}

enum rk_err
rk_stream_reply(struct rk_stream *s, const void *payload, size_t len)
{
	struct rk_call *call = let_go(s);

	stream_free(s);
	return call == NULL ? RK_ESTATE : rk_call_reply(call, payload, len);
}

enum rk_err
rk_stream_reply_args(struct rk_stream *s, const struct rk_arg *args,
    size_t n_args, const void *payload, size_t len)
{
	struct rk_call *call = let_go(s);

	stream_free(s);
	return call == NULL ? RK_ESTATE
	                    : call_reply_args(call, args, n_args, payload, len);
}

enum rk_err
rk_stream_fail(
    struct rk_stream *s, const char *text, const void *payload, size_t len)
{
	struct rk_call *call = let_go(s);

	stream_free(s);
	return call == NULL ? RK_ESTATE
	                    : rk_call_fail(call, text, payload, len);
}

/* ---- the beginning ---- */

static bool
is_wanted(struct rk_call *call, const struct rk_method *method, unsigned kind)
{
	static const char *const names[] = { "a call", "an upload",
		"a download", "", "a two-way stream" };
	char text[96];

	if ((method->streams & kind) != 0)
		return true;
	(void)snprintf(text, sizeof(text), "this method is not for %s",
	    names[kind <= RK_STREAM_BOTH ? kind : 0]);
	(void)rk_call_fail(call, text, NULL, 0);
	return false;
}

static struct rk_stream *
begin(struct rk_call *call, const struct rk_method *method, unsigned kind)
{
	struct server_conn *c = call->conn;
	struct rk_stream *s;

	if (streams_has(&c->streams, call->seqno)) {
		(void)rk_call_fail(
		    call, "stream: its number is in use", NULL, 0);
		return NULL;
	}
	if (rk_call_defer(call) == 0)
		return NULL;
	s = stream_new(&c->streams, (enum rk_stream_kind)kind, call->msg);
	if (s == NULL) {
		(void)rk_call_fail(call, "out of memory", NULL, 0);
		return NULL;
	}
	s->call = call;
	call->is_stream = true;
	call->stream = s;
	stream_moved_open(s, &call->msg->hdr.args, method);
	rk_call_on_cancel(call, on_cancel, s);
	return s;
}

/* The request of what goes up is the first of its parts. */
static void
take_first(struct rk_stream *s, const struct msg *m)
{
	if (s->kind == RK_STREAM_DOWN)
		return;
	if (m->payload.len == 0) {
		s->in_part = 1;
		return;
	}
	stream_take(s, m, false);
}

void
stream_serve(struct rk_call *call, const struct rk_method *method)
{
	const struct msg *m = call->msg;
	unsigned kind = stream_kind_opened(m->hdr.type);
	struct rk_stream *s;

	if (!is_wanted(call, method, kind) ||
	    (s = begin(call, method, kind)) == NULL)
		return;
	s->opening = m;
	s->entered++;
	method->stream(s, method->arg);
	s->opening = NULL;
	if (!s->gone && s->events == NULL)
		(void)rk_stream_fail(s, "nobody took the stream", NULL, 0);
	if (!s->gone) {
		stream_greet(s);
		take_first(s, m);
	}
	s->entered--;
	stream_release(s);
}

/* ---- what the open function may ask ---- */

const struct rk_header *
rk_stream_header(const struct rk_stream *s)
{
	static const struct rk_header none;

	return s->opening == NULL ? &none : &s->opening->hdr;
}

struct rk_bytes
rk_stream_request(const struct rk_stream *s)
{
	return s->opening == NULL ? (struct rk_bytes){ 0 }
	                          : s->opening->payload;
}

struct rk_server *
rk_stream_server(const struct rk_stream *s)
{
	return s->call == NULL ? NULL : rk_call_server(s->call);
}

void
rk_stream_listen(
    struct rk_stream *s, const struct rk_stream_events *events, void *arg)
{
	s->events = events;
	s->arg = arg;
}

/* ---- both ends ---- */

const struct rk_peer *
stream_server_peer(const struct rk_stream *s)
{
	return s->call == NULL ? NULL : rk_call_peer(s->call);
}

uint64_t
stream_server_time_left(const struct rk_stream *s)
{
	return s->call == NULL ? 0 : rk_call_time_left(s->call);
}
