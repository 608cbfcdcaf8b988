/* UDP for sessions: one socket and who is behind it; a client's own. */
#ifndef RPCKIT_NET_UDP_END_H
#define RPCKIT_NET_UDP_END_H

#include "net/quic_io.h"
#include "net/sess_layer.h"
#include "net/udp_wrap.h"

/*
 * rpckit-session(7), "On UDP".  A stranger costs one HMAC and an answer that is
 * shorter than its question, or three and no answer where a pre-shared key is
 * required; there is a udp_peer only for who has shown a cookie.  Everything on
 * the loop's thread, but where said.
 */
struct udp_end;

/* Who has shown a cookie; the endpoint's until udp_end_accept() or
 * udp_end_drop(). */
struct udp_peer;
const struct addr *udp_peer_remote(const struct udp_peer *p);

struct udp_end_events {
	/* A new peer, once.  Accept or drop it, here or later. */
	void (*hello)(struct udp_end *e, struct udp_peer *p, void *arg);
	/* A datagram for the loop with this index: to be given to
	 * udp_end_feed() there.  Not called when n_loops is 1. */
	void (*stray)(struct udp_end *e, unsigned loop,
	    const struct quic_datagram *d, void *arg);
};

struct udp_end_conf {
	struct rk_loop *loop;
	int fd; /* bound; taken over, also on failure */
	const struct udp_end_events *events;
	void *arg;
	unsigned index;    /* of this loop, below n_loops */
	unsigned n_loops;  /* at most UDP_LOOPS_MAX; 0 is 1 */
	struct seed *seed; /* referenced */
	/* A stranger has to prove one of these; referenced; NULL: none. */
	struct rk_psks *psks;
};

/* RK_ENOMEM, RK_EIO. */
RK_MUST enum rk_err udp_end_new(const struct udp_end_conf *conf,
    struct udp_end **out, struct rk_error *err);
/* Layers that are left have no way any more. */
void udp_end_free(struct udp_end *e); /* NULL is allowed */
/* Those that a stranger has to prove from now on are others.  Any thread. */
void udp_end_require(struct udp_end *e, struct rk_psks *psks);
/* Take nobody from now on: they are told that it is busy. */
void udp_end_deafen(struct udp_end *e);
/* Send what waits: nobody may run the loop any more. */
void udp_end_hurry(struct udp_end *e);
/* Have no socket any more. */
void udp_end_close(struct udp_end *e);

/* p is gone, also on failure.  RK_ENOMEM. */
RK_MUST enum rk_err udp_end_accept(struct udp_end *e,
    const struct sess_layer_conf *conf, struct udp_peer *p, struct layer **out);
/* busy: tell it so. */
void udp_end_drop(struct udp_end *e, struct udp_peer *p, bool busy);
/* A datagram that arrived at another loop's socket. */
void udp_end_feed(struct udp_end *e, const struct quic_datagram *d);

/*
 * A client: fd is connected (quic_io_connect()), and there is, or will be, an
 * answer to a knock with this nonce; taken over, also on failure.  RK_ENOMEM,
 * RK_EIO.
 */
RK_MUST enum rk_err udp_end_dial(struct rk_loop *loop,
    const struct sess_layer_conf *conf, int fd,
    const uint8_t nonce[UDP_NONCE_LEN], struct layer **out);

struct udp_end_stats {
	size_t peers;     /* with memory, those that wait included */
	size_t waiting;   /* neither accepted nor dropped */
	uint64_t retries; /* cookies given */
	uint64_t stale;   /* cookies shown that are not ours, or not any more */
	uint64_t again;   /* of connections that are over */
	uint64_t silent;  /* strangers who proved no pre-shared key */
	uint64_t busy;    /* refusals sent */
	uint64_t ignored; /* datagrams that belong to nothing */
	uint64_t strays;  /* given to another loop */
	uint64_t moves;   /* peers that have another address now */
	struct quic_io_stats io;
};
void udp_end_stats(const struct udp_end *e, struct udp_end_stats *out);

#endif
