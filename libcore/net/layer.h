/* One layer of a connection: bytes in, bytes out, over the layer below. */
#ifndef RPCKIT_NET_LAYER_H
#define RPCKIT_NET_LAYER_H

#include <rpckit/err.h>
#include <rpckit/loop.h>

/*
 * A connection is a stack of these: tcp or unix at the bottom, tls above.
 * Rules of calling: a layer calls only the one below it; the connection calls
 * only the top; nothing here calls back up.  No call ever blocks.  Layers
 * prove possession of keys; they decide nothing about trust.
 */
struct layer;

enum layer_query {
	LAYER_Q_FD,        /* int */
	LAYER_Q_NAME,      /* const char *: transport of the bottom-most
	                      layer that names one: "tls" wins over "tcp" */
	LAYER_Q_LOCAL,     /* struct addr: own end of the socket */
	LAYER_Q_REMOTE,    /* struct addr */
	LAYER_Q_PEER_CERT, /* struct rk_bytes: the leaf's DER, proven, valid as
	                      long as the layer; absent: false */
	LAYER_Q_RESUMED,   /* bool */
	LAYER_Q_ALPN,      /* char[16] */
	LAYER_Q_CIPHER,    /* char[48] */
	LAYER_Q_ERROR      /* struct rk_error: why the last call here failed
	                      (recv, send and flush return a code only); an
	                      orderly end has a text too; false: none did */
};

struct layer_ops {
	const char *name;
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
	/* Say goodbye (close_notify, shutdown), as far as it goes at once; only
	 * free() follows. */
	void (*close)(struct layer *l);
	/* Free this layer and those below, closing the descriptor. */
	void (*free)(struct layer *l);
};

/* Embedded first in each layer's own struct. */
struct layer {
	const struct layer_ops *ops;
	struct layer *below; /* NULL at the bottom */
};

/* Ask from l downwards: the first layer that knows answers. */
bool layer_query(struct layer *l, enum layer_query what, void *out);
void layer_free(struct layer *l); /* NULL is allowed */

#endif
