/* The inside of QUIC: what the files of an endpoint share. */
#ifndef RPCKIT_NET_QUIC_INT_H
#define RPCKIT_NET_QUIC_INT_H

#include "net/loop.h"
#include "net/quic.h"
#include "net/quic_cid.h"
#include "net/quic_out.h"
#include "net/quic_tls.h"

#include <rpckit/message.h>

/*
 * Packets come in by quic_end.c, which finds the connection; quic_conn.c gives
 * them to ngtcp2, whose callbacks (quic_back.c) change fields only; time passes
 * in quic_time.c.  At the end of the turn, after everybody else, quic_write.c
 * makes one round of packets for each connection that something happened to.
 * quic_layer.c is the side of the stack, quic_close.c the end.  Time is the
 * loop's: one reading a turn, and never backwards.
 */

/* Codes of our application CONNECTION_CLOSE (rpckit-protocol(7)). */
enum quic_app {
	QUIC_APP_DONE = 0, /* an orderly end; Go peers know this one only */
	QUIC_APP_REFUSED = 1,
	QUIC_APP_PROTOCOL = 2,
	QUIC_APP_TIMEOUT = 3,
	QUIC_APP_LIMIT = 4,
	QUIC_APP_FAILED = 5
};

/*
 * A sender has room while less than HIGH is not confirmed, and less than AHEAD
 * of it was never sent; it is told below LOW, and below half of that.  What
 * waits above here can still be put in another order.
 */
#define QUIC_OUT_HIGH (4u << 20)
#define QUIC_OUT_LOW (QUIC_OUT_HIGH - (256u << 10))
#define QUIC_OUT_AHEAD (256u << 10)

/* Local ids at a time: ngtcp2's pool, the first one, and the peer's first. */
#define QUIC_IDS 12
#define QUIC_PEER_TOKENS 8

enum quic_state {
	QUIC_LIVE,
	QUIC_CLOSING,  /* we have said goodbye, and repeat it when asked */
	QUIC_DRAINING, /* the peer has */
	QUIC_DEAD      /* nothing is left to say */
};

struct quic_peer_token {
	struct quic_map_entry entry;
	uint64_t seq;
};

/*
 * A message on a unidirectional stream of its own.  The peer may have so many
 * under way; one is as long as a frame, and the stream's window has room for
 * it, so that only whole ones are shown.
 */
#define QUIC_APARTS 8
#define QUIC_APART_LEN ((size_t)RK_BODY_MAX + 16)

struct quic_apart {
	TAILQ_ENTRY(quic_apart) link;
	int64_t id;
	struct quic_out out; /* of ours */
	bool fin_sent;
	bool blocked;  /* the peer's window of this stream is used up */
	struct buf in; /* of the peer's */
	uint64_t begun;
	uint64_t active; /* its last bytes */
};
TAILQ_HEAD(quic_aparts, quic_apart);

struct quic_conn {
	struct layer layer; /* first */
	struct quic_end *end;
	TAILQ_ENTRY(quic_conn) link;  /* of the endpoint */
	TAILQ_ENTRY(quic_conn) dirty; /* to be written at the end of the turn */
	bool is_dirty;
	bool server;
	bool held;      /* by a stack: the layer is not freed yet */
	bool counted;   /* in the endpoint's half open */
	bool opened;    /* the stack was told so */
	bool completed; /* the handshake, as this end sees it */
	bool confirmed;
	bool early;      /* client: bytes went, or will go, as early data */
	bool early_went; /* client: some did */
	bool early_came; /* server: bytes came as such */
	bool has_stream;
	bool announced;    /* client: the peer is told of the stream */
	bool fin;          /* the peer has finished the stream */
	bool fin_asked;    /* ours is to be finished, too, */
	bool fin_sent;     /* and was */
	bool end_told;     /* recv() has said how it ended */
	bool paced;        /* not on loopback, unless told to */
	bool asks;         /* for a sign of the peer, with the next packet */
	bool deserted;     /* the peer has gone without a goodbye */
	bool leaving;      /* closed, but for what has to be sent before */
	bool due;          /* something is to be written that cannot wait */
	bool first;        /* the next flush is the first of this turn */
	bool expired;      /* the library may want several packets written */
	bool tell_room;    /* a sender waits for room, */
	bool tell_settled; /* or for everything to be confirmed, */
	bool tell_held;    /* or for anything to be */
	bool tell_left;    /* or to be as good as confirmed */
	enum quic_state state;
	ngtcp2_conn *q;
	ngtcp2_crypto_conn_ref ref;
	struct quic_tls *tls;
	struct rk_timer *timer;
	uint64_t heard_at;    /* ns: when its last packet came */
	uint64_t doubt_at;    /* ns: of the next doubt; or 0: there is none */
	unsigned doubts;      /* rounds of them without a sign */
	uint64_t leave_until; /* ns: leaving takes no longer */
	uint64_t ended_at;    /* ns: when its owner had said all; or 0 */
	struct loop_ready *ready; /* NULL: not attached */
	struct addr local;
	struct addr remote;
	int64_t stream;
	struct quic_out out;
	struct buf in;
	struct quic_aparts outgoing; /* until confirmed */
	struct quic_aparts incoming; /* not whole yet */
	struct quic_aparts arrived;
	size_t n_outgoing;
	unsigned packets;      /* so that no stream waits for ever */
	unsigned heard;        /* packets since the last that was written */
	struct rk_error error; /* why it is not LIVE; RK_OK while it is */
	struct quic_map_entry ids[QUIC_IDS];
	struct quic_peer_token tokens[QUIC_PEER_TOKENS];
	uint8_t *goodbye; /* CLOSING: the packet */
	size_t goodbye_len;
	uint64_t asked; /* packets since then */
};
TAILQ_HEAD(quic_conns, quic_conn);

/* The datagrams a peer began with, until somebody decides about it. */
#define QUIC_HELLO_DATAGRAMS 4
struct quic_hello {
	TAILQ_ENTRY(quic_hello) link;
	struct quic_map_entry id; /* the peer's first id for us */
	struct addr local;
	struct addr remote;
	ngtcp2_pkt_hd hd; /* its token points to the first datagram */
	ngtcp2_token_type token_type;
	bool retried;
	ngtcp2_cid first_id; /* before the Retry */
	size_t n;
	struct {
		uint8_t *data;
		size_t len;
		uint8_t ecn;
	} datagrams[QUIC_HELLO_DATAGRAMS];
	uint64_t since;
};
TAILQ_HEAD(quic_hellos, quic_hello);

/* What all endpoints of a loop share, so that an idle one has none of it. */
struct quic_mem {
	unsigned users;
	struct quic_io_mem io;
	struct quic_blocks blocks;
};

struct quic_end {
	struct rk_loop *loop;
	struct quic_io *io;
	struct rk_watch *watch;
	struct loop_hook hook; /* the end of a turn */
	const struct quic_end_events *events;
	void *arg;
	bool deaf;
	bool blocked; /* the socket takes nothing */
	bool bbr;
	bool pace_all;
	unsigned index;
	unsigned n_loops;
	unsigned retry_from;
	struct quic_cid_keys keys;
	uint8_t token_key[32];     /* of Retry and NEW_TOKEN */
	struct quic_map ids;       /* to quic_conn */
	struct quic_map hello_ids; /* to quic_hello */
	struct quic_map tokens;    /* peers' reset tokens to quic_conn */
	struct quic_conns conns;
	struct quic_conns dirty;
	struct quic_hellos hellos;
	size_t n_conns;
	size_t n_hellos;
	struct quic_mem *mem;
	uint64_t reset_second; /* stateless resets are limited */
	unsigned reset_count;
	struct quic_end_stats stats;
};

/* ---- quic_conn.c ---- */
/* The two ways to begin; the layer is held. */
RK_MUST enum rk_err quic_conn_dial(struct quic_end *e, struct quic_tls_ctx *ctx,
    const struct addr *remote, struct quic_conn **out);
RK_MUST enum rk_err quic_conn_accept(struct quic_end *e,
    struct quic_tls_ctx *ctx, const struct quic_hello *h,
    struct quic_conn **out);
void quic_conn_input(struct quic_conn *c, const struct addr *local,
    const struct addr *remote, uint8_t ecn, const uint8_t *data, size_t len);
/* Write at the end of this turn. */
void quic_conn_touch(struct quic_conn *c);
/*
 * The same, if more was heard than an acknowledgement can be kept back for:
 * what is written soon carries it for nothing, and answers usually are.  No
 * longer than QUIC_ACK_LATE_NS.
 */
#define QUIC_ACK_LATE_NS NGTCP2_MILLISECONDS
#define QUIC_ACK_LATE_PACKETS 4
void quic_conn_stir(struct quic_conn *c);
/* Is there nothing that this turn has to write? */
bool quic_conn_may_wait(const struct quic_conn *c);
/* Bytes sent or to be sent that the peer has not confirmed. */
/* Tell a sender that waits, if there is room. */
void quic_conn_tell_room(struct quic_conn *c);
uint64_t quic_conn_held(const struct quic_conn *c);
/* The peer has accepted us, and confirmed all that was sent; or never will. */
bool quic_conn_is_settled(const struct quic_conn *c);
/* Raise what a stack may be waiting for. */
void quic_conn_raise(struct quic_conn *c, unsigned what);
/* Out of every table, and freed. */
void quic_conn_free(struct quic_conn *c);

/* ---- quic_close.c ---- */
/* Not LIVE any more, without a word to the peer. */
void quic_conn_die(struct quic_conn *c, const struct rk_error *why);
/* Say goodbye with this error, and go to CLOSING. */
void quic_conn_close(struct quic_conn *c, const ngtcp2_ccerr *cc);
/* The same for the owner's reason; in order it comes behind all that waits to
 * be sent, within a few seconds, also when the layer is freed. */
void quic_conn_leave(struct quic_conn *c, const struct rk_error *why);
/* Is there anything that was not sent at all? */
bool quic_conn_has_unsent(const struct quic_conn *c);
/* The goodbye of one that leaves, if all was sent, or in any case. */
void quic_conn_go_on_leaving(struct quic_conn *c, bool now);
/* An error of ngtcp2, from whichever call: close, die, or start over. */
void quic_conn_fail(struct quic_conn *c, int rv);
/* A packet for one that is CLOSING: the peer may have missed it. */
void quic_conn_repeat_goodbye(struct quic_conn *c);

/* ---- quic_time.c ---- */
#define QUIC_IDLE_NS (30 * NGTCP2_SECONDS)
void quic_conn_on_timer(struct rk_timer *t, void *arg);
void quic_conn_arm(struct quic_conn *c);
/* Before a packet is looked at: has the peer been given up by now? */
void quic_conn_wake(struct quic_conn *c);
/* A server, which has said all: all was sent, and nothing is heard of the peer
 * any more, so that it cannot be helped by sending it again. */
bool quic_conn_has_left(const struct quic_conn *c);
/*
 * Somebody says that nobody is there.  That may be anybody, so the peer is
 * asked; if no packet of its own is heard in a few seconds, it is true.
 */
void quic_conn_doubt(struct quic_conn *c);
/* Bytes under way, which only the peer's confirmations make fewer while a
 * packet is read. */
uint64_t quic_conn_in_flight(const struct quic_conn *c);
/* As far as the library tells. */
struct layer_path quic_conn_path(const struct quic_conn *c);
/* It was the peer. */
void quic_conn_trust(struct quic_conn *c);
/* Packets were written: was the question among them? */
void quic_conn_note_asked(struct quic_conn *c);
/* The handshake is over: say something often enough. */
void quic_conn_keep_alive(struct quic_conn *c);

/* ---- quic_back.c: ngtcp2's callbacks ---- */
void quic_back_fill(bool server, ngtcp2_callbacks *cb);
/* Why a callback fails, which the library is not told: what it returns. */
int quic_conn_broken(struct quic_conn *c, enum rk_err code, const char *what);
/* Room in c->ids for one more; RK_ELIMIT. */
RK_MUST enum rk_err quic_conn_add_id(
    struct quic_conn *c, const uint8_t *id, size_t len);
/* Client: open the stream that carries everything, as soon as it may be. */
int quic_conn_open_stream(struct quic_conn *c);
/* Whoever ends the stream ends the connection: it has no other. */
void quic_conn_stream_over(struct quic_conn *c);

/* ---- quic_apart.c ---- */
void quic_apart_init(struct quic_conn *c);
void quic_apart_fini(struct quic_conn *c);
RK_MUST enum rk_err quic_apart_send(
    struct quic_conn *c, const uint8_t *src, size_t len);
/* Bytes of ours that are not confirmed. */
uint64_t quic_apart_held(const struct quic_conn *c);
/* Is there any that this end has not sent at all? */
bool quic_apart_unsent(const struct quic_conn *c);
/* What is whole; NULL: nothing. */
const struct quic_apart *quic_apart_arrived(const struct quic_conn *c);
void quic_apart_done(struct quic_conn *c);
/* Since when the peer owes the rest of a message; false: it does not. */
bool quic_apart_late(const struct quic_conn *c, uint64_t *since);
/* The next of ours that has something to send and may; NULL: none. */
struct quic_apart *quic_apart_next(struct quic_conn *c);
/* Try those again that the peer's window did not let go on. */
void quic_apart_unblock(struct quic_conn *c);
/* Behind the others, so that all get on. */
void quic_apart_rotate(struct quic_conn *c, struct quic_apart *a);
/* From ngtcp2's callbacks: a stream of the peer's, its bytes, and an end. */
int quic_apart_open(struct quic_conn *c, int64_t id);
int quic_apart_data(struct quic_conn *c, struct quic_apart *a,
    const uint8_t *data, size_t len, bool fin);
void quic_apart_close(struct quic_conn *c, struct quic_apart *a);

/* ---- quic_write.c ---- */
/* Make packets of what waits; all of it, or only what fills a batch of them. */
void quic_conn_write(struct quic_conn *c);
void quic_conn_write_early(struct quic_conn *c);
/* One datagram that is no connection's, or a goodbye. */
void quic_end_send(struct quic_end *e, const struct addr *local,
    const struct addr *remote, const uint8_t *data, size_t len);

/* ---- quic_hello.c: who is not a connection yet, or any more ---- */
/* Tokens outlive processes: nanoseconds since 1970. */
uint64_t quic_wall_ns(void);
void quic_hello_input(struct quic_end *e, const struct quic_datagram *d);
void quic_hello_free(struct quic_end *e, struct quic_hello *h);
/* The handshake must begin again, behind a Retry. */
void quic_hello_retry(struct quic_end *e, const struct addr *local,
    const struct addr *remote, const ngtcp2_pkt_hd *hd);
void quic_hello_versions(struct quic_end *e, const struct quic_datagram *d,
    const ngtcp2_version_cid *vc);
void quic_hello_reset(
    struct quic_end *e, const struct quic_datagram *d, const uint8_t *id);

/* ---- quic_layer.c ---- */
struct layer *quic_layer(struct quic_conn *c);

/* ---- quic_err.c: words ---- */
/* Why the connection ended, in err: what the library returned, or why the peer
 * closed. */
enum rk_err quic_explain_lib(
    const struct quic_conn *c, int rv, struct rk_error *err);
/* The code and phrase that tell the peer why. */
void quic_goodbye(const struct rk_error *why, ngtcp2_ccerr *cc);

#endif
