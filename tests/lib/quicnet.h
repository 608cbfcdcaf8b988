/* A QUIC server, clients, and raw peers on one loop with a clock of its own. */
#ifndef TESTS_LIB_QUICNET_H
#define TESTS_LIB_QUICNET_H

#include "net/conn.h"
#include "net/quic.h"

#include "quicrig.h"
#include "vtime.h"

/* Everything here fails the running test when it cannot do its job, or when
 * what is waited for does not come in QUICNET_PATIENCE_MS of the loop's time.
 */
#define QUICNET_PATIENCE_MS 120000
#define QUICNET_CONNS 1024

struct quicnet;

/* One end of a connection, the server's or a client's. */
struct quicnet_conn {
	struct quicnet *net;
	bool server;
	struct quic_end *own; /* a client's endpoint, */
	int fd;               /* and its socket */
	struct conn *conn;    /* NULL: closed */
	unsigned opened;      /* 1 from OPEN on */
	unsigned closed;
	unsigned got; /* bytes */
	struct rk_error why;
};

struct quicnet {
	struct vtime time;
	struct rk_loop *loop;
	struct quicrig rig;
	struct quic_tls_ctx *ctx; /* the server's; rig.server at first */
	struct quic_end *server;  /* NULL: none at the moment */
	int server_fd;
	struct addr at;
	/* what the server does with peers */
	bool echoes;
	bool refuses; /* those who have proven their keys */
	bool ponders; /* about them: quicnet_welcome() decides */
	bool ignores; /* leaves hellos lying */
	bool drops;   /* or says that it is busy */
	unsigned retry_from;
	/* what happened there */
	unsigned hellos;
	struct quic_hello *last; /* the newest */
	unsigned validated;
	unsigned accepted;
	size_t n;
	struct quicnet_conn conns[QUICNET_CONNS]; /* the server's ends */
};

/* A server is running. */
void quicnet_open(struct quicnet *n);
void quicnet_open_with(struct quicnet *n, unsigned retry_from);
void quicnet_close(struct quicnet *n);
/* The server's endpoint, its connections forgotten without a word; and a new
 * one at the same port, of this seed. */
void quicnet_stop(struct quicnet *n);
void quicnet_start(struct quicnet *n, struct seed *seed);
void quicnet_welcome(struct quicnet_conn *c);
/* Accept net.last, which was ignored. */
void quicnet_take_last(struct quicnet *n);
struct quic_end_stats quicnet_stats(const struct quicnet *n);

void quicnet_turn(struct quicnet *n);
/* Until *what is so much. */
void quicnet_await(struct quicnet *n, const unsigned *what, unsigned want);
/* So much time, whatever happens in it. */
void quicnet_pass(struct quicnet *n, uint64_t ms);

/* A client with a socket of its own; ctx NULL: the rig's. */
void quicnet_dial(struct quicnet *n, struct quic_tls_ctx *ctx,
    const struct addr *to, struct quicnet_conn *out);
/* The same, until both ends are open. */
struct quicnet_conn *quicnet_connect(
    struct quicnet *n, struct quic_tls_ctx *ctx, struct quicnet_conn *client);
void quicnet_send(struct quicnet_conn *c, size_t len);
/* Close in order, or forget it and its socket without a word. */
void quicnet_drain(struct quicnet_conn *c);
void quicnet_vanish(struct quicnet_conn *c);

/* A socket that talks to the server, and its datagrams. */
int quicnet_socket(const struct quicnet *n);
void quicnet_put(int fd, const uint8_t *data, size_t len);
/* A datagram that has come, 0: none. */
size_t quicnet_take(int fd, uint8_t *dst, size_t cap);

/* Somebody whom what a test does must not disturb: connected, and at the end of
 * the test still served.  The server echoes. */
void quicnet_befriend(
    struct quicnet *n, unsigned retry_from, struct quicnet_conn *friend);
void quicnet_part(struct quicnet *n, struct quicnet_conn *friend);
/* The server has done all it can about what was sent. */
void quicnet_settle(struct quicnet *n);

#endif
