/* QUIC endpoints: one UDP port, any number of connections both ways. */
#ifndef RPCKIT_NET_QUIC_H
#define RPCKIT_NET_QUIC_H

#include "net/layer.h"
#include "net/quic_io.h"
#include "net/seed.h"
#include "net/tls.h"

/*
 * RFC 9000 and 9001 by ngtcp2.  A connection is one bidirectional stream,
 * opened by the client, as a layer without anything below it; its TLS is that
 * of net/quic_tls.h.  Where this build has no QUIC, everything that can fail
 * here is RK_EUNSUPPORTED with the reason.
 */

/* RK_OK: this build speaks QUIC. */
RK_MUST enum rk_err quic_supported(struct rk_error *err);
/* What does the work, for version texts; "" without QUIC. */
const char *quic_library(void);

/* Credentials, and a client's remembered session: net/quic_tls.h. */
struct quic_tls_ctx;
RK_MUST enum rk_err quic_ctx_new(const struct tls_conf *conf, struct seed *seed,
    bool early, struct quic_tls_ctx **out, struct rk_error *err);
void quic_ctx_free(struct quic_tls_ctx *ctx); /* NULL is allowed */
void quic_ctx_forget(struct quic_tls_ctx *ctx);

/* A peer's first packets, waiting for quic_end_accept() or quic_end_drop();
 * the endpoint's. */
struct quic_hello;
const struct addr *quic_hello_remote(const struct quic_hello *h);
/* The peer has shown that it receives at its address (Retry, NEW_TOKEN). */
bool quic_hello_validated(const struct quic_hello *h);

struct quic_end;
struct quic_end_events {
	/* A new peer, called once for each.  Accept or drop it, here or later
	 * on this thread. */
	void (*hello)(struct quic_end *e, struct quic_hello *h, void *arg);
	/* A packet for a connection of the loop with this index: to be given to
	 * quic_end_feed() there.  NULL when n_loops is 1. */
	void (*stray)(struct quic_end *e, unsigned loop,
	    const struct quic_datagram *d, void *arg);
};

struct quic_end_conf {
	struct rk_loop *loop;
	int fd; /* bound; taken over, also on failure */
	/* Of a server; NULL: client only.  Strangers are then ignored. */
	const struct quic_end_events *events;
	void *arg;
	unsigned index;    /* of this loop, below n_loops */
	unsigned n_loops;  /* at most QUIC_CID_LOOPS_MAX; 0 is 1 */
	struct seed *seed; /* referenced; NULL: a random one of its own */
	/* 32 bytes that stateless resets grow from; NULL: the seed. */
	const uint8_t *reset;
	/* With so many handshakes under way, a peer has to prove its address
	 * first (Retry).  0: always. */
	unsigned retry_from;
	bool bbr; /* congestion control: BBR instead of CUBIC */
	/* Spread packets over time on loopback, too, where there is no path to
	 * be spared: for tests. */
	bool pace_all;
};

/* RK_ENOMEM, RK_EIO. */
RK_MUST enum rk_err quic_end_new(const struct quic_end_conf *conf,
    struct quic_end **out, struct rk_error *err);
/* Every layer is freed, or the loop will not run again.  Connections that were
 * still saying goodbye end here, those that had more to send with a goodbye. */
void quic_end_free(struct quic_end *e);
/* Take no new peers from now on: they are told that it is busy. */
void quic_end_deafen(struct quic_end *e);
/* Who had more to send before its goodbye says it now: nobody may run the loop
 * any more.  NULL is allowed. */
void quic_end_hurry(struct quic_end *e);
/* Have no socket any more: nobody runs the loop, and what comes to the port is
 * for others that share it. */
void quic_end_close(struct quic_end *e);

/*
 * Begin to connect.  The layer's handshake is RK_OK when the server has proven
 * its key; LAYER_Q_CONFIRMED tells when it has accepted ours.  RK_ENOMEM;
 * RK_ECONNECT with errno: there is no way from here to there.
 */
RK_MUST enum rk_err quic_end_dial(struct quic_end *e, struct quic_tls_ctx *ctx,
    const struct addr *remote, struct layer **out);
/* Take a peer on: h is gone, also on failure. */
RK_MUST enum rk_err quic_end_accept(struct quic_end *e,
    struct quic_tls_ctx *ctx, struct quic_hello *h, struct layer **out);
/* Do not: no answer is sent, and h is gone.  busy: tell the peer so. */
void quic_end_drop(struct quic_end *e, struct quic_hello *h, bool busy);
/* A packet that arrived at another loop's socket. */
void quic_end_feed(struct quic_end *e, const struct quic_datagram *d);

struct quic_end_stats {
	size_t conns;      /* also those saying goodbye */
	size_t half_open;  /* peers' handshakes under way, and hellos */
	uint64_t retries;  /* Retry packets sent */
	uint64_t resets;   /* stateless resets sent */
	uint64_t versions; /* version negotiations sent */
	uint64_t ignored;  /* datagrams that belong to nothing */
	uint64_t strays;   /* given to another loop */
	struct quic_io_stats io;
};
void quic_end_stats(const struct quic_end *e, struct quic_end_stats *out);

#endif
