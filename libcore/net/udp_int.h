/* The inside of sessions over UDP: the endpoint and its peers. */
#ifndef RPCKIT_NET_UDP_INT_H
#define RPCKIT_NET_UDP_INT_H

#include "net/loop.h"
#include "net/quic_cid.h"
#include "net/sess_hs.h"
#include "net/udp_end.h"

#include <pthread.h>
#include <sys/queue.h>

#define UDP_WAITING_MAX 256 /* peers neither accepted nor dropped */
#define UDP_USED_MAX 512    /* cookies that are remembered to be used up */
#define UDP_ASK_MS 250      /* an address is asked again */
#define UDP_COOKIE_HOLD_MS                                                   \
	1000                   /* another one is taken when this was in vain \
	                        */
#define UDP_KEEPALIVE_MS 25000 /* a client speaks at least so often */
#define UDP_DOUBT_MS 3000      /* told so long that nobody is there: true */

TAILQ_HEAD(udp_peers, udp_peer);

struct udp_peer {
	TAILQ_ENTRY(udp_peer) link;  /* of all */
	TAILQ_ENTRY(udp_peer) stuck; /* waits for room in the socket */
	struct quic_map_entry entry; /* by id */
	struct udp_end *end;         /* NULL: gone */
	bool is_stuck;
	bool waits;
	uint8_t id[UDP_ID_LEN];
	uint8_t nonce[UDP_NONCE_LEN];
	struct addr local;
	struct addr remote;
	struct layer *layer;   /* NULL: has not begun */
	const struct psk *psk; /* a client's, that it proves; NULL: none */
	/* The session's first message behind its head: a client's, to be sent
	 * with another cookie; a server's, until its session begins. */
	uint8_t hello[UDP_HELLO_LEN + SESS_HELLO_MAX];
	size_t hello_len; /* with the head; 0: none */
	/* A client's. */
	bool has_cookie;
	bool answered;
	bool has_sent; /* since the timer was looked at */
	uint8_t cookie[UDP_COOKIE_LEN];
	uint64_t cookie_at;
	uint64_t refused_at; /* nobody is said to be there; 0: not */
	struct rk_timer *timer;
	/* Another address, which authentic datagrams came from. */
	struct addr other_local;
	struct addr other;
	uint8_t token[UDP_TOKEN_LEN]; /* that it was sent */
	uint64_t asked_at;            /* 0: it was not */
	bool shown;                   /* and it has sent it back */
};

/* Datagrams of one length for one peer, that are not with the socket yet. */
struct udp_run {
	struct udp_peer *peer; /* NULL: none */
	uint8_t *at;
	size_t len;
	size_t segment;
	unsigned n;
};

struct udp_end {
	struct rk_loop *loop;
	const struct udp_end_events *events; /* NULL: a client's */
	void *arg;
	unsigned index;
	unsigned n_loops;
	bool deaf;
	bool blocked;
	struct quic_io *io;
	struct rk_watch *watch;
	struct loop_hook hook;
	struct udp_keys keys;
	pthread_mutex_t lock; /* of: */
	struct rk_psks *psks; /* one of these is required; NULL: none */
	struct udp_peers peers;
	struct udp_peers stuck;
	struct quic_map ids;
	struct udp_run run;
	uint8_t used[UDP_USED_MAX][UDP_ID_LEN]; /* a ring */
	size_t next_used;
	struct udp_end_stats stats;
};

/* ---- udp_end.c ---- */

/* A datagram that is no peer's: lost if there is no room. */
void udp_end_say(struct udp_end *e, const struct addr *local,
    const struct addr *remote, const uint8_t *data, size_t len);
/* That what it began with begins no session. */
void udp_end_say_no(struct udp_end *e, const struct addr *local,
    const struct addr *remote, const uint8_t nonce[UDP_NONCE_LEN]);
/* What a peer's session sends, behind its head.  RK_EAGAIN: when there is room
 * the peer is told. */
RK_MUST enum rk_err udp_end_put(struct udp_end *e, struct udp_peer *p,
    struct rk_bytes head, struct rk_bytes data);
/* The peer is gone: nothing leads to it any more. */
void udp_end_forget(struct udp_end *e, struct udp_peer *p);

/* ---- udp_peer.c ---- */

RK_MUST struct udp_peer *udp_peer_new(struct udp_end *e);
void udp_peer_free(struct udp_peer *p);
extern const struct sess_way_ops udp_way;
/* A datagram for it: m is what d is. */
void udp_peer_input(
    struct udp_peer *p, const struct quic_datagram *d, const struct udp_msg *m);
/* A client's: the network says that nobody is there. */
void udp_peer_refused(struct udp_peer *p, int sys);

#endif
