/* Streams: calls of many parts, up, down, or both ways. */
#ifndef RPCKIT_STREAM_H
#define RPCKIT_STREAM_H

#include <rpckit/client.h>

RK_BEGIN

/*
 * A stream is a call whose request, or answer, or both come in parts, each a
 * message of its own with arguments and a subject (rpckit-protocol(7)).  It is
 * opened by a client, and ends with one answer, as every call does.
 *
 * Parts arrive once and in order.  Who does not take them stops their sender,
 * and nobody else: between peers that both speak rpckit, at most
 * RK_STREAM_WINDOW bytes of a stream are on their way or wait; with others the
 * connection as a whole waits, as it does when 64 MiB of all its streams wait.
 * Calls on the same connection pass between parts.
 *
 * All functions: the thread of the stream's loop, which is the server's loop of
 * the connection, or the client's.
 */
struct rk_stream;

/* What a stream may have on its way, each direction; a part counts its payload
 * and RK_STREAM_PART_COST.  The last part may exceed it. */
#define RK_STREAM_WINDOW (1024u * 1024)
#define RK_STREAM_PART_COST 256
/* A good size of parts: long enough to cost little, short enough for calls to
 * pass between them. */
#define RK_STREAM_PART 65536

enum rk_stream_kind {
	RK_STREAM_UP = 1,   /* parts go to the server */
	RK_STREAM_DOWN = 2, /* parts come from the server */
	RK_STREAM_BOTH = 4  /* both, each direction on its own */
};

/* One part, out or in. */
struct rk_part {
	struct rk_bytes payload;   /* at most RK_PAYLOAD_MAX bytes */
	struct rk_str subject;     /* out: at most RK_SUBJECT_MAX bytes */
	const struct rk_arg *args; /* out only; in: hdr->args */
	size_t n_args;
	bool last; /* this direction ends with it; it may be empty */
	const struct rk_header *hdr; /* in only */
};

/*
 * Never entered from inside a call of this header.  All may be NULL.  arg is
 * that of rk_stream_listen() or rk_client_stream().
 */
struct rk_stream_events {
	/* The peer's next part; valid during the call.  Not while paused. */
	void (*part)(
	    struct rk_stream *s, const struct rk_part *part, void *arg);
	/* rk_stream_send() takes parts again, after an RK_EAGAIN. */
	void (*writable)(struct rk_stream *s, void *arg);
	/*
	 * The end, once; s is gone when it returns.  A client: the answer, or
	 * why there is none, as of every call; parts that wait, because the
	 * stream is paused, are delivered before an answer, also when the
	 * connection has ended meanwhile.  A server: nobody
	 * needs the answer any more (RK_ECANCELED: the caller said so,
	 * RK_ETIMEOUT: its deadline, RK_ECLOSED: the connection, RK_EPROTO: it
	 * broke the rules of streams); after an answer of its own it is not
	 * called.
	 */
	void (*ended)(
	    struct rk_stream *s, const struct rk_reply *reply, void *arg);
};

/* ---- both ends ---- */

/*
 * Send a part, as a message of its own.  RK_OK: taken (views are copied);
 * RK_EAGAIN: not now, and `writable` will tell; RK_EINVAL, RK_ETOOBIG;
 * RK_ESTATE: this direction has ended, or is the other end's alone; RK_ECLOSED:
 * the connection is gone; RK_ENOMEM: not taken.
 */
RK_API RK_MUST enum rk_err rk_stream_send(
    struct rk_stream *s, const struct rk_part *part);
/* Bytes of payload that rk_stream_send() would take without RK_EAGAIN, in parts
 * of RK_STREAM_PART; 0: none.  An estimate that never promises too much. */
RK_API size_t rk_stream_room(const struct rk_stream *s);
/* Deliver no parts for now; what comes is kept, and then the sender waits. */
RK_API void rk_stream_pause(struct rk_stream *s, bool pause);
RK_API enum rk_stream_kind rk_stream_kind(const struct rk_stream *s);
/* For the program's own use; NULL at first. */
RK_API void rk_stream_set_data(struct rk_stream *s, void *data);
RK_API void *rk_stream_data(const struct rk_stream *s);
RK_API const struct rk_peer *rk_stream_peer(const struct rk_stream *s);
/* The loop it lives on: for watches and timers of what it is joined to, and for
 * what is to be done a turn later, when it may be gone. */
RK_API struct rk_loop *rk_stream_loop(const struct rk_stream *s);
/* Milliseconds left to the deadline; RK_NEVER without one. */
RK_API uint64_t rk_stream_time_left(const struct rk_stream *s);

/* ---- the server's end ---- */

/*
 * rk_stream_fn (rpckit/server.h) is entered when a client opens a stream of a
 * method.  It must call rk_stream_listen(), or answer; a stream that was not
 * listened to when it returns is answered with an error.  The request is valid
 * during the call; its payload, unless empty, is also the first part of kinds
 * UP and BOTH, which comes after it has returned.
 */
RK_API const struct rk_header *rk_stream_header(const struct rk_stream *s);
RK_API struct rk_bytes rk_stream_request(const struct rk_stream *s);
RK_API struct rk_server *rk_stream_server(const struct rk_stream *s);
/* events (copied by reference: static) and arg from now on. */
RK_API void rk_stream_listen(
    struct rk_stream *s, const struct rk_stream_events *events, void *arg);
/*
 * The one answer, and the end: s is gone when these return, whatever they
 * return; `ended` is not called.  What was sent before arrives before.
 * Inside `part` and `writable`, too.  As rk_call_reply(), rk_call_fail().
 */
RK_API enum rk_err rk_stream_reply(
    struct rk_stream *s, const void *payload, size_t len);
/* The same with arguments in the answer's header; RK_ETOOBIG: more than
 * RK_ARGS_MAX, or too long; the caller was told so instead. */
RK_API enum rk_err rk_stream_reply_args(struct rk_stream *s,
    const struct rk_arg *args, size_t n_args, const void *payload, size_t len);
RK_API enum rk_err rk_stream_fail(
    struct rk_stream *s, const char *text, const void *payload, size_t len);

/* ---- the client's end ---- */

/*
 * Open a stream.  req is the first message; its payload, unless empty, is the
 * first part of kinds UP and BOTH.  req->timeout 0: no limit; idempotent does
 * not count.  events (by reference: static) NULL: for rk_stream_next().  Errors
 * as of rk_client_submit(): nothing was begun.
 */
RK_API RK_MUST enum rk_err rk_client_stream(struct rk_client *c,
    enum rk_stream_kind kind, const struct rk_request *req,
    const struct rk_stream_events *events, void *arg, struct rk_stream **out);
/* Tell the server that nobody needs the answer.  `ended` comes from the loop,
 * with RK_ECANCELED; no other callback does. */
RK_API void rk_stream_cancel(struct rk_stream *s);

/*
 * The blocking form, of a client with a loop of its own and a stream without
 * events.  put: as rk_stream_send(), waiting for room; RK_ESTATE also when the
 * answer has come (an early error): see rk_stream_finish().
 */
RK_API RK_MUST enum rk_err rk_stream_put(
    struct rk_stream *s, const struct rk_part *part, struct rk_error *err);
/*
 * The next part; valid until the next call about this stream.  RK_ENOENT: there
 * is none any more; the answer says why.
 */
RK_API RK_MUST enum rk_err rk_stream_next(
    struct rk_stream *s, struct rk_part *part, struct rk_error *err);
/*
 * Drop what parts are left, wait for the answer, and free the stream.  Returns
 * reply->code, as rk_client_call(); free the reply always.
 */
RK_API RK_MUST enum rk_err rk_stream_finish(
    struct rk_stream *s, struct rk_reply *reply, struct rk_error *err);

RK_END

#endif
