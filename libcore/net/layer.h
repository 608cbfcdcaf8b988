/* One layer of a connection: bytes in, bytes out, over the layer below. */
#ifndef RPCKIT_NET_LAYER_H
#define RPCKIT_NET_LAYER_H

#include <rpckit/err.h>
#include <rpckit/loop.h>

/*
 * A connection is a stack of these: tcp or unix at the bottom, tls above.
 * Rules of calling: a layer calls only the one below it; the connection calls
 * only the top; nothing here calls back up, but that a bottom without a
 * descriptor of its own raises what it was attached to.  No call ever blocks.
 * Layers prove possession of keys; they decide nothing about trust.
 *
 * Early data (RFC 8446, 2.3; RFC 9001, 4.6): a client that resumes a session
 * may be able to send bytes before the handshake has ended.  It learns how many
 * from LAYER_Q_EARLY_MAX, judges LAYER_Q_PEER_CERT, which is what it remembers
 * of the server, and gives them to early().  A server's handshake() is RK_OK as
 * soon as it knows who sent early bytes; what recv() gives while LAYER_Q_EARLY
 * is true may be somebody's recording.
 */
struct layer;
struct loop_ready;

enum layer_query {
	LAYER_Q_FD,         /* int; false: the layers are attach()ed */
	LAYER_Q_NAME,       /* const char *: transport of the bottom-most
	                       layer that names one: "tls" wins over "tcp" */
	LAYER_Q_LOCAL,      /* struct addr: own end of the socket */
	LAYER_Q_REMOTE,     /* struct addr */
	LAYER_Q_PEER_CERT,  /* struct rk_bytes: the leaf's DER, proven, valid as
	                       long as the layer; absent: false */
	LAYER_Q_PEER_KEY,   /* uint8_t[RK_KEY_PUBLIC_LEN]: of a session, whose
	                       ends show no certificates; proven */
	LAYER_Q_RESUMED,    /* bool */
	LAYER_Q_SETTLED,    /* bool: the peer has accepted us and confirmed all
	                       that was sent.  Known only where that can be
	                       waited for: when it was false, RK_WRITE is raised
	                       once it is true.  Not known: taken for true */
	LAYER_Q_LEFT,       /* bool, of an end that has said all: is there
	                       nothing more to wait for?  As LAYER_Q_SETTLED,
	                       but a server does not wait for a peer that has
	                       got everything and is silent */
	LAYER_Q_SILENT,     /* bool, the same, while send() takes no more: has
	                       the peer been silent for so long that a server
	                       does not wait for it?  When it was false,
	                       RK_WRITE is raised once it is true */
	LAYER_Q_EARLY_MAX,  /* size_t, client before its handshake: bytes that
	                       early() may take in all; false: none */
	LAYER_Q_EARLY,      /* bool, server: the handshake has not ended, what
	                       came may come again.  When it becomes false,
	                       recv() is worth calling */
	LAYER_Q_EARLY_USED, /* bool: early data went, and was taken */
	LAYER_Q_CONFIRMED,  /* bool, client: the server is known to have
	                       accepted us; false: not known (yet) */
	LAYER_Q_ALPN,       /* char[16] */
	LAYER_Q_CIPHER,     /* char[48] */
	LAYER_Q_EXPORT,     /* uint8_t[32]: what both ends of a TLS session can
	                       compute and nobody else (RFC 9266), once its
	                       handshake is over; false: there is no TLS */
	LAYER_Q_PSK,        /* const struct psk *: the pre-shared key in use, or
	                       NULL where that is not known yet; false: there
	                       is no such layer, or it has not begun */
	LAYER_Q_PSK_US, /* uint64_t: how long its handshake took; as above */
	LAYER_Q_APART_LATE, /* uint64_t: of the messages that come apart and are
	                       not whole, the loop's time from which the most
	                       overdue is; new ones raise RK_READ; false: none
	                     */
	LAYER_Q_HELD,    /* uint64_t: bytes that send() took and that have not
	                    left the process or, where this end may have to
	                    send them again, not arrived; of an encryption,
	                    perhaps a few more.  Where nobody else would
	                    notice that they have become fewer, LAYER_GONE is
	                    raised then.  Not known: none */
	LAYER_Q_UNTAKEN, /* uint64_t: bytes that send() took and the other end's
	                    system has not confirmed; false: not known */
	LAYER_Q_PATH,    /* struct layer_path; false: nothing of it is known */
	LAYER_Q_ORDERLY, /* bool: has the peer said goodbye?  false where it
	                    can end without; not known: it need not */
	LAYER_Q_ERROR    /* struct rk_error: why the last call here failed
	                    (recv, send and flush return a code only); an
	                    orderly end has a text too; false: none did */
};

/* What a transport has measured of the way to the peer. */
struct layer_path {
	uint64_t rtt_us; /* there and back, smoothed; 0: not known */
	bool has_retrans;
	uint64_t retrans; /* packets that had to be sent again */
};

/* Raised beside RK_READ and RK_WRITE by a layer that was attached. */
#define LAYER_GONE 4u

struct layer_ops {
	const char *name;
	/* Where LAYER_Q_FD is not known: raise RK_READ and RK_WRITE here, from
	 * the loop's thread, instead of a descriptor; lower what a call has
	 * found not to be so.  Called once, before any other.  NULL: ask below.
	 */
	void (*attach)(struct layer *l, struct loop_ready *ready);
	/* RK_OK: done; RK_EAGAIN: wait for want(); else the error, in err. */
	enum rk_err (*handshake)(struct layer *l, struct rk_error *err);
	/* RK_OK: 0 < *n <= cap bytes; RK_EAGAIN; RK_ECLOSED: orderly end by the
	 * peer; else broken. */
	enum rk_err (*recv)(
	    struct layer *l, uint8_t *dst, size_t cap, size_t *n);
	/* Takes *n <= len bytes.  RK_OK: at least one; RK_EAGAIN: none. */
	enum rk_err (*send)(
	    struct layer *l, const uint8_t *src, size_t len, size_t *n);
	/* Push out what send() took.  RK_OK: all of it left; RK_EAGAIN. */
	enum rk_err (*flush)(struct layer *l);
	/* What the descriptor must become before progress is possible. */
	unsigned (*want)(const struct layer *l);
	/* Can recv() give bytes without the descriptor becoming readable? */
	bool (*pending)(const struct layer *l);
	/* Fill *out (type above); false: not known here or below. */
	bool (*query)(struct layer *l, enum layer_query what, void *out);
	/*
	 * Bytes for the peer that may come to it twice, before the first
	 * handshake() or while it is RK_EAGAIN: all of them are sent with the
	 * first flight, and sent again as the first of the ordinary ones (by
	 * send() or recv(), which nobody calls before the peer is trusted)
	 * where the peer does not take them early.  RK_EAGAIN: not possible
	 * (any more), nothing was taken; RK_ENOMEM.  NULL: never possible.
	 */
	enum rk_err (*early)(struct layer *l, const uint8_t *src, size_t len);
	/*
	 * Whole messages on ways of their own, which hold up nothing else and
	 * come before or after what send() takes.  RK_EAGAIN: not now, use
	 * send(); RK_ENOMEM.  recv_apart() shows the next one that came, the
	 * same until done_apart(); RK_READ is raised for it.  NULL, all three:
	 * there are no such ways.
	 */
	enum rk_err (*send_apart)(
	    struct layer *l, const uint8_t *src, size_t len);
	bool (*recv_apart)(struct layer *l, struct rk_bytes *out);
	void (*done_apart)(struct layer *l);
	/* Tell the peer that nothing more is sent; recv() goes on, and flush()
	 * pushes what could not leave.  RK_OK, RK_EAGAIN; else broken.
	 * NULL: there is nothing to tell, LAYER_Q_SETTLED says it all. */
	enum rk_err (*half_close)(struct layer *l);
	/* Say goodbye (close_notify, shutdown), as far as it goes at once; only
	 * free() follows.  What send() took goes first: at an orderly end also
	 * after free(), for a bounded time, where a path takes it by and by.
	 * why is the end's reason, for transports that can tell the peer more
	 * than that it is the end. */
	void (*close)(struct layer *l, const struct rk_error *why);
	/* Free this layer and those below, closing the descriptor. */
	void (*free)(struct layer *l);
};

/* Embedded first in each layer's own struct. */
struct layer {
	const struct layer_ops *ops;
	struct layer *below; /* NULL at the bottom */
};

/* Attach the first layer from l downwards that wants it.  False: none does. */
bool layer_attach(struct layer *l, struct loop_ready *ready);
/* Ask from l downwards: the first layer that knows answers. */
bool layer_query(struct layer *l, enum layer_query what, void *out);
void layer_free(struct layer *l); /* NULL is allowed */

#endif
