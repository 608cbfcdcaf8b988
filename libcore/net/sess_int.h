/* The inside of a session, for the files that it is made of. */
#ifndef RPCKIT_NET_SESS_INT_H
#define RPCKIT_NET_SESS_INT_H

#include "base/buf.h"
#include "net/loop.h"
#include "net/sess_hs.h"
#include "net/sess_keys.h"

#include <rpckit/session.h>

/*
 * On the pipe: three bytes of length, then a message of the handshake or a
 * packet.  A packet's text is items: type, three bytes of length, content.
 * Datagrams are without the three bytes, but in our buffers have them too.
 */
#define SESS_LEN_LEN 3
#define SESS_ITEM_LEN 4
#define SESS_TEXT_MAX (65536 + 64)
#define SESS_PACKET_MAX (SESS_HEAD_DATAGRAM + SESS_TEXT_MAX + NOISE_TAG_LEN)
#define SESS_DATA_MAX 65536 /* of an item */

enum sess_item {
	SESS_PROOF = 1,
	SESS_ACCEPTED,
	SESS_REKEY,
	SESS_REKEYED,
	SESS_CLOSE,
	SESS_DATA,
	SESS_PROBE,
	SESS_PROBED
};

/* Why, in the one byte of a SESS_CLOSE. */
enum sess_reason {
	SESS_DONE,
	SESS_REFUSED, /* not the peer that is wanted */
	SESS_BROKEN,  /* the protocol */
	SESS_OTHER
};

#define SESS_CLOSE_MS 5000
/* Datagrams: again, if there was no answer; who was answered before is not
 * pushed out sooner, and no other hello is looked at sooner. */
#define SESS_AGAIN_MS 250
#define SESS_HELD_MS 1000
#define SESS_PACE_MS 125
#define SESS_PACKET_FIRST 1200 /* a datagram that every network carries */
#define SESS_PACKET_LEAST 512
#define SESS_DATAGRAM_MAX 65000
#define SESS_OUT_FULL (256u * 1024) /* a write is refused */
#define SESS_GOT_FULL (256u * 1024) /* nothing more is taken from the pipe */
#define SESS_IN_MAX (SESS_LEN_LEN + SESS_PACKET_MAX + 65536u)
#define SESS_READ_LEN 65536u
#define SESS_READ_EARLY 512u /* from a stranger */

struct rk_session {
	struct rk_loop *loop;
	struct rk_session_conf conf;
	struct rk_session_pipe pipe;
	uint8_t wanted[RK_KEY_PUBLIC_LEN]; /* conf.peer was a key */
	char wanted_fp[RK_FP_LEN];         /* it was a fingerprint; or "" */
	bool wants_key;
	bool datagrams;
	bool sequential; /* they have an end, as SOCK_SEQPACKET */
	enum rk_session_state state;
	unsigned passed; /* bits of the states that were reached */
	unsigned told;   /* and of those that the user knows about */
	struct rk_error error;
	struct sess_hs hs;
	struct sess_keys keys;
	bool keyed; /* keys are there */
	bool proven;
	bool judging;   /* conf.judge is on the stack */
	struct buf in;  /* from the pipe */
	struct buf out; /* for the pipe, sealed but for what is open */
	struct buf got; /* for rk_session_read() */
	size_t open;    /* bytes at the end of out that a packet may grow by */
	bool begun;     /* the loop has turned */
	bool ending;    /* sess_end() was called */
	bool ended;     /* the pipe has */
	bool goodbye;   /* the peer's was read */
	bool broken;    /* writing to it has failed */
	bool blocked;   /* the pipe takes no more for now */
	bool refused;   /* a write was; RK_WRITE is due */
	bool news;      /* RK_READ is due */
	unsigned busy;  /* functions on the stack that use it */
	bool dead;      /* free it when they are done */
	uint64_t handshake_at;
	uint64_t rekey_at; /* 0: asked already, or nothing to be asked */
	uint64_t close_at;
	/* Datagrams. */
	size_t packet; /* the longest one that is sent */
	uint8_t
	    first[SESS_HELLO_MAX]; /* the hello: ours, or what we answered */
	size_t first_len;
	uint8_t answer[SESS_ANSWER_LEN];
	uint8_t proof[SESS_PROOF_LEN]; /* the initiator's */
	uint64_t answered_at;
	uint64_t again_at; /* what waits for an answer is said again; 0: no */
	uint64_t probe_at; /* 0: the longest is found, or set */
	unsigned probes;
	struct rk_timer *timer;
	struct rk_watch *watch[2]; /* in; out, if that is another one */
	struct loop_hook work;
};

/* ---- sess.c ---- */

void sess_go(struct rk_session *s, enum rk_session_state state);
/* It is over, for the reason in s->error, or set here; the peer is told where
 * that can be.  Only the first time counts. */
void sess_end(struct rk_session *s, enum rk_err r);
bool sess_is_over(const struct rk_session *s);
void sess_work_later(struct rk_session *s);

/* ---- sess_out.c ---- */

/* Append an item to the packet that is open, or to a new one. */
RK_MUST enum rk_err sess_put(
    struct rk_session *s, enum sess_item type, const void *data, size_t len);
/* The packet that is open is finished. */
RK_MUST enum rk_err sess_seal(struct rk_session *s);
/* A message of the handshake. */
RK_MUST enum rk_err sess_put_raw(
    struct rk_session *s, const void *data, size_t len);

/* The most text a packet may have. */
size_t sess_text_max(const struct rk_session *s);

/* ---- sess_datagram.c ---- */

/* Is this hello to be answered with new keys?  RK_EAGAIN: not now, or it was
 * and gets the same answer. */
RK_MUST enum rk_err sess_datagram_hello(
    struct rk_session *s, const uint8_t *p, size_t len);
/* What is to be said again by now; probes. */
RK_MUST enum rk_err sess_datagram_time(struct rk_session *s);
void sess_datagram_probe(struct rk_session *s); /* begin to */
RK_MUST enum rk_err sess_datagram_probed(
    struct rk_session *s, const uint8_t *p, size_t len);
RK_MUST enum rk_err sess_datagram_reply(struct rk_session *s, size_t len);

/* ---- sess_in.c ---- */

/* Use what is whole in s->in; the session may be over, or dead, then. */
void sess_take(struct rk_session *s);

/* ---- sess_pipe.c ---- */

RK_MUST enum rk_err sess_pipe_open(struct rk_session *s, struct rk_error *err);
void sess_pipe_close(struct rk_session *s);
/* Write what there is. */
void sess_pipe_flush(struct rk_session *s);
/* What is watched for, after any change. */
void sess_pipe_watch(struct rk_session *s);

#endif
