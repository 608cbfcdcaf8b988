/* A QUIC client that does what ours never would: ngtcp2 over a socket. */
#ifndef TESTS_LIB_QUICPEER_H
#define TESTS_LIB_QUICPEER_H

#include "quicnet.h"

/* Everything here fails the running test when it cannot do its job; what the
 * server does is told. */

#define QUICPEER_HELD 16
#define QUICPEER_PACKET 1500

struct quicpeer_datagram {
	size_t len;
	uint8_t data[QUICPEER_PACKET];
};

struct quicpeer {
	struct quicnet *net;
	int fd;
	struct rk_watch *watch;
	struct rk_timer *timer;
	struct quic_tls *tls;
	ngtcp2_conn *conn;
	ngtcp2_crypto_conn_ref ref;
	/* how it is; change between init and start */
	size_t cid_len;   /* of its own ids: 8 */
	ngtcp2_cid dcid;  /* its first for the server: 18 random bytes */
	uint32_t version; /* v1 */
	uint64_t idle_s;  /* its idle timeout: 30 */
	struct rk_bytes token;
	bool holds; /* datagrams are kept, not sent */
	bool deaf;  /* what comes is not read */
	/* what happened */
	unsigned completed, confirmed;
	unsigned dead;    /* it ends, for whichever reason */
	bool by_peer;     /* the server closed, */
	bool application; /* with an application's code: */
	uint64_t closed;  /* the code of whoever closed */
	unsigned resets, versions, retries, tokens;
	unsigned got; /* bytes of streams */
	uint8_t kept_token[512];
	size_t kept_token_len;
	size_t n_held;
	struct quicpeer_datagram held[QUICPEER_HELD];
};

/* ctx NULL: the rig's client. */
void quicpeer_init(
    struct quicpeer *p, struct quicnet *n, struct quic_tls_ctx *ctx);
/* Its handshake begins. */
void quicpeer_start(struct quicpeer *p);
/* The same, until the server has accepted it. */
void quicpeer_connect(
    struct quicpeer *p, struct quicnet *n, struct quic_tls_ctx *ctx);
void quicpeer_free(struct quicpeer *p);

/* All that may go now. */
void quicpeer_write(struct quicpeer *p);
/* A kept datagram, and then what may go. */
void quicpeer_let_go(struct quicpeer *p, size_t i);
/* A stream of its own, 0 or the code of ngtcp2 that says why not. */
int quicpeer_open(struct quicpeer *p, bool uni, int64_t *id);
/* These bytes, which stay where they are, at once. */
void quicpeer_say(
    struct quicpeer *p, int64_t id, const uint8_t *data, size_t len, bool fin);

#endif
