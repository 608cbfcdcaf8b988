/* A connection: a stack of layers, its state, buffers and timeouts. */
#ifndef RPCKIT_NET_CONN_H
#define RPCKIT_NET_CONN_H

#include "base/buf.h"
#include "net/layer.h"

#include <rpckit/server.h>

/*
 * Lives on one loop for life.  States and legal moves:
 *
 *	NEW -> HANDSHAKE -> VERIFY -> OPEN -> DRAINING -> CLOSED
 *
 * and from each to CLOSED.  In HANDSHAKE the layers connect and prove keys;
 * in VERIFY the owner decides about the peer, now or later; not a byte is
 * delivered or sent before OPEN.  DRAINING delivers nothing more and closes
 * when everything queued has left.
 */
enum conn_state {
	CONN_NEW,
	CONN_HANDSHAKE,
	CONN_VERIFY,
	CONN_OPEN,
	CONN_DRAINING,
	CONN_CLOSED
};

struct conn;

/* All on the loop's thread, never from inside a call of this header except
 * where said.  arg is conf.arg. */
struct conn_events {
	/* State is VERIFY: answer with conn_accept() or conn_abort(), here or
	 * later. */
	void (*proven)(struct conn *c, void *arg);
	/*
	 * len bytes have arrived (at least one); return how many were used.
	 * The rest is kept and shown again, at the front, with what follows.
	 * May call conn_abort() and conn_drain(): nothing more is delivered.
	 * What was not used because it is early is shown again when it is not.
	 */
	size_t (*data)(
	    struct conn *c, const uint8_t *data, size_t len, void *arg);
	/* One whole message that came apart (conn_send_apart()); false: it
	 * cannot be taken now, after a conn_pause().  NULL: none is taken. */
	bool (*apart)(
	    struct conn *c, const uint8_t *data, size_t len, void *arg);
	/* What was early is not any more (conn_is_early()); NULL: no matter. */
	void (*confirmed)(struct conn *c, void *arg);
	/* The unsent bytes fell below half of conf.max_queue again. */
	void (*room)(struct conn *c, void *arg);
	/* conn_tell_low(); NULL: never asked for. */
	void (*low)(struct conn *c, void *arg);
	/* conn_gone() has grown, and conn_tell_gone() asked for this; NULL:
	 * never asked for. */
	void (*gone)(struct conn *c, void *arg);
	/*
	 * While paused: the peer sends no more than what waits to be read or,
	 * if broken, is gone altogether; each once.  NULL: no matter.
	 */
	void (*lost)(struct conn *c, bool broken, void *arg);
	/* The last callback; the conn is freed when it returns.  why->code is
	 * RK_ECLOSED for an orderly end by the peer, RK_ECANCELED for our own
	 * conn_drain(). */
	void (*closed)(struct conn *c, const struct rk_error *why, void *arg);
};

struct conn_conf {
	struct rk_loop *loop;
	const struct conn_events *events;
	void *arg;
	struct rk_timeouts timeouts; /* no zeros: defaults are filled in */
	size_t max_queue; /* unsent bytes before conn_out() calls are refused */
	/* What conn_out() takes beyond max_queue of those who do not ask first;
	 * less than two messages is two. */
	size_t max_over;
	size_t max_unused; /* received bytes kept that data() has not used */
	/* When the peer has ended, what is queued is left where it is for the
	 * owner, instead of being tried once. */
	bool keeps_unsent;
	bool clocks; /* conn_clocks() are asked for */
};

/* Fill the zeros of t with the defaults documented in rpckit/server.h. */
void conn_default_timeouts(struct rk_timeouts *t);

/*
 * Take over the stack *top (set to NULL, also on failure) and start its
 * handshake in the next turn.  RK_ENOMEM, RK_EIO: no callback is called.
 */
RK_MUST enum rk_err conn_open(
    const struct conn_conf *conf, struct layer **top, struct conn **out);

/*
 * Before OPEN, on a client: bytes for early() of the layers (net/layer.h),
 * which deliver them in any case, before all others.  RK_EAGAIN: not taken.
 */
RK_MUST enum rk_err conn_early(struct conn *c, const uint8_t *src, size_t len);
/* On a server: what data() shows now may be a recording, because the handshake
 * has not ended; false forever after `confirmed`. */
bool conn_is_early(const struct conn *c);

enum conn_state conn_state(const struct conn *c);
/* VERIFY -> OPEN; bytes that wait are delivered in the next turn. */
void conn_accept(struct conn *c);
/*
 * In VERIFY: the decision takes its time, at most so many ms from now
 * (RK_NEVER: no limit) instead of the handshake's.  What the peer sends
 * meanwhile is read up to CONN_WAIT_BYTES, so that its end is seen, and kept
 * for OPEN.
 */
#define CONN_WAIT_BYTES 16384
void conn_wait(struct conn *c, uint64_t ms);
/* To a peer that waits, before conn_abort(): what does not leave then is lost.
 */
void conn_tell_waiting(struct conn *c, const uint8_t *src, size_t len);
/* Close now: unsent bytes are dropped (the goodbye is tried), `closed` is
 * called in this turn with this reason, after the caller has returned. */
void conn_abort(struct conn *c, const struct rk_error *why);
/* OPEN -> DRAINING (else abort with RK_ECANCELED). */
void conn_drain(struct conn *c);
/*
 * The same, and when everything has left, tell the peer so and wait for its
 * end: only then closed is called, with RK_ECANCELED if that end was orderly
 * and came after ours, else with what the peer did instead.  No timeout of the
 * connection bounds this.
 */
void conn_finish(struct conn *c);

/*
 * The queue of unsent plain bytes: append whole frames, then conn_flush(): it
 * leaves once, at the end of the turn, or sooner when it is long.  Only in
 * OPEN (otherwise the buffer takes nothing).  The buffer's own max is
 * above max_queue by max_over, so test conn_has_room() first.
 */
struct buf *conn_out(struct conn *c);
void conn_flush(struct conn *c);
/* One whole message besides the queue, where the layers can and there is room:
 * it holds up no other, and is in no order with them.  False: not taken. */
bool conn_send_apart(struct conn *c, const uint8_t *src, size_t len);
bool conn_has_apart(const struct conn *c);
bool conn_has_room(const struct conn *c);
size_t conn_unsent(const struct conn *c);
/* Call `low` once, from a later turn, when fewer than `bytes` wait. */
void conn_tell_low(struct conn *c, size_t bytes);
/*
 * What was queued is counted, from the first byte: so many were queued, and so
 * many of these are gone for good: left the process or, where this end might
 * have to send them again, arrived.  (What went early or apart is not counted.)
 * As long as it is asked for, `gone` tells, at the end of turns.
 */
uint64_t conn_queued(const struct conn *c);
uint64_t conn_gone(struct conn *c);
void conn_tell_gone(struct conn *c, bool tell);
/* How many bytes more keep all that is not gone within max_queue. */
size_t conn_room(struct conn *c);
/* Bytes of the queue that the layers have taken, in all.  Those that conn_out()
 * holds follow, also in `closed`: no layer has seen one of them. */
uint64_t conn_taken(const struct conn *c);
/* Nothing waits, in a layer below neither: all has left the process, or has
 * arrived where this end would have to send it again (LAYER_Q_SETTLED). */
bool conn_is_flushed(const struct conn *c);

/* What has happened here, for those who wonder about the peer. */
struct conn_count {
	uint64_t received; /* bytes from the peer, in all */
	uint64_t queued;   /* bytes for conn_out(), in all; */
	/* of these, at the least, the other end's system has confirmed so many;
	 * or, where that is not known, so many have left */
	uint64_t taken;
	uint64_t said; /* the loop's time when the last of these left */
};
void conn_count(struct conn *c, struct conn_count *out);
/* With conf.clocks, in microseconds of the loop's clock: when the queue was
 * last empty after sending, and when the first byte came that data() was shown
 * in front.  0: never. */
struct conn_clocks {
	uint64_t left;
	uint64_t came;
};
void conn_clocks(const struct conn *c, struct conn_clocks *out);
/* Bytes of messages either way, in all, those apart included. */
void conn_moved(const struct conn *c, uint64_t *in, uint64_t *out);

/* Stop or resume delivering (back-pressure: the socket fills up). */
void conn_pause(struct conn *c, bool pause);
/* While busy (calls run) the idle timeout does not close. */
void conn_set_busy(struct conn *c, bool busy);

/* Ask the stack (net/layer.h). */
bool conn_query(struct conn *c, enum layer_query what, void *out);

#endif
