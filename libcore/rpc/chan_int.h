/* The inside of channels: ends, the messages they keep, links. */
#ifndef RPCKIT_RPC_CHAN_INT_H
#define RPCKIT_RPC_CHAN_INT_H

#include "net/loop.h"
#include "rpc/chan_wire.h"
#include "rpc/idmap.h"

#include <sys/queue.h>

/*
 * An end knows where the other one is: here (twin), beyond a link, or nowhere
 * any more.  What it sends goes at once to the inbox of a twin, or waits in its
 * outbox for the link.
 *
 * An end that travels in a message is `carried`: it goes on receiving, and
 * tells nobody.  When the message leaves over a link, the other end, if it is
 * here, becomes one beyond the link, and what was not delivered follows
 * (chan_move.c).  If the other end is elsewhere, this one becomes a relay: two
 * ends that pass everything on to one another.
 *
 * Nothing here calls the user but chan_run(), which the loop calls.
 */
struct chan_link;
TAILQ_HEAD(chan_list, rk_chan);
TAILQ_HEAD(chan_queue, chan_msg);

/*
 * What a peer made this program hold by way of a link: it is counted until it
 * is gone, wherever it has got to, and when the link has gone, too.
 */
struct chan_hold {
	size_t refs;
	size_t sum;
};
/* A share of it. */
struct chan_charge {
	struct chan_hold *hold; /* NULL: none */
	size_t n;
};

struct chan_msg {
	TAILQ_ENTRY(chan_msg) link;
	struct buf data;
	size_t cost;  /* what it counts; see chan_cost() */
	size_t got;   /* bytes of it that have come over the link */
	bool begun;   /* its first piece has left */
	bool counted; /* it came over the link of the end it is in */
	struct chan_charge charge;
	size_t n_ends;
	struct rk_chan *ends[];
};

enum chan_state {
	CHAN_OPEN,
	CHAN_FINISHED, /* in order */
	CHAN_BROKEN    /* see why */
};

struct rk_chan {
	struct rk_loop *loop;
	struct loop_hook hook;
	enum rk_chan_kind kind;
	char *type;
	const struct rk_chan_events *events; /* NULL: silent */
	void *arg;
	void *data;

	/* Who has it.  None of these: it only waits to be forgotten. */
	bool owned;             /* the user */
	bool carried;           /* a message, which is */
	struct rk_chan *holder; /* in this one's queue, if sent here */
	struct rk_chan *relay;  /* passes on what comes */
	unsigned hops;          /* how often it was sent over links */
	bool running;           /* inside chan_run() */

	/* Where the other end is. */
	struct rk_chan *twin;
	struct chan_link *link;
	uint64_t id;
	TAILQ_ENTRY(rk_chan) all;   /* of the link */
	TAILQ_ENTRY(rk_chan) ready; /* the same: it has something to send */
	bool is_ready;
	TAILQ_ENTRY(rk_chan) doomed; /* while messages are dropped */

	/* What comes. */
	struct chan_queue inbox;
	size_t inbox_cost;
	struct chan_msg *partial;
	size_t unread;   /* came over the link, and is not granted again */
	size_t to_grant; /* of that, read */
	enum chan_state rx;
	bool deaf; /* nobody reads */
	bool paused;
	bool read_wait; /* `readable` is owed when something comes */
	bool eof_told;
	bool lost; /* the link has failed */

	/* What goes. */
	struct chan_queue outbox;
	size_t outbox_cost;
	int64_t credit;     /* of a link */
	enum chan_state tx; /* FINISHED, BROKEN: when the outbox is empty */
	bool tx_done;       /* and the other end has been told */
	bool stopped;       /* the other end does not read */
	bool write_wait;    /* `writable` is owed when there is room */
	bool stop_due;      /* to be told the peer */

	/* Of BROKEN. */
	enum rk_err code;
	char text[RK_CHAN_REASON_MAX + 1]; /* escaped */

	struct chan_charge charge; /* the peer made it */
};

/* How many a turn passes on or delivers of one end. */
#define CHAN_TURN 64

/* ---- chan.c: ends ---- */

RK_MUST enum rk_err chan_new(struct rk_loop *loop, enum rk_chan_kind kind,
    struct rk_str type, struct rk_chan **out);
/* Both ends here. */
RK_MUST enum rk_err chan_pair(struct rk_loop *loop, enum rk_chan_kind kind,
    struct rk_str type, struct rk_chan **one, struct rk_chan **other);
/* Have chan_run() called. */
void chan_wake(struct rk_chan *c);
/* Tell the user, or pass on, at most so many messages. */
void chan_run(struct rk_chan *c, size_t most);
/* Free it if nobody needs it. */
void chan_settle(struct rk_chan *c);
/* What may be sent before it must wait; 0: nothing. */
size_t chan_room(const struct rk_chan *c);
/* Something else may be sent: wake who waits for that. */
void chan_has_room(struct rk_chan *c);
/* Note why it broke; the text was escaped where it came from, or is once more
 * but for backslashes. */
void chan_set_why(struct rk_chan *c, enum rk_err code, const char *text);
/* m has left c's inbox: its sender may send more. */
void chan_took(struct rk_chan *c, const struct chan_msg *m);
/* No more from us; tx becomes how, unless it has ended. */
void chan_end_tx(struct rk_chan *c, enum chan_state how);
/* We read no more. */
void chan_deafen(struct rk_chan *c);
/* Close it if nobody listens to it. */
void chan_close_silent(struct rk_chan *c);
/* The other end does not read, or cannot: drop what would go there. */
void chan_stop(struct rk_chan *c);

/* ---- chan_hold.c: what a peer makes us hold ---- */

RK_MUST enum rk_err chan_hold_new(struct chan_hold **out);
/* The link's own part; NULL is allowed. */
void chan_hold_release(struct chan_hold *h);
/* So much more. */
void chan_charge(struct chan_charge *c, struct chan_hold *h, size_t n);
/* It is gone. */
void chan_discharge(struct chan_charge *c);
/* What a link may hold that is not told. */
size_t chan_hold_default(uint32_t window, uint32_t max_channels);
/* What it must be able to hold. */
size_t chan_hold_least(uint32_t window, uint32_t max_channels);

/* ---- chan_msg.c: messages ---- */

size_t chan_cost(size_t len, size_t n_ends);
RK_MUST enum rk_err chan_msg_new(size_t n_ends, struct chan_msg **out);
/* Free it; the ends in it are closed, and those in what they hold. */
void chan_msg_drop(struct chan_msg *m);
/* Nobody has c any more: its inbox is dropped, its outbox not. */
void chan_abandon(struct rk_chan *c);
/* At the end of c's inbox or outbox. */
void chan_put_in(struct rk_chan *c, struct chan_msg *m);
void chan_put_out(struct rk_chan *c, struct chan_msg *m);
/* The first, out of it; NULL: none. */
struct chan_msg *chan_take_in(struct rk_chan *c);
struct chan_msg *chan_take_out(struct rk_chan *c);
void chan_drop_in(struct rk_chan *c);
void chan_drop_out(struct rk_chan *c);
/* Take what this end was given to send where the other end is: its twin's
 * inbox, or its outbox. */
void chan_post(struct rk_chan *c, struct chan_msg *m);

/* ---- chan_move.c: ends that travel, relays ---- */

/* e leaves over l in a message: what is to be said about it there. */
RK_MUST enum rk_err chan_export(
    struct chan_link *l, struct rk_chan *e, uint64_t id, struct chan_end *out);
/* An end that the peer has announced. */
RK_MUST enum rk_err chan_import(
    struct chan_link *l, const struct chan_end *e, struct rk_chan **out);
/* Pass on what came, at most so many messages. */
void chan_relay(struct rk_chan *c, size_t most);

/* ---- chan_mux.c: a link; pure but for chan_wake() ---- */

struct chan_link {
	struct rk_loop *loop;
	bool server;     /* ids of ours are even */
	uint32_t window; /* what we let come */
	uint32_t max_channels;
	size_t max_waiting;
	struct chan_hold *hold;
	uint32_t peer_window; /* and the peer */
	uint32_t peer_max;
	bool hello_due;
	bool greeted; /* the peer has said hello */
	bool dead;
	char *type;         /* of the first channel */
	uint64_t next_mine; /* the next id made here, and there */
	uint64_t next_theirs;
	uint32_t n_mine; /* alive */
	uint32_t n_theirs;
	bool starved;     /* some end waits for n_mine to sink */
	struct idmap ids; /* id + 1 to rk_chan */
	struct chan_list all;
	struct chan_list ready;
	/* There is something to be sent; or nothing is left (chan_is_over()).
	 */
	void (*wake)(struct chan_link *l, void *arg);
	void *arg;
};

/* With the first channel, which is channel 0. */
RK_MUST enum rk_err chan_link_init(struct chan_link *l, struct rk_loop *loop,
    bool server, const struct rk_chan_conf *conf, struct rk_chan **first);
/* All of its ends end with this; those that listen are told at once. */
void chan_link_fail(struct chan_link *l, const struct rk_error *why);
void chan_link_fini(struct chan_link *l); /* after it has failed or is over */
/*
 * The peer's next part.  RK_EPROTO, RK_EINVAL (another type), RK_ELIMIT,
 * RK_ENOMEM: with the reason; the link is to fail.
 */
RK_MUST enum rk_err chan_feed(
    struct chan_link *l, struct rk_bytes part, struct rk_error *err);
/* The next part for the peer, at most cap (CHAN_FRAME_MAX or more) bytes; *n 0:
 * nothing.  RK_ENOMEM. */
RK_MUST enum rk_err chan_pull(
    struct chan_link *l, uint8_t *dst, size_t cap, size_t *n);
/* Would it give something? */
bool chan_has_more(const struct chan_link *l);
/* Every channel has ended at both ends. */
bool chan_is_over(const struct chan_link *l);
/* The end may have something to send. */
void chan_offer(struct rk_chan *c);
/* Under this id from now on.  RK_ENOMEM. */
RK_MUST enum rk_err chan_link_add(
    struct chan_link *l, struct rk_chan *c, uint64_t id);
/* Both directions have ended, maybe: then it needs no link any more. */
void chan_link_check(struct rk_chan *c);

#endif
