/* Channels: messages and bytes both ways, whose ends travel in messages. */
#ifndef RPCKIT_CHANNEL_H
#define RPCKIT_CHANNEL_H

#include <rpckit/stream.h>

RK_BEGIN

/*
 * A channel has two ends.  What is sent at one arrives at the other, once and
 * in order, both ways; each end may finish on its own.  An end can be sent in a
 * message of another channel, and is then used by whoever receives it, in the
 * other program: rpckit-channels(7) has the model, the life of an end and the
 * bytes on the wire.
 *
 * The first channel between two programs is opened by a client, and runs over a
 * stream (rpckit/stream.h) of a method of the server's.  Both must be rpckit.
 *
 * An end lives on the loop of its connection, or of the end beside which it was
 * made.  All functions: that loop's thread.  Callbacks are never entered from
 * inside a call of this header.  Every end must be closed, or have ended,
 * before its loop is freed (of a client with a loop of its own: before
 * rk_client_free()).
 */
struct rk_chan;

#define RK_CHAN_MESSAGE_MAX 262144u /* bytes of one message */
#define RK_CHAN_ENDS_MAX 16u        /* ends sent in one message */
#define RK_CHAN_HOPS_MAX 48u        /* times an end can be sent on */
#define RK_CHAN_TYPE_MAX 255u       /* bytes of a type's name */
#define RK_CHAN_REASON_MAX 120u     /* bytes of a reason */
/* What a message, and each end in it, counts besides its bytes. */
#define RK_CHAN_COST 256u
/* And an end that the peer made, for max_waiting, as long as it is there. */
#define RK_CHAN_END_COST 1024u

/* Of struct rk_chan_conf. */
#define RK_CHAN_WINDOW 262144u   /* the default */
#define RK_CHAN_WINDOW_MIN 4096u /* and what may be asked for */
#define RK_CHAN_WINDOW_MAX 16777216u
#define RK_CHAN_CHANNELS 128u
#define RK_CHAN_CHANNELS_MAX 65536u

enum rk_chan_kind {
	RK_CHAN_MESSAGES, /* each arrives whole, and may hold ends */
	RK_CHAN_BYTES     /* a stream of bytes each way */
};

/* A message, out or in. */
struct rk_chan_msg {
	struct rk_bytes payload; /* at most RK_CHAN_MESSAGE_MAX bytes */
	struct rk_chan **ends;   /* n_ends of them; NULL when 0 */
	size_t n_ends;           /* at most RK_CHAN_ENDS_MAX */
};

/*
 * Only `ended` must be given.  arg is that of rk_chan_listen() and its like.
 */
struct rk_chan_events {
	/*
	 * MESSAGES: the next one; valid during the call, and not while paused.
	 * An end in it becomes ours by rk_chan_take(), and by being sent on;
	 * what is left is closed when this returns.
	 */
	void (*message)(struct rk_chan *c, struct rk_chan_msg *msg, void *arg);
	/* BYTES: rk_chan_read() has some; told at first, and once after each
	 * time it said RK_EAGAIN. */
	void (*readable)(struct rk_chan *c, void *arg);
	/* Something can be sent again, after an RK_EAGAIN. */
	void (*writable)(struct rk_chan *c, void *arg);
	/* All that the other end sent has been delivered, and it sends no more.
	 * This end may still send. */
	void (*eof)(struct rk_chan *c, void *arg);
	/*
	 * Nothing comes any more and nothing can be sent; once, unless
	 * rk_chan_close() or the like came first; what had arrived was
	 * delivered before, but for what a paused or unread end had when the
	 * connection was lost.  c is gone when it returns.  why->code is
	 * RK_OK: both ends finished (what we sent is handed over; only an
	 * answer says that it was used); RK_ECLOSED: the other end was closed
	 * while we might still have sent; what rk_chan_reset() was given at the
	 * other end; or why the connection ended.
	 */
	void (*ended)(struct rk_chan *c, const struct rk_error *why, void *arg);
};

/* ---- the first channel ---- */

struct rk_chan_conf {
	size_t size; /* sizeof(struct rk_chan_conf) */
	/* What is sent over the first channel, 1 to RK_CHAN_TYPE_MAX bytes;
	 * both ends must say the same. */
	const char *type;
	/*
	 * What we take: bytes of each channel before its reader has taken them
	 * [RK_CHAN_WINDOW; one message more may come], and channels made by the
	 * peer at a time [RK_CHAN_CHANNELS, at least RK_CHAN_ENDS_MAX].
	 */
	uint32_t window;
	uint32_t max_channels;
	/*
	 * And what may wait to be read, of all channels together, in bytes; an
	 * end that the peer made counts RK_CHAN_END_COST until it is gone.
	 * Beyond it the link ends, with RK_ELIMIT.  At least a window, a
	 * message, and max_channels such ends; [64 windows, of RK_CHAN_WINDOW
	 * or more each, and those ends].
	 */
	size_t max_waiting;
	/*
	 * A server: somebody opened the first channel, of which this is the
	 * callee's end; one that has no rk_chan_listen() when this returns is
	 * closed.  Entered on the connection's loop, so by several threads if
	 * the server has several.  peer is valid as long as the connection.
	 */
	void (*accept)(
	    struct rk_chan *c, const struct rk_peer *peer, void *arg);
	void *arg;
};

/*
 * A client: open the first channel, by calling `method`.  Messages may be sent
 * at once, and leave when the server has answered.  Errors as of
 * rk_client_stream(); RK_EINVAL: conf; RK_EUNSUPPORTED: the client is connected
 * and its server is not rpckit.  What shows later comes as `ended`:
 * RK_ENOMETHOD; RK_EREMOTE: refused, with the reason; RK_EUNSUPPORTED: the peer
 * does not speak channels; RK_EINVAL: it expects another type.
 */
RK_API RK_MUST enum rk_err rk_chan_open(struct rk_client *client,
    const char *method, const struct rk_chan_conf *conf,
    const struct rk_chan_events *events, void *arg, struct rk_chan **out);

/*
 * A server: fill in the method at which first channels are opened: name,
 * stream, streams, arg.  conf is borrowed until the method is retired.
 * RK_EINVAL.
 */
RK_API RK_MUST enum rk_err rk_chan_method(
    const char *name, const struct rk_chan_conf *conf, struct rk_method *out);

/* ---- making and taking ends ---- */

/*
 * A new channel on the loop of `beside`, both of whose ends are here: to keep
 * one and send the other.  They are silent until rk_chan_listen().  RK_EINVAL:
 * the type's length; RK_ENOMEM.
 */
RK_API RK_MUST enum rk_err rk_chan_pair(struct rk_chan *beside,
    enum rk_chan_kind kind, const char *type, struct rk_chan **one,
    struct rk_chan **other);
/* Call these from now on.  events by reference: static.  RK_EINVAL: `ended` is
 * missing. */
RK_API RK_MUST enum rk_err rk_chan_listen(
    struct rk_chan *c, const struct rk_chan_events *events, void *arg);
/*
 * Take an end out of a message, listen to it, and clear *end.  What is not of
 * this kind and type (NULL: any) is RK_EINVAL, with the reason; it is
 * reset with that, so that the other end knows.  *end is cleared then, too.
 */
RK_API RK_MUST enum rk_err rk_chan_take(struct rk_chan **end,
    enum rk_chan_kind kind, const char *type,
    const struct rk_chan_events *events, void *arg, struct rk_chan **out,
    struct rk_error *err);

RK_API enum rk_chan_kind rk_chan_kind(const struct rk_chan *c);
/* As its maker named it; valid as long as c. */
RK_API const char *rk_chan_type(const struct rk_chan *c);
/* For the program's own use; NULL at first. */
RK_API void rk_chan_set_data(struct rk_chan *c, void *data);
RK_API void *rk_chan_data(const struct rk_chan *c);

/* ---- sending ---- */

/*
 * MESSAGES.  RK_OK: taken; views are copied, and the ends in it are gone, each
 * entry cleared: what they had not delivered goes with them.  Anything else:
 * nothing was taken.  RK_EAGAIN: not now, and `writable` will tell.
 * RK_ESTATE: finished; RK_ECLOSED: nobody is there to read; RK_ETOOBIG;
 * RK_EINVAL: an end is of another loop, or the message would be kept by an end
 * that is in it; RK_ENOMEM.
 */
RK_API RK_MUST enum rk_err rk_chan_send(
    struct rk_chan *c, const struct rk_chan_msg *msg);
/* BYTES: as many as can be taken now, *n; RK_EAGAIN: none.  Errors as of
 * rk_chan_send(). */
RK_API RK_MUST enum rk_err rk_chan_write(
    struct rk_chan *c, const void *data, size_t len, size_t *n);
/* BYTES: up to cap of them.  RK_EAGAIN: none now, and `readable` will tell;
 * RK_ENOENT: none any more, in order; else why the channel broke. */
RK_API RK_MUST enum rk_err rk_chan_read(
    struct rk_chan *c, void *data, size_t cap, size_t *n);
/* Deliver nothing for now; what comes is kept, and then the sender waits. */
RK_API void rk_chan_pause(struct rk_chan *c, bool pause);

/* ---- ending ---- */

/* We send no more; what was sent is delivered. */
RK_API void rk_chan_finish(struct rk_chan *c);
/* Finish, and read no more either: what comes is dropped and its sender told.
 * *c is cleared.  NULL in it is allowed. */
RK_API void rk_chan_close(struct rk_chan **c);
/*
 * Close, dropping what has not left; `ended` of the other end says why: code is
 * RK_ECLOSED, RK_ECANCELED, RK_ETIMEOUT, RK_EINVAL, RK_ELIMIT, RK_EDENIED or
 * RK_EUNSUPPORTED, anything else is RK_EFAIL; text may be NULL, and is cut at
 * RK_CHAN_REASON_MAX bytes.  After rk_chan_finish() it is as rk_chan_close().
 * *c is cleared.  NULL in it is allowed.
 */
RK_API void rk_chan_reset(
    struct rk_chan **c, enum rk_err code, const char *text);

/*
 * Join an end of kind BYTES to two descriptors, which must not block and stay
 * the caller's, open until `done`: what can be read from `from` is sent, up to
 * its end (a file, a piece at a time); what arrives is written to `to`.  -1:
 * none; nothing is sent, what arrives is dropped.  The program ignores SIGPIPE.
 * done, from the loop and once: RK_OK when both directions have ended in order,
 * RK_EIO when a descriptor failed, or as `ended`, when what came before it is
 * written; with the connection that is lost.  *c is cleared, also on
 * failure, which closes it: RK_EINVAL, RK_ENOMEM: done is not called.
 */
RK_API RK_MUST enum rk_err rk_chan_join(struct rk_chan **c, int from, int to,
    void (*done)(const struct rk_error *why, void *arg), void *arg);

/*
 * The same, and a way to end it before that: *out is valid until done is called
 * or it is aborted; NULL on failure.
 */
struct rk_chan_joint;
RK_API RK_MUST enum rk_err rk_chan_joint_new(struct rk_chan **c, int from,
    int to, void (*done)(const struct rk_error *why, void *arg), void *arg,
    struct rk_chan_joint **out);
/*
 * As rk_chan_reset() of its end, with this code and text; what waits for a
 * descriptor is lost, the descriptors are not used any more when this returns,
 * and done is not called.  *j is cleared.  NULL in it is allowed.
 */
RK_API void rk_chan_joint_abort(
    struct rk_chan_joint **j, enum rk_err code, const char *text);

RK_END

#endif
