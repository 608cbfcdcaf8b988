/* Two QUIC connections in memory, joined by queues of datagrams, for tests. */
#ifndef TESTS_LIB_QUICPAIR_H
#define TESTS_LIB_QUICPAIR_H

#include "net/quic_tls.h"

/* Everything here ends the program when it fails; what a peer does is told. */

#define QUICPAIR_DATAGRAMS 64
#define QUICPAIR_DATAGRAM_LEN 1500
#define QUICPAIR_DATA 4096
#define QUICPAIR_CID_LEN 8

struct quicpair_datagram {
	size_t len;
	uint8_t data[QUICPAIR_DATAGRAM_LEN];
};

struct quicpair_queue {
	struct quicpair_datagram d[QUICPAIR_DATAGRAMS];
	size_t n;
};

struct quicpair;
struct quicpair_end {
	struct quicpair *pair;
	bool server;
	struct quic_tls_ctx *ctx;
	struct quic_tls *tls;
	ngtcp2_conn *conn;
	ngtcp2_crypto_conn_ref ref;
	struct quicpair_queue out; /* on its way to the other end */
	/* what it sends on the one stream: the caller's memory */
	const char *data;
	size_t data_len, data_at;
	int64_t stream; /* -1: not open yet */
	/* what happened */
	bool completed, confirmed, rejected;
	bool dead;                   /* closed, by whichever side */
	bool by_peer;                /* the peer closed */
	uint64_t closed;             /* the code it closed or was closed with */
	char got[QUICPAIR_DATA + 1]; /* text from the other end */
	size_t got_len;
	size_t early_len; /* of it, in 0-RTT packets */
	/* when the first byte came */
	bool first_completed, first_cert;
	unsigned tokens;
};

struct quicpair {
	struct quicpair_end client, server;
	uint64_t now;
	bool drop_to_client; /* the way back is cut */
	/* As a server does (the default). */
	bool send_tickets, send_tokens;
	bool v2;          /* a strange client speaks QUIC version 2 */
	size_t token_len; /* of the client's first Initial */
	bool token_good;
	struct quicpair_queue first; /* all the client sent, for a replay */
};

/* client may be NULL: datagrams come from quicpair_replay(). */
struct quicpair *quicpair_new(
    struct quic_tls_ctx *client, struct quic_tls_ctx *server);
void quicpair_free(struct quicpair *p);
/* A client whose TLS is not ours: cb is the TLS side's, native what it wants;
 * its ref is p->client.ref. */
void quicpair_start_client(
    struct quicpair *p, void *native, const ngtcp2_callbacks *cb);
/* Text that this end sends as soon as it can; it stays where it is. */
void quicpair_send(struct quicpair_end *e, const char *text);
/* One end writes all it has to its queue.  Done by quicpair_run(), too. */
void quicpair_write(struct quicpair_end *e);
/* Deliver until both are silent or dead; at most a few seconds of their time
 * pass. */
void quicpair_run(struct quicpair *p);
/* Everything the client of another pair sent, to the server of this one. */
void quicpair_replay(struct quicpair *p, const struct quicpair_queue *first);

#endif
